//! Answers to queries: the version that each names must be whole at the destination, or become so with this bundle.
//!
//! The zips of a bundle come last, so what an answer names and is not held has to be awaited. There may be as many
//! answers as a bundle may have, of names that a hostile one makes long: each is awaited by its hash.

use std::collections::HashSet;

use modferry_protocol::bundle::{Item, Query};
use modferry_protocol::module::ModuleVersion;
use sha2::{Digest as _, Sha256};

use super::{Prover, required};
use crate::content::answered;
use crate::{CheckError, Report, Stage};

/// Zips that have to come yet, by the SHA-256 of their modules' names.
#[derive(Default)]
pub(super) struct Awaited(HashSet<[u8; 32]>);

impl Awaited {
    fn name(module: &ModuleVersion) -> [u8; 32] {
        Sha256::digest(module.to_string()).into()
    }

    /// This one has come.
    pub(super) fn came(&mut self, module: &ModuleVersion) {
        if !self.0.is_empty() {
            self.0.remove(&Self::name(module));
        }
    }
}

impl Prover<'_> {
    /// What an answer names is held whole, or awaited.
    pub(super) fn names_what_is_whole<S: Stage>(
        &mut self,
        stage: &S,
        query: &Query,
        report: &mut Report,
    ) -> Result<(), CheckError> {
        let zip = Item::Zip(named(stage, query)?);
        if let Item::Zip(module) = &zip
            && !stage.holds(&zip).map_err(CheckError::stage)?
        {
            self.awaited.0.insert(Awaited::name(module));
        }
        report.queries += 1;
        Ok(())
    }

    /// Notes what answers name and what did not come. All zips must have.
    pub(crate) fn all_that_is_named_came<S: Stage>(&mut self, stage: &S) -> Result<(), CheckError> {
        if self.awaited.0.is_empty() {
            return Ok(());
        }
        stage.each_staged(&mut |item| {
            if let Item::Query(query) = &item {
                let module = named(stage, query)?;
                if self.awaited.0.contains(&Awaited::name(&module)) {
                    self.missing.add(&Item::Zip(module));
                }
            }
            Ok(())
        })
    }
}

/// The version that a staged answer names.
fn named<S: Stage>(stage: &S, query: &Query) -> Result<ModuleVersion, CheckError> {
    let item = Item::Query(query.clone());
    let bytes = required(stage, &item)?;
    // It was looked at before it was staged.
    answered(query, &bytes).map_err(|what| CheckError::Unproven {
        what: format!("{item}: {what}"),
    })
}
