//! What upstream says of one module: its list, and what its newest version's go.mod takes back. Looked at once in a run,
//! whatever is asked about the module.

use std::sync::{Arc, Mutex};

use modferry_protocol::module::{ModulePath, ModuleVersion, Version};
use modferry_protocol::request::Request;

use super::{AskError, Oracle, Question, Unanswered, lock};
use crate::fetch::go_mod::{self, GoModError};
use crate::select::choose::Retractions;
use crate::select::gomod::GoMod;
use crate::upstream::goproxy::{Unavailable, Upstream};

/// The largest `list` answer that is taken, in bytes: many times the longest that is known.
pub const MAX_LIST: u64 = 4 << 20;

/// What is known of one module; whoever comes second waits for the first.
pub(super) type Place = Arc<Mutex<Option<Arc<Result<Known, Unavailable>>>>>;

/// What upstream says of a module.
pub(super) struct Known {
    /// The proxy that said it.
    pub(super) proxy: Upstream,
    /// Its `list` answer.
    pub(super) list: String,
    /// The versions in it.
    pub(super) versions: Vec<Version>,
    /// The newest version, retracted or not.
    pub(super) newest: Option<ModuleVersion>,
    pub(super) retractions: Retractions,
    pub(super) note: Option<String>,
}

impl Oracle<'_> {
    pub(super) fn known(
        &self,
        path: &ModulePath,
    ) -> Result<Arc<Result<Known, Unavailable>>, AskError> {
        let place = {
            let mut known = lock(&self.known);
            Arc::clone(known.entry(path.clone()).or_default())
        };
        let mut place = lock(&place);
        if let Some(known) = &*place {
            return Ok(Arc::clone(known));
        }
        let known = Arc::new(match self.look(path) {
            Ok(known) => Ok(known),
            Err(GoModError::Refused(why)) => Err(why),
            Err(GoModError::Fatal(fatal)) => return Err(AskError::Fatal(fatal)),
        });
        *place = Some(Arc::clone(&known));
        Ok(known)
    }

    /// The `list` answer, and the proxy that gave it.
    pub(super) fn list(&self, path: &ModulePath) -> Result<(Upstream, String), Unavailable> {
        self.sources.upstream.each_alone(path, |proxy| {
            let list = proxy.get(&Request::List(path.clone()), MAX_LIST)?;
            Ok((proxy, String::from_utf8_lossy(&list).into_owned()))
        })
    }

    /// Asks for the list, and reads the newest version's go.mod.
    fn look(&self, path: &ModulePath) -> Result<Known, GoModError> {
        let (proxy, list) = self.list(path).map_err(GoModError::Refused)?;
        let mut known = Known {
            versions: versions(path, &list),
            proxy,
            list,
            newest: None,
            retractions: Retractions::default(),
            note: None,
        };
        // The newest of all, as the go command finds where retractions are: it looks at no retraction for that.
        let any = Question {
            retracted: true,
            ..Question::newest(path.clone())
        };
        let everything = Oracle::new(self.sources, &[]);
        let unknown = |why: String| {
            Some(format!(
                "{path}: what its authors have retracted is not known: {why}"
            ))
        };
        let newest = match everything.choose(&any, &known) {
            Ok(chosen) => chosen.into_iter().next(),
            Err(AskError::Unanswered(why)) => {
                if let Unanswered::Unavailable { why, .. } = *why {
                    known.note = unknown(why.to_string());
                }
                None
            }
            Err(AskError::Fatal(fatal)) => return Err(GoModError::Fatal(fatal)),
        };
        let Some(newest) = newest else {
            return Ok(known);
        };
        match go_mod::of(self.sources, &newest) {
            Ok(bytes) => match GoMod::parse_lax(&bytes) {
                Ok(file) => known.retractions = Retractions::of(&file),
                Err(error) => known.note = unknown(format!("go.mod of {newest}: {error}")),
            },
            // As for the go command, what cannot be read forbids nothing.
            Err(GoModError::Refused(why)) => known.note = unknown(why.to_string()),
            Err(fatal) => return Err(fatal),
        }
        known.newest = Some(newest);
        Ok(known)
    }
}

/// The tagged versions of a `list` answer, in order. What is no version of this module is passed over.
pub(super) fn versions(path: &ModulePath, list: &str) -> Vec<Version> {
    let named = list
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let modules = named.filter_map(|name| ModuleVersion::parse(path.as_str(), name).ok());
    let mut versions: Vec<Version> = modules
        .map(|module| module.into_parts().1)
        .filter(|version| !version.is_pseudo())
        .collect();
    versions.sort();
    versions.dedup();
    versions
}
