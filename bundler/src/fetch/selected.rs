//! What is selected so far, by whatever way: newest versions, toolchains and patterns go by it.

use std::collections::{BTreeMap, BTreeSet};

use modferry_protocol::module::{ModulePath, ModuleVersion, Version};

use super::{Level, Session, lock};

/// What is selected so far, by whatever way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// The highest version of each module, in build lists and besides.
    pub versions: BTreeMap<ModulePath, Version>,
    /// The modules that are carried whole.
    pub whole: BTreeSet<ModulePath>,
    /// The `go` lines of what is carried whole.
    pub go_lines: BTreeSet<String>,
}

impl Selected {
    fn add(&mut self, module: &ModuleVersion) {
        let version = self.versions.entry(module.path().clone());
        let version = version.or_insert_with(|| module.version().clone());
        if module.version() > version {
            *version = module.version().clone();
        }
    }
}

impl Session<'_> {
    pub(super) fn selected_so_far(&self) -> Selected {
        let mut selected = Selected::default();
        for build in &self.builds {
            if let Some(selection) = lock(&build.resolver).selection() {
                selection.selected.values().for_each(|m| selected.add(m));
            }
            build.named.iter().for_each(|module| selected.add(module));
        }
        for load in &self.loads {
            if let Some(selection) = lock(&load.loader).selection() {
                selection.selected.values().for_each(|m| selected.add(m));
            }
            load.named().iter().for_each(|module| selected.add(module));
        }
        for (_, sums) in &self.sums {
            let whole = sums.iter().filter(|(_, sum)| sum.zip.is_some());
            whole.for_each(|(module, _)| selected.add(module));
        }
        for exactly in &self.exactly {
            let whole = exactly
                .modules
                .iter()
                .filter(|(_, level)| **level == Level::Whole);
            whole.for_each(|(module, _)| selected.add(module));
        }
        for (module, slot) in &self.lock().slots {
            if let (Level::Whole, Some(Some(summary))) = (slot.level, &slot.loaded) {
                selected.whole.insert(module.path().clone());
                selected.go_lines.extend(summary.go.clone());
            }
        }
        selected
    }
}
