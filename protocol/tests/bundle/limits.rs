//! Each limit, from both sides. Those that index and manifest lines can reach are among the malformed files.

#![allow(clippy::unwrap_used)]

use modferry_protocol::bundle::{
    Encoding, Entry, IndexReader, IndexWriter, Item, MAX_INDEX_LINE, MAX_MANIFEST, MAX_PACK_ITEMS,
    MAX_PACK_RESTORED, Manifest, ManifestError, Missing, PackBuilder, PackError, Volume,
};
use modferry_protocol::trust::TrustError;

use super::common::*;

#[test]
fn a_manifest_has_a_million_bytes_at_most() {
    // What a volume may open with: the padding is there, the rest need not be.
    let front = |size: u64| {
        let mut front = header("manifest", size, |_| {}).to_vec();
        front.resize(512 + (size as usize).next_multiple_of(512), 0);
        front[512..512 + size as usize].fill(b'x');
        Volume::open(front.as_slice())
            .map(|v| v.manifest_note().len() as u64)
            .map_err(|e| e.to_string())
    };
    assert_eq!(front(MAX_MANIFEST), Ok(MAX_MANIFEST));
    assert_eq!(
        front(MAX_MANIFEST + 1),
        Err("manifest: 1000001 bytes: want 1 to 1000000".into())
    );

    let accept = |size: u64| policy().accept(&vec![b'x'; size as usize]).unwrap_err();
    assert!(matches!(accept(MAX_MANIFEST), TrustError::Untrusted(_)));
    assert!(matches!(
        accept(MAX_MANIFEST + 1),
        TrustError::TooLong(1_000_001)
    ));
}

#[test]
fn a_manifests_text_has_a_million_bytes_at_most() {
    let mut manifest = parts(&items()).manifest;
    let line = "missing example.com/x v1.0.0000000 404\n".len() as u64;
    let room = (MAX_MANIFEST - manifest.encode().len() as u64) / line;
    manifest.missing = (0..room)
        .map(|n| Missing {
            module: module(&format!("example.com/x@v1.0.{}", 1_000_000 + n)),
            reason: "404".into(),
        })
        .collect();
    let fill = MAX_MANIFEST as usize - manifest.encode().len();
    manifest.missing[0].reason = "x".repeat(3 + fill);
    let text = manifest.encode();
    assert_eq!(text.len() as u64, MAX_MANIFEST);
    assert_eq!(Manifest::parse(&text).unwrap(), manifest);
    manifest.missing[1].reason += "0";
    assert_eq!(
        Manifest::parse(&manifest.encode()),
        Err(ManifestError::TooLong(1_000_001))
    );
}

/// An entry whose item's line has that many bytes.
fn entry_of_line(len: usize) -> Entry {
    let path = "example.com/".to_owned() + &"a/".repeat(MAX_INDEX_LINE);
    let path_len = len - "mod  v1.0.0 9\n".len();
    let path = format!("{}b", &path[..path_len - 1]).replace("/b", "bb");
    assert_eq!(path.len(), path_len);
    let items = vec![(Item::Mod(module(&format!("{path}@v1.0.0"))), 9)];
    Entry {
        number: 1,
        encoding: Encoding::Zstd,
        stored: 1,
        sha256: [0; 32],
        items,
    }
}

#[test]
fn an_index_line_has_4096_bytes_at_most() {
    let mut writer = IndexWriter::new(Vec::new()).unwrap();
    writer.entry(&entry_of_line(MAX_INDEX_LINE)).unwrap();
    let index = writer.finish().0;
    let read: Result<Vec<_>, _> = IndexReader::new(index.as_slice()).collect();
    assert_eq!(read.unwrap(), [entry_of_line(MAX_INDEX_LINE)]);

    let mut writer = IndexWriter::new(Vec::new()).unwrap();
    let error = chain(
        &writer
            .entry(&entry_of_line(MAX_INDEX_LINE + 1))
            .unwrap_err(),
    );
    assert!(
        error.ends_with("a line of 4097 bytes: want at most 4096"),
        "{error}"
    );
    let index = String::from_utf8(index)
        .unwrap()
        .replace("mod example.com/", "mod example.com/x");
    let error = IndexReader::new(index.as_bytes())
        .find_map(Result::err)
        .unwrap();
    assert_eq!(chain(&error), "index line 3: longer than 4096 bytes");
}

#[test]
fn a_line_without_end_is_not_read_to_its_end() {
    let endless = std::io::BufReader::new(std::io::repeat(b'x'));
    let error = IndexReader::new(endless).next().unwrap().unwrap_err();
    assert_eq!(chain(&error), "index line 1: longer than 4096 bytes");
}

/// So many go.mods of one byte.
fn mods(count: usize) -> impl Iterator<Item = (Item, Vec<u8>)> {
    (0..count).map(|n| {
        (
            Item::Mod(module(&format!("example.com/a@v1.0.{n}"))),
            vec![b'm'],
        )
    })
}

#[test]
fn a_pack_has_16384_items_at_most() {
    let mut packs = PackBuilder::new();
    for (n, (item, bytes)) in mods(MAX_PACK_ITEMS + 1).enumerate() {
        let closed = packs.push(item, &bytes).unwrap();
        assert_eq!(
            closed.map(|pack| pack.items.len()),
            (n == MAX_PACK_ITEMS).then_some(MAX_PACK_ITEMS)
        );
    }
    assert_eq!(packs.finish().unwrap().unwrap().items.len(), 1);

    let index = |count: usize| {
        let lines: String = (0..count)
            .map(|n| format!("mod example.com/a v1.0.{n} 1\n"))
            .collect();
        format!(
            "modferry index v1\nentry zstd 1 {}\n{lines}",
            "0".repeat(64)
        )
    };
    let full = index(MAX_PACK_ITEMS);
    assert_eq!(
        IndexReader::new(full.as_bytes())
            .next()
            .unwrap()
            .unwrap()
            .items
            .len(),
        MAX_PACK_ITEMS
    );
    let over = index(MAX_PACK_ITEMS + 1);
    let error = IndexReader::new(over.as_bytes())
        .next()
        .unwrap()
        .unwrap_err();
    assert_eq!(
        chain(&error),
        "index line 16387: more than 16384 items in an entry"
    );
    let items = mods(MAX_PACK_ITEMS + 1)
        .map(|(item, _)| (item, 1))
        .collect();
    let entry = Entry {
        number: 1,
        encoding: Encoding::Zstd,
        stored: 1,
        sha256: [0; 32],
        items,
    };
    assert!(IndexWriter::new(Vec::new()).unwrap().entry(&entry).is_err());
}

#[test]
fn a_pack_closes_at_4_mib() {
    const TARGET: usize = 4 << 20;
    let item = |n: usize| Item::Mod(module(&format!("example.com/a@v1.0.{n}")));
    let mut packs = PackBuilder::new();
    assert!(packs.push(item(0), &vec![0; TARGET - 1]).unwrap().is_none());
    assert!(packs.push(item(1), &[0]).unwrap().is_none());
    let first = packs.push(item(2), &[0]).unwrap().unwrap();
    assert_eq!(first.items, [(item(0), TARGET as u64 - 1), (item(1), 1)]);
    // A large one is a pack of its own.
    let second = packs.push(item(3), &vec![0; 16 << 20]).unwrap().unwrap();
    assert_eq!(second.items, [(item(2), 1)]);
    let third = packs.push(item(4), &[0]).unwrap().unwrap();
    assert_eq!(third.items, [(item(3), 16 << 20)]);
    assert_eq!(packs.finish().unwrap().unwrap().items, [(item(4), 1)]);
    assert!(PackBuilder::new().finish().unwrap().is_none());
}

#[test]
fn the_largest_item_that_does_not_compress_goes_through() {
    // Bytes of a generator, so that zstd has nothing to find and the pack is larger than its contents.
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut bytes = Vec::with_capacity(MAX_PACK_RESTORED as usize);
    while bytes.len() < MAX_PACK_RESTORED as usize {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    let item = Item::Mod(module("example.com/a@v1.0.0"));
    let carried = vec![(item.clone(), bytes)];
    let parts = parts(&carried);
    assert!(parts.entries[0].0.stored > MAX_PACK_RESTORED);
    assert!(read(&volume(&parts)).unwrap() == carried);

    let error = PackBuilder::new()
        .push(item, &vec![0; MAX_PACK_RESTORED as usize + 1])
        .unwrap_err();
    assert!(matches!(
        error,
        PackError::TooLarge {
            size: 33_554_433,
            ..
        }
    ));
}
