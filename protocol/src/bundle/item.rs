//! What a bundle carries: items, and the entries of the tar that hold them.

use std::fmt;

use super::file::FileName;
use super::query::Query;
use crate::module::ModuleVersion;
use crate::sumdb::{DbName, Tile};

/// One thing that a bundle carries.
///
/// Items have one order, which is this enum's: by kind, then by name (databases bytewise, then modules as
/// `module.Sort` has them, or tiles in their own order). A bundle's items are in strictly increasing order from
/// its first to its last, so that none can be there twice, and small things lie beside their like and compress.
/// Lists and trust notes come first, so that what is missing is known before anything large is read. Zips come
/// last: when the first one passes, everything that proves it has. Behind them come files, which nothing proves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Item {
    /// A text, numbered from 1, of what the destination must hold already: a [list](super::ListReader) of
    /// [`Level`](super::Level).
    Needs(u32),
    /// A text, numbered from 1, of the zips that recipes of this bundle take deflate streams from, and that the
    /// destination must hold already: a [list of bases](super::BasesReader).
    Bases(u32),
    /// A text, numbered from 1, of what the stream's selection no longer names: a [list](super::ListReader) of
    /// [`Gone`](super::Gone).
    Tombstones(u32),
    /// An opaque file that the destination must hold already: the item has its [SHA-256](super::file_sha256).
    NeededFile(FileName),
    /// An opaque file that the stream's selection no longer names. The item has no bytes.
    GoneFile(FileName),
    /// A signed trust note of that number, from 1: a change of the keys that are trusted.
    Trust(u64),
    /// A checksum database's signed tree head, as the database signed it.
    Head(DbName),
    /// A checksum database's record for a module version: what a lookup answers, without the tree head.
    Record(DbName, ModuleVersion),
    /// A tile of a checksum database's tree, of that width.
    Tile(DbName, Tile),
    /// What vouches for a private module version: its [hashes](super::Pin).
    Pin(ModuleVersion),
    /// A module version's `.info`, as upstream served it.
    Info(ModuleVersion),
    /// A module version's `.mod`, as upstream served it.
    Mod(ModuleVersion),
    /// The [answer](super::Answer) to a query of a module: an `.info`, as upstream served it, and when it was asked.
    Query(Query),
    /// A piece, numbered from 1, of a vulnerability database's [text](super::SnapshotReader).
    Vulndb(u32),
    /// Contents of zips' entries, each once: a frame of them, numbered from 1. What is made of them are the zips behind.
    Contents(u32),
    /// A module version's `.zip`, as upstream served it.
    Zip(ModuleVersion),
    /// An opaque file that the site carries beside its modules.
    File(FileName),
}

impl Item {
    /// How many kinds of items there are.
    pub const KINDS: usize = 17;

    /// The place of its kind in the order of kinds, below [`KINDS`](Self::KINDS).
    pub fn kind(&self) -> usize {
        match self {
            Item::Needs(_) => 0,
            Item::Bases(_) => 1,
            Item::Tombstones(_) => 2,
            Item::NeededFile(_) => 3,
            Item::GoneFile(_) => 4,
            Item::Trust(_) => 5,
            Item::Head(_) => 6,
            Item::Record(..) => 7,
            Item::Tile(..) => 8,
            Item::Pin(_) => 9,
            Item::Info(_) => 10,
            Item::Mod(_) => 11,
            Item::Query(_) => 12,
            Item::Vulndb(_) => 13,
            Item::Contents(_) => 14,
            Item::Zip(_) => 15,
            Item::File(_) => 16,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Needs(number) => write!(f, "needs {number}"),
            Item::Bases(number) => write!(f, "bases {number}"),
            Item::Tombstones(number) => write!(f, "tombstones {number}"),
            Item::NeededFile(name) => write!(f, "needed-file {name}"),
            Item::GoneFile(name) => write!(f, "gone-file {name}"),
            Item::Trust(number) => write!(f, "trust {number}"),
            Item::Head(db) => write!(f, "head {db}"),
            Item::Record(db, module) => write!(f, "record {db} {module}"),
            Item::Tile(db, tile) => write!(f, "tile {db} {}", tile.path()),
            Item::Pin(module) => write!(f, "pin {module}"),
            Item::Info(module) => write!(f, "info {module}"),
            Item::Mod(module) => write!(f, "mod {module}"),
            Item::Query(query) => write!(f, "query {query}"),
            Item::Vulndb(number) => write!(f, "vulndb {number}"),
            Item::Contents(number) => write!(f, "contents {number}"),
            Item::Zip(module) => write!(f, "zip {module}"),
            Item::File(name) => write!(f, "file {name}"),
        }
    }
}

/// How an entry's bytes hold its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// One zip or one file, as it is.
    Raw,
    /// A pack: one zstd frame of all its items' bytes, one after the other.
    Zstd,
    /// Contents of zips' entries: a header that names what they are compressed against, and one zstd frame
    /// ([`StoredContents`](super::StoredContents)).
    Contents,
    /// Recipes: one zstd frame of what restores each of its zips ([`StoredRecipes`](super::StoredRecipes)).
    Recipes,
}

/// The size and SHA-256 of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Bytes.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// A tar entry of a bundle and the items in it: one paragraph of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place, from 1, without gaps.
    pub number: u32,
    /// How it holds its items.
    pub encoding: Encoding,
    /// Its bytes in the tar.
    pub stored: u64,
    /// SHA-256 of its bytes in the tar.
    pub sha256: [u8; 32],
    /// The items in it, in order, and the bytes of each as they are restored.
    pub items: Vec<(Item, u64)>,
    /// Of an entry of recipes: the SHA-256 of each of its zips. Otherwise nothing: a raw entry's is its zip's.
    pub zip_sha256: Vec<[u8; 32]>,
}

impl Entry {
    /// Its name in the tar, which says nothing but its place and encoding: no name from a bundle ever names a file.
    pub fn file_name(&self) -> String {
        match self.encoding {
            Encoding::Raw if matches!(self.items.first(), Some((Item::File(_), _))) => {
                format!("{:06}.file", self.number)
            }
            Encoding::Raw => format!("{:06}.zip", self.number),
            Encoding::Zstd => format!("{:06}.zst", self.number),
            Encoding::Contents => format!("{:06}.contents", self.number),
            Encoding::Recipes => format!("{:06}.recipes", self.number),
        }
    }

    /// The name in the tar of one of its extents, numbered from 1, where it is cut over volumes.
    pub fn extent_file_name(&self, extent: u32) -> String {
        format!("{}.{extent:03}", self.file_name())
    }

    /// As errors name it, or a part of it, by the name in the tar.
    pub(super) fn shown_as(&self, file_name: &str) -> String {
        match self.items.as_slice() {
            [] => format!("entry {file_name} ()"),
            [(only, _)] => format!("entry {file_name} ({only})"),
            [(first, _), .., (last, _)] => {
                let count = self.items.len();
                format!("entry {file_name} ({count} items: {first} to {last})")
            }
        }
    }

    /// The zips in it, and the size and SHA-256 of each as it is served, whether it travels as it is or as a recipe.
    pub fn zips(&self) -> impl Iterator<Item = (&ModuleVersion, Digest)> {
        let raw = (self.encoding == Encoding::Raw).then_some(&self.sha256);
        (self.items.iter())
            .zip(raw.into_iter().chain(&self.zip_sha256))
            .filter_map(|((item, size), sha256)| match item {
                Item::Zip(module) => Some((
                    module,
                    Digest {
                        size: *size,
                        sha256: *sha256,
                    },
                )),
                _ => None,
            })
    }

    /// The bytes of all its items together.
    pub fn restored(&self) -> u64 {
        self.items.iter().map(|(_, size)| size).sum()
    }
}

/// `entry 000017.zip (zip example.com/a@v1.0.0)`: as errors name it.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown_as(&self.file_name()))
    }
}
