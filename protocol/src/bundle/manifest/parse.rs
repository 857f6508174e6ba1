//! Reads a manifest's text, each line of which must be the one that the format has there.

use std::str::Lines;

use super::super::item::Digest;
use super::super::names::NameError;
use super::super::snapshot::{MAX_DOCUMENTS, MAX_SNAPSHOT, Snapshot};
use super::super::{MAX_BASES, MAX_DEFLATED, MAX_INDEX, Sequence, StreamName, text};
use super::{
    Basis, CARRIED, DeflatedTotals, FIRST_LINE, FIRST_LINE_PREFIX, HELD, MAX_REASON, Manifest,
    ManifestError, Missing, Totals, Vulndb,
};
use crate::module::ModuleVersion;
use crate::sumdb::{DbName, Hash, TreeHead};

/// The most bytes of contents for a byte of their deflate streams. 258 bytes in two bits are the best that deflate can
/// do, 1032 to one; a content as it is has one to one.
const MAX_DEFLATE_RATIO: u64 = 1100;

/// The most bytes of a frame's table for each deflate stream, and for the frame: a size below 64 MiB has four, a form
/// one, the count of forms one, and the count of contents three.
const TABLE_SHARE: u64 = 8;

/// Reads a manifest line by line, each of which must be the one that the format has there.
pub(super) struct Parser<'a> {
    lines: Lines<'a>,
    /// The line under way, and its number.
    line: Option<&'a str>,
    number: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut lines = text.lines();
        Self {
            line: lines.next(),
            lines,
            number: 1,
        }
    }

    pub(super) fn manifest(&mut self) -> Result<Manifest, ManifestError> {
        self.first_line()?;
        let stream = self.value("stream", |v| StreamName::new(v).map_err(|e| e.to_string()))?;
        let sequence = self.value("sequence", |v| {
            v.parse().map_err(|e: NameError| e.to_string())
        })?;
        let created = self.value("created", |v| {
            if text::is_time(v) {
                Ok(v.to_owned())
            } else {
                Err("want a time such as 2026-11-21T09:00:00Z".into())
            }
        })?;
        let basis = self.basis(sequence)?;
        let needs = self.list("needs", &basis, u64::MAX)?;
        let bases = self.list("bases", &basis, MAX_BASES)?;
        let tombstones = self.list("tombstones", &basis, u64::MAX)?;
        let heads = self.heads()?;
        let vulndb = self.vulndb(&basis)?;
        let totals = Totals {
            needed_files: self.on_a_basis("needed-files", &basis)?,
            gone_files: self.on_a_basis("gone-files", &basis)?,
            records: self.total("records")?,
            tiles: self.total("tiles")?,
            pins: self.total_if_any("pins")?,
            infos: self.total("infos")?,
            mods: self.total("mods")?,
            queries: self.total_if_any("queries")?,
            zips: self.total("zips")?,
            zip_bytes: self.total("zip-bytes")?,
            files: self.total_if_any("files")?,
            file_bytes: self.total_if_any("file-bytes")?,
            contents: self.total("contents")?,
            content_bytes: self.total("content-bytes")?,
            carried_bytes: self.total("carried-bytes")?,
        };
        let streams = self.deflated("deflated", totals.contents, MAX_DEFLATED)?;
        let deflated = DeflatedTotals {
            streams,
            bytes: self.deflated_bytes(&totals, streams)?,
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
                needs,
                bases,
                tombstones,
                heads,
                vulndb,
                totals,
                deflated,
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
            _ => return Err(self.newer(format!("basis {}", text::shown(value.as_bytes())))),
        };
        self.advance();
        Ok(basis)
    }

    /// How long a list is: what builds on nothing can need nothing, and has nothing to take back.
    fn list(&mut self, key: &str, basis: &Basis, most: u64) -> Result<u64, ManifestError> {
        self.value(key, |v| match text::number(v) {
            Some(count) if count > 0 && *basis == Basis::None => {
                Err("want 0, as the basis is none".into())
            }
            Some(count) if count > most => Err(format!("want at most {most}")),
            Some(count) => Ok(count),
            None => Err("want a number".into()),
        })
    }

    /// What the contents give: nothing where there are none.
    fn deflated(&mut self, key: &str, contents: u64, most: u64) -> Result<u64, ManifestError> {
        self.value(key, |v| match text::number(v) {
            Some(count) if count > 0 && contents == 0 => {
                Err("want 0, as there are no contents".into())
            }
            Some(count) if count > most => Err(format!("want at most {most}")),
            Some(count) => Ok(count),
            None => Err("want a number".into()),
        })
    }

    /// Bytes of what the contents give. Each deflate stream is in a zip, so that zips have as many; and they are what the
    /// contents deflate to, so that there is no end of contents for a few of them.
    fn deflated_bytes(&mut self, totals: &Totals, streams: u64) -> Result<u64, ManifestError> {
        let bytes = self.deflated("deflated-bytes", totals.contents, totals.zip_bytes)?;
        let table = (streams.saturating_add(totals.contents)).saturating_mul(TABLE_SHARE);
        let most = (bytes.saturating_mul(MAX_DEFLATE_RATIO)).saturating_add(table);
        if totals.content_bytes > most {
            return Err(ManifestError::Line {
                line: self.number - 1,
                what: format!(
                    "deflated-bytes: contents of {} bytes cannot deflate to so few: want at most {most} of them",
                    totals.content_bytes
                ),
            });
        }
        Ok(bytes)
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

    /// What the selection names and the bundle does not carry, the destination must hold: not where it builds on nothing.
    fn vulndb(&mut self, basis: &Basis) -> Result<Option<Vulndb>, ManifestError> {
        if !self.line.is_some_and(|line| line.starts_with("vulndb ")) {
            return Ok(None);
        }
        let value = self.raw("vulndb")?;
        let word = value.split(' ').next().unwrap_or_default();
        if text::is_word(word) && ![CARRIED, HELD].contains(&word) {
            return Err(self.newer(format!("vulndb {}", text::shown(word.as_bytes()))));
        }
        self.value("vulndb", |v| {
            let fields: Vec<&str> = v.split(' ').collect();
            let [word, modified, documents, bytes, sha256] = fields.as_slice() else {
                return Err("want carried or held, a time, documents, bytes and a SHA-256".into());
            };
            let carried = match *word {
                CARRIED => true,
                HELD if *basis == Basis::None => {
                    return Err("want it carried, as the basis is none".into());
                }
                HELD => false,
                _ => return Err("want carried or held".into()),
            };
            if !text::is_time(modified) {
                return Err("want a time such as 2026-11-21T09:00:00Z".into());
            }
            let within = |number: &str, most: u64| {
                let number = text::number(number).filter(|number| (1..=most).contains(number));
                number.ok_or_else(|| format!("want 1 to {most}"))
            };
            Ok(Vulndb {
                carried,
                snapshot: Snapshot {
                    modified: (*modified).to_owned(),
                    documents: within(documents, MAX_DOCUMENTS)?,
                    bytes: within(bytes, MAX_SNAPSHOT)?,
                    sha256: text::sha256(sha256)
                        .ok_or("want a SHA-256 in lower-case hexadecimal")?,
                },
            })
        })
        .map(Some)
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

    fn total(&mut self, key: &str) -> Result<u64, ManifestError> {
        self.value(key, |v| {
            text::number(v).ok_or_else(|| "want a number".into())
        })
    }

    /// A total whose line is there only where it is not 0.
    fn total_if_any(&mut self, key: &str) -> Result<u64, ManifestError> {
        let rest = self.line.and_then(|line| line.strip_prefix(key));
        match rest.is_some_and(|rest| rest.starts_with(' ')) {
            true => self.total(key),
            false => Ok(0),
        }
    }

    /// The same, of what there can only be where the bundle builds on something.
    fn on_a_basis(&mut self, key: &str, basis: &Basis) -> Result<u64, ManifestError> {
        let count = self.total_if_any(key)?;
        match count > 0 && *basis == Basis::None {
            true => Err(ManifestError::Line {
                line: self.number - 1,
                what: format!("{key}: want none, as the basis is none"),
            }),
            false => Ok(count),
        }
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

    pub(super) fn bad(&self, what: &str) -> ManifestError {
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
        if text::is_word(key) && self.number > 1 && line.len() > key.len() && !KEYS.contains(&key) {
            return self.newer(format!("key {}", text::shown(key.as_bytes())));
        }
        self.bad(&format!(
            "want {want}, have {}",
            text::shown(line.as_bytes())
        ))
    }
}

/// Every key of this version.
const KEYS: [&str; 28] = [
    "stream",
    "sequence",
    "created",
    "basis",
    "needs",
    "bases",
    "tombstones",
    "head",
    "vulndb",
    "needed-files",
    "gone-files",
    "records",
    "tiles",
    "pins",
    "infos",
    "mods",
    "queries",
    "zips",
    "zip-bytes",
    "files",
    "file-bytes",
    "contents",
    "content-bytes",
    "carried-bytes",
    "deflated",
    "deflated-bytes",
    "index",
    "missing",
];

fn is_reason(s: &str) -> bool {
    s.len() <= MAX_REASON && text::is_word(s)
}
