//! No room, at every stage: exit 7 before anything is written where it can be foreseen, and a clean stop with the same
//! exit where it cannot, since others fill the same disk meanwhile. Checked while the disk is still full.

#![allow(clippy::unwrap_used)]

use std::{fs, io::Write as _, path::Path, process::Stdio};

use modferry_tests::{
    faults::{Row, full, sample},
    halfway::{HalfWay, State, copy_folder},
    run::{modferry, run},
    site::Site,
    small_disk::SmallDisk,
};

const MIB: u64 = 1 << 20;
/// As large as an import of these tests needs, the reserve that it asks for included.
const ENOUGH: u64 = 160 * MIB;
const NOT_PERMITTED: &str =
    "mounting a tmpfs is not permitted here, even in a namespace of one's own";

/// A store half way, on a disk of its own.
fn half_way_on(half_way: &HalfWay, bytes: u64) -> Option<SmallDisk> {
    let store = half_way.site.store();
    match fs::symlink_metadata(&store) {
        Ok(found) if found.is_symlink() => fs::remove_file(&store).unwrap(),
        Ok(_) => fs::remove_dir_all(&store).unwrap(),
        Err(_) => {}
    }
    let disk = SmallDisk::new(half_way.site.root(), bytes)?;
    half_way.copy_old_store(&disk.folder_at(&store));
    Some(disk)
}

/// Every file below a folder with its size; none where there is no folder.
fn files(folder: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push((
                entry.path().display().to_string(),
                entry.metadata().unwrap().len(),
            ));
        }
    }
    found.sort();
    found
}

#[test]
fn an_import_without_room_writes_nothing() {
    let mut row = Row::new("import onto a disk that is too small from the start");
    let half_way = HalfWay::new(4, 400_000);
    for spare in sample(&[0, 64 << 10, MIB, 8 * MIB, 32 * MIB, 63 * MIB], 2) {
        let Some(disk) = half_way_on(&half_way, ENOUGH) else {
            return row.skipped(NOT_PERMITTED);
        };
        disk.leave(spare);
        // What the store consists of. RocksDB keeps logs of its own beside it, whenever it is opened.
        let tables = || -> Vec<_> {
            let mut found = files(&half_way.site.store());
            found.retain(|(name, _)| name.ends_with(".sst"));
            found
        };
        let before = tables();
        row.fault(|| {
            let refused = run(&mut half_way.command()).expect(7);
            if spare > 0 {
                refused.says("needs about"); // with no room at all, not even the lock can be written
            }
            assert_eq!(tables(), before, "something was written");
            half_way.assert_old();
            disk.unload();
            half_way.finishes();
        });
    }
}

#[test]
fn an_import_whose_disk_others_fill_stops_cleanly() {
    others_fill_the_disk("none", "import onto a disk that others fill meanwhile");
}

#[test]
fn an_import_of_packed_zips_whose_disk_others_fill_stops_cleanly() {
    // Here it runs out in the spool of deflate streams, too.
    others_fill_the_disk(
        "fast",
        "import of packed zips onto a disk that others fill meanwhile",
    );
}

fn others_fill_the_disk(pack: &str, row: &'static str) {
    let mut row = Row::new(row);
    let half_way = HalfWay::exported_with(4, 400_000, &["--pack", pack]);
    let volume = half_way.volume();
    // From nothing to more than it needs: it runs out in its spool, the staged files, the index of them, the ledger …
    let mut left: Vec<u64> = (0..10).map(|n| n * (64 << 10)).collect();
    left.extend((2..20).map(|n| n * (384 << 10)));
    let (mut stopped, mut passed, mut in_streams) = (0, 0, 0);
    for spare in sample(&left, 3) {
        let Some(disk) = half_way_on(&half_way, ENOUGH) else {
            return row.skipped(NOT_PERMITTED);
        };
        row.fault(|| {
            let mut import = modferry("modferry-appliance", half_way.site.root())
                .args(["import", "-", "--store"])
                .arg(half_way.site.store())
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut stdin = import.stdin.take().unwrap();
            // More than a pipe holds: so it has read the manifest, and found room enough.
            let cut = volume.len() / 3;
            assert!(cut > 2 << 16);
            stdin.write_all(&volume[..cut]).unwrap();
            disk.leave(spare);
            let _ = stdin.write_all(&volume[cut..]);
            drop(stdin);
            let ended = import.wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&ended.stderr);
            match ended.status.code() {
                Some(0) => {
                    passed += 1;
                    assert_eq!(half_way.state(), State::New);
                }
                Some(7) => {
                    stopped += 1;
                    in_streams += u32::from(stderr.contains("keeping deflate streams"));
                    half_way.assert_old();
                }
                other => panic!("{spare} bytes left: exit {other:?}\n{stderr}"),
            }
            disk.unload();
            half_way.finishes();
        });
    }
    row.note(format!(
        "{stopped} stopped with exit 7, {in_streams} of them in the deflate streams of packed zips; {passed} had room enough"
    ));
    assert!(stopped > 0, "no import ran out of room");
    let packed = pack != "none";
    assert!(
        packed || in_streams == 0,
        "streams of zips that are not packed"
    );
    assert!(!packed || in_streams > 0, "none ran out of room in them");
    assert!(passed > 0 || !full(), "no import had room enough");
}

#[test]
fn an_export_without_room_leaves_no_bundle() {
    let mut row =
        Row::new("export onto a disk that is too small, or that its state or cache is on");
    let mut site = Site::new();
    let modules: Vec<String> = (0..4).map(|n| format!("example.com/m{n}@v1.0.0")).collect();
    for (number, module) in modules.iter().enumerate() {
        let noise = modferry_tests::upstream::noise(number as u64, 400_000);
        site.upstream.add(
            module,
            &format!("-- m.go --\npackage m\n-- data.txt --\n{noise}"),
        );
    }
    let words: Vec<&str> = modules.iter().map(String::as_str).collect();
    let whole: u64 = {
        let (exported, out) = site.export(&words);
        exported.ok();
        files(Path::new(&out)).iter().map(|(_, size)| size).sum()
    };
    let (state, cache) = (site.path("bundler-state"), site.path("bundler-cache"));
    fs::remove_dir_all(&state).unwrap();
    for on_disk in ["out", "bundler-state", "bundler-cache"] {
        // The last size is always too small for a bundle and for its downloads; a state needs a few pages only.
        let sizes: Vec<u64> = match on_disk {
            "bundler-state" => vec![4096, 8192],
            _ => (1..16)
                .map(|n| whole * n / 20 / 4096 * 4096 + 4096)
                .collect(),
        };
        for size in sample(&sizes, 2) {
            let Some(disk) = SmallDisk::new(site.root(), size) else {
                return row.skipped(NOT_PERMITTED);
            };
            let _ = fs::remove_dir_all(&state);
            if on_disk == "bundler-cache" {
                fs::rename(&cache, site.path("warm-cache")).unwrap();
            }
            let (out, key) = (site.path("out"), site.path("keys/site.key"));
            let link = site.path(on_disk);
            disk.folder_at(Path::new(&link));
            let mut args = vec!["export", "--key", &key, "--out", &out];
            args.extend(&words);
            row.fault(|| {
                site.bundler(&args).expect(7);
                let visible = |name: &str| !name.rsplit('/').next().unwrap().starts_with('.');
                if Path::new(&out).exists() {
                    let left = files(Path::new(&out));
                    assert!(
                        left.iter().all(|(name, _)| !visible(name)),
                        "on a full {on_disk}: {left:?}"
                    );
                }
                // With room, the same command is whole, and nothing of the first is in its way.
                let partial = site.path("partial");
                copy_folder(&disk.path().join(on_disk), Path::new(&partial));
                fs::remove_file(&link).unwrap();
                fs::rename(&partial, &link).unwrap();
                site.bundler(&args).ok();
                let left = files(Path::new(&out));
                assert!(left.iter().all(|(name, _)| visible(name)), "{left:?}");
                site.appliance(&["verify", &out]).ok();
            });
            fs::remove_dir_all(&out).unwrap();
            if on_disk == "bundler-cache" {
                fs::remove_dir_all(&cache).unwrap();
                fs::rename(site.path("warm-cache"), &cache).unwrap();
            }
        }
    }
}

#[test]
fn staging_a_volume_without_room_leaves_nothing() {
    let mut row = Row::new("staging one of several volumes on a disk that is too small");
    let half_way = HalfWay::exported_with(4, 400_000, &["--volume-size", "500KB"]);
    let mut volumes: Vec<_> = fs::read_dir(&half_way.bundle)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "tar"))
        .collect();
    volumes.sort();
    let first = volumes[0].to_str().unwrap();
    let (mut stopped, mut staged) = (0, 0);
    for spare in sample(&[0, 4096, 128 << 10, 384 << 10, 2 * MIB, 100 * MIB], 3) {
        let Some(disk) = half_way_on(&half_way, ENOUGH) else {
            return row.skipped(NOT_PERMITTED);
        };
        disk.leave(spare);
        row.fault(|| {
            let ended = half_way.site.appliance(&["import", first]);
            let kept = files(&half_way.site.store().join("volumes"));
            match ended.code {
                5 => staged += 1,
                7 => {
                    stopped += 1;
                    assert!(kept.is_empty(), "{spare} bytes left: {kept:?}");
                }
                _ => panic!("{spare} bytes left: {ended}"),
            }
            half_way.assert_old();
            disk.unload();
            half_way.finishes();
        });
    }
    row.note(format!(
        "{stopped} stopped with exit 7, {staged} had room enough"
    ));
    assert!(
        stopped > 0 && staged > 0,
        "{stopped} stopped, {staged} staged"
    );
}

#[test]
fn a_gc_without_room_stops_cleanly() {
    let mut row = Row::new("gc on a disk that is full, or nearly");
    let half_way = HalfWay::before_gc();
    let mut left: Vec<u64> = (0..8).map(|n| n * (16 << 10)).collect();
    left.extend([256 << 10, 512 << 10, MIB, 64 * MIB]);
    let (mut stopped, mut done) = (0, 0);
    for spare in sample(&left, 3) {
        let Some(disk) = half_way_on(&half_way, ENOUGH) else {
            return row.skipped(NOT_PERMITTED);
        };
        disk.leave(spare);
        row.fault(|| {
            let ended = run(&mut half_way.command());
            let state = half_way.state();
            match (ended.code, state) {
                (0, State::New) => done += 1,
                // It may run out of room behind its commit, too, when it has the room of what is gone reclaimed.
                (7, _) => stopped += 1,
                _ => panic!("{spare} bytes left: {state:?}\n{ended}"),
            }
            disk.unload();
            half_way.finishes();
        });
    }
    row.note(format!(
        "{stopped} stopped with exit 7, {done} had room enough"
    ));
    assert!(stopped > 0 && done > 0, "{stopped} stopped, {done} done");
}
