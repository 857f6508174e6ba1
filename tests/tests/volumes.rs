//! Bundles of several volumes, with the built binaries: on several media, in any order, over several runs, with a kill
//! between them; damaged, foreign and stale ones; over a pipe, from a folder that cannot be written, and in a spool.

#![allow(clippy::unwrap_used)]

use std::{
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use modferry_tests::{
    faults::{Chance, Row, sample, tries},
    halfway::sound,
    kill,
    run::{Finished, modferry, run, run_with_input},
    site::Site,
};
use serde_json::{Value, json};

const MODULES: usize = 12;

/// A site that serves one bundle, and a second one in volumes that are not carried yet.
struct Carried {
    site: Site,
    /// The volumes' paths, in order, in a folder with the manifest.
    volumes: Vec<PathBuf>,
    folder: String,
    modules: Vec<String>,
}

impl Carried {
    #[track_caller]
    fn new() -> Self {
        let mut site = Site::new();
        site.upstream.add(
            "example.com/first@v1.0.0",
            "-- hello.go --\npackage hello\n",
        );
        site.carry(&["example.com/first@v1.0.0"]);
        let modules: Vec<String> = (0..MODULES)
            .map(|number| format!("example.com/second{number}@v1.0.0"))
            .collect();
        for (number, module) in modules.iter().enumerate() {
            let noise = modferry_tests::upstream::noise(number as u64, 60_000);
            let files = format!("-- hello.go --\npackage hello\n-- data.txt --\n{noise}");
            site.upstream.add(module, &files);
        }
        let mut words = vec!["--volume-size", "100KB"];
        words.extend(modules.iter().map(String::as_str));
        let (exported, folder) = site.export(&words);
        exported.ok();
        let volumes = files(&folder, ".tar");
        assert!(volumes.len() >= 4, "{volumes:?}");
        Self {
            site,
            volumes,
            folder,
            modules,
        }
    }

    /// A medium with these volumes on it, and no manifest.
    fn medium(&self, name: &str, numbers: &[usize]) -> String {
        let medium = self.site.path(name);
        std::fs::create_dir(&medium).unwrap();
        for number in numbers {
            let volume = &self.volumes[number - 1];
            std::fs::copy(volume, Path::new(&medium).join(volume.file_name().unwrap())).unwrap();
        }
        medium
    }

    fn name(&self, number: usize) -> &str {
        self.volumes[number - 1]
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
    }

    fn import(&self, path: &str) -> Finished {
        self.site.appliance(&["import", path])
    }

    fn pending(&self) -> Value {
        let status = self.site.appliance(&["status", "--json"]).ok().json();
        status["pending_volumes"].clone()
    }

    /// The numbers of the volumes that are staged.
    fn staged(&self) -> Vec<u64> {
        let pending = self.pending();
        let staged = pending[0]["staged"].as_array().cloned().unwrap_or_default();
        staged
            .iter()
            .map(|number| number.as_u64().unwrap())
            .collect()
    }

    #[track_caller]
    fn nothing_is_visible(&self) {
        let listed = self.site.appliance(&["list"]).ok().stdout;
        assert_eq!(listed, "example.com/first@v1.0.0\n");
    }

    /// All of it is in, nothing waits, and a client builds from it.
    #[track_caller]
    fn is_in(&self) {
        sound(&self.site);
        let listed = self.site.appliance(&["list"]).ok().stdout;
        assert_eq!(listed.lines().count(), MODULES + 1);
        assert_eq!(self.pending(), json!([]));
        let server = self.site.serve();
        let go = self.site.go(&server, "client");
        let mut words = vec!["mod", "download", "example.com/first@v1.0.0"];
        words.extend(self.modules.iter().map(String::as_str));
        go.run(&words).ok();
    }
}

fn files(folder: &str, suffix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(suffix))
        .collect();
    found.sort();
    found
}

#[test]
fn several_media_in_any_order_with_kills_between() {
    let carried = Carried::new();
    let site = &carried.site;
    let last = carried.volumes.len();
    let rest: Vec<usize> = (1..last).filter(|number| *number != 2).collect();
    for (name, numbers) in [("last", vec![last]), ("two", vec![2]), ("rest", rest)] {
        carried.medium(name, &numbers);
    }
    let import = |medium: &str| {
        let mut command = modferry("modferry-appliance", site.root());
        let words = ["import", &site.path(medium), "--store"];
        command.args(words).arg(site.store());
        command
    };

    carried
        .import(&site.path("last"))
        .expect(5)
        .says(carried.name(1));
    carried.nothing_is_visible();
    assert_eq!(carried.staged(), [last as u64]);

    // The second medium is pulled, the power fails, someone presses ^C: whatever, and at whatever moment.
    let mut row = Row::new("kill -9 while a volume is staged");
    let mut chance = Chance::new("volumes");
    let whole = std::time::Duration::from_millis(150);
    for _ in 0..tries(4, 50) {
        row.fault(|| {
            kill::after(&mut import("two"), chance.moment(whole));
            let staged = carried.staged();
            assert!(staged == [last as u64] || staged == [2, last as u64]);
            carried.nothing_is_visible();
            site.appliance(&["gc", "--volumes", "--yes"]).ok();
            carried.import(&site.path("last")).expect(5);
        });
    }
    if kill::can_trace() {
        let counts = kill::count_steps_of(&import("two"), Path::new(&site.path("steps")), 5);
        assert!(
            counts.contains_key("rename") || counts.contains_key("renameat2"),
            "{counts:?}"
        );
        let steps: Vec<_> = (counts.into_iter())
            .flat_map(|(step, count)| (1..=count).map(move |nth| (step, nth)))
            .collect();
        for (step, nth) in sample(&steps, 4) {
            row.fault(|| {
                site.appliance(&["gc", "--volumes", "--yes"]).ok();
                carried.import(&site.path("last")).expect(5);
                kill::at(&import("two"), step, nth);
                let staged = carried.staged();
                assert!(
                    staged == [last as u64] || staged == [2, last as u64],
                    "{step} {nth}: {staged:?}"
                );
                carried.import(&site.path("two")).expect(5);
                assert_eq!(carried.staged(), [2, last as u64], "{step} {nth}");
            });
        }
        // A disk that is full is no damaged volume. The last syncs are those of the volume and of its folder.
        let syncs = steps.iter().filter(|(step, _)| *step == "fsync");
        for (step, nth) in syncs.rev().take(2) {
            row.fault(|| {
                site.appliance(&["gc", "--volumes", "--yes"]).ok();
                carried.import(&site.path("last")).expect(5);
                let code = kill::failing_from(&import("two"), step, *nth, "ENOSPC");
                assert_eq!(code, Some(7), "{step} {nth}");
                carried.import(&site.path("two")).expect(5);
                assert_eq!(carried.staged(), [2, last as u64], "{step} {nth}");
            });
        }
    } else {
        row.note("no strace: not at each step");
    }
    drop(row);

    carried.import(&site.path("two")).expect(5);
    assert_eq!(carried.staged(), [2, last as u64]);
    let status = site.appliance(&["status"]).ok();
    status
        .says("still to come: ")
        .says(carried.name(1))
        .never_says(carried.name(2));
    carried.import(&site.path("rest")).ok().says("imported");
    carried.is_in();
    // What is in needs none of it again, whichever medium comes.
    carried
        .import(&site.path("two"))
        .ok()
        .says("already imported");
}

#[test]
fn a_damaged_volume_is_named_and_a_good_copy_of_it_finishes() {
    let carried = Carried::new();
    let second = &carried.volumes[1];
    let good = std::fs::read(second).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    std::fs::write(second, &bad).unwrap();
    let verified = carried
        .site
        .appliance(&["verify", &carried.folder])
        .expect(4);
    verified.says(carried.name(2)).says("entry 0000");
    let refused = carried.import(&carried.folder).expect(4);
    let refused = refused
        .says(carried.name(2))
        .says("entry 0000")
        .says("need not be carried again");
    refused.never_says(carried.name(3));
    carried.nothing_is_visible();
    assert_eq!(carried.staged().len(), carried.volumes.len() - 1);

    let medium = carried.medium("again", &[]);
    std::fs::write(
        Path::new(&medium).join(carried.name(2)),
        &good[..good.len() - 1024],
    )
    .unwrap();
    carried.import(&medium).expect(4).says(carried.name(2));
    std::fs::write(Path::new(&medium).join(carried.name(2)), &good).unwrap();
    carried.import(&medium).ok();
    carried.is_in();
}

#[test]
fn foreign_and_stale_volumes_are_refused_by_name() {
    let mut carried = Carried::new();
    // The third of another export, under the second one's name: as after a copy that went to the wrong stick.
    let mut words = vec!["--volume-size", "100KB", "--stream", "other"];
    words.extend(carried.modules.iter().map(String::as_str));
    let (exported, other) = carried.site.export(&words);
    exported.ok();
    let foreign = files(&other, ".v002.tar").remove(0);
    let own = carried.volumes[1].clone();
    let good = std::fs::read(&own).unwrap();
    for bad in [foreign.as_path(), &carried.volumes[2]] {
        std::fs::copy(bad, &own).unwrap();
        for command in ["verify", "import"] {
            let refused = carried.site.appliance(&[command, &carried.folder]);
            refused.expect(4).says(carried.name(2)).says("not");
        }
        carried.nothing_is_visible();
    }
    // A left-over behind the last one.
    std::fs::write(&own, &good).unwrap();
    let stranger = carried.volumes.len() + 1;
    let left_over = own.with_file_name(carried.name(1).replace("v001", &format!("v{stranger:03}")));
    std::fs::copy(&foreign, &left_over).unwrap();
    carried
        .import(&carried.folder)
        .expect(4)
        .says(&format!("v{stranger:03}.tar"));
    carried.nothing_is_visible();
    std::fs::remove_file(left_over).unwrap();
    carried.import(&carried.folder).ok();
    carried.is_in();
}

#[test]
fn volumes_come_through_pipes_one_after_the_other() {
    let carried = Carried::new();
    let site = &carried.site;
    let import = |path: &str| {
        let mut command = modferry("modferry-appliance", site.root());
        command.args(["import", path, "--store"]).arg(site.store());
        command
    };
    let count = carried.volumes.len();
    for number in (2..=count).rev() {
        let bytes = std::fs::read(&carried.volumes[number - 1]).unwrap();
        run_with_input(&mut import("-"), &bytes)
            .expect(5)
            .says(carried.name(1));
    }
    carried.nothing_is_visible();
    assert_eq!(carried.staged().len(), count - 1);
    // A pipe with a name, and what a shell makes of <(…).
    let pipe = site.path("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let bytes = std::fs::read(&carried.volumes[0]).unwrap();
    let imported = std::thread::scope(|scope| {
        scope.spawn(|| std::fs::write(&pipe, &bytes).unwrap());
        run(&mut import(&pipe))
    });
    imported.ok().says("imported");
    carried.is_in();
    // What is in already is taken all the same: no sender sees a broken pipe.
    for volume in &carried.volumes {
        let mut child = import("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let bytes = std::fs::read(volume).unwrap();
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_read_only_folder_and_a_quoted_pattern_will_do() {
    let carried = Carried::new();
    let listing = || -> Vec<_> {
        let all = files(&carried.folder, "");
        let changed = |path: &PathBuf| std::fs::metadata(path).unwrap().modified().unwrap();
        all.iter()
            .map(|path| (path.clone(), changed(path)))
            .collect()
    };
    let before = (
        listing(),
        std::fs::metadata(&carried.folder)
            .unwrap()
            .modified()
            .unwrap(),
    );
    for path in files(&carried.folder, "") {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o444)).unwrap();
    }
    std::fs::set_permissions(&carried.folder, PermissionsExt::from_mode(0o555)).unwrap();
    let pattern = format!("{}/*.v00[0-9].tar", carried.folder);
    carried
        .site
        .appliance(&["verify", &pattern])
        .ok()
        .says("verified");
    carried.import(&pattern).ok().says("imported");
    let nothing = format!("{}/*.v1*.tar", carried.folder);
    carried.import(&nothing).expect(2).says("no bundle in");
    carried.is_in();
    // Straight from there: nothing was written, and no copy was made.
    let after = (
        listing(),
        std::fs::metadata(&carried.folder)
            .unwrap()
            .modified()
            .unwrap(),
    );
    assert_eq!(before, after);
    assert!(!carried.site.store().join("volumes").exists());
    std::fs::set_permissions(&carried.folder, PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn the_spool_takes_volumes_as_they_come() {
    let carried = Carried::new();
    let site = &carried.site;
    let spool = site.path("spool");
    let incoming = Path::new(&spool).join("incoming");
    std::fs::create_dir_all(&incoming).unwrap();
    let take = || site.appliance(&["import", "--spool", &spool]);
    let drop_in = |path: &Path| {
        std::fs::copy(path, incoming.join(path.file_name().unwrap())).unwrap();
    };
    for volume in &carried.volumes[1..] {
        drop_in(volume);
        take().ok().says("its manifest is not there yet");
    }
    drop_in(&files(&carried.folder, ".manifest")[0]);
    take().ok().says("still to come").says(carried.name(1));
    carried.nothing_is_visible();
    let mut bytes = std::fs::read(&carried.volumes[0]).unwrap();
    let last = bytes.len() - 5000;
    bytes[last] ^= 1;
    std::fs::write(incoming.join(carried.name(1)), &bytes).unwrap();
    take().expect(4).says(carried.name(1)).says("refused");
    take().ok().says("still to come");
    drop_in(&carried.volumes[0]);
    take().ok().says("imported");
    assert_eq!(std::fs::read_dir(&incoming).unwrap().count(), 0);
    carried.is_in();
}
