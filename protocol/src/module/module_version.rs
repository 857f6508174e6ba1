//! A module at a version: the name of everything that is carried, stored and served.

use super::text::Quoted;
use super::{ModulePath, PathError, Version, VersionError, semver};
use std::fmt;
use std::str::FromStr;

/// A module path and a canonical version that belong together: `…/v2` has only `v2.x.y`, and a path without a major
/// version has `v0.x.y`, `v1.x.y` and `+incompatible` ones (module.Check).
///
/// Ordered as `go.sum` is: by path, then by version (module.Sort).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleVersion {
    path: ModulePath,
    version: Version,
}

/// A module and version that are refused, and why. Each Display is whole: it names what is wrong and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// The text has no `@`.
    #[error("{} is not of the form path@version", Quoted(.0))]
    NoVersion(String),
    /// The path is invalid.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The version is not canonical.
    #[error("module {path}: {reason}")]
    Version {
        /// Of which module.
        path: ModulePath,
        /// What is wrong with the version, which is named in it.
        reason: VersionError,
    },
    /// Both are valid, but not of one another.
    #[error("{path}@{version}: version should be {expected}, not {}", .version.major())]
    Major {
        /// The path.
        path: ModulePath,
        /// The version.
        version: Version,
        /// The major version that the path has: `"v2"`, or `"v0 or v1"`.
        expected: String,
    },
}

impl ModuleVersion {
    /// Puts a path and a version together.
    ///
    /// # Errors
    /// [`ModuleError::Major`] when the version's major is not the path's.
    pub fn new(path: ModulePath, version: Version) -> Result<ModuleVersion, ModuleError> {
        let (_, major) = path.split_version();
        if match_path_major(version.as_str(), major) {
            return Ok(ModuleVersion { path, version });
        }
        let expected = match major {
            "" => "v0 or v1",
            major => path_major_number(major),
        };
        let expected = expected.to_owned();
        Err(ModuleError::Major {
            path,
            version,
            expected,
        })
    }

    /// Checks both and puts them together.
    ///
    /// # Errors
    /// When one is invalid, or the two do not belong together.
    pub fn parse(path: &str, version: &str) -> Result<ModuleVersion, ModuleError> {
        let path = ModulePath::new(path)?;
        match Version::new(version) {
            Ok(version) => ModuleVersion::new(path, version),
            Err(reason) => Err(ModuleError::Version { path, reason }),
        }
    }

    /// The module's path.
    pub fn path(&self) -> &ModulePath {
        &self.path
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Both, apart again.
    pub fn into_parts(self) -> (ModulePath, Version) {
        (self.path, self.version)
    }
}

/// Whether a semantic version may be one of a module whose path ends in `path_major` (module.MatchPathMajor).
pub fn match_path_major(version: &str, path_major: &str) -> bool {
    // Early versions of `go` made such pseudo-versions for gopkg.in's .v1, and go.mod files still name them.
    if version.starts_with("v0.0.0-")
        && path_major_number(path_major) == "v1"
        && path_major.starts_with('.')
    {
        return true;
    }
    let major = semver::major(version);
    if path_major.is_empty() {
        return matches!(major, "v0" | "v1") || semver::build(version) == "+incompatible";
    }
    path_major.starts_with(['/', '.']) && path_major_number(path_major) == major
}

/// `"v2"` of `"/v2"`, `".v2"` and `".v2-unstable"`.
fn path_major_number(path_major: &str) -> &str {
    match path_major.strip_prefix('.') {
        Some(major) => major.strip_suffix("-unstable").unwrap_or(major),
        None => path_major.strip_prefix('/').unwrap_or(path_major),
    }
}

impl fmt::Display for ModuleVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.path, self.version)
    }
}

impl FromStr for ModuleVersion {
    type Err = ModuleError;

    fn from_str(text: &str) -> Result<ModuleVersion, ModuleError> {
        match text.split_once('@') {
            Some((path, version)) => ModuleVersion::parse(path, version),
            None => Err(ModuleError::NoVersion(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn path_and_version_belong_together() {
        for good in [
            "a.b/c@v0.1.0",
            "a.b/c@v1.0.0",
            "a.b/c@v2.0.0+incompatible",
            "a.b/c/v2@v2.1.0-pre",
            "gopkg.in/yaml.v3@v3.0.1",
            "gopkg.in/check.v1@v0.0.0-20161208181325-20d25e280405",
            "gopkg.in/x.v2-unstable@v2.0.0",
        ] {
            assert_eq!(good.parse::<ModuleVersion>().unwrap().to_string(), good);
        }
        for (bad, message) in [
            (
                "a.b/c@v2.0.0",
                "a.b/c@v2.0.0: version should be v0 or v1, not v2",
            ),
            (
                "a.b/c/v2@v1.0.0",
                "a.b/c/v2@v1.0.0: version should be v2, not v1",
            ),
            (
                "gopkg.in/x.v2-unstable@v1.0.0",
                "gopkg.in/x.v2-unstable@v1.0.0: version should be v2, not v1",
            ),
            ("a.b/c", "\"a.b/c\" is not of the form path@version"),
            (
                "a.b/c@main",
                "module a.b/c: invalid version \"main\": not a semantic version",
            ),
        ] {
            assert_eq!(
                bad.parse::<ModuleVersion>().unwrap_err().to_string(),
                message
            );
        }
    }

    #[test]
    fn ordered_by_path_then_version() {
        let ordered = [
            "a.b/c@v1.9.0",
            "a.b/c@v1.10.0",
            "a.b/c-d@v1.0.0",
            "a.b/c/v2@v2.0.0",
        ];
        let mut sorted: Vec<ModuleVersion> = ordered.iter().map(|m| m.parse().unwrap()).collect();
        sorted.sort();
        let sorted: Vec<String> = sorted.iter().map(ToString::to_string).collect();
        assert_eq!(
            sorted,
            [
                "a.b/c@v1.9.0",
                "a.b/c@v1.10.0",
                "a.b/c-d@v1.0.0",
                "a.b/c/v2@v2.0.0"
            ]
        );
    }
}
