//! Opaque files: hashed on their way to the stage, and never another file of the same name.

use super::*;
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{FileName, needed_file};
use sha2::{Digest as _, Sha256};

fn file(name: &str) -> Item {
    Item::File(name.parse().unwrap())
}

fn with(world: &World, files: &[(&str, &[u8])]) -> TestBundle {
    let mut bundle = world.bundle();
    for (name, bytes) in files {
        bundle.items.insert(file(name), bytes.to_vec());
    }
    bundle
}

#[test]
fn files_come_behind_the_zips_and_go_to_the_stage() {
    let world = World::new();
    let large = vec![7; 3 << 20];
    let bundle = with(&world, &[("a.tar", &large), ("b.txt", b"text")]);
    let mut stage = MemoryStage::new();
    let report = world.check_on(&mut stage, &bundle).unwrap();
    assert_eq!(
        (report.files, report.file_bytes, report.zips),
        (2, large.len() as u64 + 4, 3)
    );
    let name = |name: &str| FileName::new(name).unwrap();
    assert_eq!(stage.staged_file(&name("a.tar")), Some(&large[..]));
    assert_eq!(stage.staged_file(&name("b.txt")), Some(&b"text"[..]));
    stage.commit(report.served);

    // The same once more is no harm, another one of the name is refused.
    assert_eq!(world.check_on(&mut stage, &bundle).unwrap().files, 2);
    let error = world
        .check_on(&mut stage, &with(&world, &[("b.txt", b"other")]))
        .unwrap_err();
    assert!(matches!(&error, CheckError::OtherFile { name } if name.as_str() == "b.txt"));
    assert_eq!(error.exit(), Exit::Other);
    assert!(error.advice().unwrap().contains("another name"));
}

fn needed(name: &str, bytes: &[u8]) -> (Item, Vec<u8>) {
    let sha256: [u8; 32] = Sha256::digest(bytes).into();
    (
        Item::NeededFile(name.parse().unwrap()),
        needed_file(&sha256),
    )
}

fn gone(name: &str) -> (Item, Vec<u8>) {
    (Item::GoneFile(name.parse().unwrap()), Vec::new())
}

#[test]
fn what_is_needed_of_files_is_held_with_those_bytes() {
    let world = World::new();
    let first = with(&world, &[("a.tar", b"a"), ("b.txt", b"b")]);
    let next = |items: Vec<(Item, Vec<u8>)>| {
        let mut next = world.bundle().less(&first, 2).on(&first);
        next.items.extend(items);
        next
    };
    let mut stage = MemoryStage::new();
    let report = world.check_on(&mut stage, &first).unwrap();
    stage.commit(report.served);
    let fine = next(vec![
        needed("a.tar", b"a"),
        gone("b.txt"),
        gone("never-seen"),
    ]);
    let report = world.check_on(&mut stage, &fine).unwrap();
    assert_eq!((report.needed_files, report.gone_files), (1, 2));
    for (item, _) in [needed("a.tar", b"other"), needed("c.txt", b"c")] {
        let Item::NeededFile(name) = item else {
            unreachable!()
        };
        let lacking = next(vec![needed(name.as_str(), b"other")]);
        let error = world.check_on(&mut stage, &lacking).unwrap_err();
        assert_eq!(error.exit(), Exit::Missing);
        assert!(told(&error).contains(&format!("file {name}")), "{error}");
    }
}

#[test]
fn a_file_is_one_of_needed_carried_and_taken_back() {
    let world = World::new();
    let first = with(&world, &[("a.tar", b"a")]);
    let mut stage = MemoryStage::new();
    let report = world.check_on(&mut stage, &first).unwrap();
    stage.commit(report.served);
    let carried = || (file("a.tar"), b"a".to_vec());
    for (items, what) in [
        (
            vec![needed("a.tar", b"a"), gone("a.tar")],
            "and it is needed",
        ),
        (
            vec![needed("a.tar", b"a"), carried()],
            "it carries the file a.tar",
        ),
        (vec![gone("a.tar"), carried()], "it carries the file a.tar"),
    ] {
        let mut next = world.bundle().less(&first, 2).on(&first);
        next.items.extend(items);
        let error = world.check_on(&mut stage, &next).unwrap_err();
        assert_eq!(error.exit(), Exit::Damaged);
        assert!(told(&error).contains(what), "{}", told(&error));
    }
    let mut odd = world.bundle().less(&first, 2).on(&first);
    odd.items.insert(needed("a.tar", b"a").0, vec![b'X'; 64]);
    let error = world.check_on(&mut stage, &odd).unwrap_err();
    assert!(told(&error).contains("not a SHA-256"), "{}", told(&error));
}

#[test]
fn a_flipped_byte_of_a_file_is_told_and_a_cut_one_too() {
    let world = World::new();
    let sealed = world.seal(&with(&world, &[("a.tar", &[7; 5000])]));
    let at = sealed.volume.len() - 1024 - 5120;
    let mut flipped = sealed.volume.clone();
    flipped[at + 4999] ^= 1;
    for volume in [flipped, sealed.volume[..at + 2000].to_vec()] {
        let error = check(
            OneVolume::new(&*volume),
            None,
            &world.policy,
            &mut MemoryStage::new(),
            &NoProgress,
        )
        .unwrap_err();
        assert_eq!(error.exit(), Exit::Damaged);
        let text = told(&error);
        assert!(text.contains(".file (file a.tar)"), "{text}");
    }
}
