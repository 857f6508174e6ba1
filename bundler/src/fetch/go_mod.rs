//! The go.mod of a version, one at a time, for what has to be known of it before anything is selected: out of the
//! cache, else from upstream, and believed only where it has the hash of its record.

use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::request::Request;
use modferry_protocol::zip::MAX_GO_MOD;

use super::{Fatal, Part, Sources};
use crate::sumdb::client::{Looked, LookupError};
use crate::upstream::goproxy::Unavailable;

/// Why a go.mod is not there.
#[derive(Debug)]
pub enum GoModError {
    /// No upstream gives it, or its record.
    Refused(Unavailable),
    /// Nothing may go on.
    Fatal(Box<Fatal>),
}

impl From<Fatal> for GoModError {
    fn from(fatal: Fatal) -> GoModError {
        GoModError::Fatal(Box::new(fatal))
    }
}

/// Its bytes, which are in the cache now.
pub fn of(sources: &Sources, module: &ModuleVersion) -> Result<Vec<u8>, GoModError> {
    let recorded = |looked: Result<Looked, LookupError>| match looked {
        Ok(looked) => Ok(looked.record.go_mod()),
        Err(LookupError::Unavailable(why)) => Err(GoModError::Refused(why)),
        Err(error) => Err(Fatal::Lookup(error).into()),
    };
    let of_cache = |source| {
        let module = module.clone();
        GoModError::from(Fatal::Cache { module, source })
    };
    let mut record = recorded(sources.record(module))?;
    let kept = sources.cache.go_mod(module).map_err(of_cache)?;
    if let Some(bytes) = kept
        && H1::of_go_mod(&bytes) == record
    {
        return Ok(bytes);
    }
    let request = Request::Mod(module.clone());
    let got = sources.upstream.get(&request, MAX_GO_MOD);
    let bytes = got.map_err(GoModError::Refused)?;
    let hash = H1::of_go_mod(&bytes);
    if hash != record
        && let Some(looked) = sources.record_again(module)
    {
        record = recorded(looked)?;
    }
    if hash != record {
        sources.sumdb.forget_lookup(module);
        return Err(Fatal::Mismatch {
            module: module.clone(),
            part: Part::GoMod,
            got: hash,
            recorded: record,
        }
        .into());
    }
    let path = sources.cache.path(module, "mod");
    sources.cache.write(&path, &bytes).map_err(of_cache)?;
    Ok(bytes)
}
