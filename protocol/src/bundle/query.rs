//! Queries that were answered: what `go get module@main` is told, carried with the time it was asked.
//!
//! Only a module's origin knows which version a branch stands for, so the connected side asks, and the answer
//! travels. It is an `.info` like that of a version, and names one that must be whole at the destination: a query can
//! lead to nothing that the checksum database does not vouch for.
//!
//! ```text
//! asked 2026-11-21T09:00:00Z
//! {"Version":"v0.0.0-20261120120000-abcdefabcdef","Time":"2026-11-20T12:00:00Z"}
//! ```
//!
//! The time is the connected side's, for people: a branch moves on, and an answer does not. Which of two answers is newer
//! is decided by the order of bundles, never by it.

use std::fmt;

use super::text;
use crate::module::{ModulePath, Revision};
use crate::request::Request;

/// The most bytes of a query's text: what a file's name may have, and so the last part of a branch's.
pub const MAX_QUERY: usize = 255;

/// The most queries that a bundle answers.
pub const MAX_QUERIES: usize = 65_536;

/// A module and what is asked of it that is no version of it: a branch, a commit, a tag that is no version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Query {
    path: ModulePath,
    revision: Revision,
}

/// Why something is no query that a bundle can answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A version of the module itself has its own `.info`.
    #[error("{0} names a version of the module, which is no query")]
    Version(String),
    /// More than [`MAX_QUERY`] bytes, or a space.
    #[error("{shown}: want a query of 1 to {MAX_QUERY} bytes without a space")]
    Text {
        /// The module and the query.
        shown: String,
    },
}

impl Query {
    /// Checks that this is a query.
    pub fn new(path: ModulePath, revision: Revision) -> Result<Query, QueryError> {
        let shown = format!("{path}@{revision}");
        if revision.as_str().len() > MAX_QUERY || revision.as_str().contains(' ') {
            return Err(QueryError::Text { shown });
        }
        match Request::info(path, revision) {
            Request::Query { path, query } => Ok(Query {
                path,
                revision: query,
            }),
            _ => Err(QueryError::Version(shown)),
        }
    }

    /// The module.
    pub fn path(&self) -> &ModulePath {
        &self.path
    }

    /// What is asked of it.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.path, self.revision)
    }
}

/// An answer to a query, as bundles have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// When it was asked, by the connected side's clock: RFC 3339 in UTC with whole seconds.
    pub asked: &'a str,
    /// The `.info`, as upstream served it.
    pub info: &'a [u8],
}

impl<'a> Answer<'a> {
    /// The item's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = format!("asked {}\n", self.asked).into_bytes();
        bytes.extend_from_slice(self.info);
        bytes
    }

    /// Reads what [`encode`](Self::encode) gives; `None` of anything else. What the `.info` says is not looked at.
    pub fn parse(bytes: &'a [u8]) -> Option<Answer<'a>> {
        let rest = bytes.strip_prefix(b"asked ")?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let asked = std::str::from_utf8(&rest[..end]).ok()?;
        text::is_time(asked).then_some(Answer {
            asked,
            info: &rest[end + 1..],
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn query(path: &str, revision: &str) -> Result<Query, QueryError> {
        Query::new(
            ModulePath::new(path).unwrap(),
            Revision::new(revision).unwrap(),
        )
    }

    #[test]
    fn a_query_is_what_is_no_version_of_the_module() {
        for (path, revision) in [
            ("example.com/a", "main"),
            ("example.com/a", "daa7c04131f5"),
            ("example.com/a", "v1"),
            ("example.com/a", "v2.0.0"),
            ("example.com/a", &"x".repeat(MAX_QUERY)),
        ] {
            let query = query(path, revision).unwrap();
            assert_eq!(query.to_string(), format!("{path}@{revision}"));
        }
        assert!(matches!(
            query("example.com/a", "v1.0.0"),
            Err(QueryError::Version(_))
        ));
        for bad in ["a b", &"x".repeat(MAX_QUERY + 1)] {
            assert!(matches!(
                query("example.com/a", bad),
                Err(QueryError::Text { .. })
            ));
        }
    }

    #[test]
    fn an_answer_has_one_spelling() {
        let answer = Answer {
            asked: "2026-11-21T09:00:00Z",
            info: b"{\"Version\":\"v1.0.0\"}\n",
        };
        let bytes = answer.encode();
        assert_eq!(Answer::parse(&bytes), Some(answer));
        for bad in [
            &b""[..],
            b"asked 2026-11-21T09:00:00Z",
            b"asked 2026-11-21\n{}",
            b"asked  2026-11-21T09:00:00Z\n{}",
            b"Asked 2026-11-21T09:00:00Z\n{}",
            b"{}",
        ] {
            assert_eq!(Answer::parse(bad), None, "{bad:?}");
        }
    }
}
