//! Bases: zips that the destination holds, and out of which a bundle's zips are rebuilt besides what it carries.
//!
//! A patch release shares nine files in ten with the version before it. Where the destination has that version, the
//! bundle names the entry of its zip instead of carrying the file again, and compresses a file that was changed with
//! the one that it was as its prefix.
//!
//! What counts as held is what the stream's own bundles carried, by the SHA-256 that their indexes have: other bytes
//! would rebuild other zips. A base has to be read here, so one that is no longer in the cache is none; that costs
//! bytes, and nothing else.

use std::path::PathBuf;

use modferry_protocol::bundle::Sequences;
use modferry_protocol::module::ModuleVersion;

use crate::cache::Cache;
use crate::error::Error;
use crate::state::Exported;

/// A zip that the destination holds, and the cache too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Of which module version.
    pub module: ModuleVersion,
    /// SHA-256 of the zip, as the stream's index has it.
    pub sha256: [u8; 32],
    /// Where it lies.
    pub path: PathBuf,
}

/// Zips that those which are carried may be rebuilt from, in the order of their modules: of the bundles that were
/// taken in.
pub fn candidates(
    _carried: &[&ModuleVersion],
    _exported: &[Exported],
    _taken_in: &Sequences,
    _cache: &Cache,
) -> Result<Vec<Base>, Error> {
    Ok(Vec::new())
}
