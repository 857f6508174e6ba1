//! The zip of a version: out of the cache, else from upstream; checked by the rules for module zips, and taken only with the
//! hash of its record.

use std::io;
use std::path::Path;

use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::request::Request;
use modferry_protocol::zip::{Checker, MAX_ZIP_FILE};

use super::Sources;
use crate::cache::{Download, FileAt, ZipFile};
use crate::upstream::goproxy::{GetError, Reason, Unavailable};

/// Why a zip is not there.
#[derive(Debug)]
pub enum ZipError {
    /// No upstream gives it, or what one gives is no module zip.
    Refused(Unavailable),
    /// It has this hash, and not the recorded one.
    Mismatch(H1),
    /// It cannot be kept.
    Local(io::Error),
}

/// The zip, which is in the cache now. What is in the cache and is not it is told to `damaged`, and fetched anew; of one from
/// upstream with another hash than the recorded one `renewed` is asked whether that is the recorded one by now.
pub fn of(
    sources: &Sources,
    module: &ModuleVersion,
    recorded: H1,
    checker: &mut Checker,
    damaged: impl FnOnce(&Path),
    renewed: impl FnOnce(H1) -> bool,
) -> Result<ZipFile, ZipError> {
    let cache = &sources.cache;
    let path = cache.path(module, "zip");
    match cache.zip(module, checker).map_err(ZipError::Local)? {
        Some(Ok(zip)) if zip.h1 == recorded => return Ok(zip),
        Some(_) => damaged(&path),
        None => {}
    }
    let mut download = Download::new(cache.temp().map_err(ZipError::Local)?);
    let request = Request::Zip(module.clone());
    let got = (sources.upstream).get_into(&request, MAX_ZIP_FILE, &mut download);
    got.map_err(|error| match error {
        GetError::Local(source) => ZipError::Local(source),
        GetError::Refused(why) => ZipError::Refused(why),
    })?;
    let (file, size, sha256) = download.finish();
    let source = file.as_file().try_clone().and_then(FileAt::new);
    let facts = checker.check(module, &source.map_err(ZipError::Local)?);
    let facts =
        facts.map_err(|error| ZipError::Refused(Unavailable::new(Reason::Malformed, &error)))?;
    if facts.h1 != recorded && !renewed(facts.h1) {
        return Err(ZipError::Mismatch(facts.h1));
    }
    cache.persist(file, &path).map_err(ZipError::Local)?;
    Ok(ZipFile {
        path,
        size,
        sha256,
        h1: facts.h1,
    })
}
