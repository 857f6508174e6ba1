//! Volumes that came before the others of their bundle: STORE/volumes.
//!
//! ```text
//! volumes/SHA16/manifest    the accepted manifest, with all signatures that have come so far
//! volumes/SHA16/of          how many volumes the bundle has in this cut
//! volumes/SHA16/vNNN.tar    a volume that was examined while it was copied here, and is whole
//! ```
//!
//! SHA16 are the first 16 digits of the SHA-256 of the manifest's text. A volume is written under a hidden name, synced,
//! and then renamed: what is there by its name is whole, after whatever kill or power cut. Nothing of it is
//! served, and nothing of it is believed either: when the last volume has come, the bundle is read from its first to its
//! last byte and checked as any other. Behind that import the folder goes, and where a kill comes in between, the next
//! import removes it.

use super::ImportError;
use super::bundle::{read_manifest, unreadable};
use crate::store::{Store, StoreError, hex};
use modferry_checker::split_note;
use modferry_protocol::bundle::{MAX_VOLUMES, Manifest};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A bundle of which some volumes wait for the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// Its stream.
    pub stream: String,
    /// Its number in the stream.
    pub sequence: u64,
    /// SHA-256 of its manifest's text, in hexadecimal.
    pub manifest_sha256: String,
    /// How many volumes it has.
    pub of: u32,
    /// Those that are staged.
    pub staged: Vec<u32>,
    /// The names of those that are still to come.
    pub to_come: Vec<String>,
    /// Bytes of those that are staged.
    pub bytes: u64,
}

/// Every bundle of which volumes are staged, by stream and sequence.
pub fn pending(store: &Path) -> Result<Vec<Pending>, ImportError> {
    let mut all = Vec::new();
    for folder in folders(store)? {
        let staged = Staged { folder };
        if let Some(manifest) = staged.manifest()? {
            let volumes = staged.volumes()?;
            let of = staged.of()?.unwrap_or(0);
            let mut bytes = 0;
            for path in volumes.values() {
                bytes += fs::metadata(path).map_err(unreadable(path))?.len();
            }
            all.push(Pending {
                stream: manifest.stream.to_string(),
                sequence: manifest.sequence.get(),
                manifest_sha256: hex(&manifest.sha256()),
                of,
                to_come: to_come(&manifest, of, |number| volumes.contains_key(&number)),
                staged: volumes.into_keys().collect(),
                bytes,
            });
        }
    }
    all.sort_by(|a, b| (&a.stream, a.sequence).cmp(&(&b.stream, b.sequence)));
    Ok(all)
}

/// Removes every staged volume: those of bundles whose other volumes will never come. Gives what was removed.
pub fn abandon(store: &Store) -> Result<Vec<Pending>, ImportError> {
    let gone = pending(store.dir())?;
    for folder in folders(store.dir())? {
        Staged { folder }.clear()?;
    }
    Ok(gone)
}

/// Removes what no import will use: what a kill left half copied, and volumes of bundles that are in.
pub(super) fn sweep(
    store: &Path,
    imported: impl Fn(&[u8; 32]) -> Result<bool, StoreError>,
) -> Result<(), ImportError> {
    for folder in folders(store)? {
        let staged = Staged { folder };
        match staged.manifest()? {
            Some(manifest) if !imported(&manifest.sha256())? => staged.sweep()?,
            _ => staged.clear()?,
        }
    }
    Ok(())
}

/// The names of the volumes of a cut that are not `there`.
pub(super) fn to_come(manifest: &Manifest, of: u32, there: impl Fn(u32) -> bool) -> Vec<String> {
    (1..=of)
        .filter(|number| !there(*number))
        .map(|number| manifest.volume_file_name(number))
        .collect()
}

fn folders(store: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let all = store.join("volumes");
    let entries = match fs::read_dir(&all) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(unreadable(&all))?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        folders.push(entry.map_err(unreadable(&all))?.path());
    }
    folders.sort();
    Ok(folders)
}

fn folder_name(text: &[u8]) -> String {
    let mut name = hex(&Sha256::digest(text));
    name.truncate(16);
    name
}

/// The place of one bundle's volumes.
pub(super) struct Staged {
    folder: PathBuf,
}

impl Staged {
    /// The bundle's with this manifest text.
    pub(super) fn of_text(store: &Path, text: &[u8]) -> Self {
        Self {
            folder: store.join("volumes").join(folder_name(text)),
        }
    }

    /// Whether it is the place of the bundle with this manifest text.
    fn is_of(&self, text: &[u8]) -> bool {
        self.folder.file_name() == Some(OsStr::new(&folder_name(text)))
    }

    fn manifest_file(&self) -> PathBuf {
        self.folder.join("manifest")
    }

    /// The manifest with the signatures that came with the staged volumes.
    pub(super) fn note(&self) -> Result<Option<Vec<u8>>, ImportError> {
        let path = self.manifest_file();
        match path.try_exists().map_err(unreadable(&path))? {
            true => read_manifest(&path).map(Some),
            false => Ok(None),
        }
    }

    /// The manifest that was accepted when the first volume was staged; `None` before that, or where it is none any more.
    fn manifest(&self) -> Result<Option<Manifest>, ImportError> {
        let note = self.note()?;
        let text = note.as_deref().and_then(split_note);
        // What the disk has changed is another bundle's by now, and would be in the way of this one's.
        let text = text.filter(|(text, _)| self.is_of(text));
        let text = text.and_then(|(text, _)| std::str::from_utf8(text).ok());
        Ok(text.and_then(|text| Manifest::parse(text).ok()))
    }

    /// How many volumes the bundle has, in the cut of those that are staged.
    pub(super) fn of(&self) -> Result<Option<u32>, ImportError> {
        let path = self.folder.join("of");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let of = text.trim_end().parse().ok();
                Ok(of.filter(|of| (1..=MAX_VOLUMES).contains(of)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(&path)(error)),
        }
    }

    /// The volumes that are staged, by number.
    pub(super) fn volumes(&self) -> Result<BTreeMap<u32, PathBuf>, ImportError> {
        let mut volumes = BTreeMap::new();
        for number in 1..=self.of()?.unwrap_or(0) {
            let path = self.file(number);
            if path.try_exists().map_err(unreadable(&path))? {
                volumes.insert(number, path);
            }
        }
        Ok(volumes)
    }

    fn file(&self, number: u32) -> PathBuf {
        self.folder.join(format!("v{number:03}.tar"))
    }

    /// Makes the place, and keeps the manifest with all its signatures.
    pub(super) fn begin(&self, note: &[u8]) -> Result<(), ImportError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(&self.folder)
            .map_err(unreadable(&self.folder))?;
        if self.note()?.as_deref() != Some(note) {
            self.keep("manifest", note)?;
        }
        // The names of the folders, too, from the store's down.
        for folder in self.folder.ancestors().skip(1).take(2) {
            sync(folder)?;
        }
        Ok(())
    }

    /// A hidden file for a volume that is coming.
    pub(super) fn incoming(&self) -> Result<NamedTempFile, ImportError> {
        NamedTempFile::new_in(&self.folder).map_err(unreadable(&self.folder))
    }

    /// Shows a volume that is whole under its name, durably.
    pub(super) fn show(
        &self,
        file: NamedTempFile,
        number: u32,
        of: u32,
    ) -> Result<PathBuf, ImportError> {
        self.keep("of", format!("{of}\n").as_bytes())?;
        let path = self.file(number);
        self.persist(file, &path)?;
        Ok(path)
    }

    /// Takes away a volume that is damaged after all.
    pub(super) fn remove(&self, number: u32) -> Result<(), ImportError> {
        let path = self.file(number);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unreadable(&path)(error)),
            _ => Ok(()),
        }
    }

    /// Takes away all of it.
    pub(super) fn clear(&self) -> Result<(), ImportError> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(unreadable(&self.folder)(error))
            }
            _ => Ok(()),
        }
    }

    /// Removes what a kill left under hidden names.
    fn sweep(&self) -> Result<(), ImportError> {
        for entry in fs::read_dir(&self.folder).map_err(unreadable(&self.folder))? {
            let path = entry.map_err(unreadable(&self.folder))?.path();
            let hidden = path
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
            if hidden {
                fs::remove_file(&path).map_err(unreadable(&path))?;
            }
        }
        Ok(())
    }

    fn keep(&self, name: &str, content: &[u8]) -> Result<(), ImportError> {
        let mut file = self.incoming()?;
        let path = self.folder.join(name);
        file.write_all(content).map_err(unreadable(&path))?;
        self.persist(file, &path)
    }

    fn persist(&self, file: NamedTempFile, path: &Path) -> Result<(), ImportError> {
        let kept = file
            .as_file()
            .set_permissions(Permissions::from_mode(0o640))
            .and_then(|()| file.as_file().sync_all())
            .and_then(|()| file.persist(path).map_err(|error| error.error));
        kept.map_err(unreadable(path))?;
        sync(&self.folder)
    }
}

fn sync(folder: &Path) -> Result<(), ImportError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(unreadable(folder))
}
