//! What was checked, for people and for machines, and how it is told while it goes on.

use std::fmt;
use std::time::Duration;

use modferry_cli::{bytes, count, duration};
use modferry_protocol::bundle::{Basis, Manifest};
use modferry_protocol::sumdb::{DbName, TreeHead};
use serde::{Serialize, Serializer};

/// How a check tells where it is. Every method may be called often and must be quick.
pub trait Progress: Sync {
    /// The next part of the work begins.
    fn step(&self, _name: &str) {}
    /// The bytes of all entries together, once they are known.
    fn total(&self, _bytes: u64) {}
    /// So many more of them are read.
    fn advance(&self, _bytes: u64) {}
}

/// Tells nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {}

/// The checks that all passed, with the number of things that each was made on.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The bundle's manifest; as JSON the stream, sequence, creation time, the sequence of
    /// the bundle that it builds on, and what could not be had.
    #[serde(flatten, serialize_with = "manifest_as_json")]
    pub manifest: Manifest,
    /// The trusted keys that signed it, as `NAME+HASH8`.
    pub signers: Vec<String>,
    /// For each checksum database, the head that is served once the bundle is taken in: the bundle's, or one
    /// that the destination holds already and that is newer.
    #[serde(serialize_with = "heads_as_json")]
    pub served: Vec<(DbName, TreeHead)>,
    /// Volumes that have the signed manifest and index at their front, and follow on one another without a gap.
    pub volumes: u64,
    /// Entries whose SHA-256 is the index's.
    pub entries: u64,
    /// Their bytes.
    pub entry_bytes: u64,
    /// Module versions that the bundle builds on and that the destination holds.
    pub needs: u64,
    /// Zips that the bundle's recipes and contents build on, and that the destination holds with those very bytes.
    pub bases: u64,
    /// Module versions of which the stream's selection no longer names all that it did.
    pub tombstones: u64,
    /// Opaque files that the bundle builds on and that the destination holds with those bytes.
    pub needed_files: u64,
    /// Opaque files that the stream's selection no longer names.
    pub gone_files: u64,
    /// Trust notes that are well-formed. Who has signed them is not checked here.
    pub trust_notes: u64,
    /// Signed heads that opened with a trusted key.
    pub heads: u64,
    /// Heads held before that the served heads continue.
    pub older_heads: u64,
    /// Tiles that lead to a signed head.
    pub tiles: u64,
    /// Records that are in a signed tree.
    pub records: u64,
    /// Private module versions that no checksum database knows, pinned by keys that may do so here.
    pub pins: u64,
    /// `.info` files that say their version.
    pub infos: u64,
    /// go.mod files whose h1 is the record's, or the pin's.
    pub mods: u64,
    /// Answers to queries that name a version which is whole here.
    pub queries: u64,
    /// Documents of the vulnerability database, which is the one that the manifest names.
    pub documents: u64,
    /// Frames of contents that were restored.
    pub contents: u64,
    /// Their bytes.
    pub content_bytes: u64,
    /// Deflate streams that were written of them, as many as the manifest says, and that inflate to their contents.
    pub deflated: u64,
    /// Their bytes.
    pub deflated_bytes: u64,
    /// Zips that were put together from recipes, and have the SHA-256 of the signed index.
    pub packed_zips: u64,
    /// Zips that keep the rules of module zips and whose h1 is the record's, or the pin's.
    pub zips: u64,
    /// Their bytes.
    pub zip_bytes: u64,
    /// Their bytes unpacked.
    pub unpacked_bytes: u64,
    /// Opaque files whose SHA-256 is the signed index's.
    pub files: u64,
    /// Their bytes.
    pub file_bytes: u64,
    /// Wall time spent on reading, hashing, checking and staging.
    #[serde(rename = "stage_seconds", serialize_with = "as_seconds")]
    pub stage_time: Duration,
    /// Wall time spent on the proof.
    #[serde(rename = "prove_seconds", serialize_with = "as_seconds")]
    pub prove_time: Duration,
}

impl Report {
    pub(crate) fn new(manifest: Manifest, signers: Vec<String>) -> Report {
        Report {
            manifest,
            signers,
            served: Vec::new(),
            volumes: 0,
            entries: 0,
            entry_bytes: 0,
            needs: 0,
            bases: 0,
            tombstones: 0,
            needed_files: 0,
            gone_files: 0,
            trust_notes: 0,
            heads: 0,
            older_heads: 0,
            tiles: 0,
            records: 0,
            pins: 0,
            infos: 0,
            mods: 0,
            queries: 0,
            documents: 0,
            contents: 0,
            content_bytes: 0,
            deflated: 0,
            deflated_bytes: 0,
            packed_zips: 0,
            zips: 0,
            zip_bytes: 0,
            unpacked_bytes: 0,
            files: 0,
            file_bytes: 0,
            stage_time: Duration::ZERO,
            prove_time: Duration::ZERO,
        }
    }
}

fn manifest_as_json<S: Serializer>(manifest: &Manifest, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Told<'a> {
        stream: String,
        sequence: u64,
        created: &'a str,
        fingerprint: String,
        basis: Option<u64>,
        missing: Vec<String>,
    }
    Told {
        stream: manifest.stream.to_string(),
        sequence: manifest.sequence.get(),
        created: &manifest.created,
        fingerprint: manifest.spoken().to_string(),
        basis: match &manifest.basis {
            Basis::None => None,
            Basis::Bundle { sequence, .. } => Some(sequence.get()),
        },
        missing: manifest
            .missing
            .iter()
            .map(|missing| missing.module.to_string())
            .collect(),
    }
    .serialize(serializer)
}

fn heads_as_json<S: Serializer>(
    heads: &[(DbName, TreeHead)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Told<'a> {
        database: &'a str,
        size: u64,
        hash: String,
    }
    serializer.collect_seq(heads.iter().map(|(db, head)| Told {
        database: db.as_str(),
        size: head.size,
        hash: head.hash.to_string(),
    }))
}

fn as_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((time.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// A line for the bundle and one for each check, each of them: on how many things it was made, and what that means.
/// A check that had nothing to do says 0, so that whoever audits an import sees that none was left out.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Manifest {
            stream,
            sequence,
            created,
            ..
        } = &self.manifest;
        writeln!(
            f,
            "bundle {stream} {sequence} of {created}, signed by {}",
            self.signers.join(", ")
        )?;
        writeln!(f, "fingerprint {}", self.manifest.spoken())?;
        for (db, head) in &self.served {
            let records = count(head.size, "record");
            writeln!(f, "checksum database {db}: a tree of {records}")?;
        }
        // What holds of one, and of more.
        let mut line = |count: u64, [one, more]: [&str; 2]| {
            let what = if count == 1 { one } else { more };
            writeln!(f, "{count:>9}  {what}")
        };
        line(
            self.signers.len() as u64,
            [
                "trusted key has signed the manifest",
                "trusted keys have signed the manifest",
            ],
        )?;
        line(
            self.volumes,
            [
                "volume has the signed manifest and index",
                "volumes have the signed manifest and index, and follow on one another",
            ],
        )?;
        line(
            self.entries,
            [
                &format!(
                    "entry ({}) has the SHA-256 of the signed index",
                    bytes(self.entry_bytes)
                ),
                &format!(
                    "entries ({}) have the SHA-256 of the signed index",
                    bytes(self.entry_bytes)
                ),
            ],
        )?;
        line(
            self.needs,
            [
                "module version that this bundle builds on is held",
                "module versions that this bundle builds on are held",
            ],
        )?;
        line(
            self.bases,
            [
                "zip that this bundle is packed against is held with those bytes",
                "zips that this bundle is packed against are held with those bytes",
            ],
        )?;
        line(
            self.tombstones,
            [
                "tombstone contradicts nothing that the bundle needs or carries",
                "tombstones contradict nothing that the bundle needs or carries",
            ],
        )?;
        line(
            self.needed_files,
            [
                "file that this bundle builds on is held with those bytes",
                "files that this bundle builds on are held with those bytes",
            ],
        )?;
        line(
            self.gone_files,
            [
                "file is taken back that it neither needs nor carries",
                "files are taken back that it neither needs nor carries",
            ],
        )?;
        line(
            self.trust_notes,
            [
                "trust note is well-formed and of its number",
                "trust notes are well-formed and of their number",
            ],
        )?;
        line(
            self.heads,
            [
                "tree head is signed by its checksum database",
                "tree heads are signed by their checksum database",
            ],
        )?;
        line(
            self.older_heads,
            [
                "older tree head is continued by the new one",
                "older tree heads are continued by the new ones",
            ],
        )?;
        line(
            self.tiles,
            [
                "tile leads to a signed tree head",
                "tiles lead to a signed tree head",
            ],
        )?;
        line(
            self.records,
            ["record is in a signed tree", "records are in a signed tree"],
        )?;
        line(
            self.pins,
            [
                "private module version is pinned by a key that may vouch for them here",
                "private module versions are pinned by a key that may vouch for them here",
            ],
        )?;
        line(
            self.infos,
            ["info is of its version", "infos are of their version"],
        )?;
        line(
            self.mods,
            [
                "go.mod file has the h1 of its record or pin",
                "go.mod files have the h1 of their record or pin",
            ],
        )?;
        line(
            self.queries,
            [
                "answer to a query names a version that is whole here",
                "answers to queries name a version that is whole here",
            ],
        )?;
        line(
            self.documents,
            [
                "document of a vulnerability database is what its name says, and all of it",
                "documents of a vulnerability database are what their names say, and all of it",
            ],
        )?;
        line(
            self.contents,
            [
                &format!(
                    "frame of contents ({}) is as the format has them",
                    bytes(self.content_bytes)
                ),
                &format!(
                    "frames of contents ({}) are as the format has them",
                    bytes(self.content_bytes)
                ),
            ],
        )?;
        line(
            self.deflated,
            [
                &format!(
                    "deflate stream ({}) was written of them, and inflates to them",
                    bytes(self.deflated_bytes)
                ),
                &format!(
                    "deflate streams ({}) were written of them, and inflate to them",
                    bytes(self.deflated_bytes)
                ),
            ],
        )?;
        line(
            self.packed_zips,
            [
                "zip was put together from them, and has the SHA-256 of the signed index",
                "zips were put together from them, and have the SHA-256 of the signed index",
            ],
        )?;
        line(
            self.zips,
            [
                &format!(
                    "zip ({}, unpacked {}) keeps the rules and has the h1 of its record or pin",
                    bytes(self.zip_bytes),
                    bytes(self.unpacked_bytes)
                ),
                &format!(
                    "zips ({}, unpacked {}) keep the rules and have the h1 of their record or pin",
                    bytes(self.zip_bytes),
                    bytes(self.unpacked_bytes)
                ),
            ],
        )?;
        line(
            self.files,
            [
                &format!(
                    "opaque file ({}) has the SHA-256 of the signed index",
                    bytes(self.file_bytes)
                ),
                &format!(
                    "opaque files ({}) have the SHA-256 of the signed index",
                    bytes(self.file_bytes)
                ),
            ],
        )?;
        if !self.manifest.missing.is_empty() {
            line(
                self.manifest.missing.len() as u64,
                [
                    "module version could not be had when this was exported, and is not in it",
                    "module versions could not be had when this was exported, and are not in it",
                ],
            )?;
        }
        writeln!(
            f,
            "read in {}, proven in {}",
            duration(self.stage_time),
            duration(self.prove_time)
        )
    }
}
