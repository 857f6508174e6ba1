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
    bundle::Parts,
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
fn layout(parts: &Parts) -> Vec<(Range<usize>, String)> {
    let mut at = 0;
    let mut found = Vec::new();
    for member in &parts.members {
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
    let ended = run(&mut half_way.import()).says(volume);
    assert!([3, 4].contains(&ended.code), "{what}\n{ended}");
    assert!(!ended.stderr.contains("panicked"), "{what}\n{ended}");
    assert!(
        names
            .iter()
            .any(|name| ended.stderr.contains(name.as_str())),
        "{what}: want one of {names:?}\n{ended}"
    );
}

#[test]
fn a_volume_on_a_bad_medium_is_refused_by_name() {
    let mut row = Row::new("each 4 KiB page of a volume zeroed, flipped, missing");
    let mut chance = Chance::new("a_volume_on_a_bad_medium_is_refused_by_name");
    let half_way = HalfWay::new(8, 120_000);
    let file: PathBuf = file_with_suffix(&half_way.bundle, ".tar");
    let good = fs::read(&file).unwrap();
    let layout = layout(&Parts::read(&half_way.bundle));
    let volume = file.file_name().unwrap().to_str().unwrap().to_owned();
    let faults = faults(good.len());
    for (page, fault) in sample(&faults, 10) {
        let Some(bad) = fault.strike(&good, page.clone(), &mut chance) else {
            continue; // a page of zeros
        };
        let changed = (0..good.len())
            .find(|at| bad.get(*at) != good.get(*at))
            .unwrap();
        // The page may begin in one part and hit the next one harder; a missing one moves all that follows.
        let names: Vec<String> = layout
            .iter()
            .filter(|(range, _)| range.contains(&changed))
            .flat_map(|(_, name)| [name.clone(), name.split('.').next().unwrap().to_owned()])
            .collect();
        fs::write(&file, &bad).unwrap();
        row.fault(|| {
            let what = format!("{fault:?} at {page:?}, first at {changed}");
            refused(&half_way, &volume, &names, &what);
        });
        if row.survived() % 40 == 1 {
            half_way.assert_old();
        }
    }
    half_way.assert_old();
    row.note(format!("{} pages", good.len().div_ceil(PAGE)));
    fs::write(&file, &good).unwrap();
    half_way.finishes();
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
                let ended = run(&mut half_way.import());
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
