//! The write side: the one process that changes a store, for as long as it holds the lock.

use super::scratch::Staging;
use super::{
    Draft, Lock, SCHEMA, StoreError, View, db_folder, keys, options, or_no_room, staging_folder,
};
use rocksdb::{DB, ErrorKind, IngestExternalFileOptions, SstFileWriter, WaitForCompactOptions};
use std::fs::{self, DirBuilder, File};
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
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
        not_for_another(store)?;
        let lock = Lock::take(store, command, wait)?;
        empty_staging(store)?;
        if !super::is_there(store) {
            create(store)?;
        }
        Self::locked(store, lock)
    }

    /// Opens the store in the folder `store`, as [`Store::open_or_create`] does.
    pub fn open(store: &Path, command: &str, wait: bool) -> Result<Self, StoreError> {
        super::must_be_there(store)?;
        not_for_another(store)?;
        let lock = Lock::take(store, command, wait)?;
        empty_staging(store)?;
        Self::locked(store, lock)
    }

    fn locked(store: &Path, lock: Lock) -> Result<Self, StoreError> {
        let db = open_database(store)?;
        let view = View::new(db);
        super::check_schema(store, view.pinned(&keys::SCHEMA_KEY)?.as_deref())?;
        Ok(Self {
            view,
            dir: store.into(),
            _lock: lock,
        })
    }

    #[cfg(test)]
    pub(crate) fn database(&self) -> &DB {
        &self.view.db
    }

    /// The folder that the store is in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Begins to collect what the bundle whose manifest text has this SHA-256 brings. One draft at a time: a second one would
    /// take the first one's place on disk.
    pub fn draft(&self, manifest_sha256: &[u8; 32]) -> Result<Draft<'_>, StoreError> {
        Draft::begin(self, self.staging()?, manifest_sha256)
    }

    /// The staging folder, empty.
    pub(super) fn staging(&self) -> Result<Staging, StoreError> {
        empty_staging(&self.dir)?;
        let folder = staging_folder(&self.dir);
        make_folder(&folder)?;
        Ok(Staging::new(folder))
    }

    /// The commit: all files at once, durably, or none. See [`super`].
    pub(super) fn ingest(&self, files: &[PathBuf]) -> Result<(), StoreError> {
        ingest(&self.view.db, files).inspect_err(|_| {
            // For the next to open it, see there. A disk that takes not even this is not mended by it.
            let _ = File::create(failed_commit(&self.dir));
        })
    }

    /// The database's files.
    pub(super) fn live_files(&self) -> Result<Vec<rocksdb::LiveFile>, StoreError> {
        self.view
            .db
            .live_files()
            .map_err(StoreError::rocks("list the store's files"))
    }

    /// Whether there are chunks of a bundle's zips. No file is looked into whose keys lie before or behind them: a search
    /// for what is not there would read the next chunk, and another bundle's may be damaged.
    pub(super) fn has_chunks_of(&self, bundle: &keys::BundleId) -> Result<bool, StoreError> {
        let chunk = keys::chunk(bundle, 0, 0);
        let prefix = &chunk[..1 + bundle.len()];
        let may_have = self.live_files()?.iter().any(|file| {
            let (Some(first), Some(last)) = (&file.start_key, &file.end_key) else {
                return false;
            };
            (first.starts_with(prefix) || first.as_slice() < prefix) && last.as_slice() >= prefix
        });
        Ok(may_have && self.view.any(prefix)?)
    }

    /// Lets RocksDB merge the small things of the last imports, if there are enough of them by now.
    pub fn tidy(&self) {
        let mut options = WaitForCompactOptions::default();
        options.set_timeout(u64::try_from(TIDY_TIME.as_micros()).unwrap_or(u64::MAX));
        if let Err(error) = self.view.db.wait_for_compact(&options) {
            tracing::debug!(%error, "tidying goes on after the next import");
        }
    }
}

impl Deref for Store {
    type Target = View;
    fn deref(&self) -> &View {
        &self.view
    }
}

/// Makes an empty database elsewhere and renames it, so that no one finds half of one.
fn create(store: &Path) -> Result<(), StoreError> {
    let staging = staging_folder(store);
    let folder = staging.join("db");
    make_folder(&folder)?;
    let db = DB::open(&options::writer(true), &folder).map_err(StoreError::rocks(format!(
        "make a store in {}",
        store.display()
    )))?;
    let file = staging.join("schema.sst");
    let mut writer = SstFileWriter::create(options::files());
    let written = writer
        .open(&file)
        .and_then(|()| writer.put(keys::SCHEMA_KEY, SCHEMA))
        .and_then(|()| writer.put(keys::END_KEY, b""))
        .and_then(|()| writer.finish());
    written.map_err(StoreError::rocks("write the schema's version"))?;
    ingest(&db, &[file])?;
    drop(db);
    let to = db_folder(store);
    fs::rename(&folder, &to).map_err(StoreError::io("make the folder", &to))?;
    sync_folder(store)?;
    empty_staging(store)
}

/// Opens the database to write to it.
///
/// When the disk fails at the very sync that ends a commit, RocksDB takes the commit's files away again, while its
/// manifest may name them already, and then does not open any more. So a commit that failed leaves a mark, and where the mark
/// is and the manifest names files that are not there, RocksDB goes back to the newest state that is whole, which is the one
/// before that commit. Without the mark nothing is ever given up: a file that is gone is damage.
fn open_database(store: &Path) -> Result<DB, StoreError> {
    let folder = db_folder(store);
    let mark = failed_commit(store);
    let action = || format!("open the store in {}", store.display());
    let opened = match DB::open(&options::writer(false), &folder) {
        Err(error) if error.kind() == ErrorKind::Corruption && mark.exists() => {
            tracing::warn!(%error, "a commit failed on a failing disk; going back to the state before it");
            options::writer_before_a_failed_commit().and_then(|options| DB::open(&options, &folder))
        }
        opened => opened,
    };
    let db = opened.map_err(|error| {
        // Opening writes, too: a new log, and a manifest of what is there.
        let for_want_of_room = error.kind() == ErrorKind::IOError;
        let error = StoreError::rocks(action())(error);
        match for_want_of_room {
            true => or_no_room(store, error),
            false => error,
        }
    })?;
    match fs::remove_file(&mark) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io("remove the mark", &mark)(error))
        }
        _ => Ok(db),
    }
}

/// The mark of a commit that failed.
fn failed_commit(store: &Path) -> PathBuf {
    store.join("commit-failed")
}

fn ingest(db: &DB, files: &[PathBuf]) -> Result<(), StoreError> {
    let mut options = IngestExternalFileOptions::default();
    options.set_move_files(true); // a link, not a copy: the staging folder is on the same disk
    db.ingest_external_file_opts(&options, files.to_vec())
        .map_err(StoreError::rocks("commit to the store"))
}

/// Root must not leave files in a store that another user imports into: that user could not replace them.
pub(crate) fn not_for_another(store: &Path) -> Result<(), StoreError> {
    let owner = fs::metadata(store)
        .map_err(StoreError::io("look at", store))?
        .uid();
    if rustix::process::geteuid().is_root() && owner != 0 {
        return Err(StoreError::Owner {
            store: store.into(),
            owner,
        });
    }
    Ok(())
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
