//! What a developer behind the gap types, with the real go command, against a served bundle.

#![allow(clippy::unwrap_used)]

use modferry_tests::{golang::Go, server::Server, site::Site};

const HELLO: &str = "
-- go.mod --
module example.com/hello

go 1.21
-- hello.go --
package hello

func Greet() string { return \"VERSION\" }
";

/// An upstream with every shape of module that the scenarios name.
fn publish(site: &Site) {
    let up = &site.upstream;
    for version in ["v1.0.0", "v1.1.0", "v1.2.0-rc.1"] {
        up.add(
            &format!("example.com/hello@{version}"),
            &HELLO.replace("VERSION", version),
        );
    }
    up.add(
        "example.com/Upper/CamelCase@v1.0.0",
        "-- go.mod --\nmodule example.com/Upper/CamelCase\n\ngo 1.21\n-- c.go --\npackage camelcase\n\nconst Name = \"upper\"\n",
    );
    up.add(
        "example.com/major/v2@v2.0.0",
        "-- go.mod --\nmodule example.com/major/v2\n\ngo 1.21\n-- m.go --\npackage major\n\nconst Major = 2\n",
    );
    up.add(
        "example.com/old@v2.0.0+incompatible",
        "-- old.go --\npackage old\n\nconst Old = true\n",
    );
    up.add(
        "example.com/pseudo@v0.0.0-20260102030405-abcdefabcdef",
        "-- go.mod --\nmodule example.com/pseudo\n\ngo 1.21\n-- p.go --\npackage pseudo\n\nconst Pseudo = true\n",
    );
    // lib predates graph pruning, so its requirement on the older hello is read, although v1.1.0 is selected.
    up.add(
        "example.com/lib@v1.0.0",
        "-- go.mod --\nmodule example.com/lib\n\ngo 1.16\n\nrequire example.com/hello v1.0.0\n-- lib.go --\npackage lib\n\nimport \"example.com/hello\"\n\nfunc Greet() string { return hello.Greet() }\n",
    );
    up.add(
        "example.com/app@v1.0.0",
        "-- go.mod --
module example.com/app

go 1.21

require (
	example.com/Upper/CamelCase v1.0.0
	example.com/hello v1.1.0
	example.com/lib v1.0.0
	example.com/major/v2 v2.0.0
	example.com/old v2.0.0+incompatible
	example.com/pseudo v0.0.0-20260102030405-abcdefabcdef
)
-- main.go --
package main

import (
	\"fmt\"

	camelcase \"example.com/Upper/CamelCase\"
	\"example.com/hello\"
	\"example.com/lib\"
	\"example.com/major/v2\"
	\"example.com/old\"
	\"example.com/pseudo\"
)

func main() {
	fmt.Println(hello.Greet(), lib.Greet(), camelcase.Name, major.Major, old.Old, pseudo.Pseudo)
}
",
    );
    // v1.1.0 says of v1.0.1 that it should not be used.
    for (version, retract) in [
        ("v1.0.0", ""),
        ("v1.0.1", ""),
        ("v1.1.0", "\nretract v1.0.1 // loses data\n"),
    ] {
        up.add(
            &format!("example.com/retracts@{version}"),
            &format!("-- go.mod --\nmodule example.com/retracts\n\ngo 1.21\n{retract}-- r.go --\npackage retracts\n"),
        );
    }
}

/// What `app` prints when it was built from exactly what its requirements select.
const APP_SAYS: &str = "v1.1.0 v1.1.0 upper 2 true true";

/// A site that has carried `modules`, its server, and a fresh client in an empty project module.
fn behind_the_gap(modules: &[&str]) -> (Site, Server, Go) {
    let mut site = Site::new();
    publish(&site);
    site.carry(modules);
    let server = site.serve();
    let go = site.go(&server, "developer");
    go.file("go.mod", "module example.com/project\n\ngo 1.21\n");
    (site, server, go)
}

#[test]
fn download_answers_what_upstream_served() {
    let (site, _server, go) = behind_the_gap(&["example.com/app@v1.0.0"]);
    for module in [
        "example.com/app@v1.0.0",
        "example.com/old@v2.0.0+incompatible",
        "example.com/Upper/CamelCase@v1.0.0",
    ] {
        let here = go.run(&["mod", "download", "-json", module]).ok().json();
        for kind in ["Info", "GoMod", "Zip"] {
            let got = std::fs::read(here[kind].as_str().unwrap()).unwrap();
            let extension = std::path::Path::new(here[kind].as_str().unwrap())
                .extension()
                .unwrap()
                .to_str()
                .unwrap();
            assert!(
                got == site.upstream.artifact(module, extension),
                "{module} {extension} differs from upstream's"
            );
        }
    }
}

#[test]
fn build_and_verify() {
    let (_site, _server, go) = behind_the_gap(&["example.com/app@v1.0.0"]);
    go.file(
        "main.go",
        "package main\n\nimport (\n\t\"fmt\"\n\n\tcamelcase \"example.com/Upper/CamelCase\"\n\t\"example.com/hello\"\n\t\"example.com/lib\"\n\t\"example.com/major/v2\"\n\t\"example.com/old\"\n\t\"example.com/pseudo\"\n)\n\nfunc main() {\n\tfmt.Println(hello.Greet(), lib.Greet(), camelcase.Name, major.Major, old.Old, pseudo.Pseudo)\n}\n",
    );
    go.run(&["get", "example.com/app@v1.0.0"]).ok();
    go.run(&["mod", "tidy"]).ok();
    go.run(&["run", "."]).ok().says(APP_SAYS);
    go.run(&["mod", "verify"]).ok().says("all modules verified");
    assert!(
        go.read("go.sum")
            .contains("example.com/hello v1.0.0/go.mod h1:"),
        "the .mod that lib requires was not read"
    );
    assert!(!go.read("go.sum").contains("example.com/hello v1.0.0 h1:"));
}

#[test]
fn get_a_version_then_latest() {
    let (_site, _server, go) =
        behind_the_gap(&["example.com/hello@v1.0.0", "example.com/hello@v1.1.0"]);
    go.file(
        "main.go",
        "package main\n\nimport \"example.com/hello\"\n\nfunc main() { println(hello.Greet()) }\n",
    );
    go.run(&["get", "example.com/hello@v1.0.0"]).ok();
    go.run(&["run", "."]).ok().says("v1.0.0");
    go.run(&["get", "example.com/hello@latest"]).ok();
    go.run(&["run", "."]).ok().says("v1.1.0");
    go.run(&["list", "-m", "-u", "all"]).ok();
}

#[test]
fn versions_lists_what_is_whole() {
    let (_site, _server, go) = behind_the_gap(&[
        "example.com/hello@v1.0.0",
        "example.com/hello@v1.2.0-rc.1",
        "example.com/hello@v1.1.0",
    ]);
    go.run(&["list", "-m", "-versions", "example.com/hello"])
        .ok()
        .says("example.com/hello v1.0.0 v1.1.0 v1.2.0-rc.1\n");
}

#[test]
fn a_pseudo_version_is_latest_where_nothing_else_is() {
    let (_site, _server, go) =
        behind_the_gap(&["example.com/pseudo@v0.0.0-20260102030405-abcdefabcdef"]);
    go.run(&["list", "-m", "example.com/pseudo@latest"])
        .ok()
        .says("v0.0.0-20260102030405-abcdefabcdef");
    go.run(&["list", "-m", "-versions", "example.com/pseudo"])
        .ok()
        .never_says("v0.0.0");
}

#[test]
fn a_version_of_which_only_the_mod_is_held_is_not_listed() {
    let (_site, _server, go) = behind_the_gap(&["example.com/app@v1.0.0"]);
    go.run(&["list", "-m", "-versions", "example.com/hello"])
        .ok()
        .says("example.com/hello v1.1.0\n");
    go.run(&["mod", "download", "example.com/hello@v1.0.0"])
        .expect(1)
        .says("module lookup disabled by GOPROXY=off");
}

#[test]
fn install_a_program_at_its_version() {
    let (_site, _server, go) = behind_the_gap(&["example.com/app@v1.0.0"]);
    go.run(&["install", "example.com/app@v1.0.0"]).ok();
    go.run(&["run", "example.com/app@v1.0.0"])
        .ok()
        .says(APP_SAYS);
}

#[test]
fn retracted_versions_are_said() {
    let (_site, _server, go) = behind_the_gap(&[
        "example.com/retracts@v1.0.0",
        "example.com/retracts@v1.0.1",
        "example.com/retracts@v1.1.0",
    ]);
    go.run(&["get", "example.com/retracts@v1.0.1"])
        .ok()
        .says("retracted by module author: loses data");
    go.run(&["list", "-m", "-versions", "example.com/retracts"])
        .ok()
        .says("example.com/retracts v1.0.0 v1.1.0\n");
}

#[test]
fn a_miss_is_explained() {
    let (site, server, go) = behind_the_gap(&["example.com/hello@v1.0.0"]);
    // Under `mirror,off` the go command speaks of its own `off`, and not of what the mirror said.
    go.run(&["get", "example.com/lib@v1.0.0"])
        .expect(1)
        .says("module lookup disabled by GOPROXY=off");
    go.run(&["get", "example.com/hello@main"]).expect(1);
    go.run(&["get", "example.com/hello@v1.9.0"]).expect(1);

    // With the mirror alone, which is as closed, it says what the mirror says.
    let go = Go::new(
        &site.root().join("alone"),
        server.url().to_owned(),
        site.upstream.verifier_key().to_owned(),
    );
    go.file("go.mod", "module example.com/project\n\ngo 1.21\n");
    go.run(&["get", "example.com/lib@v1.0.0"])
        .expect(1)
        .says("not carried");
    go.run(&["get", "example.com/hello@v1.9.0"])
        .expect(1)
        .says("not carried");
    go.run(&["get", "example.com/hello@main"])
        .expect(1)
        .says("main");
}

#[test]
fn what_was_carried_can_still_be_had_after_a_miss() {
    let (_site, _server, go) = behind_the_gap(&["example.com/hello@v1.0.0"]);
    go.run(&["get", "example.com/lib@v1.0.0"]).expect(1);
    go.run(&["get", "example.com/hello@v1.0.0"]).ok();
}
