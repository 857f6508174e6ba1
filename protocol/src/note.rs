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

use signed_note::Note;
use thiserror::Error;

mod key;

pub use key::{KeyError, MAX_KEY_NAME, SigningKey, VerifierKey};

/// The public Go checksum database's key: cmd/go has the same built in.
pub const SUM_GOLANG_ORG: &str =
    "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

/// The longest note that is read, in bytes, signatures included.
pub const MAX_NOTE: usize = 1_000_000;
/// The most signature lines that a note may have, as in the Go reference.
pub const MAX_SIGNATURES: usize = 100;

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
            E::UnverifiedNote => {
                let mut names = claimed(note);
                names.truncate(CLAIMED_SHOWN);
                NoteError::Untrusted(names)
            }
            E::VerificationError(V::AmbiguousKey { name, id }) => {
                NoteError::AmbiguousKey { name, id }
            }
            _ => NoteError::Malformed,
        }
    })?;
    let text = text_of(note, &parsed)?;
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

/// A note's text, whoever signed it: to look at before it is signed, and for nothing that is believed.
pub fn text(note: &[u8]) -> Result<&str, NoteError> {
    text_of(note, &parse(note)?)
}

fn text_of<'a>(note: &'a [u8], parsed: &Note) -> Result<&'a str, NoteError> {
    note.get(..parsed.text().len())
        .filter(|text| *text == parsed.text())
        .and_then(|text| std::str::from_utf8(text).ok())
        .ok_or(NoteError::Malformed)
}

/// Who says that they signed a note, as NAME+HASH, unverified: to be shown, and for nothing else.
pub fn claimed(note: &[u8]) -> Vec<String> {
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
