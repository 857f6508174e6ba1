//! Why a module version is selected: who asked for it, through whose requirements, and how much of it is wanted for that.

use std::collections::BTreeSet;

use modferry_protocol::module::ModuleVersion;
use serde::Serialize;

use super::{Level, Session, lock};
use crate::select::mvs::Selection;

/// Why a module version is selected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Because {
    /// Who wants it: what was asked for, then module by module whose go.mod requires the next; the module itself is not
    /// in it. The shortest of all such chains.
    pub chain: Vec<String>,
    /// What for.
    pub what: What,
    /// The version that is selected in its stead, where it is there only so that this can be found out.
    pub selected: Option<ModuleVersion>,
}

/// What a module version is selected for; what counts for most first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It was asked for itself.
    Named,
    /// A go.sum file names it.
    GoSum,
    /// A list of versions has it: toolchains, newest versions, what was carried before.
    Listed,
    /// A build needs it.
    Build,
    /// The go.sum of what was asked for names it, for its tests.
    Tests,
    /// It is in a build list, and nothing of it is built.
    BuildList,
    /// Its go.mod is read to select versions.
    Selection,
    /// It is required, and no go.mod had to be read to know that another version is selected.
    #[default]
    Required,
}

impl What {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            What::Named => "it was asked for: carried whole",
            What::GoSum => "the go.sum file names it",
            What::Listed => "it is in that list",
            What::Build => "the build needs it: carried whole",
            What::Tests => {
                "the go.sum of what was asked for names it, so its tests may need it: carried whole"
            }
            What::BuildList => {
                "it is in the build list and nothing of it is built: carried with go.mod and info"
            }
            What::Selection => "its go.mod is read to select versions: only that is carried",
            What::Required => {
                "it is required, and another version is selected: nothing of it is carried"
            }
        }
    }
}

impl Because {
    /// The chain in one line.
    pub fn line(&self) -> String {
        self.chain.join(" -> ")
    }
}

impl Session<'_> {
    /// Every module version that anything requires, be it read or not.
    pub(super) fn required(&self) -> BTreeSet<ModuleVersion> {
        let mut required = BTreeSet::new();
        for build in &self.builds {
            required.extend(lock(&build.resolver).required().cloned());
        }
        for load in &self.loads {
            required.extend(lock(&load.loader).required().cloned());
        }
        required
    }

    /// Why a module version is wanted, of which so much is; `None`: nothing.
    pub(super) fn because(&self, module: &ModuleVersion, level: Option<Level>) -> Because {
        let mut best = self
            .reasons(module)
            .into_iter()
            .min_by_key(|because| (because.what, because.chain.len()))
            .unwrap_or_default();
        match level {
            None if best.what == What::Selection => best.what = What::Required,
            Some(Level::Whole) if best.what > What::Tests => best.what = What::Tests,
            _ => {}
        }
        best
    }

    /// Everything that wants a module version, each by its own shortest chain.
    pub(super) fn reasons(&self, module: &ModuleVersion) -> Vec<Because> {
        let simply = |name: String, what| Because {
            chain: vec![name],
            what,
            selected: None,
        };
        let of_sums = self.sums.iter();
        let of_sums = of_sums.filter(|(_, sums)| sums.contains_key(module));
        let of_sums = of_sums.map(|(file, _)| simply(file.display().to_string(), What::GoSum));
        let of_lists = self.exactly.iter();
        let of_lists = of_lists.filter(|exactly| exactly.modules.contains_key(module));
        let of_lists = of_lists.map(|exactly| simply(exactly.name.clone(), What::Listed));
        let of_builds = self.builds.iter();
        let of_builds = of_builds.filter_map(|build| {
            let resolver = lock(&build.resolver);
            let chain = || resolver.knows(module).then(|| resolver.chain(module));
            let named = build.named.as_ref();
            let mut because = of_build(module, &build.name, named, chain, resolver.selection())?;
            if because.what == What::Build && !build.has_zip_of(module) {
                because.what = What::BuildList;
            }
            Some(because)
        });
        let of_loads = self.loads.iter().filter_map(|load| {
            let loader = lock(&load.loader);
            let chain = || loader.knows(module).then(|| loader.chain(module));
            of_build(module, &load.name, load.named(), chain, loader.selection())
        });
        let all = of_sums.chain(of_lists).chain(of_builds).chain(of_loads);
        all.collect()
    }
}

/// Why a build wants a module version, if it does. `chain` leads to it from the build's main module.
fn of_build(
    module: &ModuleVersion,
    name: &str,
    named: Option<&ModuleVersion>,
    chain: impl FnOnce() -> Option<Vec<ModuleVersion>>,
    selection: Option<&Selection>,
) -> Option<Because> {
    if named == Some(module) {
        return Some(Because {
            chain: vec![name.to_owned()],
            what: What::Named,
            selected: None,
        });
    }
    let mut chain = chain()?;
    chain.pop();
    let between = chain.iter().filter(|other| named != Some(other));
    let between = between.map(ToString::to_string);
    let what = match selection {
        Some(selection) if selection.whole.contains(module) => What::Build,
        Some(selection) if selection.listed.contains(module) => What::BuildList,
        _ => What::Selection,
    };
    let selected = selection.and_then(|selection| selection.selected.get(module.path()));
    let another = |selected: &&ModuleVersion| {
        what >= What::Selection && selected.version() != module.version()
    };
    Some(Because {
        chain: std::iter::once(name.to_owned()).chain(between).collect(),
        what,
        selected: selected.filter(another).cloned(),
    })
}
