//! The `!` escape: module paths and versions for file systems and URLs that ignore case.
//!
//! Each upper-case letter becomes `!` and its lower case, so that two names that differ only in case never
//! meet in one file or URL. Names are ASCII here, so nothing else folds. (golang.org/x/mod/module, "Escaped
//! Paths".) Unescaping is strict: an upper-case letter or a stray `!` is an error, so that each name has
//! exactly one escaped form.
//!
//! Versions in URLs may be other things than semantic versions (a branch, say); they still have to be
//! acceptable as one path element of a file name (module.checkElem).

use super::text::Quoted;

/// Why a text is no escaped form, or has none. Displays as one line that does not repeat the whole text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EscapeError {
    /// An upper-case letter stands for itself where it has to be escaped.
    #[error("upper-case letter {0:?} must be written as '!' and its lower case here")]
    Upper(char),
    /// A `!` is not followed by a lower-case ASCII letter.
    #[error("'!' must be followed by a lower-case letter")]
    Bang,
    /// A character that no escaped name has.
    #[error("invalid char {0:?}")]
    Char(char),
    /// A `!` in a name that is to be escaped.
    #[error("'!' is not allowed")]
    HasBang,
    /// The name is empty.
    #[error("empty string")]
    Empty,
    /// The name is nothing but dots, or ends in one.
    #[error("trailing dot")]
    Dots,
    /// The name is a device on Windows.
    #[error("{0} is reserved on Windows")]
    Reserved(String),
}

/// Escapes ASCII text that has been checked to hold no `!`.
pub(super) fn escape(s: &str) -> String {
    let mut escaped = String::with_capacity(s.len() + 4);
    for c in s.chars() {
        if c.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(c.to_ascii_lowercase());
    }
    escaped
}

/// Undoes [`escape`]; says nothing about whether the result is a valid name.
pub(super) fn unescape(escaped: &str) -> Result<String, EscapeError> {
    let mut s = String::with_capacity(escaped.len());
    let mut chars = escaped.chars();
    while let Some(c) = chars.next() {
        match c {
            '!' => match chars.next() {
                Some(c @ 'a'..='z') => s.push(c.to_ascii_uppercase()),
                _ => return Err(EscapeError::Bang),
            },
            'A'..='Z' => return Err(EscapeError::Upper(c)),
            _ if c.is_ascii() => s.push(c),
            _ => return Err(EscapeError::Char(c)),
        }
    }
    Ok(s)
}

/// The escaped form of a version or revision.
///
/// # Errors
/// When `v` is not acceptable as a path element, or holds a `!`.
pub fn escape_version(v: &str) -> Result<String, EscapeError> {
    check_version_element(v)?;
    if v.contains('!') {
        return Err(EscapeError::HasBang);
    }
    Ok(escape(v))
}

/// The version or revision that `escaped` stands for.
///
/// # Errors
/// When it is no escaped form, or that of something that is not acceptable as a path element.
pub fn unescape_version(escaped: &str) -> Result<String, EscapeError> {
    let v = unescape(escaped)?;
    check_version_element(&v)?;
    Ok(v)
}

/// Whether `v` may stand as the version element of a URL or file name: module.checkElem for file names,
/// less the letters outside ASCII, which cannot be escaped.
fn check_version_element(v: &str) -> Result<(), EscapeError> {
    const PUNCTUATION: &str = "!#$%&()+,-.=@[]^_{}~ ";
    if v.is_empty() {
        return Err(EscapeError::Empty);
    }
    if v.ends_with('.') {
        return Err(EscapeError::Dots);
    }
    if let Some(c) = v
        .chars()
        .find(|&c| !c.is_ascii_alphanumeric() && !PUNCTUATION.contains(c))
    {
        return Err(EscapeError::Char(c));
    }
    match reserved_on_windows(v) {
        Some(name) => Err(EscapeError::Reserved(Quoted(name).to_string())),
        None => Ok(()),
    }
}

/// The part of a path element up to its first dot, when that is the name of a device on Windows.
pub(crate) fn reserved_on_windows(element: &str) -> Option<&str> {
    let short = element.split('.').next().unwrap_or(element);
    let numbered = |name: &str| {
        short.len() == 4
            && short.is_char_boundary(3)
            && short[..3].eq_ignore_ascii_case(name)
            && matches!(short.as_bytes()[3], b'1'..=b'9')
    };
    let reserved = ["CON", "PRN", "AUX", "NUL"]
        .iter()
        .any(|name| short.eq_ignore_ascii_case(name))
        || numbered("COM")
        || numbered("LPT");
    reserved.then_some(short)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_ways() {
        assert_eq!(
            escape("github.com/BurntSushi/toml"),
            "github.com/!burnt!sushi/toml"
        );
        assert_eq!(
            unescape("github.com/!burnt!sushi/toml").unwrap(),
            "github.com/BurntSushi/toml"
        );
        assert_eq!(escape_version("v1.0.0-RC1").unwrap(), "v1.0.0-!r!c1");
        assert_eq!(unescape_version("feature@x").unwrap(), "feature@x");
    }

    #[test]
    fn each_name_has_one_escaped_form() {
        assert_eq!(unescape("a!"), Err(EscapeError::Bang));
        assert_eq!(unescape("a!!b"), Err(EscapeError::Bang));
        assert_eq!(unescape("a!1"), Err(EscapeError::Bang));
        assert_eq!(unescape("a!B"), Err(EscapeError::Bang));
        assert_eq!(unescape("aB"), Err(EscapeError::Upper('B')));
        assert_eq!(unescape("é"), Err(EscapeError::Char('é')));
    }

    #[test]
    fn version_elements() {
        for bad in [
            "", ".", "..", "a.", "a/b", "a\\b", "a:b", "é", "con", "LPT9.x", "a\0b",
        ] {
            assert!(escape_version(bad).is_err(), "{bad:?}");
        }
        assert_eq!(escape_version("a!b"), Err(EscapeError::HasBang));
        for good in ["master", ".hidden", "a b", "con1", "com0", "lpt10"] {
            assert!(escape_version(good).is_ok(), "{good:?}");
        }
    }
}
