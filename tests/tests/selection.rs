//! What an export chooses by itself, seen by the real go command behind the gap: the newest versions, with what their
//! authors say of older ones, and Go toolchains.

#![allow(clippy::unwrap_used)]

use modferry_tests::{
    golang::Go,
    server::Server,
    site::Site,
    upstream::{Answer, Upstream},
};

const PROJECT: &str = "module example.com/project\n\ngo 1.21\n";

/// `path@version` with this in its go.mod besides.
fn add(upstream: &Upstream, name: &str, go_mod: &str) {
    let (path, _) = name.split_once('@').unwrap();
    let package = path.rsplit('/').next().unwrap();
    upstream.add(
        name,
        &format!(
            "-- go.mod --\n{go_mod}module {path}\n\ngo 1.21\n-- a.go --\npackage {package}\n\nconst Version = \"{name}\"\n"
        ),
    );
}

/// An upstream on which everything has moved on, and a client of the site that has carried `args`.
fn behind_the_gap(args: &[&str]) -> (Site, Server, Go) {
    let mut site = Site::new();
    let up = &site.upstream;
    for version in ["v1.0.0", "v1.0.1", "v1.1.0", "v1.2.0-rc.1"] {
        add(up, &format!("example.com/lib@{version}"), "");
    }
    add(up, "example.com/dep@v1.0.0", "");
    add(up, "example.com/dep@v1.5.0", "");
    for version in ["v1.0.0", "v1.1.0"] {
        let require = "require example.com/dep v1.0.0\n\n";
        add(up, &format!("example.com/app@{version}"), require);
    }
    let require = "require example.com/dep v1.5.0\n\nrequire example.com/lib v1.0.1\n\n";
    add(up, "example.com/app@v1.2.0", require);
    // The newest version takes back itself and one before it, as authors do who published by mistake.
    add(up, "example.com/sorry@v1.0.0", "");
    add(up, "example.com/sorry@v1.0.1", "");
    add(
        up,
        "example.com/sorry@v1.9.0",
        "retract [v1.0.1, v1.9.0] // published by mistake\n\n",
    );
    add(up, "example.com/gone@v1.0.0", "");
    add(
        up,
        "example.com/gone@v1.0.1",
        "// Deprecated: use example.com/lib\n",
    );
    site.carry(args);
    let server = site.serve();
    let go = site.go(&server, "developer");
    go.file("go.mod", PROJECT);
    (site, server, go)
}

#[test]
fn the_newest_version_of_what_is_named_can_be_had_with_all_that_it_needs() {
    let (_site, _server, go) = behind_the_gap(&["example.com/app@v1.0.0"]);
    go.run(&["list", "-m", "-versions", "example.com/app"])
        .ok()
        .says("example.com/app v1.0.0 v1.2.0\n");
    go.file(
        "main.go",
        "package main\n\nimport \"example.com/app\"\n\nfunc main() { println(app.Version) }\n",
    );
    go.run(&["get", "example.com/app@v1.0.0"]).ok();
    go.run(&["list", "-m", "-u", "all"])
        .ok()
        .says("example.com/app v1.0.0 [v1.2.0]");
    // Nobody said which: the go command takes the newest that is listed, so it has to work.
    go.run(&["get", "-u", "example.com/app"]).ok();
    go.run(&["mod", "tidy"]).ok();
    go.run(&["run", "."]).ok().says("example.com/app@v1.2.0");
    go.run(&["mod", "verify"]).ok();
}

#[test]
fn retractions_and_deprecations_are_known_inside() {
    let (_site, _server, go) =
        behind_the_gap(&["example.com/sorry@v1.0.1", "example.com/gone@v1.0.0"]);
    go.run(&["get", "example.com/sorry@v1.0.1"])
        .ok()
        .says("retracted by module author: published by mistake");
    go.run(&["get", "example.com/gone@v1.0.0"])
        .ok()
        .says("module example.com/gone is deprecated: use example.com/lib");
    go.run(&["list", "-m", "-u", "-retracted", "all"])
        .ok()
        .says("example.com/sorry v1.0.1 (retracted)")
        .says("example.com/gone v1.0.0 [v1.0.1] (deprecated)");
    // The newest that is not taken back is there, too.
    go.run(&["list", "-m", "example.com/sorry@latest"])
        .ok()
        .says("example.com/sorry v1.0.0");
    go.run(&["mod", "download", "example.com/sorry@v1.0.0"])
        .ok();
}

#[test]
fn one_key_carries_the_newest_of_all_or_of_none() {
    let versions = |args: &[&str], path: &str| {
        let (_site, _server, go) = behind_the_gap(args);
        let listed = go.run(&["list", "-m", "-versions", path]).ok().stdout;
        listed.trim().to_owned()
    };
    let app = "example.com/app@v1.0.0";
    assert_eq!(
        versions(&[app, "--newest", "none"], "example.com/app"),
        "example.com/app v1.0.0"
    );
    // Who wants exactly a version wants no newer one.
    assert_eq!(
        versions(&[app, "--follow", "none"], "example.com/app"),
        "example.com/app v1.0.0"
    );
    assert_eq!(
        versions(
            &[
                app,
                "--newest",
                "named",
                "--exclude",
                "example.com/app@>=1.2"
            ],
            "example.com/app"
        ),
        "example.com/app v1.0.0 v1.1.0"
    );
    assert_eq!(
        versions(
            &[
                "example.com/app@v1.1.0",
                "--newest",
                "all",
                "--exclude",
                "example.com/app@v1.2.0"
            ],
            "example.com/dep"
        ),
        "example.com/dep v1.0.0 v1.5.0"
    );
}

#[test]
fn what_cannot_be_had_of_a_newest_version_is_no_failure() {
    let mut site = Site::new();
    add(&site.upstream, "example.com/lib@v1.0.0", "");
    add(
        &site.upstream,
        "example.com/lib@v1.1.0",
        "require example.com/secret v1.0.0\n\n",
    );
    let (exported, _) = site.export(&["example.com/lib@v1.0.0"]);
    exported.ok().says("example.com/secret@v1.0.0");
    let (asked, _) = site.export(&["example.com/lib@v1.1.0"]);
    asked.expect(9).says("example.com/secret@v1.0.0");
    // An upstream that lists nothing is no failure either.
    let refused = [Answer::Status(403)];
    site.upstream
        .answer_instead("/example.com/lib/@v/list", &refused);
    let (exported, _) = site.export(&["example.com/lib@v1.0.0", "--basis", "none"]);
    exported
        .ok()
        .says("no newest version is looked for: example.com/lib@latest");
}

#[test]
fn a_branch_is_resolved_carried_and_answered() {
    let mut site = Site::new();
    let version = "v0.0.0-20260102030405-abcdefabcdef";
    add(&site.upstream, &format!("example.com/fresh@{version}"), "");
    let info = site
        .upstream
        .artifact(&format!("example.com/fresh@{version}"), "info");
    let path = "/example.com/fresh/@v/main.info";
    site.upstream.answer_instead(path, &[Answer::Bytes(info)]);
    let (exported, out) = site.export(&["example.com/fresh@main"]);
    exported
        .ok()
        .says(&format!("example.com/fresh@main is {version}"));
    site.appliance(&["import", &out]).ok();
    let server = site.serve();
    let go = site.go(&server, "developer");
    go.file("go.mod", PROJECT);
    go.run(&["get", "example.com/fresh@main"])
        .ok()
        .says(version);
    go.run(&["mod", "verify"]).ok();

    // Asked again, it is what it was: there is nothing to carry.
    let (again, _) = site.export(&["example.com/fresh@main"]);
    again
        .ok()
        .says("the destination holds that, nothing changes")
        .says("nothing new");
    site.upstream.answer_instead(path, &[Answer::Status(403)]);
    let (refused, _) = site.export(&["example.com/fresh@main"]);
    refused.expect(9).says(
        "it does not look at branches and commits for others; say a version, or the pseudo-version",
    );
}

/// A toolchain as the go command wants it, whose go says what it is.
fn toolchain(upstream: &Upstream, version: &str, platform: &str) {
    upstream.add(
        &format!("golang.org/toolchain@v0.0.1-go{version}.{platform}"),
        &format!(
            "-- .mod --\nmodule golang.org/toolchain\n-- bin/go --\n#!/bin/sh\necho this is go{version}: \"$@\"\n-- bin/gofmt --\n#!/bin/sh\n-- pkg/tool/tool --\n#!/bin/sh\n-- lib/lib --\n"
        ),
    );
}

/// The go command's own platform, which the tests run on.
fn platform() -> String {
    let of_go = |name: &str| {
        let output = std::process::Command::new("go")
            .args(["env", name])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    format!("{}/{}", of_go("GOOS"), of_go("GOARCH"))
}

/// An upstream with toolchains that no machine has, and a client of the site that has carried `args`.
fn with_toolchains(args: &[&str]) -> (Site, Server, Go) {
    let mut site = Site::new();
    let here = platform().replace('/', "-");
    for version in ["1.98.0", "1.98.2", "1.99.0", "1.100rc1"] {
        for platform in ["linux-amd64", "plan9-386", &here] {
            let name = format!("golang.org/toolchain@v0.0.1-go{version}.{platform}");
            if !site.upstream.has(&name) {
                toolchain(&site.upstream, version, platform);
            }
        }
    }
    site.upstream.add(
        "example.com/new@v1.0.0",
        "-- go.mod --\nmodule example.com/new\n\ngo 1.99\n-- a.go --\npackage main\n\nfunc main() {}\n",
    );
    std::fs::write(
        site.root().join("go.mod"),
        "module example.com/project\n\ngo 1.97\n\ntoolchain go1.98.2\n",
    )
    .unwrap();
    add(&site.upstream, "example.com/lib@v1.0.0", "");
    site.carry(args);
    let server = site.serve();
    let go = site.go(&server, "developer").with("GOTOOLCHAIN", "auto");
    go.file("go.mod", PROJECT);
    (site, server, go)
}

#[test]
fn the_go_command_switches_to_a_toolchain_that_was_carried() {
    let here = platform();
    let (_site, _server, go) = with_toolchains(&[
        "example.com/new@v1.0.0",
        "--toolchains",
        "auto",
        "--platforms",
        &here,
    ]);
    go.file("go.mod", "module example.com/project\n\ngo 1.99.0\n");
    go.run(&["version"]).ok().says("this is go1.99.0: version");
    // A dependency that is too new is reason enough.
    go.file("go.mod", PROJECT);
    go.run(&["install", "example.com/new@v1.0.0"])
        .ok()
        .says("switching to go1.99.0")
        .says("this is go1.99.0: install");
    go.run(&["list", "-m", "-versions", "go"])
        .ok()
        .says(" 1.99.0\n")
        .never_says("1.98");
    go.run(&["get", "toolchain@go1.99.0"]).ok();
    go.run(&["get", "go@1.99.0"])
        .ok()
        .says("this is go1.99.0: get");
    go.file("go.mod", "module example.com/project\n\ngo 1.98.2\n");
    go.run(&["version"]).expect(1).says("go1.98.2");
}

#[test]
fn a_main_module_has_the_toolchain_that_it_names() {
    let here = platform();
    let go_mod = |site: &Site| site.path("go.mod");
    let mut site = Site::new();
    for version in ["1.97.0", "1.98.2"] {
        toolchain(&site.upstream, version, &here.replace('/', "-"));
    }
    add(&site.upstream, "example.com/lib@v1.0.0", "");
    let text = "module example.com/project\n\ngo 1.97\n\ntoolchain go1.98.2\n\nrequire example.com/lib v1.0.0\n";
    std::fs::write(go_mod(&site), text).unwrap();
    let path = go_mod(&site);
    site.carry(&[
        "--go-mod",
        &path,
        "--toolchains",
        "auto",
        "--platforms",
        &here,
    ]);
    let server = site.serve();
    let go = site.go(&server, "developer").with("GOTOOLCHAIN", "auto");
    go.file("go.mod", text);
    go.run(&["version"]).ok().says("this is go1.98.2: version");
}

#[test]
fn toolchains_for_other_platforms_are_known_on_all() {
    let (site, _server, go) = with_toolchains(&[
        "example.com/lib@v1.0.0",
        "--toolchains",
        "1.98,latest",
        "--platforms",
        "plan9/386",
    ]);
    // It asks for the .info of the one for linux-amd64, which is there, and not listed.
    go.run(&["list", "-m", "-versions", "go"])
        .ok()
        .says(" 1.98.2 1.99.0\n");
    go.run(&["list", "-m", "go@1.98.2"]).ok().says("go 1.98.2");
    go.run(&["list", "-m", "toolchain@latest"])
        .ok()
        .says("toolchain go1.99.0");
    go.run(&["list", "-m", "go@1.100rc1"]).expect(1);
    go.run(&["list", "-m", "-versions", "golang.org/toolchain"])
        .ok()
        .says("golang.org/toolchain v0.0.1-go1.98.2.plan9-386 v0.0.1-go1.99.0.plan9-386\n");
    let download = |platform: &str| {
        let name = format!("golang.org/toolchain@v0.0.1-go1.99.0.{platform}");
        go.run(&["mod", "download", &name])
    };
    download("plan9-386").ok();
    download("linux-amd64").expect(1);
    drop(site);
}

#[test]
fn a_toolchain_that_there_is_not_is_told() {
    let mut site = Site::new();
    add(&site.upstream, "example.com/lib@v1.0.0", "");
    toolchain(&site.upstream, "1.99.0", "linux-amd64");
    for (wanted, told) in [
        (
            "1.97",
            "toolchain 1.97: upstream lists none such; the newest is 1.99.0",
        ),
        (
            "1.99.3",
            "toolchain 1.99.3: upstream lists none such; the newest is 1.99.0",
        ),
    ] {
        let (exported, _) = site.export(&["example.com/lib@v1.0.0", "--toolchains", wanted]);
        exported.expect(9).says(told);
    }
    for (wanted, told) in [
        ("new", "is no version of Go"),
        ("none,auto", "none stands alone"),
    ] {
        let (exported, _) = site.export(&["example.com/lib@v1.0.0", "--toolchains", wanted]);
        exported.expect(2).says(told);
    }
}
