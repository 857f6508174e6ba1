//! Trust notes that a bundle brought: applied where this user may, and else laid down for one who may.
//!
//! A bundle is judged by the keys that were trusted before it came, its notes by themselves. What becomes of a note
//! that is not accepted:
//!
//! - One that was applied already is passed over: a bundle may carry the whole row, for stores that were not reached.
//! - One with a false signature refuses the bundle, before anything is written: it was altered, or forged by
//!   someone whose bundle is trusted, and neither is a bundle to import.
//! - One that is not as the format has it refuses the bundle, too, as damaged: the checker has seen to that.
//! - Any other (too few signatures, a gap, a second note of one number) changes nothing and is told loudly, in the
//!   import's report and in `status` until the next import. It does not stop the import: the bundle's modules are
//!   vouched for by keys that are trusted here, and an old bundle with an old note must stay importable.
//!
//! STORE/trust-pending/NNNNNN.note belongs to the user that imports. Whoever applies such a file judges it anew.

use super::apply::read_note;
use super::error::{NotAKey, TrustStoreError};
use super::files::Foreign;
use super::state::note_name;
use super::{Applied, Change, TrustStore, files};
use modferry_cli::Failure;
use modferry_cli::in_one_line;
use modferry_protocol::note;
use modferry_protocol::trust::{Judged, Keyring, MAX_TRUST_NOTE, NoteRefused};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A trust note as a bundle carried it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// Its number, as the bundle's index has it.
    pub number: u64,
    /// The note with its signatures. What is no text is no note, and is kept as near as text comes to it.
    pub note: String,
}

impl Carried {
    /// A note that is well-formed, as the checker has seen to.
    pub fn new(number: u64, note: &[u8]) -> Self {
        Self {
            number,
            note: String::from_utf8_lossy(note).into_owned(),
        }
    }
}

/// What became of a trust note that a bundle brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Taken {
    /// It is applied.
    Applied(Change),
    /// It is right, and waits for one who may change trust/.
    Pending {
        /// Its number.
        number: u64,
        /// Where it waits.
        path: PathBuf,
        /// The command that applies it.
        command: String,
    },
    /// It is not accepted, and changed nothing.
    Ignored {
        /// Its number, as the bundle has it.
        number: u64,
        /// Why, from the outermost cause to the innermost.
        why: String,
        /// What to do about it.
        advice: Option<String>,
    },
}

/// A trust note that waits in STORE/trust-pending.
#[derive(Clone, Debug, Serialize)]
pub struct PendingNote {
    /// Its file.
    pub path: PathBuf,
    /// Its number; `None` where it cannot be read.
    pub number: Option<u64>,
    /// Why it would not be accepted, if it would not.
    pub refused: Option<String>,
}

/// A file in STORE/trust-pending.
#[derive(Debug)]
pub struct Waiting {
    /// Where it is.
    pub path: PathBuf,
    /// The note, or why there is none in it.
    pub note: Result<String, NotAKey>,
}

impl Waiting {
    /// The note; an error that names the file where there is none.
    pub fn note(self) -> Result<String, TrustStoreError> {
        self.note.map_err(|why| not_given(&self.path, why))
    }
}

fn not_given(path: &Path, why: NotAKey) -> TrustStoreError {
    TrustStoreError::GivenNote {
        path: path.into(),
        why: why.into(),
    }
}

impl TrustStore {
    /// The notes of a bundle that are news here, whatever is to become of them. Refuses a bundle of which one has a false
    /// signature; to be asked before anything of the bundle is kept.
    pub fn news(&self, notes: Vec<Carried>) -> Result<Vec<Carried>, TrustStoreError> {
        let mut news = Vec::new();
        if notes.is_empty() {
            return Ok(news);
        }
        let mut keyring = self.keyring()?;
        for carried in notes {
            match judge(&keyring, &carried) {
                Err(refused @ NoteRefused::False(_)) => return Err(refused.into()),
                Ok(Judged::Applied(_)) | Err(NoteRefused::Older { .. }) => continue,
                Ok(Judged::Next(accepted)) => keyring.apply(accepted.note()),
                Err(_) => {}
            }
            news.push(carried);
        }
        Ok(news)
    }

    /// What would become of a bundle's notes, a line each, for who only verifies it.
    pub fn foretell(&self, notes: &[Carried]) -> Result<Vec<String>, TrustStoreError> {
        let mut told = Vec::new();
        if notes.is_empty() {
            return Ok(told);
        }
        let mut keyring = self.keyring()?;
        for carried in notes {
            let number = carried.number;
            told.push(match judge(&keyring, carried) {
                Ok(Judged::Applied(_)) => continue,
                Ok(Judged::Next(accepted)) => {
                    keyring.apply(accepted.note());
                    format!("an import would apply trust note {number}")
                }
                Err(refused) => {
                    let error = TrustStoreError::from(refused);
                    format!(
                        "an import would not apply trust note {number}: {}",
                        in_one_line(&error)
                    )
                }
            });
        }
        Ok(told)
    }

    /// Takes a bundle's notes, by number. Of those that were applied before nothing is told.
    ///
    /// The import that brought them is over: nothing here can fail it.
    pub fn take(&self, notes: &[Carried]) -> Vec<Taken> {
        self.take_where(notes, files::may_change(&self.store))
    }

    pub(super) fn take_where(&self, notes: &[Carried], may_change: bool) -> Vec<Taken> {
        let mut taken = Vec::new();
        if notes.is_empty() {
            return taken;
        }
        let mut keyring = match self.keyring() {
            Ok(keyring) => keyring,
            Err(error) => {
                return notes
                    .iter()
                    .map(|note| ignored(note.number, &error))
                    .collect();
            }
        };
        for carried in notes {
            let accepted = match judge(&keyring, carried) {
                Ok(Judged::Applied(_)) => continue,
                // Older than the row here, which began with keys that were set by hand.
                Err(NoteRefused::Older { .. }) => continue,
                Ok(Judged::Next(accepted)) if accepted.note().number == carried.number => accepted,
                Ok(Judged::Next(accepted)) => {
                    taken.push(Taken::Ignored {
                        number: carried.number,
                        why: format!("its text says number {}", accepted.note().number),
                        advice: None,
                    });
                    continue;
                }
                Err(refused) => {
                    taken.push(ignored(carried.number, &refused.into()));
                    continue;
                }
            };
            let before = keyring.clone();
            keyring.apply(accepted.note());
            let outcome = match may_change {
                true => self
                    .apply(carried.note.as_bytes())
                    .map(|applied| match applied {
                        Applied::Applied(change) => Some(Taken::Applied(change)),
                        Applied::AlreadyApplied { .. } => None,
                    }),
                false => self.lay_down(carried, &before).map(Some),
            };
            taken.extend(outcome.unwrap_or_else(|error| Some(ignored(carried.number, &error))));
        }
        self.clear_pending();
        taken
    }

    /// Those of a bundle's notes that are not accepted here, for whoever looks at the store later.
    pub fn refused(&self, notes: &[Carried]) -> Result<Vec<Taken>, TrustStoreError> {
        let mut refused = Vec::new();
        if notes.is_empty() {
            return Ok(refused);
        }
        let mut keyring = self.keyring()?;
        for carried in notes {
            match judge(&keyring, carried) {
                Ok(Judged::Next(accepted)) => keyring.apply(accepted.note()),
                Ok(Judged::Applied(_)) | Err(NoteRefused::Older { .. }) => {}
                Err(error) => refused.push(ignored(carried.number, &error.into())),
            }
        }
        Ok(refused)
    }

    /// Lays a note down, which `keyring` accepts.
    fn lay_down(&self, carried: &Carried, keyring: &Keyring) -> Result<Taken, TrustStoreError> {
        let folder = self.pending_folder();
        files::make_folder(&folder, 0o755)?;
        let path = folder.join(note_name(carried.number));
        // What lies there and is not accepted, or no more, must not be in the way.
        let accepted =
            |there: &String| matches!(keyring.judge(there.as_bytes()), Ok(Judged::Next(_)));
        match read_note(&path).ok().filter(accepted) {
            Some(there) if same_text(&there, &carried.note) => {}
            // Both were signed as they should be, and neither is applied: it is not for this user to choose.
            Some(_) => {
                return Err(NoteRefused::Fork {
                    number: carried.number,
                }
                .into());
            }
            None => files::write(&folder, &path, &carried.note)?,
        }
        Ok(Taken::Pending {
            number: carried.number,
            command: format!(
                "modferry-appliance trust apply {} --store {}",
                path.display(),
                self.store.display()
            ),
            path,
        })
    }

    /// The notes that wait, by number, judged as they would be if they were applied in that order now.
    pub fn pending(&self) -> Result<Vec<PendingNote>, TrustStoreError> {
        let waiting = self.waiting()?;
        let mut pending = Vec::new();
        if waiting.is_empty() {
            return Ok(pending);
        }
        let mut keyring = self.keyring()?;
        for Waiting { path, note } in waiting {
            let judged = note
                .map_err(|why| not_given(&path, why))
                .and_then(|signed| Ok(keyring.judge(signed.as_bytes())?));
            let (number, refused) = match judged {
                Ok(Judged::Applied(_)) => continue, // nothing waits any more
                Ok(Judged::Next(accepted)) => {
                    keyring.apply(accepted.note());
                    (Some(accepted.note().number), None)
                }
                Err(error) => (None, Some(in_one_line(&error))),
            };
            pending.push(PendingNote {
                path,
                number,
                refused,
            });
        }
        Ok(pending)
    }

    /// The files that wait, in the order of their numbers, and what is in them.
    pub fn waiting(&self) -> Result<Vec<Waiting>, TrustStoreError> {
        let folder = self.pending_folder();
        let failed = |source| super::error::io_error("read", &folder)(source);
        let Some(files) = Foreign::open(&folder).map_err(failed)? else {
            return Ok(Vec::new());
        };
        let names = files.names(".note").map_err(failed)?;
        let waiting = |name: String| Waiting {
            path: folder.join(&name),
            note: files.read(&name, MAX_TRUST_NOTE),
        };
        Ok(names.into_iter().map(waiting).collect())
    }

    /// Removes what waits for nothing any more. Where this user may not, one who may does it another time.
    pub fn clear_pending(&self) {
        let folder = self.pending_folder();
        let (Ok(Some(files)), Ok(keyring)) = (Foreign::open(&folder), self.keyring()) else {
            return;
        };
        for name in files.names(".note").unwrap_or_default() {
            let applied = files
                .read(&name, MAX_TRUST_NOTE)
                .is_ok_and(|note| matches!(keyring.judge(note.as_bytes()), Ok(Judged::Applied(_))));
            if applied {
                files.remove(&name);
            }
        }
    }

    fn pending_folder(&self) -> PathBuf {
        self.store.join("trust-pending")
    }
}

/// Judges a note by its number first: of one that is older than the row here, nobody's signature may be known.
fn judge(keyring: &Keyring, carried: &Carried) -> Result<Judged, NoteRefused> {
    if let Some(first) = keyring.applied.first()
        && carried.number < first.number
    {
        return Err(NoteRefused::Older {
            number: carried.number,
            first: first.number,
        });
    }
    keyring.judge(carried.note.as_bytes())
}

fn same_text(a: &str, b: &str) -> bool {
    match (note::text(a.as_bytes()), note::text(b.as_bytes())) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn ignored(number: u64, error: &TrustStoreError) -> Taken {
    Taken::Ignored {
        number,
        why: in_one_line(error),
        advice: error.advice(),
    }
}
