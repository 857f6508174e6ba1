//! What vouches for a module version: its record in the checksum database, or of a private one the hashes of its own files.
//!
//! No log knows a private module, so its files are taken for what they are when they first come from its own upstream. From then
//! on they are pinned: by the cache here, by the project's go.sum where that names them, and by the bundle's signature at
//! the destination, which never takes other bytes for that version.

use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::request::Request;
use modferry_protocol::sumdb::Record;
use modferry_protocol::zip::{Checker, MAX_GO_MOD, MAX_ZIP_FILE};

use super::Sources;
use crate::cache::{Download, FileAt};
use crate::sumdb::client::{Looked, LookupError};
use crate::upstream::goproxy::{GetError, Reason, Unavailable};

impl Sources {
    /// Whether the module comes from an upstream of its own, and is named to nobody else.
    pub fn is_private(&self, module: &ModuleVersion) -> bool {
        self.upstream.private(module.path()).is_some()
    }

    /// The record of a module version; a private one's has no number, since it is in no log.
    pub fn record(&self, module: &ModuleVersion) -> Result<Looked, LookupError> {
        match self.is_private(module) {
            false => self.sumdb.lookup(module),
            true => self.pinned(module),
        }
    }

    /// The record anew, where it was from the cache.
    pub fn record_again(&self, module: &ModuleVersion) -> Option<Result<Looked, LookupError>> {
        match self.is_private(module) {
            false => self.sumdb.lookup_again(module),
            true => None,
        }
    }

    /// The hashes of a private module version, whose files are in the cache then.
    fn pinned(&self, module: &ModuleVersion) -> Result<Looked, LookupError> {
        let go_mod = self.private_go_mod(module)?;
        let zip = self.private_zip(module)?;
        let record = Record::new(0, module, zip, go_mod);
        Ok(Looked {
            record: record.map_err(|error| malformed(&error))?,
            tree_size: 0,
        })
    }

    fn private_go_mod(&self, module: &ModuleVersion) -> Result<H1, LookupError> {
        let kept = self.cache.go_mod(module).map_err(|error| unkept(&error))?;
        if let Some(bytes) = kept {
            return Ok(H1::of_go_mod(&bytes));
        }
        let request = Request::Mod(module.clone());
        let got = self.upstream.get(&request, MAX_GO_MOD);
        let bytes = got.map_err(LookupError::Unavailable)?;
        let path = self.cache.path(module, "mod");
        let written = self.cache.write(&path, &bytes);
        written.map_err(|error| unkept(&error))?;
        Ok(H1::of_go_mod(&bytes))
    }

    fn private_zip(&self, module: &ModuleVersion) -> Result<H1, LookupError> {
        let mut checker = Checker::default();
        let kept = self.cache.zip(module, &mut checker);
        if let Some(Ok(zip)) = kept.map_err(|error| unkept(&error))? {
            return Ok(zip.h1);
        }
        let file = self.cache.temp().map_err(|error| unkept(&error))?;
        let mut download = Download::new(file);
        let request = Request::Zip(module.clone());
        match self
            .upstream
            .get_into(&request, MAX_ZIP_FILE, &mut download)
        {
            Ok(_) => {}
            Err(GetError::Refused(why)) => return Err(LookupError::Unavailable(why)),
            Err(GetError::Local(error)) => return Err(unkept(&error)),
        }
        let (file, ..) = download.finish();
        let source = file.as_file().try_clone().and_then(FileAt::new);
        let source = source.map_err(|error| unkept(&error))?;
        let facts = checker.check(module, &source);
        let facts = facts.map_err(|error| malformed(&error))?;
        let path = self.cache.path(module, "zip");
        let persisted = self.cache.persist(file, &path);
        persisted.map_err(|error| unkept(&error))?;
        Ok(facts.h1)
    }
}

fn malformed(error: &dyn std::error::Error) -> LookupError {
    LookupError::Unavailable(Unavailable::new(Reason::Malformed, error))
}

fn unkept(error: &std::io::Error) -> LookupError {
    LookupError::Unavailable(Unavailable::new(Reason::Unreadable, error))
}
