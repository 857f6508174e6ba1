//! The index: what every entry of a bundle is, in order. Text, so that a person can read it; strict and streamed,
//! so that a machine need not hold it.
//!
//! ```text
//! modferry index v1
//! entry zstd 1048576 <SHA-256>                               encoding, stored bytes, their SHA-256
//! head sum.golang.org 177                                    an item of the entry above it, and its bytes
//! record sum.golang.org example.com/a v1.0.0 256
//! tile sum.golang.org tile/8/0/x001/234 8192
//! info example.com/a v1.0.0 60
//! mod example.com/a v1.0.0 120
//! entry raw 70000 <SHA-256>
//! zip example.com/a v1.0.0 70000
//! ```
//!
//! Numbers and order are not written but follow: entries count from 1. [`IndexReader`] takes only what
//! [`IndexWriter`] would have written, and both keep the same [rules](super::rules).

use std::io::{BufRead, Read as _, Write};

use sha2::{Digest as _, Sha256};

use super::item::{Digest, Encoding, Entry, Item};
use super::manifest::Totals;
use super::rules::{IndexError, Rules};
use super::{MAX_INDEX, MAX_INDEX_LINE, MAX_PACK_ITEMS, text};
use crate::module::ModuleVersion;
use crate::sumdb::{DbName, Tile};

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
    };
    *out += &format!(
        "entry {encoding} {} {}\n",
        entry.stored,
        text::Hex(&entry.sha256)
    );
    for (item, size) in &entry.items {
        let named =
            |kind: &str, m: &ModuleVersion| format!("{kind} {} {} {size}\n", m.path(), m.version());
        *out += &match item {
            Item::Head(db) => format!("head {db} {size}\n"),
            Item::Record(db, m) => named(&format!("record {db}"), m),
            Item::Tile(db, tile) => format!("tile {db} {} {size}\n", tile.path()),
            Item::Info(m) => named("info", m),
            Item::Mod(m) => named("mod", m),
            Item::Zip(m) => named("zip", m),
        };
    }
}

/// Reads an index, entry by entry, in the memory of one entry. After an error it has nothing more to say.
pub struct IndexReader<R> {
    input: R,
    line: u64,
    rules: Rules,
    /// An entry's first line ends the one before it: here it waits.
    ahead: Option<Entry>,
    started: bool,
    done: bool,
}

impl<R: BufRead> IndexReader<R> {
    /// A reader of that index, from its first line.
    pub fn new(input: R) -> Self {
        Self {
            input,
            line: 0,
            rules: Rules::default(),
            ahead: None,
            started: false,
            done: false,
        }
    }

    /// What the entries so far come to.
    pub fn totals(&self) -> Totals {
        self.rules.totals()
    }

    /// The databases whose heads were among the entries so far, in order.
    pub fn heads(&self) -> &[DbName] {
        self.rules.heads()
    }

    fn next_entry(&mut self) -> Result<Option<Entry>, IndexError> {
        if !self.started {
            self.started = true;
            self.first_line()?;
        }
        let mut current = self.ahead.take();
        while let Some(line) = self.read_line()? {
            match (line.strip_prefix("entry "), &mut current) {
                (Some(rest), None) => current = Some(self.entry_line(rest)?),
                (Some(rest), Some(_)) => {
                    self.ahead = Some(self.entry_line(rest)?);
                    break;
                }
                (None, None) => {
                    return Err(self.bad(format!("want the first entry, have {:?}", shown(&line))));
                }
                (None, Some(entry)) => {
                    if entry.items.len() >= MAX_PACK_ITEMS {
                        return Err(
                            self.bad(format!("more than {MAX_PACK_ITEMS} items in an entry"))
                        );
                    }
                    entry
                        .items
                        .push(item_line(&line).map_err(|e| e.at(self.line))?);
                }
            }
        }
        let Some(mut entry) = current else {
            return Ok(None);
        };
        entry.number = self.rules.next_number();
        self.rules.admit(&entry)?;
        Ok(Some(entry))
    }

    fn first_line(&mut self) -> Result<(), IndexError> {
        let line = self.read_line()?.unwrap_or_default();
        if line == FIRST_LINE {
            return Ok(());
        }
        match text::other_version(&line, FIRST_LINE_PREFIX) {
            Some(version) => Err(IndexError::Newer {
                line: 1,
                what: format!("format v{version}"),
            }),
            None => Err(self.bad(format!("want {FIRST_LINE:?}, have {:?}", shown(&line)))),
        }
    }

    fn entry_line(&self, rest: &str) -> Result<Entry, IndexError> {
        let fields: Vec<&str> = rest.split(' ').collect();
        let [encoding, stored, sha256] = fields.as_slice() else {
            return Err(self.bad(format!(
                "an entry has an encoding, a size and a SHA-256, not {:?}",
                shown(rest)
            )));
        };
        let encoding = match *encoding {
            "raw" => Encoding::Raw,
            "zstd" => Encoding::Zstd,
            other if is_word(other) => {
                return Err(IndexError::Newer {
                    line: self.line,
                    what: format!("encoding {:?}", shown(other)),
                });
            }
            other => return Err(self.bad(format!("encoding {:?}", shown(other)))),
        };
        let stored =
            text::number(stored).ok_or_else(|| self.bad(format!("size {:?}", shown(stored))))?;
        let sha256 =
            text::sha256(sha256).ok_or_else(|| self.bad(format!("SHA-256 {:?}", shown(sha256))))?;
        Ok(Entry {
            number: 0,
            encoding,
            stored,
            sha256,
            items: Vec::new(),
        })
    }

    /// The next line without its newline; `None` at the end. Never takes in more than a line may have.
    fn read_line(&mut self) -> Result<Option<String>, IndexError> {
        let mut line = Vec::new();
        self.input
            .by_ref()
            .take(MAX_INDEX_LINE as u64)
            .read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        if line.pop() != Some(b'\n') {
            let what = if line.len() + 1 == MAX_INDEX_LINE {
                format!("longer than {MAX_INDEX_LINE} bytes")
            } else {
                "ends without a newline".into()
            };
            return Err(self.bad(what));
        }
        String::from_utf8(line)
            .map(Some)
            .map_err(|_| self.bad("not UTF-8".into()))
    }

    fn bad(&self, what: String) -> IndexError {
        IndexError::Line {
            line: self.line,
            what,
        }
    }
}

impl<R: BufRead> Iterator for IndexReader<R> {
    type Item = Result<Entry, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.next_entry().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

/// An item line's fault, before the line's number is known.
enum Fault {
    Bad(String),
    Newer(String),
}

impl Fault {
    fn at(self, line: u64) -> IndexError {
        match self {
            Fault::Bad(what) => IndexError::Line { line, what },
            Fault::Newer(what) => IndexError::Newer { line, what },
        }
    }
}

fn item_line(line: &str) -> Result<(Item, u64), Fault> {
    let fields: Vec<&str> = line.split(' ').collect();
    let (item, size) = match fields.as_slice() {
        ["head", db, size] => (Item::Head(db_name(db)?), size),
        ["record", db, path, version, size] => {
            (Item::Record(db_name(db)?, module(path, version)?), size)
        }
        ["tile", db, path, size] => (Item::Tile(db_name(db)?, tile(path)?), size),
        ["info", path, version, size] => (Item::Info(module(path, version)?), size),
        ["mod", path, version, size] => (Item::Mod(module(path, version)?), size),
        ["zip", path, version, size] => (Item::Zip(module(path, version)?), size),
        ["head" | "record" | "tile" | "info" | "mod" | "zip", ..] => {
            return Err(Fault::Bad(format!(
                "not as many fields as its kind has: {:?}",
                shown(line)
            )));
        }
        [kind, _, ..] if is_word(kind) => {
            return Err(Fault::Newer(format!("an item of kind {:?}", shown(kind))));
        }
        _ => {
            return Err(Fault::Bad(format!(
                "neither an entry nor an item: {:?}",
                shown(line)
            )));
        }
    };
    let size = text::number(size).ok_or_else(|| Fault::Bad(format!("size {:?}", shown(size))))?;
    Ok((item, size))
}

fn db_name(name: &str) -> Result<DbName, Fault> {
    DbName::new(name).map_err(|e| Fault::Bad(format!("database {:?}: {e}", shown(name))))
}

fn module(path: &str, version: &str) -> Result<ModuleVersion, Fault> {
    ModuleVersion::parse(path, version).map_err(|e| Fault::Bad(format!("module: {e}")))
}

fn tile(path: &str) -> Result<Tile, Fault> {
    Tile::parse(path).map_err(|e| Fault::Bad(format!("tile {:?}: {e}", shown(path))))
}

fn shown(s: &str) -> String {
    text::shown(s.as_bytes())
}

/// Whether a later version could have this as a word where we know none.
fn is_word(s: &str) -> bool {
    !s.is_empty()
        && s.bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}
