//! What the files of STORE/trust say together: the keys, the thresholds, and the row of trust notes that led to them.

use super::error::{NotAKey, NotANote, TrustStoreError};
use super::key::{Kind, read_key};
use super::private::{self, PrivateRule};
use super::snapshot::Snapshot;
use modferry_protocol::bundle::StreamName;
use modferry_protocol::note::{self, VerifierKey};
use modferry_protocol::trust::{
    AppliedNote, Keyring, MAX_REQUIRED, MAX_TRUST_NUMBER, Policy, Thresholds, TrustNote,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files, parsed; what cannot be parsed and could have made the policy stricter is an error.
#[derive(Clone, Debug)]
pub(super) struct State {
    store: PathBuf,
    pub(super) keys: Vec<VerifierKey>,
    pub(super) sumdbs: Vec<VerifierKey>,
    revoked: Vec<VerifierKey>,
    /// `None` where the file is missing or malformed: an error for whoever needs the number.
    required: Option<usize>,
    streams: BTreeMap<StreamName, Option<usize>>,
    /// Which keys may bring which private modules.
    pub(super) private: Vec<PrivateRule>,
    /// The notes that were applied, by number, without a gap.
    pub(super) notes: Vec<KeptNote>,
    /// A note of which some files may show the changes and others not. It counts as applied.
    pub(super) applying: Option<KeptNote>,
}

/// A trust note in STORE/trust.
#[derive(Clone, Debug)]
pub(super) struct KeptNote {
    pub(super) path: PathBuf,
    /// With its signatures.
    pub(super) signed: String,
    pub(super) note: TrustNote,
}

impl State {
    pub(super) fn load(store: &Path) -> Result<Self, TrustStoreError> {
        let trust = store.join("trust");
        let files = Snapshot::take(&trust)?;
        let mut streams = BTreeMap::new();
        for path in files.files(&trust.join("required.d")) {
            let name = path.file_name().and_then(|name| name.to_str());
            let stream = name.and_then(|name| StreamName::new(name).ok());
            let stream = stream.ok_or_else(|| TrustStoreError::Required { path: path.into() })?;
            streams.insert(stream, number(&files, path)?);
        }
        let state = Self {
            store: store.into(),
            keys: keys(&files, &trust.join(Kind::Bundle.folder()))?,
            sumdbs: keys(&files, &trust.join(Kind::Sumdb.folder()))?,
            revoked: keys(&files, &trust.join("revoked"))?,
            required: number(&files, &required_file(store))?,
            streams,
            private: private::rules(&files, &trust)?,
            notes: row(&files, &trust)?,
            applying: applying(&files, &trust)?,
        };
        state.check()?;
        Ok(state)
    }

    /// What a change that was stopped half-way can leave is no contradiction while its note stands there.
    fn check(&self) -> Result<(), TrustStoreError> {
        let Some(applying) = &self.applying else {
            let revoked = |key: &&VerifierKey| {
                let fingerprint = key.fingerprint();
                self.revoked.iter().any(|r| r.fingerprint() == fingerprint)
            };
            return match self.keys.iter().find(revoked) {
                Some(key) => Err(TrustStoreError::TrustedAndRevoked {
                    key: key.short_name(),
                }),
                None => Ok(()),
            };
        };
        let last = self.notes.last();
        follows(applying, last).map_err(|why| not_a_note(&applying.path, why))?;
        match last.is_none() && applying.note.number != 1 {
            true => Err(not_a_note(&applying.path, NotANote::Row)),
            false => Ok(()),
        }
    }

    /// Who is trusted, under thresholds that the caller knows better, or does not care for.
    fn keyring_with(&self, thresholds: Thresholds) -> Keyring {
        let applied = |kept: &KeptNote| AppliedNote {
            number: kept.note.number,
            sha256: kept.note.sha256(),
        };
        let mut keyring = Keyring {
            keys: self.keys.clone(),
            revoked: self.revoked.clone(),
            thresholds,
            applied: self.notes.iter().map(applied).collect(),
        };
        if let Some(applying) = &self.applying {
            keyring.apply(&applying.note);
        }
        keyring.keys.sort_by_key(VerifierKey::short_name);
        keyring.revoked.sort_by_key(VerifierKey::short_name);
        keyring
    }

    /// Who is trusted, and how many must sign. Fails where that is not said.
    pub(super) fn keyring(&self) -> Result<Keyring, TrustStoreError> {
        let mut streams = BTreeMap::new();
        for (stream, number) in &self.streams {
            let path = stream_file(&self.store, stream);
            let number = number.ok_or(TrustStoreError::Required { path })?;
            streams.insert(stream.clone(), number);
        }
        let path = required_file(&self.store);
        let default = self.required.ok_or(TrustStoreError::Required { path })?;
        Ok(self.keyring_with(Thresholds::new(default, streams)))
    }

    /// The keys that may sign bundles, and those that never may again, by name.
    pub(super) fn keys(&self) -> (Vec<VerifierKey>, Vec<VerifierKey>) {
        let keyring = self.keyring_with(1.into());
        (keyring.keys, keyring.revoked)
    }

    /// What an import goes by.
    pub(super) fn policy(&self) -> Result<Policy, TrustStoreError> {
        if self.keys().0.is_empty() {
            return Err(TrustStoreError::NoKeys {
                store: self.store.clone(),
            });
        }
        let Keyring {
            keys, thresholds, ..
        } = self.keyring()?;
        let (required, keys_there) = (thresholds.largest(), keys.len());
        if required > keys_there {
            return Err(TrustStoreError::TooFewKeys {
                required,
                keys: keys_there,
            });
        }
        let mut policy = Policy::new(keys, thresholds, self.sumdbs.clone())?;
        policy.allow_private(private::by_key(&self.private));
        Ok(policy)
    }

    /// Every note that counts as applied, by number.
    pub(super) fn applied_notes(&self) -> impl Iterator<Item = &KeptNote> {
        self.notes.iter().chain(&self.applying)
    }
}

/// STORE/trust/required
pub(super) fn required_file(store: &Path) -> PathBuf {
    store.join("trust").join("required")
}

/// STORE/trust/required.d/STREAM
pub(super) fn stream_file(store: &Path, stream: &StreamName) -> PathBuf {
    store.join("trust").join("required.d").join(stream.as_str())
}

/// STORE/trust/notes/NNNNNN.note
pub(super) fn note_file(store: &Path, number: u64) -> PathBuf {
    store.join("trust").join("notes").join(note_name(number))
}

pub(super) fn note_name(number: u64) -> String {
    format!("{number:06}.note")
}

/// STORE/trust/applying.note
pub(super) fn applying_file(store: &Path) -> PathBuf {
    store.join("trust").join("applying.note")
}

fn keys(files: &Snapshot, folder: &Path) -> Result<Vec<VerifierKey>, TrustStoreError> {
    let mut keys = Vec::new();
    for path in files.files(folder) {
        let key = match files.text(path) {
            Some(Ok(text)) => read_key(path, text),
            Some(Err(why)) => Err(why),
            None => Err(NotAKey::NotText),
        };
        keys.push(key.map_err(|why| TrustStoreError::NotAKey {
            path: path.into(),
            why,
        })?);
    }
    keys.sort_by_key(VerifierKey::short_name);
    Ok(keys)
}

/// A number of signatures; `None` where the file is missing, or says none.
fn number(files: &Snapshot, path: &Path) -> Result<Option<usize>, TrustStoreError> {
    let text = match files.text(path) {
        Some(Err(NotAKey::Io(source))) => {
            return Err(TrustStoreError::Io {
                action: "read",
                path: path.into(),
                source,
            });
        }
        Some(Ok(text)) => text,
        _ => return Ok(None),
    };
    let text = text.strip_suffix('\n').unwrap_or(text);
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| plain);
    Ok(number.filter(|number| (1..=MAX_REQUIRED).contains(number)))
}

/// The notes that were applied: each called after its number, each continuing the one before it.
fn row(files: &Snapshot, trust: &Path) -> Result<Vec<KeptNote>, TrustStoreError> {
    let mut notes: Vec<KeptNote> = Vec::new();
    for path in files.files(&trust.join("notes")) {
        let kept = kept_note(files, path)?;
        let refused = |why| Err(not_a_note(path, why));
        let expected = note_name(kept.note.number);
        if path.file_name().is_none_or(|name| *name != *expected) {
            return refused(NotANote::Name(expected));
        }
        if let Err(why) = follows(&kept, notes.last()) {
            return refused(why);
        }
        notes.push(kept);
    }
    Ok(notes)
}

fn applying(files: &Snapshot, trust: &Path) -> Result<Option<KeptNote>, TrustStoreError> {
    let path = trust.join("applying.note");
    match files.text(&path) {
        None => Ok(None),
        Some(_) => kept_note(files, &path).map(Some),
    }
}

fn follows(kept: &KeptNote, before: Option<&KeptNote>) -> Result<(), NotANote> {
    let Some(before) = before else { return Ok(()) };
    let next = kept.note.number == before.note.number + 1;
    match next && kept.note.after == Some(before.note.sha256()) {
        true => Ok(()),
        false => Err(NotANote::Row),
    }
}

fn kept_note(files: &Snapshot, path: &Path) -> Result<KeptNote, TrustStoreError> {
    let parse = || {
        let signed = files.text(path).unwrap_or(Err(NotAKey::NotText))?;
        let text = note::text(signed.as_bytes()).map_err(|_| NotANote::NotSigned)?;
        let note = TrustNote::parse(text)?;
        Ok(KeptNote {
            path: path.into(),
            signed: signed.into(),
            note,
        })
    };
    parse().map_err(|why| not_a_note(path, why))
}

fn not_a_note(path: &Path, why: NotANote) -> TrustStoreError {
    TrustStoreError::NotANote {
        path: path.into(),
        why,
    }
}

const _: () = assert!(
    MAX_TRUST_NUMBER == 999_999,
    "a note's file name has six digits"
);
