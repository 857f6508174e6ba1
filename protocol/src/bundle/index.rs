//! The index: what every entry of a bundle is, in order. Text, so that a person can read it; strict and streamed,
//! so that a machine need not hold it.
//!
//! ```text
//! modferry index v1
//! entry zstd 1048576 <SHA-256>                               encoding, stored bytes, their SHA-256
//! needs 1 1234                                               an item of the entry above it, and its bytes
//! bases 1 345
//! tombstones 1 56
//! needed-file ca-2026.pem 64
//! gone-file ca-2025.pem 0
//! trust 2 789
//! head sum.golang.org 177
//! record sum.golang.org example.com/a v1.0.0 256
//! tile sum.golang.org tile/8/0/x001/234 8192
//! pin git.corp.example/b v1.0.0 140
//! info example.com/a v1.0.0 60
//! mod example.com/a v1.0.0 120
//! query example.com/a main 98                                an answer: which version a branch stands for
//! vulndb 1 3145000                                           a piece of a vulnerability database
//! entry raw 70000 <SHA-256>
//! zip example.com/a v1.0.0 70000
//! entry contents 9048576 <SHA-256>
//! contents 1 60048576                                        a frame, and its bytes as they are restored
//! entry recipes 5000 <SHA-256>
//! zip example.com/b v1.0.0 80000 <SHA-256>                   the zip that its recipe makes: bytes, SHA-256
//! entry raw 78000000 <SHA-256>
//! file go1.26.0.linux-amd64.tar.gz 78000000
//! ```
//!
//! Numbers and order are not written but follow: entries count from 1. [`IndexReader`] takes only what
//! [`IndexWriter`] would have written, and both keep the same [rules](super::rules).

mod reader;

use std::io::Write;

use sha2::{Digest as _, Sha256};

use super::item::{Digest, Encoding, Entry, Item};
use super::manifest::Totals;
use super::rules::{IndexError, Rules};
use super::{MAX_INDEX, MAX_INDEX_LINE, text};
use crate::module::ModuleVersion;

pub use reader::IndexReader;

const FIRST_LINE_PREFIX: &str = "modferry index v";
const FIRST_LINE: &str = "modferry index v1";

/// Writes an index, entry by entry, and refuses one that no reader would take.
pub struct IndexWriter<W> {
    out: W,
    rules: Rules,
    size: u64,
    hasher: Sha256,
}

impl<W: Write> IndexWriter<W> {
    /// Writes the first line.
    pub fn new(out: W) -> Result<Self, IndexError> {
        let mut writer = Self {
            out,
            rules: Rules::default(),
            size: 0,
            hasher: Sha256::new(),
        };
        writer.put(&format!("{FIRST_LINE}\n"))?;
        Ok(writer)
    }

    /// Writes the next entry.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), IndexError> {
        self.rules.admit(entry)?;
        let mut lines = String::new();
        push_entry(&mut lines, entry);
        let broken = |what: String| IndexError::Entry {
            entry: entry.to_string(),
            what,
        };
        if let Some(line) = lines
            .split_inclusive('\n')
            .find(|line| line.len() > MAX_INDEX_LINE)
        {
            return Err(broken(format!(
                "a line of {} bytes: want at most {MAX_INDEX_LINE}",
                line.len()
            )));
        }
        if self.size + lines.len() as u64 > MAX_INDEX {
            return Err(broken(format!("an index of more than {MAX_INDEX} bytes")));
        }
        self.put(&lines)
    }

    /// The number that the next entry must have.
    pub fn next_number(&self) -> u32 {
        self.rules.next_number()
    }

    /// Ends the index: what it was written to, its digest and the totals, both for the manifest.
    pub fn finish(self) -> (W, Digest, Totals) {
        let digest = Digest {
            size: self.size,
            sha256: self.hasher.finalize().into(),
        };
        (self.out, digest, self.rules.totals())
    }

    fn put(&mut self, lines: &str) -> Result<(), IndexError> {
        self.out.write_all(lines.as_bytes())?;
        self.hasher.update(lines);
        self.size += lines.len() as u64;
        Ok(())
    }
}

/// The index of some entries, all at once.
pub fn encode_index(entries: &[Entry]) -> Result<Vec<u8>, IndexError> {
    let mut writer = IndexWriter::new(Vec::new())?;
    entries.iter().try_for_each(|entry| writer.entry(entry))?;
    Ok(writer.finish().0)
}

fn push_entry(out: &mut String, entry: &Entry) {
    let encoding = match entry.encoding {
        Encoding::Raw => "raw",
        Encoding::Zstd => "zstd",
        Encoding::Contents => "contents",
        Encoding::Recipes => "recipes",
    };
    *out += &format!(
        "entry {encoding} {} {}\n",
        entry.stored,
        text::Hex(&entry.sha256)
    );
    let mut zips = entry.zip_sha256.iter();
    for (item, size) in &entry.items {
        let named =
            |kind: &str, m: &ModuleVersion| format!("{kind} {} {} {size}\n", m.path(), m.version());
        *out += &match item {
            Item::Needs(number) => format!("needs {number} {size}\n"),
            Item::Bases(number) => format!("bases {number} {size}\n"),
            Item::Tombstones(number) => format!("tombstones {number} {size}\n"),
            Item::NeededFile(name) => format!("needed-file {name} {size}\n"),
            Item::GoneFile(name) => format!("gone-file {name} {size}\n"),
            Item::Trust(number) => format!("trust {number} {size}\n"),
            Item::Head(db) => format!("head {db} {size}\n"),
            Item::Record(db, m) => named(&format!("record {db}"), m),
            Item::Tile(db, tile) => format!("tile {db} {} {size}\n", tile.path()),
            Item::Pin(m) => named("pin", m),
            Item::Info(m) => named("info", m),
            Item::Mod(m) => named("mod", m),
            Item::Query(query) => {
                format!("query {} {} {size}\n", query.path(), query.revision())
            }
            Item::Vulndb(number) => format!("vulndb {number} {size}\n"),
            Item::Contents(number) => format!("contents {number} {size}\n"),
            Item::File(name) => format!("file {name} {size}\n"),
            Item::Zip(m) => match zips.next() {
                None => named("zip", m),
                Some(sha256) => {
                    let (path, version) = (m.path(), m.version());
                    format!("zip {path} {version} {size} {}\n", text::Hex(sha256))
                }
            },
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_index_has_1_gib_at_most() {
        let entry = Entry {
            number: 1,
            encoding: Encoding::Raw,
            stored: 1,
            sha256: [0; 32],
            items: vec![(Item::Zip("example.com/a@v1.0.0".parse().unwrap()), 1)],
            zip_sha256: vec![],
        };
        let mut lines = String::new();
        push_entry(&mut lines, &entry);
        let room_for = |len: usize| {
            let mut writer = IndexWriter::new(std::io::sink()).unwrap();
            writer.size = MAX_INDEX - len as u64;
            writer.entry(&entry)
        };
        room_for(lines.len()).unwrap();
        assert!(matches!(
            room_for(lines.len() - 1),
            Err(IndexError::Entry { .. })
        ));
    }
}
