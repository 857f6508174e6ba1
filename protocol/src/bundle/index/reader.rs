//! Reads an index, as a stream, and takes only what the writer would have written.

use std::io::{BufRead, Read as _};

use super::super::file::FileName;
use super::super::item::{Encoding, Entry, Item};
use super::super::manifest::Manifest;
use super::super::query::Query;
use super::super::rules::{IndexError, Rules};
use super::super::{MAX_INDEX_LINE, MAX_PACK_ITEMS, text};
use super::{FIRST_LINE, FIRST_LINE_PREFIX};
use crate::module::{ModulePath, ModuleVersion, Revision};
use crate::sumdb::{DbName, Tile};

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

    /// Reads to the end, shows each entry to `f`, and says how this index is not the one that the manifest tells of, if so.
    pub(in crate::bundle) fn differs(
        mut self,
        manifest: &Manifest,
        mut f: impl FnMut(&Entry),
    ) -> Result<Option<String>, IndexError> {
        self.by_ref()
            .try_for_each(|entry| entry.map(|entry| f(&entry)))?;
        let mut totals = self
            .rules
            .totals()
            .lines()
            .into_iter()
            .zip(manifest.totals.lines());
        if let Some(((key, here), (_, there))) = totals.find(|(here, there)| here != there) {
            return Ok(Some(format!(
                "it comes to {here} {key}, and the manifest says {there}"
            )));
        }
        if !self
            .rules
            .heads()
            .iter()
            .eq(manifest.heads.iter().map(|(db, _)| db))
        {
            return Ok(Some(
                "it has the heads of other databases than the manifest".into(),
            ));
        }
        // How long the lists are is in their texts; whether there is one must agree here already.
        for (list, texts, count) in [
            ("needs", self.rules.needs(), manifest.needs),
            ("bases", self.rules.bases(), manifest.bases),
            ("tombstones", self.rules.tombstones(), manifest.tombstones),
        ] {
            if (texts == 0) != (count == 0) {
                return Ok(Some(format!(
                    "it has {texts} texts of {list}, and the manifest counts {count} {list}"
                )));
            }
        }
        // Room was made for as many bytes as the manifest says.
        let (pieces, bytes) = self.rules.vulndb();
        let carried = manifest.vulndb.as_ref().filter(|db| db.carried);
        let named = carried.map(|db| db.snapshot.bytes);
        if named.is_some() != (pieces > 0) {
            return Ok(Some(format!(
                "it has {pieces} pieces of a vulnerability database, and the manifest says that {} is carried",
                if named.is_some() { "one" } else { "none" }
            )));
        }
        if let Some(named) = named
            && named != bytes
        {
            return Ok(Some(format!(
                "it has a vulnerability database of {bytes} bytes, and the manifest says {named}"
            )));
        }
        Ok(None)
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
                    return Err(self.bad(format!("want the first entry, have {}", shown(&line))));
                }
                (None, Some(entry)) => {
                    if entry.items.len() >= MAX_PACK_ITEMS {
                        return Err(
                            self.bad(format!("more than {MAX_PACK_ITEMS} items in an entry"))
                        );
                    }
                    let (item, size, sha256) =
                        item_line(&line, entry.encoding).map_err(|e| e.at(self.line))?;
                    entry.items.push((item, size));
                    entry.zip_sha256.extend(sha256);
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
        self.line = 1;
        if line == FIRST_LINE {
            return Ok(());
        }
        match text::other_version(&line, FIRST_LINE_PREFIX) {
            Some(version) => Err(IndexError::Newer {
                line: 1,
                what: format!("format v{version}"),
            }),
            None => Err(self.bad(format!("want {FIRST_LINE:?}, have {}", shown(&line)))),
        }
    }

    fn entry_line(&self, rest: &str) -> Result<Entry, IndexError> {
        let fields: Vec<&str> = rest.split(' ').collect();
        let [encoding, stored, sha256] = fields.as_slice() else {
            return Err(self.bad(format!(
                "an entry has an encoding, a size and a SHA-256, not {}",
                shown(rest)
            )));
        };
        let encoding = match *encoding {
            "raw" => Encoding::Raw,
            "zstd" => Encoding::Zstd,
            "contents" => Encoding::Contents,
            "recipes" => Encoding::Recipes,
            other if text::is_word(other) => {
                return Err(IndexError::Newer {
                    line: self.line,
                    what: format!("encoding {}", shown(other)),
                });
            }
            other => return Err(self.bad(format!("encoding {}", shown(other)))),
        };
        let stored =
            text::number(stored).ok_or_else(|| self.bad(format!("size {}", shown(stored))))?;
        let sha256 =
            text::sha256(sha256).ok_or_else(|| self.bad(format!("SHA-256 {}", shown(sha256))))?;
        Ok(Entry {
            number: 0,
            encoding,
            stored,
            sha256,
            items: Vec::new(),
            zip_sha256: Vec::new(),
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

/// An item and its size; of a zip that travels as a recipe, its SHA-256, too.
fn item_line(line: &str, encoding: Encoding) -> Result<(Item, u64, Option<[u8; 32]>), Fault> {
    let mut fields: Vec<&str> = line.split(' ').collect();
    let mut sha256 = None;
    if encoding == Encoding::Recipes && fields.len() == 5 && fields[0] == "zip" {
        let hex = fields.pop().unwrap_or_default();
        let of_zip = text::sha256(hex);
        sha256 = Some(of_zip.ok_or_else(|| Fault::Bad(format!("SHA-256 {}", shown(hex))))?);
    }
    let (item, size) = match fields.as_slice() {
        ["needs", number, size] => (Item::Needs(ordinal(number)?), size),
        ["bases", number, size] => (Item::Bases(ordinal(number)?), size),
        ["tombstones", number, size] => (Item::Tombstones(ordinal(number)?), size),
        ["trust", number, size] => (Item::Trust(ordinal(number)?), size),
        ["head", db, size] => (Item::Head(db_name(db)?), size),
        ["record", db, path, version, size] => {
            (Item::Record(db_name(db)?, module(path, version)?), size)
        }
        ["tile", db, path, size] => (Item::Tile(db_name(db)?, tile(path)?), size),
        ["pin", path, version, size] => (Item::Pin(module(path, version)?), size),
        ["info", path, version, size] => (Item::Info(module(path, version)?), size),
        ["mod", path, version, size] => (Item::Mod(module(path, version)?), size),
        ["query", path, revision, size] => (Item::Query(query(path, revision)?), size),
        ["file", name, size] => (Item::File(file_name(name)?), size),
        ["needed-file", name, size] => (Item::NeededFile(file_name(name)?), size),
        ["gone-file", name, size] => (Item::GoneFile(file_name(name)?), size),
        ["vulndb", number, size] => (Item::Vulndb(ordinal(number)?), size),
        ["contents", number, size] => (Item::Contents(ordinal(number)?), size),
        ["zip", path, version, size] => (Item::Zip(module(path, version)?), size),
        [
            "needs" | "bases" | "tombstones" | "trust" | "head" | "record" | "tile" | "pin"
            | "info" | "mod" | "query" | "vulndb" | "contents" | "zip" | "file" | "needed-file"
            | "gone-file",
            ..,
        ] => {
            return Err(Fault::Bad(format!(
                "not as many fields as its kind has: {}",
                shown(line)
            )));
        }
        [kind, _, ..] if text::is_word(kind) => {
            return Err(Fault::Newer(format!("an item of kind {}", shown(kind))));
        }
        _ => {
            return Err(Fault::Bad(format!(
                "neither an entry nor an item: {}",
                shown(line)
            )));
        }
    };
    let size = text::number(size).ok_or_else(|| Fault::Bad(format!("size {}", shown(size))))?;
    Ok((item, size, sha256))
}

/// The number of a text or a note.
fn ordinal<N: TryFrom<u64>>(number: &str) -> Result<N, Fault> {
    text::number(number)
        .and_then(|n| n.try_into().ok())
        .ok_or_else(|| Fault::Bad(format!("number {}", shown(number))))
}

fn file_name(name: &str) -> Result<FileName, Fault> {
    FileName::new(name).map_err(|error| Fault::Bad(error.to_string()))
}

fn db_name(name: &str) -> Result<DbName, Fault> {
    DbName::new(name).map_err(|e| Fault::Bad(e.to_string()))
}

fn module(path: &str, version: &str) -> Result<ModuleVersion, Fault> {
    ModuleVersion::parse(path, version).map_err(|e| Fault::Bad(format!("module: {e}")))
}

fn query(path: &str, revision: &str) -> Result<Query, Fault> {
    let bad = |error: &dyn std::fmt::Display| Fault::Bad(format!("query: {error}"));
    let path = ModulePath::new(path).map_err(|error| bad(&error))?;
    let revision = Revision::new(revision).map_err(|error| bad(&error))?;
    Query::new(path, revision).map_err(|error| bad(&error))
}

fn tile(path: &str) -> Result<Tile, Fault> {
    Tile::parse(path).map_err(|_| Fault::Bad(format!("tile {}", shown(path))))
}

fn shown(s: &str) -> String {
    text::shown(s.as_bytes())
}
