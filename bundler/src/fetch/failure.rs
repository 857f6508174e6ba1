//! What goes wrong while fetching: what cannot be had, which is collected, and what stops everything.

use std::path::PathBuf;

use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;

use super::Dependents;
use crate::sumdb::client::LookupError;
use crate::upstream::goproxy::Unavailable;

/// Which part of a module cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// All of it.
    Module,
    /// Its record in the checksum database.
    Record,
    /// Its go.mod.
    GoMod,
    /// Its info.
    Info,
    /// Its zip.
    Zip,
}

impl Part {
    /// As a report names it.
    pub fn name(self) -> &'static str {
        match self {
            Part::Module => "module",
            Part::Record => "checksum-database record",
            Part::GoMod => "go.mod",
            Part::Info => "info",
            Part::Zip => "zip",
        }
    }
}

/// Something that cannot be had.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The module.
    pub module: ModuleVersion,
    /// What of it.
    pub part: Part,
    /// Why not.
    pub why: Unavailable,
    /// Who wants it: the chain of requirements, or the go.sum file.
    pub required_by: String,
    /// And what else depends on it.
    pub dependents: Dependents,
}

impl Failure {
    /// One line for a report.
    pub fn line(&self) -> String {
        let by = match self.required_by.as_str() {
            "" => String::new(),
            by => format!(" (required by {by}{})", self.dependents.besides(by)),
        };
        format!(
            "{}: {}: {}{by}",
            self.module,
            self.part.name(),
            self.why.text
        )
    }
}

/// What no run carries on after.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// What upstream serves is not what the checksum database has recorded.
    #[error("{module}: the {} that upstream serves is not the one in the checksum database: {got}, recorded {recorded}", part.name())]
    Mismatch {
        /// The module.
        module: ModuleVersion,
        /// go.mod or zip.
        part: Part,
        /// The hash of what upstream serves.
        got: H1,
        /// The hash in the record.
        recorded: H1,
    },
    /// A go.sum file contradicts the checksum database.
    #[error("{module}: {} says that its {} is {said}, the checksum database has recorded {recorded}", file.display(), part.name())]
    GoSum {
        /// The module.
        module: ModuleVersion,
        /// The go.sum file.
        file: PathBuf,
        /// go.mod or zip.
        part: Part,
        /// The hash in the go.sum file.
        said: H1,
        /// The hash in the record.
        recorded: H1,
    },
    /// The checksum database's answer is not its own.
    #[error("the checksum database's answer cannot be believed")]
    Lookup(#[source] LookupError),
    /// The cache cannot be read or written.
    #[error("cannot use the cache for {module}")]
    Cache {
        /// The module.
        module: ModuleVersion,
        /// What the system said.
        source: std::io::Error,
    },
}
