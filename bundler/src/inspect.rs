//! `inspect`: what a bundle says of itself. It proves nothing: `verify` does.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{IndexReader, Item, MAX_INDEX, MAX_MANIFEST, Manifest, Volume};
use modferry_protocol::note;
use modferry_protocol::trust::Policy;

use crate::error::Error;
use crate::files;
use crate::state::manifest_of;

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
    /// Bytes of the volume.
    pub volume_bytes: u64,
    /// Its manifest.
    pub manifest: Manifest,
    /// Who signed it, of the keys that were given; `None` if none was given and nothing was checked.
    pub signers: Option<Vec<String>>,
    /// The keys on the signature lines, as NAME+HASH, unchecked.
    pub claimed: Vec<String>,
}

/// Reads a bundle's manifest, and checks its signatures if there is a policy to check them by.
pub fn inspect(files: &Files, policy: Option<&Policy>) -> Result<Inspected, Error> {
    let path = &files.volume;
    let file = File::open(path).map_err(Error::file("read", path))?;
    let volume_bytes = file.metadata().map_err(Error::file("read", path))?.len();
    let volume = Volume::open(BufReader::new(file)).map_err(|source| damaged(path, source))?;
    let note = match &files.sidecar {
        Some(sidecar) => {
            files::read_bounded(sidecar, MAX_MANIFEST).map_err(Error::file("read", sidecar))?
        }
        None => volume.manifest_note().to_vec(),
    };
    let (manifest, signers) = match policy {
        None => (
            manifest_of(&note).map_err(|what| damaged(path, io::Error::other(what)))?,
            None,
        ),
        Some(policy) => {
            let accepted = policy.accept(&note).map_err(|source| {
                Fault::new(
                    Exit::Untrusted,
                    format!("{}: not signed by the key given", path.display()),
                )
                .because(source)
            })?;
            let signers = accepted.signers().iter().map(ToString::to_string).collect();
            volume
                .trust(&accepted)
                .map_err(|source| damaged(path, source))?;
            (accepted.manifest().clone(), Some(signers))
        }
    };
    Ok(Inspected {
        files: files.clone(),
        volume_bytes,
        manifest,
        signers,
        claimed: note::claimed(&note),
    })
}

/// Calls `each` with every item that the volume's index lists, and its size.
///
/// The index counts as the manifest does: as signed, if that was checked, since its hash is checked here.
pub fn each_item(inspected: &Inspected, mut each: impl FnMut(&Item, u64)) -> Result<(), Error> {
    let path = &inspected.files.volume;
    let mut file = BufReader::new(File::open(path).map_err(Error::file("read", path))?);
    let mut skip_manifest = || -> io::Result<u64> {
        let size = header(&mut file, "manifest", MAX_MANIFEST)?;
        io::copy(
            &mut (&mut file).take(size.next_multiple_of(512)),
            &mut io::sink(),
        )?;
        header(&mut file, "index", MAX_INDEX)
    };
    let size = skip_manifest().map_err(|source| damaged(path, source))?;
    let mut index = Vec::new();
    file.take(size)
        .read_to_end(&mut index)
        .map_err(Error::file("read", path))?;
    use sha2::Digest as _;
    let sha256: [u8; 32] = sha2::Sha256::digest(&index).into();
    if size != inspected.manifest.index.size || sha256 != inspected.manifest.index.sha256 {
        return Err(damaged(
            path,
            io::Error::other("its index is not the one that its manifest names"),
        ));
    }
    for entry in IndexReader::new(index.as_slice()) {
        let entry = entry.map_err(|source| damaged(path, source))?;
        for (item, size) in &entry.items {
            each(item, *size);
        }
    }
    Ok(())
}

/// A tar header of that name; the size it says.
fn header(file: &mut impl Read, name: &str, most: u64) -> io::Result<u64> {
    let mut block = [0; 512];
    file.read_exact(&mut block)?;
    let wrong = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("no {name} where it should be"),
        )
    };
    let named = block.starts_with(name.as_bytes()) && block[name.len()] == 0;
    let digits = block[124..136]
        .split(|byte| matches!(byte, 0 | b' '))
        .next();
    let size = digits
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u64::from_str_radix(digits, 8).ok());
    size.filter(|size| named && *size <= most).ok_or_else(wrong)
}

fn damaged(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Fault::new(
        Exit::Damaged,
        format!("{}: not a bundle, or damaged", path.display()),
    )
    .because(source)
    .into()
}
