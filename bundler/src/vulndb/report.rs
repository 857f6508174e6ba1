//! A report: what it is called, which versions of which modules it is about, and which of these have it mended.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use super::error::DatabaseError;
use super::index::{instant, or_null};

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    text: Text,
    /// When it was last changed.
    pub modified: Timestamp,
    /// Since when it counts for nothing.
    withdrawn: Option<Timestamp>,
}

/// What is read of its JSON.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct Text {
    id: String,
    modified: String,
    #[serde(default)]
    withdrawn: Option<String>,
    #[serde(default, deserialize_with = "or_null")]
    aliases: Vec<String>,
    #[serde(default)]
    summary: String,
    #[serde(default, deserialize_with = "or_null")]
    affected: Vec<Affected>,
}

/// A module, and which of its versions.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Affected {
    package: Package,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) ranges: Vec<Range>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct Package {
    /// The module's path; `stdlib` and `toolchain` for Go itself.
    name: String,
}

/// Versions from one that has it to one that has it no more, several times.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Range {
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(default, deserialize_with = "or_null")]
    pub(super) events: Vec<Event>,
}

/// A version that begins or ends a range; empty where it does not say.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub(super) struct Event {
    #[serde(default)]
    pub(super) introduced: String,
    #[serde(default)]
    pub(super) fixed: String,
}

impl Report {
    /// Reads the report with this id.
    pub(super) fn parse(id: &str, bytes: &[u8]) -> Result<Report, DatabaseError> {
        let document = || format!("ID/{id}");
        let text: Text = serde_json::from_slice(bytes).map_err(|source| DatabaseError::Json {
            document: document(),
            source,
        })?;
        if text.id != id {
            return Err(DatabaseError::Field {
                document: document(),
                field: "id",
                value: text.id,
                what: "id of the report of that name",
            });
        }
        let modified = instant(&document(), "modified", &text.modified)?;
        let withdrawn = text.withdrawn.as_deref();
        let withdrawn = withdrawn.map(|text| instant(&document(), "withdrawn", text));
        Ok(Report {
            modified,
            withdrawn: withdrawn.transpose()?,
            text,
        })
    }

    /// Its id: `GO-2024-1234`.
    pub fn id(&self) -> &str {
        &self.text.id
    }

    /// Its names in other databases: `CVE-2024-12345`, `GHSA-…`.
    pub fn aliases(&self) -> &[String] {
        &self.text.aliases
    }

    /// What it is about, in its own words; empty where it does not say.
    pub fn summary(&self) -> &str {
        &self.text.summary
    }

    /// The modules that it is about, each once.
    pub fn modules(&self) -> BTreeSet<&str> {
        let affected = self.text.affected.iter();
        affected
            .map(|affected| affected.package.name.as_str())
            .collect()
    }

    /// What it says of a module.
    pub(super) fn about<'r>(&'r self, module: &'r str) -> impl Iterator<Item = &'r Affected> {
        let affected = self.text.affected.iter();
        affected.filter(move |affected| affected.package.name == module)
    }

    /// Whether it counts for nothing now.
    pub fn is_withdrawn(&self, now: Timestamp) -> bool {
        self.withdrawn.is_some_and(|withdrawn| withdrawn < now)
    }
}
