//! Which tiles a client needs: the closure.
//!
//! cmd/go keeps the largest tree head that it has seen. For each lookup it hashes the older of its head and the
//! served one inside the newer, and then proves the record in the newer (x/mod/sumdb/client.go, mergeLatestMem and
//! checkRecord). For both it reads hashes through tlog.TileHashReader, whose plan is:
//!
//! 1. the tiles that the root hash is made from: the **edge** of the tree, its partial tile at each level;
//! 2. each tile that has a wanted hash, and its parents up to the first that is in the edge: each full tile is
//!    proven by its root hash, which its parent lists.
//!
//! So for one served head, three families of tiles answer every client: the edge; for every record held, its tile and
//! the parents; for every older head that a client may hold, the tiles that head's root is made from (that tree's
//! edge), at the width they have grown to, and the parents. A partial tile at a lesser width is cut from these.
//!
//! This also covers what a client does between two older heads, when its module cache and its configuration
//! differ in age: in the smaller tree, each tile is the same or narrower, and each chain of parents ends at the
//! same tile or before. And it is no more than is needed: without any one of these tiles some lookup fails.
//! Tests compare both with a model of that plan.
//!
//! Every function here is for one height; those in [`super`] are for [`Height::GO`].

use std::collections::BTreeSet;

use super::tile::{Height, MAX_TREE_SIZE, Tile, shift_right};
use super::tlog::{Node, split_stored_hash_index};

/// The partial tiles of a tree of `size` records, lowest level first: what its root hash is made from, and what
/// every client reads. Empty for the empty tree, and beyond [`MAX_TREE_SIZE`].
pub fn edge(height: Height, size: u64) -> Vec<Tile> {
    edge_inside(height, size, size).collect()
}

/// The tiles that prove record `id` in a tree of `size` records: from the one that lists its hash up to the edge,
/// inclusive. Empty if the tree has no such record.
pub fn tiles_of_record(height: Height, size: u64, id: u64) -> Vec<Tile> {
    chain(first_tile(height, size, id), size).collect()
}

/// The tiles from which the root hash of the tree of the first `older` records is made, at the widths that they have
/// in the tree of `size`, each with its parents up to the edge. No tile twice.
///
/// Empty for the empty tree, which needs none, and for a head that is newer than `size`, which these tiles cannot prove.
pub fn tiles_of_older(height: Height, size: u64, older: u64) -> Vec<Tile> {
    let mut tiles = BTreeSet::new();
    for tile in edge_inside(height, size, older) {
        add(&mut tiles, Some(tile), size);
    }
    tiles.into_iter().collect()
}

/// All tiles that clients can need of a tree of `size` records, if they look up only `records` and hold no head but
/// this one, those of sizes `older` and the empty one.
///
/// Records and older heads that are not in the tree add nothing.
pub fn closure(
    height: Height,
    size: u64,
    records: impl IntoIterator<Item = u64>,
    older: &[u64],
) -> BTreeSet<Tile> {
    let mut tiles: BTreeSet<Tile> = edge_inside(height, size, size).collect();
    for id in records {
        add(&mut tiles, first_tile(height, size, id), size);
    }
    for &older in older {
        for tile in edge_inside(height, size, older) {
            add(&mut tiles, Some(tile), size);
        }
    }
    tiles
}

/// Adds a tile and its parents to a set that has, with each tile, all of its parents: so it can stop at the first it meets.
fn add(tiles: &mut BTreeSet<Tile>, tile: Option<Tile>, size: u64) {
    for tile in chain(tile, size) {
        if !tiles.insert(tile) {
            break;
        }
    }
}

/// A tile, its parent, and so on to the first that is partial in the tree of `size`.
fn chain(tile: Option<Tile>, size: u64) -> impl Iterator<Item = Tile> {
    std::iter::successors(tile, move |tile| tile.parent(size))
}

/// The tile that lists a record's hash.
fn first_tile(height: Height, size: u64, id: u64) -> Option<Tile> {
    if id >= size {
        return None;
    }
    Tile::in_tree(height, 0, id >> height.get(), size)
}

/// The tiles that are partial in the tree of `older` records, at their widths in the tree of `size`.
fn edge_inside(height: Height, size: u64, older: u64) -> impl Iterator<Item = Tile> {
    let older = if older <= size && size <= MAX_TREE_SIZE {
        older
    } else {
        0
    };
    (0u8..)
        .map(move |level| {
            (
                level,
                shift_right(older, u32::from(level) * u32::from(height.get())),
            )
        })
        .take_while(|&(_, hashes)| hashes > 0)
        .filter(move |&(_, hashes)| hashes % u64::from(height.full_width()) > 0)
        .filter_map(move |(level, hashes)| {
            Tile::in_tree(height, level, hashes >> height.get(), size)
        })
}

/// The narrowest tile that has the hash of that stored index. `None` if no tree up to [`MAX_TREE_SIZE`] has it.
pub fn tile_for_index(height: Height, index: u64) -> Option<Tile> {
    let place = Place::of(height, split_stored_hash_index(index)?);
    Tile::new(height.get(), place.level, place.index, place.end)
}

/// Where a node of the tree is among the tiles: the hash of the hashes `start..end` of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub level: u8,
    pub index: u64,
    pub start: u32,
    pub end: u32,
}

impl Place {
    /// The place of a node of a tree up to [`MAX_TREE_SIZE`].
    pub fn of(height: Height, (level, n): Node) -> Self {
        let inside = level % height.get();
        let nodes = height.get() - inside; // log2 of how many nodes of this level a tile has
        let index = n >> nodes;
        let start = ((n - (index << nodes)) as u32) << inside;
        Self {
            level: level / height.get(),
            index,
            start,
            end: start + (1 << inside),
        }
    }
}

#[cfg(test)]
mod tests;
