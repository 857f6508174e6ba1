//! Go's own versions, as `go` and `toolchain` lines have them: `1.21`, `1.21.0`, `1.22rc1`. They are no semantic
//! versions; their rules are those of the standard library's internal/gover.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version of Go. Ordered as the go command orders them: `1.21 < 1.21rc1 < 1.21.0`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoVersion {
    text: Box<str>,
    major: Number,
    minor: Number,
    patch: Number,
    /// `rc`, `beta`, `alpha`; nothing of a release.
    kind: Box<str>,
    pre: Number,
}

/// Decimal digits, of any length; without any, less than all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Number(Box<str>);

/// A text that is no version of Go.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no version of Go: say it as in 1.25.3 or go1.25.3")]
pub struct GoVersionError(String);

impl GoVersion {
    /// Whether it is a language version, which no release has: `1.21`, and not `1.21.0`. Before 1.21, `1.20` was a
    /// release.
    pub fn is_language(&self) -> bool {
        self.patch.0.is_empty() && self.kind.is_empty()
    }

    /// Whether it is a release candidate or a beta.
    pub fn is_prerelease(&self) -> bool {
        !self.kind.is_empty()
    }

    /// The release that the go command looks for where a go line has this: `1.21.0` for `1.21`.
    #[must_use]
    pub fn release(&self) -> GoVersion {
        if !self.is_language() {
            return self.clone();
        }
        GoVersion {
            text: format!("{}.0", self.text).into(),
            patch: Number("0".into()),
            ..self.clone()
        }
    }

    /// Whether it is a release or a pre-release of this language version.
    pub fn is_of(&self, language: &GoVersion) -> bool {
        (&self.major, &self.minor) == (&language.major, &language.minor)
    }

    /// As a go line has it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for GoVersion {
    type Err = GoVersionError;

    fn from_str(text: &str) -> Result<GoVersion, GoVersionError> {
        parse(text).ok_or_else(|| GoVersionError(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<GoVersion> {
    let (major, rest) = number(text)?;
    let mut version = GoVersion {
        text: text.into(),
        major,
        minor: Number("0".into()),
        patch: Number("0".into()),
        kind: "".into(),
        pre: Number::default(),
    };
    if rest.is_empty() {
        return Some(version);
    }
    let (minor, rest) = number(rest.strip_prefix('.')?)?;
    version.minor = minor;
    if rest.is_empty() {
        // Up to 1.20 the first release had no patch number.
        if version.minor >= Number("21".into()) {
            version.patch = Number::default();
        }
        return Some(version);
    }
    if let Some(patch) = rest.strip_prefix('.') {
        let (patch, rest) = number(patch)?;
        version.patch = patch;
        return rest.is_empty().then_some(version);
    }
    let letters = rest
        .find(|c: char| c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (kind, rest) = rest.split_at(letters);
    if !kind.bytes().all(|b| b.is_ascii_lowercase()) {
        return None;
    }
    version.patch = Number::default();
    version.kind = kind.into();
    if rest.is_empty() {
        return Some(version);
    }
    let (pre, rest) = number(rest)?;
    version.pre = pre;
    rest.is_empty().then_some(version)
}

/// A decimal number without extra zeros, and what follows it.
fn number(text: &str) -> Option<(Number, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let plain = !digits.is_empty() && (digits == "0" || !digits.starts_with('0'));
    plain.then(|| (Number(digits.into()), rest))
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for GoVersion {
    fn cmp(&self, other: &GoVersion) -> Ordering {
        let key = |v: &GoVersion| {
            let GoVersion {
                major,
                minor,
                patch,
                kind,
                pre,
                ..
            } = v.clone();
            (major, minor, patch, kind, pre)
        };
        // Equal versions have one spelling but `1.20` and `1.20.0`, and `1` and `1.0`.
        key(self)
            .cmp(&key(other))
            .then_with(|| self.text.cmp(&other.text))
    }
}

impl PartialOrd for GoVersion {
    fn partial_cmp(&self, other: &GoVersion) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn version(text: &str) -> GoVersion {
        text.parse().unwrap()
    }

    #[test]
    fn the_go_commands_order() {
        let ordered = "1 1.1rc1 1.9 1.20rc1 1.20 1.20.1 1.21 1.21beta1 1.21rc1 1.21rc2 1.21rc10 1.21.0 1.21.9 1.21.10 1.22 2";
        let versions: Vec<GoVersion> = ordered.split(' ').map(version).collect();
        for pair in versions.windows(2) {
            assert!(pair[0] < pair[1], "{} {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn language_versions_are_no_releases_from_1_21_on() {
        for (text, language, release) in [
            ("1.20", false, "1.20"),
            ("1.21", true, "1.21.0"),
            ("1.25", true, "1.25.0"),
            ("1.25.3", false, "1.25.3"),
            ("1.26rc1", false, "1.26rc1"),
        ] {
            assert_eq!(version(text).is_language(), language, "{text}");
            assert_eq!(version(text).release(), version(release), "{text}");
        }
        assert!(version("1.26rc1").is_prerelease() && !version("1.26.0").is_prerelease());
        assert!(
            version("1.25.3").is_of(&version("1.25")) && !version("1.26.0").is_of(&version("1.25"))
        );
    }

    #[test]
    fn what_is_no_version() {
        for bad in [
            "",
            "go1.21",
            "1.",
            "1.021",
            "01.2",
            "1.21.",
            "1.21.0rc1",
            "1.21-x",
            "1.21RC1",
            "1.21rc01",
            "v1.21",
            "1.2.3.4",
            "1.21.x",
        ] {
            assert!(bad.parse::<GoVersion>().is_err(), "{bad}");
        }
        assert!("1.21rc".parse::<GoVersion>().is_ok());
    }
}
