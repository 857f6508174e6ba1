//! `verify`: every check of an import, and nothing written.

use super::stage::VerifyStage;
use super::{Bundle, Done, ImportError, stream};
use crate::store::{Reader, StoreError};
use crate::trust::TrustStore;
use modferry_checker::{CheckError, Progress, SpoolStage, check};
use modferry_protocol::bundle::OneVolume;
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
        let spool = SpoolStage::new().map_err(|error| refused(CheckError::stage(error)))?;
        let mut stage = VerifyStage {
            spool,
            held: held.as_deref(),
        };
        let report = check(
            OneVolume::new(opened.reader),
            opened.sidecar.as_deref(),
            &policy,
            &mut stage,
            progress,
        )
        .map_err(refused)?;
        let mut told = Done::about(&bundle.name, &manifest, notes);
        told.import = imported;
        told.checks = Some(report);
        told.seconds = begun.elapsed().as_secs_f64();
        done(told);
    }
    Ok(())
}
