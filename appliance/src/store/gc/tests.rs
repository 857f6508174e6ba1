#![allow(clippy::unwrap_used)]

use super::super::tests::*;
use super::super::{CHUNK, Reader, ZIP_FILE, db_folder};
use super::*;
use modferry_protocol::bundle::{Gone, Level};

/// Removes what is gone; gives what was told, and the entry.
fn collect(site: &Site) -> (Vec<Found>, LedgerEntry) {
    let store = site.store();
    let mut told = Vec::new();
    let collection = store
        .find_gone(|found| {
            told.push(found.clone());
            Ok(())
        })
        .unwrap();
    let versions = collection.versions();
    let entry = collection.commit().unwrap();
    assert_eq!(
        versions,
        told.iter().filter(|found| found.goes()).count() as u64
    );
    assert_eq!(store.reclaim().unwrap(), 0);
    (told, entry)
}

fn removed(entry: &LedgerEntry) -> &Removed {
    match &entry.event {
        Event::Gc(removed) => removed,
        other => panic!("{other:?}"),
    }
}

/// Every key that is no ledger's, total's or claim's.
fn contents(view: &View) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    let each = |key: &[u8], _: &[u8]| {
        if key[0] >= 0x20 {
            keys.push(key.to_vec());
        }
        Ok(())
    };
    view.scan(&[], each).unwrap();
    keys
}

#[test]
fn a_store_after_gc_has_what_a_store_that_never_had_it_has() {
    let names = [
        "example.com/a@v1.0.0",
        "example.com/a@v1.1.0",
        "example.com/a@v1.2.0",
        "example.com/b@v1.0.0",
        "example.com/c@v1.0.0",
    ];
    let site = Site::new();
    site.import_of("platform", 1, |draft| {
        for name in names {
            put_small(draft, &module(name));
        }
        for (n, name) in names.iter().enumerate() {
            put_zip(
                draft,
                &module(name),
                &zip_bytes(&module(name), n * CHUNK + 7),
            );
        }
    });
    let before = site.reader();
    site.import_of("platform", 2, |draft| {
        draft.gone(&module(names[2]), Gone::Zip).unwrap(); // the newest, whose .mod stays
        draft.gone(&module(names[0]), Gone::All).unwrap();
        draft.gone(&module(names[3]), Gone::All).unwrap(); // the only version
    });
    assert_eq!(site.reader().totals().unwrap().gone, 3);
    let (told, entry) = collect(&site);
    assert_eq!(entry.number, 3);
    let gone: Vec<_> = told
        .iter()
        .map(|found| (found.module.to_string(), found.stays))
        .collect();
    assert_eq!(
        gone,
        [
            (names[0].into(), Extent::Nothing),
            (names[2].into(), Extent::Mod),
            (names[3].into(), Extent::Nothing),
        ]
    );
    let what = removed(&entry);
    assert_eq!(
        what.names,
        [
            "all example.com/a v1.0.0",
            "zip example.com/a v1.2.0",
            "all example.com/b v1.0.0",
        ]
    );
    let counts = &what.removed;
    assert_eq!(
        (
            counts.modules,
            counts.versions,
            counts.zips,
            counts.mods,
            counts.infos
        ),
        (1, 3, 3, 2, 2)
    );
    assert_eq!(
        counts.zip_bytes,
        7 + (2 * CHUNK + 7) as u64 + (3 * CHUNK + 7) as u64
    );

    // As if it had never been there: the same keys, the same answers, the same totals.
    let never = Site::new();
    never.import_of("platform", 1, |draft| {
        for name in [names[1], names[2], names[4]] {
            put_small(draft, &module(name));
        }
        for (n, name) in [(1, names[1]), (4, names[4])] {
            put_zip(
                draft,
                &module(name),
                &zip_bytes(&module(name), n * CHUNK + 7),
            );
        }
    });
    let (reader, never) = (site.reader(), never.reader());
    let small = |view: &View| {
        contents(view)
            .into_iter()
            .filter(|key| key[0] < 0xf0)
            .collect::<Vec<_>>()
    };
    assert_eq!(small(&reader), small(&never));
    assert_eq!(contents(&reader).len(), contents(&never).len());
    for path in ["example.com/a", "example.com/b", "example.com/c"].map(path) {
        assert_eq!(reader.list(&path).unwrap(), never.list(&path).unwrap());
        assert_eq!(reader.latest(&path).unwrap(), never.latest(&path).unwrap());
    }
    assert_eq!(
        text(reader.latest(&path("example.com/a")).unwrap()),
        "{\"Version\":\"v1.1.0\"}"
    );
    let totals = reader.totals().unwrap();
    assert_eq!(
        (&totals.counts, totals.gone),
        (&never.totals().unwrap().counts, 0)
    );
    assert_eq!(totals.imports, 2);

    // Who looked before and has not caught up sees it all, to the last byte.
    for (n, name) in names.iter().enumerate() {
        assert_eq!(
            read_zip(&before, &module(name)),
            zip_bytes(&module(name), n * CHUNK + 7)
        );
    }
    before.catch_up().unwrap();
    assert_eq!(contents(&before), contents(&reader));
    // What went can come again.
    site.import_of("platform", 3, |draft| {
        put_whole(draft, &module(names[3]), 99)
    });
    before.catch_up().unwrap();
    assert_eq!(
        read_zip(&before, &module(names[3])),
        zip_bytes(&module(names[3]), 99)
    );
    assert_eq!(
        text(before.list(&path("example.com/b")).unwrap()),
        "v1.0.0\n"
    );
}

#[test]
fn what_one_stream_keeps_stays_and_is_told() {
    let site = Site::new();
    let a = module("example.com/a@v1.0.0");
    site.import_of("platform", 1, |draft| put_whole(draft, &a, 10));
    site.import_of("edge", 1, |draft| draft.needed(&a, Level::Zip).unwrap());
    site.import_of("platform", 2, |draft| draft.gone(&a, Gone::All).unwrap());
    let before = contents(&site.reader());
    let (told, entry) = collect(&site);
    assert!(!told[0].goes());
    assert_eq!((told[0].held, told[0].stays), (Extent::Zip, Extent::Zip));
    assert_eq!(told[0].claims.len(), 2);
    assert_eq!(removed(&entry), &Removed::default());
    assert_eq!(contents(&site.reader()), before);
}

#[test]
fn to_find_and_not_to_commit_changes_nothing() {
    let site = Site::new();
    let a = module("example.com/a@v1.0.0");
    site.import_of("platform", 1, |draft| put_whole(draft, &a, 10));
    site.import_of("platform", 2, |draft| draft.gone(&a, Gone::All).unwrap());
    let (before, size) = (contents(&site.reader()), site.reader().generation());
    let store = site.store();
    let collection = store.find_gone(|_| Ok(())).unwrap();
    assert_eq!(collection.removed().zips, 1);
    drop(collection);
    drop(store);
    assert_eq!(
        (contents(&site.reader()), site.reader().generation()),
        (before, size)
    );
    assert!(!site.dir.path().join("store/staging").exists());
}

/// Bytes of the database's files.
fn on_disk(site: &Site) -> u64 {
    let files = std::fs::read_dir(db_folder(&site.dir.path().join("store"))).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

#[test]
fn the_disk_gets_its_room_back_and_what_stays_is_not_rewritten_for_it() {
    let site = Site::new();
    let name = |n: usize| module(&format!("example.com/m{n:02}@v1.0.0"));
    const EACH: usize = CHUNK + CHUNK / 2;
    const ZIPS: usize = 24;
    for bundle in 0..2 {
        site.import_of("platform", bundle + 1, |draft| {
            let names = || (0..ZIPS).filter(|n| n % 2 == bundle as usize).map(name);
            names().for_each(|module| put_small(draft, &module));
            names().for_each(|module| put_zip(draft, &module, &zip_bytes(&module, EACH)));
        });
    }
    let full = on_disk(&site);
    assert!(full > (ZIPS * EACH) as u64);
    let names_of_files = |store: &Store| -> Vec<String> {
        let files = store.live_files().unwrap().into_iter();
        let of_chunks =
            files.filter(|file| file.start_key.as_ref().is_some_and(|key| key[0] == 0xf0));
        of_chunks.map(|file| file.name).collect()
    };
    let files_before = names_of_files(&site.store());
    // Of the first bundle all, of the second one zip.
    site.import_of("platform", 3, |draft| {
        (0..ZIPS)
            .filter(|n| n % 2 == 0 || *n == 5)
            .for_each(|n| draft.gone(&name(n), Gone::All).unwrap());
    });
    let store = site.store();
    let files = store
        .find_gone(|_| Ok(()))
        .unwrap()
        .sorted_files()
        .unwrap()
        .len();
    assert!(files > 3, "one for each file of chunks that gets holes");
    let gone = store.find_gone(|_| Ok(())).unwrap();
    gone.commit().unwrap();
    assert_eq!(store.reclaim().unwrap(), 0);
    let files_after = names_of_files(&store);
    drop(store);
    let freed = (full - on_disk(&site)) as usize;
    let gone = (ZIPS / 2 + 1) * EACH;
    assert!(freed > gone - gone / 10, "{freed} of {gone}");
    let kept = files_before
        .iter()
        .filter(|file| files_after.contains(file))
        .count();
    let untouched = (ZIPS / 2 - 1) * EACH / ZIP_FILE as usize;
    assert!(
        kept + 2 >= untouched,
        "only {kept} of about {untouched} files were left alone"
    );
    let reader = site.reader();
    for n in (0..ZIPS).filter(|n| n % 2 == 1 && *n != 5) {
        assert_eq!(read_zip(&reader, &name(n)), zip_bytes(&name(n), EACH));
    }
}

#[test]
fn what_was_interrupted_is_reclaimed_by_the_next() {
    let site = Site::new();
    let a = module("example.com/a@v1.0.0");
    site.import_of("platform", 1, |draft| put_whole(draft, &a, 4 * CHUNK));
    site.import_of("platform", 2, |draft| draft.gone(&a, Gone::All).unwrap());
    site.store()
        .find_gone(|_| Ok(()))
        .unwrap()
        .commit()
        .unwrap();
    assert!(on_disk(&site) > 4 * CHUNK as u64);
    // Nothing is gone any more; the room is given back all the same.
    let store = site.store();
    assert_eq!(
        store
            .find_gone(|_| panic!("nothing is gone"))
            .unwrap()
            .versions(),
        0
    );
    assert_eq!(store.reclaim().unwrap(), 0);
    drop(store);
    assert!(on_disk(&site) < CHUNK as u64, "{}", on_disk(&site));
}

#[test]
fn a_reader_that_catches_up_while_it_is_removed_sees_all_or_nothing() {
    use std::sync::atomic::{AtomicBool, Ordering};
    const MODULES: usize = 30;
    let site = Site::new();
    let name = |n: usize| module(&format!("example.com/m{n}@v1.0.0"));
    drop(site.store());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let reader: Reader = site.reader();
            let mut states = std::collections::BTreeSet::new();
            while !done.load(Ordering::SeqCst) {
                reader.catch_up().unwrap();
                let generation = reader.generation();
                let there = (0..MODULES)
                    .filter(|&n| {
                        let module = name(n);
                        let held = reader.zip(&module).unwrap().is_some();
                        assert_eq!(held, reader.list(module.path()).unwrap().is_some());
                        if held && n == 0 {
                            assert_eq!(read_zip(&reader, &module), zip_bytes(&module, CHUNK + 9));
                        }
                        held
                    })
                    .count();
                // Brought, given up, removed; then brought again.
                let expected = if matches!(generation % 3, 1 | 2) {
                    MODULES
                } else {
                    0
                };
                assert_eq!(there, expected, "at generation {generation}");
                states.insert(generation);
            }
            states
        });
        for round in 0..8 {
            site.import_of("platform", 2 * round + 1, |draft| {
                (0..MODULES).for_each(|n| put_small(draft, &name(n)));
                for n in 0..MODULES {
                    let size = if n == 0 { CHUNK + 9 } else { 50 };
                    put_zip(draft, &name(n), &zip_bytes(&name(n), size));
                }
            });
            site.import_of("platform", 2 * round + 2, |draft| {
                (0..MODULES).for_each(|n| draft.gone(&name(n), Gone::All).unwrap());
            });
            let (told, _) = collect(&site);
            assert_eq!(told.len(), MODULES);
        }
        done.store(true, Ordering::SeqCst);
        assert!(looking.join().unwrap().len() > 2);
    });
}
