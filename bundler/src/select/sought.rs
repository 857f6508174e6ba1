//! A module that is asked for by name: `path@version`, `path@query`, `pattern@query`, and how it is meant.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use modferry_cli::wants::Follow;
use modferry_protocol::module::{ModulePath, ModuleVersion, PathError, Version};

use super::levels;
use super::packages::constraint::Tags;
use super::pattern::PathPattern;
use super::query::{Kind, Query, QueryError};
use super::resolve::Question;
use crate::fetch::Want;

/// Something that is sought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought {
    /// As errors and chains of requirements name it.
    pub name: String,
    /// The module, or a pattern of modules.
    pub pattern: Place,
    /// The version, or a query.
    pub query: Query,
    /// The shorter paths that the module may have instead, longest first, where only some are meant: of a package that none of
    /// them has, the path may be. None: any.
    pub or: Vec<ModulePath>,
    /// Whether it comes from a wants file: then nobody has chosen to name it to a public upstream.
    pub wanted: bool,
    /// Whether the wants file marks it as private: then it is asked for only where it has an upstream of its own.
    pub private: bool,
    /// How far requirements are followed.
    pub follow: Follow,
    /// Which files count where packages are loaded.
    pub tags: Tags,
    /// Whether pre-releases count like releases.
    pub pre_releases: bool,
    /// Whether retracted versions count.
    pub retracted: bool,
}

/// A module's path, or a pattern of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// One module.
    Path(ModulePath),
    /// Those of the known ones that match.
    Pattern(PathPattern),
}

/// Why a text names nothing that can be sought.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SoughtError {
    /// There is no `@`.
    #[error("{0}: no version: {advice}", advice = advice(.0))]
    NoVersion(String),
    /// What stands before the `@` is no path.
    #[error("{text}: {source}")]
    Path {
        /// All of it.
        text: String,
        /// The rule.
        source: PathError,
    },
    /// What stands behind it is no query.
    #[error("{text}: {source}")]
    Query {
        /// All of it.
        text: String,
        /// The rule.
        source: QueryError,
    },
}

/// What to write instead; `path v1.2.3` is what `go list -m all` prints.
fn advice(text: &str) -> String {
    let mut words = text.split_whitespace();
    match (words.next(), words.next()) {
        (Some(path), Some(version)) => format!("say {path}@{version}"),
        _ => format!("say {text}@latest, or {text}@vX.Y.Z"),
    }
}

impl FromStr for Sought {
    type Err = SoughtError;

    /// Reads `path@query`.
    fn from_str(text: &str) -> Result<Sought, SoughtError> {
        let (path, query) = match text.split_once('@') {
            Some((path, query)) if !path.is_empty() => (path, query),
            _ => return Err(SoughtError::NoVersion(text.to_owned())),
        };
        let pattern = PathPattern::new(path);
        let pattern = match pattern.is_wild() {
            true => Place::Pattern(pattern),
            false => Place::Path(ModulePath::new(path).map_err(|source| SoughtError::Path {
                text: text.to_owned(),
                source,
            })?),
        };
        let query = Query::parse(query).map_err(|source| SoughtError::Query {
            text: text.to_owned(),
            source,
        })?;
        Ok(Sought::of(text.to_owned(), pattern, query))
    }
}

impl Sought {
    /// The newest version of what nobody named.
    pub fn newest(path: &ModulePath) -> Sought {
        Sought::of(path.to_string(), Place::Path(path.clone()), Query::latest())
    }

    fn of(name: String, pattern: Place, query: Query) -> Sought {
        Sought {
            name,
            pattern,
            query,
            or: Vec::new(),
            wanted: false,
            private: false,
            follow: Follow::All,
            tags: Tags::Any,
            pre_releases: false,
            retracted: false,
        }
    }

    /// Whether it can be said only when it is known what else is selected.
    pub fn is_relative(&self) -> bool {
        let pattern = matches!(self.pattern, Place::Pattern(_));
        pattern || matches!(self.query.kind(), Kind::Upgrade | Kind::Patch)
    }

    /// Whether it may come to many versions or modules, as it is said.
    pub fn is_bulk(&self) -> bool {
        let pattern = matches!(self.pattern, Place::Pattern(_));
        pattern
            || matches!(
                self.query.kind(),
                Kind::All(_) | Kind::Newest(..) | Kind::Since(..)
            )
    }

    /// Whether it is one version, and no query.
    pub fn is_version(&self) -> bool {
        let version = |name: &str| Version::new(name).is_ok();
        matches!(self.query.kind(), Kind::Named(name) if version(name.as_str()))
    }

    /// What is asked about one of its modules.
    pub fn question(&self, path: &ModulePath, current: Option<Version>) -> Question {
        Question {
            path: path.clone(),
            or: match &self.pattern {
                Place::Path(_) if self.or.is_empty() => above(path).collect(),
                _ => self.or.clone(),
            },
            query: self.query.clone(),
            current,
            without: BTreeSet::new(),
            pre_releases: self.pre_releases,
            retracted: self.retracted,
            looks: self.pattern.as_path().is_none(),
        }
    }

    /// What is wanted of a version that was chosen.
    pub fn wants(&self, module: ModuleVersion) -> Vec<Want> {
        let as_named = self
            .pattern
            .as_path()
            .is_none_or(|path| path == module.path());
        let name = match self.is_version() && as_named {
            true => self.name.clone(),
            false => format!("{} ({module})", self.name),
        };
        levels::of_module(name, module, self.follow, &self.tags)
    }
}

/// The modules that could have a package of this path, besides the one that is called so; the longest path first.
fn above(path: &ModulePath) -> impl Iterator<Item = ModulePath> {
    let slashes = path.as_str().rmatch_indices('/');
    slashes.filter_map(|(end, _)| ModulePath::new(&path.as_str()[..end]).ok())
}

impl Place {
    /// The path, if it is one.
    pub fn as_path(&self) -> Option<&ModulePath> {
        match self {
            Place::Path(path) => Some(path),
            Place::Pattern(_) => None,
        }
    }

    /// Whether a module is meant.
    pub fn matches(&self, path: &ModulePath) -> bool {
        match self {
            Place::Path(one) => one == path,
            Place::Pattern(pattern) => pattern.matches(path.as_str()),
        }
    }
}

impl fmt::Display for Sought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pattern {
            Place::Path(path) => write!(f, "{path}@{}", self.query),
            Place::Pattern(pattern) => write!(f, "{pattern}@{}", self.query),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions_queries_and_patterns() {
        for (text, relative, version) in [
            ("example.com/a/v2@v2.0.1", false, true),
            ("example.com/a@latest", false, false),
            ("example.com/a@^1.8", false, false),
            ("example.com/a@master", false, false),
            ("example.com/a@upgrade", true, false),
            ("example.com/a@patch", true, false),
            ("example.com/...@latest", true, false),
            ("...@v1.0.0", true, true),
        ] {
            let sought = text.parse::<Sought>().unwrap();
            assert_eq!(sought.to_string(), text);
            assert_eq!(
                (sought.is_relative(), sought.is_version()),
                (relative, version),
                "{text}"
            );
        }
    }

    #[test]
    fn each_malformed_name_is_told_apart() {
        for (text, told) in [
            (
                "example.com/a",
                "example.com/a: no version: say example.com/a@latest",
            ),
            (
                "example.com/a v1.0.0",
                "example.com/a v1.0.0: no version: say example.com/a@v1.0.0",
            ),
            ("@v1.0.0", "no version"),
            ("", "no version"),
            ("example.com/a@", "example.com/a@: an empty query"),
            ("Example.com/a@latest", "Example.com/a@latest: "),
            ("a@latest", "a@latest: "),
            ("example.com/a@newest", "say how many"),
            ("example.com/...@>=x", "is no version"),
        ] {
            let error = text.parse::<Sought>().unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
