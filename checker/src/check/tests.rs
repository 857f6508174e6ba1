//! Whole bundles, checked: good ones, and for each error a bundle that reaches it.

#![allow(clippy::unwrap_used)]

mod contents;
mod documents;
mod files;
mod heads;
mod lists;
mod packed;
mod private;
mod queries;
mod records;
mod stages;
mod trust;
mod volumes;

use super::*;
use crate::testing::{Sealed, TestBundle, TestModule, TestSumdb, key, policy};
use crate::{MemoryStage, NoProgress, SpoolStage};
use modferry_protocol::bundle::OneVolume;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::SigningKey;
use std::io::Read;

/// A checksum database with three modules in it, and a key for bundles.
struct World {
    sumdb: TestSumdb,
    modules: Vec<TestModule>,
    key: SigningKey,
    policy: Policy,
}

impl World {
    fn new() -> World {
        let mut sumdb = TestSumdb::new("sum.test");
        let key = key("site");
        let modules: Vec<TestModule> = (0..3).map(TestModule::numbered).collect();
        sumdb.pad(700, "a");
        for module in &modules {
            sumdb.add(module);
            sumdb.pad(300, "b");
        }
        let policy = policy(&[&key], &[&sumdb]);
        World {
            sumdb,
            modules,
            key,
            policy,
        }
    }

    fn bundle(&self) -> TestBundle {
        TestBundle::of(&self.sumdb, &self.modules.iter().collect::<Vec<_>>(), &[])
    }

    fn seal(&self, bundle: &TestBundle) -> Sealed {
        bundle.seal(&[&self.key])
    }

    /// Checks a bundle on top of what a stage holds.
    fn check_on(&self, stage: &mut MemoryStage, bundle: &TestBundle) -> Result<Report, CheckError> {
        stage.discard();
        check(
            OneVolume::new(&*self.seal(bundle).volume),
            None,
            &self.policy,
            stage,
            &NoProgress,
        )
    }
    fn check(&self, bundle: &TestBundle) -> Result<Report, CheckError> {
        self.check_on(&mut MemoryStage::new(), bundle)
    }

    fn refused(&self, bundle: &TestBundle) -> CheckError {
        self.check(bundle).unwrap_err()
    }

    /// The name of an item of the world's first module.
    fn first(&self, kind: fn(ModuleVersion) -> Item) -> Item {
        kind(self.modules[0].module.clone())
    }

    fn first_record(&self) -> Item {
        Item::Record(self.sumdb.db().clone(), self.modules[0].module.clone())
    }
}

/// The message and its causes, as a command would print them.
fn told(error: &CheckError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[test]
fn a_good_bundle_passes_every_check() {
    let world = World::new();
    let bundle = world.bundle();
    let mut stage = MemoryStage::new();
    let report = world.check_on(&mut stage, &bundle).unwrap();
    assert_eq!(
        (
            report.heads,
            report.records,
            report.infos,
            report.mods,
            report.zips
        ),
        (1, 3, 3, 3, 3)
    );
    let tiles = bundle
        .items
        .keys()
        .filter(|item| matches!(item, Item::Tile(..)))
        .count() as u64;
    assert_eq!(report.tiles, tiles);
    assert!(tiles > 4);
    assert_eq!(
        report.served,
        [(world.sumdb.db().clone(), world.sumdb.head())]
    );
    let signer = world.key.verifier();
    assert_eq!(
        report.signers,
        [format!("{}+{:08x}", signer.name(), signer.id())]
    );
    // All of it was staged, byte for byte.
    let small = bundle
        .items
        .iter()
        .filter(|(item, _)| !matches!(item, Item::Zip(_)));
    assert!(
        stage
            .items()
            .eq(small.map(|(item, bytes)| (item, bytes.as_slice())))
    );
    for module in &world.modules {
        assert_eq!(stage.staged_zip(&module.module).unwrap().h1, module.h1);
    }
}

#[test]
fn a_stage_in_a_file_comes_to_the_same() {
    let world = World::new();
    let sealed = world.seal(&world.bundle());
    let mut stage = SpoolStage::new().unwrap();
    let report = check(
        OneVolume::new(&*sealed.volume),
        Some(&sealed.manifest),
        &world.policy,
        &mut stage,
        &NoProgress,
    )
    .unwrap();
    assert_eq!((report.records, report.mods, report.zips), (3, 3, 3));
}
