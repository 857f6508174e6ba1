//! Why a query comes to nothing, in one line, with what to do about it where that is not plain.

use modferry_protocol::module::{ModulePath, Version};

use crate::fetch::Fatal;
use crate::select::exclude::Exclude;
use crate::select::gover::GoVersion;
use crate::select::query::{Kind, Query};
use crate::select::toolchains::Wanted;
use crate::upstream::goproxy::{Reason, Unavailable};

/// Why a query comes to nothing. Displays whole, in one line.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unanswered {
    /// No upstream tells.
    #[error("{module}@{query}: {why}{}", hint(query, why))]
    Unavailable {
        /// The module.
        module: ModulePath,
        /// What was asked of it.
        query: Query,
        /// What was said instead.
        why: Unavailable,
    },
    /// No version is one that was asked for.
    #[error("{module}@{query}: no version of it fits: {known}")]
    NoVersion {
        /// The module.
        module: ModulePath,
        /// What was asked of it.
        query: Query,
        /// What there is instead.
        known: String,
    },
    /// `patch` of nothing.
    #[error(
        "{module}@patch: nothing else that is selected, and nothing that the stream has carried, has a version of it: \
         say which, as in {module}@v1.2"
    )]
    NoCurrent {
        /// The module.
        module: ModulePath,
    },
    /// An answer that is none.
    #[error("{module}@{query}: upstream's answer names no version of this module: {what}")]
    Malformed {
        /// The module.
        module: ModulePath,
        /// What was asked of it.
        query: Query,
        /// What it says.
        what: String,
    },
    /// A toolchain that there is not.
    #[error("toolchain {wanted}: upstream lists none such; the newest is {}", newest.as_ref().map_or("none", GoVersion::as_str))]
    Toolchain {
        /// Which.
        wanted: Wanted,
        /// The newest that is listed.
        newest: Option<GoVersion>,
    },
    /// What was named is excluded.
    #[error("{module}@{query}: {version} is excluded by {exclude}")]
    Excluded {
        /// The module.
        module: ModulePath,
        /// What was asked of it.
        query: Query,
        /// What it came to.
        version: Version,
        /// What excludes it.
        exclude: Exclude,
    },
}

impl Unanswered {
    /// What was asked: `path@query`.
    pub fn asked(&self) -> String {
        match self {
            Unanswered::Unavailable { module, query, .. }
            | Unanswered::NoVersion { module, query, .. }
            | Unanswered::Malformed { module, query, .. }
            | Unanswered::Excluded { module, query, .. } => format!("{module}@{query}"),
            Unanswered::NoCurrent { module } => format!("{module}@patch"),
            Unanswered::Toolchain { wanted, .. } => format!("toolchain@{wanted}"),
        }
    }

    /// The reason in one word: `404`, `no-version`, …
    pub fn token(&self) -> String {
        match self {
            Unanswered::Unavailable { why, .. } => why.reason.token(),
            Unanswered::NoVersion { .. } | Unanswered::Toolchain { .. } => "no-version".into(),
            Unanswered::NoCurrent { .. } => "no-current".into(),
            Unanswered::Malformed { .. } => Reason::Malformed.token(),
            Unanswered::Excluded { .. } => "excluded".into(),
        }
    }

    /// The reason in words, for a report that counts them.
    pub fn words(&self) -> String {
        match self {
            Unanswered::Unavailable { why, .. } => why.reason.words(),
            Unanswered::NoVersion { .. } | Unanswered::Toolchain { .. } => {
                "no version is what was asked for".into()
            }
            Unanswered::NoCurrent { .. } => "no version is there that a patch could be of".into(),
            Unanswered::Malformed { .. } => Reason::Malformed.words(),
            Unanswered::Excluded { .. } => "excluded".into(),
        }
    }

    /// Whether it is up to whoever asked, and no upstream has a say in it.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Unanswered::NoCurrent { .. } | Unanswered::Excluded { .. }
        )
    }

    /// Whether upstream has trouble, so that asking it anything else is in vain. A proxy that refuses what it does not carry
    /// has none.
    pub(crate) fn is_trouble(&self) -> bool {
        let refuses = matches!(self, Unanswered::Unavailable { why, .. }
            if matches!(why.reason, Reason::Status(401 | 403)));
        self.may_change() && !refuses
    }

    /// Whether there may be an answer at another time: upstream failed, and did not say that there is none.
    pub fn may_change(&self) -> bool {
        matches!(self, Unanswered::Unavailable { why, .. }
            if !why.is_absence() && why.reason != Reason::Private)
    }
}

/// What to do about a refusal, where that is not plain.
fn hint(query: &Query, why: &Unavailable) -> &'static str {
    match (query.kind(), why.reason) {
        (Kind::Named(_), Reason::Status(401 | 403)) => {
            ": it does not look at branches and commits for others; say a version, or the pseudo-version"
        }
        _ => "",
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum AskError {
    /// The query comes to nothing.
    Unanswered(Box<Unanswered>),
    /// Nothing may go on.
    Fatal(Box<Fatal>),
}

impl From<Unanswered> for AskError {
    fn from(unanswered: Unanswered) -> AskError {
        AskError::Unanswered(Box::new(unanswered))
    }
}

impl From<Fatal> for AskError {
    fn from(fatal: Fatal) -> AskError {
        AskError::Fatal(Box::new(fatal))
    }
}
