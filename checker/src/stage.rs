//! Where a bundle's contents go until all of it is proven, and what the destination holds already.
//!
//! [`check`](crate::check) owns the order and the rules; a stage only keeps bytes and finds them again. The
//! trait says what each call may rely on, so that a stage on RocksDB and one in memory behave alike.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Read;
use std::path::PathBuf;

use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::Item;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::sumdb::{DbName, Tile, TreeHead};
use modferry_protocol::zip::ZipFacts;

use crate::CheckError;

/// Keeps what a bundle brings until all of it is proven; knows what the destination already holds.
///
/// Nothing that was put may become visible to anyone before `check` has returned a report.
pub trait Stage {
    /// What the stage's own work can fail with; its exit code and advice become the check's.
    type Error: Failure + Send + Sync + 'static;

    /// Keeps an item that is not a zip. Called in `Item` order, each item once, before any zip.
    ///
    /// The bytes are hashed and look right for their kind; they are not proven yet.
    fn put(&mut self, item: &Item, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Keeps a zip whose rules were checked and whose h1 is in `facts`. Called in order of module, each once,
    /// after all other items. `body` gives `size` bytes with this SHA-256; it must be read to its end.
    fn put_zip(
        &mut self,
        module: &ModuleVersion,
        facts: &ZipFacts,
        size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), Self::Error>;

    /// The bytes of an item (no zip) that this bundle brought.
    fn staged(&self, item: &Item) -> Result<Option<Vec<u8>>, Self::Error>;

    /// The bytes of an item (no zip) that the destination held before this bundle. A tile is cut to the width
    /// asked for; a narrower one is `None`. For a head, the signed head that is served now.
    fn held(&self, item: &Item) -> Result<Option<Vec<u8>>, Self::Error>;

    /// What was found out about a zip that this bundle brought.
    fn staged_zip(&self, module: &ModuleVersion) -> Result<Option<ZipFacts>, Self::Error>;

    /// Whether the destination held this zip before.
    fn holds_zip(&self, module: &ModuleVersion) -> Result<bool, Self::Error>;

    /// Calls `f` with every staged item, zips included, in `Item` order, and stops at the first error.
    /// A failure of the stage itself is handed out through [`CheckError::stage`].
    fn each_staged(
        &self,
        f: &mut dyn FnMut(Item) -> Result<(), CheckError>,
    ) -> Result<(), CheckError>;

    /// Every head of this checksum database that the destination ever served, oldest first.
    fn heads_held(&self, db: &DbName) -> Result<Vec<TreeHead>, Self::Error>;

    /// The signed note of the head of that many records that the destination served, byte for byte; `None` where
    /// it never did, or has not kept it. It is the evidence when a bundle contradicts that head.
    fn head_note(&self, db: &DbName, size: u64) -> Result<Option<Vec<u8>>, Self::Error>;

    /// A folder with room for zips that are too large for memory. `None`: `$TMPDIR`, else `/var/tmp`
    /// (`/tmp` is memory on many systems).
    fn scratch(&self) -> Option<PathBuf> {
        None
    }
}

/// A stage in memory, for tests and small bundles; zips are counted and dropped.
///
/// It can hold things from before: [`MemoryStage::commit`] turns a checked bundle into what is held.
#[derive(Debug, Default)]
pub struct MemoryStage {
    staged: BTreeMap<Item, Vec<u8>>,
    zips: BTreeMap<ModuleVersion, ZipFacts>,
    held: BTreeMap<Item, Vec<u8>>,
    held_zips: BTreeMap<ModuleVersion, ZipFacts>,
    heads: BTreeMap<DbName, Vec<TreeHead>>,
    notes: BTreeMap<(DbName, u64), Vec<u8>>,
}

/// The error of stages that cannot fail.
#[derive(Debug, thiserror::Error)]
#[error("this cannot happen")]
pub struct Never(Infallible);

impl Failure for Never {
    fn exit(&self) -> Exit {
        Exit::Other
    }
}

impl MemoryStage {
    /// A stage that holds nothing.
    pub fn new() -> MemoryStage {
        MemoryStage::default()
    }

    /// What the destination is after the bundle was taken in: all that is staged becomes held. `heads` are
    /// the heads that are served from now on (a report's `served`).
    pub fn commit(&mut self, heads: impl IntoIterator<Item = (DbName, TreeHead)>) {
        for (db, head) in heads {
            let known = self.heads.entry(db.clone()).or_default();
            if known.last() == Some(&head) {
                // The head that was served stays: its note, too.
                self.staged.remove(&Item::Head(db));
            } else {
                known.push(head);
                if let Some(note) = self.staged.get(&Item::Head(db.clone())) {
                    self.notes.insert((db, head.size), note.clone());
                }
            }
        }
        self.held.append(&mut self.staged);
        self.held_zips.append(&mut self.zips);
    }

    /// Throws away what a bundle that was refused has brought.
    pub fn discard(&mut self) {
        self.staged.clear();
        self.zips.clear();
    }

    /// Takes a held thing away, to see what misses it.
    pub fn forget(&mut self, item: &Item) -> bool {
        self.held.remove(item).is_some()
    }

    /// What is staged and is no zip.
    pub fn items(&self) -> impl Iterator<Item = (&Item, &[u8])> {
        self.staged
            .iter()
            .map(|(item, bytes)| (item, bytes.as_slice()))
    }
}

impl Stage for MemoryStage {
    type Error = Never;

    fn put(&mut self, item: &Item, bytes: &[u8]) -> Result<(), Never> {
        self.staged.insert(item.clone(), bytes.into());
        Ok(())
    }

    fn put_zip(
        &mut self,
        module: &ModuleVersion,
        facts: &ZipFacts,
        _size: u64,
        _sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), Never> {
        // A body that cannot be read is found by whoever made it: it is a hashing reader.
        let _ = std::io::copy(body, &mut std::io::sink());
        self.zips.insert(module.clone(), *facts);
        Ok(())
    }

    fn staged(&self, item: &Item) -> Result<Option<Vec<u8>>, Never> {
        Ok(self.staged.get(item).cloned())
    }

    fn held(&self, item: &Item) -> Result<Option<Vec<u8>>, Never> {
        if let Some(bytes) = self.held.get(item) {
            return Ok(Some(bytes.clone()));
        }
        let Item::Tile(db, tile) = item else {
            return Ok(None);
        };
        // A wider one of the same tile, cut.
        for width in tile.width() + 1..=1 << tile.height() {
            let wider = Tile::new(tile.height(), tile.level(), tile.index(), width);
            let Some(wider) = wider else { continue };
            if let Some(bytes) = self.held.get(&Item::Tile(db.clone(), wider)) {
                return Ok(bytes.get(..tile.width() as usize * 32).map(<[u8]>::to_vec));
            }
        }
        Ok(None)
    }

    fn staged_zip(&self, module: &ModuleVersion) -> Result<Option<ZipFacts>, Never> {
        Ok(self.zips.get(module).cloned())
    }

    fn holds_zip(&self, module: &ModuleVersion) -> Result<bool, Never> {
        Ok(self.held_zips.contains_key(module))
    }

    fn each_staged(
        &self,
        f: &mut dyn FnMut(Item) -> Result<(), CheckError>,
    ) -> Result<(), CheckError> {
        self.staged.keys().cloned().try_for_each(&mut *f)?;
        self.zips.keys().cloned().map(Item::Zip).try_for_each(f)
    }

    fn heads_held(&self, db: &DbName) -> Result<Vec<TreeHead>, Never> {
        Ok(self.heads.get(db).cloned().unwrap_or_default())
    }
    fn head_note(&self, db: &DbName, size: u64) -> Result<Option<Vec<u8>>, Never> {
        Ok(self.notes.get(&(db.clone(), size)).cloned())
    }
}
