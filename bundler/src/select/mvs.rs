//! Minimal version selection over the module graph ([`graph`](super::graph)), without any I/O: [`Resolver`] says which
//! go.mod files it wants, is told what they say, and in the end says what the selection needs.
//!
//! The go command reads more go.mod files the further it loads packages: each module that turns out to
//! provide one becomes a root of the graph. So that whatever it reads later is there, the graph is read
//! again with every module of the selection as a root, until that changes no version. Versions that an
//! earlier round selected stay in: with fewer roots the go command stops there.

use std::collections::{BTreeMap, BTreeSet};

use modferry_protocol::module::{ModulePath, ModuleVersion};

pub use super::graph::Loaded;
use super::graph::{Known, Reading};
pub use super::main_module::{BadReplacement, Main, Summary, With};

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
    known: Known,
    reading: Reading,
    rounds: usize,
    targets: BTreeSet<ModulePath>,
    selection: Selection,
    done: bool,
}

impl Resolver {
    /// A resolver, and the go.mod files it wants first.
    pub fn new(main: Main) -> (Resolver, Vec<ModuleVersion>) {
        let mut resolver = Resolver {
            selection: Selection {
                folders: main.folders.clone(),
                ..Selection::default()
            },
            known: Known::new(main),
            reading: Reading::default(),
            rounds: 0,
            targets: BTreeSet::new(),
            done: false,
        };
        let roots = resolver.known.main().roots();
        let wanted = resolver.begin(roots);
        let wanted = resolver.advance(wanted);
        (resolver, wanted)
    }

    /// Tells what a wanted go.mod file says; `None`: it cannot be had. Returns what is wanted next.
    pub fn loaded(&mut self, module: &ModuleVersion, loaded: Loaded) -> Vec<ModuleVersion> {
        self.known.learn(module, loaded);
        let wanted = self.reading.go_on(&mut self.known, module);
        self.advance(wanted)
    }

    /// The outcome, once nothing is wanted any more.
    pub fn selection(&self) -> Option<&Selection> {
        self.done.then_some(&self.selection)
    }

    /// Every module version that anything of this build requires.
    pub fn required(&self) -> impl Iterator<Item = &ModuleVersion> {
        self.known.required()
    }

    /// Whether anything of this build requires the module.
    pub fn knows(&self, module: &ModuleVersion) -> bool {
        self.known.is_required(module)
    }

    /// The shortest chain of requirements that leads to a module, the module last.
    pub fn chain(&self, module: &ModuleVersion) -> Vec<ModuleVersion> {
        self.known.chain(module)
    }

    /// Starts rounds while nothing is left to wait for.
    fn advance(&mut self, mut wanted: Vec<ModuleVersion>) -> Vec<ModuleVersion> {
        while !self.done && self.reading.is_done() {
            wanted.extend(self.end_round());
        }
        wanted
    }

    fn begin(&mut self, roots: Vec<ModuleVersion>) -> Vec<ModuleVersion> {
        self.rounds += 1;
        let pruned = self.known.main().summary.pruned;
        let (reading, wanted) = Reading::begin(&mut self.known, roots, pruned);
        self.reading = reading;
        wanted
    }

    /// What a round that has read everything comes to; the next round's wants.
    fn end_round(&mut self) -> Vec<ModuleVersion> {
        let selected = self.reading.selected();
        if self.rounds == 1 {
            self.targets = if self.known.main().lists_everything {
                let roots = self.reading.roots().iter();
                roots.map(|root| root.path().clone()).collect()
            } else {
                selected.keys().cloned().collect()
            };
        }
        let roots: Vec<ModuleVersion> = self
            .targets
            .iter()
            .filter_map(|path| selected.get(path).cloned())
            .collect();
        for module in &roots {
            match self.known.main().replacement(module) {
                None => {
                    self.selection.whole.insert(module.clone());
                }
                Some(With::Module(with)) => {
                    self.selection.whole.insert(with.clone());
                }
                Some(With::Folder(folder)) => {
                    self.selection.folders.insert(folder.clone());
                }
            }
        }
        let before: BTreeSet<&ModuleVersion> = self.reading.roots().iter().collect();
        let same = before.len() == roots.len() && roots.iter().all(|root| before.contains(root));
        if same {
            self.selection.selected = self.reading.selected().clone();
            self.selection.listed = self.known.listed(&self.selection.selected);
            self.selection.folders.extend(self.known.folders().cloned());
            self.done = true;
            return Vec::new();
        }
        self.begin(roots)
    }
}

#[cfg(test)]
#[path = "mvs/tests.rs"]
mod tests;
