//! Where a database's documents come from: a zip, a folder, or a server that has the zip.
//!
//! From a server it is the zip and not document by document: that is one request in place of thousands, and one
//! answer is one snapshot. It is fetched anew by each run, since it changes by the day; one with a known hash is kept.
//!
//! Names in a zip or a folder count if they are those of documents, and are otherwise passed over: a server's folder has
//! pages for browsers, too. No name in a zip ever names a file here.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::DocumentName;
use modferry_protocol::zip::{ReadAt, places};
use sha2::{Digest as _, Sha256};

use super::Database;
use super::config::VulndbConfig;
use super::documents::{Documents, MAX_DOCUMENT};
use super::error::DatabaseError;
use crate::cache::{Cache, FileAt, hex};
use crate::error::Error;
use crate::files;
use crate::place::Place;
use crate::remote::{self, Remote};
use crate::unzip;
use crate::upstream::http::Http;
use crate::upstream::url::{Base, without_user};

/// The most bytes of a database's zip: 64 MiB.
pub const MAX_ZIP: u64 = 64 << 20;

/// What errors call it.
const KEY: &str = "vulndb";
/// The zip that a database has below its base.
const ZIP: &str = "vulndb.zip";

/// The database that the settings name, if they name one.
pub fn at_hand(
    config: Option<&VulndbConfig>,
    http: &Http,
    cache: &Cache,
) -> Result<Option<Database>, Error> {
    let Some(config) = config else {
        return Ok(None);
    };
    let (name, read) = match &config.place {
        Place::Path(path) => (path.display().to_string(), of_path(path, config.sha256)?),
        Place::Url(url) => match Base::parse(url) {
            Ok(Base::File(path)) => (url.clone(), of_path(&path, config.sha256)?),
            Ok(Base::Http(_)) => (without_user(url), of_url(url, config.sha256, http, cache)?),
            Err(source) => return Err(Error::usage_because(KEY, source)),
        },
    };
    let database = read.and_then(Database::new);
    let database = database.and_then(|database| database.of_the_past(Timestamp::now()));
    let database = database.map_err(|source| {
        let advice = source.advice();
        Fault::new(
            Exit::Damaged,
            format!("{KEY}: {name} is no Go vulnerability database that can be used"),
        )
        .because(source)
        .advise(advice)
    })?;
    Ok(Some(database))
}

type Reading = Result<Documents, DatabaseError>;

fn of_path(path: &Path, sha256: Option<[u8; 32]>) -> Result<Reading, Error> {
    let unreadable = |source| Error::file("read", path)(source);
    if fs::metadata(path).map_err(unreadable)?.is_dir() {
        return match sha256 {
            Some(_) => Err(Error::usage(format!(
                "{KEY}: {} is a folder: only a zip has a SHA-256",
                path.display()
            ))),
            None => Ok(of_folder(path)),
        };
    }
    of_file(File::open(path).map_err(unreadable)?, path, sha256)
}

fn of_url(
    url: &str,
    sha256: Option<[u8; 32]>,
    http: &Http,
    cache: &Cache,
) -> Result<Reading, Error> {
    let folder = cache.root().join(KEY);
    let kept = sha256.map(|sha256| folder.join(format!("{}.zip", hex(&sha256))));
    if let Some(path) = &kept
        && let Ok(file) = File::open(path)
        && let Ok(reading) = of_file(file, path, sha256)
    {
        return Ok(reading);
    }
    let url = match url.ends_with(".zip") {
        true => url.to_owned(),
        false => format!("{}/{ZIP}", url.trim_end_matches('/')),
    };
    let remote = Remote {
        key: KEY,
        url: &url,
        sha256,
        limit: MAX_ZIP,
    };
    let got = remote.fetch(http, cache)?;
    let temp = got.file.path().to_owned();
    let file = File::open(&temp).map_err(Error::file("read", &temp))?;
    let reading = of_file(file, &temp, None)?;
    if let Some(path) = &kept {
        cache
            .persist(got.file, path)
            .map_err(Error::file("write into", &folder))?;
    }
    Ok(reading)
}

fn of_file(mut file: File, path: &Path, sha256: Option<[u8; 32]>) -> Result<Reading, Error> {
    let unreadable = |source| Error::file("read", path)(source);
    let size = file.metadata().map_err(unreadable)?.len();
    if size > MAX_ZIP {
        let source = io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {MAX_ZIP} bytes"),
        );
        return Err(unreadable(source));
    }
    if sha256.is_some() {
        let mut hasher = Sha256::new();
        io::copy(&mut file, &mut hasher).map_err(unreadable)?;
        remote::hold(KEY, sha256, hasher.finalize().into())?;
    }
    Ok(of_zip(&FileAt::new(file).map_err(unreadable)?))
}

/// The documents of a zip.
fn of_zip(zip: &(impl ReadAt + ?Sized)) -> Reading {
    let mut documents = Documents::default();
    for place in places(zip)? {
        let name = std::str::from_utf8(&place.name).ok();
        let name = name.and_then(|name| name.strip_suffix(".json"));
        let Some(name) = name.and_then(|name| DocumentName::new(name).ok()) else {
            continue;
        };
        match unzip::content(zip, &place, MAX_DOCUMENT) {
            Ok(Some(bytes)) => documents.add(name, bytes)?,
            Ok(None) => return Err(DatabaseError::TooLarge(name)),
            Err(source) => {
                return Err(DatabaseError::Unpack {
                    document: name,
                    source,
                });
            }
        }
    }
    Ok(documents)
}

/// The documents of a folder. Of one that is there compressed and as it is, the latter counts, as for govulncheck.
fn of_folder(folder: &Path) -> Reading {
    let mut documents = Documents::default();
    for index in [DocumentName::DB, DocumentName::MODULES, DocumentName::VULNS] {
        if let Ok(name) = DocumentName::new(index) {
            of_folder_one(folder, name, &mut documents)?;
        }
    }
    let reports = folder.join("ID");
    let unreadable = |source| DatabaseError::Read {
        path: reports.clone(),
        source,
    };
    let mut names = std::collections::BTreeSet::new();
    match fs::read_dir(&reports) {
        Ok(entries) => {
            for entry in entries {
                let file = entry.map_err(unreadable)?.file_name();
                let id = file.to_str().and_then(|file| {
                    let plain = file.strip_suffix(".gz").unwrap_or(file);
                    plain.strip_suffix(".json")
                });
                names.extend(id.and_then(|id| DocumentName::new(&format!("ID/{id}")).ok()));
            }
        }
        // A database without any report.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(unreadable(error)),
    }
    for name in names {
        of_folder_one(folder, name, &mut documents)?;
    }
    Ok(documents)
}

/// Adds a document, if it is there.
fn of_folder_one(
    folder: &Path,
    name: DocumentName,
    documents: &mut Documents,
) -> Result<(), DatabaseError> {
    let plain = folder.join(format!("{name}.json"));
    let packed = folder.join(format!("{name}.json.gz"));
    let read = match files::read_bounded(&plain, MAX_DOCUMENT) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            (gunzip(&packed, MAX_DOCUMENT), packed)
        }
        read => (read, plain),
    };
    match read {
        (Ok(bytes), _) => documents.add(name, bytes),
        (Err(error), _) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        (Err(error), _) if error.kind() == io::ErrorKind::FileTooLarge => {
            Err(DatabaseError::TooLarge(name))
        }
        (Err(source), path) => Err(DatabaseError::Read { path, source }),
    }
}

/// What a compressed file comes to, of at most `limit` bytes.
fn gunzip(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    MultiGzDecoder::new(io::BufReader::new(File::open(path)?))
        .take(limit + 1)
        .read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

#[cfg(test)]
#[path = "read/tests.rs"]
mod tests;
