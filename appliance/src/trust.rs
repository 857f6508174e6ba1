//! Whom this machine trusts: STORE/trust, which no bundle and no flag reaches.
//!
//! ```text
//! trust/bundle/NAME+HASH.pub    a verifier key: whoever has the other half may sign bundles
//! trust/sumdb/NAME+HASH.pub     a checksum database's verifier key, beside sum.golang.org's, which is built in
//! trust/required                how many different bundle keys must have signed, a number
//! ```
//!
//! One key a file, in one line, as `modferry-bundler keygen` and Go's note package write it. Whatever
//! else lies in those folders is an error and never passed over: a file that is skipped could be the
//! one that made the policy strict. For the same reason `required` must be there as soon as there is
//! a bundle key.

use modferry_cli::{Exit, Failure};
use modferry_protocol::note::{KeyError, SUM_GOLANG_ORG, VerifierKey};
use modferry_protocol::trust::{Policy, PolicyError};
use serde::Serialize;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The most bytes of a key file. A key's line has about 60 and its name.
pub const MAX_KEY_FILE: u64 = 4096;

/// What a key is trusted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// To sign bundles.
    Bundle,
    /// To sign a checksum database's tree heads.
    Sumdb,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Sumdb => "sumdb",
        }
    }
}

/// Why whom to trust could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TrustStoreError {
    /// Nobody is trusted to sign bundles.
    #[error("no key is trusted to sign bundles for the store in {}", store.display())]
    NoKeys {
        /// The store.
        store: PathBuf,
    },
    /// A file among the keys that is none, or is not called after its key.
    #[error("{} is not a trusted key's file", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        why: NotAKey,
    },
    /// The number of signatures required is not to be had.
    #[error("{} does not say how many signatures are required", path.display())]
    Required {
        /// The file.
        path: PathBuf,
    },
    /// More signatures required than there are keys to give them.
    #[error("{required} signatures are required, and {keys} keys are trusted to sign bundles")]
    TooFewKeys {
        /// How many are required.
        required: usize,
        /// How many keys there are.
        keys: usize,
    },
    /// What was given as a key is neither one nor a file with one.
    #[error("{given} is neither a verifier key nor a readable file with one")]
    Given {
        /// What was given.
        given: String,
        /// Why it is not.
        #[source]
        why: NotAKey,
    },
    /// The key is trusted to sign bundles already, under another name.
    #[error("this key is trusted to sign bundles already, under the name {known}")]
    OtherName {
        /// The key that is trusted, as NAME+HASH.
        known: String,
    },
    /// Another key of this name is trusted for a checksum database.
    #[error("another key is trusted for the checksum database {name} already: {known}")]
    OtherKey {
        /// The database's name.
        name: String,
        /// The key that is trusted.
        known: String,
    },
    /// No trusted key is called so, or several are.
    #[error("{found} trusted keys are called {name}")]
    NotOne {
        /// What was asked for.
        name: String,
        /// How many keys match.
        found: usize,
    },
    /// The keys make no policy.
    #[error("the trusted keys make no policy")]
    Policy(#[from] PolicyError),
    /// The system failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is wrong with a key's file.
#[derive(Debug, thiserror::Error)]
pub enum NotAKey {
    /// It cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// It is too large, or is not text.
    #[error("it is not a line of text")]
    NotText,
    /// Its text is no key.
    #[error("its text is not a verifier key")]
    Key(#[from] KeyError),
    /// It has another name than its key has.
    #[error("its name is not its key's: want {0}")]
    Name(String),
}

impl Failure for TrustStoreError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoKeys { .. } | Self::TooFewKeys { .. } => Exit::Untrusted,
            Self::Io { .. } => Exit::Other,
            _ => Exit::Usage,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::NoKeys { store } => format!(
                "get the bundler's verifier key (its .pub file) over a way that you trust, compare the \
                 fingerprint with its owner, then: modferry-appliance trust add KEY.pub --store {}",
                store.display()
            ),
            Self::NotAKey { path, .. } => format!(
                "look who put it there, and remove it: rm {}; keys are added with `modferry-appliance trust add`",
                path.display()
            ),
            Self::Required { .. } => {
                "decide how many different keys must sign: modferry-appliance trust require 1".into()
            }
            Self::TooFewKeys { .. } => {
                "add keys with `modferry-appliance trust add`, or require fewer with `trust require`".into()
            }
            Self::Given { .. } => {
                "give the .pub file that `modferry-bundler keygen` wrote, or its one line NAME+HASH+KEY".into()
            }
            Self::OtherKey { known, .. } => format!(
                "if its operator has changed the key: modferry-appliance trust remove {known}, and add the new one"
            ),
            Self::OtherName { known } => format!(
                "one key gives one signature, however it is called; to call it otherwise: \
                 modferry-appliance trust remove {known}, and add it anew"
            ),
            Self::Policy(PolicyError::TwoNames(..)) => {
                "one key gives one signature, however it is called: see `modferry-appliance trust list`, and \
                 remove one of the two"
                    .into()
            }
            Self::NotOne { .. } => {
                "see `modferry-appliance trust list`, and name one key as NAME+HASH".into()
            }
            Self::Policy(_) | Self::Io { .. } => return None,
        })
    }
}

/// A key that is trusted, and what for.
#[derive(Clone, Debug, Serialize)]
pub struct TrustedKey {
    /// What for.
    pub kind: Kind,
    /// `NAME+HASH`: as `trust remove` takes it.
    pub name: String,
    /// What people compare: the SHA-256 of the key.
    pub fingerprint: String,
    /// The key itself.
    pub key: String,
    /// Whether it is part of this program: it cannot be removed.
    pub built_in: bool,
    #[serde(skip)]
    verifier: VerifierKey,
}

impl TrustedKey {
    fn new(kind: Kind, verifier: VerifierKey, built_in: bool) -> Self {
        Self {
            kind,
            name: short_name(&verifier),
            fingerprint: verifier.fingerprint(),
            key: verifier.to_string(),
            built_in,
            verifier,
        }
    }
}

/// A store's trusted keys.
#[derive(Clone, Debug)]
pub struct TrustStore {
    store: PathBuf,
}

impl TrustStore {
    /// The trusted keys of the store in this folder, which need not be there yet.
    pub fn of(store: &Path) -> Self {
        Self {
            store: store.into(),
        }
    }

    /// What an import goes by. Fails where nobody is trusted.
    pub fn policy(&self) -> Result<Policy, TrustStoreError> {
        let bundle = self.keys(Kind::Bundle)?;
        if bundle.is_empty() {
            return Err(TrustStoreError::NoKeys {
                store: self.store.clone(),
            });
        }
        let required = self.required()?;
        if required > bundle.len() {
            return Err(TrustStoreError::TooFewKeys {
                required,
                keys: bundle.len(),
            });
        }
        let sumdbs = self.keys(Kind::Sumdb)?;
        let verifiers = |keys: Vec<TrustedKey>| keys.into_iter().map(|key| key.verifier).collect();
        Ok(Policy::new(verifiers(bundle), required, verifiers(sumdbs))?)
    }

    /// Every trusted key, bundles' first, each kind by name.
    pub fn list(&self) -> Result<Vec<TrustedKey>, TrustStoreError> {
        let mut keys = self.keys(Kind::Bundle)?;
        keys.extend(built_in());
        keys.extend(self.keys(Kind::Sumdb)?);
        Ok(keys)
    }

    /// How many different bundle keys must have signed; an error where that is not said.
    pub fn required(&self) -> Result<usize, TrustStoreError> {
        let path = self.required_file();
        let text = read_small(&path).map_err(|why| match why {
            NotAKey::Io(source) if source.kind() != io::ErrorKind::NotFound => {
                TrustStoreError::Io {
                    action: "read",
                    path: path.clone(),
                    source,
                }
            }
            _ => TrustStoreError::Required { path: path.clone() },
        })?;
        match text.trim_end_matches('\n').parse() {
            Ok(number @ 1..=99) => Ok(number),
            _ => Err(TrustStoreError::Required { path }),
        }
    }

    /// Sets how many different bundle keys must have signed, at least one and at most as many as there are.
    pub fn require(&self, required: usize) -> Result<(), TrustStoreError> {
        let keys = self.keys(Kind::Bundle)?.len();
        if required == 0 || required > keys.min(99) {
            return Err(TrustStoreError::TooFewKeys { required, keys });
        }
        self.write(&self.required_file(), &format!("{required}\n"))
    }

    /// Trusts a key, given as its line or as the name of a file with that line. Says which key it is, and
    /// whether it is new.
    pub fn add(&self, kind: Kind, given: &str) -> Result<(TrustedKey, bool), TrustStoreError> {
        let verifier = parse_key(given)?;
        let known = self.list()?;
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
        // A key's name is its owner's choice, and not part of the secret: a second name is no second signer.
        let same_key = |key: &&TrustedKey| key.fingerprint == verifier.fingerprint();
        if let Some(known) = known.iter().filter(of_kind).find(same_key)
            && kind == Kind::Bundle
        {
            return Err(TrustStoreError::OtherName {
                known: known.name.clone(),
            });
        }
        let first = kind == Kind::Bundle && !known.iter().any(|key| key.kind == Kind::Bundle);
        if first && !self.required_file().exists() {
            self.write(&self.required_file(), "1\n")?;
        }
        let file = self.folder(kind).join(file_name(&verifier));
        self.write(&file, &format!("{verifier}\n"))?;
        Ok((TrustedKey::new(kind, verifier, false), true))
    }

    /// Trusts a key no more: the one called NAME+HASH, or NAME where that is only one, or with this fingerprint.
    pub fn remove(&self, name: &str) -> Result<TrustedKey, TrustStoreError> {
        let mut found = Vec::new();
        for kind in [Kind::Bundle, Kind::Sumdb] {
            found.extend(self.keys(kind)?.into_iter().filter(|key| {
                [
                    key.name.as_str(),
                    key.verifier.name(),
                    &key.fingerprint,
                    &key.key,
                ]
                .contains(&name)
            }));
        }
        let [key] = found.as_slice() else {
            return Err(TrustStoreError::NotOne {
                name: name.into(),
                found: found.len(),
            });
        };
        let file = self.folder(key.kind).join(file_name(&key.verifier));
        fs::remove_file(&file)
            .and_then(|()| sync_parent(&file))
            .map_err(io_error("remove", &file))?;
        Ok(key.clone())
    }

    fn keys(&self, kind: Kind) -> Result<Vec<TrustedKey>, TrustStoreError> {
        let folder = self.folder(kind);
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io_error("read", &folder))?,
        };
        let mut keys = Vec::new();
        for entry in entries {
            let path = entry.map_err(io_error("read", &folder))?.path();
            let key = read_key(&path).map_err(|why| TrustStoreError::NotAKey {
                path: path.clone(),
                why,
            })?;
            keys.push(TrustedKey::new(kind, key, false));
        }
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(keys)
    }

    fn folder(&self, kind: Kind) -> PathBuf {
        self.store.join("trust").join(kind.folder())
    }

    fn required_file(&self) -> PathBuf {
        self.store.join("trust").join("required")
    }

    /// Writes a file of one line so that it is there whole or not at all, also after a power cut.
    fn write(&self, path: &Path, text: &str) -> Result<(), TrustStoreError> {
        let trust = self.store.join("trust");
        for (folder, mode) in [
            (self.store.clone(), 0o750),
            (trust.clone(), 0o755),
            (self.folder(Kind::Bundle), 0o755),
            (self.folder(Kind::Sumdb), 0o755),
        ] {
            DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(&folder)
                .map_err(io_error("make the folder", &folder))?;
        }
        // Beside the keys' folders, where what a crash leaves is nobody's key.
        let written = tempfile::NamedTempFile::new_in(&trust).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.as_file()
                .set_permissions(fs::Permissions::from_mode(0o644))?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
            sync_parent(path)
        });
        written.map_err(io_error("write", path))
    }
}

/// sum.golang.org's key, which everybody's go command has built in, too.
fn built_in() -> Option<TrustedKey> {
    let key = SUM_GOLANG_ORG.parse().ok()?;
    Some(TrustedKey::new(Kind::Sumdb, key, true))
}

fn short_name(key: &VerifierKey) -> String {
    format!("{}+{:08x}", key.name(), key.id())
}

/// NAME+HASH.pub; what could mean something in a file's name is a % and its byte.
fn file_name(key: &VerifierKey) -> String {
    let mut name = String::new();
    for byte in short_name(key).bytes() {
        match byte {
            b'.' if name.is_empty() => name.push_str("%2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'+' => {
                name.push(byte.into());
            }
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name + ".pub"
}

fn read_key(path: &Path) -> Result<VerifierKey, NotAKey> {
    let text = read_small(path)?;
    let key: VerifierKey = text.strip_suffix('\n').unwrap_or(&text).parse()?;
    let expected = file_name(&key);
    if path.file_name().is_none_or(|name| *name != *expected) {
        return Err(NotAKey::Name(expected));
    }
    Ok(key)
}

/// Reads a key that is given as its line or as the name of a file with that line.
fn parse_key(given: &str) -> Result<VerifierKey, TrustStoreError> {
    if let Ok(key) = given.parse() {
        return Ok(key);
    }
    let read = || Ok(read_small(Path::new(given))?.trim().parse()?);
    read().map_err(|why| TrustStoreError::Given {
        given: given.into(),
        why,
    })
}

fn read_small(path: &Path) -> Result<String, NotAKey> {
    let mut text = String::new();
    let mut file = File::open(path)?.take(MAX_KEY_FILE + 1);
    match file.read_to_string(&mut text) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(NotAKey::NotText),
        Err(error) => Err(error.into()),
        Ok(_) if text.len() as u64 > MAX_KEY_FILE => Err(NotAKey::NotText),
        Ok(_) => Ok(text),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TrustStoreError {
    move |source| TrustStoreError::Io {
        action,
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests;
