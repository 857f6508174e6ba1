//! Why whom to trust could not be read or changed, and what to do about it.

use modferry_cli::{Exit, Failure};
use modferry_protocol::note::KeyError;
use modferry_protocol::trust::PolicyError;
use std::io;
use std::path::{Path, PathBuf};

/// Why whom to trust could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TrustStoreError {
    /// Nobody is trusted to sign bundles.
    #[error("no key is trusted to sign bundles for the store in {}", store.display())]
    NoKeys {
        /// The store.
        store: PathBuf,
    },
    /// A file among the keys that is none, or is not called after its key.
    #[error("{} is not a trusted key's file", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        why: NotAKey,
    },
    /// The number of signatures required is not to be had.
    #[error("{} does not say how many signatures are required", path.display())]
    Required {
        /// The file.
        path: PathBuf,
    },
    /// More signatures required than there are keys to give them.
    #[error("{required} signatures are required, and {keys} keys are trusted to sign bundles")]
    TooFewKeys {
        /// How many are required.
        required: usize,
        /// How many keys there are.
        keys: usize,
    },
    /// What was given as a key is neither one nor a file with one.
    #[error("{given} is neither a verifier key nor a readable file with one")]
    Given {
        /// What was given.
        given: String,
        /// Why it is not.
        #[source]
        why: NotAKey,
    },
    /// The key is trusted to sign bundles already, under another name.
    #[error("this key is trusted to sign bundles already, under the name {known}")]
    OtherName {
        /// The key that is trusted, as NAME+HASH.
        known: String,
    },
    /// Another key of this name is trusted for a checksum database.
    #[error("another key is trusted for the checksum database {name} already: {known}")]
    OtherKey {
        /// The database's name.
        name: String,
        /// The key that is trusted.
        known: String,
    },
    /// No trusted key is called so, or several are.
    #[error("{found} trusted keys are called {name}")]
    NotOne {
        /// What was asked for.
        name: String,
        /// How many keys match.
        found: usize,
    },
    /// The keys make no policy.
    #[error("the trusted keys make no policy")]
    Policy(#[from] PolicyError),
    /// The system failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is wrong with a key's file.
#[derive(Debug, thiserror::Error)]
pub enum NotAKey {
    /// It cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
    /// It is too large, or is not text.
    #[error("it is not a line of text")]
    NotText,
    /// Its text is no key.
    #[error("its text is not a verifier key")]
    Key(#[from] KeyError),
    /// It has another name than its key has.
    #[error("its name is not its key's: want {0}")]
    Name(String),
}

impl Failure for TrustStoreError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoKeys { .. } | Self::TooFewKeys { .. } => Exit::Untrusted,
            Self::Io { .. } => Exit::Other,
            _ => Exit::Usage,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::NoKeys { store } => format!(
                "get the bundler's verifier key (its .pub file) over a way that you trust, compare the \
                 fingerprint with its owner, then: modferry-appliance trust add KEY.pub --store {}",
                store.display()
            ),
            Self::NotAKey { path, .. } => format!(
                "look who put it there, and remove it: rm {}; keys are added with `modferry-appliance trust add`",
                path.display()
            ),
            Self::Required { .. } => {
                "decide how many different keys must sign: modferry-appliance trust require 1".into()
            }
            Self::TooFewKeys { .. } => {
                "add keys with `modferry-appliance trust add`, or require fewer with `trust require`".into()
            }
            Self::Given { .. } => {
                "give the .pub file that `modferry-bundler keygen` wrote, or its one line NAME+HASH+KEY".into()
            }
            Self::OtherKey { known, .. } => format!(
                "if its operator has changed the key: modferry-appliance trust remove {known}, and add the new one"
            ),
            Self::OtherName { known } => format!(
                "one key gives one signature, however it is called; to call it otherwise: \
                 modferry-appliance trust remove {known}, and add it anew"
            ),
            Self::Policy(PolicyError::TwoNames(..)) => {
                "one key gives one signature, however it is called: see `modferry-appliance trust list`, and \
                 remove one of the two"
                    .into()
            }
            Self::NotOne { .. } => {
                "see `modferry-appliance trust list`, and name one key as NAME+HASH".into()
            }
            Self::Policy(_) | Self::Io { .. } => return None,
        })
    }
}

pub(super) fn io_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> TrustStoreError {
    move |source| TrustStoreError::Io {
        action,
        path: path.into(),
        source,
    }
}
