//! A file by URL that no checksum database knows: an opaque file, a vulnerability database.
//!
//! What vouches for such a file is the SHA-256 in modferry.yaml, or else TLS. So over plain http, where anybody on the way
//! can put another file in its place, it is only taken with a SHA-256; what never leaves this machine is excepted. And its
//! bytes must be its own: a body that the server says to be coded is refused.

use modferry_cli::{Exit, Fault};
use tempfile::NamedTempFile;

use crate::cache::{Cache, Download, hex};
use crate::error::Error;
use crate::upstream::goproxy::{self, GetError};
use crate::upstream::http::Http;
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

    /// How many bytes it has, where the server says so; an answer without that, or none, is told in words.
    pub fn size(&self, http: &Http) -> Result<Result<u64, String>, Error> {
        let told = |why: String| format!("{}: its size is not known: {why}", self.key);
        let size = match self.base()? {
            Base::Http(at) => match http.size(&at, "") {
                Ok(size) => size.ok_or_else(|| "the server does not say it".into()),
                Err(error) => Err(modferry_cli::in_one_line(&error)),
            },
            Base::File(path) => match std::fs::metadata(&path) {
                Ok(meta) => Ok(meta.len()),
                Err(error) => Err(format!("{}: {error}", path.display())),
            },
        };
        Ok(size.map_err(told))
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
            Err(GetError::Refused(why)) => {
                let text = format!("{}: {}: {why}", self.key, without_user(self.url));
                return Err(Fault::new(Exit::Upstream, text).into());
            }
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
