//! `plan --why`: of the modules that somebody asks about, why each version is there.

use modferry_protocol::module::ModuleVersion;

use super::Plan;
use crate::fetch::Because;
use crate::select::exclude::Exclude;

/// What there is to say of one question.
#[derive(Debug)]
pub struct Reasons<'p> {
    /// What was asked about.
    pub asked: &'p Exclude,
    /// The versions of it that are selected or asked for by anything, and why.
    pub found: Vec<(&'p ModuleVersion, &'p Because)>,
    /// Other versions of the modules asked about, where none of those asked about is there.
    pub others: Vec<&'p ModuleVersion>,
}

/// Why these are there.
pub fn why<'p>(plan: &'p Plan, asked: &'p Exclude) -> Reasons<'p> {
    let covered = |module: &ModuleVersion| asked.covers(module.path(), module.version());
    let found: Vec<_> = plan
        .because
        .iter()
        .filter(|(module, _)| covered(module))
        .collect();
    let others = plan.because.keys();
    let others = others.filter(|module| found.is_empty() && asked.names(module.path()));
    Reasons {
        asked,
        others: others.collect(),
        found,
    }
}
