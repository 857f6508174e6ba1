//! The Go vulnerability database: from a folder on the connected side to what govulncheck asks of the mirror, byte for byte.
//! The real govulncheck does it in `live_vulndb.rs`.

#![allow(clippy::unwrap_used)]

use flate2::read::GzDecoder;
use modferry_tests::http::Client;
use modferry_tests::server::Server;
use modferry_tests::site::Site;
use modferry_tests::vulndb::{Report, documents, write};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

const A: Report = Report {
    id: "GO-2026-0001",
    module: "example.com/hello",
    package: "example.com/hello/sub",
    symbols: &["Do"],
    fixed: "1.1.0",
};
const B: Report = Report {
    id: "GO-2026-0002",
    ..A
};
const FIRST: &str = "2026-11-19T12:00:00Z";
const SECOND: &str = "2026-11-20T12:00:00Z";

/// A site whose modferry.yaml names a folder with a database.
fn site() -> (Site, String) {
    let site = Site::new();
    site.upstream.add(
        "example.com/hello@v1.0.0",
        "-- go.mod --\nmodule example.com/hello\n-- sub/sub.go --\npackage sub\n\nfunc Do() {}\n",
    );
    let config = site.path("modferry.yaml");
    std::fs::write(&config, "vulndb: vulndb\n").unwrap();
    (site, config)
}

fn put(site: &Site, modified: &str, reports: &[Report]) -> BTreeMap<String, Vec<u8>> {
    let documents = documents(modified, reports);
    write(Path::new(&site.path("vulndb")), &documents);
    documents
}

/// What govulncheck asks, in its order: golang.org/x/vuln, internal/client.
fn served(server: &Server, documents: &BTreeMap<String, Vec<u8>>) {
    let mut client = Client::connect(server.address());
    let go = ["User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip"];
    // Whether it is a database at all.
    let head = client.ask("HEAD", "/vulndb/index/modules.json.gz", &go);
    assert_eq!(head.status, 200);
    for (name, json) in documents {
        let packed = client.ask("GET", &format!("/vulndb/{name}.json.gz"), &go);
        assert_eq!(packed.status, 200, "{name}");
        // Go's transport would inflate it by itself, and govulncheck then once more.
        assert_eq!(packed.header("content-encoding"), None);
        assert_eq!(packed.header("content-type"), Some("application/gzip"));
        let mut unpacked = Vec::new();
        GzDecoder::new(&*packed.body)
            .read_to_end(&mut unpacked)
            .unwrap();
        assert!(unpacked == *json, "{name}");
        let plain = client.ask("GET", &format!("/vulndb/{name}.json"), &go);
        assert_eq!(plain.header("content-type"), Some("application/json"));
        assert!(plain.body == *json, "{name}");
        for answer in [packed, plain] {
            assert_eq!(
                answer.header("cache-control"),
                Some("public, max-age=60"),
                "the next import may bring another one"
            );
            let tag = format!("If-None-Match: {}", answer.header("etag").unwrap());
            let target = format!("/vulndb/{name}.json.gz");
            let again = client.ask("GET", &target, &[&tag]);
            let same = answer.header("content-type") == Some("application/gzip");
            assert_eq!(again.status, if same { 304 } else { 200 });
        }
    }
}

#[test]
fn a_database_is_carried_and_served_document_by_document() {
    let (mut site, config) = site();
    let module = "example.com/hello@v1.0.0";
    site.carry(&[module]);
    let mut server = site.serve();
    let absent = |server: &Server, name: &str| {
        let mut client = Client::connect(server.address());
        let answer = client.ask("GET", &format!("/vulndb/{name}.json.gz"), &[]);
        assert_eq!(answer.status, 404, "{name}");
        answer.text().to_owned()
    };
    let text = absent(&server, "index/modules");
    assert!(
        text.contains("no bundle has brought a vulnerability database"),
        "{text}"
    );
    assert!(text.contains("vulndb: in modferry.yaml"), "{text}");

    let first = put(&site, FIRST, &[A, B]);
    let (exported, out) = site.export(&[module, "--config", &config]);
    exported.ok();
    site.bundler(&["inspect", &out])
        .ok()
        .says("pieces of a vulnerability database")
        .says("carries the vulnerability database of 2026-11-19T12:00:00Z: 5 documents");
    let (key, before) = (site.path("keys/site.pub"), site.path("bundle-1"));
    site.bundler(&["verify", "--pub", &key, &before, &out])
        .ok()
        .says("5  documents of a vulnerability database");
    site.appliance(&["verify", &out]).ok();
    site.appliance(&["import", &out])
        .ok()
        .says("vulnerability database of 2026-11-19T12:00:00Z (5 documents): served from now on");
    site.appliance(&["fsck"]).ok();
    site.appliance(&["status"]).ok().says(
        "vulnerability database of 2026-11-19T12:00:00Z: 5 documents (stream default, bundle 2)",
    );
    site.appliance(&["list"])
        .ok()
        .says("vulnerability database of 2026-11-19T12:00:00Z (5 documents, SHA-256 ");
    server = site.serve();
    served(&server, &first);
    let text = absent(&server, "ID/GO-2026-0003");
    assert!(
        text.contains("the vulnerability database of 2026-11-19T12:00:00Z has no such document"),
        "{text}"
    );

    // Nothing has changed: nothing is carried.
    let (again, _) = site.export(&[module, "--config", &config]);
    again.ok().says("nothing new");
    // A report fewer: the new one takes the old one's place wholly.
    let second = put(&site, SECOND, &[B]);
    site.carry(&[module, "--config", &config]);
    server = site.serve();
    served(&server, &second);
    absent(&server, "ID/GO-2026-0001");
    site.appliance(&["fsck"]).ok();
    site.appliance(&["gc", "--yes"]).ok();
    served(&server, &second);

    // What a mirror that lags behind has is not carried, and that is told.
    put(&site, FIRST, &[A, B]);
    let (older, _) = site.export(&[module, "--config", &config]);
    older.ok().says(
        "older than the one that was carried before, of 2026-11-20T12:00:00Z: that one stays",
    );
}

#[test]
fn a_lost_bundle_with_a_database_is_missed() {
    let (mut site, config) = site();
    put(&site, FIRST, &[A]);
    let module = "example.com/hello@v1.0.0";
    site.carry(&[module]);
    let (lost, _) = site.export(&[module, "--config", &config]);
    lost.ok();
    site.upstream.add(
        "example.com/other@v1.0.0",
        "-- go.mod --\nmodule example.com/other\n",
    );
    let words = [module, "example.com/other@v1.0.0", "--config", &config];
    let (exported, out) = site.export(&words);
    exported.ok();
    site.appliance(&["import", &out])
        .expect(5)
        .says("the vulnerability database of 2026-11-19T12:00:00Z")
        .says("modferry-bundler export --stream default --cumulative-from 2");
    // The cure.
    let (cured, out) = site.export(&[&words[..], &["--cumulative-from", "2"]].concat());
    cured.ok();
    site.appliance(&["import", &out])
        .ok()
        .says("served from now on");
    site.appliance(&["fsck"]).ok();
}
