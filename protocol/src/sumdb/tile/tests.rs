#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

fn tile(path: &str) -> Tile {
    Tile::parse(path).unwrap()
}

#[test]
fn paths_group_the_index_by_three_digits() {
    let cases = [
        ("tile/3/4/x001/x234/067.p/1", Tile::new(3, 4, 1_234_067, 1)),
        ("tile/3/4/x001/x234/067", Tile::new(3, 4, 1_234_067, 8)),
        ("tile/8/0/000", Tile::new(8, 0, 0, 256)),
        ("tile/8/63/x001/000.p/255", Tile::new(8, 63, 1000, 255)),
        ("tile/8/data/x001/000.p/3", Tile::new_data(8, 1000, 3)),
        (
            "tile/30/data/x009/x223/x372/x036/x854/x775/807.p/1073741823",
            Tile::new_data(30, MAX_TILE_INDEX, (1 << 30) - 1),
        ),
    ];
    for (path, want) in cases {
        let want = want.unwrap();
        assert_eq!(want.path(), path);
        assert_eq!(Tile::parse(path), Ok(want));
        assert!(path.len() <= MAX_TILE_PATH);
    }
}

#[test]
fn other_spellings_and_impossible_tiles_are_refused() {
    let bad = [
        "",
        "tile",
        "tile/",
        "tile/8",
        "tile/8/0",
        "tile/8/0/",
        "/tile/8/0/000",
        "tile/8/0/000/",
        "tile/8/0/0",
        "tile/8/0/0000",
        "tile/8/0/x000",
        "tile/8/0/x000/000",
        "tile/8/0/001/000",
        "tile/8/0/x001/x000",
        "tile/8/0/+01",
        "tile/8/0/-01",
        "tile/0/0/000",
        "tile/31/0/000",
        "tile/08/0/000",
        "tile/8/00/000",
        "tile/8/64/000",
        "tile/8/-1/000",
        "tile/8/Data/000",
        "tile/8/0/000.p",
        "tile/8/0/000.p/",
        "tile/8/0/000.p/0",
        "tile/8/0/000.p/256",
        "tile/8/0/000.p/01",
        "tile/8/0/000.p/1/2",
        "tile/8/0/.p/1",
        "tile/8/0.p/1",
        "tile/8.p/1",
        "tile/8/data/x009/x223/x372/x036/x854/x775/808",
        "tile/8/0/x018/x446/x744/x073/x709/x551/616",
    ];
    for path in bad {
        assert!(Tile::parse(path).is_err(), "{path:?}");
    }
    let long = format!("tile/8/0/{}000", "x001/".repeat(1_000_000));
    assert!(Tile::parse(&long).unwrap_err().0.len() <= MAX_TILE_PATH);
}

#[test]
fn coordinates_have_limits() {
    assert!(Tile::new(0, 0, 0, 1).is_none());
    assert!(Tile::new(30, 0, 0, 1 << 30).is_some());
    assert!(Tile::new(31, 0, 0, 1).is_none());
    assert!(Tile::new(8, MAX_LEVEL, 0, 1).is_some());
    assert!(Tile::new(8, MAX_LEVEL + 1, 0, 1).is_none());
    assert!(Tile::new(8, 0, MAX_TILE_INDEX, 1).is_some());
    assert!(Tile::new(8, 0, MAX_TILE_INDEX + 1, 1).is_none());
    assert!(Tile::new(8, 0, 0, 0).is_none());
    assert!(Tile::new(8, 0, 0, 256).is_some());
    assert!(Tile::new(8, 0, 0, 257).is_none());
    let large = Tile::in_tree(Height::GO, 7, 0, MAX_TREE_SIZE).unwrap();
    assert_eq!(large.width(), 1 << 6);
    assert_eq!(Tile::in_tree(Height::GO, 7, 0, MAX_TREE_SIZE + 1), None);
}

#[test]
fn a_tile_is_cut_from_a_wider_one() {
    let bytes: Vec<u8> = (0..96).collect();
    let narrow = tile("tile/8/0/000.p/2");
    assert_eq!(narrow.cut(&bytes), Some(&bytes[..64]));
    assert_eq!(narrow.cut(&bytes[..64]), Some(&bytes[..64]));
    assert_eq!(narrow.cut(&bytes[..63]), None);
    assert_eq!(tile("tile/8/data/000.p/2").cut(&bytes), None);
    assert_eq!(narrow.full(), tile("tile/8/0/000"));
    assert_eq!(narrow.with_width(3), Some(tile("tile/8/0/000.p/3")));
    assert_eq!(narrow.with_width(0), None);
    assert_eq!(narrow.with_width(257), None);
}

#[test]
fn only_full_tiles_have_parents() {
    let size = 300;
    assert_eq!(
        tile("tile/8/0/000").parent(size),
        Some(tile("tile/8/1/000.p/1"))
    );
    // What counts is the width in the tree, not the one asked about.
    assert_eq!(
        tile("tile/8/0/000.p/5").parent(size),
        Some(tile("tile/8/1/000.p/1"))
    );
    assert_eq!(tile("tile/8/0/001.p/44").parent(size), None);
    assert_eq!(tile("tile/8/1/000.p/1").parent(size), None);
    assert_eq!(tile("tile/8/0/002").parent(size), None);
    assert_eq!(tile("tile/8/data/000").parent(size), None);
}

proptest! {
    #[test]
    fn every_tile_has_one_path(height in 1u8..=30, level in 0u8..=63, index: u64, width: u32, data: bool) {
        let index = index & MAX_TILE_INDEX;
        let width = width % (1 << height) + 1;
        let tile = match data {
            true => Tile::new_data(height, index, width),
            false => Tile::new(height, level, index, width),
        };
        let tile = tile.unwrap();
        prop_assert_eq!(Tile::parse(&tile.path()), Ok(tile));
    }

    #[test]
    fn no_text_panics_and_what_parses_is_written_the_same(
        path in "(tile/)?[0-9]{1,3}/(data|[0-9]{1,3})(/x?[0-9]{1,4}){0,8}(\\.p/[0-9]{1,4})?|.*"
    ) {
        if let Ok(tile) = Tile::parse(&path) {
            prop_assert_eq!(tile.path(), path);
        }
    }

    #[test]
    fn no_coordinates_panic(height: u8, level: u8, index: u64, width: u32, size: u64) {
        if let Some(tile) = Tile::new(height, level, index, width) {
            tile.parent(size);
            Tile::in_tree(Height::new(height).unwrap(), level, index, size);
        }
    }
}
