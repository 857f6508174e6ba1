//! The store's keys: how a thing's name becomes bytes, and back.
//!
//! A key is one byte that says the kind, then the name. Text parts (module paths, versions, names of
//! checksum databases and streams) end with a NUL where another part follows: none of them may
//! contain one, so no key is another's prefix by accident, and the things of one module lie together
//! in bytewise order. Numbers are big-endian, so that their order is the keys' order.
//!
//! The kinds are ordered so that everything small comes before the chunks of zips: an import's one file of
//! small things then never overlaps the files of zip chunks, and compaction of the small things never
//! touches a zip. Chunks are keyed by the bundle that brought them first, so that two bundles' ranges
//! never overlap either: zips are written once and never moved.
//!
//! docs/store.md has the same table for people. A change here is a new [`super::SCHEMA`].

use modferry_protocol::bundle::{DocumentName, FileName, Item, Query};
use modferry_protocol::module::{ModulePath, ModuleVersion, Revision, Version};
use modferry_protocol::sumdb::{DbName, Tile};

/// First byte of the store's own facts: what it is, how many imports, totals.
const STORE: u8 = 0x01;
/// Entry number → what was done to the store.
const LEDGER: u8 = 0x10;
/// SHA-256 of a manifest's text → the number of its import's entry.
const MANIFEST: u8 = 0x11;
/// Module version and stream → how much of it the stream's selection names.
const CLAIM: u8 = 0x12;
/// Module path, query and stream → the stream's answer to it.
const QUERY: u8 = 0x13;
/// File's name and stream → whether the stream's selection names it.
const FILE_CLAIM: u8 = 0x15;
/// Stored hash index → a node of the ledger's tree.
const LEDGER_HASH: u8 = 0x14;
/// Module path → the `list` answer.
const LIST: u8 = 0x20;
/// Module path → the `@latest` answer.
const LATEST: u8 = 0x21;
/// Module path and query → the answer to it that is served.
const ANSWER: u8 = 0x22;
/// File's name → where it is.
const FILE: u8 = 0x24;
/// Which vulnerability database is held.
const VULNDB: u8 = 0x25;
/// Document of it and form → the document.
const DOCUMENT: u8 = 0x26;
/// Module version → `.info`.
const INFO: u8 = 0x30;
/// Module version → `.mod`.
const MOD: u8 = 0x31;
/// Module version → where its zip is.
const ZIP: u8 = 0x32;
/// Checksum database → its newest signed head.
const HEAD: u8 = 0x40;
/// Checksum database and size → that signed head.
const HEADS: u8 = 0x41;
/// Checksum database and module version → its record.
const RECORD: u8 = 0x42;
/// Checksum database and coordinates → the widest tile held.
const TILE: u8 = 0x43;
/// Module version → what it is pinned to, where it is private.
const PIN: u8 = 0x44;
/// Behind everything small, with nothing to say: see [`END_KEY`].
const END: u8 = 0xef;
/// Bundle, zip and chunk number → the chunk. Behind everything small, see above.
const ZIP_CHUNK: u8 = 0xf0;

/// The schema's version, as text.
pub const SCHEMA_KEY: [u8; 2] = [STORE, b's'];
/// How many entries the ledger has, 8 bytes.
pub const GENERATION_KEY: [u8; 2] = [STORE, b'g'];
/// The totals, JSON.
pub const TOTALS_KEY: [u8; 2] = [STORE, b't'];

/// Which vulnerability database is held, JSON.
pub const VULNDB_KEY: [u8; 1] = [VULNDB];

/// A key that every store has behind everything small, and nothing is in it. A search for what would lie at the end
/// of the small things stops at it, and does not read the first chunk of the first zip, which is large, and may be
/// damaged.
pub const END_KEY: [u8; 1] = [END];

/// The first 8 bytes of the SHA-256 of a bundle's manifest text: the prefix of its zips' chunks.
pub type BundleId = [u8; 8];

fn text(kind: u8, parts: &[&str]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len() + 1).sum::<usize>();
    let mut key = Vec::with_capacity(1 + length + 11); // 11: what a tile's key has behind its text
    key.push(kind);
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            key.push(0);
        }
        key.extend_from_slice(part.as_bytes());
    }
    key
}

/// The key that one of the [`MODULE_KINDS`] has for a module version.
pub(super) fn of_kind(kind: u8, module: &ModuleVersion) -> Vec<u8> {
    text(kind, &[module.path().as_str(), module.version().as_str()])
}

/// The key of entry `number` of the ledger.
pub fn ledger(number: u64) -> Vec<u8> {
    numbered(LEDGER, number)
}

/// The key of the node of the ledger's tree that has this stored hash index.
pub fn ledger_hash(index: u64) -> Vec<u8> {
    numbered(LEDGER_HASH, index)
}

fn numbered(kind: u8, number: u64) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// The key under which the number of the entry of this manifest's import is found.
pub fn manifest(sha256: &[u8; 32]) -> Vec<u8> {
    let mut key = vec![MANIFEST];
    key.extend_from_slice(sha256);
    key
}

/// What the keys of all manifests begin with.
pub fn manifests() -> Vec<u8> {
    vec![MANIFEST]
}

/// The key of what a stream says of a module version.
pub fn claim(module: &ModuleVersion, stream: &str) -> Vec<u8> {
    let mut key = claims(module);
    key.extend_from_slice(stream.as_bytes());
    key
}

/// What the keys begin with of all streams' claims on a module version.
pub fn claims(module: &ModuleVersion) -> Vec<u8> {
    text(
        CLAIM,
        &[module.path().as_str(), module.version().as_str(), ""],
    )
}

/// What the keys of all claims begin with; they are ordered by module path, version in bytewise order, and stream.
pub fn all_claims() -> Vec<u8> {
    vec![CLAIM]
}

/// The module version, where a key is what its claims' keys begin with and no claim's.
pub(super) fn parse_claims(key: &[u8]) -> Option<ModuleVersion> {
    parse_module(key.strip_prefix(&[CLAIM])?.strip_suffix(&[0])?)
}

/// The key of what a stream says of a file.
pub fn file_claim(name: &FileName, stream: &str) -> Vec<u8> {
    text(FILE_CLAIM, &[name.as_str(), stream])
}

/// What the keys begin with of all streams' claims on a file.
pub fn file_claims(name: &FileName) -> Vec<u8> {
    text(FILE_CLAIM, &[name.as_str(), ""])
}

/// What the keys of all claims on files begin with; they are ordered by name and stream.
pub fn all_file_claims() -> Vec<u8> {
    vec![FILE_CLAIM]
}

/// The file, where a key is what its claims' keys begin with and no claim's.
pub(super) fn parse_file_claims(key: &[u8]) -> Option<FileName> {
    let name = key.strip_prefix(&[FILE_CLAIM])?.strip_suffix(&[0])?;
    std::str::from_utf8(name).ok()?.parse().ok()
}

/// The key of a stream's answer to a query.
pub fn query(query: &Query, stream: &str) -> Vec<u8> {
    let (path, revision) = (query.path().as_str(), query.revision().as_str());
    text(QUERY, &[path, revision, stream])
}

/// What the keys begin with of all streams' answers to queries of a module.
pub fn queries(path: &ModulePath) -> Vec<u8> {
    text(QUERY, &[path.as_str(), ""])
}

/// What the keys begin with of answers to queries of modules whose paths begin with `prefix`; with an `@` in it, to those
/// that begin with what stands behind, of the module that stands before.
pub fn queries_from(prefix: &str) -> Vec<u8> {
    match prefix.split_once('@') {
        Some((path, revision)) => text(QUERY, &[path, revision]),
        None => text(QUERY, &[prefix]),
    }
}

/// The key of the answer to a query that is served.
pub fn answer(path: &ModulePath, revision: &Revision) -> Vec<u8> {
    text(ANSWER, &[path.as_str(), revision.as_str()])
}

/// What the keys of all answers that are served begin with.
pub fn all_answers() -> Vec<u8> {
    vec![ANSWER]
}

/// The key of a module's `list` answer.
pub fn list(path: &ModulePath) -> Vec<u8> {
    text(LIST, &[path.as_str()])
}

/// The key of a module's `@latest` answer.
pub fn latest(path: &ModulePath) -> Vec<u8> {
    text(LATEST, &[path.as_str()])
}

/// The key of a `.info`.
pub fn info(module: &ModuleVersion) -> Vec<u8> {
    of_kind(INFO, module)
}

/// The key of a `.mod`.
pub fn go_mod(module: &ModuleVersion) -> Vec<u8> {
    of_kind(MOD, module)
}

/// The key that says where a zip is.
pub fn zip(module: &ModuleVersion) -> Vec<u8> {
    of_kind(ZIP, module)
}

/// What the keys begin with that say where the zips of a module are.
pub fn zips(path: &ModulePath) -> Vec<u8> {
    text(ZIP, &[path.as_str(), ""])
}

/// What the keys of a module's `.mod`s begin with.
pub fn mods(path: &ModulePath) -> Vec<u8> {
    text(MOD, &[path.as_str(), ""])
}

/// What the keys of a module's `.info`s begin with.
pub fn infos(path: &ModulePath) -> Vec<u8> {
    text(INFO, &[path.as_str(), ""])
}

/// What the keys of `.mod`s begin with whose module paths begin with `prefix`; with an `@` in it, whose path
/// is what stands before and whose versions begin with what stands behind.
pub fn go_mods_from(prefix: &str) -> Vec<u8> {
    match prefix.split_once('@') {
        Some((path, version)) => text(MOD, &[path, version]),
        None => text(MOD, &[prefix]),
    }
}

/// The key of a checksum database's newest signed head.
pub fn head(db: &DbName) -> Vec<u8> {
    text(HEAD, &[db.as_str()])
}

/// What the keys of the checksum databases' newest heads begin with.
pub fn newest_heads() -> Vec<u8> {
    vec![HEAD]
}

/// The key of a checksum database's signed head of one size.
pub fn head_of_size(db: &DbName, size: u64) -> Vec<u8> {
    let mut key = heads(db);
    key.extend_from_slice(&size.to_be_bytes());
    key
}

/// What the keys of all heads of one checksum database begin with; they are ordered by size.
pub fn heads(db: &DbName) -> Vec<u8> {
    text(HEADS, &[db.as_str(), ""])
}

/// The key of a checksum database's record of a module version.
pub fn record(db: &DbName, module: &ModuleVersion) -> Vec<u8> {
    text(
        RECORD,
        &[
            db.as_str(),
            module.path().as_str(),
            module.version().as_str(),
        ],
    )
}

/// The key that says where a file is.
pub fn file(name: &FileName) -> Vec<u8> {
    text(FILE, &[name.as_str()])
}

/// What the keys begin with that say where files are.
pub fn all_files() -> Vec<u8> {
    vec![FILE]
}

/// The key of a document of the vulnerability database, as it was published or compressed.
pub fn document(name: &DocumentName, gzip: bool) -> Vec<u8> {
    let form = if gzip { GZIP } else { PLAIN };
    text(DOCUMENT, &[name.as_str(), form])
}

/// What the keys of all documents begin with; they are ordered by name.
pub fn all_documents() -> Vec<u8> {
    vec![DOCUMENT]
}

/// The forms of a document, as keys name them.
const PLAIN: &str = "json";
const GZIP: &str = "json.gz";

/// The key of a private module version's pin.
pub fn pin(module: &ModuleVersion) -> Vec<u8> {
    of_kind(PIN, module)
}

/// What the keys of the pins of a module begin with.
pub fn pins(path: &ModulePath) -> Vec<u8> {
    text(PIN, &[path.as_str(), ""])
}

/// What the keys of the pins of all modules begin with whose paths are longer than this one and begin with it.
pub fn pins_below(path: &ModulePath) -> Vec<u8> {
    text(PIN, &[&format!("{path}/")])
}

/// What the keys of all pins begin with.
pub fn all_pins() -> Vec<u8> {
    vec![PIN]
}

/// What the keys of a checksum database's records of a module begin with.
pub fn records_of(db: &DbName, path: &ModulePath) -> Vec<u8> {
    text(RECORD, &[db.as_str(), path.as_str(), ""])
}

/// The key of the widest form held of a tile, whatever this one's width. Hash tiles only: the store
/// has no data tiles, and the caller keeps them away.
pub fn tile(db: &DbName, tile: &Tile) -> Vec<u8> {
    let mut key = text(TILE, &[db.as_str(), ""]);
    key.push(tile.height());
    key.push(tile.level());
    key.extend_from_slice(&tile.index().to_be_bytes());
    key
}

/// The key of chunk number `chunk` (from 0) of the zip that is number `zip` in the bundle `bundle`.
pub fn chunk(bundle: &BundleId, zip: u32, chunk: u32) -> [u8; 17] {
    let mut key = [0; 17];
    key[0] = ZIP_CHUNK;
    key[1..9].copy_from_slice(bundle);
    key[9..13].copy_from_slice(&zip.to_be_bytes());
    key[13..17].copy_from_slice(&chunk.to_be_bytes());
    key
}

/// Behind every key.
pub(super) const BEHIND_ALL: &[u8] = &[0xff];

/// What the keys of all chunks begin with.
pub fn all_chunks() -> Vec<u8> {
    vec![ZIP_CHUNK]
}

/// What the keys of all lists begin with.
pub fn all_lists() -> Vec<u8> {
    vec![LIST]
}

/// What the keys of all `@latest` answers begin with.
pub fn all_latest() -> Vec<u8> {
    vec![LATEST]
}

/// What the keys of all `.info`s begin with.
pub fn all_infos() -> Vec<u8> {
    vec![INFO]
}

/// What the keys of all `.mod`s begin with.
pub fn all_mods() -> Vec<u8> {
    vec![MOD]
}

/// What the keys begin with that say where zips are.
pub fn all_zips() -> Vec<u8> {
    vec![ZIP]
}

/// What the keys of all heads of all databases begin with.
pub fn all_heads() -> Vec<u8> {
    vec![HEADS]
}

/// What the keys of all records of all databases begin with.
pub fn all_records() -> Vec<u8> {
    vec![RECORD]
}

/// What the keys of all tiles of all databases begin with.
pub fn all_tiles() -> Vec<u8> {
    vec![TILE]
}

/// What the keys of a checksum database's records begin with.
pub fn records(db: &DbName) -> Vec<u8> {
    text(RECORD, &[db.as_str(), ""])
}

/// What the keys of a checksum database's tiles begin with.
pub fn tiles(db: &DbName) -> Vec<u8> {
    text(TILE, &[db.as_str(), ""])
}

/// Every kind there is.
pub(super) const KINDS: [u8; 23] = [
    STORE,
    LEDGER,
    MANIFEST,
    CLAIM,
    QUERY,
    FILE_CLAIM,
    LEDGER_HASH,
    LIST,
    LATEST,
    ANSWER,
    FILE,
    VULNDB,
    DOCUMENT,
    INFO,
    MOD,
    ZIP,
    HEAD,
    HEADS,
    RECORD,
    TILE,
    PIN,
    END,
    ZIP_CHUNK,
];

/// The kinds that a bundle's items have, that a store keeps, in the order of [`Item`].
pub(super) const ITEM_KINDS: [u8; 8] = [HEAD, RECORD, TILE, PIN, INFO, MOD, QUERY, ZIP];

/// The kinds whose keys name a module version, zips last.
pub(super) const MODULE_KINDS: [u8; 3] = [INFO, MOD, ZIP];

/// The key of a bundle's item; `None` for what is read at import and kept under no name: lists, trust notes and contents;
/// and for a vulnerability database, which is kept document by document.
pub(super) fn of_item(item: &Item) -> Option<Vec<u8>> {
    Some(match item {
        Item::Needs(_)
        | Item::Bases(_)
        | Item::Tombstones(_)
        | Item::NeededFile(_)
        | Item::GoneFile(_)
        | Item::Trust(_)
        | Item::Vulndb(_)
        | Item::Contents(_) => return None,
        Item::Head(db) => head(db),
        Item::Record(db, module) => record(db, module),
        Item::Tile(db, at) => tile(db, at),
        Item::Pin(module) => pin(module),
        Item::Info(module) => info(module),
        Item::Mod(module) => go_mod(module),
        // As if it were that of a stream without a name, which there is none: only in an import under way.
        Item::Query(asked) => query(asked, ""),
        Item::Zip(module) => zip(module),
        Item::File(name) => file(name),
    })
}

/// The item that a key and its value are; `None` where they are none. A tile's width is its value's.
pub(super) fn item(key: &[u8], value: &[u8]) -> Option<Item> {
    Some(match parse(key)? {
        Named::Info(module) => Item::Info(module),
        Named::Mod(module) => Item::Mod(module),
        Named::Zip(module) => Item::Zip(module),
        Named::Pin(module) => Item::Pin(module),
        Named::Query(query, stream) if stream.is_empty() => Item::Query(query),
        Named::Head(db) => Item::Head(db),
        Named::Record(db, module) => Item::Record(db, module),
        Named::Tile {
            db,
            height,
            level,
            index,
        } => {
            let width = u32::try_from(value.len() / 32).ok()?;
            Item::Tile(db, Tile::new(height, level, index, width)?)
        }
        Named::Claim(..)
        | Named::FileClaim(..)
        | Named::File(_)
        | Named::Vulndb
        | Named::Document(..)
        | Named::Query(..)
        | Named::Ledger(_)
        | Named::LedgerHash(_)
        | Named::Other => {
            return None;
        }
    })
}

/// A key read back: what a scan of the store or of an import's small things finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A `.info`.
    Info(ModuleVersion),
    /// A `.mod`.
    Mod(ModuleVersion),
    /// Where a zip is.
    Zip(ModuleVersion),
    /// A checksum database's newest head.
    Head(DbName),
    /// A checksum database's record.
    Record(DbName, ModuleVersion),
    /// A tile, without its width: that is in the value.
    Tile {
        /// The checksum database.
        db: DbName,
        /// The tile's height, in levels of the tree.
        height: u8,
        /// The tile's level.
        level: u8,
        /// The tile's place in its level.
        index: u64,
    },
    /// A private module version's pin.
    Pin(ModuleVersion),
    /// Where a file is.
    File(FileName),
    /// Which vulnerability database is held.
    Vulndb,
    /// A document of it, and whether it is compressed.
    Document(DocumentName, bool),
    /// What a stream, by its name, says of a module version.
    Claim(ModuleVersion, String),
    /// What a stream, by its name, says of a file.
    FileClaim(FileName, String),
    /// What a stream, by its name, was answered to a query. The name is empty where an import under way has the answer.
    Query(Query, String),
    /// An entry of the ledger, by its number.
    Ledger(u64),
    /// A node of the ledger's tree, by its stored hash index.
    LedgerHash(u64),
    /// Any other kind: nothing that a scan asks for.
    Other,
}

/// Reads a key back. `None` is a key that this module does not write: the store is damaged.
pub fn parse(key: &[u8]) -> Option<Named> {
    let (&kind, name) = key.split_first()?;
    Some(match kind {
        INFO => Named::Info(parse_module(name)?),
        MOD => Named::Mod(parse_module(name)?),
        ZIP => Named::Zip(parse_module(name)?),
        PIN => Named::Pin(parse_module(name)?),
        FILE => Named::File(std::str::from_utf8(name).ok()?.parse().ok()?),
        VULNDB if name.is_empty() => Named::Vulndb,
        DOCUMENT => {
            let (document, form) = std::str::from_utf8(name).ok()?.split_once('\0')?;
            let gzip = form == GZIP;
            if !gzip && form != PLAIN {
                return None;
            }
            Named::Document(document.parse().ok()?, gzip)
        }
        HEAD => Named::Head(std::str::from_utf8(name).ok()?.parse().ok()?),
        RECORD => {
            let (db, module) = split_db(name)?;
            Named::Record(db, parse_module(module)?)
        }
        TILE => {
            let (db, place) = split_db(name)?;
            let (&[height, level], index) = place.split_first_chunk::<2>()?;
            let index = u64::from_be_bytes(index.try_into().ok()?);
            Named::Tile {
                db,
                height,
                level,
                index,
            }
        }
        CLAIM => {
            let end = name.iter().rposition(|&byte| byte == 0)?;
            let stream = std::str::from_utf8(&name[end + 1..]).ok()?;
            if stream.is_empty() {
                return None;
            }
            Named::Claim(parse_module(&name[..end])?, stream.to_owned())
        }
        FILE_CLAIM => {
            let (file, stream) = std::str::from_utf8(name).ok()?.split_once('\0')?;
            if stream.is_empty() {
                return None;
            }
            Named::FileClaim(file.parse().ok()?, stream.to_owned())
        }
        QUERY => {
            let mut parts = std::str::from_utf8(name).ok()?.split('\0');
            let path = ModulePath::new(parts.next()?).ok()?;
            let revision = Revision::new(parts.next()?).ok()?;
            let stream = parts.next()?.to_owned();
            if parts.next().is_some() {
                return None;
            }
            Named::Query(Query::new(path, revision).ok()?, stream)
        }
        LEDGER => Named::Ledger(u64::from_be_bytes(name.try_into().ok()?)),
        LEDGER_HASH => Named::LedgerHash(u64::from_be_bytes(name.try_into().ok()?)),
        STORE | MANIFEST | LIST | LATEST | ANSWER | HEADS | END | ZIP_CHUNK => Named::Other,
        _ => return None,
    })
}

fn split_db(name: &[u8]) -> Option<(DbName, &[u8])> {
    let end = name.iter().position(|&byte| byte == 0)?;
    let db = std::str::from_utf8(&name[..end]).ok()?.parse().ok()?;
    Some((db, &name[end + 1..]))
}

/// Reads `path NUL version`.
pub(super) fn parse_module(name: &[u8]) -> Option<ModuleVersion> {
    let (path, version) = std::str::from_utf8(name).ok()?.split_once('\0')?;
    ModuleVersion::new(ModulePath::new(path).ok()?, Version::new(version).ok()?).ok()
}

#[cfg(test)]
mod tests;
