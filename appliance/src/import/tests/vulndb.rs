//! Vulnerability databases: wholly the newest one, whatever comes when.

use super::*;
use crate::store::VulndbTaken;
use flate2::read::GzDecoder;
use modferry_protocol::bundle::StreamName;
use std::io::Read;

/// The documents of a database that was changed last in that second, with these reports.
fn documents(second: u8, reports: &[u8]) -> Vec<(String, String)> {
    let id = |n: &u8| format!("GO-2026-{n:04}");
    let vulns: Vec<String> = reports
        .iter()
        .map(|n| format!(r#"{{"id":"{}"}}"#, id(n)))
        .collect();
    let mut documents: Vec<(String, String)> = (reports.iter())
        .map(|n| {
            (
                format!("ID/{}", id(n)),
                format!(r#"{{"id":"{}","second":{second}}}"#, id(n)),
            )
        })
        .collect();
    documents.push((
        "index/db".into(),
        format!(r#"{{"modified":"{}"}}"#, time(second)),
    ));
    documents.push((
        "index/modules".into(),
        format!(
            r#"[{{"path":"example.com/m0","vulns":[{}]}}]"#,
            vulns.join(",")
        ),
    ));
    documents.push(("index/vulns".into(), format!("[{}]", vulns.join(","))));
    documents
}

fn time(second: u8) -> String {
    format!("2026-11-20T12:00:{second:02}Z")
}

/// Bundles of two streams, of one module and a database each.
struct Streams {
    site: Site,
    sumdb: TestSumdb,
    modules: Vec<TestModule>,
}

impl Streams {
    fn new() -> Self {
        let (sumdb, modules) = world(1);
        let site = Site::new(&sumdb);
        Self {
            site,
            sumdb,
            modules,
        }
    }

    fn bundle(
        &self,
        stream: &str,
        sequence: u64,
        documents: &[(String, String)],
        second: u8,
    ) -> TestBundle {
        let documents: Vec<(&str, &str)> = documents.iter().map(|(n, d)| (&**n, &**d)).collect();
        let modules: Vec<&TestModule> = self.modules.iter().collect();
        let mut bundle = TestBundle::of(&self.sumdb, &modules, &[]);
        bundle.stream = StreamName::new(stream).unwrap();
        bundle.sequence = modferry_protocol::bundle::Sequence::new(sequence).unwrap();
        bundle.with_vulndb(&time(second), &documents)
    }

    fn import(&self, stream: &str, sequence: u64, second: u8, reports: &[u8]) -> VulndbTaken {
        let bundle = self.bundle(stream, sequence, &documents(second, reports), second);
        let done = self.site.import_one(&bundle).unwrap();
        assert!(
            done.to_string()
                .contains(&format!("vulnerability database of {}", time(second)))
        );
        done.vulndb.unwrap()
    }

    /// What is served is all of this, in both forms, and nothing else.
    #[track_caller]
    fn serves(&self, second: u8, reports: &[u8]) {
        let reader = self.site.reader();
        let expected = documents(second, reports);
        for (name, json) in &expected {
            let name = name.parse().unwrap();
            let plain = reader.document(&name, false).unwrap().unwrap();
            assert_eq!(plain.as_ref(), json.as_bytes(), "{name}");
            let packed = reader.document(&name, true).unwrap().unwrap();
            let mut unpacked = String::new();
            GzDecoder::new(packed.as_ref())
                .read_to_string(&mut unpacked)
                .unwrap();
            assert_eq!(unpacked, *json, "{name}");
        }
        let held = reader.vulndb().unwrap().unwrap();
        assert_eq!(held.snapshot.modified, time(second));
        assert_eq!(held.snapshot.documents, expected.len() as u64);
        let documents = (reader.everything().into_iter())
            .filter(|(key, _)| key.starts_with(&crate::store::keys::all_documents()));
        assert_eq!(documents.count(), 2 * expected.len());
    }
}

#[test]
fn a_newer_one_takes_the_place_of_the_old_one_wholly() {
    let streams = Streams::new();
    let first = streams.import("p", 1, 1, &[1, 2, 3]);
    assert!(first.served && first.before.is_none() && first.documents == 6);
    streams.serves(1, &[1, 2, 3]);
    let second = streams.import("p", 2, 2, &[2, 4]);
    assert!(second.served && second.before == Some(time(1)));
    // What is in it no more is gone, in both forms.
    streams.serves(2, &[2, 4]);
    let reader = streams.site.reader();
    let gone = "ID/GO-2026-0001".parse().unwrap();
    for gzip in [false, true] {
        assert!(reader.document(&gone, gzip).unwrap().is_none());
    }
}

#[test]
fn an_older_one_is_told_and_changes_nothing() {
    let streams = Streams::new();
    streams.import("p", 1, 5, &[1, 2]);
    for (stream, sequence) in [("p", 2), ("q", 1)] {
        let older = streams.import(stream, sequence, 4, &[1, 3]);
        assert!(!older.served);
        streams.serves(5, &[1, 2]);
    }
    let same = streams.import("q", 2, 5, &[1, 2]);
    assert!(!same.served);
    streams.serves(5, &[1, 2]);
    let held = streams.site.reader().vulndb().unwrap().unwrap();
    assert_eq!(
        (held.stream.as_str(), held.sequence, held.entry),
        ("p", 1, 1)
    );
}

#[test]
fn of_one_time_the_later_bundle_counts() {
    let streams = Streams::new();
    streams.import("p", 2, 5, &[1, 2]);
    // Withdrawn altogether: its time went with it.
    assert!(streams.import("p", 3, 5, &[1]).served);
    streams.serves(5, &[1]);
    let late = streams.import("p", 1, 5, &[1, 2, 3]);
    assert!(!late.served, "bundle 1 came late");
    streams.serves(5, &[1]);
    // Another stream has no such number.
    assert!(streams.import("q", 1, 5, &[3]).served);
    streams.serves(5, &[3]);
}

#[test]
fn what_is_told_says_which_of_the_three_it_is() {
    let streams = Streams::new();
    let told = |stream: &str, second: u8| {
        let bundle = streams.bundle(stream, 1, &documents(second, &[1]), second);
        streams.site.import_one(&bundle).unwrap().to_string()
    };
    assert!(told("p", 5).contains("(4 documents): served from now on"));
    assert!(told("q", 5).contains("(4 documents): held already"));
    let older = told("r", 4);
    assert!(
        older.contains("not taken, since the one that is served is newer, of 2026-11-20T12:00:05Z"),
        "{older}"
    );
}

#[test]
fn one_that_is_refused_leaves_the_old_one() {
    let streams = Streams::new();
    streams.import("p", 1, 1, &[1, 2]);
    let mut wrong = documents(2, &[1, 3]);
    wrong[0].1 = r#"{"id":"GO-2026-0009"}"#.into();
    let error = streams
        .site
        .import_one(&streams.bundle("p", 2, &wrong, 2))
        .unwrap_err();
    assert_eq!(error.exit(), Exit::Damaged);
    streams.serves(1, &[1, 2]);
    assert!(streams.import("p", 3, 2, &[1, 3]).served);
    streams.serves(2, &[1, 3]);
}

#[test]
fn an_import_foresees_the_room_for_it() {
    let streams = Streams::new();
    let with = streams.bundle("p", 1, &documents(1, &[1]), 1);
    let mut manifest =
        Manifest::parse(&String::from_utf8(text_of(&streams.site, &with)).unwrap()).unwrap();
    let needed = super::super::room::needed(&manifest);
    let vulndb = manifest.vulndb.as_mut().unwrap();
    vulndb.snapshot.bytes += 1000;
    assert_eq!(super::super::room::needed(&manifest), needed + 3000);
}

/// The text of the bundle's manifest.
fn text_of(site: &Site, bundle: &TestBundle) -> Vec<u8> {
    let note = site.drop_in(bundle).manifest;
    modferry_checker::split_note(&note).unwrap().0.to_vec()
}
