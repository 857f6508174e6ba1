//! Lost power, as far as it can be simulated: what was not written to the device is gone, and what was is found again.
//!
//! The disk is ext4 on a loop device. At some moment of an import the file system is shut down without its journal being
//! flushed (src/power.rs), so that all that no fsync has forced out is dropped; it is mounted again, and the store on it
//! must be one of the two states. An import that has said "done" must be there whole, however soon the cut comes.
//!
//! Not covered: a device that loses or reorders what it has taken in, since every write that reached the loop device
//! counts as kept (ext4's barriers are trusted); sectors that are half written; file systems other than ext4 with
//! its defaults; a memory that fails rather than forgets. And it needs root and a loop device: without them it is
//! skipped, and the table says so. It is part of `make test-faults` only.

#![allow(clippy::unwrap_used)]

use std::{fs, io::Write as _, os::unix::fs::symlink, process::Command};

use modferry_tests::{
    faults::{Chance, Row, tries},
    halfway::{HalfWay, State, copy_folder},
    kill,
    power::{PowerDisk, Powered},
    run::run,
    site::Site,
};

const DISK: u64 = 256 << 20;

/// Makes a link to a folder of the disk, in place of whatever is there.
fn link(disk: &Powered, name: &str, at: &std::path::Path) {
    match fs::symlink_metadata(at) {
        Ok(found) if found.is_symlink() => fs::remove_file(at).unwrap(),
        Ok(_) => fs::remove_dir_all(at).unwrap(),
        Err(_) => {}
    }
    symlink(disk.path().join(name), at).unwrap();
}

/// A disk with the old store on it, powered off.
fn disk_with_old_store(half_way: &HalfWay) -> Result<(PowerDisk, Vec<u8>), String> {
    let disk = PowerDisk::new(half_way.site.root(), DISK)?;
    let on = disk.on();
    half_way.copy_old_store(&on.path().join("store"));
    on.off();
    let image = disk.read();
    Ok((disk, image))
}

/// That the cut is one: what was synced is there afterwards, and what was not is gone.
#[test]
#[ignore = "needs root and loop devices: make test-faults"]
fn the_cut_drops_what_was_not_synced() {
    let site = tempfile::tempdir().unwrap();
    let mut row = Row::new("power lost behind a file that was synced and one that was not");
    let disk = match PowerDisk::new(site.path(), 64 << 20) {
        Ok(disk) => disk,
        Err(why) => return row.skipped(&why),
    };
    row.fault(|| {
        let on = disk.on();
        let synced = fs::File::create(on.path().join("synced")).unwrap();
        (&synced).write_all(b"kept").unwrap();
        synced.sync_all().unwrap();
        fs::File::open(on.path()).unwrap().sync_all().unwrap();
        fs::write(on.path().join("unsynced"), b"lost").unwrap();
        drop(synced);
        on.cut();
        on.off();
        let on = disk.on();
        assert_eq!(fs::read(on.path().join("synced")).unwrap(), b"kept");
        assert!(!on.path().join("unsynced").exists(), "nothing was lost");
        on.off();
    });
}

#[test]
#[ignore = "needs root and loop devices: make test-faults"]
fn an_import_outlives_lost_power() {
    let mut row = Row::new("power lost at a random moment of an import");
    let mut chance = Chance::new("an_import_outlives_lost_power");
    let half_way = HalfWay::new(6, 120_000);
    let (disk, image) = match disk_with_old_store(&half_way) {
        Ok(disk) => disk,
        Err(why) => return row.skipped(&why),
    };
    let (mut old, mut new) = (0, 0);
    for _ in 0..tries(2, 60) {
        disk.write(&image);
        let moment = chance.moment(half_way.whole + half_way.whole / 4);
        row.fault(|| {
            let on = disk.on();
            link(&on, "store", &half_way.site.store());
            // The cut comes first: it is the disk that fails the process, not the other way round.
            let ended = kill::with(&mut half_way.command(), moment, || on.cut());
            on.off();
            let on = disk.on();
            link(&on, "store", &half_way.site.store());
            match half_way.state() {
                State::Old => {
                    assert_ne!(ended, Some(0), "an import that succeeded is lost");
                    old += 1;
                }
                State::New => new += 1,
            }
            half_way.finishes();
            on.off();
        });
    }
    row.note(format!(
        "{old} before the commit was on disk, {new} behind it"
    ));
}

#[test]
#[ignore = "needs root and loop devices: make test-faults"]
fn what_said_done_outlives_lost_power() {
    let mut row = Row::new("power lost as soon as an import, or an export, said done");
    let half_way = HalfWay::new(3, 120_000);
    let (disk, image) = match disk_with_old_store(&half_way) {
        Ok(disk) => disk,
        Err(why) => return row.skipped(&why),
    };
    for _ in 0..tries(1, 10) {
        disk.write(&image);
        row.fault(|| {
            let on = disk.on();
            link(&on, "store", &half_way.site.store());
            run(&mut half_way.command()).ok();
            on.cut();
            on.off();
            let on = disk.on();
            link(&on, "store", &half_way.site.store());
            assert_eq!(half_way.state(), State::New);
            on.off();
        });
    }

    let site = Site::new();
    site.upstream
        .add("example.com/a@v1.0.0", "-- a.go --\npackage a\n");
    let key = site.path("keys/site.key");
    for number in 0..tries(1, 10) {
        disk.write(&image);
        row.fault(|| {
            let on = disk.on();
            link(&on, "state", site.path("bundler-state").as_ref());
            fs::create_dir_all(on.path().join("state")).unwrap();
            Command::new("sync").status().unwrap(); // the folder that is given; those below it are the bundler's to sync
            let out = disk.mount().join(format!("out-{number}"));
            let out = out.to_str().unwrap();
            let args = [
                "export",
                "--key",
                &key,
                "--out",
                out,
                "example.com/a@v1.0.0",
            ];
            run(&mut on.inside(&site.bundler_command(&args))).ok();
            on.cut();
            on.off();
            let on = disk.on();
            let kept = site.path(&format!("kept-{number}"));
            copy_folder(&on.path().join(format!("out-{number}")), kept.as_ref());
            site.appliance(&["verify", &kept]).ok();
            // The state went with it: a stream goes on behind what was exported, and never says a number twice.
            link(&on, "state", site.path("bundler-state").as_ref());
            let next = site.path(&format!("next-{number}"));
            site.upstream.add(
                &format!("example.com/b{number}@v1.0.0"),
                "-- b.go --\npackage b\n",
            );
            let more = format!("example.com/b{number}@v1.0.0");
            site.bundler(&["export", "--key", &key, "--out", &next, &more])
                .ok()
                .says("000002");
            on.off();
        });
    }
}
