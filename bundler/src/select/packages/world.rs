//! What is known while packages are loaded, and what is wanted besides.
//!
//! The go command loads packages by downloading what it comes across. Here nothing is downloaded: whoever asks for a
//! go.mod or for the packages of a zip that are not known yet is told to [`Wait`], and what was asked for is noted. Who
//! waits begins again from where it began; all answers are the same then, save those that were missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use modferry_protocol::module::{ModulePath, ModuleVersion, Version};

use super::folders::Packages;
use super::requirements::Requirements;
use crate::select::graph::{Known, Loaded, Reading};
use crate::select::main_module::{Main, With};

/// The most modules that are looked up for one build because packages import what nothing provides: each is a request, and
/// whoever wrote the packages decides how many there would be. Old programs without a go.mod come to some hundreds.
pub const MAX_LOOKED_UP: usize = 4096;

/// Something is not known yet that was noted as wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wait;

/// What is wanted before loading can go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// go.mod files.
    pub go_mods: BTreeSet<ModuleVersion>,
    /// Zips, whose packages are to be read.
    pub zips: BTreeSet<ModuleVersion>,
    /// Modules of which the newest version is to be looked up, each with the version that is selected.
    pub newest: BTreeMap<ModulePath, Option<Version>>,
}

impl Needs {
    /// How many things are wanted.
    pub fn len(&self) -> usize {
        self.go_mods.len() + self.zips.len() + self.newest.len()
    }

    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The packages of a module.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Packages(Arc<Packages>),
    /// They cannot be known: it may hold any package.
    Unknown,
}

/// The versions that are selected, of each path.
pub(super) type Selected = BTreeMap<ModulePath, ModuleVersion>;

#[derive(Debug)]
pub(super) struct World {
    pub(super) known: Known,
    trees: HashMap<ModuleVersion, Tree>,
    /// The newest versions of modules that nothing requires; `None`: there is no such module.
    newest: HashMap<ModulePath, Option<ModuleVersion>>,
    graphs: HashMap<(bool, Vec<ModuleVersion>), Arc<Selected>>,
    wanted: Needs,
    asked: Needs,
    too_many: bool,
}

impl World {
    pub(super) fn new(main: Main) -> World {
        World {
            known: Known::new(main),
            trees: HashMap::new(),
            newest: HashMap::new(),
            graphs: HashMap::new(),
            wanted: Needs::default(),
            asked: Needs::default(),
            too_many: false,
        }
    }

    pub(super) fn main(&self) -> &Main {
        self.known.main()
    }

    pub(super) fn opened(&mut self, module: &ModuleVersion, tree: Tree) {
        self.trees.insert(module.clone(), tree);
    }

    /// What is wanted since this was asked last.
    pub(super) fn wanted(&mut self) -> Needs {
        std::mem::take(&mut self.wanted)
    }

    pub(super) fn looked_up(&mut self, path: &ModulePath, newest: Option<ModuleVersion>) {
        self.newest.insert(path.clone(), newest);
    }

    /// The newest version of a module, if there is such a module. [`MAX_LOOKED_UP`] of them are looked up, and of any
    /// other one it is taken that there is none.
    pub(super) fn newest(
        &mut self,
        path: &ModulePath,
        selected: Option<&ModuleVersion>,
    ) -> Result<Option<ModuleVersion>, Wait> {
        if let Some(newest) = self.newest.get(path) {
            return Ok(newest.clone());
        }
        if !self.asked.newest.contains_key(path) {
            if self.asked.newest.len() >= MAX_LOOKED_UP {
                self.too_many = true;
                return Ok(None);
            }
            let current = selected.map(|module| module.version().clone());
            self.asked.newest.insert(path.clone(), current.clone());
            self.wanted.newest.insert(path.clone(), current);
        }
        Err(Wait)
    }

    /// Whether more than [`MAX_LOOKED_UP`] modules were to be looked up.
    pub(super) fn has_too_many(&self) -> bool {
        self.too_many
    }

    /// Every zip that was ever wanted: what the go command opens when it loads the same packages.
    pub(super) fn zips(&self) -> &BTreeSet<ModuleVersion> {
        &self.asked.zips
    }

    /// The modules whose zip was wanted and whose packages cannot be known.
    pub(super) fn unknown(&self) -> Vec<ModuleVersion> {
        let unknown = (self.trees.iter()).filter(|(_, tree)| matches!(tree, Tree::Unknown));
        unknown.map(|(module, _)| module.clone()).collect()
    }

    /// The module's packages. `None`: its files are in a folder that is not there.
    pub(super) fn tree(&mut self, module: &ModuleVersion) -> Result<Option<Tree>, Wait> {
        let main = self.known.main();
        if let Some(With::Folder(folder)) = main.replacement(module) {
            let local = main.local(folder);
            return Ok(local.map(|local| Tree::Packages(Arc::clone(&local.packages))));
        }
        let Some(module) = main.fetched(module).cloned() else {
            return Ok(None);
        };
        match self.trees.get(&module) {
            Some(tree) => Ok(Some(tree.clone())),
            None => {
                self.want_zip(&module);
                Err(Wait)
            }
        }
    }

    /// Wants a zip, whoever reads it.
    pub(super) fn want_zip(&mut self, module: &ModuleVersion) {
        if self.asked.zips.insert(module.clone()) {
            self.wanted.zips.insert(module.clone());
        }
    }

    /// What a module's go.mod says.
    pub(super) fn file(&mut self, module: &ModuleVersion) -> Result<Loaded, Wait> {
        if let Some(loaded) = self.known.file(module) {
            return Ok(loaded);
        }
        let module = self.main().fetched(module).unwrap_or(module).clone();
        self.want_go_mods([module]);
        Err(Wait)
    }

    fn want_go_mods(&mut self, modules: impl IntoIterator<Item = ModuleVersion>) {
        for module in modules {
            if self.asked.go_mods.insert(module.clone()) {
                self.wanted.go_mods.insert(module);
            }
        }
    }

    /// The graph behind these requirements.
    pub(super) fn graph(&mut self, requirements: &mut Requirements) -> Result<Arc<Selected>, Wait> {
        requirements.graph_read = true;
        let key = (requirements.pruned, requirements.roots().to_vec());
        if let Some(graph) = self.graphs.get(&key) {
            return Ok(Arc::clone(graph));
        }
        let (reading, wanted) = Reading::begin(&mut self.known, key.1.clone(), key.0);
        if !reading.is_done() {
            self.want_go_mods(wanted);
            return Err(Wait);
        }
        let graph = Arc::new(reading.into_selected());
        self.graphs.insert(key, Arc::clone(&graph));
        Ok(graph)
    }

    /// Forgets what only loading needs, and keeps who required what.
    pub(super) fn rest(&mut self) {
        self.graphs = HashMap::new();
        self.trees = HashMap::new();
    }
}
