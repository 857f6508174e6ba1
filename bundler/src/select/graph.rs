//! The module graph, pruned exactly as the go command prunes it (cmd/go/internal/modload/buildlist.go, readModGraph).
//!
//! [`Known`] is what has been learnt of go.mod files, [`Reading`] one reading of the graph from its roots. A reading says
//! which go.mod files it wants and goes on when it is told; one that is begun again wants only what is new.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, OnceLock};

use modferry_protocol::module::{ModulePath, ModuleVersion};

use super::main_module::{Main, Summary, With};

/// A go.mod file's content, or that it cannot be had.
pub type Loaded = Option<Arc<Summary>>;

/// The main module, and what its build has read so far.
#[derive(Debug)]
pub(super) struct Known {
    main: Main,
    /// What the go.mod files said that were read, by the module that was really read.
    files: HashMap<ModuleVersion, Loaded>,
    /// Of each module who requires it, on a shortest way from the main module: found when somebody asks.
    requirers: OnceLock<HashMap<ModuleVersion, Option<ModuleVersion>>>,
    /// Folders that stand in for modules of the graph.
    folders: BTreeSet<String>,
    /// Modules that only came in because packages import them, each with the module whose package does.
    imported: BTreeMap<ModuleVersion, Option<ModuleVersion>>,
}

impl Known {
    pub(super) fn new(main: Main) -> Known {
        Known {
            main,
            files: HashMap::new(),
            requirers: OnceLock::new(),
            folders: BTreeSet::new(),
            imported: BTreeMap::new(),
        }
    }

    pub(super) fn main(&self) -> &Main {
        &self.main
    }

    pub(super) fn learn(&mut self, module: &ModuleVersion, loaded: Loaded) {
        self.files.insert(module.clone(), loaded);
        self.requirers = OnceLock::new();
    }

    /// Counts a module as required by the one that imports it; `None`: by the main module.
    pub(super) fn import(&mut self, module: ModuleVersion, by: Option<ModuleVersion>) {
        self.imported.entry(module).or_insert(by);
        self.requirers = OnceLock::new();
    }

    /// The modules that are counted so.
    pub(super) fn imported(&self) -> impl Iterator<Item = &ModuleVersion> {
        self.imported.keys()
    }

    /// What the go.mod file says that counts for this module, once it is known: replacements resolved.
    pub(super) fn file(&self, module: &ModuleVersion) -> Option<Loaded> {
        match self.main.replacement(module) {
            None => self.files.get(module).cloned(),
            Some(With::Module(with)) => self.files.get(with).cloned(),
            // It is in the tree that is built, not upstream.
            Some(With::Folder(folder)) => {
                Some(self.main.local(folder).map(|local| local.summary.clone()))
            }
        }
    }

    pub(super) fn folders(&self) -> impl Iterator<Item = &String> {
        self.folders.iter()
    }

    pub(super) fn required(&self) -> impl Iterator<Item = &ModuleVersion> {
        self.requirers().keys()
    }

    pub(super) fn is_required(&self, module: &ModuleVersion) -> bool {
        self.requirers().contains_key(module)
    }

    /// The shortest chain of requirements that leads to a module, the module last. Of several the one that stands first
    /// in the go.mod files, so that it is the same in each run.
    pub(super) fn chain(&self, module: &ModuleVersion) -> Vec<ModuleVersion> {
        let requirers = self.requirers();
        let mut chain = vec![module.clone()];
        let mut at = module;
        while let Some(Some(requirer)) = requirers.get(at) {
            chain.push(requirer.clone());
            at = requirer;
        }
        chain.reverse();
        chain
    }

    fn requirers(&self) -> &HashMap<ModuleVersion, Option<ModuleVersion>> {
        self.requirers.get_or_init(|| self.breadth_first())
    }

    fn breadth_first(&self) -> HashMap<ModuleVersion, Option<ModuleVersion>> {
        let mut requirers = HashMap::new();
        let mut queue: VecDeque<(ModuleVersion, Option<ModuleVersion>)> = VecDeque::new();
        let of_folders = self.main.nameless.values();
        let of_folders = of_folders.flat_map(|local| local.summary.require.clone());
        let first = self.main.roots().into_iter().chain(of_folders);
        queue.extend(first.map(|module| (module, None)));
        let imported = self.imported.iter();
        queue.extend(imported.map(|(module, by)| (module.clone(), by.clone())));
        while let Some((module, requirer)) = queue.pop_front() {
            if self.main.is_self(&module) || requirers.contains_key(&module) {
                continue;
            }
            // What stands in for it is there for the same reason.
            if let Some(With::Module(with)) = self.main.replacement(&module) {
                requirers.entry(with.clone()).or_insert(requirer.clone());
            }
            if let Some(Some(file)) = self.file(&module) {
                let required = file.require.iter();
                let required = required.filter(|module| !self.main.exclude.contains(module));
                queue.extend(required.map(|other| (other.clone(), Some(module.clone()))));
            }
            requirers.insert(module, requirer);
        }
        requirers
    }

    /// What `go list -m all` asks the infos of, where these are selected.
    pub(super) fn listed(
        &self,
        selected: &BTreeMap<ModulePath, ModuleVersion>,
    ) -> BTreeSet<ModuleVersion> {
        let fetched = selected
            .values()
            .filter_map(|module| self.main.fetched(module));
        fetched.cloned().collect()
    }
}

/// One reading of the graph from its roots.
#[derive(Debug, Default)]
pub(super) struct Reading {
    roots: Vec<ModuleVersion>,
    selected: BTreeMap<ModulePath, ModuleVersion>,
    enqueued: HashSet<(ModuleVersion, Depth)>,
    /// Modules whose requirements are in the graph.
    counted: HashSet<ModuleVersion>,
    /// Modules (before replacement) that wait for the go.mod of the key, and how far they are read.
    waiting: HashMap<ModuleVersion, Vec<(ModuleVersion, Depth)>>,
    /// In a workspace the modules of which a package may be imported: those that were raised above a requirement.
    raised: BTreeSet<ModuleVersion>,
}

/// How far a module is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Depth {
    /// What it requires counts, and is read only behind what is for Go 1.16 or before.
    Pruned,
    /// What it requires is read, as that of a main module is.
    Workspace,
    /// All behind it is read.
    Unpruned,
}

impl Depth {
    fn behind(unpruned: bool) -> Depth {
        match unpruned {
            true => Depth::Unpruned,
            false => Depth::Pruned,
        }
    }
}

impl Reading {
    /// Reads as far as what is known goes, and says which go.mod files are wanted besides.
    pub(super) fn begin(
        known: &mut Known,
        roots: Vec<ModuleVersion>,
        pruned: bool,
    ) -> (Reading, Vec<ModuleVersion>) {
        let mut reading = Reading {
            roots: roots.clone(),
            ..Reading::default()
        };
        let mut wanted = Vec::new();
        for root in roots {
            reading.select(known, &root);
            let unpruned = !pruned || known.main.unpruned.contains(&root);
            reading.enqueue(known, root, Depth::behind(unpruned), &mut wanted);
        }
        let nameless: Vec<_> = known.main.nameless.values().cloned().collect();
        for local in nameless {
            for require in &local.summary.require {
                reading.select(known, require);
                if !pruned || !local.summary.pruned {
                    reading.enqueue(known, require.clone(), Depth::Unpruned, &mut wanted);
                }
            }
        }
        reading.raise(known, &mut wanted);
        (reading, wanted)
    }

    /// Goes on where it waited for this module's go.mod, which is known now.
    pub(super) fn go_on(
        &mut self,
        known: &mut Known,
        module: &ModuleVersion,
    ) -> Vec<ModuleVersion> {
        let mut wanted = Vec::new();
        let loaded = known.files.get(module).cloned().flatten();
        for (asked, depth) in self.waiting.remove(module).unwrap_or_default() {
            let mut stack = Vec::new();
            self.required(known, &asked, loaded.clone(), depth, &mut stack);
            for (module, depth) in stack {
                self.enqueue(known, module, depth, &mut wanted);
            }
        }
        self.raise(known, &mut wanted);
        wanted
    }

    /// In a workspace, where a requirement of a main module was raised, what the raised version requires is read as if a
    /// main module required it; and so on behind it. When all else is read, and until nothing is raised any more.
    fn raise(&mut self, known: &mut Known, wanted: &mut Vec<ModuleVersion>) {
        while self.is_done() && !known.main.workspace.is_empty() {
            let mut raised = BTreeSet::new();
            let mut look = |reading: &Reading, require: &ModuleVersion| {
                if let Some(selected) = reading.selected.get(require.path())
                    && selected > require
                {
                    raised.insert(selected.clone());
                }
            };
            self.roots.iter().for_each(|root| look(self, root));
            for module in &self.raised {
                // Another version of it may have been selected since.
                look(self, module);
                let file = known.file(module).flatten();
                let required = file.iter().flat_map(|file| &file.require);
                let required = required.filter(|module| !known.main.exclude.contains(module));
                required.for_each(|require| look(self, require));
            }
            let new: Vec<ModuleVersion> = raised.difference(&self.raised).cloned().collect();
            if new.is_empty() {
                return;
            }
            for module in new {
                self.raised.insert(module.clone());
                self.enqueue(known, module, Depth::Workspace, wanted);
            }
        }
    }

    /// Whether nothing is wanted any more.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn roots(&self) -> &[ModuleVersion] {
        &self.roots
    }

    /// The version of each path that is selected.
    pub(super) fn selected(&self) -> &BTreeMap<ModulePath, ModuleVersion> {
        &self.selected
    }

    /// The same, when nothing else of the reading matters any more.
    pub(super) fn into_selected(self) -> BTreeMap<ModulePath, ModuleVersion> {
        self.selected
    }

    fn select(&mut self, known: &Known, module: &ModuleVersion) {
        if known.main.is_self(module) {
            return;
        }
        self.selected
            .entry(module.path().clone())
            .and_modify(|selected| {
                if module.version() > selected.version() {
                    *selected = module.clone();
                }
            })
            .or_insert_with(|| module.clone());
    }

    fn enqueue(
        &mut self,
        known: &mut Known,
        module: ModuleVersion,
        depth: Depth,
        wanted: &mut Vec<ModuleVersion>,
    ) {
        // An explicit stack: a chain of requirements can be as long as somebody cares to make it.
        let mut stack = vec![(module, depth)];
        while let Some((module, depth)) = stack.pop() {
            if known.main.is_self(&module) || !self.enqueued.insert((module.clone(), depth)) {
                continue;
            }
            if let Some(With::Folder(folder)) = known.main.replacement(&module) {
                known.folders.insert(folder.clone());
            }
            if let Some(loaded) = known.file(&module) {
                self.required(known, &module, loaded, depth, &mut stack);
                continue;
            }
            let actual = match known.main.replacement(&module) {
                Some(With::Module(with)) => with.clone(),
                _ => module.clone(),
            };
            let waiting = self.waiting.entry(actual.clone()).or_default();
            if waiting.is_empty() {
                wanted.push(actual);
            }
            waiting.push((module, depth));
        }
    }

    /// Counts a module's requirements, and says which of them are to be read further.
    fn required(
        &mut self,
        known: &mut Known,
        module: &ModuleVersion,
        loaded: Loaded,
        depth: Depth,
        next: &mut Vec<(ModuleVersion, Depth)>,
    ) {
        let Some(summary) = loaded else { return };
        let first = self.counted.insert(module.clone());
        for require in &summary.require {
            if known.main.exclude.contains(require) {
                continue;
            }
            if first {
                self.select(known, require);
            }
            if depth != Depth::Pruned || !summary.pruned {
                let unpruned = depth == Depth::Unpruned || !summary.pruned;
                next.push((require.clone(), Depth::behind(unpruned)));
            }
        }
    }
}
