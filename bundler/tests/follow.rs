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
fn what_is_gone_below_the_pruned_graph_is_told_and_fails_where_imports_are_all_that_counts() {
    let mut world = World::new();
    // a was never tidied: it does not list what the packages of b import.
    for (name, requires) in [("a", Some("b")), ("b", Some("gone")), ("gone", None)] {
        let mut go_mod = format!("module m.test/{name}\n\ngo 1.21\n");
        let mut file = "package p\n".to_owned();
        if let Some(required) = requires {
            go_mod += &format!("\nrequire m.test/{required} v1.0.0\n");
            file += &format!("\nimport _ \"m.test/{required}\"\n");
        }
        let files = [("go.mod", &*go_mod), ("p.go", &*file)];
        world.add(&TestModule::new(&format!("m.test/{name}@v1.0.0"), &files));
    }
    world.publish();
    std::fs::remove_dir_all(world.path("up/m.test/gone")).unwrap();
    let export = ["export", "--key", "site.key", "--out", "out"];
    for command in [&["plan"][..], &export, &["plan"]] {
        let run = |more: &[&str]| world.run(&[command, &["m.test/a@v1.0.0"], more].concat());
        run(&["--follow", "build"])
            .exits(9)
            .says("m.test/gone@v1.0.0: go.mod: ")
            .says("(required by m.test/a@v1.0.0 -> m.test/b@v1.0.0)");
        run(&[]).ok().tells(
            "not carried, though a build may need it: go.mod of m.test/gone@v1.0.0 (nobody named it; wanted for \
             m.test/a@v1.0.0 -> m.test/b@v1.0.0): ",
        );
    }
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

/// Which packages a project imports is not known, so that what tidying opens is there for any of them; but its build does
/// without.
#[test]
fn a_go_mod_alone_is_carried_with_all_that_may_be_imported() {
    let mut world = world();
    let old = ("old.go", "package old\n\nimport _ \"m.test/sys/unix\"\n");
    world.add(&TestModule::new("m.test/old@v1.0.0", &[old]));
    let sys = ("unix/u.go", "package unix\n");
    world.add(&TestModule::new("m.test/sys@v1.0.0", &[sys]));
    world.publish();
    write(&world.path("up/m.test/sys/@v/list"), b"v1.0.0\n");
    let go_mod = "module app\n\ngo 1.21\n\nrequire m.test/a v1.0.0\nrequire (\n\tm.test/b v1.0.0 // indirect\n\
                  \tm.test/old v1.0.0 // indirect\n)\n";
    write(&world.path("app/go.mod"), go_mod.as_bytes());
    let args = ["--go-mod", "app/go.mod"];
    // Nothing imports x.
    assert_eq!(zips(&world, &args), "a b old sys t w");
    // It is a's test that imports t.
    std::fs::remove_dir_all(world.path(".cache")).unwrap();
    std::fs::remove_file(world.path("up/m.test/t/@v/v1.0.0.zip")).unwrap();
    let done = world.export(&args).ok();
    assert!(told(&done).contains("m.test/t@v1.0.0"), "{}", told(&done));
    assert!(!world.carried("out", "zip").contains("m.test/t"));
    std::fs::remove_dir_all(world.path(".cache")).unwrap();
    std::fs::remove_file(world.path("up/m.test/b/@v/v1.0.0.zip")).unwrap();
    let again = ["--go-mod", "app/go.mod", "--basis", "none"];
    world
        .export_into("again", &again)
        .exits(9)
        .says("m.test/b@v1.0.0");
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

/// old, which requires nothing, imports what sys has, and that requires dep; nothing else says so.
fn incomplete() -> World {
    let mut world = World::new();
    let go_mod = "module m.test/sys\n\ngo 1.21\n\nrequire m.test/dep v1.0.0\n";
    let old = ("old.go", "package old\n\nimport _ \"m.test/sys/unix\"\n");
    world.add(&TestModule::new("m.test/old@v1.0.0", &[old]));
    for version in ["v1.0.0", "v1.1.0"] {
        let files = [("go.mod", go_mod), ("unix/u.go", "package unix\n")];
        world.add(&TestModule::new(&format!("m.test/sys@{version}"), &files));
    }
    world.add(&TestModule::new(
        "m.test/dep@v1.0.0",
        &[("d.go", "package dep\n")],
    ));
    world.publish();
    write(&world.path("up/m.test/sys/@v/list"), b"v1.0.0\nv1.1.0\n");
    world
}

#[test]
fn what_is_imported_and_not_required_comes_along() {
    let world = incomplete();
    let of = |args: &[&str]| zips(&world, &[&["m.test/old@v1.0.0"], args].concat());
    // With its own requirements, where all are followed.
    assert_eq!(of(&[]), "dep old sys@v1.1.0");
    assert_eq!(of(&["--follow", "build"]), "old sys@v1.1.0");
    assert_eq!(of(&["--follow", "none"]), "old");
    // What may not be chosen is not chosen here either.
    assert_eq!(of(&["--exclude", "m.test/sys@v1.1.0"]), "dep old sys");
    assert_eq!(of(&["--exclude", "m.test/sys"]), "old");
    let why = world.run(&["plan", "m.test/old@v1.0.0", "--why", "m.test/dep"]);
    let why = told(&why.ok());
    assert!(why.contains("m.test/sys@v1.1.0"), "{why}");
}

#[test]
fn a_plan_says_where_it_cannot_know_what_is_imported() {
    let world = incomplete();
    let plan = || told(&world.run(&["plan", "m.test/old@v1.0.0", "--each"]).ok());
    let before = plan();
    assert!(before.contains("an export may find more"), "{before}");
    assert!(!before.contains("m.test/sys"), "{before}");
    world.export(&["m.test/old@v1.0.0"]).ok();
    let after = plan();
    assert!(!after.contains("an export may find more"), "{after}");
    assert!(after.contains("m.test/sys@v1.1.0"), "{after}");
}

#[test]
fn an_upstream_that_does_not_tell_is_no_failure() {
    let mut world = incomplete();
    let files = [("a.go", "package a\n\nimport _ \"m.test/torn/p\"\n")];
    world.add(&TestModule::new("m.test/a@v1.0.0", &files));
    world.publish();
    // No list that could be read.
    std::fs::create_dir_all(world.path("up/m.test/torn/@v/list")).unwrap();
    world.export(&["m.test/a@v1.0.0"]).ok();
    assert_eq!(world.carried("out", "zip"), "m.test/a@v1.0.0");
}

#[test]
fn what_is_held_is_not_fetched_again_for_what_it_might_import() {
    let mut world = incomplete();
    let requires = |path: &str, name: &str| {
        format!("module m.test/{path}\n\ngo 1.21\n\nrequire m.test/{name} v1.0.0\n")
    };
    for (path, name) in [("top", "mid"), ("mid", "old")] {
        let files = [
            ("go.mod", &*requires(path, name)),
            (
                "p.go",
                &*format!("package {path}\n\nimport _ \"m.test/{name}\"\n"),
            ),
        ];
        world.add(&TestModule::new(&format!("m.test/{path}@v1.0.0"), &files));
    }
    world.publish();
    let all =
        "m.test/dep@v1.0.0 m.test/mid@v1.0.0 m.test/old@v1.0.0 m.test/sys@v1.1.0 m.test/top@v1.0.0";
    world.export(&["m.test/top@v1.0.0"]).ok();
    assert_eq!(world.carried("out", "zip"), all);
    let again = |args: &[&str]| {
        std::fs::remove_dir_all(world.path(".cache")).unwrap();
        let again = world.export(&[&["m.test/top@v1.0.0"], args].concat()).ok();
        assert!(told(&again).contains("nothing new"), "{}", told(&again));
        ["top", "mid", "old"].map(|name| {
            let folder = world.path(&format!(".cache/modferry/download/m.test/{name}/@v"));
            folder.join("v1.0.0.zip").exists()
        })
    };
    // The cache is lost: only what was named is fetched, for its go.sum.
    assert_eq!(again(&[]), [true, false, false]);
    // What else is selected has to be known, so that it is not taken back.
    assert_eq!(again(&["--prune"]), [true, true, true]);
}
