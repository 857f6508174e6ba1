//! Who signed, and that nothing else is looked at before.

use super::*;
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::MAX_MANIFEST;
use modferry_protocol::note::{MAX_SIGNATURES, add_signature, sign};

/// Fails the test when more than the manifest is read.
struct OnlyTheManifest<'a>(&'a [u8], usize);

impl Read for OnlyTheManifest<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.0.read(buf)?;
        self.1 = self
            .1
            .checked_sub(n)
            .expect("bytes behind the manifest were read");
        Ok(n)
    }
}

#[test]
fn a_bundle_by_an_unknown_key_is_not_read_past_its_manifest() {
    let world = World::new();
    let sealed = world.bundle().seal(&[&key("stranger")]);
    let front = 512 + sealed.manifest.len().next_multiple_of(512);
    let volume = OnlyTheManifest(&sealed.volume, front);
    let error = check(
        OneVolume::new(volume),
        None,
        &world.policy,
        &mut MemoryStage::new(),
        &NoProgress,
    )
    .unwrap_err();
    assert!(matches!(error, CheckError::Untrusted { .. }), "{error:?}");
    assert_eq!(error.exit(), Exit::Untrusted);
    assert!(error.advice().unwrap().contains("trust add"));
}

#[test]
fn a_key_of_a_trusted_name_is_not_a_trusted_key() {
    let world = World::new();
    let sealed = world.bundle().seal(&[&key("site")]);
    let error = check(
        OneVolume::new(&*sealed.volume),
        None,
        &world.policy,
        &mut MemoryStage::new(),
        &NoProgress,
    );
    assert!(matches!(error, Err(CheckError::Untrusted { .. })));
}

#[test]
fn a_changed_manifest_is_not_trusted() {
    let world = World::new();
    let sealed = world.seal(&world.bundle());
    let at = sealed
        .volume
        .windows(5)
        .position(|w| w == b"zips ")
        .unwrap()
        + 5;
    let mut volume = sealed.volume;
    volume[at] ^= 1;
    let error = check(
        OneVolume::new(&*volume),
        None,
        &world.policy,
        &mut MemoryStage::new(),
        &NoProgress,
    )
    .unwrap_err();
    assert_eq!(error.exit(), Exit::Untrusted);
}

#[test]
fn a_checksum_database_without_a_key_is_told_before_anything_is_read() {
    let mut world = World::new();
    world.policy = policy(&[&world.key], &[&TestSumdb::new("sum.other")]);
    let sealed = world.seal(&world.bundle());
    let front = 512 + sealed.manifest.len().next_multiple_of(512);
    let volume = OnlyTheManifest(&sealed.volume, front);
    let error = check(
        OneVolume::new(volume),
        None,
        &world.policy,
        &mut MemoryStage::new(),
        &NoProgress,
    )
    .unwrap_err();
    assert!(
        matches!(&error, CheckError::UnknownDb { db } if db == world.sumdb.db()),
        "{error:?}"
    );
    assert_eq!(error.exit(), Exit::Untrusted);
    let cure = format!("trust add --sumdb '{}+HASH+KEY'", world.sumdb.db());
    assert!(error.advice().unwrap().contains(&cure));
}

#[test]
fn signatures_in_the_volume_and_beside_it_both_count() {
    let mut world = World::new();
    let second = key("second");
    world.policy = Policy::new(
        vec![world.key.verifier(), second.verifier()],
        2,
        vec![world.sumdb.key().verifier()],
    )
    .unwrap();
    let sealed = world.seal(&world.bundle());
    let check_with = |sidecar: Option<&[u8]>| {
        check(
            OneVolume::new(&*sealed.volume),
            sidecar,
            &world.policy,
            &mut MemoryStage::new(),
            &NoProgress,
        )
    };
    let error = check_with(None).unwrap_err();
    assert!(matches!(error, CheckError::Untrusted { .. }));
    assert!(
        matches!(
            check_with(Some(&sealed.manifest)),
            Err(CheckError::Untrusted { .. })
        ),
        "the same one twice"
    );

    let added = add_signature(&sealed.manifest, &second).unwrap();
    assert_eq!(check_with(Some(&added)).unwrap().signers.len(), 2);
    let text_end = sealed
        .manifest
        .windows(2)
        .position(|w| w == b"\n\n")
        .unwrap()
        + 1;
    let text = std::str::from_utf8(&sealed.manifest[..text_end]).unwrap();
    let only_the_second = sign(text, &[&second]).unwrap();
    assert_eq!(check_with(Some(&only_the_second)).unwrap().signers.len(), 2);
}

#[test]
fn a_manifest_file_of_another_bundle_is_refused() {
    let world = World::new();
    let sealed = world.seal(&world.bundle());
    let mut other = world.bundle();
    other.sequence = other.sequence.next().unwrap();
    let other = world.seal(&other).manifest;
    let too_large = vec![b'x'; MAX_MANIFEST as usize + 1];
    for (sidecar, what) in [
        (
            &other[..],
            "its text is not that of the manifest in the volume",
        ),
        (b"", "has no signatures"),
        (b"modferry bundle v1\n", "has no signatures"),
        (&too_large, "larger than a manifest may be"),
    ] {
        let result = check(
            OneVolume::new(&*sealed.volume),
            Some(sidecar),
            &world.policy,
            &mut MemoryStage::new(),
            &NoProgress,
        );
        let error = result.unwrap_err();
        assert_eq!(error.exit(), Exit::Damaged);
        assert!(told(&error).contains(what), "{}", told(&error));
    }
}

#[test]
fn signatures_are_united_up_to_a_limit() {
    let note = |lines: usize| {
        let lines: String = (0..lines).map(|n| format!("line {n}\n")).collect();
        format!("text\n\n{lines}").into_bytes()
    };
    let (most, more) = (note(MAX_SIGNATURES), note(MAX_SIGNATURES + 1));
    assert_eq!(united_note(&most, Some(&most)).unwrap(), most);
    for (own, beside) in [(&most, &more), (&more, &most)] {
        let error = united_note(own, Some(beside)).unwrap_err();
        assert_eq!(error.exit(), Exit::Damaged);
        assert!(
            told(&error).contains("more than 100 signatures"),
            "{}",
            told(&error)
        );
    }
}

#[test]
fn a_rightly_signed_manifest_that_cannot_be_read_is_no_question_of_trust() {
    let world = World::new();
    let good = world.seal(&world.bundle());
    let text_end = good.manifest.windows(2).position(|w| w == b"\n\n").unwrap() + 1;
    let text = std::str::from_utf8(&good.manifest[..text_end]).unwrap();
    for (text, advice) in [
        (
            text.replacen("bundle v1\n", "bundle v2\n", 1),
            "use the modferry that made this bundle",
        ),
        (
            text.replacen("T09:00:00Z", " 09:00:00Z", 1),
            "export it again",
        ),
    ] {
        let note = sign(&text, &[&world.key]).unwrap();
        let mut volume = good.volume.clone();
        volume[512..][..note.len()].copy_from_slice(&note);
        let error = check(
            OneVolume::new(&*volume),
            None,
            &world.policy,
            &mut MemoryStage::new(),
            &NoProgress,
        )
        .unwrap_err();
        assert_eq!(error.exit(), Exit::Damaged, "{}", told(&error));
        assert!(
            told(&error).starts_with("the bundle's manifest cannot be read: "),
            "{}",
            told(&error)
        );
        assert!(error.advice().unwrap().contains(advice), "{error:?}");
    }
}
