//! The three indexes, and whether the reports are what they say.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};

use modferry_protocol::bundle::{DocumentName, is_report_id};

use super::documents::Documents;
use super::error::DatabaseError;
use super::report::Report;

#[derive(Deserialize)]
struct Db {
    modified: String,
}

/// An entry of `index/modules`.
#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(default, deserialize_with = "or_null")]
    vulns: Vec<Vuln>,
}

/// An entry of `index/vulns`, and of a module in `index/modules`.
#[derive(Deserialize)]
struct Vuln {
    id: String,
    modified: String,
}

/// When the database was last changed.
pub fn modified(documents: &Documents) -> Result<Timestamp, DatabaseError> {
    let db: Db = index(documents, DocumentName::DB)?;
    instant(DocumentName::DB, "modified", &db.modified)
}

/// The reports, which are those that the indexes name.
pub fn reports(documents: &Documents) -> Result<Vec<Report>, DatabaseError> {
    let vulns: Vec<Vuln> = index(documents, DocumentName::VULNS)?;
    let modules: Vec<Module> = index(documents, DocumentName::MODULES)?;
    let listed = listed(documents, &vulns)?;
    let mut reports = Vec::with_capacity(listed.len());
    for id in documents.ids() {
        let Some(said) = listed.get(id) else {
            return Err(DatabaseError::NotListed { id: id.to_owned() });
        };
        let report = Report::parse(id, documents.get(&format!("ID/{id}")).unwrap_or_default())?;
        same(DocumentName::VULNS, &report, *said)?;
        reports.push(report);
    }
    are_about(&modules, &reports)?;
    Ok(reports)
}

/// What `index/vulns` names, and when it was changed.
fn listed<'v>(
    documents: &Documents,
    vulns: &'v [Vuln],
) -> Result<BTreeMap<&'v str, Timestamp>, DatabaseError> {
    let mut listed = BTreeMap::new();
    for vuln in vulns {
        let modified = vuln.checked(DocumentName::VULNS)?;
        if documents.get(&format!("ID/{}", vuln.id)).is_none() {
            return Err(DatabaseError::NoReport {
                index: DocumentName::VULNS,
                id: vuln.id.clone(),
            });
        }
        listed.insert(vuln.id.as_str(), modified);
    }
    Ok(listed)
}

/// Whether `index/modules` names each report at each module that it is about, and no other.
fn are_about(modules: &[Module], reports: &[Report]) -> Result<(), DatabaseError> {
    let by_id: BTreeMap<&str, &Report> =
        reports.iter().map(|report| (report.id(), report)).collect();
    let mut said = BTreeSet::new();
    for module in modules {
        for vuln in &module.vulns {
            let modified = vuln.checked(DocumentName::MODULES)?;
            let Some(report) = by_id.get(vuln.id.as_str()) else {
                return Err(DatabaseError::NoReport {
                    index: DocumentName::MODULES,
                    id: vuln.id.clone(),
                });
            };
            same(DocumentName::MODULES, report, modified)?;
            said.insert((vuln.id.as_str(), module.path.as_str()));
        }
    }
    for report in reports {
        for module in report.modules() {
            if !said.contains(&(report.id(), module)) {
                return Err(DatabaseError::NotAbout {
                    id: report.id().to_owned(),
                    module: module.to_owned(),
                });
            }
        }
    }
    Ok(())
}

impl Vuln {
    /// When it was changed; its id is one.
    fn checked(&self, index: &'static str) -> Result<Timestamp, DatabaseError> {
        if !is_report_id(&self.id) {
            return Err(DatabaseError::Field {
                document: index.to_owned(),
                field: "id",
                value: self.id.clone(),
                what: "id of a report, as GO-2024-1234 is",
            });
        }
        instant(index, "modified", &self.modified)
    }
}

fn same(index: &'static str, report: &Report, said: Timestamp) -> Result<(), DatabaseError> {
    match report.modified == said {
        true => Ok(()),
        false => Err(DatabaseError::Changed {
            index,
            id: report.id().to_owned(),
            own: report.modified.to_string(),
            said: said.to_string(),
        }),
    }
}

fn index<T: DeserializeOwned>(
    documents: &Documents,
    name: &'static str,
) -> Result<T, DatabaseError> {
    let bytes = documents.get(name).ok_or(DatabaseError::NoIndex(name))?;
    serde_json::from_slice(bytes).map_err(|source| DatabaseError::Json {
        document: name.to_owned(),
        source,
    })
}

/// An instant, as documents have it.
pub(super) fn instant(
    document: &str,
    field: &'static str,
    text: &str,
) -> Result<Timestamp, DatabaseError> {
    text.parse().map_err(|_| DatabaseError::Field {
        document: document.to_owned(),
        field,
        value: text.to_owned(),
        what: "time in the form of RFC 3339",
    })
}

/// A list, for which Go writes `null` where it is empty.
pub(super) fn or_null<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
