//! Bundles into a store, from end to end.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::store::{Counts, Reader, Totals, View};
use crate::trust::Kind;
use modferry_checker::NoProgress;
use modferry_checker::testing::{Sealed, TestBundle, TestModule, TestSumdb, key};
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{Item, Manifest};
use modferry_protocol::note::SigningKey;
use modferry_protocol::sumdb::Tile;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

mod files;
mod fsck;
mod packed;
mod refusals;
mod reports;
mod rollback;
mod spool;
mod trust_notes;
mod updates;
mod volumes;
mod vulndb;

/// An isolated site: a store that trusts one key and one checksum database, and a folder for bundles.
struct Site {
    dir: TempDir,
    key: SigningKey,
}

impl Site {
    fn new(sumdb: &TestSumdb) -> Self {
        let site = Self {
            dir: tempfile::tempdir().unwrap(),
            key: key("site"),
        };
        let trust = TrustStore::of(&site.store());
        trust
            .add(Kind::Bundle, &site.key.verifier().to_string())
            .unwrap();
        trust
            .add(Kind::Sumdb, &sumdb.key().verifier().to_string())
            .unwrap();
        fs::create_dir(site.incoming()).unwrap();
        site
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn incoming(&self) -> PathBuf {
        self.dir.path().join("in")
    }

    /// Seals the bundle into the folder for bundles.
    fn drop_in(&self, bundle: &TestBundle) -> Sealed {
        self.drop_into(&self.incoming(), bundle)
    }

    fn drop_into(&self, folder: &Path, bundle: &TestBundle) -> Sealed {
        let sealed = bundle.seal(&[&self.key]);
        let name = bundle.stream.manifest_file(bundle.sequence);
        fs::write(folder.join(name), &sealed.manifest).unwrap();
        let name = bundle.stream.volume_file(bundle.sequence, 1);
        fs::write(folder.join(name), &sealed.volume).unwrap();
        sealed
    }

    fn import(&self) -> Result<Vec<Done>, ImportError> {
        let session = Session::begin(&self.store(), false)?;
        find(&[self.incoming()], &session.policy())?
            .iter()
            .map(|bundle| session.import(bundle, &NoProgress))
            .collect()
    }

    fn import_one(&self, bundle: &TestBundle) -> Result<Done, ImportError> {
        fs::remove_dir_all(self.incoming()).unwrap();
        fs::create_dir(self.incoming()).unwrap();
        self.drop_in(bundle);
        self.import().map(|mut done| done.remove(0))
    }

    fn verify(&self) -> Result<Vec<Done>, ImportError> {
        let policy = TrustStore::of(&self.store()).policy()?;
        let bundles = find(&[self.incoming()], &policy)?;
        let mut all = Vec::new();
        verify(&self.store(), &bundles, &NoProgress, |done| all.push(done))?;
        Ok(all)
    }

    fn reader(&self) -> Reader {
        let log = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        Reader::open(&self.store(), &log).unwrap()
    }

    fn totals(&self) -> Totals {
        self.reader().totals().unwrap()
    }
}

fn world(count: usize) -> (TestSumdb, Vec<TestModule>) {
    let modules: Vec<_> = (0..count).map(TestModule::numbered).collect();
    let mut sumdb = TestSumdb::new("sum.example.com");
    for module in &modules {
        sumdb.add(module);
    }
    (sumdb, modules)
}

fn read_zip(view: &View, module: &TestModule) -> Vec<u8> {
    let zip = view.zip(&module.module).unwrap().unwrap();
    let chunks = (0..zip.chunks()).map(|n| view.chunk(&zip, n).unwrap().unwrap().into_vec());
    chunks.collect::<Vec<_>>().concat()
}

#[track_caller]
fn assert_served(view: &View, sumdb: &TestSumdb, module: &TestModule) {
    let name = &module.module;
    assert_eq!(
        view.info(name).unwrap().unwrap().as_ref(),
        module.info,
        "{name}"
    );
    assert_eq!(
        view.go_mod(name).unwrap().unwrap().as_ref(),
        module.go_mod,
        "{name}"
    );
    assert_eq!(read_zip(view, module), module.zip, "{name}");
    assert_eq!(
        view.record(sumdb.db(), name).unwrap().unwrap().as_ref(),
        sumdb.record(name).unwrap().encode(),
        "{name}"
    );
    let list = view.list(name.path()).unwrap().unwrap();
    let list = String::from_utf8(list.into_vec()).unwrap();
    assert!(
        list.lines().any(|line| line == name.version().as_str()),
        "{name} in {list:?}"
    );
}

#[test]
fn a_bundle_is_served_bit_for_bit() {
    let (sumdb, modules) = world(300);
    let site = Site::new(&sumdb);
    let all: Vec<_> = modules.iter().collect();
    let done = site.import_one(&TestBundle::of(&sumdb, &all, &[])).unwrap();
    assert_eq!(done.outcome, Outcome::Imported);
    assert_eq!((done.import, done.notes.len()), (Some(1), 0));
    let reader = site.reader();
    assert_eq!(reader.generation(), 1);
    for module in &modules {
        assert_served(&reader, &sumdb, module);
    }
    let head = reader.head(sumdb.db()).unwrap().unwrap();
    assert_eq!(reader.head_size(sumdb.db()).unwrap(), Some(300));
    assert_eq!(head.as_ref(), sumdb.signed(&sumdb.head_at(300)));
    let counts = site.totals().counts;
    assert_eq!(
        (counts.modules, counts.versions, counts.zips, counts.records),
        (300, 300, 300, 300)
    );
    let entry = reader.ledger(1).unwrap().unwrap();
    let source = &entry.import().unwrap().source;
    assert_eq!(source.report["zips"], 300);
    assert!(source.manifest.starts_with("modferry bundle v1\n"));
    assert!(!site.store().join("staging").exists());
}

#[test]
fn the_same_bundle_again_is_no_work() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    site.drop_in(&TestBundle::of(&sumdb, &[&modules[0]], &[]));
    assert_eq!(site.import().unwrap()[0].outcome, Outcome::Imported);
    // Not even its entries are read.
    let volume = site.incoming().join("test.000001.v001.tar");
    let bytes = fs::read(&volume).unwrap();
    fs::write(&volume, &bytes[..4096]).unwrap();
    let done = &site.import().unwrap()[0];
    assert_eq!(
        (done.outcome, done.import),
        (Outcome::AlreadyImported, Some(1))
    );
    assert_eq!(site.totals().imports, 1);
}

#[test]
fn a_second_bundle_moves_the_head_and_keeps_the_old_one_provable() {
    let (sumdb, modules) = world(700);
    let site = Site::new(&sumdb);
    let first = TestBundle::at(&sumdb, 300, &[&modules[0], &modules[299]], &[]);
    site.import_one(&first).unwrap();
    let reader = site.reader();
    let second = TestBundle::of(&sumdb, &[&modules[0], &modules[299], &modules[699]], &[300]);
    let done = site.import_one(&second.less(&first, 2)).unwrap();
    let added = done.added.unwrap();
    assert_eq!((added.versions, added.heads), (1, 1));
    assert_eq!(done.checks.unwrap().older_heads, 1);
    assert_eq!(
        reader.head_size(sumdb.db()).unwrap(),
        Some(300),
        "not before it catches up"
    );
    reader.catch_up().unwrap();
    assert_eq!(reader.head_size(sumdb.db()).unwrap(), Some(700));
    for module in [&modules[0], &modules[299], &modules[699]] {
        assert_served(&reader, &sumdb, module);
    }
    // What a client with the old head asks for, at the widths of the new tree.
    for tile in modferry_protocol::sumdb::closure(700, [0, 299, 699], &[300]) {
        let held = reader.tile(sumdb.db(), &tile).unwrap();
        assert_eq!(
            held.map(Vec::from),
            Some(sumdb.tile(&tile)),
            "{}",
            tile.path()
        );
    }
    assert_eq!(reader.heads(sumdb.db()).unwrap().len(), 2);
}

#[test]
fn bundles_of_a_folder_are_taken_in_the_order_of_their_stream() {
    let (sumdb, modules) = world(600);
    let site = Site::new(&sumdb);
    let first = TestBundle::at(&sumdb, 300, &[&modules[0]], &[]);
    let second = TestBundle::of(&sumdb, &[&modules[0], &modules[500]], &[300]).less(&first, 2);
    site.drop_in(&second);
    site.drop_in(&first);
    // Names mean nothing: the manifest's place counts.
    for (from, to) in [("test.000001", "z"), ("test.000002", "a")] {
        for extension in ["manifest", "v001.tar"] {
            let path = |name| site.incoming().join(format!("{name}.{extension}"));
            fs::rename(path(from), path(to)).unwrap();
        }
    }
    let done = site.import().unwrap();
    assert_eq!(
        done.iter().map(|done| done.sequence).collect::<Vec<_>>(),
        [1, 2]
    );
    assert_served(&site.reader(), &sumdb, &modules[500]);
}

#[test]
fn a_gap_is_told_and_is_no_error_by_itself() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let mut bundle = TestBundle::of(&sumdb, &[&modules[0]], &[]);
    bundle.sequence = modferry_protocol::bundle::Sequence::new(4).unwrap();
    let done = site.import_one(&bundle).unwrap();
    assert!(
        done.notes[0].starts_with("bundles 1 to 3 of stream test never came"),
        "{:?}",
        done.notes
    );
    bundle.sequence = modferry_protocol::bundle::Sequence::new(2).unwrap();
    let done = site.import_one(&bundle).unwrap();
    assert!(
        done.notes[0].starts_with("bundle 4 of stream test came here before"),
        "{:?}",
        done.notes
    );
}

#[test]
fn what_a_bundle_builds_on_must_be_held() {
    let (sumdb, modules) = world(600);
    let site = Site::new(&sumdb);
    let first = TestBundle::at(&sumdb, 300, &[&modules[0]], &[]);
    let second = TestBundle::of(&sumdb, &[&modules[0], &modules[1]], &[300]).less(&first, 2);
    let refused = site.import_one(&second).unwrap_err();
    assert_eq!(refused.exit(), Exit::Missing);
    assert_eq!(site.totals(), Totals::default());
    site.import_one(&first).unwrap();
    site.import_one(&second).unwrap();
}

#[test]
fn a_late_bundle_of_an_older_tree_does_not_move_the_head_back() {
    let (sumdb, modules) = world(600);
    let site = Site::new(&sumdb);
    let second = TestBundle::of(&sumdb, &[&modules[0], &modules[1], &modules[500]], &[300]);
    site.import_one(&second).unwrap();
    let mut first = TestBundle::at(&sumdb, 300, &[&modules[0]], &[]);
    first.sequence = modferry_protocol::bundle::Sequence::new(7).unwrap();
    site.import_one(&first).unwrap();
    let reader = site.reader();
    assert_eq!(reader.head_size(sumdb.db()).unwrap(), Some(600));
    for tile in modferry_protocol::sumdb::closure(600, [0, 1, 500], &[300]) {
        assert_eq!(
            reader.tile(sumdb.db(), &tile).unwrap().map(Vec::from),
            Some(sumdb.tile(&tile)),
            "{}",
            tile.path()
        );
    }
}

#[test]
fn verify_says_what_import_would_and_writes_nothing() {
    let (sumdb, modules) = world(600);
    let site = Site::new(&sumdb);
    let first = TestBundle::at(&sumdb, 300, &[&modules[0]], &[]);
    site.drop_in(&first);
    let done = &site.verify().unwrap()[0];
    assert_eq!((done.outcome, done.import), (Outcome::Verified, None));
    assert!(!site.store().join("db").exists());
    site.import().unwrap();
    let second = TestBundle::of(&sumdb, &[&modules[0], &modules[500]], &[300]).less(&first, 2);
    site.drop_in(&second);
    let before = listing(&site.store());
    let done = site.verify().unwrap();
    assert_eq!((done[0].import, done[1].import), (Some(1), None));
    assert_eq!(listing(&site.store()), before);
    assert_eq!(site.totals().imports, 1);
}

fn listing(folder: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        all.push((entry.path(), entry.metadata().unwrap().modified().unwrap()));
        if entry.path().is_dir() {
            all.extend(listing(&entry.path()));
        }
    }
    all.sort();
    all
}

#[test]
fn go_mod_only_versions_are_served_and_never_listed() {
    let (sumdb, modules) = world(5);
    let site = Site::new(&sumdb);
    let mut bundle = TestBundle::of(&sumdb, &[&modules[0], &modules[1]], &[]);
    let only = &modules[1];
    bundle.items.remove(&Item::Zip(only.module.clone()));
    bundle.items.remove(&Item::Info(only.module.clone()));
    site.import_one(&bundle).unwrap();
    let reader = site.reader();
    assert_eq!(
        reader.go_mod(&only.module).unwrap().unwrap().as_ref(),
        only.go_mod
    );
    assert_eq!(
        reader.list(only.module.path()).unwrap().unwrap().as_ref(),
        b""
    );
    assert_eq!(reader.latest(only.module.path()).unwrap(), None);
    // A later bundle completes it.
    let whole = TestBundle::of(&sumdb, &[&modules[0], &modules[1]], &[]).less(&bundle, 2);
    site.import_one(&whole).unwrap();
    reader.catch_up().unwrap();
    assert_served(&reader, &sumdb, only);
    assert_eq!(
        reader.latest(only.module.path()).unwrap().unwrap().as_ref(),
        only.info
    );
}

#[test]
fn a_zip_is_held_once_and_an_info_stays_as_it_was() {
    let (sumdb, mut modules) = world(3);
    let site = Site::new(&sumdb);
    site.import_one(&TestBundle::of(&sumdb, &[&modules[0]], &[]))
        .unwrap();
    let first = modules[0].info.clone();
    modules[0].info = [&first[..first.len() - 1], br#","Origin":{}}"#].concat();
    let mut bundle = TestBundle::of(&sumdb, &[&modules[0]], &[]);
    bundle.sequence = modferry_protocol::bundle::Sequence::new(2).unwrap();
    let done = site.import_one(&bundle).unwrap();
    assert_eq!(done.added.unwrap(), Counts::default());
    assert_eq!(done.kept.as_ref().unwrap().infos, 1);
    let reader = site.reader();
    assert_eq!(
        reader.info(&modules[0].module).unwrap().unwrap().as_ref(),
        first
    );
    assert_eq!(
        reader
            .latest(modules[0].module.path())
            .unwrap()
            .unwrap()
            .as_ref(),
        first
    );
}

/// A client that asks for a narrower tile gets the held one's beginning.
#[test]
fn partial_tiles_are_cut_from_what_is_held() {
    let (sumdb, modules) = world(300);
    let site = Site::new(&sumdb);
    site.import_one(&TestBundle::of(&sumdb, &[&modules[0]], &[]))
        .unwrap();
    let reader = site.reader();
    let full = Tile::new(8, 0, 0, 256).unwrap();
    let part = full.with_width(17).unwrap();
    let held = reader.tile(sumdb.db(), &part).unwrap().unwrap();
    assert_eq!(held.as_ref(), &sumdb.tile(&full)[..17 * 32]);
}
