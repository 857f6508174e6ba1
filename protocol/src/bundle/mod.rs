//! The bundle: what is carried across the gap. docs/bundle-format.md is the specification; this is its writer and reader.
//!
//! A bundle is a signed manifest and one or more volumes: plain tars that open with the same manifest, then the index,
//! then the entries, or some of them. The manifest binds the index by its SHA-256, and the index binds each entry by its
//! own, so one signature covers every entry's bytes however they are cut into volumes, and every entry is verified as it
//! streams by, from a pipe or a read-only disc.
//!
//! The order in which a reader may believe things is in the types, so that it cannot be got wrong:
//! [`Volume`] (nothing is believed) → [`Trusted`] (a manifest that the [policy](crate::trust::Policy) accepted) →
//! [`Indexed`] (an index of the size and hash that the manifest names) → [`Entries`] (all volumes) → [`Incoming`] (one
//! entry, whose bytes are not interpreted before their hash is right).
//!
//! Being signed does not make a bundle sane: each limit below holds for signed input too.

mod bases;
mod contents;
mod cut;
mod document;
mod entries;
mod file;
mod frame;
mod index;
mod item;
mod lists;
mod manifest;
mod names;
mod pack;
mod parts;
mod pin;
mod query;
mod read;
mod recipe;
mod rules;
mod sequences;
mod snapshot;
mod spoken;
mod stream;
mod ustar;
mod varint;
mod volume;
mod write;

pub use bases::{Base, BasesReader, bases_texts};
pub use contents::{
    BaseEntry, ContentsError, ContentsLevel, ContentsWriter, Form, MAX_CONTENTS,
    MAX_CONTENTS_WINDOW_LOG, MAX_FORMS, MAX_PREFIX, MAX_PREFIX_PACKED, MAX_PREFIX_PARTS,
    PrefixSize, RestoredContents, StoredContents,
};
pub use cut::{CutError, VolumePlan, cut, front_size};
pub use document::{DocumentName, DocumentNameError, MAX_REPORT_NUMBER, is_report_id};
pub use entries::{Entries, Incoming, OneVolume, Volumes};
pub use file::{
    FileName, FileNameError, MAX_FILE, MAX_FILE_NAME, MAX_FILES, file_sha256, needed_file,
};
pub use index::{IndexReader, IndexWriter, encode_index};
pub use item::{Digest, Encoding, Entry, Item};
pub use lists::{Gone, Level, ListError, ListKind, ListReader, ListTexts, list_texts};
pub use manifest::{
    Basis, DeflatedTotals, MAX_REASON, Manifest, ManifestError, Missing, Totals, Vulndb,
};
pub use names::{MAX_STREAM_NAME, NameError, Sequence, StreamName};
pub use pack::{Pack, PackBuilder, PackError};
pub use parts::{CheckedPart, VolumeParts};
pub use pin::Pin;
pub use query::{Answer, MAX_QUERIES, MAX_QUERY, Query, QueryError};
pub use read::{Indexed, ReadError, Trusted, Volume};
pub use recipe::{
    Deflated, DeflatedFacts, MAX_RECIPE_FILES, MAX_RECIPE_WEIGHT, Recipe, RecipeError,
    RecipesBuilder, Source, StoredRecipes,
};
pub use rules::IndexError;
pub use sequences::{MAX_SEQUENCE_RANGES, Sequences, SequencesError};
pub use snapshot::{
    MAX_DOCUMENT, MAX_DOCUMENTS, MAX_SNAPSHOT, MAX_SNAPSHOT_PIECE, Snapshot, SnapshotError,
    SnapshotReader, SnapshotWriter,
};
pub use spoken::Spoken;
pub use volume::{Extent, MAX_VOLUME_TEXT, MAX_VOLUMES, VolumeText, VolumeTextError};
pub use write::{BundleWriter, VolumeFiles, WriteError};

use crate::{text, zip};

/// The most bytes of a manifest with its signatures: what a reader takes in before any signature is checked.
/// Signed notes end at a million bytes anyway; that is room for about 15,000 `missing` lines.
pub const MAX_MANIFEST: u64 = 1_000_000;

/// The most bytes of an index: about ten million items. It is spooled and streamed, never held in memory.
pub const MAX_INDEX: u64 = 1 << 30;

/// The most bytes of one line of an index, its newline included.
pub const MAX_INDEX_LINE: usize = 4096;

/// The most entries of a bundle.
pub const MAX_ENTRIES: u32 = 4_000_000;

/// The most tree heads of a bundle, one a checksum database: their names are held until the index ends.
pub const MAX_HEADS: usize = 100;

/// The most bytes of one text of a list of needs or tombstones; longer lists have several texts.
pub const MAX_LIST_TEXT: usize = 1 << 20;

/// The most trust notes of a bundle.
pub const MAX_TRUST_NOTES: usize = 16;

/// The most bytes of an entry that is stored as it is: one module zip, which `go` limits to 500 MiB.
pub const MAX_ENTRY: u64 = zip::MAX_ZIP_FILE;

/// The most bytes of a pack as stored: the most restored, and what zstd adds to bytes that it cannot compress.
pub const MAX_PACK_STORED: u64 = MAX_PACK_RESTORED + (1 << 20);

/// The most bytes that a pack's items have together. A go.mod alone may have 16 MiB.
pub const MAX_PACK_RESTORED: u64 = 32 << 20;

/// The most items of a pack, so that an entry's list of items has a bound too.
pub const MAX_PACK_ITEMS: usize = 16_384;

/// The most bytes of a frame of contents as they are restored: an importer holds a few of them.
pub const MAX_CONTENTS_RESTORED: u64 = 64 << 20;

/// The most bytes of an entry of contents as stored: the most restored, and what its header and zstd add.
pub const MAX_CONTENTS_STORED: u64 = MAX_CONTENTS_RESTORED + (1 << 20);

/// The most zips that a bundle's recipes may build on.
pub const MAX_BASES: u64 = 65_536;

/// The most entries that those zips may have together: an importer keeps where each of them lies.
pub const MAX_BASE_ENTRIES: u64 = 1 << 24;

/// The most deflate streams that a bundle's contents may give.
pub const MAX_DEFLATED: u64 = 50_000_000;

/// The largest zstd window of a pack, as a power of two: 8 MiB.
pub const MAX_WINDOW_LOG: u32 = 23;
