//! The harness itself: the real go command accepts the upstream's modules, checksum database and tree heads,
//! so a scenario that fails behind the gap does not fail because of its input.

#![allow(clippy::unwrap_used)]

use modferry_tests::{
    golang::Go,
    upstream::{Answer, Upstream},
};
use tempfile::TempDir;

fn client(folder: &TempDir, upstream: &Upstream) -> Go {
    Go::new(
        folder.path(),
        upstream.url().to_owned(),
        upstream.verifier_key().to_owned(),
    )
}

#[test]
fn the_go_command_verifies_what_the_upstream_serves() {
    let (folder, upstream) = (TempDir::new().unwrap(), Upstream::start());
    for number in 0..600 {
        upstream.add(
            &format!("example.com/m{number}@v1.0.0"),
            "-- m.go --\npackage m\n",
        );
    }
    let go = client(&folder, &upstream);
    go.run(&[
        "mod",
        "download",
        "example.com/m17@v1.0.0",
        "example.com/m599@v1.0.0",
    ])
    .ok();
    // A larger tree is proven to contain the one that the client has seen.
    upstream.add("example.com/Later/m@v1.0.0", "-- m.go --\npackage m\n");
    go.run(&["mod", "download", "example.com/Later/m@v1.0.0"])
        .ok();
    assert!(
        upstream
            .requests()
            .iter()
            .any(|path| path.contains("/sumdb/sum.example.com/tile/8/"))
    );
}

#[test]
fn the_go_command_refuses_what_the_database_does_not_vouch_for() {
    let (folder, upstream) = (TempDir::new().unwrap(), Upstream::start());
    upstream.add("example.com/a@v1.0.0", "-- a.go --\npackage a\n");
    upstream.add("example.com/b@v1.0.0", "-- a.go --\npackage b\n");
    let go = client(&folder, &upstream);
    let other = upstream.artifact("example.com/b@v1.0.0", "mod");
    upstream.answer_instead("/example.com/a/@v/v1.0.0.mod", &[Answer::Bytes(other)]);
    go.run(&["mod", "download", "example.com/a@v1.0.0"])
        .expect(1)
        .says("SECURITY ERROR");
}

#[test]
fn a_fork_is_seen_by_the_go_command() {
    let (folder, upstream) = (TempDir::new().unwrap(), Upstream::start());
    upstream.add("example.com/a@v1.0.0", "-- a.go --\npackage a\n");
    upstream.add("example.com/b@v1.0.0", "-- a.go --\npackage b\n");
    let go = client(&folder, &upstream);
    go.run(&["mod", "download", "example.com/a@v1.0.0"]).ok();
    upstream.fork();
    for number in 0..10 {
        upstream.add(
            &format!("example.com/m{number}@v1.0.0"),
            "-- m.go --\npackage m\n",
        );
    }
    go.run(&["mod", "download", "example.com/m3@v1.0.0"])
        .expect(1)
        .says("SECURITY ERROR");
}
