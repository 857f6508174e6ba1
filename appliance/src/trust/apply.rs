//! Applying a trust note, so that a kill or a power cut at any moment leaves the old keys or the new ones.
//!
//! In this order, each step durable before the next:
//!
//! 1. the note is judged by what is trusted now ([`Keyring::judge`]);
//! 2. it is written to trust/applying.note. **This is the commit**: from here on whoever reads trust/ takes its
//!    changes as made, whichever of the files show them ([`super::state`]);
//! 3. the files: added keys, then revoked ones, then thresholds. Each step gives the same when it is made again;
//! 4. the note gets its place in trust/notes.
//!
//! Whoever next changes anything in trust/ first finishes what was left behind at step 3.

use super::error::{NotANote, TrustStoreError};
use super::files::{self, read_small};
use super::key::file_name;
use super::state::{KeptNote, State, applying_file, note_file, required_file, stream_file};
use super::{Kind, TrustStore};
use modferry_protocol::note::{self, NoteError, VerifierKey};
use modferry_protocol::trust::{Judged, MAX_TRUST_NOTE, TrustNote};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What became of a trust note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Applied {
    /// It is applied.
    Applied(Change),
    /// It was before: nothing was done.
    AlreadyApplied {
        /// Its number.
        number: u64,
    },
}

/// What a trust note changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The note's number.
    pub number: u64,
    /// When it was made, as it says.
    pub created: String,
    /// The trusted keys that signed it.
    pub signers: Vec<String>,
    /// The keys that are trusted from now on, as NAME+HASH.
    pub added: Vec<String>,
    /// The keys that are not trusted any more, as NAME+HASH.
    pub revoked: Vec<String>,
    /// How many signatures are required now.
    pub required: usize,
    /// The same for the streams that have a number of their own.
    pub streams: BTreeMap<String, usize>,
}

/// One change of one file, whole and durable.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Write(PathBuf, String),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl TrustStore {
    /// Applies a trust note, given with its signatures.
    pub fn apply(&self, signed: &[u8]) -> Result<Applied, TrustStoreError> {
        let (_changing, state) = self.change()?;
        let keyring = state.keyring()?;
        let accepted = match keyring.judge(signed)? {
            Judged::Applied(number) => return Ok(Applied::AlreadyApplied { number }),
            Judged::Next(accepted) => accepted,
        };
        let kept = KeptNote {
            path: applying_file(&self.store),
            // A note that opened is text.
            signed: String::from_utf8_lossy(signed).into_owned(),
            note: accepted.note().clone(),
        };
        self.write(&kept.path, &kept.signed)?;
        self.carry_out(&state, &kept)?;
        let mut after = keyring;
        after.apply(&kept.note);
        let names = |keys: &[VerifierKey]| keys.iter().map(VerifierKey::short_name).collect();
        let streams = after.thresholds.streams().iter();
        Ok(Applied::Applied(Change {
            number: kept.note.number,
            created: kept.note.created.clone(),
            signers: accepted.signers().iter().map(ToString::to_string).collect(),
            added: names(&kept.note.add),
            revoked: names(&kept.note.revoke),
            required: after.thresholds.default(),
            streams: streams
                .map(|(stream, n)| (stream.to_string(), *n))
                .collect(),
        }))
    }

    /// Makes the files say what the note in trust/applying.note says.
    pub(super) fn carry_out(&self, state: &State, note: &KeptNote) -> Result<(), TrustStoreError> {
        self.steps(state, note)?
            .iter()
            .try_for_each(|step| self.step(step))
    }

    pub(super) fn step(&self, step: &Step) -> Result<(), TrustStoreError> {
        match step {
            Step::Write(path, text) => self.write(path, text),
            Step::Remove(path) => files::remove(path),
            Step::Rename(from, to) => files::rename(from, to),
        }
    }

    /// The steps from these files to what the note makes of them, whatever part of it they show.
    pub(super) fn steps(
        &self,
        state: &State,
        applying: &KeptNote,
    ) -> Result<Vec<Step>, TrustStoreError> {
        let note = &applying.note;
        let trusted = |key| self.folder(Kind::Bundle).join(file_name(key));
        let mut steps = Vec::new();
        for key in &note.add {
            steps.push(Step::Write(trusted(key), format!("{key}\n")));
        }
        for key in &note.revoke {
            let path = self.revoked_folder().join(file_name(key));
            steps.push(Step::Write(path, format!("{key}\n")));
            let same = |known: &&VerifierKey| known.fingerprint() == key.fingerprint();
            let known = state.keys.iter().filter(same);
            steps.extend(known.map(|known| Step::Remove(trusted(known))));
        }
        let thresholds = state.keyring()?.thresholds.raised_by(note);
        let required = format!("{}\n", thresholds.default());
        steps.push(Step::Write(required_file(&self.store), required));
        for (stream, number) in thresholds.streams() {
            let path = stream_file(&self.store, stream);
            steps.push(Step::Write(path, format!("{number}\n")));
        }
        steps.push(Step::Rename(
            applying.path.clone(),
            note_file(&self.store, note.number),
        ));
        Ok(steps)
    }

    /// Begins the row of notes here with a note that was applied elsewhere, where the keys were set by hand to what it
    /// left. Without this a store that is made anew would wait for note 1, whose signers nobody knows any more.
    ///
    /// An administrator says it, as with every key that is set by hand; all that is checked is that it can be true.
    pub fn begin(&self, path: &Path) -> Result<u64, TrustStoreError> {
        let signed = read_note(path)?;
        let (_changing, state) = self.change()?;
        if let Some(last) = state.notes.last() {
            return Err(TrustStoreError::Begun {
                last: last.note.number,
            });
        }
        let given = |why| TrustStoreError::GivenNote {
            path: path.into(),
            why,
        };
        let text = note::text(signed.as_bytes()).map_err(|_| given(NotANote::NotSigned))?;
        let note = TrustNote::parse(text).map_err(|e| given(e.into()))?;
        let keyring = state.keyring()?;
        if let Err(error) = note::open(signed.as_bytes(), &keyring.keys)
            && !matches!(error, NoteError::Untrusted(_))
        {
            return Err(given(NotANote::False(error)));
        }
        let mut different = Vec::new();
        for key in note.add.iter().filter(|key| !keyring.keys.contains(key)) {
            different.push(format!(
                "it adds {}, which is not trusted here",
                key.short_name()
            ));
        }
        for key in &note.revoke {
            // Under whatever name: a key that is trusted and revoked at once is no policy.
            let same = |known: &&VerifierKey| known.fingerprint() == key.fingerprint();
            if let Some(known) = keyring.keys.iter().find(same) {
                different.push(format!(
                    "it revokes {}, which is trusted here",
                    known.short_name()
                ));
            }
        }
        if keyring.thresholds.raised_by(&note) != keyring.thresholds {
            different.push("it requires more signatures than are required here".into());
        }
        if !different.is_empty() {
            return Err(TrustStoreError::NotItsKeys {
                number: note.number,
                different,
            });
        }
        for key in &note.revoke {
            let path = self.revoked_folder().join(file_name(key));
            self.write(&path, &format!("{key}\n"))?;
        }
        self.write(&note_file(&self.store, note.number), &signed)?;
        Ok(note.number)
    }
}

/// Reads a trust note's file, whatever it says.
pub fn read_note(path: &Path) -> Result<String, TrustStoreError> {
    read_small(path, MAX_TRUST_NOTE).map_err(|why| TrustStoreError::GivenNote {
        path: path.into(),
        why: why.into(),
    })
}
