//! `fsck`: proves that the store is what its imports made of it, from what it holds alone.
//!
//! Nothing is believed because it is stored. Each check goes from something that was signed, or hashed by someone
//! who signed, down to the bytes that are served:
//!
//! - *ledger*: the tree's hashes made anew from the entries; each manifest's hash; the totals and the streams' state
//!   made anew by taking the entries one after the other; and an older head that someone wrote down;
//! - *trees*: each head's signature; the newest tree's edge; that it continues each older head; each tile and each
//!   record in it;
//! - *modules*: each `.mod`, `.info` and zip against the records; each `list` and `@latest` made anew; the claims;
//! - *queries*: each answer names a version that is whole, and the one that is served is the one that came last;
//! - *vulnerability database*: the one that is served is the one that the imports make, document by document, in both forms;
//! - *zips*: their chunks, SHA-256, rules and h1, in the order in which they lie on the disk.
//!
//! All of it is read through RocksDB's own checksums. What is wrong is told and the check goes on, so that one run
//! names everything. It reads one state of the store, takes no lock, changes nothing, and can run beside an import.
//!
//! Memory is bounded: scans, one module's versions at a time, one zip of up to [`IN_MEMORY`] bytes; what has to be
//! known in another order lies in a scratch database in a temporary folder.

mod entries;
mod files;
mod modules;
mod queries;
mod trees;
mod vulndb;
mod zips;

use super::{HeldVulndb, StoreError, View, keys, ledger, scratch::Scratch};
use modferry_checker::Progress;
use modferry_cli::{Exit, Failure, in_one_line};
use modferry_protocol::bundle::Sequences;
use modferry_protocol::note::VerifierKey;
use modferry_protocol::sumdb::{DbName, TreeHead};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

pub use entries::parse_head;
pub use zips::IN_MEMORY;

/// How many findings a report names; the others are counted.
pub const MAX_NAMED: usize = 200;

/// What to check, and against what.
pub struct Fsck<'a> {
    /// The store, in one state.
    pub view: &'a View,
    /// The checksum databases whose heads' signatures are checked.
    pub sumdbs: &'a [VerifierKey],
    /// A head of the ledger that was written down once.
    pub ledger_head: Option<TreeHead>,
    /// Leave the zips' bytes out.
    pub quick: bool,
    /// A folder for what has to be sorted.
    pub scratch: &'a Path,
    /// How far it is.
    pub progress: &'a dyn Progress,
}

/// What was checked, each with the number of things, and what is wrong.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The ledger's head that was proven.
    pub ledger: String,
    /// Each check, and how many things it was made on.
    pub checks: Vec<Check>,
    /// How many things are wrong.
    pub damaged: u64,
    /// The first [`MAX_NAMED`] of them, in words.
    pub findings: Vec<String>,
    /// What could not be checked, and why.
    pub notes: Vec<String>,
    /// Whether the zips' bytes were left out.
    pub quick: bool,
}

/// One check.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What holds of the things.
    pub what: &'static str,
    /// How many there are, sound ones and damaged ones.
    pub count: u64,
}

/// The store is damaged.
#[derive(Debug, thiserror::Error)]
#[error("the store is damaged: {}", match damaged {
    1 => "1 thing is not what it should be".to_owned(),
    more => format!("{more} things are not what they should be"),
})]
pub struct Damaged {
    /// How many.
    pub damaged: u64,
    /// The first of them, in words.
    pub findings: Vec<String>,
}

impl Failure for Damaged {
    fn exit(&self) -> Exit {
        Exit::Damaged
    }

    fn advice(&self) -> Option<String> {
        Some(
            "restore the store's db folder from a backup, or move it away and import the bundles anew, in order; if \
             the disk is failing, on another one"
                .into(),
        )
    }

    fn details(&self) -> Vec<String> {
        let more = self.damaged - self.findings.len() as u64;
        let rest = (more > 0).then(|| format!("and {more} more"));
        self.findings.iter().cloned().chain(rest).collect()
    }
}

impl Fsck<'_> {
    /// Checks everything. Fails only where the check itself could not be made.
    pub fn run(&self) -> Result<Report, StoreError> {
        let mut run = Run {
            fsck: self,
            view: self.view,
            report: Report {
                quick: self.quick,
                ..Report::default()
            },
            taken_back: BTreeMap::new(),
            vulndb: None,
        };
        run.nothing_strange();
        self.progress.step("checking the ledger");
        let recounted = run.ledger();
        self.progress.step("checking trees and records");
        let mut counted = run.trees();
        self.progress.step("checking modules");
        let zips = match self.quick {
            true => None,
            false => Some(Scratch::create(self.scratch.join("zips"))?),
        };
        counted.gone = run.modules(zips.as_ref(), &mut counted.counts);
        counted.gone_files = run.file_claims();
        run.queries(&mut counted.counts);
        run.vulndb();
        run.totals(&recounted, &counted);
        if let Some(zips) = zips {
            self.progress.step("checking zips");
            self.progress.total(counted.counts.zip_bytes);
            run.zips(&zips)?;
        }
        Ok(run.report)
    }
}

impl Report {
    /// The report, if nothing is wrong.
    pub fn sound(self) -> Result<Self, Damaged> {
        match self.damaged {
            0 => Ok(self),
            damaged => Err(Damaged {
                damaged,
                findings: self.findings,
            }),
        }
    }
}

/// A check under way.
struct Run<'a> {
    fsck: &'a Fsck<'a>,
    view: &'a View,
    report: Report,
    /// Of each stream, the imported bundles that had tombstones.
    taken_back: BTreeMap<String, Sequences>,
    /// The vulnerability database that the imports make.
    vulndb: Option<HeldVulndb>,
}

impl Run<'_> {
    /// Something is wrong.
    fn found(&mut self, what: impl Into<String>) {
        self.report.damaged += 1;
        if self.report.findings.len() < MAX_NAMED {
            self.report.findings.push(what.into());
        }
    }

    /// The value, or `None` where it could not be read or is not what this program writes.
    fn sound<T>(
        &mut self,
        what: impl FnOnce() -> String,
        read: Result<T, StoreError>,
    ) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                self.found(format!("{}: {}", what(), in_one_line(&error)));
                None
            }
        }
    }

    /// The checksum databases that there is a head of.
    fn databases(&mut self) -> Vec<DbName> {
        let dbs = self.view.databases();
        self.sound(|| "the checksum databases".into(), dbs)
            .unwrap_or_default()
    }

    /// A check was made on so many things.
    fn checked(&mut self, what: &'static str, count: u64) {
        self.report.checks.push(Check { what, count });
    }

    /// Calls `f` with each key of the kind. Where a block cannot be read that is told, the rest of the kind is not
    /// seen, and this is false.
    fn each(
        &mut self,
        prefix: &[u8],
        what: &str,
        mut f: impl FnMut(&mut Self, &[u8], &[u8]),
    ) -> bool {
        let view = self.view;
        let read = view.scan(prefix, |key, value| {
            f(self, key, value);
            Ok(())
        });
        self.sound(|| format!("{what} cannot all be read"), read)
            .is_some()
    }

    /// There is nothing but what some check looks at.
    fn nothing_strange(&mut self) {
        for kind in (0..=u8::MAX).filter(|kind| !keys::KINDS.contains(kind)) {
            let any = self.view.any(&[kind]);
            if self.sound(|| format!("keys of kind {kind:02x}"), any) == Some(true) {
                self.found(format!(
                    "there are keys of the kind {kind:02x}, which is none"
                ));
            }
        }
        let known = [keys::SCHEMA_KEY, keys::GENERATION_KEY, keys::TOTALS_KEY];
        self.each(
            &keys::SCHEMA_KEY[..1],
            "the store's own facts",
            |run, key, _| {
                if !known.iter().any(|known| known == key) {
                    run.found(format!(
                        "a strange fact of the store's own: {}",
                        super::hex(key)
                    ));
                }
            },
        );
        self.each(
            &keys::END_KEY,
            "the end of the small things",
            |run, key, value| {
                if key != keys::END_KEY || !value.is_empty() {
                    run.found(format!(
                        "something at the end of the small things: {}",
                        super::hex(key)
                    ));
                }
            },
        );
        let end = self.view.pinned(&keys::END_KEY).map(|end| end.is_some());
        if self.sound(|| "the end of the small things".into(), end) == Some(false) {
            self.found("the key behind the small things is not there");
        }
    }

    /// Compares what was counted with what the store says of itself.
    fn totals(&mut self, recounted: &super::Totals, counted: &super::Totals) {
        let Some(said) = self.sound(|| "the totals".into(), self.view.totals()) else {
            return;
        };
        let differ = |a: &super::Counts, b: &super::Counts| a != b;
        if differ(&said.counts, &recounted.counts) {
            self.found(format!(
                "the totals are not the ledger's: they say {:?}, and its entries make {:?}",
                said.counts, recounted.counts
            ));
        }
        if differ(&said.counts, &counted.counts) {
            self.found(format!(
                "the totals are not what is held: they say {:?}, and there are {:?}",
                said.counts, counted.counts
            ));
        }
        if (said.imports, &said.streams) != (recounted.imports, &recounted.streams) {
            self.found("the streams' state is not what the ledger's entries make");
        }
        if said.gone != counted.gone {
            self.found(format!(
                "{} module versions are said to be gone, and {} are",
                said.gone, counted.gone
            ));
        }
        if said.gone_files != counted.gone_files {
            self.found(format!(
                "{} files are said to be gone, and {} are",
                said.gone_files, counted.gone_files
            ));
        }
        self.checked("totals are what is held, and what the ledger makes", 1);
    }
}
