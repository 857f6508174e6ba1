//! Databases of tests, as they are read.

#![allow(clippy::unwrap_used)]

use modferry_checker::testing::TestVulndb;
use serde_json::Value;

use super::{Database, Documents};

/// The documents of a database.
pub fn documents(db: &TestVulndb) -> Documents {
    let mut documents = Documents::default();
    for (name, bytes) in &db.0 {
        documents.add(name.parse().unwrap(), bytes.clone()).unwrap();
    }
    documents
}

/// The database of these reports.
pub fn database(reports: &[Value]) -> Database {
    Database::new(documents(&TestVulndb::new(reports))).unwrap()
}
