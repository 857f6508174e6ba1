//! The tree's arithmetic, its proofs, its tiles, and the tiles that the reference's client reads.

use std::collections::BTreeSet;

use modferry_protocol::sumdb::{Hash, Height, MAX_LEVEL, MemoryLog, Tile, tiling, tlog};

use super::{Vector, replay};

fn log() -> MemoryLog {
    let mut log = MemoryLog::new();
    for id in 0..300 {
        log.push(format!("record {id}\n").as_bytes());
    }
    log
}

#[test]
fn hashes_are_where_the_reference_has_them_and_proofs_are_its() {
    let log = log();
    let reader = |indexes: &[u64]| log.read(indexes).ok_or(());
    let least = [
        ("StoredHashIndex", 300),
        ("SplitStoredHashIndex", 300),
        ("StoredHashCount", 170),
        ("TreeHash", 301),
        ("ProveRecord", 250),
        ("ProveTree", 250),
    ];
    replay("sumdb_tree.jsonl", &least, |vector| {
        let arguments = Vector::numbers(&vector.arguments);
        let answers = || Vector::numbers(&vector.out);
        let hashes = || -> Vec<Hash> { vector.out.iter().map(|h| h.parse().unwrap()).collect() };
        match (vector.f.as_str(), arguments.as_slice()) {
            ("StoredHashIndex", &[level, n]) => {
                let index = tlog::stored_hash_index(level as u8, n);
                assert_eq!(index, Some(answers()[0]), "{vector:?}");
            }
            ("SplitStoredHashIndex", &[index]) => {
                let (level, n) = tlog::split_stored_hash_index(index).unwrap();
                assert_eq!([u64::from(level), n], *answers(), "{vector:?}");
            }
            ("StoredHashCount", &[size]) => {
                assert_eq!(
                    tlog::stored_hash_count(size),
                    Some(answers()[0]),
                    "{vector:?}"
                );
            }
            ("TreeHash", &[size]) => {
                assert_eq!(
                    vec![tlog::tree_hash(size, reader).unwrap()],
                    hashes(),
                    "{vector:?}"
                );
            }
            ("ProveRecord", &[size, n]) => {
                let proof = tlog::prove_record(size, n, reader).ok();
                assert_eq!(proof, vector.ok.then(hashes), "{vector:?}");
            }
            ("ProveTree", &[size, older]) => {
                let proof = tlog::prove_tree(size, older, reader).ok();
                assert_eq!(proof, vector.ok.then(hashes), "{vector:?}");
            }
            _ => {}
        }
    });
}

/// What the reference publishes when a tree grows: every tile whose width in the newer tree is another than in the older.
fn new_tiles(height: Height, older: u64, newer: u64) -> BTreeSet<Tile> {
    let mut tiles = BTreeSet::new();
    for level in 0..=MAX_LEVEL {
        let hashes = |size: u64| {
            size.checked_shr(u32::from(level) * u32::from(height.get()))
                .unwrap_or(0)
        };
        let (first, last) = (hashes(older) >> height.get(), hashes(newer) >> height.get());
        for index in first..=last {
            let tile = Tile::in_tree(height, level, index, newer);
            if tile != Tile::in_tree(height, level, index, older) {
                tiles.extend(tile);
            }
        }
    }
    tiles
}

#[test]
fn tiles_are_the_references_and_so_is_what_a_client_reads() {
    let least = [
        ("ParseTilePath", 1000),
        ("TileForIndex", 200),
        ("NewTiles", 100),
        ("PlanOlder", 400),
        ("PlanRecord", 400),
    ];
    let mut deep = 0;
    replay("sumdb_tiles.jsonl", &least, |vector| {
        if vector.f == "ParseTilePath" {
            let path = vector.arguments[0].as_str();
            let want = vector.ok.then(|| vector.out.clone());
            let found = Tile::parse(path).ok().map(|tile| {
                assert_eq!(tile.path(), path);
                let level = match tile.is_data() {
                    true => "data".into(),
                    false => tile.level().to_string(),
                };
                let (index, width) = (tile.index().to_string(), tile.width().to_string());
                vec![tile.height().to_string(), level, index, width]
            });
            // The reference documents that levels end at 63, and does not check it.
            let is_deep = want.as_ref().is_some_and(|want| {
                want[1]
                    .parse::<u64>()
                    .is_ok_and(|level| level > u64::from(MAX_LEVEL))
            });
            match is_deep {
                true => deep += 1,
                false => assert_eq!(found, want, "{vector:?}"),
            }
            assert!(!(is_deep && found.is_some()), "{vector:?}");
            return;
        }
        let arguments = Vector::numbers(&vector.arguments);
        let height = Height::new(arguments[0] as u8).unwrap();
        match (vector.f.as_str(), &arguments[1..]) {
            ("TileForIndex", &[index]) => {
                let tile = tiling::tile_for_index(height, index).unwrap();
                assert_eq!(tile.path(), vector.out[0], "{vector:?}");
            }
            ("NewTiles", &[older, newer]) => {
                assert_eq!(
                    new_tiles(height, older, newer),
                    vector.tiles(),
                    "{vector:?}"
                );
            }
            ("PlanOlder", &[_, 0]) => assert!(vector.out.is_empty(), "{vector:?}"),
            ("PlanOlder", &[size, older]) => {
                let tiles = tiling::closure(height, size, [], &[older]);
                assert_eq!(tiles, vector.tiles(), "{vector:?}");
            }
            ("PlanRecord", &[size, id]) => {
                let tiles = tiling::closure(height, size, [id], &[]);
                assert_eq!(tiles, vector.tiles(), "{vector:?}");
            }
            _ => {}
        }
    });
    assert!(
        (1..100).contains(&deep),
        "{deep} tiles of impossible levels"
    );
}
