//! The built command on what bundles made: gc, fsck, receipt and status, by what they print and how they exit.

#![allow(clippy::unwrap_used)]

use modferry_appliance::store::{Reader, Store};
use modferry_checker::testing::{
    TestBundle, TestModule, TestSumdb, TestVulndb, key, vulnerability,
};
use modferry_protocol::bundle::Gone;
use modferry_protocol::note::{SigningKey, VerifierKey};
use modferry_protocol::receipt::Receipt;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// What a command left behind.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    #[track_caller]
    fn is(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.out, self.err
        );
        self
    }

    fn json(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// A store with two bundles of a stream in it; the second gives up one module, and the zip of another.
struct Site {
    dir: TempDir,
    sumdb: TestSumdb,
    modules: Vec<TestModule>,
    signer: SigningKey,
}

impl Site {
    fn new() -> Self {
        let modules: Vec<_> = (0..4).map(TestModule::numbered).collect();
        let mut sumdb = TestSumdb::new("sum.example.com");
        modules.iter().for_each(|module| sumdb.add(module));
        let dir = tempfile::tempdir().unwrap();
        let site = Self {
            dir,
            sumdb,
            modules,
            signer: key("site"),
        };
        let (signer, sumdb) = (site.signer.verifier(), site.sumdb.key().verifier());
        site.run(&["trust", "add", &signer.to_string()]).is(0);
        site.run(&["trust", "add", "--sumdb", &sumdb.to_string()])
            .is(0);
        let first = TestBundle::of(&site.sumdb, &site.modules.iter().collect::<Vec<_>>(), &[]);
        let gone = [(1, Gone::All), (2, Gone::Zip)];
        let gone = gone.map(|(n, gone)| (site.modules[n].module.clone(), gone));
        let second = TestBundle::of(&site.sumdb, &[], &[])
            .less(&first, 2)
            .on(&first);
        let second = second.without(gone);
        for bundle in [first, second] {
            site.import(&bundle).is(0);
        }
        site
    }

    fn import(&self, bundle: &TestBundle) -> Ended {
        let (stream, sequence) = (&bundle.stream, bundle.sequence);
        let folder = self.dir.path().join(format!("bundle-{sequence}"));
        fs::create_dir(&folder).unwrap();
        let sealed = bundle.seal(&[&self.signer]);
        let files = [
            (stream.manifest_file(sequence), &sealed.manifest),
            (stream.volume_file(sequence, 1), &sealed.volume),
        ];
        for (name, bytes) in files {
            fs::write(folder.join(name), bytes).unwrap();
        }
        self.run(&["import", folder.to_str().unwrap()])
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn run(&self, args: &[&str]) -> Ended {
        let output = Command::new(env!("CARGO_BIN_EXE_modferry-appliance"))
            .env_clear()
            .env("TMPDIR", self.dir.path())
            .args(args)
            .arg("--store")
            .arg(self.store())
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        Ended {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn reader(&self) -> Reader {
        let log = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        Reader::open(&self.store(), &log).unwrap()
    }

    fn name(&self, n: usize) -> String {
        self.modules[n].module.to_string()
    }
}

#[test]
fn gc_shows_first_and_removes_only_when_told() {
    let site = Site::new();
    let status = site.run(&["status"]).is(0).out;
    assert!(
        status.contains("gone             2 module versions"),
        "{status}"
    );
    let shown = site.run(&["gc"]).is(2);
    assert!(
        shown.out.contains(&format!("goes: {} (", site.name(1))),
        "{}",
        shown.out
    );
    assert!(
        shown
            .out
            .contains(&format!("goes: the zip of {} (", site.name(2))),
        "{}",
        shown.out
    );
    assert!(
        shown.out.contains("test no longer names it since bundle 2"),
        "{}",
        shown.out
    );
    assert!(
        shown.out.contains("2 module versions: 2 zips ("),
        "{}",
        shown.out
    );
    assert!(
        shown.err.contains("nothing was removed") && shown.err.contains("gc --yes"),
        "{}",
        shown.err
    );
    assert_eq!(site.reader().generation(), 2);

    let lines = site.run(&["gc", "--yes", "--json"]).is(0).json();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        (&lines[0]["goes"], &lines[1]["goes"]),
        (&"all".into(), &"zip".into())
    );
    assert_eq!(lines[1]["streams"]["test"]["names"], "go.mod");
    assert_eq!(
        (&lines[2]["entry"], &lines[2]["removed"]["zips"]),
        (&3.into(), &2.into())
    );
    let reader = site.reader();
    for (n, (has_mod, has_zip)) in [(true, true), (false, false), (true, false), (true, true)]
        .iter()
        .enumerate()
    {
        let module = &site.modules[n].module;
        let held = (
            reader.has_go_mod(module).unwrap(),
            reader.zip(module).unwrap().is_some(),
        );
        assert_eq!(held, (*has_mod, *has_zip), "{module}");
    }
    assert!(site.run(&["gc"]).is(0).out.contains("nothing is gone"));
    let status = site.run(&["status"]).is(0).out;
    assert!(
        status.contains("gc: 1 go.mod file and 2 zips removed"),
        "{status}"
    );
    assert!(!status.contains("gone  "), "{status}");
    site.run(&["fsck"]).is(0);
    // What gc took does not come back by the old bundle, which is in already.
    let old = site.dir.path().join("bundle-1");
    assert!(
        site.run(&["import", old.to_str().unwrap()])
            .is(0)
            .out
            .contains("already imported")
    );
}

#[test]
fn a_vulnerability_database_is_dropped_only_when_told() {
    let site = Site::new();
    let none = site.run(&["gc", "--vulndb"]).is(0).out;
    assert!(none.contains("no vulnerability database is held"), "{none}");
    let bundle = |sequence: u64, time: &str| {
        let mut report = vulnerability("GO-2026-0001", "example.com/m0", &[["0", ""]]);
        report["modified"] = time.into();
        let mut bundle = TestBundle::of(&site.sumdb, &[], &[]);
        bundle.sequence = modferry_protocol::bundle::Sequence::new(sequence).unwrap();
        bundle.with_vulndb(time, &TestVulndb::new(&[report]).texts())
    };
    site.import(&bundle(3, "9999-01-01T00:00:00Z")).is(0);
    // No other one comes in, and it is said what to do.
    let told = site.import(&bundle(4, "2026-11-20T12:00:00Z")).is(0).out;
    assert!(told.contains("not taken, since"), "{told}");
    assert!(told.contains("modferry-appliance gc --vulndb"), "{told}");
    let shown = site.run(&["gc", "--vulndb"]).is(2);
    let want = "goes: the vulnerability database of 9999-01-01T00:00:00Z, which bundle 3 of test brought: 4 documents";
    assert!(shown.out.contains(want), "{shown:?}");
    assert!(shown.err.contains("gc --vulndb --yes"), "{shown:?}");
    assert!(site.reader().vulndb().unwrap().is_some());
    let dropped = site
        .run(&["gc", "--vulndb", "--yes", "--json"])
        .is(0)
        .json();
    assert_eq!(
        dropped,
        [json!({ "dropped_vulndb": "9999-01-01T00:00:00Z", "entry": 5 })]
    );
    assert!(site.reader().vulndb().unwrap().is_none());
    let status = site.run(&["status"]).is(0).out;
    assert!(
        status.contains("the vulnerability database of 9999-01-01T00:00:00Z was dropped"),
        "{status}"
    );
    let told = site.import(&bundle(5, "2026-11-20T12:00:01Z")).is(0).out;
    assert!(told.contains("served from now on"), "{told}");
    site.run(&["fsck"]).is(0);
}

#[test]
fn fsck_says_what_it_proved_and_exits_with_4_where_something_is_wrong() {
    let site = Site::new();
    let status = site.run(&["status", "--json"]).is(0).json().remove(0);
    let head = format!(
        "{} {}",
        status["ledger"]["size"],
        status["ledger"]["root"].as_str().unwrap()
    );
    let sound = site.run(&["fsck", "--ledger-head", &head]).is(0).out;
    assert!(
        sound.contains("nothing is wrong") && sound.contains(&format!("ledger head: {head}")),
        "{sound}"
    );
    assert!(sound.contains("4  zips have their SHA-256"), "{sound}");
    let quick = site
        .run(&["fsck", "--quick", "--json"])
        .is(0)
        .json()
        .remove(0);
    assert_eq!(
        (&quick["quick"], &quick["damaged"]),
        (&true.into(), &0.into())
    );
    site.run(&["fsck", "--ledger-head", "2"]).is(2);

    let other = format!("1 {}", status["ledger"]["root"].as_str().unwrap());
    let rewritten = site
        .run(&["fsck", "--quick", "--ledger-head", &other])
        .is(4);
    assert!(
        rewritten.err.contains("history was rewritten"),
        "{}",
        rewritten.err
    );

    // A byte of a zip, in the file where it lies: RocksDB's checksum finds it, and the rest is checked all the same.
    let zip = &site.modules[3].zip;
    let needle = &zip[zip.len() - 60..zip.len() - 30];
    let mut hit = 0;
    for file in fs::read_dir(site.store().join("db")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes
            .windows(needle.len())
            .position(|window| window == needle);
        if let Some(at) = at.filter(|_| path.extension().is_some_and(|name| name == "sst")) {
            bytes[at + 3] ^= 1;
            fs::write(&path, bytes).unwrap();
            hit += 1;
        }
    }
    assert_eq!(hit, 1);
    let damaged = site.run(&["fsck"]).is(4);
    assert!(
        damaged.err.contains("things are not what they should be"),
        "{}",
        damaged.err
    );
    let err = &damaged.err;
    assert!(
        err.contains("zips cannot all be read") && err.contains("checksum mismatch"),
        "{err}"
    );
    assert!(err.contains(&format!("- zip {}: ", site.name(3))), "{err}");
    assert!(
        damaged.out.contains("4  records are in the newest tree"),
        "{}",
        damaged.out
    );
    site.run(&["fsck", "--quick"]).is(0);

    fs::write(site.store().join("db/CURRENT"), "MANIFEST-999999\n").unwrap();
    assert_ne!(site.run(&["fsck"]).code, 0);
}

#[test]
fn a_receipt_opens_with_the_stores_key_and_says_the_ledgers_head() {
    let site = Site::new();
    let printed = site.run(&["receipt"]).is(0);
    assert!(printed.err.contains("identity.pub"), "{}", printed.err);
    let public = fs::read_to_string(site.store().join("identity.pub")).unwrap();
    let key: VerifierKey = public.trim_end().parse().unwrap();
    let receipt = Receipt::open(printed.out.as_bytes(), std::slice::from_ref(&key)).unwrap();
    assert_eq!(receipt.ledger, site.reader().ledger_head().unwrap());
    assert_eq!(receipt.streams[0].bundles.to_string(), "1-2");
    let out = site.dir.path().join("receipt");
    let told = site.run(&["receipt", "--out", out.to_str().unwrap()]).is(0);
    assert!(
        told.out.contains("ledger head 2 ") && told.err.is_empty(),
        "{}{}",
        told.out,
        told.err
    );
    assert!(Receipt::open(&fs::read(&out).unwrap(), &[key]).is_ok());
    // The secret half is shown nowhere.
    let secret = fs::read_to_string(site.store().join("identity.key")).unwrap();
    assert!(!printed.out.contains(secret.trim()) && !printed.err.contains(secret.trim()));
    // Whoever has the store open does not keep a receipt from being written.
    let _held = Store::open(&site.store(), "test", false).unwrap();
    site.run(&["receipt"]).is(0);
    assert_eq!(site.run(&["gc"]).code, 8);
}

#[test]
fn a_store_may_be_named_from_the_folder_that_one_is_in() {
    let dir = tempfile::tempdir().unwrap();
    let added = Command::new(env!("CARGO_BIN_EXE_modferry-appliance"))
        .current_dir(dir.path())
        .args(["trust", "add", &key("site").verifier().to_string()])
        .args(["--store", "store"])
        .output()
        .unwrap();
    assert!(added.status.success(), "{added:?}");
    assert!(dir.path().join("store/trust/required").is_file());
}
