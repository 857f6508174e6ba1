//! The Go vulnerability database on the connected side: read from where a site has it, checked, and asked which of the
//! module versions that are carried have known vulnerabilities.
//!
//! Its layout is the one that govulncheck reads (golang.org/x/vuln's internal/client and internal/osv are the reference):
//!
//! | document | what it is |
//! |---|---|
//! | `index/db` | when the database was last changed |
//! | `index/modules` | of each module the reports about it; govulncheck looks here first, and nowhere else |
//! | `index/vulns` | all reports, with their other names |
//! | `ID/GO-2024-1234` | a report, in the format of OSV |
//!
//! Each is a JSON document. A web server or a folder has it under its name with `.json`, or `.json.gz` behind it; all of them
//! together are published as one zip.
//!
//! What is taken is a snapshot that agrees with itself ([`VulndbCheck`]): the indexes name exactly the reports that are there, as of the
//! time that these say of themselves. A database that is being changed while it is read, or of which a copy stopped half-way, would
//! hide reports without a word. What a report says beyond what is asked here is carried as it was published, and not looked at.

mod affects;
pub mod config;
mod documents;
mod error;
mod read;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use modferry_checker::vulndb::VulndbCheck;
use modferry_protocol::bundle::DocumentName;
use modferry_protocol::module::ModuleVersion;

pub use documents::{Documents, MAX_DOCUMENT, MAX_DOCUMENTS, MAX_TOTAL};
pub use error::DatabaseError;
pub use modferry_checker::vulndb::Report;
pub use read::{MAX_ZIP, at_hand};

use affects::Subject;

/// A snapshot of the database.
#[derive(Debug)]
pub struct Database {
    /// When it was last changed, as it says itself.
    pub modified: Timestamp,
    documents: Documents,
    reports: Vec<Report>,
    /// By module path, the places of the reports about it.
    about: BTreeMap<String, Vec<usize>>,
}

/// A vulnerability that a module version is known to have.
#[derive(Clone, Debug)]
pub struct Finding<'d> {
    /// The report.
    pub report: &'d Report,
    /// The first later version without it: `v1.4.2`, or `go1.25.4` for Go itself; `None` where there is none yet.
    pub fixed: Option<String>,
}

/// How far ahead of the clock here a database may have been changed.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Whether it is of a time that has not come. Never an older database takes the place of a newer one, so such a one would stay.
pub fn is_ahead(modified: Timestamp, now: Timestamp) -> bool {
    modified.duration_since(now) > AHEAD
}

impl Database {
    /// Checks that the documents are a database, and reads what they say.
    pub fn new(documents: Documents) -> Result<Database, DatabaseError> {
        // The code that looks at it on the other side.
        let mut check = VulndbCheck::default();
        let mut reports = Vec::new();
        for (name, json) in documents.iter() {
            reports.extend(check.document(name, json)?);
        }
        let modified = check.whole()?;
        let mut about: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, report) in reports.iter().enumerate() {
            for module in report.modules() {
                about.entry(module.to_owned()).or_default().push(place);
            }
        }
        Ok(Database {
            modified,
            documents,
            reports,
            about,
        })
    }

    /// The same, if its time has come by that clock. A day more is granted to clocks that go wrong.
    pub fn of_the_past(self, now: Timestamp) -> Result<Database, DatabaseError> {
        match is_ahead(self.modified, now) {
            true => Err(DatabaseError::Ahead {
                modified: self.modified,
                now,
            }),
            false => Ok(self),
        }
    }

    /// Each document's name, without `.json`, and its bytes as they were published; in order of their names.
    pub fn documents(&self) -> impl Iterator<Item = (&DocumentName, &[u8])> {
        self.documents.iter()
    }

    /// The reports, in order of their ids.
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }

    /// What is known of a module version, by the ids of the reports. What is withdrawn by now does not count.
    pub fn findings(&self, module: &ModuleVersion, now: Timestamp) -> Vec<Finding<'_>> {
        let subject = Subject::of(module);
        let places = subject
            .names
            .iter()
            .filter_map(|name| self.about.get(*name));
        let places: BTreeSet<usize> = places.flatten().copied().collect();
        let reports = places.into_iter().map(|place| &self.reports[place]);
        let standing = reports.filter(|report| !report.is_withdrawn(now));
        let found = standing.filter_map(|report| {
            let affected = subject.affected(report);
            let fixed = subject.fixed(&affected);
            (!affected.is_empty()).then_some(Finding { report, fixed })
        });
        found.collect()
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
