//! Module paths: `example.com/a/b/v2`.
//!
//! A path starts with a lower-case host name that has a dot, has no empty, dotted or device-like element, and
//! its `/vN` (for gopkg.in: `.vN`) is well-formed: module.CheckPath. So it is safe as a file name and in a
//! URL, once escaped. Length is not limited here, as it is not in the reference; whoever reads paths from
//! outside limits what it reads.

use super::escape::{self, EscapeError, reserved_on_windows};
use super::text::Quoted;
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// A valid module path, unescaped. Ordered bytewise, as `go.sum` is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModulePath(Box<str>);

/// A module path that is refused, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {}module path {}: {reason}", if *.escaped { "escaped " } else { "" }, Quoted(.path))]
pub struct PathError {
    path: String,
    escaped: bool,
    reason: PathReason,
}

impl PathError {
    /// What was refused, as it was given.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Why.
    pub fn reason(&self) -> &PathReason {
        &self.reason
    }
}

/// What is wrong with a module path. Displays as one line that does not repeat the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathReason {
    /// Nothing there.
    #[error("empty string")]
    Empty,
    /// It starts with a slash.
    #[error("leading slash")]
    LeadingSlash,
    /// It ends with a slash.
    #[error("trailing slash")]
    TrailingSlash,
    /// Two slashes in a row.
    #[error("double slash")]
    DoubleSlash,
    /// It starts with a dash, and would look like a flag.
    #[error("leading dash")]
    LeadingDash,
    /// An element starts with a dot; `..` is among these.
    #[error("leading dot in path element")]
    LeadingDot,
    /// An element ends with a dot.
    #[error("trailing dot in path element")]
    TrailingDot,
    /// A character that no module path has.
    #[error("invalid char {0:?}")]
    Char(char),
    /// An element is a device on Windows.
    #[error("{0} is reserved on Windows")]
    Reserved(String),
    /// An element looks like a short name on Windows: a tilde and digits at its end.
    #[error("trailing tilde and digits in path element")]
    ShortName,
    /// The first element is no host name.
    #[error("missing dot in first path element")]
    NoDot,
    /// A character that no host name has; upper-case letters are among these.
    #[error("invalid char {0:?} in first path element")]
    HostChar(char),
    /// The last element looks like a major version but is not one that Go allows.
    #[error("invalid major version at its end")]
    Major,
    /// It is no escaped form.
    #[error(transparent)]
    Escape(#[from] EscapeError),
}

impl ModulePath {
    /// Checks a path by the rules of module.CheckPath.
    ///
    /// # Errors
    /// When it breaks one of them.
    pub fn new(path: &str) -> Result<ModulePath, PathError> {
        match check(path) {
            Ok(()) => Ok(ModulePath(path.into())),
            Err(reason) => Err(PathError {
                path: path.to_owned(),
                escaped: false,
                reason,
            }),
        }
    }

    /// The path that an escaped one stands for (module.UnescapePath).
    ///
    /// # Errors
    /// When it is no escaped form, or that of an invalid path.
    pub fn from_escaped(escaped: &str) -> Result<ModulePath, PathError> {
        escape::unescape(escaped)
            .map_err(PathReason::from)
            .and_then(|path| check(&path).map(|()| ModulePath(path.into())))
            .map_err(|reason| PathError {
                path: escaped.to_owned(),
                escaped: true,
                reason,
            })
    }

    /// The path, unescaped.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path for URLs and file names (module.EscapePath).
    pub fn escaped(&self) -> String {
        escape::escape(&self.0)
    }

    /// The path without its major version, and that: `""`, `"/v2"`, or of gopkg.in `".v1"` (which may end in
    /// `-unstable`). Both together are the path.
    pub fn split_version(&self) -> (&str, &str) {
        // A valid path always splits; the fallback is for the type checker only.
        split_path_version(&self.0).unwrap_or((&self.0, ""))
    }
}

/// Splits a path as [`ModulePath::split_version`] does, whether or not it is valid otherwise
/// (module.SplitPathVersion). `None` when what stands for a major version is not allowed: `/v1`, `/v02`, `/v1.2`,
/// or a gopkg.in path without one.
pub fn split_path_version(path: &str) -> Option<(&str, &str)> {
    if path.starts_with("gopkg.in/") {
        let number_end = path.strip_suffix("-unstable").unwrap_or(path);
        let rest = number_end.trim_end_matches(|c: char| c.is_ascii_digit());
        let prefix = rest.strip_suffix(".v")?;
        let digits = &number_end[rest.len()..];
        if digits.is_empty() {
            return None;
        }
        // Unlike elsewhere v0 is allowed, but not v0-unstable.
        let zero = digits.starts_with('0') && &path[prefix.len()..] != ".v0";
        return (!zero).then(|| path.split_at(prefix.len()));
    }
    let rest = path.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &path[rest.len()..];
    match rest.strip_suffix("/v") {
        Some(prefix) if !number.is_empty() => {
            let allowed = !number.contains('.') && !number.starts_with('0') && number != "1";
            allowed.then(|| path.split_at(prefix.len()))
        }
        _ => Some((path, "")),
    }
}

fn check(path: &str) -> Result<(), PathReason> {
    if path.is_empty() {
        return Err(PathReason::Empty);
    }
    if path.starts_with('-') {
        return Err(PathReason::LeadingDash);
    }
    if path.contains("//") {
        return Err(PathReason::DoubleSlash);
    }
    if path.ends_with('/') {
        return Err(PathReason::TrailingSlash);
    }
    if path.starts_with('/') {
        return Err(PathReason::LeadingSlash);
    }
    path.split('/').try_for_each(check_element)?;
    let host = path.split('/').next().unwrap_or(path);
    if !host.contains('.') {
        return Err(PathReason::NoDot);
    }
    let host_char = |c: char| matches!(c, '-' | '.' | '0'..='9' | 'a'..='z');
    if let Some(c) = host.chars().find(|&c| !host_char(c)) {
        return Err(PathReason::HostChar(c));
    }
    if split_path_version(path).is_none() {
        return Err(PathReason::Major);
    }
    Ok(())
}

fn check_element(element: &str) -> Result<(), PathReason> {
    if element.starts_with('.') {
        return Err(PathReason::LeadingDot);
    }
    if element.ends_with('.') {
        return Err(PathReason::TrailingDot);
    }
    let path_char = |c: char| matches!(c, '-' | '.' | '_' | '~') || c.is_ascii_alphanumeric();
    if let Some(c) = element.chars().find(|&c| !path_char(c)) {
        return Err(PathReason::Char(c));
    }
    if let Some(name) = reserved_on_windows(element) {
        return Err(PathReason::Reserved(name.to_owned()));
    }
    let short = element.split('.').next().unwrap_or(element);
    if let Some((_, digits)) = short.rsplit_once('~')
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
    {
        return Err(PathReason::ShortName);
    }
    Ok(())
}

impl fmt::Display for ModulePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ModulePath {
    type Err = PathError;

    fn from_str(path: &str) -> Result<ModulePath, PathError> {
        ModulePath::new(path)
    }
}

impl Borrow<str> for ModulePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ModulePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn refusals_say_why() {
        for (path, message) in [
            ("", "malformed module path \"\": empty string"),
            ("/a.b", "malformed module path \"/a.b\": leading slash"),
            (
                "a.b/../c",
                "malformed module path \"a.b/../c\": leading dot in path element",
            ),
            (
                "a.b/c\n",
                "malformed module path \"a.b/c\\n\": invalid char '\\n'",
            ),
            (
                "A.b/c",
                "malformed module path \"A.b/c\": invalid char 'A' in first path element",
            ),
            (
                "ab/c",
                "malformed module path \"ab/c\": missing dot in first path element",
            ),
            (
                "a.b/Nul.x",
                "malformed module path \"a.b/Nul.x\": Nul is reserved on Windows",
            ),
            (
                "a.b/v1",
                "malformed module path \"a.b/v1\": invalid major version at its end",
            ),
            (
                "a.b/c~1",
                "malformed module path \"a.b/c~1\": trailing tilde and digits in path element",
            ),
        ] {
            assert_eq!(ModulePath::new(path).unwrap_err().to_string(), message);
        }
        assert_eq!(
            ModulePath::from_escaped("a.b/C").unwrap_err().to_string(),
            "malformed escaped module path \"a.b/C\": upper-case letter 'C' must be written as '!' and its lower case here"
        );
    }

    #[test]
    fn major_versions() {
        for (path, major) in [
            ("a.b/c", ""),
            ("a.b/c/v2", "/v2"),
            ("a.b/c/v10", "/v10"),
            ("a.b/cv2", ""),
            ("a.b", ""),
            ("gopkg.in/yaml.v3", ".v3"),
            ("gopkg.in/check.v0", ".v0"),
            ("gopkg.in/yaml.v3-unstable", ".v3-unstable"),
        ] {
            let path = ModulePath::new(path).unwrap();
            let (prefix, split) = path.split_version();
            assert_eq!(split, major);
            assert_eq!(format!("{prefix}{split}"), path.as_str());
        }
        for bad in [
            "a.b/c/v0",
            "a.b/c/v1",
            "a.b/c/v02",
            "a.b/c/v2.0",
            "gopkg.in/yaml",
            "gopkg.in/yaml.v01",
            "gopkg.in/yaml.v0-unstable",
        ] {
            assert!(ModulePath::new(bad).is_err(), "{bad}");
        }
    }
}
