//! Files and folders that say what is asked for, a format each.

pub mod binary;
pub mod checkouts;
pub mod list;
pub mod modcache;
pub mod sbom;
#[cfg(test)]
mod testing;
pub mod vendor;

use std::collections::{BTreeMap, BTreeSet};

use modferry_protocol::module::ModuleVersion;

use crate::fetch::Level;

/// What a file names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The modules.
    pub modules: BTreeSet<ModuleVersion>,
    /// What was passed over, to tell.
    pub notes: Vec<String>,
}

/// What a file or folder names, and how much of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// The modules.
    pub modules: BTreeMap<ModuleVersion, Level>,
    /// What was passed over, to tell.
    pub notes: Vec<String>,
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {what}")]
pub struct Misplaced {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What is wrong there.
    pub what: String,
}

/// No more names than this in a note.
const MAX_NAMES: usize = 5;

/// Names in a note: the first of them, and how many more there are.
fn some_of(names: &BTreeSet<String>) -> String {
    let first: Vec<&str> = (names.iter().take(MAX_NAMES)).map(String::as_str).collect();
    let first = first.join(", ");
    match names.len().saturating_sub(MAX_NAMES) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}
