//! The files of STORE/trust: small, read whole within a limit, and written whole or not at all.

use super::error::{NotAKey, TrustStoreError, io_error};
use super::key::Kind;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// The most bytes of a key file. A key's line has about 60 and its name.
pub const MAX_KEY_FILE: u64 = 4096;

pub(super) fn read_small(path: &Path) -> Result<String, NotAKey> {
    let mut text = String::new();
    let mut file = File::open(path)?.take(MAX_KEY_FILE + 1);
    match file.read_to_string(&mut text) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(NotAKey::NotText),
        Err(error) => Err(error.into()),
        Ok(_) if text.len() as u64 > MAX_KEY_FILE => Err(NotAKey::NotText),
        Ok(_) => Ok(text),
    }
}

pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Writes a file of one line so that it is there whole or not at all, also after a power cut.
pub(super) fn write(store: &Path, path: &Path, text: &str) -> Result<(), TrustStoreError> {
    let trust = store.join("trust");
    for (folder, mode) in [
        (store.into(), 0o750),
        (trust.clone(), 0o755),
        (trust.join(Kind::Bundle.folder()), 0o755),
        (trust.join(Kind::Sumdb.folder()), 0o755),
    ] {
        DirBuilder::new()
            .recursive(true)
            .mode(mode)
            .create(&folder)
            .map_err(io_error("make the folder", &folder))?;
    }
    // Beside the keys' folders, where what a crash leaves is nobody's key.
    let written = tempfile::NamedTempFile::new_in(&trust).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(0o644))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        sync_parent(path)
    });
    written.map_err(io_error("write", path))
}
