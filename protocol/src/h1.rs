//! `h1:` hashes, which go.sum and the checksum database record (golang.org/x/mod/sumdb/dirhash).
//!
//! An h1 does not hash a zip's bytes but what is in it: SHA-256 over one line a file, sorted by name bytewise,
//! each the file's SHA-256 in hexadecimal, two spaces, its name and a newline. So a module may be packed again
//! without its hash changing. A go.mod's h1 is that of a single file named `go.mod`.
//!
//! ```
//! use modferry_protocol::h1::H1;
//!
//! let h1 = H1::of_go_mod(b"module example.com/a\n");
//! assert_eq!(h1.to_string().parse::<H1>(), Ok(h1));
//! ```

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const PREFIX: &str = "h1:";

/// A `h1:` hash. Its text is `h1:` and 44 characters of standard base64; other spellings do not parse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct H1([u8; 32]);

/// A text that is no h1: it lacks the `h1:`, or the rest is not the base64 of 32 bytes in its one canonical spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an h1 hash: expected \"h1:\" and 44 characters of base64")]
pub struct H1Error;

/// A file name with a newline: it could pass for two lines of the hashed summary, so no h1 covers it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("file name {name:?} has a newline, which h1 hashes do not allow")]
pub struct NewlineError {
    /// The name, as given.
    pub name: String,
}

impl H1 {
    /// The h1 that go.sum's `VERSION/go.mod` lines record: of one file, named `go.mod`.
    pub fn of_go_mod(content: &[u8]) -> H1 {
        let mut summary = Summary::new();
        summary.line(&["go.mod"], &Sha256::digest(content).into());
        summary.finish()
    }

    /// The h1 of files given as (name, SHA-256 of the content), in any order. A module zip's names have the
    /// `path@version/` prefix. This is dirhash.Hash1, which refuses newlines in names too.
    pub fn of_files<N: AsRef<str>>(
        files: impl IntoIterator<Item = (N, [u8; 32])>,
    ) -> Result<H1, NewlineError> {
        let mut files: Vec<(N, [u8; 32])> = files.into_iter().collect();
        files.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        let mut summary = Summary::new();
        for (name, sha256) in &files {
            let name = name.as_ref();
            if name.contains('\n') {
                return Err(NewlineError { name: name.into() });
            }
            summary.line(&[name], sha256);
        }
        Ok(summary.finish())
    }

    /// An h1 whose 32 bytes are known, as a store or an index holds them.
    pub fn from_bytes(bytes: [u8; 32]) -> H1 {
        H1(bytes)
    }

    /// The 32 bytes that the text encodes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The summary that an h1 is the SHA-256 of, hashed as its lines come. The caller sorts, and keeps newlines out.
pub(crate) struct Summary(Sha256);

impl Summary {
    pub(crate) fn new() -> Summary {
        Summary(Sha256::new())
    }

    /// Adds a file whose name is the concatenation of `name`'s parts.
    pub(crate) fn line(&mut self, name: &[&str], sha256: &[u8; 32]) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b' '; 66];
        for (pair, byte) in text.chunks_exact_mut(2).zip(sha256) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        self.0.update(text);
        for part in name {
            self.0.update(part);
        }
        self.0.update(b"\n");
    }

    pub(crate) fn finish(self) -> H1 {
        H1(self.0.finalize().into())
    }
}

impl fmt::Display for H1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for H1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "H1({self})")
    }
}

impl FromStr for H1 {
    type Err = H1Error;

    fn from_str(text: &str) -> Result<H1, H1Error> {
        let encoded = text.strip_prefix(PREFIX).ok_or(H1Error)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| H1Error)?;
        bytes.try_into().map(H1).map_err(|_| H1Error)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_is_strict() {
        let good = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(good.parse::<H1>().unwrap().to_string(), good);
        for bad in [
            "",
            "h1:",
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "H1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "h2:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "h1: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
            "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
            // The last character's two spare bits must be zero.
            "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=",
            "h1:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",
            "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hS",
            "h1:AAAA47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        ] {
            assert_eq!(bad.parse::<H1>(), Err(H1Error), "{bad:?}");
        }
    }

    #[test]
    fn order_of_files_does_not_matter_and_newlines_do() {
        let file = |name| (name, Sha256::digest(name).into());
        let sorted = H1::of_files([file("a"), file("a-b"), file("a/b"), file("é")]).unwrap();
        let mixed = H1::of_files([file("é"), file("a/b"), file("a"), file("a-b")]).unwrap();
        assert_eq!(sorted, mixed);
        assert_ne!(sorted, H1::of_files([file("a"), file("a-b")]).unwrap());
        let error = H1::of_files([file("a\nb")]).unwrap_err();
        assert_eq!(error.name, "a\nb");
    }
}
