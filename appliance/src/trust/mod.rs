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

mod error;
mod files;
mod key;

pub use error::{NotAKey, TrustStoreError};
pub use files::MAX_KEY_FILE;
pub use key::{Kind, TrustedKey};

use error::io_error;
use files::{read_small, sync_parent};
use key::{built_in, file_name, parse_key, read_key};
use modferry_protocol::trust::Policy;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

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
        files::write(&self.store, &self.required_file(), &format!("{required}\n"))
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
            files::write(&self.store, &self.required_file(), "1\n")?;
        }
        let file = self.folder(kind).join(file_name(&verifier));
        files::write(&self.store, &file, &format!("{verifier}\n"))?;
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
}

#[cfg(test)]
mod tests;
