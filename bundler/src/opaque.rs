//! Opaque files that a site carries beside its modules: found or fetched, hashed, and held against what was carried before.
//!
//! What is carried is the bytes of the moment in which they are hashed: whoever writes the bundle hashes them once more. A name has
//! the same bytes for good, since clients and caches rely on it: a file that has changed gets another name.

pub mod config;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{FileName, MAX_FILE, MAX_FILES};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::basis::Holdings;
use crate::cache::{Cache, hex};
use crate::error::Error;
use crate::place::Place;
use crate::remote::{self, Looked, Remote};
use crate::upstream::http::Http;
pub use config::FileConfig;

/// The cache's folder of what was fetched, by hash.
const FOLDER: &str = "files";

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
        self.place.in_folder(folder);
    }

    fn admit(&self, size: u64) -> Result<(), Error> {
        match (1..=MAX_FILE).contains(&size) {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "{}: it has {size} bytes: want 1 to {MAX_FILE}",
                self.key()
            ))),
        }
    }

    /// As errors name it.
    fn key(&self) -> String {
        format!("files: {}", self.name)
    }

    /// Finds or fetches it.
    fn get(&self, http: &Http, cache: &Cache) -> Result<Opaque, Error> {
        let (path, size, sha256) = match &self.place {
            Place::Path(path) => {
                let (size, sha256) = hash(path).map_err(Error::file("read", path))?;
                (path.clone(), size, sha256)
            }
            Place::Url(url) => self.fetched(url, http, cache)?,
        };
        self.admit(size)?;
        remote::hold(&self.key(), self.sha256, sha256)?;
        Ok(Opaque {
            name: self.name.clone(),
            path,
            size,
            sha256,
        })
    }

    /// What can be known of it without fetching it, and whether it would be fetched. What is wrong with it is an error, as
    /// for [`FileConfig::get`].
    fn look(&self, http: &Http, cache: &Cache) -> Result<(Looked, bool), Error> {
        let here = |(size, sha256)| Looked {
            size: Ok(size),
            sha256: Some(sha256),
        };
        let (looked, fetched) = match &self.place {
            Place::Path(path) => {
                let hashed = hash(path).map_err(Error::file("read", path))?;
                (here(hashed), false)
            }
            Place::Url(url) => match self.kept(cache) {
                Some((_, size, sha256)) => (here((size, sha256)), false),
                None => (remote(&self.key(), url, self.sha256).look(http)?, true),
            },
        };
        if let Ok(size) = looked.size {
            self.admit(size)?;
        }
        if let Some(sha256) = looked.sha256 {
            remote::hold(&self.key(), self.sha256, sha256)?;
        }
        Ok((looked, fetched))
    }

    /// What the cache has of its SHA-256: where, how many bytes, and that they have it indeed.
    fn kept(&self, cache: &Cache) -> Option<(PathBuf, u64, [u8; 32])> {
        let expected = self.sha256?;
        let path = cache.root().join(FOLDER).join(hex(&expected));
        let (size, sha256) = hash(&path).ok()?;
        (sha256 == expected).then_some((path, size, sha256))
    }

    /// Fetches it into the cache, or finds it there where its hash is known.
    fn fetched(
        &self,
        url: &str,
        http: &Http,
        cache: &Cache,
    ) -> Result<(PathBuf, u64, [u8; 32]), Error> {
        if let Some(kept) = self.kept(cache) {
            return Ok(kept);
        }
        let folder = cache.root().join(FOLDER);
        let got = remote(&self.key(), url, self.sha256).fetch(http, cache)?;
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

fn remote<'r>(key: &'r str, url: &'r str, sha256: Option<[u8; 32]>) -> Remote<'r> {
    Remote {
        key,
        url,
        sha256,
        limit: MAX_FILE,
    }
}

/// What there is to carry of files, before any of them is fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// How many there are.
    pub files: usize,
    /// How many of them the destination does not hold.
    pub new: usize,
    /// The bytes of these, as far as they are known.
    pub new_bytes: u64,
    /// How many of them have a size that is not known.
    pub unknown_sizes: usize,
    /// The bytes of those that are to be fetched.
    pub fetch_bytes: u64,
    /// Why sizes are not known.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// Counts the files. What is on this machine is hashed; what is on a server is asked for its size.
pub fn count(
    configs: &[FileConfig],
    http: &Http,
    cache: &Cache,
    held: &Holdings,
) -> Result<Counted, Error> {
    names(configs)?;
    let mut counted = Counted {
        files: configs.len(),
        ..Counted::default()
    };
    for config in configs {
        let name = &config.name;
        let (looked, fetched) = config.look(http, cache)?;
        if let (Some(ever), Some(sha256)) = (held.ever(name), looked.sha256.or(config.sha256))
            && sha256 != *ever
        {
            return Err(changed(name));
        }
        if held.file(name).is_some() {
            continue;
        }
        counted.new += 1;
        match looked.size {
            Ok(size) => {
                counted.new_bytes += size;
                counted.fetch_bytes += if fetched { size } else { 0 };
            }
            Err(why) => {
                counted.unknown_sizes += 1;
                counted.notes.push(why);
            }
        }
    }
    Ok(counted)
}

/// The names of these files, without a look at them; each once.
pub fn names(configs: &[FileConfig]) -> Result<Vec<FileName>, Error> {
    if configs.len() as u64 > MAX_FILES {
        return Err(Error::usage(format!("files: more than {MAX_FILES}")));
    }
    let names: Vec<FileName> = configs.iter().map(|config| config.name.clone()).collect();
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        Some(twice) => Err(Error::usage(format!("files: {twice} is there twice"))),
        None => Ok(names),
    }
}

fn changed(name: &FileName) -> Error {
    let text = format!("files: {name} was carried before with other bytes");
    Fault::new(Exit::Usage, text)
        .advise(
            "a name has the same bytes for good: give it another one, such as one with its version",
        )
        .into()
}

/// Finds or fetches the files that are selected, and tells those that are to be carried from those that the destination holds.
pub fn gather(
    configs: &[FileConfig],
    http: &Http,
    cache: &Cache,
    held: &Holdings,
) -> Result<Selected, Error> {
    names(configs)?;
    let files: Result<Vec<Opaque>, Error> = configs
        .iter()
        .map(|config| config.get(http, cache))
        .collect();
    let mut files = files?;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let other = |file: &&Opaque| {
        held.ever(&file.name)
            .is_some_and(|held| *held != file.sha256)
    };
    if let Some(file) = files.iter().find(other) {
        return Err(changed(&file.name));
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

/// Opens it, if it is one that has its bytes now.
fn open(path: &Path) -> io::Result<File> {
    let kind = std::fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !kind.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    File::open(path)
}

fn hash(path: &Path) -> io::Result<(u64, [u8; 32])> {
    let file = open(path)?;
    let mut hasher = Sha256::new();
    let size = io::copy(&mut file.take(MAX_FILE + 1), &mut hasher)?;
    Ok((size, hasher.finalize().into()))
}

#[cfg(test)]
mod tests;
