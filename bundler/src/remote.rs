//! A file by URL that no checksum database knows: an opaque file, a vulnerability database.
//!
//! What vouches for such a file is the SHA-256 in the settings, or else TLS. So over plain http, where anybody on the way
//! can put another file in its place, it is only taken with a SHA-256; what never leaves this machine is excepted. And its
//! bytes must be its own: a body that the server says to be coded is refused.

use std::io;

use modferry_cli::{Exit, Fault};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use crate::cache::{Cache, Download, hex};
use crate::error::Error;
use crate::upstream::goproxy::{self, GetError, Unavailable};
use crate::upstream::http::{Http, Sink};
use crate::upstream::url::{Base, without_user};

/// A file to fetch.
#[derive(Clone, Copy, Debug)]
pub struct Remote<'r> {
    /// What asks for it, as an error names it: `files: go.tgz`.
    pub key: &'r str,
    /// Where it is.
    pub url: &'r str,
    /// The SHA-256 that it must have.
    pub sha256: Option<[u8; 32]>,
    /// The most bytes that it may have.
    pub limit: u64,
}

/// A file that was fetched.
#[derive(Debug)]
pub struct Got {
    /// Its bytes, on the cache's file system.
    pub file: NamedTempFile,
    /// How many.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

/// What is known of a file before it is fetched.
#[derive(Debug)]
pub struct Looked {
    /// How many bytes it has; or why that is not known, in words.
    pub size: Result<u64, String>,
    /// Their SHA-256, if it is on this machine.
    pub sha256: Option<[u8; 32]>,
}

/// Hashes, and keeps nothing.
struct Hashing(Sha256);

impl Sink for Hashing {
    fn restart(&mut self) -> io::Result<()> {
        self.0 = Sha256::new();
        Ok(())
    }
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.update(bytes);
        Ok(())
    }
}

impl Remote<'_> {
    /// Where it is, if it may be fetched from there.
    fn base(&self) -> Result<Base, Error> {
        let base =
            Base::parse(self.url).map_err(|source| Error::usage_because(self.key, source))?;
        if let (Base::Http(at), None) = (&base, self.sha256)
            && at.is_open()
        {
            let text = format!(
                "{}: {base}: over plain http anybody on the way can put another file in its place",
                self.key
            );
            return Err(Fault::new(Exit::Usage, text)
                .advise(
                    "use https, or say which file it must be: sha256, with 64 hexadecimal digits",
                )
                .into());
        }
        Ok(base)
    }

    /// What can be known of it before it is fetched. That it cannot be had is an error, as when it is fetched; an answer
    /// that does not tell its size, or none, is told in words.
    pub fn look(&self, http: &Http) -> Result<Looked, Error> {
        let base = self.base()?;
        let Base::Http(at) = &base else {
            let mut hasher = Hashing(Sha256::new());
            let size = goproxy::get_verbatim_into(http, &base, self.limit, &mut hasher)
                .map_err(|error| self.refused(&error.refused()))?;
            return Ok(Looked {
                size: Ok(size),
                sha256: Some(hasher.0.finalize().into()),
            });
        };
        let size = match goproxy::size_of(http, at, "") {
            Ok(size) => size.ok_or_else(|| "the server does not say it".to_owned()),
            Err(why) if why.is_denial() => return Err(self.refused(&why)),
            Err(why) => Err(why.text),
        };
        let told = |why| format!("{}: its size is not known: {why}", self.key);
        Ok(Looked {
            size: size.map_err(told),
            sha256: None,
        })
    }

    fn refused(&self, why: &Unavailable) -> Error {
        let text = format!("{}: {}: {why}", self.key, without_user(self.url));
        Fault::new(Exit::Upstream, text).into()
    }

    /// Fetches it. What has another SHA-256 than it must have is refused.
    pub fn fetch(&self, http: &Http, cache: &Cache) -> Result<Got, Error> {
        let base = self.base()?;
        let folder = cache.root();
        let keep = |source| Error::file("write into", folder)(source);
        let mut download = Download::new(cache.temp().map_err(keep)?);
        match goproxy::get_verbatim_into(http, &base, self.limit, &mut download) {
            Ok(_) => {}
            Err(GetError::Local(source)) => return Err(keep(source)),
            Err(GetError::Refused(why)) => return Err(self.refused(&why)),
        }
        let (file, size, sha256) = download.finish();
        hold(self.key, self.sha256, sha256)?;
        Ok(Got { file, size, sha256 })
    }
}

/// An error, if this is not the SHA-256 that was asked for.
pub fn hold(key: &str, expected: Option<[u8; 32]>, sha256: [u8; 32]) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != sha256 => {
            let (got, said) = (hex(&sha256), hex(&expected));
            let text = format!("{key}: its SHA-256 is {got}, and {said} is what was asked for");
            Err(Fault::new(Exit::Damaged, text)
                .advise("find out which of the two is right before anything is carried")
                .into())
        }
        _ => Ok(()),
    }
}
