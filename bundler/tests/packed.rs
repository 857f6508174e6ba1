//! Bundles whose zips are packed: what is carried, what comes out, and that all else goes on as it did.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Done, World, write};
use modferry_checker::testing::TestModule;

/// Two versions of one module, large and nearly the same, and a small one of another.
fn world() -> World {
    let mut world = World::new();
    let text = |word: &str| -> String {
        (0..4000)
            .map(|n| format!("{word} {}\n", n * n % 8191))
            .collect()
    };
    let (long, longer) = (text("// long"), text("// long") + "// longer\n");
    for (name, long) in [
        ("m.test/a@v1.0.0", &long),
        ("m.test/a@v1.1.0", &longer),
        ("m.test/b@v1.0.0", &long),
    ] {
        let files = [
            ("a.go", "package a\n"),
            ("long.go", long),
            ("other.go", &text(&name[7..])),
        ];
        world.add(&TestModule::new(name, &files));
    }
    world.publish();
    world
}

const MODULES: [&str; 3] = ["m.test/a@v1.0.0", "m.test/a@v1.1.0", "m.test/b@v1.0.0"];

fn export(world: &World, out: &str, more: &[&str]) -> Done {
    let args = [
        "export", "--key", "site.key", "--stream", "platform", "--out", out,
    ];
    let state = format!("state-{out}");
    world.run(&[&args, &MODULES[..], &["--state", &state], more].concat())
}

/// To `diff`, which compares what a store would come to have.
#[track_caller]
fn are_the_same(world: &World, a: &str, b: &str) {
    let told = world.run(&["diff", a, b]).ok().stdout;
    for only in [a, b] {
        let nothing = format!("only in {only}: 0 zips, 0 go.mod files, 0 tiles, 0 tree heads\n");
        assert!(told.contains(&nothing), "{told}");
    }
    assert!(
        told.contains("3 module versions are the same in both"),
        "{told}"
    );
}

fn json(done: Done) -> serde_json::Value {
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn packed_bundles_carry_the_same_zips_in_less_room() {
    let world = world();
    let exported = |pack: &str| json(export(&world, pack, &["--pack", pack, "--json"]).ok());
    let (none, fast, max) = (exported("none"), exported("fast"), exported("max"));
    for (told, pack) in [(&none, "none"), (&fast, "fast"), (&max, "max")] {
        assert_eq!(told["pack"], pack);
        assert_eq!(told["zip_bytes"], none["zip_bytes"]);
        assert_eq!(told["verbatim"], serde_json::json!([]));
        assert_eq!(world.carried(pack, "zip"), MODULES.join(" "));
        world.run(&["verify", pack, "--pub", "site.pub"]).ok();
        are_the_same(&world, "none", pack);
    }
    assert_eq!(none["contents"], 0);
    assert_eq!(fast["contents"], 1);
    let carried = |told: &serde_json::Value| told["carried_bytes"].as_u64().unwrap();
    assert!(carried(&fast) * 3 < carried(&none) * 2, "{fast} {none}");
    assert!(carried(&max) <= carried(&fast), "{max} {fast}");

    let told = export(&world, "told", &["--pack", "fast"]).ok().stdout;
    assert!(
        told.contains("packed: ") && told.contains("each rebuild proven"),
        "{told}"
    );
    let told = export(&world, "untold", &["--pack", "none"]).ok().stdout;
    assert!(!told.contains("packed"), "{told}");
}

#[test]
fn the_file_says_how_zips_travel_and_the_flag_counts_before_it() {
    let world = world();
    write(&world.path("modferry.yaml"), b"pack: max\n");
    let of = |out: &str, more: &[&str]| {
        let args = ["--config", "modferry.yaml", "--json"];
        json(export(&world, out, &[&args, more].concat()).ok())["pack"].clone()
    };
    assert_eq!(of("file", &[]), "max");
    assert_eq!(of("flag", &["--pack", "fast"]), "fast");
    write(&world.path("modferry.yaml"), b"pack: zip\n");
    export(&world, "wrong", &["--config", "modferry.yaml"])
        .exits(2)
        .says("pack");
    export(&world, "wrong", &["--pack", "zip"])
        .exits(2)
        .says("none|fast|max");
}

#[test]
fn a_zip_that_cannot_be_packed_is_told_and_travels_as_it_is() {
    let mut world = world();
    // Bytes in front of the files, more than a recipe has.
    let mut odd = TestModule::new("m.test/odd@v1.0.0", &[("a.go", "package odd\n")]);
    odd.zip.splice(0..0, vec![0; 5 << 20]);
    world.add(&odd);
    world.publish();
    let args = ["--pack", "fast", "m.test/odd@v1.0.0"];
    let done = export(&world, "out", &args)
        .ok()
        .says("m.test/odd@v1.0.0 is not packed and travels as it is");
    assert!(
        done.stdout.contains("not packed: m.test/odd@v1.0.0: "),
        "{}",
        done.stdout
    );
    world.run(&["verify", "out", "--pub", "site.pub"]).ok();
    let told = json(export(&world, "json", &[&args[..], &["--json"]].concat()).ok());
    assert_eq!(told["verbatim"][0]["module"], "m.test/odd@v1.0.0");
    assert_eq!(told["verbatim"].as_array().unwrap().len(), 1);
    assert_eq!(told["contents"], 1);
}

#[test]
fn entries_of_contents_are_cut_over_volumes_and_joined_again() {
    let world = world();
    export(&world, "whole", &["--pack", "fast"]).ok();
    let size = fs::metadata(world.path("whole/platform.000001.v001.tar"))
        .unwrap()
        .len();
    let limit = (size / 3).to_string();
    world
        .run(&["volumes", "whole", "--out", "cut", "--volume-size", &limit])
        .ok();
    let volumes = fs::read_dir(world.path("cut")).unwrap().count() - 1;
    assert!(volumes > 2, "{volumes}");
    world.run(&["verify", "cut", "--pub", "site.pub"]).ok();
    world.run(&["volumes", "cut", "--out", "again"]).ok();
    for file in ["platform.000001.v001.tar", "platform.000001.manifest"] {
        let read = |folder: &str| fs::read(world.path(folder).join(file)).unwrap();
        assert!(read("again") == read("whole"), "{file}");
    }
    are_the_same(&world, "whole", "cut");
}

#[test]
fn what_is_packed_leaves_nothing_behind() {
    let world = world();
    export(&world, "out", &["--pack", "fast"]).ok();
    let cache = world.path(".cache/modferry/download");
    let names: Vec<String> = fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        names
            .iter()
            .all(|name| !name.contains("tmp") || name == ".modferry-tmp"),
        "{names:?}"
    );
    assert_eq!(
        fs::read_dir(cache.join(".modferry-tmp")).unwrap().count(),
        0
    );
}
