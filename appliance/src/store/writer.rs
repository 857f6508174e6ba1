//! The write side: the one process that changes a store, for as long as it holds the lock.

use super::{Draft, Lock, SCHEMA, StoreError, View, db_folder, keys, options, staging_folder};
use rocksdb::{DB, IngestExternalFileOptions, SstFileWriter, WaitForCompactOptions};
use std::fs::{self, DirBuilder, File};
use std::ops::Deref;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the end of an import waits for RocksDB to tidy up small things. What is not done by then
/// is done after a later import; nothing depends on it but the speed of reads.
pub const TIDY_TIME: Duration = Duration::from_secs(60);

/// A store, open for changes. Dropping it gives up the lock.
pub struct Store {
    view: View,
    dir: PathBuf,
    _lock: Lock, // dropped after the database above it
}

impl Store {
    /// Makes an empty store in the folder `store`, or opens the one that is there. `command` is what
    /// others are told that the store is used for; `wait` waits for another's lock instead of failing.
    ///
    /// What an interrupted import left behind is removed.
    pub fn open_or_create(store: &Path, command: &str, wait: bool) -> Result<Self, StoreError> {
        make_folder(store)?;
        Self::locked(store, command, wait, true)
    }

    /// Makes an empty store in the folder `store`, if there is none; takes no lock if there is one.
    pub fn create_if_absent(store: &Path, command: &str) -> Result<(), StoreError> {
        if !db_folder(store).join("CURRENT").is_file() {
            Self::open_or_create(store, command, true)?;
        }
        Ok(())
    }

    /// Opens the store in the folder `store`, as [`Store::open_or_create`] does.
    pub fn open(store: &Path, command: &str, wait: bool) -> Result<Self, StoreError> {
        if !store.is_dir() {
            return Err(StoreError::Absent {
                store: store.into(),
            });
        }
        Self::locked(store, command, wait, false)
    }

    fn locked(store: &Path, command: &str, wait: bool, create: bool) -> Result<Self, StoreError> {
        let lock = Lock::take(store, command, wait)?;
        empty_staging(store)?;
        let folder = db_folder(store);
        // CURRENT is the last thing that RocksDB makes of a database, and the schema the last of a store.
        let found = folder.join("CURRENT").is_file();
        if !found && !create {
            return Err(StoreError::Absent {
                store: store.into(),
            });
        }
        if !found {
            make_folder(&folder)?;
        }
        let db = DB::open(&options::writer(!found), &folder).map_err(StoreError::rocks(
            format!("open the store in {}", store.display()),
        ))?;
        let view = View::new(db);
        let schema = view.pinned(&keys::SCHEMA_KEY)?.map(|value| value.to_vec());
        let opened = Self {
            view,
            dir: store.into(),
            _lock: lock,
        };
        match schema {
            None if create && opened.is_empty()? => opened.write_schema()?,
            schema => super::check_schema(store, schema.as_deref())?,
        }
        Ok(opened)
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(!self.view.any(&[])?)
    }

    #[cfg(test)]
    pub(super) fn view_for_tests(&self) -> &DB {
        &self.view.db
    }

    /// The folder that the store is in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Begins to collect what the bundle whose manifest text has this SHA-256 brings. One draft at a time: a second one would
    /// take the first one's place on disk.
    pub fn draft(&self, manifest_sha256: &[u8; 32]) -> Result<Draft<'_>, StoreError> {
        empty_staging(&self.dir)?;
        let staging = staging_folder(&self.dir);
        make_folder(&staging)?;
        Draft::begin(self, staging, manifest_sha256)
    }

    /// Removes what a draft left on disk.
    pub(super) fn discard_staging(&self) -> Result<(), StoreError> {
        empty_staging(&self.dir)
    }

    /// The commit: all files at once, durably, or none. See [`super`].
    pub(super) fn ingest(&self, files: &[PathBuf]) -> Result<(), StoreError> {
        let mut options = IngestExternalFileOptions::default();
        options.set_move_files(true); // a link, not a copy: the staging folder is on the same disk
        self.view
            .db
            .ingest_external_file_opts(&options, files.to_vec())
            .map_err(StoreError::rocks("commit to the store"))
    }

    /// Lets RocksDB merge the small things of the last imports, if there are enough of them by now.
    pub fn tidy(&self) {
        let mut options = WaitForCompactOptions::default();
        options.set_timeout(u64::try_from(TIDY_TIME.as_micros()).unwrap_or(u64::MAX));
        if let Err(error) = self.view.db.wait_for_compact(&options) {
            tracing::debug!(%error, "tidying goes on after the next import");
        }
    }

    fn write_schema(&self) -> Result<(), StoreError> {
        let staging = staging_folder(&self.dir);
        make_folder(&staging)?;
        let file = staging.join("schema.sst");
        let mut writer = SstFileWriter::create(options::files());
        let written = writer
            .open(&file)
            .and_then(|()| writer.put(keys::SCHEMA_KEY, SCHEMA))
            .and_then(|()| writer.finish());
        written.map_err(StoreError::rocks("write the schema's version"))?;
        self.ingest(&[file])?;
        sync_folder(&self.dir)?;
        self.discard_staging()
    }
}

impl Deref for Store {
    type Target = View;
    fn deref(&self) -> &View {
        &self.view
    }
}

fn empty_staging(store: &Path) -> Result<(), StoreError> {
    let staging = staging_folder(store);
    match fs::remove_dir_all(&staging) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io(
            "remove what an import left in",
            &staging,
        )(error)),
        _ => Ok(()),
    }
}

/// Makes a folder that the owner writes and the group reads, with those above it.
fn make_folder(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(path)
        .map_err(StoreError::io("make the folder", path))
}

/// Makes the names in a folder durable.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(StoreError::io("sync the folder", path))
}
