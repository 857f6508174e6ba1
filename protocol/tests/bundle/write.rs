//! A writer refuses to write what no reader takes.

#![allow(clippy::unwrap_used)]

use modferry_protocol::bundle::{
    BundleWriter, IndexError, IndexWriter, Item, PackBuilder, PackError,
};
use modferry_protocol::note;

use super::common::*;

/// The error of writing a volume whose parts were changed, its manifest signed again.
fn refused(change: impl FnOnce(&mut Parts)) -> String {
    let mut parts = parts(&items());
    change(&mut parts);
    parts.note = note::sign(&parts.manifest.encode(), &[&key()]).unwrap();
    chain(&write(&parts, None).unwrap_err())
}

#[test]
fn what_is_given_must_fit_together() {
    let fit = "the index does not fit the manifest: ";
    assert_eq!(
        refused(|p| p.manifest.index.size += 1),
        "the manifest names another index than the one given"
    );
    assert_eq!(
        refused(|p| p.manifest.index.sha256[0] ^= 1),
        "the manifest names another index than the one given"
    );
    assert_eq!(
        refused(|p| p.manifest.totals.zips = 9),
        format!("{fit}it comes to 3 zips, and the manifest says 9")
    );
    assert!(refused(|p| p.manifest.heads.clear()).starts_with(fit));
    assert!(
        refused(|p| p.manifest.created = "yesterday".into()).contains("manifest line 4: created")
    );
    let unsigned = b"modferry bundle v1\n";
    let unsigned = BundleWriter::new(Vec::new(), unsigned, b"", Vec::new()).map(drop);
    assert_eq!(chain(&unsigned.unwrap_err()), "the manifest is not signed");
}

#[test]
fn entries_come_as_the_index_has_them() {
    let changed = |change: fn(&mut Parts)| refused(change);
    assert!(
        changed(|p| p.entries.swap(1, 2))
            .starts_with("entry 000003.zip (zip example.com/a@v1.0.0) given where")
    );
    assert!(changed(|p| drop(p.entries.pop())).ends_with("was not given"));
    assert!(
        changed(|p| p.entries.push(p.entries[3].clone()))
            .ends_with("given after the index's last entry")
    );
    assert!(changed(|p| p.entries[1].0.stored += 1).contains("given where the index has"));
    let other = ": its bytes are not those that the index was made from";
    assert!(changed(|p| p.entries[2].1[0] ^= 1).ends_with(other));
    assert!(changed(|p| p.entries[2].1.push(0)).ends_with(other));
    assert!(changed(|p| p.entries[2].1.truncate(3)).ends_with(other));
}

#[test]
fn an_index_has_rules() {
    let parts = parts(&items());
    let mut writer = IndexWriter::new(Vec::new()).unwrap();
    assert_eq!(writer.next_number(), 1);
    writer.entry(&parts.entries[0].0).unwrap();
    assert_eq!(writer.next_number(), 2);
    let twice = writer.entry(&parts.entries[0].0).unwrap_err();
    assert!(
        matches!(&twice, IndexError::Entry { what, .. } if what == "number 1 follows 1"),
        "{twice}"
    );
    let mut first_again = parts.entries[0].0.clone();
    first_again.number = 2;
    let order = chain(&writer.entry(&first_again).unwrap_err());
    assert!(
        order.contains("head sum.golang.org is out of order: it follows mod example.com/a@v1.1.0"),
        "{order}"
    );
}

#[test]
fn zips_do_not_go_into_packs() {
    let zip = Item::Zip(module("example.com/a@v1.0.0"));
    assert!(matches!(
        PackBuilder::new().push(zip, b"PK"),
        Err(PackError::Zip(_))
    ));
}
