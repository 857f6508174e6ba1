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

/// A text's lines, each with its number, from 1. A carriage return before the end of a line is left in it.
fn lines(text: &[u8]) -> impl Iterator<Item = Result<(usize, &str), Misplaced>> {
    let lines = text.split(|byte| *byte == b'\n').zip(1..);
    lines.map(|(bytes, line)| match std::str::from_utf8(bytes) {
        Ok(text) => Ok((line, text)),
        Err(error) => Err(Misplaced {
            line,
            column: String::from_utf8_lossy(&bytes[..error.valid_up_to()])
                .chars()
                .count()
                + 1,
            what: "not UTF-8 text".into(),
        }),
    })
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
