//! What an export carries, and what a bundle of it says and proves.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{World, module, version, write};

/// a needs b and, by its untidied neighbour, c; x is only in the graph.
const GRAPH: &str = "
    m.test/a@v1.0.0 go1.17 -> m.test/b@v1.0.0 m.test/Up/v2@v2.1.0
    m.test/b@v1.0.0 go1.17 -> m.test/x@v1.0.0
    m.test/Up/v2@v2.1.0 ->
    m.test/x@v1.0.0 go1.17 -> m.test/y@v1.0.0
    m.test/y@v1.0.0 ->
    m.test/other@v0.0.0-20200102030405-abcdefabcdef ->
";

#[test]
fn a_module_is_carried_with_what_building_it_needs() {
    let world = World::of(GRAPH);
    let done = world
        .export(&["m.test/a@v1.0.0", "--stream", "platform"])
        .ok();
    assert!(
        done.stdout.contains("exported platform 1: 3 modules"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("modferry-appliance import out"),
        "{}",
        done.stdout
    );
    assert_eq!(
        world.out(),
        ["platform.000001.manifest", "platform.000001.v001.tar"]
    );
    let whole = "m.test/Up/v2@v2.1.0 m.test/a@v1.0.0 m.test/b@v1.0.0";
    assert_eq!(world.carried("out", "zip"), whole);
    // In the build list, so that `go list -m all` works; y is behind a pruned module.
    let listed = format!("{whole} m.test/x@v1.0.0");
    assert_eq!(world.carried("out", "mod"), listed);
    assert_eq!(world.carried("out", "info"), listed);
    assert_eq!(world.carried("out", "head"), common::DB);
    let records = world.carried("out", "record");
    assert_eq!(
        records,
        listed
            .split(' ')
            .map(|m| format!("{} {m}", common::DB))
            .collect::<Vec<_>>()
            .join(" record ")
            .replace(" record ", " ")
    );
    world.run(&["verify", "out", "--pub", "site.pub"]).ok();
    world.run(&["inspect", "out", "--pub", "site.pub"]).ok();
}

#[test]
fn a_go_sum_names_exactly_what_is_carried() {
    let world = World::of(GRAPH);
    write(
        &world.path("app/go.mod"),
        b"module app\ngo 1.21\nrequire m.test/a v1.0.0\n",
    );
    let (a, b) = (
        module("m.test/a@v1.0.0", None, &[]),
        version("m.test/b@v1.0.0"),
    );
    let sum = |name: &str| world.sumdb.record(&version(name)).unwrap().clone();
    let text = format!(
        "m.test/a v1.0.0 {}\nm.test/a v1.0.0/go.mod {}\n{} {}/go.mod {}\n",
        sum("m.test/a@v1.0.0").zip(),
        sum("m.test/a@v1.0.0").go_mod(),
        b.path(),
        b.version(),
        sum("m.test/b@v1.0.0").go_mod()
    );
    write(&world.path("app/go.sum"), text.as_bytes());
    world.export(&["--go-sum", "app/go.sum"]).ok();
    assert_eq!(world.carried("out", "zip"), "m.test/a@v1.0.0");
    assert_eq!(
        world.carried("out", "mod"),
        "m.test/a@v1.0.0 m.test/b@v1.0.0"
    );
    // `go list -m all` asks for b's.
    assert_eq!(
        world.carried("out", "info"),
        "m.test/a@v1.0.0 m.test/b@v1.0.0"
    );
    // One that cannot be had is no failure.
    std::fs::remove_file(world.file(&b, "info")).unwrap();
    let args =
        "export --key site.key --go-sum app/go.sum --stream no-info --out no-info --cache fresh";
    let done = world.run(&args.split(' ').collect::<Vec<_>>()).ok();
    assert!(
        done.stdout.contains("info of m.test/b@v1.0.0"),
        "{}",
        done.stdout
    );
    assert_eq!(world.carried("no-info", "info"), "m.test/a@v1.0.0");
    // Beside a go.mod it says which zips, and the rest of the build list comes without.
    let args = "export --key site.key --go-mod app/go.mod --stream beside --out beside";
    world.run(&args.split(' ').collect::<Vec<_>>()).ok();
    assert_eq!(world.carried("beside", "zip"), "m.test/a@v1.0.0");
    assert_eq!(
        world.carried("beside", "mod"),
        "m.test/Up/v2@v2.1.0 m.test/a@v1.0.0 m.test/b@v1.0.0 m.test/x@v1.0.0"
    );

    let wrong = text.replace(
        &sum("m.test/b@v1.0.0").go_mod().to_string(),
        &a.h1.to_string(),
    );
    write(&world.path("app/go.sum"), wrong.as_bytes());
    world
        .export(&["--go-mod", "app/go.mod", "--stream", "other"])
        .exits(6)
        .says("m.test/b@v1.0.0: app/go.sum says that its go.mod is");
    assert_eq!(
        world.out().len(),
        2,
        "the failed export left something: {:?}",
        world.out()
    );
}

#[test]
fn a_go_mod_without_go_sum_is_resolved() {
    let world = World::of(GRAPH);
    let go_mod = "module app\ngo 1.21\nrequire m.test/a v1.0.0\nrequire m.test/b v1.0.0 // indirect\nrequire m.test/Up/v2 v2.1.0 // indirect\n";
    write(&world.path("app/go.mod"), go_mod.as_bytes());
    world.export(&["--go-mod", "app/go.mod"]).ok();
    assert_eq!(
        world.carried("out", "zip"),
        "m.test/Up/v2@v2.1.0 m.test/a@v1.0.0 m.test/b@v1.0.0"
    );
    // A list of wishes, with a replacement by a folder.
    write(&world.path("wish/wish.go"), b"package wish\n");
    write(
        &world.path("wish/go.mod"),
        b"module wish\ngo 1.21\nrequire m.test/b v1.0.0\nrequire m.test/z v1.0.0\nreplace m.test/z => ../z\n",
    );
    let done = world
        .export(&["--go-mod", "wish/go.mod", "--stream", "wish"])
        .ok();
    assert!(done.stdout.contains("list of wishes"), "{}", done.stdout);
    assert!(
        done.stdout.contains("../z stands in for a module"),
        "{}",
        done.stdout
    );
    assert_eq!(
        world.carried("out/wish.000001.manifest", "zip"),
        "m.test/b@v1.0.0 m.test/x@v1.0.0"
    );
}

#[test]
fn what_a_folder_stands_in_for_need_not_be_fetchable() {
    let world = World::of(GRAPH);
    let export = |go_mod: &str, stream: &str| {
        write(&world.path("app/go.mod"), go_mod.as_bytes());
        let mut command = world.command(&[
            "export",
            "--key",
            "site.key",
            "--out",
            "out",
            "--go-mod",
            "app/go.mod",
            "--stream",
            stream,
        ]);
        common::Done::of(command.env("GOPRIVATE", "corp.example"))
    };
    let own = "module corp.example/app\ngo 1.21\nrequire m.test/b v1.0.0 // indirect\n";
    let private = "require corp.example/x v0.0.0\n";
    let done = export(
        &format!(
            "{own}{private}replace corp.example/x => ../x\nrequire mylib v0.0.0\nreplace mylib => ../mylib\n\
             require corp.example/y v1.0.0\nexclude corp.example/y v1.0.0\n"
        ),
        "folders",
    )
    .ok();
    for folder in ["../x", "../mylib"] {
        let words = format!("{folder} stands in for a module");
        assert!(done.stdout.contains(&words), "{}", done.stdout);
    }
    assert_eq!(
        world.carried("out/folders.000001.manifest", "zip"),
        "m.test/b@v1.0.0"
    );
    // Only the version that is replaced; and what a module stands in for, that module is asked for.
    for (more, words) in [
        (
            format!("{private}replace corp.example/x v0.1.0 => ../x\n"),
            "corp.example/x@v0.0.0 is private",
        ),
        (
            "require m.test/x v1.0.0\nreplace m.test/x => corp.example/z v1.0.0\n".into(),
            "corp.example/z@v1.0.0 is private",
        ),
        (
            "require mylib v0.0.0\nreplace mylib v0.1.0 => ../mylib\n".into(),
            "mylib@v0.0.0 is no module version",
        ),
    ] {
        export(&format!("{own}{more}"), "refused")
            .exits(2)
            .says(words);
    }
}

#[test]
fn several_arguments_are_united() {
    let world = World::of(GRAPH);
    world
        .export(&[
            "m.test/b@v1.0.0",
            "m.test/other@v0.0.0-20200102030405-abcdefabcdef",
        ])
        .ok();
    assert_eq!(
        world.carried("out", "zip"),
        "m.test/b@v1.0.0 m.test/other@v0.0.0-20200102030405-abcdefabcdef m.test/x@v1.0.0"
    );
}

#[test]
fn a_named_modules_own_go_sum_tells_what_its_tests_need() {
    let mut world = World::new();
    let tests = module("m.test/tests@v1.0.0", None, &[]);
    let old = module("m.test/tests@v0.9.0", None, &[]);
    let b = module("m.test/b@v1.0.0", Some("1.17"), &["m.test/tests@v1.0.0"]);
    for module in [&tests, &old, &b] {
        world.add(module);
    }
    let sum = format!(
        "m.test/tests v1.0.0 {}\nm.test/tests v0.9.0 {}\n",
        tests.h1, old.h1
    );
    let go_mod = "module m.test/a\n\ngo 1.17\n\nrequire m.test/b v1.0.0\n";
    world.add(&modferry_checker::testing::TestModule::new(
        "m.test/a@v1.0.0",
        &[
            ("go.mod", go_mod),
            ("a.go", "package a\n"),
            ("go.sum", &sum),
        ],
    ));
    world.publish();
    world.export(&["m.test/a@v1.0.0"]).ok();
    // The version that the graph selects; not the stale line.
    assert_eq!(
        world.carried("out", "zip"),
        "m.test/a@v1.0.0 m.test/b@v1.0.0 m.test/tests@v1.0.0"
    );
    // Where it cannot be had, that is told and is no failure.
    fs::remove_file(world.file(&tests.module, "zip")).unwrap();
    let done = world
        .export(&["m.test/a@v1.0.0", "--stream", "two", "--cache", "fresh"])
        .ok();
    assert!(
        done.stdout
            .contains("not carried, though a build may need it: zip of m.test/tests@v1.0.0 (nobody named it; wanted for m.test/a@v1.0.0 -> m.test/b@v1.0.0): "),
        "{}",
        done.stdout
    );
}

#[test]
fn a_stream_goes_on_and_keeps_its_older_heads_provable() {
    let mut world = World::of(GRAPH);
    world.sumdb.pad(300, "more");
    world.publish();
    world.export(&["m.test/y@v1.0.0"]).ok();
    world.sumdb.pad(70_000, "later");
    world.publish();
    let done = world
        .export(&["m.test/y@v1.0.0", "--known-head", "777", "--basis", "none"])
        .ok();
    assert!(
        done.stdout.contains("exported default 2"),
        "{}",
        done.stdout
    );
    assert_eq!(world.out().len(), 4);
    let size = world.sumdb.size();
    for older in [306, 777] {
        for tile in modferry_protocol::sumdb::tiles_of_older(size, older) {
            let item = format!("tile {} {}", common::DB, tile.path());
            assert!(
                world.items("out/default.000002.manifest").contains(&item),
                "{item} for {older}"
            );
        }
    }
    world.run(&["verify", "out", "--pub", "site.pub"]).ok();
    world
        .export(&["m.test/y@v1.0.0", "--known-head", "99999999"])
        .exits(2)
        .says("known head of 99999999 records");
    // The head's file, as a client keeps it.
    write(
        &world.path("latest"),
        &world.sumdb.signed(&world.sumdb.head_at(41)),
    );
    world
        .export(&["m.test/y@v1.0.0", "--known-head", "latest"])
        .ok();
}

#[test]
fn plan_fetches_no_zip_and_tells_what_is_new() {
    let world = World::of(GRAPH);
    let plan = |args: &[&str]| {
        let done = world
            .run(&[&["plan", "--json", "--quiet"], args].concat())
            .ok();
        serde_json::from_str::<serde_json::Value>(&done.stdout).unwrap()
    };
    let first = plan(&["m.test/a@v1.0.0"]);
    assert_eq!(
        (&first["modules"], &first["new_modules"]),
        (&3.into(), &3.into())
    );
    assert_eq!(first["sequence"], 1);
    let bytes: u64 = ["m.test/a@v1.0.0", "m.test/b@v1.0.0", "m.test/Up/v2@v2.1.0"]
        .map(|name| {
            fs::metadata(world.file(&version(name), "zip"))
                .unwrap()
                .len()
        })
        .iter()
        .sum();
    assert_eq!(first["new_zip_bytes"], bytes);
    assert_eq!(
        (&first["arrived"], &first["nothing_new"]),
        (&"none".into(), &false.into())
    );
    // Of so small a tree there is one tile, of as many hashes as modules.
    assert_eq!(
        (&first["new_tiles"], &first["new_tile_bytes"]),
        (&1.into(), &(6 * 32).into())
    );
    assert!(
        !world
            .path(".cache/modferry/download/m.test/a/@v/v1.0.0.zip")
            .exists()
    );
    world.export(&["m.test/b@v1.0.0"]).ok();
    let second = plan(&["m.test/a@v1.0.0"]);
    assert_eq!(
        (&second["modules"], &second["new_modules"]),
        (&3.into(), &2.into())
    );
    assert_eq!(second["sequence"], 2);
    let words = world
        .run(&["plan", "m.test/a@v1.0.0", "--each"])
        .ok()
        .stdout;
    assert!(
        words.contains("zip m.test/b@v1.0.0") && words.contains(" held\n"),
        "{words}"
    );
}

#[test]
fn results_are_for_machines_too() {
    let world = World::of(GRAPH);
    let done = world.export(&["m.test/a@v1.0.0", "--json"]).ok();
    let result: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(result["modules"], 3);
    assert_eq!(result["heads"][0]["size"], 6);
    for line in done.stderr.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    let done = world
        .run(&["verify", "out", "--pub", "site.pub", "--json"])
        .ok();
    let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(report["zips"], 3);
    let done = world.run(&["--json", "export", "m.test/a"]).exits(2);
    let error: serde_json::Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!(error["error"]["exit"], 2);
    let again = world.export(&["m.test/a@v1.0.0", "--json"]).ok();
    let again: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(
        (&again["nothing_new"], &again["bytes"]),
        (&true.into(), &0.into())
    );
    for basis in [&["--basis", "none"][..], &[]] {
        let args = [&["m.test/a@v1.0.0", "--quiet"], basis].concat();
        let quiet = world.export(&args).ok();
        assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    }
}

#[test]
fn settings_come_from_a_file_and_flags_count_before_it() {
    let world = World::of(GRAPH);
    write(
        &world.path("etc/modferry.yaml"),
        b"stream: from-file\nkey: ../site.key\nout: ../elsewhere\nmodules: [m.test/y@v1.0.0]\n",
    );
    world.run(&["export", "--config", "etc/modferry.yaml"]).ok();
    assert!(world.path("elsewhere/from-file.000001.manifest").exists());
    world
        .run(&[
            "export",
            "--config",
            "etc/modferry.yaml",
            "m.test/x@v1.0.0",
            "--stream",
            "flag",
        ])
        .ok();
    assert_eq!(
        world.carried("elsewhere/flag.000001.manifest", "zip"),
        "m.test/x@v1.0.0 m.test/y@v1.0.0"
    );
    write(&world.path("etc/modferry.yaml"), b"strem: x\n");
    world
        .run(&["export", "--config", "etc/modferry.yaml"])
        .exits(2)
        .says("modferry.yaml:1:1");
}

#[test]
fn many_modules_at_once_are_each_taken_once() {
    let mut graph = String::from("m.test/all@v1.0.0 ->");
    for n in 0..300 {
        graph += &format!(" m.test/m{n}@v1.0.0");
    }
    for n in 0..300 {
        graph += &format!("\nm.test/m{n}@v1.0.0 ->");
    }
    let world = World::of(&graph);
    for cache in ["one", "two"] {
        let args = [
            "m.test/all@v1.0.0",
            "--cache",
            cache,
            "--transfers",
            "64",
            "--quiet",
            "--basis",
            "none",
        ];
        world.export(&args).ok();
    }
    assert_eq!(
        world
            .carried("out/default.000002.manifest", "zip")
            .split(' ')
            .count(),
        301
    );
}
