//! Why something is no vulnerability database that can be used: the document, its field, and what is wrong with it.

use std::io;
use std::path::PathBuf;

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
    /// An index is not there.
    #[error("it has no {0}.json")]
    NoIndex(&'static str),
    /// A document is not the JSON that it should be.
    #[error("{document}.json is not what the format says")]
    Json {
        /// The document.
        document: String,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// A field of a document has a value that it cannot have.
    #[error("{document}.json: {field}: {value:?} is no {what}")]
    Field {
        /// The document.
        document: String,
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        what: &'static str,
    },
    /// An index names a report that is not there.
    #[error("{index}.json names {id}, and ID/{id}.json is not there")]
    NoReport {
        /// The index.
        index: &'static str,
        /// The report.
        id: String,
    },
    /// An index does not name a report that is there.
    #[error("ID/{id}.json is there, and index/vulns.json does not name it")]
    NotListed {
        /// The report.
        id: String,
    },
    /// The index of modules does not name a report about a module, so that govulncheck would not find it.
    #[error("ID/{id}.json is about {module}, and index/modules.json does not say so")]
    NotAbout {
        /// The report.
        id: String,
        /// The module.
        module: String,
    },
    /// An index has another version of a report than is there.
    #[error("ID/{id}.json: modified: {own}, and {index}.json says {said}")]
    Changed {
        /// The index.
        index: &'static str,
        /// The report.
        id: String,
        /// What the report says.
        own: String,
        /// What the index says.
        said: String,
    },
}
