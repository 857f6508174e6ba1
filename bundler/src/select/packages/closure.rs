//! The packages that some packages need, and those that these need (cmd/go/internal/modload/load.go, the loader).

use std::collections::HashMap;
use std::sync::Arc;

use super::find::{Import, find};
use super::folders::Folder;
use super::requirements::Requirements;
use super::world::{Tree, Wait, World};

/// The package is imported by the main module's packages, directly or not: in `all`, as the go command calls it.
pub(super) const IN_ALL: u8 = 1;
/// It was named itself.
pub(super) const NAMED: u8 = 2;

/// Whose tests count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tests {
    /// Those of the packages that are named.
    pub(super) of_named: bool,
    /// Those of packages in `all`, for `go mod tidy`: one level, since what their tests import is not in `all`.
    pub(super) of_all: bool,
    /// What tests of packages in `all` import is in `all` too, as it was before Go 1.16.
    pub(super) in_all: bool,
}

/// Packages and what they import.
#[derive(Debug)]
pub(super) struct Closure {
    pub(super) packages: Vec<Package>,
}

/// A package, or the tests of one.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) path: Arc<str>,
    pub(super) import: Import,
    pub(super) flags: u8,
    /// What it imports, as places in the closure.
    pub(super) imports: Vec<usize>,
    /// Its tests, if they were loaded.
    pub(super) test: Option<usize>,
    is_test: bool,
    loaded: bool,
    test_imports: Box<[Arc<str>]>,
}

impl Package {
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Loads packages with all that they import.
pub(super) fn load(
    world: &mut World,
    requirements: &mut Requirements,
    named: &[Arc<str>],
    flags: u8,
    tests: Tests,
) -> Result<Closure, Wait> {
    let mut loading = Loading {
        packages: Vec::new(),
        places: HashMap::new(),
        tests,
        changed: Vec::new(),
    };
    for path in named {
        let at = loading.place(path);
        loading.flag(at, flags);
    }
    let (mut next, mut waits) = (0, false);
    while next < loading.packages.len() {
        let package = &loading.packages[next];
        if !package.loaded {
            // Others are loaded all the same, so that all that is wanted is wanted at once.
            let path = Arc::clone(&package.path);
            waits |= loading.load(world, requirements, next, &path).is_err();
        }
        next += 1;
    }
    match waits {
        true => Err(Wait),
        false => Ok(Closure {
            packages: loading.packages,
        }),
    }
}

struct Loading {
    packages: Vec<Package>,
    places: HashMap<Arc<str>, usize>,
    tests: Tests,
    /// Packages whose flags are not handed on yet.
    changed: Vec<usize>,
}

impl Loading {
    fn place(&mut self, path: &Arc<str>) -> usize {
        if let Some(at) = self.places.get(path) {
            return *at;
        }
        self.places.insert(Arc::clone(path), self.packages.len());
        self.push(Package {
            path: Arc::clone(path),
            import: Import::Missing,
            flags: 0,
            imports: Vec::new(),
            test: None,
            is_test: false,
            loaded: false,
            test_imports: Box::default(),
        })
    }

    fn push(&mut self, package: Package) -> usize {
        self.packages.push(package);
        self.packages.len() - 1
    }

    fn load(
        &mut self,
        world: &mut World,
        requirements: &mut Requirements,
        at: usize,
        path: &str,
    ) -> Result<(), Wait> {
        let import = find(world, path, requirements, requirements.fixed)?;
        let folder = match &import {
            Import::Main { module, folder } => world.main().folder(module, folder).cloned(),
            Import::Module { module, folder } => match world.tree(module)? {
                Some(Tree::Packages(packages)) => packages.folder(folder).cloned(),
                Some(Tree::Unknown) | None => None,
            },
            _ => None,
        };
        let Folder {
            imports,
            test_imports,
            ..
        } = folder.unwrap_or_default();
        let imports = imports.iter().filter(|path| !is_magic(path));
        let imports = imports.map(|path| self.place(path)).collect();
        let in_main = matches!(import, Import::Main { .. });
        let package = &mut self.packages[at];
        package.import = import;
        package.imports = imports;
        package.test_imports = test_imports;
        package.loaded = true;
        self.changed.push(at);
        if in_main {
            self.flag(at, IN_ALL);
        }
        self.hand_on();
        Ok(())
    }

    /// Adds flags, and hands them on.
    fn flag(&mut self, at: usize, flags: u8) {
        self.add(at, flags);
        self.hand_on();
    }

    fn add(&mut self, at: usize, mut flags: u8) {
        let package = &mut self.packages[at];
        if self.tests.of_all && flags & IN_ALL != 0 && !package.is_test {
            flags |= NAMED;
        }
        let new = package.flags | flags;
        if new != package.flags {
            package.flags = new;
            self.changed.push(at);
        }
    }

    fn hand_on(&mut self) {
        while let Some(at) = self.changed.pop() {
            if !self.packages[at].loaded {
                continue;
            }
            self.add_test(at);
            let package = &mut self.packages[at];
            let flags = package.flags & IN_ALL;
            let imports = std::mem::take(&mut package.imports);
            for import in &imports {
                self.add(*import, flags);
            }
            self.packages[at].imports = imports;
        }
    }

    /// Adds a package's tests where they count, or tells them what is new.
    fn add_test(&mut self, at: usize) {
        let package = &self.packages[at];
        if package.is_test {
            return;
        }
        let in_main = matches!(package.import, Import::Main { .. });
        let (in_all, named) = (package.has(IN_ALL), package.has(NAMED));
        let tests = self.tests;
        let counts =
            (tests.of_all && (in_main || (tests.in_all && in_all))) || (tests.of_named && named);
        if !counts {
            return;
        }
        let flags = match in_main || (tests.in_all && in_all) {
            true => IN_ALL,
            false => 0,
        };
        if let Some(test) = package.test {
            return self.add(test, flags);
        }
        let (path, import) = (Arc::clone(&package.path), package.import.clone());
        let paths = std::mem::take(&mut self.packages[at].test_imports);
        let imports = paths.iter().filter(|path| !is_magic(path));
        let imports = imports.map(|path| self.place(path)).collect();
        let test = self.push(Package {
            path,
            import,
            flags: 0,
            imports,
            test: None,
            is_test: true,
            loaded: true,
            test_imports: Box::default(),
        });
        self.packages[at].test = Some(test);
        self.add(test, flags);
    }
}

/// Imports that lead nowhere: cgo's, and those of App Engine's first runtime, which were never in a module.
fn is_magic(path: &str) -> bool {
    let below = |root: &str| {
        path.strip_prefix(root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    path == "C" || below("appengine") || below("appengine_internal")
}
