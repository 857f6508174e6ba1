//! Zips of which parts are known: what is known is believed, of just the bytes that it is known of.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::*;

const CONTENT: &[u8] = b"package m\n\nfunc F() {}\n";

fn known() -> Known {
    Known {
        method: 8,
        crc32: crc32fast::hash(CONTENT),
        unpacked: CONTENT.len() as u64,
        sha256: Sha256::digest(CONTENT).into(),
    }
}

/// A deflated entry, with a descriptor or not, between two stored ones; and where its data are.
fn zip(descriptor: bool) -> (Vec<u8>, Range<u64>) {
    let packed = deflate(CONTENT, 5);
    let entry = Entry {
        packed: &packed,
        method: 8,
        descriptor,
        ..stored("f.go", CONTENT)
    };
    let zip = zip_of(&[stored("a", b"A"), entry, stored("z", b"Z")]);
    let at = (zip.windows(packed.len()).position(|w| w == packed)).unwrap() as u64;
    (zip, at..at + packed.len() as u64)
}

fn check_knowing(zip: &[u8], range: &Range<u64>, known: Known) -> Result<ZipFacts, ZipError> {
    let mut say = |asked: Range<u64>| Ok((asked == *range).then_some(known));
    Checker::new().check_knowing(&module(), zip, &mut say)
}

#[test]
fn what_is_known_is_not_inflated_and_comes_to_the_same() {
    for descriptor in [false, true] {
        let (zip, range) = zip(descriptor);
        let mut checker = Checker::new();
        let want = checker.check(&module(), &zip).unwrap();
        assert_eq!(checker.contents.inflated(), CONTENT.len() as u64);
        // Bytes that are no deflate stream: nobody looks.
        let mut blank = zip.clone();
        blank[range.start as usize..range.end as usize].fill(0xff);
        assert_eq!(rule(&blank), Some(Rule::Corrupt));
        assert_eq!(check_knowing(&blank, &range, known()).unwrap(), want);
    }
}

#[test]
fn what_is_known_of_another_range_or_packing_is_of_no_use() {
    let (zip, range) = zip(false);
    let other = Known {
        sha256: [0; 32],
        ..known()
    };
    let want = check(&module(), &zip).unwrap();
    assert_ne!(check_knowing(&zip, &range, other).unwrap().h1, want.h1);
    for not_it in [
        range.start..range.end - 1,
        range.start..range.end + 1,
        range.start - 1..range.end,
    ] {
        assert_eq!(check_knowing(&zip, &not_it, other).unwrap(), want);
    }
    let stored = Known { method: 0, ..other };
    assert_eq!(check_knowing(&zip, &range, stored).unwrap(), want);
}

#[test]
fn what_is_known_must_be_what_the_directory_declares() {
    for descriptor in [false, true] {
        let (zip, range) = zip(descriptor);
        let size = CONTENT.len() as u64;
        let refused = |known| match check_knowing(&zip, &range, known).unwrap_err() {
            ZipError::Entry { rule, .. } => rule,
            other => panic!("{other}"),
        };
        let with = |unpacked| Known {
            unpacked,
            ..known()
        };
        assert_eq!(refused(with(size + 1)), Rule::Long(size));
        assert_eq!(refused(with(size - 1)), Rule::Short(size));
        let crc32 = known().crc32 ^ 1;
        assert_eq!(refused(Known { crc32, ..known() }), Rule::Checksum);
    }
}

#[test]
fn a_failure_to_know_is_a_failure_to_read() {
    let (zip, range) = zip(false);
    let mut fail = |asked: Range<u64>| match asked == range {
        true => Err(std::io::Error::other("gone")),
        false => Ok(None),
    };
    let error = Checker::new()
        .check_knowing(&module(), &zip, &mut fail)
        .unwrap_err();
    assert!(
        matches!(error, ZipError::Read { offset, .. } if offset == range.start),
        "{error}"
    );
}
