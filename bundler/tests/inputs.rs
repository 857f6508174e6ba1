//! What files and folders ask for, by the built command: how far each is followed, and how a faulty one is told.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::net::TcpListener;

use common::{Done, World, write};
use modferry_checker::testing::TestModule;

const GRAPH: &str = "
    m.test/a@v1.0.0 go1.21 -> m.test/b@v1.0.0 m.test/c@v1.0.0
    m.test/b@v1.0.0 go1.21 -> m.test/c@v1.1.0
    m.test/c@v1.0.0 go1.21 ->
    m.test/c@v1.1.0 go1.21 ->
    m.test/d@v1.0.0 go1.21 -> m.test/c@v1.1.0
";

/// The modules of that graph, with the answers of their lists.
fn world() -> World {
    let world = World::of(GRAPH);
    for (path, versions) in [
        ("a", "v1.0.0"),
        ("b", "v1.0.0"),
        ("c", "v1.0.0\nv1.1.0"),
        ("d", "v1.0.0"),
    ] {
        let list = world.path(&format!("up/m.test/{path}/@v/list"));
        write(&list, format!("{versions}\n").as_bytes());
    }
    world
}

fn site(world: &World, yaml: &str) {
    write(&world.path("modferry.yaml"), yaml.as_bytes());
}

#[test]
fn a_list_is_followed_or_not() {
    let world = world();
    write(
        &world.path("list.txt"),
        b"# wished\nm.test/a@v1.0.0\nm.test/c@v1.0 # short\n",
    );
    world
        .export(&["--list", "list.txt", "--follow", "none"])
        .ok()
        .tells("m.test/c@v1.0 is v1.0.0");
    let exact = "m.test/a@v1.0.0 m.test/c@v1.0.0";
    assert_eq!(world.carried("out", "zip"), exact);
    assert_eq!(world.carried("out", "mod"), exact);
    assert_eq!(world.carried("out", "info"), exact);

    world
        .export_into("followed", &["--list", "list.txt", "--basis", "none"])
        .ok();
    assert_eq!(
        world.carried("followed", "zip"),
        "m.test/a@v1.0.0 m.test/b@v1.0.0 m.test/c@v1.0.0 m.test/c@v1.1.0"
    );
}

#[test]
fn who_means_each_by_list_is_told() {
    let world = world();
    for list in [
        &["--list", "m.test/c@v1.0.0"][..],
        &["m.test/c@v1.0.0", "--list", "no.txt"],
    ] {
        world
            .run(&[&["plan"], list].concat())
            .exits(2)
            .says(&format!(
                "--list {}: there is no such file",
                list[list.len() - 1]
            ))
            .says("by --each");
    }
    write(&world.path("list.txt"), b"m.test/c@v1.0.0\n");
    world
        .run(&["plan", "--list", "list.txt", "--newest", "none", "--each"])
        .ok()
        .tells("m.test/c@v1.0.0");
}

#[test]
fn each_entry_of_the_file_is_followed_as_it_says() {
    let world = world();
    write(&world.path("list.txt"), b"m.test/d@v1.0.0\n");
    site(
        &world,
        "follow: none\nnewest: none\nmodules:\n  - m.test/c@v1.0.0\n  - {module: m.test/b@v1.0.0, follow: all}\nlist: [list.txt]\n",
    );
    world.export(&["--config", "modferry.yaml"]).ok();
    assert_eq!(
        world.carried("out", "zip"),
        "m.test/b@v1.0.0 m.test/c@v1.0.0 m.test/c@v1.1.0 m.test/d@v1.0.0"
    );
}

#[test]
fn whose_fault_it_is_has_its_place() {
    let world = world();
    site(
        &world,
        "modules:\n  - m.test/a@v1.0.0\n  - m.test/nothing\n",
    );
    world
        .export(&["--config", "modferry.yaml"])
        .exits(2)
        .says("modferry.yaml:3:5: modules[1]: m.test/nothing: no version");
    // What cannot be had is told with the entry that wants it.
    site(
        &world,
        "modules:\n  - {module: m.test/none@v1.0.0, follow: none}\n",
    );
    world
        .export(&["--config", "modferry.yaml"])
        .exits(9)
        .says("modferry.yaml: modules[0]: m.test/none@v1.0.0");
    write(&world.path("list.txt"), b"\nm.test/none@v1.0.0\n");
    world
        .export(&["--list", "list.txt"])
        .exits(9)
        .says("list.txt:2: m.test/none@v1.0.0");
    world
        .export(&["m.test/a@v1.0.0", "--follow", "some"])
        .exits(2)
        .says("say none, build, test or all");
    assert!(world.out().is_empty());
}

#[test]
fn what_is_named_and_not_there_is_an_error_of_usage() {
    let world = world();
    let absent = |args: &[&str]| {
        let all = [&["export", "m.test/a@v1.0.0", "--out", "out"], args].concat();
        world.run(&all).exits(2).says("gone");
    };
    let key = ["--key", "site.key"];
    for flag in [
        "--go-mod",
        "--go-sum",
        "--go-work",
        "--checkouts",
        "--vendor",
        "--binary",
        "--sbom",
        "--modcache",
        "--list",
        "--wants",
        "--vulndb",
        "--trust",
        "--receipt",
        "--receipt-key",
        "--basis",
        "--known-head",
        "--config",
    ] {
        absent(&[&key[..], &[flag, "gone"]].concat());
    }
    absent(&["--key", "gone"]);
    let keygen = ["keygen", "locked", "--passphrase-file", "gone"];
    world.run(&keygen).exits(2).says("gone");
    for yaml in [
        "files: [{name: a, path: gone}]\n",
        "private: [{patterns: [x.test], goproxy: 'https://x.test', netrc: gone}]\n",
        "private: [{patterns: [x.test], goproxy: 'https://x.test', header-file: gone}]\n",
        "trust: [gone]\n",
    ] {
        site(&world, yaml);
        absent(&[&key[..], &["--config", "modferry.yaml"]].concat());
    }
    assert!(world.out().is_empty());
}

#[test]
fn a_folder_in_place_of_a_file_is_an_error_of_usage_and_the_other_way_round() {
    let world = world();
    fs::create_dir(world.path("folder")).unwrap();
    write(&world.path("file"), b"no folder");
    let export = |args: &[&str]| {
        world
            .run(&[&["export", "m.test/a@v1.0.0"], args].concat())
            .exits(2)
    };
    let out = ["--key", "site.key", "--out", "out"];
    for flag in [
        "--go-mod",
        "--go-sum",
        "--go-work",
        "--vendor",
        "--binary",
        "--sbom",
        "--list",
        "--wants",
        "--trust",
        "--receipt",
        "--receipt-key",
        "--basis",
        "--known-head",
        "--config",
    ] {
        export(&[&out[..], &[flag, "folder"]].concat()).says("folder");
    }
    for flag in ["--checkouts", "--modcache", "--cache", "--state"] {
        export(&[&out[..], &[flag, "file"]].concat()).says("file");
    }
    export(&["--key", "site.key", "--out", "file"]).says("file");
    export(&["--key", "folder", "--out", "out"]).says("folder");
    site(&world, "files: [{name: a, path: folder}]\n");
    let config = ["--config", "modferry.yaml"];
    export(&[&out[..], &config].concat()).says("folder");
    let plan = [&["plan", "m.test/a@v1.0.0"], &config[..]].concat();
    world.run(&plan).exits(2).says("folder");
    assert!(world.out().is_empty());
}

#[test]
fn flags_name_files_and_private_upstreams_as_the_file_does() {
    let world = world();
    let ours = common::module("git.test/ours@v1.0.0", None, &[]);
    for (kind, bytes) in [
        ("info", &ours.info),
        ("mod", &ours.go_mod),
        ("zip", &ours.zip),
    ] {
        write(
            &world.path(&format!("own/git.test/ours/@v/v1.0.0.{kind}")),
            bytes,
        );
    }
    write(&world.path("note"), b"read me");
    let private = format!("git.test=file://{}", world.path("own").display());
    // As sha256sum says of the text above.
    let sha256 = "3f22095641508576e91dc7c6c7f7e08a093985d53ea998043c6619ad240dc92c";
    let file = format!("note-1.txt=note,sha256={sha256}");
    let args = ["git.test/ours@v1.0.0", "--private", &private];
    // Nobody else is asked for it.
    world.export(&args[..1]).exits(9);
    world.export(&[&args[..], &["--file", &file]].concat()).ok();
    assert_eq!(world.carried("out", "zip"), "git.test/ours@v1.0.0");
    assert_eq!(world.carried("out", "file"), "note-1.txt");
    let wrong = file.replace("=3f", "=00");
    world
        .export(&["--file", &wrong, "--basis", "none"])
        .exits(4)
        .says("files: note-1.txt: its SHA-256 is");
    world
        .export(&["--file", "note"])
        .exits(2)
        .says("want NAME=PATH or NAME=URL");
    world
        .export(&["--private", "git.test=off"])
        .exits(2)
        .says("git.test: GOPROXY begins with off");
}

#[test]
fn a_toolchain_of_a_platform_that_is_not_known_yet_is_a_module_like_others() {
    let mut world = world();
    let name = "golang.org/toolchain@v0.0.1-go1.99.0.newos-newarch";
    world.add(&common::module(name, None, &[]));
    world.publish();
    world
        .export(&[name, "--platforms", "newos/newarch"])
        .exits(2)
        .says("Go knows no GOOS \"newos\"");
    world.export(&[name]).ok();
    assert_eq!(world.carried("out", "zip"), name);
}

#[test]
fn a_go_sum_is_carried_exactly() {
    let world = world();
    let (b, c) = (
        common::version("m.test/b@v1.0.0"),
        common::version("m.test/c@v1.1.0"),
    );
    let record = |module| world.sumdb.record(module).unwrap();
    let sums = format!(
        "m.test/b v1.0.0 {}\nm.test/b v1.0.0/go.mod {}\nm.test/c v1.1.0/go.mod {}\n",
        record(&b).zip(),
        record(&b).go_mod(),
        record(&c).go_mod(),
    );
    write(&world.path("tool/go.sum"), sums.as_bytes());
    world.export(&["--go-sum", "tool/go.sum"]).ok();
    assert_eq!(world.carried("out", "zip"), "m.test/b@v1.0.0");
    assert_eq!(
        world.carried("out", "mod"),
        "m.test/b@v1.0.0 m.test/c@v1.1.0"
    );
}

#[test]
fn wants_are_added_to_what_the_file_selects() {
    let world = world();
    site(&world, "newest: none\nmodules: [m.test/b@v1.0.0]\n");
    let wants = "modferry-wants: 1\nwants:\n  - want: m.test/d@v1.0.0\n    follow: none\n";
    write(&world.path("site.wants"), wants.as_bytes());
    world
        .export(&["--config", "modferry.yaml", "--wants", "site.wants"])
        .ok();
    assert_eq!(
        world.carried("out", "zip"),
        "m.test/b@v1.0.0 m.test/c@v1.1.0 m.test/d@v1.0.0"
    );
}

#[test]
fn wants_are_followed_and_an_empty_file_is_told() {
    let mut world = world();
    for (name, file) in [
        ("m.test/f@v1.0.0", "deep/package/p.go"),
        ("m.test/g@v1.0.0", "x/x.go"),
        ("m.test/g@v1.1.0", "x/x.go"),
    ] {
        let files = [
            ("go.mod", &*format!("module {}\n", &name[..8])),
            (file, "package p\n"),
        ];
        world.add(&TestModule::new(name, &files));
    }
    world.publish();
    for (path, versions) in [("f", "v1.0.0\n"), ("g", "v1.0.0\nv1.1.0\n")] {
        write(
            &world.path(&format!("up/m.test/{path}/@v/list")),
            versions.as_bytes(),
        );
    }
    let wants = "modferry-wants: 1\nwants:\n  - want: m.test/f/deep/package@latest\n    or: [m.test/f/deep, m.test/f, m.test]\n  \
                 - want: m.test/g/x@v1.0.0\n    or: [m.test/g]\n    follow: none\n";
    write(&world.path("site.wants"), wants.as_bytes());
    world
        .export(&["--wants", "site.wants"])
        .ok()
        .tells("m.test/f/deep/package is a package of m.test/f")
        .tells("m.test/f@latest is v1.0.0");
    assert_eq!(
        world.carried("out", "zip"),
        "m.test/f@v1.0.0 m.test/g@v1.0.0"
    );

    write(
        &world.path("empty.wants"),
        b"modferry-wants: 1\nwants: []\n",
    );
    world
        .export(&["--wants", "empty.wants"])
        .ok()
        .tells("empty.wants asks for nothing: its list of wants is empty");
    assert_eq!(
        world.out().len(),
        2,
        "nothing was written: {:?}",
        world.out()
    );
    world
        .export(&["--wants", "empty.wants", "--stream", "other"])
        .exits(2)
        .says("empty.wants asks for nothing");
    let wants = "modferry-wants: 1\nwants:\n  - want: m.test/e/f@latest\n    or: [m.test/e]\n";
    write(&world.path("site.wants"), wants.as_bytes());
    world
        .export(&["--wants", "site.wants"])
        .exits(9)
        .says("m.test/e/f@latest");
}

#[test]
fn wants_above_private_names_are_told_to_no_public_upstream() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut world = world();
    let files = [
        ("go.mod", "module m.test/f\n"),
        ("deep/p.go", "package deep\n"),
    ];
    world.add(&TestModule::new("m.test/f@v1.0.0", &files));
    world.publish();
    write(&world.path("up/m.test/f/@v/list"), b"v1.0.0\n");
    site(
        &world,
        "private:\n  - patterns: ['git.corp.test/team/*']\n    goproxy: http://127.0.0.1:1\n",
    );
    let above = "  - want: git.corp.test/team@latest\n    or: [git.corp.test]\n  - want: host.corp.test@latest\n";
    write(
        &world.path("above.wants"),
        format!("modferry-wants: 1\nwants:\n{above}").as_bytes(),
    );
    let export = |proxy: &str, wants: &str| {
        let args = [
            "export",
            "--key",
            "site.key",
            "--out",
            "out",
            "--config",
            "modferry.yaml",
            "--wants",
            wants,
        ];
        let mut command = world.command(&args);
        command.env("GOPROXY", proxy);
        Done::of(command.env("GOPRIVATE", "*.corp.test/ours,m.test/ours"))
    };
    export(
        &format!("http://{}", listener.local_addr().unwrap()),
        "above.wants",
    )
    .exits(2)
    .says("nothing to export")
    .says("git.corp.test/team@latest is passed over")
    .says("host.corp.test@latest is passed over");
    assert!(listener.accept().is_err(), "a request was made");

    // What else is wanted comes, from the modules that may be named.
    let more = "  - want: m.test/f/deep@latest\n    or: [m.test/f, m.test]\n";
    write(
        &world.path("some.wants"),
        format!("modferry-wants: 1\nwants:\n{above}{more}").as_bytes(),
    );
    export(&world.goproxy(), "some.wants")
        .ok()
        .tells("m.test/f@latest is v1.0.0")
        .tells("of what m.test/f/deep@latest may be instead, 1 is passed over")
        .tells("host.corp.test@latest is passed over");
    // What a person names is asked for, whatever it begins.
    let args = [
        "export",
        "--key",
        "site.key",
        "--out",
        "out",
        "m.test@latest",
    ];
    Done::of(world.command(&args).env("GOPRIVATE", "m.test/ours")).exits(9);
}
