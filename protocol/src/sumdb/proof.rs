//! Proving tiles, records and older heads against one trusted tree head.
//!
//! Tiles come from wherever the caller keeps them, through [`TileSource`], and are not believed: the edge must hash
//! to the tree head's root, and every other tile to the hash that its parent, proven before it, lists of it. So each
//! hash that an [`Authenticator`] works with is in the signed tree, and one wrong byte anywhere is found.
//!
//! The rules are those of tlog.TileHashReader (golang.org/x/mod/sumdb/tlog/tile.go): what proves here also proves
//! in a client, and with the tiles of the [closure](super::tiling).
//!
//! Memory is bounded by [`CACHE_BYTES`] and the edge, however many tiles are proven.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use thiserror::Error;

use super::cache::Cache;
use super::hash::{HASH_SIZE, Hash, node_hash};
use super::head::TreeHead;
use super::tile::{Height, MAX_TREE_SIZE, Tile};
use super::tiling::{Place, edge};
use super::tlog::{join, subtrees};

/// How many bytes of proven tiles are kept, besides the edge.
pub const CACHE_BYTES: usize = 16 << 20;

/// Where tiles are kept. What comes from here is not trusted.
pub trait TileSource {
    /// Why a tile could not be read.
    type Error;

    /// The bytes of exactly this tile, [`Tile::size`] of them, cut from a wider one where that is what is held.
    /// `None` if it is not held.
    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, Self::Error>;
}

impl<S: TileSource + ?Sized> TileSource for &S {
    type Error = S::Error;

    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, Self::Error> {
        (**self).tile(tile)
    }
}

/// Why something is not proven.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofError<E = Infallible> {
    /// A tile that the proof needs is not held.
    #[error("{tile} is not there: the proof needs it")]
    Missing {
        /// The tile, at the width that it has in the tree.
        tile: Tile,
    },
    /// The source gave a tile of the wrong length.
    #[error("{tile} has {found} bytes instead of {}", tile.size())]
    Length {
        /// The tile that was asked for.
        tile: Tile,
        /// How many bytes came.
        found: usize,
    },
    /// The edge's tiles do not hash to the tree head: at least one of them is wrong, and which cannot be said.
    #[error("the tiles at the edge do not make the tree head of {} records ({})", head.size, head.hash)]
    Edge {
        /// The head that was to be shown.
        head: TreeHead,
    },
    /// A tile's hash is not the one that its proven parent lists.
    #[error(
        "{tile} is not the one in the signed tree: its hash differs from what its parent tile lists"
    )]
    TileMismatch {
        /// The wrong tile.
        tile: Tile,
    },
    /// The tree has another record at this place.
    #[error("record {id} is not the one in the signed tree: its hash differs")]
    RecordMismatch {
        /// The record's number.
        id: u64,
    },
    /// Both heads are of the same database, and the newer tree does not begin with the older one.
    #[error(
        "the checksum database has forked: its tree of {} records does not begin with its tree of {} records (root {}, but the newer tree makes it {found})",
        newer.size, older.size, older.hash
    )]
    Fork {
        /// The head that does not fit.
        older: TreeHead,
        /// The head that it was compared with.
        newer: TreeHead,
        /// The root that the newer tree has over as many records as the older one has.
        found: Hash,
    },
    /// A tile, record or head outside the tree.
    #[error("{what} is not in a tree of {size} records")]
    BeyondTree {
        /// What was asked for.
        what: String,
        /// The tree's size.
        size: u64,
    },
    /// A tile that cannot be proven: of another height than the others, or of records instead of hashes.
    #[error("{tile} cannot be proven: only tiles of hashes of height {height} are")]
    Unprovable {
        /// The tile.
        tile: Tile,
        /// The height of the tiles that can be.
        height: u8,
    },
    /// The tiles could not be read.
    #[error("the tiles cannot be read")]
    Source(#[source] E),
}

/// How much has been proven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Proven {
    /// Tiles read and hashed. A tile that has left the cache and is needed again counts again.
    pub tiles: u64,
    /// Records found in the tree.
    pub records: u64,
    /// Older heads found consistent with this one.
    pub older: u64,
}

/// Proves things against one tree head, whose signature the caller has checked.
pub struct Authenticator<S> {
    head: TreeHead,
    height: Height,
    source: S,
    /// The tree's partial tile at each level that has one.
    edge: BTreeMap<u8, (Tile, Arc<[u8]>)>,
    cache: Cache,
    proven: Proven,
}

impl<S: TileSource> Authenticator<S> {
    /// Reads and proves the edge of the tree, in tiles of cmd/go's height.
    pub fn new(head: TreeHead, source: S) -> Result<Self, ProofError<S::Error>> {
        Self::with_height(Height::GO, head, source)
    }

    /// The same for tiles of another height. Each tile is read whole: 2^height hashes.
    pub fn with_height(
        height: Height,
        head: TreeHead,
        source: S,
    ) -> Result<Self, ProofError<S::Error>> {
        if head.size > MAX_TREE_SIZE {
            return Err(ProofError::BeyondTree {
                what: format!("a head of {} records", head.size),
                size: MAX_TREE_SIZE,
            });
        }
        let full = height.full_width() as usize * HASH_SIZE;
        let mut this = Self {
            head,
            height,
            source,
            edge: BTreeMap::new(),
            cache: Cache::new(CACHE_BYTES / full),
            proven: Proven::default(),
        };
        for tile in edge(height, head.size) {
            let bytes = this.read(&tile)?;
            this.edge.insert(tile.level(), (tile, bytes));
        }
        if this.root(head.size)? != head.hash {
            return Err(ProofError::Edge { head });
        }
        this.proven.tiles = this.edge.len() as u64;
        Ok(this)
    }

    /// The head that all is proven against.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// Where the tiles come from.
    pub fn source(&self) -> &S {
        &self.source
    }

    /// How much has been proven so far.
    pub fn proven(&self) -> Proven {
        self.proven
    }

    /// Proves a tile, at the width that it has in the tree or a lesser one, and gives its bytes.
    pub fn tile(&mut self, tile: &Tile) -> Result<Arc<[u8]>, ProofError<S::Error>> {
        if tile.is_data() || tile.height() != self.height.get() {
            return Err(ProofError::Unprovable {
                tile: *tile,
                height: self.height.get(),
            });
        }
        let whole = self.in_tree(tile.level(), tile.index())?;
        if tile.width() > whole.width() {
            return Err(self.beyond(tile.path()));
        }
        let bytes = self.prove(whole)?;
        match tile.cut(&bytes) {
            Some(cut) if cut.len() < bytes.len() => Ok(cut.into()),
            _ => Ok(bytes),
        }
    }

    /// Proves that record `id` is in the tree and has this hash.
    pub fn record(&mut self, id: u64, hash: &Hash) -> Result<(), ProofError<S::Error>> {
        if id >= self.head.size {
            return Err(self.beyond(format!("record {id}")));
        }
        if self.node((0, id))? != *hash {
            return Err(ProofError::RecordMismatch { id });
        }
        self.proven.records += 1;
        Ok(())
    }

    /// Proves that the tree begins with the tree of an older (or the same) head of the same database.
    pub fn older(&mut self, older: TreeHead) -> Result<(), ProofError<S::Error>> {
        if older.size > self.head.size {
            return Err(self.beyond(format!("a head of {} records", older.size)));
        }
        let found = self.root(older.size)?;
        if found != older.hash {
            return Err(ProofError::Fork {
                older,
                newer: self.head,
                found,
            });
        }
        self.proven.older += 1;
        Ok(())
    }

    /// The root hash of the first `size` records, which are no more than the tree's.
    fn root(&mut self, size: u64) -> Result<Hash, ProofError<S::Error>> {
        let hashes: Result<Vec<Hash>, _> = subtrees(0, size)
            .into_iter()
            .map(|node| self.node(node))
            .collect();
        Ok(join(&hashes?))
    }

    /// The hash of a node, out of the tile that has it.
    fn node(&mut self, node: (u8, u64)) -> Result<Hash, ProofError<S::Error>> {
        let place = Place::of(self.height, node);
        let tile = self.in_tree(place.level, place.index)?;
        let bytes = self.prove(tile)?;
        hash_of(&bytes, place.start, place.end).ok_or(ProofError::Length {
            tile,
            found: bytes.len(),
        })
    }

    /// The bytes of a tile of the tree: from the edge, from the cache, or read and proven by its parents.
    fn prove(&mut self, tile: Tile) -> Result<Arc<[u8]>, ProofError<S::Error>> {
        // From the tile up to the first that is proven already: at the latest, one in the edge.
        let mut unproven = Vec::new();
        let mut next = tile;
        let mut parent = loop {
            if let Some(bytes) = self.known(&next) {
                break bytes;
            }
            unproven.push(next);
            next = match next.parent(self.head.size) {
                Some(parent) => parent,
                None => return Err(self.beyond(next.path())),
            };
        };
        // And down again, each by what its parent lists of it.
        while let Some(tile) = unproven.pop() {
            let bytes = self.read(&tile)?;
            let place = (tile.index() & u64::from(self.height.full_width() - 1)) as u32;
            let listed = hash_of(&parent, place, place + 1);
            if hash_of(&bytes, 0, tile.width()) != listed || listed.is_none() {
                return Err(ProofError::TileMismatch { tile });
            }
            self.proven.tiles += 1;
            self.cache.insert(tile, bytes.clone());
            parent = bytes;
        }
        Ok(parent)
    }

    /// A tile that is proven already.
    fn known(&mut self, tile: &Tile) -> Option<Arc<[u8]>> {
        match self.edge.get(&tile.level()) {
            Some((edge, bytes)) if edge == tile => Some(bytes.clone()),
            _ => self.cache.get(tile),
        }
    }

    fn in_tree(&self, level: u8, index: u64) -> Result<Tile, ProofError<S::Error>> {
        Tile::in_tree(self.height, level, index, self.head.size)
            .ok_or_else(|| self.beyond(format!("tile {index} of level {level}")))
    }

    /// Reads a tile of the right length, not yet proven.
    fn read(&self, tile: &Tile) -> Result<Arc<[u8]>, ProofError<S::Error>> {
        let bytes = self.source.tile(tile).map_err(ProofError::Source)?;
        let bytes = bytes.ok_or(ProofError::Missing { tile: *tile })?;
        if bytes.len() != tile.size() {
            return Err(ProofError::Length {
                tile: *tile,
                found: bytes.len(),
            });
        }
        Ok(bytes.into())
    }

    fn beyond(&self, what: String) -> ProofError<S::Error> {
        ProofError::BeyondTree {
            what,
            size: self.head.size,
        }
    }
}

/// The hash over the hashes `start..end` of a tile, a power of two in number. `None` if the tile is too short.
fn hash_of(tile: &[u8], start: u32, end: u32) -> Option<Hash> {
    let bytes = tile.get(start as usize * HASH_SIZE..end as usize * HASH_SIZE)?;
    let (hashes, []) = bytes.as_chunks::<HASH_SIZE>() else {
        return None;
    };
    let mut level: Vec<Hash> = hashes.iter().map(|&hash| Hash(hash)).collect();
    while level.len() > 1 {
        let (pairs, []) = level.as_chunks::<2>() else {
            return None;
        };
        level = pairs
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect();
    }
    level.pop()
}

#[cfg(test)]
mod tests;
