//! Who is trusted, as a row of trust notes changes it: the rules by which a note is accepted, as pure code.
//!
//! A note is applied only if it is the next of the row, follows the very text that was applied before it, and is
//! signed by as many trusted keys as the strictest stream asks for: it changes the keys of every stream. It can
//! never lower a threshold, never bring a revoked key back, and never leave fewer keys than are asked for, which
//! would lock everybody out.

use super::{MAX_TRUST_NOTE, Thresholds, TrustNote, TrustNoteError};
use crate::note::{self, NoteError, Signatory, VerifierKey};

/// A trust note that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedNote {
    /// Its number.
    pub number: u64,
    /// SHA-256 of its text.
    pub sha256: [u8; 32],
}

/// The keys that may sign bundles, and how they came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    /// Whose signatures count.
    pub keys: Vec<VerifierKey>,
    /// Whose never will again.
    pub revoked: Vec<VerifierKey>,
    /// How many must have signed.
    pub thresholds: Thresholds,
    /// The notes that were applied, by number; the first need not be number 1 where the keys were set by hand.
    pub applied: Vec<AppliedNote>,
}

/// What a note is to a keyring that does not refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The next one, rightly signed.
    Next(AcceptedNote),
    /// One that was applied already, of this number.
    Applied(u64),
}

/// A note that a keyring accepted. Only [`Keyring::judge`] makes one: holding it is the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedNote {
    note: TrustNote,
    signers: Vec<Signatory>,
}

impl AcceptedNote {
    /// The note.
    pub fn note(&self) -> &TrustNote {
        &self.note
    }

    /// The trusted keys that signed it, each once.
    pub fn signers(&self) -> &[Signatory] {
        &self.signers
    }
}

/// Why a trust note is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteRefused {
    /// More bytes than a trust note may have.
    #[error("trust note of {0} bytes: want at most {MAX_TRUST_NOTE}")]
    TooLong(usize),
    /// It is no signed note.
    #[error("it is no signed note")]
    NotSigned,
    /// A line names a trusted key, and the signature is not that key's: it was tampered with.
    #[error("a signature on it is false")]
    False(#[source] NoteError),
    /// Fewer different trusted keys than the strictest stream asks for.
    #[error("{} of the {want} trusted signatures that a change of the keys needs{}", .signers.len(), list(.signers))]
    TooFew {
        /// How many trusted keys must have signed.
        want: usize,
        /// Those that have.
        signers: Vec<Signatory>,
    },
    /// It is signed as it should be, and this version cannot read it.
    #[error("it is signed by trusted keys, but is not as the format has it")]
    Text(#[source] TrustNoteError),
    /// A note of this number was applied, with another text: somebody has signed two.
    #[error(
        "another trust note {number} was applied here: those who sign have made two different ones of this number"
    )]
    Fork {
        /// Its number.
        number: u64,
    },
    /// It is the next by its number, and continues another row of notes.
    #[error("trust note {number} does not continue trust note {} as it was applied here", number - 1)]
    Elsewhere {
        /// Its number.
        number: u64,
    },
    /// Notes before it were not applied.
    #[error("trust note {number} comes after trust note {}, which was not applied here", number - 1)]
    Gap {
        /// Its number.
        number: u64,
        /// The number that would be the next here.
        next: u64,
    },
    /// It is older than the first note that is known here, so that nothing can be said of it.
    #[error("trust note {number} is older than the first that is known here, which is {first}")]
    Older {
        /// Its number.
        number: u64,
        /// The first number known.
        first: u64,
    },
    /// It brings back a key that was revoked.
    #[error("it adds the key {0}, which was revoked here")]
    Revoked(String),
    /// It adds a key that is trusted under another name.
    #[error("it adds the key {added}, which is trusted already under the name {known}")]
    OtherName {
        /// The key as the note has it, NAME+HASH.
        added: String,
        /// The key that is trusted, NAME+HASH.
        known: String,
    },
    /// It would leave fewer keys than must sign.
    #[error(
        "it would leave {keys} trusted keys where {required} signatures are required: nobody could sign any more"
    )]
    TooFewKeys {
        /// The keys left.
        keys: usize,
        /// The signatures required.
        required: usize,
    },
}

fn list(signers: &[Signatory]) -> String {
    let names: Vec<String> = signers.iter().map(ToString::to_string).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" ({})", names.join(", ")),
    }
}

impl Keyring {
    /// The note that was applied last.
    pub fn last(&self) -> Option<AppliedNote> {
        self.applied.last().copied()
    }

    /// The number that the next note must have.
    pub fn next(&self) -> u64 {
        self.last().map_or(1, |last| last.number + 1)
    }

    /// Judges a trust note with its signatures. Nothing of an unknown text is interpreted before as many trusted keys
    /// as the strictest stream asks for have signed it.
    pub fn judge(&self, signed: &[u8]) -> Result<Judged, NoteRefused> {
        if signed.len() as u64 > MAX_TRUST_NOTE {
            return Err(NoteRefused::TooLong(signed.len()));
        }
        // Byte for byte what was accepted before: who signed it by now is of no interest.
        let text_hash = text_sha256(signed);
        if let Some(known) = self
            .applied
            .iter()
            .find(|known| Some(known.sha256) == text_hash)
        {
            return Ok(Judged::Applied(known.number));
        }
        let want = self.thresholds.largest();
        let opened = note::open(signed, &self.keys).map_err(|error| match error {
            NoteError::Untrusted(_) => NoteRefused::TooFew {
                want,
                signers: Vec::new(),
            },
            NoteError::BadSignature { .. } | NoteError::AmbiguousKey { .. } => {
                NoteRefused::False(error)
            }
            _ => NoteRefused::NotSigned,
        })?;
        if opened.signers.len() < want {
            return Err(NoteRefused::TooFew {
                want,
                signers: opened.signers,
            });
        }
        let note = TrustNote::parse(opened.text).map_err(NoteRefused::Text)?;
        self.follows(&note)?;
        self.can_apply(&note)?;
        Ok(Judged::Next(AcceptedNote {
            note,
            signers: opened.signers,
        }))
    }

    /// Whether the note is the next one here.
    fn follows(&self, note: &TrustNote) -> Result<(), NoteRefused> {
        let number = note.number;
        let next = self.next();
        if number > next {
            return Err(NoteRefused::Gap { number, next });
        }
        if number < next {
            return Err(match self.applied.first() {
                Some(first) if number < first.number => NoteRefused::Older {
                    number,
                    first: first.number,
                },
                _ => NoteRefused::Fork { number },
            });
        }
        match note.after == self.last().map(|last| last.sha256) {
            true => Ok(()),
            false => Err(NoteRefused::Elsewhere { number }),
        }
    }

    fn can_apply(&self, note: &TrustNote) -> Result<(), NoteRefused> {
        for key in &note.add {
            if self.is_revoked(key) {
                return Err(NoteRefused::Revoked(key.short_name()));
            }
            let known = self
                .keys
                .iter()
                .find(|known| known.fingerprint() == key.fingerprint() && *known != key);
            if let Some(known) = known {
                return Err(NoteRefused::OtherName {
                    added: key.short_name(),
                    known: known.short_name(),
                });
            }
        }
        let mut after = self.clone();
        after.apply(note);
        let (keys, required) = (after.keys.len(), after.thresholds.largest());
        match keys < required {
            true => Err(NoteRefused::TooFewKeys { keys, required }),
            false => Ok(()),
        }
    }

    /// Whether this key was revoked, under whatever name.
    pub fn is_revoked(&self, key: &VerifierKey) -> bool {
        let fingerprint = key.fingerprint();
        self.revoked
            .iter()
            .any(|revoked| revoked.fingerprint() == fingerprint)
    }

    /// Makes the note's changes, whatever part of them was made before: applying a note again changes nothing.
    pub fn apply(&mut self, note: &TrustNote) {
        for key in &note.add {
            if !self.keys.contains(key) {
                self.keys.push(key.clone());
            }
        }
        for key in &note.revoke {
            let fingerprint = key.fingerprint();
            self.keys.retain(|known| known.fingerprint() != fingerprint);
            if !self.revoked.contains(key) {
                self.revoked.push(key.clone());
            }
        }
        self.thresholds = self.thresholds.raised_by(note);
        let applied = AppliedNote {
            number: note.number,
            sha256: note.sha256(),
        };
        if !self.applied.contains(&applied) {
            self.applied.push(applied);
        }
    }
}

/// SHA-256 of a signed note's text; `None` where it is no note.
fn text_sha256(signed: &[u8]) -> Option<[u8; 32]> {
    use sha2::Digest as _;
    Some(sha2::Sha256::digest(note::text(signed).ok()?).into())
}
