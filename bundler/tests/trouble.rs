//! What goes wrong upstream, in the cache, in the checksum database and with the process itself.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;

use common::{DB, Killed, World, module, version, write};

const GRAPH: &str = "
    m.test/a@v1.0.0 -> m.test/b@v1.0.0 m.test/c@v1.0.0
    m.test/b@v1.0.0 -> m.test/d@v1.0.0
    m.test/c@v1.0.0 ->
    m.test/d@v1.0.0 ->
";

#[test]
fn everything_that_cannot_be_had_is_listed_with_who_wants_it() {
    let world = World::of(GRAPH);
    fs::remove_file(world.file(&version("m.test/c@v1.0.0"), "zip")).unwrap();
    fs::remove_file(world.file(&version("m.test/d@v1.0.0"), "mod")).unwrap();
    let args = ["m.test/a@v1.0.0"];
    let done = world.export(&args).exits(9);
    for words in [
        "2 things cannot be had",
        "m.test/c@v1.0.0: zip: file://",
        "(required by m.test/a@v1.0.0)",
        "m.test/d@v1.0.0: go.mod: file://",
        "(required by m.test/a@v1.0.0 -> m.test/b@v1.0.0)",
        "--keep-going",
    ] {
        assert!(done.stderr.contains(words), "{words:?}:\n{}", done.stderr);
    }
    assert_eq!(world.out(), Vec::<String>::new());

    let done = world
        .export(&[&args[..], &["--keep-going"]].concat())
        .exits(9);
    assert!(
        done.stdout.contains("exported default 1: 2 modules"),
        "{}",
        done.stdout
    );
    assert_eq!(
        world.carried("out", "zip"),
        "m.test/a@v1.0.0 m.test/b@v1.0.0"
    );
    assert_eq!(
        world.carried("out", "mod"),
        "m.test/a@v1.0.0 m.test/b@v1.0.0 m.test/c@v1.0.0"
    );
    let manifest = fs::read_to_string(world.path("out/default.000001.manifest")).unwrap();
    assert!(
        manifest.contains("\nmissing m.test/c v1.0.0 404\nmissing m.test/d v1.0.0 404\n"),
        "{manifest}"
    );
    world.run(&["verify", "out", "--pub", "site.pub"]).ok();
}

#[test]
fn an_info_has_a_limit_and_must_be_of_its_version() {
    let world = World::of(GRAPH);
    let c = version("m.test/c@v1.0.0");
    let limit = modferry_bundler::cache::MAX_INFO as usize;
    let info = |version: &str, size: usize| {
        let mut text = format!("{{\"Version\":\"{version}\"}}").into_bytes();
        text.resize(size.max(text.len()), b' ');
        text
    };
    for (content, words) in [
        (info("v1.0.0", limit), None),
        (info("v1.0.0", limit + 1), Some("larger than")),
        (info("v1.0.1", 0), Some("does not name version v1.0.0")),
        (b"<html>".to_vec(), Some("does not name version v1.0.0")),
        (
            b"{\"Version\":\"v1.0.0\",\"version\":\"v1.0.1\"}".to_vec(),
            Some("does not name version v1.0.0"),
        ),
    ] {
        write(&world.file(&c, "info"), &content);
        let _ = fs::remove_dir_all(world.path(".cache"));
        let done = world.export(&["m.test/c@v1.0.0", "--basis", "none"]);
        match words {
            None => drop(done.ok()),
            Some(words) => drop(done.exits(9).says("m.test/c@v1.0.0: info").says(words)),
        }
    }
    world.run(&["verify", "out", "--pub", "site.pub"]).ok();
}

#[test]
fn what_the_checksum_database_contradicts_stops_everything() {
    for (kind, words) in [
        ("zip", "the zip that upstream serves"),
        ("mod", "the go.mod that upstream serves"),
    ] {
        let world = World::of(GRAPH);
        let mut forged = module("m.test/b@v1.0.0", None, &["m.test/d@v1.0.0"]);
        if kind == "zip" {
            forged.zip = modferry_checker::testing::TestModule::new(
                "m.test/b@v1.0.0",
                &[("a.go", "package backdoor\n")],
            )
            .zip;
        } else {
            forged.go_mod.extend_from_slice(b"// more\n");
        }
        world.serve(&forged);
        world
            .export(&["m.test/a@v1.0.0", "--keep-going"])
            .exits(6)
            .says("m.test/b@v1.0.0")
            .says(words);
        assert_eq!(world.out(), Vec::<String>::new());
        assert!(
            !world
                .path(format!(".cache/modferry/download/m.test/b/@v/v1.0.0.{kind}").as_str())
                .exists()
        );
    }
}

#[test]
fn a_record_that_is_not_in_the_tree_stops_everything() {
    let mut world = World::of(GRAPH);
    // The upstream answers lookups with a record of its own making, under the true signed head.
    let forged = modferry_checker::testing::TestModule::new(
        "m.test/c@v1.0.0",
        &[("a.go", "package evil\n")],
    );
    world.serve(&forged);
    let id = world.sumdb.record(&forged.module).unwrap().id();
    let record = modferry_protocol::sumdb::Record::new(
        id,
        &forged.module,
        forged.h1,
        modferry_protocol::h1::H1::of_go_mod(&forged.go_mod),
    )
    .unwrap();
    let head = world.sumdb.signed(&world.sumdb.head());
    let lookup = world
        .path("up/sumdb")
        .join(DB)
        .join("lookup/m.test/c@v1.0.0");
    write(&lookup, &[record.encode(), head].concat());
    let done = world.export(&["m.test/a@v1.0.0", "--keep-going"]).exits(6);
    assert!(
        done.stderr
            .contains("record of m.test/c@v1.0.0 is not in its signed tree"),
        "{}",
        done.stderr
    );
    assert_eq!(world.out(), Vec::<String>::new());
    // A head that the database did not sign is no better.
    let other = modferry_checker::testing::TestSumdb::new(DB);
    world.sumdb.pad(1, "x");
    write(
        &lookup,
        &[record.encode(), other.signed(&world.sumdb.head())].concat(),
    );
    world
        .export(&["m.test/a@v1.0.0", "--cache", "fresh"])
        .exits(6)
        .says("no tree head that it signed");
}

#[test]
fn a_fork_is_refused_and_both_heads_are_kept() {
    let mut world = World::of(GRAPH);
    world.sumdb.pad(20, "one");
    world.publish();
    world.export(&["m.test/c@v1.0.0"]).ok();
    let honest = world.sumdb.signed(&world.sumdb.head());
    for more in [20, 400] {
        let mut fork = world.sumdb.emptied();
        for name in ["m.test/c@v1.0.0", "m.test/d@v1.0.0"] {
            fork.add(&module(name, None, &[]));
        }
        fork.pad(22 + more - 20, "other");
        let forged = fork.signed(&fork.head());
        let kept = std::mem::replace(&mut world.sumdb, fork);
        fs::remove_dir_all(world.path("up/sumdb")).unwrap();
        world.publish();
        let done = world
            .export(&[
                "m.test/d@v1.0.0",
                "--keep-going",
                "--cache",
                &format!("cache-{more}"),
            ])
            .exits(6)
            .says("has forked");
        let evidence = world.path(".local/state/modferry/default/evidence");
        let notes: Vec<Vec<u8>> = fs::read_dir(&evidence)
            .unwrap()
            .map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .collect();
        assert!(
            notes.contains(&honest) && notes.contains(&forged),
            "{}",
            done.stderr
        );
        assert_eq!(world.out().len(), 2, "{:?}", world.out());
        // What it knew before, it still knows.
        let head = fs::read(world.path(".local/state/modferry/default/heads").join(DB)).unwrap();
        assert_eq!(head, honest);
        world.sumdb = kept;
    }
}

#[test]
fn what_was_shipped_counts_also_where_its_head_was_lost() {
    let mut world = World::of(GRAPH);
    world.sumdb.pad(20, "one");
    world.publish();
    world.export(&["m.test/c@v1.0.0"]).ok();
    for (more, words) in [(0, "has gone back"), (400, "has forked")] {
        let state = world.path(".local/state/modferry/default");
        fs::remove_dir_all(state.join("heads")).unwrap();
        let mut fork = world.sumdb.emptied();
        fork.add(&module("m.test/d@v1.0.0", None, &[]));
        fork.pad(more, "other");
        let kept = std::mem::replace(&mut world.sumdb, fork);
        fs::remove_dir_all(world.path("up/sumdb")).unwrap();
        world.publish();
        let cache = format!("cache-{more}");
        let done = world
            .export(&["m.test/d@v1.0.0", "--cache", &cache])
            .exits(6)
            .says(words);
        assert!(!done.stderr.contains("Both"), "{}", done.stderr);
        if more > 0 {
            let done = done.says("One signed tree head is kept");
            let kept = fs::read_dir(state.join("evidence")).unwrap().count();
            assert_eq!(kept, 1, "{}", done.stderr);
        }
        world.sumdb = kept;
        fs::create_dir_all(state.join("heads")).unwrap();
    }
}

#[test]
fn damage_in_the_cache_is_noticed_and_cured() {
    let world = World::of(GRAPH);
    let args = ["m.test/a@v1.0.0", "--basis", "none"];
    world.export(&args).ok();
    let cache = world.path(".cache/modferry/download");
    for file in [
        "m.test/b/@v/v1.0.0.mod",
        "m.test/b/@v/v1.0.0.zip",
        "m.test/b/@v/v1.0.0.info",
        "sumdb/sum.example.org/lookup/m.test/b@v1.0.0",
        "sumdb/sum.example.org/tile/8/0/000.p/4",
    ] {
        let path = cache.join(file);
        let whole = fs::read(&path).unwrap();
        flip(&path, whole.len() as u64 / 2);
        let done = world.export(&args).ok();
        if !file.ends_with("info") {
            assert!(done.stderr.contains("fetch"), "{file}:\n{}", done.stderr);
        }
        assert_eq!(fs::read(&path).unwrap(), whole, "{file}");
        fs::write(&path, b"").unwrap();
        world.export(&args).ok();
        assert_eq!(fs::read(&path).unwrap(), whole, "{file}");
    }
    // Records that read well, and are wrong: what an upstream that lied left there.
    let path = cache.join("sumdb/sum.example.org/lookup/m.test/b@v1.0.0");
    let whole = fs::read_to_string(&path).unwrap();
    let record = world.sumdb.record(&version("m.test/b@v1.0.0")).unwrap();
    let (zip, go_mod) = (record.zip().to_string(), record.go_mod().to_string());
    let own = format!("{}\n", record.id());
    let id = |id: &str| format!("{id}\n{}", whole.strip_prefix(&own).unwrap());
    for wrong in [
        whole.replace(&zip, &go_mod),
        whole.replace(&go_mod, &zip),
        id(if record.id() == 0 { "1" } else { "0" }),
        id("999"),
    ] {
        assert_ne!(wrong, whole);
        fs::write(&path, &wrong).unwrap();
        world.export(&args).ok().says("fetched again");
        assert_eq!(fs::read_to_string(&path).unwrap(), whole, "{wrong}");
    }
    world.run(&["verify", "out", "--pub", "site.pub"]).ok();
}

#[test]
fn a_wrong_answer_from_upstream_does_not_outlive_it() {
    let world = World::of(GRAPH);
    let b = version("m.test/b@v1.0.0");
    let lookup = world
        .path("up/sumdb")
        .join(DB)
        .join("lookup/m.test/b@v1.0.0");
    let whole = fs::read_to_string(&lookup).unwrap();
    let record = world.sumdb.record(&b).unwrap();
    let (zip, go_mod) = (record.zip().to_string(), record.go_mod().to_string());
    write(
        &world.path("app/go.mod"),
        b"module app\nrequire m.test/b v1.0.0\n",
    );
    let sums = format!("m.test/b v1.0.0 {zip}\nm.test/b v1.0.0/go.mod {go_mod}\n");
    for sum in [None, Some(sums)] {
        if let Some(sums) = sum {
            write(&world.path("app/go.sum"), sums.as_bytes());
        }
        for wrong in [whole.replace(&zip, &go_mod), whole.replace(&go_mod, &zip)] {
            let _ = fs::remove_dir_all(world.path(".cache"));
            fs::write(&lookup, wrong).unwrap();
            world.export(&["--go-mod", "app/go.mod"]).exits(6);
            fs::write(&lookup, &whole).unwrap();
            world.export(&["--go-mod", "app/go.mod"]).ok();
        }
    }
}

#[test]
fn private_modules_are_refused_before_any_request() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let world = World::of(GRAPH);
    write(&world.path("app/go.mod"), b"module app\n");
    write(
        &world.path("app/go.sum"),
        b"corp.test/secret v1.0.0/go.mod h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
    );
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    for (variable, args) in [
        ("GOPRIVATE", ["corp.test/secret@v1.0.0", "--quiet"]),
        ("GONOPROXY", ["corp.test/secret@v1.0.0", "--quiet"]),
        ("GONOSUMDB", ["--go-mod", "app/go.mod"]),
    ] {
        let mut command =
            world.command(&[&["export", "--key", "site.key", "--out", "out"], &args[..]].concat());
        command
            .env("GOPROXY", &proxy)
            .env(variable, "*.test/secret");
        let done = common::Done::of(&mut command).exits(2);
        assert!(
            done.stderr.contains("corp.test/secret@v1.0.0 is private"),
            "{}",
            done.stderr
        );
        assert!(listener.accept().is_err(), "{variable}: a request was made");
    }
    // Deeper in a graph it is one of the things that cannot be had.
    let mut command = world.command(&[
        "export",
        "--key",
        "site.key",
        "--out",
        "out",
        "m.test/a@v1.0.0",
    ]);
    command.env("GOPRIVATE", "m.test/d");
    common::Done::of(&mut command)
        .exits(9)
        .says("m.test/d@v1.0.0: module: GOPRIVATE names it as private");
    assert!(!world.path(".cache/modferry/download/m.test/d").exists());
    assert!(
        !world
            .path(".cache/modferry/download/sumdb/sum.example.org/lookup/m.test/d@v1.0.0")
            .exists()
    );
}

#[test]
fn a_killed_run_is_finished_by_the_next() {
    let world = World::of(GRAPH);
    // An upstream that takes the request and never answers it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = world.command(&[
        "export",
        "m.test/a@v1.0.0",
        "--key",
        "site.key",
        "--out",
        "out",
    ]);
    command
        .env(
            "GOPROXY",
            format!(
                "http://{}|{}",
                listener.local_addr().unwrap(),
                world.goproxy()
            ),
        )
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let running = Killed(command.spawn().unwrap());
    let (mut asked, _) = listener.accept().unwrap();
    asked.read_exact(&mut [0; 4]).unwrap();
    // It holds the stream's lock by now. SIGKILL:
    drop(running);
    assert_eq!(world.out(), Vec::<String>::new());
    world.export(&["m.test/a@v1.0.0"]).ok();
    world.run(&["verify", "out", "--pub", "site.pub"]).ok();
}

#[test]
fn a_plan_ends_as_the_export_where_nothing_could_be_written() {
    let world = World::of(GRAPH);
    write(&world.path("empty.sum"), b"");
    for (args, words) in [
        (&["--go-sum", "empty.sum"][..], "names no module"),
        (&["m.test/none/...@latest"], "nothing to export"),
        (
            &["m.test/c@v1.0.0", "--volume-size", "1"],
            "are too small for ",
        ),
    ] {
        world.run(&[&["plan"], args].concat()).exits(2).says(words);
        world.export(args).exits(2).says(words);
    }
    // What the estimate says of volumes is no more than that.
    let small = ["m.test/c@v1.0.0", "--volume-size", "20 kB"];
    let planned = world.run(&[&["plan"], &small[..]].concat()).ok();
    assert!(!planned.stdout.contains("refuse"), "{}", planned.stdout);
    world.export(&small).ok();
}

#[test]
fn all_that_cannot_be_had_is_told_at_once_failed_queries_included() {
    let world = World::of(GRAPH);
    write(&world.path("up/m.test/c/@v/list"), b"v1.0.0\n");
    let gone = version("m.test/d@v1.0.0");
    for kind in ["mod", "zip"] {
        fs::remove_file(world.file(&gone, kind)).unwrap();
    }
    let args = ["m.test/nowhere@latest", "m.test/c@v9", "m.test/a@v1.0.0"];
    let count = |done: &common::Done| {
        done.stderr
            .lines()
            .filter(|line| line.starts_with("  - "))
            .count()
    };
    for keep_going in [&[][..], &["--keep-going"]] {
        let planned = world
            .run(&[&["plan"], &args[..], keep_going].concat())
            .exits(9);
        let planned = planned
            .says("3 things cannot be had from upstream")
            .says("m.test/nowhere@latest: ")
            .says("m.test/c@v9: no version of it fits")
            .says("m.test/d@v1.0.0: go.mod: ")
            .tells("an export would write")
            .tells("2  things that cannot be carried: not there (404)")
            .tells("1  things that cannot be carried: no version is what was asked for");
        assert_eq!(count(&planned), 3, "{}", planned.stderr);
        let json = world.run(&[&["plan", "--json"], &args[..], keep_going].concat());
        let plan: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
        let missing: Vec<&str> = plan["missing"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["module"].as_str().unwrap())
            .collect();
        assert_eq!(
            missing,
            ["m.test/nowhere@latest", "m.test/c@v9", "m.test/d@v1.0.0"]
        );
    }
    // Nothing will be written: no zip is fetched for it.
    let done = world.export(&args).exits(9).says("3 things cannot be had");
    assert_eq!(count(&done), 3, "{}", done.stderr);
    assert!(
        !world
            .path(".cache/modferry/download/m.test/a/@v/v1.0.0.zip")
            .exists()
    );
    assert_eq!(world.out(), [""; 0]);
    world
        .export(&[&args[..], &["--keep-going"]].concat())
        .exits(9)
        .says("the bundle has the rest");
    assert_eq!(world.out().len(), 2);
    // Why something is selected is no answer to a query.
    world
        .run(&[&["plan", "--why", "m.test/a"], &args[..]].concat())
        .exits(9);
}

#[test]
fn notes_are_hidden_where_quiet_is_asked_for_in_plans_as_in_exports() {
    let world = World::of(GRAPH);
    write(&world.path("up/m.test/c/@v/list"), b"v1.0.0\n");
    let note = "note: m.test/c@latest is v1.0.0";
    for _ in 0..2 {
        world.run(&["plan", "m.test/c@latest"]).ok().tells(note);
        let quiet = world.run(&["plan", "m.test/c@latest", "-q"]).ok();
        assert!(!quiet.tells("an export would ").stdout.contains("note: "));
        let quiet = world.export(&["m.test/c@latest", "-q"]).ok();
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    }
}

#[test]
fn two_runs_share_a_cache() {
    let world = World::of(GRAPH);
    let start = |stream: &str| {
        let mut command = world.command(&[
            "export",
            "m.test/a@v1.0.0",
            "--key",
            "site.key",
            "--out",
            "out",
            "--stream",
            stream,
            "--basis",
            "none",
        ]);
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    // Two streams, and twice the same one, which wait for each other.
    let runs = ["one", "two", "one"].map(start);
    for run in runs {
        common::Done::from(run.wait_with_output().unwrap()).ok();
    }
    assert_eq!(world.out().len(), 6, "{:?}", world.out());
    world.run(&["verify", "out", "--pub", "site.pub"]).ok();
}

#[test]
fn a_bundle_that_the_state_does_not_know_is_not_written_over() {
    let world = World::of(GRAPH);
    world.export(&["m.test/c@v1.0.0"]).ok();
    let before = fs::read(world.path("out/default.000001.v001.tar")).unwrap();
    world
        .export(&["m.test/a@v1.0.0", "--state", "lost"])
        .exits(2)
        .says("default.000001.manifest is there already");
    assert_eq!(
        fs::read(world.path("out/default.000001.v001.tar")).unwrap(),
        before
    );
}

#[test]
fn a_bundle_is_verified_with_the_imports_exit_codes() {
    let world = World::of(GRAPH);
    world.export(&["m.test/a@v1.0.0"]).ok();
    world.run(&["keygen", "stranger"]).ok();
    world
        .run(&["verify", "out", "--pub", "stranger.pub"])
        .exits(3);
    world
        .run(&["inspect", "out", "--pub", "stranger.pub"])
        .exits(3);
    let volume = world.path("out/default.000001.v001.tar");
    let size = fs::metadata(&volume).unwrap().len();
    flip(&volume, size - 2000);
    world
        .run(&["verify", "out", "--pub", "site.pub"])
        .exits(4)
        .says("entry 00000");
    flip(&volume, size - 2000);
    world.run(&["verify", "out", "--pub", "site.pub"]).ok();
    fs::File::options()
        .write(true)
        .open(&volume)
        .unwrap()
        .set_len(size / 2)
        .unwrap();
    world.run(&["verify", "out", "--pub", "site.pub"]).exits(4);
    fs::write(&volume, b"no tar").unwrap();
    world.run(&["inspect", "out"]).exits(4);
    world.run(&["inspect", "keys"]).exits(2);
    fs::create_dir(world.path("empty")).unwrap();
    world
        .run(&["verify", "empty", "--pub", "site.pub"])
        .exits(5);
}

#[test]
fn wrong_settings_are_told_before_anything_is_fetched() {
    let world = World::of(GRAPH);
    let case = |vars: &[(&str, &str)], args: &[&str], words: &str| {
        let mut command =
            world.command(&[&["export", "m.test/c@v1.0.0", "--out", "out"], args].concat());
        command.envs(vars.iter().copied());
        common::Done::of(&mut command).exits(2).says(words);
    };
    let key = ["--key", "site.key"];
    case(&[("GOSUMDB", "off")], &key, "GOSUMDB=off");
    case(
        &[("GOSUMDB", "sum.example.org")],
        &key,
        "neither a known checksum database",
    );
    case(&[("GOPROXY", "off")], &key, "no module proxy");
    case(&[("GOPROXY", "")], &key, "set GOPROXY");
    case(&[], &[], "no signing key");
    case(&[], &["--key", "site.pub"], "site.pub is no signing key");
    case(
        &[],
        &[&key[..], &["--stream", "Not A Name"]].concat(),
        "stream \"Not A Name\"",
    );
    case(
        &[],
        &[&key[..], &["--transfers", "0"]].concat(),
        "a number of transfers from 1 to 256",
    );
    // A go command that fails may know of private modules.
    write(&world.path("bin/go"), b"#!/bin/sh\nexit 1\n");
    fs::set_permissions(world.path("bin/go"), PermissionsExt::from_mode(0o755)).unwrap();
    case(&[("PATH", &world.text("bin"))], &key, "go env failed");
    assert!(!world.path(".cache/modferry/download/m.test").exists());
}

fn flip(path: &Path, offset: u64) {
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 1], offset).unwrap();
}
