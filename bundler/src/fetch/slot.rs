//! What a run knows so far.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use modferry_protocol::module::{ModulePath, ModuleVersion};
use modferry_protocol::sumdb::{Record, Tile};

use super::{Fatal, Level, Part};
use crate::cache::ZipFile;
use crate::select::mvs::Loaded;
use crate::select::packages::constraint::Tags;
use crate::select::packages::folders::Packages;
use crate::upstream::goproxy::Unavailable;

#[derive(Default)]
pub(super) struct State {
    pub(super) slots: HashMap<ModuleVersion, Slot>,
    pub(super) failures: Vec<(ModuleVersion, Part, Unavailable)>,
    pub(super) notes: BTreeSet<String>,
    /// Whether something that says what is wanted could not be read.
    pub(super) uncertain: bool,
    pub(super) fatal: Option<Fatal>,
    /// Modules whose zip a plan could not read, since the cache does not have it.
    pub(super) unread: BTreeSet<ModuleVersion>,
    /// The same, where all that they require is wanted anyway, and only what nothing requires is not known.
    pub(super) unread_imports: BTreeSet<ModuleVersion>,
    /// Why it is not known of some modules whether they have what packages import and nothing requires.
    pub(super) unasked: BTreeSet<String>,
    /// Their paths.
    pub(super) unknown: BTreeSet<ModulePath>,
    /// Tiles that are fetched ahead.
    pub(super) tiles: HashSet<Tile>,
}

/// Who waits for what a go.mod says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiter {
    /// A build, by its place.
    Build(usize),
    /// A load, by its place.
    Load(usize),
}

/// What is known of one module so far.
pub(super) struct Slot {
    pub(super) level: Level,
    /// How much of it must be had. What is wanted besides is nice to have: not having it is a note, no failure.
    pub(super) needed: Option<Level>,
    pub(super) record: Step<Record>,
    pub(super) go_mod: Step<GoModBytes>,
    /// What the verified go.mod says, or that there is none.
    pub(super) loaded: Option<Loaded>,
    pub(super) waiting: Vec<Waiter>,
    /// Loaders that wait for its packages.
    pub(super) readers: Vec<usize>,
    /// Its packages, under the tags that were asked for.
    pub(super) packages: Vec<(Tags, Option<Arc<Packages>>)>,
    pub(super) info_begun: bool,
    pub(super) zip_begun: bool,
    /// Whether nothing more is done about its zip.
    pub(super) zip_ended: bool,
    /// Whether its zip is not fetched because the destination holds it.
    pub(super) left_out: bool,
    pub(super) info: bool,
    pub(super) zip: Option<ZipFile>,
    pub(super) zip_size: Option<u64>,
}

/// What is to be fetched now that the go.mod is verified.
#[derive(Clone, Copy, Default)]
pub(super) struct Due {
    pub(super) info: bool,
    pub(super) zip: bool,
}

pub(super) enum Step<T> {
    Waiting,
    Got(T),
    /// By the one task that goes on with it: the last of two that are done at once must not take it again.
    Taken,
    Failed,
}

pub(super) struct GoModBytes {
    pub(super) bytes: Vec<u8>,
    pub(super) from_cache: bool,
}

impl Slot {
    /// What may be fetched now, and was not begun before. It counts as begun.
    pub(super) fn due(&mut self) -> Due {
        if !matches!(self.loaded, Some(Some(_))) {
            return Due::default();
        }
        let due = Due {
            info: self.level >= Level::Listed && !self.info_begun,
            zip: self.level == Level::Whole && !self.zip_begun,
        };
        self.info_begun |= due.info;
        self.zip_begun |= due.zip;
        due
    }

    pub(super) fn new(level: Level, waiter: Option<Waiter>, optional: bool) -> Slot {
        Slot {
            level,
            needed: (!optional).then_some(level),
            record: Step::Waiting,
            go_mod: Step::Waiting,
            loaded: None,
            waiting: waiter.into_iter().collect(),
            readers: Vec::new(),
            packages: Vec::new(),
            info_begun: false,
            zip_begun: false,
            zip_ended: false,
            left_out: false,
            info: false,
            zip: None,
            zip_size: None,
        }
    }
}
