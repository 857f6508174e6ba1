//! A bundle's files in the spool, and whether it is all there.

use crate::import::bundle::{Bundle, unreadable};
use crate::import::find::{self, volumes_beside};
use crate::import::staged::Staged;
use crate::import::volumes::AtHand;
use crate::import::{ImportError, Session, room};
use modferry_protocol::bundle::{MAX_MANIFEST, Manifest};
use modferry_protocol::note::{self, NoteError};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A bundle's files in the spool, as they were when the run came to them.
pub(super) struct Files {
    /// What they are called, less the extensions.
    pub(super) name: String,
    manifest: PathBuf,
    volumes: Vec<PathBuf>,
    stamps: Vec<Option<Stamp>>,
}

/// What tells one state of a file from another without reading it: its number, size and time of change.
type Stamp = (u64, u64, i64, i64);

impl Files {
    pub(super) fn of(manifest: PathBuf) -> Result<Self, ImportError> {
        let mut volumes = volumes_beside(&manifest)?;
        volumes.sort();
        let mut files = Self {
            name: stem(&manifest),
            manifest,
            volumes,
            stamps: Vec::new(),
        };
        files.stamps = files.stamp();
        Ok(files)
    }

    /// All of them, the manifest last.
    pub(super) fn all(&self) -> Vec<PathBuf> {
        let manifest = [self.manifest.clone()];
        self.volumes.iter().cloned().chain(manifest).collect()
    }

    /// Those that an error is about: some of the volumes, or else all.
    pub(super) fn bad(&self, error: &ImportError) -> Vec<PathBuf> {
        let ImportError::BadVolumes { bad, .. } = error else {
            return self.all();
        };
        let mut paths: Vec<_> = bad.iter().filter_map(|bad| bad.path.clone()).collect();
        paths.retain(|path| self.volumes.contains(path));
        match paths.len() {
            some if some > 0 && some < self.volumes.len() => paths,
            _ => self.all(),
        }
    }

    pub(super) fn changed(&self) -> bool {
        self.stamps != self.stamp()
    }

    /// Whether a volume ends in more zeros than volumes do.
    pub(super) fn has_unwritten_end(&self) -> bool {
        let unwritten = |volume: &PathBuf| ends_in(volume, UNWRITTEN_END).unwrap_or(false);
        self.volumes.iter().any(unwritten)
    }

    fn stamp(&self) -> Vec<Option<Stamp>> {
        self.all().iter().map(|path| stamp(path)).collect()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let data = fs::metadata(path).ok()?;
    Some((data.ino(), data.size(), data.mtime(), data.mtime_nsec()))
}

pub(super) enum Look {
    /// All of it is there; its stream and sequence.
    Whole(Bundle, (String, u64)),
    /// For what it waits.
    Waiting(String),
}

/// Whether a bundle is all there, as far as lengths and its volumes' own words tell.
pub(super) fn look(files: &Files, session: &Session) -> Result<Look, ImportError> {
    let waiting = |reason: &str| Ok(Look::Waiting(reason.into()));
    regular(&files.manifest)?;
    if !is_note(&files.manifest)? {
        return waiting(
            "its manifest is still being copied, or was cut short: it is no signed note",
        );
    }
    let mut length = 0;
    for volume in &files.volumes {
        let this = regular(volume)?;
        let ends = ends_in(volume, END).map_err(unreadable(volume))?;
        if !(this.is_multiple_of(512) && ends) {
            return waiting("a volume is still being copied, or was cut short");
        }
        length += this;
    }
    let found = find::Files::of(files.manifest.clone(), files.volumes.iter().cloned());
    let bundles = found.bundles(&session.policy())?;
    // One, as all are called alike: files of other bundles are with it, as what is bad about it.
    let Some(bundle) = bundles.into_iter().next() else {
        return waiting("its manifest is not there any more");
    };
    let store = session.store.dir();
    let mut opened = bundle.open(store, &session.policy())?;
    let manifest = opened.manifest().clone();
    let place = (manifest.stream.to_string(), manifest.sequence.get());
    if session.store.imported(&manifest.sha256())?.is_some() {
        // The import finds that out once more; what a kill left here is moved behind the rest.
        return Ok(Look::Whole(bundle, place));
    }
    room::check(store, &bundle.name, &manifest)?;
    let staged = Staged::of_text(store, manifest.encode().as_bytes());
    let mut volumes = AtHand::of(&mut opened, &staged, store, &bundle.name)?;
    volumes.refuse_bad(&bundle.name)?;
    if volumes.count() == 0 {
        return waiting("its volume is not there yet");
    }
    let to_come = volumes.to_come(&manifest);
    if !to_come.is_empty() {
        return waiting(&format!("still to come: {}", to_come.join(", ")));
    }
    if volumes.all_given() && length < least_length(&manifest, volumes.count()) {
        return waiting("a volume is still being copied, or was cut short");
    }
    Ok(Look::Whole(bundle, place))
}

/// The length of a regular file. Anything else is not opened: a pipe would block for ever, with the store locked.
fn regular(path: &Path) -> Result<u64, ImportError> {
    let data = fs::metadata(path).map_err(unreadable(path))?;
    if data.is_file() {
        return Ok(data.len());
    }
    let source = io::Error::other("it is not a regular file");
    Err(unreadable(path)(source))
}

/// Whether a manifest is a note that somebody signed, whoever that is. A longer one than manifests are is not
/// judged here.
fn is_note(manifest: &Path) -> Result<bool, ImportError> {
    let mut text = Vec::new();
    File::open(manifest)
        .and_then(|file| file.take(MAX_MANIFEST + 1).read_to_end(&mut text))
        .map_err(unreadable(manifest))?;
    Ok(text.len() as u64 > MAX_MANIFEST || note::open(&text, &[]) != Err(NoteError::Malformed))
}

/// A tar ends with two blocks of zeros.
const END: usize = 2 * 512;

/// More zeros than a volume ends with: what follows its last entry, and a block of that. A place that was
/// made for a file before its bytes came ends so.
const UNWRITTEN_END: usize = END + 2 * 512;

/// Whether the file ends with so many zeros.
fn ends_in(volume: &Path, zeros: usize) -> io::Result<bool> {
    let mut end = Vec::new();
    let mut file = File::open(volume)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(zeros as u64)))?;
    file.take(zeros as u64).read_to_end(&mut end)?;
    Ok(end.len() == zeros && end.iter().all(|&byte| byte == 0))
}

/// A bundle's volumes are at least so long together: what its manifest says that they carry, and the front and the end of
/// each. What pads entries, and the headers in front of them, are left out.
fn least_length(manifest: &Manifest, volumes: u32) -> u64 {
    let front = (4 * 512 + manifest.encode().len() as u64).saturating_add(manifest.index.size);
    front
        .saturating_mul(volumes.into())
        .saturating_add(manifest.totals.carried_bytes)
}

pub(super) fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
