//! `verify`: every check of an import, and nothing written.

use super::stage::VerifyStage;
use super::staged::Staged;
use super::volumes::AtHand;
use super::{Bundle, Done, ImportError, stream};
use crate::store::{Reader, StoreError};
use crate::trust::TrustStore;
use modferry_checker::{CheckError, Progress, SpoolStage, check};
use std::path::Path;
use std::time::Instant;

/// Makes every check of an import and writes nothing. What the bundle builds on is looked for in the
/// store, where there is one; whom to trust comes from it, too.
pub fn verify(
    store: &Path,
    bundles: &[Bundle],
    progress: &dyn Progress,
    mut done: impl FnMut(Done),
) -> Result<(), ImportError> {
    let trust = TrustStore::of(store);
    let policy = trust.policy()?;
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
        let mut opened = bundle.open(store, &policy)?;
        let manifest = opened.manifest().clone();
        let mut notes = match &held {
            Some(held) => stream::notes(held, &manifest)?,
            None => vec!["nothing was imported here yet: the bundle was checked by itself".into()],
        };
        let imported = match &held {
            Some(held) => held.imported(&manifest.sha256())?,
            None => None,
        };
        if let Some(number) = imported {
            notes.push(format!("it was imported already, as number {number}"));
        }
        if let (Some(held), None) = (&held, imported) {
            stream::only_forward(held, &bundle.name, &manifest)?;
        }
        let refused = |error| ImportError::refused(&bundle.name, error, None);
        let scratch = std::env::temp_dir();
        let staged = Staged::of_text(store, manifest.encode().as_bytes());
        let mut volumes = AtHand::of(&mut opened, &staged, &scratch, &bundle.name)?;
        let mut told = Done::about(&bundle.name, &manifest, notes);
        let whole = volumes.bad.is_empty() && volumes.is_complete();
        if whole {
            let spool = SpoolStage::new().map_err(|error| refused(CheckError::stage(error)))?;
            let mut stage = VerifyStage {
                spool,
                held: held.as_deref(),
                trust_notes: Vec::new(),
            };
            let checked = check(
                volumes.open(),
                Some(&opened.note),
                &policy,
                &mut stage,
                progress,
            );
            match checked {
                Ok(report) => {
                    told.checks = Some(report);
                    let carried = std::mem::take(&mut stage.trust_notes);
                    let foretold = trust.news(carried).and_then(|news| trust.foretell(&news));
                    let foretold = foretold.map_err(|source| ImportError::TrustNote {
                        bundle: bundle.name.clone(),
                        source,
                    })?;
                    told.notes.extend(foretold);
                }
                Err(CheckError::Damaged { .. }) if volumes.can_be_read_again() => {
                    volumes.examine(&opened.accepted, None, &scratch, progress)?;
                    checked
                        .map_err(refused)
                        .or_else(|error| volumes.refuse_bad(&bundle.name).and(Err(error)))?;
                }
                Err(error) => return Err(refused(error)),
            }
        } else {
            volumes.examine(&opened.accepted, None, &scratch, progress)?;
            volumes.refuse_bad(&bundle.name)?;
            told.volumes = Some(volumes.told(&bundle.name, &opened)?);
            told.notes.push(
                "each volume here is what its signed index says; whether the bundle is proven and complete is checked \
                 when all are there".into(),
            );
        }
        told.import = imported;
        told.seconds = begun.elapsed().as_secs_f64();
        done(told);
    }
    Ok(())
}
