//! The manifest: what a bundle is, in one page of text that people and machines read, and that is what gets signed.
//!
//! ```text
//! modferry bundle v1
//! stream platform
//! sequence 1
//! created 2026-11-21T09:00:00Z
//! basis none
//! needs 0
//! bases 0
//! tombstones 0
//! head sum.golang.org 41234567 <base64 of the root hash>
//! vulndb carried 2026-11-20T12:00:00Z 4321 20123456 <SHA-256 of its text>
//! records 423
//! tiles 1207
//! infos 423
//! mods 423
//! zips 212
//! zip-bytes 299113472
//! contents 3
//! content-bytes 189113472
//! carried-bytes 101203456
//! deflated 21113
//! deflated-bytes 51203456
//! index 123456 <SHA-256 of the index>
//! missing example.com/x v1.0.0 404
//! ```
//!
//! It is signed as a C2SP signed note ([`crate::note`]); the text is what the signatures are over. Parsing is
//! strict: what parses encodes to the same bytes, so two readers cannot see two manifests in one text.

mod parse;

use std::fmt::Write as _;

use super::item::Digest;
use super::names::{Sequence, StreamName};
use super::snapshot::Snapshot;
use super::{MAX_MANIFEST, Spoken, text};
use crate::module::ModuleVersion;
use crate::sumdb::{DbName, TreeHead};

const FIRST_LINE_PREFIX: &str = "modferry bundle v";
const FIRST_LINE: &str = "modferry bundle v1";

/// Totals of what the first manifests knew nothing of: where there is nothing of it, the line is not there either, so that
/// such a bundle is what it always was, and older readers take it.
const LEFT_OUT_AT_0: [&str; 6] = [
    "needed-files",
    "gone-files",
    "pins",
    "queries",
    "files",
    "file-bytes",
];

/// The words of a vulnerability database that a bundle carries, and of one that it needs.
const CARRIED: &str = "carried";
const HELD: &str = "held";

/// The most bytes of a reason in a `missing` line.
pub const MAX_REASON: usize = 64;

/// What a bundle is. Its text is what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The stream that it belongs to.
    pub stream: StreamName,
    /// Its place in the stream.
    pub sequence: Sequence,
    /// When it was made, by the connected side's clock: `2026-11-21T09:00:00Z`, RFC 3339 in UTC with whole seconds.
    /// For people; nothing is decided by it.
    pub created: String,
    /// What it builds on.
    pub basis: Basis,
    /// How many module versions its needs list: what the destination must hold. 0 where the basis is none.
    pub needs: u64,
    /// How many zips its bases list: what its recipes take deflate streams from, and the destination must hold. 0
    /// where the basis is none.
    pub bases: u64,
    /// How many module versions its tombstones list: what the selection no longer names. 0 where the basis is none.
    pub tombstones: u64,
    /// The tree head of each checksum database that it carries, sorted by name.
    pub heads: Vec<(DbName, TreeHead)>,
    /// The vulnerability database that the selection names, if it names one.
    pub vulndb: Option<Vulndb>,
    /// What the index comes to.
    pub totals: Totals,
    /// What its contents give: an importer has to have room for that, and takes no more.
    pub deflated: DeflatedTotals,
    /// The index: through it, one signature covers every entry.
    pub index: Digest,
    /// What was asked for and could not be had, sorted.
    pub missing: Vec<Missing>,
}

/// The vulnerability database that a stream's selection names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vulndb {
    /// Whether the bundle carries it; else the destination must hold it already, or a later one.
    pub carried: bool,
    /// Which it is.
    pub snapshot: Snapshot,
}

/// What a bundle builds on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Nothing: it is whole by itself.
    None,
    /// What the same stream's bundle of that sequence left behind.
    Bundle {
        /// That bundle's place in the stream.
        sequence: Sequence,
        /// SHA-256 of that bundle's manifest text.
        manifest_sha256: [u8; 32],
    },
}

/// The deflate streams that a bundle's contents give, counted. The index does not show them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeflatedTotals {
    /// How many: one for each form of each content.
    pub streams: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// What a bundle holds, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Opaque files that the destination must hold.
    pub needed_files: u64,
    /// Opaque files that the selection no longer names.
    pub gone_files: u64,
    /// Checksum-database records.
    pub records: u64,
    /// Checksum-database tiles.
    pub tiles: u64,
    /// Pins of private modules.
    pub pins: u64,
    /// `.info` files.
    pub infos: u64,
    /// `.mod` files.
    pub mods: u64,
    /// Answers to queries.
    pub queries: u64,
    /// `.zip` files.
    pub zips: u64,
    /// Bytes of the zips as they are served.
    pub zip_bytes: u64,
    /// Opaque files.
    pub files: u64,
    /// Bytes of those files.
    pub file_bytes: u64,
    /// Frames of contents.
    pub contents: u64,
    /// Bytes of those frames as they are restored.
    pub content_bytes: u64,
    /// Bytes of all entries as stored, without tar headers and padding.
    pub carried_bytes: u64,
}

/// A module version that was asked for and could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Which.
    pub module: ModuleVersion,
    /// Why: one word of lower-case letters, digits and hyphens, such as upstream's status `404`.
    pub reason: String,
}

/// Why a manifest is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// More than [`MAX_MANIFEST`].
    #[error("manifest of {0} bytes: want at most {MAX_MANIFEST}")]
    TooLong(usize),
    /// A line is not as the format has it.
    #[error("manifest line {line}: {what}")]
    Line {
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A line is well-formed and means nothing to this version.
    #[error(
        "manifest line {line}: {what}: the bundle was made by a newer modferry; use that version or a newer one"
    )]
    Newer {
        /// The line's number, from 1.
        line: usize,
        /// What is unknown.
        what: String,
    },
}

impl Manifest {
    /// The text that gets signed.
    pub fn encode(&self) -> String {
        let mut out = format!(
            "{FIRST_LINE}\nstream {}\nsequence {}\ncreated {}\n",
            self.stream, self.sequence, self.created
        );
        // Writing to a String cannot fail.
        let _ = match &self.basis {
            Basis::None => writeln!(out, "basis none"),
            Basis::Bundle {
                sequence,
                manifest_sha256,
            } => {
                writeln!(out, "basis {sequence} {}", text::Hex(manifest_sha256))
            }
        };
        let _ = writeln!(out, "needs {}", self.needs);
        let _ = writeln!(out, "bases {}", self.bases);
        let _ = writeln!(out, "tombstones {}", self.tombstones);
        for (db, head) in &self.heads {
            let _ = writeln!(out, "head {db} {} {}", head.size, head.hash);
        }
        if let Some(Vulndb { carried, snapshot }) = &self.vulndb {
            let word = if *carried { CARRIED } else { HELD };
            let _ = writeln!(
                out,
                "vulndb {word} {} {} {} {}",
                snapshot.modified,
                snapshot.documents,
                snapshot.bytes,
                text::Hex(&snapshot.sha256)
            );
        }
        for (key, value) in self.totals.lines() {
            if value > 0 || !LEFT_OUT_AT_0.contains(&key) {
                let _ = writeln!(out, "{key} {value}");
            }
        }
        let _ = writeln!(out, "deflated {}", self.deflated.streams);
        let _ = writeln!(out, "deflated-bytes {}", self.deflated.bytes);
        let _ = writeln!(
            out,
            "index {} {}",
            self.index.size,
            text::Hex(&self.index.sha256)
        );
        for missing in &self.missing {
            let (path, version) = (missing.module.path(), missing.module.version());
            let _ = writeln!(out, "missing {path} {version} {}", missing.reason);
        }
        out
    }

    /// Reads a manifest's text, without signatures. It takes only what [`encode`](Self::encode) gives.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        if text.len() as u64 > MAX_MANIFEST {
            return Err(ManifestError::TooLong(text.len()));
        }
        let mut parser = parse::Parser::new(text);
        let manifest = parser.manifest()?;
        if manifest.encode() != text {
            // Line endings, and whatever spelling a value's own parser lets through.
            return Err(parser.bad("not spelled as this version writes it"));
        }
        Ok(manifest)
    }

    /// SHA-256 of the text: the bundle's identity, and what a later bundle's basis names.
    pub fn sha256(&self) -> [u8; 32] {
        use sha2::Digest as _;
        sha2::Sha256::digest(self.encode()).into()
    }

    /// The text's fingerprint for people to compare over a telephone.
    pub fn spoken(&self) -> Spoken {
        Spoken::of_sha256(&self.sha256())
    }

    /// The name of the file with the manifest and its signatures: `STREAM.SEQ.manifest`.
    pub fn file_name(&self) -> String {
        self.stream.manifest_file(self.sequence)
    }

    /// The name of the file with the volume of that number, from 1: `STREAM.SEQ.vNNN.tar`.
    pub fn volume_file_name(&self, volume: u32) -> String {
        self.stream.volume_file(self.sequence, volume)
    }
}

impl Totals {
    /// Each total as the manifest names it, in its order.
    pub fn lines(&self) -> [(&'static str, u64); 15] {
        [
            ("needed-files", self.needed_files),
            ("gone-files", self.gone_files),
            ("records", self.records),
            ("tiles", self.tiles),
            ("pins", self.pins),
            ("infos", self.infos),
            ("mods", self.mods),
            ("queries", self.queries),
            ("zips", self.zips),
            ("zip-bytes", self.zip_bytes),
            ("files", self.files),
            ("file-bytes", self.file_bytes),
            ("contents", self.contents),
            ("content-bytes", self.content_bytes),
            ("carried-bytes", self.carried_bytes),
        ]
    }
}
