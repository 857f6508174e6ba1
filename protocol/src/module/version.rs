//! Canonical versions: `v1.2.3`, `v1.2.3-rc.1`, `v2.0.0+incompatible`, and pseudo-versions.
//!
//! Canonical means that module.CanonicalVersion changes nothing: all three numbers, and no build metadata but
//! `+incompatible`. Only such versions are stored, listed or vouched for, because the checksum
//! database knows no others; anything else that may be asked for is a [`super::Revision`].

use super::escape::{self, EscapeError};
use super::text::Quoted;
use super::{pseudo, semver};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

const INCOMPATIBLE: &str = "+incompatible";

/// A canonical version. Ordered as semantic versions are, and bytewise where those are equal, which is only
/// between a version and the same with `+incompatible`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Version(Box<str>);

/// A version that is refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid {}version {}: {reason}", if *.escaped { "escaped " } else { "" }, Quoted(.version))]
pub struct VersionError {
    version: String,
    escaped: bool,
    reason: VersionReason,
}

impl VersionError {
    /// What was refused, as it was given.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Why.
    pub fn reason(&self) -> &VersionReason {
        &self.reason
    }
}

/// What is wrong with a version. Displays as one line that does not repeat the version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionReason {
    /// It is a branch, a commit, or nothing of the kind.
    #[error("not a semantic version")]
    NotSemantic,
    /// It is a semantic version in another form than the canonical one.
    #[error("not canonical, should be {canonical}")]
    NotCanonical {
        /// The canonical form.
        canonical: String,
    },
    /// It is no escaped form.
    #[error(transparent)]
    Escape(#[from] EscapeError),
}

/// The canonical form of a semantic version: short forms filled in, and of build metadata only `+incompatible` kept
/// (module.CanonicalVersion). `""` for what is no semantic version.
pub fn canonical_version(v: &str) -> String {
    let mut canonical = semver::canonical(v);
    if semver::build(v) == INCOMPATIBLE {
        canonical.push_str(INCOMPATIBLE);
    }
    canonical
}

fn check(version: &str) -> Result<(), VersionReason> {
    let canonical = canonical_version(version);
    if canonical == version && !version.is_empty() {
        Ok(())
    } else if canonical.is_empty() {
        Err(VersionReason::NotSemantic)
    } else {
        Err(VersionReason::NotCanonical {
            canonical: Quoted(&canonical).to_string(),
        })
    }
}

impl Version {
    /// Checks that `version` is canonical.
    ///
    /// # Errors
    /// When it is not, saying what would be.
    pub fn new(version: &str) -> Result<Version, VersionError> {
        match check(version) {
            Ok(()) => Ok(Version(version.into())),
            Err(reason) => Err(VersionError {
                version: version.to_owned(),
                escaped: false,
                reason,
            }),
        }
    }

    /// The version that an escaped one stands for (module.UnescapeVersion, and canonical).
    ///
    /// # Errors
    /// When it is no escaped form, or not that of a canonical version.
    pub fn from_escaped(escaped: &str) -> Result<Version, VersionError> {
        escape::unescape(escaped)
            .map_err(VersionReason::from)
            .and_then(|version| check(&version).map(|()| Version(version.into())))
            .map_err(|reason| VersionError {
                version: escaped.to_owned(),
                escaped: true,
                reason,
            })
    }

    /// The version, unescaped.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The version for URLs and file names (module.EscapeVersion).
    pub fn escaped(&self) -> String {
        escape::escape(&self.0)
    }

    /// `"v2"` of `"v2.1.0"`.
    pub fn major(&self) -> &str {
        semver::major(&self.0)
    }

    /// Whether it has a pre-release part. Pseudo-versions do; so `go` prefers releases to them.
    pub fn is_prerelease(&self) -> bool {
        !semver::prerelease(&self.0).is_empty()
    }

    /// Whether it stands for a commit rather than a tag: `v0.0.0-20191109021931-daa7c04131f5`. Such are not listed.
    pub fn is_pseudo(&self) -> bool {
        pseudo::is_pseudo_version(&self.0)
    }

    /// Whether it ends in `+incompatible`: v2 or later of a module that does not say so in its path.
    pub fn is_incompatible(&self) -> bool {
        self.0.ends_with(INCOMPATIBLE)
    }

    /// A pseudo-version's commit time as RFC 3339 in UTC, `2019-11-09T02:19:31Z`. `None` for other versions, and when
    /// the digits are no time.
    pub fn pseudo_time(&self) -> Option<String> {
        pseudo::time(&self.0).ok()
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        semver::compare_total(&self.0, &other.0)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(version: &str) -> Result<Version, VersionError> {
        Version::new(version)
    }
}

impl AsRef<str> for Version {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn canonical_only() {
        for good in [
            "v0.0.0",
            "v1.2.3-rc.1",
            "v2.0.0+incompatible",
            "v0.0.1-go1.21.0.linux-amd64",
        ] {
            assert_eq!(Version::new(good).unwrap().as_str(), good);
        }
        for (bad, message) in [
            (
                "v1",
                "invalid version \"v1\": not canonical, should be \"v1.0.0\"",
            ),
            (
                "v1.0.0+meta",
                "invalid version \"v1.0.0+meta\": not canonical, should be \"v1.0.0\"",
            ),
            ("", "invalid version \"\": not a semantic version"),
            (
                "master\n",
                "invalid version \"master\\n\": not a semantic version",
            ),
        ] {
            assert_eq!(Version::new(bad).unwrap_err().to_string(), message);
        }
        assert_eq!(
            Version::from_escaped("v1.0.0-RC1").unwrap_err().to_string(),
            "invalid escaped version \"v1.0.0-RC1\": upper-case letter 'R' must be written as '!' and its lower case here"
        );
    }

    #[test]
    fn what_it_says_of_itself() {
        let v = Version::from_escaped("v1.0.0-!r!c1").unwrap();
        assert_eq!((v.as_str(), v.major()), ("v1.0.0-RC1", "v1"));
        assert!(v.is_prerelease() && !v.is_pseudo() && !v.is_incompatible());
        let v = Version::new("v2.0.1-0.20191109021931-daa7c04131f5+incompatible").unwrap();
        assert!(v.is_prerelease() && v.is_pseudo() && v.is_incompatible());
        assert_eq!(v.pseudo_time().unwrap(), "2019-11-09T02:19:31Z");
    }

    #[test]
    fn order_agrees_with_equality() {
        let plain = Version::new("v2.0.0").unwrap();
        let incompatible = Version::new("v2.0.0+incompatible").unwrap();
        assert!(plain < incompatible && plain != incompatible);
        assert!(Version::new("v10.0.0").unwrap() > Version::new("v9.0.0").unwrap());
    }
}
