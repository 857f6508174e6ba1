//! Tree heads: the size and root hash of a checksum database at one moment, which it signs.
//!
//! Reference: golang.org/x/mod/sumdb/tlog/note.go, FormatTree and ParseTree.

use thiserror::Error;

use super::hash::Hash;
use super::tile::MAX_TREE_SIZE;
use crate::note::{self, NoteError, VerifierKey};

const FIRST_LINE: &str = "go.sum database tree";

/// The size and the root hash of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHead {
    /// How many records it has: at most [`MAX_TREE_SIZE`].
    pub size: u64,
    /// Its root hash.
    pub hash: Hash,
}

/// Not a tree head's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TreeHeadError {
    /// Not the three lines, or not in their one spelling.
    #[error("malformed tree head: want \"{FIRST_LINE}\", the size and the hash, one a line")]
    Malformed,
    /// More than [`MAX_TREE_SIZE`] records.
    #[error("tree head of more than {MAX_TREE_SIZE} records")]
    TooLarge,
}

impl TreeHead {
    /// The text that is signed: three lines.
    pub fn encode(&self) -> String {
        format!("{FIRST_LINE}\n{}\n{}\n", self.size, self.hash)
    }

    /// Parses exactly what [`TreeHead::encode`] writes.
    pub fn parse(text: &str) -> Result<Self, TreeHeadError> {
        match Self::parse_front(text)? {
            (head, "") => Ok(head),
            _ => Err(TreeHeadError::Malformed),
        }
    }

    /// Parses the three lines at the front and gives what follows them: lines of a later format, which
    /// whoever reads a signed head passes over.
    pub fn parse_front(text: &str) -> Result<(Self, &str), TreeHeadError> {
        let mut lines = text.splitn(4, '\n');
        let mut next = || lines.next().ok_or(TreeHeadError::Malformed);
        let (first, size, hash, rest) = (next()?, next()?, next()?, next()?);
        if first != FIRST_LINE {
            return Err(TreeHeadError::Malformed);
        }
        let size = parse_number(size).ok_or(TreeHeadError::Malformed)?;
        if size > MAX_TREE_SIZE {
            return Err(TreeHeadError::TooLarge);
        }
        let hash = hash.parse().map_err(|_| TreeHeadError::Malformed)?;
        Ok((Self { size, hash }, rest))
    }
}

/// A decimal number in its one spelling: no sign, no leading zero.
pub(super) fn parse_number(text: &str) -> Option<u64> {
    let canonical =
        text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

/// A tree head, and the note in which the database signed it, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    head: TreeHead,
    note: Box<[u8]>,
}

/// Why a signed head is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeadError {
    /// The note does not open with the database's key.
    #[error("the tree head's note does not open with the key of {database}")]
    Note {
        /// The name in the key.
        database: String,
        /// Why.
        source: NoteError,
    },
    /// Rightly signed, but not a tree head.
    #[error("what {database} has signed is not a tree head")]
    Text {
        /// The name in the key.
        database: String,
        /// Why.
        source: TreeHeadError,
    },
}

impl SignedHead {
    /// Opens a signed note with the database's key and reads the head in it.
    ///
    /// Lines after the three known ones are passed over, as the reference does: they are the way in which
    /// the format may grow.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<Self, HeadError> {
        let database = || key.name().to_owned();
        let opened =
            note::open(note, std::slice::from_ref(key)).map_err(|source| HeadError::Note {
                database: database(),
                source,
            })?;
        let (head, _) = TreeHead::parse_front(opened.text).map_err(|source| HeadError::Text {
            database: database(),
            source,
        })?;
        Ok(Self {
            head,
            note: note.into(),
        })
    }

    /// The size and root hash.
    pub fn head(&self) -> TreeHead {
        self.head
    }

    /// The note as it was signed, byte for byte: what a client is given.
    pub fn note(&self) -> &[u8] {
        &self.note
    }
}

#[cfg(test)]
mod tests;
