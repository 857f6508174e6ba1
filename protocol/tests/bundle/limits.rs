//! Each limit, from both sides. Those that index and manifest lines can reach are among the malformed files.

#![allow(clippy::unwrap_used)]

use modferry_protocol::bundle::{
    Base, BasesReader, Encoding, Entry, IndexReader, IndexWriter, Item, Level, ListError,
    ListReader, MAX_BASES, MAX_INDEX_LINE, MAX_LIST_TEXT, MAX_MANIFEST, MAX_PACK_ITEMS,
    MAX_PACK_RESTORED, Manifest, ManifestError, Missing, PackBuilder, PackError, Volume,
    bases_texts, list_texts,
};
use modferry_protocol::module::ModuleVersion;
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
        zip_sha256: Vec::new(),
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
        zip_sha256: Vec::new(),
    };
    assert!(IndexWriter::new(Vec::new()).unwrap().entry(&entry).is_err());
}

/// A module whose line in a list of needs has that many bytes, and a minor version of six digits.
fn needed(line: usize, minor: usize) -> (ModuleVersion, Level) {
    let without = format!("mod example.com/ v1.{minor}.0\n").len();
    let path = "a".repeat(line - without);
    (
        module(&format!("example.com/{path}@v1.{minor}.0")),
        Level::Mod,
    )
}

#[test]
fn a_list_text_has_a_mib_at_most() {
    const FIRST: usize = "modferry needs v1\n".len();
    // Lines of 64 bytes, and a last one that fills the text to the byte.
    let full = (MAX_LIST_TEXT - FIRST) / 64;
    let rest = MAX_LIST_TEXT - FIRST - (full - 1) * 64;
    let lines = |last: usize| {
        let lines = (0..full - 1).map(|n| needed(64, 100_000 + n));
        let mut lines: Vec<_> = lines.chain([needed(last, 999_999)]).collect();
        lines.sort_by(|a, b| a.0.cmp(&b.0));
        lines
    };
    let texts =
        |last: usize| -> Vec<Vec<u8>> { list_texts(lines(last)).map(Result::unwrap).collect() };
    let one = texts(rest);
    assert_eq!(
        one.iter().map(Vec::len).collect::<Vec<_>>(),
        [MAX_LIST_TEXT]
    );
    assert_eq!(
        ListReader::<Level>::new().text(&one[0]).unwrap(),
        lines(rest)
    );
    // A byte more, and the last line is a text of its own, which begins like the first.
    let two = texts(rest + 1);
    assert_eq!(two.len(), 2);
    assert_eq!(two[0].len() + two[1].len(), MAX_LIST_TEXT + 1 + FIRST);
    let mut reader = ListReader::<Level>::new();
    let mut read = reader.text(&two[0]).unwrap();
    read.extend(reader.text(&two[1]).unwrap());
    assert_eq!(read, lines(rest + 1));
    assert_eq!(reader.count(), full as u64);

    let mut over = one[0].clone();
    over.push(b'x');
    assert_eq!(
        ListReader::<Level>::new().text(&over),
        Err(ListError::TooLong(MAX_LIST_TEXT + 1))
    );
}

#[test]
fn a_list_line_has_4096_bytes_at_most() {
    let text = |line: usize| list_texts([needed(line, 100_000)]).next().unwrap();
    let longest = text(MAX_INDEX_LINE).unwrap();
    let read = ListReader::<Level>::new().text(&longest).unwrap();
    assert_eq!(read, [needed(MAX_INDEX_LINE, 100_000)]);
    assert_eq!(text(MAX_INDEX_LINE + 1), Err(ListError::LongLine(4097)));
    let over = String::from_utf8(longest).unwrap().replace("/a", "/aa");
    assert_eq!(
        chain(
            &ListReader::<Level>::new()
                .text(over.as_bytes())
                .unwrap_err()
        ),
        "line 2: longer than 4096 bytes"
    );
}

#[test]
fn a_list_is_written_in_order() {
    let [a, b] = [needed(64, 100_000), needed(64, 100_001)];
    for lines in [[b.clone(), a.clone()], [a.clone(), a.clone()]] {
        let error = list_texts(lines).next().unwrap().unwrap_err();
        assert_eq!(
            error,
            ListError::Order {
                module: a.0.clone()
            }
        );
    }
    assert!(
        list_texts::<Level, _>([]).next().is_none(),
        "of nothing, no text"
    );
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

#[test]
fn a_bundle_has_65536_bases_at_most() {
    let bases: Vec<Base> = (0..=MAX_BASES)
        .map(|n| Base {
            module: module(&format!("example.com/a@v1.{n}.0")),
            sha256: [n as u8; 32],
        })
        .collect();
    assert!(matches!(bases_texts(&bases), Err(ListError::TooMany)));
    let texts = bases_texts(&bases[1..]).unwrap();
    assert!(texts.len() > 1 && texts.iter().all(|text| text.len() <= MAX_LIST_TEXT));
    let mut reader = BasesReader::new();
    let read: Vec<Base> = texts
        .iter()
        .flat_map(|text| reader.text(text).unwrap())
        .collect();
    assert!(read == bases[1..]);
    // One more, in a text of its own.
    let more = Base {
        module: module("example.com/b@v1.0.0"),
        sha256: [0; 32],
    };
    let text = bases_texts(&[more]).unwrap().remove(0);
    assert_eq!(reader.text(&text), Err(ListError::TooMany));
}

#[test]
fn a_text_of_bases_is_as_long_as_one_of_needs() {
    let of_line = |len: usize| {
        // Instead of a size of one digit there is a SHA-256.
        let Item::Mod(module) = entry_of_line(len - 63).items.remove(0).0 else {
            unreachable!()
        };
        Base {
            module,
            sha256: [0; 32],
        }
    };
    let text = bases_texts(&[of_line(MAX_INDEX_LINE)]).unwrap().remove(0);
    assert_eq!(text.len(), "modferry bases v1\n".len() + MAX_INDEX_LINE);
    assert_eq!(
        BasesReader::new().text(&text),
        Ok(vec![of_line(MAX_INDEX_LINE)])
    );
    assert_eq!(
        bases_texts(&[of_line(MAX_INDEX_LINE + 1)]),
        Err(ListError::LongLine(4097))
    );
    let mut long = text.clone();
    long.insert(text.len() - 75, b'a');
    assert!(matches!(
        BasesReader::new().text(&long),
        Err(ListError::Line { line: 2, .. })
    ));
    let mut endless = text;
    endless.resize(MAX_LIST_TEXT + 1, b'\n');
    assert_eq!(
        BasesReader::new().text(&endless),
        Err(ListError::TooLong(MAX_LIST_TEXT + 1))
    );
}
