//! Opaque files: hashed on their way to the stage, and never another file of the same name.

use super::*;
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::FileName;

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
