//! Why whom to trust could not be read or changed, and what to do about it.

use modferry_cli::{Exit, Failure};
use modferry_protocol::note::{KeyError, NoteError};
use modferry_protocol::trust::{NoteRefused, PolicyError, TrustNoteError};
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
    /// The file that says which private modules may come does not.
    #[error("{}: line {line} is not a key and a pattern of module paths", path.display())]
    Private {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
    },
    /// What was given as a pattern of private modules is none, or names everything.
    #[error("{pattern:?} is no pattern of private modules: {why}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A pattern is to be taken away that is not there.
    #[error("no key may bring private modules of the pattern {pattern:?}")]
    NoSuchPattern {
        /// The pattern.
        pattern: String,
    },
    /// A key that is trusted and revoked at once.
    #[error("the key {key} is trusted to sign bundles, and revoked")]
    TrustedAndRevoked {
        /// The key, as NAME+HASH.
        key: String,
    },
    /// A file that should be a trust note that was applied.
    #[error("{} is not the trust note that belongs there", path.display())]
    NotANote {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        why: NotANote,
    },
    /// A trust note is not accepted.
    #[error("the trust note is not accepted")]
    Refused(#[from] NoteRefused),
    /// What was given as a trust note cannot be read.
    #[error("{} is no trust note", path.display())]
    GivenNote {
        /// What was given.
        path: PathBuf,
        /// Why it is not.
        #[source]
        why: NotANote,
    },
    /// A row of notes is to begin with one where there is a row already.
    #[error("trust note {last} was applied here already: a row of trust notes begins once")]
    Begun {
        /// The number of the last note.
        last: u64,
    },
    /// A row of notes is to begin with one that the keys here do not go with.
    #[error("the keys that are trusted here are not those that trust note {number} leaves")]
    NotItsKeys {
        /// The note's number.
        number: u64,
        /// What is different, a line each.
        different: Vec<String>,
    },
    /// A key that was revoked is to be trusted again.
    #[error("the key {key} was revoked here")]
    WasRevoked {
        /// The key, as NAME+HASH.
        key: String,
        /// The file that says so.
        path: PathBuf,
    },
    /// More signatures required than there are keys to give them.
    #[error("{} required, and {} trusted to sign bundles", are(*required, "signature"), are(*keys, "key"))]
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

/// What is wrong with a trust note's file.
#[derive(Debug, thiserror::Error)]
pub enum NotANote {
    /// It cannot be read, or is not text.
    #[error(transparent)]
    File(#[from] NotAKey),
    /// It has no signatures.
    #[error("it is no signed note")]
    NotSigned,
    /// Its text is no trust note.
    #[error(transparent)]
    Text(#[from] TrustNoteError),
    /// It has another name than its number gives it.
    #[error("its name is not its number's: want {0}")]
    Name(String),
    /// It does not continue the note before it.
    #[error("it does not continue the trust note before it")]
    Row,
    /// A line names a key that is known here, and the signature is not that key's.
    #[error("a signature on it is false")]
    False(#[source] NoteError),
}

/// So many of them are.
fn are(n: usize, one: &str) -> String {
    let are = if n == 1 { "is" } else { "are" };
    format!("{} {are}", modferry_cli::count(n, one))
}

impl Failure for TrustStoreError {
    fn exit(&self) -> Exit {
        match self {
            Self::NoKeys { .. } | Self::TooFewKeys { .. } => Exit::Untrusted,
            Self::NotANote { .. } => Exit::Damaged,
            Self::Refused(refused) => match refused {
                NoteRefused::NotSigned | NoteRefused::False(_) | NoteRefused::TooFew { .. } => {
                    Exit::Untrusted
                }
                NoteRefused::TooLong(_) | NoteRefused::Text(_) => Exit::Damaged,
                NoteRefused::Gap { .. } => Exit::Missing,
                _ => Exit::Other,
            },
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
            Self::Required { path } if path.ends_with("required") => {
                "decide how many different keys must sign: modferry-appliance trust require 1".into()
            }
            Self::Required { path } => format!(
                "decide how many different keys must sign that stream (modferry-appliance trust require N --stream \
                 STREAM), or look who put it there, and remove it: rm {}",
                path.display()
            ),
            Self::Private { path, .. } => format!(
                "look who changed {}; lines are added and taken away with `modferry-appliance trust private`",
                path.display()
            ),
            Self::Pattern { .. } => {
                "give a pattern as in GOPRIVATE, such as 'git.corp.example/*' or github.com/ours".into()
            }
            Self::NoSuchPattern { .. } => "see `modferry-appliance trust list`".into(),
            Self::TrustedAndRevoked { key } => format!(
                "look who put it there; a key that was revoked is trusted no more: modferry-appliance trust remove {key}"
            ),
            Self::NotANote { path, .. } => format!(
                "look who changed {}, and put it back from a backup of trust/, or from a bundle that carried the \
                 note (modferry-bundler inspect --list names them)",
                path.display()
            ),
            Self::Refused(refused) => return advice_on(refused),
            Self::GivenNote { .. } => "give the file that `modferry-bundler trust new` wrote".into(),
            Self::Begun { .. } => {
                "apply the notes that follow it: modferry-appliance trust apply NOTE; see `trust list`".into()
            }
            Self::NotItsKeys { .. } => {
                "set the keys by hand first (trust add, trust remove, trust require), or begin with the note that \
                 they go with"
                    .into()
            }
            Self::WasRevoked { path, .. } => format!(
                "a key that was given away or stolen does not become safe again: make a new one. If it was revoked by \
                 mistake, take that back by hand first: rm {}",
                path.display()
            ),
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

    fn details(&self) -> Vec<String> {
        match self {
            Self::NotItsKeys { different, .. } => different.clone(),
            _ => Vec::new(),
        }
    }
}

fn advice_on(refused: &NoteRefused) -> Option<String> {
    Some(match refused {
        NoteRefused::False(_) => {
            "it was altered on its way, or somebody tries to have other keys trusted here: ask those who sign, over \
             another channel"
                .into()
        }
        NoteRefused::TooFew { .. } => {
            "have it signed by more of the keys that are trusted here (modferry-bundler sign NOTE --key KEY), and \
             carry it again; see `modferry-appliance trust list`"
                .into()
        }
        NoteRefused::Fork { .. } | NoteRefused::Elsewhere { .. } => {
            "compare `modferry-appliance trust list` with the notes of those who sign, before anything is imported: \
             one of the two rows of notes is wrong"
                .into()
        }
        NoteRefused::Gap { next, .. } => format!(
            "apply trust note {next} first, and those after it in order: modferry-appliance trust apply NOTE. Where the \
             keys were set by hand to what an earlier note left: modferry-appliance trust begin NOTE"
        ),
        NoteRefused::TooFewKeys { .. } => {
            "add the new keys in the same note that revokes the old ones (modferry-bundler trust new)".into()
        }
        NoteRefused::Text(TrustNoteError::Newer(_)) => {
            "use the modferry that made it, or a newer one, on this machine".into()
        }
        _ => return None,
    })
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
