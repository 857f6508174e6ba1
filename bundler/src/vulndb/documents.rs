//! The documents of a database by their names, within bounds, whatever they were read from.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;

use super::error::DatabaseError;

/// The most bytes of a document: 8 MiB. The largest known one, the index of modules, has about 1 MiB.
pub const MAX_DOCUMENT: u64 = 8 << 20;

/// The most documents of a database. The public one has some thousands.
pub const MAX_DOCUMENTS: usize = 65_536;

/// The most bytes of a database's documents together: 64 MiB. They are kept in memory.
pub const MAX_TOTAL: u64 = 64 << 20;

/// The most digits of a report's number.
const MAX_NUMBER: usize = 10;

/// A document's name: `index/db`, `index/modules`, `index/vulns`, or `ID/` and a report's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DocumentName(Box<str>);

impl DocumentName {
    /// When the database was last changed.
    pub const DB: &'static str = "index/db";
    /// Of each module the reports about it.
    pub const MODULES: &'static str = "index/modules";
    /// All reports.
    pub const VULNS: &'static str = "index/vulns";

    /// Checks a name; `None` of what is no document of a database.
    pub fn new(name: &str) -> Option<DocumentName> {
        let known = match name.strip_prefix("ID/") {
            Some(id) => is_id(id),
            None => [Self::DB, Self::MODULES, Self::VULNS].contains(&name),
        };
        known.then(|| DocumentName(name.into()))
    }

    /// The name of the report with this id.
    pub fn of_report(id: &str) -> Option<DocumentName> {
        DocumentName::new(&format!("ID/{id}"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for DocumentName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Whether it is a report's id: `GO-`, a year, and a number of four digits or more.
pub fn is_id(id: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let parts = id.strip_prefix("GO-").and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(year, number)| {
        year.len() == 4
            && (4..=MAX_NUMBER).contains(&number.len())
            && digits(year)
            && digits(number)
    })
}

/// The documents.
#[derive(Debug, Default)]
pub struct Documents {
    by_name: BTreeMap<DocumentName, Box<[u8]>>,
    total: u64,
}

impl Documents {
    /// Takes a document. Whoever reads it has kept to [`Documents::room`].
    pub fn add(&mut self, name: DocumentName, bytes: Vec<u8>) -> Result<(), DatabaseError> {
        if bytes.len() as u64 > MAX_DOCUMENT {
            return Err(DatabaseError::TooLarge(name));
        }
        self.total += bytes.len() as u64;
        if self.total > MAX_TOTAL {
            return Err(DatabaseError::TotalTooLarge);
        }
        if self.by_name.contains_key(&name) {
            return Err(DatabaseError::Twice(name));
        }
        if self.by_name.len() == MAX_DOCUMENTS {
            return Err(DatabaseError::TooMany);
        }
        self.by_name.insert(name, bytes.into());
        Ok(())
    }

    /// A document's bytes.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.by_name.get(name).map(AsRef::as_ref)
    }

    /// Each name and its bytes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let all = self.by_name.iter();
        all.map(|(name, bytes)| (name.as_str(), bytes.as_ref()))
    }

    /// The ids of the reports, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_name
            .keys()
            .filter_map(|name| name.as_str().strip_prefix("ID/"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn name(name: &str) -> DocumentName {
        DocumentName::new(name).unwrap()
    }

    #[test]
    fn names_are_those_of_the_layout() {
        for good in [
            "index/db",
            "index/modules",
            "index/vulns",
            "ID/GO-2024-0001",
            "ID/GO-2024-1234567890",
        ] {
            assert_eq!(name(good).as_str(), good);
        }
        for bad in [
            "",
            "index",
            "index/",
            "index/other",
            "index/db.json",
            "/index/db",
            "ID/",
            "ID/index",
            "ID/GO-2024-001",
            "ID/GO-2024-12345678901",
            "ID/GO-24-0001",
            "ID/GO-2024-00x1",
            "ID/go-2024-0001",
            "ID/GO-2024-0001/x",
            "ID/../ID/GO-2024-0001",
            "id/GO-2024-0001",
        ] {
            assert!(DocumentName::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_document_has_so_many_bytes_and_no_more() {
        let limit = usize::try_from(MAX_DOCUMENT).unwrap();
        let mut documents = Documents::default();
        documents.add(name("index/db"), vec![b' '; limit]).unwrap();
        let error = documents
            .add(name("index/vulns"), vec![b' '; limit + 1])
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("index/vulns: more than 8388608 bytes"),
            "{error}"
        );
    }

    #[test]
    fn all_of_them_have_so_many_bytes_and_no_more() {
        let limit = usize::try_from(MAX_DOCUMENT).unwrap();
        let mut documents = Documents::default();
        for number in 0..MAX_TOTAL / MAX_DOCUMENT {
            documents
                .add(name(&format!("ID/GO-2024-000{number}")), vec![b' '; limit])
                .unwrap();
        }
        documents.add(name("index/db"), Vec::new()).unwrap();
        let error = documents.add(name("index/vulns"), vec![b' ']).unwrap_err();
        assert!(matches!(error, DatabaseError::TotalTooLarge), "{error}");
    }

    #[test]
    fn there_are_so_many_and_no_more_each_once() {
        let mut documents = Documents::default();
        for number in 0..MAX_DOCUMENTS {
            documents
                .add(name(&format!("ID/GO-2024-{number:06}")), Vec::new())
                .unwrap();
        }
        let error = documents
            .add(name("ID/GO-2024-000001"), Vec::new())
            .unwrap_err();
        assert!(
            error.to_string().contains("GO-2024-000001 is there twice"),
            "{error}"
        );
        let error = documents.add(name("index/db"), Vec::new()).unwrap_err();
        assert!(matches!(error, DatabaseError::TooMany), "{error}");
    }
}
