//! Where packed bytes lie.

use super::build::{Builder, Entry, PREFIX, deflate, stored, zip_of};
use crate::zip::{Checker, Listed, Place, Rule, ZipError, each_listed, packed_bytes, places};

#[test]
fn packed_bytes_are_found_in_the_directorys_order() {
    let packed = deflate(b"content of b", 6);
    let deflated = Entry {
        packed: &packed,
        method: 8,
        descriptor: true,
        ..stored("b", b"content of b")
    };
    let mut builder = Builder::default();
    builder.local(&stored("a", b"content of a"));
    let offset = builder.zip.len() as u32;
    builder.local(&deflated);
    builder.header(&deflated, offset, 7);
    builder.header(&stored("a", b"content of a"), 0, 0);
    let zip = builder.finish();

    let [b, a] = &places(&zip).unwrap()[..] else {
        panic!("two entries")
    };
    let bytes = |place: &Place| &zip[place.data.start as usize..place.data.end as usize];
    assert_eq!((bytes(a), bytes(b)), (&b"content of a"[..], &packed[..]));
    assert_eq!(b.name, format!("{PREFIX}b").as_bytes());
    assert_eq!((b.method, b.unpacked), (8, 12));
    assert_eq!(b.crc32, crc32fast::hash(b"content of b"));
    assert_eq!((a.header_offset, b.header_offset), (0, offset.into()));
    // One by one they are the same.
    let mut listed = Vec::new();
    each_listed(&zip, |entry| {
        listed.push(entry);
        Ok::<_, ZipError>(())
    })
    .unwrap();
    for (place, listed) in [b, a].into_iter().zip(listed) {
        let packed = place.data.end - place.data.start;
        let want = Listed {
            method: place.method,
            crc32: place.crc32,
            packed,
            unpacked: place.unpacked,
            header_offset: place.header_offset,
        };
        assert_eq!(listed, want);
        let lies = packed_bytes(&zip, listed.header_offset, packed).unwrap();
        assert_eq!(lies, Some(place.data.clone()));
    }
    let directory: usize = [a, b].iter().map(|place| 46 + place.name.len()).sum();
    let size = Checker::new().directory_size(&zip).unwrap();
    assert_eq!(size, directory as u64 + 7, "a comment of 7 bytes");
}

#[test]
fn what_does_not_lie_in_the_zip_is_refused() {
    let entry = stored("a", b"0123456789");
    let zip = zip_of(&[stored("a", b"0123456789")]);
    let size = zip.len() as u64;
    let with = |packed: &[u8], offset: u32| {
        let mut builder = Builder::default();
        builder.local(&entry);
        let of = Entry {
            packed,
            ..stored("a", b"0123456789")
        };
        builder.header(&of, offset, 0);
        places(&builder.finish())
    };
    // As many bytes as there are behind the local header, and one more.
    let behind = size as usize - 30 - PREFIX.len() - 1;
    assert_eq!(with(&vec![0; behind], 0).unwrap()[0].data.end, size);
    let rule = |result: Result<Vec<Place>, ZipError>| match result {
        Err(ZipError::Entry { rule, .. }) => rule,
        other => panic!("{other:?}"),
    };
    assert_eq!(rule(with(&vec![0; behind + 1], 0)), Rule::Short(10));
    assert_eq!(rule(with(b"0123456789", 1)), Rule::LocalHeader(1));
    let bytes = |offset, packed| packed_bytes(&zip, offset, packed).unwrap();
    let behind = behind as u64;
    assert_eq!(bytes(0, behind), Some(size - behind..size));
    assert_eq!(bytes(0, behind + 1), None);
    assert_eq!(bytes(0, u64::MAX), None);
    assert_eq!(bytes(1, 1), None);
    for outside in [size - 29, size, size + 1, u64::MAX] {
        assert_eq!(bytes(outside, 0), None);
    }
}
