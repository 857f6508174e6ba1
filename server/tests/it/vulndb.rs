//! The vulnerability database: each document in both forms, and another one after the next import.

use crate::common::*;
use flate2::read::GzDecoder;
use modferry_protocol::bundle::Snapshot;
use std::io::Read;

/// Imports a database with that report and one index, as bundle number `number`.
fn import(fixture: &Fixture, number: u8, report: &str) {
    fixture.import(number, |draft| {
        for (name, json) in documents(report) {
            draft.document(&name.parse().unwrap(), &json).unwrap();
        }
        let snapshot = Snapshot {
            modified: format!("2026-11-{number:02}T12:00:00Z"),
            documents: 2,
            bytes: 100,
            sha256: [number; 32],
        };
        draft.vulndb(&snapshot).unwrap();
    });
}

fn documents(report: &str) -> [(String, Vec<u8>); 2] {
    [
        (
            format!("ID/{report}"),
            format!("{{\"id\":\"{report}\"}}\n").into(),
        ),
        (
            "index/modules".into(),
            format!("[\"{report}\"]").repeat(1000).into(),
        ),
    ]
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut json = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut json).unwrap();
    json
}

#[test]
fn each_document_is_served_as_it_is_and_compressed() {
    let fixture = Fixture::filled();
    import(&fixture, 20, "GO-2026-0001");
    let server = Process::start(&fixture.store(), &[]);
    // As Go's client asks, which inflates by itself what it is told is encoded.
    let headers = ["Accept-Encoding: gzip"];
    let mut client = server.connect();
    for (name, json) in documents("GO-2026-0001") {
        let plain = client.ask("GET", &format!("/vulndb/{name}.json"), &headers);
        assert_eq!(plain.header("content-type"), Some("application/json"));
        assert!(plain.body == json, "{name}");
        let target = format!("/vulndb/{name}.json.gz");
        let packed = client.ask("GET", &target, &headers);
        assert_eq!(packed.status, 200);
        assert_eq!(packed.header("content-type"), Some("application/gzip"));
        assert_eq!(packed.header("content-encoding"), None);
        assert_eq!(packed.header("cache-control"), Some("public, max-age=60"));
        assert!(unpacked(&packed.body) == json, "{name}");
        let head = client.ask("HEAD", &target, &headers);
        assert_eq!(head.lasting_headers(), packed.lasting_headers());
        let tag = format!("If-None-Match: {}", packed.header("etag").unwrap());
        assert_eq!(client.ask("GET", &target, &[&tag]).status, 304);
    }
}

#[test]
fn the_next_import_brings_the_next_one_wholly() {
    let fixture = Fixture::filled();
    let server = Process::start(&fixture.store(), &[]);
    let mut client = server.connect();
    let mut ask = |target: &str| client.ask("GET", target, &[]);
    let first = ask("/vulndb/index/modules.json.gz");
    assert_eq!(first.status, 404);
    let text = "not carried: no bundle has brought a vulnerability database; whoever exports one names it (vulndb: in modferry.yaml)";
    assert!(first.text().starts_with(text), "{}", first.text());
    for (number, report, gone) in [
        (20, "GO-2026-0001", None),
        (21, "GO-2026-0002", Some("GO-2026-0001")),
    ] {
        import(&fixture, number, report);
        eventually("the import to be seen", || {
            ask(&format!("/vulndb/ID/{report}.json")).status == 200
        });
        let index = ask("/vulndb/index/modules.json");
        assert!(index.body == documents(report)[1].1, "{report}");
        if let Some(gone) = gone {
            let answer = ask(&format!("/vulndb/ID/{gone}.json.gz"));
            assert_eq!(answer.status, 404);
            let text = "ID/GO-2026-0001: the vulnerability database of 2026-11-21T12:00:00Z has no such document";
            assert!(answer.text().contains(text), "{}", answer.text());
        }
    }
    for (target, status) in [
        ("/vulndb/index.json", 404),
        ("/vulndb/index/db", 404),
        ("/vulndb/ID/..%2findex%2fdb.json", 400),
    ] {
        assert_eq!(ask(target).status, status, "{target}");
    }
}
