//! Patterns that no shell has expanded: quoted ones, from a service's unit or a configuration.
//!
//! A path that is there is that path, whatever characters it has. Only what is not there and looks like a pattern
//! (`*`, `?`, `[…]`, `**`) is taken as one, and a pattern that fits nothing is an error: an import that finds
//! nothing to do must not look like one that is done.

use super::ImportError;
use std::path::{Path, PathBuf};

/// The paths, each pattern among them replaced by what it fits, in the order of names.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ImportError> {
    let mut all = Vec::new();
    for path in paths {
        match pattern(path) {
            None => all.push(path.clone()),
            Some(pattern) => all.extend(fitting(path, pattern)?),
        }
    }
    Ok(all)
}

/// The pattern that a path is, if it is none that is there.
fn pattern(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    let there = path.symlink_metadata().is_ok();
    (text.contains(['*', '?', '[']) && !there).then_some(text)
}

fn fitting(path: &Path, pattern: &str) -> Result<Vec<PathBuf>, ImportError> {
    let fitting = ::glob::glob(pattern).map_err(|source| ImportError::Pattern {
        pattern: path.into(),
        source,
    })?;
    let mut found = Vec::new();
    for entry in fitting {
        found.push(entry.map_err(|error| ImportError::Input {
            path: error.path().into(),
            source: error.into(),
        })?);
    }
    if found.is_empty() {
        return Err(ImportError::Nothing { path: path.into() });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_cli::{Exit, Failure};
    use std::fs;

    #[test]
    fn patterns_are_expanded_and_paths_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for name in ["b.tar", "a.tar", "c.manifest", "odd[1]*.tar"] {
            fs::write(path(name), b"").unwrap();
        }
        let names = |pattern: &str| -> Vec<String> {
            expand(&[path(pattern), "-".into()])
                .unwrap()
                .iter()
                .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names("?.tar"), ["a.tar", "b.tar", "-"]);
        assert_eq!(names("[bc].*"), ["b.tar", "c.manifest", "-"]);
        assert_eq!(names("odd[1]*.tar"), ["odd[1]*.tar", "-"]);
        assert_eq!(names("not-there"), ["not-there", "-"]);
    }

    #[test]
    fn a_pattern_that_fits_nothing_or_is_none_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for pattern in ["*.tar", "a[", "***"] {
            let error = expand(&[dir.path().join(pattern)]).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage, "{pattern}: {error}");
            assert!(error.to_string().contains(pattern), "{error}");
        }
    }
}
