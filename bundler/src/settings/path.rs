//! Paths of modferry.yaml, where `~/` is the home folder: no shell stands between a file and its reader.
//!
//! Expanded where it is read, so that what is wrong has its line and column, in every key that has a path. What is then
//! still relative is so to the file's folder, and [`Config::load`](super::Config::load) makes it so. Flags are left as they are: there the
//! shell has expanded what was to be.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::select::text;

/// A path as it stands in the file, its `~` expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written(pub PathBuf);

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing.
    #[error("an empty path: want that of a file or folder")]
    Empty,
    /// `~user/…`
    #[error(
        "{0:?}: only ~/ is expanded: write that home folder in full, or ./{0} for a file that is called so"
    )]
    OfSomebody(String),
    /// `~/…`, and nobody says where that is.
    #[error("{0:?}: HOME is not set to an absolute path: set it, or write the home folder in full")]
    NoHome(String),
}

/// `~` and `~/…` below `home`, everything else as it is.
fn expand(text: &str, home: Option<PathBuf>) -> Result<PathBuf, PathError> {
    let Some(rest) = text.strip_prefix('~') else {
        return match text.is_empty() {
            true => Err(PathError::Empty),
            false => Ok(text.into()),
        };
    };
    let below = match rest.strip_prefix('/') {
        Some(below) => below.trim_start_matches('/'),
        None if rest.is_empty() => "",
        None => return Err(PathError::OfSomebody(text.to_owned())),
    };
    match home.filter(|home| home.is_absolute()) {
        Some(home) if below.is_empty() => Ok(home),
        Some(home) => Ok(home.join(below)),
        None => Err(PathError::NoHome(text.to_owned())),
    }
}

/// A path of modferry.yaml.
pub fn of(text: &str) -> Result<PathBuf, PathError> {
    expand(text, std::env::var_os("HOME").map(PathBuf::from))
}

/// For `deserialize_with` of a key that may be left out.
pub fn one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    Ok(Option::<Written>::deserialize(deserializer)?.map(|Written(path)| path))
}

/// For `deserialize_with` of a list.
pub fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    let paths = Vec::<Written>::deserialize(deserializer)?;
    Ok(paths.into_iter().map(|Written(path)| path).collect())
}

impl FromStr for Written {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Written, PathError> {
        of(text).map(Written)
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Written, D::Error> {
        text::deserialize(deserializer, "the path of a file or folder")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_leading_tilde_is_the_home_folder() {
        for (text, path) in [
            ("~", "/home/me"),
            ("~/", "/home/me"),
            ("~/src/a", "/home/me/src/a"),
            ("~//etc/passwd", "/home/me/etc/passwd"),
            ("a/~/b", "a/~/b"),
            ("./~b", "./~b"),
            ("/~/b", "/~/b"),
        ] {
            assert_eq!(
                expand(text, Some("/home/me".into())),
                Ok(path.into()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_nobodys_home_is_refused() {
        let text = "~/src".to_owned();
        for home in [None, Some("".into()), Some("me".into())] {
            assert_eq!(expand(&text, home), Err(PathError::NoHome(text.clone())));
        }
        let somebody = "~me/src".to_owned();
        let error = expand(&somebody, Some("/home/me".into())).unwrap_err();
        assert_eq!(error, PathError::OfSomebody(somebody));
        assert!(error.to_string().contains("only ~/"), "{error}");
        assert_eq!(expand("", Some("/home/me".into())), Err(PathError::Empty));
        assert_eq!(expand("a", None), Ok("a".into()));
    }
}
