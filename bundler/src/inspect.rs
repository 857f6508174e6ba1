//! `inspect`: what a bundle says of itself. It proves nothing: `verify` does.

use std::path::{Path, PathBuf};

use modferry_checker::united_note;
use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::MAX_MANIFEST;
use modferry_protocol::note;
use modferry_protocol::trust::Policy;

use crate::error::Error;
use crate::files;
use crate::front::Front;

/// The files of one bundle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Files {
    /// The volume.
    pub volume: PathBuf,
    /// The manifest beside it, if it is there.
    pub sidecar: Option<PathBuf>,
}

/// The bundles that a path names: a volume, a manifest, or a folder of them.
pub fn find(path: &Path) -> Result<Vec<Files>, Error> {
    let meta = std::fs::metadata(path).map_err(Error::file("read", path))?;
    if meta.is_dir() {
        let mut volumes = Vec::new();
        for entry in std::fs::read_dir(path).map_err(Error::file("read", path))? {
            let file = entry.map_err(Error::file("read", path))?.path();
            if is_volume(&file) {
                volumes.push(beside(file));
            }
        }
        volumes.sort();
        if volumes.is_empty() {
            return Err(Fault::new(Exit::Missing, format!("{} has no bundle in it", path.display()))
                .advise("a bundle is STREAM.SEQ.manifest and STREAM.SEQ.v001.tar; modferry-bundler export writes them")
                .into());
        }
        return Ok(volumes);
    }
    if path
        .extension()
        .is_some_and(|extension| extension == "manifest")
    {
        let volume = path.with_extension("v001.tar");
        if !volume.exists() {
            return Err(
                Fault::new(Exit::Missing, format!("{} is not there", volume.display()))
                    .advise("copy the volume into the manifest's folder")
                    .into(),
            );
        }
        return Ok(vec![Files {
            volume,
            sidecar: Some(path.to_owned()),
        }]);
    }
    Ok(vec![beside(path.to_owned())])
}

fn is_volume(path: &Path) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.ends_with(".v001.tar") && !name.starts_with('.'))
}

fn beside(volume: PathBuf) -> Files {
    let sidecar = volume
        .to_str()
        .and_then(|name| name.strip_suffix(".v001.tar"))
        .map(|stem| PathBuf::from(format!("{stem}.manifest")))
        .filter(|path| path.exists());
    Files { volume, sidecar }
}

/// What a bundle says.
#[derive(Debug)]
pub struct Inspected {
    /// Its files.
    pub files: Files,
    /// Its volume's front.
    pub front: Front,
    /// Who signed it, of the keys that were given; `None` if none was given and nothing was checked.
    pub signers: Option<Vec<String>>,
    /// The keys on the signature lines, as NAME+HASH, unchecked.
    pub claimed: Vec<String>,
}

/// Reads a bundle's front, and checks its signatures if there is a policy to check them by.
pub fn inspect(files: &Files, policy: Option<&Policy>) -> Result<Inspected, Error> {
    let front = Front::read(&files.volume)?;
    let sidecar = match &files.sidecar {
        Some(sidecar) => {
            Some(files::read_bounded(sidecar, MAX_MANIFEST).map_err(Error::file("read", sidecar))?)
        }
        None => None,
    };
    // The signatures of both count, as they do for an import; the texts must be equal.
    let note = united_note(&front.note, sidecar.as_deref())?;
    let signers = match policy {
        None => None,
        Some(policy) => {
            let accepted = policy.accept(&note).map_err(|source| {
                Fault::new(
                    Exit::Untrusted,
                    format!("{}: not signed by the key given", front.path.display()),
                )
                .because(source)
            })?;
            Some(accepted.signers().iter().map(ToString::to_string).collect())
        }
    };
    Ok(Inspected {
        files: files.clone(),
        front,
        signers,
        claimed: note::claimed(&note),
    })
}
