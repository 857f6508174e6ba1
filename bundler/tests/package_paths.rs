//! Packages named as for `go install`: the module that has one is found by its path, and upstream hears no private name
//! because of it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, write};
use modferry_checker::testing::TestModule;

/// tools has a command, which came with its second version; tools/cmd is a module of its own, which does not have it.
fn world() -> World {
    let mut world = World::new();
    let mut add = |name: &str, files: &[&str]| {
        let files: Vec<(&str, &str)> = files.iter().map(|file| (*file, "package main\n")).collect();
        world.add(&TestModule::new(name, &files));
    };
    add("m.test/tools@v1.0.0", &["t.go"]);
    add("m.test/tools@v1.1.0", &["t.go", "cmd/lint/l.go"]);
    add("m.test/tools@v1.2.0", &["t.go", "cmd/lint/l.go"]);
    add("m.test/tools/cmd@v0.9.0", &["other/o.go"]);
    add("m.test/tools/v2@v2.0.0", &["cmd/lint/l.go"]);
    world.publish();
    for (path, versions) in [
        ("tools", "v1.0.0\nv1.1.0\nv1.2.0\n"),
        ("tools/cmd", "v0.9.0\n"),
        ("tools/v2", "v2.0.0\n"),
    ] {
        write(
            &world.path(&format!("up/m.test/{path}/@v/list")),
            versions.as_bytes(),
        );
    }
    world
}

#[test]
fn the_longest_path_counts_that_has_the_package() {
    let world = world();
    let of = |name: &str| {
        let out = name.replace(['/', '@'], "_");
        let state = format!("state-{out}");
        let args = [name, "--newest", "none", "--state", &state];
        let done = world.export_into(&out, &args).ok();
        (world.carried(&out, "zip"), done)
    };
    let (zips, done) = of("m.test/tools/cmd/lint@latest");
    assert_eq!(zips, "m.test/tools@v1.2.0");
    done.tells("m.test/tools/cmd/lint is a package of m.test/tools")
        .tells("m.test/tools@latest is v1.2.0");
    assert_eq!(of("m.test/tools/cmd/lint@v1.1.0").0, "m.test/tools@v1.1.0");
    assert_eq!(
        of("m.test/tools/cmd/other@latest").0,
        "m.test/tools/cmd@v0.9.0"
    );
    assert_eq!(
        of("m.test/tools/v2/cmd/lint@v2.0.0").0,
        "m.test/tools/v2@v2.0.0"
    );
    // A module's own path is that, be it a package of another one or none.
    assert_eq!(of("m.test/tools/cmd@latest").0, "m.test/tools/cmd@v0.9.0");
    // The newest version comes along of the module, whatever it was named by.
    world.export(&["m.test/tools/cmd/lint@v1.1.0"]).ok();
    assert_eq!(
        world.carried("out", "zip"),
        "m.test/tools@v1.1.0 m.test/tools@v1.2.0"
    );
}

#[test]
fn what_is_in_no_module_is_told_as_it_was_named() {
    let world = world();
    // This version does not have it yet.
    world
        .export(&["m.test/tools/cmd/lint@v1.0.0"])
        .exits(9)
        .says("m.test/tools/cmd/lint@v1.0.0");
    for name in ["m.test/none/of/it@latest", "m.test/tools/cmd/none@latest"] {
        world.export(&[name]).exits(9).says(name);
    }
    world
        .export(&["m.test/tools/cmd/lint@v1.1.0", "--exclude", "m.test/tools"])
        .exits(9)
        .says("m.test/tools/cmd/lint@v1.1.0");
}

#[test]
fn a_plan_fetches_no_zip_to_find_out() {
    let world = world();
    let plan = || {
        let args = [
            "plan",
            "m.test/tools/cmd/lint@latest",
            "--newest",
            "none",
            "--each",
        ];
        world.run(&args).ok().stdout
    };
    assert!(plan().contains("m.test/tools/cmd@v0.9.0"), "{}", plan());
    assert!(
        !world
            .path(".cache/modferry/download/m.test/tools/cmd/@v/v0.9.0.zip")
            .exists()
    );
    // Once it is known, it counts.
    world
        .export(&["m.test/tools/cmd/lint@latest", "--newest", "none"])
        .ok();
    assert!(plan().contains("m.test/tools@v1.2.0"), "{}", plan());
}

#[test]
fn what_cannot_be_looked_into_is_not_passed_over() {
    // The longer path is a module, and its zip is damaged on the way: whether it has the package is not known.
    let world = world();
    let zip = world.path("up/m.test/tools/cmd/@v/v0.9.0.zip");
    write(&zip, b"an error page");
    let name = "m.test/tools/cmd/lint@latest";
    world
        .export(&[name, "--newest", "none"])
        .exits(9)
        .says("m.test/tools/cmd@latest")
        .says("zip");
    // If it is gone, it has none.
    std::fs::remove_file(zip).unwrap();
    world.export(&[name, "--newest", "none"]).ok();
    assert_eq!(world.carried("out", "zip"), "m.test/tools@v1.2.0");
}
