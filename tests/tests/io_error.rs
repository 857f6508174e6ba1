//! A disk that begins to fail: from some fsync, rename, allocation … on, each one answers with an I/O error.
//!
//! The command says so, with an exit code that is not 0 and no panic; or it does without what failed (an allocation in
//! advance), and is whole. Either way what is served is one of the two states, and once the disk is mended the
//! same command is whole.

#![allow(clippy::unwrap_used)]

use modferry_tests::{
    faults::{Row, full, sample},
    halfway::{HalfWay, State},
    kill,
};

/// What [`kill::STEPS`] has no error for that a disk would give: folders are made and removed by the file system alone.
const NOT_OF_THE_DISK: [&str; 2] = ["mkdir", "mkdirat"];

fn failing_from_each_step(half_way: &HalfWay, mut row: Row, few: usize) {
    if !kill::can_trace() {
        return row.skipped("strace cannot trace here");
    }
    let log = half_way.site.root().join("steps");
    let counts = kill::count_steps(&half_way.command(), &log);
    let steps: Vec<(&str, u32)> = counts
        .iter()
        .filter(|(step, _)| !NOT_OF_THE_DISK.contains(step))
        .flat_map(|(step, count)| (1..=*count).map(|nth| (*step, nth)))
        .collect();
    let (mut failed, mut whole) = (0, 0);
    for (step, nth) in sample(&steps, few) {
        half_way.restore();
        row.fault(|| {
            let code = kill::failing_from(&half_way.command(), step, nth, "EIO");
            let state = half_way.state();
            match code {
                Some(0) => {
                    whole += 1;
                    assert_eq!(state, State::New, "{step} {nth}");
                }
                // 101 is a panic, and no code is a signal.
                Some(code) if code != 101 => failed += 1,
                other => panic!("{step} {nth}: {other:?}"),
            }
            half_way.finishes();
        });
    }
    row.note(format!("{failed} told as failures, {whole} done without"));
    // A handful may all be steps that can be done without.
    assert!(failed > 0 || !full(), "no failure of the disk was told");
}

#[test]
fn an_import_onto_a_failing_disk() {
    let row = Row::new("EIO for an import from each fsync, rename, unlink … on");
    failing_from_each_step(&HalfWay::new(3, 120_000), row, 5);
}

#[test]
fn a_gc_on_a_failing_disk() {
    let row = Row::new("EIO for a gc from each fsync, rename, unlink … on");
    failing_from_each_step(&HalfWay::before_gc(), row, 3);
}
