//! `verify`: everything that an import checks, on the connected side: from nothing, or on top of the bundles that were
//! verified before in the same run.

mod earlier;
mod kept;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use modferry_checker::volume::{Examined, examine};
use modferry_checker::{CheckError, Report};
use modferry_protocol::bundle::{Basis, Manifest};
use modferry_protocol::note::VerifierKey;
use modferry_protocol::trust::Policy;

use crate::bundle::Bundle;
use crate::error::Error;
use crate::files;
use crate::key::MAX_KEY;
use crate::progress::Progress;

pub use earlier::Earlier;

/// A policy that asks for so many of these keys' signatures, and trusts these checksum databases besides the one
/// that is built in.
pub fn policy(
    keys: &[impl AsRef<Path>],
    required: usize,
    sumdbs: Vec<VerifierKey>,
) -> Result<Policy, Error> {
    let keys = keys
        .iter()
        .map(|path| verifier_key(path.as_ref()))
        .collect::<Result<Vec<_>, _>>()?;
    if required > keys.len() {
        return Err(Error::usage(format!(
            "{required} signatures are required, and {} public keys are given",
            keys.len()
        )));
    }
    let mut policy = Policy::new(keys, required, sumdbs)
        .map_err(|source| Error::usage_because("these keys make no policy", source))?;
    // Which private modules may come is for each destination to say.
    policy.leave_private_to_the_destination();
    Ok(policy)
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

/// What came of a verify.
#[derive(Debug)]
pub enum Verified {
    /// Every check of an import passed.
    Whole(Box<Report>),
    /// Not all volumes are there, or not what the bundle builds on. Those that are there are as they were written.
    Volumes(Box<Volumes>),
}

/// Volumes of a bundle that were looked at one by one.
#[derive(Debug)]
pub struct Volumes {
    /// What they are of.
    pub manifest: Manifest,
    /// The trusted keys that signed it, as NAME+HASH8.
    pub signers: Vec<String>,
    /// Each file, and what is in it.
    pub examined: Vec<(PathBuf, Examined)>,
    /// The file names of those that are not there.
    pub missing: Vec<String>,
}

/// Checks a bundle as an import would; or, where not all of its volumes are there, each that is by itself. So it is
/// with a bundle that builds on others that were not verified before: what those have brought is in a store on the other
/// side, and not here. What it brings is taken in, so that the next may build on it.
pub fn verify(
    bundle: &Bundle,
    policy: &Policy,
    earlier: &mut Earlier,
    progress: &Progress,
) -> Result<Verified, Error> {
    progress.phase("verifying");
    if !bundle.missing().is_empty() {
        let volumes = examine_all(bundle, policy)?;
        return Ok(Verified::Volumes(Box::new(volumes)));
    }
    let mut stage = earlier.stage().map_err(CheckError::stage)?;
    let volumes = shelf(bundle);
    let checked =
        modferry_checker::check(volumes, Some(&bundle.note), policy, &mut stage, progress);
    match checked {
        Ok(report) => {
            let brought = stage.brought();
            let taken_in = earlier.take_in(brought, &report);
            taken_in.map_err(CheckError::stage)?;
            Ok(Verified::Whole(Box::new(report)))
        }
        // The check stops at the first thing that is wrong; who has to copy volumes again wants to know all.
        Err(error @ CheckError::Damaged { .. }) => {
            examine_all(bundle, policy)?;
            Err(error.into())
        }
        Err(CheckError::Missing { .. }) if bundle.manifest.basis != Basis::None => {
            Ok(Verified::Volumes(Box::new(examine_all(bundle, policy)?)))
        }
        Err(error) => Err(error.into()),
    }
}

/// A bundle's volumes, to be opened by their numbers.
pub fn shelf(bundle: &Bundle) -> impl FnMut(u32) -> io::Result<File> + '_ {
    |number| match bundle.volume(number) {
        Some(front) => File::open(&front.path),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

/// Looks at each volume that is there by itself. An error names all damaged ones, and everything in them that is damaged.
fn examine_all(bundle: &Bundle, policy: &Policy) -> Result<Volumes, Error> {
    let accepted = policy
        .accept(&bundle.note)
        .map_err(|source| CheckError::Untrusted { source })?;
    let mut examined = Vec::new();
    let mut damaged = Vec::new();
    for front in &bundle.volumes {
        let path = &front.path;
        let file = File::open(path).map_err(Error::file("read", path))?;
        let spool =
            tempfile::tempfile().map_err(Error::file("write into", &std::env::temp_dir()))?;
        let name = path.display().to_string();
        match examine(
            &name,
            BufReader::with_capacity(1 << 20, file),
            &accepted,
            spool,
        ) {
            Ok(volume) => {
                damaged.extend(volume.damage(&name));
                examined.push((path.clone(), volume));
            }
            Err(error @ CheckError::Damaged { .. }) => damaged.push(error),
            Err(error) => return Err(error.into()),
        }
    }
    if !damaged.is_empty() {
        return Err(Error::Volumes(damaged));
    }
    let missing = bundle.missing();
    Ok(Volumes {
        manifest: bundle.manifest.clone(),
        signers: accepted.signers().iter().map(ToString::to_string).collect(),
        examined,
        missing: missing
            .iter()
            .map(|number| bundle.manifest.volume_file_name(*number))
            .collect(),
    })
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
