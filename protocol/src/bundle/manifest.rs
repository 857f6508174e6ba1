//! The manifest: what a bundle is, in one page of text that people and machines read, and that is what gets signed.
//!
//! ```text
//! modferry bundle v1
//! stream platform
//! sequence 1
//! created 2026-11-21T09:00:00Z
//! basis none
//! head sum.golang.org 41234567 <base64 of the root hash>
//! records 423
//! tiles 1207
//! infos 423
//! mods 423
//! zips 212
//! zip-bytes 299113472
//! carried-bytes 301203456
//! index 123456 <SHA-256 of the index>
//! missing example.com/x v1.0.0 404
//! ```
//!
//! It is signed as a C2SP signed note ([`crate::note`]); the text is what the signatures are over. Parsing is
//! strict: what parses encodes to the same bytes, so two readers cannot see two manifests in one text.

use std::fmt::Write as _;
use std::str::Lines;

use super::item::Digest;
use super::names::{Sequence, StreamName};
use super::{MAX_INDEX, MAX_MANIFEST, text};
use crate::module::ModuleVersion;
use crate::sumdb::{DbName, Hash, TreeHead};

const FIRST_LINE_PREFIX: &str = "modferry bundle v";
const FIRST_LINE: &str = "modferry bundle v1";

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
    /// The tree head of each checksum database that it carries, sorted by name.
    pub heads: Vec<(DbName, TreeHead)>,
    /// What the index comes to.
    pub totals: Totals,
    /// The index: through it, one signature covers every entry.
    pub index: Digest,
    /// What was asked for and could not be had, sorted.
    pub missing: Vec<Missing>,
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

/// What a bundle holds, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Checksum-database records.
    pub records: u64,
    /// Checksum-database tiles.
    pub tiles: u64,
    /// `.info` files.
    pub infos: u64,
    /// `.mod` files.
    pub mods: u64,
    /// `.zip` files.
    pub zips: u64,
    /// Bytes of the zips as they are served.
    pub zip_bytes: u64,
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
        for (db, head) in &self.heads {
            let _ = writeln!(out, "head {db} {} {}", head.size, head.hash);
        }
        for (key, value) in self.totals.lines() {
            let _ = writeln!(out, "{key} {value}");
        }
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
        let mut parser = Parser::new(text);
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
    pub fn lines(&self) -> [(&'static str, u64); 7] {
        [
            ("records", self.records),
            ("tiles", self.tiles),
            ("infos", self.infos),
            ("mods", self.mods),
            ("zips", self.zips),
            ("zip-bytes", self.zip_bytes),
            ("carried-bytes", self.carried_bytes),
        ]
    }
}

/// Reads a manifest line by line, each of which must be the one that the format has there.
struct Parser<'a> {
    lines: Lines<'a>,
    /// The line under way, and its number.
    line: Option<&'a str>,
    number: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let mut lines = text.lines();
        Self {
            line: lines.next(),
            lines,
            number: 1,
        }
    }

    fn manifest(&mut self) -> Result<Manifest, ManifestError> {
        self.first_line()?;
        let stream = self.value("stream", |v| StreamName::new(v).map_err(|e| e.to_string()))?;
        let sequence = self.value("sequence", |v| {
            v.parse().map_err(|e: super::NameError| e.to_string())
        })?;
        let created = self.value("created", |v| {
            if is_time(v) {
                Ok(v.to_owned())
            } else {
                Err("want a time such as 2026-11-21T09:00:00Z".into())
            }
        })?;
        let basis = self.basis(sequence)?;
        let heads = self.heads()?;
        let mut total = |key| {
            self.value(key, |v| {
                text::number(v).ok_or_else(|| "want a number".into())
            })
        };
        let totals = Totals {
            records: total("records")?,
            tiles: total("tiles")?,
            infos: total("infos")?,
            mods: total("mods")?,
            zips: total("zips")?,
            zip_bytes: total("zip-bytes")?,
            carried_bytes: total("carried-bytes")?,
        };
        let index = self.value("index", |v| {
            let (size, sha256) = v.split_once(' ').ok_or("want a size and a SHA-256")?;
            let size = text::number(size).filter(|size| *size <= MAX_INDEX);
            Ok(Digest {
                size: size.ok_or_else(|| format!("want a size of at most {MAX_INDEX} bytes"))?,
                sha256: text::sha256(sha256).ok_or("want a SHA-256 in lower-case hexadecimal")?,
            })
        })?;
        let missing = self.missing()?;
        match self.line {
            None => Ok(Manifest {
                stream,
                sequence,
                created,
                basis,
                heads,
                totals,
                index,
                missing,
            }),
            Some(_) => Err(self.unexpected("the end")),
        }
    }

    fn first_line(&mut self) -> Result<(), ManifestError> {
        let line = self.line.unwrap_or_default();
        if line == FIRST_LINE {
            self.advance();
            return Ok(());
        }
        match text::other_version(line, FIRST_LINE_PREFIX) {
            Some(version) => Err(ManifestError::Newer {
                line: 1,
                what: format!("format v{version}"),
            }),
            None => Err(self.unexpected(&format!("{FIRST_LINE:?}"))),
        }
    }

    fn basis(&mut self, this: Sequence) -> Result<Basis, ManifestError> {
        let value = self.raw("basis")?;
        let basis = match value.split_once(' ') {
            None if value == "none" => Basis::None,
            Some((sequence, sha256)) if text::number(sequence).is_some() => {
                let earlier = sequence.parse().ok().filter(|sequence| *sequence < this);
                Basis::Bundle {
                    sequence: earlier
                        .ok_or_else(|| self.bad("basis: want an earlier sequence number"))?,
                    manifest_sha256: text::sha256(sha256).ok_or_else(|| {
                        self.bad("basis: want a SHA-256 in lower-case hexadecimal")
                    })?,
                }
            }
            _ => return Err(self.newer(format!("basis {:?}", text::shown(value.as_bytes())))),
        };
        self.advance();
        Ok(basis)
    }

    fn heads(&mut self) -> Result<Vec<(DbName, TreeHead)>, ManifestError> {
        let mut heads: Vec<(DbName, TreeHead)> = Vec::new();
        while self.line.is_some_and(|line| line.starts_with("head ")) {
            let last = heads.last().map(|(db, _)| db.clone());
            heads.push(self.value("head", |v| {
                let fields: Vec<&str> = v.split(' ').collect();
                let [db, size, hash] = fields.as_slice() else {
                    return Err("want a database, a tree size and a root hash".into());
                };
                let db = DbName::new(db).map_err(|e| e.to_string())?;
                if last.is_some_and(|last| db <= last) {
                    return Err(format!("{db} is out of order or there twice"));
                }
                let size = text::number(size).ok_or("want a number as tree size")?;
                let hash: Hash = hash.parse().map_err(|_| "want a root hash in base64")?;
                Ok((db, TreeHead { size, hash }))
            })?);
        }
        Ok(heads)
    }

    fn missing(&mut self) -> Result<Vec<Missing>, ManifestError> {
        let mut all: Vec<Missing> = Vec::new();
        while self.line.is_some_and(|line| line.starts_with("missing ")) {
            let last = all.last().map(|missing| missing.module.clone());
            all.push(self.value("missing", |v| {
                let fields: Vec<&str> = v.split(' ').collect();
                let [path, version, reason] = fields.as_slice() else {
                    return Err("want a module path, a version and a reason".into());
                };
                let module = ModuleVersion::parse(path, version).map_err(|e| e.to_string())?;
                if last.is_some_and(|last| module <= last) {
                    return Err(format!("{module} is out of order or there twice"));
                }
                if !is_reason(reason) {
                    return Err("want a reason of lower-case letters, digits and hyphens".into());
                }
                Ok(Missing {
                    module,
                    reason: (*reason).to_owned(),
                })
            })?);
        }
        Ok(all)
    }

    /// The value of the line under way, which must have that key; then the next line is under way.
    fn value<T>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, ManifestError> {
        let value = parse(self.raw(key)?).map_err(|what| self.bad(&format!("{key}: {what}")))?;
        self.advance();
        Ok(value)
    }

    fn raw(&self, key: &str) -> Result<&'a str, ManifestError> {
        let value = self
            .line
            .and_then(|line| line.strip_prefix(key)?.strip_prefix(' '));
        value.ok_or_else(|| self.unexpected(&format!("{key:?}")))
    }

    fn advance(&mut self) {
        self.line = self.lines.next();
        self.number += 1;
    }

    fn bad(&self, what: &str) -> ManifestError {
        ManifestError::Line {
            line: self.number,
            what: what.to_owned(),
        }
    }

    fn newer(&self, what: String) -> ManifestError {
        ManifestError::Newer {
            line: self.number,
            what,
        }
    }

    /// The line under way is not the one that has to be there: ours out of place, or one that a later version knows.
    fn unexpected(&self, want: &str) -> ManifestError {
        let Some(line) = self.line else {
            return self.bad(&format!("want {want}, have the end"));
        };
        let key = line.split(' ').next().unwrap_or_default();
        let word = !key.is_empty()
            && key
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if word && self.number > 1 && line.len() > key.len() && !KEYS.contains(&key) {
            return self.newer(format!("key {:?}", text::shown(key.as_bytes())));
        }
        self.bad(&format!(
            "want {want}, have {:?}",
            text::shown(line.as_bytes())
        ))
    }
}

/// Every key of this version.
const KEYS: [&str; 14] = [
    "stream",
    "sequence",
    "created",
    "basis",
    "head",
    "records",
    "tiles",
    "infos",
    "mods",
    "zips",
    "zip-bytes",
    "carried-bytes",
    "index",
    "missing",
];

fn is_reason(s: &str) -> bool {
    (1..=MAX_REASON).contains(&s.len())
        && s.bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Whether this is a time as manifests have it: `YYYY-MM-DDThh:mm:ssZ`, each part in its range.
fn is_time(s: &str) -> bool {
    let shape = b"dddd-dd-ddTdd:dd:ddZ";
    let fits = s.len() == shape.len()
        && s.bytes().zip(shape).all(|(b, want)| {
            if *want == b'd' {
                b.is_ascii_digit()
            } else {
                b == *want
            }
        });
    let part = |from: usize, len: usize, low: u32, high: u32| {
        s.get(from..from + len)
            .and_then(|p| p.parse().ok())
            .is_some_and(|n| (low..=high).contains(&n))
    };
    fits && part(5, 2, 1, 12)
        && part(8, 2, 1, 31)
        && part(11, 2, 0, 23)
        && part(14, 2, 0, 59)
        && part(17, 2, 0, 59)
}
