//! What a run is asked to fetch, and how much of each module.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use modferry_protocol::module::ModuleVersion;

use super::Loading;
use crate::select::gosum::Sums;
use crate::select::mvs::Main;

/// How much of a module is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Its go.mod, for version selection.
    Mod,
    /// Its go.mod and its info: it is in a build list, and `go list -m all` asks for its time.
    Listed,
    /// Info, go.mod and zip.
    Whole,
}

/// Something to fetch.
#[derive(Clone, Debug)]
pub enum Want {
    /// Exactly these, which this go.sum names.
    Sums {
        /// The go.sum file.
        file: PathBuf,
        /// What it says.
        sums: BTreeMap<ModuleVersion, Sums>,
    },
    /// Nothing more, but what is fetched of these must have the hashes that this go.sum names.
    Pins {
        /// The go.sum file.
        file: PathBuf,
        /// What it says.
        sums: BTreeMap<ModuleVersion, Sums>,
    },
    /// What this build needs.
    Build {
        /// As a failure names it: the argument, or the go.mod file.
        name: String,
        /// Its main module.
        main: Box<Main>,
        /// The module that was named, whose own go.sum says what its tests need.
        named: Option<ModuleVersion>,
    },
    /// What loading these packages opens.
    Load {
        /// As a failure names it: the argument, or the go.mod file.
        name: String,
        /// Which packages, and what for.
        loading: Box<Loading>,
    },
    /// What the go command reads when it builds from these modules: the go.mod files of the graph, and of what that
    /// selects the zips of these modules and of those in which it looks for their packages, too, because their paths
    /// begin alike.
    Around {
        /// As a failure names it.
        name: String,
        /// Whose graph it is.
        main: Box<Main>,
        /// The modules.
        modules: BTreeSet<ModuleVersion>,
    },
    /// Exactly these, and nothing of what they require.
    Exactly {
        /// As a failure names them.
        name: String,
        /// How much of each.
        modules: BTreeMap<ModuleVersion, Level>,
    },
    /// What nobody named: what cannot be had of it is told, and is no failure.
    Optional(Box<Want>),
}

impl Want {
    /// The modules that are fetched because they are named.
    pub fn named(&self) -> Vec<&ModuleVersion> {
        match self {
            Want::Sums { sums, .. } => sums.keys().collect(),
            Want::Build { main, .. } | Want::Around { main, .. } => {
                let required = main.summary.require.iter();
                required.filter_map(|module| main.fetched(module)).collect()
            }
            Want::Load { loading, .. } => {
                let main = &loading.main;
                let required = main.summary.require.iter();
                required.filter_map(|module| main.fetched(module)).collect()
            }
            Want::Exactly { modules, .. } => modules.keys().collect(),
            Want::Pins { .. } => Vec::new(),
            Want::Optional(want) => want.named(),
        }
    }
}
