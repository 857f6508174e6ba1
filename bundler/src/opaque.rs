//! Opaque files that a site carries beside its modules: found or fetched, hashed, and held against what was carried before.
//!
//! What is carried is the bytes of the moment in which they are hashed: whoever writes the bundle hashes them once more. A name has
//! the same bytes for good, since clients and caches rely on it: a file that has changed gets another name.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{FileName, MAX_FILE, MAX_FILES};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::basis::Holdings;
use crate::cache::{Cache, Download};
use crate::error::Error;
use crate::upstream::goproxy::{self, GetError};
use crate::upstream::http::Http;
use crate::upstream::url::{Base, without_user};

/// An entry of `files:` in modferry.yaml.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileConfig {
    /// Its name at the destination.
    pub name: String,
    /// Where it is on this machine.
    pub path: Option<PathBuf>,
    /// Or where it is fetched from.
    pub url: Option<String>,
    /// The SHA-256 that it must have, in hexadecimal.
    pub sha256: Option<String>,
}

/// A file that is carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// Its name.
    pub name: FileName,
    /// Where its bytes are.
    pub path: PathBuf,
    /// How many.
    pub size: u64,
    /// Their SHA-256.
    pub sha256: [u8; 32],
}

impl FileConfig {
    /// A relative path is relative to the configuration's folder.
    pub fn in_folder(&mut self, folder: &Path) {
        if let Some(path) = &mut self.path {
            *path = folder.join(&*path);
        }
    }

    fn wrong(&self, what: impl std::fmt::Display) -> Error {
        Error::usage(format!("files: {}: {what}", self.name))
    }

    /// The SHA-256 that it must have.
    fn expected(&self) -> Result<Option<[u8; 32]>, Error> {
        let Some(text) = &self.sha256 else {
            return Ok(None);
        };
        let wrong = || self.wrong("sha256: want 64 hexadecimal digits");
        let digits = text.as_bytes();
        let mut sha256 = [0; 32];
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(wrong());
        }
        for (byte, pair) in sha256.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Some(sha256))
    }

    /// Finds or fetches it.
    fn get(&self, http: &Http, cache: &Cache) -> Result<Opaque, Error> {
        let name =
            FileName::new(&self.name).map_err(|error| Error::usage(format!("files: {error}")))?;
        let expected = self.expected()?;
        let (path, size, sha256) = match (&self.path, &self.url) {
            (Some(path), None) => {
                let (size, sha256) = hash(path).map_err(Error::file("read", path))?;
                (path.clone(), size, sha256)
            }
            (None, Some(url)) => self.fetched(url, expected, http, cache)?,
            _ => return Err(self.wrong("want either path or url")),
        };
        if !(1..=MAX_FILE).contains(&size) {
            return Err(self.wrong(format!("it has {size} bytes: want 1 to {MAX_FILE}")));
        }
        match expected {
            Some(expected) if expected != sha256 => Err(Fault::new(
                Exit::Damaged,
                format!(
                    "files: {name}: its SHA-256 is {}, and {} is what modferry.yaml says",
                    hex(&sha256),
                    hex(&expected)
                ),
            )
            .advise("find out which of the two is right before anything is carried")
            .into()),
            _ => Ok(Opaque {
                name,
                path,
                size,
                sha256,
            }),
        }
    }

    /// Fetches it into the cache, or finds it there where its hash is known.
    fn fetched(
        &self,
        url: &str,
        expected: Option<[u8; 32]>,
        http: &Http,
        cache: &Cache,
    ) -> Result<(PathBuf, u64, [u8; 32]), Error> {
        let folder = cache.root().join("files");
        if let Some(expected) = expected {
            let path = folder.join(hex(&expected));
            if let Ok((size, sha256)) = hash(&path)
                && sha256 == expected
            {
                return Ok((path, size, sha256));
            }
        }
        let base = Base::parse(url)
            .map_err(|source| Error::usage_because(format!("files: {}", self.name), source))?;
        let keep = |source| Error::file("write into", &folder)(source);
        let mut download = Download::new(cache.temp().map_err(keep)?);
        match goproxy::get_into(http, &base, "", MAX_FILE, &mut download) {
            Ok(_) => {}
            Err(GetError::Local(source)) => return Err(keep(source)),
            Err(GetError::Refused(why)) => {
                let url = without_user(url);
                let fault = Fault::new(
                    Exit::Upstream,
                    format!("files: {}: {url}: {why}", self.name),
                );
                return Err(fault.into());
            }
        }
        let (file, size, sha256) = download.finish();
        let path = folder.join(hex(&sha256));
        cache.persist(file, &path).map_err(keep)?;
        Ok((path, size, sha256))
    }
}

/// The files that are to be carried, by name: those that the destination does not hold.
pub fn gather(
    configs: &[FileConfig],
    http: &Http,
    cache: &Cache,
    held: &Holdings,
) -> Result<Vec<Opaque>, Error> {
    if configs.len() as u64 > MAX_FILES {
        return Err(Error::usage(format!("files: more than {MAX_FILES}")));
    }
    let mut files = Vec::new();
    for config in configs {
        files.push(config.get(http, cache)?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(twice) = files.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(Error::usage(format!(
            "files: {} is there twice",
            twice[0].name
        )));
    }
    let changed = |file: &&Opaque| {
        held.file(&file.name)
            .is_some_and(|held| *held != file.sha256)
    };
    if let Some(file) = files.iter().find(changed) {
        return Err(Fault::new(
            Exit::Usage,
            format!("files: {} was carried before with other bytes", file.name),
        )
        .advise(
            "a name has the same bytes for good: give it another one, such as one with its version",
        )
        .into());
    }
    files.retain(|file| held.file(&file.name).is_none());
    Ok(files)
}

fn hash(path: &Path) -> io::Result<(u64, [u8; 32])> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut hasher = Sha256::new();
    let size = io::copy(&mut file.take(MAX_FILE + 1), &mut hasher)?;
    Ok((size, hasher.finalize().into()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
