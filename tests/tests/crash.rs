//! kill -9 at many points of an import: the old state goes on being served, and the same import again is whole.

#![allow(clippy::unwrap_used)]

use std::{
    io::Write as _,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use modferry_tests::{
    run::modferry,
    site::{Site, file_with_suffix},
};

/// A site that serves one bundle already, and a second one that is not in yet, as the bytes of its volume.
fn half_way() -> (Site, Vec<u8>) {
    let mut site = Site::new();
    let hello = "-- hello.go --\npackage hello\n";
    site.upstream.add("example.com/first@v1.0.0", hello);
    // More than one chunk of a zip, and more than one pack, so that kills fall everywhere.
    for number in 0..40 {
        let noise = modferry_tests::upstream::noise(number, 120_000);
        site.upstream.add(
            &format!("example.com/second{number}@v1.0.0"),
            &format!("-- hello.go --\npackage hello\n-- data.txt --\n{noise}"),
        );
    }
    site.carry(&["example.com/first@v1.0.0"]);
    let modules: Vec<String> = (0..40)
        .map(|n| format!("example.com/second{n}@v1.0.0"))
        .collect();
    let words: Vec<&str> = modules.iter().map(String::as_str).collect();
    let (exported, out) = site.export(&words);
    exported.ok();
    let volume = std::fs::read(file_with_suffix(&out, ".tar")).unwrap();
    (site, volume)
}

/// Starts an import from a pipe, so that a test decides how much of the bundle it has seen.
fn import_from_pipe(site: &Site) -> Child {
    modferry("modferry-appliance", site.root())
        .args(["import", "-", "--store"])
        .arg(site.store())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a store answers, as its own command lists it.
fn listed(site: &Site) -> String {
    site.appliance(&["list"]).ok().stdout
}

/// After a kill: nothing of the second bundle, all of the first.
fn still_the_old_state(site: &Site, old: &str) {
    assert_eq!(listed(site), old, "a killed import left something visible");
}

/// The same import again is whole, and a client builds from it.
fn finishes(site: &Site, volume: &[u8]) {
    let mut child = import_from_pipe(site);
    // An import that finds its manifest imported already takes the rest all the same: no sender's pipe breaks.
    child.stdin.take().unwrap().write_all(volume).unwrap();
    assert!(
        child.wait().unwrap().success(),
        "the import after the kill failed"
    );
    assert_eq!(
        listed(site)
            .lines()
            .filter(|line| line.contains("example.com/second"))
            .count(),
        40
    );
    let server = site.serve();
    let go = site.go(&server, "after");
    for module in [
        "example.com/first@v1.0.0",
        "example.com/second0@v1.0.0",
        "example.com/second39@v1.0.0",
    ] {
        go.run(&["mod", "download", module]).ok();
    }
}

#[test]
fn killed_at_many_bytes_of_the_stream() {
    let (site, volume) = half_way();
    let old = listed(&site);
    for step in 0..24 {
        let mut child = import_from_pipe(&site);
        let cut = volume.len() * step / 24;
        child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(&volume[..cut])
            .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        still_the_old_state(&site, &old);
    }
    finishes(&site, &volume);
}

#[test]
fn killed_at_many_moments_of_proof_and_commit() {
    let (site, volume) = half_way();
    let old = listed(&site);

    // How long an import takes here, to spread the kills over the whole of it and a little beyond.
    let rehearsal = site.path("rehearsal");
    copy_folder(&site.store(), rehearsal.as_ref());
    let started = Instant::now();
    let mut child = modferry("modferry-appliance", site.root())
        .args(["import", "-", "--store", &rehearsal])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&volume).unwrap();
    assert!(child.wait().unwrap().success());
    let whole = started.elapsed();

    let mut killed = 0;
    for step in 1..40u32 {
        let started = Instant::now();
        let mut child = import_from_pipe(&site);
        let mut stdin = child.stdin.take().unwrap();
        let bytes = volume.clone();
        let feeder = std::thread::spawn(move || {
            let _ = stdin.write_all(&bytes); // a broken pipe is the kill
        });
        let kill_at = whole * step / 38;
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if started.elapsed() >= kill_at {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            std::thread::yield_now();
        };
        feeder.join().unwrap();
        // The kill may have come after the commit: then all of it is there. Never anything between.
        let now = listed(&site);
        if now != old {
            assert_eq!(
                now.lines()
                    .filter(|line| line.contains("example.com/second"))
                    .count(),
                40,
                "half an import is visible"
            );
            break;
        }
        assert!(
            ended.is_none_or(|status| !status.success()),
            "an import that succeeded is not visible"
        );
        killed += 1;
    }
    assert!(
        killed >= 10,
        "only {killed} imports were killed before their commit"
    );
    finishes(&site, &volume);
}

#[test]
fn a_second_import_at_once_says_who_holds_the_store() {
    let (site, volume) = half_way();
    let mut first = import_from_pipe(&site);
    first
        .stdin
        .as_mut()
        .unwrap()
        .write_all(&volume[..volume.len() / 2])
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let bundle = site.path("bundle-2");
    loop {
        // Until the first one has the lock, a second may find the store free; it then is the one that imports.
        let second = site.appliance(&["verify", &bundle]);
        assert_eq!(second.code, 0, "{second}");
        let second = site.appliance(&["import", &bundle]);
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
    first
        .stdin
        .take()
        .unwrap()
        .write_all(&volume[volume.len() / 2..])
        .unwrap();
    assert!(first.wait().unwrap().success());
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
