//! What a run fetched, what it could not, and what of that is a failure: what a build needs is, what would be nice to
//! have is a note.

use std::collections::{BTreeMap, BTreeSet};

use modferry_cli::count;
use modferry_protocol::module::{ModulePath, ModuleVersion};
use modferry_protocol::sumdb::Record;

use super::slot::Step;
use super::{Because, Dependents, Failure, Level, Part, Session, lock};
use crate::basis::Parts;
use crate::cache::ZipFile;
use crate::select::resolve::QueryAnswer;
use crate::upstream::goproxy::Unavailable;

/// No more notes than this about things that would be nice to have.
const MAX_NOTES: usize = 10;

/// What is said of these. Whether anything that was asked for needs them, only a build tells.
const LACKING: &str = "not carried, though a build may need it";

/// A module that was fetched and verified against its record.
#[derive(Clone, Debug)]
pub struct Module {
    /// How much of it was wanted.
    pub level: Level,
    /// Whether its zip is only nice to have: nothing that was asked for needs it.
    pub optional: bool,
    /// Its record, not yet proven to be in the tree.
    pub record: Record,
    /// Whether its info is in the cache.
    pub info: bool,
    /// Its zip, in the cache.
    pub zip: Option<ZipFile>,
    /// Its zip's size, where it was only asked for.
    pub zip_size: Option<u64>,
    /// Whether its zip was wanted and cannot be had.
    pub lacks_zip: bool,
}

/// What a run fetched.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Every module of which record and go.mod are there.
    pub modules: BTreeMap<ModuleVersion, Module>,
    /// What upstream answered to queries.
    pub answers: Vec<QueryAnswer>,
    /// Why each of them, and each that cannot be had, is selected.
    pub because: BTreeMap<ModuleVersion, Because>,
    /// What cannot be had.
    pub failures: Vec<Failure>,
    /// What was wanted, and is not among the modules: how much of it.
    pub unfinished: BTreeMap<ModuleVersion, Level>,
    /// Whether something that says what is wanted could not be read.
    pub uncertain: bool,
    /// Modules of which it is not known whether packages need them: an upstream refused to tell.
    pub unknown: BTreeSet<ModulePath>,
    /// Things to tell: folders that stand in for modules, sums that were passed over.
    pub notes: BTreeSet<String>,
}

impl Fetched {
    /// Notes that something of a module that is selected cannot be had.
    pub fn fail(&mut self, module: ModuleVersion, part: Part, why: Unavailable) {
        let because = self.because.get(&module);
        self.failures.push(Failure {
            required_by: because.map(Because::line).unwrap_or_default(),
            dependents: Dependents::default(),
            module,
            part,
            why,
        });
    }
}

impl Session<'_> {
    /// What was fetched, and what was not.
    pub(super) fn fetched(&self) -> Fetched {
        let state = std::mem::take(&mut *self.lock());
        let mut fetched = Fetched {
            notes: state.notes,
            uncertain: state.uncertain,
            unknown: state.unknown,
            ..Fetched::default()
        };
        let mut optional = BTreeSet::new();
        let mut lacking_zips = BTreeSet::new();
        for (module, part, why) in state.failures {
            if part == Part::Zip {
                lacking_zips.insert(module.clone());
            }
            let slot = state.slots.get(&module);
            if matches!(part, Part::Info | Part::Zip) && self.held.parts(&module).has(Parts::WHOLE)
            {
                fetched.uncertain = true;
                fetched.notes.insert(format!(
                    "the destination holds {module}; what its own go.sum names is not known, for its {} cannot be \
                     had: {}",
                    part.name(),
                    why.text
                ));
                continue;
            }
            let least = match part {
                Part::Module | Part::Record | Part::GoMod => Level::Mod,
                Part::Info | Part::Zip => Level::Whole,
            };
            let needed = slot.is_some_and(|slot| slot.needed >= Some(least));
            if !needed {
                // What it requires would be selected, too.
                fetched.uncertain |= matches!(part, Part::Module | Part::Record | Part::GoMod);
                let wanted_for = match self.because(&module, None).line() {
                    line if line.is_empty() => line,
                    line => format!("; wanted for {line}"),
                };
                optional.insert(format!(
                    "{LACKING}: {} of {module} (nobody named it{wanted_for}): {}",
                    part.name(),
                    why.text
                ));
                continue;
            }
            fetched.failures.push(Failure {
                required_by: self.because(&module, None).line(),
                dependents: Dependents::default(),
                module,
                part,
                why,
            });
        }
        let missing: Vec<ModuleVersion> = (fetched.failures.iter())
            .map(|failure| failure.module.clone())
            .collect();
        let dependents = self.dependents(missing.iter(), &state.slots);
        for failure in &mut fetched.failures {
            let of = dependents.get(&failure.module);
            failure.dependents = of.cloned().unwrap_or_default();
        }
        let notes = &mut fetched.notes;
        first_of(notes, optional, LACKING);
        first_of(
            notes,
            state.unasked,
            "not known whether it has packages that are imported",
        );
        fetched
            .failures
            .sort_by(|a, b| (&a.module, a.part).cmp(&(&b.module, b.part)));
        let of_builds = self.builds.iter().filter_map(|build| {
            let selection = lock(&build.resolver).selection().cloned()?;
            Some((&build.name, selection.folders))
        });
        let of_loads = self.loads.iter().filter_map(|load| {
            let selection = lock(&load.loader).selection().cloned()?;
            Some((&load.name, selection.folders))
        });
        for (name, folders) in of_builds.chain(of_loads) {
            fetched.notes.extend(folders.iter().map(|folder| {
                format!("{name}: {folder} stands in for a module and is not carried")
            }));
        }
        if !state.unread.is_empty() {
            fetched.notes.insert(format!(
                "not in the cache: {}, so that what packages there need is not known: all that they require is \
                 counted, and an export may find less",
                count(state.unread.len(), "zip")
            ));
        }
        if !state.unread_imports.is_empty() {
            fetched.notes.insert(format!(
                "not in the cache: {}, so that it is not known whether packages there import what nothing requires: \
                 an export may find more",
                count(state.unread_imports.len(), "zip")
            ));
        }
        for module in self.required() {
            if !state.slots.contains_key(&module) {
                let because = self.because(&module, None);
                fetched.because.insert(module, because);
            }
        }
        for (module, slot) in state.slots {
            let because = self.because(&module, Some(slot.level));
            fetched.because.insert(module.clone(), because);
            let (Step::Got(record), Some(Some(_))) = (slot.record, slot.loaded) else {
                fetched.unfinished.insert(module, slot.level);
                continue;
            };
            let entry = Module {
                level: slot.level,
                optional: slot.needed < Some(Level::Whole),
                record,
                info: slot.info,
                zip: slot.zip,
                zip_size: slot.zip_size,
                lacks_zip: lacking_zips.contains(&module),
            };
            fetched.modules.insert(module, entry);
        }
        fetched
    }
}

/// Notes the first of these, and how many there are more.
fn first_of(notes: &mut BTreeSet<String>, all: BTreeSet<String>, what: &str) {
    let more = all.len().saturating_sub(MAX_NOTES);
    notes.extend(all.into_iter().take(MAX_NOTES));
    if more > 0 {
        notes.insert(format!("{what}: {more} more"));
    }
}
