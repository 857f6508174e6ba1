//! Bundles that are packed against zips of the ones before them, verified where they were made.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Done, World};
use modferry_checker::testing::{Packing, TestModule, zip_h1, zip_of};
use modferry_protocol::bundle::MAX_PREFIX;

/// A module of some files, of which one is another in each version.
fn add(world: &mut World, version: u32, go_on: &str) {
    let text = |file: u32, version: u32| -> String {
        let line = |line: u32| {
            let number = (file + 1) * (line + 7) % 8191;
            format!("func f{file}_{line}() int {{ return {number} + {version} }}\n")
        };
        (0..100).map(line).collect()
    };
    let mut files: Vec<(String, String)> = (0..20)
        .map(|file| (format!("f{file}.go"), text(file, 0)))
        .collect();
    files.push(("version.go".into(), text(99, version) + go_on));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    world.add(&TestModule::new(&name(version), &files));
}

fn name(version: u32) -> String {
    format!("m.test/a@v1.{version}.0")
}

/// A world with a bundle of each of three versions, each but the first packed against the one before it.
fn world() -> World {
    let mut world = World::new();
    (0..3).for_each(|version| add(&mut world, version, ""));
    world.publish();
    for version in 0..3 {
        export(&world, version, &["--stream", "platform"]);
        let bases = json(&world, &bundle(version + 1))["bases"].clone();
        assert_eq!(bases, u32::from(version > 0));
    }
    world
}

#[track_caller]
fn export(world: &World, version: u32, more: &[&str]) {
    let args = [&*name(version), "--pack", "fast"];
    world.export(&[&args, more].concat()).ok();
}

fn bundle(sequence: u32) -> String {
    format!("out/platform.{sequence:06}.manifest")
}

fn json(world: &World, bundle: &str) -> serde_json::Value {
    let told = world.run(&["--json", "inspect", bundle]).ok();
    serde_json::from_str(&told.stdout).unwrap()
}

#[track_caller]
fn verify(world: &World, paths: &[&str]) -> Done {
    world.run(&[&["verify", "--pub", "site.pub"], paths].concat())
}

/// Which bundles were verified as an import would, and which by their volumes.
#[track_caller]
fn verified(world: &World, paths: &[&str]) -> (usize, usize) {
    let told = verify(world, paths).ok().stdout;
    let count = |words: &str| told.matches(words).count();
    (count(": verified\n"), count("that it is packed against"))
}

#[test]
fn a_stream_is_verified_bundle_after_bundle() {
    let world = world();
    assert_eq!(verified(&world, &["out"]), (3, 0));
    let two = [bundle(1), bundle(2)];
    assert_eq!(verified(&world, &[&two[0], &two[1]]), (2, 0));
}

#[test]
fn without_what_it_is_packed_against_only_the_volumes_of_a_bundle_are_verified() {
    let world = world();
    assert_eq!(verified(&world, &[&bundle(3)]), (0, 1));
    // The second is not taken in without the first, so the third is not either.
    assert_eq!(verified(&world, &[&bundle(2), &bundle(3)]), (0, 2));
    // The third builds on the second alone.
    assert_eq!(verified(&world, &[&bundle(1), &bundle(3)]), (1, 1));

    // What is damaged is told in either case.
    let volume = world.path("out/platform.000003.v001.tar");
    let mut bytes = fs::read(&volume).unwrap();
    let end = bytes
        .windows(4)
        .rposition(|at| at == 0xfd2f_b528_u32.to_le_bytes());
    bytes[end.unwrap() + 10] ^= 1;
    fs::write(&volume, bytes).unwrap();
    verify(&world, &[&bundle(3)]).exits(4);
    verify(&world, &["out"]).exits(4);
}

#[test]
fn a_zip_in_other_bytes_is_not_what_a_bundle_is_packed_against() {
    let world = world();
    // Another stream's zip of the first version has a comment, and the same files; it is verified first.
    let upstream = world.file(&common::version(&name(0)), "zip");
    let as_it_was = fs::read(&upstream).unwrap();
    let mut other = as_it_was.clone();
    let at = other.len() - 2;
    other.splice(at.., *b"\x04\0none");
    fs::write(&upstream, other).unwrap();
    let args = ["--stream", "another", "--cache", "other-cache"];
    export(&world, 0, &args);
    fs::write(&upstream, as_it_was).unwrap();
    // What was there first stays, so the stream's own second bundle lacks its base, and its third one that.
    assert_eq!(verified(&world, &["out"]), (2, 2));
}

#[test]
fn a_file_that_nothing_shrinks_is_packed_against() {
    let mut world = World::new();
    // As many bytes as a prefix may have, and when they are deflated a few more.
    let mut state = 1_u64;
    let bytes = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    let mut file: Vec<u8> = bytes.take(MAX_PREFIX / 8).flatten().collect();
    for version in 0..2 {
        let mut module = TestModule::new(&name(version), &[]);
        file[1000] ^= 1;
        let files = [("go.mod", &*module.go_mod), ("file", &*file)];
        module.h1 = zip_h1(&module.module, &files);
        module.zip = zip_of(&module.module, &files, Packing::Deflated);
        assert!(module.zip.len() > MAX_PREFIX);
        world.add(&module);
    }
    world.publish();
    for version in 0..2 {
        export(&world, version, &["--stream", "platform"]);
    }
    let second = bundle(2);
    let size = fs::metadata(world.path("out/platform.000002.v001.tar")).unwrap();
    assert!(size.len() < 100_000, "{}", size.len());
    let inspect = ["inspect", &second, "--modules", "--pub", "site.pub"];
    world.run(&inspect).ok();
}

#[test]
fn where_it_is_said_nothing_is_packed_against_what_is_held() {
    let mut world = World::new();
    (0..4).for_each(|version| add(&mut world, version, ""));
    world.publish();
    let bases = |sequence: u32, more: &[&str]| {
        export(
            &world,
            sequence - 1,
            &[&["--stream", "platform"], more].concat(),
        );
        json(&world, &bundle(sequence))["bases"].clone()
    };
    assert_eq!(bases(1, &[]), 0);
    assert_eq!(bases(2, &["--no-deltas"]), 0);
    let file = world.path("modferry.yaml");
    fs::write(&file, "deltas: false\n").unwrap();
    assert_eq!(bases(3, &["--config", "modferry.yaml"]), 0);
    fs::write(&file, "deltas: true\n").unwrap();
    assert_eq!(bases(4, &["--config", "modferry.yaml"]), 1);
}
