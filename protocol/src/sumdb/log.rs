//! A whole log in memory: the other side of the proofs, for checksum databases in tests.

use std::convert::Infallible;

use super::hash::{Hash, record_hash};
use super::head::TreeHead;
use super::proof::TileSource;
use super::tile::{Height, Tile};
use super::tlog::{stored_hash_index, stored_hashes, tree_hash};

/// A growing log of record hashes, all in memory: about 64 bytes a record.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog {
    size: u64,
    /// The complete nodes, by stored hash index.
    hashes: Vec<Hash>,
}

impl MemoryLog {
    /// A log without records.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many records it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a record's text and gives its number.
    pub fn push(&mut self, text: &[u8]) -> u64 {
        let id = self.size;
        let read = |indexes: &[u64]| self.read(indexes).ok_or(());
        match stored_hashes(id, record_hash(text), read) {
            Ok(new) => self.hashes.extend(new),
            Err(_) => {
                unreachable!("a log in memory has all its nodes, and fewer than 2^62 records")
            }
        }
        self.size += 1;
        id
    }

    /// The head of the tree of its first `size` records; `None` if it has fewer.
    pub fn head(&self, size: u64) -> Option<TreeHead> {
        if size > self.size {
            return None;
        }
        let hash = tree_hash(size, |indexes| self.read(indexes).ok_or(()));
        let hash = hash.ok()?;
        Some(TreeHead { size, hash })
    }

    /// The hashes of these stored indexes: the reader that [`super::tlog`]'s functions want.
    pub fn read(&self, indexes: &[u64]) -> Option<Vec<Hash>> {
        indexes
            .iter()
            .map(|&index| self.hashes.get(usize::try_from(index).ok()?).copied())
            .collect()
    }

    /// The bytes of a tile of hashes; `None` if the log has not grown so far.
    pub fn tile_bytes(&self, tile: &Tile) -> Option<Vec<u8>> {
        let height = Height::new(tile.height())?;
        let there = Tile::in_tree(height, tile.level(), tile.index(), self.size)?;
        if tile.is_data() || tile.width() > there.width() {
            return None;
        }
        let level = tile.level() * tile.height(); // at most 62, since the tile is in the tree
        let first = tile.index() << tile.height();
        let indexes: Option<Vec<u64>> = (first..first + u64::from(tile.width()))
            .map(|n| stored_hash_index(level, n))
            .collect();
        let hashes = self.read(&indexes?)?;
        Some(hashes.iter().flat_map(|hash| hash.0).collect())
    }
}

impl TileSource for MemoryLog {
    type Error = Infallible;

    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.tile_bytes(tile))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tlog::stored_hash_count;
    use super::*;

    #[test]
    fn it_has_the_nodes_of_its_trees_and_no_more() {
        let mut log = MemoryLog::new();
        assert_eq!(log.head(0).unwrap().hash, Hash::EMPTY_TREE);
        for id in 0..70 {
            assert_eq!(log.push(format!("record {id}\n").as_bytes()), id);
            assert_eq!(log.hashes.len() as u64, stored_hash_count(id + 1).unwrap());
        }
        assert_eq!(log.head(71), None);
        let tile = |path: &str| log.tile_bytes(&Tile::parse(path).unwrap());
        assert_eq!(tile("tile/2/0/000").unwrap().len(), 128);
        assert_eq!(tile("tile/2/0/017.p/2").unwrap().len(), 64);
        assert_eq!(tile("tile/2/0/017.p/3"), None);
        assert_eq!(tile("tile/2/0/017"), None);
        assert_eq!(tile("tile/2/0/018.p/1"), None);
        assert_eq!(tile("tile/2/3/000.p/1").unwrap().len(), 32);
        assert_eq!(tile("tile/2/63/000.p/1"), None);
        assert_eq!(tile("tile/2/data/000"), None);
    }
}
