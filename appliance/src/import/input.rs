//! Where bundles come from: folders, volumes, a pipe.
//!
//! Names of files only say where to look and what belongs together. What a bundle is, and its place in
//! its stream, its signed manifest says, so that a renamed file changes nothing.

use super::{ImportError, glob};
use modferry_checker::{CheckError, from_read, united_note};
use modferry_protocol::bundle::{MAX_MANIFEST, Manifest, Volume};
use modferry_protocol::trust::{Accepted, Policy};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

/// A bundle that was found: nothing of it is read yet.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// How people know it: its file's name, or `standard input`.
    pub name: String,
    volume: Option<PathBuf>,
    manifest: Option<PathBuf>,
}

/// A bundle whose manifest is accepted, and of which nothing else was read.
pub(super) struct Opened {
    accepted: Accepted,
    /// The manifest with all its signatures.
    pub(super) note: Vec<u8>,
    /// The manifest beside the volume.
    pub(super) sidecar: Option<Vec<u8>>,
    /// The volume from its first byte.
    pub(super) reader: Box<dyn Read>,
}

impl Opened {
    pub(super) fn manifest(&self) -> &Manifest {
        self.accepted.manifest()
    }
}

/// The bundles that the paths name, in the order in which they are to be taken: by stream and sequence
/// as their manifests say, which `policy` must accept; the ones of a pipe come last.
///
/// A path is a folder of bundles, a manifest, a volume, or `-` for a volume on standard input.
pub fn find(paths: &[PathBuf], policy: &Policy) -> Result<Vec<Bundle>, ImportError> {
    let mut found: Vec<Bundle> = Vec::new();
    for path in &glob::expand(paths)? {
        if path.as_os_str() == "-" {
            found.push(Bundle::pipe());
        } else if path.is_dir() {
            found.extend(in_folder(path)?);
        } else if has_extension(path, "manifest") {
            found.push(Bundle::of_manifest(path)?);
        } else {
            found.push(Bundle::of_volume(path)?);
        }
    }
    if found.len() > 1 {
        let mut placed = Vec::new();
        for bundle in found {
            let place = match bundle.volume {
                None => None,
                Some(_) => {
                    let opened = bundle.open(policy)?;
                    let manifest = opened.manifest();
                    Some((manifest.stream.to_string(), manifest.sequence.get()))
                }
            };
            placed.push((place.is_none(), place, bundle));
        }
        placed.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        found = placed.into_iter().map(|(_, _, bundle)| bundle).collect();
    }
    Ok(found)
}

fn in_folder(folder: &Path) -> Result<Vec<Bundle>, ImportError> {
    let failed = |source| ImportError::Input {
        path: folder.into(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        files.push(entry.map_err(failed)?.path());
    }
    files.sort();
    let mut bundles = Vec::new();
    for path in files.iter().filter(|path| has_extension(path, "manifest")) {
        bundles.push(Bundle::of_manifest(path)?);
    }
    // Volumes whose manifest was lost on the way: they carry it, too.
    for path in files.iter().filter(|path| is_first_volume(path)) {
        if !bundles
            .iter()
            .any(|bundle| bundle.volume.as_ref() == Some(path))
        {
            bundles.push(Bundle::of_volume(path)?);
        }
    }
    if bundles.is_empty() {
        return Err(ImportError::Nothing {
            path: folder.into(),
        });
    }
    Ok(bundles)
}

impl Bundle {
    /// The volume on standard input.
    pub fn pipe() -> Self {
        Self {
            name: "standard input".into(),
            volume: None,
            manifest: None,
        }
    }

    /// Whether it comes through standard input.
    pub(super) fn is_pipe(&self) -> bool {
        self.volume.is_none()
    }

    /// The bundle of a manifest file, whose volume lies beside it.
    pub fn of_manifest(manifest: &Path) -> Result<Self, ImportError> {
        let volume = manifest.with_extension("v001.tar");
        if !volume.is_file() {
            return Err(ImportError::NoVolume {
                manifest: manifest.into(),
                volume,
            });
        }
        Self::single(volume, Some(manifest.into()))
    }

    /// The bundle of a volume, with the manifest that lies beside it, if one does.
    pub fn of_volume(volume: &Path) -> Result<Self, ImportError> {
        let manifest = is_first_volume(volume)
            .then(|| volume.with_extension("").with_extension("manifest"))
            .filter(|manifest| manifest.is_file());
        Self::single(volume.into(), manifest)
    }

    fn single(volume: PathBuf, manifest: Option<PathBuf>) -> Result<Self, ImportError> {
        if is_first_volume(&volume)
            && volume
                .with_extension("")
                .with_extension("v002.tar")
                .exists()
        {
            return Err(ImportError::Volumes {
                manifest: manifest.unwrap_or(volume),
            });
        }
        let name = volume.file_name().unwrap_or(volume.as_os_str());
        Ok(Self {
            name: name.to_string_lossy().into_owned(),
            volume: Some(volume),
            manifest,
        })
    }

    /// Reads the manifest, which `policy` must accept.
    pub(super) fn open(&self, policy: &Policy) -> Result<Opened, ImportError> {
        let input: Box<dyn Read> = match &self.volume {
            None => Box::new(io::stdin().lock()),
            Some(path) => Box::new(File::open(path).map_err(unreadable(path))?),
        };
        let sidecar = self.manifest.as_deref().map(read_manifest).transpose()?;
        let refused = |error| ImportError::refused(&self.name, error, None);
        let (embedded, reader) = peek(input).map_err(|error| {
            let name = match &self.volume {
                None => "the volume",
                Some(_) => &self.name,
            };
            refused(from_read(name, error))
        })?;
        let note = united_note(&embedded, sidecar.as_deref()).map_err(refused)?;
        let accepted = policy
            .accept(&note)
            .map_err(|source| refused(CheckError::Untrusted { source }))?;
        Ok(Opened {
            accepted,
            note,
            sidecar,
            reader: Box::new(reader),
        })
    }
}

/// The manifest's bytes at the front of a volume, and the whole volume to read again from its first byte.
fn peek<R: Read>(input: R) -> Result<(Vec<u8>, impl Read), modferry_protocol::bundle::ReadError> {
    let mut tee = Tee {
        input,
        seen: Vec::new(),
    };
    let note = Volume::open(&mut tee)?.manifest_note().to_vec();
    Ok((note, Cursor::new(tee.seen).chain(tee.input)))
}

/// Keeps what passes through: of a volume's front, at most a manifest and what frames it.
struct Tee<R> {
    input: R,
    seen: Vec<u8>,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buf)?;
        self.seen.extend_from_slice(&buf[..n]);
        Ok(n)
    }
}

/// The manifest beside a volume. One byte more than allowed is read, for the check to refuse.
fn read_manifest(path: &Path) -> Result<Vec<u8>, ImportError> {
    let mut note = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_MANIFEST + 1).read_to_end(&mut note))
        .map_err(unreadable(path))?;
    Ok(note)
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ImportError {
    move |source| ImportError::Input {
        path: path.into(),
        source,
    }
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension() == Some(OsStr::new(extension))
}

fn is_first_volume(path: &Path) -> bool {
    path.as_os_str().to_string_lossy().ends_with(".v001.tar")
}
