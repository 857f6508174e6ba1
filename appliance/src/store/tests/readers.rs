//! Readers beside an importer that works all the time.

use super::*;

/// The invariant of imports: a reader sees all of one or nothing, whenever it looks.
#[test]
fn a_reader_never_sees_half_an_import() {
    const IMPORTS: u8 = 24;
    const MODULES: usize = 40;
    let site = Site::new();
    drop(site.store());
    let name = |import: u8, n: usize| module(&format!("example.com/m{n}@v1.{import}.0"));
    let done = AtomicBool::new(false);
    let looks = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let reader = site.reader();
            let (mut looks, mut states) = (0, std::collections::BTreeSet::new());
            loop {
                let last = done.load(Ordering::SeqCst);
                reader.catch_up().unwrap();
                let generation = reader.generation();
                states.insert(generation);
                looks += 1;
                for import in 1..=IMPORTS {
                    let expected = u64::from(import) <= generation;
                    for n in [0, MODULES / 2, MODULES - 1] {
                        let module = name(import, n);
                        let list = reader
                            .list(module.path())
                            .unwrap()
                            .map(|list| text(Some(list)));
                        let listed = list.is_some_and(|list| {
                            list.contains(&format!("{}\n", module.version().as_str()))
                        });
                        let held = reader.info(&module).unwrap().is_some();
                        let zip = reader.zip(&module).unwrap();
                        assert_eq!(
                            (listed, held, zip.is_some()),
                            (expected, expected, expected),
                            "{module} at generation {generation}"
                        );
                        if expected && n == 0 {
                            assert_eq!(read_zip(&reader, &module), zip_bytes(&module, CHUNK + 9));
                        }
                    }
                }
                if last {
                    assert_eq!(generation, u64::from(IMPORTS));
                    return (looks, states);
                }
            }
        });
        for import in 1..=IMPORTS {
            site.import(import, |draft| {
                for n in 0..MODULES {
                    put_small(draft, &name(import, n));
                }
                for n in 0..MODULES {
                    let module = name(import, n);
                    let size = if n == 0 { CHUNK + 9 } else { 50 };
                    put_zip(draft, &module, &zip_bytes(&module, size));
                }
            });
            site.store().tidy(); // compaction takes files away from under the reader
        }
        done.store(true, Ordering::SeqCst);
        looking.join().unwrap()
    });
    assert!(
        looks.1.len() > 2,
        "the reader looked {} times and saw only {:?}",
        looks.0,
        looks.1
    );
}

/// Opening a reader races with an importer that replaces the MANIFEST and removes files.
#[test]
fn a_reader_can_be_opened_whatever_the_importer_does() {
    let site = Site::new();
    drop(site.store());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let opening = scope.spawn(|| {
            let (mut opened, mut newest) = (0, 0);
            while !done.load(Ordering::SeqCst) {
                let generation = site.reader().generation();
                assert!(generation >= newest);
                (opened, newest) = (opened + 1, generation);
            }
            (opened, newest)
        });
        for import in 1..=40 {
            site.import(import, |draft| {
                put_small(draft, &module(&format!("example.com/m@v1.{import}.0")));
            });
            let store = site.store();
            store.tidy();
        }
        done.store(true, Ordering::SeqCst);
        let (opened, newest) = opening.join().unwrap();
        assert!(opened > 10 && newest > 10, "{opened} {newest}");
    });
}

#[test]
fn a_signed_head_may_have_lines_of_a_later_format() {
    let site = Site::new();
    let grown = String::from_utf8(head(1000))
        .unwrap()
        .replacen("\n\n", "\nan extension\n\n", 1);
    site.import(1, |draft| {
        draft.put(&Item::Head(db()), grown.as_bytes()).unwrap();
    });
    let reader = site.reader();
    assert_eq!(reader.head_size(&db()).unwrap(), Some(1000));
    assert_eq!(reader.heads(&db()).unwrap().len(), 1);
    assert_eq!(
        reader.head(&db()).unwrap().unwrap().into_vec(),
        grown.as_bytes()
    );
}
