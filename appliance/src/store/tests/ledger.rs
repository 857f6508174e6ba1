//! The ledger as a log that is only ever added to.

use super::*;
use modferry_protocol::sumdb::{MemoryLog, tlog};

/// The bytes of an entry, as they are stored.
fn entry(view: &View, number: u64) -> Vec<u8> {
    view.pinned(&keys::ledger(number))
        .unwrap()
        .unwrap()
        .to_vec()
}

fn acknowledgement(n: u64) -> Event {
    Event::Acknowledge(Acknowledgement {
        evidence: format!("sum.example.com-{n}"),
        reason: n.is_multiple_of(2).then(|| "told its operator".into()),
    })
}

#[test]
fn every_head_is_the_root_of_the_entries_so_far() {
    let site = Site::new();
    let store = site.store();
    assert_eq!(
        store.ledger_head().unwrap(),
        TreeHead {
            size: 0,
            hash: Hash::EMPTY_TREE
        }
    );
    drop(store);
    let mut log = MemoryLog::new();
    let mut heads = Vec::new();
    for n in 1..=20 {
        if n % 3 == 0 {
            let entry = site.store().record(acknowledgement(n)).unwrap();
            assert_eq!((entry.number, entry.event), (n, acknowledgement(n)));
        } else {
            let a = module(&format!("example.com/a@v1.{n}.0"));
            let committed = site.import(n as u8, |draft| put_small(draft, &a));
            assert_eq!(committed.number, n);
        }
        let reader = site.reader();
        log.push(&entry(&reader, n));
        let head = reader.ledger_head().unwrap();
        assert_eq!(head, log.head(n).unwrap());
        assert_eq!(reader.generation(), n);
        heads.push(head);
        let mut nodes = 0;
        reader
            .scan(&keys::ledger_hash(0)[..1], |_, _| {
                nodes += 1;
                Ok(())
            })
            .unwrap();
        assert_eq!(Some(nodes), tlog::stored_hash_count(n));
    }
    // What was written down at any time is still the beginning of it.
    let reader = site.reader();
    for head in heads {
        assert_eq!(reader.ledger_root(head.size).unwrap(), head.hash);
    }
    assert!(reader.ledger_root(21).is_err());
    let totals = reader.totals().unwrap();
    assert_eq!(totals.imports, 14);
    let stream = &totals.streams["platform"];
    assert_eq!(
        stream.imported.to_string(),
        "1-2,4-5,7-8,10-11,13-14,16-17,19-20"
    );
    assert_eq!((stream.sequence, stream.bundles), (20, 14));
}

#[test]
fn each_kind_of_event_comes_back_as_it_went_in() {
    let site = Site::new();
    let events = [
        acknowledgement(1),
        acknowledgement(2),
        Event::Gc(Removed {
            removed: Counts {
                zips: 3,
                zip_bytes: u64::MAX,
                ..Counts::default()
            },
            names: vec!["zip example.com/a v1.0.0".into()],
        }),
        Event::Trust(TrustChange {
            number: 7,
            sha256: "00".into(),
            note: "modferry trust v1\n".into(),
        }),
        Event::DropVulndb(VulndbDropped {
            modified: "9999-01-01T00:00:00Z".into(),
            documents: 5,
            sha256: "00".into(),
            stream: "platform".into(),
            sequence: 3,
        }),
    ];
    for (n, event) in (1..).zip(&events) {
        assert_eq!(site.store().record(event.clone()).unwrap().number, n);
    }
    let reader = site.reader();
    for (n, event) in (1..).zip(&events) {
        let entry = reader.ledger(n).unwrap().unwrap();
        assert_eq!((entry.number, &entry.event), (n, event));
        assert!(entry.import().is_none());
    }
    assert!(reader.ledger(6).unwrap().is_none());
    assert_eq!(reader.totals().unwrap(), Totals::default());
}

#[test]
fn an_older_bundle_that_comes_late_does_not_become_the_streams_newest() {
    let site = Site::new();
    for n in [2, 5, 3] {
        site.import(n, |draft| {
            put_small(draft, &module(&format!("example.com/a@v1.{n}.0")))
        });
    }
    let totals = site.reader().totals().unwrap();
    let stream = &totals.streams["platform"];
    assert_eq!(
        (stream.sequence, stream.imported.to_string()),
        (5, "2-3,5".into())
    );
    assert_eq!(stream.manifest_sha256, hex(&manifest(5)));
}
