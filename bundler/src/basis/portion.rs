//! What is left to carry: of a selection, what the destination does not hold; what it must hold instead, and what
//! is taken back.
//!
//! A module version that is selected is either carried or needed, in each of its two levels: what version selection
//! reads (the go.mod and the record), and all of it. So whoever takes the bundle in knows that the whole selection is there.

use std::collections::{BTreeMap, BTreeSet};

use modferry_protocol::bundle::{FileName, Gone, Level as Needed};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::sumdb::Tile;

use super::{Basis, Claims, Holdings, Parts};
use crate::error::Error;
use crate::fetch::{Fetched, Level, Module};
use crate::state::Exported;

/// What a bundle carries and needs of one module version that is selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Its record and its go.mod.
    pub for_selection: bool,
    /// Its info.
    pub info: bool,
    /// Its zip.
    pub zip: bool,
    /// What the destination must hold of it.
    pub needed: Option<Needed>,
}

impl Share {
    /// Of a module version of which these parts are held. What of it is wanted and cannot be had is not carried.
    pub fn of(module: &Module, held: Parts) -> Share {
        let whole = module.level == Level::Whole;
        if whole && held.has(Parts::WHOLE) {
            return Share {
                needed: Some(Needed::Zip),
                ..Share::default()
            };
        }
        let selectable = held.has(Parts::FOR_SELECTION);
        Share {
            for_selection: !selectable,
            info: module.info && !held.has(Parts::INFO),
            zip: whole && module.is_whole(),
            needed: selectable.then_some(Needed::Mod),
        }
    }

    /// Whether any of it is carried.
    pub fn is_carried(&self) -> bool {
        self.for_selection || self.info || self.zip
    }
}

/// What a bundle is to carry.
#[derive(Debug)]
pub struct Portion {
    /// Of every module version that is selected.
    pub modules: BTreeMap<ModuleVersion, Share>,
    /// The tiles that the destination lacks, in order.
    pub tiles: Vec<Tile>,
    /// What is taken back.
    pub tombstones: BTreeMap<ModuleVersion, Gone>,
    /// Opaque files that are taken back.
    pub gone_files: BTreeSet<FileName>,
    /// Things to tell.
    pub notes: Vec<String>,
}

impl Portion {
    /// Of this selection and the tiles that prove it, on this basis.
    ///
    /// `files` are the opaque files that are selected.
    ///
    /// Nothing is pruned where something of the selection cannot be had: what that requires is selected, too, and is not
    /// known.
    pub fn of(
        fetched: &Fetched,
        tiles: &BTreeSet<Tile>,
        holdings: &Holdings,
        basis: &Basis,
        exported: &[Exported],
        prune: bool,
        files: &[FileName],
    ) -> Result<Portion, Error> {
        let shares = fetched
            .modules
            .iter()
            .map(|(module, entry)| (module.clone(), Share::of(entry, holdings.parts(module))));
        let mut portion = Portion {
            modules: shares.collect(),
            tiles: tiles
                .iter()
                .filter(|tile| !holdings.has_tile(tile))
                .copied()
                .collect(),
            tombstones: BTreeMap::new(),
            gone_files: BTreeSet::new(),
            notes: Vec::new(),
        };
        if basis.built_on.bundles.is_empty() {
            // What builds on nothing takes nothing back.
            return Ok(portion);
        }
        let whole = fetched.failures.is_empty() && !fetched.uncertain;
        if prune && !whole {
            portion.notes.push(
                "nothing is pruned, since not all of the selection can be had: what that requires is not known"
                    .into(),
            );
        }
        let mut claims = Claims::of(exported, &basis.built_on.bundles)?;
        for (module, entry) in &fetched.modules {
            claims.select(module, entry.level);
        }
        for (module, level) in &fetched.unfinished {
            claims.select(module, *level);
        }
        files.iter().for_each(|name| claims.select_file(name));
        portion.gone_files = claims.gone_files(prune);
        portion.tombstones = claims.tombstones(exported, prune && whole)?;
        Ok(portion)
    }

    /// Whether there is nothing to carry: no part of a module, no tile, and nothing is taken back.
    pub fn is_empty(&self) -> bool {
        self.tiles.is_empty()
            && self.tombstones.is_empty()
            && self.gone_files.is_empty()
            && !self.modules.values().any(Share::is_carried)
    }

    /// What the destination must hold, in the order of modules.
    pub fn needs(&self) -> impl Iterator<Item = (&ModuleVersion, Needed)> {
        self.modules
            .iter()
            .filter_map(|(module, share)| Some((module, share.needed?)))
    }
}
