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
//! 6. are all its volumes at hand, given or staged before? If not, what was given is examined and staged;
//! 7. is there room for what the manifest says is coming?
//! 8. every check of [`modferry_checker::check`], while the contents collect in a [`crate::store::Draft`];
//! 9. one commit;
//! 10. the changes of the keys that it brought, if it did, and then the report of it all.
//!
//! A run that ends anywhere before the commit, by whatever cause, leaves the store as it was, and the
//! same command does it all again. A run that ends behind it finds itself at step 4 the next time.

mod bundle;
mod cure;
mod done;
mod error;
mod find;
mod glob;
pub mod report;
mod room;
pub mod spool;
mod stage;
mod staged;
mod stream;
mod trust_notes;
mod verify;
mod volumes;

pub use bundle::{BadVolume, Bundle};
pub use done::{Done, Outcome, VolumesTold};
pub use error::ImportError;
pub use find::find;
pub use room::{RESERVE, needed};
pub use staged::{Pending, abandon, pending};
pub use trust_notes::trust_notes_of_last;
pub use verify::verify;

use crate::evidence;
use crate::store::{Source, Store, StoreError};
use crate::trust::TrustStore;
use bundle::{Opened, unreadable};
use modferry_checker::{CheckError, Progress, check};
use modferry_protocol::trust::Policy;
use stage::ImportStage;
use staged::Staged;
use std::cell::RefCell;
use std::path::Path;
use std::time::Instant;
use volumes::AtHand;

/// A store that is being imported into.
pub struct Session {
    store: Store,
    trust: TrustStore,
    /// Changes with the trust notes that bundles bring.
    policy: RefCell<Policy>,
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
        trust_notes::settle(&store, &trust)?;
        let policy = RefCell::new(trust.policy()?);
        let session = Self {
            store,
            trust,
            policy,
        };
        session.judge_anew()?;
        session.sweep()?;
        Ok(session)
    }

    /// Whom this import trusts by now. What is in the store already is accepted once more, to be found imported.
    pub fn policy(&self) -> Policy {
        self.policy.borrow().clone()
    }

    /// Imports one bundle, if all of its volumes are at hand; stages what was given of it if not.
    pub fn import(&self, bundle: &Bundle, progress: &dyn Progress) -> Result<Done, ImportError> {
        self.take(bundle, true, progress)
    }

    /// The same, and no volume is copied into the store: those of a bundle that is not whole stay where they are.
    fn import_in_place(
        &self,
        bundle: &Bundle,
        progress: &dyn Progress,
    ) -> Result<Done, ImportError> {
        self.take(bundle, false, progress)
    }

    fn take(
        &self,
        bundle: &Bundle,
        stage: bool,
        progress: &dyn Progress,
    ) -> Result<Done, ImportError> {
        let begun = Instant::now();
        let mut opened = bundle.open(self.store.dir(), &self.policy())?;
        let manifest = opened.manifest().clone();
        let staged = Staged::of_text(self.store.dir(), manifest.encode().as_bytes());
        let notes = stream::notes(&self.store, &manifest)?;
        let mut done = Done::about(&bundle.name, &manifest, notes);
        if let Some(number) = self.store.imported(&manifest.sha256())? {
            done.outcome = Outcome::AlreadyImported;
            done.import = Some(number);
            report::recover(self.store.dir(), &self.store, number)?;
            opened.drain();
            done.seconds = begun.elapsed().as_secs_f64();
            return Ok(done);
        }
        stream::only_forward(&self.store, &bundle.name, &manifest)?;

        let scratch = self.store.dir();
        let mut volumes = AtHand::of(&mut opened, &staged, scratch, &bundle.name)?;
        if volumes.bad.is_empty() && volumes.is_complete() {
            let joined = self.join(bundle, &opened, &mut volumes, progress, &mut done);
            if self.is_whole_but_damaged(&joined, &volumes) {
                // Which of them, and what else? The good ones need not be carried again.
                let staged = (stage && volumes.count() > 1).then_some(&staged);
                self.examine(&opened, &mut volumes, staged, progress)?;
                volumes.refuse_bad(&bundle.name)?;
            }
            joined?;
        } else {
            let known_bad = !volumes.bad.is_empty();
            if !(known_bad && volumes.is_complete()) {
                let staged = (stage && volumes.count() > 1).then_some(&staged);
                self.examine(&opened, &mut volumes, staged, progress)?;
            }
            if volumes.bad.is_empty() && volumes.is_complete() {
                self.join(bundle, &opened, &mut volumes, progress, &mut done)?;
            } else if volumes.bad.is_empty() {
                done.outcome = Outcome::Staged;
                done.volumes = Some(volumes.told(&bundle.name, &opened)?);
            } else {
                volumes.refuse_bad(&bundle.name)?;
            }
        }
        done.seconds = begun.elapsed().as_secs_f64();
        if done.outcome == Outcome::Imported {
            report::keep(self.store.dir(), &mut done);
            if let Err(error) = staged.clear() {
                tracing::warn!(%error, "cannot remove the staged volumes of an imported bundle");
            }
            if !done.trust.is_empty() {
                self.judge_anew()?;
            }
        }
        Ok(done)
    }

    /// Reads the bundle from its first volume to its last, proves it, and commits it.
    fn join(
        &self,
        bundle: &Bundle,
        opened: &Opened,
        volumes: &mut AtHand,
        progress: &dyn Progress,
        done: &mut Done,
    ) -> Result<(), ImportError> {
        let manifest = opened.manifest();
        room::check(self.store.dir(), &bundle.name, manifest)?;
        let mut stage = ImportStage(self.store.draft(&manifest.sha256())?, Vec::new());
        let report = check(
            volumes.open(),
            Some(&opened.note),
            &self.policy(),
            &mut stage,
            progress,
        )
        .map_err(|error| self.refused(bundle, error))?;
        let news = self.trust.news(std::mem::take(&mut stage.1));
        let news = news.map_err(|source| ImportError::TrustNote {
            bundle: bundle.name.clone(),
            source,
        })?;
        progress.step("committing to the store");
        let source = Source {
            stream: manifest.stream.to_string(),
            sequence: manifest.sequence.get(),
            created: manifest.created.clone(),
            manifest: String::from_utf8_lossy(&opened.note).into_owned(),
            signers: report.signers.clone(),
            report: serde_json::to_value(&report).unwrap_or_default(),
            trust: news.clone(),
        };
        let committing = Instant::now();
        let entry = stage.0.commit(source)?;
        done.commit_seconds = committing.elapsed().as_secs_f64();
        done.outcome = Outcome::Imported;
        done.import = Some(entry.number);
        done.added = Some(entry.added);
        done.kept = Some(entry.kept);
        done.vulndb = entry.vulndb;
        done.checks = Some(report);
        trust_notes::take(&self.store, &self.trust, &news, done);
        Ok(())
    }

    fn is_whole_but_damaged(&self, joined: &Result<(), ImportError>, volumes: &AtHand) -> bool {
        match joined {
            Err(ImportError::Refused { source, .. }) => {
                matches!(**source, CheckError::Damaged { .. }) && volumes.can_be_read_again()
            }
            _ => false,
        }
    }

    /// Looks at each volume by itself, and copies those that are whole into the place given.
    fn examine(
        &self,
        opened: &Opened,
        volumes: &mut AtHand,
        staged: Option<&Staged>,
        progress: &dyn Progress,
    ) -> Result<(), ImportError> {
        let store = self.store.dir();
        if let Some(staged) = staged {
            room::for_copies(store, opened.manifest(), volumes.to_copy()?)?;
            staged.begin(&opened.note)?;
        }
        volumes.examine(&opened.accepted, staged, store, progress)
    }

    /// From here on, bundles are judged by the keys that are trusted now.
    fn judge_anew(&self) -> Result<(), ImportError> {
        let mut policy = self.trust.policy()?;
        policy.remember(self.store.imported_manifests()?);
        self.policy.replace(policy);
        Ok(())
    }

    /// Whether trust notes wait here for one who may change whom to trust.
    fn keys_wait(&self) -> Result<bool, ImportError> {
        let pending = self.trust.pending()?;
        Ok(pending.iter().any(|note| note.refused.is_none()))
    }

    /// Removes what a killed import left behind that no import will use.
    fn sweep(&self) -> Result<(), ImportError> {
        let reports = report::folder(self.store.dir());
        report::sweep(&reports).map_err(unreadable(&reports))?;
        staged::sweep(self.store.dir(), |sha256| {
            Ok(self.store.imported(sha256)?.is_some())
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
