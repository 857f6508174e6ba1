//! What is asked for, as one ordered list, wherever it stands: arguments, flags, lists of modferry.yaml, lines of the
//! files that those name. Each ask knows where it comes from, for whoever reads an error or wonders why a module is
//! carried.
//!
//! An entry of a list in modferry.yaml is what is asked for, or a mapping of that and how it is meant:
//!
//! ```yaml
//! modules:
//!   - example.com/a@v1.2.0
//!   - module: example.com/b@^1.8
//!     follow: none
//! go-mod:
//!   - path: billing/go.mod
//!     follow: all
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use modferry_cli::wants::Follow;

use super::sought::Sought;

/// One thing that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask<T = What> {
    /// Where it stands.
    pub origin: Origin,
    /// What it is.
    pub what: T,
    /// How it is meant.
    pub options: Options,
}

/// Where an ask stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// On the command line.
    #[default]
    Argument,
    /// In a list of modferry.yaml.
    Key {
        /// The file.
        file: Arc<Path>,
        /// The list.
        key: &'static str,
        /// Its place there, from 0, as errors about that file count.
        index: usize,
    },
    /// In a file that an ask names.
    Line {
        /// The file.
        file: Arc<Path>,
        /// Line, from 1.
        line: usize,
    },
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Modules by name.
    Module(Sought),
    /// What a file or folder says.
    Input(Input, PathBuf),
}

/// What a file or folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A go.mod file: what its module needs.
    GoMod,
    /// A go.sum file: exactly what it names.
    GoSum,
    /// A go.work file: what its modules need, built together.
    GoWork,
    /// A folder, or a glob of folders: every go.mod and go.work below.
    Checkouts,
    /// A vendor/modules.txt: the modules that something is built from.
    Vendor,
    /// A compiled program: the modules that it was built from.
    Binary,
    /// A bill of materials: the modules that something was built from.
    Sbom,
    /// A module cache, or a folder of that shape: what it has.
    Modcache,
    /// Lines of `module@version`.
    List,
    /// A wants file: what somebody behind the gap lacks.
    Wants,
}

impl Input {
    /// The key of modferry.yaml that lists such.
    pub fn key(self) -> &'static str {
        match self {
            Input::GoMod => "go-mod",
            Input::GoSum => "go-sum",
            Input::GoWork => "go-work",
            Input::Checkouts => "checkouts",
            Input::Vendor => "vendor",
            Input::Binary => "binary",
            Input::Sbom => "sbom",
            Input::Modcache => "modcache",
            Input::List => "list",
            Input::Wants => "wants",
        }
    }
}

/// How something is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// How far requirements are followed; each kind of ask has its own default.
    pub follow: Option<Follow>,
    /// Whether pre-releases count like releases.
    pub pre_releases: Option<bool>,
    /// Whether retracted versions count.
    pub retracted: Option<bool>,
}

impl Options {
    /// What is said here counts before what is said in general.
    #[must_use]
    pub fn or(self, general: Options) -> Options {
        Options {
            follow: self.follow.or(general.follow),
            pre_releases: self.pre_releases.or(general.pre_releases),
            retracted: self.retracted.or(general.retracted),
        }
    }
}

impl<T> Ask<T> {
    /// The same about something else.
    pub fn map<U>(self, what: impl FnOnce(T) -> U) -> Ask<U> {
        Ask {
            origin: self.origin,
            what: what(self.what),
            options: self.options,
        }
    }
}

impl<T> From<T> for Ask<T> {
    /// As it stands on the command line.
    fn from(what: T) -> Ask<T> {
        Ask {
            origin: Origin::Argument,
            what,
            options: Options::default(),
        }
    }
}

impl Ask {
    /// As an error, or a chain of requirements, names it.
    pub fn name(&self) -> String {
        match (&self.what, &self.origin) {
            (What::Module(sought), Origin::Argument) => sought.to_string(),
            (What::Module(sought), origin) => format!("{origin}: {sought}"),
            (What::Input(_, path), _) => path.display().to_string(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Argument => f.write_str("the command line"),
            Origin::Key { file, key, index } => write!(f, "{}: {key}[{index}]", file.display()),
            Origin::Line { file, line } => write!(f, "{}:{line}", file.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_ask_is_named_by_where_it_stands() {
        let named = |origin| {
            let sought: Sought = "a.b/c@v1.0.0".parse().unwrap();
            Ask {
                origin,
                ..Ask::from(What::Module(sought))
            }
            .name()
        };
        let file: Arc<Path> = Path::new("site/modferry.yaml").into();
        assert_eq!(named(Origin::Argument), "a.b/c@v1.0.0");
        let key = Origin::Key {
            file: file.clone(),
            key: "modules",
            index: 2,
        };
        assert_eq!(named(key), "site/modferry.yaml: modules[2]: a.b/c@v1.0.0");
        let line = Origin::Line { file, line: 7 };
        assert_eq!(named(line), "site/modferry.yaml:7: a.b/c@v1.0.0");
    }

    #[test]
    fn what_is_said_of_one_counts_before_what_is_said_of_all() {
        let one = Options {
            follow: Some(Follow::None),
            ..Options::default()
        };
        let all = Options {
            follow: Some(Follow::All),
            retracted: Some(true),
            ..Options::default()
        };
        let both = one.or(all);
        assert_eq!(both.follow, Some(Follow::None));
        assert_eq!((both.retracted, both.pre_releases), (Some(true), None));
    }
}
