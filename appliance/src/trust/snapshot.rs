//! All of STORE/trust as it was at one moment, without a lock that readers would need the right to take.
//!
//! The files are read twice. Two passes that find the same have found what was there between them; where they
//! differ somebody is changing the files, and they are read again. What a change leaves half done for a while says
//! so itself (`applying.note`), so that one moment is all that a reader needs.

use super::error::{NotAKey, TrustStoreError, io_error};
use super::files::{FOLDERS, read_small};
use super::private::PRIVATE;
use modferry_protocol::trust::MAX_TRUST_NOTE;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How often the files are read before it is said that they never stand still. A change takes milliseconds.
const PASSES: u32 = 100;

/// The files of STORE/trust that mean something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snapshot(BTreeMap<PathBuf, Content>);

/// A file's text, or why it has none.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Text(String),
    NotText,
    Unreadable(io::ErrorKind),
}

impl Snapshot {
    pub(super) fn take(trust: &Path) -> Result<Self, TrustStoreError> {
        let mut last = Self::pass(trust)?;
        for _ in 1..PASSES {
            let next = Self::pass(trust)?;
            if next == last {
                return Ok(next);
            }
            last = next;
        }
        Err(io_error("read at one moment", trust)(
            io::ErrorKind::ResourceBusy.into(),
        ))
    }

    fn pass(trust: &Path) -> Result<Self, TrustStoreError> {
        let mut files = BTreeMap::new();
        let mut read = |path: PathBuf| {
            // Notes are the longest; what is longer than its own kind may be says the one who parses it.
            let content = match read_small(&path, MAX_TRUST_NOTE) {
                Ok(text) => Content::Text(text),
                Err(NotAKey::Io(error)) => Content::Unreadable(error.kind()),
                Err(_) => Content::NotText,
            };
            files.insert(path, content);
        };
        for name in FOLDERS {
            let folder = trust.join(name);
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.map_err(io_error("read", &folder))?,
            };
            for entry in entries {
                read(entry.map_err(io_error("read", &folder))?.path());
            }
        }
        for name in ["required", "applying.note", PRIVATE] {
            let path = trust.join(name);
            if path.symlink_metadata().is_ok() {
                read(path);
            }
        }
        Ok(Self(files))
    }

    /// The text of a file; `None` where there is no such file.
    pub(super) fn text(&self, path: &Path) -> Option<Result<&str, NotAKey>> {
        let content = self.0.get(path)?;
        Some(match content {
            Content::Text(text) => Ok(text),
            Content::NotText => Err(NotAKey::NotText),
            Content::Unreadable(kind) => Err(NotAKey::Io((*kind).into())),
        })
    }

    /// The files of a folder, by name.
    pub(super) fn files(&self, folder: &Path) -> impl Iterator<Item = &Path> {
        self.0
            .keys()
            .filter(move |path| path.parent() == Some(folder))
            .map(PathBuf::as_path)
    }
}
