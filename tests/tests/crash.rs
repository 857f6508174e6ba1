//! kill -9 at many points of an import, and of a gc: the old state goes on being served, and the same command again is whole.
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

/// Kills the command at random moments, that many times.
fn at_random_moments(half_way: &HalfWay, mut row: Row, times: usize) {
    let mut chance = Chance::new(row.what());
    let mut before = 0;
    for _ in 0..times {
        half_way.restore();
        let moment = chance.moment(half_way.whole);
        row.fault(|| {
            let ended = kill::after(&mut half_way.command(), moment);
            if half_way.state() == State::Old {
                assert_eq!(
                    ended, None,
                    "what a command did that succeeded is not visible"
                );
                before += 1;
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

/// Kills the command before each of its steps; before `few` of them in the ordinary run.
fn at_each_step(half_way: &HalfWay, mut row: Row, few: usize) {
    if !kill::can_trace() {
        return row.skipped("strace cannot trace here");
    }
    let log = half_way.site.root().join("steps");
    let counts = kill::count_steps(&half_way.command(), &log);
    let steps: Vec<(&str, u32)> = counts
        .iter()
        .flat_map(|(step, count)| (1..=*count).map(|nth| (*step, nth)))
        .collect();
    let mut killed = 0;
    for (step, nth) in sample(&steps, few) {
        half_way.restore();
        row.fault(|| {
            let ended = kill::at(&half_way.command(), step, nth);
            killed += u32::from(ended.is_none());
            let state = half_way.state();
            assert!(
                ended.is_none() || state == State::New,
                "{step} {nth}: what a command did that succeeded is not visible"
            );
            half_way.finishes();
        });
    }
    row.note(format!("{counts:?}, {killed} killed"));
    assert!(killed > 0, "strace killed nothing");
}

#[test]
fn an_import_killed_at_random_moments() {
    let row = Row::new("kill -9 of an import at a random moment");
    at_random_moments(&HalfWay::new(12, 120_000), row, tries(4, 200));
}

#[test]
fn an_import_killed_at_each_step() {
    let row = Row::new("kill -9 of an import before each fsync, rename, unlink …");
    at_each_step(&HalfWay::new(3, 120_000), row, 6);
}

/// A store in which all volumes of a bundle but the last have been staged, and that is about to get the last one.
fn with_staged_volumes() -> HalfWay {
    let made = HalfWay::exported_with(6, 120_000, &["--volume-size", "160KB"]);
    let mut volumes: Vec<String> = std::fs::read_dir(&made.bundle)
        .unwrap()
        .map(|file| file.unwrap().path().to_str().unwrap().to_owned())
        .filter(|name| name.ends_with(".tar"))
        .collect();
    volumes.sort();
    assert!(volumes.len() > 2, "{volumes:?}");
    let last = volumes.pop().unwrap();
    for volume in volumes {
        made.site.appliance(&["import", &volume]).expect(5);
    }
    let HalfWay { site, modules, .. } = made;
    let args = vec!["import".into(), last];
    HalfWay::before(site, modules, args, "already imported")
}

#[test]
fn an_import_of_staged_volumes_killed_at_random_moments() {
    let row = Row::new("kill -9 of an import of staged volumes at a random moment");
    at_random_moments(&with_staged_volumes(), row, tries(2, 50));
}

#[test]
fn an_import_of_staged_volumes_killed_at_each_step() {
    let row =
        Row::new("kill -9 of an import of staged volumes before each fsync, rename, unlink …");
    at_each_step(&with_staged_volumes(), row, 3);
}

#[test]
fn a_gc_killed_at_random_moments() {
    let row = Row::new("kill -9 of a gc at a random moment");
    at_random_moments(&HalfWay::before_gc(), row, tries(3, 50));
}

#[test]
fn a_gc_killed_at_each_step() {
    let row = Row::new("kill -9 of a gc before each fsync, rename, unlink …");
    at_each_step(&HalfWay::before_gc(), row, 4);
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
                        let mut import = half_way.command();
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
