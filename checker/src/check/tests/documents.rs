//! Vulnerability databases: taken document by document, and only as the one that the manifest names.

use super::*;
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::Vulndb;

const TIME: &str = "2026-11-20T12:00:00Z";
const DB: &str = r#"{"modified":"2026-11-20T12:00:00Z"}"#;
const MODULES: &str =
    r#"[{"path":"example.com/a","vulns":[{"id":"GO-2024-0001","fixed":"1.1.0"}]}]"#;
const VULNS: &str = r#"[{"id":"GO-2024-0001","modified":"2026-11-20T12:00:00Z"}]"#;
const REPORT: &str = r#"{"schema_version":"1.3.1","id":"GO-2024-0001","affected":[]}"#;

fn good() -> [(&'static str, &'static str); 4] {
    [
        ("ID/GO-2024-0001", REPORT),
        ("index/db", DB),
        ("index/modules", MODULES),
        ("index/vulns", VULNS),
    ]
}

#[test]
fn documents_go_to_the_stage_in_their_order() {
    let world = World::new();
    let bundle = world.bundle().with_vulndb(TIME, &good());
    let mut stage = MemoryStage::new();
    let report = world.check_on(&mut stage, &bundle).unwrap();
    assert_eq!((report.documents, report.zips), (4, 3));
    let (documents, snapshot) = stage.documents();
    let names: Vec<&str> = documents.iter().map(|name| name.as_str()).collect();
    assert_eq!(names, good().map(|(name, _)| name));
    assert_eq!(snapshot, bundle.vulndb.as_ref().map(|db| &db.snapshot));
    assert!(
        report
            .to_string()
            .contains("4  documents of a vulnerability database")
    );
}

#[test]
fn what_is_no_database_is_refused() {
    let world = World::new();
    let with = |at: usize, json: &'static str| {
        let mut documents = good();
        documents[at].1 = json;
        world.bundle().with_vulndb(TIME, &documents)
    };
    for (bundle, what) in [
        (
            with(0, r#"{"id":"GO-2024-0002"}"#),
            "it is the report \"GO-2024-0002\"",
        ),
        (
            with(0, r#"{"id":"GO-2024-0001"} x"#),
            "ID/GO-2024-0001: not as databases have it",
        ),
        (with(0, "{}"), "missing field `id`"),
        (
            with(0, r#"{"id":"GO-2024-0001","id":"GO-2024-0001"}"#),
            "duplicate field",
        ),
        (with(1, r#"{"modified":"yesterday"}"#), "is no time"),
        (
            with(1, r#"{"modified":"2026-11-20T12:00:01Z"}"#),
            "it was changed last at 2026-11-20T12:00:01Z, and the manifest says 2026-11-20T12:00:00Z",
        ),
        (
            with(2, r#"[{"path":"a","vulns":[{"id":"GO-2024-0002"}]}]"#),
            "index/modules: not as databases have it: it names the report \"GO-2024-0002\"",
        ),
        (with(2, "{}"), "an array of objects"),
        (with(2, "[] x"), "trailing characters"),
        (
            with(3, r#"[{"id":"GO-2024-0002"}]"#),
            "it names the report \"GO-2024-0002\"",
        ),
        (
            world.bundle().with_vulndb(TIME, &good()[..2]),
            "it has no index/modules",
        ),
        (
            world.bundle().with_vulndb(TIME, &good()[..1]),
            "it has no index/db",
        ),
    ] {
        let error = world.refused(&bundle);
        assert_eq!(error.exit(), Exit::Damaged);
        let text = told(&error);
        assert!(text.contains(what), "{text}");
    }
    // The index of all vulnerabilities is asked for by nobody here.
    world
        .check(&world.bundle().with_vulndb(TIME, &good()[..3]))
        .unwrap();
}

#[test]
fn it_is_the_one_that_the_manifest_names() {
    let world = World::new();
    type Change = fn(&mut Vulndb);
    let changes: [Change; 3] = [
        |db| db.snapshot.documents += 1,
        |db| db.snapshot.bytes += 1,
        |db| db.snapshot.sha256[0] ^= 1,
    ];
    for change in changes {
        let mut bundle = world.bundle().with_vulndb(TIME, &good());
        change(bundle.vulndb.as_mut().unwrap());
        let text = told(&world.refused(&bundle));
        assert!(
            text.contains("another one than the manifest names"),
            "{text}"
        );
    }
}

#[test]
fn one_that_is_not_carried_is_held_or_a_later_one() {
    let world = World::new();
    let first = world.bundle().with_vulndb(TIME, &good());
    let held = |modified: &str| {
        let mut next = world.bundle().less(&first, 2).on(&first);
        let mut db = first.vulndb.clone().unwrap();
        db.carried = false;
        db.snapshot.modified = modified.into();
        next.vulndb = Some(db);
        next
    };
    let mut stage = MemoryStage::new();
    let report = world.check_on(&mut stage, &first).unwrap();
    stage.commit(report.served);
    for fine in [TIME, "2026-11-20T11:59:59Z"] {
        assert_eq!(
            world.check_on(&mut stage, &held(fine)).unwrap().documents,
            0
        );
    }
    let error = world
        .check_on(&mut stage, &held("2026-11-20T12:00:01Z"))
        .unwrap_err();
    assert_eq!(error.exit(), Exit::Missing);
    let text = told(&error);
    assert!(
        text.contains("the vulnerability database of 2026-11-20T12:00:01Z"),
        "{text}"
    );
}
