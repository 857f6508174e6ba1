//! What the bundles that were verified before in the same run have brought: the next ones may build on it.
//!
//! So a folder with a whole stream is verified as a new store would take it in, bundle after bundle. Small things
//! stay in the temporary files that their own verification made; of zips only the names are kept, each in 15 bytes, and
//! the bytes of those alone that a later bundle is packed against.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::PathBuf;

use modferry_checker::{CheckError, HeldZip, Report, SpoolError, SpoolStage, Stage};
use modferry_protocol::bundle::{FileName, Item, Snapshot, Vulndb};
use modferry_protocol::module::{ModulePath, ModuleVersion};
use modferry_protocol::sumdb::{DbName, Tile, TreeHead};
use modferry_protocol::trust::Policy;
use modferry_protocol::zip::ZipFacts;

use super::kept::{Kept, KeptZip, wanted};
use crate::basis::Name;
use crate::bundle::Bundle;

/// What was verified so far.
#[derive(Debug, Default)]
pub struct Earlier {
    /// The small things, bundle by bundle.
    bundles: Vec<SpoolStage>,
    zips: HashSet<Name>,
    files: HashMap<FileName, [u8; 32]>,
    /// The zips whose bytes a bundle of this run asks for.
    wanted: HashSet<Name>,
    kept: Kept,
    /// The newest vulnerability database.
    vulndb: Option<Snapshot>,
    /// Every head that would have been served, with its note, in their order.
    heads: Vec<(DbName, TreeHead, Vec<u8>)>,
}

impl Earlier {
    /// Nothing yet; these bundles are to be verified.
    pub fn new(bundles: &[Bundle], policy: &Policy) -> Earlier {
        Earlier {
            wanted: wanted(bundles, policy),
            ..Earlier::default()
        }
    }

    /// A stage for the next bundle.
    pub(super) fn stage(&self) -> Result<OnEarlier<'_>, SpoolError> {
        Ok(OnEarlier {
            earlier: self,
            spool: SpoolStage::new()?,
            zips: HashSet::new(),
            files: HashMap::new(),
            kept: Kept::default(),
        })
    }

    /// Takes in what a bundle brought that was found right.
    pub(super) fn take_in(&mut self, brought: Brought, report: &Report) -> Result<(), SpoolError> {
        let Brought {
            spool,
            zips,
            files,
            kept,
        } = brought;
        for (name, sha256) in files {
            self.files.entry(name).or_insert(sha256);
        }
        for (db, head) in &report.served {
            let known = self
                .heads
                .iter()
                .any(|(of, held, _)| of == db && held == head);
            if !known && let Some(note) = spool.staged(&Item::Head(db.clone()))? {
                self.heads.push((db.clone(), *head, note));
            }
        }
        if let Some(Vulndb {
            carried: true,
            snapshot,
        }) = &report.manifest.vulndb
            && (self.vulndb.as_ref()).is_none_or(|held| snapshot.replaces(held))
        {
            self.vulndb = Some(snapshot.clone());
        }
        self.bundles.push(spool);
        self.zips.extend(zips);
        self.kept.take_in(kept);
        Ok(())
    }

    fn find(&self, item: &Item) -> Result<Option<Vec<u8>>, SpoolError> {
        for bundle in self.bundles.iter().rev() {
            if let Some(bytes) = bundle.staged(item)? {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The tile, cut from one that is as wide as this or wider.
    fn find_tile(&self, db: &DbName, tile: &Tile) -> Result<Option<Vec<u8>>, SpoolError> {
        for width in tile.width()..=tile.full().width() {
            let Some(wider) = tile.with_width(width) else {
                continue;
            };
            if let Some(bytes) = self.find(&Item::Tile(db.clone(), wider))? {
                return Ok(tile.cut(&bytes).map(<[u8]>::to_vec));
            }
        }
        Ok(None)
    }
}

/// The stage of a bundle's verification on top of those before it.
#[derive(Debug)]
pub(super) struct OnEarlier<'e> {
    earlier: &'e Earlier,
    spool: SpoolStage,
    zips: HashSet<Name>,
    files: HashMap<FileName, [u8; 32]>,
    kept: Kept,
}

/// What a bundle brought.
pub(super) struct Brought {
    spool: SpoolStage,
    zips: HashSet<Name>,
    files: HashMap<FileName, [u8; 32]>,
    kept: Kept,
}

impl OnEarlier<'_> {
    /// What the bundle brought.
    pub(super) fn brought(self) -> Brought {
        Brought {
            spool: self.spool,
            zips: self.zips,
            files: self.files,
            kept: self.kept,
        }
    }
}

impl Stage for OnEarlier<'_> {
    type HeldZip = KeptZip;
    type Error = SpoolError;

    fn put(&mut self, item: &Item, bytes: &[u8]) -> Result<(), SpoolError> {
        self.spool.put(item, bytes)
    }

    fn put_zip(
        &mut self,
        module: &ModuleVersion,
        facts: &ZipFacts,
        size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), SpoolError> {
        let name = Name::of(module);
        self.zips.insert(name);
        if !self.earlier.wanted.contains(&name) {
            return self.spool.put_zip(module, facts, size, sha256, body);
        }
        let folder = self.spool.folder();
        let kept = self.kept.keep(module, sha256, body, folder);
        kept.map_err(|source| SpoolError::Io {
            folder: folder.into(),
            source,
        })
    }

    fn put_file(
        &mut self,
        name: &FileName,
        size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), SpoolError> {
        self.files.insert(name.clone(), *sha256);
        self.spool.put_file(name, size, sha256, body)
    }

    fn held_file(&self, name: &FileName) -> Result<Option<[u8; 32]>, SpoolError> {
        Ok(self.earlier.files.get(name).copied())
    }

    fn held_vulndb(&self) -> Result<Option<Snapshot>, SpoolError> {
        Ok(self.earlier.vulndb.clone())
    }

    fn held_zip(
        &self,
        module: &ModuleVersion,
        sha256: &[u8; 32],
    ) -> Result<HeldZip<KeptZip>, SpoolError> {
        Ok(self.earlier.kept.find(module, sha256))
    }

    fn staged(&self, item: &Item) -> Result<Option<Vec<u8>>, SpoolError> {
        self.spool.staged(item)
    }

    fn held(&self, item: &Item) -> Result<Option<Vec<u8>>, SpoolError> {
        match item {
            Item::Tile(db, tile) => self.earlier.find_tile(db, tile),
            Item::Head(db) => {
                let mut heads = self.earlier.heads.iter().rev();
                Ok(heads
                    .find(|(of, ..)| of == db)
                    .map(|(.., note)| note.clone()))
            }
            _ => self.earlier.find(item),
        }
    }

    fn holds(&self, item: &Item) -> Result<bool, SpoolError> {
        match item {
            Item::Zip(module) => Ok(self.earlier.zips.contains(&Name::of(module))),
            _ => Ok(self.held(item)?.is_some()),
        }
    }

    /// What is vouched for by whom is the destination's question: only there is all that it ever took in.
    fn is_vouched(&self, _path: &ModulePath) -> Result<bool, SpoolError> {
        Ok(false)
    }

    /// As [`Stage::is_vouched`] here.
    fn is_private(&self, _path: &ModulePath) -> Result<bool, SpoolError> {
        Ok(false)
    }

    fn each_staged(
        &self,
        f: &mut dyn FnMut(Item) -> Result<(), CheckError>,
    ) -> Result<(), CheckError> {
        self.spool.each_staged(f)
    }

    fn heads_held(&self, db: &DbName) -> Result<Vec<TreeHead>, SpoolError> {
        let heads = self.earlier.heads.iter();
        Ok(heads
            .filter(|(of, ..)| of == db)
            .map(|(_, head, _)| *head)
            .collect())
    }

    fn head_note(&self, db: &DbName, size: u64) -> Result<Option<Vec<u8>>, SpoolError> {
        let mut heads = self.earlier.heads.iter();
        let found = heads.find(|(of, head, _)| of == db && head.size == size);
        Ok(found.map(|(.., note)| note.clone()))
    }

    fn scratch(&self) -> Option<PathBuf> {
        self.spool.scratch()
    }
}
