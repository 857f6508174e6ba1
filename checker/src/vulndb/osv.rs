//! Reports as govulncheck takes them: each field that it knows has the form that it wants, and others may have any.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::VulndbError;
use super::time::instant;

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    id: String,
    /// When it was last changed.
    pub modified: Timestamp,
    /// Since when it counts for nothing.
    withdrawn: Option<Timestamp>,
    aliases: Vec<String>,
    summary: String,
    affected: Vec<Affected>,
}

/// A module, and which of its versions.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Affected {
    package: Package,
    /// The versions; without any, all of them.
    #[serde(default, deserialize_with = "or_null")]
    pub ranges: Vec<Range>,
    #[serde(
        default,
        rename = "ecosystem_specific",
        deserialize_with = "looked_at::<Specific, _>"
    )]
    _specific: (),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct Package {
    /// The module's path; `stdlib` and `toolchain` for Go itself.
    name: String,
    #[serde(
        default,
        rename = "ecosystem",
        deserialize_with = "looked_at::<String, _>"
    )]
    _ecosystem: (),
}

/// Versions from one that has it to one that has it no more, several times.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Range {
    /// How versions are written: `SEMVER`.
    #[serde(default, rename = "type", deserialize_with = "or_null")]
    pub kind: String,
    /// Where it begins and ends.
    #[serde(default, deserialize_with = "or_null")]
    pub events: Vec<Event>,
}

/// A version that begins or ends a range; empty where it does not say.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Event {
    /// The first version that has it.
    #[serde(default, deserialize_with = "or_null")]
    pub introduced: String,
    /// The first version that has it no more.
    #[serde(default, deserialize_with = "or_null")]
    pub fixed: String,
}

#[derive(Deserialize)]
struct Specific {
    #[serde(default, rename = "imports", deserialize_with = "or_null")]
    _imports: Vec<Import>,
}

/// A package, and what of it is vulnerable.
#[derive(Deserialize)]
struct Import {
    #[serde(default, rename = "path", deserialize_with = "or_null")]
    _path: String,
    #[serde(default, rename = "goos", deserialize_with = "or_null")]
    _goos: Vec<String>,
    #[serde(default, rename = "goarch", deserialize_with = "or_null")]
    _goarch: Vec<String>,
    #[serde(default, rename = "symbols", deserialize_with = "or_null")]
    _symbols: Vec<String>,
}

/// Its JSON.
#[derive(Deserialize)]
struct Text {
    #[serde(default, rename = "schema_version", deserialize_with = "or_null")]
    _schema_version: String,
    id: String,
    modified: String,
    #[serde(default)]
    published: Option<String>,
    #[serde(default)]
    withdrawn: Option<String>,
    #[serde(default, deserialize_with = "or_null")]
    aliases: Vec<String>,
    #[serde(default, deserialize_with = "or_null")]
    summary: String,
    #[serde(default, rename = "details", deserialize_with = "or_null")]
    _details: String,
    #[serde(default, deserialize_with = "or_null")]
    affected: Vec<Affected>,
    #[serde(default, rename = "references", deserialize_with = "or_null")]
    _references: Vec<Reference>,
    #[serde(default, rename = "credits", deserialize_with = "or_null")]
    _credits: Vec<Credit>,
    #[serde(default, rename = "database_specific")]
    _database_specific: Option<DatabaseSpecific>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default, rename = "type", deserialize_with = "or_null")]
    _kind: String,
    #[serde(default, rename = "url", deserialize_with = "or_null")]
    _url: String,
}

#[derive(Deserialize)]
struct Credit {
    #[serde(default, rename = "name", deserialize_with = "or_null")]
    _name: String,
}

#[derive(Deserialize)]
struct DatabaseSpecific {
    #[serde(default, rename = "url", deserialize_with = "or_null")]
    _url: String,
    #[serde(default, rename = "review_status")]
    _review_status: Option<ReviewStatus>,
}

/// What govulncheck knows; another one it does not take.
#[derive(Deserialize)]
enum ReviewStatus {
    #[serde(rename = "")]
    Unknown,
    #[serde(rename = "UNREVIEWED")]
    Unreviewed,
    #[serde(rename = "REVIEWED")]
    Reviewed,
}

impl Report {
    /// Reads the report with this id.
    pub(super) fn parse(id: &str, json: &[u8]) -> Result<Report, VulndbError> {
        let document = format!("ID/{id}");
        let text: Text = super::parse(&document, json)?;
        if text.id != id {
            return Err(VulndbError::field(
                &document,
                "id",
                &text.id,
                "id of the report of that name",
            ));
        }
        let time = |field, text: &str| instant(&document, field, text);
        let published = text.published.as_deref();
        published.map(|text| time("published", text)).transpose()?;
        let withdrawn = text.withdrawn.as_deref();
        Ok(Report {
            modified: time("modified", &text.modified)?,
            withdrawn: withdrawn.map(|text| time("withdrawn", text)).transpose()?,
            id: text.id,
            aliases: text.aliases,
            summary: text.summary,
            affected: text.affected,
        })
    }

    /// Its id: `GO-2024-1234`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its names in other databases: `CVE-2024-12345`, `GHSA-…`.
    pub fn aliases(&self) -> &[String] {
        &self.aliases
    }

    /// What it is about, in its own words; empty where it does not say.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The modules that it is about, each once.
    pub fn modules(&self) -> BTreeSet<&str> {
        self.affected.iter().map(Affected::module).collect()
    }

    /// What it says of a module.
    pub fn about<'r>(&'r self, module: &'r str) -> impl Iterator<Item = &'r Affected> {
        let affected = self.affected.iter();
        affected.filter(move |affected| affected.module() == module)
    }

    /// Whether it counts for nothing now.
    pub fn is_withdrawn(&self, now: Timestamp) -> bool {
        self.withdrawn.is_some_and(|withdrawn| withdrawn < now)
    }
}

impl Affected {
    /// The module's path; `stdlib` and `toolchain` for Go itself.
    pub fn module(&self) -> &str {
        &self.package.name
    }
}

/// What Go writes as `null` where it is empty, and takes likewise.
pub(super) fn or_null<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What has the form that govulncheck wants, and is not kept.
fn looked_at<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<(), D::Error> {
    Option::<T>::deserialize(deserializer).map(drop)
}
