//! What is told about a bundle that was accepted: as JSON, and for people.

use super::ImportError;
use crate::store::{Counts, Kept, VulndbTaken, hex};
use crate::trust::{SignedImport, Taken, imports_text};
use modferry_checker::Report;
use modferry_cli::{bytes, count, duration};
use modferry_protocol::bundle::Manifest;
use serde::Serialize;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What became of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is part of the store now.
    Imported,
    /// It was before: nothing was done.
    AlreadyImported,
    /// Some of its volumes are still to come. Those that were given are whole, and kept.
    Staged,
    /// It passes every check that an import makes; nothing was written.
    Verified,
}

/// Which volumes of a bundle are at hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VolumesTold {
    /// How many it has.
    pub of: u32,
    /// The numbers of those that are at hand and whole.
    pub at_hand: Vec<u32>,
    /// The names of those that are still to come.
    pub to_come: Vec<String>,
}

/// What is told about a bundle that was accepted.
#[derive(Clone, Debug, Serialize)]
pub struct Done {
    /// What became of it.
    pub outcome: Outcome,
    /// How the bundle was called when it was given.
    pub bundle: String,
    /// Its stream.
    pub stream: String,
    /// Its number in the stream.
    pub sequence: u64,
    /// When it was made, as it says.
    pub created: String,
    /// SHA-256 of its manifest's text, in hexadecimal.
    pub manifest_sha256: String,
    /// The number of the import that brought it; `None` where it was only verified.
    pub import: Option<u64>,
    /// What is new to the store; `None` where nothing was written.
    pub added: Option<Counts>,
    /// What the store holds in other bytes, and keeps.
    pub kept: Option<Kept>,
    /// What became of the vulnerability database that it brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vulndb: Option<VulndbTaken>,
    /// What a person should know that is no error: gaps in the stream, for one.
    pub notes: Vec<String>,
    /// Its volumes, where not all are at hand.
    pub volumes: Option<VolumesTold>,
    /// What became of the trust notes that it brought, but those that were applied before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trust: Vec<Taken>,
    /// What the keys that they revoked had signed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub revoked_keys_imports: Vec<SignedImport>,
    /// The checks; `None` where the bundle was imported before.
    pub checks: Option<Report>,
    /// What of the time went into the commit, in seconds; the checks have their own times.
    pub commit_seconds: f64,
    /// Wall time, in seconds.
    pub seconds: f64,
    /// Where the report is that says the same; `None` where none was written.
    pub report: Option<PathBuf>,
}

impl Done {
    /// About a bundle that is only verified so far.
    pub(super) fn about(bundle: &str, manifest: &Manifest, notes: Vec<String>) -> Self {
        Self {
            outcome: Outcome::Verified,
            bundle: bundle.into(),
            stream: manifest.stream.to_string(),
            sequence: manifest.sequence.get(),
            created: manifest.created.clone(),
            manifest_sha256: hex(&manifest.sha256()),
            import: None,
            added: None,
            kept: None,
            vulndb: None,
            notes,
            volumes: None,
            trust: Vec::new(),
            revoked_keys_imports: Vec::new(),
            checks: None,
            commit_seconds: 0.0,
            seconds: 0.0,
            report: None,
        }
    }

    /// The failure that it is that some volumes are still to come.
    pub fn incomplete(&self) -> Option<ImportError> {
        let volumes = self.volumes.as_ref()?;
        Some(ImportError::Incomplete {
            bundle: self.bundle.clone(),
            to_come: volumes.to_come.clone(),
        })
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.outcome {
            Outcome::Imported => "imported",
            Outcome::AlreadyImported => "already imported, nothing to do",
            Outcome::Staged => "staged, nothing is visible yet",
            Outcome::Verified if self.volumes.is_some() => {
                "its volumes that are here are whole; nothing was written"
            }
            Outcome::Verified => "verified, nothing was written",
        };
        write!(
            f,
            "{}: {what} (stream {}, bundle {}, made {})",
            self.bundle, self.stream, self.sequence, self.created
        )?;
        if let Some(volumes) = &self.volumes {
            let numbers: Vec<_> = volumes.at_hand.iter().map(u32::to_string).collect();
            write!(
                f,
                "\n  here: volumes {} of {}\n  still to come: {}",
                numbers.join(", "),
                volumes.of,
                volumes.to_come.join(", ")
            )?;
        }
        if let Some(checks) = &self.checks {
            write!(f, "\n  manifest {}", self.manifest_sha256)?;
            for line in checks.to_string().trim_end().lines() {
                write!(f, "\n  {line}")?;
            }
        }
        if let Some(added) = &self.added {
            write!(
                f,
                "\n  committed in {}",
                duration(Duration::from_secs_f64(self.commit_seconds))
            )?;
            write!(
                f,
                "\n  new: {} of {}, {} ({}), {}, {}, {}, {}",
                count(added.versions, "module version"),
                count(added.modules, "new module"),
                count(added.zips, "zip"),
                bytes(added.zip_bytes),
                count(added.mods, "go.mod file"),
                count(added.records, "record"),
                count(added.tiles, "tile"),
                count(added.heads, "tree head")
            )?;
        }
        if let Some(kept) = &self.kept
            && !kept.names.is_empty()
        {
            let all = kept.infos + kept.mods + kept.zips;
            write!(
                f,
                "\n  note: {}: {}",
                match all {
                    1 => "1 thing is held in other bytes already and stays as it is".to_owned(),
                    all =>
                        format!("{all} things are held in other bytes already and stay as they are"),
                },
                kept.names.join(", ")
            )?;
        }
        if let Some(vulndb) = &self.vulndb {
            write!(
                f,
                "\n  vulnerability database of {} ({}): ",
                vulndb.modified,
                count(vulndb.documents, "document")
            )?;
            match &vulndb.before {
                _ if vulndb.served => f.write_str("served from now on")?,
                _ if vulndb.held => f.write_str("held already")?,
                Some(before) if *before == vulndb.modified => f.write_str(
                    "not taken, since a later bundle of this stream has brought another one of the same time",
                )?,
                before => write!(
                    f,
                    "not taken, since the one that is served is newer, of {} (where that cannot be: modferry-appliance gc --vulndb)",
                    before.as_deref().unwrap_or_default()
                )?,
            }
        }
        for note in &self.notes {
            write!(f, "\n  note: {note}")?;
        }
        for taken in &self.trust {
            write!(f, "\n  {taken}")?;
        }
        if !self.revoked_keys_imports.is_empty() {
            for line in imports_text(&self.revoked_keys_imports)
                .trim_start()
                .lines()
            {
                write!(f, "\n  {line}")?;
            }
        }
        let took = duration(Duration::from_secs_f64(self.seconds));
        match self.import {
            Some(number) => write!(f, "\n  import {number}, {took}")?,
            None => write!(f, "\n  {took}")?,
        }
        match &self.report {
            Some(report) => write!(f, "\n  report {}", report.display()),
            None => Ok(()),
        }
    }
}
