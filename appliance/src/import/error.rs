//! Why a bundle was not imported.

use super::BadVolume;
use crate::store::StoreError;
use crate::trust::TrustStoreError;
use modferry_checker::CheckError;
use modferry_cli::{Exit, Failure, bytes};
use std::io;
use std::path::PathBuf;

/// Why a bundle was not imported. The store is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Whom to trust could not be read, or nobody is trusted.
    #[error(transparent)]
    Trust(#[from] TrustStoreError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A check failed.
    #[error("{} is not accepted", unless_repeated(bundle, source))]
    Refused {
        /// The bundle, as it was given.
        bundle: String,
        /// Which check, and what is wrong.
        source: Box<CheckError>,
        /// Where both heads of a fork are kept, if it is one.
        evidence: Option<PathBuf>,
        /// Why they could not be kept, if they could not.
        not_kept: Option<io::Error>,
    },
    /// It brings a trust note that was tampered with.
    #[error("{bundle} is not accepted")]
    TrustNote {
        /// The bundle, as it was given.
        bundle: String,
        /// What is wrong with the note.
        source: TrustStoreError,
    },
    /// There is not enough room. Nothing was written.
    #[error(
        "{bundle} needs about {} on the disk of {}, and {} are free",
        bytes(*need), store.display(), bytes(*have)
    )]
    NoRoom {
        /// The bundle, as it was given.
        bundle: String,
        /// The store.
        store: PathBuf,
        /// Bytes that it needs.
        need: u64,
        /// Bytes that are free.
        have: u64,
    },
    /// A folder without a bundle.
    #[error("there is no bundle in {}", path.display())]
    Nothing {
        /// The folder.
        path: PathBuf,
    },
    /// A pattern that is none.
    #[error("{} is neither there nor a pattern", pattern.display())]
    Pattern {
        /// What was given.
        pattern: PathBuf,
        /// What is wrong with it.
        source: ::glob::PatternError,
    },
    /// An older bundle than the stream's newest, with tombstones: it would take back what the newer one says.
    #[error(
        "{bundle} is bundle {sequence} of stream {stream}, of which bundle {newest} is in, and it has {tombstones} \
         tombstones: it would take something back"
    )]
    Rollback {
        /// The bundle, as it was given.
        bundle: String,
        /// Its stream.
        stream: String,
        /// Its number.
        sequence: u64,
        /// The highest number of that stream that was imported.
        newest: u64,
        /// How many module versions it says are selected no more.
        tombstones: u64,
    },
    /// A manifest without any volume.
    #[error("no volume of {bundle} is here, not even {volume}")]
    NoVolume {
        /// The bundle, as it was given.
        bundle: String,
        /// The name of its first volume.
        volume: String,
    },
    /// Volumes that are damaged, or none of the bundle that their names say.
    #[error("{}", bad_volumes(bundle, bad))]
    BadVolumes {
        /// The bundle, as it was given.
        bundle: String,
        /// The bad ones.
        bad: Vec<BadVolume>,
        /// How many others are at hand and whole.
        kept: usize,
    },
    /// Some volumes are still to come. What was given is kept.
    #[error("{bundle} is not whole: still to come {} {}", if to_come.len() == 1 { "is" } else { "are" }, to_come.join(", "))]
    Incomplete {
        /// The bundle, as it was given.
        bundle: String,
        /// The names of the missing volumes.
        to_come: Vec<String>,
    },
    /// Volumes of one bundle that were cut to different sizes.
    #[error("volumes of two cuts of {bundle}: one has {one}, the other {other}")]
    Cuts {
        /// The bundle, as it was given.
        bundle: String,
        /// How many volumes one cut has.
        one: u32,
        /// How many the other has.
        other: u32,
    },
    /// What was given cannot be read.
    #[error("cannot read {}", path.display())]
    Input {
        /// What was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The bundle's name, unless what is wrong begins with it.
fn unless_repeated<'a>(bundle: &'a str, source: &CheckError) -> &'a str {
    match source {
        CheckError::Damaged { volume, .. } if volume == bundle => "the bundle",
        _ => bundle,
    }
}

/// The one volume and what is wrong with it, or how many there are; the details then have the rest.
fn bad_volumes(bundle: &str, bad: &[BadVolume]) -> String {
    match bad {
        [one] => {
            let bundle = if one.name == bundle {
                "the bundle"
            } else {
                bundle
            };
            let what = match &one.what[..] {
                [what] => what.clone(),
                places => format!("damaged in {} places", places.len()),
            };
            format!("{bundle} is not accepted: {}: {what}", one.name)
        }
        bad => format!(
            "{bundle} is not accepted: {} of its volumes are damaged or foreign",
            bad.len()
        ),
    }
}

impl ImportError {
    pub(super) fn refused(
        bundle: &str,
        source: CheckError,
        evidence: Option<io::Result<PathBuf>>,
    ) -> Self {
        let (evidence, not_kept) = match evidence.transpose() {
            Ok(evidence) => (evidence, None),
            Err(error) => (None, Some(error)),
        };
        Self::Refused {
            bundle: bundle.into(),
            source: Box::new(source),
            evidence,
            not_kept,
        }
    }
}

impl Failure for ImportError {
    fn exit(&self) -> Exit {
        match self {
            Self::Trust(error) => error.exit(),
            Self::TrustNote { source, .. } => source.exit(),
            Self::Store(error) => error.exit(),
            Self::Refused { source, .. } => source.exit(),
            Self::NoRoom { .. } => Exit::NoRoom,
            Self::NoVolume { .. } | Self::Incomplete { .. } => Exit::Missing,
            Self::BadVolumes { .. } => Exit::Damaged,
            Self::Nothing { .. } | Self::Pattern { .. } | Self::Cuts { .. } => Exit::Usage,
            Self::Rollback { .. } => Exit::Other,
            Self::Input { source, .. } if source.kind() == io::ErrorKind::NotFound => Exit::Usage,
            Self::Input { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Exit::NoRoom
            }
            Self::Input { .. } => Exit::Other,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Trust(error) => error.advice(),
            Self::TrustNote { source, .. } => source.advice(),
            Self::Store(error) => error.advice(),
            Self::Refused { source, evidence, not_kept, .. } => {
                let mut advice = source.advice().unwrap_or_default();
                if let Some(evidence) = evidence {
                    advice.push_str(&format!("\nboth signed heads are in {}", evidence.display()));
                }
                if let Some(error) = not_kept {
                    advice.push_str(&format!("\nthe signed heads could not be kept: {error}"));
                }
                (!advice.is_empty()).then_some(advice)
            }
            Self::NoRoom { .. } => Some("make room, or move the store to a larger disk".into()),
            Self::Nothing { .. } => {
                Some("give the folder with STREAM.SEQ.manifest and its volume, a volume, or - for a pipe".into())
            }
            Self::Pattern { .. } => None,
            Self::Rollback { stream, sequence, .. } => Some(format!(
                "leave it out: the newer bundle says itself what is selected. If something that it carries is missing, \
                 export it again on top: modferry-bundler export --stream {stream} --cumulative-from {sequence}"
            )),
            Self::NoVolume { .. } => {
                Some("copy the volumes beside the manifest, and repeat".into())
            }
            Self::BadVolumes { bad, kept, .. } => {
                let names: Vec<_> = bad.iter().map(|volume| &*volume.name).collect();
                let rest = match kept {
                    0 => "",
                    _ => "; the others are whole, and need not be carried again",
                };
                Some(format!(
                    "copy {} again from where it was exported to, and import just that{rest}. A volume of another bundle \
                     does not belong there: take it away",
                    names.join(", ")
                ))
            }
            Self::Incomplete { .. } => Some(
                "import them, too, in any order; `modferry-appliance status` shows what is still to come".into()
            ),
            Self::Cuts { .. } => Some(
                "give all volumes of one cut together; `modferry-appliance gc --volumes` drops those that wait".into()
            ),
            Self::Input { .. } => None,
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Refused { source, .. } => source.details(),
            Self::BadVolumes { bad, .. }
                if bad.len() > 1 || bad.iter().any(|bad| bad.what.len() > 1) =>
            {
                bad.iter()
                    .flat_map(|volume| {
                        volume
                            .what
                            .iter()
                            .map(|what| format!("{}: {what}", volume.name))
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}
