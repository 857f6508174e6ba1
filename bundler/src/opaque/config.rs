//! How files are named: `files` of modferry.yaml, and `--file`.
//!
//! ```yaml
//! files:
//!   - name: go1.26.0.linux-amd64.tar.gz
//!     url: https://dl.example.com/go1.26.0.linux-amd64.tar.gz
//!     sha256: 0123…
//!   - name: ca-2026.pem
//!     path: certificates/ca.pem
//! ```
//!
//! ```text
//! --file ca-2026.pem=certificates/ca.pem --file go.tgz=https://dl.example.com/go.tgz,sha256=0123…
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use modferry_protocol::bundle::{FileName, FileNameError};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use crate::place::{Place, PlaceError, Sha256, Sha256Error};
use crate::select::text;
use crate::settings::{path, value};

/// A file to carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileConfig {
    /// Its name at the destination.
    pub name: FileName,
    /// Where it is.
    pub place: Place,
    /// The SHA-256 that it must have.
    pub sha256: Option<[u8; 32]>,
}

/// Why a flag names no file.
#[derive(Debug, thiserror::Error)]
pub enum FlagError {
    /// There is no `=`.
    #[error("want NAME=PATH or NAME=URL, as in ca.pem=certificates/ca.pem")]
    NoPlace,
    /// What stands before it is no name.
    #[error(transparent)]
    Name(#[from] FileNameError),
    /// What stands behind it is no place.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The hash is none.
    #[error("sha256: {0}")]
    Sha256(#[from] Sha256Error),
}

/// Where a flag's hash begins.
const SHA256: &str = ",sha256=";

impl FromStr for FileConfig {
    type Err = FlagError;

    fn from_str(text: &str) -> Result<FileConfig, FlagError> {
        let (name, place) = text.split_once('=').ok_or(FlagError::NoPlace)?;
        let (place, sha256) = match place.rsplit_once(SHA256) {
            Some((place, digits)) => (place, Some(digits.parse::<Sha256>()?)),
            None => (place, None),
        };
        Ok(FileConfig {
            name: name.parse()?,
            place: place.parse()?,
            sha256: sha256.map(|Sha256(hash)| hash),
        })
    }
}

const EXPECTED: &str = "a mapping with name, path or url, and sha256";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    name: Name,
    #[serde(default, deserialize_with = "path::one")]
    path: Option<PathBuf>,
    url: Option<String>,
    sha256: Option<Sha256>,
}

struct Name(FileName);

impl FromStr for Name {
    type Err = FileNameError;

    fn from_str(text: &str) -> Result<Name, FileNameError> {
        text.parse().map(Name)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        text::deserialize(deserializer, "a file's name at the destination")
    }
}

/// For `deserialize_with`: the entries of `files`, each name once.
pub fn files<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<FileConfig>, D::Error> {
    deserializer.deserialize_seq(Entries)
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<FileConfig>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files, each a mapping with name, path or url, and sha256")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<FileConfig>, A::Error> {
        let mut files = Vec::new();
        let mut names = BTreeSet::new();
        while let Some(file) = seq.next_element_seed(Entry(&mut names))? {
            files.push(file);
        }
        Ok(files)
    }
}

/// An entry that has none of these names, which its own then joins.
struct Entry<'n>(&'n mut BTreeSet<FileName>);

impl<'de> DeserializeSeed<'de> for Entry<'_> {
    type Value = FileConfig;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<FileConfig, D::Error> {
        value::mapping(deserializer, EXPECTED, |mapping: Mapping| {
            let Name(name) = mapping.name;
            let place = Place::either(mapping.path, mapping.url);
            let place = place.map_err(|error| EntryError::Place(name.clone(), error))?;
            if !self.0.insert(name.clone()) {
                return Err(EntryError::Twice(name));
            }
            Ok(FileConfig {
                name,
                place,
                sha256: mapping.sha256.map(|Sha256(hash)| hash),
            })
        })
    }
}

/// What is wrong with an entry.
#[derive(Debug, thiserror::Error)]
enum EntryError {
    #[error("{0}")]
    Place(FileName, #[source] PlaceError),
    #[error("{0} is there twice")]
    Twice(FileName),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Deserialize)]
    struct Files(#[serde(deserialize_with = "files")] Vec<FileConfig>);

    #[test]
    fn a_flag_says_what_an_entry_says() {
        let hash = "0A".repeat(32);
        for (flag, entry) in [
            ("a.pem=b/a.pem", "{name: a.pem, path: b/a.pem}".to_owned()),
            ("a=b=c,d", "{name: a, path: 'b=c,d'}".to_owned()),
            (
                "go.tgz=https://h.test/a=b/go.tgz",
                "{name: go.tgz, url: 'https://h.test/a=b/go.tgz'}".to_owned(),
            ),
            (
                &format!("a=b,sha256={hash}"),
                format!("{{name: a, path: b, sha256: {hash}}}"),
            ),
        ] {
            let Files(entries) = modferry_cli::parse_config("y", &format!("[{entry}]")).unwrap();
            assert_eq!(entries, [flag.parse().unwrap()], "{flag}");
        }
    }

    #[test]
    fn a_flags_tilde_was_the_shells() {
        let file: FileConfig = "a=~/b".parse().unwrap();
        assert_eq!(file.place, Place::Path("~/b".into()));
    }

    #[test]
    fn a_flag_that_names_no_file_is_told_what_to_write() {
        for (flag, told) in [
            ("a.pem", "want NAME=PATH or NAME=URL"),
            ("../a=b", "file name"),
            ("a=", "want a path or a URL"),
            ("a=ftp://h.test/a", "unusable URL: "),
            ("a=b,sha256=0a", "sha256: want 64 hexadecimal digits"),
        ] {
            let error = flag.parse::<FileConfig>().unwrap_err();
            let error = modferry_cli::in_one_line(&error);
            assert!(error.contains(told), "{flag}: {error}");
        }
    }
}
