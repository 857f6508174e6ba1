//! Properties: what goes in comes out, and whatever comes in, nothing breaks.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::build::{Entry, PREFIX, Watched, deflate, stored, zip_of};
use super::{Window, check, module};
use crate::h1::H1;
use crate::zip::names::cmp_folded;

/// Names that neither collide nor have a go.mod: the elements of directories and of files are different ones.
fn name() -> impl Strategy<Value = String> {
    (vec("d[0-9ä]{1,2}", 0..3), "f[0-9a-z_ é]{0,5}[0-9]").prop_map(|(directories, file)| {
        let mut path = directories.join("/");
        if !path.is_empty() {
            path.push('/');
        }
        path + &file
    })
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..100),
        vec(any::<u8>(), 0..2000),
        // Long matches, and more than one buffer of output.
        (vec(any::<u8>(), 1..50), 0usize..8000).prop_map(|(unit, times)| unit.repeat(times)),
    ]
}

#[derive(Clone, Copy, Debug)]
struct Packing {
    level: Option<u32>,
    descriptor: bool,
}

fn packing() -> impl Strategy<Value = Packing> {
    let level = proptest::option::weighted(0.8, 0u32..=9);
    (level, any::<bool>()).prop_map(|(level, descriptor)| Packing { level, descriptor })
}

fn zip(files: impl Iterator<Item = (String, Vec<u8>, Packing)>) -> Vec<u8> {
    let files: Vec<(String, Vec<u8>, Vec<u8>, Packing)> = files
        .map(|(name, content, packing)| {
            let packed = packing
                .level
                .map_or(content.clone(), |level| deflate(&content, level));
            (name, content, packed, packing)
        })
        .collect();
    let entries: Vec<Entry<'_>> = files
        .iter()
        .map(|(name, content, packed, packing)| Entry {
            packed,
            method: if packing.level.is_some() { 8 } else { 0 },
            descriptor: packing.descriptor,
            ..stored(name, content)
        })
        .collect();
    zip_of(&entries)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn h1_is_that_of_the_files(files in btree_map(name(), (content(), packing()), 0..8)) {
        let expected = H1::of_files(files.iter().map(|(name, (content, _))| {
            (format!("{PREFIX}{name}"), Sha256::digest(content).into())
        }));
        let total: usize = files.values().map(|(content, _)| content.len()).sum();
        let count = files.len();
        let zip = zip(files.into_iter().map(|(name, (content, packing))| (name, content, packing)));
        let facts = check(&module(), &zip).unwrap();
        prop_assert_eq!(facts.h1, expected.unwrap());
        prop_assert_eq!(facts.files as usize, count);
        prop_assert_eq!(facts.unpacked, total as u64);
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..300), end in any::<[u8; 18]>()) {
        let mut zip = bytes;
        let _ = check(&module(), &zip);
        zip.extend(b"PK\x05\x06");
        zip.extend(end);
        let _ = check(&module(), &zip);
    }

    #[test]
    fn damage_is_answered_and_costs_no_more_reading(
        files in vec((content(), packing()), 1..5),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let files = files.into_iter().enumerate();
        let mut zip = zip(files.map(|(i, (content, packing))| (i.to_string(), content, packing)));
        for (at, byte) in damage {
            // The last kilobyte holds the directory, where damage does most.
            let tail = zip.len().saturating_sub(1024);
            let at = tail + at.index(zip.len() - tail);
            zip[at] = byte;
        }
        let source = Watched::new(&zip, usize::MAX);
        let _ = check(&module(), &source);
        prop_assert!(source.bytes.get() <= 2 * zip.len() as u64 + 4 * Window::<[u8]>::CAPACITY as u64);
    }

    /// The order that collisions are found by is one: transitive, and equal for the same letters in any case.
    #[test]
    fn folded_order_is_an_order(
        a in "[aAkK\u{212a}sSſßẞσςΣ/-]{0,6}", b in "[aAkK\u{212a}sSſßẞσςΣ/-]{0,6}", c in "[aAkK\u{212a}sSſßẞσςΣ/-]{0,6}",
    ) {
        prop_assert_eq!(cmp_folded(&a, &b), cmp_folded(&b, &a).reverse());
        if cmp_folded(&a, &b).is_le() && cmp_folded(&b, &c).is_le() {
            prop_assert!(cmp_folded(&a, &c).is_le());
        }
        prop_assert!(cmp_folded(&a, &a.to_ascii_uppercase()).is_eq());
    }
}
