//! Minimal version selection over a module graph that is pruned exactly as the go command prunes it
//! (cmd/go/internal/modload/buildlist.go, readModGraph), without any I/O: [`Resolver`] says which go.mod
//! files it wants, is told what they say, and in the end says what the selection needs.
//!
//! The go command reads more go.mod files the further it loads packages: each module that turns out to
//! provide one becomes a root of the graph. So that whatever it reads later is there, the graph is read
//! again with every module of the selection as a root, until that changes no version. Versions that an
//! earlier round selected stay in: with fewer roots the go command stops there.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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
}

impl Summary {
    /// From a go.mod file.
    pub fn of(file: &GoMod) -> Summary {
        let mut summary = Summary {
            pruned: file.is_pruned(),
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
                malformed: Vec::new(),
                pruned: true,
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

    fn replacement(&self, module: &ModuleVersion) -> Option<&With> {
        self.replace_one
            .get(module)
            .or_else(|| self.replace_all.get(module.path()))
    }

    fn is_self(&self, module: &ModuleVersion) -> bool {
        self.path.as_ref() == Some(module.path())
    }
}

/// A go.mod file's content, or that it cannot be had.
pub type Loaded = Option<Arc<Summary>>;

/// What a selection comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Module versions whose zip is needed (with info and go.mod), replacements resolved.
    pub whole: BTreeSet<ModuleVersion>,
    /// The versions that the last round selected, by path, of everything in the graph.
    pub selected: BTreeMap<ModulePath, ModuleVersion>,
    /// The same with replacements resolved: what `go list -m all` asks the info of.
    pub listed: BTreeSet<ModuleVersion>,
    /// Folders that stand in for modules: they are not carried.
    pub folders: BTreeSet<String>,
}

/// Reads a module graph. Feed it with [`Resolver::loaded`] until [`Resolver::selection`] says what is needed.
#[derive(Debug)]
pub struct Resolver {
    main: Main,
    /// What the go.mod files said that were read so far, by the module that was really read.
    known: HashMap<ModuleVersion, Loaded>,
    /// Who required a module first.
    parents: HashMap<ModuleVersion, Option<ModuleVersion>>,
    round: Round,
    targets: BTreeSet<ModulePath>,
    selection: Selection,
    done: bool,
}

/// One reading of the graph from its roots.
#[derive(Debug, Default)]
struct Round {
    number: usize,
    roots: Vec<ModuleVersion>,
    selected: BTreeMap<ModulePath, ModuleVersion>,
    enqueued: HashSet<(ModuleVersion, bool)>,
    counted: HashSet<ModuleVersion>,
    /// Modules (before replacement) that wait for the go.mod of the key, and whether they stand in an
    /// unpruned part of the graph.
    waiting: HashMap<ModuleVersion, Vec<(ModuleVersion, bool)>>,
}

impl Resolver {
    /// A resolver, and the go.mod files it wants first.
    pub fn new(main: Main) -> (Resolver, Vec<ModuleVersion>) {
        let mut resolver = Resolver {
            main,
            known: HashMap::new(),
            parents: HashMap::new(),
            round: Round::default(),
            targets: BTreeSet::new(),
            selection: Selection::default(),
            done: false,
        };
        resolver.selection.folders = resolver.main.folders.clone();
        let roots: Vec<ModuleVersion> = resolver
            .main
            .summary
            .require
            .iter()
            .filter(|module| !resolver.main.exclude.contains(module))
            .cloned()
            .collect();
        let wanted = resolver.begin(roots);
        let wanted = resolver.advance(wanted);
        (resolver, wanted)
    }

    /// Tells what a wanted go.mod file says; `None`: it cannot be had. Returns what is wanted next.
    pub fn loaded(&mut self, module: &ModuleVersion, loaded: Loaded) -> Vec<ModuleVersion> {
        self.known.insert(module.clone(), loaded);
        let mut wanted = Vec::new();
        for (asked, unpruned) in self.round.waiting.remove(module).unwrap_or_default() {
            self.expand(&asked, module, unpruned, &mut wanted);
        }
        self.advance(wanted)
    }

    /// The outcome, once nothing is wanted any more.
    pub fn selection(&self) -> Option<&Selection> {
        self.done.then_some(&self.selection)
    }

    /// Whether anything of this build requires the module.
    pub fn knows(&self, module: &ModuleVersion) -> bool {
        self.parents.contains_key(module)
    }

    /// The chain of requirements that leads to a module, the module last.
    pub fn chain(&self, module: &ModuleVersion) -> Vec<ModuleVersion> {
        let mut chain = vec![module.clone()];
        let mut at = module;
        while let Some(Some(parent)) = self.parents.get(at) {
            chain.push(parent.clone());
            at = parent;
        }
        chain.reverse();
        chain
    }

    /// Starts rounds while nothing is left to wait for.
    fn advance(&mut self, mut wanted: Vec<ModuleVersion>) -> Vec<ModuleVersion> {
        while !self.done && self.round.waiting.is_empty() {
            wanted.extend(self.end_round());
        }
        wanted
    }

    fn begin(&mut self, roots: Vec<ModuleVersion>) -> Vec<ModuleVersion> {
        self.round = Round {
            number: self.round.number + 1,
            roots: roots.clone(),
            ..Round::default()
        };
        let mut wanted = Vec::new();
        let unpruned = !self.main.summary.pruned;
        for root in roots {
            self.parents.entry(root.clone()).or_insert(None);
            self.select(&root);
            self.enqueue(root, unpruned, &mut wanted);
        }
        wanted
    }

    /// What a round that has read everything comes to; the next round's wants.
    fn end_round(&mut self) -> Vec<ModuleVersion> {
        if self.round.number == 1 {
            self.targets = if self.main.lists_everything {
                self.round
                    .roots
                    .iter()
                    .map(|root| root.path().clone())
                    .collect()
            } else {
                self.round.selected.keys().cloned().collect()
            };
        }
        let roots: Vec<ModuleVersion> = self
            .targets
            .iter()
            .filter_map(|path| self.round.selected.get(path).cloned())
            .collect();
        for module in &roots {
            match self.main.replacement(module) {
                None => {
                    self.selection.whole.insert(module.clone());
                }
                Some(With::Module(with)) => {
                    let parent = self.parents.get(module).cloned().flatten();
                    self.parents.entry(with.clone()).or_insert(parent);
                    self.selection.whole.insert(with.clone());
                }
                Some(With::Folder(folder)) => {
                    self.selection.folders.insert(folder.clone());
                }
            }
        }
        let before: BTreeSet<&ModuleVersion> = self.round.roots.iter().collect();
        let same = before.len() == roots.len() && roots.iter().all(|root| before.contains(root));
        if same {
            self.selection.selected = std::mem::take(&mut self.round.selected);
            self.selection.listed = self
                .selection
                .selected
                .values()
                .filter_map(|module| match self.main.replacement(module) {
                    None => Some(module.clone()),
                    Some(With::Module(with)) => Some(with.clone()),
                    Some(With::Folder(_)) => None,
                })
                .collect();
            self.done = true;
            return Vec::new();
        }
        self.begin(roots)
    }

    fn select(&mut self, module: &ModuleVersion) {
        if self.main.is_self(module) {
            return;
        }
        self.round
            .selected
            .entry(module.path().clone())
            .and_modify(|selected| {
                if module.version() > selected.version() {
                    *selected = module.clone();
                }
            })
            .or_insert_with(|| module.clone());
    }

    fn enqueue(&mut self, module: ModuleVersion, unpruned: bool, wanted: &mut Vec<ModuleVersion>) {
        // An explicit stack: a chain of requirements can be as long as somebody cares to make it.
        let mut stack = vec![(module, unpruned)];
        while let Some((module, unpruned)) = stack.pop() {
            if self.main.is_self(&module) || !self.round.enqueued.insert((module.clone(), unpruned))
            {
                continue;
            }
            let actual = match self.main.replacement(&module) {
                None => module.clone(),
                Some(With::Module(with)) => with.clone(),
                Some(With::Folder(folder)) => {
                    // Its go.mod is in the tree that is built, not upstream; its needs are not known here.
                    self.selection.folders.insert(folder.clone());
                    continue;
                }
            };
            match self.known.get(&actual) {
                Some(loaded) => {
                    let loaded = loaded.clone();
                    self.required(&module, loaded, unpruned, &mut stack);
                }
                None => {
                    let waiting = self.round.waiting.entry(actual.clone()).or_default();
                    if waiting.is_empty() {
                        if actual != module {
                            let parent = self.parents.get(&module).cloned().flatten();
                            self.parents.entry(actual.clone()).or_insert(parent);
                        }
                        wanted.push(actual);
                    }
                    waiting.push((module, unpruned));
                }
            }
        }
    }

    fn expand(
        &mut self,
        module: &ModuleVersion,
        actual: &ModuleVersion,
        unpruned: bool,
        wanted: &mut Vec<ModuleVersion>,
    ) {
        let loaded = self.known.get(actual).cloned().flatten();
        let mut stack = Vec::new();
        self.required(module, loaded, unpruned, &mut stack);
        for (module, unpruned) in stack {
            self.enqueue(module, unpruned, wanted);
        }
    }

    /// Counts a module's requirements, and says which of them are to be read further.
    fn required(
        &mut self,
        module: &ModuleVersion,
        loaded: Loaded,
        unpruned: bool,
        next: &mut Vec<(ModuleVersion, bool)>,
    ) {
        let Some(summary) = loaded else { return };
        let first = self.round.counted.insert(module.clone());
        for require in &summary.require {
            if self.main.exclude.contains(require) {
                continue;
            }
            if first {
                self.parents
                    .entry(require.clone())
                    .or_insert_with(|| Some(module.clone()));
                self.select(require);
            }
            if unpruned || !summary.pruned {
                next.push((require.clone(), unpruned || !summary.pruned));
            }
        }
    }
}

#[cfg(test)]
#[path = "mvs/tests.rs"]
mod tests;
