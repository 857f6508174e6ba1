//! Small duties around files that several commands share: bounded reads, atomic writes, durable folders.

use modferry_cli::folder_of;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Reads a whole file, refusing one of more than `limit` bytes.
pub fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {limit} bytes"),
        ));
    }
    Ok(bytes)
}

/// A new file beside `path`, hidden and with an unused name; it is removed unless it is persisted.
/// Its mode is what the process's umask leaves of 0666, as for any file a person makes.
pub fn temp_beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = folder_of(path);
    make_folders(folder)?;
    temp_in(folder)
}

/// Makes a folder and those above it, each durable in the one above: a synced file in a folder whose own
/// name is lost to a power cut is lost with it.
pub fn make_folders(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder
        .parent()
        .filter(|above| !above.as_os_str().is_empty())
    {
        make_folders(above)?;
    }
    match fs::create_dir(folder) {
        // Another run was faster; whether it has synced by now is not known.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        made => made?,
    }
    sync_folder_of(folder)
}

/// As [`temp_beside`], in a folder that exists.
pub fn temp_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new()
        .prefix(PREFIX)
        .suffix(SUFFIX)
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
}

/// A temporary file that nobody holds and that is as old as this was left by a process that was killed.
const ABANDONED: Duration = Duration::from_secs(60);

/// As [`temp_in`], and held by a lock, so that [`sweep`] knows that somebody is writing it.
pub fn held_temp_in(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let temp = temp_in(folder)?;
    // Where a file system has no locks, age alone decides.
    let _ = temp.as_file().try_lock();
    Ok(temp)
}

/// Removes what killed processes left of [`held_temp_in`]. What cannot be removed does no harm.
pub fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX));
        let old = entry
            .metadata()
            .and_then(|meta| meta.modified())
            .is_ok_and(|at| {
                SystemTime::now()
                    .duration_since(at)
                    .is_ok_and(|age| age > ABANDONED)
            });
        if ours && old && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

const PREFIX: &str = ".modferry-";
const SUFFIX: &str = ".tmp";

/// Writes the file whole or not at all: a temporary file beside it, synced, then renamed, then the
/// folder synced. A crash leaves the old content or the new, never a mixture.
pub fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temp = temp_beside(path)?;
    temp.write_all(bytes)?;
    persist_durably(temp, path)
}

/// Gives a finished temporary file its name: sync, rename, sync of the folder.
pub fn persist_durably(temp: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    temp.as_file().sync_all()?;
    temp.persist(path).map_err(|error| error.error)?;
    sync_folder_of(path)
}

/// As [`persist_durably`], for a name that nobody else may have taken: `AlreadyExists` where somebody has.
pub fn persist_new_durably(temp: tempfile::NamedTempFile, path: &Path) -> io::Result<()> {
    temp.as_file().sync_all()?;
    if let Err(refused) = temp.persist_noclobber(path) {
        // Some file systems of sticks and shares can neither link nor rename without replacing.
        if refused.error.kind() == io::ErrorKind::AlreadyExists || path.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        refused.file.persist(path).map_err(|error| error.error)?;
    }
    sync_folder_of(path)
}

/// Makes the names in a file's folder durable.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_bounded_read_takes_the_limit_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, [7; 10]).unwrap();
        assert_eq!(read_bounded(&path, 10).unwrap(), [7; 10]);
        assert_eq!(
            read_bounded(&path, 9).unwrap_err().kind(),
            io::ErrorKind::FileTooLarge
        );
    }

    #[test]
    fn a_write_leaves_one_file_and_replaces_the_old() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/folder/f");
        write_durably(&path, b"one").unwrap();
        make_folders(path.parent().unwrap()).unwrap();
        make_folders(&path).unwrap_err();
        write_durably(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        drop(temp_beside(&path).unwrap());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_nobody_holds_any_more_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - ABANDONED - Duration::from_secs(60);
        let held = held_temp_in(dir.path()).unwrap();
        held.as_file().set_modified(old).unwrap();
        let fresh = dir.path().join(".modferry-fresh.tmp");
        fs::write(&fresh, "x").unwrap();
        let other = dir.path().join("somebody's.tmp");
        let left = dir.path().join(".modferry-left.tmp");
        for path in [&other, &left] {
            File::create(path).unwrap().set_modified(old).unwrap();
        }
        sweep(dir.path());
        assert!(held.path().exists() && fresh.exists() && other.exists());
        assert!(!left.exists());
    }
}
