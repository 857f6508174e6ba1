//! A folder of checkouts, or a glob of such folders: every go.mod and go.work below it.
//!
//! What the go command passes over is passed over: folders that begin with `_` or `.`, `testdata`, and what is vendored.
//! Links are not followed, neither to folders nor to files, so that no module is found twice and no walk leaves the
//! folder or goes round in circles. What nobody may read is told and passed over. In a glob, `*`, `?` and `[a-z]` stand
//! within one name of the path, as in a shell; names that begin with a dot have to be said.

use std::fs::{self, DirEntry};
use std::io;
use std::path::{Component, Path, PathBuf};

use modferry_protocol::module::pattern::{is_well_formed, match_path};

/// No more files and folders than this are looked at.
pub const MAX_ENTRIES: usize = 4 << 20;
/// No more go.mod and go.work files than this are taken.
pub const MAX_FOUND: usize = 20_000;

/// The most unreadable folders that are told one by one.
const MAX_NOTES: usize = 10;

/// What there is, in the order of paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkouts {
    /// go.mod files.
    pub go_mods: Vec<PathBuf>,
    /// go.work files.
    pub go_works: Vec<PathBuf>,
    /// What was passed over, to tell.
    pub notes: Vec<String>,
}

/// Why checkouts are not read.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutsError {
    /// The glob is none.
    #[error("{}: {element:?} is a malformed pattern", path.display())]
    Pattern {
        /// All of it.
        path: PathBuf,
        /// The element of it.
        element: String,
    },
    /// The folder that was named cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is no module.
    #[error("{}: no go.mod and no go.work there", .0.display())]
    Nothing(PathBuf),
    /// More than [`MAX_ENTRIES`].
    #[error("{}: more than {MAX_ENTRIES} files and folders: name the checkouts", .0.display())]
    Entries(PathBuf),
    /// More than [`MAX_FOUND`].
    #[error("{}: more than {MAX_FOUND} go.mod and go.work files: name the checkouts", .0.display())]
    Found(PathBuf),
}

/// Finds the modules and workspaces below what `path` names.
pub fn find(path: &Path) -> Result<Checkouts, CheckoutsError> {
    find_within(path, MAX_ENTRIES, MAX_FOUND)
}

fn find_within(path: &Path, entries: usize, found: usize) -> Result<Checkouts, CheckoutsError> {
    let mut walk = Walk {
        asked: path,
        entries,
        found,
        checkouts: Checkouts::default(),
        unreadable: 0,
    };
    for folder in walk.folders()? {
        walk.below(folder)?;
    }
    let Walk {
        mut checkouts,
        unreadable,
        ..
    } = walk;
    if unreadable > MAX_NOTES {
        let more = unreadable - MAX_NOTES;
        checkouts.notes.push(format!(
            "{}: {more} folders more cannot be read and are passed over",
            path.display()
        ));
    }
    if checkouts.go_mods.is_empty() && checkouts.go_works.is_empty() {
        return Err(CheckoutsError::Nothing(path.into()));
    }
    checkouts.go_mods.sort();
    checkouts.go_mods.dedup();
    checkouts.go_works.sort();
    checkouts.go_works.dedup();
    Ok(checkouts)
}

struct Walk<'p> {
    asked: &'p Path,
    /// How many more may be looked at.
    entries: usize,
    /// How many more may be found.
    found: usize,
    checkouts: Checkouts,
    unreadable: usize,
}

impl Walk<'_> {
    /// The folders that the path names: itself, or those that its glob matches.
    fn folders(&mut self) -> Result<Vec<PathBuf>, CheckoutsError> {
        let mut folders = vec![PathBuf::new()];
        let mut globbed = false;
        for component in self.asked.components() {
            let glob = match component {
                Component::Normal(name) => name.to_str().filter(|name| is_glob(name)),
                _ => None,
            };
            let Some(glob) = glob else {
                folders.iter_mut().for_each(|folder| folder.push(component));
                // Not all that a glob matches need have what stands behind it.
                folders.retain(|folder| !globbed || folder.is_dir());
                continue;
            };
            if !is_well_formed(glob) {
                return Err(CheckoutsError::Pattern {
                    path: self.asked.into(),
                    element: glob.to_owned(),
                });
            }
            globbed = true;
            let mut matching = Vec::new();
            for folder in folders {
                for entry in self.entries_of(&folder)? {
                    let name = entry.file_name();
                    let is_match = name.to_str().is_some_and(|name| {
                        match_path(glob, name) && name.starts_with('.') == glob.starts_with('.')
                    });
                    // A link that is named so is meant.
                    if is_match && entry.path().is_dir() {
                        matching.push(folder.join(name));
                    }
                }
            }
            folders = matching;
        }
        Ok(folders)
    }

    /// A folder's entries. That the folder cannot be read is an error where it was named, and else told.
    fn entries_of(&mut self, folder: &Path) -> Result<Vec<DirEntry>, CheckoutsError> {
        let at = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        let entries: io::Result<Vec<DirEntry>> =
            fs::read_dir(at).and_then(|entries| entries.take(self.entries + 1).collect());
        match entries {
            Ok(entries) => {
                self.entries = (self.entries.checked_sub(entries.len()))
                    .ok_or_else(|| CheckoutsError::Entries(self.asked.into()))?;
                Ok(entries)
            }
            Err(source) if folder == self.asked => Err(CheckoutsError::Read {
                path: folder.into(),
                source,
            }),
            Err(error) => {
                self.unreadable += 1;
                if self.unreadable <= MAX_NOTES {
                    let note = format!("{} is passed over: {error}", folder.display());
                    self.checkouts.notes.push(note);
                }
                Ok(Vec::new())
            }
        }
    }

    fn below(&mut self, folder: PathBuf) -> Result<(), CheckoutsError> {
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            for entry in self.entries_of(&folder)? {
                let Ok(kind) = entry.file_type() else {
                    continue;
                };
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                if kind.is_dir() && !is_passed_over(name) {
                    folders.push(folder.join(name));
                }
                if !kind.is_file() || !matches!(name, "go.mod" | "go.work") {
                    continue;
                }
                self.found = (self.found.checked_sub(1))
                    .ok_or_else(|| CheckoutsError::Found(self.asked.into()))?;
                let path = folder.join(name);
                match name {
                    "go.mod" => self.checkouts.go_mods.push(path),
                    _ => self.checkouts.go_works.push(path),
                }
            }
        }
        Ok(())
    }
}

fn is_glob(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

fn is_passed_over(name: &str) -> bool {
    name.starts_with(['_', '.']) || matches!(name, "testdata" | "vendor")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    fn found(dir: &tempfile::TempDir, path: &str) -> Vec<String> {
        let found = find(&dir.path().join(path)).unwrap();
        assert!(found.notes.is_empty(), "{:?}", found.notes);
        let all = found.go_mods.iter().chain(&found.go_works);
        let name = |path: &PathBuf| path.strip_prefix(dir.path()).unwrap().display().to_string();
        all.map(name).collect()
    }

    const FILES: [&str; 11] = [
        "one/go.mod",
        "one/go.sum",
        "one/tools/go.mod",
        "one/vendor/a.b/c/go.mod",
        "one/testdata/x/go.mod",
        "one/_old/go.mod",
        "one/.git/go.mod",
        "two/go.work",
        "two/deep/down/here/go.mod",
        "other/go.mod",
        ".hidden/go.mod",
    ];

    #[test]
    fn every_module_is_found_that_the_go_command_would_see() {
        let dir = tree(&FILES);
        assert_eq!(
            found(&dir, ""),
            [
                "one/go.mod",
                "one/tools/go.mod",
                "other/go.mod",
                "two/deep/down/here/go.mod",
                "two/go.work"
            ]
        );
        // What is named itself is not passed over.
        assert_eq!(found(&dir, "one/testdata"), ["one/testdata/x/go.mod"]);
    }

    #[test]
    fn a_glob_names_several_folders() {
        let dir = tree(&FILES);
        assert_eq!(
            found(&dir, "o*"),
            ["one/go.mod", "one/tools/go.mod", "other/go.mod"]
        );
        assert_eq!(found(&dir, "*/tools"), ["one/tools/go.mod"]);
        assert_eq!(found(&dir, "[a-t]w?/deep"), ["two/deep/down/here/go.mod"]);
        assert_eq!(found(&dir, ".h*"), [".hidden/go.mod"]);
        let error = |path: &str| find(&dir.path().join(path)).unwrap_err().to_string();
        assert!(error("x*").ends_with("x*: no go.mod and no go.work there"));
        assert!(error("[a").ends_with("\"[a\" is a malformed pattern"));
        assert!(error("none").starts_with("cannot read "));
    }

    #[test]
    fn links_are_not_followed() {
        let dir = tree(&["one/go.mod", "elsewhere/go.mod"]);
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(dir.path().join(to), dir.path().join(name)).unwrap();
        };
        link("elsewhere", "one/link");
        link("one", "one/round");
        link("elsewhere/go.mod", "one/go.work");
        assert_eq!(found(&dir, "one"), ["one/go.mod"]);
        // But one that is named is meant.
        assert_eq!(found(&dir, "one/link"), ["one/link/go.mod"]);
    }

    #[test]
    fn a_walk_has_an_end() {
        let dir = tree(&["a/go.mod", "b/go.mod", "b/go.work"]);
        let within = |entries, found| find_within(dir.path(), entries, found);
        // a, b, and what is in them.
        assert_eq!(within(5, 3).unwrap().go_mods.len(), 2);
        assert!(matches!(within(4, 3), Err(CheckoutsError::Entries(_))));
        assert!(matches!(within(5, 2), Err(CheckoutsError::Found(_))));
    }
}
