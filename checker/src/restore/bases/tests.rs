//! Bases: what is read of them, what it may come to, and whose fault it is when it fails.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{Packing, zip_of};
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{MAX_PREFIX, MAX_PREFIX_PACKED};

fn module(n: usize) -> ModuleVersion {
    format!("example.com/m@v1.{n}.0").parse().unwrap()
}

fn base(n: usize, zip: Vec<u8>) -> Base<Vec<u8>> {
    Base {
        module: module(n),
        sha256: Sha256::digest(&zip).into(),
        zip,
    }
}

fn bases_of(zips: Vec<Vec<u8>>, most: u64) -> Bases<Vec<u8>> {
    let bases = zips.into_iter().enumerate().map(|(n, zip)| base(n, zip));
    Bases::new(bases.collect(), most, &std::env::temp_dir()).unwrap()
}

/// A zip of so many files of one byte.
fn of_files(count: usize) -> Vec<u8> {
    let names: Vec<String> = (0..count).map(|n| format!("f{n}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b"x"[..])).collect();
    zip_of(&module(0), &files, Packing::Stored)
}

fn entry(base: u32, entry: u32) -> BaseEntry {
    BaseEntry { base, entry }
}

fn told(error: io::Error) -> CheckError {
    BaseError::told(error, "a volume", "an entry", "reading".into())
}

#[test]
fn entries_are_found_by_their_places() {
    let files: &[(&str, &[u8])] = &[("a", b"as it is"), ("b", b""), ("c", b"cc")];
    let all = bases_of(
        vec![
            zip_of(&module(0), files, Packing::Stored),
            zip_of(&module(1), files, Packing::Deflated),
        ],
        100,
    );
    let reader = all.reader();
    for n in [1, 0] {
        for (place, (_, content)) in files.iter().enumerate() {
            let packed = reader.get(entry(n, place as u32)).unwrap().unwrap();
            assert_eq!(packed.unpacked as usize, content.len());
            assert_eq!(packed.crc32, crc32fast::hash(content));
            let mut out = Vec::new();
            reader.copy(n, &packed, &mut out).unwrap();
            assert_eq!(out.len(), packed.packed as usize);
            let prefix = reader.prefix(&[entry(n, place as u32)]).unwrap();
            assert_eq!(prefix, *content);
        }
    }
    let all_of_it = reader
        .prefix(&[entry(1, 0), entry(0, 2), entry(1, 2)])
        .unwrap();
    assert_eq!(all_of_it, b"as it iscccc");
    assert_eq!(reader.get(entry(0, 3)).unwrap(), None);
    assert_eq!(reader.get(entry(2, 0)).unwrap(), None);
}

#[test]
fn more_entries_than_are_written_at_once_are_found_too() {
    let count = 2 * BUFFER / RECORD as usize + 7;
    let all = bases_of(
        vec![of_files(3), of_files(count), of_files(2)],
        count as u64 + 5,
    );
    let reader = all.reader();
    for (n, of) in [(2, 2), (1, count), (0, 3)] {
        let last = entry(n, of as u32 - 1);
        assert_eq!(reader.get(last).unwrap().unwrap().packed, 1);
        assert_eq!(reader.get(entry(n, of as u32)).unwrap(), None);
    }
    let offset = |n: usize| reader.get(entry(1, n as u32)).unwrap().unwrap().offset;
    assert!((1..count).all(|n| offset(n) > offset(n - 1)));
}

#[test]
fn the_entries_of_all_bases_are_bounded() {
    let zips = || vec![of_files(3), of_files(4)];
    let enough = bases_of(zips(), 7);
    let reader = enough.reader();
    assert!(reader.get(entry(1, 3)).unwrap().is_some());
    assert!(reader.get(entry(0, 2)).unwrap().is_some());

    let few = bases_of(zips(), 6);
    let reader = few.reader();
    assert!(reader.get(entry(0, 2)).unwrap().is_some());
    let error = told(reader.get(entry(1, 0)).unwrap_err());
    assert_eq!(error.exit(), Exit::Damaged);
    let CheckError::Damaged { source, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(
        source.to_string(),
        "the zips that it is packed against have together more than 6 entries"
    );
}

/// A zip whose directory says that of its only file.
fn that_says(packed: u32, unpacked: u32, deflated: bool, size: usize) -> Vec<u8> {
    let mut zip = zip_of(&module(0), &[("f", &vec![0; size])], Packing::Stored);
    let directory = zip.len() - 22 - 46 - module(0).to_string().len() - 2;
    zip[directory + 10] = if deflated { 8 } else { 0 };
    zip[directory + 20..][..4].copy_from_slice(&packed.to_le_bytes());
    zip[directory + 24..][..4].copy_from_slice(&unpacked.to_le_bytes());
    zip
}

#[test]
fn what_a_prefix_is_packed_to_is_bounded_as_what_it_is() {
    let room = MAX_PREFIX_PACKED + 1;
    let prefix = |packed: usize, unpacked: usize, parts: usize| {
        let zip = that_says(packed as u32, unpacked as u32, true, room);
        let all = bases_of(vec![zip], 1);
        let parts = vec![entry(0, 0); parts];
        all.reader().prefix(&parts).unwrap_err().to_string()
    };
    // What is let in is read, and found to be no deflate stream.
    let read = "entry 0 of base 0, which it is compressed against, is not what its zip says";
    assert_eq!(prefix(MAX_PREFIX_PACKED, 1, 1), read);
    assert_eq!(prefix(MAX_PREFIX_PACKED / 2, 1, 2), read);
    assert_eq!(prefix(1, MAX_PREFIX, 1), read);
    let packed =
        "contents: a prefix whose entries have 17825793 bytes in their zips: want at most 17825792";
    assert_eq!(prefix(MAX_PREFIX_PACKED + 1, 1, 1), packed);
    assert!(prefix(MAX_PREFIX_PACKED / 2 + 1, 1, 2).contains("17825794 bytes in their zips"));
    let unpacked = "contents: a prefix of 16777217 bytes: want at most 16777216";
    assert_eq!(prefix(1, MAX_PREFIX + 1, 1), unpacked);
}

#[test]
fn a_stored_entry_of_a_prefix_is_as_long_as_it_says() {
    let prefix = |packed, unpacked| {
        let all = bases_of(vec![that_says(packed, unpacked, false, 100)], 1);
        all.reader()
            .prefix(&[entry(0, 0)])
            .map_err(|error| error.to_string())
    };
    assert_eq!(prefix(100, 100), Ok(vec![0; 100]));
    assert!(
        prefix(100, 99)
            .unwrap_err()
            .contains("is not what its zip says")
    );
    assert!(
        prefix(99, 100)
            .unwrap_err()
            .contains("is not what its zip says")
    );
}

#[test]
fn a_base_that_is_no_zip_any_more_is_the_destinations_trouble() {
    let good = of_files(2);
    let mut no_directory = good.clone();
    let end = no_directory.len() - 22;
    no_directory[end] ^= 1;
    let mut no_entry = good.clone();
    no_entry[0] ^= 1;
    let all = bases_of(vec![no_directory, no_entry], 100);
    let reader = all.reader();
    let first = told(reader.get(entry(0, 0)).unwrap_err());
    let packed = reader.get(entry(1, 0)).unwrap().unwrap();
    let second = told(reader.copy(1, &packed, &mut Vec::new()).unwrap_err());
    for (n, error) in [first, second].into_iter().enumerate() {
        assert_eq!(error.exit(), Exit::Other);
        assert!(
            error.advice().unwrap().contains("modferry-appliance fsck"),
            "{error}"
        );
        assert_eq!(
            error.to_string(),
            format!(
                "zip {}, which is held here and which this bundle is packed against, is damaged",
                module(n)
            )
        );
    }
}

#[test]
fn of_the_bases_that_were_read_one_that_has_changed_is_named() {
    let mut changed = base(1, of_files(2));
    changed.zip[40] ^= 1;
    let unread = Base {
        sha256: [0; 32],
        ..base(2, of_files(3))
    };
    let bases = vec![base(0, of_files(1)), changed, unread];
    let all = Bases::new(bases, 100, &std::env::temp_dir()).unwrap();
    assert!(all.damaged().is_none(), "nothing was read");
    all.reader().get(entry(0, 0)).unwrap();
    assert!(all.damaged().is_none());
    all.reader().get(entry(1, 0)).unwrap();
    let Some(CheckError::Held { module: of, source }) = all.damaged() else {
        panic!("it is not found")
    };
    assert_eq!(of, module(1));
    assert!(source.to_string().contains("SHA-256"), "{source}");
}
