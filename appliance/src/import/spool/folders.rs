//! The spool's folders, and moving from one to another so that a kill leaves nothing behind.
//!
//! What is to be moved is written down first, in SPOOL/moving, and synced; that file goes when all is moved. A run
//! that finds it finishes the move before anything else: no manifest stays in `incoming` whose volumes are gone.

use super::files::{Files, stem};
use super::{Spooled, report_text};
use crate::import::ImportError;
use crate::import::bundle::unreadable;
use crate::import::find::VolumeName;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

pub(super) struct Folders {
    spool: PathBuf,
    incoming: PathBuf,
    done: PathBuf,
    refused: PathBuf,
}

/// A move under way: names of files in `incoming`, and where each goes, from the spool on.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moving(Vec<(String, PathBuf)>);

impl Folders {
    /// The folders, made if need be. A move that was interrupted is finished.
    pub(super) fn of(spool: &Path) -> Result<Self, ImportError> {
        let folders = Self {
            spool: spool.into(),
            incoming: spool.join("incoming"),
            done: spool.join("done"),
            refused: spool.join("refused"),
        };
        for folder in [&folders.incoming, &folders.done, &folders.refused] {
            fs::create_dir_all(folder).map_err(unreadable(folder))?;
        }
        let path = folders.moving();
        match fs::read(&path) {
            Ok(json) => {
                let moving = serde_json::from_slice(&json)
                    .map_err(|error| unreadable(&path)(io::Error::other(error)))?;
                folders.finish(&moving)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(&path)(error)),
        }
        Ok(folders)
    }

    fn moving(&self) -> PathBuf {
        self.spool.join("moving")
    }

    /// The bundles whose manifest is there, and the names of those of which only volumes are.
    pub(super) fn files(&self) -> Result<(Vec<Files>, BTreeSet<String>), ImportError> {
        let entries = fs::read_dir(&self.incoming).map_err(unreadable(&self.incoming))?;
        let (mut manifests, mut volumes) = (BTreeSet::new(), Vec::new());
        for entry in entries {
            let path = entry.map_err(unreadable(&self.incoming))?.path();
            if path.extension().is_some_and(|ext| ext == "manifest") {
                manifests.insert(path);
            } else if let Some(name) = VolumeName::of(&path) {
                volumes.push(name.manifest());
            }
        }
        let alone = volumes
            .iter()
            .filter(|manifest| !manifests.contains(*manifest))
            .map(|manifest| stem(manifest))
            .collect();
        let bundles = manifests
            .into_iter()
            .map(Files::of)
            .collect::<Result<_, _>>()?;
        Ok((bundles, alone))
    }

    /// Writes the report and then moves the files beside it. What lies there already stays. Nothing to move is a bundle
    /// that waits.
    pub(super) fn take(
        &self,
        name: &str,
        files: &[PathBuf],
        spooled: &Spooled,
    ) -> Result<(), ImportError> {
        let folder = match spooled {
            Spooled::Done(_) => &self.done,
            Spooled::Refused { .. } => &self.refused,
            Spooled::Waiting { .. } => return Ok(()),
        };
        let extensions: Vec<String> = (files.iter())
            .filter_map(|path| Some(path.file_name()?.to_str()?.strip_prefix(name)?.to_owned()))
            .collect();
        let new = unused(folder, name, &extensions);
        let mut text = report_text(spooled);
        text.push('\n');
        let json = serde_json::to_string(&json!(spooled)).unwrap_or_default() + "\n";
        for (extension, content) in [(REPORT_JSON, json), (REPORT_TEXT, text)] {
            let path = folder.join(format!("{new}{extension}"));
            let written = File::create_new(&path).and_then(|mut file| {
                file.write_all(content.as_bytes())?;
                file.sync_all()
            });
            written.map_err(unreadable(&path))?;
        }
        let to = folder.strip_prefix(&self.spool).unwrap_or(folder);
        let moving = Moving(
            (extensions.iter())
                .map(|extension| {
                    let from = format!("{name}{extension}");
                    (from, to.join(format!("{new}{extension}")))
                })
                .collect(),
        );
        self.write_down(&moving)?;
        self.finish(&moving)
    }

    fn write_down(&self, moving: &Moving) -> Result<(), ImportError> {
        let path = self.moving();
        let write = || {
            let mut file = NamedTempFile::new_in(&self.spool)?;
            file.write_all(&serde_json::to_vec(moving).unwrap_or_default())?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|error| error.error)?;
            sync(&self.spool)
        };
        write().map_err(unreadable(&path))
    }

    fn finish(&self, moving: &Moving) -> Result<(), ImportError> {
        for (from, to) in &moving.0 {
            let (from, to) = (self.incoming.join(from), self.spool.join(to));
            match fs::rename(&from, to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // it was moved before
                moved => moved.map_err(unreadable(&from))?,
            }
        }
        for folder in [&self.incoming, &self.done, &self.refused] {
            sync(folder).map_err(unreadable(folder))?;
        }
        let path = self.moving();
        fs::remove_file(&path).map_err(unreadable(&path))
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

const REPORT_JSON: &str = ".report.json";
const REPORT_TEXT: &str = ".report.txt";

/// What files with these extensions can be called in the folder: the name, or that and the first number from 2 on
/// that nothing has. The one who holds the store's lock is the one who makes files there.
fn unused(folder: &Path, name: &str, extensions: &[String]) -> String {
    let taken = |name: &str| {
        let reports = [REPORT_JSON, REPORT_TEXT];
        let mut all = extensions.iter().map(String::as_str).chain(reports);
        all.any(|extension| {
            let path = folder.join(format!("{name}{extension}"));
            path.symlink_metadata().is_ok()
        })
    };
    let mut unused = name.to_owned();
    let mut number = 1;
    while taken(&unused) {
        number += 1;
        unused = format!("{name}.{number}");
    }
    unused
}
