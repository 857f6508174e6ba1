//! A fork's evidence: both heads, as the checksum database signed them, in STORE/evidence.
//!
//! Each file is a signed note. Together they prove, to whoever has the database's public key, that it (or
//! someone with its key) showed different trees to different people.

use super::evidence_folder;
use modferry_checker::CheckError;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Keeps both heads, if the error is a fork; gives the folder that has them. The same fork found twice
/// is kept once.
pub(super) fn keep(store: &Path, error: &CheckError) -> Option<io::Result<PathBuf>> {
    let CheckError::Fork { db, held, offered } = error else {
        return None;
    };
    // A database's name has slashes where it has a path; no other character of it means anything to a disk.
    let name = format!(
        "{}-{}-{}",
        db.as_str().replace('/', "!"),
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
            let mut file = File::create(folder.join(name))?;
            file.write_all(note)?;
            file.sync_all()?;
        }
        for folder in [&folder, &evidence_folder(store), store] {
            fs::File::open(folder)?.sync_all()?;
        }
        Ok(folder.clone())
    };
    Some(write())
}
