//! What a plan tells of a selection: why each module is there, what is missing, and what its authors take back.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use common::{World, version};
use modferry_checker::testing::TestModule;
use serde_json::{Value, json};

/// The ways over c and d and over f and g to e are longer than that over b; only x asks for e in an old version.
const GRAPH: &str = "
    m.test/a@v1.0.0 go1.16 -> m.test/c@v1.0.0 m.test/b@v1.0.0 m.test/f@v1.0.0
    m.test/b@v1.0.0 go1.16 -> m.test/e@v1.5.0
    m.test/c@v1.0.0 go1.16 -> m.test/d@v1.0.0
    m.test/d@v1.0.0 go1.16 -> m.test/e@v1.5.0 m.test/x@v1.0.0
    m.test/x@v1.0.0 go1.16 -> m.test/e@v1.2.0
    m.test/f@v1.0.0 go1.16 -> m.test/g@v1.0.0
    m.test/g@v1.0.0 go1.16 -> m.test/e@v1.5.0
    m.test/e@v1.2.0 go1.16 ->
    m.test/e@v1.5.0 go1.16 ->
";

fn json_of(world: &World, args: &[&str]) -> Value {
    let done = world.run(&[&["plan", "--json"], args].concat());
    serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

#[test]
fn the_shortest_chain_says_why() {
    let world = World::of(GRAPH);
    let ask = |what: &str| {
        let why = json_of(&world, &["m.test/a@v1.0.0", "--why", what]);
        why["why"][0].clone()
    };
    let e = ask("m.test/e@v1.5.0");
    assert_eq!(
        e["found"][0]["chain"],
        json!(["m.test/a@v1.0.0", "m.test/b@v1.0.0"])
    );
    assert_eq!(
        (&e["found"][0]["what"], &e["found"][0]["selected"]),
        (&json!("build"), &Value::Null)
    );
    let named = ask("m.test/a");
    assert_eq!(named["found"][0]["what"], "named");
    assert_eq!(named["found"][0]["chain"], json!(["m.test/a@v1.0.0"]));

    // Not selected, but asked for.
    let old = ask("m.test/e@v1.2.0");
    assert_eq!(old["found"][0]["selected"], "m.test/e@v1.5.0");
    assert_eq!(old["found"][0]["what"], "selection");
    assert_eq!(
        old["found"][0]["chain"],
        json!([
            "m.test/a@v1.0.0",
            "m.test/c@v1.0.0",
            "m.test/d@v1.0.0",
            "m.test/x@v1.0.0"
        ])
    );
    // Not asked for in that version; not at all.
    let never = ask("m.test/e@v1.9.0");
    assert_eq!(never["found"], json!([]));
    assert_eq!(
        never["other_versions"],
        json!(["m.test/e@v1.2.0", "m.test/e@v1.5.0"])
    );
    assert_eq!(ask("m.test/nothing")["other_versions"], json!([]));
    // A pattern is about all that match.
    assert_eq!(ask("m.test/...")["found"].as_array().unwrap().len(), 9);
}

#[test]
fn the_chain_is_the_same_in_each_run_and_in_words() {
    let world = World::of(GRAPH);
    let expected = "m.test/e@v1.2.0\n  m.test/a@v1.0.0\n    requires m.test/c@v1.0.0\n      requires m.test/d@v1.0.0\n        \
                    requires m.test/x@v1.0.0\n          m.test/e@v1.2.0: its go.mod is read to select versions: only that is \
                    carried\n          not selected: v1.5.0 is\n";
    for _ in 0..4 {
        let told = world
            .run(&["plan", "m.test/a@v1.0.0", "--why", "m.test/e@v1.2.0"])
            .ok();
        assert_eq!(told.stdout, expected);
    }
    let told = world
        .run(&["plan", "m.test/a@v1.0.0", "--why", "m.test/e@v3"])
        .ok();
    assert_eq!(
        told.stdout,
        "m.test/e@v3 is not selected, and nothing asks for it; asked for: m.test/e@v1.2.0, m.test/e@v1.5.0\n"
    );
    let told = world
        .run(&["plan", "m.test/a@v1.0.0", "--why", "m.test/none"])
        .ok();
    assert_eq!(
        told.stdout,
        "m.test/none is not selected: nothing that is asked for requires it\n"
    );
}

#[test]
fn a_go_sum_and_a_build_list_are_reasons() {
    let world = World::of(
        "m.test/top@v1.0.0 go1.17 -> m.test/mid@v1.0.0 m.test/leaf@v1.0.0
         m.test/mid@v1.0.0 go1.17 -> m.test/leaf@v1.0.0 m.test/deep@v1.0.0
         m.test/leaf@v1.0.0 go1.17 ->
         m.test/deep@v1.0.0 go1.17 ->",
    );
    let go_mod = "module m.test/site\n\ngo 1.20\n\nrequire m.test/mid v1.0.0\n\nrequire m.test/leaf v1.0.0 // indirect\n";
    common::write(&world.path("site/go.mod"), go_mod.as_bytes());
    common::write(&world.path("site/site.go"), b"package site\n");
    let why = json_of(&world, &["--go-mod", "site/go.mod", "--why", "m.test/..."]);
    let found = why["why"][0]["found"].as_array().unwrap();
    let what: Vec<(&str, &str)> = found
        .iter()
        .map(|one| {
            (
                one["module"].as_str().unwrap(),
                one["what"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        what,
        [
            ("m.test/deep@v1.0.0", "build-list"),
            ("m.test/leaf@v1.0.0", "build"),
            ("m.test/mid@v1.0.0", "build")
        ]
    );
    assert_eq!(
        found[0]["chain"],
        json!(["site/go.mod", "m.test/mid@v1.0.0"])
    );

    let record = world.sumdb.record(&version("m.test/leaf@v1.0.0")).unwrap();
    let sum = format!("m.test/leaf v1.0.0/go.mod {}\n", record.go_mod());
    common::write(&world.path("site/go.sum"), sum.as_bytes());
    let why = json_of(&world, &["--go-mod", "site/go.mod", "--why", "m.test/leaf"]);
    assert_eq!(why["why"][0]["found"][0]["what"], "go-sum");
}

#[test]
fn what_is_missing_is_counted_by_reasons() {
    let world = World::of(GRAPH);
    for kind in ["info", "mod", "zip"] {
        std::fs::remove_file(world.file(&version("m.test/x@v1.0.0"), kind)).unwrap();
    }
    let done = world.run(&["plan", "m.test/a@v1.0.0"]).exits(9);
    assert!(
        done.stdout
            .contains("1  things that cannot be carried: not there (404)"),
        "{}",
        done.stdout
    );
    let missing = &json_of(&world, &["m.test/a@v1.0.0"])["missing"][0];
    assert_eq!(
        (&missing["module"], &missing["reason"]),
        (&json!("m.test/x@v1.0.0"), &json!("404"))
    );
    assert_eq!(
        missing["required_by"],
        "m.test/a@v1.0.0 -> m.test/c@v1.0.0 -> m.test/d@v1.0.0"
    );
}

#[test]
fn what_authors_take_back_is_told() {
    let mut world = World::new();
    let mut add = |name: &str, go_mod: &str| {
        let (path, _) = name.split_once('@').unwrap();
        let go_mod = go_mod.replace("MODULE", &format!("module {path}"));
        world.add(&TestModule::new(
            name,
            &[("go.mod", &go_mod), ("a.go", "package a\n")],
        ));
    };
    add("m.test/a@v1.0.0", "MODULE\n\nrequire m.test/b v1.0.0\n");
    add("m.test/b@v1.0.0", "MODULE\n");
    add(
        "m.test/b@v1.1.0",
        "// Deprecated: use m.test/c\n// instead.\nMODULE\n\n// Leaks\n// memory.\nretract v1.0.0\n",
    );
    add("m.test/b@v1.2.0-rc.1", "MODULE\n");
    world.publish();
    common::write(&world.path("up/m.test/a/@v/list"), b"v1.0.0\n");
    let list = world.path("up/m.test/b/@v/list");
    common::write(&list, b"v1.0.0\nv1.1.0\nv1.2.0-rc.1\n");
    let ask = |newest: &str| json_of(&world, &["m.test/a@v1.0.0", "--newest", newest]);
    let unknown = ask("none");
    assert_eq!(
        (&unknown["retracted"], &unknown["deprecated"]),
        (&json!({}), &json!({}))
    );
    assert_eq!(unknown["newest_unknown"], 2);
    world
        .run(&["plan", "m.test/a@v1.0.0"])
        .ok()
        .tells("it is not known of 1 module: their newest versions are not looked for (newest: all does that)\n");
    let known = ask("all");
    assert_eq!(known["newest_unknown"], 0);
    assert_eq!(
        known["retracted"],
        json!({ "m.test/b@v1.0.0": "Leaks\nmemory." })
    );
    assert_eq!(
        known["deprecated"],
        json!({ "m.test/b": "use m.test/c\ninstead." })
    );
    let told = world
        .run(&["plan", "m.test/a@v1.0.0", "--newest", "all"])
        .ok();
    for line in [
        "retracted by its authors: m.test/b@v1.0.0: Leaks memory.\n",
        "deprecated by its authors: m.test/b: use m.test/c instead.\n",
    ] {
        assert!(told.stdout.contains(line), "{line}{}", told.stdout);
    }
}

#[test]
fn all_that_depends_on_what_is_missing_is_named() {
    let world = World::of(
        "m.test/a@v1.0.0 go1.16 -> m.test/b@v1.0.0 m.test/c@v1.0.0
         m.test/b@v1.0.0 go1.16 -> m.test/gone@v1.0.0
         m.test/c@v1.0.0 go1.16 -> m.test/gone@v1.0.0 m.test/old@v1.0.0 m.test/old@v1.1.0
         m.test/old@v1.0.0 go1.16 -> m.test/gone@v1.0.0
         m.test/old@v1.1.0 go1.16 ->
         m.test/gone@v1.0.0 go1.16 ->",
    );
    let go_mod = "module m.test/site\n\ngo 1.20\n\nrequire m.test/gone v1.0.0\n";
    common::write(&world.path("site/go.mod"), go_mod.as_bytes());
    std::fs::remove_file(world.file(&version("m.test/gone@v1.0.0"), "zip")).unwrap();
    let args = ["m.test/a@v1.0.0", "--go-mod", "site/go.mod"];
    // The requirement of m.test/old v1.0.0 counts for nothing: another version of it is selected.
    world
        .run(&[&["plan"], &args[..]].concat())
        .exits(9)
        .says("(required by site/go.mod; also by m.test/b@v1.0.0, m.test/c@v1.0.0; wanted for m.test/a@v1.0.0, too)");
    let missing = &json_of(&world, &args)["missing"][0];
    assert_eq!(
        missing["dependents"],
        json!({
            "modules": ["m.test/b@v1.0.0", "m.test/c@v1.0.0"], "more_modules": 0,
            "inputs": ["m.test/a@v1.0.0", "site/go.mod"], "more_inputs": 0,
        })
    );
}

#[test]
fn other_files_are_counted_before_they_are_fetched() {
    let world = World::of(GRAPH);
    common::write(&world.path("up/tool.tgz"), &[7; 3000]);
    common::write(&world.path("ca.pem"), &[7; 500]);
    let url = format!("file://{}", world.text("up"));
    // It knows GET only.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nowhere = format!("url: 'http://{}/x'", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let answer = b"HTTP/1.1 405 X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).unwrap();
        }
    });
    let files = format!(
        "files:\n  - {{name: ca.pem, path: ca.pem}}\n  - {{name: tool.tgz, url: '{url}/tool.tgz'}}\n  - {{name: away, \
         {nowhere}}}\n"
    );
    common::write(&world.path("modferry.yaml"), files.as_bytes());
    let args = ["--config", "modferry.yaml", "m.test/a@v1.0.0"];
    let told = world.run(&[&["plan"], &args[..]].concat()).ok();
    told.tells("        3  other files, of 3 named: 3.5 kB, and 1 whose size is not known; 3.0 kB to fetch\n")
        .tells("note: files: away: its size is not known: ");
    let before = json_of(&world, &["m.test/a@v1.0.0"])["carried_bytes_estimate"].as_u64();
    let plan = json_of(&world, &args);
    assert_eq!(
        plan["files"],
        json!({ "files": 3, "new": 3, "new_bytes": 3500, "unknown_sizes": 1, "fetch_bytes": 3000 })
    );
    assert_eq!(
        plan["carried_bytes_estimate"].as_u64(),
        before.map(|bytes| bytes + 3500)
    );
    // What is held already is not new, and what is new is something to export.
    let of = |entries: &str| {
        common::write(
            &world.path("modferry.yaml"),
            format!("files:\n{entries}").as_bytes(),
        );
    };
    of("  - {name: ca.pem, path: ca.pem}\n");
    world.export(&args).ok();
    let plan = json_of(&world, &args);
    assert_eq!(
        (&plan["files"]["new"], &plan["nothing_new"]),
        (&json!(0), &json!(true))
    );
    of("  - {name: ca.pem, path: ca.pem}\n  - {name: more.pem, path: ca.pem}\n");
    let plan = json_of(&world, &args);
    assert_eq!(
        (&plan["files"]["new"], &plan["nothing_new"]),
        (&json!(1), &json!(false))
    );
}
