//! Forks' evidence: both heads, as the checksum database signed them, in STORE/evidence.
//!
//! ```text
//! evidence/DB-HELD-OFFERED-HASH/held.note      the signed head that the store serves or served
//! evidence/DB-HELD-OFFERED-HASH/offered.note   the signed head that a refused bundle brought
//! evidence/DB-HELD-OFFERED-HASH/acknowledged   when an operator said that this was seen, and why it is well, as JSON
//! ```
//!
//! Each note proves, to whoever has the database's public key, that it was signed; both together prove that the
//! database (or someone with its key) showed different trees to different people. The folder is called after the
//! database, the sizes of both trees, and the hash of the one that was refused.
//!
//! What is served is not touched by a fork: the store is in the state before it. But nobody should have to find out
//! by chance, so `status` and the server's readiness page tell of each fork until it is acknowledged. Evidence is
//! never removed, not even then.

use crate::store::{Acknowledgement, Event, Store, StoreError, hex};
use modferry_checker::CheckError;
use modferry_cli::{Exit, Failure};
use modferry_protocol::sumdb::TreeHead;
use serde::{Deserialize, Serialize};
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// The most bytes of the reason that an operator gives.
pub const MAX_REASON: usize = 1000;

/// The most bytes that are read of a file among the evidence: signed heads are far smaller.
const MAX_FILE: u64 = 1 << 20;

const ACKNOWLEDGED: &str = "acknowledged";

/// One fork that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The name of its folder in STORE/evidence.
    pub name: String,
    /// The size in records of the tree that the store held; `None` where the note is not whole, as when the power
    /// went while it was written. The same import writes it again.
    pub held: Option<u64>,
    /// The size of the tree that was offered and refused.
    pub offered: Option<u64>,
    /// Who looked at it said so; `None` until then.
    pub acknowledged: Option<Acknowledged>,
}

/// That an operator has seen a fork.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledged {
    /// When, by this machine's clock: RFC 3339, UTC, seconds.
    pub time: String,
    /// The ledger's entry that says the same.
    pub ledger: u64,
    /// What the operator said about it; empty where nothing was said.
    pub reason: String,
}

/// Why evidence could not be told or acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// There is no such evidence.
    #[error("there is no evidence called {name:?} in {}", folder.display())]
    Unknown {
        /// What was asked for.
        name: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The reason is too long, or has characters that are none of a line of text.
    #[error("a reason is one line of at most {MAX_REASON} bytes")]
    Reason,
    /// The file that says that it is acknowledged says something else.
    #[error("{} does not say when the fork was acknowledged", path.display())]
    Acknowledged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Failure for EvidenceError {
    fn exit(&self) -> Exit {
        match self {
            Self::Unknown { .. } | Self::Reason => Exit::Usage,
            Self::Store(error) => error.exit(),
            Self::Acknowledged { .. } | Self::Io { .. } => Exit::Other,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Unknown { .. } => Some("`modferry-appliance evidence list` has the names".into()),
            Self::Acknowledged { path, .. } => Some(format!(
                "remove {} and acknowledge the fork again",
                path.display()
            )),
            Self::Store(error) => error.advice(),
            Self::Reason | Self::Io { .. } => None,
        }
    }
}

/// Every fork of which there is evidence, by name. None where the store never met one.
pub fn list(store: &Path) -> Result<Vec<Evidence>, EvidenceError> {
    let folder = folder(store);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed("read", &folder))?,
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed("read", &folder))?;
        let kind = entry
            .file_type()
            .map_err(failed("look at", &entry.path()))?;
        if kind.is_dir() {
            all.push(one(&entry.path())?);
        }
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

fn one(folder: &Path) -> Result<Evidence, EvidenceError> {
    let tree_size = |name| -> Result<Option<u64>, EvidenceError> {
        let note = content(&folder.join(name))?.and_then(|note| String::from_utf8(note).ok());
        let head = note.and_then(|note| TreeHead::parse_front(&note).ok().map(|(head, _)| head));
        Ok(head.map(|head| head.size))
    };
    let path = folder.join(ACKNOWLEDGED);
    let acknowledged = content(&path)?
        .map(|json| serde_json::from_slice(&json))
        .transpose()
        .map_err(|source| EvidenceError::Acknowledged { path, source })?;
    Ok(Evidence {
        name: folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        held: tree_size("held.note")?,
        offered: tree_size("offered.note")?,
        acknowledged,
    })
}

/// How many forks are not acknowledged yet. Reads no file: this is asked every second.
pub fn unacknowledged(store: &Path) -> io::Result<usize> {
    let entries = match fs::read_dir(folder(store)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut count = 0;
    for entry in entries {
        let entry = entry?;
        let open = entry.file_type()?.is_dir() && !entry.path().join(ACKNOWLEDGED).try_exists()?;
        count += usize::from(open);
    }
    Ok(count)
}

/// Says of one fork's evidence that an operator has seen it. Once acknowledged, it stays as it was said first.
pub fn acknowledge(store: &Store, name: &str, reason: &str) -> Result<Evidence, EvidenceError> {
    if reason.len() > MAX_REASON || reason.chars().any(char::is_control) {
        return Err(EvidenceError::Reason);
    }
    let known = list(store.dir())?.into_iter().find(|one| one.name == name);
    let mut evidence = known.ok_or_else(|| EvidenceError::Unknown {
        name: name.into(),
        folder: folder(store.dir()),
    })?;
    if evidence.acknowledged.is_none() {
        // The ledger first: a fork that nobody is told of any more has an entry that says why.
        let entry = store.record(Event::Acknowledge(Acknowledgement {
            evidence: name.into(),
            reason: (!reason.is_empty()).then(|| reason.into()),
        }))?;
        let said = Acknowledged {
            time: entry.time,
            ledger: entry.number,
            reason: reason.into(),
        };
        let folder = folder(store.dir()).join(name);
        let mut text = serde_json::to_vec(&said).unwrap_or_default();
        text.push(b'\n');
        write(&folder, ACKNOWLEDGED, &text)
            .and_then(|()| sync(&folder))
            .map_err(failed("write", &folder.join(ACKNOWLEDGED)))?;
        evidence.acknowledged = Some(said);
    }
    Ok(evidence)
}

/// Keeps both heads, if the error is a fork; gives the folder that has them. The same fork found twice
/// is kept once.
pub(crate) fn keep(store: &Path, error: &CheckError) -> Option<io::Result<PathBuf>> {
    let CheckError::Fork { db, held, offered } = error else {
        return None;
    };
    // A database's name has slashes where it has a path; no other character of it means anything to a disk.
    let name = format!(
        "{}-{}-{}-{}",
        db.as_str().replace('/', "!"),
        held.head.size,
        offered.head.size,
        hex(&offered.head.hash.0[..8])
    );
    let all = folder(store);
    let folder = all.join(name);
    let keep = || {
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(&folder)?;
        for (name, note) in [("held.note", &held.note), ("offered.note", &offered.note)] {
            keep_file(&folder, name, note)?;
        }
        for folder in [&folder, &all, store] {
            sync(folder)?;
        }
        Ok(folder.clone())
    };
    Some(keep())
}

/// Writes the file unless it is there with these bytes: evidence that is whole is never opened for writing again.
fn keep_file(folder: &Path, name: &str, note: &[u8]) -> io::Result<()> {
    match fs::read(folder.join(name)) {
        Ok(kept) if kept == note => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => write(folder, name, note),
    }
}

/// Writes a file under another name and renames it, so that it is there whole or not at all.
fn write(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.as_file()
        .set_permissions(Permissions::from_mode(0o640))?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name))
        .map_err(|error| error.error)?;
    Ok(())
}

fn sync(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// A small file's bytes; `None` where there is none.
fn content(path: &Path) -> Result<Option<Vec<u8>>, EvidenceError> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// Where the evidence is.
fn folder(store: &Path) -> PathBuf {
    store.join("evidence")
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> EvidenceError {
    move |source| EvidenceError::Io {
        action,
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests;
