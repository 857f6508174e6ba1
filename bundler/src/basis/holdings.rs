//! What a destination holds once it has taken in some of a stream's bundles: what those carried, less what they
//! took back. An export leaves it out.
//!
//! It is folded from the indexes that the state keeps, in the order of the stream: a tombstone counts against what
//! came before it. It errs towards holding less, since that costs bytes, and holding more costs a journey: a
//! tombstone counts also where its bundle is not known to have arrived, a bundle whose index is lost has brought
//! nothing, and where tombstones are lost, nothing before them is held.
//!
//! A stream of years names hundreds of thousands of module versions, so one is kept as 15 bytes of its name's
//! SHA-256 and a byte of what is held of it. Two with the same 15 bytes would be taken for one; the bundle says that
//! it needs what it leaves out, so an import would notice, and nothing wrong could come of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use modferry_protocol::bundle::{
    Encoding, Entry, FileName, Gone, Item, Query, Sequences, Snapshot,
};
use modferry_protocol::module::{ModuleVersion, Version};
use modferry_protocol::sumdb::{DbName, Height, Tile};
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::snapshot::has_not_come;
use crate::state::Exported;

/// What a destination holds of one checksum database and of all modules.
#[derive(Debug, Default)]
pub struct Holdings {
    modules: HashMap<Name, Parts>,
    /// Widths by place.
    tiles: HashMap<u64, u16>,
    /// Numbers of trust notes.
    trust_notes: BTreeSet<u64>,
    /// The opaque files, and their SHA-256.
    files: BTreeMap<FileName, [u8; 32]>,
    /// The same of all that were ever carried: a name has the same bytes for good.
    ever: BTreeMap<FileName, [u8; 32]>,
    /// The newest vulnerability database.
    vulndb: Option<Snapshot>,
    /// What queries were answered last.
    answers: BTreeMap<Query, Version>,
    /// Things to tell: what could not be counted.
    pub notes: Vec<String>,
}

/// A module version, in 15 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name([u8; 15]);

impl Name {
    /// Of this module version.
    pub fn of(module: &ModuleVersion) -> Name {
        let mut hasher = Sha256::new();
        hasher.update(module.path().as_str());
        hasher.update("@");
        hasher.update(module.version().as_str());
        let hash = hasher.finalize();
        let mut name = [0; 15];
        name.copy_from_slice(&hash[..15]);
        Name(name)
    }
}

/// Which parts of a module version are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts(u8);

impl Parts {
    /// Its record in the checksum database, or its pin where it is private.
    pub const RECORD: Parts = Parts(1);
    /// Its `.info`.
    pub const INFO: Parts = Parts(2);
    /// Its `.mod`.
    pub const GO_MOD: Parts = Parts(4);
    /// Its `.zip`.
    pub const ZIP: Parts = Parts(8);
    /// What version selection reads.
    pub const FOR_SELECTION: Parts = Parts(Parts::RECORD.0 | Parts::GO_MOD.0);
    /// All of it.
    pub const WHOLE: Parts = Parts(Parts::FOR_SELECTION.0 | Parts::INFO.0 | Parts::ZIP.0);

    /// Whether all of these are among them.
    pub fn has(self, parts: Parts) -> bool {
        self.0 & parts.0 == parts.0
    }
}

impl Holdings {
    /// What is held once these of the stream's bundles were taken in. Records and tiles are those of `db`.
    pub fn of(exported: &[Exported], taken_in: &Sequences, db: &DbName) -> Result<Holdings, Error> {
        let mut holdings = Holdings::default();
        for bundle in exported {
            holdings.take_back(bundle)?;
            holdings.take_files_back(bundle)?;
            if taken_in.contains(bundle.sequence()) {
                holdings.take_in(bundle, db)?;
            }
        }
        Ok(holdings)
    }

    fn take_back(&mut self, bundle: &Exported) -> Result<(), Error> {
        if !bundle.each_tombstone(|module, gone| self.lower(&module, gone))? && !self.is_empty() {
            self.modules.clear();
            self.notes.push(format!(
                "what bundle {} took back is lost from the state, or damaged: no module of a bundle before it counts \
                 as held",
                bundle.sequence()
            ));
        }
        Ok(())
    }

    /// What of files it takes back: wherever it is, since a file costs no more than its bytes.
    fn take_files_back(&mut self, bundle: &Exported) -> Result<(), Error> {
        if bundle.manifest.totals.gone_files > 0 {
            bundle.each_item(|item, _| {
                if let Item::GoneFile(name) = item {
                    self.files.remove(&name);
                }
            })?;
        }
        Ok(())
    }

    fn take_in(&mut self, bundle: &Exported, db: &DbName) -> Result<(), Error> {
        let mut file = |entry: &Entry| {
            if let (Encoding::Raw, [(Item::File(name), _)]) = (entry.encoding, &entry.items[..]) {
                self.files.insert(name.clone(), entry.sha256);
                self.ever.insert(name.clone(), entry.sha256);
            }
        };
        if bundle.manifest.totals.files > 0 {
            bundle.each_entry(|entry| file(&entry))?;
        }
        let indexed = bundle.each_item(|item, _| match item {
            Item::Record(of, module) if of == *db => self.raise(&module, Parts::RECORD),
            Item::Tile(of, tile) if of == *db => self.tile(&tile),
            Item::Pin(module) => self.raise(&module, Parts::RECORD),
            Item::Info(module) => self.raise(&module, Parts::INFO),
            Item::Mod(module) => self.raise(&module, Parts::GO_MOD),
            Item::Zip(module) => self.raise(&module, Parts::ZIP),
            Item::Trust(number) => drop(self.trust_notes.insert(number)),
            _ => {}
        })?;
        // One of a time that has not come is not counted on: where it was taken, an operator has to drop it.
        let now = jiff::Timestamp::now();
        if let Some(vulndb) = bundle
            .manifest
            .vulndb
            .as_ref()
            .filter(|vulndb| vulndb.carried && !has_not_come(&vulndb.snapshot, now))
            && (self.vulndb.as_ref()).is_none_or(|held| vulndb.snapshot.replaces(held))
        {
            self.vulndb = Some(vulndb.snapshot.clone());
        }
        // Where they are lost, the bundle's answers count as never given: they ride along once more.
        bundle.each_answer(|(query, module)| {
            self.answers.insert(query, module.version().clone());
        })?;
        if !indexed {
            self.notes.push(format!(
                "the index of bundle {} is lost from the state, or damaged: what it carried does not count as held",
                bundle.sequence()
            ));
        }
        Ok(())
    }

    fn raise(&mut self, module: &ModuleVersion, part: Parts) {
        self.modules.entry(Name::of(module)).or_default().0 |= part.0;
    }

    fn lower(&mut self, module: &ModuleVersion, gone: Gone) {
        match gone {
            Gone::All => drop(self.modules.remove(&Name::of(module))),
            Gone::Zip => {
                if let Some(parts) = self.modules.get_mut(&Name::of(module)) {
                    parts.0 &= !Parts::ZIP.0;
                }
            }
        }
    }

    fn tile(&mut self, tile: &Tile) {
        if let (Some(place), Ok(width)) = (place(tile), u16::try_from(tile.width())) {
            let widest = self.tiles.entry(place).or_default();
            *widest = width.max(*widest);
        }
    }

    fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// What is held of a module version.
    pub fn parts(&self, module: &ModuleVersion) -> Parts {
        let parts = self.modules.get(&Name::of(module));
        parts.copied().unwrap_or_default()
    }

    /// Whether a trust note of that number has arrived.
    pub fn has_trust_note(&self, number: u64) -> bool {
        self.trust_notes.contains(&number)
    }

    /// The SHA-256 of the file that was ever carried under that name.
    pub fn ever(&self, name: &FileName) -> Option<&[u8; 32]> {
        self.ever.get(name)
    }

    /// The SHA-256 of the file of that name.
    pub fn file(&self, name: &FileName) -> Option<&[u8; 32]> {
        self.files.get(name)
    }

    /// The vulnerability database.
    pub fn vulndb(&self) -> Option<&Snapshot> {
        self.vulndb.as_ref()
    }

    /// The version that the query was answered with last.
    pub fn answer(&self, query: &Query) -> Option<&Version> {
        self.answers.get(query)
    }

    /// Whether this tile is held, as wide as this or wider.
    pub fn has_tile(&self, tile: &Tile) -> bool {
        place(tile)
            .and_then(|place| self.tiles.get(&place))
            .is_some_and(|width| u32::from(*width) >= tile.width())
    }
}

/// Level and index of a tile in one number. `None` of a tile that no bundle of this program carries: of other
/// heights, or of records' text.
fn place(tile: &Tile) -> Option<u64> {
    let usual = tile.height() == Height::GO.get() && !tile.is_data();
    let fits = usual && tile.index() < 1 << 56;
    fits.then(|| u64::from(tile.level()) << 56 | tile.index())
}

#[cfg(test)]
mod tests;
