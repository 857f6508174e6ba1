//! A wrong clock on the isolated side decides nothing: in 1970 and in 2099 everything that is accepted, refused, warned of
//! and served is what it is today.
//!
//! The clock is set back or forward for one process, by a library that is preloaded into it (src/clock.c).

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use modferry_tests::{
    answers::Answers,
    faults::Row,
    halfway::HalfWay,
    run::{Finished, run},
    server::Server,
    site::file_with_suffix,
};

const HOUR: i64 = 3600;
/// 1970-01-01T01:00:00Z, and 2099-12-31T00:00:00Z, in seconds.
const CLOCKS: [(&str, i64); 2] = [("1970", HOUR), ("2099", 4_102_358_400)];

/// Compiles the library that lies about the time.
fn library(folder: &Path) -> PathBuf {
    let built = folder.join("clock.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/clock.c");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&built)
        .arg(source)
        .arg("-ldl")
        .status()
        .expect("a C compiler is needed to build modferry at all");
    assert!(status.success());
    built
}

/// A command under another clock, if there is one.
struct Clock {
    preload: Option<(PathBuf, i64)>,
}

impl Clock {
    fn set(&self, command: &mut Command) {
        if let Some((library, offset)) = &self.preload {
            command
                .env("LD_PRELOAD", library)
                .env("CLOCK_OFFSET", offset.to_string());
        }
    }
}

/// What a command decided, and what it said but for its times and its own number.
fn decided(half_way: &HalfWay, clock: &Clock, args: &[&str]) -> (i32, String) {
    let mut command = half_way.site.appliance_command(args);
    clock.set(&mut command);
    let ended: Finished = run(&mut command);
    assert!(!ended.stderr.contains("panicked"), "{ended}");
    let said = format!("{}{}", ended.stdout, ended.stderr);
    let root = half_way.site.root().to_str().unwrap();
    let lines: Vec<String> = said
        .lines()
        .map(|line| {
            let line = line.replace(root, "ROOT");
            line.split_whitespace()
                // What is left are decisions: times, durations and free room differ from run to run anyway.
                .filter(|word| !word.contains(':') && !word.chars().any(|c| c.is_ascii_digit()))
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    (ended.code, lines.join("\n"))
}

/// A day of an appliance under that clock: all that it decided and served.
fn a_day(half_way: &HalfWay, clock: &Clock) -> (Vec<(i32, String)>, Vec<Answers>) {
    half_way.restore();
    let site = &half_way.site;
    let serve = || {
        let server = Server::start_with(&site.store(), site.root(), |command| clock.set(command));
        Answers::of(&server, site.upstream.sumdb(), &half_way.modules)
    };
    let first = site.path("bundle-1");
    let damaged = site.path("damaged");
    let unsigned = site.path("unsigned");
    let mut answers = vec![serve()];
    let decisions = [
        vec!["trust", "list"],
        vec!["verify", &half_way.bundle],
        vec!["import", &damaged],
        vec!["import", &unsigned],
        vec!["import", &first],
        vec!["import", &half_way.bundle],
        vec!["import", &half_way.bundle],
        vec!["import", &first],
        vec!["status"],
        vec!["list", "--all"],
    ]
    .iter()
    .map(|args| decided(half_way, clock, args))
    .collect();
    answers.push(serve());
    (decisions, answers)
}

#[test]
fn no_decision_depends_on_the_clock() {
    let mut row = Row::new("the isolated side's clock set to 1970, to 2099");
    let half_way = HalfWay::new(3, 20_000);
    let site = &half_way.site;
    // One bundle with a byte turned, and one that a key signed which nobody trusts.
    let (damaged, other) = (site.path("damaged"), site.path("unsigned"));
    fs::create_dir_all(&damaged).unwrap();
    for suffix in [".tar", ".manifest"] {
        let file = file_with_suffix(&half_way.bundle, suffix);
        fs::copy(&file, Path::new(&damaged).join(file.file_name().unwrap())).unwrap();
    }
    let tar = file_with_suffix(&damaged, ".tar");
    let mut bytes = fs::read(&tar).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&tar, bytes).unwrap();
    site.bundler(&["keygen", "stranger", "--out", &site.path("keys")])
        .ok();
    let key = site.path("keys/stranger.key");
    let args = [
        "export",
        "--stream",
        "other",
        "--key",
        &key,
        "--out",
        &other,
        "example.com/first0@v1.0.0",
    ];
    site.bundler(&args).ok();

    let today = a_day(&half_way, &Clock { preload: None });
    let codes: Vec<i32> = today.0.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes, [0, 0, 4, 3, 0, 0, 0, 0, 0, 0], "{:#?}", today.0);
    let library = library(site.root());
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    for (year, seconds) in CLOCKS {
        row.fault(|| {
            let offset = seconds - now.as_secs() as i64;
            let clock = Clock {
                preload: Some((library.clone(), offset)),
            };
            let (decisions, answers) = a_day(&half_way, &clock);
            // The clock was wrong indeed: the store's own notes say that year, give or take a time zone.
            let status = site.appliance(&["status"]).ok();
            assert!(
                status.stdout.contains(&format!("{year}-")),
                "no {year} in\n{status}"
            );
            assert_eq!(decisions, today.0, "in {year}");
            for (answers, of_today) in answers.iter().zip(&today.1) {
                answers.assert_eq(of_today, year);
            }
        });
    }
    row.note(format!(
        "{} decisions each, and every answer of the server",
        codes.len()
    ));
}
