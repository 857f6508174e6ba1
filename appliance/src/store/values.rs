//! The values that are not someone else's bytes: where a zip is, and the totals.
//!
//! A locator is read for each zip that is served and is binary; the totals are for people and `status`,
//! and are JSON.

use super::{BundleId, CHUNK, Import, StoreError};
use crate::trust::Carried;
use modferry_protocol::bundle::{Sequence, Sequences};
use modferry_protocol::h1::H1;
use modferry_protocol::zip::ZipFacts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a zip's chunks are, and what the zip is. Of an opaque file the same, with nothing in what only zips have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zip {
    /// Bytes in all.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// What the checksum database vouches for.
    pub h1: H1,
    /// Files in the zip.
    pub files: u32,
    /// Bytes of those files.
    pub unpacked: u64,
    /// The bundle whose import stored the chunks.
    pub(crate) bundle: BundleId,
    /// The zip's number among that bundle's zips, from 0.
    pub(crate) number: u32,
}

impl Zip {
    const ENCODED: usize = 8 + 32 + 32 + 4 + 8 + 8 + 4;

    /// How many chunks there are: each of [`CHUNK`] bytes but the last, which has what remains.
    pub fn chunks(&self) -> u32 {
        u32::try_from(self.size.div_ceil(CHUNK as u64)).unwrap_or(u32::MAX)
    }

    /// What a check of the zip found.
    pub fn facts(&self) -> ZipFacts {
        ZipFacts {
            h1: self.h1,
            files: self.files,
            unpacked: self.unpacked,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(Self::ENCODED);
        value.extend_from_slice(&self.size.to_be_bytes());
        value.extend_from_slice(&self.sha256);
        value.extend_from_slice(self.h1.as_bytes());
        value.extend_from_slice(&self.files.to_be_bytes());
        value.extend_from_slice(&self.unpacked.to_be_bytes());
        value.extend_from_slice(&self.bundle);
        value.extend_from_slice(&self.number.to_be_bytes());
        value
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StoreError> {
        fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
            let (first, behind) = rest.split_first_chunk::<N>()?;
            *rest = behind;
            Some(*first)
        }
        let rest = &mut &*value;
        let mut read = || {
            let zip = Self {
                size: u64::from_be_bytes(take(rest)?),
                sha256: take(rest)?,
                h1: H1::from_bytes(take(rest)?),
                files: u32::from_be_bytes(take(rest)?),
                unpacked: u64::from_be_bytes(take(rest)?),
                bundle: take(rest)?,
                number: u32::from_be_bytes(take(rest)?),
            };
            rest.is_empty().then_some(zip)
        };
        read()
            .ok_or_else(|| StoreError::damaged(format!("a zip's locator of {} bytes", value.len())))
    }
}

/// How many of each thing: what a store holds, or what an import added to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Module paths with at least a `.mod` or a `.info`.
    pub modules: u64,
    /// Module versions that are whole: `.info`, `.mod` and zip. Only these are listed.
    pub versions: u64,
    /// `.info` files.
    pub infos: u64,
    /// `.mod` files.
    pub mods: u64,
    /// Zips.
    pub zips: u64,
    /// Bytes of those zips.
    pub zip_bytes: u64,
    /// Records of checksum databases.
    pub records: u64,
    /// Tiles of checksum databases.
    pub tiles: u64,
    /// Signed heads of checksum databases.
    pub heads: u64,
    /// Private module versions that are pinned.
    pub pins: u64,
    /// Queries that are answered.
    pub queries: u64,
    /// Opaque files.
    pub files: u64,
    /// Bytes of those files.
    pub file_bytes: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, more: &Self) {
        self.modules += more.modules;
        self.versions += more.versions;
        self.infos += more.infos;
        self.mods += more.mods;
        self.zips += more.zips;
        self.zip_bytes += more.zip_bytes;
        self.records += more.records;
        self.tiles += more.tiles;
        self.heads += more.heads;
        self.pins += more.pins;
        self.queries += more.queries;
        self.files += more.files;
        self.file_bytes += more.file_bytes;
    }

    /// What is left without these. They must have been there.
    pub(super) fn take_away(&mut self, less: &Self) -> Result<(), StoreError> {
        for (count, less) in [
            (&mut self.modules, less.modules),
            (&mut self.versions, less.versions),
            (&mut self.infos, less.infos),
            (&mut self.mods, less.mods),
            (&mut self.zips, less.zips),
            (&mut self.zip_bytes, less.zip_bytes),
            (&mut self.records, less.records),
            (&mut self.tiles, less.tiles),
            (&mut self.heads, less.heads),
            (&mut self.pins, less.pins),
            (&mut self.queries, less.queries),
            (&mut self.files, less.files),
            (&mut self.file_bytes, less.file_bytes),
        ] {
            *count = count.checked_sub(less).ok_or_else(|| {
                StoreError::damaged(format!(
                    "the totals say {count} where {less} are to be removed"
                ))
            })?;
        }
        Ok(())
    }
}

/// What was imported of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamState {
    /// The highest sequence number imported.
    pub sequence: u64,
    /// Imports of this stream's bundles.
    pub bundles: u64,
    /// The sequence numbers of those bundles.
    #[serde(with = "as_text")]
    pub imported: Sequences,
    /// SHA-256 of the manifest text of the bundle with the highest number, in hexadecimal.
    pub manifest_sha256: String,
    /// When that bundle was made, as its manifest says.
    pub created: String,
}

/// Sequence numbers in JSON: the text that receipts have, `1-4,6-7`.
mod as_text {
    use super::Sequences;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(set: &Sequences, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(set)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Sequences, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// What the whole store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Imports committed.
    pub imports: u64,
    /// What they brought together, each thing once.
    #[serde(flatten)]
    pub counts: Counts,
    /// Module versions of which something is held that no stream names any more: what `gc` would remove.
    pub gone: u64,
    /// The same of files.
    pub gone_files: u64,
    /// The streams, by name.
    pub streams: BTreeMap<String, StreamState>,
}

impl Totals {
    /// What they are once this import is in.
    pub(super) fn enter(&mut self, import: &Import) -> Result<(), StoreError> {
        let source = &import.source;
        let sequence = Sequence::new(source.sequence).ok_or_else(|| StoreError::Refused {
            item: format!("bundle {}", import.manifest_sha256),
            reason: "it has no number in its stream".into(),
        })?;
        self.imports += 1;
        self.counts.add(&import.added);
        let stream = self.streams.entry(source.stream.clone()).or_default();
        stream.bundles += 1;
        stream.imported.insert(sequence);
        if source.sequence >= stream.sequence {
            stream.sequence = source.sequence;
            stream.manifest_sha256.clone_from(&import.manifest_sha256);
            stream.created.clone_from(&source.created);
        }
        Ok(())
    }
}

/// What the caller of a commit says about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The bundle's stream.
    pub stream: String,
    /// Its number in the stream.
    pub sequence: u64,
    /// When the bundle was made, as its manifest says.
    pub created: String,
    /// The manifest with its signatures: what was trusted.
    pub manifest: String,
    /// Who signed, as far as trusted: key names.
    pub signers: Vec<String>,
    /// What the check found: the checker's report, as JSON.
    pub report: serde_json::Value,
    /// The trust notes that the bundle carried and that were not applied here before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<Carried>,
}

/// Things that a bundle brought in other bytes than the store holds: first in wins, bit for bit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// `.info` files.
    pub infos: u64,
    /// `.mod` files.
    pub mods: u64,
    /// Zips with the same h1 in other bytes.
    pub zips: u64,
    /// The first [`KEPT_NAMES`] of them.
    pub names: Vec<String>,
}

/// How many names [`Kept`] keeps.
pub const KEPT_NAMES: usize = 20;
