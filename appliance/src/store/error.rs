//! What can go wrong with a store, and what to do about it.

use super::MAX_HELD_FILES;
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::FileName;
use std::io;
use std::path::{Path, PathBuf};

/// Why the store could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no store in this folder.
    #[error("there is no store in {}", store.display())]
    Absent {
        /// The folder that was to be one.
        store: PathBuf,
    },
    /// The folder is a store, and nothing was ever imported into it.
    #[error("nothing was imported into the store in {} yet", store.display())]
    Empty {
        /// The store.
        store: PathBuf,
    },
    /// The store belongs to another user, and this is root.
    #[error("the store in {} belongs to the user with the number {owner}, and this is root", store.display())]
    Owner {
        /// The store.
        store: PathBuf,
        /// Its owner's number.
        owner: u32,
    },
    /// The store was written under another schema.
    #[error("the store in {} has schema {found}, this program reads schema {expected}", store.display())]
    Schema {
        /// The store.
        store: PathBuf,
        /// What the store says its schema is.
        found: String,
        /// What this program knows.
        expected: &'static str,
    },
    /// Another process is changing the store.
    #[error("the store in {} is in use by {holder}", store.display())]
    InUse {
        /// The store.
        store: PathBuf,
        /// What the holder wrote into the lock file: process id, time and command.
        holder: String,
    },
    /// Something in the store is not what this program writes there.
    #[error("the store is damaged: {what}")]
    Damaged {
        /// What is wrong, and where.
        what: String,
    },
    /// The store holds as many files as it may.
    #[error("the store holds {MAX_HELD_FILES} files, the most that it may, and {name} is one more")]
    TooManyFiles {
        /// The file that there is no place for.
        name: FileName,
    },
    /// A bundle's item is of a kind that stores do not keep, or differs from what it was checked to be.
    #[error("cannot take {item}: {reason}")]
    Refused {
        /// The item, as bundles name it.
        item: String,
        /// Why not.
        reason: String,
    },
    /// The disk is full.
    #[error("no room is left for the store: {have} bytes are free")]
    NoRoom {
        /// Bytes that are free.
        have: u64,
    },
    /// RocksDB failed.
    #[error("cannot {action}")]
    Rocks {
        /// What was being done, and to what.
        action: String,
        /// What RocksDB said.
        source: rocksdb::Error,
    },
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

impl StoreError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.into(),
            source,
        }
    }

    pub(crate) fn rocks(action: impl Into<String>) -> impl FnOnce(rocksdb::Error) -> Self {
        move |source| Self::Rocks {
            action: action.into(),
            source,
        }
    }

    /// Whether RocksDB found its own files damaged.
    pub fn is_corruption(&self) -> bool {
        matches!(self, Self::Rocks { source, .. } if source.kind() == rocksdb::ErrorKind::Corruption)
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}

impl Failure for StoreError {
    fn exit(&self) -> Exit {
        match self {
            Self::Absent { .. } | Self::Empty { .. } | Self::Owner { .. } | Self::Schema { .. } => {
                Exit::Usage
            }
            Self::InUse { .. } => Exit::InUse,
            Self::NoRoom { .. } | Self::TooManyFiles { .. } => Exit::NoRoom,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => Exit::NoRoom,
            Self::Damaged { .. } | Self::Refused { .. } | Self::Rocks { .. } | Self::Io { .. } => {
                Exit::Other
            }
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Absent { store } => format!(
                "make one with `modferry-appliance trust add KEYFILE --store {}`, or name another with --store",
                store.display()
            ),
            Self::Empty { store } => format!(
                "import a bundle: modferry-appliance import PATH --store {}",
                store.display()
            ),
            Self::Owner { owner, .. } => format!(
                "run the command as that user, so that the files stay its own: setpriv --reuid {owner} \
                 --regid {owner} --clear-groups modferry-appliance …, or runuser -u NAME -- modferry-appliance …"
            ),
            Self::Schema { store, .. } => format!(
                "use the release of modferry that wrote it, or import its bundles anew: move {0}/db away, \
                 then `modferry-appliance import PATH --store {0}`",
                store.display()
            ),
            Self::InUse { .. } => "wait for it to end, or repeat the command with --wait".into(),
            Self::Damaged { .. } => {
                "restore the store from a backup, or move its db folder away and import the bundles anew".into()
            }
            Self::NoRoom { .. } => {
                "the store is as it was before; make room on its disk and run the command again".into()
            }
            Self::TooManyFiles { .. } => {
                "the store is as it was before; have files taken back that nobody needs (on the connected side: take them out of \
                 modferry.yaml, then modferry-bundler export --prune), import that bundle, and remove them: modferry-appliance gc"
                    .into()
            }
            Self::Refused { .. } => return None,
            Self::Rocks { .. } if self.is_corruption() => {
                "the store is damaged; `modferry-appliance fsck` says what of it, and what to do".into()
            }
            Self::Rocks { .. } | Self::Io { .. } => {
                "the store is as it was before; mend the cause and run the command again".into()
            }
        })
    }
}
