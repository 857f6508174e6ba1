//! Bytes that are not what was signed, and signed bytes that are not what they should be.

use super::*;
use crate::MAX_NAMED;
use modferry_cli::{Exit, Failure};
use modferry_protocol::h1::H1;
use modferry_protocol::sumdb::Record;

fn check_bytes(world: &World, volume: &[u8]) -> CheckError {
    check(
        OneVolume::new(volume),
        None,
        &world.policy,
        &mut MemoryStage::new(),
        &NoProgress,
    )
    .unwrap_err()
}

#[test]
fn a_flipped_byte_in_any_entry_is_told_with_the_volume_and_the_entry() {
    let world = World::new();
    let sealed = world.seal(&world.bundle());
    let mut at = sealed.volume.len() - 1024;
    for entry in sealed.entries.iter().rev() {
        at -= (entry.stored as usize).next_multiple_of(512);
        for offset in [0, entry.stored as usize / 2, entry.stored as usize - 1] {
            let mut volume = sealed.volume.clone();
            volume[at + offset] ^= 1;
            let error = check_bytes(&world, &volume);
            let CheckError::Damaged {
                volume,
                entry: named,
                ..
            } = &error
            else {
                panic!("{error:?}")
            };
            assert_eq!(volume, "test.000001.v001.tar");
            assert!(named.contains(&entry.file_name()), "{named}");
            assert_eq!(error.exit(), Exit::Damaged);
        }
        at -= 512;
    }
}

#[test]
fn a_damaged_zip_is_told_in_one_line() {
    let world = World::new();
    let sealed = world.seal(&world.bundle());
    let mut volume = sealed.volume.clone();
    let last = sealed.entries.last().unwrap();
    let at = volume.len() - 1024 - (last.stored as usize).next_multiple_of(512);
    volume[at] ^= 1;
    let text = told(&check_bytes(&world, &volume));
    let entry = last.file_name();
    let start = format!(
        "test.000001.v001.tar: entry {entry} (zip example.com/m2@v1.2.0) is damaged: SHA-256 is "
    );
    assert!(text.starts_with(&start), "{text}");
}

#[test]
fn a_volume_cut_anywhere_is_damaged() {
    let world = World::new();
    let volume = world.seal(&world.bundle()).volume;
    for cut in (0..volume.len()).step_by(509).chain([volume.len() - 1]) {
        let error = check_bytes(&world, &volume[..cut]);
        assert_eq!(error.exit(), Exit::Damaged, "{cut}: {error:?}");
        assert!(
            told(&error).contains("the volume ends in it"),
            "{cut}: {}",
            told(&error)
        );
    }
}

#[test]
fn an_info_of_another_version_is_damaged() {
    let world = World::new();
    let mut bundle = world.bundle();
    bundle
        .items
        .insert(world.first(Item::Info), br#"{"Version":"v9.9.9"}"#.to_vec());
    let error = world.refused(&bundle);
    assert_eq!(error.exit(), Exit::Damaged);
    let text = told(&error);
    assert!(
        text.contains("000001.zst") && text.contains("info example.com/m0@v1.0.0"),
        "{text}"
    );
    assert!(text.ends_with(r#"its Version is "v9.9.9""#), "{text}");
}

#[test]
fn a_zip_that_breaks_the_rules_is_damaged() {
    let world = World::new();
    let mut bundle = world.bundle();
    // Another module's zip: every name in it is outside this module's folder.
    bundle
        .items
        .insert(world.first(Item::Zip), world.modules[1].zip.clone());
    let error = world.refused(&bundle);
    assert_eq!(error.exit(), Exit::Damaged);
    assert!(
        told(&error).contains("(zip example.com/m0@v1.0.0) is damaged: zip entry"),
        "{}",
        told(&error)
    );
}

#[test]
fn another_zip_than_the_recorded_one_is_caught_though_it_is_signed() {
    let world = World::new();
    let mut bundle = world.bundle();
    let other = TestModule::new("example.com/m0@v1.0.0", &[("m.go", "package evil\n")]);
    bundle.items.insert(world.first(Item::Zip), other.zip);
    let error = world.refused(&bundle);
    assert!(matches!(error, CheckError::Sumdb { .. }), "{error:?}");
    assert_eq!(error.exit(), Exit::Sumdb);
    assert!(
        error
            .to_string()
            .contains(&format!("example.com/m0@v1.0.0 has {}", other.h1)),
        "{error}"
    );
}

#[test]
fn another_go_mod_than_the_recorded_one_is_caught_before_a_zip_is_read() {
    let world = World::new();
    let mut bundle = world.bundle();
    bundle.items.insert(
        world.first(Item::Mod),
        b"module example.com/evil\n".to_vec(),
    );
    let mut stage = MemoryStage::new();
    let error = world.check_on(&mut stage, &bundle).unwrap_err();
    assert_eq!(error.exit(), Exit::Sumdb);
    assert!(
        error
            .to_string()
            .contains("example.com/m0@v1.0.0/go.mod has h1:"),
        "{error}"
    );
    assert!(stage.staged_zip(&world.modules[0].module).is_none());
}

#[test]
fn a_record_that_is_not_in_the_tree_is_caught_though_the_rest_agrees_with_it() {
    let world = World::new();
    let mut bundle = world.bundle();
    let other = TestModule::new("example.com/m0@v1.0.0", &[("m.go", "package evil\n")]);
    let id = world.sumdb.record(&other.module).unwrap().id();
    for id in [id, id + 1, world.sumdb.size(), u64::MAX >> 2] {
        let record =
            Record::new(id, &other.module, other.h1, H1::of_go_mod(&other.go_mod)).unwrap();
        bundle.items.insert(world.first_record(), record.encode());
        bundle
            .items
            .insert(world.first(Item::Mod), other.go_mod.clone());
        bundle
            .items
            .insert(world.first(Item::Zip), other.zip.clone());
        let error = world.refused(&bundle);
        assert_eq!(error.exit(), Exit::Sumdb);
        assert!(
            error
                .to_string()
                .contains("record sum.test example.com/m0@v1.0.0: "),
            "{error}"
        );
    }
}

#[test]
fn what_a_zip_needs_beside_it_is_missed_by_name() {
    let world = World::new();
    for gone in [
        world.first_record(),
        world.first(Item::Info),
        world.first(Item::Mod),
    ] {
        let mut bundle = world.bundle();
        bundle.items.remove(&gone).unwrap();
        let error = world.refused(&bundle);
        let CheckError::Missing { what, more: 0, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(what, &[gone.to_string()]);
        assert_eq!(error.exit(), Exit::Missing);
        assert_eq!(
            error.to_string(),
            format!("{gone} is needed, and is neither in the bundle nor held")
        );
        assert!(error.advice().unwrap().contains("modferry-bundler export"));
    }
}

#[test]
fn a_go_mod_needs_no_zip_but_its_record() {
    let world = World::new();
    let mut bundle = world.bundle();
    bundle.items.remove(&world.first(Item::Zip)).unwrap();
    assert_eq!(world.check(&bundle).unwrap().zips, 2);
    bundle.items.remove(&world.first_record()).unwrap();
    assert_eq!(world.refused(&bundle).exit(), Exit::Missing);
}

#[test]
fn all_that_is_missing_is_told_at_once() {
    let world = World::new();
    let mut bundle = world.bundle();
    let db = world.sumdb.db().clone();
    let mut gone = vec![world.first_record()];
    gone.push(Item::Info(world.modules[1].module.clone()));
    gone.push(Item::Mod(world.modules[2].module.clone()));
    gone.extend(
        bundle
            .items
            .keys()
            .filter(|item| matches!(item, Item::Tile(..)))
            .cloned(),
    );
    for item in &gone {
        bundle.items.remove(item).unwrap();
    }
    let error = world.refused(&bundle);
    let CheckError::Missing { what, .. } = &error else {
        panic!("{error:?}")
    };
    // Where the edge is missing, what hangs on it cannot be asked for yet; the rest is all there.
    let edge = modferry_protocol::sumdb::edge(world.sumdb.size());
    let want: Vec<String> = gone
        .iter()
        .filter(|item| !matches!(item, Item::Tile(_, tile) if !edge.contains(tile)))
        .map(Item::to_string)
        .collect();
    for item in &want {
        assert!(what.contains(item), "{item} in {what:#?}");
    }
    assert_eq!(what.len(), want.len(), "{db}: {what:#?}");
    assert_eq!(error.details(), *what);
    assert_eq!(
        error.to_string(),
        format!(
            "{} things are needed, and are neither in the bundle nor held",
            what.len()
        )
    );
}

#[test]
fn many_missing_things_are_named_up_to_a_limit() {
    let mut missing = crate::prove::Missing::default();
    let world = World::new();
    for n in 0..MAX_NAMED {
        let module = ModuleVersion::parse("example.com/x", &format!("v1.{n}.0")).unwrap();
        missing.add(&Item::Mod(module.clone()));
        missing.add(&Item::Mod(module));
    }
    let sealed = world.bundle();
    let manifest = sealed.manifest(&[], b"");
    let more = |missing: crate::prove::Missing| match missing
        .none_or_error(&manifest, &MemoryStage::new())
        .unwrap_err()
    {
        CheckError::Missing { what, more, .. } => (what.len(), more),
        other => panic!("{other:?}"),
    };
    assert_eq!(more(missing.clone()), (MAX_NAMED, 0));
    missing.add(&world.first(Item::Mod));
    assert_eq!(more(missing), (MAX_NAMED, 1));
}

#[test]
fn modules_that_no_checksum_database_proves_do_not_get_in() {
    let world = World::new();
    let mut bundle = world.bundle();
    bundle.heads.clear();
    bundle
        .items
        .retain(|item, _| matches!(item, Item::Info(_) | Item::Mod(_) | Item::Zip(_)));
    let error = world.refused(&bundle);
    assert!(
        matches!(&error, CheckError::Unproven { what } if what == "example.com/m0@v1.0.0"),
        "{error:?}"
    );
    assert_eq!(error.exit(), Exit::Sumdb);
    // Nor do records and tiles of a database whose head is not in the manifest.
    let mut bundle = world.bundle();
    bundle.heads.clear();
    bundle
        .items
        .remove(&Item::Head(world.sumdb.db().clone()))
        .unwrap();
    let error = world.refused(&bundle);
    assert!(
        matches!(&error, CheckError::Unproven { what } if what.starts_with("record ")),
        "{error:?}"
    );
}
