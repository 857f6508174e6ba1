//! What a stream has named so far, and so what a new bundle takes back: the tombstones.
//!
//! A bundle that carries a part of a module version, or needs it, names it; a tombstone ends that. Two things make
//! tombstones. Pruning takes back whatever was named and is not selected now. And a tombstone of a bundle that
//! the new one is not built on, so that it may never have arrived, is said again, unless the selection
//! names the module version again: otherwise a lost bundle would leave its modules there for good.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use modferry_protocol::bundle::{FileName, Gone, Item, Sequence, Sequences};
use modferry_protocol::module::ModuleVersion;

use super::holdings::Name;
use crate::error::Error;
use crate::fetch::Level;
use crate::state::Exported;

/// What a stream has named, and what is selected now.
#[derive(Debug, Default)]
pub struct Claims {
    modules: HashMap<Name, Claim>,
    /// Opaque files, by name: a zip's share of each, or nothing.
    files: BTreeMap<FileName, Claim>,
}

/// What is said of one module version.
#[derive(Clone, Copy, Debug, Default)]
struct Claim {
    /// What the stream's bundles named of it, as far as nothing that has arrived took it back.
    named: Share,
    /// What is left of it once tombstones that may not have arrived count.
    left: Share,
    /// What is selected now.
    selected: Share,
}

/// How much of a module version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Share {
    #[default]
    Nothing,
    GoMod,
    Zip,
}

impl Share {
    /// What is left after a tombstone.
    fn less(self, gone: Gone) -> Share {
        match gone {
            Gone::All => Share::Nothing,
            Gone::Zip => self.min(Share::GoMod),
        }
    }

    /// What an item names, and of which module version.
    fn of(item: &Item) -> Option<(&ModuleVersion, Share)> {
        match item {
            Item::Mod(module) => Some((module, Share::GoMod)),
            Item::Zip(module) => Some((module, Share::Zip)),
            _ => None,
        }
    }
}

impl Claims {
    /// What these bundles, all that the stream has, named, where only those that `taken_in` has are known to have arrived.
    pub fn of(exported: &[Exported], taken_in: &Sequences) -> Result<Claims, Error> {
        let mut claims = Claims::default();
        for bundle in exported {
            let arrived = taken_in.contains(bundle.sequence());
            // What is lost of either costs nothing but that it is not taken back.
            bundle.each_tombstone(|module, gone| {
                if let Some(claim) = claims.modules.get_mut(&Name::of(&module)) {
                    claim.left = claim.left.less(gone);
                    if arrived {
                        claim.named = claim.named.less(gone);
                    }
                }
            })?;
            bundle.each_item(|item, _| {
                claims.file(&item, arrived);
                if let Some((module, share)) = Share::of(&item) {
                    let claim = claims.modules.entry(Name::of(module)).or_default();
                    claim.named = share.max(claim.named);
                    claim.left = share.max(claim.left);
                }
            })?;
        }
        Ok(claims)
    }

    /// What an item says of a file. What a bundle takes back it does not carry.
    fn file(&mut self, item: &Item, arrived: bool) {
        match item {
            Item::File(name) => {
                let claim = self.files.entry(name.clone()).or_default();
                (claim.named, claim.left) = (Share::Zip, Share::Zip);
            }
            Item::GoneFile(name) => {
                if let Some(claim) = self.files.get_mut(name) {
                    claim.left = Share::Nothing;
                    if arrived {
                        claim.named = Share::Nothing;
                    }
                }
            }
            _ => {}
        }
    }

    /// This file is selected.
    pub fn select_file(&mut self, name: &FileName) {
        if let Some(claim) = self.files.get_mut(name) {
            claim.selected = Share::Zip;
        }
    }

    /// The files that a new bundle takes back: with `prune`, all that are not selected.
    pub fn gone_files(&self, prune: bool) -> BTreeSet<FileName> {
        let gone = |claim: &Claim| {
            let stays = match prune {
                true => claim.selected,
                false => claim.selected.max(claim.left),
            };
            claim.named > stays
        };
        let files = self.files.iter();
        (files.filter(|(_, claim)| gone(claim)))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// This module version is selected, that much of it.
    pub fn select(&mut self, module: &ModuleVersion, level: Level) {
        // What was never named is not taken back either.
        if let Some(claim) = self.modules.get_mut(&Name::of(module)) {
            let share = match level {
                Level::Mod | Level::Listed => Share::GoMod,
                Level::Whole => Share::Zip,
            };
            claim.selected = share.max(claim.selected);
        }
    }

    /// The tombstones of a new bundle: with `prune`, of all that is not selected.
    pub fn tombstones(
        &self,
        exported: &[Exported],
        prune: bool,
    ) -> Result<BTreeMap<ModuleVersion, Gone>, Error> {
        let gone = |claim: &Claim| {
            let stays = match prune {
                true => claim.selected,
                false => claim.selected.max(claim.left),
            };
            match (claim.named, stays) {
                (Share::Nothing, _) => None,
                (_, Share::Nothing) => Some(Gone::All),
                (Share::Zip, Share::GoMod) => Some(Gone::Zip),
                _ => None,
            }
        };
        let mut tombstones = BTreeMap::new();
        if !self.modules.values().any(|claim| gone(claim).is_some()) {
            return Ok(tombstones);
        }
        // Only now are the names looked for.
        for bundle in exported {
            bundle.each_item(|item, _| {
                if let Some((module, _)) = Share::of(&item)
                    && let Some(gone) = self.modules.get(&Name::of(module)).and_then(gone)
                {
                    tombstones.insert(module.clone(), gone);
                }
            })?;
        }
        Ok(tombstones)
    }
}

/// What the stream's bundles from this one on carried, and did not take back later.
pub fn carried_since(
    exported: &[Exported],
    first: Sequence,
) -> Result<BTreeMap<ModuleVersion, Level>, Error> {
    let mut carried: BTreeMap<ModuleVersion, Level> = BTreeMap::new();
    for bundle in exported.iter().filter(|bundle| bundle.sequence() >= first) {
        bundle.each_tombstone(|module, gone| match gone {
            Gone::All => drop(carried.remove(&module)),
            Gone::Zip => {
                if let Some(level) = carried.get_mut(&module) {
                    *level = Level::Listed.min(*level);
                }
            }
        })?;
        bundle.each_item(|item, _| {
            let (module, level) = match item {
                Item::Mod(module) => (module, Level::Mod),
                Item::Info(module) => (module, Level::Listed),
                Item::Zip(module) => (module, Level::Whole),
                _ => return,
            };
            let carried = carried.entry(module).or_insert(level);
            *carried = level.max(*carried);
        })?;
    }
    Ok(carried)
}

#[cfg(test)]
mod tests;
