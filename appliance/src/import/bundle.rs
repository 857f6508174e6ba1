//! A bundle as it was found: where its volumes are, and a manifest that nobody believes yet.

use super::ImportError;
use super::staged::Staged;
use super::volumes::drain;
use modferry_checker::diff::IndexFile;
use modferry_checker::{CheckError, from_read, split_note, united_note};
use modferry_protocol::bundle::{MAX_MANIFEST, Manifest, ReadError, Volume, VolumeText};
use modferry_protocol::trust::{Accepted, Policy, TrustError};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use tempfile::SpooledTempFile;

/// Bytes of a volume's front that are held in memory while it is looked at from a pipe; the rest of a larger index is
/// in a temporary file.
const FRONT: usize = 4 << 20;

/// A bundle that was found. Nothing of it is believed yet.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// How people know it: its only volume's name, `STREAM.SEQ`, or `standard input`.
    pub name: String,
    /// The manifest with all signatures that were found; `None` where it is still in a pipe.
    note: Option<Vec<u8>>,
    /// The pipe, where it is not standard input.
    pipe: Option<PathBuf>,
    volumes: Vec<PathBuf>,
    bad: Vec<BadVolume>,
}

/// A volume that is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadVolume {
    /// Its file's name.
    pub name: String,
    /// Where it is; `None` where it came through a pipe.
    pub path: Option<PathBuf>,
    /// What is wrong with it, and with what in it: everything that is, a line each.
    pub what: Vec<String>,
}

/// A bundle whose manifest is accepted. Nothing behind the manifests was read.
pub(super) struct Opened {
    pub(super) accepted: Accepted,
    /// The manifest with all its signatures.
    pub(super) note: Vec<u8>,
    /// The volumes that were given as files.
    pub(super) volumes: Vec<PathBuf>,
    /// The volume that comes through a pipe, from its first byte.
    pub(super) pipe: Option<Box<dyn Read>>,
    /// Volumes that are none of it, or cannot be read.
    pub(super) bad: Vec<BadVolume>,
}

impl Opened {
    pub(super) fn manifest(&self) -> &Manifest {
        self.accepted.manifest()
    }

    /// Takes the rest of the pipe, if there is one.
    pub(super) fn drain(&mut self) {
        if let Some(pipe) = &mut self.pipe {
            drain(&mut *pipe);
        }
    }
}

impl Bundle {
    /// The volume that comes through this pipe, or through standard input.
    pub fn pipe(path: Option<PathBuf>) -> Self {
        let name = path.as_ref().map(|path| path.display().to_string());
        Self {
            name: name.unwrap_or_else(|| "standard input".into()),
            note: None,
            pipe: path,
            volumes: Vec::new(),
            bad: Vec::new(),
        }
    }

    pub(super) fn of_files(
        name: String,
        note: Vec<u8>,
        volumes: Vec<PathBuf>,
        bad: Vec<BadVolume>,
    ) -> Self {
        Self {
            name,
            note: Some(note),
            pipe: None,
            volumes,
            bad,
        }
    }

    /// The bundle's index, in a temporary file, and the manifest that names it, which `policy` must accept. A volume
    /// that is none of the bundle is refused.
    pub fn index(
        &self,
        store: &Path,
        policy: &Policy,
    ) -> Result<(Manifest, IndexFile), ImportError> {
        let refused = |error| ImportError::refused(&self.name, error, None);
        let opened = self.open(store, policy)?;
        if let Some(bad) = opened.bad.first() {
            let what = bad.what.join("; ");
            return Err(refused(CheckError::Damaged {
                volume: bad.name.clone(),
                entry: "the volume".into(),
                source: what.into(),
            }));
        }
        let temporary = std::env::temp_dir();
        let spool = tempfile::tempfile().map_err(unreadable(&temporary))?;
        let copy = spool.try_clone().map_err(unreadable(&temporary))?;
        let (name, volume): (&str, Box<dyn Read>) = match (opened.pipe, opened.volumes.first()) {
            (Some(pipe), _) => ("the volume", pipe),
            (None, Some(path)) => (
                &self.name,
                Box::new(File::open(path).map_err(unreadable(path))?),
            ),
            (None, None) => {
                return Err(refused(CheckError::NoVolume {
                    volume: opened.accepted.manifest().volume_file_name(1),
                    of: 1,
                    source: io::ErrorKind::NotFound.into(),
                }));
            }
        };
        Volume::open(volume)
            .and_then(|volume| volume.trust(&opened.accepted))
            .and_then(|volume| volume.index(spool))
            .map_err(|error| refused(from_read(name, error)))?;
        let manifest = opened.accepted.manifest().clone();
        let size = manifest.index.size;
        Ok((manifest, IndexFile::new(copy, 0, size)))
    }

    /// Reads the manifest, which `policy` must accept. Signatures that came with volumes that are staged in `store`
    /// count, too.
    pub(super) fn open(&self, store: &Path, policy: &Policy) -> Result<Opened, ImportError> {
        let refused = |error| ImportError::refused(&self.name, error, None);
        let (note, pipe) = match &self.note {
            Some(note) => (note.clone(), None),
            None => {
                let input: Box<dyn Read> = match &self.pipe {
                    None => Box::new(io::stdin().lock()),
                    Some(path) => Box::new(File::open(path).map_err(unreadable(path))?),
                };
                let (note, reader) = Front::of(input, |front| {
                    Ok(Volume::open(front)?.manifest_note().to_vec())
                })
                .map_err(|error| refused(from_read("the volume", error)))?;
                (note, Some(reader))
            }
        };
        let text = split_note(&note).map_or(&*note, |(text, _)| text);
        let staged = Staged::of_text(store, text).note()?;
        let (note, accepted) = accept(policy, note, staged.as_deref())
            .map_err(|source| refused(CheckError::Untrusted { source }))?;
        Ok(Opened {
            accepted,
            note,
            volumes: self.volumes.clone(),
            pipe,
            bad: self.bad.clone(),
        })
    }
}

/// Accepts a manifest with the signatures that came with volumes before. Those are only more: where the disk has
/// lost them, or they are too many, what is at hand is judged by itself.
fn accept(
    policy: &Policy,
    note: Vec<u8>,
    staged: Option<&[u8]>,
) -> Result<(Vec<u8>, Accepted), TrustError> {
    let united = staged.and_then(|staged| united_note(&note, Some(staged)).ok());
    let refused = match united.map(|united| (policy.accept(&united), united)) {
        Some((Ok(accepted), united)) => return Ok((united, accepted)),
        Some((Err(refused @ TrustError::TooFew { .. }), _)) => Some(refused),
        _ => None,
    };
    match policy.accept(&note) {
        Ok(accepted) => Ok((note, accepted)),
        Err(own) => Err(refused.unwrap_or(own)),
    }
}

/// The manifest at the front of a volume's file, unbelieved, or why it cannot be read.
pub(super) fn front(path: &Path) -> Result<Result<Vec<u8>, ReadError>, ImportError> {
    let file = File::open(path).map_err(unreadable(path))?;
    match Volume::open(file) {
        Ok(volume) => Ok(Ok(volume.manifest_note().to_vec())),
        Err(ReadError::Io { source, .. }) => Err(unreadable(path)(source)),
        Err(error) => Ok(Err(error)),
    }
}

/// Which volume of an accepted bundle it is that a reader gives, as it says itself: its front is read, and the index
/// in it is checked.
pub(super) fn which(
    reader: impl Read,
    accepted: &Accepted,
    scratch: &Path,
) -> Result<VolumeText, ReadError> {
    let index = tempfile::tempfile_in(scratch).map_err(ReadError::Spool)?;
    let volume = Volume::open(reader)?.trust(accepted)?.index(index)?;
    Ok(volume.volume().clone())
}

/// Keeps what is read of an input's front, so that it can be read once more.
pub(super) struct Front<R> {
    input: R,
    seen: SpooledTempFile,
}

impl<R: Read + 'static> Front<R> {
    /// What `look` finds, and the input from its first byte.
    pub(super) fn of<T>(
        input: R,
        look: impl FnOnce(&mut Self) -> Result<T, ReadError>,
    ) -> Result<(T, Box<dyn Read>), ReadError> {
        let mut front = Self {
            input,
            seen: SpooledTempFile::new(FRONT),
        };
        let found = look(&mut front)?;
        front.seen.rewind().map_err(ReadError::Spool)?;
        Ok((found, Box::new(front.seen.chain(front.input))))
    }
}

impl<R: Read> Read for Front<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buf)?;
        self.seen.write_all(&buf[..n])?;
        Ok(n)
    }
}

/// A manifest's file. One byte more than allowed is read, for the check to refuse.
pub(super) fn read_manifest(path: &Path) -> Result<Vec<u8>, ImportError> {
    let mut note = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_MANIFEST + 1).read_to_end(&mut note))
        .map_err(unreadable(path))?;
    Ok(note)
}

pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> ImportError {
    move |source| ImportError::Input {
        path: path.into(),
        source,
    }
}
