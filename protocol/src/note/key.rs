//! Keys: the public ones that notes are opened with, and the secret ones that sign them.
//!
//! Their texts are those of golang.org/x/mod/sumdb/note, so keys can be exchanged with Go tools: NewVerifier,
//! NewSigner and GenerateKey there. Some keys that the reference takes are refused here: those of small order, those
//! whose Base64 is not in its one form, and names that no note could carry.

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256};
use signed_note::{Signer as _, StandardSigner, StandardVerifier, Verifier as _};
use thiserror::Error;

/// The longest name of a key, in bytes.
pub const MAX_KEY_NAME: usize = 255;

/// The only algorithm that Go's notes have: Ed25519.
const ALGORITHM_ED25519: u8 = 1;

/// Why a verifier key or a signing key is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not of the form `NAME+HASH8+BASE64` (or `PRIVATE+KEY+NAME+HASH8+BASE64`).
    #[error("malformed key: want {0}")]
    Malformed(&'static str),
    /// The name has a space, a plus or a control character, is empty or longer than [`MAX_KEY_NAME`].
    #[error(
        "invalid key name: it must have 1 to {MAX_KEY_NAME} bytes, and no space, plus or control character"
    )]
    Name,
    /// The first byte of the key says an algorithm other than Ed25519.
    #[error("unknown key algorithm: only Ed25519 is supported")]
    Algorithm,
    /// The eight hexadecimal digits are not the hash of this name and key: something was mistyped.
    #[error("the key's hash does not match its name and key: was it copied whole?")]
    Hash,
    /// A point of small order: it would accept signatures that nobody made.
    #[error("weak key: it would accept signatures that nobody made")]
    Weak,
}

pub(super) const VERIFIER_FORM: &str = "NAME+HASH8+BASE64";
const SIGNER_FORM: &str = "PRIVATE+KEY+NAME+HASH8+BASE64";

/// Reports whether a key may have this name: the reference's rule, and no control character, since a note
/// with such a name in a signature line could not be read back.
fn is_name(name: &str) -> bool {
    name.len() <= MAX_KEY_NAME
        && signed_note::is_key_name_valid(name)
        && !name.chars().any(|c| c < ' ')
}

/// The 32 bytes behind the algorithm in a key's last part. (That part is Base64, and may have pluses itself.)
fn key_bytes(encoded: Option<&str>) -> Option<[u8; 32]> {
    let bytes = BASE64_STANDARD.decode(encoded?).ok()?;
    bytes.get(1..)?.try_into().ok()
}

/// The key with which signatures are verified: public, `NAME+HASH8+BASE64`.
///
/// The name is free text within [`KeyError::Name`]'s rule: it may have slashes and dots. Whoever makes a
/// file name of it must escape it.
#[derive(Clone)]
pub struct VerifierKey {
    pub(super) verifier: StandardVerifier,
    public: [u8; 32],
}

impl VerifierKey {
    /// The name of who signs with it: for a checksum database the `host[/path]` that it is reached by.
    pub fn name(&self) -> &str {
        self.verifier.name()
    }

    /// The 32-bit hash of name and key by which signature lines tell a name's keys apart.
    pub fn id(&self) -> u32 {
        self.verifier.key_id()
    }

    /// `NAME+HASH8`: how people and signature lines tell keys apart.
    pub fn short_name(&self) -> String {
        format!("{}+{:08x}", self.name(), self.id())
    }

    /// SHA-256 of the key's 33 bytes (algorithm and point) in hexadecimal, to compare by eye or telephone.
    ///
    /// `cut -d+ -f3 KEYFILE | base64 -d | sha256sum` gives the same.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.key_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn key_bytes(&self) -> [u8; 33] {
        of_algorithm(&self.public)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    /// Parses `NAME+HASH8+BASE64`, with no space around it.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        use signed_note::VerifierError as E;
        let malformed = KeyError::Malformed(VERIFIER_FORM);
        let verifier = StandardVerifier::new(text).map_err(|error| match error {
            E::Format => malformed.clone(),
            E::Alg => KeyError::Algorithm,
            E::Id => KeyError::Hash,
        })?;
        if !is_name(verifier.name()) {
            return Err(KeyError::Name);
        }
        let public = key_bytes(text.splitn(3, '+').last()).ok_or(malformed.clone())?;
        let point =
            ed25519_dalek::VerifyingKey::from_bytes(&public).map_err(|_| malformed.clone())?;
        if point.is_weak() {
            return Err(KeyError::Weak);
        }
        Ok(Self { verifier, public })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = BASE64_STANDARD.encode(self.key_bytes());
        write!(f, "{}+{:08x}+{key}", self.name(), self.id())
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

impl PartialEq for VerifierKey {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.public == other.public
    }
}

impl Eq for VerifierKey {}

/// The key with which notes are signed: secret, `PRIVATE+KEY+NAME+HASH8+BASE64` as the Go tools write it.
#[derive(Clone)]
pub struct SigningKey {
    pub(super) signer: StandardSigner,
    secret: ed25519_dalek::SigningKey,
}

impl SigningKey {
    /// Makes a new key of that name.
    pub fn generate(name: &str, rng: &mut impl CryptoRngCore) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let (secret_text, _) = signed_note::generate_key(rng, name);
        secret_text.parse()
    }

    /// The key of that name whose secret is these 32 bytes (RFC 8032's private key).
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let public = ed25519_dalek::SigningKey::from_bytes(seed).verifying_key();
        let id = signed_note::key_id(name, &of_algorithm(public.as_bytes()));
        secret_text(name, id, seed).parse()
    }

    /// The secret's 32 bytes, for a file that encrypts them.
    pub fn seed(&self) -> [u8; 32] {
        self.secret.to_bytes()
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        self.signer.name()
    }

    /// The public half, to give to those who verify.
    pub fn verifier(&self) -> VerifierKey {
        let point = self.secret.verifying_key();
        let text = signed_note::new_ed25519_verifier_key(self.name(), &point);
        match text.parse() {
            Ok(key) => key,
            // The name and the point come from a key that was checked when it was made.
            Err(error) => unreachable!("the verifier of a valid signing key is invalid: {error}"),
        }
    }

    /// The whole secret, to be written where only its owner reads it.
    pub fn to_secret_text(&self) -> String {
        secret_text(self.name(), self.signer.key_id(), &self.seed())
    }
}

/// What stands Base64-encoded in a key's text: the algorithm, then the key's 32 bytes.
fn of_algorithm(key: &[u8; 32]) -> [u8; 33] {
    let mut bytes = [ALGORITHM_ED25519; 33];
    bytes[1..].copy_from_slice(key);
    bytes
}

fn secret_text(name: &str, id: u32, seed: &[u8; 32]) -> String {
    let secret = BASE64_STANDARD.encode(of_algorithm(seed));
    format!("PRIVATE+KEY+{name}+{id:08x}+{secret}")
}

impl FromStr for SigningKey {
    type Err = KeyError;

    /// Parses `PRIVATE+KEY+NAME+HASH8+BASE64`, with no space around it. The error shows nothing of the text.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        use signed_note::SignerError as E;
        let malformed = KeyError::Malformed(SIGNER_FORM);
        let signer = StandardSigner::new(text).map_err(|error| match error {
            E::Format => malformed.clone(),
            E::Alg => KeyError::Algorithm,
            E::Id => KeyError::Hash,
        })?;
        if !is_name(signer.name()) {
            return Err(KeyError::Name);
        }
        let seed = key_bytes(text.splitn(5, '+').last()).ok_or(malformed)?;
        let secret = ed25519_dalek::SigningKey::from_bytes(&seed);
        if secret.verifying_key().is_weak() {
            return Err(KeyError::Weak);
        }
        Ok(Self { signer, secret })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, id) = (self.name(), self.signer.key_id());
        write!(f, "SigningKey({name}+{id:08x}, secret not shown)")
    }
}
