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
use crate::cache::{Cache, hex};
use crate::error::Error;
use crate::remote::{self, Remote};
use crate::upstream::http::Http;

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
        let sha256 = remote::parse_sha256(text);
        let wrong = || self.wrong("sha256: want 64 hexadecimal digits");
        sha256.map(Some).ok_or_else(wrong)
    }

    fn file_name(&self) -> Result<FileName, Error> {
        FileName::new(&self.name).map_err(|error| Error::usage(format!("files: {error}")))
    }

    /// Finds or fetches it.
    fn get(&self, http: &Http, cache: &Cache) -> Result<Opaque, Error> {
        let name = self.file_name()?;
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
        remote::hold(&format!("files: {name}"), expected, sha256)?;
        Ok(Opaque {
            name,
            path,
            size,
            sha256,
        })
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
        let remote = Remote {
            key: &format!("files: {}", self.name),
            url,
            sha256: expected,
            limit: MAX_FILE,
        };
        let got = remote.fetch(http, cache)?;
        let path = folder.join(hex(&got.sha256));
        let keep = |source| Error::file("write into", &folder)(source);
        cache.persist(got.file, &path).map_err(keep)?;
        Ok((path, got.size, got.sha256))
    }
}

/// The files that are selected, by name.
#[derive(Debug, Default)]
pub struct Selected {
    /// Those that are to be carried.
    pub carried: Vec<Opaque>,
    /// Those that the destination holds already, and their SHA-256.
    pub held: Vec<(FileName, [u8; 32])>,
}

impl Selected {
    /// The names of all of them.
    pub fn names(&self) -> Vec<FileName> {
        let carried = self.carried.iter().map(|file| &file.name);
        let held = self.held.iter().map(|(name, _)| name);
        carried.chain(held).cloned().collect()
    }
}

/// The names of these files, without a look at them.
pub fn names(configs: &[FileConfig]) -> Result<Vec<FileName>, Error> {
    configs.iter().map(FileConfig::file_name).collect()
}

/// Finds or fetches the files that are selected, and tells those that are to be carried from those that the destination holds.
pub fn gather(
    configs: &[FileConfig],
    http: &Http,
    cache: &Cache,
    held: &Holdings,
) -> Result<Selected, Error> {
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
        held.ever(&file.name)
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
    let mut selected = Selected::default();
    for file in files {
        match held.file(&file.name) {
            None => selected.carried.push(file),
            Some(sha256) => selected.held.push((file.name, *sha256)),
        }
    }
    Ok(selected)
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

#[cfg(test)]
mod tests;
