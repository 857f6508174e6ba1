//! The stage of a verification from nothing: what the proof needs lies in a temporary file, zips are dropped.
//!
//! Items come sorted, so the file is a sorted table, and memory holds only the first item of each block of
//! about [`BLOCK`] bytes: a few megabytes for a million module versions. A lookup reads one block and walks
//! it; the last block of each kind stays at hand, since the proof asks for things of a kind in their order.
//!
//! The file has no name and is gone when the process is, however it ends.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{FileName, Item, Query, Snapshot};
use modferry_protocol::module::{ModulePath, ModuleVersion, Revision};
use modferry_protocol::sumdb::{DbName, Tile, TreeHead};
use modferry_protocol::zip::ZipFacts;

use crate::{CheckError, HeldZip, NoZip, Stage};

/// A block ends with the item that brings it to this many bytes.
const BLOCK: usize = 16 << 10;

/// Bytes that wait in memory before they are written.
const BUFFER: usize = 1 << 20;

/// Why a spool failed.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Writing it, or reading it back, failed.
    #[error("the temporary file in {} failed", folder.display())]
    Io {
        /// The folder that it is in.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was read back is not what was written.
    #[error("the temporary file in {} has changed", folder.display())]
    Changed {
        /// The folder that it is in.
        folder: PathBuf,
    },
}

impl Failure for SpoolError {
    fn exit(&self) -> Exit {
        match self {
            SpoolError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Exit::NoRoom
            }
            _ => Exit::Other,
        }
    }

    fn advice(&self) -> Option<String> {
        (self.exit() == Exit::NoRoom)
            .then(|| "make room, or set TMPDIR to a folder with more of it".into())
    }
}

/// A block's number and bytes.
type Block = (usize, Vec<u8>);

/// A stage that keeps a bundle's small things in an unlinked temporary file, holds nothing from before, and
/// drops zips once they are checked.
#[derive(Debug)]
pub struct SpoolStage {
    folder: PathBuf,
    file: File,
    /// Bytes written to the file.
    flushed: u64,
    /// What follows them.
    buffer: Vec<u8>,
    /// Each block's first item, and where it begins.
    blocks: Vec<(Item, u64)>,
    block_size: usize,
    /// For each kind, the block that was asked for last.
    last: RefCell<[Option<Block>; Item::KINDS]>,
}

/// Where large temporary files go: `$TMPDIR`, else `/var/tmp`, since `/tmp` is memory on many systems.
pub(crate) fn default_folder() -> PathBuf {
    let var_tmp = PathBuf::from("/var/tmp");
    match std::env::var_os("TMPDIR") {
        None if var_tmp.is_dir() => var_tmp,
        _ => std::env::temp_dir(),
    }
}

impl SpoolStage {
    /// An empty stage in the default folder: `$TMPDIR`, else `/var/tmp`.
    pub fn new() -> Result<SpoolStage, SpoolError> {
        SpoolStage::new_in(default_folder())
    }

    /// An empty stage whose file is in `folder`.
    pub fn new_in(folder: PathBuf) -> Result<SpoolStage, SpoolError> {
        match tempfile::tempfile_in(&folder) {
            Ok(file) => Ok(SpoolStage {
                folder,
                file,
                flushed: 0,
                buffer: Vec::new(),
                blocks: Vec::new(),
                block_size: BLOCK, // so that the first item begins one
                last: RefCell::default(),
            }),
            Err(source) => Err(SpoolError::Io { folder, source }),
        }
    }

    /// Where its file is, and where more is that goes with it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn end(&self) -> u64 {
        self.flushed + self.buffer.len() as u64
    }

    fn failed(&self, source: io::Error) -> SpoolError {
        SpoolError::Io {
            folder: self.folder.clone(),
            source,
        }
    }

    fn changed(&self) -> SpoolError {
        SpoolError::Changed {
            folder: self.folder.clone(),
        }
    }

    fn append(&mut self, item: &Item, bytes: &[u8]) -> Result<(), SpoolError> {
        if self.block_size >= BLOCK {
            self.blocks.push((item.clone(), self.end()));
            self.block_size = 0;
        }
        let before = self.buffer.len();
        encode(item, bytes, &mut self.buffer);
        self.block_size += self.buffer.len() - before;
        // The block that grew may be the one at hand.
        *self.last.get_mut() = Default::default();
        if self.buffer.len() >= BUFFER {
            self.file
                .write_all_at(&self.buffer, self.flushed)
                .map_err(|e| self.failed(e))?;
            self.flushed = self.end();
            self.buffer.clear();
        }
        Ok(())
    }

    fn range_of(&self, block: usize) -> Range<u64> {
        let start = self.blocks[block].1;
        start
            ..self
                .blocks
                .get(block + 1)
                .map_or(self.end(), |(_, next)| *next)
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<u8>, SpoolError> {
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let on_disk = (self.flushed.min(range.end) - self.flushed.min(range.start)) as usize;
        let (front, back) = bytes.split_at_mut(on_disk);
        self.file
            .read_exact_at(front, range.start)
            .map_err(|e| self.failed(e))?;
        if !back.is_empty() {
            let from = (range.start + on_disk as u64 - self.flushed) as usize;
            back.copy_from_slice(&self.buffer[from..from + back.len()]);
        }
        Ok(bytes)
    }

    fn find(&self, item: &Item) -> Result<Option<Vec<u8>>, SpoolError> {
        let Some(block) = self
            .blocks
            .partition_point(|(first, _)| first <= item)
            .checked_sub(1)
        else {
            return Ok(None);
        };
        let mut last = self.last.borrow_mut();
        let bytes = match &mut last[item.kind()] {
            Some((at, bytes)) if *at == block => bytes,
            stale => {
                let (_, bytes) = stale.insert((block, self.read(self.range_of(block))?));
                bytes
            }
        };
        let name = name_of(item);
        let mut rest = bytes.as_slice();
        while let Some((found, value, behind)) = split(rest) {
            if found == name {
                return Ok(Some(value.to_vec()));
            }
            rest = behind;
        }
        if rest.is_empty() {
            Ok(None)
        } else {
            Err(self.changed())
        }
    }
}

impl Stage for SpoolStage {
    type HeldZip = NoZip;
    type Error = SpoolError;

    fn put(&mut self, item: &Item, bytes: &[u8]) -> Result<(), SpoolError> {
        self.append(item, bytes)
    }

    fn put_zip(
        &mut self,
        _module: &ModuleVersion,
        _facts: &ZipFacts,
        _size: u64,
        _sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), SpoolError> {
        io::copy(body, &mut io::sink()).map_err(|e| self.failed(e))?;
        Ok(())
    }

    fn staged(&self, item: &Item) -> Result<Option<Vec<u8>>, SpoolError> {
        self.find(item)
    }

    fn held(&self, _item: &Item) -> Result<Option<Vec<u8>>, SpoolError> {
        Ok(None)
    }

    fn holds(&self, _item: &Item) -> Result<bool, SpoolError> {
        Ok(false)
    }

    fn held_zip(
        &self,
        _module: &ModuleVersion,
        _sha256: &[u8; 32],
    ) -> Result<HeldZip<NoZip>, SpoolError> {
        Ok(HeldZip::None)
    }

    fn held_vulndb(&self) -> Result<Option<Snapshot>, SpoolError> {
        Ok(None)
    }

    fn put_file(
        &mut self,
        _name: &FileName,
        _size: u64,
        _sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), SpoolError> {
        io::copy(body, &mut io::sink()).map_err(|e| self.failed(e))?;
        Ok(())
    }

    fn held_file(&self, _name: &FileName) -> Result<Option<[u8; 32]>, SpoolError> {
        Ok(None)
    }

    fn is_vouched(&self, _path: &ModulePath) -> Result<bool, SpoolError> {
        Ok(false)
    }

    fn is_private(&self, _path: &ModulePath) -> Result<bool, SpoolError> {
        Ok(false)
    }

    fn each_staged(
        &self,
        f: &mut dyn FnMut(Item) -> Result<(), CheckError>,
    ) -> Result<(), CheckError> {
        for block in 0..self.blocks.len() {
            let bytes = self.read(self.range_of(block)).map_err(CheckError::stage)?;
            let mut rest = bytes.as_slice();
            while let Some((name, _, behind)) = split(rest) {
                f(item_of(name).ok_or_else(|| CheckError::stage(self.changed()))?)?;
                rest = behind;
            }
            if !rest.is_empty() {
                return Err(CheckError::stage(self.changed()));
            }
        }
        Ok(())
    }

    fn heads_held(&self, _db: &DbName) -> Result<Vec<TreeHead>, SpoolError> {
        Ok(Vec::new())
    }

    fn head_note(&self, _db: &DbName, _size: u64) -> Result<Option<Vec<u8>>, SpoolError> {
        Ok(None)
    }
}

/// Two lengths in little endian, the item's name, its bytes.
fn encode(item: &Item, bytes: &[u8], out: &mut Vec<u8>) {
    let name = name_of(item);
    out.extend((name.len() as u32).to_le_bytes());
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(&name);
    out.extend_from_slice(bytes);
}

/// The next item's name and bytes, and what follows them. `None` at the end, or where it cannot be read.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name_len, rest) = bytes.split_first_chunk::<4>()?;
    let (value_len, rest) = rest.split_first_chunk::<4>()?;
    let (name, rest) = rest.split_at_checked(u32::from_le_bytes(*name_len) as usize)?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value_len) as usize)?;
    Some((name, value, rest))
}

/// A name for each item: its kind and fields, with spaces between, which no field has.
fn name_of(item: &Item) -> Vec<u8> {
    let module = |m: &ModuleVersion| format!("{} {}", m.path(), m.version());
    match item {
        Item::Needs(number) => format!("needs {number}"),
        Item::Bases(number) => format!("bases {number}"),
        Item::Tombstones(number) => format!("tombstones {number}"),
        Item::NeededFile(name) => format!("needed-file {name}"),
        Item::GoneFile(name) => format!("gone-file {name}"),
        Item::Trust(number) => format!("trust {number}"),
        Item::Head(db) => format!("head {db}"),
        Item::Record(db, m) => format!("record {db} {}", module(m)),
        Item::Tile(db, tile) => format!("tile {db} {}", tile.path()),
        Item::Pin(m) => format!("pin {}", module(m)),
        Item::Info(m) => format!("info {}", module(m)),
        Item::Mod(m) => format!("mod {}", module(m)),
        Item::Query(query) => format!("query {} {}", query.path(), query.revision()),
        Item::Vulndb(number) => format!("vulndb {number}"),
        Item::Contents(number) => format!("contents {number}"),
        Item::Zip(m) => format!("zip {}", module(m)),
        Item::File(name) => format!("file {name}"),
    }
    .into_bytes()
}

/// The opposite of [`name_of`].
fn item_of(name: &[u8]) -> Option<Item> {
    let fields: Vec<&str> = std::str::from_utf8(name).ok()?.split(' ').collect();
    Some(match fields[..] {
        ["needs", number] => Item::Needs(number.parse().ok()?),
        ["bases", number] => Item::Bases(number.parse().ok()?),
        ["tombstones", number] => Item::Tombstones(number.parse().ok()?),
        ["needed-file", name] => Item::NeededFile(FileName::new(name).ok()?),
        ["gone-file", name] => Item::GoneFile(FileName::new(name).ok()?),
        ["trust", number] => Item::Trust(number.parse().ok()?),
        ["head", db] => Item::Head(DbName::new(db).ok()?),
        ["record", db, path, version] => Item::Record(
            DbName::new(db).ok()?,
            ModuleVersion::parse(path, version).ok()?,
        ),
        ["tile", db, path] => Item::Tile(DbName::new(db).ok()?, Tile::parse(path).ok()?),
        ["pin", path, version] => Item::Pin(ModuleVersion::parse(path, version).ok()?),
        ["info", path, version] => Item::Info(ModuleVersion::parse(path, version).ok()?),
        ["mod", path, version] => Item::Mod(ModuleVersion::parse(path, version).ok()?),
        ["query", path, revision] => Item::Query(
            Query::new(ModulePath::new(path).ok()?, Revision::new(revision).ok()?).ok()?,
        ),
        ["vulndb", number] => Item::Vulndb(number.parse().ok()?),
        ["contents", number] => Item::Contents(number.parse().ok()?),
        ["zip", path, version] => Item::Zip(ModuleVersion::parse(path, version).ok()?),
        ["file", name] => Item::File(FileName::new(name).ok()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_protocol::h1::H1;

    fn items() -> Vec<Item> {
        let db = DbName::new("sum.test/db").unwrap();
        let module =
            |n: usize| ModuleVersion::parse("example.com/A", &format!("v1.{n}.0")).unwrap();
        let mut items = vec![
            Item::Needs(1),
            Item::Needs(2),
            Item::Tombstones(1),
            Item::Trust(u64::MAX),
            Item::Head(db.clone()),
        ];
        items.extend((0..3000).map(|n| Item::Record(db.clone(), module(n))));
        items.extend((0..300).map(|n| Item::Tile(db.clone(), Tile::new(8, 0, n, 256).unwrap())));
        items.extend((0..300).map(|n| Item::Pin(module(n))));
        items.extend((0..3000).map(|n| Item::Info(module(n))));
        items.extend((0..300).map(|n| Item::Mod(module(n))));
        items.extend(["a", "main"].map(|revision| {
            let path = ModulePath::new("example.com/A").unwrap();
            Item::Query(Query::new(path, Revision::new(revision).unwrap()).unwrap())
        }));
        items
    }

    fn content(item: &Item) -> Vec<u8> {
        let size = if matches!(item, Item::Tile(..)) {
            8192
        } else {
            100
        };
        item.to_string()
            .into_bytes()
            .into_iter()
            .cycle()
            .take(size)
            .collect()
    }

    #[test]
    fn what_was_put_is_found_and_listed_in_order() {
        let mut stage = SpoolStage::new().unwrap();
        let items = items();
        for (n, item) in items.iter().enumerate() {
            assert_eq!(stage.staged(item).unwrap(), None);
            stage.put(item, &content(item)).unwrap();
            // Reading back while more is put, from the buffer and from the file.
            assert_eq!(
                stage.staged(&items[n / 2]).unwrap(),
                Some(content(&items[n / 2]))
            );
        }
        assert!(
            stage.flushed > 0 && stage.blocks.len() > 100,
            "the test has several blocks and writes"
        );
        let facts = ZipFacts {
            h1: H1::of_go_mod(b"x"),
            files: 7,
            unpacked: 1 << 33,
        };
        let module: ModuleVersion = "example.com/A@v1.0.0".parse().unwrap();
        stage
            .put_zip(&module, &facts, 3, &[0; 32], &mut &b"zip"[..])
            .unwrap();

        for item in &items {
            assert_eq!(stage.staged(item).unwrap(), Some(content(item)), "{item}");
        }
        let other: ModuleVersion = "example.com/B@v1.0.0".parse().unwrap();
        assert!(stage.staged(&Item::Mod(other)).unwrap().is_none());
        // Of every kind, those that are never put included.
        for item in [Item::Bases(1), Item::Contents(1), Item::Zip(module)] {
            assert!(stage.staged(&item).unwrap().is_none(), "{item}");
        }

        let mut listed = Vec::new();
        stage
            .each_staged(&mut |item| {
                stage.staged(&items[0]).unwrap();
                listed.push(item);
                Ok(())
            })
            .unwrap();
        assert!(listed == items, "zips are dropped");
    }

    #[test]
    fn an_empty_stage_has_nothing() {
        let stage = SpoolStage::new().unwrap();
        assert_eq!(stage.staged(&items()[0]).unwrap(), None);
        stage.each_staged(&mut |item| panic!("{item}")).unwrap();
    }

    #[test]
    fn the_first_error_of_the_caller_ends_the_listing() {
        let mut stage = SpoolStage::new().unwrap();
        let items = items();
        stage.put(&items[0], b"a").unwrap();
        stage.put(&items[1], b"b").unwrap();
        let mut seen = 0;
        let result = stage.each_staged(&mut |item| {
            seen += 1;
            Err(CheckError::Unproven {
                what: item.to_string(),
            })
        });
        assert!(matches!(result, Err(CheckError::Unproven { .. })));
        assert_eq!(seen, 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = SpoolStage::new_in("/no/such/folder".into()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the temporary file in /no/such/folder failed"
        );
        assert_eq!(error.exit(), Exit::Other);
    }
}
