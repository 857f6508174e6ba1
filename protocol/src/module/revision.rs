//! Revisions: what may be asked of a module besides its canonical versions.
//!
//! `go get example.com/a@main` sends `main` to the proxy as if it were a version and expects to be told which version
//! it stands for. An isolated mirror has no branches to look at, but has to understand the question
//! to answer it well.

use super::escape::{self, EscapeError};
use super::text::Quoted;
use std::fmt;
use std::str::FromStr;

/// A branch, a commit, a short version such as `v1`: one path element that a version may be asked for by.
///
/// Never empty, ASCII, without `/`, `!` and `%`. The reference would allow the percent sign; it is refused because a
/// `%` behind a percent-decoding is how one name gets two meanings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(Box<str>);

/// A revision that is refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid version or revision {}: {reason}", Quoted(.revision))]
pub struct RevisionError {
    revision: String,
    reason: EscapeError,
}

impl RevisionError {
    /// Why.
    pub fn reason(&self) -> &EscapeError {
        &self.reason
    }
}

impl Revision {
    /// Checks a revision by the rules of module.EscapeVersion, and that it has no `%`.
    ///
    /// # Errors
    /// When it breaks one of them.
    pub fn new(revision: &str) -> Result<Revision, RevisionError> {
        let checked = if revision.contains('%') {
            Err(EscapeError::Char('%'))
        } else {
            escape::escape_version(revision).map(|_| ())
        };
        match checked {
            Ok(()) => Ok(Revision(revision.into())),
            Err(reason) => Err(RevisionError {
                revision: revision.to_owned(),
                reason,
            }),
        }
    }

    /// The revision that an escaped one stands for (module.UnescapeVersion).
    ///
    /// # Errors
    /// When it is no escaped form, or that of an invalid revision.
    pub fn from_escaped(escaped: &str) -> Result<Revision, RevisionError> {
        match escape::unescape_version(escaped) {
            Ok(revision) => Revision::new(&revision),
            Err(reason) => Err(RevisionError {
                revision: escaped.to_owned(),
                reason,
            }),
        }
    }

    /// The revision, unescaped.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The revision for URLs (module.EscapeVersion), before any percent-encoding.
    pub fn escaped(&self) -> String {
        escape::escape(&self.0)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(revision: &str) -> Result<Revision, RevisionError> {
        Revision::new(revision)
    }
}

impl AsRef<str> for Revision {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn branches_and_commits() {
        for good in ["main", "v1", "Release-1.0", "daa7c04131f5", "a b"] {
            let revision = Revision::new(good).unwrap();
            assert_eq!(
                Revision::from_escaped(&revision.escaped()).unwrap(),
                revision
            );
        }
        for bad in ["", "a/b", "..", "100%", "a!b", "<v1", "a\nb"] {
            let message = Revision::new(bad).unwrap_err().to_string();
            assert!(!message.contains('\n'), "{message}");
        }
    }
}
