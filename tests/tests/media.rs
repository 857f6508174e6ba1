//! Bad media: every page of a bundle in turn comes back as zeros, with a bit turned, or not at all.
//!
//! Always exit 4 (damaged) or 3 (the signature is what was hit), always the name of what lies there, never a panic, and
//! never a change to what is served.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use modferry_tests::{
    bundle::{Member, members},
    faults::{Chance, Row, sample},
    halfway::{HalfWay, State},
    run::run,
    site::file_with_suffix,
};

/// What 4096 bytes of a medium are read as.
const PAGE: usize = 4096;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Zeroed,
    Flipped,
    Missing,
}

impl Fault {
    /// The bytes as the medium gives them, unless they are what they were.
    fn strike(self, good: &[u8], page: Range<usize>, chance: &mut Chance) -> Option<Vec<u8>> {
        let mut bad = good.to_vec();
        match self {
            Fault::Zeroed => bad[page].fill(0),
            Fault::Flipped => {
                bad[page.start + chance.below(page.len() as u64) as usize] ^= 1 << chance.below(8)
            }
            Fault::Missing => drop(bad.drain(page)),
        }
        (bad != good).then_some(bad)
    }
}

/// The parts of a volume with where they lie, their names as errors say them.
fn layout(members: &[Member]) -> Vec<(Range<usize>, String)> {
    let mut at = 0;
    let mut found = Vec::new();
    for member in members {
        let length = 512 + member.data.len().next_multiple_of(512);
        found.push((at..at + length, member.name()));
        at += length;
    }
    found.push((at..usize::MAX, "end of the archive".into()));
    found
}

/// The page and the kind of fault.
fn faults(length: usize) -> Vec<(Range<usize>, Fault)> {
    (0..length)
        .step_by(PAGE)
        .flat_map(|at| {
            let page = at..length.min(at + PAGE);
            [Fault::Zeroed, Fault::Flipped, Fault::Missing].map(|fault| (page.clone(), fault))
        })
        .collect()
}

/// Imports what a bad medium gives: it must be refused, and say the volume's name and one of these.
#[track_caller]
fn refused(half_way: &HalfWay, volume: &str, names: &[String], what: &str) {
    let ended = run(&mut half_way.command()).says(volume);
    assert!([3, 4].contains(&ended.code), "{what}\n{ended}");
    assert!(!ended.stderr.contains("panicked"), "{what}\n{ended}");
    assert!(
        names
            .iter()
            .any(|name| ended.stderr.contains(name.as_str())),
        "{what}: want one of {names:?}\n{ended}"
    );
}

/// Every fault of every page of the bundle's volumes, or a few of them.
fn volumes_on_bad_media(half_way: &HalfWay, mut row: Row, few: usize) {
    let mut chance = Chance::new(row.what());
    let mut volumes: Vec<PathBuf> = fs::read_dir(&half_way.bundle)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "tar"))
        .collect();
    volumes.sort();
    let all: Vec<(&PathBuf, Range<usize>, Fault)> = volumes
        .iter()
        .flat_map(|file| {
            let length = fs::metadata(file).unwrap().len() as usize;
            faults(length)
                .into_iter()
                .map(move |(page, fault)| (file, page, fault))
        })
        .collect();
    for (file, page, fault) in sample(&all, few) {
        let good = fs::read(file).unwrap();
        let Some(bad) = fault.strike(&good, page.clone(), &mut chance) else {
            continue; // a page of zeros
        };
        let changed = (0..good.len())
            .find(|at| bad.get(*at) != good.get(*at))
            .unwrap();
        // The part where the first byte is another; by its name with or without an ending, as errors have it.
        let mut names: Vec<String> = layout(&members(&good))
            .iter()
            .filter(|(range, _)| range.contains(&changed))
            .flat_map(|(_, name)| [name.clone(), name.split('.').next().unwrap().to_owned()])
            .collect();
        // A volume whose manifest is another is told from a bundle's own by that, and by no part of it.
        if names.iter().any(|name| name == "manifest") {
            names.push("belongs to another bundle".into());
        }
        fs::write(file, &bad).unwrap();
        row.fault(|| {
            let volume = file.file_name().unwrap().to_str().unwrap();
            let what = format!("{volume}: {fault:?} at {page:?}, first at {changed}");
            refused(half_way, volume, &names, &what);
        });
        fs::write(file, &good).unwrap();
        if row.survived() % 40 == 1 {
            half_way.assert_old();
        }
    }
    half_way.assert_old();
    row.note(format!("{} pages", all.len() / 3));
    half_way.finishes();
}

#[test]
fn a_volume_on_a_bad_medium_is_refused_by_name() {
    let row = Row::new("each 4 KiB page of a volume zeroed, flipped, missing");
    volumes_on_bad_media(&HalfWay::new(8, 120_000), row, 10);
}

#[test]
fn one_of_several_volumes_on_a_bad_medium_is_refused_by_name() {
    let row = Row::new("each 4 KiB page of each of several volumes zeroed, flipped, missing");
    let half_way = HalfWay::exported_with(5, 120_000, &["--volume-size", "120KB"]);
    volumes_on_bad_media(&half_way, row, 8);
}

#[test]
fn a_manifest_on_a_bad_medium_is_refused_or_not_needed() {
    let mut row = Row::new("each byte of a manifest beside its volume flipped, cut");
    let half_way = HalfWay::new(2, 2000);
    let file = file_with_suffix(&half_way.bundle, ".manifest");
    let good = fs::read(&file).unwrap();
    let template: &Path = &half_way.site.root().join("untouched");
    half_way.copy_old_store(template);
    let places: Vec<usize> = (0..good.len()).collect();
    let mut passed = 0;
    for at in sample(&places, 4) {
        for bad in [
            [&good[..at], &[good[at] ^ 1], &good[at + 1..]].concat(),
            good[..at].to_vec(),
        ] {
            fs::write(&file, &bad).unwrap();
            row.fault(|| {
                let ended = run(&mut half_way.command());
                assert!(!ended.stderr.contains("panicked"), "{at}\n{ended}");
                match ended.code {
                    // The volume has the same manifest in it: the one beside it only adds signatures.
                    0 => {
                        passed += 1;
                        assert_eq!(half_way.state(), State::New, "{at}");
                        half_way.restore();
                    }
                    3 | 4 => {}
                    _ => panic!("{at}\n{ended}"),
                }
            });
        }
    }
    half_way.assert_old();
    row.note(format!("{passed} imported by the manifest in the volume"));
}
