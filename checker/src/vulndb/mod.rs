//! Whether documents are a Go vulnerability database that agrees with itself, and that govulncheck can read: the same code on both
//! sides, so that what is signed is what is taken.
//!
//! Nothing vouches for what a report says. What can be known is looked at:
//!
//! - each document is JSON in the form that golang.org/x/vuln (internal/client, internal/osv) takes, times included: one that it cannot
//!   read ends every run of govulncheck, whatever module that is about;
//! - a report is the one that its name says;
//! - `index/modules`, which govulncheck asks first and alone, names each report at each module that it is about, and no report
//!   that is not there; `index/vulns` names all of them, and no other;
//! - all say the same of when a report was changed, and `index/db` says when the last one was: by that time the newer of two
//!   databases is found, so that a new date over old content would keep the newer content out.

mod error;
mod osv;
mod time;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use modferry_protocol::bundle::{DocumentName, is_report_id};
use serde::de::{DeserializeOwned, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer as _};

pub use error::VulndbError;
pub use osv::{Affected, Event, Range, Report};

/// The most modules that reports are about, each counted once for each report. The public database has some thousands of reports, of
/// which most are about one or two.
pub const MAX_AFFECTED: usize = 262_144;

/// Takes a database's documents in the order of their names, in which the indexes follow the reports.
#[derive(Debug, Default)]
pub struct VulndbCheck {
    reports: BTreeMap<Box<str>, Seen>,
    /// Modules of all reports together.
    affected: usize,
    /// When the last report was changed.
    newest: Option<Timestamp>,
    /// What `index/db` says of that.
    modified: Option<Timestamp>,
    modules: bool,
    vulns: bool,
}

/// A report that has come.
#[derive(Debug)]
struct Seen {
    modified: Timestamp,
    /// The modules that it is about and at which `index/modules` has not named it, in order.
    about: Vec<Box<str>>,
    /// Whether `index/vulns` names it.
    listed: bool,
}

/// `index/db`.
#[derive(Deserialize)]
struct Db {
    modified: String,
}

/// An entry of `index/modules`.
#[derive(Deserialize)]
struct Module {
    path: String,
    #[serde(default, deserialize_with = "osv::or_null")]
    vulns: Vec<Vuln>,
}

/// An entry of `index/vulns`, and of a module in `index/modules`.
#[derive(Deserialize)]
struct Vuln {
    id: String,
    modified: String,
    #[serde(default, rename = "fixed", deserialize_with = "osv::or_null")]
    _fixed: String,
}

impl VulndbCheck {
    /// Takes the next document. Gives the report, where it is one.
    pub fn document(
        &mut self,
        name: &DocumentName,
        json: &[u8],
    ) -> Result<Option<Report>, VulndbError> {
        match (name.report(), name.as_str()) {
            (Some(id), _) => return self.report(id, json).map(Some),
            (None, DocumentName::DB) => {
                let db: Db = parse(name.as_str(), json)?;
                self.modified = Some(changed(&db.modified)?);
            }
            (None, DocumentName::MODULES) => {
                self.modules = true;
                each(DocumentName::MODULES, json, |module: Module| {
                    self.module(&module)
                })?;
                self.all_are_named()?;
            }
            (None, _) => {
                self.vulns = true;
                each(DocumentName::VULNS, json, |vuln: Vuln| {
                    self.seen(DocumentName::VULNS, &vuln)?.listed = true;
                    Ok(())
                })?;
            }
        }
        Ok(None)
    }

    /// All documents were given. Says when the database was changed last.
    pub fn whole(self) -> Result<Timestamp, VulndbError> {
        let modified = self
            .modified
            .ok_or(VulndbError::NoIndex(DocumentName::DB))?;
        for (there, index) in [
            (self.modules, DocumentName::MODULES),
            (self.vulns, DocumentName::VULNS),
        ] {
            if !there {
                return Err(VulndbError::NoIndex(index));
            }
        }
        if let Some((id, _)) = self.reports.iter().find(|(_, seen)| !seen.listed) {
            return Err(VulndbError::NotListed { id: id.to_string() });
        }
        match self.newest {
            Some(newest) if newest != modified => Err(VulndbError::NotNewest {
                said: modified.to_string(),
                newest: newest.to_string(),
            }),
            // Without a report any time will do.
            _ => Ok(modified),
        }
    }

    fn report(&mut self, id: &str, json: &[u8]) -> Result<Report, VulndbError> {
        let report = Report::parse(id, json)?;
        let about: Vec<Box<str>> = report.modules().into_iter().map(Into::into).collect();
        self.affected += about.len();
        if self.affected > MAX_AFFECTED {
            return Err(VulndbError::TooManyAffected);
        }
        self.newest = self.newest.max(Some(report.modified));
        let seen = Seen {
            modified: report.modified,
            about,
            listed: false,
        };
        self.reports.insert(id.into(), seen);
        Ok(report)
    }

    fn module(&mut self, module: &Module) -> Result<(), VulndbError> {
        for vuln in &module.vulns {
            let seen = self.seen(DocumentName::MODULES, vuln)?;
            let at = seen
                .about
                .binary_search_by(|about| (**about).cmp(&*module.path));
            if let Ok(at) = at {
                seen.about.remove(at);
            }
        }
        Ok(())
    }

    /// The report that an index names, of which it says the right time.
    fn seen(&mut self, index: &'static str, vuln: &Vuln) -> Result<&mut Seen, VulndbError> {
        if !is_report_id(&vuln.id) {
            return Err(VulndbError::field(
                index,
                "id",
                &vuln.id,
                "id of a report, as GO-2024-1234 is",
            ));
        }
        let said = time::instant(index, "modified", &vuln.modified)?;
        let Some(seen) = self.reports.get_mut(vuln.id.as_str()) else {
            return Err(VulndbError::NoReport {
                index,
                id: vuln.id.clone(),
            });
        };
        match seen.modified == said {
            true => Ok(seen),
            false => Err(VulndbError::Changed {
                index,
                id: vuln.id.clone(),
                own: seen.modified.to_string(),
                said: said.to_string(),
            }),
        }
    }

    /// `index/modules` has named each report at each of its modules.
    fn all_are_named(&self) -> Result<(), VulndbError> {
        for (id, seen) in &self.reports {
            if let Some(module) = seen.about.first() {
                return Err(VulndbError::NotAbout {
                    id: id.to_string(),
                    module: error::shown(module),
                });
            }
        }
        Ok(())
    }
}

/// A time as manifests have it, in whole seconds of UTC: `2026-11-20T12:00:00Z`. Of four digits of a year, so that the
/// texts are ordered as the times are.
pub fn in_seconds(modified: Timestamp) -> String {
    modified.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// When the database was changed, which nobody did before 1970.
fn changed(text: &str) -> Result<Timestamp, VulndbError> {
    let instant = time::instant(DocumentName::DB, "modified", text)?;
    match instant.as_second() >= 0 {
        true => Ok(instant),
        false => Err(VulndbError::field(
            DocumentName::DB,
            "modified",
            text,
            "time since 1970",
        )),
    }
}

fn parse<T: DeserializeOwned>(document: &str, json: &[u8]) -> Result<T, VulndbError> {
    serde_json::from_slice(json).map_err(|source| VulndbError::Json {
        document: document.to_owned(),
        source,
    })
}

/// Calls `f` with each element of an array, one after the other; `null` is one without any.
fn each<T: DeserializeOwned>(
    index: &'static str,
    json: &[u8],
    mut f: impl FnMut(T) -> Result<(), VulndbError>,
) -> Result<(), VulndbError> {
    struct Each<T, F>(F, std::marker::PhantomData<T>);
    impl<'de, T: DeserializeOwned, F: FnMut(T) -> bool> Visitor<'de> for Each<T, F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of objects")
        }

        fn visit_unit<E>(self) -> Result<(), E> {
            Ok(())
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
            while let Some(element) = seq.next_element::<T>()? {
                if !self.0(element) {
                    return Err(A::Error::custom("what an element says is wrong"));
                }
            }
            Ok(())
        }
    }
    let mut wrong = None;
    let call = |element: T| f(element).map_err(|error| wrong = Some(error)).is_ok();
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = (&mut reader)
        .deserialize_any(Each(call, std::marker::PhantomData::<T>))
        .and_then(|()| reader.end());
    match (wrong, read) {
        (Some(error), _) => Err(error),
        (None, read) => read.map_err(|source| VulndbError::Json {
            document: index.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests;
