//! Bundles into a store, from end to end.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::store::Totals;
use crate::trust::Kind;
use modferry_checker::NoProgress;
use modferry_checker::testing::{Sealed, TestBundle, TestModule, TestSumdb, key};
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::Item;
use modferry_protocol::note::SigningKey;
use modferry_protocol::sumdb::Tile;
use std::fs;
use tempfile::TempDir;

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
        find(&[self.incoming()], session.policy())?
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
    assert_eq!(entry.source.report["zips"], 300);
    assert!(entry.source.manifest.starts_with("modferry bundle v1\n"));
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
fn a_fork_is_refused_and_both_heads_are_kept() {
    let (base, modules) = world(100);
    let (mut sumdb, mut forked) = (base.clone(), base);
    sumdb.pad(200, "what one is shown");
    let site = Site::new(&sumdb);
    site.import_one(&TestBundle::of(&sumdb, &[&modules[0]], &[]))
        .unwrap();
    let before = site.totals();

    forked.pad(300, "what another is shown");
    let other = [TestModule::numbered(1000)];
    forked.add(&other[0]);
    let bundle = TestBundle::of(&forked, &[&other[0]], &[300]);
    let refused = site.import_one(&bundle).unwrap_err();
    assert_eq!(refused.exit(), Exit::Sumdb);
    let ImportError::Refused {
        evidence: Some(evidence),
        source,
        ..
    } = &refused
    else {
        panic!("{refused:?}")
    };
    assert!(matches!(**source, CheckError::Fork { .. }), "{source}");
    assert!(
        refused
            .advice()
            .unwrap()
            .contains(&evidence.display().to_string())
    );
    assert_eq!(
        fs::read(evidence.join("held.note")).unwrap(),
        sumdb.signed(&sumdb.head_at(300))
    );
    assert_eq!(
        fs::read(evidence.join("offered.note")).unwrap(),
        forked.signed(&forked.head_at(forked.size()))
    );
    assert_eq!(site.totals(), before);
    assert_eq!(site.reader().head_size(sumdb.db()).unwrap(), Some(300));
}

#[test]
fn a_damaged_bundle_changes_nothing_and_is_named() {
    let (sumdb, modules) = world(40);
    let site = Site::new(&sumdb);
    site.import_one(&TestBundle::at(&sumdb, 10, &[&modules[0]], &[]))
        .unwrap();
    let before = site.totals();
    let all: Vec<_> = modules.iter().collect();
    let mut bundle = TestBundle::of(&sumdb, &all, &[10]);
    bundle.sequence = modferry_protocol::bundle::Sequence::new(2).unwrap();
    fs::remove_dir_all(site.incoming()).unwrap();
    fs::create_dir(site.incoming()).unwrap();
    let sealed = site.drop_in(&bundle);
    let volume = site.incoming().join("test.000002.v001.tar");
    let last = sealed.volume.len() - 1024 - 512 - 10;
    for at in [sealed.volume.len() / 2, last] {
        let mut bytes = sealed.volume.clone();
        bytes[at] ^= 1;
        fs::write(&volume, &bytes).unwrap();
        for refused in [site.import().unwrap_err(), site.verify().unwrap_err()] {
            assert_eq!(refused.exit(), Exit::Damaged);
            let ImportError::Refused { source, .. } = &refused else {
                panic!()
            };
            assert!(
                source.to_string().contains("test.000002.v001.tar: entry"),
                "{source}"
            );
        }
        fs::write(&volume, &sealed.volume[..at]).unwrap();
        assert_eq!(site.import().unwrap_err().exit(), Exit::Damaged);
    }
    assert_eq!(site.totals(), before);
    fs::write(&volume, &sealed.volume).unwrap();
    site.import().unwrap();
    assert_eq!(site.totals().counts.versions, 40);
}

#[test]
fn without_a_key_or_with_another_nothing_is_read() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let bundle = TestBundle::of(&sumdb, &[&modules[0]], &[]);
    site.drop_in(&bundle);
    let trust = TrustStore::of(&site.store());
    trust.remove("site").unwrap();
    let refused = site.import().unwrap_err();
    assert_eq!(refused.exit(), Exit::Untrusted);
    assert!(refused.advice().unwrap().contains("trust add"));
    assert!(
        !site.store().join("db").exists(),
        "no store is made for nobody"
    );
    trust
        .add(Kind::Bundle, &key("site").verifier().to_string())
        .unwrap();
    assert_eq!(site.import().unwrap_err().exit(), Exit::Untrusted);
    assert_eq!(site.verify().unwrap_err().exit(), Exit::Untrusted);
    assert_eq!(site.totals(), Totals::default());
}

#[test]
fn signatures_of_the_sidecar_count() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let second = key("second");
    let trust = TrustStore::of(&site.store());
    trust
        .add(Kind::Bundle, &second.verifier().to_string())
        .unwrap();
    trust.require(2).unwrap();
    let sealed = site.drop_in(&TestBundle::of(&sumdb, &[&modules[0]], &[]));
    assert_eq!(site.import().unwrap_err().exit(), Exit::Untrusted);
    let both = modferry_protocol::note::add_signature(&sealed.manifest, &second).unwrap();
    fs::write(site.incoming().join("test.000001.manifest"), both).unwrap();
    let done = &site.import().unwrap()[0];
    assert_eq!(done.checks.as_ref().unwrap().signers.len(), 2);
    let ledger = site.reader().ledger(1).unwrap().unwrap();
    assert!(ledger.source.manifest.contains("second"));
}

#[test]
fn a_sidecar_of_another_bundle_is_refused() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let other = TestBundle::of(&sumdb, &[&modules[1]], &[]).seal(&[&site.key]);
    site.drop_in(&TestBundle::of(&sumdb, &[&modules[0]], &[]));
    fs::write(site.incoming().join("test.000001.manifest"), other.manifest).unwrap();
    assert_eq!(site.import().unwrap_err().exit(), Exit::Damaged);
}

#[test]
fn a_lost_sidecar_is_no_loss_and_a_lost_volume_is() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    site.drop_in(&TestBundle::of(&sumdb, &[&modules[0]], &[]));
    let manifest = site.incoming().join("test.000001.manifest");
    let volume = site.incoming().join("test.000001.v001.tar");
    let aside = site.dir.path().join("aside");
    fs::rename(&volume, &aside).unwrap();
    let refused = site.import().unwrap_err();
    assert!(matches!(refused, ImportError::NoVolume { .. }));
    assert_eq!(refused.exit(), Exit::Missing);
    fs::rename(&aside, &volume).unwrap();
    fs::remove_file(manifest).unwrap();
    site.import().unwrap();
    fs::remove_file(&volume).unwrap();
    assert!(matches!(site.import(), Err(ImportError::Nothing { .. })));
    fs::write(&volume, b"").unwrap();
    fs::write(site.incoming().join("test.000001.v002.tar"), b"").unwrap();
    assert!(matches!(site.import(), Err(ImportError::Volumes { .. })));
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

#[test]
fn no_room_is_said_before_anything_is_written() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let mut bundle = TestBundle::of(&sumdb, &[&modules[0]], &[]);
    let entries = bundle.entries();
    let listed: Vec<_> = entries.into_iter().map(|(entry, _)| entry).collect();
    let mut manifest = bundle.manifest(&listed, b"");
    manifest.totals.zip_bytes = 1 << 60;
    manifest.totals.carried_bytes = (1 << 60) + 5;
    let need = needed(&manifest);
    assert!(need > 1 << 60);
    let refused = room::check(&site.store(), "b", &manifest).unwrap_err();
    assert_eq!(refused.exit(), Exit::NoRoom);
    assert!(
        refused.to_string().contains("1152 PB") || refused.to_string().contains("b needs about")
    );
    manifest.totals.zip_bytes = u64::MAX;
    manifest.totals.tiles = u64::MAX;
    assert_eq!(needed(&manifest), u64::MAX, "no overflow");
    bundle.missing.clear();
}

#[test]
fn an_import_in_the_way_is_named() {
    let (sumdb, _) = world(3);
    let site = Site::new(&sumdb);
    let _session = Session::begin(&site.store(), false).unwrap();
    let refused = Session::begin(&site.store(), false).err().unwrap();
    assert_eq!(refused.exit(), Exit::InUse);
    assert!(
        refused
            .to_string()
            .contains(&format!("pid {}", std::process::id())),
        "{refused}"
    );
}

#[test]
fn the_spool_sorts_what_is_dropped() {
    let (sumdb, modules) = world(600);
    let site = Site::new(&sumdb);
    let spool = site.dir.path().join("spool");
    let incoming = spool.join("incoming");
    fs::create_dir_all(&incoming).unwrap();
    let first = TestBundle::at(&sumdb, 300, &[&modules[0]], &[]);
    let second = TestBundle::of(&sumdb, &[&modules[0], &modules[500]], &[300]).less(&first, 2);
    let mut copying = TestBundle::of(&sumdb, &[&modules[3]], &[300]);
    copying.sequence = modferry_protocol::bundle::Sequence::new(3).unwrap();
    site.drop_into(&incoming, &second);
    site.drop_into(&incoming, &first);
    let sealed = site.drop_into(&incoming, &copying);
    let volume = incoming.join("test.000003.v001.tar");
    fs::write(&volume, &sealed.volume[..sealed.volume.len() - 512]).unwrap();
    // One that nobody trusted signed, and one whose bytes are wrong.
    let mut foreign = first.clone();
    foreign.stream = "foreign".parse().unwrap();
    let foreign_site = Site {
        dir: tempfile::tempdir().unwrap(),
        key: key("site"),
    };
    foreign_site.drop_into(&incoming, &foreign);
    let mut wrong = first.clone();
    wrong.stream = "wrong".parse().unwrap();
    let mut bytes = site.drop_into(&incoming, &wrong).volume;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(incoming.join("wrong.000001.v001.tar"), bytes).unwrap();
    fs::write(incoming.join("README"), b"not a bundle").unwrap();

    let run = || {
        let session = Session::begin(&site.store(), false).unwrap();
        let mut told = Vec::new();
        spool::run(&session, &spool, &NoProgress, |spooled| {
            told.push(spool::report_text(spooled))
        })
        .unwrap();
        told.sort();
        told
    };
    let told = run();
    assert_eq!(told.len(), 5, "{told:#?}");
    assert!(
        told[0].starts_with("foreign.000001: refused: "),
        "{told:#?}"
    );
    assert!(
        told[1].starts_with("test.000001.v001.tar: imported"),
        "{told:#?}"
    );
    assert!(
        told[2].starts_with("test.000002.v001.tar: imported"),
        "{told:#?}"
    );
    assert!(told[3].starts_with("test.000003: waiting: "), "{told:#?}");
    assert!(told[4].starts_with("wrong.000001: refused: "), "{told:#?}");
    let names = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(spool.join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names("incoming"),
        ["README", "test.000003.manifest", "test.000003.v001.tar"]
    );
    assert_eq!(names("done").len(), 2 * 4);
    assert_eq!(
        names("refused")[..4],
        [
            "foreign.000001.manifest",
            "foreign.000001.report.json",
            "foreign.000001.report.txt",
            "foreign.000001.v001.tar"
        ]
    );
    let report = fs::read(spool.join("refused/wrong.000001.report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(
        (report["spool"].as_str(), report["exit"].as_u64()),
        (Some("refused"), Some(4))
    );

    fs::write(&volume, &sealed.volume).unwrap(); // the copy is done
    let told = run();
    assert!(
        told[0].starts_with("test.000003.v001.tar: imported"),
        "{told:#?}"
    );
    assert_eq!(site.totals().imports, 3);
}

#[test]
fn the_spool_keeps_bundles_when_the_fault_is_not_theirs() {
    let (sumdb, modules) = world(3);
    let site = Site::new(&sumdb);
    let spool = site.dir.path().join("spool");
    fs::create_dir_all(spool.join("incoming")).unwrap();
    site.drop_into(
        &spool.join("incoming"),
        &TestBundle::of(&sumdb, &[&modules[0]], &[]),
    );
    let _held = Session::begin(&site.store(), false).unwrap();
    assert!(Session::begin(&site.store(), false).is_err());
    assert_eq!(fs::read_dir(spool.join("incoming")).unwrap().count(), 2);
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
