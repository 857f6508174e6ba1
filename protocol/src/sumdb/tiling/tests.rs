#![allow(clippy::unwrap_used)]
//! The closure against a model of the reference client.
//!
//! The model is what TileHashReader.ReadHashes (x/mod/sumdb/tlog/tile.go) plans to fetch, in its own terms and
//! arithmetic; the vectors in protocol/tests compare with the real one on large trees.

use proptest::prelude::*;

use super::super::tlog::{stored_hash_index, sub_tree_index};
use super::*;

const HEIGHTS: [u8; 4] = [1, 2, 3, 8];

/// The reference's tileForIndex, followed by tileParent(k): the k'th parent at its width in a tree of `size`.
fn reference_tile(height: u8, index: u64, k: u32, size: u64) -> Option<Tile> {
    let (level, n) = split_stored_hash_index(index).unwrap();
    let h = u32::from(height);
    let tile_level = u32::from(level) / h + k;
    let in_tile = u32::from(level) % h;
    let number = (n << in_tile >> h) >> (k * h);
    let most = size.checked_shr(tile_level * h).unwrap_or(0);
    let first = number << h;
    if first >= most {
        return None;
    }
    let width = (most - first).min(1 << h);
    Tile::new(height, tile_level as u8, number, width as u32)
}

/// The tiles that the reference's ReadHashes fetches to read `indexes` of a tree of `size`.
fn reference_plan(height: u8, size: u64, indexes: &[u64]) -> BTreeSet<Tile> {
    let mut plan = BTreeSet::new();
    for index in sub_tree_index(size).unwrap() {
        plan.insert(reference_tile(height, index, 0, size).unwrap());
    }
    for &index in indexes {
        let mut climbed = Vec::new();
        for k in 0.. {
            let tile = reference_tile(height, index, k, size).expect("the reference loses its way");
            if plan.contains(&tile) {
                break;
            }
            climbed.push(tile);
        }
        for tile in climbed {
            assert!(tile.is_full(), "the reference's bad math");
            plan.insert(tile);
        }
    }
    plan
}

/// What checkTrees fetches: the tree of `older` records hashed inside that of `size`.
fn check_trees(height: u8, size: u64, older: u64) -> BTreeSet<Tile> {
    match older {
        0 => BTreeSet::new(), // TreeHash(0) reads nothing
        _ => reference_plan(height, size, &sub_tree_index(older).unwrap()),
    }
}

/// What checkRecord fetches.
fn check_record(height: u8, size: u64, id: u64) -> BTreeSet<Tile> {
    reference_plan(height, size, &[stored_hash_index(0, id).unwrap()])
}

/// A client with a head of `older` looks up record `id` and is served the head of `size`.
fn lookup(height: u8, size: u64, older: u64, id: u64) -> BTreeSet<Tile> {
    &check_trees(height, size, older) | &check_record(height, size, id)
}

fn set(tiles: Vec<Tile>) -> BTreeSet<Tile> {
    let count = tiles.len();
    let set: BTreeSet<Tile> = tiles.into_iter().collect();
    assert_eq!(set.len(), count, "a tile twice");
    set
}

#[test]
fn each_part_is_what_the_reference_reads() {
    for h in HEIGHTS {
        let height = Height::new(h).unwrap();
        for size in 0..=100 {
            let edge = set(edge(height, size));
            assert_eq!(
                edge,
                reference_plan(h, size, &[]),
                "edge of {size}, height {h}"
            );
            for id in 0..size {
                let tiles = &set(tiles_of_record(height, size, id)) | &edge;
                assert_eq!(
                    tiles,
                    check_record(h, size, id),
                    "record {id} of {size}, height {h}"
                );
            }
            for older in 1..=size {
                let tiles = &set(tiles_of_older(height, size, older)) | &edge;
                assert_eq!(
                    tiles,
                    check_trees(h, size, older),
                    "{older} of {size}, height {h}"
                );
            }
        }
    }
}

#[test]
fn parents_come_with_their_children() {
    let height = Height::new(2).unwrap();
    for size in 1..=100 {
        let edge = set(edge(height, size));
        for older in 0..=size {
            let tiles = set(tiles_of_older(height, size, older));
            for tile in &tiles {
                match tile.parent(size) {
                    Some(parent) => assert!(tiles.contains(&parent)),
                    None => assert!(edge.contains(tile)),
                }
            }
        }
        for id in 0..size {
            let tiles = tiles_of_record(height, size, id);
            for pair in tiles.windows(2) {
                assert_eq!(pair[0].parent(size), Some(pair[1]));
            }
            assert_eq!(tiles[0].level(), 0);
            assert!(edge.contains(tiles.last().unwrap()));
        }
    }
}

/// Every record and every older head, one at a time: the closure answers the lookup, and without any one of its
/// tiles it fails.
#[test]
fn the_closure_is_enough_for_a_lookup_and_no_more() {
    let height = Height::new(2).unwrap();
    for size in 1..=70u64 {
        for older in 0..=size {
            for id in [
                0,
                older / 2,
                older.saturating_sub(1),
                older.min(size - 1),
                size - 1,
            ] {
                let closure = closure(height, size, [id], &[older]);
                assert_eq!(
                    closure,
                    lookup(2, size, older, id),
                    "{id}, {older} of {size}"
                );
            }
        }
    }
}

/// Sets of records and heads: each tile of the closure is needed by the lookup of some record from some head, and
/// no lookup needs another.
#[test]
fn the_closure_of_many_is_the_union_of_all_lookups() {
    let height = Height::new(2).unwrap();
    for size in 1..=70u64 {
        for step in 1..8 {
            let records: Vec<u64> = (0..size).step_by(3 * step as usize).collect();
            let older: Vec<u64> = (0..=size).step_by(5 + step as usize).collect();
            let mut needed = BTreeSet::new();
            for &id in &records {
                // A client may also start from nothing, or have the served head already.
                for &older in older.iter().chain(&[0, size]) {
                    needed.append(&mut lookup(2, size, older, id));
                }
            }
            assert_eq!(closure(height, size, records, &older), needed);
        }
    }
}

/// A client whose configuration has one older head and whose cached lookups have another checks the one inside
/// the other before it ever sees the served head: at the widths of a smaller tree, which are cut from the closure's.
#[test]
fn the_closure_serves_clients_between_two_older_heads() {
    let height = Height::new(2).unwrap();
    let size = 70;
    for newer in 1..=size {
        for older in 0..=newer {
            let closure = closure(height, size, [], &[older, newer]);
            for tile in check_trees(2, newer, older) {
                assert!(is_cut_from(&tile, &closure), "{tile} of {older} in {newer}");
            }
        }
        for id in 0..newer {
            let closure = closure(height, size, [id], &[newer]);
            for tile in check_record(2, newer, id) {
                assert!(
                    is_cut_from(&tile, &closure),
                    "{tile} of record {id} in {newer}"
                );
            }
        }
    }
}

fn is_cut_from(tile: &Tile, closure: &BTreeSet<Tile>) -> bool {
    (tile.width()..=4).any(|width| closure.contains(&tile.with_width(width).unwrap()))
}

#[test]
fn a_real_database_needs_few_tiles() {
    let size = 41_234_567;
    let paths = |tiles: Vec<Tile>| tiles.iter().map(Tile::path).collect::<Vec<_>>();
    assert_eq!(
        paths(edge(Height::GO, size)),
        [
            "tile/8/0/x161/072.p/135",
            "tile/8/1/629.p/48",
            "tile/8/2/002.p/117",
            "tile/8/3/000.p/2"
        ]
    );
    assert_eq!(
        paths(tiles_of_record(Height::GO, size, 12_345_678)),
        [
            "tile/8/0/x048/225",
            "tile/8/1/188",
            "tile/8/2/000",
            "tile/8/3/000.p/2"
        ]
    );
    assert_eq!(
        paths(tiles_of_older(Height::GO, size, 41_234_000)),
        [
            "tile/8/0/x161/070",
            "tile/8/1/629.p/48",
            "tile/8/2/002.p/117",
            "tile/8/3/000.p/2"
        ]
    );
}

#[test]
fn what_is_not_in_the_tree_adds_nothing() {
    for size in [0, 1, 70, MAX_TREE_SIZE - 1, MAX_TREE_SIZE] {
        for beyond in [size, size + 1, u64::MAX] {
            assert!(tiles_of_record(Height::GO, size, beyond).is_empty());
        }
        for beyond in [0, size + 1, u64::MAX] {
            assert!(tiles_of_older(Height::GO, size, beyond).is_empty());
        }
        let edge: BTreeSet<Tile> = edge(Height::GO, size).into_iter().collect();
        assert_eq!(
            closure(Height::GO, size, [size, u64::MAX], &[size + 1]),
            edge
        );
    }
    assert_eq!(edge(Height::GO, 0), []);
    assert_eq!(edge(Height::GO, MAX_TREE_SIZE).len(), 1);
    for size in [MAX_TREE_SIZE + 1, u64::MAX] {
        assert_eq!(edge(Height::GO, size), []);
        assert!(tiles_of_record(Height::GO, size, 5).is_empty());
        assert!(tiles_of_older(Height::GO, size, 5).is_empty());
    }
}

proptest! {
    #[test]
    fn the_parts_are_the_references_in_trees_of_any_size(
        h in 1u8..=30, size in 1..=MAX_TREE_SIZE, shift in 0u32..62, a: u64, b: u64
    ) {
        let height = Height::new(h).unwrap();
        let size = (size >> shift).max(1);
        let (id, older) = (a % size, b % size + 1);
        let found = closure(height, size, [id], &[older]);
        // The reference adds to numbers near 2^63 without care; below 2^60 it does not matter.
        if size < 1 << 60 {
            prop_assert_eq!(found, lookup(h, size, older, id));
        }
    }

    #[test]
    fn no_numbers_panic(h in 1u8..=30, size: u64, id: u64, older: u64, index: u64) {
        let height = Height::new(h).unwrap();
        closure(height, size, [id], &[older]);
        tile_for_index(height, index);
    }
}
