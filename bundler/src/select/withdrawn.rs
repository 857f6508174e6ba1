//! What authors have taken back of a selection: retracted versions and deprecated modules.
//!
//! Both stand in the go.mod of a module's newest version. It is looked for among the versions that were fetched, so no
//! question leaves this machine for it: of how many modules it is not known is told. `newest: all` fetches the newest version
//! of each module, and then it is known of all.

use std::collections::{BTreeMap, BTreeSet};

use modferry_protocol::module::{ModulePath, ModuleVersion};
use serde::Serialize;

use super::choose::Retractions;
use super::gomod::GoMod;
use super::toolchains;
use crate::cache::Cache;
use crate::error::Error;
use crate::fetch::{Fetched, Level};

/// What is taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Withdrawn {
    /// Versions that their authors have retracted, with their reasons, which may be empty.
    pub retracted: BTreeMap<String, String>,
    /// Modules that their authors have deprecated, with what they say.
    pub deprecated: BTreeMap<String, String>,
    /// Of how many modules it is not known, since their newest versions were not looked for.
    pub newest_unknown: usize,
}

impl Withdrawn {
    /// Of the versions that are in a build list, or carried whole. `known` are the modules whose newest versions were looked
    /// for.
    pub fn of(
        fetched: &Fetched,
        known: &BTreeSet<ModulePath>,
        cache: &Cache,
    ) -> Result<Withdrawn, Error> {
        let mut versions: BTreeMap<&ModulePath, Vec<&ModuleVersion>> = BTreeMap::new();
        for module in fetched.modules.keys() {
            versions.entry(module.path()).or_default().push(module);
        }
        let mut withdrawn = Withdrawn::default();
        for (path, versions) in versions {
            let told: Vec<&ModuleVersion> = versions
                .iter()
                .filter(|module| fetched.modules[**module].level >= Level::Listed)
                .copied()
                .collect();
            let Some(newest) = newest(&versions).filter(|_| !told.is_empty()) else {
                continue;
            };
            // Toolchains are taken back by nobody.
            let is_known = known.contains(path) || path.as_str() == toolchains::MODULE;
            withdrawn.newest_unknown += usize::from(!is_known);
            let text = cache.go_mod(newest);
            let text = text.map_err(Error::file("read", &cache.path(newest, "mod")))?;
            let Some(Ok(file)) = text.map(|text| GoMod::parse_lax(&text)) else {
                continue;
            };
            let retractions = Retractions::of(&file);
            for module in told {
                if let Some(why) = retractions.why(module.version()) {
                    withdrawn
                        .retracted
                        .insert(module.to_string(), why.to_owned());
                }
            }
            if let Some(why) = file.deprecated {
                withdrawn.deprecated.insert(path.to_string(), why);
            }
        }
        Ok(withdrawn)
    }
}

/// Of a module's versions in their order, the one whose go.mod counts: a pre-release only where there is no release.
fn newest<'m>(versions: &[&'m ModuleVersion]) -> Option<&'m ModuleVersion> {
    let mut releases = versions.iter().rev();
    let release = releases.find(|module| !module.version().is_prerelease());
    release.or(versions.last()).copied()
}
