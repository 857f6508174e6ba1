//! Older bundles that come late: what only adds is taken, what takes back is not.

use super::*;
use modferry_protocol::bundle::{Basis, Sequence};

/// Two bundles that only add, and one with a tombstone between them.
fn stream(sumdb: &TestSumdb, modules: &[TestModule]) -> [TestBundle; 3] {
    let first = TestBundle::of(sumdb, &[&modules[0], &modules[1]], &[]);
    let at = |number: u64, module: &TestModule| {
        let mut bundle = TestBundle::of(sumdb, &[module], &[]);
        bundle.sequence = Sequence::new(number).unwrap();
        bundle
    };
    let mut second = at(2, &modules[2]);
    let text = format!(
        "modferry tombstones v1\nall {} {}\n",
        modules[0].module.path(),
        modules[0].module.version()
    );
    second.items.insert(Item::Tombstones(1), text.into());
    second.basis = Basis::Bundle {
        sequence: Sequence::FIRST,
        manifest_sha256: [7; 32],
    };
    [first, second, at(3, &modules[3])]
}

#[test]
fn an_older_bundle_with_tombstones_is_refused() {
    let (sumdb, modules) = world(5);
    let site = Site::new(&sumdb);
    let [first, second, third] = stream(&sumdb, &modules);
    site.import_one(&first).unwrap();
    site.import_one(&third).unwrap();
    let before = site.totals();
    let refused = site.import_one(&second).unwrap_err();
    assert!(
        matches!(
            refused,
            ImportError::Rollback {
                sequence: 2,
                newest: 3,
                tombstones: 1,
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(refused.exit(), Exit::Other);
    assert!(refused.advice().unwrap().contains("--cumulative-from 2"));
    assert!(matches!(
        site.verify().unwrap_err(),
        ImportError::Rollback { .. }
    ));
    assert_eq!(site.totals(), before);
}

#[test]
fn a_second_bundle_of_the_newest_number_takes_nothing_back_either() {
    let (sumdb, modules) = world(5);
    let site = Site::new(&sumdb);
    let [first, second, _] = stream(&sumdb, &modules);
    site.import_one(&first).unwrap();
    let mut other = TestBundle::of(&sumdb, &[&modules[4]], &[]);
    other.sequence = second.sequence;
    site.import_one(&other).unwrap();
    assert!(matches!(
        site.import_one(&second),
        Err(ImportError::Rollback {
            sequence: 2,
            newest: 2,
            ..
        })
    ));
}
#[test]
fn in_order_it_is_taken_and_once_in_it_stays_no_work() {
    let (sumdb, modules) = world(5);
    let site = Site::new(&sumdb);
    let [first, second, third] = stream(&sumdb, &modules);
    for bundle in [&first, &second, &third] {
        assert_eq!(site.import_one(bundle).unwrap().outcome, Outcome::Imported);
    }
    let done = site.import_one(&second).unwrap();
    assert_eq!(done.outcome, Outcome::AlreadyImported);
    site.verify().unwrap();
}
