//! `follow: build` and `follow: test`, from the settings to the bundle: what the packages of a module or a project
//! import is what is carried.
#![allow(clippy::unwrap_used)]

mod common;

use common::{World, write};
use modferry_checker::testing::TestModule;
use modferry_protocol::h1::H1;

/// a imports b, on windows w, and its test t; x is required and never imported.
fn world() -> World {
    let mut world = World::new();
    let go_mod = |path: &str, requires: &[&str]| {
        let requires: String = requires
            .iter()
            .map(|name| format!("require m.test/{name} v1.0.0\n"))
            .collect();
        format!("module m.test/{path}\n\ngo 1.21\n\n{requires}")
    };
    let import = |name: &str| format!("package p\n\nimport _ \"m.test/{name}\"\n");
    let a = [
        ("go.mod", &*go_mod("a", &["b", "t", "w", "x"])),
        ("a.go", &*import("b")),
        ("a_windows.go", &*import("w")),
        ("a_test.go", &*import("t")),
    ]
    .map(|(name, text)| (name, text.to_owned()));
    let a: Vec<(&str, &str)> = a.iter().map(|(name, text)| (*name, &**text)).collect();
    world.add(&TestModule::new("m.test/a@v1.0.0", &a));
    for name in ["b", "t", "w", "x"] {
        let go_mod = go_mod(name, &[]);
        let files = [("go.mod", &*go_mod), ("p.go", "package p\n")];
        world.add(&TestModule::new(&format!("m.test/{name}@v1.0.0"), &files));
    }
    world.publish();
    world
}

fn zips(world: &World, args: &[&str]) -> String {
    let out = format!("out-{}", args.join("-").replace(['/', '@'], "_"));
    let state = format!("state-{out}");
    let fixed = [
        "export", "--key", "site.key", "--out", &out, "--state", &state,
    ];
    world.run(&[&fixed, args].concat()).ok();
    let carried = world.carried(&out, "zip");
    carried.replace("m.test/", "").replace("@v1.0.0", "")
}

/// All that a command said.
fn told(done: &common::Done) -> String {
    format!("{}{}", done.stdout, done.stderr)
}

#[test]
fn a_module_is_followed_as_far_as_it_is_said() {
    let world = world();
    let of = |more: &[&str]| zips(&world, &[&["m.test/a@v1.0.0"], more].concat());
    assert_eq!(of(&["--follow", "none"]), "a");
    assert_eq!(of(&["--follow", "build"]), "a b w");
    assert_eq!(of(&["--follow", "test"]), "a b t w");
    assert_eq!(of(&["--follow", "all"]), "a b t w x");
    // A platform leaves out what only others build.
    let linux = ["--platforms", "linux/amd64", "--follow"];
    assert_eq!(of(&[&linux[..], &["build"]].concat()), "a b");
    assert_eq!(of(&[&linux[..], &["test"]].concat()), "a b t");
}

#[test]
fn a_project_is_followed_by_what_its_files_import() {
    let world = world();
    let go_mod = "module app\n\ngo 1.21\n\nrequire m.test/a v1.0.0\nrequire (\n\tm.test/b v1.0.0 // indirect\n\
                  \tm.test/x v1.0.0 // indirect\n)\n";
    write(&world.path("app/go.mod"), go_mod.as_bytes());
    let of = |follow: &str| zips(&world, &["--go-mod", "app/go.mod", "--follow", follow]);
    // Without its files there is nothing to follow.
    let alone = world.export(&["--go-mod", "app/go.mod", "--follow", "build"]);
    assert!(told(&alone.ok()).contains("no Go files are beside it"));
    write(
        &world.path("app/app.go"),
        b"package app\n\nimport _ \"m.test/b\"\n",
    );
    write(
        &world.path("app/app_test.go"),
        b"package app\n\nimport _ \"m.test/a\"\n",
    );
    assert_eq!(of("build"), "b");
    assert_eq!(of("test"), "a b w");
    // Tests of what is imported too, for `go mod tidy`, and all that it lists.
    assert_eq!(of("all"), "a b t w x");
}

#[test]
fn a_project_s_go_sum_counts_at_every_level() {
    let world = world();
    let go_mod = "module app\n\ngo 1.21\n\nrequire m.test/b v1.0.0\n";
    write(&world.path("app/go.mod"), go_mod.as_bytes());
    let app = b"package app\n\nimport _ \"m.test/b\"\n";
    write(&world.path("app/app.go"), app);
    let record = world.sumdb.record(&"m.test/b@v1.0.0".parse().unwrap());
    let record = record.unwrap().clone();
    let sum = |zip: H1| {
        let text = format!(
            "m.test/b v1.0.0 {zip}\nm.test/b v1.0.0/go.mod {}\n",
            record.go_mod()
        );
        write(&world.path("app/go.sum"), text.as_bytes());
    };
    for follow in ["none", "build", "test", "all"] {
        let args = ["--go-mod", "app/go.mod", "--follow", follow];
        sum(record.go_mod());
        let said = "m.test/b@v1.0.0: app/go.sum says that its zip is";
        world.export(&args).exits(6).says(said);
        sum(record.zip());
        assert_eq!(zips(&world, &args), "b");
    }
}

#[test]
fn files_that_cannot_all_be_read_are_told() {
    let world = world();
    let go_mod = "module app\n\ngo 1.21\n\nrequire m.test/b v1.0.0\n";
    write(&world.path("app/go.mod"), go_mod.as_bytes());
    // Longer than any header may be.
    let long = format!("//{}\npackage p\n", "x".repeat(8 << 20));
    write(&world.path("app/data/p.go"), long.as_bytes());
    let args = ["--go-mod", "app/go.mod", "--follow", "build"];
    world.export(&args).exits(2).says("data/p.go");
    let done = world.export(&["--go-mod", "app/go.mod"]).ok();
    assert!(told(&done).contains("data/p.go"), "{}", told(&done));
    assert_eq!(world.carried("out", "zip"), "m.test/b@v1.0.0");
}

#[test]
fn what_is_held_is_read_again_for_what_it_imports() {
    let world = world();
    let ask = ["m.test/a@v1.0.0", "--follow", "build"];
    world.export(&ask).ok();
    // Nothing is new, and finding that out needs the zips that the cache has lost.
    std::fs::remove_dir_all(world.path(".cache")).unwrap();
    assert!(told(&world.export(&ask).ok()).contains("nothing new"));
}

#[test]
fn a_plan_counts_what_it_cannot_know() {
    let world = world();
    let plan = |args: &[&str]| told(&world.run(&[&["plan"], args].concat()).ok());
    let ask = ["m.test/a@v1.0.0", "--follow", "build"];
    let before = plan(&ask);
    assert!(before.contains("not in the cache"), "{before}");
    world.export(&ask).ok();
    let after = plan(&ask);
    assert!(!after.contains("not in the cache"), "{after}");
}
