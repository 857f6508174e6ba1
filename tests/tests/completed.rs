//! Modules that import what nothing requires, behind the gap: the go command finds what it finds online, and no host hears
//! a private name because of it.

#![allow(clippy::unwrap_used)]

use modferry_tests::{golang::Go, site::Site, upstream::Upstream};

/// Of before go.mod files: it imports a package of another module, and one that there is nowhere.
const OLD: &str = "-- old.go --\npackage old\n\nimport \"example.org/sys/unix\"\n\nconst Page = unix.Page\n\
                   -- old_plan9.go --\npackage old\n\nimport _ \"example.org/sys/plan9/nine\"\n\
                   -- old_test.go --\npackage old\n\nimport \"example.org/check/v2\"\n\nvar _ = check.Equal\n";

/// An upstream where the module that is imported has moved on.
fn stock(upstream: &Upstream) {
    upstream.add("example.com/old@v1.0.0", OLD);
    let sys = |version: &str, page: &str| {
        let files = format!(
            "-- go.mod --\nmodule example.org/sys\n\ngo 1.21\n\nrequire example.org/dep v1.1.0\n\
             -- unix/unix.go --\npackage unix\n\nimport \"example.org/dep\"\n\nconst Page = dep.Size + {page}\n"
        );
        upstream.add(&format!("example.org/sys@{version}"), &files);
    };
    sys("v1.0.0", "1");
    sys("v1.4.0", "4");
    sys("v1.5.0-rc.1", "5");
    for version in ["v1.0.0", "v1.1.0", "v1.2.0"] {
        let files =
            "-- go.mod --\nmodule example.org/dep\n-- dep.go --\npackage dep\n\nconst Size = 1\n";
        upstream.add(&format!("example.org/dep@{version}"), files);
    }
    upstream.add(
        "example.org/check/v2@v2.0.0",
        "-- go.mod --\nmodule example.org/check/v2\n-- check.go --\npackage check\n\nconst Equal = true\n",
    );
    // A module below it, as an import may lead into.
    upstream.add(
        "example.org/sys/plan9@v0.1.0",
        "-- nine/nine.go --\npackage nine\n",
    );
}

const PROJECT: &str = "module example.com/project\n\ngo 1.21\n";
const USER: &str =
    "package main\n\nimport \"example.com/old\"\n\nfunc main() { println(old.Page) }\n";

fn project(go: &Go) {
    go.file("go.mod", PROJECT);
    go.file("main.go", USER);
}

#[test]
fn what_nothing_requires_is_tidied_inside_as_online() {
    let mut site = Site::new();
    stock(&site.upstream);
    site.carry(&["example.com/old@v1.0.0"]);
    let server = site.serve();
    for by in ["get", "tidy"] {
        let online = site.online_go(&format!("online-{by}"));
        let inside = site.go(&server, &format!("inside-{by}"));
        for go in [&online, &inside] {
            project(go);
            if by == "get" {
                go.run(&["get", "example.com/old@v1.0.0"])
                    .ok()
                    .says("added example.org/sys v1.4.0")
                    .says("added example.org/sys/plan9 v0.1.0");
                go.run(&["mod", "tidy"]).ok();
            } else {
                let required = format!("{PROJECT}\nrequire example.com/old v1.0.0\n");
                go.file("go.mod", &required);
                go.run(&["mod", "tidy"])
                    .ok()
                    .says("found example.org/sys/unix in example.org/sys v1.4.0")
                    .says("found example.org/sys/plan9/nine in example.org/sys/plan9 v0.1.0")
                    .says("found example.org/check/v2 in example.org/check/v2 v2.0.0");
            }
            go.run(&["run", "."]).ok().says("5");
            go.run(&["vet", "./..."]).ok();
            go.run(&["mod", "verify"]).ok();
        }
        assert_eq!(inside.read("go.mod"), online.read("go.mod"));
        assert_eq!(inside.read("go.sum"), online.read("go.sum"));
    }

    // Without a version, and by the package that is imported.
    let got = site.go(&server, "got");
    project(&got);
    got.run(&["get", "example.com/old@latest"]).ok();
    got.run(&["get", "example.org/sys/unix@latest"]).ok();
    got.run(&["list", "-m", "example.org/sys"])
        .ok()
        .says("example.org/sys v1.4.0");
    got.run(&["build", "."]).ok();

    // What there is nowhere is told as it is online.
    let nowhere = |go: Go| {
        project(&go);
        go.file(
            "main.go",
            "package main\n\nimport _ \"example.org/none/of/it\"\n\nfunc main() {}\n",
        );
        go.run(&["mod", "tidy"])
            .expect(1)
            .says("cannot find module providing package example.org/none/of/it");
    };
    nowhere(site.online_go("nowhere"));
    nowhere(site.go(&server, "nowhere-inside"));
}

#[test]
fn no_host_hears_of_what_private_modules_are_called() {
    let site = Site::new();
    site.upstream.add(
        "example.com/leaky@v1.0.0",
        "-- leaky.go --\npackage leaky\n\nimport (\n\t_ \"corp.test/secret/plans\"\n\t_ \"example.net/team/lib/p\"\n)\n",
    );
    site.upstream
        .add("example.net/team/lib@v1.0.0", "-- p/p.go --\npackage p\n");
    let key = site.path("keys/site.key");
    let out = site.path("out");
    let mut export = site.bundler_command(&["export", "--key", &key, "--out", &out]);
    export
        .arg("example.com/leaky@v1.0.0")
        .env("GOPRIVATE", "corp.test,example.net/team/hidden");
    modferry_tests::run::run(&mut export)
        .ok()
        .says("corp.test/secret/plans@latest: GOPRIVATE names it as private");
    let asked = site.upstream.requests();
    let of = |path: &str| asked.iter().filter(|it| it.starts_with(path)).count();
    assert_eq!(of("/corp.test/"), 0, "{asked:?}");
    // The beginning of a private name is as secret; what lies beside it is not.
    assert_eq!(of("/example.net/team/@v/"), 0, "{asked:?}");
    assert_eq!(of("/example.net/@v/"), 0, "{asked:?}");
    assert_eq!(of("/example.net/team/lib/@v/v1.0.0.zip"), 1, "{asked:?}");
    // Each module that there is not is asked for once.
    assert_eq!(of("/example.net/team/lib/p/@v/"), 1, "{asked:?}");
}

#[test]
fn no_host_hears_of_what_only_a_project_is_called() {
    let site = Site::new();
    site.upstream
        .add("example.com/lib@v1.0.0", "-- lib.go --\npackage lib\n");
    let go = site.online_go("project");
    let file = |name: &str, text: &str| go.file(name, text);
    file(
        "go.mod",
        "module corp.test/team/app\n\ngo 1.21\n\nrequire corp.test/other/beside v0.0.0\n\n\
         replace corp.test/other/beside => ./beside\n",
    );
    file(
        "main.go",
        "package main\n\nimport (\n\t_ \"corp.test/team/app/gone\"\n\t_ \"corp.test/other/beside/gone\"\n\
         \t_ \"corp.test/team/gone\"\n\t_ \"example.com/lib\"\n)\n\nfunc main() {}\n",
    );
    file(
        "beside/go.mod",
        "module corp.test/other/beside\n\ngo 1.21\n",
    );
    file("beside/beside.go", "package beside\n");
    let key = site.path("keys/site.key");
    let out = site.path("out");
    let go_mod = go.project().join("go.mod");
    let go_mod = go_mod.to_str().unwrap();
    let args = ["export", "--key", &key, "--out", &out, "--go-mod", go_mod];
    modferry_tests::run::run(&mut site.bundler_command(&args)).ok();
    let asked = site.upstream.requests();
    let of = |path: &str| asked.iter().filter(|it| it.starts_with(path)).count();
    for own in [
        "corp.test/team/app",
        "corp.test/other/beside",
        "corp.test/team/@v",
        "corp.test/@v",
    ] {
        assert_eq!(of(&format!("/{own}")), 0, "{own}: {asked:?}");
    }
    // What only lies beside it may be anybody's.
    assert_eq!(of("/corp.test/team/gone/@v/"), 1, "{asked:?}");
    assert_eq!(of("/example.com/lib/@v/v1.0.0.zip"), 1, "{asked:?}");
}
