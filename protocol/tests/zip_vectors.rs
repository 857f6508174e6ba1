//! Replays what golang.org/x/mod/zip and dirhash said of the zips in tests/vectors/zip (see there, and
//! tests/vectors/README.md for how they are made): the same zips accepted, with the same h1, and the same refused.
//!
//! Where modferry is stricter on purpose, [`STRICTER`] has the zip's name and the reason.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::{Checker, ReadAt, Rule, ZipError, ZipFacts, check_file_path};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

const OVERLAP: &str = "entries share data: the go command inflates the same bytes again for each entry, so that the work \
    grows with entries times size";
const STRICTER: &[(&str, &str)] = &[
    ("header-inside-stored-file", OVERLAP),
    ("shared-header", OVERLAP),
    ("shared-header-many", OVERLAP),
];

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/zip");
    fs::read(path.join(name)).unwrap()
}

fn lines<T: DeserializeOwned>(name: &str) -> Vec<T> {
    let text = String::from_utf8(file(name)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn module() -> ModuleVersion {
    ModuleVersion::parse("example.com/m", "v1.0.0").unwrap()
}

fn check(zip: &(impl ReadAt + ?Sized)) -> Result<ZipFacts, ZipError> {
    Checker::new().check(&module(), zip)
}

/// A zip with zero bytes in front that take no memory.
struct Padded {
    before: u64,
    zip: Vec<u8>,
}

impl ReadAt for Padded {
    fn size(&self) -> u64 {
        self.before + self.zip.size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let zeros = self.before.saturating_sub(offset).min(buf.len() as u64) as usize;
        let (zeros, bytes) = buf.split_at_mut(zeros);
        zeros.fill(0);
        let offset = offset.saturating_sub(self.before);
        self.zip.read_exact_at(offset, bytes)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verdict {
    name: String,
    #[serde(default)]
    before: u64,
    #[serde(default)]
    h1: String,
    #[serde(default)]
    files: u32,
    #[serde(default)]
    unpacked: u64,
    #[serde(default)]
    refused: String,
}

#[test]
fn verdicts() {
    let mut wrong = Vec::new();
    let mut stricter = BTreeSet::new();
    let verdicts: Vec<Verdict> = lines("verdicts.jsonl");
    assert!(verdicts.len() > 200);
    // One checker for all: what one zip leaves in its buffers must not show in the next.
    let mut checker = Checker::new();
    for verdict in &verdicts {
        let zip = Padded {
            before: verdict.before,
            zip: file(&format!("{}.zip", verdict.name)),
        };
        let answer = checker.check(&module(), &zip);
        let same = match &answer {
            Ok(facts) => {
                verdict.refused.is_empty()
                    && facts.h1.to_string() == verdict.h1
                    && facts.files == verdict.files
                    && facts.unpacked == verdict.unpacked
            }
            Err(ZipError::Entry {
                rule: Rule::Overlap,
                ..
            }) if verdict.refused.is_empty() => {
                stricter.insert(verdict.name.as_str());
                true
            }
            Err(_) => !verdict.refused.is_empty(),
        };
        if !same {
            wrong.push(format!(
                "{}: {answer:?}, but the reference: {}{}",
                verdict.name, verdict.h1, verdict.refused
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(stricter, STRICTER.iter().map(|s| s.0).collect());
}

/// See tests/vectors/zip/mutations.go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Series {
    name: String,
    #[serde(default)]
    xor: u8,
    h1: String,
    answers: String,
    #[serde(default)]
    others: Vec<String>,
}

#[test]
fn mutations() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for series in lines::<Series>("mutations.jsonl") {
        let base = file(&format!("mutate-{}.zip", series.name));
        assert_eq!(series.answers.len(), base.len());
        for (offset, answer) in series.answers.chars().enumerate() {
            let mut zip = base.clone();
            match series.xor {
                0 => zip.truncate(offset),
                xor => zip[offset] ^= xor,
            }
            let ours = check(&zip);
            let expected = match answer {
                '.' => None,
                '=' => Some(&series.h1),
                'a'..='z' => Some(&series.others[answer as usize - 'a' as usize]),
                _ => Some(&series.others[26 + answer as usize - 'A' as usize]),
            };
            if ours.as_ref().ok().map(|facts| facts.h1.to_string()) != expected.cloned() {
                let Series { name, xor, .. } = &series;
                wrong.push(format!(
                    "{name} xor {xor:#x} at {offset}: {ours:?}, but the reference: {expected:?}"
                ));
            }
            count += 1;
        }
    }
    assert!(count > 5000);
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// See tests/vectors/zip/names.go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    h1: String,
    #[serde(default)]
    refused: String,
    #[serde(default)]
    sweep: String,
    #[serde(default)]
    sha256: String,
}

#[test]
fn names() {
    let mut wrong = Vec::new();
    let vectors: Vec<Names> = lines("names.jsonl");
    assert!(vectors.len() > 1500);
    for vector in vectors.iter().filter(|v| v.sweep.is_empty()) {
        let names = vector
            .names
            .iter()
            .map(|name| format!("example.com/m@v1.0.0/{name}"));
        let answer = check(&zip_of(names));
        let same = match &answer {
            Ok(facts) => facts.h1.to_string() == vector.h1,
            Err(_) => !vector.refused.is_empty(),
        };
        if !same {
            let Names {
                names, h1, refused, ..
            } = vector;
            wrong.push(format!(
                "{names:?}: {answer:?}, but the reference: {h1}{refused}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A zip of stored files of the content "x"; of empty directories where the name ends with a slash.
fn zip_of(names: impl Iterator<Item = String>) -> Vec<u8> {
    let (mut zip, mut directory, mut count) = (Vec::new(), Vec::new(), 0u16);
    for name in names {
        let content: &[u8] = if name.ends_with('/') { b"" } else { b"x" };
        let mut common = Vec::new();
        common.extend([20, 0, 0, 0, 0, 0, 0, 0, 33, 0]);
        common.extend(crc32fast::hash(content).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend((zip.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        zip.extend(b"PK\x03\x04");
        zip.extend(&common);
        zip.extend(name.as_bytes());
        zip.extend(content);
        count += 1;
    }
    let offset = zip.len() as u32;
    zip.extend(&directory);
    zip.extend(b"PK\x05\x06\0\0\0\0");
    zip.extend(count.to_le_bytes());
    zip.extend(count.to_le_bytes());
    zip.extend((directory.len() as u32).to_le_bytes());
    zip.extend(offset.to_le_bytes());
    zip.extend([0, 0]);
    zip
}

#[test]
fn all_runes() {
    let mut allowed = Sha256::new();
    for rune in 0..=u32::from(char::MAX) {
        let ok = char::from_u32(rune)
            .is_some_and(|c| c != '/' && check_file_path(&format!("x{c}x")).is_ok());
        allowed.update([u8::from(ok)]);
    }
    let vectors: Vec<Names> = lines("names.jsonl");
    let sweep = vectors.iter().find(|v| v.sweep == "allowed").unwrap();
    let hex: String = allowed
        .finalize()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert_eq!(hex, sweep.sha256);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct H1Vector {
    go_mod: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    h1: String,
}

#[test]
fn h1s() {
    for H1Vector { go_mod, files, h1 } in lines("h1.jsonl") {
        if let Some(go_mod) = go_mod {
            assert_eq!(
                H1::of_go_mod(go_mod.as_bytes()).to_string(),
                h1,
                "{go_mod:?}"
            );
            continue;
        }
        let hashed = files
            .iter()
            .rev()
            .map(|(name, content)| (name, Sha256::digest(content).into()));
        let ours = H1::of_files(hashed).map_or_else(|_| String::new(), |h1| h1.to_string());
        assert_eq!(ours, h1, "{files:?}");
    }
}
