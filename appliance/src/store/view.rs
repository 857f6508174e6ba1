//! The questions that a store answers, whoever has it open: one point read each.
//!
//! [`super::Reader`] and [`super::Store`] both give these. Every answer comes from one state of the
//! store: a zip's locator and its chunks came by one import, and go by one `gc`. Who reads a locator in one
//! state and chunks in a later one holds a [`super::PinnedState`].

use super::{CHUNK, StoreError, Totals, Zip, keys};
use modferry_protocol::bundle::{FileName, Item};
use modferry_protocol::module::{ModulePath, ModuleVersion};
use modferry_protocol::sumdb::{DbName, Tile, TreeHead};
use rocksdb::{DB, DBPinnableSlice, Direction, IteratorMode, PrefixRange, ReadOptions};
use std::ops::Deref;

/// Bytes that the store holds, copied out of it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value(Vec<u8>);

impl Value {
    /// The bytes, without another copy.
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl Deref for Value {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Value> for Vec<u8> {
    fn from(value: Value) -> Self {
        value.0
    }
}

/// An open store, to ask.
pub struct View {
    pub(super) db: DB,
    chunks: ReadOptions,
}

impl View {
    pub(super) fn new(db: DB) -> Self {
        let mut chunks = ReadOptions::default();
        chunks.fill_cache(false); // a zip would push every small thing out
        Self { db, chunks }
    }

    pub(super) fn pinned(&self, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, StoreError> {
        self.db
            .get_pinned(key)
            .map_err(StoreError::rocks("read the store"))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Value>, StoreError> {
        Ok(self.pinned(key)?.map(|value| Value(value.to_vec())))
    }

    /// What the store holds in all.
    pub fn totals(&self) -> Result<Totals, StoreError> {
        match self.pinned(&keys::TOTALS_KEY)? {
            None => Ok(Totals::default()),
            Some(value) => json("the totals", &value),
        }
    }

    /// The number of the ledger's entry of the import that brought the bundle whose manifest text has this SHA-256.
    pub fn imported(&self, manifest_sha256: &[u8; 32]) -> Result<Option<u64>, StoreError> {
        self.pinned(&keys::manifest(manifest_sha256))?
            .map(|value| self::number(&value))
            .transpose()
    }

    /// SHA-256 of the manifest's text of each bundle that was ever imported.
    pub fn imported_manifests(&self) -> Result<Vec<[u8; 32]>, StoreError> {
        let mut manifests = Vec::new();
        self.scan(&keys::manifests(), |key, _| {
            let sha256 = key.get(1..).and_then(|hash| hash.try_into().ok());
            manifests.push(sha256.ok_or_else(|| StoreError::damaged("a manifest's key"))?);
            Ok(())
        })?;
        Ok(manifests)
    }

    /// The answer to `@v/list`: whole, tagged versions, a line each, in semver order. Empty where the
    /// module is known but has none; `None` where it is not known.
    pub fn list(&self, path: &ModulePath) -> Result<Option<Value>, StoreError> {
        self.get(&keys::list(path))
    }

    /// The answer to `@latest`: the `.info` of the newest whole version.
    pub fn latest(&self, path: &ModulePath) -> Result<Option<Value>, StoreError> {
        self.get(&keys::latest(path))
    }

    /// A `.info`, as upstream served it.
    pub fn info(&self, module: &ModuleVersion) -> Result<Option<Value>, StoreError> {
        self.get(&keys::info(module))
    }

    /// A `.mod`, as upstream served it.
    pub fn go_mod(&self, module: &ModuleVersion) -> Result<Option<Value>, StoreError> {
        self.get(&keys::go_mod(module))
    }

    /// Whether there is a `.info`, without its bytes.
    pub fn has_info(&self, module: &ModuleVersion) -> Result<bool, StoreError> {
        Ok(self.pinned(&keys::info(module))?.is_some())
    }

    /// Whether there is a `.mod`, without its bytes.
    pub fn has_go_mod(&self, module: &ModuleVersion) -> Result<bool, StoreError> {
        Ok(self.pinned(&keys::go_mod(module))?.is_some())
    }

    /// Where a zip is and what it is; its bytes come by [`View::chunk`].
    pub fn zip(&self, module: &ModuleVersion) -> Result<Option<Zip>, StoreError> {
        self.pinned(&keys::zip(module))?
            .map(|value| Zip::decode(&value))
            .transpose()
    }

    /// Chunk `n` of a zip, from 0; `None` behind its end. Every chunk but the last has [`CHUNK`] bytes.
    pub fn chunk(&self, zip: &Zip, n: u32) -> Result<Option<Value>, StoreError> {
        if u64::from(n) * CHUNK as u64 >= zip.size {
            return Ok(None);
        }
        let key = keys::chunk(&zip.bundle, zip.number, n);
        let value = self
            .db
            .get_pinned_opt(key, &self.chunks)
            .map_err(StoreError::rocks("read a zip from the store"))?;
        whole_chunk(zip, n, value.map(|value| value.to_vec())).map(Some)
    }

    /// What a checksum database says of a module version: the record as a lookup answers it, less the head.
    pub fn record(&self, db: &DbName, module: &ModuleVersion) -> Result<Option<Value>, StoreError> {
        self.get(&keys::record(db, module))
    }

    /// Where a file is; its bytes come by [`View::chunk`].
    pub fn file(&self, name: &FileName) -> Result<Option<Zip>, StoreError> {
        self.pinned(&keys::file(name))?
            .map(|value| Zip::decode(&value))
            .transpose()
    }

    /// Calls `f` with each file, by name.
    pub fn each_file(
        &self,
        mut f: impl FnMut(FileName, Zip) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.scan(&keys::all_files(), |key, value| match keys::parse(key) {
            Some(keys::Named::File(name)) => f(name, Zip::decode(value)?),
            _ => Err(StoreError::damaged("a file's key that names none")),
        })
    }

    /// What a private module version is pinned to.
    pub fn pin(&self, module: &ModuleVersion) -> Result<Option<Value>, StoreError> {
        self.get(&keys::pin(module))
    }

    /// Whether any version of the module is pinned: then it is private, and no checksum database knows it.
    pub fn is_private(&self, path: &ModulePath) -> Result<bool, StoreError> {
        self.any(&keys::pins(path))
    }

    /// Whether the path begins, element by element, that of a module that is private.
    pub fn has_private_below(&self, path: &ModulePath) -> Result<bool, StoreError> {
        self.any(&keys::pins_below(path))
    }

    /// Whether a checksum database has a record here of any version of the module.
    pub fn is_vouched(&self, path: &ModulePath) -> Result<bool, StoreError> {
        for db in self.databases()? {
            if self.any(&keys::records_of(&db, path))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A tile's hashes at the width asked for, cut from a wider one where that is what is held. `None`
    /// where less is held than asked, and for data tiles, which no store holds.
    pub fn tile(&self, db: &DbName, tile: &Tile) -> Result<Option<Value>, StoreError> {
        if tile.is_data() {
            return Ok(None);
        }
        let asked = tile.width() as usize * 32;
        Ok(self
            .pinned(&keys::tile(db, tile))?
            .and_then(|held| held.get(..asked).map(|hashes| Value(hashes.to_vec()))))
    }

    /// A checksum database's newest signed head, as it was signed.
    pub fn head(&self, db: &DbName) -> Result<Option<Value>, StoreError> {
        self.get(&keys::head(db))
    }

    /// The newest head's size, in records.
    pub fn head_size(&self, db: &DbName) -> Result<Option<u64>, StoreError> {
        self.pinned(&keys::head(db))?
            .map(|note| signed_head(&note).map(|head| head.size))
            .transpose()
    }

    /// The names of the checksum databases that the store has a head of.
    pub fn databases(&self) -> Result<Vec<DbName>, StoreError> {
        let mut names = Vec::new();
        self.scan(&keys::newest_heads(), |key, _| {
            if let Some(keys::Named::Head(name)) = keys::parse(key) {
                names.push(name);
            }
            Ok(())
        })?;
        Ok(names)
    }

    /// Every head that the store ever served of a checksum database, oldest first.
    pub fn heads(&self, db: &DbName) -> Result<Vec<TreeHead>, StoreError> {
        let mut heads = Vec::new();
        self.scan(&keys::heads(db), |_, note| {
            heads.push(signed_head(note)?);
            Ok(())
        })?;
        Ok(heads)
    }

    /// The signed head of one size, if the store ever served it.
    pub fn head_of_size(&self, db: &DbName, size: u64) -> Result<Option<Value>, StoreError> {
        self.get(&keys::head_of_size(db, size))
    }

    /// Calls `f` with each version of a module whose zip is held, in bytewise order.
    pub fn each_zip(
        &self,
        path: &ModulePath,
        mut f: impl FnMut(ModuleVersion, Zip) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.scan(&keys::zips(path), |key, value| match keys::parse(key) {
            Some(keys::Named::Zip(module)) => f(module, Zip::decode(value)?),
            _ => Err(StoreError::damaged(
                "a zip's key that names no module version",
            )),
        })
    }

    /// Calls `f` with each module version whose `.mod` is held and whose path begins with `prefix` (or, with an
    /// `@` in it, whose path is what stands before and whose version begins with what stands behind), by path
    /// and then by version in bytewise order.
    pub fn each_mod(
        &self,
        prefix: &str,
        mut f: impl FnMut(ModuleVersion) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.scan(&keys::go_mods_from(prefix), |key, _| {
            match keys::parse(key) {
                Some(keys::Named::Mod(module)) => f(module),
                _ => Err(StoreError::damaged(
                    "a .mod's key that names no module version",
                )),
            }
        })
    }

    /// Each module version whose `.mod` is held, by path and then by version in bytewise order.
    pub fn mods(&self) -> impl Iterator<Item = Result<ModuleVersion, StoreError>> {
        self.items(keys::all_mods()).map(mod_of)
    }

    /// Each module version whose `.mod` is held and whose path is below that one.
    pub fn mods_below(
        &self,
        path: &ModulePath,
    ) -> impl Iterator<Item = Result<ModuleVersion, StoreError>> {
        let below = keys::go_mods_from(&format!("{path}/"));
        self.items(below).map(mod_of)
    }

    /// Each tile that is held, at the width it is held at, in their order.
    pub fn tiles(&self) -> impl Iterator<Item = Result<(DbName, Tile), StoreError>> {
        self.items(keys::all_tiles()).map(|item| match item? {
            Item::Tile(db, tile) => Ok((db, tile)),
            other => Err(StoreError::damaged(format!("{other} among the tiles"))),
        })
    }

    /// The items whose keys begin so, in their keys' order.
    fn items(&self, prefix: Vec<u8>) -> impl Iterator<Item = Result<Item, StoreError>> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        let from = IteratorMode::From(&prefix, Direction::Forward);
        let pairs = self.db.iterator_opt(from, options);
        pairs
            .take_while(move |pair| match pair {
                Ok((key, _)) => key.starts_with(&prefix),
                Err(_) => true,
            })
            .map(|pair| {
                let (key, value) = pair.map_err(StoreError::rocks("read the store"))?;
                keys::item(&key, &value)
                    .ok_or_else(|| StoreError::damaged("a key that names nothing"))
            })
    }

    pub(super) fn scan(
        &self,
        prefix: &[u8],
        f: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        scan(&self.db, prefix, f)
    }

    /// Everything that is in the store, for tests that compare two.
    #[cfg(test)]
    pub(crate) fn everything(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut pairs = Vec::new();
        self.scan(&[], |key, value| {
            pairs.push((key.to_vec(), value.to_vec()));
            Ok(())
        })
        .expect("a store of a test");
        pairs
    }

    /// Whether any key begins so.
    pub(super) fn any(&self, prefix: &[u8]) -> Result<bool, StoreError> {
        let mut raw = self.db.raw_iterator_opt(only(prefix));
        raw.seek(prefix);
        let found = raw.valid();
        raw.status().map_err(StoreError::rocks("read the store"))?;
        Ok(found)
    }
}

/// What was read as chunk `n`, which the zip has, if it has the chunk's length.
pub(super) fn whole_chunk(zip: &Zip, n: u32, value: Option<Vec<u8>>) -> Result<Value, StoreError> {
    let start = u64::from(n) * CHUNK as u64;
    let expected = zip.size.saturating_sub(start).min(CHUNK as u64);
    match value {
        Some(value) if value.len() as u64 == expected => Ok(Value(value)),
        _ => Err(StoreError::damaged(format!(
            "chunk {n} of the zip with SHA-256 {}",
            super::hex(&zip.sha256)
        ))),
    }
}

/// Calls `f` with each key that begins so, and its value, in the keys' order.
pub(super) fn scan(
    db: &DB,
    prefix: &[u8],
    mut f: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let from = IteratorMode::From(prefix, Direction::Forward);
    for pair in db.iterator_opt(from, only(prefix)) {
        let (key, value) = pair.map_err(StoreError::rocks("read the store"))?;
        f(&key, &value)?;
    }
    Ok(())
}

/// To read what begins so and nothing behind it: not even the file behind it is looked into, which may be damaged.
fn only(prefix: &[u8]) -> ReadOptions {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    if !prefix.is_empty() {
        options.set_iterate_range(PrefixRange(prefix));
    }
    options
}

/// The tree head in a note that was verified before it was stored. Lines behind the known three are passed over,
/// as where it was verified.
pub(super) fn signed_head(note: &[u8]) -> Result<TreeHead, StoreError> {
    std::str::from_utf8(note)
        .ok()
        .and_then(|note| TreeHead::parse_front(note).ok())
        .map(|(head, _)| head)
        .ok_or_else(|| StoreError::damaged("a signed tree head that does not parse"))
}

pub(super) fn number(value: &[u8]) -> Result<u64, StoreError> {
    let bytes = value
        .try_into()
        .map_err(|_| StoreError::damaged(format!("a number of {} bytes", value.len())))?;
    Ok(u64::from_be_bytes(bytes))
}

pub(super) fn json<T: serde::de::DeserializeOwned>(
    what: &str,
    value: &[u8],
) -> Result<T, StoreError> {
    serde_json::from_slice(value).map_err(|error| StoreError::damaged(format!("{what}: {error}")))
}

fn mod_of(item: Result<Item, StoreError>) -> Result<ModuleVersion, StoreError> {
    match item? {
        Item::Mod(module) => Ok(module),
        other => Err(StoreError::damaged(format!("{other} among the .mod files"))),
    }
}
