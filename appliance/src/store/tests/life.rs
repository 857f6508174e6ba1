//! Making, opening, locking, and what is left behind.

use super::*;

#[test]
fn a_draft_that_is_dropped_leaves_nothing() {
    let site = Site::new();
    let store = site.store();
    let a = module("example.com/a@v1.0.0");
    let mut draft = store.draft(&manifest(1)).unwrap();
    put_whole(&mut draft, &a, CHUNK * 2);
    let staging = staging_folder(store.dir());
    assert!(staging.is_dir());
    drop(draft);
    assert!(!staging.exists());
    assert_eq!(store.info(&a).unwrap(), None);
    assert_eq!(store.ledger_size().unwrap(), 0);
}

#[test]
fn what_a_killed_import_left_is_removed_at_the_next_opening() {
    let site = Site::new();
    let store = site.store();
    let staging = staging_folder(store.dir());
    drop(store);
    std::fs::create_dir_all(staging.join("small")).unwrap();
    std::fs::write(staging.join("zips-000001.sst"), b"half").unwrap();
    let store = site.store();
    assert!(!staging.exists());
    assert_eq!(store.ledger_size().unwrap(), 0);
}

#[test]
fn a_store_of_another_schema_is_refused_with_what_to_do() {
    use modferry_cli::Failure;
    let site = Site::new();
    let store = site.store();
    let dir = store.dir().to_path_buf();
    store
        .database()
        .put(keys::SCHEMA_KEY, b"modferry store 99")
        .unwrap();
    drop(store);
    let refusals = [
        Store::open(&dir, "test", false).err().unwrap(),
        Store::open_or_create(&dir, "test", false).err().unwrap(),
        Reader::open(&dir, &site.dir.path().join("secondary"))
            .err()
            .unwrap(),
    ];
    for refusal in refusals {
        assert!(
            refusal.to_string().contains("\"modferry store 99\""),
            "{refusal}"
        );
        assert!(
            refusal
                .advice()
                .unwrap()
                .contains("modferry-appliance import")
        );
        assert_eq!(refusal.exit(), modferry_cli::Exit::Usage);
    }
}

#[test]
fn a_store_of_a_schema_before_is_read_and_becomes_one_of_this_with_the_next_import() {
    for before in SCHEMAS_BEFORE {
        let site = Site::new();
        let a = module("example.com/a@v1.0.0");
        site.import(1, |draft| put_whole(draft, &a, 10));
        let store = site.store();
        store.database().put(keys::SCHEMA_KEY, before).unwrap();
        drop(store);
        assert!(site.reader().has_info(&a).unwrap());
        let schema = || {
            let store = site.store();
            store.pinned(&keys::SCHEMA_KEY).unwrap().unwrap().to_vec()
        };
        assert_eq!(schema(), before.as_bytes());
        site.import(2, |draft| {
            put_whole(draft, &module("example.com/b@v1.0.0"), 10)
        });
        assert_eq!(schema(), b"modferry store 5");
        assert!(site.reader().has_info(&a).unwrap());
    }
}

#[test]
fn no_store_is_said_and_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let store = dir.path().join("nothing");
    let absent = |error: StoreError| matches!(error, StoreError::Absent { .. });
    assert!(absent(Store::open(&store, "test", false).err().unwrap()));
    assert!(absent(
        Reader::open(&store, &dir.path().join("log")).err().unwrap()
    ));
    assert!(!store.exists());
    std::fs::create_dir_all(store.join("trust")).unwrap();
    let absent = |error: StoreError| matches!(error, StoreError::Empty { .. });
    assert!(absent(Store::open(&store, "test", false).err().unwrap()));
    assert!(absent(
        Reader::open(&store, &dir.path().join("log")).err().unwrap()
    ));
}

#[test]
fn a_store_whose_making_was_interrupted_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let half = staging_folder(dir.path()).join("db");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("CURRENT"), b"MANIFEST-000001\n").unwrap();
    let store = Store::open_or_create(dir.path(), "test", false).unwrap();
    assert!(!half.exists());
    assert_eq!(store.ledger_size().unwrap(), 0);
}

#[test]
fn the_second_writer_is_told_who_the_first_is() {
    let site = Site::new();
    let store = site.store();
    let refused = Store::open(store.dir(), "import b", false).err().unwrap();
    let StoreError::InUse { holder, .. } = &refused else {
        panic!("{refused}")
    };
    assert!(
        holder.starts_with(&format!("pid {} since ", std::process::id())),
        "{holder}"
    );
    assert!(holder.ends_with(" test"), "{holder}");
    let dir = store.dir().to_path_buf();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| Store::open(&dir, "import b", true).map(|_| ()));
        drop(store);
        waiting.join().unwrap().unwrap();
    });
    drop(Store::open(&dir, "import c", false).unwrap());
}
