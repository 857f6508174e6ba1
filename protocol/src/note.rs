//! Signed notes and their keys, as C2SP's signed-note and golang.org/x/mod/sumdb/note define them.
//!
//! A note is text, a blank line, and one signature line for each signer:
//!
//! ```text
//! go.sum database tree
//! 41234567
//! 1dGvRNX0Vj6V1rHqS9Lv1eN8gmsT7tJEX0D9MBVFWqo=
//!
//! — sum.golang.org Az3grh…
//! ```
//!
//! Everything that modferry believes starts here: the checksum database's tree heads and the bundles'
//! manifests are notes. So the rules are the reference's, or stricter where the reference lets two
//! spellings mean the same: Base64 has one form only, and a note has a limit on its length.
//!
//! - A note opens only if a key that the caller trusts has signed it. A signature by such a key that does
//!   not verify is an error even when another one does.
//! - Signature lines by unknown keys are no error and no evidence: they are passed over.
//! - A secret key has neither `Debug` nor `Display` output that shows it; [`SigningKey::to_secret_text`] is the one way out.
//!
//! The parsing and the curve are `signed_note`'s and `ed25519_dalek`'s.

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rand_core::CryptoRngCore;
use sha2::{Digest, Sha256};
use signed_note::{Note, Signer as _, StandardSigner, StandardVerifier, Verifier as _};
use thiserror::Error;

/// The public Go checksum database's key: cmd/go has the same built in.
pub const SUM_GOLANG_ORG: &str =
    "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

/// The longest note that is read, in bytes, signatures included.
pub const MAX_NOTE: usize = 1_000_000;
/// The most signature lines that a note may have, as in the Go reference.
pub const MAX_SIGNATURES: usize = 100;
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

const VERIFIER_FORM: &str = "NAME+HASH8+BASE64";
const SIGNER_FORM: &str = "PRIVATE+KEY+NAME+HASH8+BASE64";

/// Why a note is refused, or cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE`].
    #[error("note of {0} bytes: at most {MAX_NOTE} are read")]
    TooLong(usize),
    /// Not a note: no blank line before signatures, a control character, no UTF-8, a malformed signature line.
    #[error("malformed note")]
    Malformed,
    /// One more signature would make more than [`MAX_SIGNATURES`].
    #[error("a note has at most {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// A well-formed note, but no trusted key has signed it. Has the names of the keys that say they did.
    #[error("no trusted key has signed this note (it is signed by {})", signer_list(.0))]
    Untrusted(Vec<String>),
    /// A line names a trusted key, but its signature does not verify.
    #[error("invalid signature by {name}+{id:08x}")]
    BadSignature {
        /// The key's name.
        name: String,
        /// The key's hash.
        id: u32,
    },
    /// Two different trusted keys have the same name and hash.
    #[error("two different trusted keys are both called {name}+{id:08x}")]
    AmbiguousKey {
        /// The keys' name.
        name: String,
        /// The keys' hash.
        id: u32,
    },
    /// Signing was asked for with no key.
    #[error("a note needs at least one signing key")]
    NoSigner,
}

fn signer_list(names: &[String]) -> String {
    if names.is_empty() {
        return "nobody".into();
    }
    names.join(", ")
}

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
    verifier: StandardVerifier,
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

    /// SHA-256 of the key's 33 bytes (algorithm and point) in hexadecimal, to compare by eye or telephone.
    ///
    /// `cut -d+ -f3 KEYFILE | base64 -d | sha256sum` gives the same.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(self.key_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn key_bytes(&self) -> [u8; 33] {
        let mut bytes = [ALGORITHM_ED25519; 33];
        bytes[1..].copy_from_slice(&self.public);
        bytes
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
    signer: StandardSigner,
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
        let mut bytes = [ALGORITHM_ED25519; 33];
        bytes[1..].copy_from_slice(&self.secret.to_bytes());
        let (name, id) = (self.name(), self.signer.key_id());
        let secret = BASE64_STANDARD.encode(bytes);
        format!("PRIVATE+KEY+{name}+{id:08x}+{secret}")
    }
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

/// Who signed: a key's name and hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signatory {
    /// The key's name.
    pub name: String,
    /// The key's hash.
    pub id: u32,
}

impl fmt::Display for Signatory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}", self.name, self.id)
    }
}

/// A note that at least one trusted key has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened<'a> {
    /// What was signed, ending in a newline.
    pub text: &'a str,
    /// The trusted keys that signed it, each once, in the order of their lines. Never empty.
    pub signers: Vec<Signatory>,
}

/// Opens a note: at least one of `keys` must have signed it, and no signature line that names one of them
/// may fail to verify. The same key listed twice counts once.
pub fn open<'a>(note: &'a [u8], keys: &[VerifierKey]) -> Result<Opened<'a>, NoteError> {
    let parsed = parse(note)?;
    let known = Known(keys);
    let (verified, _) = parsed.verify(&known).map_err(|error| {
        use signed_note::NoteError as E;
        use signed_note::VerificationError as V;
        match error {
            E::InvalidSignature { name, id } => NoteError::BadSignature { name, id },
            E::UnverifiedNote => NoteError::Untrusted(claimed(note)),
            E::VerificationError(V::AmbiguousKey { name, id }) => {
                NoteError::AmbiguousKey { name, id }
            }
            _ => NoteError::Malformed,
        }
    })?;
    let text = note
        .get(..parsed.text().len())
        .filter(|text| *text == parsed.text())
        .and_then(|text| std::str::from_utf8(text).ok())
        .ok_or(NoteError::Malformed)?;
    let signers = verified
        .iter()
        .map(|signature| Signatory {
            name: signature.name().into(),
            id: signature.id(),
        })
        .collect();
    Ok(Opened { text, signers })
}

/// Signs `text`, which must end in a newline, with each key in turn.
pub fn sign(text: &str, keys: &[&SigningKey]) -> Result<Vec<u8>, NoteError> {
    if keys.is_empty() {
        return Err(NoteError::NoSigner);
    }
    if text.len() > MAX_NOTE {
        return Err(NoteError::TooLong(text.len()));
    }
    let note = Note::new(text.as_bytes(), &[]).map_err(|_| NoteError::Malformed)?;
    add_signatures(note, keys)
}

/// Adds a signature to a note, whoever signed it before; a signature that this key made earlier is replaced.
///
/// The existing signatures are kept, not verified: open the note first if it matters who signed.
pub fn add_signature(note: &[u8], key: &SigningKey) -> Result<Vec<u8>, NoteError> {
    add_signatures(parse(note)?, &[key])
}

fn add_signatures(mut note: Note, keys: &[&SigningKey]) -> Result<Vec<u8>, NoteError> {
    let signers: Vec<&dyn signed_note::Signer> = keys
        .iter()
        .map(|key| &key.signer as &dyn signed_note::Signer)
        .collect();
    note.add_sigs(&signers).map_err(|_| NoteError::Malformed)?;
    let bytes = note.to_bytes();
    // What was made must be readable: the count and the length are limited there.
    match parse(&bytes) {
        Ok(_) => Ok(bytes),
        Err(NoteError::Malformed) => Err(NoteError::TooManySignatures),
        Err(error) => Err(error),
    }
}

fn parse(note: &[u8]) -> Result<Note, NoteError> {
    if note.len() > MAX_NOTE {
        return Err(NoteError::TooLong(note.len()));
    }
    Note::from_bytes(note).map_err(|_| NoteError::Malformed)
}

/// The names on a well-formed note's signature lines, unverified: for an error's text only.
fn claimed(note: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(note);
    let lines = text.rsplit_once("\n\n").map_or("", |(_, lines)| lines);
    let mut names: Vec<String> = lines
        .lines()
        .filter_map(|line| {
            let signature = signed_note::Signature::from_bytes(line.as_bytes()).ok()?;
            Some(format!("{}+{:08x}", signature.name(), signature.id()))
        })
        .collect();
    names.dedup();
    names.truncate(CLAIMED_SHOWN);
    names
}

/// How many of an untrusted note's signers an error names.
const CLAIMED_SHOWN: usize = 5;

/// The trusted keys, in the form that `signed_note` asks for them.
struct Known<'k>(&'k [VerifierKey]);

impl signed_note::Verifiers for Known<'_> {
    fn verifier(
        &self,
        name: &str,
        id: u32,
    ) -> Result<&dyn signed_note::Verifier, signed_note::VerificationError> {
        use signed_note::VerificationError as V;
        let name_of = || name.to_owned();
        let mut matching = self.0.iter().filter(|k| k.name() == name && k.id() == id);
        let Some(key) = matching.next() else {
            return Err(V::UnknownKey {
                name: name_of(),
                id,
            });
        };
        if matching.any(|other| other != key) {
            return Err(V::AmbiguousKey {
                name: name_of(),
                id,
            });
        }
        Ok(&key.verifier)
    }
}

#[cfg(test)]
mod tests;
