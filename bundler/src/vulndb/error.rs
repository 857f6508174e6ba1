//! Why something is no vulnerability database that can be used, and what to do about it.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;
use modferry_checker::vulndb::VulndbError;
use modferry_protocol::bundle::DocumentName;
use modferry_protocol::zip::ZipError;

use super::documents::{MAX_DOCUMENT, MAX_DOCUMENTS, MAX_TOTAL};

/// Why a database is none, or not whole.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The zip is none.
    #[error("its zip cannot be read")]
    Zip(#[from] ZipError),
    /// A document in the zip.
    #[error("{document} cannot be unpacked")]
    Unpack {
        /// The document.
        document: DocumentName,
        /// Why not.
        source: io::Error,
    },
    /// A file or folder.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A document that is there more than once.
    #[error("{0} is there twice")]
    Twice(DocumentName),
    /// A document that is longer than [`MAX_DOCUMENT`].
    #[error("{0}: more than {MAX_DOCUMENT} bytes")]
    TooLarge(DocumentName),
    /// More documents than [`MAX_DOCUMENTS`].
    #[error("more than {MAX_DOCUMENTS} documents")]
    TooMany,
    /// More bytes than [`MAX_TOTAL`].
    #[error("its documents have more than {MAX_TOTAL} bytes together")]
    TotalTooLarge,
    /// They are no database, or none that agrees with itself.
    #[error(transparent)]
    Disagrees(#[from] VulndbError),
    /// It was changed at a time that has not come: a destination that took it would take no later one before that time.
    #[error("it says that it was changed last at {modified}, and by the clock here it is {now}")]
    Ahead {
        /// What it says.
        modified: Timestamp,
        /// The time here.
        now: Timestamp,
    },
}

impl DatabaseError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::TooLarge(_)
            | Self::TooMany
            | Self::TotalTooLarge
            | Self::Disagrees(VulndbError::TooManyAffected) => {
                "this modferry carries no larger one: if the database has grown past that, use a newer modferry, on both sides; \
                 nothing was written"
            }
            Self::Ahead { .. } => {
                "set this machine's clock right; if it is right, ask whoever publishes the database; nothing was written"
            }
            _ => "copy or fetch it again, all of it at once; nothing was written",
        }
    }
}
