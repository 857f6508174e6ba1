//! Names of the documents that a Go vulnerability database is made of: what clients ask for, less `.json`.
//!
//! ```text
//! index/db            when the database was last changed
//! index/modules       of each module the reports about it
//! index/vulns         all reports
//! ID/GO-2024-0001     a report
//! ```
//!
//! A name stands in a URL and in a database's text, and never names a file. go.dev/security/vuln/database has the paths, and how
//! reports are numbered.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use super::text;

/// The most digits of a report's number.
pub const MAX_REPORT_NUMBER: usize = 10;

/// The name of a document: ordered as its text is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentName(Box<str>);

/// A name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "document {0}: want index/db, index/modules, index/vulns or ID/GO-YEAR-NUMBER, a number of 4 to \
     {MAX_REPORT_NUMBER} digits"
)]
pub struct DocumentNameError(String);

impl DocumentName {
    /// When the database was last changed.
    pub const DB: &'static str = "index/db";
    /// Of each module the reports about it.
    pub const MODULES: &'static str = "index/modules";
    /// All reports.
    pub const VULNS: &'static str = "index/vulns";

    /// Checks a name.
    pub fn new(name: &str) -> Result<DocumentName, DocumentNameError> {
        let fits = match name.strip_prefix("ID/") {
            Some(id) => is_report_id(id),
            None => [Self::DB, Self::MODULES, Self::VULNS].contains(&name),
        };
        match fits {
            true => Ok(DocumentName(name.into())),
            false => Err(DocumentNameError(text::shown(name.as_bytes()))),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ID, where it is a report's name.
    pub fn report(&self) -> Option<&str> {
        self.0.strip_prefix("ID/")
    }
}

/// Whether it is a report's ID: `GO-`, a year of four digits, and a number of at least as many.
pub fn is_report_id(id: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let parts = id.strip_prefix("GO-").and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(year, number)| {
        year.len() == 4
            && (4..=MAX_REPORT_NUMBER).contains(&number.len())
            && digits(year)
            && digits(number)
    })
}

impl Borrow<str> for DocumentName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for DocumentName {
    type Err = DocumentNameError;

    fn from_str(name: &str) -> Result<DocumentName, DocumentNameError> {
        DocumentName::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_the_indexes_and_the_reports() {
        for good in [
            "index/db",
            "index/modules",
            "index/vulns",
            "ID/GO-2024-0001",
            "ID/GO-2024-1234567890",
        ] {
            assert!(DocumentName::new(good).is_ok_and(|name| name.as_str() == good));
        }
        for bad in [
            "",
            "index",
            "index/",
            "index/other",
            "index/db.json",
            "/index/db",
            "../index/db",
            "ID",
            "ID/",
            "ID/index",
            "ID/..",
            "ID/GO-2024-001",
            "ID/GO-2024-12345678901",
            "ID/GO-24-0001",
            "ID/GO-2024-00x1",
            "ID/go-2024-0001",
            "ID/GO-2024-0001/x",
            "ID/GO-2024-0001.json",
            "id/GO-2024-0001",
        ] {
            assert!(DocumentName::new(bad).is_err(), "{bad:?}");
        }
    }
}
