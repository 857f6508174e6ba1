//! kill -9 of an export: no half bundle under its name, no gap in the stream, nothing stale that a later export picks up.
//!
//! Whenever it dies, what has its name in the folder verifies; the same export again succeeds and leaves nothing else
//! there; and all of it, imported into a store that has the bundles before, gives what an uninterrupted export gives.

#![allow(clippy::unwrap_used)]

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    time::{Duration, Instant, SystemTime},
};

use modferry_tests::{
    faults::{Chance, Row, sample, tries},
    halfway::{copy_folder, sound},
    kill,
    run::run,
    site::Site,
    upstream::noise,
};

/// A bundler that has exported one bundle, and is about to export the second.
struct Exporter {
    site: Site,
    modules: Vec<String>,
    /// What the store lists once the second bundle is in.
    whole: String,
    /// How long the export takes when nothing happens to it.
    duration: Duration,
}

impl Exporter {
    fn new() -> Self {
        let mut site = Site::new();
        site.upstream.add(
            "example.com/first@v1.0.0",
            "-- first.go --\npackage first\n",
        );
        site.carry(&["example.com/first@v1.0.0"]);
        let modules: Vec<String> = (0..4)
            .map(|n| format!("example.com/second{n}@v1.0.0"))
            .collect();
        for (number, module) in modules.iter().enumerate() {
            let noise = noise(number as u64, 100_000);
            site.upstream.add(
                module,
                &format!("-- m.go --\npackage m\n-- data.txt --\n{noise}"),
            );
        }
        // What was there before: the bundler's state, and a store.
        copy_folder(
            Path::new(&site.path("bundler-state")),
            Path::new(&site.path("state-before")),
        );
        copy_folder(&site.store(), Path::new(&site.path("store-before")));
        let mut exporter = Self {
            site,
            modules,
            whole: String::new(),
            duration: Duration::ZERO,
        };
        let started = Instant::now();
        run(&mut exporter.export()).ok();
        exporter.duration = started.elapsed();
        exporter
            .site
            .appliance(&["import", &exporter.site.path("out")])
            .ok();
        exporter.whole = exporter.listed();
        exporter
    }

    /// The export of the second bundle, not started yet.
    fn export(&self) -> Command {
        let (key, out) = (self.site.path("keys/site.key"), self.site.path("out"));
        let mut args = vec!["export", "--key", &key, "--out", &out];
        args.extend(self.modules.iter().map(String::as_str));
        self.site.bundler_command(&args)
    }

    fn listed(&self) -> String {
        self.site.appliance(&["list", "--all"]).ok().stdout
    }

    /// As before the second export; with nothing downloaded, if it is to be `cold`.
    fn restore(&self, cold: bool) {
        let replace = |folder: &str, by: &str| {
            let _ = fs::remove_dir_all(self.site.path(folder));
            if !by.is_empty() {
                copy_folder(
                    Path::new(&self.site.path(by)),
                    Path::new(&self.site.path(folder)),
                );
            }
        };
        replace("out", "");
        replace("bundler-state", "state-before");
        replace("store", "store-before");
        if cold {
            replace("bundler-cache", "");
        }
    }

    /// The files in the folder that it exports into, hidden ones apart.
    fn files(&self) -> (Vec<String>, Vec<String>) {
        let mut names: Vec<String> = fs::read_dir(self.site.path("out"))
            .into_iter()
            .flatten()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names.into_iter().partition(|name| !name.starts_with('.'))
    }

    /// What must hold after a kill.
    #[track_caller]
    fn survives(&self) {
        let out = self.site.path("out");
        let (visible, hidden) = self.files();
        for name in hidden {
            // Another export may be writing what is young: only what was left a while ago is cleared away.
            let file = File::open(Path::new(&out).join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(3600))
                .unwrap();
        }
        if !visible.is_empty() {
            // A volume is whole by itself, with or without the manifest beside it.
            self.site.appliance(&["verify", &out]).ok();
        }
        run(&mut self.export()).ok();
        let (visible, hidden) = self.files();
        assert!(hidden.is_empty(), "left behind: {hidden:?}");
        let sequences: Vec<&str> = visible
            .iter()
            .filter_map(|name| name.strip_suffix(".manifest")?.rsplit('.').next())
            .collect();
        let expected = ["000002", "000003"];
        assert_eq!(sequences, expected[..sequences.len()], "{visible:?}");
        self.site
            .appliance(&["import", &out])
            .ok()
            .never_says("never came here");
        sound(&self.site);
        assert_eq!(self.listed(), self.whole);
    }
}

#[test]
fn an_export_killed_at_random_moments() {
    let exporter = Exporter::new();
    let mut row = Row::new("kill -9 of an export at a random moment");
    let mut chance = Chance::new("an_export_killed_at_random_moments");
    let mut killed = 0;
    for number in 0..tries(4, 100) {
        exporter.restore(number % 4 == 3);
        let moment = chance.moment(exporter.duration);
        row.fault(|| {
            killed += u32::from(kill::after(&mut exporter.export(), moment).is_none());
            exporter.survives();
        });
    }
    row.note(format!("{killed} before its end"));
}

#[test]
fn an_export_killed_at_each_step() {
    let mut row = Row::new("kill -9 of an export before each fsync, rename, unlink …");
    if !kill::can_trace() {
        return row.skipped("strace cannot trace here");
    }
    let exporter = Exporter::new();
    exporter.restore(false);
    let log = exporter.site.root().join("steps");
    let counts = kill::count_steps(&exporter.export(), &log);
    let steps: Vec<(&str, u32)> = counts
        .iter()
        .flat_map(|(step, count)| (1..=*count).map(|nth| (*step, nth)))
        .collect();
    let mut killed = 0;
    for (step, nth) in sample(&steps, 5) {
        exporter.restore(false);
        row.fault(|| {
            killed += u32::from(kill::at(&exporter.export(), step, nth).is_none());
            exporter.survives();
        });
    }
    row.note(format!("{counts:?}, {killed} killed"));
    assert!(killed > 0, "strace killed nothing");
}
