//! The read side: what the server opens, and `list` and `status` too.
//!
//! A reader is a RocksDB *secondary* instance. It writes nothing into the store, takes no lock, and
//! follows the importer by reading its MANIFEST: [`Reader::catch_up`] moves it from one whole state to
//! a later whole state. What an import commits is one record of that MANIFEST, so there is no state
//! with half an import in it. Reads go on during a catch-up, and one that began before goes on in the
//! state in which it began.

use super::{StoreError, View, keys, options};
use rocksdb::DB;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// How often a catch-up is tried anew where the importer replaced the MANIFEST under it.
const CATCH_UP_TRIES: u32 = 10;

/// A store, open for reading. Share it between threads behind an `Arc`.
pub struct Reader {
    view: View,
    store: PathBuf,
}

impl Reader {
    /// Opens the store in the folder `store`. RocksDB keeps its own log in the folder `secondary`,
    /// which is made if need be; it must not be in the store, and each process needs one of its own.
    pub fn open(store: &Path, secondary: &Path) -> Result<Self, StoreError> {
        super::must_be_there(store)?;
        let db = super::db_folder(store);
        std::fs::create_dir_all(secondary).map_err(StoreError::io("make the folder", secondary))?;
        let mut tries = CATCH_UP_TRIES;
        let db = loop {
            tries -= 1;
            match DB::open_as_secondary(&options::reader(), db.as_path(), secondary) {
                Err(error) if tries > 0 && replaced(&error) => {}
                opened => break opened,
            }
        }
        .map_err(StoreError::rocks(format!(
            "open the store in {}",
            store.display()
        )))?;
        let view = View::new(db);
        super::check_schema(store, view.pinned(&keys::SCHEMA_KEY)?.as_deref())?;
        Ok(Self {
            view,
            store: store.into(),
        })
    }

    /// Moves on to the newest state that was committed. About 2 ms where there is none.
    pub fn catch_up(&self) -> Result<(), StoreError> {
        let mut tries = CATCH_UP_TRIES;
        loop {
            tries -= 1;
            match self.view.db.try_catch_up_with_primary() {
                Err(error) if tries > 0 && replaced(&error) => {}
                caught_up => break caught_up,
            }
        }
        .map_err(StoreError::rocks(format!(
            "follow the store in {}",
            self.store.display()
        )))
    }

    /// Names the state that is being read: how many entries the ledger has in it. 0 where nothing was ever
    /// imported.
    pub fn generation(&self) -> u64 {
        self.view.ledger_size().unwrap_or(0)
    }
}

impl Deref for Reader {
    type Target = View;
    fn deref(&self) -> &View {
        &self.view
    }
}

/// Whether the importer switched to a new MANIFEST between two steps of a reader.
fn replaced(error: &rocksdb::Error) -> bool {
    matches!(error.kind(), rocksdb::ErrorKind::TryAgain)
}
