//! A module cache (GOMODCACHE) as it stands: what the builds of a machine have come to, whatever they were.
//!
//! The go command keeps what it has fetched below cache/download, in the shape of a proxy's URLs, so a folder that is
//! served as a GOPROXY is read as well:
//!
//! ```text
//! cache/download/github.com/!burnt!sushi/toml/@v/list
//!                                               v1.3.2.info  .mod  .zip  .ziphash  .lock  .partial
//! cache/download/sumdb/sum.golang.org/…         what is known of the checksum database
//! cache/vcs/…                                   clones of repositories
//! ```
//!
//! What is there of a version says what it was needed for, and as much is wanted of it: all where its zip is there, the
//! go.mod and the info where somebody has asked for its time, else the go.mod. So nothing is followed: exactly these are
//! wanted, and the same builds work.
//! Only names are read, and no content is believed: what they name comes from upstream, and is proven, like everything else.
//!
//! Symbolic links are not followed, so that a walk ends and stays inside of what was named.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use modferry_protocol::module::{ModulePath, ModuleVersion, Version};

use super::{Levels, some_of};
use crate::fetch::Level;

/// How many files and folders are looked at: six files for each of 300,000 versions, and their folders.
pub const MAX_ENTRIES: usize = 2_000_000;

/// How deep folders are gone into: the elements of a module path.
pub const MAX_DEPTH: usize = 64;

/// Why a folder is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModcacheError {
    /// A folder cannot be listed.
    #[error("cannot list {}", path.display())]
    List {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is more in it than in any cache.
    #[error("more than {0} files and folders: name the module cache itself (`go env GOMODCACHE`)")]
    TooMany(usize),
    /// There is no module in it.
    #[error(
        "no module: neither a module cache (`go env GOMODCACHE`), which has a folder cache/download, \
         nor a folder with the shape of a proxy's URLs{}",
        .0.iter().map(|note| format!("; {note}")).collect::<String>()
    )]
    NoModule(Vec<String>),
}

/// Reads the module cache `folder`, or a folder that is served as a GOPROXY.
pub fn read(folder: &Path) -> Result<Levels, ModcacheError> {
    let cache = folder.join("cache").join("download");
    let root = if cache.is_dir() { &*cache } else { folder };
    let mut walk = Walk {
        left: MAX_ENTRIES,
        max_depth: MAX_DEPTH,
        ..Walk::default()
    };
    walk.all(root)?;
    walk.done()
}

/// Which files there are of a version.
#[derive(Clone, Copy, Default)]
struct Files {
    info: bool,
    zip: bool,
}

#[derive(Default)]
struct Walk {
    /// How many files and folders may follow.
    left: usize,
    max_depth: usize,
    modules: BTreeMap<ModuleVersion, Files>,
    /// Files that no version has.
    others: Passed,
    links: Passed,
    deep: Passed,
}

/// What was passed over: how much, and the first names of it.
#[derive(Default)]
struct Passed {
    count: usize,
    names: BTreeSet<String>,
}

/// A folder that is still to be listed: the elements of its name below the root.
type Elements = Vec<String>;

impl Walk {
    fn all(&mut self, root: &Path) -> Result<(), ModcacheError> {
        let mut folders: Vec<Elements> = vec![Vec::new()];
        while let Some(folder) = folders.pop() {
            let path: PathBuf = root.iter().chain(folder.iter().map(OsStr::new)).collect();
            let failed = |source| ModcacheError::List {
                path: path.clone(),
                source,
            };
            let module = match folder.split_last() {
                Some((last, above)) if last == "@v" => Some(above.join("/")),
                _ => None,
            };
            for entry in fs::read_dir(&path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                self.left =
                    (self.left.checked_sub(1)).ok_or(ModcacheError::TooMany(MAX_ENTRIES))?;
                let kind = entry.file_type().map_err(failed)?;
                let name = entry.file_name();
                let shown = || {
                    let above = folder.iter().map(|element| format!("{element}/"));
                    above.collect::<String>() + &name.to_string_lossy()
                };
                if kind.is_symlink() {
                    self.links.add(shown());
                } else if kind.is_dir() {
                    match name.to_str() {
                        Some("sumdb") if folder.is_empty() => {}
                        Some(_) if folder.len() >= self.max_depth => self.deep.add(shown()),
                        Some(name) if module.is_none() => {
                            let mut below = folder.clone();
                            below.push(name.to_owned());
                            folders.push(below);
                        }
                        _ => self.others.add(shown()),
                    }
                } else {
                    let is_known = match (&module, name.to_str()) {
                        (Some(module), Some(name)) => self.file(module, name),
                        // The lock of all downloads.
                        (None, Some(name)) => name == "lock",
                        _ => false,
                    };
                    if !is_known {
                        self.others.add(shown());
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes a file of a module's `@v`; whether it is one that belongs there.
    fn file(&mut self, module: &str, name: &str) -> bool {
        if name == "list" {
            return true;
        }
        let Some((version, extension)) = name.rsplit_once('.') else {
            return false;
        };
        let (Ok(path), Ok(version)) = (
            ModulePath::from_escaped(module),
            Version::from_escaped(version),
        ) else {
            return false;
        };
        let Ok(module) = ModuleVersion::new(path, version) else {
            return false;
        };
        let files = match extension {
            // Of what was asked for and not had, these alone stay.
            "lock" | "partial" | "ziphash" => return true,
            "info" | "mod" | "zip" => self.modules.entry(module).or_default(),
            _ => return false,
        };
        files.info |= extension == "info";
        files.zip |= extension == "zip";
        true
    }

    fn done(self) -> Result<Levels, ModcacheError> {
        let told = [
            ("no files of a module version", self.others),
            ("symbolic links, which are not followed", self.links),
            ("folders too deep to be a module's", self.deep),
        ];
        let notes = (told.iter())
            .filter(|(_, passed)| passed.count > 0)
            .map(|(what, passed)| {
                let Passed { count, names } = passed;
                format!("passed over, {what}: {count}, such as {}", some_of(names))
            })
            .collect();
        if self.modules.is_empty() {
            return Err(ModcacheError::NoModule(notes));
        }
        let level = |files: Files| match files {
            Files { zip: true, .. } => Level::Whole,
            Files { info: true, .. } => Level::Listed,
            _ => Level::Mod,
        };
        Ok(Levels {
            modules: (self.modules.into_iter())
                .map(|(module, files)| (module, level(files)))
                .collect(),
            notes,
        })
    }
}

impl Passed {
    fn add(&mut self, name: String) {
        const NAMES: usize = 3;
        self.count += 1;
        self.names.insert(name);
        if self.names.len() > NAMES {
            self.names.pop_last();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::select::input::testing::{Workshop, levels};
    use modferry_checker::testing::TestModule;

    fn workshop() -> Workshop {
        let package = ("p.go", "package p\n");
        let requires = "module example.com/Upper/a\n\nrequire example.com/deep v1.0.0\n";
        let a = [("go.mod", requires), package];
        let workshop = Workshop::new(&[
            TestModule::new("example.com/Upper/a@v1.1.0-RC.1", &a),
            TestModule::new("example.com/b/v2@v2.0.0", &[package]),
            TestModule::new("example.com/deep@v1.0.0", &[package]),
            TestModule::new("example.com/deep@v1.2.0", &[package]),
        ]);
        let requires =
            "require (\n\texample.com/Upper/a v1.1.0-RC.1\n\texample.com/b/v2 v2.0.0\n)\n";
        workshop.write(
            "prog/go.mod",
            format!("module example.com/prog\n\ngo 1.16\n\n{requires}"),
        );
        let imports = "import _ \"example.com/Upper/a\"\n";
        workshop.write(
            "prog/main.go",
            format!("package main\n\n{imports}\nfunc main() {{}}\n"),
        );
        workshop
    }

    /// Writes empty files.
    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    #[test]
    fn what_builds_have_left_is_wanted_as_far_as_it_is_there() {
        let workshop = workshop();
        workshop.go("prog", &[], &["build", "-mod=mod", "-o", "prog", "."]);
        let of = || read(&workshop.path("modcache")).unwrap();
        let built = [
            "example.com/Upper/a@v1.1.0-RC.1 Whole",
            "example.com/b/v2@v2.0.0 Mod",
            "example.com/deep@v1.0.0 Mod",
        ];
        assert_eq!(levels(&of()), built);
        // Listing the build asks for times, and updates for newer versions.
        workshop.go("prog", &[], &["list", "-m", "-u", "-json", "all"]);
        let listing = of();
        let listed = [
            "example.com/Upper/a@v1.1.0-RC.1 Whole",
            "example.com/b/v2@v2.0.0 Listed",
            "example.com/deep@v1.0.0 Listed",
            "example.com/deep@v1.2.0 Listed",
        ];
        assert_eq!(levels(&listing), listed);
        assert_eq!(listing.notes, [""; 0]);
    }

    #[test]
    fn a_folder_that_is_served_is_read_too() {
        let workshop = workshop();
        let listing = read(&workshop.path("proxy")).unwrap();
        assert_eq!(listing.modules.len(), 4);
        assert!(listing.modules.values().all(|level| *level == Level::Whole));
    }

    #[test]
    fn what_is_there_decides_the_level() {
        let below = |name: &str| format!("cache/download/a.b/!c/@v/{name}");
        let names = [
            "list",
            "v1.0.0.info",
            "v1.0.0.mod",
            "v1.0.0.zip",
            "v1.0.0.ziphash",
            "v1.0.0.lock",
            "v1.1.0.mod",
            "v1.2.0.mod",
            "v1.2.0.info",
            "v1.3.0.info",
            "v1.4.0.zip",
            "v1.4.0.mod",
            "v1.5.0.lock",
            "v1.6.0.partial",
        ];
        let mut names: Vec<String> = names.iter().map(|name| below(name)).collect();
        names.extend(
            [
                "cache/lock",
                "cache/vcs/0123/HEAD",
                "cache/download/sumdb/sum.golang.org/latest",
                "cache/download/sumdb/a.b/c/@v/v1.0.0.zip",
                "a.b/!c@v1.0.0/@v/v9.0.0.mod",
            ]
            .map(String::from),
        );
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let listing = read(folder(&names).path()).unwrap();
        assert_eq!(
            levels(&listing),
            [
                "a.b/C@v1.0.0 Whole",
                "a.b/C@v1.1.0 Mod",
                "a.b/C@v1.2.0 Listed",
                "a.b/C@v1.3.0 Listed",
                "a.b/C@v1.4.0 Whole",
            ]
        );
        assert_eq!(listing.notes, [""; 0]);
    }

    #[test]
    fn what_is_no_module_is_passed_over_and_told() {
        let folder = folder(&[
            "a.b/c/@v/v1.0.0.mod",
            "a.b/c/@v/v1.mod",
            "a.b/c/@v/v2.0.0.mod",
            "a.b/c/@v/V1.1.0.mod",
            "a.b/c/@v/v1.0.0.zip817263.tmp",
            "a.b/c/@v/folder/x",
            "a.b/BIG/@v/v1.0.0.mod",
            "index.html",
        ]);
        std::os::unix::fs::symlink("../c", folder.path().join("a.b/link")).unwrap();
        std::os::unix::fs::symlink("v1.0.0.mod", folder.path().join("a.b/c/@v/v1.2.0.mod"))
            .unwrap();
        let listing = read(folder.path()).unwrap();
        assert_eq!(levels(&listing), ["a.b/c@v1.0.0 Mod"]);
        assert_eq!(
            listing.notes,
            [
                "passed over, no files of a module version: 7, such as a.b/BIG/@v/v1.0.0.mod, \
                 a.b/c/@v/V1.1.0.mod, a.b/c/@v/folder",
                "passed over, symbolic links, which are not followed: 2, such as a.b/c/@v/v1.2.0.mod, a.b/link"
            ]
        );
    }

    #[test]
    fn what_has_no_module_is_an_error() {
        let error = read(folder(&["a/b", "cache/vcs/x"]).path()).unwrap_err();
        let told = error.to_string();
        assert!(
            told.starts_with("no module: neither a module cache")
                && told.ends_with(
                    "; passed over, no files of a module version: 2, such as a/b, cache/vcs/x"
                ),
            "{told}"
        );
        let missing = read(Path::new("/nonexistent/folder")).unwrap_err();
        assert_eq!(missing.to_string(), "cannot list /nonexistent/folder");
    }

    #[test]
    fn walks_are_bounded() {
        let folder = folder(&["a.b/c/@v/v1.0.0.mod"]);
        let walked = |left, max_depth| {
            let mut walk = Walk {
                left,
                max_depth,
                ..Walk::default()
            };
            walk.all(folder.path()).and_then(|()| walk.done())
        };
        assert!(walked(4, 3).is_ok());
        let error = walked(3, 3).unwrap_err();
        assert!(matches!(error, ModcacheError::TooMany(_)), "{error}");
        let error = walked(4, 2).unwrap_err().to_string();
        assert!(
            error.ends_with("folders too deep to be a module's: 1, such as a.b/c/@v"),
            "{error}"
        );
    }
}
