//! Import: from a bundle, however it comes, to a new state of the store; and `verify`, which does all
//! of it but the last step.
//!
//! In this order, so that nothing is believed too early and nothing is written in vain:
//!
//! 1. whom this machine trusts ([`crate::trust`]); without a key there is no import;
//! 2. the store's lock, and whom this machine trusts by then: that may have taken hours;
//! 3. the manifest, which the policy must accept before a field of it is used;
//! 4. was this very bundle imported already? Then there is nothing to do;
//! 5. is there room for what the manifest says is coming?
//! 6. every check of [`modferry_checker::check`], while the contents collect in a [`crate::store::Draft`];
//! 7. one commit.
//!
//! A run that ends anywhere before the commit, by whatever cause, leaves the store as it was, and the
//! same command does it all again. A run that ends behind it finds itself at step 4 the next time.

mod error;
mod input;
mod room;
pub mod spool;
mod stage;
mod told;

pub use error::ImportError;
pub use input::{Bundle, find};
pub use room::{RESERVE, needed};

use crate::evidence;
use crate::store::{Counts, Kept, Reader, Source, Store, StoreError, View, hex};
use crate::trust::TrustStore;
use modferry_checker::{CheckError, Progress, Report, SpoolStage, check};
use modferry_protocol::bundle::Manifest;
use modferry_protocol::trust::Policy;
use serde::Serialize;
use stage::{ImportStage, VerifyStage};
use std::path::Path;
use std::time::Instant;

/// What became of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is part of the store now.
    Imported,
    /// It was before: nothing was done.
    AlreadyImported,
    /// It passes every check that an import makes; nothing was written.
    Verified,
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
    /// What a person should know that is no error: gaps in the stream, for one.
    pub notes: Vec<String>,
    /// The checks; `None` where the bundle was imported before.
    pub checks: Option<Report>,
    /// Wall time, in seconds.
    pub seconds: f64,
}

/// A store that is being imported into.
pub struct Session {
    store: Store,
    policy: Policy,
}

impl Session {
    /// Reads whom to trust, then takes the store's lock: waits for it if `wait`. An empty store is made
    /// where there is none.
    pub fn begin(store: &Path, wait: bool) -> Result<Self, ImportError> {
        Self::begin_with(store, || Store::open_or_create(store, "import", wait))
    }

    fn begin_with(
        store: &Path,
        lock: impl FnOnce() -> Result<Store, StoreError>,
    ) -> Result<Self, ImportError> {
        let trust = TrustStore::of(store);
        trust.policy()?; // before a store is made for nobody
        let store = lock()?;
        let policy = trust.policy()?;
        Ok(Self { store, policy })
    }

    /// Whom this import trusts.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Imports one bundle.
    pub fn import(&self, bundle: &Bundle, progress: &dyn Progress) -> Result<Done, ImportError> {
        let begun = Instant::now();
        let opened = bundle.open(&self.policy)?;
        let manifest = opened.manifest().clone();
        let sha256 = manifest.sha256();
        let mut done = told(&bundle.name, &manifest, notes(&self.store, &manifest)?);
        if let Some(number) = self.store.imported(&sha256)? {
            done.outcome = Outcome::AlreadyImported;
            done.import = Some(number);
            done.seconds = begun.elapsed().as_secs_f64();
            return Ok(done);
        }
        room::check(self.store.dir(), &bundle.name, &manifest)?;

        let mut stage = ImportStage(self.store.draft(&sha256)?);
        let report = check(
            opened.reader,
            opened.sidecar.as_deref(),
            &self.policy,
            &mut stage,
            progress,
        )
        .map_err(|error| self.refused(bundle, error))?;
        progress.step("committing to the store");
        let source = Source {
            stream: manifest.stream.to_string(),
            sequence: manifest.sequence.get(),
            created: manifest.created.clone(),
            manifest: String::from_utf8_lossy(&opened.note).into_owned(),
            signers: report.signers.clone(),
            report: serde_json::to_value(&report).unwrap_or_default(),
        };
        let entry = stage.0.commit(source)?;
        done.outcome = Outcome::Imported;
        done.import = Some(entry.number);
        done.added = Some(entry.added);
        done.kept = Some(entry.kept);
        done.checks = Some(report);
        done.seconds = begun.elapsed().as_secs_f64();
        Ok(done)
    }

    /// Ends the session: gives RocksDB time to merge what several imports have brought.
    pub fn end(self) {
        self.store.tidy();
    }

    fn refused(&self, bundle: &Bundle, error: CheckError) -> ImportError {
        let evidence = evidence::keep(self.store.dir(), &error);
        ImportError::refused(&bundle.name, error, evidence)
    }
}

/// Makes every check of an import and writes nothing. What the bundle builds on is looked for in the
/// store, where there is one; whom to trust comes from it, too.
pub fn verify(
    store: &Path,
    bundles: &[Bundle],
    progress: &dyn Progress,
    mut done: impl FnMut(Done),
) -> Result<(), ImportError> {
    let policy = TrustStore::of(store).policy()?;
    let log = tempfile::tempdir().map_err(|source| ImportError::Input {
        path: std::env::temp_dir(),
        source,
    })?;
    let held = match Reader::open(store, log.path()) {
        Err(StoreError::Absent { .. } | StoreError::Empty { .. }) => None,
        opened => Some(opened?),
    };
    for bundle in bundles {
        let begun = Instant::now();
        let opened = bundle.open(&policy)?;
        let manifest = opened.manifest().clone();
        let mut notes = match &held {
            Some(held) => notes(held, &manifest)?,
            None => vec!["nothing was imported here yet: the bundle was checked by itself".into()],
        };
        let imported = match &held {
            Some(held) => held.imported(&manifest.sha256())?,
            None => None,
        };
        if let Some(number) = imported {
            notes.push(format!("it was imported already, as number {number}"));
        }
        let refused = |error| ImportError::refused(&bundle.name, error, None);
        let spool = SpoolStage::new().map_err(|error| refused(CheckError::stage(error)))?;
        let mut stage = VerifyStage {
            spool,
            held: held.as_deref(),
        };
        let report = check(
            opened.reader,
            opened.sidecar.as_deref(),
            &policy,
            &mut stage,
            progress,
        )
        .map_err(refused)?;
        let mut told = told(&bundle.name, &manifest, notes);
        told.import = imported;
        told.checks = Some(report);
        told.seconds = begun.elapsed().as_secs_f64();
        done(told);
    }
    Ok(())
}

fn told(bundle: &str, manifest: &Manifest, notes: Vec<String>) -> Done {
    Done {
        outcome: Outcome::Verified,
        bundle: bundle.into(),
        stream: manifest.stream.to_string(),
        sequence: manifest.sequence.get(),
        created: manifest.created.clone(),
        manifest_sha256: hex(&manifest.sha256()),
        import: None,
        added: None,
        kept: None,
        notes,
        checks: None,
        seconds: 0.0,
    }
}

/// What is odd about a bundle's place in its stream. None of it is an error: what a bundle needs, it
/// needs from the store, and that is checked.
fn notes(view: &View, manifest: &Manifest) -> Result<Vec<String>, StoreError> {
    let totals = view.totals()?;
    let sequence = manifest.sequence.get();
    let mut notes = Vec::new();
    let newest = totals.streams.get(manifest.stream.as_str());
    match newest.map_or(0, |newest| newest.sequence) {
        last if sequence > last + 1 => {
            let gap = match sequence - 1 {
                before if before == last + 1 => format!("bundle {before}"),
                before => format!("bundles {} to {before}", last + 1),
            };
            notes.push(format!(
                "{gap} of stream {} never came here before this one, and nothing of it is needed",
                manifest.stream
            ));
        }
        last if sequence < last => notes.push(format!(
            "bundle {last} of stream {} came here before this one",
            manifest.stream
        )),
        last if sequence == last
            && newest.is_some_and(|newest| newest.manifest_sha256 != hex(&manifest.sha256())) =>
        {
            notes.push(format!(
                "another bundle {sequence} of stream {} came here before: two exports write the same stream",
                manifest.stream
            ));
        }
        _ => {}
    }
    if !manifest.missing.is_empty() {
        notes.push(format!(
            "{} module versions could not be had when it was exported, and are not in it",
            manifest.missing.len()
        ));
    }
    Ok(notes)
}

#[cfg(test)]
mod tests;
