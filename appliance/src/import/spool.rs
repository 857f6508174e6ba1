//! The spool: a folder in which bundles are dropped, for an import that no one attends.
//!
//! ```text
//! SPOOL/incoming/  STREAM.SEQ.manifest and STREAM.SEQ.vNNN.tar, as they come, in any order
//! SPOOL/done/      what was imported, each with STREAM.SEQ.report.json and .report.txt beside it
//! SPOOL/refused/   what was not, and will not be however often it is tried, with the same
//! SPOOL/moving     what is being moved from one to the other, while it is
//! ```
//!
//! The rule for who drops: the volumes first and the manifest last, or all elsewhere on the disk and then
//! renamed into place. A manifest without its volumes, or a volume without its manifest, is not there yet.
//!
//! A bundle is taken when it is whole: all are regular files, the manifest is a signed note, and the
//! volumes are all there, as long together as the manifest says at least, and end as volumes do. Where that rule was
//! not kept, a file that changes while it is looked at, or whose end is all zeros, is still being copied.
//!
//! What waits stays in `incoming` for the next run, with its reason told: a bundle that is not whole, that
//! builds on one which did not come yet, or that lacks further signatures, one that cannot be read, one
//! for which there is no room, or one by a key that a waiting trust note would bring. None of them keeps the others waiting. When the fault is this machine's,
//! everything stays. A damaged volume is refused alone, and the others wait for a good copy of it. Nothing in `done` or
//! `refused` is ever replaced: a second bundle of a name that is there becomes STREAM.SEQ.2.
//!
//! A bundle may bring the key that another one is signed with: those that are not trusted are looked at again when the
//! keys have changed, and refused when they do so no more.
//!
//! [`run`] gives the exit code of the worst that it met. A copy under way is nothing bad.

mod files;
mod folders;

use super::find::file_name;
use super::{Done, ImportError, Session};
use crate::trust::Taken;
use files::{Files, Look, look};
use folders::Folders;
use modferry_checker::{CheckError, Progress};
use modferry_cli::{Exit, Failure, causes, in_one_line};
use modferry_protocol::trust::TrustError;
use serde::Serialize;
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
            reason: in_one_line(error),
            advice: error.advice(),
            details: error.details(),
        }
    }

    /// It may be signed by a key that an administrator has yet to let in.
    fn waiting_for_keys(bundle: &str, error: &ImportError) -> Self {
        Self::Waiting {
            bundle: bundle.into(),
            exit: error.exit().code(),
            reason: format!(
                "{}; but a trust note waits here that changes the keys",
                in_one_line(error)
            ),
            advice: Some("as an administrator: modferry-appliance trust apply".into()),
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
    let (bundles, without_manifest) = folders.files()?;
    let mut worst = (false, Exit::Done.code());
    let mut tell = |spooled: &Spooled| {
        let refused = matches!(spooled, Spooled::Refused { .. });
        worst = worst.max((refused, spooled.exit()));
        told(spooled);
    };
    for name in without_manifest {
        let reason = "its manifest is not there yet: it is copied last, beside the volumes";
        tell(&Spooled::copying(&name, reason));
    }
    let mut left = bundles;
    loop {
        let mut whole = Vec::new();
        let mut untrusted = Vec::new();
        for files in left {
            match look(&files, session) {
                Ok(Look::Whole(bundle, place)) => whole.push((place, files, bundle)),
                Ok(Look::Waiting(reason)) => tell(&Spooled::copying(&files.name, &reason)),
                // Signed by a key that another bundle is about to bring?
                Err(error) if error.exit() == Exit::Untrusted => untrusted.push((files, error)),
                Err(error) => {
                    let (spooled, moved) = judge(&files, error)?;
                    folders.take(&files.name, &moved, &spooled)?;
                    tell(&spooled);
                }
            }
        }
        whole.sort_by(|a, b| a.0.cmp(&b.0));
        let mut keys_changed = false;
        for (_, files, bundle) in whole {
            let (spooled, moved) = match session.import_in_place(&bundle, progress) {
                Ok(done) => {
                    let applied = |taken: &Taken| matches!(taken, Taken::Applied(_));
                    keys_changed |= done.trust.iter().any(applied);
                    (Spooled::Done(Box::new(done)), files.all())
                }
                Err(error) => judge(&files, error)?,
            };
            folders.take(&files.name, &moved, &spooled)?;
            tell(&spooled);
        }
        if keys_changed {
            left = untrusted.into_iter().map(|(files, _)| files).collect();
            continue;
        }
        let keys_wait = !untrusted.is_empty() && session.keys_wait()?;
        for (files, error) in untrusted {
            let (spooled, moved) = match keys_wait {
                true => (Spooled::waiting_for_keys(&files.name, &error), Vec::new()),
                false => judge(&files, error)?,
            };
            folders.take(&files.name, &moved, &spooled)?;
            tell(&spooled);
        }
        return Ok(worst.1);
    }
}

/// Whether the fault is the bundle's for good: then it is refused, with the files that are. What time or another hand
/// can mend waits, and where this machine is at fault the run ends.
fn judge(files: &Files, error: ImportError) -> Result<(Spooled, Vec<PathBuf>), ImportError> {
    let name = &files.name;
    let waits = match &error {
        ImportError::Input { .. }
        | ImportError::NoRoom { .. }
        | ImportError::NoVolume { .. }
        | ImportError::Incomplete { .. } => true,
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
    let stays = |spooled| Ok((spooled, Vec::new()));
    match error.exit() {
        _ if waits => stays(Spooled::waiting(name, &error)),
        Exit::NoRoom => stays(Spooled::waiting(name, &error)),
        Exit::Untrusted | Exit::Damaged | Exit::Sumdb if files.changed() => {
            stays(Spooled::copying(name, "it changed while it was looked at"))
        }
        Exit::Damaged if files.has_unwritten_end() => stays(Spooled::copying(
            name,
            "the end of one of its volumes is not written yet",
        )),
        Exit::Untrusted | Exit::Damaged | Exit::Sumdb => {
            let bad = files.bad(&error);
            let name = match bad.as_slice() {
                [volume] if bad.len() < files.all().len() => &file_name(volume),
                _ => name,
            };
            Ok((Spooled::refused(name, &error), bad))
        }
        Exit::Other | Exit::Usage
            if matches!(
                error,
                ImportError::Rollback { .. } | ImportError::Cuts { .. }
            ) =>
        {
            Ok((Spooled::refused(name, &error), files.all()))
        }
        _ => Err(error),
    }
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
