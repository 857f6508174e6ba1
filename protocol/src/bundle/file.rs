//! Names of opaque files: what a site carries beside modules, such as a Go distribution's archive.
//!
//! A name stands in a URL, in a list for `sha256sum -c` and in a shell, so it is narrow: one path element, no spaces, nothing that
//! begins like an option or a hidden file. It never names a file on the importing machine.

use std::fmt;
use std::str::FromStr;

use super::text;

/// The most bytes of a file's name.
pub const MAX_FILE_NAME: usize = 128;

/// The most bytes of a file.
pub const MAX_FILE: u64 = 4 << 30;

/// The most files of a bundle; as many it may need, and as many take back.
pub const MAX_FILES: u64 = 4096;

/// The SHA-256 that an item of a needed file has: 64 lower-case hexadecimal digits, and nothing else.
pub fn file_sha256(item: &[u8]) -> Option<[u8; 32]> {
    text::sha256(std::str::from_utf8(item).ok()?)
}

/// The bytes of such an item.
pub fn needed_file(sha256: &[u8; 32]) -> Vec<u8> {
    text::Hex(sha256).to_string().into_bytes()
}

/// How many these are.
pub(super) const NEEDED_FILE: u64 = 64;

/// A file's name: 1 to [`MAX_FILE_NAME`] letters, digits, and `.`, `_`, `+`, `-`, a letter or digit first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Box<str>);

/// A name that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "file name {0}: want 1 to {MAX_FILE_NAME} letters, digits and . _ + -, a letter or digit first"
)]
pub struct FileNameError(String);

impl FileName {
    /// Checks a file's name.
    pub fn new(name: &str) -> Result<FileName, FileNameError> {
        let fits = (1..=MAX_FILE_NAME).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b));
        match fits {
            true => Ok(FileName(name.into())),
            false => Err(FileNameError(text::shown(name.as_bytes()))),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for FileName {
    type Err = FileNameError;

    fn from_str(name: &str) -> Result<FileName, FileNameError> {
        FileName::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_plain_element() {
        let longest = "x".repeat(MAX_FILE_NAME);
        for good in [
            "go1.24.0.linux-amd64.tar.gz",
            "a",
            "0",
            "libstdc++.so.6",
            &longest,
        ] {
            assert!(
                FileName::new(good).is_ok_and(|name| name.as_str() == good),
                "{good}"
            );
        }
        let too_long = "x".repeat(MAX_FILE_NAME + 1);
        for bad in [
            "", ".", "..", ".hidden", "-rf", "_a", "a/b", "../a", "/a", "a b", "a\\b", "a\n",
            "a%2fb", "ä", "a*", &too_long,
        ] {
            assert!(FileName::new(bad).is_err(), "{bad:?}");
        }
    }
}
