//! The vulnerability database that is served: one snapshot, wholly that one.
//!
//! A bundle brings all documents of a database or none. They go into the store with the import's one commit, and with deletions
//! of the documents that are in it no more; so readers have the old database or the new one and never a mixture, and a crash
//! leaves one of the two. Each document is kept as it was published and compressed as clients ask for it, so that
//! either is one point read.
//!
//! Which of two databases is the newer is said by their own times of the last change, whatever stream brings them and in whatever
//! order: an older one never takes the place of a newer one. Of two of one time, the later bundle of a stream counts, and
//! between streams the one that came last. What comes of it is the same as what the ledger's entries make, one after the other.

use super::ledger::{Event, LedgerEntry, VulndbDropped};
use super::{Draft, Store, StoreError, Value, View, hex, keys, unhex};
use flate2::{Compression, write::GzEncoder};
use modferry_protocol::bundle::{DocumentName, Snapshot};
use serde::{Deserialize, Serialize};
use std::io::Write;

/// The database that is held, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldVulndb {
    /// Which it is.
    pub snapshot: Snapshot,
    /// The stream whose bundle brought it.
    pub stream: String,
    /// The bundle, by its number in the stream.
    pub sequence: u64,
    /// The ledger's entry of its import.
    pub entry: u64,
}

/// What became of a database that a bundle brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VulndbTaken {
    /// When it was changed last.
    pub modified: String,
    /// How many documents it has.
    pub documents: u64,
    /// Whether it is served from now on.
    pub served: bool,
    /// Whether it is the one that the store held before, byte for byte.
    pub held: bool,
    /// When the one was changed last that the store held before.
    pub before: Option<String>,
}

/// As it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    modified: String,
    documents: u64,
    bytes: u64,
    sha256: String,
    stream: String,
    sequence: u64,
    entry: u64,
}

impl HeldVulndb {
    /// Whether this one takes the other one's place.
    pub(super) fn replaces(&self, held: &HeldVulndb) -> bool {
        let earlier = self.stream == held.stream && self.sequence < held.sequence;
        self.snapshot.replaces(&held.snapshot)
            && !(earlier && self.snapshot.modified == held.snapshot.modified)
    }

    fn encode(&self) -> Result<Vec<u8>, StoreError> {
        super::ledger::json(&Stored {
            modified: self.snapshot.modified.clone(),
            documents: self.snapshot.documents,
            bytes: self.snapshot.bytes,
            sha256: hex(&self.snapshot.sha256),
            stream: self.stream.clone(),
            sequence: self.sequence,
            entry: self.entry,
        })
    }

    fn decode(value: &[u8]) -> Result<Self, StoreError> {
        let what = "the description of the vulnerability database";
        let stored: Stored = super::view::json(what, value)?;
        let sha256 = unhex(&stored.sha256).ok_or_else(|| StoreError::damaged(what))?;
        Ok(Self {
            snapshot: Snapshot {
                modified: stored.modified,
                documents: stored.documents,
                bytes: stored.bytes,
                sha256,
            },
            stream: stored.stream,
            sequence: stored.sequence,
            entry: stored.entry,
        })
    }
}

impl View {
    /// The vulnerability database that is served; `None` where no bundle has brought one.
    pub fn vulndb(&self) -> Result<Option<HeldVulndb>, StoreError> {
        let value = self.pinned(&keys::VULNDB_KEY)?;
        value.map(|value| HeldVulndb::decode(&value)).transpose()
    }

    /// A document of it, as it was published, or compressed by gzip.
    pub fn document(&self, name: &DocumentName, gzip: bool) -> Result<Option<Value>, StoreError> {
        let value = self.pinned(&keys::document(name, gzip))?;
        Ok(value.map(|value| Value::from(&*value)))
    }
}

impl Draft<'_> {
    /// Takes a document of the bundle's vulnerability database.
    pub fn document(&self, name: &DocumentName, json: &[u8]) -> Result<(), StoreError> {
        self.scratch.put(&keys::document(name, false), json)?;
        self.scratch.put(&keys::document(name, true), &gzip(json)?)
    }

    /// All documents were given: together they are this database.
    pub fn vulndb(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let nobodys = HeldVulndb {
            snapshot: snapshot.clone(),
            stream: String::new(),
            sequence: 0,
            entry: 0,
        };
        self.scratch.put(&keys::VULNDB_KEY, &nobodys.encode()?)
    }

    /// Leaves in the scratch database what the store is to have of it: all of it and an empty value for each document that is
    /// to go, or nothing. `bundle` is its stream and its number in it.
    pub(super) fn settle_vulndb(
        &self,
        (stream, sequence): (&str, u64),
    ) -> Result<Option<VulndbTaken>, StoreError> {
        let held: &View = self.store;
        let Some(value) = self.scratch.get(&keys::VULNDB_KEY)? else {
            return Ok(None);
        };
        let new = HeldVulndb {
            stream: stream.into(),
            sequence,
            entry: held.ledger_size()? + 1,
            ..HeldVulndb::decode(&value)?
        };
        let old = held.vulndb()?;
        let served = old.as_ref().is_none_or(|old| new.replaces(old));
        if served {
            self.scratch.put(&keys::VULNDB_KEY, &new.encode()?)?;
            held.scan(&keys::all_documents(), |key, _| {
                match self.scratch.get(key)? {
                    Some(_) => Ok(()),
                    None => self.scratch.put(key, &[]),
                }
            })?;
        } else {
            self.scratch.delete(&keys::VULNDB_KEY)?;
            super::view::scan(&self.scratch.0, &keys::all_documents(), |key, _| {
                self.scratch.delete(key)
            })?;
        }
        let held = (old.as_ref()).is_some_and(|old| old.snapshot == new.snapshot);
        Ok(Some(VulndbTaken {
            modified: new.snapshot.modified,
            documents: new.snapshot.documents,
            served,
            held,
            before: old.map(|old| old.snapshot.modified),
        }))
    }
}

impl Store {
    /// Takes the vulnerability database out, wholly and at once, so that any other one can come in. Gives the ledger's entry of
    /// it; `None` where none is held. Not while a [`Draft`] is open, whose folder on disk it would take.
    pub fn drop_vulndb(&self) -> Result<Option<LedgerEntry>, StoreError> {
        let Some(held) = self.vulndb()? else {
            return Ok(None);
        };
        let event = Event::DropVulndb(VulndbDropped {
            modified: held.snapshot.modified,
            documents: held.snapshot.documents,
            sha256: hex(&held.snapshot.sha256),
            stream: held.stream,
            sequence: held.sequence,
        });
        let mut gone = vec![keys::VULNDB_KEY.to_vec()];
        self.scan(&keys::all_documents(), |key, _| {
            gone.push(key.to_vec());
            Ok(())
        })?;
        self.record_with(event, gone).map(Some)
    }
}

/// What clients get for `.json.gz`: the same bytes for the same document, without a name or a time in it.
fn gzip(json: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(json.len() / 3), Compression::best());
    let packed = encoder.write_all(json).and_then(|()| encoder.finish());
    packed.map_err(|error| StoreError::Refused {
        item: "a document of the vulnerability database".into(),
        reason: format!("it cannot be compressed: {error}"),
    })
}
