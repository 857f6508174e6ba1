//! The packages of a module whose files are in a folder: a project's own, or one that stands in for a module.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use modferry_protocol::module::ModulePath;
use modferry_protocol::zip::MAX_GO_MOD;

use super::constraint::Tags;
use super::folders::{Collector, Packages, TooMany, is_source};
use super::zip_packages::{Found, MAX_HEADER, header_of};
use crate::files;
use crate::select::gomod::{GoMod, Replacement};
use crate::select::main_module::{Local, Main, Summary};

/// A folder with more files and folders than this below it is not taken for a module's.
pub const MAX_ENTRIES: usize = 1 << 20;

/// Why a folder's packages are not known.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// The system refuses.
    #[error("cannot read {}", path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is more than [`MAX_ENTRIES`].
    #[error("{} has more than {MAX_ENTRIES} files and folders below it", .0.display())]
    Entries(PathBuf),
    /// A file's header is longer than [`MAX_HEADER`].
    #[error("{}: its imports do not end within {MAX_HEADER} bytes", .0.display())]
    Header(PathBuf),
    /// There are too many imports.
    #[error("{} is too large for a module", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// Of what.
        source: TooMany,
    },
}

/// The packages of the module in this folder. Folders that are modules of their own are none of its, vendored
/// packages are others', and links to folders are not followed, as for the go command.
pub fn read(root: &Path, tags: &Tags) -> Result<Packages, CheckoutError> {
    let mut collector = Collector::new(tags);
    let mut bytes = Vec::new();
    let mut seen = 0;
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((path, folder)) = folders.pop() {
        let failed = |source| CheckoutError::Read {
            path: path.clone(),
            source,
        };
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            seen += 1;
            if seen > MAX_ENTRIES {
                return Err(CheckoutError::Entries(root.to_owned()));
            }
            // What is no text cannot be named by an import.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = entry.path();
            if entry.file_type().map_err(failed)?.is_dir() {
                let hidden = name.starts_with('.') || name == "vendor";
                if !hidden && !path.join("go.mod").is_file() {
                    let below = match &*folder {
                        "" => name,
                        folder => format!("{folder}/{name}"),
                    };
                    folders.push((path, below));
                }
                continue;
            }
            // A link to a file counts as one.
            if !is_source(&name) || !path.is_file() {
                continue;
            }
            let failed = |source| CheckoutError::Read {
                path: path.clone(),
                source,
            };
            let file = File::open(&path).map_err(failed)?;
            let header = match header_of(file, &mut bytes).map_err(failed)? {
                Found::Header(header) => Some(header),
                Found::NoGo => None,
                Found::TooLong => return Err(CheckoutError::Header(path)),
            };
            let read = header.as_ref().map(|header| (header, &*bytes));
            collector
                .add(&folder, &name, read)
                .map_err(|source| CheckoutError::TooMany {
                    path: root.to_owned(),
                    source,
                })?;
        }
    }
    Ok(collector.finish())
}

/// Adds to a main module what the files beside its go.mod say: its packages, and the modules in folders that stand in for
/// others. Of a folder that is not there, nothing is known; that it has no Go files either says the same.
pub fn beside(
    main: &mut Main,
    file: &GoMod,
    folder: &Path,
    tags: &Tags,
) -> Result<(), CheckoutError> {
    let packages = read(folder, tags)?;
    main.tree = (!packages.is_empty()).then(|| Arc::new(packages));
    for replace in &file.replace {
        let Replacement::Folder(name) = &replace.with else {
            continue;
        };
        stand_in(main, &replace.path, name.clone(), &folder.join(name), tags)?;
    }
    Ok(())
}

/// Adds the module in a folder that stands in for the one of this path, by the name that the main module has for the folder.
pub fn stand_in(
    main: &mut Main,
    path: &str,
    name: String,
    folder: &Path,
    tags: &Tags,
) -> Result<(), CheckoutError> {
    let Some(local) = local(folder, tags)? else {
        return Ok(());
    };
    let local = Arc::new(local);
    if ModulePath::new(path).is_err() {
        main.nameless.insert(path.to_owned(), Arc::clone(&local));
    }
    main.locals.insert(name, local);
    Ok(())
}

/// The module in a folder, if there is one. A go.mod that cannot be read is its build's to complain of.
fn local(folder: &Path, tags: &Tags) -> Result<Option<Local>, CheckoutError> {
    let path = folder.join("go.mod");
    let text = match files::read_bounded(&path, MAX_GO_MOD) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CheckoutError::Read { path, source }),
    };
    let summary = GoMod::parse_lax(&text)
        .map(|file| Summary::of(&file))
        .unwrap_or_default();
    Ok(Some(Local {
        summary: Arc::new(summary),
        packages: Arc::new(read(folder, tags)?),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn a_checkout_is_read_as_far_as_its_module_goes() {
        let dir = tempfile::tempdir().unwrap();
        let import = |path: &str| format!("package p\nimport \"{path}\"\n");
        write(
            dir.path(),
            &[
                ("a.go", &import("a")),
                ("sub/b.go", &import("b")),
                ("sub/b_test.go", &import("t")),
                ("other/go.mod", "module other\n"),
                ("other/c.go", &import("c")),
                ("vendor/v/v.go", &import("v")),
                (".git/g.go", &import("g")),
            ],
        );
        let found = read(dir.path(), &Tags::Any).unwrap();
        let imports = |folder: &str| found.folder(folder).map(|it| it.imports.join(" "));
        assert_eq!(imports("").as_deref(), Some("a"));
        assert_eq!(imports("sub").as_deref(), Some("b"));
        assert_eq!(found.folder("sub").unwrap().test_imports.join(" "), "t");
        for folder in ["other", "vendor/v", ".git"] {
            assert_eq!(imports(folder), None, "{folder}");
        }
    }

    #[test]
    fn folders_that_stand_in_for_modules_are_read_too() {
        let dir = tempfile::tempdir().unwrap();
        let go_mod = "module my/app\nrequire a.test/a v1.0.0\nrequire lib v0.0.0\n\
                      replace a.test/a => ../a\nreplace lib => ./lib\nreplace b.test/b => ./gone\n";
        write(
            dir.path(),
            &[
                ("app/go.mod", go_mod),
                ("app/a.go", "package p\n"),
                ("app/lib/go.mod", "module lib\nrequire c.test/c v1.2.0\n"),
                ("app/lib/l.go", "package lib\nimport \"c.test/c\"\n"),
                ("a/go.mod", "module a.test/a\ngo 1.21\n"),
                ("a/x/x.go", "package x\n"),
            ],
        );
        let file = GoMod::parse(go_mod.as_bytes()).unwrap();
        let mut main = Main::of(&file).unwrap();
        beside(&mut main, &file, &dir.path().join("app"), &Tags::Any).unwrap();
        assert!(main.tree.is_some() && main.locals["../a"].summary.pruned);
        assert!(main.locals["../a"].packages.folder("x").is_some());
        assert!(!main.locals.contains_key("./gone"));
        let lib = &main.nameless["lib"];
        assert_eq!(lib.summary.require[0].to_string(), "c.test/c@v1.2.0");

        // A go.mod without its files says nothing of packages.
        fs::remove_file(dir.path().join("app/a.go")).unwrap();
        beside(&mut main, &file, &dir.path().join("app"), &Tags::Any).unwrap();
        assert!(main.tree.is_none());
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        let error = read(&gone, &Tags::Any).unwrap_err().to_string();
        assert!(error.contains("gone"), "{error}");
        let long = format!("// {}", "x".repeat(MAX_HEADER));
        write(dir.path(), &[("b/long.go", &long)]);
        let error = read(dir.path(), &Tags::Any).unwrap_err().to_string();
        assert!(error.contains("b/long.go"), "{error}");
    }
}
