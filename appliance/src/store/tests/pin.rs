//! States that stay readable.

use super::*;
use modferry_protocol::bundle::Gone;
use std::sync::Arc;

#[test]
fn a_pinned_state_stays_as_it_is_and_says_when_files_have_changed() {
    let site = Site::new();
    let [a, b] = [
        module("example.com/a@v1.0.0"),
        module("example.com/b@v1.0.0"),
    ];
    site.import_of("platform", 1, |draft| put_whole(draft, &a, 3 * CHUNK + 5));
    site.import_of("platform", 2, |draft| draft.gone(&a, Gone::All).unwrap());
    let reader = Arc::new(site.reader());
    let first = PinnedState::new(&reader).unwrap();
    assert_eq!(
        (first.generation(), first.is_current(&reader).unwrap()),
        (2, true)
    );
    assert!(first.zip(&b).unwrap().is_none());

    let store = site.store();
    store.find_gone(|_| Ok(())).unwrap().commit().unwrap();
    reader.catch_up().unwrap();
    assert!(!first.is_current(&reader).unwrap());
    let second = PinnedState::new(&reader).unwrap();
    assert_eq!(
        (second.generation(), second.is_current(&reader).unwrap()),
        (3, true)
    );
    // The same state in other files: what waits for the pin is only room on the disk.
    assert_eq!(store.reclaim().unwrap(), 0);
    reader.catch_up().unwrap();
    assert_eq!(reader.generation(), 3);
    assert!(!second.is_current(&reader).unwrap());
    drop(store);
    site.import_of("platform", 3, |draft| put_whole(draft, &b, 9));
    reader.catch_up().unwrap();

    assert!(second.zip(&a).unwrap().is_none() && reader.zip(&a).unwrap().is_none());
    assert!(second.zip(&b).unwrap().is_none() && reader.zip(&b).unwrap().is_some());
    let zip = first.zip(&a).unwrap().unwrap();
    let mut bytes = Vec::new();
    for n in 0..zip.chunks() {
        bytes.extend_from_slice(&first.chunk(&zip, n).unwrap().unwrap());
        assert!(reader.chunk(&zip, n).is_err() && second.chunk(&zip, n).is_err());
    }
    assert!(bytes == zip_bytes(&a, 3 * CHUNK + 5));
    assert_eq!(first.chunk(&zip, zip.chunks()).unwrap(), None);
    // It outlives whoever else had the reader.
    drop((reader, second));
    assert_eq!(first.zip(&a).unwrap(), Some(zip));
}
