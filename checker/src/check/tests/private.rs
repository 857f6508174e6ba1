//! Private modules: what comes without a checksum database, by whose word, and what never does.

use super::*;
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{Level, Pin};
use modferry_protocol::h1::H1;
use std::collections::BTreeMap;

const PATTERN: &str = "git.corp.test/*";

/// A world whose policy lets its key bring modules of that pattern.
fn world(pattern: &str) -> World {
    let mut world = World::new();
    let key = world.key.verifier().short_name();
    let by = BTreeMap::from([(key, vec![pattern.to_owned()])]);
    world.policy.allow_private(by);
    world
}

fn private(version: &str, text: &str) -> TestModule {
    TestModule::new(&format!("git.corp.test/a@{version}"), &[("a.go", text)])
}

fn pin(module: &TestModule) -> Vec<u8> {
    Pin {
        zip: module.h1,
        go_mod: H1::of_go_mod(&module.go_mod),
    }
    .encode(&module.module)
}

/// The world's bundle with this module in it, pinned.
fn with(world: &World, module: &TestModule) -> TestBundle {
    let mut bundle = world.bundle();
    let name = &module.module;
    bundle.items.insert(Item::Pin(name.clone()), pin(module));
    bundle
        .items
        .insert(Item::Info(name.clone()), module.info.clone());
    bundle
        .items
        .insert(Item::Mod(name.clone()), module.go_mod.clone());
    bundle
        .items
        .insert(Item::Zip(name.clone()), module.zip.clone());
    bundle
}

#[test]
fn what_the_policy_lets_the_key_bring_comes_by_its_pin() {
    let world = world(PATTERN);
    let module = private("v1.0.0", "package a\n");
    let mut stage = MemoryStage::new();
    let report = world.check_on(&mut stage, &with(&world, &module)).unwrap();
    assert_eq!((report.pins, report.records, report.zips), (1, 3, 4));
    let line =
        "        1  private module version is pinned by a key that may vouch for them here\n";
    assert!(report.to_string().contains(line), "{report}");
    stage.commit(report.served);

    // A later bundle needs it: its pin is what vouches for it.
    let first = with(&world, &module);
    let mut later = world.bundle().less(&first, 2).on(&first);
    later = later.needing([(module.module.clone(), Level::Zip)]);
    assert_eq!(world.check_on(&mut stage, &later).unwrap().needs, 1);
    stage.forget(&Item::Pin(module.module.clone()));
    let error = world.check_on(&mut stage, &later).unwrap_err();
    assert_eq!(error.exit(), Exit::Missing);
}

#[test]
fn a_bundle_alone_makes_nothing_private() {
    let module = private("v1.0.0", "package a\n");
    for world in [World::new(), world("git.corp.test/b"), world("corp.test/*")] {
        let error = world.refused(&with(&world, &module));
        assert!(
            matches!(&error, CheckError::NotPrivate { module, .. } if module.as_str() == "git.corp.test/a")
        );
        assert_eq!(error.exit(), Exit::Untrusted);
        let advice = error.advice().unwrap();
        let command = format!(
            "modferry-appliance trust private 'git.corp.test/a' --key {}",
            world.key.verifier().short_name()
        );
        assert!(advice.contains(&command), "{advice}");
    }
    // Nor may another key that is trusted.
    let mut world = World::new();
    let by = BTreeMap::from([("other+01234567".into(), vec![PATTERN.to_owned()])]);
    world.policy.allow_private(by);
    let error = world.refused(&with(&world, &module));
    assert!(matches!(error, CheckError::NotPrivate { .. }), "{error:?}");
}

#[test]
fn files_must_be_those_of_the_pin() {
    let world = world(PATTERN);
    let module = private("v1.0.0", "package a\n");
    let other = private("v1.0.0", "package other\n");
    let mut other_zip = with(&world, &module);
    other_zip
        .items
        .insert(Item::Zip(module.module.clone()), other.zip.clone());
    let mut other_mod = with(&world, &module);
    other_mod.items.insert(
        Item::Mod(module.module.clone()),
        b"module git.corp.test/x\n".to_vec(),
    );
    let mut no_pin = with(&world, &module);
    no_pin.items.remove(&Item::Pin(module.module.clone()));
    for (bundle, exit, what) in [
        (other_zip, Exit::Sumdb, "of its zip where its pin has"),
        (other_mod, Exit::Sumdb, "of its go.mod where its pin has"),
        (no_pin, Exit::Missing, "pin git.corp.test/a@v1.0.0"),
    ] {
        let error = world.refused(&bundle);
        assert_eq!(error.exit(), exit, "{error:?}");
        let text = told(&error);
        let details = error.details().join(", ");
        assert!(
            text.contains(what) || details.contains(what),
            "{text} {details}"
        );
    }
    let mut no_hashes = with(&world, &module);
    no_hashes.items.insert(
        Item::Pin(module.module.clone()),
        pin(&private("v1.0.1", "")),
    );
    assert_eq!(world.refused(&no_hashes).exit(), Exit::Damaged);
}

#[test]
fn what_is_held_never_gets_other_bytes() {
    let world = world(PATTERN);
    let mut stage = MemoryStage::new();
    let first = with(&world, &private("v1.0.0", "package a\n"));
    let report = world.check_on(&mut stage, &first).unwrap();
    stage.commit(report.served);
    let second = with(&world, &private("v1.0.0", "package other\n"));
    let error = world.check_on(&mut stage, &second).unwrap_err();
    assert_eq!(error.exit(), Exit::Sumdb);
    assert!(told(&error).contains("is private and held, and this bundle pins other bytes"));
    // The same again is no harm.
    assert_eq!(world.check_on(&mut stage, &first).unwrap().pins, 1);
}

#[test]
fn a_name_that_a_checksum_database_vouched_for_does_not_become_private() {
    // A pattern that names the public modules of the world, too.
    let mut stage = MemoryStage::new();
    let plain = World::new();
    let report = plain.check_on(&mut stage, &plain.bundle()).unwrap();
    stage.commit(report.served);
    let mut world = plain;
    let key = world.key.verifier().short_name();
    world
        .policy
        .allow_private(BTreeMap::from([(key, vec!["example.com".to_owned()])]));
    // Another version of a module of which there is a record.
    let module = TestModule::new("example.com/m0@v1.9.0", &[("m.go", "package m\n")]);
    let mut bundle = with(&world, &module);
    bundle
        .items
        .retain(|item, _| !matches!(item, Item::Record(..)));
    let error = world.check_on(&mut stage, &bundle).unwrap_err();
    assert_eq!(error.exit(), Exit::Sumdb);
    let text = told(&error);
    assert!(
        text.contains(
            "was vouched for by a checksum database, and this bundle brings it as a private module"
        ),
        "{text}"
    );
}

#[test]
fn what_is_private_here_has_no_record() {
    let world = world("example.com/m1");
    let error = world.refused(&world.bundle());
    assert_eq!(error.exit(), Exit::Sumdb);
    assert!(
        told(&error).contains("example.com/m1@v1.1.0 is private by this machine's own policy"),
        "{}",
        told(&error)
    );
}

#[test]
fn a_name_that_was_pinned_does_not_become_public() {
    for version in ["v1.0.0", "v1.1.0"] {
        let mut world = world(PATTERN);
        let mut stage = MemoryStage::new();
        let first = with(&world, &private("v1.0.0", "package a\n"));
        let report = world.check_on(&mut stage, &first).unwrap();
        stage.commit(report.served);

        // The policy forgets the pattern, and a checksum database comes to know the name.
        world.policy.allow_private(BTreeMap::new());
        let size = world.sumdb.size();
        let module = private(version, "package other\n");
        world.sumdb.add(&module);
        let bundle = TestBundle::of(&world.sumdb, &[&module], &[size]);
        let error = world.check_on(&mut stage, &bundle).unwrap_err();
        assert_eq!(error.exit(), Exit::Sumdb, "{error:?}");
        let what = format!("git.corp.test/a@{version} is private by a pin that is held");
        assert!(told(&error).contains(&what), "{}", told(&error));
        // Where no pin is held it is a public module like any other.
        let report = world.check_on(&mut MemoryStage::new(), &bundle).unwrap();
        assert_eq!(report.records, 1);
    }
}
