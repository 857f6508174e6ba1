#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{TestBundle, TestModule, TestSumdb};
use modferry_protocol::bundle::{Encoding, Entry, IndexWriter, Item, Manifest};
use std::io::{Read as _, Write as _};

fn module(name: &str) -> ModuleVersion {
    name.parse().unwrap()
}

fn db() -> DbName {
    DbName::new("sum.example.org").unwrap()
}

fn side<'a>(name: &str, held: &[&str]) -> Side<'a> {
    let held: Vec<_> = held
        .iter()
        .map(|text| match text.strip_prefix("mod ") {
            Some(text) => Ok((module(text), Level::Mod)),
            None => Ok((module(text), Level::Zip)),
        })
        .collect();
    Side {
        name: name.into(),
        held: Box::new(held.into_iter()),
        tiles: None,
        heads: None,
    }
}

fn told(a: Side<'_>, b: Side<'_>) -> (Vec<String>, Summary) {
    let mut lines = Vec::new();
    let summary = compare(a, b, &mut |difference| {
        lines.push(difference.to_string());
        Ok(())
    });
    (lines, summary.unwrap())
}

#[test]
fn both_directions_and_both_levels() {
    let (lines, summary) = told(
        side(
            "a",
            &[
                "a.test/a@v1.0.0",
                "mod a.test/a@v1.9.0",
                "a.test/a@v1.10.0",
                "mod a.test/c@v1.0.0",
            ],
        ),
        side(
            "b",
            &[
                "a.test/a@v1.0.0",
                "a.test/a@v1.9.0",
                "a.test/b@v1.0.0",
                "mod a.test/c@v1.0.0",
                "mod a.test/d@v1.0.0",
            ],
        ),
    );
    assert_eq!(
        lines,
        [
            "+ zip a.test/a@v1.9.0 (the other has its go.mod)",
            "- zip a.test/a@v1.10.0",
            "+ zip a.test/b@v1.0.0",
            "+ mod a.test/d@v1.0.0",
        ]
    );
    assert_eq!(summary.same, 2);
    let only = |zips, mods| Only {
        zips,
        mods,
        ..Only::default()
    };
    assert_eq!((summary.only_a, summary.only_b), (only(1, 0), only(2, 1)));
    assert_eq!(
        summary.to_string(),
        "- only in a: 1 zip, 0 go.mod files, tiles not known, tree heads not known\n\
         + only in b: 2 zips, 1 go.mod file, tiles not known, tree heads not known\n\
         2 module versions are the same in both"
    );
    let (lines, summary) = told(side("a", &[]), side("b", &[]));
    assert_eq!((lines.len(), summary.same), (0, 0));
}

#[test]
fn an_unsorted_side_is_refused() {
    for held in [
        &["a.test/b@v1.0.0", "a.test/a@v1.0.0"][..],
        &["a.test/a@v1.0.0", "mod a.test/a@v1.0.0"],
        &["a.test/a@v1.10.0", "a.test/a@v1.9.0"],
    ] {
        for (a, b) in [(held, &[][..]), (&[], held)] {
            let error = compare(side("a", a), side("b", b), &mut |_| Ok(())).unwrap_err();
            assert!(matches!(error, DiffError::Order { .. }), "{error:?}");
            assert_eq!(error.exit(), Exit::Damaged);
        }
    }
}

/// An index of these items, in a file behind some other bytes.
fn index(items: &[Item]) -> IndexFile {
    let mut writer = IndexWriter::new(Vec::new()).unwrap();
    let small = |item: &&Item| !matches!(item, Item::Zip(_));
    let mut entry = |encoding, items: Vec<(Item, u64)>| {
        let entry = Entry {
            number: writer.next_number(),
            encoding,
            stored: 1,
            sha256: [0; 32],
            items,
            zip_sha256: Vec::new(),
        };
        writer.entry(&entry).unwrap();
    };
    let pack: Vec<_> = items
        .iter()
        .filter(small)
        .map(|item| (item.clone(), 32))
        .collect();
    if !pack.is_empty() {
        entry(Encoding::Zstd, pack);
    }
    for item in items.iter().filter(|item| !small(item)) {
        entry(Encoding::Raw, vec![(item.clone(), 1)]);
    }
    let (bytes, digest, _) = writer.finish();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"before").unwrap();
    file.write_all(&bytes).unwrap();
    file.write_all(b"behind").unwrap();
    IndexFile::new(file, 6, digest.size)
}

/// A manifest with a head of that size.
fn manifest(size: u64) -> Manifest {
    let mut sumdb = TestSumdb::new(db().as_str());
    let module = TestModule::new("a.test/a@v1.0.0", &[]);
    sumdb.add(&module);
    let mut manifest = TestBundle::of(&sumdb, &[&module], &[]).manifest(&[], b"");
    for (_, head) in &mut manifest.heads {
        head.size = size;
    }
    manifest
}

#[test]
fn several_bundles_are_one_side() {
    let tile = |index, width| Item::Tile(db(), Tile::new(8, 0, index, width).unwrap());
    let first = index(&[
        tile(0, 7),
        tile(0, 9),
        tile(1, 256),
        Item::Mod(module("a.test/a@v1.0.0")),
        Item::Mod(module("a.test/b@v1.0.0")),
        Item::Zip(module("a.test/a@v1.0.0")),
    ]);
    // The zip of a go.mod that was carried before, and a tile that has grown.
    let second = index(&[
        tile(0, 200),
        Item::Mod(module("a.test/c@v1.0.0")),
        Item::Zip(module("a.test/b@v1.0.0")),
    ]);
    let heads = [manifest(9), manifest(200)];
    let both = bundles(
        "both",
        &[
            (heads[0].clone(), first.clone()),
            (heads[1].clone(), second.clone()),
        ],
    );
    let (lines, summary) = told(both, bundles("first", &[(heads[0].clone(), first.clone())]));
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], "- zip a.test/b@v1.0.0 (the other has its go.mod)");
    assert_eq!(lines[1], "- mod a.test/c@v1.0.0");
    assert!(
        lines[2].starts_with("- head sum.example.org 200 "),
        "{}",
        lines[2]
    );
    assert_eq!(summary.same, 1);
    assert_eq!(summary.only_a.tiles, Some(1), "the tile that has grown");
    assert_eq!(
        summary.only_b,
        Only {
            tiles: Some(0),
            heads: Some(0),
            ..Only::default()
        }
    );

    let (_, summary) = told(
        bundles("second", &[(heads[1].clone(), second)]),
        bundles("first", &[(heads[0].clone(), first)]),
    );
    assert_eq!(
        (summary.only_a.tiles, summary.only_b.tiles),
        (Some(1), Some(1))
    );
    assert_eq!(
        (summary.only_a.heads, summary.only_b.heads),
        (Some(1), Some(1))
    );
}

#[test]
fn a_list_is_read_line_by_line() {
    let text = "{\"module\":\"a.test/a\",\"version\":\"v1.0.0\",\"size\":12,\"sha256\":\"00\"}\n\
                {\"module\":\"a.test/a\",\"query\":\"main\",\"version\":\"v1.0.0\",\"asked\":\"\"}\n\
                {\"file\":\"tool.tar\",\"size\":7,\"sha256\":\"00\"}\n\
                {\"vulnerability_database\":\"2026-11-20T12:00:00Z\",\"documents\":5}\n\
                {\"module\":\"a.test/b\",\"version\":\"v1.0.0\",\"size\":null}\n";
    let held: Vec<Held> = list("l", text.as_bytes())
        .held
        .map(Result::unwrap)
        .collect();
    assert_eq!(
        held,
        [
            (module("a.test/a@v1.0.0"), Level::Zip),
            (module("a.test/b@v1.0.0"), Level::Mod)
        ]
    );
    let long = |len: usize| {
        let front = "{\"module\":\"a.test/a\",\"version\":\"v1.0.0\",\"more\":\"";
        format!("{front}{}\"}}\n", "x".repeat(len - front.len() - 3))
    };
    assert!(
        list("l", long(MAX_LIST_LINE).as_bytes())
            .held
            .all(|held| held.is_ok())
    );
    for bad in [
        &text[..text.len() - 1],
        "{}\n",
        "\n",
        "not json\n",
        "{\"module\":\"../a\",\"version\":\"v1.0.0\",\"size\":1}\n",
        "{\"module\":\"a.test/a\",\"version\":\"main\",\"size\":1}\n",
        &long(MAX_LIST_LINE + 1),
    ] {
        let error = list("l", bad.as_bytes()).held.find_map(Result::err);
        assert!(
            matches!(error, Some(DiffError::Line { .. })),
            "{bad:?}: {error:?}"
        );
    }
}

#[test]
fn what_cannot_be_read_or_told_ends_it() {
    // An index that is cut.
    let whole = index(&[Item::Mod(module("a.test/a@v1.0.0"))]);
    let mut bytes = Vec::new();
    whole.bytes().read_to_end(&mut bytes).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes[..bytes.len() - 3]).unwrap();
    let cut = IndexFile::new(file, 0, bytes.len() as u64);
    let side_of = |index| bundles("x", &[(manifest(1), index)]);
    let error = compare(side_of(cut), side("b", &[]), &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.exit(), Exit::Damaged, "{error:?}");

    let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
    let error = compare(side_of(whole), side("b", &[]), &mut |_| Err(broken())).unwrap_err();
    assert!(matches!(error, DiffError::Tell(_)), "{error:?}");
}
