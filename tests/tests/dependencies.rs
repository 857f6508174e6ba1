//! The isolated side cannot dial out: no HTTP client is anywhere in its dependency tree. And the connected
//! side builds without RocksDB.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// Crates whose business is to make requests. actix-http and hyper can be either side: of hyper, which
/// nothing here serves with, the whole crate is refused.
const HTTP_CLIENTS: &[&str] = &[
    "reqwest",
    "ureq",
    "hyper",
    "hyper-util",
    "awc",
    "curl",
    "curl-sys",
    "isahc",
    "surf",
    "attohttpc",
    "minreq",
    "http_req",
    "ehttp",
    "gloo-net",
    "object_store",
    "rustls-platform-verifier",
];

/// The names of all packages that `root` is built from, build scripts' and macros' included.
///
/// For the platform that they are built for here: a build has fetched no other platform's packages, and the tests
/// fetch nothing.
fn tree(root: &str) -> BTreeSet<String> {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let rustc = String::from_utf8(rustc.stdout).unwrap();
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .args(["--filter-platform", host.unwrap()])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            (
                package["id"].as_str().unwrap(),
                package["name"].as_str().unwrap(),
            )
        })
        .collect();
    let edges: BTreeMap<&str, Vec<&str>> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| {
            let built_with = node["deps"].as_array().unwrap().iter().filter(|dep| {
                dep["dep_kinds"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|kind| kind["kind"] != "dev")
            });
            (
                node["id"].as_str().unwrap(),
                built_with.map(|dep| dep["pkg"].as_str().unwrap()).collect(),
            )
        })
        .collect();
    let start = names.iter().find(|(_, name)| **name == root).unwrap().0;
    let mut seen = BTreeSet::new();
    let mut queue = vec![*start];
    while let Some(id) = queue.pop() {
        if seen.insert(id) {
            queue.extend(&edges[id]);
        }
    }
    seen.into_iter().map(|id| names[id].to_owned()).collect()
}

#[test]
fn the_isolated_side_has_no_http_client() {
    for root in ["modferry-appliance", "modferry-server"] {
        let tree = tree(root);
        assert!(
            tree.contains("rocksdb"),
            "{root}: the tree was not read: {tree:?}"
        );
        let clients: Vec<_> = HTTP_CLIENTS
            .iter()
            .filter(|name| tree.contains(**name))
            .collect();
        assert!(clients.is_empty(), "{root} depends on {clients:?}");
    }
    // The list can find one: the connected side has it.
    assert!(
        HTTP_CLIENTS
            .iter()
            .any(|name| tree("modferry-bundler").contains(*name))
    );
}

#[test]
fn the_connected_side_builds_without_rocksdb() {
    let tree = tree("modferry-bundler");
    assert!(
        !tree.contains("rocksdb") && !tree.contains("librocksdb-sys"),
        "{tree:?}"
    );
}

#[test]
fn protocol_is_pure() {
    let tree = tree("modferry-protocol");
    for impure in [
        "tokio",
        "actix-web",
        "rocksdb",
        "ureq",
        "tempfile",
        "rustix",
    ] {
        assert!(
            !tree.contains(impure),
            "modferry-protocol depends on {impure}"
        );
    }
}
