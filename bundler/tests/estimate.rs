//! What `plan` says that an export would come to, against what it comes to; and how long it says that takes.
#![allow(clippy::unwrap_used)]

mod common;

use common::World;
use modferry_checker::testing::TestModule;
use serde_json::Value;

const FAST: [&str; 2] = ["--pack", "fast"];

/// A module of so many files, of which one in ten is another in each version.
fn add(world: &mut World, path: &str, version: u32, files: u32) {
    let texts: Vec<(String, String)> = (0..files)
        .map(|file| {
            let revision = (1..=version)
                .rev()
                .find(|version| (file + version) % 10 == 0);
            (
                format!("f{file}.go"),
                source(path, file, revision.unwrap_or(0)),
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    world.add(&TestModule::new(&format!("{path}@v1.{version}.0"), &files));
}

/// Source as people write it, more or less; each revision has a function that is another.
fn source(path: &str, file: u32, revision: u32) -> String {
    let mut text = String::from("package p\n");
    let mut state = path.bytes().fold(u64::from(file) + 1, |state, byte| {
        state.wrapping_mul(31).wrapping_add(byte.into())
    });
    for line in 0..60 {
        if line == 30 {
            text += &format!("\n// changed in revision {revision}\n");
        }
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let (name, number) = (state >> 48, state >> 20 & 0xfff);
        text += &format!(
            "\nfunc Method{name:x}(ctx context.Context, value int) (int, error) {{\n\treturn value + {number}, nil\n}}\n"
        );
    }
    text
}

fn json(world: &World, args: &[&str]) -> Value {
    let done = world.run(&[&["--json", "--quiet"], args].concat()).ok();
    serde_json::from_str(&done.stdout).unwrap()
}

/// What the plan says, over what the export comes to.
#[track_caller]
fn ratio(world: &World, args: &[&str]) -> f64 {
    let planned = json(world, &[&["plan"], args].concat());
    let out = ["export", "--key", "site.key", "--out", "out"];
    let exported = json(world, &[&out, args].concat());
    assert_eq!(planned["new_zip_bytes"], exported["zip_bytes"]);
    let bytes = |value: &Value| value.as_u64().unwrap() as f64;
    bytes(&planned["carried_bytes_estimate"]) / bytes(&exported["bytes"])
}

fn paths(range: std::ops::Range<u32>, version: u32) -> Vec<String> {
    range
        .map(|n| format!("m.test/m{n}@v1.{version}.0"))
        .collect()
}

#[test]
fn a_plan_is_near_to_what_the_export_comes_to() {
    let mut world = World::new();
    for n in 0..12 {
        for version in 0..4 {
            add(&mut world, &format!("m.test/m{n}"), version, 40);
        }
    }
    world.publish();
    let ratio_of = |modules: &[String], more: &[&str]| {
        let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
        ratio(&world, &[&modules[..], more].concat())
    };
    // As they are, their sizes are known.
    let verbatim = ratio_of(&paths(0..4, 0), &["--stream", "verbatim", "--pack", "none"]);
    assert!((0.93..1.07).contains(&verbatim), "{verbatim}");
    // A rule of thumb; then it has learned what this stream's modules are like, first ones and further versions.
    let first = ratio_of(&paths(0..4, 0), &FAST);
    assert!((0.5..2.0).contains(&first), "{first}");
    let learned = ratio_of(&paths(4..8, 0), &FAST);
    assert!((0.8..1.25).contains(&learned), "{learned}");
    let further = ratio_of(&paths(0..8, 1), &FAST);
    assert!((0.3..3.0).contains(&further), "{further}");
    let learned = ratio_of(&paths(0..8, 2), &FAST);
    assert!((0.7..1.4).contains(&learned), "{learned}");
    let mixed = ratio_of(&[paths(0..8, 3), paths(8..12, 0)].concat(), &FAST);
    assert!((0.8..1.25).contains(&mixed), "{mixed}");
}

#[test]
fn the_time_on_the_way_is_told_at_the_rate_that_is_given() {
    let mut world = World::new();
    add(&mut world, "m.test/m", 0, 40);
    world.publish();
    let args = [
        "m.test/m@v1.0.0",
        "--media-rate",
        "80 kbit/s",
        "--pack",
        "fast",
    ];
    let planned = json(&world, &[&["plan"], &args[..]].concat());
    let seconds = |bytes: &Value| bytes.as_u64().unwrap().div_ceil(10_000);
    assert_eq!(planned["media_rate"], "80 kbit/s");
    let estimate = &planned["carried_bytes_estimate"];
    assert_eq!(planned["media_seconds_estimate"], seconds(estimate));
    let told = world.run(&[&["plan"], &args[..]].concat()).ok();
    assert!(
        told.stdout
            .contains(" on the way at 80 kbit/s: an estimate by "),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout.contains("no packed bundle yet"),
        "{}",
        told.stdout
    );

    // From the file, too; and without a rate there is no time.
    common::write(
        &world.path("modferry.yaml"),
        b"media-rate: 10 kB/s\npack: fast\n",
    );
    let export = [
        "export",
        "--key",
        "site.key",
        "--out",
        "out",
        "m.test/m@v1.0.0",
    ];
    let exported = json(
        &world,
        &[&["--config", "modferry.yaml"], &export[..]].concat(),
    );
    assert_eq!(exported["media_seconds"], seconds(&exported["bytes"]));
    let planned = json(
        &world,
        &[
            "plan",
            "m.test/m@v1.0.0",
            "--basis",
            "none",
            "--pack",
            "fast",
        ],
    );
    assert_eq!(planned["media_seconds_estimate"], Value::Null);
    assert!(
        planned["estimated_by"]
            .as_str()
            .unwrap()
            .contains("last packed bundle")
    );
    let refused = world.run(&["plan", "m.test/m@v1.0.0", "--media-rate", "2 Mb/s"]);
    refused.exits(2).says("write MB/s (bytes) or Mbit/s (bits)");
}
