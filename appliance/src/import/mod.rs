//! Import: from a bundle, however it comes, to a new state of the store; and `verify`, which does all
//! of it but the last step.
//!
//! In this order, so that nothing is believed too early and nothing is written in vain:
//!
//! 1. whom this machine trusts ([`crate::trust`]); without a key there is no import;
//! 2. the store's lock, and whom this machine trusts by then: that may have taken hours;
//! 3. the manifest, which the policy must accept before a field of it is used;
//! 4. was this very bundle imported already? Then there is nothing to do;
//! 5. would it take back what a newer bundle of its stream has said?
//! 6. is there room for what the manifest says is coming?
//! 7. every check of [`modferry_checker::check`], while the contents collect in a [`crate::store::Draft`];
//! 8. one commit, and then the report of it.
//!
//! A run that ends anywhere before the commit, by whatever cause, leaves the store as it was, and the
//! same command does it all again. A run that ends behind it finds itself at step 4 the next time.

mod cure;
mod done;
mod error;
mod glob;
mod input;
pub mod report;
mod room;
pub mod spool;
mod stage;
mod stream;
mod verify;

pub use done::{Done, Outcome};
pub use error::ImportError;
pub use input::{Bundle, find};
pub use room::{RESERVE, needed};
pub use verify::verify;

use crate::evidence;
use crate::store::{Source, Store, StoreError};
use crate::trust::TrustStore;
use modferry_checker::{CheckError, Progress, check};
use modferry_protocol::bundle::OneVolume;
use modferry_protocol::trust::Policy;
use stage::ImportStage;
use std::io;
use std::path::Path;
use std::time::Instant;

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
        let session = Self { store, policy };
        session.sweep()?;
        Ok(session)
    }

    /// Whom this import trusts.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Imports one bundle.
    pub fn import(&self, bundle: &Bundle, progress: &dyn Progress) -> Result<Done, ImportError> {
        let begun = Instant::now();
        let mut opened = bundle.open(&self.policy)?;
        let manifest = opened.manifest().clone();
        let sha256 = manifest.sha256();
        let notes = stream::notes(&self.store, &manifest)?;
        let mut done = Done::about(&bundle.name, &manifest, notes);
        if let Some(number) = self.store.imported(&sha256)? {
            done.outcome = Outcome::AlreadyImported;
            done.import = Some(number);
            report::recover(self.store.dir(), &self.store, number)?;
            if bundle.is_pipe() {
                // Whoever sends must not see a broken pipe where nothing is wrong.
                let _ = io::copy(&mut opened.reader, &mut io::sink());
            }
            done.seconds = begun.elapsed().as_secs_f64();
            return Ok(done);
        }
        stream::only_forward(&self.store, &bundle.name, &manifest)?;
        room::check(self.store.dir(), &bundle.name, &manifest)?;

        let mut stage = ImportStage(self.store.draft(&sha256)?);
        let report = check(
            OneVolume::new(opened.reader),
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
        let committing = Instant::now();
        let entry = stage.0.commit(source)?;
        done.commit_seconds = committing.elapsed().as_secs_f64();
        done.outcome = Outcome::Imported;
        done.import = Some(entry.number);
        done.added = Some(entry.added);
        done.kept = Some(entry.kept);
        done.checks = Some(report);
        done.seconds = begun.elapsed().as_secs_f64();
        report::keep(self.store.dir(), &mut done);
        Ok(done)
    }

    /// Removes what a killed import left behind that no import will use.
    fn sweep(&self) -> Result<(), ImportError> {
        let reports = report::folder(self.store.dir());
        report::sweep(&reports).map_err(|source| ImportError::Input {
            path: reports,
            source,
        })
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

#[cfg(test)]
mod tests;
