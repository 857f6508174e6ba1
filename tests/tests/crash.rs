//! kill -9 at many points of an import: the old state goes on being served, and the same import again is whole.
//!
//! Two ways of choosing the point. At random moments, whatever the process is doing then, also in its own computing.
//! And before each system call that makes something durable or visible (`kill::STEPS`), one after the other, by strace: what
//! lies between two of them is the same on disk. What a kill does not show is what a power cut does: tests/power.rs.

#![allow(clippy::unwrap_used)]

use std::{
    io::Write as _,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use modferry_tests::{
    faults::{Chance, Row, full, sample, tries},
    halfway::{HalfWay, State},
    kill,
    run::{finished_quietly, modferry},
};

/// Starts an import from a pipe, so that a test decides how much of the bundle it has seen.
fn import_from_pipe(half_way: &HalfWay) -> Child {
    modferry("modferry-appliance", half_way.site.root())
        .args(["import", "-", "--store"])
        .arg(half_way.site.store())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn an_import_killed_at_many_bytes_of_its_stream() {
    let half_way = HalfWay::new(12, 120_000);
    let volume = half_way.volume();
    let mut row = Row::new("kill -9 of an import at a byte of its pipe");
    let steps = tries(8, 48);
    for step in 0..steps {
        row.fault(|| {
            let mut child = import_from_pipe(&half_way);
            let cut = volume.len() * step / steps;
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(&volume[..cut]).unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            half_way.assert_old();
        });
    }
    half_way.finishes();
}

#[test]
fn an_import_killed_at_random_moments() {
    let half_way = HalfWay::new(12, 120_000);
    let mut row = Row::new("kill -9 of an import at a random moment");
    let mut chance = Chance::new("an_import_killed_at_random_moments");
    let mut before = 0;
    for _ in 0..tries(5, 200) {
        half_way.restore();
        let moment = chance.moment(half_way.whole);
        row.fault(|| {
            let ended = kill::after(&mut half_way.import(), moment);
            match half_way.state() {
                State::Old => {
                    assert_eq!(ended, None, "an import that succeeded is not visible");
                    before += 1;
                }
                State::New => {}
            }
            half_way.finishes();
        });
    }
    row.note(format!(
        "{before} before its commit, {} behind it",
        row.survived() - before
    ));
    // A handful may all come late on a machine that has become faster since the rehearsal.
    assert!(before > 0 || !full(), "no kill came before the commit");
}

#[test]
fn an_import_killed_at_each_step() {
    let mut row = Row::new("kill -9 of an import before each fsync, rename, unlink …");
    if !kill::can_trace() {
        return row.skipped("strace cannot trace here");
    }
    let half_way = HalfWay::new(3, 120_000);
    let log = half_way.site.root().join("steps");
    let counts = kill::count_steps(&half_way.import(), &log);
    let steps: Vec<(&str, u32)> = counts
        .iter()
        .flat_map(|(step, count)| (1..=*count).map(|nth| (*step, nth)))
        .collect();
    let mut killed = 0;
    for (step, nth) in sample(&steps, 8) {
        half_way.restore();
        row.fault(|| {
            let ended = kill::at(&half_way.import(), step, nth);
            killed += u32::from(ended.is_none());
            let state = half_way.state();
            assert!(
                ended.is_none() || state == State::New,
                "{step} {nth}: an import that succeeded is not visible"
            );
            half_way.finishes();
        });
    }
    row.note(format!("{counts:?}, {killed} killed"));
    assert!(killed > 0, "strace killed nothing");
}

#[test]
fn a_second_import_at_once_says_who_holds_the_store() {
    let half_way = HalfWay::new(6, 120_000);
    let volume = half_way.volume();
    let mut first = import_from_pipe(&half_way);
    let mut stdin = first.stdin.take().unwrap();
    stdin.write_all(&volume[..volume.len() / 2]).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        // Until the first one has the lock, a second may find the store free; it then is the one that imports.
        let second = half_way.site.appliance(&["import", &half_way.bundle]);
        if second.code == 8 {
            second.says(&first.id().to_string());
            break;
        }
        assert_eq!(second.code, 0, "{second}");
        assert!(
            Instant::now() < deadline,
            "the first import never took the lock"
        );
    }
    let _ = stdin.write_all(&volume[volume.len() / 2..]);
    drop(stdin);
    assert!(first.wait().unwrap().success());
    assert_eq!(half_way.state(), State::New);
}

#[test]
fn imports_at_once_that_wait_are_all_whole() {
    let half_way = HalfWay::new(6, 120_000);
    let mut row = Row::new("imports of the same bundle at once, waiting for each other");
    for _ in 0..tries(1, 10) {
        half_way.restore();
        row.fault(|| {
            std::thread::scope(|scope| {
                let imports: Vec<_> = (0..4)
                    .map(|_| {
                        let mut import = half_way.import();
                        import.arg("--wait");
                        scope.spawn(move || finished_quietly(&mut import))
                    })
                    .collect();
                for import in imports {
                    assert_eq!(import.join().unwrap(), Some(0));
                }
            });
            assert_eq!(half_way.state(), State::New);
        });
    }
    row.note("4 each time");
}
