//! Why a module zip is refused: the entry and the rule it breaks.

use std::fmt;

use super::names::FilePathError;
use super::{MAX_DIRECTORY, MAX_GO_MOD, MAX_LICENSE, MAX_ZIP_FILE};

/// A zip that cannot be read, is no zip, or breaks a rule for module zips.
#[derive(Debug, thiserror::Error)]
pub enum ZipError {
    /// The source failed. Only this one says nothing about the zip itself.
    #[error("reading the zip at byte {offset}")]
    Read {
        /// Where the read began.
        offset: u64,
        /// What the source said.
        source: std::io::Error,
    },
    /// What was read is not a zip archive, or is one that ends too soon.
    #[error("not a zip archive: {0}")]
    Archive(#[from] ArchiveError),
    /// The file is longer than [`MAX_ZIP_FILE`].
    #[error("zip file of {size} bytes, more than {MAX_ZIP_FILE}")]
    TooLarge {
        /// The file's size in bytes.
        size: u64,
    },
    /// The sizes that the directory declares add up to more than [`MAX_ZIP_FILE`].
    #[error("files of together more than {MAX_ZIP_FILE} bytes; {name} is the one past the limit")]
    UnpacksTooLarge {
        /// The entry at which the limit was passed.
        name: EntryName,
    },
    /// One entry breaks a rule.
    #[error("zip entry {name}: {rule}")]
    Entry {
        /// Its name as it stands in the zip, with the `path@version/` prefix.
        name: EntryName,
        /// What it breaks.
        rule: Rule,
    },
}

/// An entry's name as an error shows it: quoted and escaped, since it is untrusted, and cut where it is very long.
#[derive(Clone, PartialEq, Eq)]
pub struct EntryName(String);

impl EntryName {
    const SHOWN: usize = 300;

    pub(super) fn new(name: &[u8]) -> EntryName {
        let cut = &name[..name.len().min(Self::SHOWN)];
        let mut text = String::from_utf8_lossy(cut).into_owned();
        if cut.len() < name.len() {
            text.push('…');
        }
        EntryName(text)
    }

    /// The name; where it was not UTF-8, with replacement characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is wrong with the archive as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// No end-of-central-directory record in the last 65 KiB, or its comment is cut off.
    #[error("no end-of-directory record")]
    NoEnd,
    /// The end record, or its zip64 form, points outside the file or is no such record.
    #[error("end-of-directory record points to no directory")]
    BadEnd,
    /// Fewer, or more, directory headers than the end record counts.
    #[error("directory has {found} readable entries where {declared} are declared")]
    Count {
        /// Headers read before the first that is none.
        found: u64,
        /// Count in the end record.
        declared: u64,
    },
    /// The directory runs into the end of the file.
    #[error("directory runs to the end of the file")]
    Truncated,
    /// The directory is longer than [`MAX_DIRECTORY`].
    #[error("directory of more than {MAX_DIRECTORY} bytes")]
    DirectoryTooLarge,
}

/// A rule that an entry breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rule {
    /// The name does not begin with `path@version/`.
    #[error("name does not begin with {0:?}")]
    Prefix(String),
    /// What follows the prefix is no valid file path.
    #[error("{0}")]
    Path(#[from] FilePathError),
    /// Another entry has this name, or a parent of this one, in another case.
    #[error("differs only in case from {other}")]
    Case {
        /// The other entry.
        other: EntryName,
    },
    /// Two files of this name.
    #[error("two files of this name")]
    Duplicate,
    /// This name is a file, and another entry uses it as a directory.
    #[error("both a file and a directory, see {other}")]
    FileAndDirectory {
        /// The other entry.
        other: EntryName,
    },
    /// A go.mod below the module's root.
    #[error("go.mod outside the module's root")]
    NestedGoMod,
    /// A go.mod in another case than `go.mod`.
    #[error("go.mod not in lower case")]
    GoModCase,
    /// A go.mod of more than [`MAX_GO_MOD`] bytes.
    #[error("go.mod of more than {MAX_GO_MOD} bytes")]
    GoModSize,
    /// A LICENSE of more than [`MAX_LICENSE`] bytes.
    #[error("LICENSE of more than {MAX_LICENSE} bytes")]
    LicenseSize,
    /// A directory that declares content.
    #[error("a directory with content")]
    DirectoryContent,
    /// No local header where the directory says.
    #[error("no local header at byte {0}")]
    LocalHeader(i64),
    /// A compression method other than stored (0) and deflated (8).
    #[error("unsupported compression method {0}")]
    Method(u16),
    /// The deflate stream is not one.
    #[error("corrupt compressed data")]
    Corrupt,
    /// The data end before the declared size is reached.
    #[error("content ends before the declared {0} bytes")]
    Short(u64),
    /// The data go on past the declared size.
    #[error("content goes on past the declared {0} bytes")]
    Long(u64),
    /// The content's CRC-32 is not the declared one, or the data descriptor has another.
    #[error("checksum (CRC-32) mismatch")]
    Checksum,
    /// The data descriptor is cut off by the end of the file.
    #[error("data descriptor is cut off")]
    Descriptor,
    /// The entries read so far take more bytes than the file has, so some of them share data.
    #[error("entries overlap")]
    Overlap,
}
