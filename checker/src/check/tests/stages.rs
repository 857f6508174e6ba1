//! What a stage may rely on, and what becomes of its own failures.

use super::*;
use crate::testing::{Packing, TestPacking, zip_h1, zip_of};
use crate::{HeldZip, MemoryZip, SPOOL_ABOVE};
use modferry_cli::{Exit, Failure, Fault};
use modferry_protocol::bundle::{FileName, Snapshot};
use modferry_protocol::h1::H1;
use modferry_protocol::module::ModulePath;
use modferry_protocol::sumdb::TreeHead;
use modferry_protocol::zip::ZipFacts;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};

/// Notes each call; fails at the item of its choice.
#[derive(Default)]
struct Noting {
    inner: MemoryStage,
    calls: Vec<Item>,
    zips: Vec<Vec<u8>>,
    fail_at: Option<Item>,
    skim: bool,
    scratch: Option<PathBuf>,
}

impl Noting {
    fn note(&mut self, item: Item) -> Result<(), Fault> {
        if self.fail_at.as_ref() == Some(&item) {
            return Err(Fault::new(Exit::InUse, "held by pid 7").advise("wait"));
        }
        self.calls.push(item);
        Ok(())
    }
}

impl Stage for Noting {
    type HeldZip = MemoryZip;
    type Error = Fault;

    fn put(&mut self, item: &Item, bytes: &[u8]) -> Result<(), Fault> {
        self.note(item.clone())?;
        self.inner
            .put(item, bytes)
            .map_err(|_| Fault::new(Exit::Other, "never"))
    }

    fn put_zip(
        &mut self,
        module: &ModuleVersion,
        facts: &ZipFacts,
        size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), Fault> {
        self.note(Item::Zip(module.clone()))?;
        let mut bytes = Vec::new();
        let limit = if self.skim { 10 } else { u64::MAX };
        body.take(limit).read_to_end(&mut bytes).unwrap();
        if !self.skim {
            assert_eq!(bytes.len() as u64, size);
            assert_eq!(Sha256::digest(&bytes)[..], sha256[..]);
        }
        assert!(facts.files > 0);
        self.zips.push(bytes);
        Ok(())
    }

    fn staged(&self, item: &Item) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.inner.staged(item).unwrap())
    }
    fn held(&self, item: &Item) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.inner.held(item).unwrap())
    }
    fn holds(&self, item: &Item) -> Result<bool, Fault> {
        Ok(self.inner.holds(item).unwrap())
    }
    fn held_zip(
        &self,
        module: &ModuleVersion,
        sha256: &[u8; 32],
    ) -> Result<HeldZip<MemoryZip>, Fault> {
        Ok(self.inner.held_zip(module, sha256).unwrap())
    }
    fn put_file(
        &mut self,
        name: &FileName,
        size: u64,
        sha256: &[u8; 32],
        body: &mut dyn Read,
    ) -> Result<(), Fault> {
        self.inner.put_file(name, size, sha256, body).unwrap();
        Ok(())
    }
    fn held_vulndb(&self) -> Result<Option<Snapshot>, Fault> {
        Ok(self.inner.held_vulndb().unwrap())
    }
    fn held_file(&self, name: &FileName) -> Result<Option<[u8; 32]>, Fault> {
        Ok(self.inner.held_file(name).unwrap())
    }
    fn is_vouched(&self, path: &ModulePath) -> Result<bool, Fault> {
        Ok(self.inner.is_vouched(path).unwrap())
    }
    fn is_private(&self, path: &ModulePath) -> Result<bool, Fault> {
        Ok(self.inner.is_private(path).unwrap())
    }
    fn each_staged(
        &self,
        f: &mut dyn FnMut(Item) -> Result<(), CheckError>,
    ) -> Result<(), CheckError> {
        self.inner.each_staged(f)
    }
    fn heads_held(&self, db: &DbName) -> Result<Vec<TreeHead>, Fault> {
        Ok(self.inner.heads_held(db).unwrap())
    }
    fn head_note(&self, db: &DbName, size: u64) -> Result<Option<Vec<u8>>, Fault> {
        Ok(self.inner.head_note(db, size).unwrap())
    }
    fn scratch(&self) -> Option<PathBuf> {
        self.scratch.clone()
    }
}

/// A world of many modules of all sizes.
fn crowd() -> World {
    let mut world = World::new();
    for n in 3..300 {
        let module = TestModule::numbered(n);
        world.sumdb.add(&module);
        world.modules.push(module);
    }
    world
}

/// A world with a module whose zip is too large for a buffer.
fn giant() -> World {
    let mut world = World::new();
    let module: ModuleVersion = "example.com/giant@v1.0.0".parse().unwrap();
    let go_mod = b"module example.com/giant\n".to_vec();
    let large = vec![b'x'; SPOOL_ABOVE as usize];
    let files: Vec<(&str, &[u8])> = vec![("go.mod", &go_mod), ("large", &large)];
    let zip = zip_of(&module, &files, Packing::Stored);
    assert!(zip.len() as u64 > SPOOL_ABOVE);
    let h1 = zip_h1(&module, &files);
    world.sumdb.add_record(&module, h1, H1::of_go_mod(&go_mod));
    let info = br#"{"Version":"v1.0.0"}"#.to_vec();
    world.modules = vec![TestModule {
        module,
        info,
        go_mod,
        zip,
        h1,
    }];
    world
}

#[derive(Default)]
struct Counting {
    total: AtomicU64,
    done: AtomicU64,
}

impl Progress for Counting {
    fn total(&self, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
    }
    fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }
}

fn run(world: &World, bundle: &TestBundle, stage: &mut Noting) -> Result<Report, CheckError> {
    check(
        OneVolume::new(&*world.seal(bundle).volume),
        None,
        &world.policy,
        stage,
        &NoProgress,
    )
}

#[test]
fn everything_is_put_once_in_the_order_of_items() {
    let world = crowd();
    put_once_in_order(&world, &world.bundle());
    put_once_in_order(&world, &world.bundle().packed(TestPacking::frames_of(50)));
}

fn put_once_in_order(world: &World, bundle: &TestBundle) {
    let mut stage = Noting::default();
    let progress = Counting::default();
    let report = check(
        OneVolume::new(&*world.seal(bundle).volume),
        None,
        &world.policy,
        &mut stage,
        &progress,
    )
    .unwrap();
    assert!(stage.calls.iter().eq(bundle.items.keys()));
    assert_eq!(report.zips, 300);
    let zips: Vec<&Vec<u8>> = bundle
        .items
        .iter()
        .filter(|(item, _)| matches!(item, Item::Zip(_)))
        .map(|(_, bytes)| bytes)
        .collect();
    assert!(stage.zips.iter().eq(zips));
    assert_eq!(progress.done.into_inner(), report.entry_bytes);
    assert_eq!(progress.total.into_inner(), report.entry_bytes);
}

#[test]
fn a_stage_that_fails_keeps_its_own_exit_code_and_advice() {
    let world = crowd();
    let bundle = world.bundle();
    let last_zip = bundle.items.keys().next_back().unwrap().clone();
    for at in [
        world.first_record(),
        world.first(Item::Mod),
        world.first(Item::Zip),
        last_zip,
    ] {
        let mut stage = Noting {
            fail_at: Some(at.clone()),
            ..Noting::default()
        };
        let error = run(&world, &bundle, &mut stage).unwrap_err();
        assert!(matches!(error, CheckError::Stage { .. }), "{error:?}");
        assert_eq!(error.exit(), Exit::InUse);
        assert_eq!(error.advice().as_deref(), Some("wait"));
        assert_eq!(
            told(&error),
            "keeping the bundle's contents failed: held by pid 7"
        );
        assert!(
            stage.calls.last().is_none_or(|last| *last < at),
            "nothing is put after the failure"
        );
    }
}

#[test]
fn a_zip_too_large_for_memory_goes_through_a_file() {
    let world = giant();
    let bundle = world.bundle();
    for bundle in [
        &bundle,
        &bundle.clone().packed(TestPacking::frames_of(1000)),
    ] {
        let mut stage = Noting::default();
        let report = run(&world, bundle, &mut stage).unwrap();
        assert_eq!(report.zip_bytes, world.modules[0].zip.len() as u64);
        assert_eq!(report.packed_zips, u64::from(bundle.packing.is_some()));
        assert!(stage.zips[0] == world.modules[0].zip);
    }

    // A stage that does not take all of it has not kept what was hashed.
    let mut stage = Noting {
        skim: true,
        ..Noting::default()
    };
    let error = run(&world, &bundle, &mut stage).unwrap_err();
    assert!(
        told(&error).contains("was not kept whole"),
        "{}",
        told(&error)
    );
}

#[test]
fn a_scratch_folder_that_is_not_there_is_named() {
    let world = World::new();
    let mut stage = Noting {
        scratch: Some("/no/such/folder".into()),
        ..Noting::default()
    };
    let error = run(&world, &world.bundle(), &mut stage).unwrap_err();
    assert!(matches!(error, CheckError::Io { .. }));
    assert_eq!(error.exit(), Exit::Other);
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
}

#[test]
fn a_report_tells_what_passed() {
    let world = World::new();
    let report = world.check(&world.bundle()).unwrap();
    let text = report.to_string();
    assert!(
        text.starts_with("bundle test 1 of 2026-11-21T09:00:00Z, signed by site+"),
        "{text}"
    );
    // Every check with its count, also where there was nothing to check.
    for line in [
        "        1  trusted key has signed the manifest",
        "  entries (",
        "        0  module versions that this bundle builds on are held",
        "        0  zips that this bundle is packed against are held",
        "        0  tombstones contradict nothing",
        "        0  trust notes are well-formed",
        "        1  tree head is signed",
        "        0  older tree heads are continued",
        "  tiles lead to a signed tree head",
        "        3  records are in a signed tree",
        "        3  infos are of their version",
        "        3  go.mod files have the h1",
        "        0  frames of contents (0 B)",
        "        0  deflate streams (0 B)",
        "        0  zips were put together",
        "        3  zips (",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["stream"], "test");
    assert_eq!(json["sequence"], 1);
    assert_eq!(json["zips"], 3);
    assert_eq!(json["basis"], serde_json::Value::Null);
    for count in [
        "needs",
        "bases",
        "tombstones",
        "trust_notes",
        "older_heads",
        "contents",
        "deflated",
        "packed_zips",
    ] {
        assert_eq!(json[count], 0, "{count}");
    }
    assert_eq!(json["served"][0]["size"], world.sumdb.size());
    assert!(json["stage_seconds"].is_f64());
}
