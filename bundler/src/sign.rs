//! `sign`: one more signature, on another machine, at another time, by another person.
//!
//! All that a second signer needs is the manifest's file: it names the index by its hash, and the index names
//! every byte, so whoever signs it signs the whole bundle without having its volumes at hand. What they have to
//! compare with somebody who has the bundle is the spoken fingerprint.
//!
//! Only texts of ours are signed, by the rule that reads them: a key that signs whatever it is given would sign
//! what somebody wants to pass off as a manifest. The other signatures are kept as they are, and not believed.

use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{MAX_MANIFEST, Manifest, Spoken};
use modferry_protocol::note::{self, NoteError, SigningKey, VerifierKey};
use modferry_protocol::trust::TrustNote;

use crate::error::Error;
use crate::files;

/// A note of ours: well-formed, and its text is one that this program reads.
#[derive(Debug)]
pub struct Unsigned {
    /// Its file.
    pub path: PathBuf,
    /// What it is.
    pub what: Signable,
    /// What two people compare.
    pub spoken: Spoken,
    /// The keys that say they have signed it, unchecked, as NAME+HASH.
    pub claimed: Vec<String>,
    bytes: Vec<u8>,
}

/// The texts that are signed with a bundler's key.
#[derive(Debug)]
pub enum Signable {
    /// A bundle's manifest.
    Manifest(Box<Manifest>),
    /// A note that changes whom the other side trusts.
    Trust(Box<TrustNote>),
}

impl Signable {
    /// The text, whose first line says what it is.
    fn parse(text: &str) -> Result<Signable, Box<dyn std::error::Error + Send + Sync>> {
        if text.starts_with("modferry trust ") {
            return Ok(Signable::Trust(Box::new(TrustNote::parse(text)?)));
        }
        Ok(Signable::Manifest(Box::new(Manifest::parse(text)?)))
    }
}

/// A note that has the signature.
#[derive(Debug)]
pub struct Signed {
    /// Where it is.
    pub path: PathBuf,
    /// Whose signature.
    pub key: VerifierKey,
    /// Whether it is new: a key that has signed already has nothing to add.
    pub added: bool,
    /// The keys that say they have signed it, as NAME+HASH, this one among them.
    pub claimed: Vec<String>,
}

/// Reads a note, and refuses what is none of ours.
pub fn read(path: &Path) -> Result<Unsigned, Error> {
    let bytes = files::read_bounded(path, MAX_MANIFEST).map_err(|source| match source.kind() {
        std::io::ErrorKind::FileTooLarge => nothing_of_ours(path, source),
        _ => Error::file("read", path)(source),
    })?;
    let text = note::text(&bytes).map_err(|error| nothing_of_ours(path, error))?;
    let what = Signable::parse(text).map_err(|error| nothing_of_ours(path, error))?;
    Ok(Unsigned {
        path: path.to_owned(),
        what,
        spoken: Spoken::of(text),
        claimed: note::claimed(&bytes),
        bytes,
    })
}

fn nothing_of_ours(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Fault::new(
        Exit::Damaged,
        format!("{} is nothing that this program signs", path.display()),
    )
    .because(source)
    .advise("give a bundle's manifest, STREAM.SEQ.manifest (its volumes are not needed), or a trust note")
    .into()
}

impl Unsigned {
    /// Adds the key's signature, in place or in another file. Whole or not at all.
    pub fn sign(self, key: &SigningKey, out: Option<&Path>) -> Result<Signed, Error> {
        let path = out.unwrap_or(&self.path).to_owned();
        let verifier = key.verifier();
        let (bytes, added) = match note::open(&self.bytes, std::slice::from_ref(&verifier)) {
            Ok(_) => (self.bytes, false),
            // A signature line of this key that is false, too: it is replaced by a true one.
            Err(NoteError::Untrusted(_) | NoteError::BadSignature { .. }) => {
                let signed = note::add_signature(&self.bytes, key).map_err(|source| {
                    Error::usage_because(
                        format!("{} takes no more signatures", self.path.display()),
                        source,
                    )
                })?;
                (signed, true)
            }
            Err(error) => return Err(nothing_of_ours(&self.path, error)),
        };
        if added || path != self.path {
            files::write_durably(&path, &bytes).map_err(Error::file("write", &path))?;
        }
        Ok(Signed {
            path,
            key: verifier,
            added,
            claimed: note::claimed(&bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;

    fn key(name: &str) -> SigningKey {
        SigningKey::from_seed(name, &[name.len() as u8; 32]).unwrap()
    }

    fn manifest() -> String {
        crate::testing::manifest("platform", 1).encode()
    }

    #[test]
    fn a_second_signature_is_added_once_and_changes_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("platform.000001.manifest");
        let first = note::sign(&manifest(), &[&key("one")]).unwrap();
        fs::write(&path, &first).unwrap();

        let unsigned = read(&path).unwrap();
        assert_eq!(unsigned.spoken, Spoken::of(&manifest()));
        assert_eq!(unsigned.claimed.len(), 1);
        let signed = unsigned.sign(&key("second"), None).unwrap();
        assert!(signed.added);
        assert_eq!(signed.claimed.len(), 2);
        let both = fs::read(&path).unwrap();
        assert!(both.starts_with(&first));
        let keys = [key("one").verifier(), key("second").verifier()];
        assert_eq!(note::open(&both, &keys).unwrap().signers.len(), 2);

        for again in ["one", "second"] {
            let signed = read(&path).unwrap().sign(&key(again), None).unwrap();
            assert!(!signed.added);
            assert_eq!(fs::read(&path).unwrap(), both);
        }
        // Elsewhere: from a medium that cannot be written.
        let other = dir.path().join("other");
        read(&path)
            .unwrap()
            .sign(&key("three"), Some(&other))
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), both);
        assert!(fs::read(&other).unwrap().starts_with(&both));
    }

    #[test]
    fn a_false_signature_of_the_same_key_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let one = String::from_utf8(note::sign(&manifest(), &[&key("one")]).unwrap()).unwrap();
        let other = note::sign("another text\n", &[&key("one")]).unwrap();
        let line = String::from_utf8(other).unwrap();
        let line = line.lines().last().unwrap();
        let at = one.find('\u{2014}').unwrap();
        fs::write(&path, format!("{}{line}\n", &one[..at])).unwrap();
        assert!(read(&path).unwrap().sign(&key("one"), None).unwrap().added);
        assert_eq!(fs::read_to_string(&path).unwrap(), one);
    }

    #[test]
    fn what_is_not_ours_is_not_signed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let note = |text: &str| note::sign(text, &[&key("one")]).unwrap();
        let large = vec![b'x'; MAX_MANIFEST as usize + 1];
        for bytes in [
            note("go.sum database tree\n1\nODzTx5nLH6i40K5zmJWNoQxdKdaY+FIfpcgiQLoX1SY=\n"),
            note("I owe you 1000 euros\n"),
            note("modferry trust v1\nnumber 1\n"),
            note(&manifest().replace("zips 0", "zips 00")),
            note(&manifest().replace("bundle v1", "bundle v2")),
            manifest().into_bytes(),
            Vec::new(),
            vec![0; 600],
            large,
        ] {
            fs::write(&path, &bytes).unwrap();
            let error = read(&path).unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("nothing that this program signs"),
                "{error}"
            );
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
    }
}
