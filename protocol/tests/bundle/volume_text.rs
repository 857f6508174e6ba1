//! The `volume` file: strictly read, and believed for nothing.

#![allow(clippy::unwrap_used)]

use modferry_protocol::bundle::{
    Extent, MAX_ENTRIES, MAX_ENTRY, MAX_VOLUME_TEXT, MAX_VOLUMES, VolumeText, VolumeTextError,
};
use modferry_protocol::trust::Accepted;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::common::*;
use super::volumes::spanning;

const HASH: &str = "abababababababababababababababababababababababababababababababab";

/// These lines, HASH in them written out, with the first line before and the right check behind.
fn text(lines: &str) -> String {
    let text = format!("modferry volume v1\n{lines}\n").replace("HASH", HASH);
    checked(&text)
}

/// A text with its hash behind.
fn checked(text: &str) -> String {
    format!("{text}check {:x}\n", Sha256::digest(text))
}

fn parse(text: &str) -> Result<VolumeText, String> {
    VolumeText::parse(text.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn good_texts() {
    for lines in [
        "volume 1 of 1\nmanifest HASH\nentries none",
        "volume 1 of 1\nmanifest HASH\nentries 1 1",
        "volume 1 of 2\nmanifest HASH\nentries 1 7",
        "volume 1 of 2\nmanifest HASH\nentries 1 1\nextent 1 1 0 512 HASH",
        "volume 1 of 2\nmanifest HASH\nentries 1 2\nextent 2 1 0 512 HASH",
        "volume 2 of 5\nmanifest HASH\nentries 17 45\nextent 17 2 104857600 52428800 HASH\nextent 45 1 0 31457280 HASH",
        "volume 3 of 3\nmanifest HASH\nentries 17 17\nextent 17 3 104857600 1 HASH",
        "volume 999 of 999\nmanifest HASH\nentries 4000000 4000000\nextent 4000000 999 524287999 1 HASH",
        "volume 2 of 999\nmanifest HASH\nentries 5 5\nextent 5 1 0 524288000 HASH",
    ] {
        let text = text(lines);
        assert_eq!(parse(&text).unwrap().encode(), text);
    }
}

#[test]
fn bad_texts() {
    for (lines, want) in [
        (
            "volume 0 of 1\nmanifest HASH\nentries 1 1",
            "volume 0 of 1: want 1 to 999 volumes",
        ),
        (
            "volume 2 of 1\nmanifest HASH\nentries 1 1",
            "volume 2 of 1: want",
        ),
        (
            "volume 1 of 1000\nmanifest HASH\nentries 1 1",
            "volume 1 of 1000: want",
        ),
        (
            "volume 1 of 0\nmanifest HASH\nentries 1 1",
            "volume 1 of 0: want",
        ),
        (
            "volume 01 of 1\nmanifest HASH\nentries 1 1",
            "line 2: want a number",
        ),
        (
            "volume 4294967297 of 4294967297\nmanifest HASH\nentries 1 1",
            "line 2: a number that is too large",
        ),
        (
            "volume 1 in 1\nmanifest HASH\nentries 1 1",
            "line 2: want volume N of N",
        ),
        (
            "volume 1 of 1 \nmanifest HASH\nentries 1 1",
            "line 2: want volume N of N",
        ),
        (
            "Volume 1 of 1\nmanifest HASH\nentries 1 1",
            "line 2: want volume",
        ),
        ("manifest HASH\nentries 1 1", "line 2: want volume"),
        ("volume 1 of 1\nentries 1 1", "line 3: want manifest"),
        (
            "volume 1 of 1\nmanifest ab\nentries 1 1",
            "line 3: want a SHA-256",
        ),
        (
            "volume 1 of 1\nmanifest HASH HASH\nentries 1 1",
            "line 3: want manifest SHA256",
        ),
        ("volume 1 of 1\nmanifest HASH", "line 4: want entries"),
        (
            "volume 1 of 1\nmanifest HASH\nentries 1",
            "line 4: want entries FIRST LAST",
        ),
        (
            "volume 1 of 1\nmanifest HASH\nentries all",
            "line 4: want entries FIRST LAST",
        ),
        (
            "volume 1 of 1\nmanifest HASH\nentries 1 1\n",
            "line 5: want extent",
        ),
        (
            "volume 1 of 1\nmanifest HASH\nentries 1 1\nother 1",
            "line 5: want extent",
        ),
        (
            "volume 1 of 2\nmanifest HASH\nentries 1 1\nextent 1 1 0 512",
            "line 5: want extent",
        ),
        (
            "volume 1 of 2\nmanifest HASH\nentries 1 1\nextent 1 1 0 18446744073709551616 HASH",
            "line 5: want a number",
        ),
        (
            "volume 1 of 1\r\nmanifest HASH\r\nentries 1 1\r",
            "not spelled as this version writes it",
        ),
        // Rules.
        (
            "volume 1 of 2\nmanifest HASH\nentries none",
            "it has no entries",
        ),
        (
            "volume 1 of 1\nmanifest HASH\nentries none\nextent 1 1 0 5 HASH",
            "it has no entries",
        ),
        (
            "volume 2 of 2\nmanifest HASH\nentries 0 1",
            "entries 0 to 1",
        ),
        (
            "volume 2 of 2\nmanifest HASH\nentries 3 2",
            "entries 3 to 2",
        ),
        (
            "volume 2 of 2\nmanifest HASH\nentries 3 4000001",
            "entries 3 to 4000001: want some of 1 to 4000000",
        ),
        (
            "volume 1 of 2\nmanifest HASH\nentries 2 3",
            "volume 1 does not begin with the first entry",
        ),
        (
            "volume 1 of 2\nmanifest HASH\nentries 1 3\nextent 1 2 9 9 HASH",
            "volume 1 does not begin with",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 3\nextent 2 1 0 9 HASH",
            "only a volume's first and last entry",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 3\nextent 4 1 0 9 HASH",
            "only a volume's first and last entry",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 3\nextent 3 1 0 9 HASH\nextent 1 2 9 9 HASH",
            "out of order",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 1\nextent 1 2 9 9 HASH\nextent 1 2 9 9 HASH",
            "out of order, or there twice",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 1\nextent 1 2 9 0 HASH",
            "no entry can have it",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 1\nextent 1 1 0 524288001 HASH",
            "no entry can have it",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 1\nextent 1 2 524287999 2 HASH",
            "no entry can have it",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 1\nextent 1 2 18446744073709551615 1 HASH",
            "no entry can have it",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 1\nextent 1 1 9 9 HASH",
            "its number does not fit its place",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 1\nextent 1 2 0 9 HASH",
            "its number does not fit its place",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 1\nextent 1 0 9 9 HASH",
            "its number does not fit its place",
        ),
        (
            "volume 2 of 4\nmanifest HASH\nentries 1 1\nextent 1 3 9 9 HASH",
            "its number does not fit its place",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 2\nextent 1 1 0 9 HASH",
            "it ends within a volume",
        ),
        (
            "volume 2 of 3\nmanifest HASH\nentries 1 2\nextent 2 2 9 9 HASH",
            "begins in none",
        ),
        (
            "volume 2 of 2\nmanifest HASH\nentries 1 2\nextent 2 1 0 9 HASH",
            "it goes on, and no volume follows",
        ),
    ] {
        let error = parse(&text(lines)).unwrap_err();
        assert!(
            error.contains(want),
            "want {want:?} in {error:?} of {lines}"
        );
    }
}

#[test]
fn what_frames_a_text() {
    let good = text("volume 1 of 1\nmanifest HASH\nentries 1 1");
    let unchecked = &good[..good.rfind("check").unwrap()];
    for (bad, want) in [
        (
            String::new(),
            "line 1: want \"modferry volume v1\", have \"\"",
        ),
        (
            good.replace("v1", "v2"),
            "format v2: the bundle was made by a newer modferry",
        ),
        (good.replace("modferry v", "Modferry v"), "line 1: want"),
        (
            good.replace("1 of 1", "1 of 2"),
            "its own hash does not fit its lines",
        ),
        (
            format!("{unchecked}check {HASH}\n"),
            "its own hash does not fit its lines",
        ),
        (format!("{unchecked}check ab\n"), "line 5: want a SHA-256"),
        (unchecked.to_owned(), "line 5: it is not there"),
        (format!("{good}\n"), "not spelled as this version writes it"),
        (
            format!("{good}{good}"),
            "not spelled as this version writes it",
        ),
        (
            good[..good.len() - 1].to_owned(),
            "not spelled as this version writes it",
        ),
        (
            good.replace('\n', "\r\n"),
            "not spelled as this version writes it",
        ),
    ] {
        let error = parse(&bad).unwrap_err();
        assert!(
            error.contains(want),
            "want {want:?} in {error:?} of {bad:?}"
        );
    }
    assert!(VolumeText::parse(b"modferry volume v1\n\xff").is_err());
}

#[test]
fn a_text_has_a_block_at_most_and_always_fits() {
    let largest = VolumeText {
        number: MAX_VOLUMES,
        of: MAX_VOLUMES,
        manifest_sha256: [0xff; 32],
        entries: Some((MAX_ENTRIES, MAX_ENTRIES)),
        extents: vec![
            Extent {
                entry: MAX_ENTRIES,
                number: MAX_VOLUMES,
                offset: MAX_ENTRY,
                size: MAX_ENTRY,
                sha256: [0xff; 32],
            };
            2
        ],
    };
    // More than any that keeps the rules.
    assert!(largest.encode().len() as u64 <= MAX_VOLUME_TEXT);
    let of_size = |size: u64| VolumeText::parse(&vec![b'x'; size as usize]).unwrap_err();
    assert!(matches!(
        of_size(MAX_VOLUME_TEXT),
        VolumeTextError::Line { .. }
    ));
    assert_eq!(of_size(MAX_VOLUME_TEXT + 1), VolumeTextError::TooLong(513));
    // The same in a volume's tar header.
    let parts = parts(&items());
    let with_text = |size: usize| {
        let mut volume = file("manifest", &parts.note);
        volume.extend(file("index", &parts.index));
        volume.extend(file("volume", &vec![b'x'; size]));
        read(&volume).unwrap_err().to_string()
    };
    assert!(with_text(512).starts_with("volume: line 1: want"));
    assert_eq!(with_text(513), "volume: 513 bytes: want 1 to 512");
    assert_eq!(with_text(0), "volume: 0 bytes: want 1 to 512");
}

/// Volumes whose texts can be made to lie.
struct Lies {
    volumes: Vec<Vec<u8>>,
    accepted: Accepted,
    carried: Vec<Carried>,
    /// Where the volume file's contents are.
    at: usize,
}

impl Lies {
    fn new() -> Self {
        let (parts, volumes) = spanning();
        let accepted = policy().accept(&parts.note).unwrap();
        let carried = read_volumes(&volumes, &accepted).unwrap();
        let at = super::common::front(&parts) as usize + 512;
        Self {
            volumes,
            accepted,
            carried,
            at,
        }
    }

    fn text(&self, volume: usize) -> VolumeText {
        let text = &self.volumes[volume - 1][self.at..self.at + 512];
        let end = text.iter().position(|byte| *byte == 0).unwrap();
        VolumeText::parse(&text[..end]).unwrap()
    }

    /// The bundle with another text in a volume.
    fn with(&self, volume: usize, text: &[u8]) -> Vec<Vec<u8>> {
        let mut volumes = self.volumes.clone();
        let lying = &mut volumes[volume - 1];
        lying[self.at - 512..self.at + 512].copy_from_slice(&file("volume", text));
        volumes
    }

    /// What reading it gives when a volume's text is changed so.
    fn told(&self, volume: usize, lie: impl FnOnce(&mut VolumeText)) -> Result<(), String> {
        let mut text = self.text(volume);
        lie(&mut text);
        let volumes = self.with(volume, text.encode().as_bytes());
        match read_volumes(&volumes, &self.accepted) {
            Err(error) => Err(format!("{:?} {error}", error.volume().unwrap_or(0))),
            Ok(carried) => {
                assert!(carried == self.carried, "another bundle was read");
                Ok(())
            }
        }
    }
}

#[test]
fn a_lying_text_makes_nothing_but_an_error() {
    let lies = Lies::new();
    lies.told(2, |_| {}).unwrap();
    let mut failed = Vec::new();
    let mut refused = |volume: usize, want: &str, lie: &dyn Fn(&mut VolumeText)| {
        let told = lies.told(volume, lie);
        if !told.as_ref().is_err_and(|error| error.starts_with(want)) {
            failed.push(format!("volume {volume}: want {want:?}, have {told:?}"));
        }
    };
    // Extents that overlap, or leave something out.
    refused(
        3,
        "3 volume: it begins with extent 2, byte 2047 of entry 4",
        &|t| t.extents[0].offset -= 1,
    );
    refused(
        3,
        "3 volume: it begins with extent 2, byte 2049 of entry 4",
        &|t| t.extents[0].offset += 1,
    );
    refused(
        3,
        "3 volume: it begins with extent 3, byte 2048 of entry 4",
        &|t| t.extents[0].number += 1,
    );
    refused(2, "2 expected entry 000004.zip.001", &|t| {
        t.extents[0].size -= 1
    });
    refused(2, "2 expected entry 000004.zip.001", &|t| {
        t.extents[0].size += 1
    });
    refused(2, "2 expected entry 000004.zip (", &|t| t.extents.clear());
    refused(
        2,
        "2 volume: it has bytes 0 to 6000 of entry 000004.zip",
        &|t| t.extents[0].size = 6000,
    );
    refused(
        2,
        "2 volume: it has bytes 0 to 6001 of entry 000004.zip",
        &|t| t.extents[0].size = 6001,
    );
    refused(
        4,
        "4 volume: it has bytes 5120 to 5999 of entry 000004.zip",
        &|t| t.extents[0].size -= 1,
    );
    // A hash that is not the extent's.
    refused(2, "2 entry 000004.zip.001 (", &|t| {
        t.extents[0].sha256[0] ^= 1
    });
    refused(4, "4 entry 000004.zip.003 (", &|t| {
        t.extents[0].sha256[0] ^= 1
    });
    // Entries that it has not, or has besides.
    refused(2, "2 volume: it begins with entry 4", &|t| {
        t.entries = Some((4, 4))
    });
    refused(2, "2 volume: it begins with entry 2", &|t| {
        t.entries = Some((2, 4))
    });
    refused(
        1,
        "1 expected end of the archive, found file \"000002.zip\"",
        &|t| t.entries = Some((1, 1)),
    );
    refused(1, "1 expected entry 000003.zip", &|t| {
        t.entries = Some((1, 3))
    });
    refused(
        2,
        "2 expected end of the archive, found file \"000004.zip.001\"",
        &|t| {
            t.entries = Some((3, 3));
            t.extents.clear();
        },
    );
    refused(
        4,
        "4 volume: it says that more follows, and entry 5 is the last",
        &|t| t.entries = Some((4, 6)),
    );
    // Another place among the volumes.
    refused(2, "2 expected volume 2, found volume 3 of 4", &|t| {
        t.number = 3
    });
    refused(2, "2 expected volume 2 of 4, found volume 2 of 5", &|t| {
        t.of = 5
    });
    refused(1, "2 expected volume 2 of 5, found volume 2 of 4", &|t| {
        t.of = 5
    });
    refused(
        1,
        "1 volume: it says that it is the last, and entry 3 is in none",
        &|t| t.of = 1,
    );
    refused(
        1,
        "1 volume: it says that it is the last, and entry 1 is in none",
        &|t| {
            t.of = 1;
            t.entries = None;
        },
    );
    refused(2, "2 manifest: it is not as it was written", &|t| {
        t.manifest_sha256[0] ^= 1
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn the_last_volume_is_the_last_in_every_text() {
    // All of them say that there is one more.
    let lies = Lies::new();
    let mut volumes = lies.volumes.clone();
    for n in 1..=volumes.len() {
        let mut text = lies.text(n);
        text.of += 1;
        volumes[n - 1] = lies.with(n, text.encode().as_bytes()).remove(n - 1);
    }
    let error = read_volumes(&volumes, &lies.accepted).unwrap_err();
    assert_eq!(
        error.to_string(),
        "volume: it says that more follows, and entry 5 is the last"
    );
    let last = volumes.last().unwrap();
    assert_eq!(
        parts_of(last, &lies.accepted).unwrap_err().to_string(),
        "volume: it says that more follows, and entry 5 is the last"
    );
    // And one fewer: the third would be the last, in the midst of an entry.
    let mut text = lies.text(3);
    text.of -= 1;
    let short = lies.with(3, text.encode().as_bytes()).remove(2);
    assert_eq!(
        parts_of(&short, &lies.accepted).unwrap_err().to_string(),
        "volume: it says that it is the last, and more follows entry 4"
    );
}

fn any_hash() -> impl Strategy<Value = [u8; 32]> {
    proptest::array::uniform32(any::<u8>())
}

/// Numbers near those that mean something in [`Lies`], and any others.
fn any_size() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..6u64,
        500..520u64,
        1000..1030u64,
        1690..1710u64,
        any::<u64>()
    ]
}

fn any_extent() -> impl Strategy<Value = Extent> {
    (0..7u32, 0..5u32, any_size(), any_size(), any_hash()).prop_map(
        |(entry, number, offset, size, sha256)| Extent {
            entry,
            number,
            offset,
            size,
            sha256,
        },
    )
}

prop_compose! {
    fn any_text()(
        number in 0..7u32,
        of in prop_oneof![0..7u32, Just(MAX_VOLUMES + 1)],
        manifest_sha256 in any_hash(),
        entries in proptest::option::of((0..7u32, 0..7u32)),
        extents in proptest::collection::vec(any_extent(), 0..3),
    ) -> VolumeText {
        VolumeText { number, of, manifest_sha256, entries, extents }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_back_or_breaks_a_rule(text in any_text()) {
        match VolumeText::parse(text.encode().as_bytes()) {
            Ok(parsed) => prop_assert_eq!(parsed, text),
            Err(VolumeTextError::Rule(_)) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn random_texts_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), lines in "[a-z0-9 \n]{0,200}") {
        let _ = VolumeText::parse(&bytes);
        let lines = format!("modferry volume v1\n{lines}\n");
        if let Ok(text) = VolumeText::parse(checked(&lines).as_bytes()) {
            prop_assert_eq!(text.encode(), checked(&lines));
        }
    }

    /// Whatever a text says, what is read is the bundle, or nothing.
    #[test]
    fn any_lie_is_an_error_or_none(volume in 1..=4usize, lie in any_text(), keep in any::<[bool; 5]>()) {
        let lies = Lies::new();
        let _ = lies.told(volume, |text| {
            let [number, of, manifest, entries, extents] = keep;
            if !number { text.number = lie.number; }
            if !of { text.of = lie.of; }
            if !manifest { text.manifest_sha256 = lie.manifest_sha256; }
            if !entries { text.entries = lie.entries; }
            if !extents { text.extents = lie.extents; }
        });
    }
}
