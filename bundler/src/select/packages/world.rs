//! What is known while packages are loaded, and what is wanted besides.
//!
//! The go command loads packages by downloading what it comes across. Here nothing is downloaded: whoever asks for a
//! go.mod or for the packages of a zip that are not known yet is told to [`Wait`], and what was asked for is noted. Who
//! waits begins again from where it began; all answers are the same then, save those that were missing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use modferry_protocol::module::{ModulePath, ModuleVersion};

use super::folders::Packages;
use super::requirements::Requirements;
use crate::select::graph::{Known, Loaded, Reading};
use crate::select::main_module::{Main, With};

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
    graphs: HashMap<(bool, Vec<ModuleVersion>), Arc<Selected>>,
    wanted: Needs,
    asked: Needs,
}

impl World {
    pub(super) fn new(main: Main) -> World {
        World {
            known: Known::new(main),
            trees: HashMap::new(),
            graphs: HashMap::new(),
            wanted: Needs::default(),
            asked: Needs::default(),
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
