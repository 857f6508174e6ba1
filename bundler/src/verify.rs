//! `verify`: everything that an import checks, from nothing, on the connected side.

use std::fs::File;
use std::path::Path;

use modferry_checker::{Report, SpoolStage};
use modferry_protocol::bundle::{MAX_MANIFEST, OneVolume};
use modferry_protocol::note::VerifierKey;
use modferry_protocol::trust::Policy;

use crate::error::Error;
use crate::files;
use crate::inspect::Files;
use crate::key::MAX_KEY;
use crate::progress::Progress;

/// A policy that trusts these keys, and these checksum databases besides the one that is built in.
pub fn policy(keys: &[impl AsRef<Path>], sumdbs: Vec<VerifierKey>) -> Result<Policy, Error> {
    let keys = keys
        .iter()
        .map(|path| verifier_key(path.as_ref()))
        .collect::<Result<_, _>>()?;
    Policy::new(keys, 1, sumdbs)
        .map_err(|source| Error::usage_because("these keys make no policy", source))
}

/// Reads a verifier key's file.
pub fn verifier_key(path: &Path) -> Result<VerifierKey, Error> {
    let bytes = files::read_bounded(path, MAX_KEY).map_err(Error::file("read the key", path))?;
    String::from_utf8_lossy(&bytes)
        .trim()
        .parse()
        .map_err(|source| {
            Error::usage_because(
                format!("{} is no public key (NAME+HASH+KEY)", path.display()),
                source,
            )
        })
}

/// Checks one bundle whole.
pub fn verify(files_: &Files, policy: &Policy, progress: &Progress) -> Result<Report, Error> {
    let path = &files_.volume;
    let volume = File::open(path).map_err(Error::file("read", path))?;
    let sidecar = match &files_.sidecar {
        Some(path) => {
            Some(files::read_bounded(path, MAX_MANIFEST).map_err(Error::file("read", path))?)
        }
        None => None,
    };
    let mut stage = SpoolStage::new().map_err(modferry_checker::CheckError::stage)?;
    progress.phase("verifying");
    Ok(modferry_checker::check(
        OneVolume::new(volume),
        sidecar.as_deref(),
        policy,
        &mut stage,
        progress,
    )?)
}

impl modferry_checker::Progress for Progress {
    fn step(&self, _name: &str) {}
    fn total(&self, bytes: u64) {
        Progress::total(self, bytes);
    }
    fn advance(&self, bytes: u64) {
        Progress::advance(self, bytes);
    }
}
