//! Where a bundle's contents go until all of it is proven, and what the destination holds already.
//!
//! [`check`](crate::check) owns the order and the rules; a stage only keeps bytes and finds them again. The
//! trait says what each call may rely on, so that a stage on RocksDB and one in memory behave alike.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{DocumentName, FileName, Gone, Item, Level, Manifest, Snapshot};
use modferry_protocol::module::{ModulePath, ModuleVersion};
use modferry_protocol::sumdb::{DbName, Tile, TreeHead};
use modferry_protocol::zip::{ReadAt, ZipFacts};

use crate::CheckError;

/// Keeps what a bundle brings until all of it is proven; knows what the destination already holds.
///
/// Nothing that was put may become visible to anyone before `check` has returned a report.
pub trait Stage {
    /// A zip that the destination held before this bundle, to be read at any place, by several threads at once. There
    /// may be [`MAX_BASES`](modferry_protocol::bundle::MAX_BASES) of them at a time, so one must not keep its bytes in
    /// memory, nor a file open. It is read in aligned blocks of 1 MiB.
    type HeldZip: ReadAt + Send + Sync;

    /// What the stage's own work can fail with; its exit code and advice become the check's.
    type Error: Failure + Send + Sync + 'static;

    /// Keeps an item that is not a zip, a list or a trust note. Called in `Item` order, each item once, before any zip.
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

    /// The index names these files, and nothing behind it was read: an error, if there is no place for them all.
    fn files_come(&self, _names: &[FileName]) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Keeps a file. Called in order of names, each once, after all zips. `body` gives `size` bytes and must be read to its
    /// end; whether their hash is this SHA-256 shows behind it.
    fn put_file(
        &mut self,
        name: &FileName,
        size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), Self::Error>;

    /// The SHA-256 of the file that the destination held under that name before this bundle.
    fn held_file(&self, name: &FileName) -> Result<Option<[u8; 32]>, Self::Error>;

    /// The bytes of an item (no zip) that this bundle brought.
    fn staged(&self, item: &Item) -> Result<Option<Vec<u8>>, Self::Error>;

    /// The bytes of an item (no zip) that the destination held before this bundle. A tile is cut to the width
    /// asked for; a narrower one is `None`. For a head, the signed head that is served now.
    fn held(&self, item: &Item) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Whether the destination held this item before this bundle: an `.info`, `.mod`, `.zip`, record or pin.
    fn holds(&self, item: &Item) -> Result<bool, Self::Error>;

    /// Whether the destination held a checksum database's record of any version of this module before this bundle.
    fn is_vouched(&self, path: &ModulePath) -> Result<bool, Self::Error>;

    /// Whether the destination held a pin of any version of this module before this bundle.
    fn is_private(&self, path: &ModulePath) -> Result<bool, Self::Error>;

    /// The module version's zip, if the destination held it before this bundle with that SHA-256. What it was when it was
    /// taken in will do: it is not hashed again.
    fn held_zip(
        &self,
        module: &ModuleVersion,
        sha256: &[u8; 32],
    ) -> Result<HeldZip<Self::HeldZip>, Self::Error>;

    /// The stream's selection names so much of this module version, and the destination holds it already. Called in
    /// order of module, each once, before anything is put.
    fn needed(&mut self, _module: &ModuleVersion, _level: Level) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The stream's selection no longer names so much of this module version. Called in order of module, each once,
    /// after all that is needed and before anything is put. The bundle neither needs nor carries it.
    fn gone(&mut self, _module: &ModuleVersion, _gone: Gone) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The stream's selection names this file, and the destination holds it already. Called in order of names, each once, before
    /// anything is put.
    fn needed_file(&mut self, _name: &FileName) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The stream's selection no longer names this file. Called in order of names, each once, after all that are needed.
    /// The bundle neither needs nor carries it.
    fn gone_file(&mut self, _name: &FileName) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The bundle brings a signed trust note of that number. Called in order of number, before anything is put. It is
    /// well-formed; who has signed it is not looked at yet.
    fn trust_note(&mut self, _number: u64, _note: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Keeps a document of the vulnerability database that the bundle carries. Called in order of names, each once, before
    /// any zip. It is what its name says.
    fn document(&mut self, _name: &DocumentName, _json: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }

    /// All documents were given: together they are that database.
    fn vulndb(&mut self, _snapshot: &Snapshot) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Which vulnerability database the destination held before this bundle.
    fn held_vulndb(&self) -> Result<Option<Snapshot>, Self::Error>;

    /// What has to be done so that a bundle that lacks something can be taken in: one sentence, with the exact command.
    /// `None`: nothing is known of the stream here.
    fn cure(&self, _manifest: &Manifest, _lack: Lack) -> Result<Option<String>, Self::Error> {
        Ok(None)
    }

    /// Calls `f` with every staged item in `Item` order, and stops at the first error; no zip is put yet.
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

/// What a bundle lacks at its destination, the worst of it. Later ones are worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lack {
    /// Nothing but tiles of checksum databases.
    Tiles,
    /// Things of module versions, or records.
    Modules,
    /// Zips in other bytes than those that are held, which stay: a bundle that is packed against them cannot be taken in
    /// here.
    Bytes,
}

/// What a destination has of a zip that is asked for by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldZip<Z> {
    /// No zip of that module version.
    None,
    /// One with another SHA-256.
    Other,
    /// That very one.
    Same(Z),
}

/// What a stage has that holds no zips: nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoZip {}

impl ReadAt for NoZip {
    fn size(&self) -> u64 {
        match *self {}
    }

    fn read_exact_at(&self, _offset: u64, _buf: &mut [u8]) -> io::Result<()> {
        match *self {}
    }
}

/// A zip in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryZip {
    bytes: Arc<Vec<u8>>,
    sha256: [u8; 32],
}

impl ReadAt for MemoryZip {
    fn size(&self) -> u64 {
        self.bytes.size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.bytes.read_exact_at(offset, buf)
    }
}

/// A stage in memory, for tests and small bundles.
///
/// It can hold things from before: [`MemoryStage::commit`] turns a checked bundle into what is held.
#[derive(Debug, Default)]
pub struct MemoryStage {
    staged: BTreeMap<Item, Vec<u8>>,
    zips: BTreeMap<ModuleVersion, (ZipFacts, MemoryZip)>,
    needed: Vec<(ModuleVersion, Level)>,
    gone: Vec<(ModuleVersion, Gone)>,
    trust_notes: Vec<(u64, Vec<u8>)>,
    files: BTreeMap<FileName, (Vec<u8>, [u8; 32])>,
    held_files: BTreeMap<FileName, [u8; 32]>,
    held: BTreeMap<Item, Vec<u8>>,
    held_zips: BTreeMap<ModuleVersion, MemoryZip>,
    documents: Vec<DocumentName>,
    vulndb: Option<Snapshot>,
    held_vulndb: Option<Snapshot>,
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
        for (module, (_, zip)) in std::mem::take(&mut self.zips) {
            // What is held stays.
            self.held_zips.entry(module).or_insert(zip);
        }
        for (name, (_, sha256)) in std::mem::take(&mut self.files) {
            self.held_files.entry(name).or_insert(sha256);
        }
        self.held_vulndb = self.vulndb.take().or(self.held_vulndb.take());
        self.discard();
    }

    /// Throws away what a bundle that was refused has brought.
    pub fn discard(&mut self) {
        self.staged.clear();
        self.zips.clear();
        self.files.clear();
        self.documents.clear();
        self.vulndb = None;
        self.needed.clear();
        self.gone.clear();
        self.trust_notes.clear();
    }

    /// Takes a held thing away, to see what misses it.
    pub fn forget(&mut self, item: &Item) -> bool {
        match item {
            Item::Zip(module) => self.held_zips.remove(module).is_some(),
            item => self.held.remove(item).is_some(),
        }
    }

    /// What was found out about a zip that the bundle brought.
    pub fn staged_zip(&self, module: &ModuleVersion) -> Option<&ZipFacts> {
        self.zips.get(module).map(|(facts, _)| facts)
    }

    /// The bytes of a zip that the bundle brought.
    pub fn staged_zip_bytes(&self, module: &ModuleVersion) -> Option<&[u8]> {
        self.zips.get(module).map(|(_, zip)| zip.bytes.as_slice())
    }

    /// The bytes of a file that the bundle brought.
    pub fn staged_file(&self, name: &FileName) -> Option<&[u8]> {
        self.files.get(name).map(|(bytes, _)| bytes.as_slice())
    }

    /// The documents that the bundle brought, and which database they are.
    pub fn documents(&self) -> (&[DocumentName], Option<&Snapshot>) {
        (&self.documents, self.vulndb.as_ref())
    }

    /// What was said to be needed, and was held.
    pub fn needs(&self) -> &[(ModuleVersion, Level)] {
        &self.needed
    }

    /// What the bundle has taken back.
    pub fn tombstones(&self) -> &[(ModuleVersion, Gone)] {
        &self.gone
    }

    /// The trust notes that the bundle brought.
    pub fn trust_notes(&self) -> &[(u64, Vec<u8>)] {
        &self.trust_notes
    }

    /// What is staged and is no zip.
    pub fn items(&self) -> impl Iterator<Item = (&Item, &[u8])> {
        self.staged
            .iter()
            .map(|(item, bytes)| (item, bytes.as_slice()))
    }
}

impl Stage for MemoryStage {
    type HeldZip = MemoryZip;
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
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), Never> {
        let mut bytes = Vec::new();
        // A body that cannot be read is found by whoever made it: it is a hashing reader.
        let _ = body.read_to_end(&mut bytes);
        let zip = MemoryZip {
            bytes: Arc::new(bytes),
            sha256: *sha256,
        };
        self.zips.insert(module.clone(), (*facts, zip));
        Ok(())
    }

    fn put_file(
        &mut self,
        name: &FileName,
        _size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), Never> {
        let mut bytes = Vec::new();
        // One that cannot be read is found by who reads it.
        let _ = body.read_to_end(&mut bytes);
        self.files.insert(name.clone(), (bytes, *sha256));
        Ok(())
    }

    fn held_file(&self, name: &FileName) -> Result<Option<[u8; 32]>, Never> {
        Ok(self.held_files.get(name).copied())
    }

    fn held_zip(
        &self,
        module: &ModuleVersion,
        sha256: &[u8; 32],
    ) -> Result<HeldZip<MemoryZip>, Never> {
        Ok(match self.held_zips.get(module) {
            None => HeldZip::None,
            Some(zip) if zip.sha256 != *sha256 => HeldZip::Other,
            Some(zip) => HeldZip::Same(zip.clone()),
        })
    }

    fn document(&mut self, name: &DocumentName, _json: &[u8]) -> Result<(), Never> {
        self.documents.push(name.clone());
        Ok(())
    }

    fn vulndb(&mut self, snapshot: &Snapshot) -> Result<(), Never> {
        self.vulndb = Some(snapshot.clone());
        Ok(())
    }

    fn held_vulndb(&self) -> Result<Option<Snapshot>, Never> {
        Ok(self.held_vulndb.clone())
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

    fn holds(&self, item: &Item) -> Result<bool, Never> {
        Ok(match item {
            Item::Zip(module) => self.held_zips.contains_key(module),
            item => self.held.contains_key(item),
        })
    }

    fn is_vouched(&self, path: &ModulePath) -> Result<bool, Never> {
        let of_path =
            |item: &Item| matches!(item, Item::Record(_, module) if module.path() == path);
        Ok(self.held.keys().any(of_path))
    }

    fn is_private(&self, path: &ModulePath) -> Result<bool, Never> {
        let of_path = |item: &Item| matches!(item, Item::Pin(module) if module.path() == path);
        Ok(self.held.keys().any(of_path))
    }

    fn needed(&mut self, module: &ModuleVersion, level: Level) -> Result<(), Never> {
        self.needed.push((module.clone(), level));
        Ok(())
    }

    fn gone(&mut self, module: &ModuleVersion, gone: Gone) -> Result<(), Never> {
        self.gone.push((module.clone(), gone));
        Ok(())
    }

    fn trust_note(&mut self, number: u64, note: &[u8]) -> Result<(), Never> {
        self.trust_notes.push((number, note.into()));
        Ok(())
    }

    fn each_staged(
        &self,
        f: &mut dyn FnMut(Item) -> Result<(), CheckError>,
    ) -> Result<(), CheckError> {
        self.staged.keys().cloned().try_for_each(f)
    }

    fn heads_held(&self, db: &DbName) -> Result<Vec<TreeHead>, Never> {
        Ok(self.heads.get(db).cloned().unwrap_or_default())
    }
    fn head_note(&self, db: &DbName, size: u64) -> Result<Option<Vec<u8>>, Never> {
        Ok(self.notes.get(&(db.clone(), size)).cloned())
    }
}
