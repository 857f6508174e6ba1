//! Sorted files in the store's format, cut at a size: what a commit hands to RocksDB.

use super::{StoreError, options};
use rocksdb::SstFileWriter;
use std::path::{Path, PathBuf};

/// Takes keys in ascending order and writes them into as many files as it needs, none of them empty.
#[derive(Default)]
pub(super) struct SortedFiles {
    folder: PathBuf,
    name: &'static str,
    limit: u64,
    open: Option<Open>,
    done: Vec<PathBuf>,
}

struct Open {
    writer: SstFileWriter<'static>,
    bytes: u64,
    path: PathBuf,
}

impl SortedFiles {
    /// Files in `folder` that are called `name` and a number, each closed at `limit` bytes.
    pub(super) fn new(folder: &Path, name: &'static str, limit: u64) -> Self {
        Self {
            folder: folder.into(),
            name,
            limit,
            ..Self::default()
        }
    }

    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.write(key.len() + value.len(), |writer| writer.put(key, value))
    }

    /// What is there under the key goes when the file comes in.
    pub(super) fn delete(&mut self, key: &[u8]) -> Result<(), StoreError> {
        self.write(key.len(), |writer| writer.delete(key))
    }

    /// The next key is the first of another file.
    pub(super) fn cut(&mut self) -> Result<(), StoreError> {
        self.close()
    }

    fn write(
        &mut self,
        bytes: usize,
        write: impl FnOnce(&mut SstFileWriter<'static>) -> Result<(), rocksdb::Error>,
    ) -> Result<(), StoreError> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.next()?,
        };
        write(&mut open.writer).map_err(failed(&open.path))?;
        open.bytes += bytes as u64;
        let full = open.bytes >= self.limit;
        self.open = Some(open);
        if full { self.close() } else { Ok(()) }
    }

    /// Closes the last file; gives all of them, in order. They are on disk, synced.
    pub(super) fn finish(mut self) -> Result<Vec<PathBuf>, StoreError> {
        self.close()?;
        Ok(self.done)
    }

    fn next(&self) -> Result<Open, StoreError> {
        let path = self
            .folder
            .join(format!("{}-{:06}.sst", self.name, self.done.len() + 1));
        let writer = SstFileWriter::create(options::files());
        writer.open(&path).map_err(failed(&path))?;
        Ok(Open {
            writer,
            bytes: 0,
            path,
        })
    }

    fn close(&mut self) -> Result<(), StoreError> {
        if let Some(mut open) = self.open.take() {
            open.writer.finish().map_err(failed(&open.path))?;
            self.done.push(open.path);
        }
        Ok(())
    }
}

fn failed(path: &Path) -> impl FnOnce(rocksdb::Error) -> StoreError {
    StoreError::rocks(format!("write {}", path.display()))
}
