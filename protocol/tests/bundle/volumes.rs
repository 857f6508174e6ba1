//! Bundles in several volumes: however they are cut, they read as the one volume does, and only in order.

#![allow(clippy::unwrap_used)]

use std::io::{self, ErrorKind};

use modferry_protocol::bundle::{
    BundleWriter, CutError, Item, MAX_VOLUMES, ReadError, Sequence, Volume, VolumePlan, WriteError,
    cut,
};
use modferry_protocol::note;
use proptest::prelude::*;

use super::common::*;

/// The plan of a bundle in volumes of that size.
pub fn plan(parts: &Parts, limit: u64) -> Result<Vec<VolumePlan>, CutError> {
    let stored = parts.entries.iter().map(|(entry, _)| entry.stored);
    cut(front(parts), stored, Some(limit))
}

/// The size of a volume that has so many blocks of entries, headers included.
pub fn with_blocks(parts: &Parts, blocks: u64) -> u64 {
    front(parts) + 1024 + 1024 + blocks * 512
}

/// A bundle of five entries in four volumes. The first has entries 1 and 2, the second entry 3 and 2048 bytes of
/// entry 4, the third 3072 more, the fourth the last 880, and entry 5.
pub fn spanning() -> (Parts, Vec<Vec<u8>>) {
    let mut items = items_with_zips(&[700, 40, 6000, 300]);
    // Few small things: tests read it thousands of times.
    items.retain(|(item, _)| matches!(item, Item::Head(_) | Item::Info(_) | Item::Zip(_)));
    let parts = parts(&items);
    let volumes = volumes(&parts, Some(with_blocks(&parts, 7)));
    assert_eq!(volumes.len(), 4);
    (parts, volumes)
}

/// A bundle whose zips have from a byte to ten blocks, and its pack several.
fn bundle() -> Parts {
    parts(&items_with_zips(&[1, 1400, 512, 513, 5000, 30, 2048]))
}

#[test]
fn every_cut_reads_as_the_whole() {
    let parts = bundle();
    let whole = volume(&parts);
    let carried = read(&whole).unwrap();
    let accepted = policy().accept(&parts.note).unwrap();
    // A header, and a block of something.
    let least = with_blocks(&parts, 2);
    assert_eq!(
        plan(&parts, least - 1),
        Err(CutError::TooSmall {
            limit: least - 1,
            least
        })
    );
    let mut counts = Vec::new();
    for limit in least..=whole.len() as u64 + 1 {
        let plans = plan(&parts, limit).unwrap();
        if limit % 512 != 0 && limit % 512 != 511 {
            assert_eq!(plans, plan(&parts, limit - limit % 512).unwrap());
            continue;
        }
        let volumes = volumes(&parts, Some(limit));
        assert_eq!(volumes.len(), plans.len());
        for (volume, plan) in volumes.iter().zip(&plans) {
            assert_eq!(volume.len() as u64, plan.size, "planned to the byte");
            assert!(plan.size <= limit, "{plan:?} in {limit} bytes");
        }
        assert_eq!(read_volumes(&volumes, &accepted).unwrap(), carried);
        for (number, volume) in (1..).zip(&volumes) {
            let parts = parts_of(volume, &accepted).unwrap();
            assert!(
                parts.iter().all(|(_, ok)| *ok),
                "volume {number}: {parts:?}"
            );
        }
        counts.push(volumes.len());
    }
    // Everything was cut that can be, the pack too; and in the end, nothing.
    let extents = |n: usize| parts.entries[n].0.stored.div_ceil(512) as usize;
    let all: usize = (0..parts.entries.len()).map(extents).sum();
    assert!(extents(0) > 1, "the pack has more than a block");
    assert_eq!(counts.first(), Some(&all));
    assert_eq!(counts.last(), Some(&1));
    assert_eq!(volumes(&parts, Some(whole.len() as u64)), [whole]);
}

#[test]
fn a_bundle_without_entries_has_one_volume() {
    let parts = parts(&[]);
    let least = with_blocks(&parts, 0);
    assert_eq!(volumes(&parts, Some(least)), [volume(&parts)]);
    assert_eq!(volume(&parts).len() as u64, least);
    assert!(plan(&parts, least - 1).is_err());
    let accepted = policy().accept(&parts.note).unwrap();
    assert_eq!(
        parts_of(&volume(&parts), &accepted).unwrap(),
        [("end of the archive".into(), true)]
    );
}

#[test]
fn an_entry_that_spans_volumes_may_be_passed_over_unread() {
    let parts = bundle();
    let accepted = policy().accept(&parts.note).unwrap();
    let volumes = volumes(&parts, Some(with_blocks(&parts, 3)));
    let first = Volume::open(volumes[0].as_slice()).unwrap();
    let nth = |n: u32| Ok(volumes[n as usize - 1].as_slice());
    let mut entries = entries_of(first, &accepted, nth).unwrap();
    let mut buf = [0; 700];
    while let Some(mut incoming) = entries.next().unwrap() {
        let before = incoming.volume();
        if incoming.entry().number % 2 == 0 {
            incoming.read(&mut buf).unwrap();
        }
        let entry = incoming.finish().unwrap();
        assert_eq!(entry, parts.entries[entry.number as usize - 1].0);
        assert!(before >= 1);
    }
    entries.finish().unwrap();
}

/// The error of reading these volumes as a bundle: the number of the volume that it is about, and its text.
fn refused(parts: &Parts, volumes: &[&[u8]]) -> (Option<u32>, String) {
    let accepted = policy().accept(&parts.note).unwrap();
    let error = read_volumes(volumes, &accepted).unwrap_err();
    (error.volume(), chain(&error))
}

#[test]
fn volumes_come_in_order() {
    let parts = bundle();
    let cut = volumes(&parts, Some(with_blocks(&parts, 9)));
    let [a, b, c, d] = cut.iter().map(Vec::as_slice).collect::<Vec<_>>()[..] else {
        panic!("{} volumes", cut.len());
    };
    let of = |volumes: &[&[u8]]| refused(&parts, volumes);
    let expected = |n: u32, found: &str| {
        let text = format!("expected volume {n}, found volume {found} of 4");
        (Some(n), text)
    };
    assert_eq!(of(&[a, c, b, d]), expected(2, "3"));
    assert_eq!(of(&[a, a, b, c, d]), expected(2, "1"));
    assert_eq!(of(&[a, b, b, c, d]), expected(3, "2"));
    assert_eq!(of(&[a, b, d]), expected(3, "4"));
    // The first is not known to be the first before it says so.
    assert_eq!(of(&[b, c, d]).1, "expected volume 1, found volume 2 of 4");
    let absent = |n: u32| (Some(n), format!("volume {n} of 4 is not there"));
    let not_there = |volumes: &[&[u8]]| {
        let (volume, text) = of(volumes);
        (volume, text.split(": ").next().unwrap().to_owned())
    };
    assert_eq!(not_there(&[a]), absent(2));
    assert_eq!(not_there(&[a, b, c]), absent(4));
    assert!(of(&[]).1.contains("the volume ends in manifest"));
}

#[test]
fn a_volume_that_cannot_be_opened_is_no_missing_one() {
    let parts = bundle();
    let cut = volumes(&parts, Some(with_blocks(&parts, 9)));
    let accepted = policy().accept(&parts.note).unwrap();
    let nth = |_: u32| Err::<&[u8], _>(io::Error::from(ErrorKind::PermissionDenied));
    let first = Volume::open(cut[0].as_slice()).unwrap();
    let mut entries = entries_of(first, &accepted, nth).unwrap();
    let error = loop {
        match entries.next().map(|entry| entry.unwrap().finish()) {
            Ok(Ok(_)) => {}
            Ok(Err(error)) | Err(error) => break error,
        }
    };
    assert!(
        matches!(
            error,
            ReadError::Io {
                volume: Some(2),
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn volumes_of_another_bundle_are_foreign() {
    let ours = bundle();
    // The same contents, a later bundle of the stream; and its own first number with other contents.
    let mut later = ours.clone();
    later.manifest.sequence = Sequence::new(2).unwrap();
    later.note = note::sign(&later.manifest.encode(), &[&key()]).unwrap();
    let other = parts(&items_with_zips(&[2, 1400, 512, 513, 5000, 30, 2048]));
    let size = with_blocks(&ours, 9);
    let mine = volumes(&ours, Some(size));
    for theirs in [later, other] {
        let theirs = volumes(&theirs, Some(size));
        for foreign in 1..mine.len() {
            let mut mixed: Vec<&[u8]> = mine.iter().map(Vec::as_slice).collect();
            mixed[foreign] = &theirs[foreign];
            let (volume, text) = refused(&ours, &mixed);
            assert_eq!(volume, Some(foreign as u32 + 1));
            assert_eq!(
                text,
                "the volume belongs to another bundle: its manifest is not that of platform.000001.manifest"
            );
        }
    }
}

#[test]
fn volumes_of_two_cuts_do_not_mix() {
    let parts = bundle();
    let all: Vec<Vec<Vec<u8>>> = (2..30)
        .map(|blocks| volumes(&parts, Some(with_blocks(&parts, blocks))))
        .filter(|cut| cut.len() > 1)
        .collect();
    let (mut counts, mut places) = (0, 0);
    for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
        // Where they end at the same place, the second's rest is as good as the first's.
        if a[0] == b[0] || a.len() < 2 || b.len() < 2 {
            continue;
        }
        let mut mixed: Vec<&[u8]> = vec![&a[0]];
        mixed.extend(b[1..].iter().map(Vec::as_slice));
        let accepted = policy().accept(&parts.note).unwrap();
        match read_volumes(&mixed, &accepted) {
            Ok(carried) => assert_eq!(carried, read(&volume(&parts)).unwrap()),
            Err(error) => {
                assert_eq!(error.volume(), Some(2), "{error}");
                let text = error.to_string();
                counts += usize::from(text.starts_with("expected volume 2 of"));
                places += usize::from(text.ends_with("they are not from one cut"));
            }
        }
    }
    assert!(counts > 50 && places > 5, "{counts} {places}");
}

#[test]
fn a_bundle_has_999_volumes_at_most() {
    let extents = |parts: &Parts| -> u64 {
        let entries = parts.entries.iter();
        entries.map(|(entry, _)| entry.stored.div_ceil(512)).sum()
    };
    // One pack and one zip, each block in a volume of its own.
    let of_blocks = |zip: u64| parts(&items_with_zips(&[512 * zip as usize]));
    let pack = extents(&of_blocks(1)) - 1;
    let most = of_blocks(u64::from(MAX_VOLUMES) - pack);
    assert_eq!(extents(&most), u64::from(MAX_VOLUMES));
    let limit = with_blocks(&most, 2);
    let volumes = volumes(&most, Some(limit));
    assert_eq!(volumes.len(), 999);
    let accepted = policy().accept(&most.note).unwrap();
    assert_eq!(
        read_volumes(&volumes, &accepted).unwrap(),
        read(&volume(&most)).unwrap()
    );
    let more = of_blocks(u64::from(MAX_VOLUMES) + 1 - pack);
    assert_eq!(extents(&more), u64::from(MAX_VOLUMES) + 1);
    let least = with_blocks(&more, 3);
    assert_eq!(
        plan(&more, with_blocks(&more, 2)),
        Err(CutError::TooSmall {
            limit: with_blocks(&more, 2),
            least
        })
    );
    assert!(plan(&more, least).is_ok());
}

#[test]
fn a_plan_is_for_one_bundle() {
    let ours = bundle();
    let theirs = parts(&items_with_zips(&[3000, 3000]));
    let limit = with_blocks(&ours, 4);
    let write = |plans: Vec<VolumePlan>| -> Result<(), WriteError> {
        let mut writer = BundleWriter::new(Vec::new(), &ours.note, &ours.index, plans)?;
        for (entry, bytes) in &ours.entries {
            writer.entry(entry, &mut bytes.as_slice())?;
        }
        writer.finish().map(drop)
    };
    let good = plan(&ours, limit).unwrap();
    write(good.clone()).unwrap();
    for plans in [
        plan(&theirs, limit).unwrap(),
        Vec::new(),
        good[1..].to_vec(),
        good[..good.len() - 1].to_vec(),
        [good.clone(), good.clone()].concat(),
    ] {
        let error = write(plans).unwrap_err();
        assert!(matches!(error, WriteError::Mismatch { .. }), "{error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bundle_in_any_volumes(sizes in proptest::collection::vec(1..4000usize, 0..12), blocks in 2..20u64) {
        let parts = parts(&items_with_zips(&sizes));
        let accepted = policy().accept(&parts.note).unwrap();
        let volumes = volumes(&parts, Some(with_blocks(&parts, blocks)));
        let carried = read_volumes(&volumes, &accepted).unwrap();
        prop_assert_eq!(carried, read(&volume(&parts)).unwrap());
    }
}
