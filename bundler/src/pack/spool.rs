//! What was packed, until the bundle is written: an unnamed file, gone with the process however that ends.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use modferry_cli::{Exit, Fault, bytes};
use sha2::{Digest as _, Sha256};

use super::slice::Slice;
use crate::error::Error;
use crate::write::free;

/// Stored bytes of one entry after the other.
#[derive(Debug)]
pub(super) struct Spool {
    file: File,
    folder: PathBuf,
    end: Mutex<u64>,
    /// What all of it comes to at most.
    most: u64,
}

/// The stored bytes of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    at: u64,
    /// Bytes.
    pub(super) size: u64,
    /// Their SHA-256.
    pub(super) sha256: [u8; 32],
}

impl Spool {
    /// An empty one in the folder, which has to have room for so much at most.
    pub(super) fn new(folder: &Path, most: u64) -> Result<Spool, Error> {
        if free(folder).is_some_and(|free| free < most) {
            return Err(no_room(folder, most).into());
        }
        Ok(Spool {
            file: tempfile::tempfile_in(folder).map_err(Error::file("write into", folder))?,
            folder: folder.to_owned(),
            end: Mutex::new(0),
            most,
        })
    }

    /// Keeps an entry's bytes.
    pub(super) fn put(&self, stored: &[u8]) -> Result<Chunk, Error> {
        let size = stored.len() as u64;
        let at = {
            let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
            *end += size;
            *end - size
        };
        self.file
            .write_all_at(stored, at)
            .map_err(|source| self.failed(source))?;
        Ok(Chunk {
            at,
            size,
            sha256: Sha256::digest(stored).into(),
        })
    }

    /// Bytes of all entries so far.
    pub(super) fn end(&self) -> u64 {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses the room behind that again: the entries there are not read any more.
    pub(super) fn cut(&self, end: u64) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    /// Reads an entry's bytes again.
    pub(super) fn read(&self, chunk: &Chunk) -> impl Read + use<'_> {
        Slice::new(&self.file, chunk.at..chunk.at + chunk.size)
    }

    fn failed(&self, source: io::Error) -> Error {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        if !full.contains(&source.kind()) {
            return Error::file("write into", &self.folder)(source);
        }
        no_room(&self.folder, self.most).because(source).into()
    }
}

fn no_room(folder: &Path, most: u64) -> Fault {
    Fault::new(
        Exit::NoRoom,
        format!(
            "{} has no room for what is packed, which comes to {} at most",
            folder.display(),
            bytes(most)
        ),
    )
    .advise("make room there, or name another folder with --cache, or pack nothing (--pack none); nothing was written")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_entry_is_read_again_as_it_was_put() {
        let dir = tempfile::tempdir().unwrap();
        let spool = Spool::new(dir.path(), 100).unwrap();
        let all: Vec<Vec<u8>> = (0..5).map(|n| vec![n; usize::from(n) * 100]).collect();
        let chunks: Vec<Chunk> = all.iter().map(|bytes| spool.put(bytes).unwrap()).collect();
        for (bytes, chunk) in all.iter().zip(&chunks).rev() {
            let mut read = Vec::new();
            spool.read(chunk).read_to_end(&mut read).unwrap();
            assert_eq!((&read, chunk.size), (bytes, bytes.len() as u64));
            assert_eq!(chunk.sha256, <[u8; 32]>::from(Sha256::digest(bytes)));
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn room_is_asked_for_before_anything_is_packed() {
        let dir = tempfile::tempdir().unwrap();
        let free = free(dir.path()).unwrap();
        assert!(Spool::new(dir.path(), free / 2).is_ok());
        let error = Spool::new(dir.path(), free.saturating_mul(2) + 1).unwrap_err();
        assert_eq!(modferry_cli::Failure::exit(&error), Exit::NoRoom, "{error}");
    }
}
