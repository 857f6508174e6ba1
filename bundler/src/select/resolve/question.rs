//! What is asked about a module, and what that comes to.

use std::collections::BTreeSet;

use jiff::Timestamp;
use modferry_protocol::module::{ModulePath, ModuleVersion, Revision, Version};

use crate::select::query::Query;

/// A query about a module.
#[derive(Clone, Debug)]
pub struct Question {
    /// The module.
    pub path: ModulePath,
    /// The modules above it that may be meant instead, where it is no module but a package of one; the longest path first.
    pub or: Vec<ModulePath>,
    /// What is asked of it.
    pub query: Query,
    /// The version that is selected otherwise, for `upgrade` and `patch`.
    pub current: Option<Version>,
    /// Versions that do not count, besides those that nobody is to choose.
    pub without: BTreeSet<Version>,
    /// Whether pre-releases count like releases.
    pub pre_releases: bool,
    /// Whether retracted versions count.
    pub retracted: bool,
    /// Whether a version that is named has to be there: not everything that a pattern matches has it.
    pub looks: bool,
}

impl Question {
    /// The newest version of a module.
    pub fn newest(path: ModulePath) -> Question {
        Question {
            path,
            or: Vec::new(),
            query: Query::latest(),
            current: None,
            without: BTreeSet::new(),
            pre_releases: false,
            retracted: false,
            looks: false,
        }
    }
}

/// What a query came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The versions, in order.
    pub chosen: Vec<ModuleVersion>,
    /// The answer to a branch or a commit.
    pub carried: Option<QueryAnswer>,
    /// The version whose go.mod holds the module's retractions and its deprecation, where it is known: the newest, be it
    /// retracted itself.
    pub newest: Option<ModuleVersion>,
    /// Something to tell.
    pub note: Option<String>,
}

/// What upstream says that a branch or a commit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryAnswer {
    /// The module.
    pub path: ModulePath,
    /// The branch or commit.
    pub query: Revision,
    /// The `.info` that answers it, as it came.
    pub info: Vec<u8>,
    /// When it was asked for.
    pub asked: Timestamp,
}
