//! Whom this machine trusts: STORE/trust, which no flag reaches, and which only those change who are trusted there.
//!
//! ```text
//! trust/bundle/NAME+HASH.pub    a verifier key: whoever has the other half may sign bundles
//! trust/sumdb/NAME+HASH.pub     a checksum database's verifier key, beside sum.golang.org's, which is built in
//! trust/revoked/NAME+HASH.pub   a key that signed bundles once, and never will again
//! trust/private                 which keys may bring which private modules, a line each: KEY and a pattern
//! trust/required                how many different bundle keys must have signed, a number
//! trust/required.d/STREAM       the same for one stream, where that is another number
//! trust/notes/NNNNNN.note       the trust notes that were applied, with their signatures: how the keys came about
//! trust/applying.note           a note whose changes are under way: it counts as applied
//! trust/lock                    held by who changes any of this
//! ```
//!
//! One key a file, in one line, as `modferry-bundler keygen` and Go's note package write it. Whatever
//! else lies in those folders is an error and never passed over: a file that is skipped could be the
//! one that made the policy strict. For the same reason `required` must be there as soon as there is
//! a bundle key.
//!
//! Keys change in two ways: by an administrator's hand, and by a signed trust note, which [`apply`] takes in one
//! step, whatever is cut short in between. Where the user that imports may not change trust/, as on a machine with
//! the systemd units, what a bundle brings waits in STORE/trust-pending for one who may ([`pending`]).

mod apply;
mod error;
mod files;
mod imports;
mod key;
mod pending;
mod private;
mod snapshot;
mod state;
mod told;

pub use apply::{Applied, Change, read_note};
pub use error::{NotAKey, NotANote, TrustStoreError};
pub use files::MAX_KEY_FILE;
pub use imports::{SignedImport, imports_text, signed_by};
pub use key::{Kind, TrustedKey};
pub use pending::{Carried, PendingNote, Taken, Waiting};
pub use private::PrivateRule;

use crate::store::{TrustChange, hex};
use files::Changing;
use key::{built_in, file_name, parse_key};
use modferry_protocol::bundle::StreamName;
use modferry_protocol::note::{self, NoteError, VerifierKey};
use modferry_protocol::trust::{Keyring, Policy};
use serde::Serialize;
use state::{State, required_file, stream_file};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A store's trusted keys.
#[derive(Clone, Debug)]
pub struct TrustStore {
    store: PathBuf,
}

/// A trust note that was applied, as `trust list` tells it.
#[derive(Clone, Debug, Serialize)]
pub struct ListedNote {
    /// Its number.
    pub number: u64,
    /// When it was made, as it says.
    pub created: String,
    /// SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// The keys known here, trusted or revoked, whose signatures on it are right.
    pub signers: Vec<String>,
}

impl TrustStore {
    /// The trusted keys of the store in this folder, which need not be there yet.
    pub fn of(store: &Path) -> Self {
        Self {
            store: store.into(),
        }
    }

    fn state(&self) -> Result<State, TrustStoreError> {
        State::load(&self.store)
    }

    /// What an import goes by. Fails where nobody is trusted.
    pub fn policy(&self) -> Result<Policy, TrustStoreError> {
        self.state()?.policy()
    }

    /// Who is trusted, and how that came about.
    pub fn keyring(&self) -> Result<Keyring, TrustStoreError> {
        self.state()?.keyring()
    }

    /// Every trusted key, bundles' first, each kind by name.
    pub fn list(&self) -> Result<Vec<TrustedKey>, TrustStoreError> {
        Ok(listed(&self.state()?))
    }

    /// The keys that were revoked, by name.
    pub fn revoked(&self) -> Result<Vec<TrustedKey>, TrustStoreError> {
        let (_, revoked) = self.state()?.keys();
        Ok(of_kind(Kind::Bundle, revoked))
    }

    /// The trust notes that were applied. Fails where one is not as it was: each must continue the one before it, and
    /// no signature by a key that is known here may be false.
    pub fn notes(&self) -> Result<Vec<ListedNote>, TrustStoreError> {
        let state = self.state()?;
        let (mut known, revoked) = state.keys();
        known.extend(revoked);
        let mut notes = Vec::new();
        for kept in state.applied_notes() {
            let signers = match note::open(kept.signed.as_bytes(), &known) {
                Ok(opened) => opened.signers.iter().map(ToString::to_string).collect(),
                // By keys that were since removed by hand: nothing can be said of them.
                Err(NoteError::Untrusted(_)) => Vec::new(),
                Err(error) => {
                    return Err(TrustStoreError::NotANote {
                        path: kept.path.clone(),
                        why: NotANote::False(error),
                    });
                }
            };
            notes.push(ListedNote {
                number: kept.note.number,
                created: kept.note.created.clone(),
                sha256: hex(&kept.note.sha256()),
                signers,
            });
        }
        Ok(notes)
    }

    /// The trust notes that were applied, as the ledger has them.
    pub fn changes(&self) -> Result<Vec<TrustChange>, TrustStoreError> {
        let state = self.state()?;
        let change = |kept: &state::KeptNote| TrustChange {
            number: kept.note.number,
            sha256: hex(&kept.note.sha256()),
            note: kept.signed.clone(),
        };
        Ok(state.applied_notes().map(change).collect())
    }

    /// How many different bundle keys must have signed; an error where that is not said.
    pub fn required(&self) -> Result<usize, TrustStoreError> {
        Ok(self.keyring()?.thresholds.default())
    }

    /// The streams that have a number of their own.
    pub fn required_by_stream(&self) -> Result<BTreeMap<StreamName, usize>, TrustStoreError> {
        Ok(self.keyring()?.thresholds.streams().clone())
    }

    /// Sets how many different bundle keys must have signed, at least one and at most as many as there are: for every
    /// stream that has no number of its own, or for one stream.
    pub fn require(
        &self,
        required: usize,
        stream: Option<&StreamName>,
    ) -> Result<(), TrustStoreError> {
        let (_changing, state) = self.change()?;
        let keys = state.keys.len();
        if required == 0 || required > keys.min(modferry_protocol::trust::MAX_REQUIRED) {
            return Err(TrustStoreError::TooFewKeys { required, keys });
        }
        let path = match stream {
            None => required_file(&self.store),
            Some(stream) => stream_file(&self.store, stream),
        };
        self.write(&path, &format!("{required}\n"))
    }

    /// Takes a stream's own number away: the one of all streams is asked of it again.
    pub fn require_default(&self, stream: &StreamName) -> Result<(), TrustStoreError> {
        let _changing = self.change()?;
        files::remove(&stream_file(&self.store, stream))
    }

    /// Trusts a key, given as its line or as the name of a file with that line. Says which key it is, and
    /// whether it is new.
    pub fn add(&self, kind: Kind, given: &str) -> Result<(TrustedKey, bool), TrustStoreError> {
        let verifier = parse_key(given)?;
        let (_changing, state) = self.change()?;
        let known = listed(&state);
        let of_kind = |key: &&TrustedKey| key.kind == kind;
        if let Some(known) = known
            .iter()
            .filter(of_kind)
            .find(|key| key.verifier == verifier)
        {
            return Ok((known.clone(), false));
        }
        let same_name = |key: &&TrustedKey| key.verifier.name() == verifier.name();
        if let Some(known) = known.iter().filter(of_kind).find(same_name)
            && kind == Kind::Sumdb
        {
            return Err(TrustStoreError::OtherKey {
                name: verifier.name().into(),
                known: known.name.clone(),
            });
        }
        if kind == Kind::Bundle {
            // A key's name is its owner's choice, and not part of the secret: a second name is no second signer.
            let same_key = |key: &&VerifierKey| key.fingerprint() == verifier.fingerprint();
            let (trusted, revoked) = state.keys();
            if let Some(known) = trusted.iter().find(same_key) {
                return Err(TrustStoreError::OtherName {
                    known: known.short_name(),
                });
            }
            if let Some(known) = revoked.iter().find(same_key) {
                return Err(TrustStoreError::WasRevoked {
                    key: known.short_name(),
                    path: self.revoked_folder().join(file_name(known)),
                });
            }
            if trusted.is_empty() && !required_file(&self.store).exists() {
                self.write(&required_file(&self.store), "1\n")?;
            }
        }
        let file = self.folder(kind).join(file_name(&verifier));
        self.write(&file, &format!("{verifier}\n"))?;
        Ok((TrustedKey::new(kind, verifier, false), true))
    }

    /// Trusts a key no more: the one called NAME+HASH, or NAME where that is only one, or with this fingerprint.
    pub fn remove(&self, name: &str) -> Result<TrustedKey, TrustStoreError> {
        let (_changing, state) = self.change()?;
        let keys = [(Kind::Bundle, state.keys), (Kind::Sumdb, state.sumdbs)];
        let mut found: Vec<TrustedKey> = keys
            .into_iter()
            .flat_map(|(kind, keys)| of_kind(kind, keys))
            .collect();
        found.retain(|key| {
            [
                key.name.as_str(),
                key.verifier.name(),
                &key.fingerprint,
                &key.key,
            ]
            .contains(&name)
        });
        let [key] = found.as_slice() else {
            return Err(TrustStoreError::NotOne {
                name: name.into(),
                found: found.len(),
            });
        };
        files::remove(&self.folder(key.kind).join(file_name(&key.verifier)))?;
        Ok(key.clone())
    }

    /// Holds everybody else off, finishes what a killed process left half done, and says what is there then.
    fn change(&self) -> Result<(Changing, State), TrustStoreError> {
        let changing = Changing::begin(&self.store)?;
        let state = self.state()?;
        let Some(applying) = &state.applying else {
            return Ok((changing, state));
        };
        self.carry_out(&state, applying)?;
        let state = self.state()?;
        Ok((changing, state))
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), TrustStoreError> {
        files::write(&self.store.join("trust"), path, text)
    }

    fn folder(&self, kind: Kind) -> PathBuf {
        self.store.join("trust").join(kind.folder())
    }

    fn revoked_folder(&self) -> PathBuf {
        self.store.join("trust").join("revoked")
    }
}

fn listed(state: &State) -> Vec<TrustedKey> {
    let mut keys = of_kind(Kind::Bundle, state.keys().0);
    keys.extend(built_in());
    keys.extend(of_kind(Kind::Sumdb, state.sumdbs.clone()));
    keys
}

fn of_kind(kind: Kind, keys: Vec<VerifierKey>) -> Vec<TrustedKey> {
    keys.into_iter()
        .map(|key| TrustedKey::new(kind, key, false))
        .collect()
}

#[cfg(test)]
mod tests;
