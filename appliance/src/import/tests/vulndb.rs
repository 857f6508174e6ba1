//! Vulnerability databases: wholly the newest one, whatever comes when.

use super::*;
use crate::store::{Event, LedgerEntry, Store, VulndbTaken};
use flate2::read::GzDecoder;
use modferry_checker::testing::{TestVulndb, vulnerability};
use modferry_protocol::bundle::StreamName;
use std::io::Read;

/// The documents of a database that was changed last in that second, with these reports.
fn documents(second: u8, reports: &[u8]) -> Vec<(String, String)> {
    let reports: Vec<_> = (reports.iter())
        .map(|n| {
            let id = format!("GO-2026-{n:04}");
            let mut report = vulnerability(&id, "example.com/m0", &[["0", ""]]);
            report["modified"] = time(second).into();
            report
        })
        .collect();
    let texts = TestVulndb::new(&reports);
    let texts = texts.texts().into_iter();
    texts
        .map(|(name, json)| (name.into(), json.into()))
        .collect()
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

    fn dropped(&self) -> Option<LedgerEntry> {
        let store = Store::open(&self.site.store(), "test", false).unwrap();
        store.drop_vulndb().unwrap()
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
    // Another one of the same time, from an earlier bundle of the stream.
    streams.import("s", 3, 6, &[1]);
    let bundle = streams.bundle("s", 2, &documents(6, &[1, 2]), 6);
    let late = streams.site.import_one(&bundle).unwrap().to_string();
    let want = "(5 documents): not taken, since a later bundle of this stream has brought another one of the same time";
    assert!(late.contains(want), "{late}");
    let older = told("r", 4);
    assert!(
        older.contains(
            "not taken, since the one that is served is newer, of 2026-11-20T12:00:06Z (where"
        ),
        "{older}"
    );
}

#[test]
fn where_one_was_dropped_any_other_one_comes_in() {
    let streams = Streams::new();
    streams.import("p", 1, 9, &[1, 2]);
    assert!(!streams.import("q", 1, 4, &[3]).served);
    let before = streams.site.reader().vulndb().unwrap().unwrap();
    let entry = streams.dropped().unwrap();
    let Event::DropVulndb(dropped) = &entry.event else {
        panic!("{entry:?}");
    };
    assert_eq!(dropped.modified, time(9));
    assert_eq!(dropped.sha256, crate::store::hex(&before.snapshot.sha256));
    assert_eq!((dropped.stream.as_str(), dropped.sequence), ("p", 1));
    let reader = streams.site.reader();
    assert_eq!(reader.ledger(entry.number).unwrap().unwrap(), entry);
    assert!(reader.vulndb().unwrap().is_none());
    let documents = crate::store::keys::all_documents();
    let left = (reader.everything().into_iter()).filter(|(key, _)| key.starts_with(&documents));
    assert_eq!(left.count(), 0);
    assert!(streams.dropped().is_none());
    let older = streams.import("q", 2, 4, &[3]);
    assert!(older.served && older.before.is_none());
    streams.serves(4, &[3]);
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
    assert_eq!(super::super::room::needed(&manifest), needed + 4000);
}

/// The text of the bundle's manifest.
fn text_of(site: &Site, bundle: &TestBundle) -> Vec<u8> {
    let note = site.drop_in(bundle).manifest;
    modferry_checker::split_note(&note).unwrap().0.to_vec()
}
