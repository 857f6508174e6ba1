//! Whether what was missed has come in meanwhile: whether the same requests would be answered now.

use super::{Missed, Part};
use crate::store::{StoreError, View};
use modferry_protocol::module::{ModulePath, ModuleVersion, Revision, semver};

/// Whether nothing of it is missing any more.
pub fn is_here(view: &View, missed: &Missed) -> Result<bool, StoreError> {
    for part in missed.parts.iter() {
        if !has(view, missed, part)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn has(view: &View, missed: &Missed, part: Part) -> Result<bool, StoreError> {
    let (path, query) = (missed.want.path(), missed.want.query());
    if part == Part::Versions {
        return Ok(view.latest(path)?.is_some());
    }
    if part == Part::Query {
        return resolves(view, path, query);
    }
    // What was asked for as a version is one, or else nothing can be here.
    let Ok(module) = ModuleVersion::parse(path.as_str(), query) else {
        return Ok(false);
    };
    match part {
        Part::Info => view.has_info(&module),
        Part::Mod => view.has_go_mod(&module),
        Part::Zip => Ok(view.zip(&module)?.is_some()),
        _ => {
            // No database knows it, and the server says so.
            if view.is_private(path)? {
                return Ok(true);
            }
            for db in view.databases()? {
                if view.record(&db, &module)?.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// Whether the query has an answer now: one that was carried, or, for `v1` and `v1.2`, the list of versions, which the go
/// command reads before it asks for such a query by itself.
fn resolves(view: &View, path: &ModulePath, query: &str) -> Result<bool, StoreError> {
    if let Ok(revision) = Revision::new(query)
        && view.answer(path, &revision)?.is_some()
    {
        return Ok(true);
    }
    if !semver::is_valid(query) {
        return Ok(false);
    }
    let begins = format!("{query}.");
    let list = view.list(path)?;
    let list = list.as_ref().map(AsRef::as_ref).unwrap_or_default();
    let mut listed = list.split(|byte: &u8| *byte == b'\n');
    Ok(listed.any(|version| version.starts_with(begins.as_bytes())))
}
