//! Records: what the checksum database says of one module version.
//!
//! A lookup is answered with the record's number, its text, a blank line, and a signed tree head:
//!
//! ```text
//! 41
//! example.com/a v1.0.0 h1:qmsfFRvJxVTd7xQkRD6HDhqYQTVnyyW0Zt2LG3RnuBw=
//! example.com/a v1.0.0/go.mod h1:mGSoh0ZHHD8ORK2WJyRtLn8aLJI7LFRrjRBh7cDHKGc=
//!
//! go.sum database tree
//! …
//! ```
//!
//! Only the part before the head is the record, and only its text is hashed into the tree.
//! Reference: golang.org/x/mod/sumdb/tlog/note.go, FormatRecord and ParseRecord; client.go, Lookup. As there, a
//! record may have further lines. Here it must have the two that are looked up, each once.

use thiserror::Error;

use super::hash::{Hash, record_hash};
use super::head::parse_number;
use super::tile::MAX_TREE_SIZE;
use crate::h1::H1;
use crate::module::ModuleVersion;
use crate::note::MAX_NOTE;

/// The longest record that is read, in bytes, number and blank line included.
pub const MAX_RECORD: usize = 64 << 10;

/// The longest answer to a lookup that is read, in bytes.
pub const MAX_LOOKUP: usize = MAX_RECORD + MAX_NOTE;

/// A record of one module version, in the text that the database has hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    id: u64,
    text: Box<str>,
    zip: H1,
    go_mod: H1,
}

/// Why a record is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// Longer than [`MAX_RECORD`].
    #[error("record of {0} bytes: at most {MAX_RECORD} are read")]
    TooLong(usize),
    /// The first line is not a decimal number, or no tree can have so many records.
    #[error("malformed record: its first line is not a record number")]
    Id,
    /// No blank line ends the record.
    #[error("malformed record: no blank line ends it")]
    Unfinished,
    /// Bytes behind the blank line that ends the record.
    #[error("malformed record: there is something behind its blank line")]
    Behind,
    /// Not UTF-8, or control characters.
    #[error("malformed record: its text is not UTF-8 without control characters")]
    Text,
    /// The line for this module version (`path version` or `path version/go.mod`) is not there.
    #[error("the record has no line {0:?} with an h1")]
    Missing(String),
    /// The line for this module version is there more than once.
    #[error("the record has more than one line {0:?} with an h1")]
    Twice(String),
    /// The hash in the line is not an h1.
    #[error("the record's line {0:?} has a malformed h1")]
    Hash(String),
}

impl Record {
    /// The record that a database makes of a module version: the two lines.
    ///
    /// Fails with [`RecordError::Id`] or [`RecordError::TooLong`] only.
    pub fn new(id: u64, module: &ModuleVersion, zip: H1, go_mod: H1) -> Result<Self, RecordError> {
        let (path, version) = (module.path(), module.version());
        let text = format!("{path} {version} {zip}\n{path} {version}/go.mod {go_mod}\n");
        let record = Self {
            id,
            text: text.into(),
            zip,
            go_mod,
        };
        Self::parse(&record.encode(), module)
    }

    /// Parses a record, without a tree head behind it, and finds this module version's two hashes.
    pub fn parse(bytes: &[u8], module: &ModuleVersion) -> Result<Self, RecordError> {
        if bytes.len() > MAX_RECORD {
            return Err(RecordError::TooLong(bytes.len()));
        }
        let (id, text, behind) = parse_front(bytes)?;
        if !behind.is_empty() {
            return Err(RecordError::Behind);
        }
        let (path, version) = (module.path(), module.version());
        Ok(Self {
            id,
            text: text.into(),
            zip: find(text, format!("{path} {version}"))?,
            go_mod: find(text, format!("{path} {version}/go.mod"))?,
        })
    }

    /// The record's number in the tree, from 0.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The text that is hashed into the tree: lines, without the number and the blank line.
    pub fn text(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The hash that the tree has of it.
    pub fn hash(&self) -> Hash {
        record_hash(self.text())
    }

    /// The hash of the module's zip.
    pub fn zip(&self) -> H1 {
        self.zip
    }

    /// The hash of the module's go.mod.
    pub fn go_mod(&self) -> H1 {
        self.go_mod
    }

    /// What a lookup answers, less the tree head: number, text, blank line.
    pub fn encode(&self) -> Vec<u8> {
        format!("{}\n{}\n", self.id, self.text).into_bytes()
    }
}

/// The h1 in the one line that begins with `what`.
fn find(text: &str, what: String) -> Result<H1, RecordError> {
    let mut found = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(what.as_str())?.strip_prefix(' ')?;
        rest.starts_with("h1:").then_some(rest)
    });
    let Some(hash) = found.next() else {
        return Err(RecordError::Missing(what));
    };
    if found.next().is_some() {
        return Err(RecordError::Twice(what));
    }
    hash.parse().map_err(|_| RecordError::Hash(what))
}

/// The number, the text and what follows the blank line, as the reference's ParseRecord gives them. The number is
/// accepted in its one spelling only.
fn parse_front(bytes: &[u8]) -> Result<(u64, &str, &[u8]), RecordError> {
    let newline = bytes
        .iter()
        .position(|&b| b == b'\n')
        .ok_or(RecordError::Id)?;
    let (id, text) = (&bytes[..newline], &bytes[newline + 1..]);
    let id = std::str::from_utf8(id)
        .ok()
        .and_then(parse_number)
        .filter(|&id| id < MAX_TREE_SIZE)
        .ok_or(RecordError::Id)?;
    let end = text
        .windows(2)
        .position(|two| two == b"\n\n")
        .ok_or(RecordError::Unfinished)?;
    let (text, behind) = (&text[..=end], &text[end + 2..]);
    let text = std::str::from_utf8(text).map_err(|_| RecordError::Text)?;
    if text.chars().any(|c| c < ' ' && c != '\n') {
        return Err(RecordError::Text);
    }
    Ok((id, text, behind))
}

/// Splits a lookup's answer into the record, for [`Record::parse`], and the signed note behind it, for
/// [`SignedHead::open`](super::SignedHead::open).
pub fn split_lookup(answer: &[u8]) -> Result<(&[u8], &[u8]), RecordError> {
    let (_, _, note) = parse_front(answer)?;
    let record = &answer[..answer.len() - note.len()];
    if record.len() > MAX_RECORD {
        return Err(RecordError::TooLong(record.len()));
    }
    Ok((record, note))
}

#[cfg(test)]
mod tests;
