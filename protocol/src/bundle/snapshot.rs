//! A snapshot of a Go vulnerability database: all of its documents at one moment, as one text that has one spelling.
//!
//! ```text
//! modferry vulndb v1
//! ID/GO-2024-0001 1234                       a document's name and its bytes
//! {"schema_version":"1.3.1","id":"GO-2024-0001", …}
//! index/db 35
//! {"modified":"2026-11-20T12:00:00Z"}
//! index/modules 120
//! …
//! ```
//!
//! Behind each line of a name come so many bytes, as they were published, and a line feed. Names are in strictly increasing
//! order, bytewise, so reports come before the indexes that name them. The text is cut between documents into pieces of
//! about 3 MiB, each an item of a bundle that goes into a pack: documents are much alike, and compress to a
//! tenth. Where it is cut makes no difference: the manifest has the SHA-256 of the whole.
//!
//! Nothing vouches for a database but the bundle's signature. What reads it here checks its form; whether each document is what its
//! name says is looked at where it is taken in. What stands in a report is the word of whoever published it.

use sha2::{Digest as _, Sha256};

use super::document::DocumentName;
use super::text;

/// The most documents of a database. The public one has some thousands.
pub const MAX_DOCUMENTS: u64 = 65_536;

/// The most bytes of a document. The largest known one, the index of modules, has about 1 MiB.
pub const MAX_DOCUMENT: usize = 8 << 20;

/// The most bytes of a database's text: all documents with their names.
pub const MAX_SNAPSHOT: u64 = 72 << 20;

/// The most bytes of a piece of that text: what goes into a pack beside nothing else.
pub const MAX_SNAPSHOT_PIECE: usize = 12 << 20;

/// A writer begins a new piece where the next document would take one past this many bytes.
const PIECE: usize = 3 << 20;

const FIRST_LINE: &str = "modferry vulndb v1\n";
const FIRST_LINE_PREFIX: &str = "modferry vulndb v";

/// Which snapshot it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// When the database was changed last, as it says itself, in whole seconds of UTC: `2026-11-20T12:00:00Z`. These texts
    /// are ordered as the times are.
    pub modified: String,
    /// How many documents it has.
    pub documents: u64,
    /// Bytes of its text.
    pub bytes: u64,
    /// SHA-256 of its text.
    pub sha256: [u8; 32],
}

impl Snapshot {
    /// Whether a destination that holds the other one takes this one: never an older one. Of one time there may be several,
    /// since a report that is withdrawn altogether leaves no trace of its own.
    pub fn replaces(&self, held: &Snapshot) -> bool {
        self.modified >= held.modified && self != held
    }
}

/// Why a database's text is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// A format that this version does not know.
    #[error(
        "format v{0}: the bundle was made by a newer modferry; use that version or a newer one"
    )]
    Newer(String),
    /// Not as the format has it.
    #[error("behind {behind}: {what}")]
    Form {
        /// The document before, or the beginning.
        behind: String,
        /// What is wrong.
        what: String,
    },
    /// More than [`MAX_DOCUMENTS`].
    #[error("more than {MAX_DOCUMENTS} documents")]
    Documents,
    /// More than [`MAX_DOCUMENT`].
    #[error("{name} has {size} bytes: want 1 to {MAX_DOCUMENT}")]
    Document {
        /// The document.
        name: String,
        /// Its bytes.
        size: u64,
    },
    /// More than [`MAX_SNAPSHOT`].
    #[error("more than {MAX_SNAPSHOT} bytes")]
    Bytes,
    /// A writer was given a name out of order, or one twice.
    #[error("{0} is out of order or there twice")]
    Order(DocumentName),
}

/// What text there was so far: counted and hashed alike by writer and reader.
#[derive(Clone, Debug, Default)]
struct Text {
    last: Option<DocumentName>,
    documents: u64,
    bytes: u64,
    hasher: Sha256,
}

impl Text {
    fn add(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > MAX_SNAPSHOT {
            return Err(SnapshotError::Bytes);
        }
        self.hasher.update(bytes);
        Ok(())
    }

    /// The next document may have that name and that size.
    fn admit(&mut self, name: &DocumentName, size: u64) -> Result<(), SnapshotError> {
        if self.last.as_ref().is_some_and(|last| name <= last) {
            return Err(SnapshotError::Order(name.clone()));
        }
        if !(1..=MAX_DOCUMENT as u64).contains(&size) {
            return Err(SnapshotError::Document {
                name: name.to_string(),
                size,
            });
        }
        if self.documents >= MAX_DOCUMENTS {
            return Err(SnapshotError::Documents);
        }
        self.documents += 1;
        self.last = Some(name.clone());
        Ok(())
    }

    fn snapshot(self, modified: &str) -> Snapshot {
        Snapshot {
            modified: modified.into(),
            documents: self.documents,
            bytes: self.bytes,
            sha256: self.hasher.finalize().into(),
        }
    }

    fn behind(&self) -> String {
        (self.last.as_ref()).map_or_else(|| "the beginning".into(), ToString::to_string)
    }
}

/// Writes a database's text, piece by piece.
#[derive(Debug)]
pub struct SnapshotWriter {
    text: Text,
    piece: Vec<u8>,
}

impl Default for SnapshotWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl SnapshotWriter {
    /// A writer that has written no document.
    pub fn new() -> Self {
        let mut text = Text::default();
        // The first line is far from any limit.
        let _ = text.add(FIRST_LINE.as_bytes());
        Self {
            text,
            piece: FIRST_LINE.as_bytes().to_vec(),
        }
    }

    /// Takes the next document, in order of names; gives back the piece before it, when that is full.
    pub fn document(
        &mut self,
        name: &DocumentName,
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, SnapshotError> {
        self.text.admit(name, bytes.len() as u64)?;
        let mut document = format!("{name} {}\n", bytes.len()).into_bytes();
        document.extend_from_slice(bytes);
        document.push(b'\n');
        self.text.add(&document)?;
        let full = self.piece.len() + document.len() > PIECE && self.piece.len() > FIRST_LINE.len();
        if full {
            return Ok(Some(std::mem::replace(&mut self.piece, document)));
        }
        self.piece.append(&mut document);
        Ok(None)
    }

    /// The last piece, and which snapshot it is. `modified` is when the database says that it was changed last.
    pub fn finish(self, modified: &str) -> (Vec<u8>, Snapshot) {
        (self.piece, self.text.snapshot(modified))
    }
}

/// Reads a database's text, piece by piece in their order, in the memory of one piece.
#[derive(Clone, Debug, Default)]
pub struct SnapshotReader {
    text: Text,
    begun: bool,
}

impl SnapshotReader {
    /// A reader that has read no piece.
    pub fn new() -> Self {
        Self::default()
    }

    /// The documents of the next piece, all of which are well-formed. After an error the text has nothing more to say.
    pub fn piece<'p>(
        &mut self,
        piece: &'p [u8],
    ) -> Result<Vec<(DocumentName, &'p [u8])>, SnapshotError> {
        self.text.add(piece)?;
        let mut rest = piece;
        if !std::mem::replace(&mut self.begun, true) {
            let (line, behind) = self.line(rest)?;
            if format!("{line}\n") != FIRST_LINE {
                return Err(match text::other_version(line, FIRST_LINE_PREFIX) {
                    Some(version) => SnapshotError::Newer(version.into()),
                    None => self.bad(format!(
                        "want {:?}, have {}",
                        FIRST_LINE.trim_end(),
                        text::shown(line.as_bytes())
                    )),
                });
            }
            rest = behind;
        }
        let mut documents = Vec::new();
        while !rest.is_empty() {
            let (line, behind) = self.line(rest)?;
            let named = line.split_once(' ').and_then(|(name, size)| {
                Some((DocumentName::new(name).ok()?, text::number(size)?))
            });
            let Some((name, size)) = named else {
                return Err(self.bad(format!(
                    "want a document's name and size, have {}",
                    text::shown(line.as_bytes())
                )));
            };
            self.text.admit(&name, size)?;
            // At most MAX_DOCUMENT.
            let (bytes, behind) = (behind.split_at_checked(size as usize))
                .ok_or_else(|| self.bad("the piece ends in the document".into()))?;
            rest = behind
                .strip_prefix(b"\n")
                .ok_or_else(|| self.bad("no line feed behind the document".into()))?;
            documents.push((name, bytes));
        }
        match documents.is_empty() {
            true => Err(self.bad("a piece without a document".into())),
            false => Ok(documents),
        }
    }

    /// Which snapshot was read, if the database says that it was changed last at that time.
    pub fn finish(self, modified: &str) -> Snapshot {
        self.text.snapshot(modified)
    }

    /// The line at the beginning, which is a name's and so is short, and what follows.
    fn line<'p>(&self, rest: &'p [u8]) -> Result<(&'p str, &'p [u8]), SnapshotError> {
        let end = rest.iter().take(128).position(|byte| *byte == b'\n');
        let line = end.and_then(|end| {
            let line = std::str::from_utf8(&rest[..end]).ok()?;
            Some((line, &rest[end + 1..]))
        });
        line.ok_or_else(|| self.bad(format!("no line: {}", text::shown(rest))))
    }

    fn bad(&self, what: String) -> SnapshotError {
        SnapshotError::Form {
            behind: self.text.behind(),
            what,
        }
    }
}

#[cfg(test)]
mod tests;
