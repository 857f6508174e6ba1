//! The store: everything that was carried in, proven, in one RocksDB. Nothing else uses RocksDB.
//!
//! There is one writer, [`Store`], which an import holds under the store's lock, and any number of
//! [`Reader`]s in other processes. What an import brings is collected in a [`Draft`] outside the
//! database and becomes part of it by one call, [`Draft::commit`].
//!
//! # What a commit promises, and by which system calls
//!
//! A draft ends as sorted files: zip chunks as they came, and one file of everything small, with the
//! ledger entry in it. RocksDB's `IngestExternalFile` then takes all of them in one call. On Linux it
//! does, in this order (`db/external_sst_file_ingestion_job.cc`, `db/version_set.cc` of RocksDB 11.8):
//!
//! 1. `link` each file into the database's folder and `fdatasync` it there;
//! 2. `fsync` the folder, so that the names are durable;
//! 3. append **one** record, with a checksum, to the MANIFEST that names all the files, and
//!    `fdatasync` it. This is the commit.
//! 4. show the new version to readers of this process, then `unlink` the staging names.
//!
//! So when `commit` returns, the import survives a power cut, as far as the disk honours a flush. When
//! it does not return (kill -9, a power cut), the record is in the MANIFEST whole or is ignored: a
//! torn record fails its checksum, and files that no record names are deleted at the next opening.
//! Readers follow the same MANIFEST, record by record, and therefore see all of an import or nothing.
//! What `gc` removes goes in the same way: as deletions in such files ([`gc`]).
//! The write-ahead log is never used: nothing is ever put into the database by any other way.
//!
//! The known gap: a disk that acknowledges a flush and loses it anyway loses the last records of the
//! MANIFEST, and with them whole imports, from the newest back. What is served then is an older state.
//!
//! docs/store.md describes folders, keys and values.

mod claims;
mod draft;
mod error;
mod files;
pub mod fsck;
mod gc;
mod in_store;
pub mod keys;
mod ledger;
mod listing;
mod lock;
mod options;
mod pin;
mod places;
mod queries;
mod reader;
mod scratch;
mod settle;
mod values;
mod view;
mod vulndb;
mod writer;

pub use claims::{Claim, Extent};
pub use draft::{Committed, Draft};
pub use error::StoreError;
pub use gc::{Collection, Found, FoundFile};
pub use in_store::InStore;
pub use keys::BundleId;
pub use ledger::{
    Acknowledgement, Event, Import, LedgerEntry, REMOVED_NAMES, Removed, TrustChange,
    VulndbDropped, spoken_head,
};
pub use lock::Lock;
pub use options::{READER_CACHE, WRITER_CACHE, ZIP_FILE};
pub use pin::PinnedState;
pub use places::MAX_HELD_FILES;
pub use queries::Answered;
pub use reader::Reader;
pub use values::{Counts, KEPT_NAMES, Kept, Source, StreamState, Totals, Zip};
pub use view::{Value, View};
pub use vulndb::{HeldVulndb, VulndbTaken};
pub use writer::Store;
pub(crate) use writer::not_for_another;

use std::path::{Path, PathBuf};

/// Bytes of a zip that are read and stored together: each chunk but a zip's last has this many.
pub const CHUNK: usize = 1 << 20;

/// What a store of this schema says under the schema's key.
pub const SCHEMA: &str = "modferry store 5";

/// The schemas before, which have no kind of key that this one has not: such a store is read as it is, and the next import
/// makes one of [`SCHEMA`] of it.
const SCHEMAS_BEFORE: [&str; 3] = ["modferry store 2", "modferry store 3", "modferry store 4"];

/// Where the store is if no one says otherwise.
pub const DEFAULT_STORE: &str = "/var/lib/modferry";

/// The RocksDB of a store.
fn db_folder(store: &Path) -> PathBuf {
    store.join("db")
}

/// What an import keeps on disk until it is proven: emptied by the next.
fn staging_folder(store: &Path) -> PathBuf {
    store.join("staging")
}

/// Whether there is a database: CURRENT is what RocksDB has from its first moment on.
fn is_there(store: &Path) -> bool {
    db_folder(store).join("CURRENT").is_file()
}

/// Whether the folder is a store's, if of one into which nothing was imported yet.
pub fn is_store(folder: &Path) -> bool {
    is_there(folder) || folder.join("trust").is_dir()
}

fn must_be_there(store: &Path) -> Result<(), StoreError> {
    let path = store.into();
    if is_there(store) {
        Ok(())
    } else if is_store(store) {
        Err(StoreError::Empty { store: path })
    } else {
        Err(StoreError::Absent { store: path })
    }
}

fn check_schema(store: &Path, found: Option<&[u8]>) -> Result<(), StoreError> {
    let mut known = SCHEMAS_BEFORE.into_iter().chain([SCHEMA]);
    if known.any(|known| Some(known.as_bytes()) == found) {
        return Ok(());
    }
    let found = found.map_or_else(
        || "none".into(),
        |found| format!("{:?}", String::from_utf8_lossy(found)),
    );
    Err(StoreError::Schema {
        store: store.into(),
        found,
        expected: SCHEMA,
    })
}

/// Bytes that can still be written on the disk of this folder.
pub fn room(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// A file of small things is closed when it has this many bytes: few, in tests, so that there are several.
const SMALL_FILE: u64 = if cfg!(test) { 8 << 10 } else { 64 << 20 };

/// With less than this free, in bytes, a failed write is put down to want of room.
const NO_ROOM: u64 = 16 << 20;

/// A failure to write for want of room, said as such: RocksDB's own words differ from place to place.
fn or_no_room(store: &Path, error: StoreError) -> StoreError {
    match (&error, room(store)) {
        (StoreError::Rocks { .. }, Ok(have)) if have < NO_ROOM => StoreError::NoRoom { have },
        _ => error,
    }
}

/// Bytes in hexadecimal, lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The 32 bytes that [`hex`] made this text of; `None` of any other.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    (hex(&bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests;
