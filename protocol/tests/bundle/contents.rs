//! Contents: what is written is read back, and what a hostile signer may have written is refused.

#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use modferry_deflate::Writer;
use modferry_protocol::bundle::{
    BaseEntry, ContentsError, ContentsWriter, Form, MAX_CONTENTS, MAX_CONTENTS_RESTORED,
    MAX_CONTENTS_STORED, MAX_CONTENTS_WINDOW_LOG, MAX_FORMS, MAX_PREFIX, MAX_PREFIX_PACKED,
    MAX_PREFIX_PARTS, PrefixSize, RestoredContents, StoredContents,
};
use proptest::collection::vec;
use proptest::prelude::*;
use zstd::stream::raw::CParameter;
use zstd::zstd_safe;

const CHAINS: Form = Form::Written(Writer::GoChains);
const TABLES: Form = Form::Written(Writer::GoTables);

type Content = (Vec<u8>, Vec<Form>);

/// What a writer makes of contents: the stored bytes, and how many they restore to.
fn write(
    prefix: &[u8],
    parts: &[BaseEntry],
    contents: &[Content],
) -> Result<(Vec<u8>, u64), ContentsError> {
    let table: Vec<_> = contents
        .iter()
        .map(|(bytes, forms)| (bytes.len() as u64, forms.clone()))
        .collect();
    let mut writer = ContentsWriter::new(3, prefix, parts, &table)?;
    for (bytes, _) in contents {
        writer.write_all(bytes).unwrap();
    }
    let restored = writer.restored();
    Ok((writer.finish()?, restored))
}

fn all(restored: &RestoredContents) -> Vec<Content> {
    (0..restored.len())
        .map(|n| (restored.content(n).to_vec(), restored.forms(n).to_vec()))
        .collect()
}

/// The frame of those bytes, behind a header without a prefix.
fn stored(restored: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(zstd::bulk::compress(restored, 1).unwrap());
    bytes
}

/// Why what is stored is not restored to that many bytes.
fn refused(stored: &[u8], size: u64) -> String {
    let restored = StoredContents::parse(stored.to_vec()).and_then(|s| s.restore(&[], size));
    restored.map(drop).unwrap_err().to_string()
}

/// Why what is restored is no contents.
fn refused_table(restored: &[u8]) -> String {
    refused(&stored(restored), restored.len() as u64)
}

fn taken(restored: &[u8]) -> Vec<Content> {
    let stored = StoredContents::parse(stored(restored)).unwrap();
    all(&stored.restore(&[], restored.len() as u64).unwrap())
}

fn any_forms() -> impl Strategy<Value = Vec<Form>> {
    proptest::sample::subsequence(vec![Form::AsIs, CHAINS, TABLES], 1..=3)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read(
        contents in vec((vec(any::<u8>(), 0..300), any_forms()), 1..20),
        prefix in vec(any::<u8>(), 0..500),
        parts in vec((any::<u32>(), any::<u32>()), 0..5),
    ) {
        let parts: Vec<_> = parts.into_iter().map(|(base, entry)| BaseEntry { base, entry }).collect();
        let (stored, size) = write(&prefix, &parts, &contents).unwrap();
        let stored = StoredContents::parse(stored).unwrap();
        prop_assert_eq!(stored.prefix(), parts);
        prop_assert_eq!(all(&stored.restore(&prefix, size).unwrap()), contents);
    }

    /// Whatever a table says: it is refused, or it is the one spelling of what is read.
    #[test]
    fn any_table_is_refused_or_written_again(
        table in vec(prop_oneof![0..4u8, any::<u8>()], 0..20),
        bytes in vec(any::<u8>(), 0..10),
    ) {
        let restored = [table, bytes].concat();
        let read = StoredContents::parse(stored(&restored)).unwrap().restore(&[], restored.len() as u64);
        if let Ok(read) = read {
            let (again, size) = write(&[], &[], &all(&read)).unwrap();
            prop_assert_eq!(size, restored.len() as u64);
            prop_assert_eq!(zstd::bulk::decompress(&again[1..], 100).unwrap(), restored);
        }
    }

    #[test]
    fn any_bytes_are_survived(stored in vec(any::<u8>(), 0..200), size in 0..1000u64) {
        if let Ok(stored) = StoredContents::parse(stored) {
            let _ = stored.restore(&[], size);
        }
    }
}

#[test]
fn a_changed_content_costs_its_change_where_the_prefix_has_it() {
    let mut state = 1u32;
    let noise: Vec<u8> = (0..40_000)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as u8
        })
        .collect();
    let mut changed = noise.clone();
    changed[20_000..20_004].copy_from_slice(b"diff");
    let part = BaseEntry { base: 7, entry: 9 };
    let contents = [(changed, vec![CHAINS])];
    let (with, size) = write(&noise, &[part], &contents).unwrap();
    let (without, _) = write(&[], &[], &contents).unwrap();
    assert!(with.len() < 200, "{} bytes", with.len());
    assert!(without.len() > 5000, "{} bytes", without.len());

    let stored = StoredContents::parse(with).unwrap();
    assert_eq!(all(&stored.restore(&noise, size).unwrap()), contents);
    // With another prefix there are other bytes, or none: what is made of them has hashes of its own.
    let other = stored.restore(&vec![0; noise.len()], size);
    assert!(other.is_err() || all(&other.unwrap()) != contents);
    assert!(stored.restore(&[], size).is_err());
}

#[test]
fn the_header_is_bounded_and_has_one_spelling() {
    let header = |bytes: &[u8]| {
        StoredContents::parse(bytes.to_vec())
            .map(|stored| stored.prefix().len())
            .map_err(|error| error.to_string())
    };
    let with = |count: usize| {
        [
            &[count as u8 | 0x80, (count >> 7) as u8],
            &vec![0; 2 * count][..],
        ]
        .concat()
    };
    assert_eq!(header(&with(MAX_PREFIX_PARTS)), Ok(MAX_PREFIX_PARTS));
    assert_eq!(
        header(&with(MAX_PREFIX_PARTS + 1)).unwrap_err(),
        "contents: a prefix of 4097 parts: want at most 4096"
    );
    assert_eq!(
        header(&[]).unwrap_err(),
        "contents: the header has no count"
    );
    assert_eq!(
        header(&[0x80, 0]).unwrap_err(),
        "contents: the header has no count"
    );
    let short = "contents: the header has not as many entries of bases as it counts";
    assert_eq!(header(&[1, 5]).unwrap_err(), short);
    assert_eq!(header(&[1, 5, 0x80, 0]).unwrap_err(), short);
    // 2^32 is no place in a list.
    assert_eq!(
        header(&[1, 0x80, 0x80, 0x80, 0x80, 0x10, 1]).unwrap_err(),
        short
    );
    let parts = vec![BaseEntry { base: 0, entry: 0 }; MAX_PREFIX_PARTS + 1];
    let one = [(vec![1], vec![CHAINS])];
    write(&[], &parts[1..], &one).unwrap();
    assert!(write(&[], &parts, &one).is_err());
}

#[test]
fn the_prefix_is_bounded() {
    let prefix = vec![7; MAX_PREFIX + 1];
    let one = [(b"content".to_vec(), vec![CHAINS])];
    let (stored, size) = write(&prefix[1..], &[], &one).unwrap();
    let stored = StoredContents::parse(stored).unwrap();
    stored.restore(&prefix[1..], size).unwrap();
    let error = stored.restore(&prefix, size).map(drop).unwrap_err();
    assert!(
        error.to_string().contains("a prefix of 16777217 bytes"),
        "{error}"
    );
    assert!(write(&prefix, &[], &one).is_err());
}

#[test]
fn what_a_prefix_comes_to_is_known_before_it_is_read() {
    let of = |entries: &[(u64, u64)]| {
        let size = (entries.iter()).fold(PrefixSize::default(), |size, (packed, unpacked)| {
            size.and(*packed, *unpacked)
        });
        size.check().map_err(|error| error.to_string())
    };
    let (packed, unpacked) = (MAX_PREFIX_PACKED as u64, MAX_PREFIX as u64);
    assert_eq!(of(&[]), Ok(()));
    assert_eq!(of(&[(packed, unpacked)]), Ok(()));
    assert_eq!(of(&[(packed - 1, 0), (1, unpacked)]), Ok(()));
    let error = of(&[(packed, 0), (1, 0)]).unwrap_err();
    assert!(
        error.contains("17825793 bytes in their zips: want at most 17825792"),
        "{error}"
    );
    let error = of(&[(0, 1), (0, unpacked)]).unwrap_err();
    assert!(
        error.contains("a prefix of 16777217 bytes: want at most 16777216"),
        "{error}"
    );
    assert!(of(&[(u64::MAX, 0), (u64::MAX, 0)]).is_err());
    assert!(of(&[(0, u64::MAX), (0, u64::MAX)]).is_err());
}

#[test]
fn the_stored_bytes_are_bounded() {
    let most = vec![0; MAX_CONTENTS_STORED as usize + 1];
    assert!(StoredContents::parse(most[1..].to_vec()).is_ok());
    assert!(StoredContents::parse(most).is_err());
}

#[test]
fn a_frame_is_as_large_as_it_may_be() {
    // The table has 8 bytes: a count, a size of 4, and one form are 6.
    let most = MAX_CONTENTS_RESTORED as usize - 6;
    let (stored, size) = write(&[], &[], &[(vec![0; most], vec![CHAINS])]).unwrap();
    assert_eq!(size, MAX_CONTENTS_RESTORED);
    let stored = StoredContents::parse(stored).unwrap();
    assert_eq!(stored.restore(&[], size).unwrap().content(0).len(), most);
    assert!(write(&[], &[], &[(vec![0; most + 1], vec![CHAINS])]).is_err());
}

#[test]
fn a_table_counts_contents_within_limits() {
    assert_eq!(taken(&[1, 0, 0]), [(vec![], vec![Form::AsIs])]);
    assert_eq!(
        taken(&[2, 1, 2, 1, 2, b'a', b'b', b'c']),
        [
            (b"a".to_vec(), vec![CHAINS]),
            (b"bc".to_vec(), vec![TABLES])
        ]
    );
    let table = |count: usize| {
        let mut bytes = vec![
            count as u8 | 0x80,
            (count >> 7) as u8 | 0x80,
            (count >> 14) as u8,
        ];
        bytes.extend(vec![0; 2 * count]);
        bytes
    };
    assert_eq!(taken(&table(MAX_CONTENTS)).len(), MAX_CONTENTS);
    assert!(refused_table(&table(MAX_CONTENTS + 1)).contains("65537 contents: want 1 to 65536"));
    assert!(refused_table(&[0]).contains("0 contents"));
    let many = vec![(vec![], vec![CHAINS]); MAX_CONTENTS + 1];
    write(&[], &[], &many[1..]).unwrap();
    assert!(write(&[], &[], &many).is_err());
    assert!(write(&[], &[], &[]).is_err());
}

#[test]
fn a_table_that_lies_is_refused() {
    for (table, why) in [
        (&[0x80, 0][..], "no count"),
        (&[2, 1], "ends in its sizes"),
        (&[1, 0x80], "ends in its sizes"),
        (&[1, 0x81, 0, 1, b'a'], "ends in its sizes"), // 1 in two bytes
        (&[1, 1], "ends in its forms"),
        (&[1, 1, 0x82, 0], "ends in its forms"),
        (&[1, 2, 1, b'a'], "contents of 2 bytes, and 1 are there"),
        (
            &[1, 1, 1, b'a', b'b'],
            "contents of 1 bytes, and 2 are there",
        ),
        (&[2, 0xff, 0xff, 0xff, 0xff, 0xf, 1, 1, 1], "4 GiB and more"),
        (&[1, 0x80, 0x80, 0x80, 0x80, 0x10, 1], "4 GiB and more"),
        (
            &[
                1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1,
            ],
            "4 GiB and more",
        ),
    ] {
        let error = refused_table(table);
        assert!(error.contains(why), "{table:?}: {error}");
    }
}

#[test]
fn forms_have_one_spelling_and_later_ones_are_told() {
    assert_eq!(
        taken(&[1, 1, 0x83, 0, 1, 2, b'a']),
        [(b"a".to_vec(), vec![Form::AsIs, CHAINS, TABLES])]
    );
    for (forms, why) in [
        (
            &[3][..],
            "the form 3: the bundle was made by a newer modferry",
        ),
        (
            &[0x7f],
            "the form 127: the bundle was made by a newer modferry",
        ),
        (&[0x80], "a list of 0 forms: want 2 to 8"),
        (&[0x81, 1], "a list of 1 forms: want 2 to 8"),
        (
            &[0x80 + MAX_FORMS as u8, 0, 1, 2, 3, 4, 5, 6, 7],
            "the form 3: the bundle was made by a newer",
        ),
        (
            &[0x81 + MAX_FORMS as u8, 0, 1, 2, 3, 4, 5, 6, 7, 8],
            "a list of 9 forms",
        ),
        (&[0x82, 1, 1], "out of order"),
        (&[0x82, 2, 1], "out of order"),
        (&[0x82, 0x82, 1, 2], "a list of forms in a list"),
    ] {
        let error = refused_table(&[&[1, 0], forms].concat());
        assert!(error.contains(why), "{forms:?}: {error}");
    }
    for forms in [vec![], vec![CHAINS, CHAINS], vec![TABLES, CHAINS]] {
        assert!(write(&[], &[], &[(vec![], forms)]).is_err());
    }
}

#[test]
fn a_writer_takes_the_bytes_that_it_was_told_of() {
    let table = [(3, vec![CHAINS])];
    let writer = || ContentsWriter::new(3, &[], &[], &table).unwrap();
    let mut short = writer();
    short.write_all(b"ab").unwrap();
    assert_eq!(
        short.finish().unwrap_err().to_string(),
        "contents: 1 bytes were not given"
    );
    assert!(writer().write_all(b"abcd").is_err());
    let overflow = [(u64::MAX, vec![CHAINS]), (1, vec![CHAINS])];
    assert!(ContentsWriter::new(3, &[], &[], &overflow).is_err());
}

/// A frame of a content of `size` zeros with those parameters.
fn frame(size: usize, set: impl Fn(&mut zstd_safe::CCtx<'_>)) -> (Vec<u8>, Vec<u8>) {
    let mut restored = vec![1];
    let mut rest = size;
    while rest >= 0x80 {
        restored.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    restored.extend([rest as u8, 1]);
    restored.resize(restored.len() + size, 0);
    let mut context = zstd_safe::CCtx::create();
    set(&mut context);
    let mut frame = Vec::with_capacity(zstd_safe::compress_bound(restored.len()));
    context.compress2(&mut frame, &restored).unwrap();
    (restored, [&[0], &frame[..]].concat())
}

#[test]
fn a_window_is_bounded() {
    let small = (10_000, b"x");
    for (window_log, ok) in [
        (MAX_CONTENTS_WINDOW_LOG, true),
        (MAX_CONTENTS_WINDOW_LOG + 1, false),
    ] {
        // Streamed, so that the size is not known and the window stands as it is asked for; then declared after all.
        let mut restored = vec![1, 0x90, 0x4e, 1];
        restored.extend(small.1.repeat(small.0));
        let mut stored = vec![
            0,
            0x28,
            0xb5,
            0x2f,
            0xfd,
            0x80,
            ((window_log - 10) << 3) as u8,
        ];
        stored.extend((restored.len() as u32).to_le_bytes());
        let mut plain = zstd::stream::raw::Encoder::new(1).unwrap();
        plain.set_parameter(CParameter::WindowLog(17)).unwrap();
        let mut streamed = zstd::stream::write::Encoder::with_encoder(Vec::new(), plain);
        streamed.write_all(&restored).unwrap();
        // Behind the magic number, a descriptor and the window come the blocks.
        stored.extend(&streamed.finish().unwrap()[6..]);
        let read = StoredContents::parse(stored).unwrap();
        let read = read.restore(&[], restored.len() as u64);
        assert_eq!(read.is_ok(), ok, "{window_log}: {:?}", read.map(drop));
    }
}

#[test]
fn a_frame_is_one_frame_of_the_declared_size() {
    let (restored, good) = frame(10_000, |_| {});
    let size = restored.len() as u64;
    assert!(
        StoredContents::parse(good.clone())
            .unwrap()
            .restore(&[], size)
            .is_ok()
    );

    // Its size lies, in the index or in the frame.
    assert!(refused(&good, size - 1).contains("the frame declares 10004 bytes, the index 10003"));
    let at = 1 + 4 + 1;
    let mut lies = good.clone();
    assert_eq!(
        lies[5] >> 5,
        0b011,
        "a single segment with a size of two bytes"
    );
    lies[at] += 1;
    assert!(refused(&lies, size + 1).contains("not to be decompressed"));
    lies[at] -= 2;
    assert!(refused(&lies, size - 1).contains("not to be decompressed"));

    // Something in front of it, or behind.
    let behind = [&good[..], &[0]].concat();
    assert!(refused(&behind, size).contains("1 bytes behind the frame"));
    let twice = [&good[..], &good[1..]].concat();
    assert!(refused(&twice, size).contains("bytes behind the frame"));
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 0];
    let before = [&[0], &skippable[..], &good[1..]].concat();
    assert!(refused(&before, size).contains("not a zstd frame"));
    let after = [&good[..], &skippable[..]].concat();
    assert!(refused(&after, size).contains("9 bytes behind the frame"));
    for cut in 1..good.len() {
        assert!(
            StoredContents::parse(good[..cut].to_vec())
                .unwrap()
                .restore(&[], size)
                .is_err()
        );
    }

    // No size, or a dictionary.
    let (_, unsized_frame) = frame(10_000, |context| {
        context
            .set_parameter(CParameter::ContentSizeFlag(false))
            .unwrap();
    });
    assert!(refused(&unsized_frame, size).contains("does not declare its size"));
    let mut named = good.clone();
    named[5] |= 1;
    assert!(refused(&named, size).contains("names a dictionary"));
}
