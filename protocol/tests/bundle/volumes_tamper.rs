//! Several volumes of which one is damaged: the error names that one and the part of it, wherever the damage is.

#![allow(clippy::unwrap_used)]

use std::ops::Range;

use modferry_protocol::bundle::ReadError;
use modferry_protocol::trust::Accepted;

use super::common::*;
use super::volumes::spanning;

/// A bundle of four volumes: whole entries, and one that is cut over three of them.
struct Cut {
    volumes: Vec<Vec<u8>>,
    accepted: Accepted,
}

impl Cut {
    fn new() -> Self {
        let (parts, volumes) = spanning();
        let names: Vec<Vec<String>> = volumes
            .iter()
            .map(|volume| {
                let files = layout_of(volume).into_iter().skip(3);
                files.map(|(_, name)| name).collect()
            })
            .collect();
        let end = "end of the archive";
        assert_eq!(
            names,
            [
                vec!["entry 000001.zst", "entry 000002.zip", end],
                vec!["entry 000003.zip", "entry 000004.zip.001", end],
                vec!["entry 000004.zip.002", end],
                vec!["entry 000004.zip.003", "entry 000005.zip", end],
            ]
        );
        let accepted = policy().accept(&parts.note).unwrap();
        Self { volumes, accepted }
    }

    /// The error of reading all of them, one of them being this.
    fn refused_with(&self, n: usize, bad: &[u8], case: &str) -> ReadError {
        let mut volumes: Vec<&[u8]> = self.volumes.iter().map(Vec::as_slice).collect();
        volumes[n] = bad;
        match read_volumes(&volumes, &self.accepted) {
            Ok(_) => panic!("{case} of volume {} is in nothing", n + 1),
            Err(error) => error,
        }
    }
}

/// Where each part of a volume lies, and how the errors about it begin to name it.
fn layout_of(volume: &[u8]) -> Vec<(Range<usize>, String)> {
    let mut out = Vec::new();
    let mut at = 0;
    while volume[at] != 0 {
        let header = tar::Header::from_byte_slice(&volume[at..at + 512]);
        let name = String::from_utf8(header.path_bytes().into_owned()).unwrap();
        let size = header.entry_size().unwrap() as usize;
        let end = at + 512 + size.next_multiple_of(512);
        let entry = name.starts_with('0');
        out.push((at..end, if entry { format!("entry {name}") } else { name }));
        at = end;
    }
    out.push((at..at + 1024, "end of the archive".into()));
    assert_eq!(at + 1024, volume.len());
    out
}

/// Bytes of a part to try: all of them; of what every volume has at its front, all of two volumes', and some of the others'.
fn bytes_of(volume: usize, range: Range<usize>, label: &str) -> impl Iterator<Item = usize> {
    let front = label == "manifest" || label == "index";
    range.step_by(if front && volume > 1 { 13 } else { 1 })
}

/// Whether a part's name is the one of the layout: an entry's goes on with what it holds.
fn names(text: &str, label: &str) -> bool {
    let held = format!("{label} (");
    text.contains(if label.starts_with("entry") {
        &held
    } else {
        label
    })
}

#[test]
fn no_byte_of_any_volume_can_be_changed() {
    let cut = Cut::new();
    for (n, good) in cut.volumes.iter().enumerate() {
        for (range, label) in layout_of(good) {
            for at in bytes_of(n, range, &label) {
                let mut bad = good.clone();
                bad[at] ^= 1 << (at % 8);
                let case = format!("byte {at}, in {label},");
                let error = cut.refused_with(n, &bad, &case);
                let text = error.to_string();
                let in_front = ["manifest", "index", "volume"].contains(&&*label);
                // Before a first volume has said that it is the first, nobody knows.
                let volume = error.volume().or((n == 0 && in_front).then_some(1));
                assert_eq!(volume, Some(n as u32 + 1), "{case} {text}");
                assert!(names(&text, &label), "{case} {text}");
            }
        }
    }
}

#[test]
fn no_volume_can_be_shorter_or_longer() {
    let cut = Cut::new();
    for (n, good) in cut.volumes.iter().enumerate() {
        for (range, label) in layout_of(good) {
            for len in bytes_of(n, range, &label) {
                let case = format!("{len} bytes");
                let error = cut.refused_with(n, &good[..len], &case);
                let text = error.to_string();
                assert!(
                    matches!(error, ReadError::Truncated { .. }),
                    "{case} {text}"
                );
                let volume = error.volume().unwrap_or(1);
                assert_eq!(volume, n as u32 + 1, "{case} {text}");
                let label = format!("the volume ends in {label}");
                assert!(names(&text, &label) || text == label, "{case} {text}");
            }
        }
        for more in [&[0][..], &[0; 512], &good[..]] {
            let long = [good, more].concat();
            let error = cut.refused_with(n, &long, "what is behind the end");
            assert_eq!(error.volume(), Some(n as u32 + 1));
            let want = "end of the archive: there are bytes behind it";
            assert_eq!(error.to_string(), want);
        }
    }
}

#[test]
fn one_volume_by_itself_names_just_what_is_damaged() {
    let cut = Cut::new();
    for (n, good) in cut.volumes.iter().enumerate() {
        let whole = parts_of(good, &cut.accepted).unwrap();
        assert!(whole.iter().all(|(_, ok)| *ok), "{whole:?}");
        for (range, label) in layout_of(good) {
            for at in bytes_of(n, range, &label) {
                let mut bad = good.clone();
                bad[at] ^= 1 << (at % 8);
                let found = match parts_of(&bad, &cut.accepted) {
                    Ok(found) => found,
                    Err(error) => {
                        assert!(names(&error.to_string(), &label), "byte {at}: {error}");
                        continue;
                    }
                };
                let damaged: Vec<_> = found.iter().filter(|(_, ok)| !ok).collect();
                assert_eq!(found.len(), whole.len(), "byte {at}");
                assert!(
                    damaged.len() == 1 && names(&damaged[0].0, &label),
                    "byte {at} in {label}: {damaged:?}"
                );
            }
        }
    }
}

#[test]
fn one_volume_by_itself_names_all_that_is_damaged() {
    let cut = Cut::new();
    for good in &cut.volumes {
        let layout = layout_of(good);
        let whole = parts_of(good, &cut.accepted).unwrap();
        let front = layout[2].0.end;
        // Every set of its parts.
        for set in 0..1u32 << whole.len() {
            let mut bad = good.clone();
            let hit: Vec<bool> = (0..whole.len()).map(|n| set & 1 << n != 0).collect();
            for ((range, _), _) in layout[3..].iter().zip(&hit).filter(|(_, hit)| **hit) {
                bad[range.start + 512] ^= 1;
            }
            let found = parts_of(&bad, &cut.accepted).unwrap();
            let ok: Vec<bool> = found.iter().map(|(_, ok)| !ok).collect();
            assert_eq!(ok, hit);
        }
        // What cannot be read is lost, and all behind it.
        for len in front..good.len() {
            let found = parts_of(&good[..len], &cut.accepted).unwrap();
            let names: Vec<_> = found.iter().map(|(name, _)| name).collect();
            assert!(names.iter().copied().eq(whole.iter().map(|(name, _)| name)));
            for ((_, ok), (range, label)) in found.iter().zip(&layout[3..]) {
                assert_eq!(*ok, range.end <= len, "{len} bytes: {label}");
            }
        }
        for len in 0..front {
            parts_of(&good[..len], &cut.accepted).unwrap_err();
        }
    }
}
