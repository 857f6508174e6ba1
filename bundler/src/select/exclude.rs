//! What is never chosen: `exclude` names module paths or patterns, with or without the versions that it is about.
//!
//! ```yaml
//! exclude:
//!   - example.com/legacy/...            # no version of these
//!   - example.com/a@v1.4.0              # just this one
//!   - example.com/b@<1.8                # every one before v1.8.0
//! ```
//!
//! It is about choices: queries, patterns and the newest versions pass over what it names. What a build requires is
//! carried all the same, for the build would fail without it.

use std::fmt;

use modferry_protocol::module::{ModulePath, Version};
use serde::de::{Deserialize, Deserializer};

use super::choose::Terms;
use super::pattern::PathPattern;
use super::query::{Kind, Query, QueryError};
use super::text;

/// One entry of `exclude`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclude {
    pattern: PathPattern,
    versions: Option<Query>,
}

/// Why an entry is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExcludeError {
    /// No path.
    #[error("{0:?}: no module: say example.com/a, example.com/a/... or example.com/a@<1.8")]
    NoPath(String),
    /// What follows the `@` is no query.
    #[error("{0:?}: {1}")]
    Query(String, QueryError),
    /// What follows the `@` names no versions by themselves.
    #[error("{0:?}: say versions: v1.4.0, v1.4, ^1.4, <1.8 or a range")]
    NoVersions(String),
}

impl Exclude {
    /// Reads an entry.
    pub fn parse(text: &str) -> Result<Exclude, ExcludeError> {
        let (path, query) = match text.split_once('@') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        if path.is_empty() || path.contains(char::is_whitespace) {
            return Err(ExcludeError::NoPath(text.to_owned()));
        }
        let versions = query.map(Query::parse).transpose();
        let versions = versions.map_err(|error| ExcludeError::Query(text.to_owned(), error))?;
        let by_itself = |query: &Query| match query.kind() {
            Kind::Prefix(_) | Kind::Closest(_) | Kind::Within(_) => true,
            Kind::Named(name) => Version::new(name.as_str()).is_ok(),
            _ => false,
        };
        if !versions.as_ref().is_none_or(by_itself) {
            return Err(ExcludeError::NoVersions(text.to_owned()));
        }
        Ok(Exclude {
            pattern: PathPattern::new(path),
            versions,
        })
    }

    /// Whether it is about versions of this module.
    pub fn names(&self, path: &ModulePath) -> bool {
        self.pattern.matches(path.as_str())
    }

    /// Whether it is about this version.
    pub fn covers(&self, path: &ModulePath, version: &Version) -> bool {
        let terms = Terms {
            path,
            current: None,
        };
        let versions = || {
            self.versions
                .as_ref()
                .is_none_or(|query| query.admits(version, &terms))
        };
        self.names(path) && versions()
    }
}

impl fmt::Display for Exclude {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.versions {
            Some(versions) => write!(f, "{}@{versions}", self.pattern),
            None => self.pattern.fmt(f),
        }
    }
}

impl std::str::FromStr for Exclude {
    type Err = ExcludeError;

    fn from_str(text: &str) -> Result<Exclude, ExcludeError> {
        Exclude::parse(text)
    }
}

impl<'de> Deserialize<'de> for Exclude {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Exclude, D::Error> {
        text::deserialize(
            deserializer,
            "a module or a pattern, with or without versions",
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn covers(exclude: &str, module: &str) -> bool {
        let (path, version) = module.split_once('@').unwrap();
        let exclude = Exclude::parse(exclude).unwrap();
        exclude.covers(&path.parse().unwrap(), &version.parse().unwrap())
    }

    #[test]
    fn paths_patterns_and_versions() {
        assert!(covers("a.b/c", "a.b/c@v1.0.0"));
        assert!(!covers("a.b/c", "a.b/c/d@v1.0.0"));
        assert!(covers("a.b/...", "a.b/c/d@v1.0.0"));
        assert!(covers("a.b/...@^1.2", "a.b/c@v1.3.0"));
        assert!(!covers("a.b/...@^1.2", "a.b/c@v1.1.0"));
        assert!(covers("a.b/c@<1.8", "a.b/c@v1.7.9"));
        assert!(!covers("a.b/c@<1.8", "a.b/c@v1.8.0"));
        assert!(covers("a.b/c@v1.8.0", "a.b/c@v1.8.0"));
        assert!(!covers("a.b/c@v1.8.0", "a.b/c@v1.8.1"));
        assert!(covers("a.b/c@v1", "a.b/c@v1.8.1"));
    }

    #[test]
    fn each_malformed_entry_is_told_apart() {
        let error = |text: &str| Exclude::parse(text).unwrap_err().to_string();
        assert!(error("").contains("no module"));
        assert!(error("@v1.0.0").contains("no module"));
        assert!(error("a.b/c d").contains("no module"));
        assert!(error("a.b/c@").contains("an empty query"));
        assert!(error("a.b/c@>=x").contains("is no version"));
        for vague in [
            "latest",
            "all",
            "master",
            "newest 3",
            "since 2025-01-01",
            "v1.2.3+meta",
        ] {
            assert!(
                error(&format!("a.b/c@{vague}")).contains("say versions"),
                "{vague}"
            );
        }
    }
}
