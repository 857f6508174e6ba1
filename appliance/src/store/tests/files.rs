//! Opaque files: who names them, when they go, and how many there are at most.

use super::*;
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::FileName;

fn name(name: &str) -> FileName {
    name.parse().unwrap()
}

fn put_file(draft: &mut Draft<'_>, called: &str, size: usize) -> Result<(), StoreError> {
    let bytes = vec![7; size];
    let sha256 = Sha256::digest(&bytes).into();
    draft.put_file(&name(called), size as u64, &sha256, &mut &*bytes)
}

/// What `gc` would do of files: each that some stream has given up, and whether it goes.
fn given_up(site: &Site) -> Vec<(String, bool)> {
    let store = site.store();
    let found = store.find_gone(|_| Ok(())).unwrap();
    let files = found.files().iter();
    files
        .map(|file| (file.name.to_string(), file.goes))
        .collect()
}

fn gc(site: &Site) -> LedgerEntry {
    let store = site.store();
    let entry = store.find_gone(|_| Ok(())).unwrap().commit().unwrap();
    store.reclaim().unwrap();
    entry
}

#[test]
fn a_file_goes_when_every_stream_that_named_it_has_given_it_up() {
    let site = Site::new();
    site.import_of("p", 1, |draft| {
        put_file(draft, "both", 3 * CHUNK).unwrap();
        put_file(draft, "p-only", CHUNK + 1).unwrap();
        put_file(draft, "stays", 5).unwrap();
    });
    // Another stream names one of them, without carrying it anew.
    site.import_of("q", 1, |draft| draft.needed_file(&name("both")).unwrap());
    site.import_of("p", 2, |draft| {
        draft.gone_file(&name("both")).unwrap();
        draft.gone_file(&name("p-only")).unwrap();
        draft.gone_file(&name("never-seen")).unwrap();
    });
    assert_eq!(site.reader().totals().unwrap().gone_files, 1);
    assert_eq!(
        given_up(&site),
        [("both".into(), false), ("p-only".into(), true)]
    );
    let entry = gc(&site);
    let Event::Gc(removed) = entry.event else {
        panic!()
    };
    assert_eq!(removed.names, ["file p-only"]);
    assert_eq!(
        (removed.removed.files, removed.removed.file_bytes),
        (1, CHUNK as u64 + 1)
    );
    let reader = site.reader();
    assert!(reader.file(&name("p-only")).unwrap().is_none());
    let totals = reader.totals().unwrap();
    assert_eq!((totals.counts.files, totals.gone_files), (2, 0));
    let both = reader.file(&name("both")).unwrap().unwrap();
    assert_eq!(reader.chunk(&both, 2).unwrap().unwrap().len(), CHUNK);
    // What is left are the chunks of the two that stay.
    let chunks =
        (reader.everything().into_iter()).filter(|(key, _)| key.starts_with(&keys::all_chunks()));
    assert_eq!(chunks.count(), 4);
    drop(reader);

    site.import_of("q", 2, |draft| draft.gone_file(&name("both")).unwrap());
    assert_eq!(given_up(&site), [("both".into(), true)]);
    // Named once more before anybody has removed it.
    site.import_of("q", 3, |draft| put_file(draft, "both", 3 * CHUNK).unwrap());
    assert_eq!(given_up(&site), [("both".into(), false)]);
    assert_eq!(site.reader().totals().unwrap().gone_files, 0);
}

#[test]
fn a_late_bundle_claims_nothing_that_was_given_up_since() {
    let site = Site::new();
    site.import_of("p", 1, |draft| put_file(draft, "a", 5).unwrap());
    site.import_of("p", 3, |draft| draft.gone_file(&name("a")).unwrap());
    site.import_of("p", 2, |draft| draft.needed_file(&name("a")).unwrap());
    assert_eq!(given_up(&site), [("a".into(), true)]);
}

#[test]
fn a_store_holds_so_many_files_and_no_more() {
    let site = Site::new();
    site.import_of("p", 1, |draft| {
        for n in 0..MAX_HELD_FILES - 1 {
            put_file(draft, &format!("f{n}"), 5).unwrap();
        }
    });
    let has_place_for = |names: &[&str]| {
        let names: Vec<FileName> = names.iter().map(|called| name(called)).collect();
        site.reader().has_place_for(&names)
    };
    // Held already: not one more.
    has_place_for(&["f0", "f1", "last"]).unwrap();
    let error = has_place_for(&["f0", "last", "one-more"]).unwrap_err();
    assert_eq!(error.exit(), Exit::NoRoom);
    assert!(
        error.to_string().contains("one-more is one more"),
        "{error}"
    );
    assert!(error.advice().unwrap().contains("modferry-appliance gc"));
    site.import_of("p", 2, |draft| put_file(draft, "last", 5).unwrap());
    assert_eq!(site.reader().totals().unwrap().counts.files, MAX_HELD_FILES);
    has_place_for(&["f0", "last"]).unwrap();
    has_place_for(&["one-more"]).unwrap_err();
    // Room is made by what goes.
    site.import_of("p", 3, |draft| draft.gone_file(&name("f0")).unwrap());
    gc(&site);
    has_place_for(&["one-more"]).unwrap();
}

#[test]
fn files_of_a_store_that_knew_no_claims_are_claimed_by_who_brought_them() {
    let site = Site::new();
    site.import_of("p", 7, |draft| put_file(draft, "old", 5).unwrap());
    let store = site.store();
    let db = store.database();
    db.put(keys::SCHEMA_KEY, b"modferry store 3").unwrap();
    db.delete(keys::file_claim(&name("old"), "p")).unwrap();
    drop(store);
    site.import_of("q", 1, |draft| put_file(draft, "new", 5).unwrap());
    let claims = site.reader().file_claims(&name("old")).unwrap();
    assert_eq!(claims.len(), 1);
    assert_eq!(
        (
            claims[0].0.as_str(),
            claims[0].1.sequence,
            claims[0].1.extent
        ),
        ("p", 7, Extent::Zip)
    );
    // The import that upgrades may itself give it up.
    let store = site.store();
    let db = store.database();
    db.put(keys::SCHEMA_KEY, b"modferry store 3").unwrap();
    db.delete(keys::file_claim(&name("old"), "p")).unwrap();
    drop(store);
    site.import_of("p", 8, |draft| draft.gone_file(&name("old")).unwrap());
    assert_eq!(given_up(&site), [("old".into(), true)]);
    assert_eq!(site.reader().totals().unwrap().gone_files, 1);
}

/// Makes it a store of that schema, without these claims.
fn as_before(site: &Site, schema: &str, unclaimed: &[(&str, &str)]) {
    let store = site.store();
    let db = store.database();
    db.put(keys::SCHEMA_KEY, schema).unwrap();
    for (called, stream) in unclaimed {
        db.delete(keys::file_claim(&name(called), stream)).unwrap();
    }
}

#[test]
fn claims_that_a_store_of_the_schema_before_has_stay_as_they_are() {
    let site = Site::new();
    site.import_of("p", 1, |draft| {
        put_file(draft, "given-up", 5).unwrap();
        put_file(draft, "named", 5).unwrap();
        put_file(draft, "unclaimed", 5).unwrap();
    });
    site.import_of("p", 2, |draft| draft.gone_file(&name("given-up")).unwrap());
    as_before(&site, "modferry store 4", &[("unclaimed", "p")]);
    site.import_of("q", 1, |draft| {
        draft.needed_file(&name("unclaimed")).unwrap()
    });
    assert_eq!(given_up(&site), [("given-up".into(), true)]);
    assert_eq!(site.reader().totals().unwrap().gone_files, 1);
    let claims = site.reader().file_claims(&name("unclaimed")).unwrap();
    let streams: Vec<&str> = claims.iter().map(|(stream, _)| stream.as_str()).collect();
    assert_eq!(streams, ["p", "q"]);
}
