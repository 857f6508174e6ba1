//! A vulnerability database, as it comes: piece by piece, document by document, each of them looked at before it goes to the
//! stage.
//!
//! Nothing vouches for what a report says but the bundle's signature. What can be known is looked at: that the
//! whole is what the manifest names, byte for byte; that each document is JSON and is the one that its name says; that the time
//! of the last change is the manifest's, since that decides which of two databases is served; and that the indexes name
//! no report that is not there, since whoever asks would be told that there is none.

use std::collections::BTreeSet;
use std::fmt;

use modferry_protocol::bundle::{DocumentName, Item, Manifest, Snapshot, SnapshotReader};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer as _};

use crate::prove::Missing;
use crate::{CheckError, Report, Stage};

/// What came of a database so far.
#[derive(Default)]
pub(super) struct Documents {
    reader: SnapshotReader,
    /// The reports' IDs.
    reports: BTreeSet<Box<str>>,
    /// When it was changed last, as it says itself.
    modified: Option<String>,
    /// Whether the index of modules, which clients ask for first, has come.
    modules: bool,
}

/// Why a document is not what its name says.
#[derive(Debug, thiserror::Error)]
enum DocumentError {
    #[error("{name}: {what}")]
    Other { name: DocumentName, what: String },
    #[error("{name}: not as databases have it")]
    Json {
        name: DocumentName,
        source: serde_json::Error,
    },
}

impl Documents {
    /// Takes the next piece.
    pub(super) fn piece<S: Stage>(
        &mut self,
        (volume, entry): (&str, &str),
        item: &Item,
        piece: &[u8],
        stage: &mut S,
    ) -> Result<(), CheckError> {
        let damaged = |source: Box<dyn std::error::Error + Send + Sync>| {
            CheckError::damaged(volume, format!("{entry}, {item}"), source)
        };
        let documents = self.reader.piece(piece);
        for (name, json) in documents.map_err(|error| damaged(error.into()))? {
            self.look_at(&name, json)
                .map_err(|error| damaged(error.into()))?;
            stage.document(&name, json).map_err(CheckError::stage)?;
        }
        Ok(())
    }

    /// All pieces are in: they are the snapshot that the manifest names. One that is not carried must be held, or a later
    /// one.
    pub(super) fn are_in<S: Stage>(
        &mut self,
        manifest: &Manifest,
        stage: &mut S,
        missing: &mut Missing,
        report: &mut Report,
    ) -> Result<(), CheckError> {
        let Some(vulndb) = &manifest.vulndb else {
            return Ok(());
        };
        let named = &vulndb.snapshot;
        if !vulndb.carried {
            let held = stage.held_vulndb().map_err(CheckError::stage)?;
            if held.is_none_or(|held| held.modified < named.modified) {
                missing.vulndb(named);
            }
            return Ok(());
        }
        let came = std::mem::take(self);
        came.whole(named).map_err(|what| {
            CheckError::damaged(
                &manifest.volume_file_name(1),
                "the vulnerability database",
                what,
            )
        })?;
        stage.vulndb(named).map_err(CheckError::stage)?;
        report.documents = named.documents;
        Ok(())
    }

    fn whole(self, named: &Snapshot) -> Result<(), String> {
        let Some(modified) = &self.modified else {
            return Err(format!("it has no {}", DocumentName::DB));
        };
        if !self.modules {
            return Err(format!("it has no {}", DocumentName::MODULES));
        }
        if *modified != named.modified {
            return Err(format!(
                "it was changed last at {modified}, and the manifest says {}",
                named.modified
            ));
        }
        match self.reader.finish(modified) == *named {
            true => Ok(()),
            false => Err("it is another one than the manifest names".into()),
        }
    }

    fn look_at(&mut self, name: &DocumentName, json: &[u8]) -> Result<(), DocumentError> {
        let other = |what: String| DocumentError::Other {
            name: name.clone(),
            what,
        };
        let wrong = |source| DocumentError::Json {
            name: name.clone(),
            source,
        };
        match (name.report(), name.as_str()) {
            (Some(id), _) => {
                let report: Named = serde_json::from_slice(json).map_err(wrong)?;
                if report.id != id {
                    return Err(other(format!("it is the report {:?}", report.id)));
                }
                self.reports.insert(id.into());
            }
            (None, DocumentName::DB) => self.modified = Some(vulndb_modified(json).map_err(other)?),
            (None, DocumentName::MODULES) => {
                self.modules = true;
                each(json, |module: Module| self.are_here(&module.vulns)).map_err(wrong)?;
            }
            (None, _) => each(json, |vuln: Named| self.are_here(&[vuln])).map_err(wrong)?,
        }
        Ok(())
    }

    /// Reports come before the indexes that name them.
    fn are_here(&self, named: &[Named]) -> Result<(), String> {
        match (named.iter()).find(|named| !self.reports.contains(named.id.as_str())) {
            None => Ok(()),
            Some(absent) => Err(format!(
                "it names the report {:?}, which the database has not",
                absent.id
            )),
        }
    }
}

/// When a database was changed last, as its document `index/db` says, in whole seconds of UTC: `2026-11-20T12:00:00Z`; or
/// what is wrong with it.
pub fn vulndb_modified(db: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Db {
        modified: String,
    }
    let db: Db = serde_json::from_slice(db).map_err(|error| error.to_string())?;
    let instant: jiff::Timestamp = (db.modified.parse())
        .map_err(|error| format!("modified: {:?} is no time: {error}", db.modified))?;
    let text = instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    // Of four digits, so that the texts are ordered as the times are.
    match instant.as_second() >= 0 {
        true => Ok(text),
        false => Err(format!("modified: {text} is before 1970")),
    }
}

/// What of a report, and of where one is named, is looked at.
#[derive(Deserialize)]
struct Named {
    id: String,
}

/// What of a module in the index is looked at.
#[derive(Deserialize)]
struct Module {
    #[serde(default)]
    vulns: Vec<Named>,
}

/// Calls `f` with each element of an array, one after the other.
fn each<T: for<'de> Deserialize<'de>>(
    json: &[u8],
    f: impl FnMut(T) -> Result<(), String>,
) -> Result<(), serde_json::Error> {
    struct Each<T, F>(F, std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Result<(), String>> Visitor<'de> for Each<T, F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of objects")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
            while let Some(element) = seq.next_element::<T>()? {
                self.0(element).map_err(A::Error::custom)?;
            }
            Ok(())
        }
    }
    let mut json = serde_json::Deserializer::from_slice(json);
    (&mut json).deserialize_seq(Each(f, std::marker::PhantomData))?;
    json.end()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_time_of_the_last_change_has_one_spelling() {
        let of =
            |modified: &str| vulndb_modified(format!("{{\"modified\":{modified}}}").as_bytes());
        for spelt in [
            "\"2026-11-20T12:00:00Z\"",
            "\"2026-11-20T12:00:00.999999999Z\"",
            "\"2026-11-20T14:00:00+02:00\"",
        ] {
            assert_eq!(of(spelt).unwrap(), "2026-11-20T12:00:00Z", "{spelt}");
        }
        for bad in [
            "\"\"",
            "1",
            "\"2026-11-20\"",
            "\"2026-13-20T12:00:00Z\"",
            "\"1969-12-31T23:59:59Z\"",
            "\"-002026-11-20T12:00:00Z\"",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
        assert!(vulndb_modified(b"{}").is_err());
        assert!(
            vulndb_modified(
                b"{\"modified\":\"2026-11-20T12:00:00Z\",\"modified\":\"2027-11-20T12:00:00Z\"}"
            )
            .is_err()
        );
    }
}
