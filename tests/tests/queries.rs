//! Branches, behind the gap: an answer that was carried is what the real go command is told.

#![allow(clippy::unwrap_used)]

use modferry_protocol::bundle::{Answer, Item, Query};
use modferry_protocol::note::SigningKey;
use modferry_tests::{bundle::Contents, site::Site};

const V1: &str = "v0.0.0-20260102030405-abcdefabcdef";
const V2: &str = "v0.0.0-20260202030405-fedcbafedcba";

fn publish(site: &Site, version: &str) {
    site.upstream.add(
        &format!("example.com/moves@{version}"),
        &format!(
            "-- go.mod --\nmodule example.com/moves\n\ngo 1.21\n-- m.go --\npackage moves\n\nconst At = {version:?}\n"
        ),
    );
}

/// Adds the answer that `main` is this version to the bundle in `folder`, and signs it anew.
fn answer(site: &Site, folder: &str, version: &str) -> String {
    let key = std::fs::read_to_string(site.path("keys/site.key")).unwrap();
    let key: SigningKey = key.trim().parse().unwrap();
    let mut contents = Contents::read(folder, &key);
    let query = Query::new(
        "example.com/moves".parse().unwrap(),
        "main".parse().unwrap(),
    );
    let info = site
        .upstream
        .artifact(&format!("example.com/moves@{version}"), "info");
    let answer = Answer {
        asked: "2026-11-21T09:00:00Z",
        info: &info,
    };
    let item = (Item::Query(query.unwrap()), answer.encode());
    contents.items.push(item);
    contents.items.sort();
    let with = format!("{folder}-answering");
    contents.write(&with, &key);
    with
}

/// What a developer gets who asks for `main`.
#[track_caller]
fn gets_main(site: &Site, developer: &str, version: &str) {
    let server = site.serve();
    let go = site.go(&server, developer);
    go.file("go.mod", "module example.com/project\n\ngo 1.21\n");
    go.file(
        "main.go",
        "package main\n\nimport \"example.com/moves\"\n\nfunc main() { println(moves.At) }\n",
    );
    go.run(&["get", "example.com/moves@main"])
        .ok()
        .says(version);
    go.run(&["run", "."]).ok().says(version);
    go.run(&["mod", "verify"]).ok();
    go.run(&["get", "example.com/moves@dev"]).expect(1);
}

#[test]
fn a_branch_is_what_it_was_when_upstream_was_asked() {
    let mut site = Site::new();
    publish(&site, V1);
    let (exported, folder) = site.export(&["--pack", "none", &format!("example.com/moves@{V1}")]);
    exported.ok();
    let folder = answer(&site, &folder, V1);
    site.appliance(&["import", &folder]).ok();
    gets_main(&site, "developer", V1);
    site.appliance(&["list", "example.com/moves@main"])
        .ok()
        .says(&format!(
            "example.com/moves@main is {V1} (asked 2026-11-21T09:00:00Z, bundle default 1)\n"
        ));

    // The branch has moved on, and the next bundle says so.
    publish(&site, V2);
    let (exported, folder) = site.export(&["--pack", "none", &format!("example.com/moves@{V2}")]);
    exported.ok();
    let folder = answer(&site, &folder, V2);
    site.appliance(&["import", &folder]).ok();
    gets_main(&site, "later", V2);
    site.appliance(&["fsck"]).ok();
}
