//! The main module of a selection: whose build it is, and by whose `replace` and `exclude` lines others are read.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use modferry_protocol::module::{ModulePath, ModuleVersion};

use super::gomod::{GoMod, Replacement};
use super::gover::GoVersion;
use super::packages::folders::{Folder, Packages};

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
    /// The paths of the modules of a workspace, all of which are main modules.
    pub workspace: BTreeSet<ModulePath>,
    /// The same by their names as they are written, with what their folders import, where their files are there to be read.
    pub members: BTreeMap<String, Member>,
    /// Of the requirements of a workspace those behind which nothing is pruned: modules for Go 1.16 or before name them.
    pub unpruned: BTreeSet<ModuleVersion>,
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
    /// Its `go` line.
    pub go: Option<GoVersion>,
    /// Packages that are built as tools (`tool` lines).
    pub tools: Vec<String>,
    /// Folders that patterns pass over (`ignore` lines).
    pub ignore: Vec<String>,
    /// Its path as it is written, which need not be a proper one (`myproject`).
    pub name: String,
    /// What its folders import, where its files are there to be read.
    pub tree: Option<Arc<Packages>>,
    /// The folders that stand in for modules, by their names in the go.mod file, as far as they are there.
    pub locals: HashMap<String, Arc<Local>>,
    /// The same of folders for what is no module path, by that.
    pub nameless: BTreeMap<String, Arc<Local>>,
}

/// A module of a workspace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Member {
    /// What its folders import.
    pub packages: Arc<Packages>,
    /// Folders that patterns pass over (`ignore` lines).
    pub ignore: Vec<String>,
}

/// A module in a folder, which stands in for another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Local {
    /// What its go.mod says.
    pub summary: Arc<Summary>,
    /// What its folders import.
    pub packages: Arc<Packages>,
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
        Main::requiring_all([module])
    }

    /// The build of whoever requires just these modules.
    pub fn requiring_all(modules: impl IntoIterator<Item = ModuleVersion>) -> Main {
        Main {
            summary: Summary {
                require: modules.into_iter().collect(),
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
            go: file.go.as_deref().and_then(|go| go.parse().ok()),
            tools: file.tool.clone(),
            ignore: file.ignore.clone(),
            name: file.module.clone().unwrap_or_default(),
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

    /// Whether it requires something, and yet was not tidied, for a go version that lists everything.
    pub(super) fn is_a_list_of_wishes(&self) -> bool {
        self.summary.pruned && !self.lists_everything && !self.summary.require.is_empty()
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

    /// The folder of this name in the go.mod file, which stands in for a module.
    pub(super) fn local(&self, folder: &str) -> Option<&Arc<Local>> {
        self.locals.get(folder)
    }

    /// The packages of the module of this path, if it is this one, one of its workspace, or one that a folder without a
    /// proper path of its own stands in for.
    fn own_tree(&self, module: &str) -> Option<Option<&Packages>> {
        if !self.name.is_empty() && module == self.name {
            return Some(self.tree.as_deref());
        }
        if let Some(member) = self.members.get(module) {
            return Some(Some(&member.packages));
        }
        let local = self.nameless.get(module)?;
        Some(Some(&local.packages))
    }

    /// Whether a folder of the module of this path holds Go files; `None`: it is another module. Of a main module
    /// whose files are not there it is taken that they do.
    pub(super) fn holds(&self, module: &str, folder: &str) -> Option<bool> {
        let tree = self.own_tree(module)?;
        Some(tree.is_none_or(|tree| tree.folder(folder).is_some()))
    }

    /// That folder.
    pub(super) fn folder(&self, module: &str, folder: &str) -> Option<&Folder> {
        self.own_tree(module)??.folder(folder)
    }

    /// What stands in for a module.
    pub(super) fn replacement(&self, module: &ModuleVersion) -> Option<&With> {
        self.replace_one
            .get(module)
            .or_else(|| self.replace_all.get(module.path()))
    }

    /// The modules that are replaced, whether or not anything requires them, and could have this package: the longest
    /// path first, each at the highest version that a replacement names; where none does, at one before all others
    /// (modload.HighestReplaced, module.ZeroPseudoVersion).
    pub(super) fn replaced_above(&self, package: &str) -> Vec<ModuleVersion> {
        let above = |path: &ModulePath| {
            let rest = package.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut highest: BTreeMap<&ModulePath, ModuleVersion> = BTreeMap::new();
        for module in self
            .replace_one
            .keys()
            .filter(|module| above(module.path()))
        {
            let known = highest
                .entry(module.path())
                .or_insert_with(|| module.clone());
            if *known < *module {
                *known = module.clone();
            }
        }
        for path in self.replace_all.keys().filter(|path| above(path)) {
            let (_, major) = path.split_version();
            let major = major.trim_start_matches(['/', '.']);
            let major = if major.is_empty() { "v0" } else { major };
            let zero = format!("{major}.0.0-00010101000000-000000000000");
            if let Ok(zero) = ModuleVersion::parse(path.as_str(), &zero) {
                highest.entry(path).or_insert(zero);
            }
        }
        let mut replaced: Vec<ModuleVersion> = highest.into_values().collect();
        replaced.sort_by_key(|module| std::cmp::Reverse(module.path().as_str().len()));
        replaced
    }

    /// Whether a path is that of a main module or of one that a folder stands in for, lies below such a path, or begins it.
    pub(super) fn is_own_name(&self, path: &ModulePath) -> bool {
        let folders = self
            .replace_all
            .iter()
            .filter_map(|(path, with)| match with {
                With::Folder(_) => Some(path.as_str()),
                With::Module(_) => None,
            });
        let one = self
            .replace_one
            .iter()
            .filter_map(|(module, with)| match with {
                With::Folder(_) => Some(module.path().as_str()),
                With::Module(_) => None,
            });
        let mains = self.path.iter().chain(&self.workspace);
        let own = mains.map(ModulePath::as_str).chain(folders).chain(one);
        let mut own = own.chain([&*self.name]).filter(|own| !own.is_empty());
        let below = |path: &str, of: &str| {
            let rest = path.strip_prefix(of);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        own.any(|own| below(path.as_str(), own) || below(own, path.as_str()))
    }

    /// Whether it is the main module itself, whatever version of it is required.
    pub(super) fn is_self(&self, module: &ModuleVersion) -> bool {
        self.path.as_ref() == Some(module.path()) || self.workspace.contains(module.path())
    }
}
