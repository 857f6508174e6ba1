//! A fork's evidence: both heads, as the checksum database signed them, in STORE/evidence.
//!
//! Each file is a signed note. Together they prove, to whoever has the database's public key, that it (or
//! someone with its key) showed different trees to different people. The folder is called after the database,
//! the sizes of both trees, and the hash of the one that was refused.

use super::evidence_folder;
use modferry_checker::CheckError;
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Keeps both heads, if the error is a fork; gives the folder that has them. The same fork found twice
/// is kept once.
pub(super) fn keep(store: &Path, error: &CheckError) -> Option<io::Result<PathBuf>> {
    let CheckError::Fork { db, held, offered } = error else {
        return None;
    };
    // A database's name has slashes where it has a path; no other character of it means anything to a disk.
    let name = format!(
        "{}-{}-{}-{}",
        db.as_str().replace('/', "!"),
        held.head.size,
        offered.head.size,
        crate::store::hex(&offered.head.hash.0[..8])
    );
    let folder = evidence_folder(store).join(name);
    let write = || {
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(&folder)?;
        for (name, note) in [("held.note", &held.note), ("offered.note", &offered.note)] {
            keep_file(&folder, name, note)?;
        }
        for folder in [&folder, &evidence_folder(store), store] {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(folder.clone())
    };
    Some(write())
}

/// Writes the file unless it is there with these bytes: evidence that is whole is never opened for writing again.
fn keep_file(folder: &Path, name: &str, note: &[u8]) -> io::Result<()> {
    let path = folder.join(name);
    match fs::read(&path) {
        Ok(kept) if kept == note => return Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(note)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(0o640))?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
