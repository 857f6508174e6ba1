//! Where something is that a site carries beside its modules, and which one it must be: a path of this machine or a URL,
//! and a SHA-256. Flags say it in one word, modferry.yaml in one word or by the keys `path`, `url` and `sha256`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::select::text;
use crate::settings::path;
use crate::upstream::url::{Base, BaseError};

/// A place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine.
    Path(PathBuf),
    /// On a server, or on this machine by a `file:` URL.
    Url(String),
}

/// Why a text, or a mapping, names no place.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Nothing.
    #[error("nothing is named: want a path or a URL")]
    Empty,
    /// Both, or neither.
    #[error("want either path or url")]
    Either,
    /// The URL is none.
    #[error("unusable URL")]
    Url(#[from] BaseError),
    /// The path is none.
    #[error(transparent)]
    Path(#[from] path::PathError),
}

impl Place {
    /// Of the two keys, one of which is there.
    pub fn either(path: Option<PathBuf>, url: Option<String>) -> Result<Place, PlaceError> {
        match (path, url) {
            (Some(path), None) => Ok(Place::Path(path)),
            (None, Some(url)) => Place::url(url),
            _ => Err(PlaceError::Either),
        }
    }

    /// As a word of modferry.yaml, where `~/` is the home folder.
    pub fn written(text: &str) -> Result<Place, PlaceError> {
        match text.parse()? {
            Place::Path(_) => Ok(Place::Path(path::of(text)?)),
            url => Ok(url),
        }
    }

    /// A relative path is relative to the configuration's folder.
    pub fn in_folder(&mut self, folder: &Path) {
        if let Place::Path(path) = self {
            *path = folder.join(&*path);
        }
    }

    fn url(url: String) -> Result<Place, PlaceError> {
        Base::parse(&url)?;
        Ok(Place::Url(url))
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Place, PlaceError> {
        let is_url = text.contains("://") || text.starts_with("file:/");
        match text {
            "" => Err(PlaceError::Empty),
            url if is_url => Place::url(url.to_owned()),
            path => Ok(Place::Path(path.into())),
        }
    }
}

/// The SHA-256 that somebody wrote down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sha256(pub [u8; 32]);

/// Not as many digits, or no such.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("want 64 hexadecimal digits")]
pub struct Sha256Error;

impl FromStr for Sha256 {
    type Err = Sha256Error;

    fn from_str(text: &str) -> Result<Sha256, Sha256Error> {
        let digits = text.as_bytes();
        let mut sha256 = [0; 32];
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(Sha256Error);
        }
        for (byte, pair) in sha256.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| Sha256Error)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| Sha256Error)?;
        }
        Ok(Sha256(sha256))
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sha256, D::Error> {
        text::deserialize(deserializer, "a SHA-256, as 64 hexadecimal digits")
    }
}
