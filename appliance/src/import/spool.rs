//! The spool: a folder in which bundles are dropped, for an import that no one attends.
//!
//! ```text
//! SPOOL/incoming/  STREAM.SEQ.manifest and STREAM.SEQ.v001.tar, as they come, in any order
//! SPOOL/done/      what was imported, each with STREAM.SEQ.report.json and .report.txt beside it
//! SPOOL/refused/   what was not, and will not be however often it is tried, with the same
//! ```
//!
//! A bundle is taken when it is whole: manifest and volume are there, and the volume is as long as its
//! manifest says at least and ends as volumes do. A volume that is still being copied is left for the
//! next run, and so is everything when the fault is not the bundle's: no key, no room, a store in use.
//! A bundle that was cut short in the middle of a copy that stopped is found by its length, too, and
//! is reported as waiting; one whose bytes are wrong is refused.

use super::{Bundle, Done, ImportError, Session};
use modferry_checker::Progress;
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::Manifest;
use serde::Serialize;
use serde_json::json;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// What became of a bundle in the spool.
#[derive(Debug, Serialize)]
#[serde(tag = "spool", rename_all = "lowercase")]
pub enum Spooled {
    /// It is in `done`.
    Done(Box<Done>),
    /// It is in `refused`.
    Refused {
        /// The bundle.
        bundle: String,
        /// The exit code that its import alone would have had.
        exit: u8,
        /// Why, from the outermost cause to the innermost.
        causes: Vec<String>,
        /// What to do about it.
        advice: Option<String>,
        /// What the causes count, a line each.
        details: Vec<String>,
    },
    /// It is still in `incoming`, and not whole.
    Waiting {
        /// The bundle.
        bundle: String,
        /// What it waits for.
        reason: String,
    },
}

impl Spooled {
    fn refused(bundle: &str, error: &ImportError) -> Self {
        let mut causes = vec![error.to_string()];
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self::Refused {
            bundle: bundle.into(),
            exit: error.exit().code(),
            causes,
            advice: error.advice(),
            details: error.details(),
        }
    }
}

/// Takes every whole bundle in the spool, in the order of stream and sequence. `told` hears of each.
///
/// Fails, and leaves the rest where it is, where the fault is this machine's and not a bundle's.
pub fn run(
    session: &Session,
    spool: &Path,
    progress: &dyn Progress,
    mut told: impl FnMut(&Spooled),
) -> Result<(), ImportError> {
    let folders = Folders::of(spool)?;
    let mut whole = Vec::new();
    for manifest in folders.manifests()? {
        let name = stem(&manifest);
        match look(&manifest, session) {
            Ok(Look::Whole(bundle, place)) => whole.push((place, name, manifest, bundle)),
            Ok(Look::Waiting(reason)) => told(&Spooled::Waiting {
                bundle: name,
                reason,
            }),
            Err(error) => {
                let spooled = judge(&name, error)?;
                folders.take(
                    &folders.refused,
                    &name,
                    &[&manifest, &volume_of(&manifest)],
                    &spooled,
                )?;
                told(&spooled);
            }
        }
    }
    whole.sort_by(|a, b| a.0.cmp(&b.0));
    for (_, name, manifest, bundle) in whole {
        let (folder, spooled) = match session.import(&bundle, progress) {
            Ok(done) => (&folders.done, Spooled::Done(Box::new(done))),
            Err(error) => (&folders.refused, judge(&name, error)?),
        };
        folders.take(folder, &name, &[&manifest, &volume_of(&manifest)], &spooled)?;
        told(&spooled);
    }
    Ok(())
}

/// Whether the fault is the bundle's: then it is refused, and else the run ends.
fn judge(name: &str, error: ImportError) -> Result<Spooled, ImportError> {
    match error.exit() {
        Exit::Untrusted | Exit::Damaged | Exit::Missing | Exit::Sumdb => {
            Ok(Spooled::refused(name, &error))
        }
        Exit::Usage if matches!(error, ImportError::Volumes { .. }) => {
            Ok(Spooled::refused(name, &error))
        }
        _ => Err(error),
    }
}

enum Look {
    Whole(Bundle, (String, u64)),
    Waiting(String),
}

/// Whether a bundle is all there, as far as lengths tell.
fn look(manifest: &Path, session: &Session) -> Result<Look, ImportError> {
    let volume = volume_of(manifest);
    let waiting = |reason: &str| Ok(Look::Waiting(reason.into()));
    let length = match fs::metadata(&volume) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return waiting("its volume is not there yet");
        }
        data => data.map_err(|source| failed(&volume, source))?.len(),
    };
    if length < 512 || !ends_as_volumes_do(&volume, length).map_err(|e| failed(&volume, e))? {
        return waiting("its volume is still being copied, or was cut short");
    }
    let bundle = Bundle::of_manifest(manifest)?;
    let opened = bundle.open(session.policy())?;
    let manifest = opened.manifest();
    if length < least_length(manifest) {
        return waiting("its volume is still being copied, or was cut short");
    }
    let place = (manifest.stream.to_string(), manifest.sequence.get());
    Ok(Look::Whole(bundle, place))
}

/// A tar ends with two blocks of zeros.
fn ends_as_volumes_do(volume: &Path, length: u64) -> io::Result<bool> {
    let mut end = Vec::new();
    let mut file = File::open(volume)?;
    file.seek(SeekFrom::Start(length.saturating_sub(1024)))?;
    file.take(1024).read_to_end(&mut end)?;
    Ok(length.is_multiple_of(512) && end.len() == 1024 && end.iter().all(|&byte| byte == 0))
}

/// A volume is at least so long: what its manifest says that it carries, and the frame around it. How many
/// entries there are only the index says, so that what pads them is left out.
fn least_length(manifest: &Manifest) -> u64 {
    let frame = 4 * 512 + manifest.encode().len() as u64;
    frame
        .saturating_add(manifest.index.size)
        .saturating_add(manifest.totals.carried_bytes)
}

struct Folders {
    incoming: PathBuf,
    done: PathBuf,
    refused: PathBuf,
}

impl Folders {
    fn of(spool: &Path) -> Result<Self, ImportError> {
        let folders = Self {
            incoming: spool.join("incoming"),
            done: spool.join("done"),
            refused: spool.join("refused"),
        };
        for folder in [&folders.incoming, &folders.done, &folders.refused] {
            fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
        }
        Ok(folders)
    }

    fn manifests(&self) -> Result<Vec<PathBuf>, ImportError> {
        let entries = fs::read_dir(&self.incoming).map_err(|e| failed(&self.incoming, e))?;
        let mut manifests = Vec::new();
        for entry in entries {
            let path = entry.map_err(|e| failed(&self.incoming, e))?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "manifest")
            {
                manifests.push(path);
            }
        }
        manifests.sort();
        Ok(manifests)
    }

    /// Writes the report and then moves the bundle beside it, the manifest last: a run that is killed in
    /// between finds the bundle again, and its import has nothing left to do.
    fn take(
        &self,
        folder: &Path,
        name: &str,
        files: &[&PathBuf],
        spooled: &Spooled,
    ) -> Result<(), ImportError> {
        let mut text = report_text(spooled);
        text.push('\n');
        let json = serde_json::to_string(&json!(spooled)).unwrap_or_default() + "\n";
        for (extension, content) in [("report.json", json), ("report.txt", text)] {
            let path = folder.join(format!("{name}.{extension}"));
            let written = File::create(&path).and_then(|mut file| {
                file.write_all(content.as_bytes())?;
                file.sync_all()
            });
            written.map_err(|source| failed(&path, source))?;
        }
        for file in files.iter().rev() {
            let to = folder.join(file.file_name().unwrap_or_default());
            match fs::rename(file, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                moved => moved.map_err(|source| failed(file, source))?,
            }
        }
        Ok(())
    }
}

/// The report for people: the same words as on a terminal.
pub fn report_text(spooled: &Spooled) -> String {
    match spooled {
        Spooled::Done(done) => done.to_string(),
        Spooled::Waiting { bundle, reason } => format!("{bundle}: waiting: {reason}"),
        Spooled::Refused {
            bundle,
            causes,
            advice,
            details,
            ..
        } => {
            let mut text = format!("{bundle}: refused: {}", causes.join(": "));
            for detail in details {
                text.push_str(&format!("\n  - {detail}"));
            }
            if let Some(advice) = advice {
                text.push_str(&format!("\n  to do: {advice}"));
            }
            text
        }
    }
}

fn stem(manifest: &Path) -> String {
    manifest
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn volume_of(manifest: &Path) -> PathBuf {
    manifest.with_extension("v001.tar")
}

fn failed(path: &Path, source: io::Error) -> ImportError {
    ImportError::Input {
        path: path.into(),
        source,
    }
}
