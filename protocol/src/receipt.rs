//! Receipts: what an appliance says that it holds, signed with its own key, to be carried back.
//!
//! ```text
//! modferry receipt v1
//! created 2026-11-21T09:00:00Z
//! ledger 9 CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//! modules 412
//! versions 903
//! mods 2210
//! zips 903
//! zip-bytes 1873220012
//! head sum.golang.org 31415926 CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//! stream platform 7 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 1-4,6-7
//! ```
//!
//! It is small, and names no module: what the store holds is what the bundles in `stream` brought, and whoever
//! exported those knows what that is. `ledger` is the head of the store's ledger, a Merkle log: two receipts show
//! whether the history between them was only added to. `head` lines are all tree heads that the store ever
//! served, since clients behind it may hold any of them.
//!
//! It is read strictly: what parses encodes to the same bytes. No clock decides: `created` is for people, and
//! which of two receipts is the newer is said by the ledger's size.

use std::fmt::Write as _;

use thiserror::Error;

use crate::bundle::{Sequence, Sequences, SequencesError, StreamName};
use crate::note::{self, NoteError, VerifierKey};
use crate::sumdb::{DbName, MAX_TREE_SIZE, TreeHead};
use crate::text::{self, Hex};

const FIRST_LINE: &str = "modferry receipt v1";
const FIRST_LINE_PREFIX: &str = "modferry receipt v";

/// The most bytes of a receipt, signatures included: what a note may have. Room for about ten thousand tree heads.
pub const MAX_RECEIPT: usize = note::MAX_NOTE;

/// What an appliance says that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// When it was written, by the appliance's clock: `YYYY-MM-DDThh:mm:ssZ`.
    pub created: String,
    /// The head of the ledger: entries and root hash.
    pub ledger: TreeHead,
    /// How much the store holds.
    pub totals: ReceiptTotals,
    /// Every tree head that the store ever served, by database and size.
    pub heads: Vec<(DbName, TreeHead)>,
    /// What was imported of each stream, by name.
    pub streams: Vec<ReceiptStream>,
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReceiptTotals {
    /// Module paths.
    pub modules: u64,
    /// Module versions that are whole: `.info`, `.mod` and zip.
    pub versions: u64,
    /// `.mod` files.
    pub mods: u64,
    /// Zips.
    pub zips: u64,
    /// Bytes of those zips.
    pub zip_bytes: u64,
}

/// What was imported of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptStream {
    /// The stream.
    pub name: StreamName,
    /// The highest number imported.
    pub sequence: Sequence,
    /// SHA-256 of the manifest's text of the bundle with that number.
    pub manifest_sha256: [u8; 32],
    /// The numbers of all bundles imported of it: the last one is `sequence`.
    pub bundles: Sequences,
}

/// Why a receipt is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// It does not open with the appliance's key.
    #[error("the receipt is not signed by the key that is known for its appliance")]
    Note(#[source] NoteError),
    /// A format that this version does not know.
    #[error("the receipt is of format v{0}, and this version reads v1")]
    Newer(String),
    /// A line that is not as the format has it there.
    #[error("line {line} of the receipt: {what}")]
    Line {
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
}

impl Receipt {
    /// Opens a signed receipt: one of `keys` must have signed it.
    pub fn open(note: &[u8], keys: &[VerifierKey]) -> Result<Self, ReceiptError> {
        Self::parse(note::open(note, keys).map_err(ReceiptError::Note)?.text)
    }

    /// Reads a receipt's text: exactly what [`Receipt::encode`] writes.
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        let mut lines = Lines { text, number: 0 };
        lines.first()?;
        let created = lines.value("created", |v| {
            let time = text::is_time(v).then(|| v.to_owned());
            time.ok_or_else(|| "want a time such as 2026-11-21T09:00:00Z".into())
        })?;
        let ledger = lines.value("ledger", |v| tree_head(&mut v.split(' ')))?;
        let mut total = |key| lines.value(key, |v| number(Some(v)));
        let totals = ReceiptTotals {
            modules: total("modules")?,
            versions: total("versions")?,
            mods: total("mods")?,
            zips: total("zips")?,
            zip_bytes: total("zip-bytes")?,
        };
        let mut heads: Vec<(DbName, TreeHead)> = Vec::new();
        while lines.is_next("head") {
            let head = lines.value("head", |v| {
                let mut fields = v.split(' ');
                let db = DbName::new(fields.next().unwrap_or_default());
                let db = db.map_err(|error| error.to_string())?;
                let head = tree_head(&mut fields)?;
                let after = |last: &(DbName, TreeHead)| (&last.0, last.1.size) < (&db, head.size);
                match heads.last().is_none_or(after) {
                    true => Ok((db, head)),
                    false => Err(format!("{db} {} is out of order or there twice", head.size)),
                }
            })?;
            heads.push(head);
        }
        let mut streams: Vec<ReceiptStream> = Vec::new();
        while lines.is_next("stream") {
            let stream = lines.value("stream", |v| {
                let stream = stream(v)?;
                match streams.last().is_none_or(|last| last.name < stream.name) {
                    true => Ok(stream),
                    false => Err(format!("{} is out of order or there twice", stream.name)),
                }
            })?;
            streams.push(stream);
        }
        lines.end()?;
        Ok(Self {
            created,
            ledger,
            totals,
            heads,
            streams,
        })
    }

    /// The text that is signed.
    pub fn encode(&self) -> String {
        let totals = &self.totals;
        let mut text = format!(
            "{FIRST_LINE}\ncreated {}\nledger {} {}\nmodules {}\nversions {}\nmods {}\nzips {}\nzip-bytes {}\n",
            self.created,
            self.ledger.size,
            self.ledger.hash,
            totals.modules,
            totals.versions,
            totals.mods,
            totals.zips,
            totals.zip_bytes
        );
        // Writing to a String cannot fail.
        for (db, head) in &self.heads {
            let _ = writeln!(text, "head {} {} {}", db.as_str(), head.size, head.hash);
        }
        for stream in &self.streams {
            let _ = writeln!(
                text,
                "stream {} {} {} {}",
                stream.name,
                stream.sequence,
                Hex(&stream.manifest_sha256),
                stream.bundles
            );
        }
        text
    }

    /// What it says of a stream; `None` where nothing of it was imported.
    pub fn stream(&self, name: &StreamName) -> Option<&ReceiptStream> {
        self.streams.iter().find(|stream| stream.name == *name)
    }
}

/// A size and a root hash, and nothing behind them.
fn tree_head<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Result<TreeHead, String> {
    let size = number(fields.next())?;
    if size > MAX_TREE_SIZE {
        return Err(format!("a tree of more than {MAX_TREE_SIZE} entries"));
    }
    let hash = fields.next().and_then(|hash| hash.parse().ok());
    let hash = hash.ok_or("want a root hash in base64")?;
    none_left(fields)?;
    Ok(TreeHead { size, hash })
}

fn stream(value: &str) -> Result<ReceiptStream, String> {
    let mut fields = value.split(' ');
    let mut next = || fields.next().unwrap_or_default();
    let name = StreamName::new(next()).map_err(|error| error.to_string())?;
    // The type would take other spellings of the number.
    let sequence = number(Some(next()))?;
    let sequence = Sequence::new(sequence).ok_or("want a sequence number from 1")?;
    let manifest_sha256 = text::sha256(next()).ok_or("want a SHA-256 in lower-case hexadecimal")?;
    let bundles: Sequences = next()
        .parse()
        .map_err(|error: SequencesError| error.to_string())?;
    none_left(&mut fields)?;
    if bundles.last() != Some(sequence) {
        return Err(format!(
            "bundle {sequence} is the newest, and {bundles} does not end with it"
        ));
    }
    Ok(ReceiptStream {
        name,
        sequence,
        manifest_sha256,
        bundles,
    })
}

fn number(field: Option<&str>) -> Result<u64, String> {
    field
        .and_then(text::number)
        .ok_or_else(|| "want a number".into())
}

fn none_left<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Result<(), String> {
    match fields.next() {
        None => Ok(()),
        Some(more) => Err(format!("too much: {}", text::shown(more.as_bytes()))),
    }
}

/// The text that is left, and the number of the line that was read last.
struct Lines<'a> {
    text: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<&'a str, ReceiptError> {
        self.number += 1;
        let (line, rest) = (self.text.split_once('\n'))
            .ok_or_else(|| self.bad("it is missing, or has no newline at its end"))?;
        self.text = rest;
        Ok(line)
    }

    fn bad(&self, what: impl Into<String>) -> ReceiptError {
        ReceiptError::Line {
            line: self.number,
            what: what.into(),
        }
    }

    fn first(&mut self) -> Result<(), ReceiptError> {
        let line = self.next()?;
        match text::other_version(line, FIRST_LINE_PREFIX) {
            _ if line == FIRST_LINE => Ok(()),
            Some(version) => Err(ReceiptError::Newer(version.into())),
            None => Err(self.bad(format!("want {FIRST_LINE:?}"))),
        }
    }

    fn is_next(&self, key: &str) -> bool {
        (self.text.strip_prefix(key)).is_some_and(|rest| rest.starts_with(' '))
    }

    /// The value of the next line, which must have that key.
    fn value<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ReceiptError> {
        let line = self.next()?;
        let value = line
            .strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(' '));
        let value = value.ok_or_else(|| {
            self.bad(format!(
                "want {key:?}, have {}",
                text::shown(line.as_bytes())
            ))
        })?;
        parse(value).map_err(|what| self.bad(format!("{key}: {what}")))
    }

    fn end(&self) -> Result<(), ReceiptError> {
        match self.text.lines().next() {
            None => Ok(()),
            Some(line) => Err(ReceiptError::Line {
                line: self.number + 1,
                what: format!("want the end, have {}", text::shown(line.as_bytes())),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
