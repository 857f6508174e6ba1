//! The files of STORE/trust: small, read whole within a limit, and written whole or not at all.

use super::error::{NotAKey, TrustStoreError, io_error};
use modferry_cli::folder_of;
use rustix::fs::{AtFlags, Mode, OFlags};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// The most bytes of a key file. A key's line has about 60 and its name.
pub const MAX_KEY_FILE: u64 = 4096;

/// The folders in STORE/trust, of each of which every file counts.
pub(super) const FOLDERS: [&str; 5] = ["bundle", "sumdb", "revoked", "required.d", "notes"];

/// How a file that is being written is called in STORE/trust: beside the folders, where it is nobody's key.
const TEMPORARY: &str = ".writing-";

/// Reads a file of text of at most so many bytes. What is no regular file is not opened: a pipe would block.
pub(super) fn read_small(path: &Path, limit: u64) -> Result<String, NotAKey> {
    if !fs::metadata(path)?.is_file() {
        return Err(NotAKey::NotText);
    }
    text_of(File::open(path)?, limit)
}

fn text_of(file: File, limit: u64) -> Result<String, NotAKey> {
    if !file.metadata()?.is_file() {
        return Err(NotAKey::NotText);
    }
    let mut text = String::new();
    match file.take(limit + 1).read_to_string(&mut text) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(NotAKey::NotText),
        Err(error) => Err(error.into()),
        Ok(_) if text.len() as u64 > limit => Err(NotAKey::NotText),
        Ok(_) => Ok(text),
    }
}

/// A folder that belongs to a user who is trusted less than this process may be. Whatever lies there, nothing outside of
/// it is read or removed: no name in it is followed, and the folder stays the one that was opened.
pub(super) struct Foreign(OwnedFd);

impl Foreign {
    /// Opens the folder; `None` where there is none.
    pub(super) fn open(folder: &Path) -> io::Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::open(folder, flags, Mode::empty()) {
            Err(rustix::io::Errno::NOENT) => Ok(None),
            opened => Ok(Some(Self(opened?))),
        }
    }

    /// The names that end so, sorted.
    pub(super) fn names(&self, ending: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.0)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.ends_with(ending) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// A file's text, as [`read_small`] gives it.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<String, NotAKey> {
        // A pipe that nobody writes to would block otherwise.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.0, name, flags, Mode::empty());
        text_of(file.map_err(io::Error::from)?.into(), limit)
    }

    /// Removes a file, if it is still there.
    pub(super) fn remove(&self, name: &str) {
        let _ = rustix::fs::unlinkat(&self.0, name, AtFlags::empty());
    }
}

pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// The right to change what is in STORE/trust, held until it is dropped: two changes at once would each be made on
/// what the other is about to replace. Readers need none.
pub(super) struct Changing(#[expect(dead_code, reason = "held, not used")] File);

impl Changing {
    /// Makes the folders where they are not there, and waits for whoever changes them.
    ///
    /// The lock is a file of its owner's alone, and not the folder, which everybody could lock.
    pub(super) fn begin(store: &Path) -> Result<Self, TrustStoreError> {
        let trust = store.join("trust");
        make_folder(store, 0o750)?;
        make_folder(&trust, 0o755)?;
        for name in FOLDERS {
            make_folder(&trust.join(name), 0o755)?;
        }
        let path = trust.join("lock");
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|lock| lock.lock().map(|()| lock))
            .map_err(io_error("lock", &path))?;
        sweep(&trust);
        Ok(Self(lock))
    }
}

/// Whether this process's user may change what is in STORE/trust: all of it, since half a change is none.
pub(super) fn may_change(store: &Path) -> bool {
    use rustix::fs::{Access, access};
    let trust = store.join("trust");
    let mut there = FOLDERS
        .iter()
        .map(|name| trust.join(name))
        .collect::<Vec<_>>();
    there.retain(|folder| folder.exists());
    there.push(trust.clone());
    let lock = trust.join("lock");
    there
        .iter()
        .all(|folder| access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok())
        && (!lock.exists() || access(&lock, Access::WRITE_OK).is_ok())
}

pub(super) fn make_folder(folder: &Path, mode: u32) -> Result<(), TrustStoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(mode).create(folder);
    made.and_then(|()| sync_parent(folder))
        .map_err(io_error("make the folder", folder))
}

/// Removes what a killed process was writing. What cannot be removed does no harm.
fn sweep(trust: &Path) {
    for entry in fs::read_dir(trust).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name
            .to_str()
            .is_some_and(|name| name.starts_with(TEMPORARY))
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes a file so that it is there whole or not at all, also after a power cut. `folder` is on the same disk, and
/// a file in it that nobody knows means nothing.
pub(super) fn write(folder: &Path, path: &Path, text: &str) -> Result<(), TrustStoreError> {
    let written = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(folder)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.as_file()
                .set_permissions(fs::Permissions::from_mode(0o644))?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
            sync_parent(path)
        });
    written.map_err(io_error("write", path))
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), TrustStoreError> {
    let removed = match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    removed
        .and_then(|()| sync_parent(path))
        .map_err(io_error("remove", path))
}

/// Gives a file another name, in the place of whatever has it.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), TrustStoreError> {
    fs::rename(from, to)
        .and_then(|()| sync_parent(to))
        .and_then(|()| sync_parent(from))
        .map_err(io_error("rename", from))
}
