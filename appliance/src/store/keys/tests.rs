//! Keys there and back, their order, and that no name's key can be taken for another's.

#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

fn path() -> impl Strategy<Value = ModulePath> {
    "[a-z]{1,5}\\.(com|org)(/[a-z0-9]([a-zA-Z0-9._~-]{0,8}[a-z0-9])?){0,3}"
        .prop_filter_map("not a module path", |text| ModulePath::new(&text).ok())
}

fn module() -> impl Strategy<Value = ModuleVersion> {
    let version = "v[01]\\.[0-9]{1,2}\\.[0-9]{1,2}(-[a-z]{1,3}(\\.[1-9]){0,2})?";
    (path(), version).prop_filter_map("not a module version", |(path, version)| {
        ModuleVersion::new(path, Version::new(&version).ok()?).ok()
    })
}

fn db() -> impl Strategy<Value = DbName> {
    "[a-z]{1,5}\\.(com|org)(/[a-z]{1,3}){0,2}".prop_map(|name| name.parse().unwrap())
}

fn tiles() -> impl Strategy<Value = Tile> {
    (1..=30_u8, 0..=63_u8, any::<u64>(), any::<u32>())
        .prop_filter_map("no tile", |(height, level, index, width)| {
            Tile::new(height, level, index, width % (1 << height) + 1)
        })
}

/// An item, and a value under which its key gives it back.
fn items() -> impl Strategy<Value = (Item, Vec<u8>)> {
    prop_oneof![
        db().prop_map(|db| (Item::Head(db), vec![])),
        (db(), module()).prop_map(|(db, module)| (Item::Record(db, module), vec![])),
        (db(), tiles())
            .prop_filter("not so many bytes", |(_, tile)| tile.width() < 1000)
            .prop_map(|(db, tile)| (Item::Tile(db, tile), vec![0; tile.width() as usize * 32])),
        module().prop_map(|module| (Item::Pin(module), vec![])),
        module().prop_map(|module| (Item::Info(module), vec![])),
        module().prop_map(|module| (Item::Mod(module), vec![])),
        (path(), "[a-z]{1,9}").prop_map(|(path, text)| {
            let query = Query::new(path, text.parse().unwrap()).unwrap();
            (Item::Query(query), vec![])
        }),
        module().prop_map(|module| (Item::Zip(module), vec![])),
    ]
}

proptest! {
    #[test]
    fn an_items_key_names_it((it, value) in items()) {
        prop_assert_eq!(item(&of_item(&it).unwrap(), &value), Some(it));
    }

    #[test]
    fn different_items_have_different_keys((a, _) in items(), (b, _) in items()) {
        prop_assert_eq!(a == b, of_item(&a) == of_item(&b));
    }

    #[test]
    fn a_claims_key_names_module_version_and_stream(module in module(), stream in "[a-z0-9][a-z0-9-]{0,9}") {
        let key = claim(&module, &stream);
        prop_assert_eq!(parse(&key), Some(Named::Claim(module.clone(), stream)));
        prop_assert_eq!(parse_claims(&key), None);
        prop_assert_eq!(parse_claims(&claims(&module)), Some(module.clone()));
        prop_assert_eq!(parse(&claims(&module)), None);
        prop_assert!(key < list(module.path()));
    }

    #[test]
    fn an_answers_key_names_query_and_stream(path in path(), text in "[a-z]{1,9}", stream in "[a-z0-9][a-z0-9-]{0,9}") {
        let asked = Query::new(path, text.parse().unwrap()).unwrap();
        let key = query(&asked, &stream);
        prop_assert!(key.starts_with(&queries(asked.path())));
        prop_assert_eq!(item(&key, b""), None);
        prop_assert_eq!(parse(&key), Some(Named::Query(asked, stream)));
    }

    #[test]
    fn keys_of_small_things_come_before_all_chunks((it, _) in items(), bundle: [u8; 8], zip: u32, n: u32) {
        prop_assert!(of_item(&it).unwrap()[..] < chunk(&bundle, zip, n)[..]);
    }

    #[test]
    fn chunks_are_ordered_as_they_are_written(a: ([u8; 8], u32, u32), b: ([u8; 8], u32, u32)) {
        prop_assert_eq!(a.cmp(&b), chunk(&a.0, a.1, a.2).cmp(&chunk(&b.0, b.1, b.2)));
    }

    #[test]
    fn heads_are_ordered_by_size(db in db(), a: u64, b: u64) {
        prop_assert_eq!(a.cmp(&b), head_of_size(&db, a).cmp(&head_of_size(&db, b)));
        prop_assert!(head_of_size(&db, a).starts_with(&heads(&db)));
    }

    #[test]
    fn the_zips_of_a_module_and_of_no_other_lie_together(module in module(), other in module()) {
        let prefix = zips(module.path());
        prop_assert!(zip(&module).starts_with(&prefix));
        prop_assert_eq!(zip(&other).starts_with(&prefix), other.path() == module.path());
    }

    #[test]
    fn what_is_no_key_is_none_and_no_panic(bytes: Vec<u8>) {
        if let Some(it) = item(&bytes, &[0; 32]) {
            prop_assert_eq!(of_item(&it), Some(bytes));
        }
    }
}

#[test]
fn a_module_and_one_whose_path_goes_on_are_kept_apart() {
    let [short, long]: [ModuleVersion; 2] =
        ["example.com/a@v1.0.0", "example.com/a/b@v1.0.0"].map(|name| name.parse().unwrap());
    assert!(!zip(&long).starts_with(&zips(short.path())));
    assert!(go_mod(&long).starts_with(&go_mods_from("example.com/a")));
    assert!(!go_mod(&long).starts_with(&go_mods_from("example.com/a@")));
    assert!(go_mod(&short).starts_with(&go_mods_from("example.com/a@v1")));
}

/// The bytes that docs/store.md shows: a change is a new schema.
#[test]
fn keys_are_as_documented() {
    let module: ModuleVersion = "example.com/a@v1.0.0".parse().unwrap();
    let db: DbName = "sum.golang.org".parse().unwrap();
    assert_eq!(SCHEMA_KEY, *b"\x01s");
    assert_eq!(GENERATION_KEY, *b"\x01g");
    assert_eq!(TOTALS_KEY, *b"\x01t");
    assert_eq!(ledger(7), b"\x10\0\0\0\0\0\0\0\x07");
    assert_eq!(manifest(&[0xaa; 32]), [&[0x11][..], &[0xaa; 32]].concat());
    assert_eq!(list(module.path()), b"\x20example.com/a");
    assert_eq!(latest(module.path()), b"\x21example.com/a");
    assert_eq!(file(&"go.tar.gz".parse().unwrap()), b"\x24go.tar.gz");
    assert_eq!(pin(&module), b"\x44example.com/a\0v1.0.0");
    let asked = Query::new(module.path().clone(), "main".parse().unwrap()).unwrap();
    assert_eq!(
        query(&asked, "platform"),
        b"\x13example.com/a\0main\0platform"
    );
    let (path, revision) = (asked.path(), asked.revision());
    assert_eq!(answer(path, revision), b"\x22example.com/a\0main");
    assert_eq!(info(&module), b"\x30example.com/a\0v1.0.0");
    assert_eq!(go_mod(&module), b"\x31example.com/a\0v1.0.0");
    assert_eq!(zip(&module), b"\x32example.com/a\0v1.0.0");
    assert_eq!(head(&db), b"\x40sum.golang.org");
    assert_eq!(
        head_of_size(&db, 258),
        b"\x41sum.golang.org\0\0\0\0\0\0\0\x01\x02"
    );
    assert_eq!(
        record(&db, &module),
        b"\x42sum.golang.org\0example.com/a\0v1.0.0"
    );
    let at = Tile::new(8, 1, 258, 3).unwrap();
    assert_eq!(
        tile(&db, &at),
        b"\x43sum.golang.org\0\x08\x01\0\0\0\0\0\0\x01\x02"
    );
    assert_eq!(
        chunk(b"bundleid", 2, 3),
        *b"\xf0bundleid\0\0\0\x02\0\0\0\x03"
    );
}
