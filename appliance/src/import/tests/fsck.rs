//! `fsck` on what imports made: sound as it is, and not with any one value changed or gone.

use super::*;
use crate::store::Store;
use crate::store::fsck::{Fsck, IN_MEMORY, Report, parse_head};
use crate::store::{CHUNK, keys};
use modferry_checker::testing::{TestPacking, TestVulndb, vulnerability};
use modferry_protocol::bundle::{
    self, Answer, Basis, Gone, Manifest, Pin, Query, Sequence, StreamName,
};
use modferry_protocol::h1::H1;
use modferry_protocol::note::VerifierKey;
use modferry_protocol::sumdb::TreeHead;

struct Checked {
    site: Site,
    sumdb: VerifierKey,
}

/// The same with a database of one report that was changed last at that time.
fn with_vulndb(bundle: TestBundle, time: &str) -> TestBundle {
    let mut report = vulnerability("GO-2026-0001", "m", &[["0", ""]]);
    report["modified"] = time.into();
    bundle.with_vulndb(time, &TestVulndb::new(&[report]).texts())
}

impl Checked {
    /// A store with two bundles in it, the second one packed and with an answer to a query and a private module, a zip of several chunks, one that is read twice, and a
    /// module that is only there as go.mod.
    fn new() -> Self {
        let noise = |length: usize| -> String {
            let mut seed = 7_u32;
            let mut next = || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(b'a' + (seed >> 24) as u8 % 26)
            };
            (0..length).map(|_| next()).collect()
        };
        let (large, larger) = (noise(2 * CHUNK), noise(2 * IN_MEMORY as usize));
        let modules = [
            TestModule::numbered(0),
            TestModule::new("example.com/large@v1.0.0", &[("x.go", &large)]),
            TestModule::new(
                "example.com/large@v1.1.0-0.20200101000000-abcdefabcdef",
                &[("x.go", &larger)],
            ),
            TestModule::numbered(1),
            TestModule::numbered(2),
        ];
        let mut sumdb = TestSumdb::new("sum.example.com");
        sumdb.pad(300, "before");
        modules[..3].iter().for_each(|module| sumdb.add(module));
        let site = Site::new(&sumdb);
        let first: Vec<_> = modules[..3].iter().collect();
        let first = TestBundle::of(&sumdb, &first, &[]);
        let first = with_vulndb(first, "2026-11-20T12:00:00Z");
        site.import_one(&first).unwrap();
        modules[3..].iter().for_each(|module| sumdb.add(module));
        sumdb.pad(700, "behind");
        let older = [303];
        let mut second = TestBundle::of(&sumdb, &[&modules[3], &modules[4]], &older)
            .less(&first, 2)
            .packed(TestPacking::frames_of(10));
        let only_mod = &modules[4].module;
        second.items.remove(&Item::Zip(only_mod.clone()));
        second.items.remove(&Item::Info(only_mod.clone()));
        let private = TestModule::new("git.corp.test/a@v1.0.0", &[("a.go", "package a\n")]);
        let pin = Pin {
            zip: private.h1,
            go_mod: H1::of_go_mod(&private.go_mod),
        };
        for (item, bytes) in [
            (
                Item::Pin(private.module.clone()),
                pin.encode(&private.module),
            ),
            (Item::Info(private.module.clone()), private.info.clone()),
            (Item::Mod(private.module.clone()), private.go_mod.clone()),
            (Item::Zip(private.module.clone()), private.zip.clone()),
        ] {
            second.items.insert(item, bytes);
        }
        let file = vec![7; CHUNK + 1];
        second
            .items
            .insert(Item::File("tool.tar".parse().unwrap()), file);
        let trust = TrustStore::of(&site.store());
        trust.allow_private("git.corp.test", "site").unwrap();
        let path = modules[0].module.path().clone();
        let query = Query::new(path, "main".parse().unwrap()).unwrap();
        let answer = Answer {
            asked: "2026-11-21T09:00:00Z",
            info: &modules[0].info,
        };
        second.items.insert(Item::Query(query), answer.encode());
        let second = with_vulndb(second, "2026-11-20T12:00:01Z");
        site.import_one(&second).unwrap();
        Self {
            sumdb: sumdb.key().verifier(),
            site,
        }
    }

    fn run(&self, view: &View, ledger_head: Option<TreeHead>, quick: bool) -> Report {
        let scratch = tempfile::tempdir().unwrap();
        let fsck = Fsck {
            view,
            sumdbs: std::slice::from_ref(&self.sumdb),
            ledger_head,
            quick,
            scratch: scratch.path(),
            progress: &NoProgress,
        };
        fsck.run().unwrap()
    }

    fn is_sound(&self) {
        let report = self.run(&self.site.reader(), None, false);
        assert_eq!(report.findings, Vec::<String>::new());
        assert_eq!(report.damaged, 0);
        assert!(report.notes.is_empty());
    }
}

#[test]
fn a_sound_store_passes_each_check_and_says_how_often() {
    let checked = Checked::new();
    checked.is_sound();
    let reader = checked.site.reader();
    let report = checked.run(&reader, Some(reader.ledger_head().unwrap()), false);
    let counts: Vec<_> = report
        .checks
        .iter()
        .map(|check| (check.count, check.what))
        .collect();
    let totals = reader.totals().unwrap().counts;
    assert_eq!(totals.zips, 5);
    assert_eq!(
        counts,
        [
            (2, "entries are in the ledger, and make its tree"),
            (2, "imports are found by their manifests"),
            (1, "older heads of the ledger are continued by it"),
            (2, "tree heads are signed, and continued by the newest one"),
            (totals.tiles, "tiles are in the newest tree"),
            (5, "records are in the newest tree"),
            (1, "files have a place"),
            (1, "pins are of private module versions"),
            (6, "go.mod files have the h1 of their records"),
            (5, "infos are of their versions"),
            (5, "zips' h1 is that of their records"),
            (
                5,
                "modules have the list and the latest version that they should"
            ),
            (6, "claims are of bundles that were imported"),
            (1, "claims on files are of bundles that were imported"),
            (1, "answers to queries name versions that are whole"),
            (1, "answers that are served are those that came last"),
            (
                4,
                "documents of the vulnerability database are those of the newest"
            ),
            (1, "totals are what is held, and what the ledger makes"),
            (
                6,
                "zips have their SHA-256, keep the rules, and have their h1; files have their SHA-256"
            ),
        ]
    );
    let head = reader.ledger_head().unwrap();
    assert_eq!(report.ledger, format!("{} {}", head.size, head.hash));
    assert_eq!(parse_head(&report.ledger), Some(head));
    assert!(report.sound().is_ok());
    // A database whose key is trusted no more: what was not checked is said.
    let report = Fsck {
        view: &reader,
        sumdbs: &[],
        ledger_head: None,
        quick: true,
        scratch: checked.site.dir.path(),
        progress: &NoProgress,
    }
    .run()
    .unwrap();
    assert_eq!(
        (report.damaged, report.notes.len(), report.checks.len()),
        (0, 1, 17)
    );
}

#[test]
fn no_value_can_be_changed_or_taken_away_unseen() {
    let checked = Checked::new();
    let store = Store::open(&checked.site.store(), "test", false).unwrap();
    let db = store.database();
    let all: Vec<(Vec<u8>, Vec<u8>)> = db
        .iterator(rocksdb::IteratorMode::Start)
        .map(|pair| pair.unwrap())
        .map(|(key, value)| (key.into(), value.into()))
        .filter(|(key, _): &(Vec<u8>, Vec<u8>)| key[..] != crate::store::keys::SCHEMA_KEY)
        .collect();
    let kinds: std::collections::BTreeSet<u8> = all.iter().map(|(key, _)| key[0]).collect();
    assert_eq!(kinds.len(), 23, "one of each kind: {kinds:x?}");
    for (key, value) in &all {
        let changes = [
            Some(value[..value.len().saturating_sub(1)].to_vec()),
            value
                .split_first()
                .map(|(first, rest)| [&[first ^ 1], rest].concat()),
            value
                .split_last()
                .map(|(last, rest)| [rest, &[last ^ 1]].concat()),
            None,
        ];
        for (n, changed) in changes.into_iter().enumerate() {
            match &changed {
                Some(changed) if changed == value => continue, // an empty list
                Some(changed) => db.put(key, changed).unwrap(),
                None if n == 3 => db.delete(key).unwrap(),
                None => continue,
            }
            let report = checked.run(&store, None, !matches!(key[0], 0x24 | 0x32 | 0xf0));
            let name = String::from_utf8_lossy(key);
            assert!(report.damaged > 0, "change {n} of {name:?} ({:x})", key[0]);
            db.put(key, value).unwrap();
        }
    }
    assert_eq!(checked.run(&store, None, false).damaged, 0);
    // Nor can anything be added.
    for (mut key, _) in all {
        if let Some(last) = key.last_mut() {
            *last ^= 1;
        }
        if db.get(&key).unwrap().is_some() {
            continue;
        }
        db.put(&key, b"strange").unwrap();
        let report = checked.run(&store, None, !matches!(key[0], 0x24 | 0x32 | 0xf0));
        assert!(
            report.damaged > 0,
            "{:?} added",
            String::from_utf8_lossy(&key)
        );
        db.delete(&key).unwrap();
    }
    assert_eq!(checked.run(&store, None, false).damaged, 0);
}

#[test]
fn what_is_wrong_is_named() {
    let checked = Checked::new();
    let store = Store::open(&checked.site.store(), "test", false).unwrap();
    let db = store.database();
    let large = "example.com/large@v1.0.0".parse().unwrap();
    let zip = store.zip(&large).unwrap().unwrap();
    let chunk = crate::store::keys::chunk(&zip.bundle, zip.number, 1);
    let mut bytes = db.get(chunk).unwrap().unwrap();
    bytes[5] ^= 1;
    db.put(chunk, bytes).unwrap();
    db.put(
        crate::store::keys::go_mod(&large),
        "module example.com/other\n",
    )
    .unwrap();
    let report = checked.run(&store, None, false);
    let findings = report.findings.join("\n");
    assert!(
        findings.contains("zip example.com/large@v1.0.0: its bytes have another SHA-256"),
        "{findings}"
    );
    assert!(
        findings.contains("example.com/large@v1.0.0/go.mod has h1:"),
        "{findings}"
    );
    assert_eq!(report.damaged, 2);
    // Without the zips' bytes only the other is seen, and that they were left out is said.
    let quick = checked.run(&store, None, true);
    assert_eq!((quick.damaged, quick.quick), (1, true));
    let damaged = quick.sound().unwrap_err();
    assert_eq!(damaged.exit(), Exit::Damaged);
    assert_eq!(damaged.details().len(), 1);
    assert!(damaged.advice().unwrap().contains("backup"));
}

#[test]
fn the_vulnerability_database_is_the_newest_and_each_document_its_own() {
    let checked = Checked::new();
    let store = Store::open(&checked.site.store(), "test", false).unwrap();
    let db = store.database();
    let key = |name: &str, gzip| crate::store::keys::document(&name.parse().unwrap(), gzip);
    let findings = || checked.run(&store, None, true).findings;
    let (report, packed) = (key("ID/GO-2026-0001", false), key("ID/GO-2026-0001", true));
    let own = db.get(&packed).unwrap().unwrap();
    let json = db.get(&report).unwrap().unwrap();
    // Another document's, sound by itself.
    let other = db.get(key("index/db", true)).unwrap().unwrap();
    db.put(&packed, &other).unwrap();
    let another = "ID/GO-2026-0001 is another document in its compressed form";
    assert_eq!(findings(), [another]);
    // Something behind it, which some readers would take for more of it.
    db.put(&packed, [&own[..], &own[..]].concat()).unwrap();
    assert_eq!(findings(), [another]);
    db.delete(&packed).unwrap();
    assert_eq!(
        findings(),
        ["ID/GO-2026-0001 is not there in its compressed form"]
    );
    db.put(&packed, &own).unwrap();
    db.delete(&report).unwrap();
    assert_eq!(findings().len(), 2, "{:?}", findings());
    db.put(&report, &json).unwrap();
    assert!(findings().is_empty());
    // The very bytes of the older one's description, where only its place in history tells them apart.
    let described = db.get(crate::store::keys::VULNDB_KEY).unwrap().unwrap();
    let earlier = String::from_utf8(described).unwrap();
    let earlier = earlier.replace("\"entry\":2", "\"entry\":1");
    db.put(crate::store::keys::VULNDB_KEY, &earlier).unwrap();
    assert_eq!(
        findings(),
        ["the vulnerability database is not the newest that was imported"]
    );
}

#[test]
fn a_head_that_was_written_down_shows_whether_history_was_rewritten() {
    let checked = Checked::new();
    let store = Store::open(&checked.site.store(), "test", false).unwrap();
    let then = TreeHead {
        size: 1,
        hash: store.ledger_root(1).unwrap(),
    };
    let now = store.ledger_head().unwrap();
    for head in [
        then,
        now,
        TreeHead {
            size: 0,
            hash: modferry_protocol::sumdb::Hash::EMPTY_TREE,
        },
    ] {
        assert_eq!(checked.run(&store, Some(head), true).damaged, 0);
    }
    let told = |head| checked.run(&store, Some(head), true).findings.join("\n");
    let other = TreeHead {
        hash: now.hash,
        ..then
    };
    assert!(told(other).contains("history was rewritten: the ledger's first 1 entries"));
    let longer = TreeHead { size: 3, ..now };
    assert!(
        told(longer).contains("history was rewritten: the ledger has 2 entries, and once had 3")
    );
    for bad in [
        "",
        "2",
        "2 x",
        "x y",
        "-1 CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
    ] {
        assert_eq!(parse_head(bad), None, "{bad}");
    }
}

#[test]
fn it_is_sound_after_gc_and_after_what_goes_into_the_ledger_alone() {
    let checked = Checked::new();
    let store = Store::open(&checked.site.store(), "test", false).unwrap();
    let event = crate::store::Event::Acknowledge(crate::store::Acknowledgement {
        evidence: "none".into(),
        reason: None,
    });
    store.record(event).unwrap();
    // Given up by hand, as a bundle's tombstones would do it.
    let first = Sequence::FIRST;
    let manifest = Manifest {
        stream: StreamName::new("test").unwrap(),
        sequence: Sequence::new(3).unwrap(),
        created: "2026-11-21T09:00:00Z".into(),
        basis: Basis::Bundle {
            sequence: first,
            manifest_sha256: [1; 32],
        },
        needs: 0,
        bases: 0,
        tombstones: 2,
        heads: Vec::new(),
        vulndb: None,
        totals: bundle::Totals::default(),
        deflated: bundle::DeflatedTotals::default(),
        index: bundle::Digest {
            size: 18,
            sha256: [0; 32],
        },
        missing: Vec::new(),
    };
    let text = manifest.encode();
    assert_eq!(Manifest::parse(&text).unwrap(), manifest);
    let mut draft = store.draft(&manifest.sha256()).unwrap();
    draft
        .gone(&"example.com/large@v1.0.0".parse().unwrap(), Gone::All)
        .unwrap();
    draft
        .gone(&TestModule::numbered(0).module, Gone::Zip)
        .unwrap();
    let source = crate::store::Source {
        stream: "test".into(),
        sequence: 3,
        manifest: format!("{text}\n\u{2014} nobody AAAA\n"),
        ..crate::store::Source::default()
    };
    draft.commit(source).unwrap();
    assert_eq!(store.totals().unwrap().gone, 2);
    assert_eq!(
        checked.run(&store, None, false).findings,
        Vec::<String>::new()
    );
    let gone = store.find_gone(|_| Ok(())).unwrap();
    assert_eq!(gone.versions(), 2);
    gone.commit().unwrap();
    assert_eq!(
        checked.run(&store, None, false).findings,
        Vec::<String>::new()
    );
    store.drop_vulndb().unwrap().unwrap();
    assert_eq!(
        checked.run(&store, None, false).findings,
        Vec::<String>::new()
    );
    store.reclaim().unwrap();
    drop(store);
    checked.is_sound();
}

#[test]
fn a_file_without_claims_is_sound_only_in_a_store_of_a_schema_before() {
    let checked = Checked::new();
    let session = Session::begin(&checked.site.store(), false).unwrap();
    let (store, db) = (&session.store, session.store.database());
    let tool = "tool.tar".parse().unwrap();
    for (stream, _) in store.file_claims(&tool).unwrap() {
        db.delete(keys::file_claim(&tool, &stream)).unwrap();
    }
    let findings = || checked.run(store, None, true).findings;
    assert_eq!(findings(), ["no stream ever named the file tool.tar"]);
    // The next import makes them.
    db.put(keys::SCHEMA_KEY, "modferry store 4").unwrap();
    assert_eq!(findings(), Vec::<String>::new());
}
