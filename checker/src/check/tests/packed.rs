//! Packed bundles: they come to what the same zips come to as they are, and those that lie are refused, whoever signed them.

use super::*;
use crate::HeldZip;
use crate::testing::{Packing, Tamper, TestPacking, zip_h1, zip_of};
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{BaseEntry, ContentsWriter, DeflatedTotals, Entry, Form};
use modferry_protocol::h1::H1;
use modferry_protocol::zip::ReadAt;
use sha2::{Digest, Sha256};
use std::io::Write;

fn frames_of(frame: usize) -> TestPacking {
    TestPacking::frames_of(frame)
}

/// The world's bundle, packed.
fn packed(world: &World) -> TestBundle {
    world.bundle().packed(frames_of(1000))
}

/// What a bundle's zips are once they are staged.
fn zips(world: &World, bundle: &TestBundle) -> Vec<Vec<u8>> {
    let mut stage = MemoryStage::new();
    world.check_on(&mut stage, bundle).unwrap();
    let zip = |module: &TestModule| stage.staged_zip_bytes(&module.module).unwrap().to_vec();
    world.modules.iter().map(zip).collect()
}

/// A module whose zip has these bytes, in the world's database.
fn add(world: &mut World, name: &str, files: &[(&str, &[u8])], zip: Vec<u8>) {
    let module: ModuleVersion = name.parse().unwrap();
    let go_mod = format!("module {}\n", module.path()).into_bytes();
    let h1 = zip_h1(&module, files);
    world.sumdb.add_record(&module, h1, H1::of_go_mod(&go_mod));
    world.modules.push(TestModule {
        info: format!(r#"{{"Version":"{}"}}"#, module.version()).into(),
        module,
        go_mod,
        zip,
        h1,
    });
}

fn damaged(world: &World, bundle: &TestBundle) -> String {
    let error = world.refused(bundle);
    assert_eq!(error.exit(), Exit::Damaged, "{}", told(&error));
    told(&error)
}

#[test]
fn packed_and_as_they_are_zips_come_to_the_same() {
    let world = World::new();
    let bundle = world.bundle();
    let plain: Vec<_> = world.modules.iter().map(|m| m.zip.clone()).collect();
    assert_eq!(zips(&world, &bundle), plain);
    for frame in [1, 2, 3, 1000] {
        let bundle = bundle.clone().packed(frames_of(frame));
        assert_eq!(zips(&world, &bundle), plain);
        let report = world.check(&bundle).unwrap();
        // Go.mod and source of each, and the licence once.
        assert_eq!(
            (report.deflated, report.packed_zips, report.zips),
            (7, 3, 3)
        );
        assert_eq!(report.contents, 7_usize.div_ceil(frame) as u64);
        let sealed = world.seal(&bundle);
        assert_eq!(report.content_bytes, content_bytes(&sealed.entries));
        assert!(report.deflated_bytes > 0);
    }
}

fn content_bytes(entries: &[Entry]) -> u64 {
    let all = entries.iter().flat_map(|entry| &entry.items);
    all.filter(|(item, _)| matches!(item, Item::Contents(_)))
        .map(|(_, size)| size)
        .sum()
}

#[test]
fn a_stage_in_a_file_takes_packed_bundles_too() {
    let world = World::new();
    let sealed = world.seal(&packed(&world));
    let mut stage = SpoolStage::new().unwrap();
    let report = check(
        OneVolume::new(&*sealed.volume),
        None,
        &world.policy,
        &mut stage,
        &NoProgress,
    );
    assert_eq!(report.unwrap().packed_zips, 3);
}

#[test]
fn stored_files_and_foreign_encoders_are_restored_too() {
    let mut world = World::new();
    let text = b"package m\n\nfunc F() {}\n".repeat(400);
    for (name, packing) in [
        ("example.com/s@v1.0.0", Packing::Stored),
        ("example.com/t@v1.0.0", Packing::Foreign),
        ("example.com/u@v1.0.0", Packing::Deflated),
    ] {
        let go_mod = format!("module {}\n", &name[..13]);
        let files: &[(&str, &[u8])] = &[
            ("go.mod", go_mod.as_bytes()),
            ("empty", b""),
            ("f.go", &text),
        ];
        let zip = zip_of(&name.parse().unwrap(), files, packing);
        add(&mut world, name, files, zip);
    }
    let plain: Vec<_> = world.modules.iter().map(|m| m.zip.clone()).collect();
    for frame in [1, 1000] {
        let bundle = world.bundle().packed(frames_of(frame));
        assert_eq!(zips(&world, &bundle), plain);
        assert_eq!(world.check(&bundle).unwrap().packed_zips, 6);
    }
}

/// A zip of two files with three bytes between them, which no recipe has a place for.
fn with_a_gap(mut zip: Vec<u8>) -> Vec<u8> {
    let places = modferry_protocol::zip::places(&zip).unwrap();
    let (first, second) = (&places[0], &places[1]);
    let directory = zip.len() - 22 - 2 * 46 - first.name.len() - second.name.len();
    for field in [directory + 46 + first.name.len() + 42, zip.len() - 6] {
        zip[field] += 3; // small enough not to carry
    }
    let at = second.header_offset as usize;
    zip.splice(at..at, *b"gap");
    zip
}

#[test]
fn a_zip_that_has_no_recipe_travels_among_those_that_have() {
    let mut world = World::new();
    let name = "example.com/m1@v1.5.0"; // among the others
    let files: &[(&str, &[u8])] = &[("go.mod", b"module example.com/m1\n"), ("a", b"A")];
    let zip = with_a_gap(zip_of(&name.parse().unwrap(), files, Packing::Deflated));
    add(&mut world, name, files, zip);
    let bundle = packed(&world);
    let encodings: Vec<_> = bundle
        .entries()
        .into_iter()
        .map(|(e, _)| e.encoding)
        .collect();
    assert!(encodings.ends_with(&[Encoding::Recipes, Encoding::Raw, Encoding::Recipes]));
    let report = world.check(&bundle).unwrap();
    assert_eq!((report.packed_zips, report.zips), (3, 4));
    let plain: Vec<_> = world.modules.iter().map(|m| m.zip.clone()).collect();
    assert_eq!(zips(&world, &bundle), plain);
}

#[test]
fn a_zip_of_other_bytes_than_the_index_says_is_refused() {
    let world = World::new();
    let tampered = |tamper: Tamper| {
        let mut bundle = packed(&world);
        bundle.tamper = Some(tamper);
        damaged(&world, &bundle)
    };
    let error = tampered(|entries| entries.last_mut().unwrap().0.zip_sha256[1][0] ^= 1);
    let what = "what its recipe makes does not have the SHA-256 of the index";
    assert!(error.ends_with(what), "{error}");
    assert!(
        error.starts_with("test.000001.v001.tar: entry 0"),
        "{error}"
    );
    assert!(error.contains("example.com/m1@v1.1.0"), "{error}");

    let error = tampered(|entries| entries.last_mut().unwrap().0.items[1].1 -= 1);
    assert!(error.contains("its recipe makes more than "), "{error}");
    let error = tampered(|entries| entries.last_mut().unwrap().0.items[1].1 += 1);
    assert!(error.contains("bytes, the index has"), "{error}");
}

#[test]
fn a_zip_with_the_right_bytes_and_another_h1_than_its_record_is_refused() {
    let mut world = World::new();
    let name = "example.com/z@v1.0.0";
    let recorded: &[(&str, &[u8])] = &[("go.mod", b"module example.com/z\n"), ("a", b"one")];
    let carried: &[(&str, &[u8])] = &[("go.mod", b"module example.com/z\n"), ("a", b"two")];
    let zip = zip_of(&name.parse().unwrap(), carried, Packing::Deflated);
    add(&mut world, name, recorded, zip);
    let error = world.refused(&packed(&world));
    assert!(
        matches!(error, CheckError::Sumdb { .. }),
        "{}",
        told(&error)
    );
    assert!(
        told(&error).contains("example.com/z@v1.0.0 has h1:"),
        "{}",
        told(&error)
    );
}

#[test]
fn contents_give_what_the_manifest_says_no_more_and_no_less() {
    let world = World::new();
    let right = world.check(&packed(&world)).unwrap();
    let (streams, bytes) = (right.deflated, right.deflated_bytes);
    for frame in [1, 1000] {
        let with = |streams, bytes| TestBundle {
            deflated: Some(DeflatedTotals { streams, bytes }),
            ..world.bundle().packed(frames_of(frame))
        };
        world.check(&with(streams, bytes)).unwrap();
        for (streams, bytes) in [
            (streams - 1, bytes),
            (streams, bytes - 1),
            (0, bytes),
            (streams, 1),
        ] {
            let error = damaged(&world, &with(streams, bytes));
            let what = format!(
                "its contents give more than the {streams} deflate streams of {bytes} bytes that the manifest says"
            );
            assert!(error.ends_with(&what), "{error}");
            assert!(error.contains(".contents (contents "), "{error}");
        }
        for more in [with(streams + 1, bytes), with(streams, bytes + 1)] {
            let error = damaged(&world, &more);
            assert!(
                error.starts_with("test.000001.manifest: the manifest"),
                "{error}"
            );
            assert!(error.contains("its contents give "), "{error}");
        }
    }
}

/// A frame of these contents, and its size in the index.
fn frame_of(contents: &[(&[u8], &[Form])], parts: &[BaseEntry], prefix: &[u8]) -> (Vec<u8>, u64) {
    let table: Vec<(u64, Vec<Form>)> = (contents.iter())
        .map(|(content, forms)| (content.len() as u64, forms.to_vec()))
        .collect();
    let mut writer = ContentsWriter::new(3, prefix, parts, &table).unwrap();
    for (content, _) in contents {
        writer.write_all(content).unwrap();
    }
    let restored = writer.restored();
    (writer.finish().unwrap(), restored)
}

/// Puts another frame in the place of the bundle's.
fn put_frame(entries: &mut [(Entry, Vec<u8>)], (stored, restored): (Vec<u8>, u64)) {
    let is_frame = |entry: &&mut (Entry, Vec<u8>)| entry.0.encoding == Encoding::Contents;
    let frame = entries.iter_mut().find(is_frame).unwrap();
    frame.1 = stored;
    frame.0.items[0].1 = restored;
}

#[test]
fn contents_that_expand_end_where_the_manifest_says() {
    let world = World::new();
    let mut bundle = packed(&world);
    bundle.tamper = Some(|entries| {
        // No more than what the manifest lets them be.
        let zeros = vec![0; 100 << 10];
        put_frame(entries, frame_of(&[(&zeros, &[Form::AsIs])], &[], &[]));
    });
    let error = damaged(&world, &bundle);
    assert!(
        error.contains("its contents give more than the 7 deflate streams"),
        "{error}"
    );
}

#[test]
fn a_recipe_that_names_what_is_not_there_is_refused() {
    let world = World::new();
    let mut bundle = packed(&world);
    // One content, where the recipes name seven.
    bundle.tamper =
        Some(|entries| put_frame(entries, frame_of(&[(b"x", &[Form::AsIs])], &[], &[])));
    bundle.deflated = Some(DeflatedTotals {
        streams: 1,
        bytes: 1,
    });
    let error = damaged(&world, &bundle);
    assert!(error.contains("there is no deflate stream 1"), "{error}");
    assert!(error.contains("zip example.com/m0@v1.0.0"), "{error}");
}

#[test]
fn a_frame_that_is_none_is_refused() {
    let world = World::new();
    let mut bundle = packed(&world);
    bundle.tamper = Some(|entries| {
        let frame = entries
            .iter_mut()
            .find(|(e, _)| e.encoding == Encoding::Contents);
        frame.unwrap().1.push(0);
    });
    let error = damaged(&world, &bundle);
    assert!(error.contains("1 bytes behind the frame"), "{error}");
}

/// The next version of the world's first module, one file of three changed, and a bundle of just that on top.
fn update() -> (World, MemoryStage, TestBundle, TestModule) {
    let mut world = World::new();
    let first = world.bundle();
    let mut stage = MemoryStage::new();
    let report = world.check_on(&mut stage, &first).unwrap();
    stage.commit(report.served);
    let old = world.modules[0].clone();
    let source = "package m\n\nconst N = 1_000\n";
    let name = "example.com/m0@v1.0.1";
    let new = TestModule::new(name, &[("m.go", source), ("LICENSE", "none\n")]);
    world.sumdb.add(&new);
    let mut bundle = TestBundle::of(&world.sumdb, &[&new], &[first.heads[0].1.size])
        .less(&first, 2)
        .on(&first);
    bundle = bundle.packed(TestPacking {
        frame: 1000,
        bases: vec![(old.module, old.zip)],
    });
    (world, stage, bundle, new)
}

#[test]
fn a_new_version_is_built_on_the_one_that_is_held() {
    let (world, mut stage, bundle, new) = update();
    let report = world.check_on(&mut stage, &bundle).unwrap();
    // The changed file is carried, against the old one; the others are the held zip's.
    assert_eq!(
        (report.bases, report.deflated, report.packed_zips),
        (1, 1, 1)
    );
    assert_eq!(stage.staged_zip_bytes(&new.module).unwrap(), new.zip);
}

#[test]
fn a_base_that_is_not_held_is_missing() {
    let (world, mut stage, bundle, _) = update();
    let base = world.modules[0].module.clone();
    assert!(stage.forget(&Item::Zip(base.clone())));
    let error = world.check_on(&mut stage, &bundle).unwrap_err();
    assert_eq!(error.exit(), Exit::Missing);
    assert_eq!(
        told(&error),
        format!("zip {base} is needed, and is neither in the bundle nor held")
    );
    assert!(
        error.advice().unwrap().contains("--basis none"),
        "{error:?}"
    );
    assert!(
        stage
            .staged_zip_bytes(&"example.com/m0@v1.0.1".parse().unwrap())
            .is_none()
    );
}

#[test]
fn a_base_that_is_held_with_other_bytes_is_missing_and_told_so() {
    let (world, mut stage, mut bundle, _) = update();
    let base = world.modules[0].module.clone();
    let text = bundle.items.get_mut(&Item::Bases(1)).unwrap();
    let digit = text.len() - 2;
    text[digit] = if text[digit] == b'0' { b'1' } else { b'0' };
    let error = world.check_on(&mut stage, &bundle).unwrap_err();
    assert_eq!(error.exit(), Exit::Missing);
    let told = told(&error);
    assert!(
        told.starts_with(&format!("zip {base} with SHA-256 ")),
        "{told}"
    );
    assert!(
        told.contains("(it is held with other bytes) is needed"),
        "{told}"
    );
}

#[test]
fn a_base_may_be_taken_back_by_the_bundle_that_is_built_on_it() {
    use modferry_protocol::bundle::Gone;
    let (world, mut stage, bundle, new) = update();
    let base = world.modules[0].module.clone();
    let bundle = bundle.without([(base, Gone::All)]);
    world.check_on(&mut stage, &bundle).unwrap();
    assert_eq!(stage.staged_zip_bytes(&new.module).unwrap(), new.zip);
}

#[test]
fn what_names_a_base_or_an_entry_that_is_not_there_is_refused() {
    let (world, mut stage, mut bundle, _) = update();
    for (tamper, want) in [
        (
            (|entries| {
                let part = BaseEntry { base: 1, entry: 0 };
                put_frame(entries, frame_of(&[(b"x", &[Form::AsIs])], &[part], b""));
            }) as Tamper,
            "there is no entry 0 of base 1",
        ),
        (
            |entries| {
                let part = BaseEntry { base: 0, entry: 3 };
                put_frame(entries, frame_of(&[(b"x", &[Form::AsIs])], &[part], b""));
            },
            "there is no entry 3 of base 0",
        ),
        (
            // With another prefix than it was compressed against: other bytes, if any.
            |entries| {
                let part = BaseEntry { base: 0, entry: 0 };
                let content = b"what is compressed against this very text comes to nothing";
                let frame = frame_of(&[(content, &[Form::AsIs])], &[part], content);
                put_frame(entries, frame);
            },
            ".contents (contents 1)",
        ),
    ] {
        bundle.tamper = Some(tamper);
        let error = world.check_on(&mut stage, &bundle).unwrap_err();
        assert_eq!(error.exit(), Exit::Damaged, "{}", told(&error));
        assert!(told(&error).contains(want), "{}", told(&error));
    }
}

#[test]
fn a_list_of_bases_is_as_long_as_the_manifest_says() {
    let (world, mut stage, mut bundle, _) = update();
    bundle.bases = Some(2);
    let error = world.check_on(&mut stage, &bundle).unwrap_err();
    assert_eq!(
        told(&error),
        "test.000002.v001.tar: bases is damaged: its texts list 1 module versions, and the manifest says 2"
    );
    // Without the list, a base is nobody's.
    bundle.bases = Some(0);
    bundle.items.remove(&Item::Bases(1));
    let error = world.check_on(&mut stage, &bundle).unwrap_err();
    assert!(
        told(&error).contains("there is no entry 0 of base 0"),
        "{}",
        told(&error)
    );
}

#[test]
fn a_held_zip_is_read_at_any_place() {
    let (world, stage, ..) = update();
    let module = &world.modules[0];
    let sha256 = Sha256::digest(&module.zip).into();
    let HeldZip::Same(zip) = stage.held_zip(&module.module, &sha256).unwrap() else {
        panic!("it is held");
    };
    assert_eq!(zip.size(), module.zip.len() as u64);
    let mut two = [0; 2];
    zip.read_exact_at(0, &mut two).unwrap();
    assert_eq!(&two, b"PK");
    assert!(zip.read_exact_at(zip.size() - 1, &mut two).is_err());
}
