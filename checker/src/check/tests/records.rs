//! Records that contradict what the destination serves, and modules without one.

use super::*;
use crate::stage::Stage;
use modferry_cli::{Exit, Failure};

/// The module of the world's that every test here is about, with other files.
fn other() -> TestModule {
    TestModule::new("example.com/m0@v1.0.0", &[("m.go", "package evil\n")])
}

/// A bundle with only a database's head and tiles, and what `module` has of these kinds.
fn only(bundle: &TestBundle, kinds: &[&str]) -> TestBundle {
    let mut bundle = bundle.clone();
    bundle.items.retain(|item, _| {
        let item = item.to_string();
        ["head", "tile"]
            .iter()
            .chain(kinds)
            .any(|kind| item.starts_with(kind))
    });
    bundle
}

/// What is held: the world's first bundle.
fn holding(world: &World) -> MemoryStage {
    let mut stage = MemoryStage::new();
    let report = world.check_on(&mut stage, &world.bundle()).unwrap();
    stage.commit(report.served);
    stage
}

fn assert_contradicted(error: &CheckError) {
    assert!(matches!(error, CheckError::Sumdb { .. }), "{error:?}");
    assert_eq!(error.exit(), Exit::Sumdb);
    let text = error.to_string();
    assert!(text.contains("example.com/m0@v1.0.0"), "{text}");
}

#[test]
fn a_second_record_of_the_same_database_that_says_otherwise_is_refused() {
    let mut world = World::new();
    let mut stage = holding(&world);
    let small = world.sumdb.size();
    // The database recorded the version anew: the record is in the tree, and its files agree with it. But it
    // is the first record that goes on being served.
    world.sumdb.add(&other());
    let bundle = TestBundle::of(&world.sumdb, &[&other()], &[small]);
    for kinds in [&["record", "info", "mod", "zip"][..], &["record"]] {
        let error = world
            .check_on(&mut stage, &only(&bundle, kinds))
            .unwrap_err();
        assert_contradicted(&error);
    }
    // With nothing held, it is the only record.
    assert_eq!(world.check(&bundle).unwrap().zips, 1);
}

#[test]
fn a_second_record_that_says_the_same_is_harmless() {
    let mut world = World::new();
    let mut stage = holding(&world);
    let small = world.sumdb.size();
    let same = world.modules[0].clone();
    world.sumdb.add(&same);
    let bundle = TestBundle::of(&world.sumdb, &[&same], &[small]);
    assert_eq!(world.check_on(&mut stage, &bundle).unwrap().zips, 1);
}

#[test]
fn a_record_of_another_database_counts_too() {
    let mut world = World::new();
    let mut second = TestSumdb::new("sum.second");
    second.pad(10, "x");
    second.add(&other());
    second.add(&world.modules[1]);
    world.policy = policy(&[&world.key], &[&world.sumdb, &second]);
    let mut stage = holding(&world);

    let bundle = TestBundle::of(&second, &[&other()], &[]);
    for kinds in [&["record", "info", "mod", "zip"][..], &["record"]] {
        let error = world
            .check_on(&mut stage, &only(&bundle, kinds))
            .unwrap_err();
        assert_contradicted(&error);
    }
    let agreeing = TestBundle::of(&second, &[&world.modules[1]], &[]);
    assert_eq!(world.check_on(&mut stage, &agreeing).unwrap().records, 1);
}

#[test]
fn an_info_needs_a_record() {
    let world = World::new();
    let mut bundle = world.bundle();
    for kind in [Item::Mod as fn(ModuleVersion) -> Item, Item::Zip] {
        bundle.items.remove(&world.first(kind)).unwrap();
    }
    assert_eq!(world.check(&bundle).unwrap().infos, 3);
    bundle.items.remove(&world.first_record()).unwrap();
    let error = world.refused(&bundle);
    assert!(
        matches!(&error, CheckError::Missing { what, .. } if *what == [world.first_record().to_string()]),
        "{error:?}"
    );
    // One that is held will do.
    let mut stage = holding(&world);
    assert!(stage.held(&world.first_record()).unwrap().is_some());
    assert_eq!(world.check_on(&mut stage, &bundle).unwrap().infos, 3);

    // Where there is no database at all, nothing proves it.
    bundle.heads.clear();
    bundle.items.retain(|item, _| matches!(item, Item::Info(_)));
    let error = world.refused(&bundle);
    assert!(matches!(error, CheckError::Unproven { .. }), "{error:?}");
}
