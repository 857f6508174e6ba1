//! The worked example of docs/bundle-format.md: made here, kept beside this file, and shown in the document.
//!
//! The kept volume is also the promise that a bundle made once stays readable. When the example changes on
//! purpose, run this test with `MODFERRY_UPDATE=1` and commit what it writes.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::PathBuf;

use modferry_protocol::bundle::*;
use modferry_protocol::h1::H1;
use modferry_protocol::note;
use modferry_protocol::sumdb::{DbName, MemoryLog, Record, Tile};
use modferry_protocol::trust::{MAX_TRUST_NOTE, MAX_TRUST_NUMBER};
use modferry_protocol::zip;

use super::common::*;

const BEGIN: &str = "<!-- example: begin -->\n";
const END_MARK: &str = "<!-- example: end -->\n";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn kept(name: &str) -> PathBuf {
    root().join("tests/bundle/example").join(name)
}

/// The checksum database of the example, of one record.
fn sumdb_key() -> note::SigningKey {
    note::SigningKey::generate("sum.example", &mut Fixed(8)).unwrap()
}

/// A zip with two stored files: the simplest that `go` takes.
fn hello_zip() -> Vec<u8> {
    let prefix = "example.com/hello@v1.0.0/";
    let files = [
        ("go.mod", "module example.com/hello\n"),
        ("hello.go", "package hello\n"),
    ];
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let name = format!("{prefix}{name}");
        let (size, crc) = (content.len() as u32, crc32fast::hash(content.as_bytes()));
        let mut fields = vec![20u8, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        fields.extend(crc.to_le_bytes());
        fields.extend(size.to_le_bytes());
        fields.extend(size.to_le_bytes());
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&fields);
        out.extend(name.as_bytes());
        out.extend(content.as_bytes());
    }
    let at = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0\x02\0\x02\0");
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

fn example() -> Parts {
    let (db, hello) = (
        DbName::new("sum.example").unwrap(),
        module("example.com/hello@v1.0.0"),
    );
    let (zip, go_mod) = (hello_zip(), b"module example.com/hello\n");
    let facts = zip::check(&hello, zip.as_slice()).unwrap();
    let record = Record::new(0, &hello, facts.h1, H1::of_go_mod(go_mod)).unwrap();
    let mut log = MemoryLog::new();
    log.push(record.text());
    let head = log.head(1).unwrap();
    let signed_head = note::sign(&head.encode(), &[&sumdb_key()]).unwrap();
    let tile = Tile::parse("tile/8/0/000.p/1").unwrap();
    let tile_bytes = log.tile_bytes(&tile).unwrap();
    let mut parts = parts(&[
        (Item::Head(db.clone()), signed_head),
        (Item::Record(db.clone(), hello.clone()), record.encode()),
        (Item::Tile(db.clone(), tile), tile_bytes),
        (
            Item::Info(hello.clone()),
            br#"{"Version":"v1.0.0","Time":"2026-11-20T12:00:00Z"}"#.to_vec(),
        ),
        (Item::Mod(hello.clone()), go_mod.to_vec()),
        (Item::Zip(hello), zip),
    ]);
    parts.manifest.heads = vec![(db, head)];
    parts.manifest.missing = vec![Missing {
        module: module("example.com/gone@v1.2.3"),
        reason: "410".into(),
    }];
    parts.note = note::sign(&parts.manifest.encode(), &[&key()]).unwrap();
    parts
}

/// A block of Markdown.
fn fenced(text: &str) -> String {
    format!("```text\n{text}```\n\n")
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (n, row) in bytes.chunks(16).enumerate() {
        if row.iter().all(|b| *b == 0) {
            continue;
        }
        let digits: Vec<String> = row.iter().map(|b| format!("{b:02x}")).collect();
        let text: String = row
            .iter()
            .map(|b| {
                if (b' '..=b'~').contains(b) {
                    *b as char
                } else {
                    '.'
                }
            })
            .collect();
        writeln!(out, "{:04x}  {:47}  {text}", n * 16, digits.join(" ")).unwrap();
    }
    out
}

/// The example as the document shows it.
fn shown(parts: &Parts, volume: &[u8]) -> String {
    let mut out = BEGIN.to_owned();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(volume);
    let digest: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    write!(
        out,
        "The volume has {} bytes, with the SHA-256 `{digest}`. The bundle's key and the checksum database's key are\n\n",
        volume.len()
    )
    .unwrap();
    out += &fenced(&format!(
        "{}\n{}\n",
        key().verifier(),
        sumdb_key().verifier()
    ));
    out += "Where what lies:\n\n| offset | bytes | what |\n|---:|---:|---|\n";
    for (range, label) in layout(parts) {
        writeln!(out, "| {} | {} | {label} |", range.start, range.len()).unwrap();
    }
    out += "\nThe first header, rows of zeros left out:\n\n";
    out += &fenced(&hex(&volume[..512]));
    out += "`manifest`, which is the file `platform.000001.manifest` too:\n\n";
    out += &fenced(std::str::from_utf8(&parts.note).unwrap());
    out += "`index`:\n\n";
    out += &fenced(std::str::from_utf8(&parts.index).unwrap());
    out += "`volume`:\n\n";
    out += &fenced(&text_of(parts).encode());
    out += "`000001.zst` restored, item by item:\n\n";
    for (item, bytes) in read(volume).unwrap() {
        if matches!(item, Item::Zip(_)) {
            continue;
        }
        match std::str::from_utf8(&bytes) {
            Ok(text) if !matches!(item, Item::Tile(..)) => {
                let newline = if text.ends_with('\n') { "" } else { "\n" };
                write!(
                    out,
                    "{item}, {} bytes:\n\n{}",
                    bytes.len(),
                    fenced(&format!("{text}{newline}"))
                )
                .unwrap();
            }
            _ => write!(
                out,
                "{item}, {} bytes:\n\n{}",
                bytes.len(),
                fenced(&hex(&bytes))
            )
            .unwrap(),
        }
    }
    out + END_MARK
}

#[test]
fn the_document_shows_the_example() {
    let parts = example();
    let volume = volume(&parts);
    let document = root().join("../docs/bundle-format.md");
    let text = std::fs::read_to_string(&document).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END_MARK).unwrap();
    let want = format!("{before}{}{after}", shown(&parts, &volume));
    if std::env::var_os("MODFERRY_UPDATE").is_some() {
        std::fs::create_dir_all(kept("")).unwrap();
        std::fs::write(kept("platform.000001.manifest"), &parts.note).unwrap();
        std::fs::write(kept("platform.000001.v001.tar"), &volume).unwrap();
        std::fs::write(&document, &want).unwrap();
    }
    assert!(
        std::fs::read(kept("platform.000001.manifest")).unwrap() == parts.note,
        "the kept manifest is another"
    );
    assert!(
        std::fs::read(kept("platform.000001.v001.tar")).unwrap() == volume,
        "the kept volume is another"
    );
    assert!(
        std::fs::read_to_string(&document).unwrap() == want,
        "the document shows another example"
    );
}

#[test]
fn the_kept_volume_is_still_readable() {
    let carried = read(&std::fs::read(kept("platform.000001.v001.tar")).unwrap()).unwrap();
    let items: Vec<String> = carried.iter().map(|(item, _)| item.to_string()).collect();
    assert_eq!(
        items,
        [
            "head sum.example",
            "record sum.example example.com/hello@v1.0.0",
            "tile sum.example tile/8/0/000.p/1",
            "info example.com/hello@v1.0.0",
            "mod example.com/hello@v1.0.0",
            "zip example.com/hello@v1.0.0",
        ]
    );
    assert_eq!(carried[5].1, hello_zip());
}

#[test]
fn the_document_has_the_limits() {
    let document = std::fs::read_to_string(root().join("../docs/bundle-format.md")).unwrap();
    let limits = [
        ("MAX_MANIFEST", MAX_MANIFEST),
        ("MAX_INDEX", MAX_INDEX),
        ("MAX_INDEX_LINE", MAX_INDEX_LINE as u64),
        ("MAX_ENTRIES", u64::from(MAX_ENTRIES)),
        ("MAX_HEADS", MAX_HEADS as u64),
        ("MAX_LIST_TEXT", MAX_LIST_TEXT as u64),
        ("MAX_TRUST_NOTES", MAX_TRUST_NOTES as u64),
        ("MAX_TRUST_NOTE", MAX_TRUST_NOTE),
        ("MAX_TRUST_NUMBER", MAX_TRUST_NUMBER),
        ("MAX_ENTRY", MAX_ENTRY),
        ("MAX_PACK_STORED", MAX_PACK_STORED),
        ("MAX_PACK_RESTORED", MAX_PACK_RESTORED),
        ("MAX_PACK_ITEMS", MAX_PACK_ITEMS as u64),
        ("MAX_WINDOW_LOG", u64::from(MAX_WINDOW_LOG)),
        ("MAX_STREAM_NAME", MAX_STREAM_NAME as u64),
        ("MAX_REASON", MAX_REASON as u64),
        ("MAX_VOLUMES", u64::from(MAX_VOLUMES)),
        ("MAX_VOLUME_TEXT", MAX_VOLUME_TEXT),
    ];
    for (name, value) in limits {
        let row = format!("| `{name}` | {value} |");
        assert!(document.contains(&row), "no row that starts with {row:?}");
    }
}
