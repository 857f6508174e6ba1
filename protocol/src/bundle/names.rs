//! Names of streams and their bundles. Both become parts of file names, so both are narrow.

use std::fmt;
use std::str::FromStr;

use super::text;

/// The most bytes of a stream's name.
pub const MAX_STREAM_NAME: usize = 63;

/// A stream: the sequence of bundles that one destination gets, say `platform`.
///
/// `[a-z0-9][a-z0-9-]*`, at most [63](MAX_STREAM_NAME) bytes: it stands in file names on any file system, and
/// next to a dot and a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Box<str>);

/// Why a stream's name or a sequence number is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a stream's name.
    #[error(
        "stream name {0}: want 1 to 63 lower-case letters, digits and hyphens, not a hyphen first"
    )]
    Stream(String),
    /// Not a sequence number.
    #[error("sequence {0}: want a whole number from 1")]
    Sequence(String),
}

impl StreamName {
    /// Checks a stream's name.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let fits = (1..=MAX_STREAM_NAME).contains(&name.len())
            && !name.starts_with('-')
            && name
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if fits {
            Ok(Self(name.into()))
        } else {
            Err(NameError::Stream(text::shown(name.as_bytes())))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `STREAM.SEQ.manifest`: the file that holds a bundle's manifest and its signatures.
    pub fn manifest_file(&self, sequence: Sequence) -> String {
        format!("{self}.{sequence:06}.manifest")
    }

    /// `STREAM.SEQ.vNNN.tar`: the file that holds a bundle's volume of that number, from 1.
    pub fn volume_file(&self, sequence: Sequence, volume: u32) -> String {
        format!("{self}.{sequence:06}.v{volume:03}.tar")
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for StreamName {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::new(s)
    }
}

/// A bundle's place in its stream, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(u64);

impl Sequence {
    /// The first bundle of a stream.
    pub const FIRST: Sequence = Sequence(1);

    /// The bundle of that number; 0 is none.
    pub fn new(number: u64) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The one after it; `None` after the last that fits in 64 bits.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Sequence {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        text::number(s)
            .and_then(Self::new)
            .ok_or_else(|| NameError::Sequence(text::shown(s.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn stream_names() {
        for good in ["a", "0", "platform", "a-b-", &"x".repeat(MAX_STREAM_NAME)] {
            assert_eq!(StreamName::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "-a",
            "A",
            "a.b",
            "a/b",
            "..",
            "a b",
            "é",
            "a\n",
            &"x".repeat(MAX_STREAM_NAME + 1),
        ] {
            assert!(StreamName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn sequences() {
        assert_eq!("1".parse(), Ok(Sequence::FIRST));
        assert_eq!(Sequence::new(u64::MAX).unwrap().next(), None);
        for bad in ["0", "", "01", "-1", "18446744073709551616"] {
            assert!(bad.parse::<Sequence>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn file_names_sort_as_numbers() {
        let stream = StreamName::new("platform").unwrap();
        assert_eq!(
            stream.manifest_file(Sequence::FIRST),
            "platform.000001.manifest"
        );
        assert_eq!(
            stream.volume_file(Sequence::new(12).unwrap(), 1),
            "platform.000012.v001.tar"
        );
        assert_eq!(
            stream.volume_file(Sequence::new(1_234_567).unwrap(), 1000),
            "platform.1234567.v1000.tar"
        );
    }
}
