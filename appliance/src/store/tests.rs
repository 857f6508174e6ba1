//! Draft to commit to reader, with no bundle in between.

#![allow(clippy::unwrap_used)]

use super::*;
use modferry_protocol::bundle::Item;
use modferry_protocol::h1::H1;
use modferry_protocol::module::{ModulePath, ModuleVersion};
use modferry_protocol::sumdb::{DbName, Hash, Tile, TreeHead};
use modferry_protocol::zip::ZipFacts;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

mod files;
mod ledger;
mod life;
mod pin;
mod queries;
mod readers;

pub(super) fn module(text: &str) -> ModuleVersion {
    text.parse().unwrap()
}

pub(super) fn path(text: &str) -> ModulePath {
    ModulePath::new(text).unwrap()
}

pub(super) fn db() -> DbName {
    "sum.example.com".parse().unwrap()
}

pub(super) fn info(module: &ModuleVersion) -> Vec<u8> {
    format!("{{\"Version\":\"{}\"}}", module.version().as_str()).into_bytes()
}

/// A zip's bytes, which the store never looks into.
pub(super) fn zip_bytes(module: &ModuleVersion, size: usize) -> Vec<u8> {
    let seed = Sha256::digest(module.to_string());
    (0..size).map(|n| seed[n % 32] ^ (n / 32) as u8).collect()
}

pub(super) fn facts(bytes: &[u8]) -> ZipFacts {
    ZipFacts {
        h1: H1::of_go_mod(bytes),
        files: 1,
        unpacked: bytes.len() as u64,
    }
}

pub(super) fn put_zip(draft: &mut Draft<'_>, module: &ModuleVersion, bytes: &[u8]) {
    let sha256 = Sha256::digest(bytes).into();
    let size = bytes.len() as u64;
    draft
        .put_zip(module, &facts(bytes), size, &sha256, &mut &*bytes)
        .unwrap();
}

pub(super) fn put_small(draft: &mut Draft<'_>, module: &ModuleVersion) {
    draft
        .put(&Item::Info(module.clone()), &info(module))
        .unwrap();
    draft
        .put(
            &Item::Mod(module.clone()),
            format!("module {}\n", module.path()).as_bytes(),
        )
        .unwrap();
}

pub(super) fn put_whole(draft: &mut Draft<'_>, module: &ModuleVersion, size: usize) {
    put_small(draft, module);
    put_zip(draft, module, &zip_bytes(module, size));
}

pub(super) fn head(size: u64) -> Vec<u8> {
    let head = TreeHead {
        size,
        hash: Hash([size as u8; 32]),
    };
    format!("{}\n\u{2014} sum.example.com AAAA\n", head.encode()).into_bytes()
}

pub(super) fn manifest(number: u8) -> [u8; 32] {
    Sha256::digest([number]).into()
}

pub(super) fn source(sequence: u64) -> Source {
    Source {
        stream: "platform".into(),
        sequence,
        ..Source::default()
    }
}

pub(super) struct Site {
    pub(super) dir: TempDir,
}

impl Site {
    pub(super) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn store(&self) -> Store {
        Store::open_or_create(&self.dir.path().join("store"), "test", false).unwrap()
    }

    pub(super) fn reader(&self) -> Reader {
        let secondary = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        Reader::open(&self.dir.path().join("store"), &secondary).unwrap()
    }

    /// Imports a bundle of a stream that is no other's, whatever its number.
    pub(super) fn import_of(
        &self,
        stream: &str,
        sequence: u64,
        fill: impl FnOnce(&mut Draft<'_>),
    ) -> Committed {
        let store = self.store();
        let size = store.ledger_size().unwrap();
        let manifest = Sha256::digest(format!("{stream} {sequence} {size}")).into();
        let mut draft = store.draft(&manifest).unwrap();
        fill(&mut draft);
        let stream = stream.into();
        draft
            .commit(Source {
                stream,
                ..source(sequence)
            })
            .unwrap()
    }

    pub(super) fn import(&self, number: u8, fill: impl FnOnce(&mut Draft<'_>)) -> Committed {
        let store = self.store();
        let mut draft = store.draft(&manifest(number)).unwrap();
        fill(&mut draft);
        draft.commit(source(number.into())).unwrap()
    }
}

pub(super) fn text(value: Option<Value>) -> String {
    String::from_utf8(value.unwrap().into_vec()).unwrap()
}

pub(super) fn read_zip(view: &View, module: &ModuleVersion) -> Vec<u8> {
    let zip = view.zip(module).unwrap().unwrap();
    let mut bytes = Vec::new();
    for n in 0..zip.chunks() {
        bytes.extend_from_slice(&view.chunk(&zip, n).unwrap().unwrap());
    }
    assert_eq!(view.chunk(&zip, zip.chunks()).unwrap(), None);
    assert_eq!(zip.size, bytes.len() as u64);
    bytes
}

#[test]
fn what_is_put_in_comes_out_bit_for_bit() {
    let site = Site::new();
    let a = module("example.com/Upper/a@v1.0.0");
    let sizes = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17];
    let zips: Vec<_> = (0..sizes.len())
        .map(|n| module(&format!("example.com/z@v1.{n}.0")))
        .collect();
    site.import(1, |draft| {
        put_small(draft, &a);
        draft
            .put(&Item::Record(db(), a.clone()), b"7\nrecord\n")
            .unwrap();
        for (zip, size) in zips.iter().zip(sizes) {
            put_whole(draft, zip, size);
        }
    });
    let reader = site.reader();
    assert_eq!(reader.info(&a).unwrap().unwrap().into_vec(), info(&a));
    assert_eq!(
        text(reader.go_mod(&a).unwrap()),
        "module example.com/Upper/a\n"
    );
    assert_eq!(text(reader.record(&db(), &a).unwrap()), "7\nrecord\n");
    for (zip, size) in zips.iter().zip(sizes) {
        assert_eq!(read_zip(&reader, zip), zip_bytes(zip, size), "{size} bytes");
    }
    let b = module("example.com/Upper/a@v1.0.1");
    assert_eq!(reader.info(&b).unwrap(), None);
    assert_eq!(reader.zip(&a).unwrap(), None);
    assert_eq!(reader.list(&path("example.com/Upper")).unwrap(), None);
    assert_eq!(
        reader
            .record(&"sum.golang.org".parse().unwrap(), &a)
            .unwrap(),
        None
    );
}

#[test]
fn only_what_is_whole_is_listed_and_a_later_bundle_completes_it() {
    let site = Site::new();
    let p = path("example.com/a");
    let [old, new] = [
        module("example.com/a@v1.0.0"),
        module("example.com/a@v1.1.0"),
    ];
    let entry = site.import(1, |draft| {
        put_whole(draft, &old, 10);
        put_small(draft, &new);
        draft
            .put(&Item::Mod(module("example.com/only@v1.0.0")), b"module x\n")
            .unwrap();
    });
    assert_eq!(
        (entry.added.modules, entry.added.versions, entry.added.mods),
        (2, 1, 3)
    );
    let reader = site.reader();
    assert_eq!(text(reader.list(&p).unwrap()), "v1.0.0\n");
    assert_eq!(text(reader.latest(&p).unwrap()), "{\"Version\":\"v1.0.0\"}");
    assert_eq!(text(reader.list(&path("example.com/only")).unwrap()), "");
    assert_eq!(reader.latest(&path("example.com/only")).unwrap(), None);

    let entry = site.import(2, |draft| put_zip(draft, &new, b"zip"));
    assert_eq!(
        (entry.added.modules, entry.added.versions, entry.added.infos),
        (0, 1, 0)
    );
    reader.catch_up().unwrap();
    assert_eq!(text(reader.list(&p).unwrap()), "v1.0.0\nv1.1.0\n");
    assert_eq!(text(reader.latest(&p).unwrap()), "{\"Version\":\"v1.1.0\"}");
    let totals = reader.totals().unwrap();
    assert_eq!(
        (totals.imports, totals.counts.versions, totals.counts.zips),
        (2, 2, 2)
    );
    assert_eq!(totals.streams["platform"].sequence, 2);
}

#[test]
fn a_zip_without_its_info_or_its_mod_is_not_whole() {
    let site = Site::new();
    let p = path("example.com/a");
    let [no_info, no_mod] = [
        module("example.com/a@v1.0.0"),
        module("example.com/a@v1.1.0"),
    ];
    site.import(1, |draft| {
        draft
            .put(&Item::Info(no_mod.clone()), &info(&no_mod))
            .unwrap();
        draft
            .put(&Item::Mod(no_info.clone()), b"module a\n")
            .unwrap();
        put_zip(draft, &no_info, b"zip");
        put_zip(draft, &no_mod, b"zip");
    });
    let reader = site.reader();
    assert_eq!(text(reader.list(&p).unwrap()), "");
    assert_eq!(reader.latest(&p).unwrap(), None);
    assert_eq!(reader.totals().unwrap().counts.versions, 0);
    let entry = site.import(2, |draft| {
        draft
            .put(&Item::Info(no_info.clone()), &info(&no_info))
            .unwrap();
    });
    assert_eq!(entry.added.versions, 1);
    reader.catch_up().unwrap();
    assert_eq!(text(reader.list(&p).unwrap()), "v1.0.0\n");
}

#[test]
fn what_is_held_stays_bit_for_bit_and_is_counted() {
    let site = Site::new();
    let a = module("example.com/a@v1.0.0");
    site.import(1, |draft| put_whole(draft, &a, 100));
    let entry = site.import(2, |draft| {
        draft
            .put(
                &Item::Info(a.clone()),
                b"{\"Version\":\"v1.0.0\",\"Time\":\"x\"}",
            )
            .unwrap();
        put_zip(draft, &a, b"other bytes, same h1");
    });
    assert_eq!(
        (entry.kept.infos, entry.kept.mods, entry.kept.zips),
        (1, 0, 1)
    );
    assert_eq!(
        entry.kept.names,
        ["info example.com/a@v1.0.0", "zip example.com/a@v1.0.0"]
    );
    assert_eq!(entry.added, Counts::default());
    let reader = site.reader();
    assert_eq!(reader.info(&a).unwrap().unwrap().into_vec(), info(&a));
    assert_eq!(read_zip(&reader, &a), zip_bytes(&a, 100));

    let again = site.import(3, |draft| put_whole(draft, &a, 100));
    assert_eq!(
        (again.kept, again.added),
        (Kept::default(), Counts::default())
    );
}

#[test]
fn no_more_names_are_kept_than_a_report_can_bear() {
    for count in [KEPT_NAMES, KEPT_NAMES + 1] {
        let site = Site::new();
        let names: Vec<_> = (0..count)
            .map(|n| module(&format!("example.com/a@v1.{n}.0")))
            .collect();
        site.import(1, |draft| {
            names.iter().for_each(|name| put_small(draft, name))
        });
        let entry = site.import(2, |draft| {
            for name in &names {
                draft.put(&Item::Info(name.clone()), b"other").unwrap();
            }
        });
        assert_eq!(entry.kept.infos, count as u64);
        assert_eq!(entry.kept.names.len(), KEPT_NAMES);
    }
}

#[test]
fn the_widest_tile_is_kept_and_narrower_ones_are_cut_from_it() {
    let site = Site::new();
    let tile = |width| Tile::new(8, 0, 5, width).unwrap();
    let hashes: Vec<u8> = (0..256 * 32).map(|n| (n / 32) as u8).collect();
    let put = |draft: &mut Draft<'_>, width: u32| {
        let item = Item::Tile(db(), tile(width));
        draft.put(&item, &hashes[..width as usize * 32]).unwrap();
    };
    let entry = site.import(1, |draft| put(draft, 7));
    assert_eq!(entry.added.tiles, 1);
    let reader = site.reader();
    assert_eq!(reader.tile(&db(), &tile(7)).unwrap().unwrap().len(), 7 * 32);
    assert_eq!(
        &*reader.tile(&db(), &tile(3)).unwrap().unwrap(),
        &hashes[..96]
    );
    assert_eq!(reader.tile(&db(), &tile(8)).unwrap(), None);

    assert_eq!(site.import(2, |draft| put(draft, 256)).added.tiles, 0);
    site.import(3, |draft| put(draft, 9)); // narrower than held: not to be taken
    reader.catch_up().unwrap();
    for width in [1, 7, 9, 255, 256] {
        let held = reader.tile(&db(), &tile(width)).unwrap().unwrap();
        assert_eq!(&*held, &hashes[..width as usize * 32], "width {width}");
    }
    assert_eq!(
        reader
            .tile(&db(), &Tile::new_data(8, 5, 7).unwrap())
            .unwrap(),
        None
    );
    assert_eq!(
        reader.tile(&db(), &Tile::new(8, 1, 5, 7).unwrap()).unwrap(),
        None
    );
    assert_eq!(
        reader.tile(&db(), &Tile::new(7, 0, 5, 7).unwrap()).unwrap(),
        None
    );
}

#[test]
fn tiles_that_do_not_fit_are_refused() {
    let site = Site::new();
    let store = site.store();
    let mut draft = store.draft(&manifest(1)).unwrap();
    let tile = Item::Tile(db(), Tile::new(8, 0, 5, 2).unwrap());
    for length in [0, 32, 63, 65, 96] {
        assert!(draft.put(&tile, &vec![0; length]).is_err(), "{length}");
    }
    draft.put(&tile, &[0; 64]).unwrap();
    let data = Item::Tile(db(), Tile::new_data(8, 5, 2).unwrap());
    assert!(draft.put(&data, &[0; 64]).is_err());
}

#[test]
fn the_newest_head_is_served_and_every_head_is_remembered() {
    let site = Site::new();
    let put =
        |size| move |draft: &mut Draft<'_>| draft.put(&Item::Head(db()), &head(size)).unwrap();
    site.import(1, put(1000));
    site.import(2, put(70_000));
    site.import(3, put(500)); // an older bundle, late
    let again = site.import(4, put(1000));
    assert_eq!(again.added.heads, 0);
    let reader = site.reader();
    assert_eq!(
        reader.head(&db()).unwrap().unwrap().into_vec(),
        head(70_000)
    );
    assert_eq!(reader.head_size(&db()).unwrap(), Some(70_000));
    let sizes: Vec<_> = reader
        .heads(&db())
        .unwrap()
        .iter()
        .map(|head| head.size)
        .collect();
    assert_eq!(sizes, [500, 1000, 70_000]);
    assert_eq!(reader.databases().unwrap(), [db()]);
}

#[test]
fn a_zip_of_another_size_is_refused() {
    let site = Site::new();
    let store = site.store();
    let mut draft = store.draft(&manifest(1)).unwrap();
    let a = module("example.com/a@v1.0.0");
    let mut put = |size| draft.put_zip(&a, &facts(b"zip"), size, &[0; 32], &mut &b"checked"[..]);
    assert!(put(8).is_err());
    assert!(put(6).is_err());
    assert!(put(7).is_ok());
}

#[test]
fn a_bundle_is_committed_once() {
    let site = Site::new();
    let a = module("example.com/a@v1.0.0");
    site.import(1, |draft| put_small(draft, &a));
    let store = site.store();
    assert_eq!(store.imported(&manifest(1)).unwrap(), Some(1));
    assert_eq!(store.imported(&manifest(2)).unwrap(), None);
    let again = store.draft(&manifest(1)).unwrap().commit(source(1));
    assert!(matches!(again, Err(StoreError::Refused { .. })));
    assert_eq!(store.ledger_size().unwrap(), 1);
    let entry = store.ledger(1).unwrap().unwrap();
    let import = entry.import().unwrap();
    assert_eq!((&import.source, import.added.infos), (&source(1), 1));
    assert_eq!(store.ledger(2).unwrap(), None);
}

#[test]
fn everything_staged_is_given_back_by_kind() {
    let site = Site::new();
    let store = site.store();
    let mut draft = store.draft(&manifest(1)).unwrap();
    let a = module("example.com/a@v1.0.0");
    let tile = Tile::new(8, 0, 5, 2).unwrap();
    let items = [
        Item::Head(db()),
        Item::Record(db(), a.clone()),
        Item::Tile(db(), tile),
        Item::Info(a.clone()),
        Item::Mod(a.clone()),
        Item::Zip(a.clone()),
    ];
    for item in &items[..5] {
        draft.put(item, &[9; 64]).unwrap();
    }
    put_zip(&mut draft, &a, b"zip");
    let mut seen = Vec::new();
    draft
        .each_staged(
            |error| error,
            |item| {
                seen.push(item);
                Ok(())
            },
        )
        .unwrap();
    assert_eq!(seen, items);
    assert_eq!(draft.staged(&items[3]).unwrap().unwrap(), [9; 64]);
    let narrow = Item::Tile(db(), tile.with_width(1).unwrap());
    assert_eq!(draft.staged(&narrow).unwrap().unwrap(), [9; 32]);
}
