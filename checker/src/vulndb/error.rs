//! Why documents are no vulnerability database: the document, its field, and what is wrong with it.

use super::MAX_AFFECTED;

/// How much of a value an error shows.
const SHOWN: usize = 80;

/// Why documents are no database, or none that agrees with itself.
#[derive(Debug, thiserror::Error)]
pub enum VulndbError {
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
    #[error("{document}.json: {field}: {value} is no {what}")]
    Field {
        /// The document.
        document: String,
        /// The field.
        field: &'static str,
        /// Its value, quoted.
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
        /// The module, quoted.
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
    /// The database says that it was changed at another time than its last report was: it is mixed from two.
    #[error(
        "index/db.json: modified: {said}, and the report that was changed last is of {newest}: it is mixed from two databases"
    )]
    NotNewest {
        /// What the database says.
        said: String,
        /// What its reports say.
        newest: String,
    },
    /// More modules than [`MAX_AFFECTED`].
    #[error("its reports are about more than {MAX_AFFECTED} modules together")]
    TooManyAffected,
}

impl VulndbError {
    pub(super) fn field(
        document: &str,
        field: &'static str,
        value: &str,
        what: &'static str,
    ) -> VulndbError {
        VulndbError::Field {
            document: document.to_owned(),
            field,
            value: shown(value),
            what,
        }
    }
}

/// A value that somebody else has written: quoted, and its beginning where it is long.
pub(super) fn shown(value: &str) -> String {
    match value.char_indices().nth(SHOWN) {
        None => format!("{value:?}"),
        Some((end, _)) => format!("{:?}…", &value[..end]),
    }
}
