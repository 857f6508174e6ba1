//! What was asked for and was not here: from the files that the server keeps of it to a wants file that may leave.
//!
//! The process that faces the network cannot write the store, so it keeps its misses in a folder of its own
//! ([`kept`]). Whether a miss is one still is not decided there but here, where it is listed and the store can be read:
//! what has come in since is wanted no more ([`here`]). What the go command asks for on behalf of one import is put
//! together ([`group`]), what was asked for by the way only is left out, and what was written out before is left out until somebody asks for it again ([`told`]).
//! [`list`] does all of that; the server's files are only ever read.

mod file;
pub mod group;
mod guesses;
pub mod here;
pub mod kept;
mod list;
pub mod told;

use std::io;
use std::path::PathBuf;

use crate::store::StoreError;
use crate::trust::TrustStoreError;
use modferry_cli::wants::Want;
use modferry_cli::{Exit, Failure};
use serde::{Deserialize, Serialize};

pub use file::{MAX_ENTRIES, Written, file};
pub use list::{Filter, Listed, Listing, list};

/// Where the server keeps its misses if no one says otherwise: below its unit's StateDirectory.
pub const DEFAULT_FOLDER: &str = "/var/lib/modferry-server/wants";

/// A want that was missed, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missed {
    /// The module, and which version of it. What was asked for as a list of versions is `latest`.
    pub want: Want,
    /// What of it was not here.
    pub parts: Parts,
    /// How often it was asked for: by one address, however many requests that were, at most once a second.
    pub asked: u64,
    /// When it was first asked for, in seconds since 1970, by the server's clock.
    pub first: u64,
    /// When it was last asked for.
    pub last: u64,
}

/// What can be missing of a module version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Part {
    /// Its `.info`.
    Info,
    /// Its go.mod.
    Mod,
    /// Its zip.
    Zip,
    /// Its record in the checksum database.
    Record,
    /// Any version of the module.
    Versions,
    /// Which version a branch, a commit or another query stands for.
    Query,
}

const PARTS: [Part; 6] = [
    Part::Info,
    Part::Mod,
    Part::Zip,
    Part::Record,
    Part::Versions,
    Part::Query,
];

/// A set of parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Part>", into = "Vec<Part>")]
pub struct Parts(u8);

impl Parts {
    /// Whether that part is among them.
    pub fn has(self, part: Part) -> bool {
        self.0 & (1 << part as u8) != 0
    }

    /// These and those.
    #[must_use]
    pub fn and(self, others: Parts) -> Parts {
        Parts(self.0 | others.0)
    }

    /// Whether a go.mod or go.sum file must have named the module: the go command only asks so for what one names.
    /// Anything else may be its guess at which module a package is in.
    pub fn is_certain(self) -> bool {
        [Part::Mod, Part::Zip, Part::Record]
            .into_iter()
            .any(|part| self.has(part))
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Part> {
        PARTS.into_iter().filter(move |part| self.has(*part))
    }
}

impl From<Part> for Parts {
    fn from(part: Part) -> Parts {
        Parts(1 << part as u8)
    }
}

impl From<Vec<Part>> for Parts {
    fn from(parts: Vec<Part>) -> Parts {
        let each = parts.into_iter().map(Parts::from);
        each.fold(Parts::default(), Parts::and)
    }
}

impl From<Parts> for Vec<Part> {
    fn from(parts: Parts) -> Vec<Part> {
        parts.iter().collect()
    }
}

/// Why nothing is known of what is wanted.
#[derive(Debug, thiserror::Error)]
pub enum MissedError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Which names are private is not known.
    #[error(transparent)]
    Trust(#[from] TrustStoreError),
    /// What was given as a pattern of module paths is none, and would match nothing.
    #[error("{pattern:?} is no pattern of module paths")]
    Pattern {
        /// What was given.
        pattern: String,
    },
    /// The server has no such folder.
    #[error("the server keeps no wants in {}", folder.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file is of a format that this version does not know.
    #[error("{} is of format {format}, and this version reads {}", path.display(), kept::FORMAT)]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format.
        format: u64,
    },
}

impl MissedError {
    fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> MissedError {
        let path = path.into();
        move |source| MissedError::Io {
            action,
            path,
            source,
        }
    }
}

impl Failure for MissedError {
    fn exit(&self) -> Exit {
        match self {
            MissedError::Store(error) => error.exit(),
            MissedError::Trust(error) => error.exit(),
            MissedError::Pattern { .. } | MissedError::NoFolder { .. } => Exit::Usage,
            MissedError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Exit::NoRoom
            }
            MissedError::Io { .. } => Exit::Other,
            MissedError::Damaged { .. } | MissedError::Newer { .. } => Exit::Damaged,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            MissedError::Store(error) => error.advice(),
            MissedError::Trust(error) => error.advice(),
            MissedError::Pattern { .. } => Some(
                "give a pattern as in GOPRIVATE, such as github.com/ours or 'github.com/*/tools'".into(),
            ),
            MissedError::NoFolder { .. } => Some(
                "say where it keeps them: --from DIR, as `wants: {folder: DIR}` in the server's settings has it; the \
                 server's log says at its start if it has no place to keep them"
                    .into(),
            ),
            MissedError::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("run it as the user that imports: sudo -u modferry modferry-appliance wants".into())
            }
            MissedError::Io { .. } => None,
            MissedError::Damaged { path, .. } => Some(format!(
                "remove it, what it counted is lost: rm {}",
                path.display()
            )),
            MissedError::Newer { .. } => Some("use modferry-appliance of the server's version".into()),
        }
    }
}

#[cfg(test)]
mod tests;
