//! Projects and programs as inputs, with the real go command: what it builds online it builds from just what was carried.
//! Without a go command on PATH there is nothing to compare with, and these tests say so.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Done, World, go, write};
use modferry_checker::testing::TestModule;

/// Modules whose packages import each other. Of `m.test/b/inner` none is imported; but the go command looks into it for
/// `m.test/b/inner/x`, which `m.test/b` has.
fn world() -> World {
    let mut world = World::new();
    for (name, go_mod, files) in [
        (
            "m.test/a@v1.0.0",
            "go 1.21\nrequire (\n\tm.test/b v1.0.0\n\tm.test/c v1.0.0\n\tm.test/b/inner v1.0.0 // indirect\n)\n",
            &[(
                "a.go",
                "package a\n\nimport (\n\t_ \"m.test/b/inner/x\"\n\t_ \"m.test/c\"\n)\n",
            )][..],
        ),
        (
            "m.test/b@v1.0.0",
            "go 1.21\nrequire m.test/unused v1.0.0\n",
            &[
                ("inner/x/x.go", "package x\n"),
                ("other/o.go", "package o\n\nimport _ \"m.test/unused\"\n"),
            ],
        ),
        (
            "m.test/b/inner@v1.0.0",
            "go 1.21\n",
            &[("i.go", "package inner\n")],
        ),
        ("m.test/c@v1.0.0", "go 1.21\n", &[("c.go", "package c\n")]),
        (
            "m.test/c@v1.1.0",
            "go 1.21\nrequire m.test/d v1.0.0\n",
            &[("c.go", "package c\n\nimport _ \"m.test/d\"\n")],
        ),
        ("m.test/d@v1.0.0", "go 1.16\n", &[("d.go", "package d\n")]),
        (
            "m.test/unused@v1.0.0",
            "go 1.21\n",
            &[("u.go", "package unused\n")],
        ),
        (
            "m.test/prog@v1.0.0",
            "go 1.21\nrequire (\n\tm.test/a v1.0.0\n\tm.test/b v1.0.0 // indirect\n\tm.test/b/inner v1.0.0 // indirect\n\tm.test/c v1.0.0 // indirect\n)\n",
            &[(
                "main.go",
                "package main\n\nimport _ \"m.test/a\"\n\nfunc main() {}\n",
            )],
        ),
    ] {
        let (path, _) = name.split_once('@').unwrap();
        let go_mod = format!("module {path}\n\n{go_mod}");
        let mut all = vec![("go.mod", go_mod.as_str())];
        all.extend(files);
        world.add(&TestModule::new(name, &all));
    }
    // What `go install` of it asks for.
    write(&world.path("up/m.test/prog/@v/list"), b"v1.0.0\n");
    world.publish();
    world
}

/// Runs the go command with nothing cached, and no upstream but this.
fn run_go(world: &World, go: &Path, goproxy: &str, folder: &Path, args: &[&str]) -> Done {
    let modcache = tempfile::tempdir().unwrap();
    run_go_in(world, go, goproxy, modcache.path(), folder, args)
}

/// The same with this module cache.
fn run_go_in(
    world: &World,
    go: &Path,
    goproxy: &str,
    modcache: &Path,
    folder: &Path,
    args: &[&str],
) -> Done {
    let mut command = Command::new(go);
    command
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", world.dir.path())
        .env("PATH", go.parent().unwrap())
        .env("GOPATH", world.path("gopath"))
        .env("GOBIN", world.path("bin"))
        .env("GOMODCACHE", modcache)
        .env(
            "GOCACHE",
            std::env::temp_dir().join("modferry-test-gocache"),
        )
        .env("GOFLAGS", "-modcacherw")
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local")
        .env("GOPROXY", format!("{goproxy},off"))
        .env("GOSUMDB", "off");
    Done::of(&mut command)
}

/// An upstream that has just what the bundle in `out` has, and lists what is whole.
fn carried(world: &World, out: &str) -> String {
    let folder = world.path(&format!("{out}-carried"));
    for kind in ["info", "mod", "zip"] {
        for name in world.carried(out, kind).split_whitespace() {
            let from = world.file(&common::version(name), kind);
            let below = from.strip_prefix(world.path("up")).unwrap();
            write(&folder.join(below), &fs::read(&from).unwrap());
            if kind == "zip" {
                let mut listed = fs::read_to_string(folder.join(below).with_file_name("list"))
                    .unwrap_or_default();
                listed += &format!("{}\n", common::version(name).version());
                write(
                    &folder.join(below).with_file_name("list"),
                    listed.as_bytes(),
                );
            }
        }
    }
    format!("file://{}", folder.display())
}

/// A checkout of a program that needs `m.test/a`.
fn checkout(world: &World, go: &Path) -> PathBuf {
    let folder = world.path("src/shop");
    write(
        &folder.join("go.mod"),
        b"module example.com/shop\n\ngo 1.21\n\nrequire m.test/a v1.0.0\n",
    );
    write(
        &folder.join("main.go"),
        b"package main\n\nimport _ \"m.test/a\"\n\nfunc main() {}\n",
    );
    run_go(world, go, &world.goproxy(), &folder, &["mod", "tidy"]).ok();
    folder
}

/// The modules that provide the program's packages, as a bill of materials of them.
fn bill(world: &World, go: &Path, folder: &Path) -> String {
    let form = "{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}}{{end}}{{end}}";
    let args = ["list", "-deps", "-f", form, "./..."];
    let listed = run_go(world, go, &world.goproxy(), folder, &args)
        .ok()
        .stdout;
    let components: Vec<String> = (listed.lines().filter(|line| !line.is_empty()))
        .map(|name| format!("{{\"type\": \"library\", \"purl\": \"pkg:golang/{name}\"}}"))
        .collect();
    format!(
        "{{\"bomFormat\": \"CycloneDX\", \"specVersion\": \"1.6\", \"components\": [{}]}}",
        components.join(", ")
    )
}

#[test]
fn what_a_bill_of_materials_names_builds_again() {
    let Some(go) = go() else {
        eprintln!("no go command: nothing to compare with");
        return;
    };
    let world = world();
    let folder = checkout(&world, &go);
    write(
        &world.path("shop.json"),
        bill(&world, &go, &folder).as_bytes(),
    );
    world.export(&["--sbom", "shop.json"]).ok();
    // What is imported, and the module that might have been; not what b requires for another package of its own.
    assert_eq!(
        world.carried("out", "zip"),
        "m.test/a@v1.0.0 m.test/b@v1.0.0 m.test/b/inner@v1.0.0 m.test/c@v1.0.0"
    );
    run_go(
        &world,
        &go,
        &carried(&world, "out"),
        &folder,
        &["build", "-o", "shop", "."],
    )
    .ok();

    // Exactly what it names does not do for all that the default does.
    let exact = ["--sbom", "shop.json", "--follow", "none", "--basis", "none"];
    world.export_into("exact", &exact).ok();
    assert_eq!(
        world.carried("exact", "zip"),
        "m.test/a@v1.0.0 m.test/b@v1.0.0 m.test/c@v1.0.0"
    );
    let list = ["list", "-m", "all"];
    run_go(&world, &go, &carried(&world, "out"), &folder, &list).ok();
    let done = run_go(&world, &go, &carried(&world, "exact"), &folder, &list);
    assert_ne!(done.code, Some(0));
    // As if each stood on the command line.
    let all = ["--sbom", "shop.json", "--follow", "all", "--basis", "none"];
    world.export_into("all", &all).ok();
    assert!(world.carried("all", "zip").contains("m.test/unused@v1.0.0"));

    write(
        &world.path("shop.json"),
        b"{\"bomFormat\": \"CycloneDX\",\n \"components\": [}",
    );
    world
        .export(&["--sbom", "shop.json"])
        .exits(2)
        .says("shop.json:2:17: ");
}

#[test]
fn what_go_list_prints_is_a_list() {
    let Some(go) = go() else {
        eprintln!("no go command: nothing to compare with");
        return;
    };
    let world = world();
    let folder = checkout(&world, &go);
    let args = ["list", "-m", "-f", "{{.Path}}@{{.Version}}", "all"];
    let listed = run_go(&world, &go, &world.goproxy(), &folder, &args).ok();
    assert!(listed.stdout.starts_with("example.com/shop@\n"));
    write(&world.path("list.txt"), listed.stdout.as_bytes());
    world
        .export(&["--list", "list.txt", "--follow", "none"])
        .ok()
        .tells("list.txt: 1 line with no version behind the @ passed over");
    let named: Vec<&str> = listed.stdout.lines().skip(1).collect();
    assert_eq!(world.carried("out", "zip"), named.join(" "));
}

/// A workspace of two modules; that they are built together selects `m.test/c@v1.1.0`, which none of their go.sum
/// files has with all that it needs.
fn workspace(world: &World, go: &Path) -> PathBuf {
    let shop = checkout(world, go);
    let lib = world.path("src/lib");
    write(
        &lib.join("go.mod"),
        b"module example.com/lib\n\ngo 1.21\n\nrequire m.test/c v1.1.0\n",
    );
    write(
        &lib.join("lib.go"),
        b"package lib\n\nimport _ \"m.test/c\"\n",
    );
    run_go(world, go, &world.goproxy(), &lib, &["mod", "tidy"]).ok();
    // What another person has not checked in.
    fs::remove_file(lib.join("go.sum")).unwrap();
    write(
        &world.path("src/go.work"),
        b"go 1.21\n\nuse (\n\t./shop\n\t./lib\n)\n",
    );
    shop
}

#[test]
fn a_workspace_is_built_from_what_its_go_work_comes_to() {
    let Some(go) = go() else {
        eprintln!("no go command: nothing to compare with");
        return;
    };
    let world = world();
    let shop = workspace(&world, &go);
    let online = run_go(&world, &go, &world.goproxy(), &shop, &["list", "-m", "all"])
        .ok()
        .stdout;
    assert!(online.contains("m.test/c v1.1.0"), "{online}");
    let _ = fs::remove_file(world.path("src/go.work.sum"));

    world.export(&["--go-work", "src/go.work"]).ok();
    let goproxy = carried(&world, "out");
    let inside = run_go(&world, &go, &goproxy, &shop, &["list", "-m", "all"])
        .ok()
        .stdout;
    assert_eq!(inside, online);
    run_go(&world, &go, &goproxy, &shop, &["build", ".", "../lib"]).ok();
    assert!(world.carried("out", "zip").contains("m.test/d@v1.0.0"));

    // The build list is the go command's own.
    for line in online.lines().filter(|line| line.starts_with("m.test/")) {
        let name = line.replace(' ', "@");
        let mods = world.carried("out", "mod");
        assert!(
            mods.split(' ').any(|carried| carried == name),
            "{name}: {mods}"
        );
    }
    world
        .export(&["--go-work", "src/shop/go.mod"])
        .exits(2)
        .says("the workspace cannot be read: src/shop/go.mod: line 1: unknown directive: module");
}

#[test]
fn checkouts_are_found_by_their_folder_or_a_glob() {
    let Some(go) = go() else {
        eprintln!("no go command: nothing to compare with");
        return;
    };
    let world = world();
    let shop = workspace(&world, &go);
    write(&world.path("src/shop/testdata/x/go.mod"), b"not a module\n");
    world.export(&["--checkouts", "src"]).ok();
    let goproxy = carried(&world, "out");
    run_go(&world, &go, &goproxy, &shop, &["build", ".", "../lib"]).ok();

    // Without the workspace, by itself.
    write(
        &world.path("modferry.yaml"),
        b"checkouts:\n  - path: s*/sh?p\n    follow: none\nnewest: none\n",
    );
    world
        .export_into("exact", &["--config", "modferry.yaml", "--basis", "none"])
        .ok();
    assert_eq!(
        world.carried("exact", "zip"),
        "m.test/a@v1.0.0 m.test/b@v1.0.0 m.test/c@v1.0.0"
    );
    world
        .export(&["--checkouts", "src/none*"])
        .exits(2)
        .says("src/none*: no go.mod and no go.work there");
}

#[test]
fn a_project_with_a_go_sum_lists_all_of_its_modules() {
    let Some(go) = go() else {
        eprintln!("no go command: nothing to compare with");
        return;
    };
    let world = world();
    let shop = checkout(&world, &go);
    // The go command prunes it from the module graph, and yet tells its time.
    let pruned = "m.test/unused";
    let sums = fs::read_to_string(shop.join("go.sum")).unwrap();
    assert!(!sums.contains(pruned), "{sums}");
    let list = ["list", "-m", "-json", "all"];
    let online = run_go(&world, &go, &world.goproxy(), &shop, &list).ok();
    let with_it = |out: &str| {
        world
            .export_into(out, &["--go-mod", "src/shop/go.mod", "--basis", "none"])
            .ok()
    };
    with_it("out");
    assert_eq!(
        world.carried("out", "zip"),
        "m.test/a@v1.0.0 m.test/b@v1.0.0 m.test/c@v1.0.0"
    );
    let goproxy = carried(&world, "out");
    let inside = run_go(&world, &go, &goproxy, &shop, &list).ok();
    let without_folders = |told: &str| {
        let lines = told.lines().filter(|line| !line.contains("\"GoMod\""));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        without_folders(&inside.stdout),
        without_folders(&online.stdout)
    );

    // A build does without it: that upstream no longer has it keeps nothing back.
    fs::remove_dir_all(world.path("up").join(pruned)).unwrap();
    fs::remove_dir_all(world.path(".cache")).unwrap();
    let told = with_it("without").stdout;
    let lacking = "not carried, though a build may need it: go.mod of m.test/unused@v1.0.0 (nobody named it; wanted for ";
    assert!(told.contains(lacking), "{told}");
    let goproxy = carried(&world, "without");
    run_go(&world, &go, &goproxy, &shop, &["build", "."]).ok();
}

#[test]
fn a_program_is_built_again_from_what_it_says_of_itself() {
    let Some(go) = go() else {
        eprintln!("no go command: nothing to compare with");
        return;
    };
    let world = world();
    let folder = checkout(&world, &go);
    let build = ["build", "-o", "shop", "."];
    run_go(&world, &go, &world.goproxy(), &folder, &build).ok();
    world
        .export(&["--binary", "src/shop/shop"])
        .ok()
        .tells("src/shop/shop: built from a checkout");
    let goproxy = carried(&world, "out");
    run_go(&world, &go, &goproxy, &folder, &build).ok();

    // One whose own module is upstream is carried with that.
    let install = ["install", "m.test/prog@v1.0.0"];
    run_go(&world, &go, &world.goproxy(), &folder, &install).ok();
    world
        .export_into("prog", &["--binary", "bin/prog", "--basis", "none"])
        .ok();
    assert_eq!(
        world.carried("prog", "zip"),
        "m.test/a@v1.0.0 m.test/b@v1.0.0 m.test/b/inner@v1.0.0 m.test/c@v1.0.0 m.test/prog@v1.0.0"
    );
    let goproxy = carried(&world, "prog");
    run_go(&world, &go, &goproxy, &folder, &install).ok();

    write(&world.path("text"), b"no program");
    world
        .export(&["--binary", "text"])
        .exits(2)
        .says("text: no program");
    world
        .export(&["--binary", "none"])
        .exits(2)
        .says("cannot read none");
}

#[test]
fn what_was_vendored_is_built_without_the_folder() {
    let Some(go) = go() else {
        eprintln!("no go command: nothing to compare with");
        return;
    };
    let world = world();
    let folder = checkout(&world, &go);
    run_go(&world, &go, &world.goproxy(), &folder, &["mod", "vendor"]).ok();
    let vendored = folder.join("vendor/modules.txt");
    fs::copy(&vendored, world.path("modules.txt")).unwrap();
    world
        .export(&["--vendor", "src/shop/vendor/modules.txt"])
        .ok();
    // By itself, without the go.mod.
    world
        .export_into("alone", &["--vendor", "modules.txt", "--basis", "none"])
        .ok();
    fs::remove_dir_all(folder.join("vendor")).unwrap();
    for out in ["out", "alone"] {
        let goproxy = carried(&world, out);
        run_go(
            &world,
            &go,
            &goproxy,
            &folder,
            &["build", "-o", "shop", "."],
        )
        .ok();
        run_go(&world, &go, &goproxy, &folder, &["mod", "vendor"]).ok();
        fs::remove_dir_all(folder.join("vendor")).unwrap();
    }
    write(
        &world.path("modules.txt"),
        b"# m.test/a v1.0.0\n# M.test/b v1.0.0\n",
    );
    world
        .export(&["--vendor", "modules.txt"])
        .exits(2)
        .says("modules.txt:2:");
}

#[test]
fn a_workspace_that_was_vendored_is_built_without_the_folder() {
    let Some(go) = go() else {
        eprintln!("no go command: nothing to compare with");
        return;
    };
    let world = world();
    let shop = workspace(&world, &go);
    run_go(&world, &go, &world.goproxy(), &shop, &["work", "vendor"]).ok();
    world.export(&["--vendor", "src/vendor/modules.txt"]).ok();
    fs::remove_dir_all(world.path("src/vendor")).unwrap();
    let goproxy = carried(&world, "out");
    run_go(&world, &go, &goproxy, &shop, &["build", ".", "../lib"]).ok();
}

#[test]
fn a_module_cache_is_carried_as_it_stands() {
    let Some(go) = go() else {
        eprintln!("no go command: nothing to compare with");
        return;
    };
    let world = world();
    let folder = checkout(&world, &go);
    let (modcache, build) = (world.path("modcache"), ["build", "-o", "shop", "."]);
    run_go_in(&world, &go, &world.goproxy(), &modcache, &folder, &build).ok();
    world.export(&["--modcache", "modcache"]).ok();
    assert_eq!(
        world.carried("out", "zip"),
        "m.test/a@v1.0.0 m.test/b@v1.0.0 m.test/c@v1.0.0"
    );
    let goproxy = carried(&world, "out");
    run_go(&world, &go, &goproxy, &folder, &build).ok();
    // As if each were an argument.
    let all = [
        "--modcache",
        "modcache",
        "--follow",
        "all",
        "--basis",
        "none",
    ];
    world.export_into("all", &all).ok();
    assert!(world.carried("all", "zip").contains("m.test/unused@v1.0.0"));
    world
        .export(&["--modcache", "src"])
        .exits(2)
        .says("src: no module: neither a module cache");
}
