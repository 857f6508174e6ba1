//! The documents of a database by their names, within bounds, whatever they were read from.

use std::collections::BTreeMap;

use modferry_protocol::bundle::{self, DocumentName};

use super::error::DatabaseError;

/// The most bytes of a document: what a bundle carries.
pub const MAX_DOCUMENT: u64 = bundle::MAX_DOCUMENT as u64;

/// The most documents of a database, likewise.
pub const MAX_DOCUMENTS: usize = bundle::MAX_DOCUMENTS as usize;

/// The most bytes of a database's documents together: 64 MiB, so that with their names they fit into what a bundle carries. They are
/// kept in memory.
pub const MAX_TOTAL: u64 = 64 << 20;

/// The documents.
#[derive(Debug, Default)]
pub struct Documents {
    by_name: BTreeMap<DocumentName, Box<[u8]>>,
    total: u64,
}

impl Documents {
    /// Takes a document, which whoever read it has kept within [`MAX_DOCUMENT`] and a byte.
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

    /// Each name and its bytes, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&DocumentName, &[u8])> {
        let all = self.by_name.iter();
        all.map(|(name, bytes)| (name, bytes.as_ref()))
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
