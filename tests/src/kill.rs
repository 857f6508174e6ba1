//! kill -9, at a moment or at a system call.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::{faults::has, run::finished_quietly};

/// The system calls between which a process can have made something durable, visible, or neither.
pub const STEPS: &[&str] = &[
    "fsync",
    "fdatasync",
    "sync_file_range",
    "syncfs",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "ftruncate",
    "fallocate",
];

/// Kills the command after that time. Its exit code, if it had ended before.
pub fn after(command: &mut Command, delay: Duration) -> Option<i32> {
    with(command, delay, || {})
}

/// The same, and right before the kill `first` happens, whether the command has ended or not.
pub fn with(command: &mut Command, delay: Duration, first: impl FnOnce()) -> Option<i32> {
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    loop {
        let ended = child.try_wait().unwrap();
        if ended.is_some() || started.elapsed() >= delay {
            first();
            child.kill().unwrap(); // no error if it has ended
            return child.wait().unwrap().code();
        }
        // Not to synchronise: only so as not to take a core from what is to be killed.
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Whether commands can be traced here.
pub fn can_trace() -> bool {
    has("strace")
        && Command::new("strace")
            .args(["-qq", "-o", "/dev/null", "true"])
            .status()
            .is_ok_and(|status| status.success())
}

/// Runs the command to its end, and counts for each of [`STEPS`] how often the one thread that does it most does it:
/// strace counts by thread, and so do [`at`] and [`failing_from`].
#[track_caller]
pub fn count_steps(command: &Command, log: &Path) -> BTreeMap<&'static str, u32> {
    count_steps_of(command, log, 0)
}

/// The same of a command that ends with that exit code when nothing happens to it.
#[track_caller]
pub fn count_steps_of(command: &Command, log: &Path, code: i32) -> BTreeMap<&'static str, u32> {
    let mut traced = traced(command, log, STEPS);
    let ended = finished_quietly(&mut traced);
    assert_eq!(ended, Some(code), "the rehearsal failed");
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let text = std::fs::read_to_string(log).unwrap();
    for line in text.lines() {
        // `1234 fsync(7) = 0`, and also `1234 fsync(7 <unfinished ...>`, whose other half has no name in that place.
        let Some((thread, call)) = line.split_once(' ') else {
            continue;
        };
        if let Some((name, _)) = call.trim_start().split_once('(') {
            *counts.entry((thread, name)).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for name in STEPS {
        let by_thread = counts.iter().filter(|((_, call), _)| call == name);
        if let Some(count) = by_thread.map(|(_, count)| *count).max() {
            most.insert(*name, count);
        }
    }
    most
}

/// Runs the command, which dies by SIGKILL before it does `step` the `nth` time. Its exit code, if it never did.
pub fn at(command: &Command, step: &str, nth: u32) -> Option<i32> {
    let mut traced = traced(command, Path::new("/dev/null"), &[step]);
    inject(
        &mut traced,
        command,
        &format!("{step}:signal=KILL:when={nth}"),
    )
}

/// Runs the command, in which `step` fails with that error from the `nth` time on. Its exit code.
pub fn failing_from(command: &Command, step: &str, nth: u32, error: &str) -> Option<i32> {
    let mut traced = traced(command, Path::new("/dev/null"), &[step]);
    inject(
        &mut traced,
        command,
        &format!("{step}:error={error}:when={nth}+"),
    )
}

fn inject(traced: &mut Command, command: &Command, what: &str) -> Option<i32> {
    // The words behind the program are its own: the option must come before it.
    let mut whole = Command::new("strace");
    whole.args(["-e", &format!("inject={what}")]);
    whole.args(traced.get_args());
    copy_surroundings(command, &mut whole);
    finished_quietly(&mut whole)
}

fn traced(command: &Command, log: &Path, calls: &[&str]) -> Command {
    let mut traced = Command::new("strace");
    traced
        .args(["-f", "-qq", "-e", "signal=none", "-o"])
        .arg(log)
        .args(["-e", &format!("trace={}", calls.join(","))])
        .arg(command.get_program())
        .args(command.get_args());
    copy_surroundings(command, &mut traced);
    traced
}

pub(crate) fn copy_surroundings(from: &Command, to: &mut Command) {
    to.env_clear();
    for (name, value) in from.get_envs() {
        if let Some(value) = value {
            to.env(name, value);
        }
    }
    if let Some(folder) = from.get_current_dir() {
        to.current_dir(folder);
    }
}
