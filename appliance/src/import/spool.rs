//! The spool: a folder in which bundles are dropped, for an import that no one attends.
//!
//! ```text
//! SPOOL/incoming/  STREAM.SEQ.manifest and STREAM.SEQ.v001.tar, as they come, in any order
//! SPOOL/done/      what was imported, each with STREAM.SEQ.report.json and .report.txt beside it
//! SPOOL/refused/   what was not, and will not be however often it is tried, with the same
//! ```
//!
//! The rule for who drops: the volume first and the manifest last, or both elsewhere on the disk and then
//! renamed into place. A manifest without its volume, or a volume without its manifest, is not there yet.
//!
//! A bundle is taken when it is whole: both are regular files, the manifest is a signed note, and the
//! volume is as long as its manifest says at least and ends as volumes do. Where that rule was not kept,
//! a file that changes while it is looked at, or whose end is all zeros, is still being copied.
//!
//! What waits stays in `incoming` for the next run, with its reason told: a bundle that is not whole, that
//! builds on one which did not come yet, or that lacks further signatures, one that cannot be read, one
//! for which there is no room. None of them keeps the others waiting. When the fault is this machine's,
//! everything stays. Nothing in `done` or `refused` is ever replaced: a second bundle of a name that is
//! there becomes STREAM.SEQ.2.
//!
//! [`run`] gives the exit code of the worst that it met. A copy under way is nothing bad.

use super::{Bundle, Done, ImportError, Session};
use modferry_checker::{CheckError, Progress};
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{MAX_MANIFEST, Manifest};
use modferry_protocol::note::{self, NoteError};
use modferry_protocol::trust::TrustError;
use serde::Serialize;
use serde_json::json;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
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
    /// It is still in `incoming`.
    Waiting {
        /// The bundle.
        bundle: String,
        /// The exit code that its import alone would have had; 0 where it is still being copied.
        exit: u8,
        /// What it waits for.
        reason: String,
        /// What to do about it.
        advice: Option<String>,
        /// What the reason counts, a line each.
        details: Vec<String>,
    },
}

impl Spooled {
    fn refused(bundle: &str, error: &ImportError) -> Self {
        Self::Refused {
            bundle: bundle.into(),
            exit: error.exit().code(),
            causes: causes(error),
            advice: error.advice(),
            details: error.details(),
        }
    }

    /// It waits for what the error says.
    fn waiting(bundle: &str, error: &ImportError) -> Self {
        Self::Waiting {
            bundle: bundle.into(),
            exit: error.exit().code(),
            reason: causes(error).join(": "),
            advice: error.advice(),
            details: error.details(),
        }
    }

    /// It waits for a copy to end, which is no failure.
    fn copying(bundle: &str, reason: &str) -> Self {
        Self::Waiting {
            bundle: bundle.into(),
            exit: Exit::Done.code(),
            reason: reason.into(),
            advice: None,
            details: Vec::new(),
        }
    }

    fn exit(&self) -> u8 {
        match self {
            Self::Done(_) => Exit::Done.code(),
            Self::Refused { exit, .. } | Self::Waiting { exit, .. } => *exit,
        }
    }
}

fn causes(error: &ImportError) -> Vec<String> {
    let mut causes = vec![error.to_string()];
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
    }
    causes
}

/// Takes every whole bundle in the spool, in the order of stream and sequence. `told` hears of each. Gives the
/// exit code of the worst: what was refused is worse than what waits.
///
/// Fails, and leaves the rest where it is, where the fault is this machine's and not a bundle's.
pub fn run(
    session: &Session,
    spool: &Path,
    progress: &dyn Progress,
    mut told: impl FnMut(&Spooled),
) -> Result<u8, ImportError> {
    let folders = Folders::of(spool)?;
    let (manifests, lone_volumes) = folders.files()?;
    let mut worst = (false, Exit::Done.code());
    let mut tell = |spooled: &Spooled| {
        let refused = matches!(spooled, Spooled::Refused { .. });
        worst = worst.max((refused, spooled.exit()));
        told(spooled);
    };
    for name in lone_volumes {
        let reason = "its manifest is not there yet: it is copied last, beside the volume";
        tell(&Spooled::copying(&name, reason));
    }
    let mut whole = Vec::new();
    for manifest in manifests {
        let files = Files::of(manifest);
        match look(&files, session) {
            Ok(Look::Whole(bundle, place)) => whole.push((place, files, bundle)),
            Ok(Look::Waiting(reason)) => tell(&Spooled::copying(&files.name, reason)),
            Err(error) => {
                let spooled = judge(&files, error)?;
                folders.take(&files, &spooled)?;
                tell(&spooled);
            }
        }
    }
    whole.sort_by(|a, b| a.0.cmp(&b.0));
    for (_, files, bundle) in whole {
        let spooled = match session.import(&bundle, progress) {
            Ok(done) => Spooled::Done(Box::new(done)),
            Err(error) => judge(&files, error)?,
        };
        folders.take(&files, &spooled)?;
        tell(&spooled);
    }
    Ok(worst.1)
}

/// Whether the fault is the bundle's for good: then it is refused. What time or another hand can mend waits,
/// and where this machine is at fault the run ends.
fn judge(files: &Files, error: ImportError) -> Result<Spooled, ImportError> {
    let name = &files.name;
    let waits = match &error {
        ImportError::Input { .. } | ImportError::NoRoom { .. } | ImportError::NoVolume { .. } => {
            true
        }
        ImportError::Refused { source, .. } => matches!(
            **source,
            CheckError::Missing { .. }
                | CheckError::Io { .. }
                | CheckError::Untrusted {
                    source: TrustError::TooFew { .. }
                }
        ),
        _ => false,
    };
    match error.exit() {
        _ if waits => Ok(Spooled::waiting(name, &error)),
        Exit::NoRoom => Ok(Spooled::waiting(name, &error)),
        Exit::Untrusted | Exit::Damaged | Exit::Sumdb if files.changed() => {
            Ok(Spooled::copying(name, "it changed while it was looked at"))
        }
        Exit::Damaged if ends_in(&files.volume, UNWRITTEN_END).unwrap_or(false) => Ok(
            Spooled::copying(name, "its volume's end is not written yet"),
        ),
        Exit::Untrusted | Exit::Damaged | Exit::Sumdb => Ok(Spooled::refused(name, &error)),
        Exit::Usage if matches!(error, ImportError::Volumes { .. }) => {
            Ok(Spooled::refused(name, &error))
        }
        _ => Err(error),
    }
}

/// A bundle's files in the spool, as they were when the run came to them.
struct Files {
    name: String,
    manifest: PathBuf,
    volume: PathBuf,
    stamps: [Option<Stamp>; 2],
}

/// What tells one state of a file from another without reading it: its number, size and time of change.
type Stamp = (u64, u64, i64, i64);

impl Files {
    fn of(manifest: PathBuf) -> Self {
        let volume = manifest.with_extension("v001.tar");
        Self {
            name: stem(&manifest),
            stamps: [stamp(&manifest), stamp(&volume)],
            manifest,
            volume,
        }
    }

    fn changed(&self) -> bool {
        self.stamps != [stamp(&self.manifest), stamp(&self.volume)]
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let data = fs::metadata(path).ok()?;
    Some((data.ino(), data.size(), data.mtime(), data.mtime_nsec()))
}

enum Look {
    Whole(Bundle, (String, u64)),
    Waiting(&'static str),
}

/// Whether a bundle is all there, as far as lengths tell.
fn look(files: &Files, session: &Session) -> Result<Look, ImportError> {
    let cut_short = Look::Waiting("its volume is still being copied, or was cut short");
    let volume = &files.volume;
    regular(&files.manifest)?;
    let length = match regular(volume) {
        Err(ImportError::Input { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(Look::Waiting("its volume is not there yet"));
        }
        length => length?,
    };
    if !is_note(&files.manifest)? {
        return Ok(Look::Waiting(
            "its manifest is still being copied, or was cut short: it is no signed note",
        ));
    }
    let ends = ends_in(volume, END).map_err(|source| failed(volume, source))?;
    if !(length.is_multiple_of(512) && ends) {
        return Ok(cut_short);
    }
    let bundle = Bundle::of_manifest(&files.manifest)?;
    let opened = bundle.open(session.policy())?;
    let manifest = opened.manifest();
    if length < least_length(manifest) {
        return Ok(cut_short);
    }
    let place = (manifest.stream.to_string(), manifest.sequence.get());
    Ok(Look::Whole(bundle, place))
}

/// The length of a regular file. Anything else is not opened: a pipe would block for ever, with the store locked.
fn regular(path: &Path) -> Result<u64, ImportError> {
    let data = fs::metadata(path).map_err(|source| failed(path, source))?;
    if data.is_file() {
        return Ok(data.len());
    }
    let source = io::Error::other("it is not a regular file");
    Err(failed(path, source))
}

/// Whether a manifest is a note that somebody signed, whoever that is. A longer one than manifests are is not
/// judged here.
fn is_note(manifest: &Path) -> Result<bool, ImportError> {
    let mut text = Vec::new();
    File::open(manifest)
        .and_then(|file| file.take(MAX_MANIFEST + 1).read_to_end(&mut text))
        .map_err(|source| failed(manifest, source))?;
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

    /// The manifests, and the names of bundles of which only a volume is there.
    fn files(&self) -> Result<(Vec<PathBuf>, Vec<String>), ImportError> {
        let entries = fs::read_dir(&self.incoming).map_err(|e| failed(&self.incoming, e))?;
        let (mut manifests, mut volumes) = (Vec::new(), Vec::new());
        for entry in entries {
            let path = entry.map_err(|e| failed(&self.incoming, e))?.path();
            if path.extension().is_some_and(|ext| ext == "manifest") {
                manifests.push(path);
            } else if path.to_string_lossy().ends_with(".v001.tar") {
                volumes.push(path);
            }
        }
        manifests.sort();
        volumes.sort();
        let alone = |volume: &PathBuf| {
            let bundle = volume.with_extension(""); // STREAM.SEQ.v001
            let manifest = bundle.with_extension("manifest");
            (!manifests.contains(&manifest)).then(|| stem(&bundle))
        };
        let alone = volumes.iter().filter_map(alone).collect();
        Ok((manifests, alone))
    }

    /// Writes the report and then moves the bundle beside it, unless it waits. What lies there already stays.
    fn take(&self, files: &Files, spooled: &Spooled) -> Result<(), ImportError> {
        let folder = match spooled {
            Spooled::Done(_) => &self.done,
            Spooled::Refused { .. } => &self.refused,
            Spooled::Waiting { .. } => return Ok(()),
        };
        let mut text = report_text(spooled);
        text.push('\n');
        let json = serde_json::to_string(&json!(spooled)).unwrap_or_default() + "\n";
        let name = unused(folder, &files.name);
        let to = |extension| folder.join(format!("{name}.{extension}"));
        for (extension, content) in [("report.json", json), ("report.txt", text)] {
            let path = to(extension);
            let written = File::create_new(&path).and_then(|mut file| {
                file.write_all(content.as_bytes())?;
                file.sync_all()
            });
            written.map_err(|source| failed(&path, source))?;
        }
        for (file, extension) in [(&files.volume, "v001.tar"), (&files.manifest, "manifest")] {
            match fs::rename(file, to(extension)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                moved => moved.map_err(|source| failed(file, source))?,
            }
        }
        Ok(())
    }
}

/// What a bundle's files can be called in the folder: its name, or that and the first number from 2 on that
/// nothing has. The one who holds the store's lock is the one who makes files there.
fn unused(folder: &Path, name: &str) -> String {
    let taken = |name: &str| {
        ["report.json", "report.txt", "v001.tar", "manifest"]
            .iter()
            .any(|extension| {
                let path = folder.join(format!("{name}.{extension}"));
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

/// The report for people: the same words as on a terminal.
pub fn report_text(spooled: &Spooled) -> String {
    let (mut text, advice, details) = match spooled {
        Spooled::Done(done) => return done.to_string(),
        Spooled::Waiting {
            bundle,
            reason,
            advice,
            details,
            ..
        } => (format!("{bundle}: waiting: {reason}"), advice, details),
        Spooled::Refused {
            bundle,
            causes,
            advice,
            details,
            ..
        } => (
            format!("{bundle}: refused: {}", causes.join(": ")),
            advice,
            details,
        ),
    };
    for detail in details {
        text.push_str(&format!("\n  - {detail}"));
    }
    if let Some(advice) = advice {
        text.push_str(&format!("\n  to do: {advice}"));
    }
    text
}

fn stem(manifest: &Path) -> String {
    manifest
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn failed(path: &Path, source: io::Error) -> ImportError {
    ImportError::Input {
        path: path.into(),
        source,
    }
}
