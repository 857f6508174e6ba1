//! What an import collects, and the one step that makes it part of the store.
//!
//! Small things go to a scratch database under STORE/staging with the very keys that they will have:
//! they arrive in a bundle's order and must leave in the keys' order, and there may be more of them
//! than fit into memory. Zips' chunks arrive in the order that their keys have, and go straight into
//! files of the store's own format. Nothing of this is in the store, and no crash needs it.

use super::files::SortedFiles;
use super::view::{scan, signed_head};
use super::{
    BundleId, CHUNK, Counts, KEPT_NAMES, Kept, LedgerEntry, Source, Store, StoreError, StreamState,
    View, ZIP_FILE, Zip, hex, keys, listing, options,
};
use modferry_protocol::bundle::Item;
use modferry_protocol::module::{ModulePath, ModuleVersion, Version};
use modferry_protocol::zip::ZipFacts;
use rocksdb::{DB, WriteOptions};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A file of small things is closed when it has this many bytes: few, in tests, so that there are several.
const SMALL_FILE: u64 = if cfg!(test) { 8 << 10 } else { 64 << 20 };

/// With less than this free, in bytes, a failed write is put down to want of room.
const NO_ROOM: u64 = 16 << 20;

/// What one bundle brings, on its way into the store. Dropping it undoes it.
pub struct Draft<'s> {
    store: &'s Store,
    manifest: [u8; 32],
    bundle: BundleId,
    zips: u32,
    chunks: SortedFiles,
    buffer: Vec<u8>,
    scratch: Scratch,
    staging: Staging, // dropped after what writes into it
}

/// The staging folder, removed at the end whatever that is.
struct Staging(PathBuf);

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // the next import empties it too
    }
}

impl<'s> Draft<'s> {
    pub(super) fn begin(
        store: &'s Store,
        staging: PathBuf,
        manifest: &[u8; 32],
    ) -> Result<Self, StoreError> {
        let staging = Staging(staging);
        let [a, b, c, d, e, f, g, h, ..] = *manifest;
        let bundle = [a, b, c, d, e, f, g, h];
        if store.any(&keys::chunk(&bundle, 0, 0)[..9])? {
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
            chunks: SortedFiles::new(&staging.0, "zips", ZIP_FILE),
            buffer: Vec::with_capacity(CHUNK),
            scratch: Scratch::create(staging.0.join("small"))
                .map_err(|error| or_no_room(store, error))?,
            staging,
        })
    }

    /// A folder for other things that this import keeps on disk; it goes with the draft.
    pub fn folder(&self) -> &Path {
        &self.staging.0
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
            Item::Zip(_) => return Err(refused("a zip among the small things")),
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
            .map_err(|error| or_no_room(self.store, error))
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
        if new {
            self.zips += 1;
            self.put_chunks(module, &zip, body)
                .map_err(|error| or_no_room(self.store, error))?;
        }
        let refused = |reason: String| StoreError::Refused {
            item: format!("zip {module}"),
            reason,
        };
        let behind = std::io::copy(body, &mut std::io::sink())
            .map_err(|error| refused(format!("it cannot be read: {error}")))?;
        if new && behind > 0 {
            return Err(refused(format!("it has more than {size} bytes")));
        }
        self.scratch
            .put(&keys::zip(module), &zip.encode())
            .map_err(|error| or_no_room(self.store, error))
    }

    fn put_chunks(
        &mut self,
        module: &ModuleVersion,
        zip: &Zip,
        body: &mut dyn Read,
    ) -> Result<(), StoreError> {
        let refused = |error: std::io::Error| StoreError::Refused {
            item: format!("zip {module}"),
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
            Item::Zip(_) => None,
            Item::Tile(_, tile) => value.and_then(|mut hashes| {
                let asked = tile.width() as usize * 32;
                let enough = hashes.len() >= asked;
                hashes.truncate(asked);
                enough.then_some(hashes)
            }),
            _ => value,
        })
    }

    /// What was found of a zip that this draft has.
    pub fn staged_zip(&self, module: &ModuleVersion) -> Result<Option<ZipFacts>, StoreError> {
        let value = self.scratch.get(&keys::zip(module))?;
        value
            .map(|value| Ok(Zip::decode(&value)?.facts()))
            .transpose()
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
    pub fn commit(mut self, source: Source) -> Result<LedgerEntry, StoreError> {
        self.publish(source)
            .map_err(|error| or_no_room(self.store, error))
    }

    fn publish(&mut self, source: Source) -> Result<LedgerEntry, StoreError> {
        if let Some(number) = self.store.imported(&self.manifest)? {
            return Err(StoreError::Refused {
                item: format!("bundle {}", hex(&self.manifest)),
                reason: format!("it was imported already, as number {number}"),
            });
        }
        let mut added = Counts::default();
        let mut kept = Kept::default();
        self.settle(&mut added, &mut kept)?;
        self.list_modules(&mut added)?;
        let entry = LedgerEntry {
            number: self.store.imports()? + 1,
            time: format!("{:.0}", jiff::Timestamp::now()),
            manifest_sha256: hex(&self.manifest),
            source,
            added,
            kept,
        };
        self.enter(&entry)?;
        let mut small = SortedFiles::new(&self.staging.0, "small", SMALL_FILE);
        scan(&self.scratch.0, &[], |key, value| small.put(key, value))?;
        let mut files = std::mem::take(&mut self.chunks).finish()?;
        files.extend(small.finish()?);
        self.store.ingest(&files)?;
        Ok(entry)
    }

    /// Leaves in the scratch database only what the store is to have: what it holds stays as it is,
    /// but for tiles that have grown wider and heads that are newer.
    fn settle(&self, added: &mut Counts, kept: &mut Kept) -> Result<(), StoreError> {
        let held: &View = self.store;
        let scratch = &self.scratch;
        let mut note_kept = |name: String| {
            if kept.names.len() < KEPT_NAMES {
                kept.names.push(name);
            }
        };
        scan(&scratch.0, &[], |key, new| {
            let old = held.pinned(key)?;
            match (keys::parse(key), old) {
                (Some(keys::Named::Head(db)), old) => {
                    let size = signed_head(new)?.size;
                    let of_size = keys::head_of_size(&db, size);
                    if held.pinned(&of_size)?.is_none() {
                        scratch.put(&of_size, new)?;
                        added.heads += 1;
                    }
                    match old {
                        Some(old) if signed_head(&old)?.size >= size => scratch.delete(key)?,
                        _ => {}
                    }
                }
                (Some(keys::Named::Tile { .. }), Some(old)) => {
                    if old.len() >= new.len() {
                        scratch.delete(key)?;
                    }
                }
                (Some(named), Some(old)) => {
                    let count = match &named {
                        keys::Named::Info(_) => &mut kept.infos,
                        keys::Named::Mod(_) => &mut kept.mods,
                        keys::Named::Zip(_) => &mut kept.zips,
                        _ => &mut 0,
                    };
                    let differs = match &named {
                        keys::Named::Zip(_) => {
                            Zip::decode(&old)?.sha256 != Zip::decode(new)?.sha256
                        }
                        _ => *old != *new,
                    };
                    if differs {
                        *count += 1;
                        if let Some(item) = keys::item(key, new) {
                            note_kept(item.to_string());
                        }
                    }
                    scratch.delete(key)?;
                }
                (Some(keys::Named::Info(_)), None) => added.infos += 1,
                (Some(keys::Named::Mod(_)), None) => added.mods += 1,
                (Some(keys::Named::Zip(_)), None) => {
                    added.zips += 1;
                    added.zip_bytes += Zip::decode(new)?.size;
                }
                (Some(keys::Named::Record(..)), None) => added.records += 1,
                (Some(keys::Named::Tile { .. }), None) => added.tiles += 1,
                (Some(keys::Named::Ledger(_) | keys::Named::Other) | None, _) => {
                    return Err(StoreError::damaged("a strange key in the import under way"));
                }
            }
            Ok(())
        })
    }

    /// Writes `list` and `@latest` anew for every module that gets something.
    fn list_modules(&self, added: &mut Counts) -> Result<(), StoreError> {
        for kind in keys::MODULE_KINDS {
            let mut last: Option<ModulePath> = None;
            scan(&self.scratch.0, &[kind], |key, _| {
                let module = keys::parse_module(&key[1..])
                    .ok_or_else(|| StoreError::damaged("a key that names no module version"))?;
                let path = module.path();
                if last.as_ref() != Some(path) && self.scratch.get(&keys::list(path))?.is_none() {
                    self.list_module(path, added)?;
                }
                last = Some(path.clone());
                Ok(())
            })?;
        }
        Ok(())
    }

    fn list_module(&self, path: &ModulePath, added: &mut Counts) -> Result<(), StoreError> {
        let held: &View = self.store;
        let mut with_zip = BTreeSet::<Version>::new();
        held.each_zip(path, |module, _| {
            with_zip.insert(module.version().clone());
            Ok(())
        })?;
        let old_versions = with_zip.clone();
        scan(&self.scratch.0, &keys::zips(path), |key, _| {
            let module = keys::parse_module(&key[1..]);
            with_zip.extend(module.map(|module| module.version().clone()));
            Ok(())
        })?;
        let mut whole = Vec::new();
        for version in with_zip {
            let module = ModuleVersion::new(path.clone(), version.clone())
                .map_err(|error| StoreError::damaged(format!("{path}@{version}: {error}")))?;
            let had = (held.has_info(&module)?, held.has_go_mod(&module)?);
            let info = had.0 || self.scratch.get(&keys::info(&module))?.is_some();
            let go_mod = had.1 || self.scratch.get(&keys::go_mod(&module))?.is_some();
            if info && go_mod {
                let was_whole = had == (true, true) && old_versions.contains(&version);
                added.versions += u64::from(!was_whole);
                whole.push(version);
            }
        }
        let known = held.list(path)?.is_some();
        added.modules += u64::from(!known);
        self.scratch
            .put(&keys::list(path), listing::list(&mut whole).as_bytes())?;
        if let Some(latest) = listing::latest(&whole) {
            let module = ModuleVersion::new(path.clone(), latest.clone())
                .map_err(|error| StoreError::damaged(format!("{path}@{latest}: {error}")))?;
            let info = match held.info(&module)? {
                Some(info) => Some(info.into_vec()),
                None => self.scratch.get(&keys::info(&module))?,
            };
            self.scratch
                .put(&keys::latest(path), &info.unwrap_or_default())?;
        }
        Ok(())
    }

    /// The ledger's entry, and what follows from it.
    fn enter(&self, entry: &LedgerEntry) -> Result<(), StoreError> {
        let mut totals = self.store.totals()?;
        totals.imports = entry.number;
        totals.counts.add(&entry.added);
        let stream = totals.streams.entry(entry.source.stream.clone());
        let stream = stream.or_insert_with(|| StreamState {
            sequence: 0,
            bundles: 0,
            manifest_sha256: String::new(),
            created: String::new(),
        });
        stream.bundles += 1;
        if entry.source.sequence >= stream.sequence {
            stream.sequence = entry.source.sequence;
            stream.manifest_sha256.clone_from(&entry.manifest_sha256);
            stream.created.clone_from(&entry.source.created);
        }
        let number = entry.number.to_be_bytes();
        self.scratch.put(&keys::GENERATION_KEY, &number)?;
        self.scratch.put(&keys::manifest(&self.manifest), &number)?;
        self.scratch.put(&keys::TOTALS_KEY, &json(&totals)?)?;
        self.scratch.put(&keys::ledger(entry.number), &json(entry)?)
    }
}

/// A failure to write for want of room, said as such: RocksDB's own words differ from place to place.
fn or_no_room(store: &Store, error: StoreError) -> StoreError {
    match (&error, super::room(store.dir())) {
        (StoreError::Rocks { .. }, Ok(have)) if have < NO_ROOM => StoreError::NoRoom { have },
        _ => error,
    }
}

/// The database of the small things that an import collects.
struct Scratch(DB);

impl Scratch {
    fn create(folder: PathBuf) -> Result<Self, StoreError> {
        DB::open(&options::scratch(), folder)
            .map(Self)
            .map_err(StoreError::rocks("make the scratch database of an import"))
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.0
            .put_opt(key, value, &unlogged())
            .map_err(StoreError::rocks(
                "write to the scratch database of an import",
            ))
    }

    fn delete(&self, key: &[u8]) -> Result<(), StoreError> {
        self.0
            .delete_opt(key, &unlogged())
            .map_err(StoreError::rocks(
                "write to the scratch database of an import",
            ))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0
            .get(key)
            .map_err(StoreError::rocks("read the scratch database of an import"))
    }
}

/// No write-ahead log: no crash needs what is in the scratch database.
fn unlogged() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    options
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| StoreError::damaged(error.to_string()))
}
