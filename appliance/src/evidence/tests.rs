#![allow(clippy::unwrap_used)]

use super::*;
use modferry_checker::Side;
use modferry_checker::testing::TestSumdb;

/// A store that holds a tree of 10 records, and the fork of 20 that it met.
fn forked() -> (tempfile::TempDir, Store, CheckError) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_or_create(folder.path(), "test", false).unwrap();
    let side = |size: u64, seed: &str| {
        let mut sumdb = TestSumdb::new("sum.example.com");
        sumdb.pad(size, seed);
        let head = sumdb.head_at(size);
        let note = sumdb.signed(&head);
        Box::new(Side { head, note })
    };
    let fork = CheckError::Fork {
        db: "sum.example.com/path".parse().unwrap(),
        held: side(10, "one"),
        offered: side(20, "another"),
    };
    (folder, store, fork)
}

#[test]
fn a_fork_is_told_until_it_is_acknowledged() {
    let (folder, store, fork) = forked();
    assert_eq!(list(folder.path()).unwrap(), []);
    assert_eq!(unacknowledged(folder.path()).unwrap(), 0);
    let kept = keep(folder.path(), &fork).unwrap().unwrap();
    let all = list(folder.path()).unwrap();
    assert_eq!(all.len(), 1);
    let name = &all[0].name;
    assert_eq!(kept, folder.path().join("evidence").join(name));
    assert!(name.starts_with("sum.example.com!path-10-20-"), "{name}");
    assert_eq!((all[0].held, all[0].offered), (Some(10), Some(20)));
    assert_eq!(all[0].acknowledged, None);
    assert_eq!(unacknowledged(folder.path()).unwrap(), 1);

    let seen = acknowledge(&store, name, "a test's own database").unwrap();
    assert_eq!(list(folder.path()).unwrap().pop().as_ref(), Some(&seen));
    assert_eq!(unacknowledged(folder.path()).unwrap(), 0);
    let entry = store.ledger(seen.acknowledged.as_ref().unwrap().ledger);
    let event = Event::Acknowledge(Acknowledgement {
        evidence: name.clone(),
        reason: Some("a test's own database".into()),
    });
    assert_eq!(entry.unwrap().unwrap().event, event);
    // What was said first stays, and the same fork once more is the one that was acknowledged.
    keep(folder.path(), &fork).unwrap().unwrap();
    assert_eq!(acknowledge(&store, name, "otherwise").unwrap(), seen);
    assert_eq!(store.ledger_size().unwrap(), 1);
    assert_eq!(seen.acknowledged.unwrap().reason, "a test's own database");
}

#[test]
fn evidence_that_is_not_whole_is_told_as_such() {
    let (folder, _store, fork) = forked();
    let kept = keep(folder.path(), &fork).unwrap().unwrap();
    fs::remove_file(kept.join("offered.note")).unwrap();
    fs::write(kept.join("held.note"), "go.sum").unwrap();
    let all = list(folder.path()).unwrap();
    assert_eq!((all[0].held, all[0].offered), (None, None));
    fs::write(kept.join(ACKNOWLEDGED), "yes").unwrap();
    let error = list(folder.path()).unwrap_err();
    assert!(
        matches!(error, EvidenceError::Acknowledged { .. }),
        "{error}"
    );
}

#[test]
fn only_what_is_there_is_acknowledged_and_in_one_line() {
    let (folder, store, fork) = forked();
    keep(folder.path(), &fork).unwrap().unwrap();
    for name in ["", "..", "../evidence", "other"] {
        let error = acknowledge(&store, name, "").unwrap_err();
        assert_eq!(error.exit(), Exit::Usage, "{name}");
        assert!(error.advice().unwrap().contains("evidence list"));
    }
    let name = list(folder.path()).unwrap().remove(0).name;
    for reason in ["two\nlines", "\u{1b}[2J", &"x".repeat(MAX_REASON + 1)] {
        let error = acknowledge(&store, &name, reason).unwrap_err();
        assert!(matches!(error, EvidenceError::Reason), "{error}");
    }
    assert_eq!(unacknowledged(folder.path()).unwrap(), 1);
    acknowledge(&store, &name, &"x".repeat(MAX_REASON)).unwrap();
}
