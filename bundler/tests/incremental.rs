//! Exports that go on from what the destination holds, and whether it can use them: each is taken in as an import
//! would, by the checks that it makes, on top of what was taken in before.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::path::PathBuf;

use common::{DB, Done, World, module, version, write};
use modferry_checker::testing::{TestModule, policy};
use modferry_checker::{CheckError, MemoryStage, NoProgress, Report};
use modferry_protocol::bundle::{Basis, ListKind as _, Manifest, OneVolume, Sequence};
use modferry_protocol::note::{SigningKey, sign};
use modferry_protocol::receipt::{Receipt, ReceiptStream, ReceiptTotals};
use modferry_protocol::sumdb::{Hash, TreeHead};

const GRAPH: &str = "
    m.test/a@v1.0.0 -> m.test/b@v1.0.0
    m.test/b@v1.0.0 ->
    m.test/c@v1.0.0 ->
    m.test/d@v1.0.0 -> m.test/c@v1.0.0
";

const A: &str = "m.test/a@v1.0.0";
const B: &str = "m.test/b@v1.0.0";
const C: &str = "m.test/c@v1.0.0";
const D: &str = "m.test/d@v1.0.0";

/// The other side: what it holds, and what it checks.
struct Isolated {
    stage: MemoryStage,
    policy: modferry_protocol::trust::Policy,
    /// The last import's: `mod m.test/a@v1.0.0`.
    needs: Vec<String>,
    /// The last import's: `all m.test/a@v1.0.0`.
    gone: Vec<String>,
}

impl Isolated {
    fn new(world: &World) -> Isolated {
        let key = fs::read_to_string(world.path("site.key")).unwrap();
        let key: SigningKey = key.trim().parse().unwrap();
        Isolated {
            stage: MemoryStage::new(),
            policy: policy(&[&key], &[&world.sumdb]),
            needs: Vec::new(),
            gone: Vec::new(),
        }
    }

    fn try_import(&mut self, world: &World, sequence: u64) -> Result<Report, CheckError> {
        let volume = OneVolume::new(File::open(file(world, sequence, "v001.tar")).unwrap());
        let sidecar = fs::read(file(world, sequence, "manifest")).unwrap();
        let checked = modferry_checker::check(
            volume,
            Some(&sidecar),
            &self.policy,
            &mut self.stage,
            &NoProgress,
        );
        let needs = self.stage.needs().iter();
        self.needs = needs
            .map(|(m, level)| format!("{} {m}", level.word()))
            .collect();
        let gone = self.stage.tombstones().iter();
        self.gone = gone
            .map(|(m, gone)| format!("{} {m}", gone.word()))
            .collect();
        match &checked {
            Ok(report) => self.stage.commit(report.served.clone()),
            Err(_) => self.stage.discard(),
        }
        checked
    }

    #[track_caller]
    fn import(&mut self, world: &World, sequence: u64) -> Report {
        self.try_import(world, sequence).unwrap()
    }

    /// What an import of it lacks.
    #[track_caller]
    fn lacks(&mut self, world: &World, sequence: u64) -> Vec<String> {
        match self.try_import(world, sequence) {
            Err(CheckError::Missing { what, .. }) => what,
            other => panic!("{other:?}"),
        }
    }
}

fn file(world: &World, sequence: u64, kind: &str) -> PathBuf {
    world
        .path("out")
        .join(format!("default.{sequence:06}.{kind}"))
}

fn manifest(world: &World, sequence: u64) -> Manifest {
    let note = fs::read_to_string(file(world, sequence, "manifest")).unwrap();
    let (text, _) = note.split_once("\n\n").unwrap();
    Manifest::parse(&format!("{text}\n")).unwrap()
}

/// What a bundle carries of modules and of the checksum database: `zip a mod a info a record a`, tiles counted.
fn carried(world: &World, sequence: u64) -> String {
    let bundle = file(world, sequence, "manifest");
    let mut words = Vec::new();
    let mut tiles = 0;
    for item in world.items(bundle.to_str().unwrap()) {
        match item.split_once(' ') {
            Some(("tile", _)) => tiles += 1,
            Some(("head", _)) => {}
            Some((kind, rest)) => words.push(format!("{kind} {}", rest.replace(DB, "").trim())),
            None => panic!("{item}"),
        }
    }
    words.push(format!("{tiles} tiles"));
    words
        .join(", ")
        .replace("m.test/", "")
        .replace("@v1.0.0", "")
}

fn basis(world: &World, sequence: u64) -> String {
    match manifest(world, sequence).basis {
        Basis::None => "none".into(),
        Basis::Bundle {
            sequence,
            manifest_sha256,
        } => {
            assert_eq!(manifest(world, sequence.get()).sha256(), manifest_sha256);
            sequence.to_string()
        }
    }
}

fn plan(world: &World, args: &[&str]) -> serde_json::Value {
    let done = world
        .run(&[&["plan", "--json", "--quiet"], args].concat())
        .ok();
    serde_json::from_str(&done.stdout).unwrap()
}

#[test]
fn an_export_carries_what_is_new_and_needs_the_rest() {
    let world = World::of(GRAPH);
    let mut isolated = Isolated::new(&world);
    world.export(&[A]).ok();
    isolated.import(&world, 1);

    let planned = plan(&world, &[A, D]);
    assert_eq!(
        (&planned["new_modules"], &planned["modules"]),
        (&2.into(), &4.into())
    );
    assert_eq!(planned["arrived"], "1");
    let bytes: u64 = [C, D]
        .map(|m| fs::metadata(world.file(&version(m), "zip")).unwrap().len())
        .iter()
        .sum();
    assert_eq!(planned["new_zip_bytes"], bytes);

    let done = world.export(&[A, D]).ok();
    assert!(
        done.stdout.contains("exported default 2: 2 modules"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains("what was exported so far (bundle 1)"),
        "{}",
        done.stdout
    );
    assert_eq!(
        carried(&world, 2),
        "needs 1, record c, record d, info c, info d, mod c, mod d, contents 1, zip c, zip d, 0 tiles"
    );
    let second = manifest(&world, 2);
    assert_eq!((second.needs, second.tombstones), (2, 0));
    assert_eq!(basis(&world, 2), "1");
    // Without the first it is of no use, and says why before any zip.
    let mut empty = Isolated::new(&world);
    let lacks = empty.lacks(&world, 2).join(" ");
    for needed in [A, B] {
        assert!(lacks.contains(needed), "{lacks}");
    }
    let report = isolated.import(&world, 2);
    assert_eq!((report.needs, report.zips), (2, 2));
}

#[test]
fn a_stream_is_verified_bundle_after_bundle() {
    let mut world = World::of(GRAPH);
    world.sumdb.pad(300, "one");
    world.publish();
    world.export(&[A]).ok();
    world.sumdb.pad(1000, "two");
    world.publish();
    world.export(&[A, D]).ok();
    world.sumdb.pad(70_000, "three");
    world.publish();
    world.export(&[A, D]).ok();
    let done = world.run(&["verify", "out", "--pub", "site.pub"]).ok();
    for words in [
        "bundle default 1 ",
        "bundle default 2 ",
        "bundle default 3 ",
    ] {
        assert!(done.stdout.contains(words), "{}", done.stdout);
    }
    // By itself, or without the one between, not all of it can be proven here, and that is said.
    let unproven = "that takes what the bundle builds on";
    assert!(!done.stdout.contains(unproven), "{}", done.stdout);
    for bundle in ["000002", "000003"] {
        let name = format!("out/default.{bundle}.manifest");
        let done = world.run(&["verify", &name, "--pub", "site.pub"]).ok();
        assert!(done.stdout.contains(unproven), "{}", done.stdout);
    }
    for kind in ["manifest", "v001.tar"] {
        fs::remove_file(file(&world, 2, kind)).unwrap();
    }
    let done = world.run(&["verify", "out", "--pub", "site.pub"]).ok();
    assert!(done.stdout.contains(unproven), "{}", done.stdout);
}

#[test]
fn where_nothing_is_new_nothing_is_written() {
    let mut world = World::of(GRAPH);
    let mut isolated = Isolated::new(&world);
    world.export(&[A]).ok();
    isolated.import(&world, 1);
    let before = world.out();
    assert_eq!(plan(&world, &[A])["nothing_new"], true);
    let done = world.export(&[A]).ok();
    assert!(
        done.stdout.contains(
            "nothing new in default: the destination holds all that is selected, 2 module versions"
        ),
        "{}",
        done.stdout
    );
    // Part of it is nothing new either.
    world.export(&[B]).ok();
    assert_eq!(world.out(), before);
    assert_eq!(plan(&world, &[A])["sequence"], 2);

    // A wider tree is: its head, and the tiles that have grown.
    world.sumdb.pad(300, "more");
    world.publish();
    assert_eq!(plan(&world, &[A])["nothing_new"], false);
    world.export(&[A]).ok();
    assert_eq!(carried(&world, 2), "needs 1, 3 tiles");
    let report = isolated.import(&world, 2);
    assert_eq!((report.needs, report.older_heads), (2, 1));
    let size = world.sumdb.size();
    assert_eq!(report.served[0].1.size, size);
    // And a tree that grew within its last tiles: those again, at their new width.
    world.sumdb.pad(3, "few");
    world.publish();
    world.export(&[A]).ok();
    assert_eq!(carried(&world, 3), "needs 1, 1 tiles");
    isolated.import(&world, 3);
}

#[test]
fn a_module_that_grows_from_its_go_mod_to_all_of_it() {
    let mut world = World::of("m.test/a@v1.0.0 go1.17 -> m.test/b@v1.0.0\nm.test/b@v1.0.0 ->");
    world.add(&module("m.test/old@v1.0.0", None, &["m.test/b@v0.9.0"]));
    world.add(&module("m.test/b@v0.9.0", None, &[]));
    world.publish();
    let mut isolated = Isolated::new(&world);
    // b v0.9.0 is in the graph of old and a together, and not selected.
    write(
        &world.path("app/go.mod"),
        b"module app\ngo 1.21\nrequire m.test/a v1.0.0\nrequire m.test/old v1.0.0\n",
    );
    world.export(&["--go-mod", "app/go.mod"]).ok();
    isolated.import(&world, 1);
    let first = carried(&world, 1);
    assert!(
        first.contains("mod b@v0.9.0") && !first.contains("zip b@v0.9.0"),
        "{first}"
    );
    world.export(&["m.test/b@v0.9.0"]).ok();
    assert_eq!(
        carried(&world, 2),
        "needs 1, bases 1, info b@v0.9.0, zip b@v0.9.0, 0 tiles"
    );
    let report = isolated.import(&world, 2);
    assert_eq!((report.needs, report.zips), (1, 1));
    assert_eq!(isolated.needs, ["mod m.test/b@v0.9.0"]);
}

#[test]
fn a_lost_bundle_is_made_up_for() {
    let world = World::of(GRAPH);
    let mut isolated = Isolated::new(&world);
    world.export(&[B]).ok();
    isolated.import(&world, 1);
    world.export(&[A]).ok();
    world.export(&[C]).ok();
    world.export(&[A, D]).ok();
    // Bundle 2 is lost. 3 needs nothing of it, and is fine; 4 needs a.
    isolated.import(&world, 3);
    assert_eq!(isolated.lacks(&world, 4), [format!("zip {A}")]);
    let planned = plan(&world, &["--cumulative-from", "2", D]);
    assert_eq!(planned["arrived"], "1");
    let done = world.export(&["--cumulative-from", "2", D]).ok();
    assert!(
        done.stdout
            .contains("what bundles 2 and later carried is carried again"),
        "{}",
        done.stdout
    );
    assert_eq!(basis(&world, 5), "1");
    assert_eq!(
        world.carried("out/default.000005.manifest", "zip"),
        format!("{A} {C} {D}")
    );
    isolated.import(&world, 5);
    // The stream goes on from there, with or without what was lost.
    let done = world.export(&[A, D]).ok();
    assert!(done.stdout.contains("nothing new"), "{}", done.stdout);
    assert!(done.stdout.contains("bundles 1,5"), "{}", done.stdout);
    isolated.import(&world, 4);
    world
        .export(&["--cumulative-from", "6", A])
        .exits(2)
        .says("does not know bundle 6");
}

#[test]
fn the_cure_needs_no_selection() {
    let world = World::of(GRAPH);
    world
        .export(&["--basis", "none"])
        .exits(2)
        .says("nothing to export: name modules");
    world.export(&[A]).ok();
    world.export(&[C]).ok();
    let done = world.export(&["--basis", "none"]).ok();
    assert!(done.stdout.contains("nothing is named"), "{}", done.stdout);
    assert_eq!(basis(&world, 3), "none");
    assert_eq!(
        world.carried("out/default.000003.manifest", "zip"),
        format!("{A} {B} {C}")
    );
    Isolated::new(&world).import(&world, 3);
    // Bundle 2 of another stream's life: only what it carried, and all of the rest is needed.
    world.export(&["--cumulative-from", "2"]).ok();
    assert_eq!(basis(&world, 4), "1");
    assert_eq!(world.carried("out/default.000004.manifest", "zip"), C);
    assert_eq!(manifest(&world, 4).needs, 2);
    world
        .export(&["--prune"])
        .exits(2)
        .says("--prune takes back what is not selected, and nothing is");
}

#[test]
fn what_is_selected_no_more_is_taken_back_when_asked_to() {
    let world = World::of(GRAPH);
    let mut isolated = Isolated::new(&world);
    world.export(&[A, D]).ok();
    isolated.import(&world, 1);
    // Without being asked to, nothing is.
    let done = world.export(&[D]).ok();
    assert!(done.stdout.contains("nothing new"), "{}", done.stdout);

    let planned = plan(&world, &[D, "--prune"]);
    assert_eq!(
        planned["tombstones"],
        serde_json::json!({ A: "all", B: "all" })
    );
    assert_eq!(planned["nothing_new"], false);
    let done = world.export(&[D, "--prune"]).ok();
    assert!(done.stdout.contains("2 are taken back"), "{}", done.stdout);
    assert_eq!(carried(&world, 2), "needs 1, tombstones 1, 0 tiles");
    let report = isolated.import(&world, 2);
    assert_eq!(isolated.gone, [format!("all {A}"), format!("all {B}")]);
    assert_eq!(isolated.needs, [format!("zip {C}"), format!("zip {D}")]);
    assert_eq!((report.needs, report.tombstones), (2, 2));
    // Once is enough.
    let done = world.export(&[D, "--prune"]).ok();
    assert!(done.stdout.contains("nothing new"), "{}", done.stdout);
    // Selected again it is carried again: it may have been removed.
    world.export(&[B, D, "--prune"]).ok();
    assert_eq!(world.carried("out/default.000003.manifest", "zip"), B);
    let report = isolated.import(&world, 3);
    assert_eq!((report.needs, report.tombstones), (2, 0));
    // Where the bundle with the tombstones is lost, they are said again.
    let done = world.export(&[B, D, "--cumulative-from", "2"]).ok();
    assert!(done.stdout.contains("1 is taken back"), "{}", done.stdout);
    isolated.import(&world, 4);
    assert_eq!(isolated.gone, [format!("all {A}")]);
    // What builds on nothing takes nothing back.
    world.export(&[D, "--prune", "--basis", "none"]).ok();
    assert_eq!(manifest(&world, 5).tombstones, 0);
}

#[test]
fn a_plan_tells_of_files_that_are_taken_back() {
    let world = World::of(GRAPH);
    for name in ["a.pem", "b.pem"] {
        common::write(&world.path(name), name.as_bytes());
    }
    let name = |names: &str| common::write(&world.path("modferry.yaml"), names.as_bytes());
    let args = [D, "--config", "modferry.yaml", "--prune"];
    name("files: [{name: a.pem, path: a.pem}, {name: b.pem, path: b.pem}]\n");
    world.export(&args).ok();
    let told = world.run(&[&["plan"], &args[..]].concat()).ok();
    told.tells("an export would find nothing new in default");
    name("files: [{name: a.pem, path: a.pem}]\n");
    let planned = plan(&world, &args);
    assert_eq!(planned["gone_files"], serde_json::json!(["b.pem"]));
    assert_eq!(planned["nothing_new"], false);
    world
        .run(&[&["plan"], &args[..], &["--each"]].concat())
        .ok()
        .tells("an export would write default 2")
        .tells("file b.pem - taken back\n")
        .tells("\n        1  other files taken back, which are selected no more\n");
    // Without being asked to, nothing is.
    assert_eq!(plan(&world, &args[..3])["nothing_new"], true);
    world.export(&args).ok();
    assert_eq!(manifest(&world, 2).totals.gone_files, 1);
    assert_eq!(plan(&world, &args)["nothing_new"], true);
}

#[test]
fn nothing_is_pruned_while_the_selection_is_not_all_known() {
    let world = World::of(GRAPH);
    world.export(&[A, D]).ok();
    fs::remove_file(world.file(&version(D), "mod")).unwrap();
    let args = [D, B, "--prune", "--keep-going", "--cache", "fresh"];
    let done = world.export(&args).exits(9);
    assert!(done.stdout.contains("nothing is pruned"), "{}", done.stdout);
    assert!(done.stdout.contains("nothing new"), "{}", done.stdout);
}

#[test]
fn what_is_held_is_not_fetched() {
    let world = World::of(GRAPH);
    world.export(&[A]).ok();
    world.export(&[A, C, "--cache", "fresh"]).ok();
    assert_eq!(world.carried("out/default.000002.manifest", "zip"), C);
    for kind in ["zip", "info"] {
        let file = format!("m.test/b/@v/v1.0.0.{kind}");
        assert!(!world.path("fresh").join(file).exists(), "{kind}");
        // So it may be gone upstream.
        fs::remove_file(world.file(&version(B), kind)).unwrap();
    }
    let done = world.export(&[A, D, "--cache", "fresh"]).ok();
    assert!(!done.stdout.contains("cannot be had"), "{}", done.stdout);
    // That of a module that is named is asked for, as it says what else is wanted; but nothing fails for it.
    fs::remove_file(world.file(&version(A), "zip")).unwrap();
    let done = world.export(&[A, "--cache", "fresher"]).ok();
    assert!(
        done.stdout
            .contains("what its own go.sum names is not known"),
        "{}",
        done.stdout
    );
    world
        .export(&[A, "--basis", "none", "--cache", "freshest"])
        .exits(9);
}

/// A receipt of a store that took these bundles in, signed by `key`.
fn receipt(world: &World, key: &SigningKey, bundles: &str, ledger: u64) -> String {
    let bundles: modferry_protocol::bundle::Sequences = bundles.parse().unwrap();
    let last = bundles.last().unwrap();
    let newest = manifest(world, last.get());
    let receipt = Receipt {
        created: "2026-11-22T10:00:00Z".into(),
        ledger: TreeHead {
            size: ledger,
            hash: Hash([ledger as u8; 32]),
        },
        totals: ReceiptTotals::default(),
        heads: newest.heads.clone(),
        streams: vec![ReceiptStream {
            name: newest.stream.clone(),
            sequence: last,
            manifest_sha256: newest.sha256(),
            bundles,
        }],
    };
    let name = format!("{ledger}.receipt");
    write(
        &world.path(&name),
        &sign(&receipt.encode(), &[key]).unwrap(),
    );
    name
}

#[test]
fn a_receipt_tells_what_has_arrived() {
    let world = World::of(GRAPH);
    let mut isolated = Isolated::new(&world);
    let key = modferry_checker::testing::key("receipt");
    write(
        &world.path("identity.pub"),
        format!("{}\n", key.verifier()).as_bytes(),
    );
    for modules in [&[B][..], &[A], &[C]] {
        world.export(modules).ok();
    }
    // Bundle 2 never came.
    isolated.import(&world, 1);
    isolated.import(&world, 3);
    let name = receipt(&world, &key, "1,3", 2);
    world
        .export(&[A, D, "--receipt", &name])
        .exits(2)
        .says("--receipt-key");
    let planned = plan(
        &world,
        &[A, D, "--receipt", &name, "--receipt-key", "identity.pub"],
    );
    assert_eq!(
        (&planned["arrived"], &planned["new_modules"]),
        (&"1,3".into(), &2.into())
    );
    let done = world
        .export(&[A, D, "--receipt", &name, "--receipt-key", "identity.pub"])
        .ok();
    assert!(
        done.stdout
            .contains("the receipt of 2026-11-22T10:00:00Z (bundles 1,3)"),
        "{}",
        done.stdout
    );
    assert_eq!(
        world.carried("out/default.000004.manifest", "zip"),
        format!("{A} {D}")
    );
    assert_eq!(basis(&world, 4), "3");
    isolated.import(&world, 4);
    // It goes on counting, and does not tell of bundle 4.
    let done = world.export(&[A, D]).ok();
    assert!(done.stdout.contains("since (bundle 4)"), "{}", done.stdout);
    assert_eq!(
        world.carried("out/default.000005.manifest", "zip"),
        format!("{A} {D}")
    );
    isolated.import(&world, 5);
    let name = receipt(&world, &key, "1,3-5", 4);
    let done = world.export(&[A, D, "--receipt", &name]).ok();
    assert!(done.stdout.contains("nothing new"), "{}", done.stdout);
    // Of another bundler's stream.
    let alien = fs::read_to_string(world.path("4.receipt")).unwrap();
    write(
        &world.path("alien"),
        alien.replace(" 1,3-5", " 1-5").as_bytes(),
    );
    world
        .export(&[A, "--receipt", "alien"])
        .exits(3)
        .says("no receipt of this destination");
    fs::remove_dir_all(world.path(".local")).unwrap();
    let args = [
        A,
        "--receipt",
        &name,
        "--receipt-key",
        "identity.pub",
        "--out",
        "other",
    ];
    world
        .run(&[&["export", "--key", "site.key"], &args[..]].concat())
        .exits(2)
        .says("bundle 5 of default was imported, which this state does not know");
}

#[test]
fn heads_that_another_stream_shipped_are_proven_too() {
    let mut world = World::of(GRAPH);
    let mut isolated = Isolated::new(&world);
    world.sumdb.pad(300, "one");
    world.publish();
    world.export(&[A]).ok();
    isolated.import(&world, 1);
    // A second stream brings a newer head that the first does not know.
    world.sumdb.pad(1000, "two");
    world.publish();
    let known = world.sumdb.size().to_string();
    let other = world.run(&[
        "export",
        C,
        "--key",
        "site.key",
        "--out",
        "side",
        "--stream",
        "side",
        "--known-head",
        "304",
    ]);
    other.ok();
    let volume = OneVolume::new(File::open(world.path("side/side.000001.v001.tar")).unwrap());
    let stage = &mut isolated.stage;
    let report =
        modferry_checker::check(volume, None, &isolated.policy, stage, &NoProgress).unwrap();
    stage.commit(report.served);
    world.sumdb.pad(70_000, "three");
    world.publish();
    world.export(&[A, D]).ok();
    let lacks = isolated.lacks(&world, 2);
    assert!(
        lacks.iter().all(|what| what.starts_with("tile ")),
        "{lacks:?}"
    );
    // The cure.
    world
        .export(&[A, D, "--cumulative-from", "2", "--known-head", &known])
        .ok();
    isolated.import(&world, 3);
}

#[test]
fn a_basis_that_is_none_is_told() {
    let world = World::of(GRAPH);
    world.export(&[A]).ok();
    world.export(&[B, "--stream", "laptops"]).ok();
    let laptops = "out/laptops.000001.manifest";
    world
        .export(&[A, "--basis", laptops])
        .exits(2)
        .says("is of stream laptops, and this export is of stream default");
    world
        .export(&[A, "--basis", "7"])
        .exits(2)
        .says("does not know bundle 7");
    world
        .export(&[A, "--basis", "absent"])
        .exits(2)
        .says("no such file");
    world
        .export(&[A, "--basis", "site.pub"])
        .exits(2)
        .says("neither a manifest nor a receipt");
    world
        .export(&[A, "--basis", "1", "--receipt", "x"])
        .exits(2);
    assert_eq!(world.out().len(), 4);
    world
        .export(&[A, C, "--basis", "out/default.000001.manifest"])
        .ok();
    assert_eq!(basis(&world, 2), "1");
}

#[test]
fn a_bundle_whose_index_the_state_lost_does_not_count() {
    let world = World::of(GRAPH);
    world.export(&[A]).ok();
    let index = world.path(".local/state/modferry/default/bundles/default.000001.index");
    fs::remove_file(index).unwrap();
    let done = world.export(&[A]).ok();
    assert!(
        done.stdout.contains("the index of bundle 1 is lost"),
        "{}",
        done.stdout
    );
    assert_eq!(
        world.carried("out/default.000002.manifest", "zip"),
        format!("{A} {B}")
    );
    let mut isolated = Isolated::new(&world);
    isolated.import(&world, 1);
    isolated.import(&world, 2);
}

/// As a run leaves it that is killed once the bundle's files have their names, or before.
fn interrupted(world: &World, sequence: u64) {
    let state = world.path(".local/state/modferry/default/bundles");
    let path = |kind: &str| state.join(format!("default.{sequence:06}.{kind}"));
    fs::rename(path("manifest"), path("pending")).unwrap();
    let out = world.path("out").canonicalize().unwrap();
    fs::write(path("folder"), out.to_str().unwrap()).unwrap();
}

fn export_to(world: &World, out: &str, module: &str) -> Done {
    world
        .run(&["export", module, "--key", "site.key", "--out", out])
        .ok()
}

#[test]
fn what_an_interrupted_run_has_written_counts_wherever_it_is() {
    let world = World::of(GRAPH);
    world.export(&[A]).ok();
    world.export(&[C]).ok();
    interrupted(&world, 2);
    fs::remove_file(file(&world, 2, "manifest")).unwrap();
    // The next is written into another folder; the one before it is finished all the same.
    let done = export_to(&world, "elsewhere", D);
    assert!(
        done.stdout
            .contains("default.000002.manifest was written by a run that was interrupted"),
        "{}",
        done.stdout
    );
    assert!(file(&world, 2, "manifest").exists());
    assert_eq!(world.carried("elsewhere", "zip"), D);
    let mut isolated = Isolated::new(&world);
    isolated.import(&world, 1);
    isolated.import(&world, 2);
}

#[test]
fn a_number_that_a_bundle_may_have_out_of_reach_is_passed_over() {
    let world = World::of(GRAPH);
    world.export(&[A]).ok();
    world.export(&[C]).ok();
    interrupted(&world, 2);
    fs::rename(world.path("out"), world.path("unplugged")).unwrap();
    let done = export_to(&world, "elsewhere", C);
    assert!(
        done.stdout.contains("its number is passed over"),
        "{}",
        done.stdout
    );
    assert!(world.path("elsewhere/default.000003.manifest").exists());
    assert_eq!(world.carried("elsewhere", "zip"), C);
    // Plugged in again, it is a bundle like any other, and stands in nobody's way.
    fs::rename(world.path("unplugged"), world.path("out")).unwrap();
    world.export(&[D]).ok();
    assert_eq!(basis_number(&world, 4), Some(Sequence::new(3).unwrap()));
    let mut isolated = Isolated::new(&world);
    isolated.import(&world, 1);
    isolated.import(&world, 2);
    // Nothing of it was written at all: its number is used.
    interrupted(&world, 4);
    for kind in ["manifest", "v001.tar"] {
        fs::remove_file(file(&world, 4, kind)).unwrap();
    }
    let done = world.export(&[D]).ok();
    assert!(
        done.stdout.contains("exported default 4"),
        "{}",
        done.stdout
    );
}

fn basis_number(world: &World, sequence: u64) -> Option<Sequence> {
    match manifest(world, sequence).basis {
        Basis::None => None,
        Basis::Bundle { sequence, .. } => Some(sequence),
    }
}

#[test]
fn an_update_of_a_large_selection_is_small() {
    let mut world = World::new();
    let mut main = String::from("module m.test/all\n\ngo 1.16\n\n");
    for n in 0..200 {
        // Records of one module each some way apart, as in the real database.
        world.add(&module(&format!("m.test/m{n}@v1.0.0"), None, &[]));
        world.sumdb.pad(200, &format!("p{n}"));
        main += &format!("require m.test/m{n} v1.0.0\n");
    }
    let all = TestModule::new(
        "m.test/all@v1.0.0",
        &[("go.mod", &main), ("a.go", "package all\n")],
    );
    world.add(&all);
    world.publish();
    let mut isolated = Isolated::new(&world);
    world.export(&["m.test/all@v1.0.0"]).ok();
    isolated.import(&world, 1);
    let whole = manifest(&world, 1).totals.carried_bytes;
    world.sumdb.pad(5000, "week");
    world.publish();
    world.export(&["m.test/all@v1.0.0"]).ok();
    let report = isolated.import(&world, 2);
    assert_eq!((report.needs, report.zips, report.records), (201, 0, 0));
    let update = manifest(&world, 2).totals.carried_bytes;
    // What has grown is the right edge: a tile a level, wherever that was at the last head.
    assert!(
        update < 40_000 && update < whole / 10,
        "{update} of {whole}"
    );
    let items = world.items(file(&world, 2, "manifest").to_str().unwrap());
    assert!(
        !items.iter().any(|item| item.starts_with("record")),
        "{items:?}"
    );
    let tiles = items.iter().filter(|item| item.starts_with("tile")).count();
    assert_eq!(tiles as u64, report.tiles);
}
