//! Where things lie on disk until they are committed, and nothing that a crash needs: the staging folder and the
//! scratch database in it.

use super::{StoreError, options};
use rocksdb::{DB, WriteOptions};
use std::path::{Path, PathBuf};

/// The staging folder, removed at the end whatever that is.
pub(super) struct Staging(PathBuf);

impl Staging {
    /// Of this folder, which is there and empty.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0); // the next import empties it too
    }
}

/// The database of the small things that an import collects.
pub(super) struct Scratch(pub(super) DB);

impl Scratch {
    pub(super) fn create(folder: PathBuf) -> Result<Self, StoreError> {
        DB::open(&options::scratch(), folder)
            .map(Self)
            .map_err(StoreError::rocks("make the scratch database of an import"))
    }

    pub(super) fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.0
            .put_opt(key, value, &unlogged())
            .map_err(StoreError::rocks(
                "write to the scratch database of an import",
            ))
    }

    pub(super) fn delete(&self, key: &[u8]) -> Result<(), StoreError> {
        self.0
            .delete_opt(key, &unlogged())
            .map_err(StoreError::rocks(
                "write to the scratch database of an import",
            ))
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0
            .get(key)
            .map_err(StoreError::rocks("read the scratch database of an import"))
    }
}

/// No write-ahead log: no crash needs what is in the scratch database.
fn unlogged() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    options
}
