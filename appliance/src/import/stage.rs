//! The two stages: what a bundle brings, on its way into the store or only to be looked at.

use super::cure::cure;
use crate::store::{CHUNK, Draft, StoreError, View, Zip};
use crate::trust::Carried;
use modferry_checker::{CheckError, HeldZip, Lack, SpoolStage, Stage};
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{DocumentName, FileName, Gone, Item, Level, Manifest, Snapshot};
use modferry_protocol::module::{ModulePath, ModuleVersion};
use modferry_protocol::sumdb::{DbName, TreeHead};
use modferry_protocol::zip::{ReadAt, ZipFacts};
use std::io::{self, Read};
use std::path::PathBuf;

/// A zip in the store, read chunk by chunk.
pub(super) struct StoredZip<'s> {
    view: &'s View,
    zip: Zip,
}

impl ReadAt for StoredZip<'_> {
    fn size(&self) -> u64 {
        self.zip.size
    }

    fn read_exact_at(&self, offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        let mut offset = offset;
        while !buf.is_empty() {
            let number = u32::try_from(offset / CHUNK as u64);
            let number = number.map_err(|_| io::ErrorKind::UnexpectedEof)?;
            let chunk = self
                .view
                .chunk(&self.zip, number)
                .map_err(io::Error::other)?;
            let chunk = chunk.ok_or(io::ErrorKind::UnexpectedEof)?;
            let from = (chunk.get((offset % CHUNK as u64) as usize..))
                .filter(|rest| !rest.is_empty())
                .ok_or(io::ErrorKind::UnexpectedEof)?;
            let got = from.len().min(buf.len());
            buf[..got].copy_from_slice(&from[..got]);
            buf = &mut buf[got..];
            offset += got as u64;
        }
        Ok(())
    }
}

/// An import's: it collects in a draft, and trust notes beside it.
pub(super) struct ImportStage<'s>(pub(super) Draft<'s>, pub(super) Vec<Carried>);

impl<'s> Stage for ImportStage<'s> {
    type HeldZip = StoredZip<'s>;
    type Error = StoreError;

    fn put(&mut self, item: &Item, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.put(item, bytes)
    }

    fn put_zip(
        &mut self,
        module: &ModuleVersion,
        facts: &ZipFacts,
        size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), StoreError> {
        self.0.put_zip(module, facts, size, sha256, body)
    }

    fn files_come(&self, names: &[FileName]) -> Result<(), StoreError> {
        self.0.store().has_place_for(names)
    }

    fn put_file(
        &mut self,
        name: &FileName,
        size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), StoreError> {
        self.0.put_file(name, size, sha256, body)
    }

    fn document(&mut self, name: &DocumentName, json: &[u8]) -> Result<(), StoreError> {
        self.0.document(name, json)
    }

    fn vulndb(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.0.vulndb(snapshot)
    }

    fn held_vulndb(&self) -> Result<Option<Snapshot>, StoreError> {
        Ok(self.0.store().vulndb()?.map(|held| held.snapshot))
    }

    fn held_file(&self, name: &FileName) -> Result<Option<[u8; 32]>, StoreError> {
        Ok(self.0.store().file(name)?.map(|file| file.sha256))
    }

    fn staged(&self, item: &Item) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.staged(item)
    }

    fn held(&self, item: &Item) -> Result<Option<Vec<u8>>, StoreError> {
        held(self.0.store(), item)
    }

    fn holds(&self, item: &Item) -> Result<bool, StoreError> {
        holds(self.0.store(), item)
    }

    fn held_zip(
        &self,
        module: &ModuleVersion,
        sha256: &[u8; 32],
    ) -> Result<HeldZip<StoredZip<'s>>, StoreError> {
        held_zip(self.0.store(), module, sha256)
    }

    fn is_vouched(&self, path: &ModulePath) -> Result<bool, StoreError> {
        self.0.store().is_vouched(path)
    }

    fn is_private(&self, path: &ModulePath) -> Result<bool, StoreError> {
        self.0.store().is_private(path)
    }

    fn needed(&mut self, module: &ModuleVersion, level: Level) -> Result<(), StoreError> {
        self.0.needed(module, level)
    }

    fn gone(&mut self, module: &ModuleVersion, gone: Gone) -> Result<(), StoreError> {
        self.0.gone(module, gone)
    }

    fn needed_file(&mut self, name: &FileName) -> Result<(), StoreError> {
        self.0.needed_file(name)
    }

    fn gone_file(&mut self, name: &FileName) -> Result<(), StoreError> {
        self.0.gone_file(name)
    }

    fn cure(&self, manifest: &Manifest, lack: Lack) -> Result<Option<String>, StoreError> {
        cure(self.0.store(), manifest, lack).map(Some)
    }

    fn trust_note(&mut self, number: u64, note: &[u8]) -> Result<(), StoreError> {
        self.1.push(Carried::new(number, note));
        Ok(())
    }

    fn each_staged(
        &self,
        f: &mut dyn FnMut(Item) -> Result<(), CheckError>,
    ) -> Result<(), CheckError> {
        self.0.each_staged(CheckError::stage, f)
    }

    fn heads_held(&self, db: &DbName) -> Result<Vec<TreeHead>, StoreError> {
        self.0.store().heads(db)
    }

    fn head_note(&self, db: &DbName, size: u64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.store().head_of_size(db, size)?.map(Vec::from))
    }

    fn scratch(&self) -> Option<PathBuf> {
        Some(self.0.folder().into())
    }
}

/// A verification's: a temporary file, and what the store holds, if there is one.
pub(super) struct VerifyStage<'s> {
    pub(super) spool: SpoolStage,
    pub(super) held: Option<&'s View>,
    pub(super) trust_notes: Vec<Carried>,
}

/// Why a verification could not keep or find something.
#[derive(Debug, thiserror::Error)]
pub(super) enum VerifyStageError {
    #[error(transparent)]
    Spool(<SpoolStage as Stage>::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Failure for VerifyStageError {
    fn exit(&self) -> Exit {
        match self {
            Self::Spool(error) => error.exit(),
            Self::Store(error) => error.exit(),
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Spool(error) => error.advice(),
            Self::Store(error) => error.advice(),
        }
    }
}

impl<'s> Stage for VerifyStage<'s> {
    type HeldZip = StoredZip<'s>;
    type Error = VerifyStageError;

    fn put(&mut self, item: &Item, bytes: &[u8]) -> Result<(), VerifyStageError> {
        self.spool.put(item, bytes).map_err(VerifyStageError::Spool)
    }

    fn put_zip(
        &mut self,
        module: &ModuleVersion,
        facts: &ZipFacts,
        size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), VerifyStageError> {
        self.spool
            .put_zip(module, facts, size, sha256, body)
            .map_err(VerifyStageError::Spool)
    }

    fn files_come(&self, names: &[FileName]) -> Result<(), VerifyStageError> {
        match self.held {
            Some(view) => Ok(view.has_place_for(names)?),
            None => Ok(()),
        }
    }

    fn put_file(
        &mut self,
        name: &FileName,
        size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), VerifyStageError> {
        let kept = self.spool.put_file(name, size, sha256, body);
        kept.map_err(VerifyStageError::Spool)
    }

    fn held_vulndb(&self) -> Result<Option<Snapshot>, VerifyStageError> {
        match self.held {
            Some(view) => Ok(view.vulndb()?.map(|held| held.snapshot)),
            None => Ok(None),
        }
    }

    fn held_file(&self, name: &FileName) -> Result<Option<[u8; 32]>, VerifyStageError> {
        match self.held {
            Some(view) => Ok(view.file(name)?.map(|file| file.sha256)),
            None => Ok(None),
        }
    }

    fn staged(&self, item: &Item) -> Result<Option<Vec<u8>>, VerifyStageError> {
        self.spool.staged(item).map_err(VerifyStageError::Spool)
    }

    fn held(&self, item: &Item) -> Result<Option<Vec<u8>>, VerifyStageError> {
        match self.held {
            Some(view) => Ok(held(view, item)?),
            None => Ok(None),
        }
    }

    fn holds(&self, item: &Item) -> Result<bool, VerifyStageError> {
        match self.held {
            Some(view) => Ok(holds(view, item)?),
            None => Ok(false),
        }
    }

    fn held_zip(
        &self,
        module: &ModuleVersion,
        sha256: &[u8; 32],
    ) -> Result<HeldZip<StoredZip<'s>>, VerifyStageError> {
        match self.held {
            Some(view) => Ok(held_zip(view, module, sha256)?),
            None => Ok(HeldZip::None),
        }
    }

    fn is_vouched(&self, path: &ModulePath) -> Result<bool, VerifyStageError> {
        match self.held {
            Some(view) => Ok(view.is_vouched(path)?),
            None => Ok(false),
        }
    }

    fn is_private(&self, path: &ModulePath) -> Result<bool, VerifyStageError> {
        match self.held {
            Some(view) => Ok(view.is_private(path)?),
            None => Ok(false),
        }
    }

    fn cure(&self, manifest: &Manifest, lack: Lack) -> Result<Option<String>, VerifyStageError> {
        match self.held {
            Some(view) => Ok(Some(cure(view, manifest, lack)?)),
            None => Ok(None),
        }
    }

    fn trust_note(&mut self, number: u64, note: &[u8]) -> Result<(), VerifyStageError> {
        self.trust_notes.push(Carried::new(number, note));
        Ok(())
    }

    fn each_staged(
        &self,
        f: &mut dyn FnMut(Item) -> Result<(), CheckError>,
    ) -> Result<(), CheckError> {
        self.spool.each_staged(f)
    }

    fn heads_held(&self, db: &DbName) -> Result<Vec<TreeHead>, VerifyStageError> {
        match self.held {
            Some(view) => Ok(view.heads(db)?),
            None => Ok(Vec::new()),
        }
    }

    fn head_note(&self, db: &DbName, size: u64) -> Result<Option<Vec<u8>>, VerifyStageError> {
        match self.held {
            Some(view) => Ok(view.head_of_size(db, size)?.map(Vec::from)),
            None => Ok(None),
        }
    }

    fn scratch(&self) -> Option<PathBuf> {
        self.spool.scratch()
    }
}

/// What a store has under an item's name; a zip's bytes are never asked for, nor is what a query was answered before.
fn held(view: &View, item: &Item) -> Result<Option<Vec<u8>>, StoreError> {
    let value = match item {
        Item::Head(db) => view.head(db),
        Item::Record(db, module) => view.record(db, module),
        Item::Tile(db, tile) => view.tile(db, tile),
        Item::Pin(module) => view.pin(module),
        Item::Info(module) => view.info(module),
        Item::Mod(module) => view.go_mod(module),
        Item::Zip(_)
        | Item::File(_)
        | Item::Query(_)
        | Item::Vulndb(_)
        | Item::Contents(_)
        | Item::Needs(_)
        | Item::Bases(_)
        | Item::Tombstones(_)
        | Item::NeededFile(_)
        | Item::GoneFile(_)
        | Item::Trust(_) => Ok(None),
    };
    Ok(value?.map(Vec::from))
}

/// Whether a store has an item, without reading more of it than that takes.
fn holds(view: &View, item: &Item) -> Result<bool, StoreError> {
    match item {
        Item::Info(module) => view.has_info(module),
        Item::Mod(module) => view.has_go_mod(module),
        Item::Zip(module) => Ok(view.zip(module)?.is_some()),
        item => Ok(held(view, item)?.is_some()),
    }
}

/// A zip of a store, if it is the one with that SHA-256.
fn held_zip<'s>(
    view: &'s View,
    module: &ModuleVersion,
    sha256: &[u8; 32],
) -> Result<HeldZip<StoredZip<'s>>, StoreError> {
    Ok(match view.zip(module)? {
        None => HeldZip::None,
        Some(zip) if zip.sha256 != *sha256 => HeldZip::Other,
        Some(zip) => HeldZip::Same(StoredZip { view, zip }),
    })
}
