//! Reads contents: first what they are compressed against, and with that the contents themselves.

use super::header;
use super::table::Table;
use super::{BaseEntry, ContentsError, Form, MAX_CONTENTS_WINDOW_LOG, PrefixSize, malformed};
use crate::bundle::{MAX_CONTENTS_STORED, frame};

/// An entry of contents as it is stored, its bytes' hash being right.
pub struct StoredContents {
    stored: Vec<u8>,
    prefix: Vec<BaseEntry>,
    /// Where the frame begins.
    frame: usize,
}

impl StoredContents {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// It is malformed, or there are more bytes than [`MAX_CONTENTS_STORED`].
    pub fn parse(stored: Vec<u8>) -> Result<Self, ContentsError> {
        if stored.len() as u64 > MAX_CONTENTS_STORED {
            return Err(malformed(format!(
                "{} bytes: want at most {MAX_CONTENTS_STORED}",
                stored.len()
            )));
        }
        let mut rest = &stored[..];
        let prefix = header::take(&mut rest)?;
        let frame = stored.len() - rest.len();
        Ok(Self {
            stored,
            prefix,
            frame,
        })
    }

    /// The entries of bases whose contents, one after the other, are the frame's prefix. Mostly none.
    pub fn prefix(&self) -> &[BaseEntry] {
        &self.prefix
    }

    /// Restores the contents, which are of `size` bytes together with their table: the size that the index has.
    ///
    /// Takes `size` bytes of memory and what zstd needs besides, some 100 KiB. `prefix` is the contents of
    /// [`prefix`](Self::prefix), at most [`MAX_PREFIX`](super::MAX_PREFIX) bytes.
    ///
    /// # Errors
    ///
    /// The frame is malformed, or restores to anything else than a table and its contents. With another prefix than
    /// the one that it was compressed with, it restores to other bytes, or to none.
    pub fn restore(&self, prefix: &[u8], size: u64) -> Result<RestoredContents, ContentsError> {
        let frame = &self.stored[self.frame..];
        PrefixSize::of(prefix).check()?;
        let bytes =
            frame::restore(frame, prefix, size, MAX_CONTENTS_WINDOW_LOG).map_err(malformed)?;
        let mut rest = &bytes[..];
        let table = Table::take(&mut rest)?;
        let contents = bytes.len() - rest.len();
        Ok(RestoredContents {
            bytes,
            table,
            contents,
        })
    }
}

/// The contents of a frame.
pub struct RestoredContents {
    bytes: Vec<u8>,
    table: Table,
    /// Where the contents begin.
    contents: usize,
}

impl RestoredContents {
    /// How many there are, one at least.
    // There is no frame without contents.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// The content of that number, from 0.
    ///
    /// # Panics
    ///
    /// There is none of that number.
    pub fn content(&self, n: usize) -> &[u8] {
        &self.bytes[self.contents..][self.table.range(n)]
    }

    /// How zips have the content of that number: each is a deflate stream of the bundle.
    ///
    /// # Panics
    ///
    /// There is none of that number.
    pub fn forms(&self, n: usize) -> &[Form] {
        self.table.forms(n)
    }
}
