//! Recipes: how a zip is put together again, byte for byte, from deflate streams and a few bytes of its own.
//!
//! A zip is its files' deflate streams, each behind a local header and perhaps in front of a descriptor, and a directory
//! that says most of it again. Its writer has a few kinds of headers, mostly one, so that a kind and the facts of a
//! stream (sizes, CRC-32) make both headers of a file. What is left of a zip is names and which streams it has. It is
//! written in columns, because columns compress. All numbers are [varints](super::varint).
//!
//! ```text
//! recipe    = files flags front kinds [kind{files}] name-length{files} name{files} source{files}
//!             directory end trailing
//! flags     = byte                          bit 0: every name begins with path@version/, which is left out
//! front     = bytes                         in front of the first local header; bytes = length byte{length}
//! kinds     = count kind{count}             a zip without files has none; as files first have them, each once
//! kind      = byte{30} byte{46} bytes bytes bytes fill descriptor
//!                                           local and central header, their numbers zero that are the file's or the
//!                                           kind's own: CRC-32, sizes, lengths, offset; local extra field, central
//!                                           extra field, comment
//! fill      = byte                          CRC-32 (1), packed size (2), unpacked size (4) stand in the local header, too
//! descriptor= byte                          0 none, 1 with a signature, 2 without, 3 and 4 the same with 64-bit sizes
//! kind      = number                        of each file; only if there are several
//! source    = number…                       its two low bits say what is in the others:
//!             0 deflate stream of the bundle: zigzag(number - (number before + 1))
//!             1 entry of a base: zigzag(base - base before), zigzag(entry - (entry before of that base + 1))
//!             2 deflate streams of the bundle, one after the other: zigzag as 0, count, CRC-32 (4 bytes), unpacked size
//! directory = 0                             the central headers in the files' order
//!           | 1 number{files}               in another: each file's number, zigzag(number - (number before + 1))
//!           | 2 bytes                       all of it, as it is
//! end       = 0                             an end record of count, size and offset
//!           | 1 bytes                       with a comment
//!           | 2 bytes                       as it is
//! trailing  = bytes                         behind it
//! ```
//!
//! The number before is the last deflate stream that was named, or -1, from which the first is counted; the base before
//! is 0 at first, and the entry before is -1 whenever the base changes, and at first.
//!
//! A recipe names deflate streams and never other recipes or their zips, so there is no way for one to go round in circles.
//! How large its zip gets is known from the streams' sizes before a byte of it is written, and must be what the index says.

mod assemble;
mod codec;
mod headers;
mod of_zip;
mod pack;
mod weight;

use std::io;

use headers::Kind;
pub use pack::{RecipesBuilder, StoredRecipes};
use weight::Weight;

use super::BaseEntry;

/// The most files of a recipe: more than a directory of [`MAX_DIRECTORY`](crate::zip::MAX_DIRECTORY) has room for
/// with real names.
pub const MAX_RECIPE_FILES: usize = 250_000;

/// The most that a recipe [weighs](Recipe::weight): room for as many files with names of 30 bytes behind the prefix.
pub const MAX_RECIPE_WEIGHT: u64 = 32 << 20;

/// How a zip is put together again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Whether every name begins with the module version's prefix, which `names` leaves out.
    prefixed: bool,
    front: Vec<u8>,
    kinds: Vec<Kind>,
    files: Vec<File>,
    /// The names, one after the other.
    names: Vec<u8>,
    directory: Directory,
    end: End,
    trailing: Vec<u8>,
}

/// A file of a zip, in the order in which they lie there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File {
    /// Its place among the kinds.
    kind: u32,
    /// Where its name ends among the names.
    name_end: u32,
    source: Source,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Directory {
    /// As the files lie.
    InOrder,
    /// Which file each header is for.
    Order(Vec<u32>),
    /// Whatever stands between the files and the end record.
    Literal(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Plain,
    /// An end record with that comment, of one byte at least.
    Comment(Vec<u8>),
    Literal(Vec<u8>),
}

/// Where an entry's packed bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A deflate stream of the bundle, by its number.
    Deflated(u32),
    /// What an entry of a zip has that the destination holds.
    Base(BaseEntry),
    /// Deflate streams of the bundle, one after the other, all of them contents as they are.
    Pieces {
        /// The first one's number.
        first: u32,
        /// How many, one at least.
        count: u32,
        /// What the entry's headers have as the CRC-32 of its content.
        crc32: u32,
        /// What they have as its content's bytes.
        unpacked: u64,
    },
}

/// What an entry's headers say of its packed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflatedFacts {
    /// How many they are.
    pub packed: u64,
    /// How many bytes they inflate to; of a content that is as it is, how many it has.
    pub unpacked: u64,
    /// CRC-32 of that.
    pub crc32: u32,
}

/// The deflate streams that recipes name: an importer's spool and store, a bundler's zips, a test's vectors.
pub trait Deflated {
    /// What an entry made from that source says. `None` if there is no such deflate stream, or no such entry of a base.
    ///
    /// Of [`Source::Pieces`] the packed bytes are those of all of them, and the rest is in the source itself.
    fn facts(&mut self, source: &Source) -> io::Result<Option<DeflatedFacts>>;

    /// Writes the source's packed bytes, as many as [`facts`](Self::facts) said.
    fn copy(&mut self, source: &Source, out: &mut dyn io::Write) -> io::Result<()>;
}

/// Why a recipe is none, or makes no zip.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// It is not as the format has it.
    #[error("recipe: {what}")]
    Malformed {
        /// What is wrong.
        what: String,
    },
    /// It is well-formed and means nothing to this version.
    #[error(
        "recipe: {what}: the bundle was made by a newer modferry; use that version or a newer one"
    )]
    Newer {
        /// What is unknown.
        what: String,
    },
    /// It names a deflate stream that is not there.
    #[error("recipe: file {file}: there is no {}", shown(.from))]
    NoSource {
        /// The file's place in the zip, from 0.
        file: usize,
        /// What it should be made from.
        from: Source,
    },
    /// The zip has a size or an offset of 4 GiB and more.
    #[error("recipe: file {file}: its size or offset has more than 32 bits")]
    TooLarge {
        /// The file's place in the zip, from 0.
        file: usize,
    },
    /// The zip has more bytes than it may.
    #[error("its recipe makes more than {most} bytes")]
    Longer {
        /// How many it may have.
        most: u64,
    },
    /// Deflate streams could not be read, or the zip not be written.
    #[error("putting a zip together failed")]
    Io(#[from] io::Error),
}

fn shown(source: &Source) -> String {
    match source {
        Source::Deflated(number) => format!("deflate stream {number}"),
        Source::Base(BaseEntry { base, entry }) => format!("entry {entry} of base {base}"),
        Source::Pieces { first, count, .. } => {
            format!("{count} deflate streams from {first} on, as they are")
        }
    }
}

fn malformed(what: impl Into<String>) -> RecipeError {
    RecipeError::Malformed { what: what.into() }
}

impl Recipe {
    /// Where the packed bytes of the zip's files come from, in the order in which they lie there.
    pub fn sources(&self) -> impl ExactSizeIterator<Item = &Source> {
        self.files.iter().map(|file| &file.source)
    }

    /// What it weighs, in bytes of memory: what it takes while it is decoded, and while its zip is
    /// [put together](Self::assemble), is no more. A file counts 100, a kind 256, and each byte that is kept as it is 1.
    pub fn weight(&self) -> u64 {
        let mut weight = Weight::default();
        weight.files(self.files.len());
        weight.kinds(self.kinds.len());
        for kind in &self.kinds {
            weight.bytes(&kind.local_extra);
            weight.bytes(&kind.central_extra);
            weight.bytes(&kind.comment);
        }
        if let Directory::Literal(bytes) = &self.directory {
            weight.bytes(bytes);
        }
        if let End::Comment(bytes) | End::Literal(bytes) = &self.end {
            weight.bytes(bytes);
        }
        for bytes in [&self.front, &self.names, &self.trailing] {
            weight.bytes(bytes);
        }
        weight.total()
    }

    /// A file's name, without the prefix where that is left out.
    fn name(&self, file: usize) -> &[u8] {
        let start = file
            .checked_sub(1)
            .map_or(0, |before| self.files[before].name_end);
        &self.names[start as usize..self.files[file].name_end as usize]
    }
}
