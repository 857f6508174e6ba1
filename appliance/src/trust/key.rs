//! A trusted key, and the file that it is: one line, called after the key.

use super::error::{NotAKey, TrustStoreError};
use super::files::{MAX_KEY_FILE, read_small};
use modferry_protocol::note::{SUM_GOLANG_ORG, VerifierKey};
use serde::Serialize;
use std::path::Path;

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
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Sumdb => "sumdb",
        }
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
    pub(super) verifier: VerifierKey,
}

impl TrustedKey {
    pub(super) fn new(kind: Kind, verifier: VerifierKey, built_in: bool) -> Self {
        Self {
            kind,
            name: verifier.short_name(),
            fingerprint: verifier.fingerprint(),
            key: verifier.to_string(),
            built_in,
            verifier,
        }
    }
}

/// sum.golang.org's key, which everybody's go command has built in, too.
pub(super) fn built_in() -> Option<TrustedKey> {
    let key = SUM_GOLANG_ORG.parse().ok()?;
    Some(TrustedKey::new(Kind::Sumdb, key, true))
}

/// NAME+HASH.pub; what could mean something in a file's name is a % and its byte.
pub(super) fn file_name(key: &VerifierKey) -> String {
    let mut name = String::new();
    for byte in key.short_name().bytes() {
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

/// The key that a file's text is, if the file is called after it.
pub(super) fn read_key(path: &Path, text: &str) -> Result<VerifierKey, NotAKey> {
    if text.len() as u64 > MAX_KEY_FILE {
        return Err(NotAKey::NotText);
    }
    let key: VerifierKey = text.strip_suffix('\n').unwrap_or(text).parse()?;
    let expected = file_name(&key);
    if path.file_name().is_none_or(|name| *name != *expected) {
        return Err(NotAKey::Name(expected));
    }
    Ok(key)
}

/// Reads a key that is given as its line or as the name of a file with that line.
pub(super) fn parse_key(given: &str) -> Result<VerifierKey, TrustStoreError> {
    if let Ok(key) = given.parse() {
        return Ok(key);
    }
    let read = || Ok(read_small(Path::new(given), MAX_KEY_FILE)?.trim().parse()?);
    read().map_err(|why| TrustStoreError::Given {
        given: given.into(),
        why,
    })
}
