//! What an import collects, and the one step that makes it part of the store.
//!
//! Small things go to a scratch database under STORE/staging with the very keys that they will have:
//! they arrive in a bundle's order and must leave in the keys' order, and there may be more of them
//! than fit into memory. Zips' chunks arrive in the order that their keys have, and go straight into
//! files of the store's own format. Nothing of this is in the store, and no crash needs it.

use super::files::SortedFiles;
use super::ledger::{self, json};
use super::scratch::{Scratch, Staging};
use super::view::scan;
use super::{
    BundleId, CHUNK, Counts, Event, Import, Kept, SCHEMA, Source, Store, StoreError, Totals,
    VulndbTaken, ZIP_FILE, Zip, hex, keys, or_no_room,
};
use modferry_protocol::bundle::{FileName, Item};
use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::ZipFacts;
use std::io::Read;
use std::path::Path;

/// What one bundle brings, on its way into the store. Dropping it undoes it.
pub struct Draft<'s> {
    pub(super) store: &'s Store,
    manifest: [u8; 32],
    bundle: BundleId,
    zips: u32,
    chunks: SortedFiles,
    buffer: Vec<u8>,
    pub(super) scratch: Scratch,
    staging: Staging, // dropped after what writes into it
}

impl<'s> Draft<'s> {
    pub(super) fn begin(
        store: &'s Store,
        staging: Staging,
        manifest: &[u8; 32],
    ) -> Result<Self, StoreError> {
        let [a, b, c, d, e, f, g, h, ..] = *manifest;
        let bundle = [a, b, c, d, e, f, g, h];
        if store.has_chunks_of(&bundle)? {
            return Err(StoreError::Refused {
                item: format!("bundle {}", hex(manifest)),
                reason: "the store has zips of a bundle whose manifest's hash begins alike".into(),
            });
        }
        Ok(Self {
            store,
            manifest: *manifest,
            bundle,
            zips: 0,
            chunks: SortedFiles::new(staging.path(), "zips", ZIP_FILE),
            buffer: Vec::with_capacity(CHUNK),
            scratch: Scratch::create(staging.path().join("small"))
                .map_err(|error| or_no_room(store.dir(), error))?,
            staging,
        })
    }

    /// A folder for other things that this import keeps on disk; it goes with the draft.
    pub fn folder(&self) -> &Path {
        self.staging.path()
    }

    /// The store that this is for: what it holds already.
    pub fn store(&self) -> &'s Store {
        self.store
    }

    /// Takes a thing that is not a zip.
    pub fn put(&mut self, item: &Item, bytes: &[u8]) -> Result<(), StoreError> {
        let refused = |reason: &str| StoreError::Refused {
            item: item.to_string(),
            reason: reason.into(),
        };
        match item {
            Item::Zip(_) | Item::File(_) => {
                return Err(refused("something large among the small things"));
            }
            Item::Tile(_, tile) if tile.is_data() => {
                return Err(refused("stores hold no data tiles"));
            }
            Item::Tile(_, tile) if bytes.len() != tile.width() as usize * 32 => {
                return Err(refused("its bytes do not fit its width"));
            }
            _ => {}
        }
        let key = keys::of_item(item).ok_or_else(|| refused("stores keep none of its kind"))?;
        self.scratch
            .put(&key, bytes)
            .map_err(|error| or_no_room(self.store.dir(), error))
    }

    /// Takes a zip, chunk by chunk, from a reader that gives the `size` bytes that were hashed and checked;
    /// it is read to its end. A zip that the store holds already is not stored again.
    pub fn put_zip(
        &mut self,
        module: &ModuleVersion,
        facts: &ZipFacts,
        size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), StoreError> {
        let zip = Zip {
            size,
            sha256: *sha256,
            h1: facts.h1,
            files: facts.files,
            unpacked: facts.unpacked,
            bundle: self.bundle,
            number: self.zips,
        };
        let new = self.store.zip(module)?.is_none();
        let item = Item::Zip(module.clone());
        self.put_large(&item, &zip, new, body)
    }

    /// Takes a file, as [`Draft::put_zip`] takes a zip. Whether the store has a place for it, [`super::View::has_place_for`] tells
    /// before anything is read.
    pub fn put_file(
        &mut self,
        name: &FileName,
        size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), StoreError> {
        let file = Zip {
            size,
            sha256: *sha256,
            h1: H1::from_bytes([0; 32]),
            files: 0,
            unpacked: 0,
            bundle: self.bundle,
            number: self.zips,
        };
        let new = self.store.file(name)?.is_none();
        self.put_large(&Item::File(name.clone()), &file, new, body)
    }

    fn put_large(
        &mut self,
        item: &Item,
        zip: &Zip,
        new: bool,
        body: &mut dyn Read,
    ) -> Result<(), StoreError> {
        let size = zip.size;
        if new {
            self.zips += 1;
            self.put_chunks(item, zip, body)
                .map_err(|error| or_no_room(self.store.dir(), error))?;
        }
        let refused = |reason: String| StoreError::Refused {
            item: item.to_string(),
            reason,
        };
        let behind = std::io::copy(body, &mut std::io::sink())
            .map_err(|error| refused(format!("it cannot be read: {error}")))?;
        if new && behind > 0 {
            return Err(refused(format!("it has more than {size} bytes")));
        }
        let key =
            keys::of_item(item).ok_or_else(|| refused("stores keep none of its kind".into()))?;
        self.scratch
            .put(&key, &zip.encode())
            .map_err(|error| or_no_room(self.store.dir(), error))
    }

    fn put_chunks(
        &mut self,
        item: &Item,
        zip: &Zip,
        body: &mut dyn Read,
    ) -> Result<(), StoreError> {
        let refused = |error: std::io::Error| StoreError::Refused {
            item: item.to_string(),
            reason: format!("its {} bytes cannot be read: {error}", zip.size),
        };
        let mut left = zip.size;
        for n in 0..zip.chunks() {
            let length = CHUNK.min(usize::try_from(left).unwrap_or(CHUNK));
            self.buffer.resize(length, 0);
            body.read_exact(&mut self.buffer).map_err(refused)?;
            left -= length as u64;
            let key = keys::chunk(&zip.bundle, zip.number, n);
            self.chunks.put(&key, &self.buffer)?;
        }
        Ok(())
    }

    /// What this draft has under the item's name; a tile cut to the width asked for.
    pub fn staged(&self, item: &Item) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(key) = keys::of_item(item) else {
            return Ok(None);
        };
        let value = self.scratch.get(&key)?;
        Ok(match item {
            Item::Zip(_) | Item::File(_) => None,
            Item::Tile(_, tile) => value.and_then(|mut hashes| {
                let asked = tile.width() as usize * 32;
                let enough = hashes.len() >= asked;
                hashes.truncate(asked);
                enough.then_some(hashes)
            }),
            _ => value,
        })
    }

    /// Calls `f` with everything that this draft has: kinds in the order of [`Item`], names bytewise.
    /// `failed` makes the store's own failures the caller's.
    pub fn each_staged<E>(
        &self,
        failed: impl Fn(StoreError) -> E,
        mut f: impl FnMut(Item) -> Result<(), E>,
    ) -> Result<(), E> {
        for prefix in keys::ITEM_KINDS {
            let mut stopped = None;
            let scanned = scan(&self.scratch.0, &[prefix], |key, value| {
                let item = keys::item(key, value).ok_or_else(|| {
                    StoreError::damaged("a key of the import under way that names nothing")
                })?;
                f(item).map_err(|error| {
                    stopped = Some(error);
                    StoreError::damaged("stopped by the caller")
                })
            });
            match (stopped, scanned) {
                (Some(error), _) => return Err(error),
                (None, Err(error)) => return Err(failed(error)),
                (None, Ok(())) => {}
            }
        }
        Ok(())
    }

    /// Makes all of it part of the store, durably and at once, and says what was new.
    pub fn commit(mut self, source: Source) -> Result<Committed, StoreError> {
        self.publish(source)
            .map_err(|error| or_no_room(self.store.dir(), error))
    }

    fn publish(&mut self, source: Source) -> Result<Committed, StoreError> {
        if let Some(number) = self.store.imported(&self.manifest)? {
            return Err(StoreError::Refused {
                item: format!("bundle {}", hex(&self.manifest)),
                reason: format!("it was imported already, as number {number}"),
            });
        }
        let mut added = Counts::default();
        let mut kept = Kept::default();
        let mut totals = self.store.totals()?;
        self.claim(&source.stream, source.sequence, &mut totals)?;
        let bundle = (source.stream.as_str(), source.sequence);
        let vulndb = self.settle_vulndb(bundle)?;
        self.settle(bundle, &mut added, &mut kept)?;
        self.list_modules(&mut added)?;
        let number = self.enter(
            totals,
            Import {
                manifest_sha256: hex(&self.manifest),
                source,
                added: added.clone(),
                kept: kept.clone(),
            },
        )?;
        let mut small = SortedFiles::new(self.staging.path(), "small", super::SMALL_FILE);
        scan(&self.scratch.0, &[], |key, value| match value {
            // No document is empty: one that is to go.
            [] if key.starts_with(&keys::all_documents()) => small.delete(key),
            value => small.put(key, value),
        })?;
        let mut files = std::mem::take(&mut self.chunks).finish()?;
        files.extend(small.finish()?);
        self.store.ingest(&files)?;
        Ok(Committed {
            number,
            added,
            kept,
            vulndb,
        })
    }

    /// The ledger's entry, and what follows from it. Gives the entry's number.
    fn enter(&self, mut totals: Totals, import: Import) -> Result<u64, StoreError> {
        totals.enter(&import)?;
        self.scratch.put(&keys::TOTALS_KEY, &json(&totals)?)?;
        self.scratch.put(&keys::SCHEMA_KEY, SCHEMA.as_bytes())?;
        let (entry, pairs) = ledger::next(self.store, Event::Import(Box::new(import)))?;
        for (key, value) in pairs {
            self.scratch.put(&key, &value)?;
        }
        let number = entry.number.to_be_bytes();
        self.scratch.put(&keys::manifest(&self.manifest), &number)?;
        Ok(entry.number)
    }
}

/// What a commit says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The number of its entry in the ledger.
    pub number: u64,
    /// What was new to the store.
    pub added: Counts,
    /// What differed from what the store holds under the same name: the held bytes stay as they are.
    pub kept: Kept,
    /// What became of the vulnerability database, if there was one.
    pub vulndb: Option<VulndbTaken>,
}
