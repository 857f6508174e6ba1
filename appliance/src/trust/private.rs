//! Which private modules may come, and by whose word: STORE/trust/private.
//!
//! ```text
//! site+7d5f4ab1 git.corp.example/*
//! site+7d5f4ab1 github.com/ours
//! ```
//!
//! A line has the bundle key's NAME+HASH and one glob pattern, as GOPRIVATE has them: it covers every module path whose
//! leading elements match. Without a line, nothing comes that no checksum database vouches for, whoever has signed it.

use super::error::TrustStoreError;
use super::key::Kind;
use super::snapshot::Snapshot;
use super::{TrustStore, files, of_kind};
use modferry_protocol::module::pattern;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file's name in STORE/trust.
pub(super) const PRIVATE: &str = "private";

/// A key and the modules that it may bring without a checksum database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PrivateRule {
    /// The key, as NAME+HASH.
    pub key: String,
    /// The pattern.
    pub pattern: String,
}

impl TrustStore {
    /// Lets a trusted bundle key bring private modules of that pattern: the key called NAME+HASH, or NAME where that is only
    /// one. Says which key it is.
    pub fn allow_private(&self, pattern: &str, key: &str) -> Result<PrivateRule, TrustStoreError> {
        check(pattern)?;
        let (_changing, state) = self.change()?;
        let mut found = of_kind(Kind::Bundle, state.keys().0);
        found.retain(|known| known.name == key || known.verifier.name() == key);
        let [known] = found.as_slice() else {
            return Err(TrustStoreError::NotOne {
                name: key.into(),
                found: found.len(),
            });
        };
        let rule = PrivateRule {
            key: known.name.clone(),
            pattern: pattern.into(),
        };
        let mut rules = state.private;
        rules.push(rule.clone());
        self.write_private(rules)?;
        Ok(rule)
    }

    /// Lets nobody bring private modules of that pattern any more. What came stays.
    pub fn forbid_private(&self, pattern: &str) -> Result<(), TrustStoreError> {
        let (_changing, state) = self.change()?;
        let mut rules = state.private;
        let before = rules.len();
        rules.retain(|rule| rule.pattern != pattern);
        if rules.len() == before {
            return Err(TrustStoreError::NoSuchPattern {
                pattern: pattern.into(),
            });
        }
        self.write_private(rules)
    }

    /// Which keys may bring which private modules.
    pub fn private(&self) -> Result<Vec<PrivateRule>, TrustStoreError> {
        Ok(self.state()?.private)
    }

    fn write_private(&self, mut rules: Vec<PrivateRule>) -> Result<(), TrustStoreError> {
        rules.sort();
        rules.dedup();
        let path = file(&self.store.join("trust"));
        if rules.is_empty() {
            return files::remove(&path);
        }
        let lines = rules
            .iter()
            .map(|rule| format!("{} {}\n", rule.key, rule.pattern));
        self.write(&path, &lines.collect::<String>())
    }
}

fn file(trust: &Path) -> PathBuf {
    trust.join(PRIVATE)
}

/// A pattern is one glob that names some modules and not all.
fn check(pattern: &str) -> Result<(), TrustStoreError> {
    let first = pattern.split('/').next().unwrap_or_default();
    let why = if pattern.contains([',', ' ', '\n']) {
        "give one pattern at a time"
    } else if !pattern::is_well_formed(pattern) {
        "want a path, or one with * and ? and [a-z] in it"
    } else if !first.contains(|c: char| c.is_ascii_alphanumeric()) {
        "it would name every module that there is"
    } else {
        return Ok(());
    };
    Err(TrustStoreError::Pattern {
        pattern: pattern.into(),
        why,
    })
}

/// Reads the file; what is not understood could have kept something out, and is an error.
pub(super) fn rules(files: &Snapshot, trust: &Path) -> Result<Vec<PrivateRule>, TrustStoreError> {
    let path = file(trust);
    let malformed = |line| TrustStoreError::Private {
        path: path.clone(),
        line,
    };
    let text = match files.text(&path) {
        None => return Ok(Vec::new()),
        Some(text) => text.map_err(|_| malformed(1))?,
    };
    let mut rules = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let rule = line.split_once(' ').map(|(key, pattern)| PrivateRule {
            key: key.into(),
            pattern: pattern.into(),
        });
        let rule = rule.filter(|rule| !rule.key.is_empty() && check(&rule.pattern).is_ok());
        rules.push(rule.ok_or_else(|| malformed(number))?);
    }
    Ok(rules)
}

/// The rules as a policy has them.
pub(super) fn by_key(rules: &[PrivateRule]) -> BTreeMap<String, Vec<String>> {
    let mut by: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for rule in rules {
        by.entry(rule.key.clone())
            .or_default()
            .push(rule.pattern.clone());
    }
    by
}
