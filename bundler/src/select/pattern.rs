//! Patterns over module paths, with the meaning that they have for the go command (cmd/internal/pkgpattern): `...` is
//! any text, slashes too, and `/...` at the end also nothing at all.
//!
//! No upstream can be asked which modules there are, so a pattern picks among those that are known otherwise.

use std::fmt;

use serde::{Deserialize, Serialize};

const ANY: &str = "...";
/// Stands for an element `vendor` that is not the last one: `...` never matches that.
const VENDOR: &str = "\0";

/// A pattern, or a path, which matches just itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(transparent)]
pub struct PathPattern(Box<str>);

impl PathPattern {
    /// Takes any text: what is no path matches none.
    pub fn new(text: &str) -> PathPattern {
        PathPattern(text.into())
    }

    /// Whether it can match several paths.
    pub fn is_wild(&self) -> bool {
        self.0.contains(ANY)
    }

    /// Whether a path matches.
    pub fn matches(&self, path: &str) -> bool {
        let (pattern, path) = (mark_vendor(&self.0), mark_vendor(path));
        let alone = match pattern.strip_suffix("/...") {
            // Below a vendor element, `/...` matches the folder itself as the last element.
            Some(front) => match front.strip_suffix(&format!("/{VENDOR}")) {
                Some(front) => Some(format!("{front}/vendor")),
                None => Some(front.to_owned()),
            },
            None => None,
        };
        alone.is_some_and(|alone| matches(&alone, &path)) || matches(&pattern, &path)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

fn mark_vendor(path: &str) -> String {
    let mut elements: Vec<&str> = path.split('/').collect();
    if let Some((_, front)) = elements.split_last_mut() {
        for element in front.iter_mut().filter(|element| **element == "vendor") {
            *element = VENDOR;
        }
    }
    elements.join("/")
}

/// Each piece between two `...` is taken where it first fits: no text makes this slow.
fn matches(pattern: &str, path: &str) -> bool {
    let mut pieces = pattern.split(ANY);
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = path.strip_prefix(first) else {
        return false;
    };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        let at = match pieces.peek() {
            Some(_) => rest.find(piece),
            None => rest.ends_with(piece).then(|| rest.len() - piece.len()),
        };
        let Some(at) = at.filter(|at| !rest[..*at].contains(VENDOR)) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// cmd/internal/pkgpattern's own examples, and some of module paths.
    #[test]
    fn as_the_go_command_matches() {
        for (pattern, yes, no) in [
            ("...", "foo a.b/c", ""),
            ("net", "net", "net/http not/http"),
            ("net/http", "net/http", "net"),
            ("net...", "net netchan net/http", "not/http"),
            ("net/...", "net net/http", "not/http netchan"),
            (
                "a.b/.../v2",
                "a.b/c/v2 a.b/c/d/v2",
                "a.b/v2 a.b/c a.b/c/v22",
            ),
            ("...example.com/a", "example.com/a www.example.com/a", "a"),
            ("a...b...c", "abc a1b2c abbcc", "ab acb"),
            (
                "x/...",
                "x x/y x/y/vendor",
                "x/vendor/y vendor/x/y xvendor/y",
            ),
            ("x/vendor/...", "x/vendor x/vendor/y", "x/y x/vendored"),
            ("x/.../vendor", "x/y/vendor", "x/vendor/vendor x/vendor"),
        ] {
            let pattern = PathPattern::new(pattern);
            for path in yes.split_whitespace() {
                assert!(pattern.matches(path), "{pattern} {path}");
            }
            for path in no.split_whitespace() {
                assert!(!pattern.matches(path), "{pattern} {path}");
            }
        }
        assert!(PathPattern::new("a/...").is_wild());
        assert!(!PathPattern::new("a/b").is_wild());
    }
}
