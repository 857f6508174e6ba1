//! `diff` and `inspect` of bundles as an operator has them: folders, single files, lists of stores.
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, write};
use serde_json::Value;

/// Two bundles of two streams: a with b; b with c.
fn world() -> World {
    let world = World::of(
        "
        m.test/a@v1.0.0 go1.17 -> m.test/b@v1.0.0
        m.test/b@v1.0.0 go1.17 -> m.test/x@v1.0.0
        m.test/c@v1.0.0 ->
        m.test/x@v1.0.0 ->
        ",
    );
    let export = |modules: &[&str], stream: &str| {
        let args = ["--stream", stream, "--out", stream];
        world
            .run(&[&["export", "--key", "site.key"], modules, &args].concat())
            .ok();
    };
    export(&["m.test/a@v1.0.0"], "one");
    export(&["m.test/b@v1.0.0", "m.test/c@v1.0.0"], "two");
    world
}

#[test]
fn both_directions_in_words_and_in_json() {
    let world = world();
    let done = world.run(&["diff", "one", "two"]).ok();
    let lines: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "- zip m.test/a@v1.0.0",
            "+ zip m.test/c@v1.0.0",
            "+ zip m.test/x@v1.0.0 (the other has its go.mod)",
            "- only in one: 1 zip, 0 go.mod files, 0 tiles, 0 tree heads",
            "+ only in two: 2 zips, 0 go.mod files, 0 tiles, 0 tree heads",
            "1 module version is the same in both",
        ]
    );
    let done = world
        .run(&[
            "--json",
            "diff",
            "one/one.000001.manifest",
            "two/two.000001.v001.tar",
        ])
        .ok();
    let told: Vec<Value> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(told.len(), 4);
    assert_eq!(
        told[2],
        serde_json::json!({"only_in": "b", "module": "m.test/x", "version": "v1.0.0", "what": "zip", "other": "mod"})
    );
    assert_eq!(told[3]["only_b"]["zips"], 2);
    assert_eq!(told[3]["same"], 1);
    let done = world.run(&["--quiet", "diff", "one", "one"]).ok();
    assert_eq!(done.stdout.lines().count(), 3);
    assert!(
        done.stdout
            .ends_with("3 module versions are the same in both\n"),
        "{}",
        done.stdout
    );
}

#[test]
fn a_folder_of_bundles_is_one_side_and_a_list_is_another() {
    let world = world();
    for stream in ["one", "two"] {
        for file in [".000001.manifest", ".000001.v001.tar"] {
            let name = format!("{stream}{file}");
            let bytes = std::fs::read(world.path(stream).join(&name)).unwrap();
            write(&world.path("all").join(&name), &bytes);
        }
    }
    let done = world.run(&["diff", "all", "two"]).ok();
    assert!(
        done.stdout
            .starts_with("- zip m.test/a@v1.0.0\n- only in all: 1 zip,"),
        "{}",
        done.stdout
    );

    let list = "{\"module\":\"m.test/a\",\"version\":\"v1.0.0\",\"size\":1}\n\
                {\"module\":\"m.test/x\",\"version\":\"v1.0.0\",\"size\":null}\n";
    write(&world.path("list.json"), list.as_bytes());
    let done = world.run(&["diff", "all", "list.json"]).ok();
    assert_eq!(
        done.stdout.lines().take(3).collect::<Vec<_>>(),
        [
            "- zip m.test/b@v1.0.0",
            "- zip m.test/c@v1.0.0",
            "- zip m.test/x@v1.0.0 (the other has its go.mod)",
        ]
    );
    write(&world.path("empty.json"), b"");
    let done = world.run(&["diff", "empty.json", "list.json"]).ok();
    assert_eq!(
        done.stdout
            .lines()
            .filter(|line| line.starts_with("+ "))
            .count(),
        3
    );

    write(&world.path("bad.json"), format!("{list}{list}").as_bytes());
    world
        .run(&["diff", "all", "bad.json"])
        .exits(4)
        .says("bad.json: m.test/a@v1.0.0 is out of order");
    write(&world.path("cut.json"), &list.as_bytes()[..70]);
    world
        .run(&["diff", "all", "cut.json"])
        .exits(4)
        .says("line 2");
    world.run(&["diff", "-", "-"]).exits(2);
    world.run(&["diff", "all", "nowhere"]).exits(2);
    world.run(&["diff", "all", "up"]).exits(5);
    write(&world.path("noise.v001.tar"), &[7; 2000]);
    world.run(&["diff", "all", "noise.v001.tar"]).exits(4);
}

#[test]
fn an_index_that_is_not_the_manifest_s_is_not_shown() {
    let world = world();
    let volume = world.path("one/one.000001.v001.tar");
    let mut bytes = std::fs::read(&volume).unwrap();
    let at = bytes
        .windows(8)
        .position(|part| part == b"m.test/b")
        .unwrap();
    bytes[at + 7] = b'q';
    std::fs::write(&volume, &bytes).unwrap();
    for args in [&["inspect", "one"][..], &["diff", "one", "two"]] {
        let done = world.run(args).exits(4);
        let done = done.says("its index is not the one that its manifest names");
        assert!(!done.stdout.contains("m.test/q"), "{}", done.stdout);
    }
}
