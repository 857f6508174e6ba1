//! The packages of one module: each folder with Go files, and what these import.
//!
//! They come from a module zip ([`zip_packages`](super::zip_packages)) or from a checkout
//! ([`checkout`](super::checkout)), file by file, under the [`Tags`] that decide which files count.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use super::constraint::Tags;
use super::imports::Header;

/// A module with more imports than this, each counted once a folder, is not read. Large ones
/// have some 10,000.
pub const MAX_IMPORTS: usize = 1 << 18;

/// The same for the bytes of their paths, each counted once.
pub const MAX_IMPORT_TEXT: usize = 8 << 20;

/// What a module's folders hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packages {
    folders: BTreeMap<Box<str>, Folder>,
}

/// A folder with Go files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// Whether any of its files counts; otherwise it can be imported, but is no package.
    pub counts: bool,
    /// What its files import, sorted.
    pub imports: Box<[Arc<str>]>,
    /// What its test files import, sorted.
    pub test_imports: Box<[Arc<str>]>,
}

/// A limit that a module's packages exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// [`MAX_IMPORTS`].
    #[error("its packages have more than {MAX_IMPORTS} imports")]
    Imports,
    /// [`MAX_IMPORT_TEXT`].
    #[error("its packages' import paths have more than {MAX_IMPORT_TEXT} bytes")]
    Text,
}

impl Packages {
    /// The folder, relative to the module's root, which is `""`.
    pub fn folder(&self, folder: &str) -> Option<&Folder> {
        self.folders.get(folder)
    }

    /// Whether there is no Go file at all.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// The folders that the pattern `./...` names in the module's root: all that count, save `testdata`, those that
    /// begin with a dot or an underscore, those below `vendor`, and what `ignore` lines of its go.mod name.
    pub fn listed<'p>(&'p self, ignore: &'p [String]) -> impl Iterator<Item = &'p str> {
        let counted = self.folders.iter().filter(|(_, folder)| folder.counts);
        counted
            .map(|(name, _)| &**name)
            .filter(|name| is_listed(name) && !ignore.iter().any(|line| is_ignored(line, name)))
    }
}

fn is_listed(folder: &str) -> bool {
    if folder.is_empty() {
        return true;
    }
    let mut elements = folder.split('/').peekable();
    while let Some(element) = elements.next() {
        let hidden = element.starts_with(['.', '_']) || element == "testdata";
        if hidden || (element == "vendor" && elements.peek().is_some()) {
            return false;
        }
    }
    true
}

/// `./a` is the folder `a` in the root, `a` is one anywhere.
fn is_ignored(line: &str, folder: &str) -> bool {
    let folder = format!("/{folder}/");
    let (line, in_root) = match line.strip_prefix("./") {
        Some(line) => (line, true),
        None => (line, false),
    };
    let line = format!("/{}/", line.trim_matches('/'));
    match in_root {
        true => folder.starts_with(&line),
        false => folder.contains(&line),
    }
}

/// Takes a module's Go files, and makes packages of them.
pub struct Collector<'t> {
    tags: &'t Tags,
    folders: BTreeMap<Box<str>, Collected>,
    paths: HashSet<Arc<str>>,
    imports: usize,
    text: usize,
}

#[derive(Default)]
struct Collected {
    counts: bool,
    imports: BTreeSet<Arc<str>>,
    test_imports: BTreeSet<Arc<str>>,
}

/// Whether a file of this name can matter: a Go file, and not one that every build passes over.
pub fn is_source(name: &str) -> bool {
    name.ends_with(".go") && !name.starts_with(['.', '_'])
}

impl<'t> Collector<'t> {
    /// For files under these tags.
    pub fn new(tags: &'t Tags) -> Collector<'t> {
        Collector {
            tags,
            folders: BTreeMap::new(),
            paths: HashSet::new(),
            imports: 0,
            text: 0,
        }
    }

    /// Takes a [source file](is_source): its folder, its name, and its header with the bytes that it was read from.
    /// `None`: it cannot be read as Go.
    pub fn add(
        &mut self,
        folder: &str,
        name: &str,
        read: Option<(&Header, &[u8])>,
    ) -> Result<(), TooMany> {
        if !self.folders.contains_key(folder) {
            self.folders.insert(folder.into(), Collected::default());
        }
        let Some((header, bytes)) = read else {
            return Ok(());
        };
        if !self
            .tags
            .take(name, bytes.get(..header.len).unwrap_or(bytes))
        {
            return Ok(());
        }
        for path in &header.imports {
            let path = self.interned(path)?;
            let Some(folder) = self.folders.get_mut(folder) else {
                continue;
            };
            let imports = match name.ends_with("_test.go") {
                true => &mut folder.test_imports,
                false => &mut folder.imports,
            };
            self.imports += usize::from(imports.insert(path));
            if self.imports > MAX_IMPORTS {
                return Err(TooMany::Imports);
            }
        }
        if let Some(folder) = self.folders.get_mut(folder) {
            folder.counts = true;
        }
        Ok(())
    }

    fn interned(&mut self, path: &str) -> Result<Arc<str>, TooMany> {
        if let Some(path) = self.paths.get(path) {
            return Ok(Arc::clone(path));
        }
        self.text += path.len();
        if self.text > MAX_IMPORT_TEXT {
            return Err(TooMany::Text);
        }
        let path: Arc<str> = path.into();
        self.paths.insert(Arc::clone(&path));
        Ok(path)
    }

    /// What they come to.
    pub fn finish(self) -> Packages {
        let folders = self.folders.into_iter().map(|(name, folder)| {
            let folder = Folder {
                counts: folder.counts,
                imports: folder.imports.into_iter().collect(),
                test_imports: folder.test_imports.into_iter().collect(),
            };
            (name, folder)
        });
        Packages {
            folders: folders.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn packages(tags: &Tags, files: &[(&str, &str, &str)]) -> Packages {
        let mut collector = Collector::new(tags);
        for (folder, name, text) in files {
            let header = Header::read(text.as_bytes(), true).unwrap().unwrap();
            collector
                .add(folder, name, Some((&header, text.as_bytes())))
                .unwrap();
        }
        collector.finish()
    }

    #[test]
    fn a_folder_imports_what_its_files_import() {
        let tags = Tags::Platforms(vec!["linux/amd64".parse().unwrap()]);
        let found = packages(
            &tags,
            &[
                ("", "a.go", "package a\nimport (\"b\"; \"a\")"),
                ("", "b.go", "package a\nimport \"a\""),
                ("", "a_test.go", "package a\nimport \"t\""),
                ("", "a_windows.go", "package a\nimport \"w\""),
                ("w", "w_windows.go", "package w\nimport \"w\""),
            ],
        );
        let root = found.folder("").unwrap();
        assert_eq!(root.imports.join(" "), "a b");
        assert_eq!(root.test_imports.join(" "), "t");
        // It is there, so that no other module can provide it, but there is nothing to build in it.
        let windows = found.folder("w").unwrap();
        assert!(!windows.counts && windows.imports.is_empty());
        assert_eq!(found.listed(&[]).collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn the_wildcard_passes_over_what_the_go_command_passes_over() {
        let text = "package p";
        let folders = [
            "",
            "a",
            "a/b",
            "_a",
            "a/.b",
            "testdata",
            "a/testdata/b",
            "vendor",
            "vendor/a",
            "a/vendor/b",
            "x/y",
            "z/x",
        ];
        let files: Vec<_> = folders.map(|folder| (folder, "a.go", text)).to_vec();
        let found = packages(&Tags::Any, &files);
        let listed = |ignore: &[&str]| {
            let ignore: Vec<String> = ignore.iter().map(|line| (*line).to_owned()).collect();
            found.listed(&ignore).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(listed(&[]), " a a/b vendor x/y z/x");
        assert_eq!(listed(&["./x"]), " a a/b vendor z/x");
        assert_eq!(listed(&["x", "a/b"]), " a vendor");
    }

    #[test]
    fn imports_are_bounded() {
        let tags = Tags::Any;
        let mut collector = Collector::new(&tags);
        let header = |paths: Vec<String>| Header {
            imports: paths,
            len: 0,
        };
        let half = || (0..MAX_IMPORTS / 2).map(|n| n.to_string()).collect();
        for folder in ["a", "b"] {
            let header = header(half());
            collector.add(folder, "a.go", Some((&header, b""))).unwrap();
        }
        let more = header(vec!["0".into()]);
        let added = collector.add("c", "a.go", Some((&more, b"")));
        assert_eq!(added, Err(TooMany::Imports));

        let mut collector = Collector::new(&tags);
        let long = header(vec!["x".repeat(MAX_IMPORT_TEXT)]);
        collector.add("a", "a.go", Some((&long, b""))).unwrap();
        collector.add("b", "a.go", Some((&long, b""))).unwrap();
        let added = collector.add("c", "a.go", Some((&more, b"")));
        assert_eq!(added, Err(TooMany::Text));
    }
}
