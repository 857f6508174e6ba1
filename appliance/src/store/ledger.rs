//! The ledger: what was ever done to the store, as an append-only Merkle log.
//!
//! Each entry is JSON. Its bytes, as they are stored, are a leaf of a tree of RFC 6962 with the arithmetic of
//! checksum databases ([`modferry_protocol::sumdb::tlog`]); the tree's complete nodes are stored beside the
//! entries. So the log has a *head*, its size and root hash, and whoever kept an earlier head, on paper or in a
//! receipt, can have it proven that the entries behind it are still the same: [`View::ledger_root`].
//!
//! It is tamper-evident, not tamper-proof: whoever can write the store can write another history from the start.
//! But not one that has the root hash that an operator wrote down.
//!
//! An entry goes in by the same ingestion as what it tells of: there is no import without its entry, and no
//! entry without its import.

use super::{Counts, Kept, Source, StoreError, View, keys, or_no_room};
use modferry_protocol::bundle::Manifest;
use modferry_protocol::sumdb::{Hash, TreeHead, record_hash, tlog};
use serde::{Deserialize, Serialize};

/// One thing that was done to the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// The entry's number, from 1.
    pub number: u64,
    /// When it was committed, by this machine's clock: RFC 3339, UTC, seconds. Nothing is decided by it.
    pub time: String,
    /// What was done.
    #[serde(flatten)]
    pub event: Event,
}

/// What was done to the store; in JSON its kind is under `event`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A bundle was imported.
    Import(Box<Import>),
    /// What no stream names any more was removed.
    Gc(Removed),
    /// The evidence of a fork was acknowledged by an operator.
    Acknowledge(Acknowledgement),
    /// A trust note was applied.
    Trust(TrustChange),
    /// The vulnerability database was taken out by an operator.
    DropVulndb(VulndbDropped),
}

/// What a bundle brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// SHA-256 of the manifest's text, in hexadecimal.
    pub manifest_sha256: String,
    /// What was imported.
    #[serde(flatten)]
    pub source: Source,
    /// What was new to the store.
    pub added: Counts,
    /// What differed from what the store holds under the same name: the held bytes stay as they are.
    pub kept: Kept,
}

impl Import {
    /// The manifest, which was accepted before it was stored.
    pub fn manifest(&self) -> Option<Manifest> {
        let (text, _) = self.source.manifest.split_once("\n\n")?;
        Manifest::parse(&format!("{text}\n")).ok()
    }
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// How many of each thing.
    pub removed: Counts,
    /// The first [`REMOVED_NAMES`] of what was removed: `zip PATH VERSION`, or `all PATH VERSION` with its `.mod`, `file NAME`.
    pub names: Vec<String>,
}

/// Why a fork's evidence needs nobody's attention any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The evidence, by the name of its folder.
    pub evidence: String,
    /// What the operator said.
    pub reason: Option<String>,
}

/// How many names [`Removed`] keeps.
pub const REMOVED_NAMES: usize = 1000;

/// A trust note that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustChange {
    /// The note's number.
    #[serde(rename = "note_number")]
    pub number: u64,
    /// SHA-256 of the note's text, in hexadecimal.
    pub sha256: String,
    /// The note with its signatures: what was believed.
    pub note: String,
}

/// Which vulnerability database was taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VulndbDropped {
    /// When it said that it was changed last.
    pub modified: String,
    /// How many documents it had.
    pub documents: u64,
    /// SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// The stream whose bundle brought it.
    pub stream: String,
    /// The bundle, by its number in the stream.
    pub sequence: u64,
}

impl LedgerEntry {
    /// What was imported, if that is what was done.
    pub fn import(&self) -> Option<&Import> {
        match &self.event {
            Event::Import(import) => Some(import),
            _ => None,
        }
    }
}

/// A key and its value, to go in with what the entry tells of.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// The next entry of the ledger, and all that the store must get for it.
pub(super) fn next(view: &View, event: Event) -> Result<(LedgerEntry, Vec<Pair>), StoreError> {
    let size = view.ledger_size()?;
    let entry = LedgerEntry {
        number: size + 1,
        time: format!("{:.0}", jiff::Timestamp::now()),
        event,
    };
    let bytes = json(&entry)?;
    let read = |indexes: &[u64]| view.ledger_hashes(indexes);
    let hashes = tlog::stored_hashes(size, record_hash(&bytes), read).map_err(in_the_tree)?;
    let first = tlog::stored_hash_index(0, size)
        .ok_or_else(|| StoreError::damaged(format!("a ledger of {size} entries")))?;
    let number = entry.number.to_be_bytes().to_vec();
    let mut pairs = vec![
        (keys::GENERATION_KEY.to_vec(), number),
        (keys::ledger(entry.number), bytes),
    ];
    let nodes = (first..).zip(hashes);
    pairs.extend(nodes.map(|(index, hash)| (keys::ledger_hash(index), hash.0.to_vec())));
    Ok((entry, pairs))
}

impl View {
    /// How many entries the ledger has: another number, another state of the store.
    pub fn ledger_size(&self) -> Result<u64, StoreError> {
        match self.pinned(&keys::GENERATION_KEY)? {
            None => Ok(0),
            Some(value) => super::view::number(&value),
        }
    }

    /// The ledger's head: how many entries it has, and the root hash of its tree.
    pub fn ledger_head(&self) -> Result<TreeHead, StoreError> {
        let size = self.ledger_size()?;
        let hash = self.ledger_root(size)?;
        Ok(TreeHead { size, hash })
    }

    /// The root hash that the ledger had when it had `size` entries, no more than it has now.
    pub fn ledger_root(&self, size: u64) -> Result<Hash, StoreError> {
        tlog::tree_hash(size, |indexes| self.ledger_hashes(indexes)).map_err(in_the_tree)
    }

    /// Entry `number`, from 1.
    pub fn ledger(&self, number: u64) -> Result<Option<LedgerEntry>, StoreError> {
        self.pinned(&keys::ledger(number))?
            .map(|value| super::view::json(&format!("ledger entry {number}"), &value))
            .transpose()
    }

    pub(super) fn ledger_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, StoreError> {
        let hash = |&index: &u64| {
            let value = self.pinned(&keys::ledger_hash(index))?;
            let hash = value.and_then(|value| <[u8; 32]>::try_from(&*value).ok());
            hash.map(Hash)
                .ok_or_else(|| StoreError::damaged(format!("hash {index} of the ledger's tree")))
        };
        indexes.iter().map(hash).collect()
    }
}

impl super::Store {
    /// Enters something into the ledger that changes nothing else in the store: durably, when it returns.
    /// Not while a [`super::Draft`] is open, whose folder on disk it would take.
    pub fn record(&self, event: Event) -> Result<LedgerEntry, StoreError> {
        self.record_with(event, Vec::new())
    }

    /// The same of something by which these keys go, at once with it.
    pub(super) fn record_with(
        &self,
        event: Event,
        gone: Vec<Vec<u8>>,
    ) -> Result<LedgerEntry, StoreError> {
        let (entry, pairs) = next(self, event)?;
        let pairs = pairs.into_iter().map(|(key, value)| (key, Some(value)));
        let mut changes: Vec<(Vec<u8>, Option<Vec<u8>>)> = pairs.collect();
        changes.extend(gone.into_iter().map(|key| (key, None)));
        changes.sort();
        let staging = self.staging()?;
        let write = || {
            let mut file = super::files::SortedFiles::new(staging.path(), "ledger", u64::MAX);
            changes.iter().try_for_each(|(key, value)| match value {
                Some(value) => file.put(key, value),
                None => file.delete(key),
            })?;
            self.ingest(&file.finish()?)
        };
        write().map_err(|error| or_no_room(self.dir(), error))?;
        Ok(entry)
    }
}

/// A head as people write it down: size and root hash.
pub fn spoken_head(head: &TreeHead) -> String {
    format!("{} {}", head.size, head.hash)
}

pub(super) fn in_the_tree(error: tlog::TlogError<StoreError>) -> StoreError {
    match error {
        tlog::TlogError::Reader(error) => error,
        error => StoreError::damaged(format!("the ledger's tree: {error}")),
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| StoreError::damaged(error.to_string()))
}
