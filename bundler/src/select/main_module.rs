//! The main module of a selection: whose build it is, and by whose `replace` and `exclude` lines others are read.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use modferry_protocol::module::{ModulePath, ModuleVersion};

use super::gomod::{GoMod, Replacement};

/// What selection needs to know of one go.mod file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Its requirements.
    pub require: Vec<ModuleVersion>,
    /// Requirements whose name is malformed: the go command cannot load them either.
    pub malformed: Vec<String>,
    /// Whether the graph may be pruned behind it.
    pub pruned: bool,
    /// Its `go` line.
    pub go: Option<String>,
}

impl Summary {
    /// From a go.mod file.
    pub fn of(file: &GoMod) -> Summary {
        let mut summary = Summary {
            pruned: file.is_pruned(),
            go: file.go.clone(),
            ..Summary::default()
        };
        for require in &file.require {
            match ModuleVersion::parse(&require.path, &require.version) {
                Ok(module) => summary.require.push(module),
                Err(_) => summary
                    .malformed
                    .push(format!("{}@{}", require.path, require.version)),
            }
        }
        summary
    }
}

/// The main module of a selection: a go.mod file, or what stands for `go get module@version`.
#[derive(Clone, Debug, Default)]
pub struct Main {
    /// Its own path, which no requirement can select another version of.
    pub path: Option<ModulePath>,
    /// Its requirements and whether it is pruned.
    pub summary: Summary,
    /// Versions that are as if nobody required them.
    pub exclude: HashSet<ModuleVersion>,
    /// Replacements of one version.
    pub replace_one: HashMap<ModuleVersion, With>,
    /// Replacements of every version.
    pub replace_all: HashMap<ModulePath, With>,
    /// Folders that stand in for what is no module path (`mylib`), which nothing else can require.
    pub folders: BTreeSet<String>,
    /// Whether its requirements are all that its build needs, as in a go.mod that `go mod tidy` wrote
    /// for go 1.17 or later. Otherwise everything in the graph is.
    pub lists_everything: bool,
    /// What is known of the folders that stand in for modules, by their names in the go.mod file.
    pub locals: HashMap<String, Arc<Summary>>,
}

/// What stands in for a replaced module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum With {
    /// Another module version.
    Module(ModuleVersion),
    /// A folder: nothing to fetch.
    Folder(String),
}

/// A replacement in a go.mod that names no valid module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("replacement {0} is malformed")]
pub struct BadReplacement(String);

impl Main {
    /// The build of whoever requires just this module.
    pub fn requiring(module: ModuleVersion) -> Main {
        Main {
            summary: Summary {
                require: vec![module],
                pruned: true,
                ..Summary::default()
            },
            ..Main::default()
        }
    }

    /// The build of the module that this go.mod file describes.
    ///
    /// A file for go 1.17 or later without a single `// indirect` line was not tidied: it is a list of
    /// wishes, and what the wishes themselves require is needed as well.
    pub fn of(file: &GoMod) -> Result<Main, BadReplacement> {
        let mut main = Main {
            path: file
                .module
                .as_deref()
                .and_then(|path| ModulePath::new(path).ok()),
            summary: Summary::of(file),
            lists_everything: file.is_pruned()
                && file.require.iter().any(|require| require.indirect),
            ..Main::default()
        };
        main.exclude = file
            .exclude
            .iter()
            .filter_map(|(path, version)| ModuleVersion::parse(path, version).ok())
            .collect();
        for replace in &file.replace {
            if let Replacement::Folder(folder) = &replace.with
                && ModulePath::new(&replace.path).is_err()
            {
                // The old path is never fetched, so it may be any.
                main.folders.insert(folder.clone());
                main.summary.malformed.retain(|name| {
                    name.rsplit_once('@').is_none_or(|(path, version)| {
                        path != replace.path
                            || replace
                                .version
                                .as_deref()
                                .is_some_and(|only| only != version)
                    })
                });
                continue;
            }
            let bad = || BadReplacement(replace.path.clone());
            let with = match &replace.with {
                Replacement::Folder(folder) => With::Folder(folder.clone()),
                Replacement::Module(path, version) => {
                    // Its version need not fit its path's suffix, but it has to be fetchable.
                    With::Module(ModuleVersion::parse(path, version).map_err(|_| bad())?)
                }
            };
            match &replace.version {
                Some(version) => {
                    let old = ModuleVersion::parse(&replace.path, version).map_err(|_| bad())?;
                    main.replace_one.insert(old, with);
                }
                None => {
                    let old = ModulePath::new(&replace.path).map_err(|_| bad())?;
                    main.replace_all.insert(old, with);
                }
            }
        }
        Ok(main)
    }

    /// Its requirements, without those that it excludes.
    pub(super) fn roots(&self) -> Vec<ModuleVersion> {
        let required = self.summary.require.iter();
        required
            .filter(|module| !self.exclude.contains(module))
            .cloned()
            .collect()
    }

    /// What is really asked for where this is required: nothing where it is excluded, the main module itself
    /// or replaced by a folder.
    pub fn fetched<'m>(&'m self, module: &'m ModuleVersion) -> Option<&'m ModuleVersion> {
        if self.is_self(module) || self.exclude.contains(module) {
            return None;
        }
        match self.replacement(module) {
            None => Some(module),
            Some(With::Module(with)) => Some(with),
            Some(With::Folder(_)) => None,
        }
    }

    /// What the go.mod file says of a folder that stands in for a module.
    pub(super) fn local(&self, folder: &str) -> Option<Arc<Summary>> {
        self.locals.get(folder).cloned()
    }

    /// What stands in for a module.
    pub(super) fn replacement(&self, module: &ModuleVersion) -> Option<&With> {
        self.replace_one
            .get(module)
            .or_else(|| self.replace_all.get(module.path()))
    }

    /// Whether it is the main module itself, whatever version of it is required.
    pub(super) fn is_self(&self, module: &ModuleVersion) -> bool {
        self.path.as_ref() == Some(module.path())
    }
}
