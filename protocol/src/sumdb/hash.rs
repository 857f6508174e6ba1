//! The hashes of a transparency log: RFC 6962's, with SHA-256.
//!
//! Leaf and inner nodes are hashed with different first bytes, so that neither can pass for the other.
//! Reference: golang.org/x/mod/sumdb/tlog, RecordHash and NodeHash.

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// The bytes of a hash.
pub const HASH_SIZE: usize = 32;

/// A hash of a record, of an inner node or of a whole tree. Its text is standard Base64, 44 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; HASH_SIZE]);

/// Not the Base64 of 32 bytes in its one canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("malformed hash: want the Base64 of {HASH_SIZE} bytes")]
pub struct HashError;

impl Hash {
    /// The hash of a tree without records: SHA-256 of nothing.
    pub const EMPTY_TREE: Hash = Hash([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9,
        0x24, 0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52,
        0xb8, 0x55,
    ]);
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = HashError;

    /// Accepts only what [`Display`](fmt::Display) writes. The Go reference lets the unused bits of the last
    /// character be anything; here they are zero.
    fn from_str(text: &str) -> Result<Self, HashError> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| HashError)?;
        bytes.try_into().map(Hash).map_err(|_| HashError)
    }
}

/// The hash of a record's text: `SHA-256(0x00 || text)`.
pub fn record_hash(text: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0x00]);
    hasher.update(text);
    Hash(hasher.finalize().into())
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0x01; 1 + 2 * HASH_SIZE];
    bytes[1..=HASH_SIZE].copy_from_slice(&left.0);
    bytes[1 + HASH_SIZE..].copy_from_slice(&right.0);
    Hash(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_empty_tree_is_the_hash_of_nothing() {
        assert_eq!(Hash::EMPTY_TREE.0, <[u8; 32]>::from(Sha256::digest([])));
    }

    #[test]
    fn only_canonical_base64_of_32_bytes_is_a_hash() {
        let text = Hash::EMPTY_TREE.to_string();
        assert_eq!(text.parse(), Ok(Hash::EMPTY_TREE));
        // The last character before the padding carries four bits of the hash; the other two must be zero.
        let sloppy = text.replace("uFU=", "uFV=");
        assert_ne!(sloppy, text);
        let bad = [
            "",
            &sloppy,
            &text[1..],
            &format!("{text}="),
            &format!("{text}\n"),
            &format!(" {text}"),
            text.trim_end_matches('='),
            &BASE64_STANDARD.encode([0; 31]),
            &BASE64_STANDARD.encode([0; 33]),
        ];
        for text in bad {
            assert_eq!(text.parse::<Hash>(), Err(HashError), "{text:?}");
        }
    }

    #[test]
    fn leaf_and_node_hashes_are_rfc_6962s() {
        // From RFC 6962's reference tests: the leaf hash of no data.
        let leaf = record_hash(b"");
        assert_eq!(
            leaf.to_string(),
            "bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0="
        );
        let mut both = vec![1];
        both.extend(leaf.0);
        both.extend(Hash::EMPTY_TREE.0);
        assert_eq!(
            node_hash(&leaf, &Hash::EMPTY_TREE).0,
            <[u8; 32]>::from(Sha256::digest(both))
        );
    }
}
