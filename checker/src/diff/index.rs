//! A side of bundles: what their indexes list.
//!
//! An index has all `mod` items before all `zip` items, so it is read by two readers at two places at once, and
//! the two streams are united. Several bundles are one side: what any of them carries.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use modferry_cli::Exit;
use modferry_protocol::bundle::{Entry, IndexReader, Item, Level, Manifest};

use super::streams::{Sorted, last_of_each, merge};
use super::{DiffError, Head, Held, Side};

/// An index in a file: a volume that has it at its front, or a copy of it.
#[derive(Clone, Debug)]
pub struct IndexFile {
    file: Arc<File>,
    offset: u64,
    size: u64,
}

impl IndexFile {
    /// The index that is these bytes of the file.
    pub fn new(file: File, offset: u64, size: u64) -> Self {
        Self {
            file: Arc::new(file),
            offset,
            size,
        }
    }

    /// Its bytes, from the first; as often as one likes, and several at once.
    pub fn bytes(&self) -> impl Read + use<> {
        Cursor {
            file: self.file.clone(),
            at: self.offset,
            left: self.size,
        }
    }

    /// Its entries, in their order.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry, DiffError>> + use<> {
        let index = IndexReader::new(BufReader::new(self.bytes()));
        index.map(|entry| {
            entry.map_err(|source| DiffError::Read {
                name: "a bundle's index".into(),
                exit: Exit::Damaged,
                source: Box::new(source),
            })
        })
    }

    /// Its entries' items, in their order.
    pub fn items(&self) -> impl Iterator<Item = Result<(Item, u64), DiffError>> + use<> {
        self.entries().flat_map(|entry| match entry {
            Ok(entry) => entry.items.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    /// What `pick` makes of its items.
    fn picked<T: 'static>(&self, pick: fn(Item) -> Option<T>) -> Sorted<'static, T> {
        let items = self.items();
        Box::new(items.filter_map(move |item| match item {
            Ok((item, _)) => pick(item).map(Ok),
            Err(error) => Some(Err(error)),
        }))
    }
}

struct Cursor {
    file: Arc<File>,
    at: u64,
    left: u64,
}

impl Read for Cursor {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        let n = self.file.read_at(&mut buf[..most], self.at)?;
        self.at += n as u64;
        self.left -= n as u64;
        Ok(n)
    }
}

/// What these bundles carry together.
pub fn bundles(name: &str, bundles: &[(Manifest, IndexFile)]) -> Side<'static> {
    let mut held: Vec<Sorted<'static, Held>> = Vec::new();
    let mut tiles = Vec::new();
    for (_, index) in bundles {
        held.push(index.picked(|item| match item {
            Item::Mod(module) => Some((module, Level::Mod)),
            _ => None,
        }));
        held.push(index.picked(|item| match item {
            Item::Zip(module) => Some((module, Level::Zip)),
            _ => None,
        }));
        tiles.push(index.picked(|item| match item {
            Item::Tile(db, tile) => Some((db, tile)),
            _ => None,
        }));
    }
    let heads = bundles
        .iter()
        .flat_map(|(manifest, _)| &manifest.heads)
        .map(|(db, head)| Head::new(db, head));
    Side {
        name: name.to_owned(),
        held: last_of_each(merge(held), |held: &Held| held.0.clone()),
        heads: Some(heads.collect()),
        tiles: Some(merge(tiles)),
    }
}
