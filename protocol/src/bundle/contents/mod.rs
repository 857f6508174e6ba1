//! Contents: what the entries of zips inflate to, each once a bundle, many of them in one zstd frame.
//!
//! Deflated files do not compress, and the same file lies in every version of a module. So a bundle carries what is in
//! the files, sorted so that like lies beside like, and says who deflated each: with the same
//! [`Writer`](modferry_deflate::Writer) an importer writes every deflate stream again, bit for bit, and
//! [recipes](super::Recipe) put the streams together to zips.
//!
//! ```text
//! stored    = header frame
//! header    = count { base entry }            what the frame's prefix is made of; all numbers are varints
//! frame     = one zstd frame (RFC 8878) that declares its size, with the prefix as its dictionary's raw content
//! restored  = table bytes                     the contents, one after the other
//! table     = count { size } { forms }
//! forms     = code | 0x80+k code{k}           one, or 2 to MAX_FORMS in strictly increasing order
//! code      = 0 as it is | 1, 2 a writer
//! ```
//!
//! A form is how a zip has a content: as it is, or deflated by one writer. Every form of every content is one *deflate
//! stream* of the bundle, and they are numbered from 0 through all of its frames, in order.
//!
//! A file that has changed since a version which the destination holds is compressed against its former self: the
//! prefix is contents of [bases](super::Base), one after the other, and an importer reads them out of its own store.
//!
//! What is stored has been hashed when it gets here; its signer may be hostile all the same. So everything has a
//! bound, and there is one spelling of everything: one frame, nothing behind it, shortest numbers.

mod header;
mod prefix;
mod read;
mod table;
mod write;

pub use prefix::PrefixSize;
pub use read::{RestoredContents, StoredContents};
pub use write::{ContentsLevel, ContentsWriter};

use modferry_deflate::Writer;

/// The most contents of a frame.
pub const MAX_CONTENTS: usize = 65_536;

/// The most forms of a content.
pub const MAX_FORMS: usize = 8;

/// The most entries of bases that a frame's prefix is made of.
pub const MAX_PREFIX_PARTS: usize = 4096;

/// The most bytes of a frame's prefix.
pub const MAX_PREFIX: usize = 16 << 20;

/// The most bytes that the entries of a frame's prefix have as they lie in their zips: the most of a prefix, and what
/// deflating adds to bytes that it cannot compress.
pub const MAX_PREFIX_PACKED: usize = MAX_PREFIX + (1 << 20);

/// The largest zstd window of a frame of contents, as a power of two: a frame and its prefix fit.
pub const MAX_CONTENTS_WINDOW_LOG: u32 = 27;

/// An entry of a base: of a zip that the destination holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BaseEntry {
    /// The base's place in the bundle's list of bases, from 0.
    pub base: u32,
    /// The entry's place in that zip's central directory, from 0.
    pub entry: u32,
}

/// How zips have a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// The content is what lies in the zip: a stored entry's bytes; or a deflate stream, or a piece of one, that no
    /// writer makes.
    AsIs,
    /// Deflated by this writer.
    Written(Writer),
}

impl Form {
    /// The number that tables have for it.
    fn code(self) -> u8 {
        match self {
            Form::AsIs => 0,
            Form::Written(writer) => writer.code(),
        }
    }

    fn of_code(code: u8) -> Option<Form> {
        match code {
            0 => Some(Form::AsIs),
            code => Writer::of_code(code).map(Form::Written),
        }
    }
}

/// Why contents are none, or are not written.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// They are not as the format has them.
    #[error("contents: {what}")]
    Malformed {
        /// What is wrong.
        what: String,
    },
    /// They are well-formed and mean nothing to this version.
    #[error(
        "contents: {what}: the bundle was made by a newer modferry; use that version or a newer one"
    )]
    Newer {
        /// What is unknown.
        what: String,
    },
    /// zstd failed while compressing, which takes a lack of memory.
    #[error("compressing contents failed")]
    Zstd(#[source] std::io::Error),
}

fn malformed(what: impl Into<String>) -> ContentsError {
    ContentsError::Malformed { what: what.into() }
}
