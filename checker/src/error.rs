//! Why a bundle was not accepted, with the exit code and the next step for each reason.

use std::error::Error;
use std::io;

use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{FileName, ManifestError, SnapshotError};
use modferry_protocol::module::{ModulePath, ModuleVersion};
use modferry_protocol::sumdb::{DbName, TreeHead};
use modferry_protocol::trust::TrustError;

use crate::volume::DamagedPart;

/// How many missing or damaged things an error names; the others are counted.
pub const MAX_NAMED: usize = 200;

/// One side of a fork: what the checksum database signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The tree head.
    pub head: TreeHead,
    /// The signed note that says so, byte for byte: the evidence.
    pub note: Vec<u8>,
}

/// Why a bundle was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The policy did not accept the manifest: mostly, its signatures. Nothing behind the manifest was read.
    #[error("{}", refused(source))]
    Untrusted {
        /// What the policy missed.
        source: TrustError,
    },
    /// The bundle is proven by a checksum database of which no key is trusted here. Nothing behind the
    /// manifest was read.
    #[error("no key is trusted for the checksum database {db}, which this bundle is proven by")]
    UnknownDb {
        /// The database.
        db: DbName,
    },
    /// The volume is damaged, cut short or not what its signed index says.
    #[error("{volume}: {entry} is damaged")]
    Damaged {
        /// The volume's file name; "the volume" before its manifest is trusted.
        volume: String,
        /// The entry, and the item in it where that is known.
        entry: String,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What a bundle carries as a vulnerability database is none, and was signed so.
    #[error("{volume}: {entry}: the vulnerability database cannot be used")]
    Vulndb {
        /// The volume's file name.
        volume: String,
        /// The entry and the piece in which that was seen.
        entry: String,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A volume that was looked at by itself has damaged parts.
    #[error("{volume} is damaged in {}", parts_named(parts, *more))]
    DamagedParts {
        /// The volume's file name.
        volume: String,
        /// Them, in order, at most [`MAX_NAMED`].
        parts: Vec<DamagedPart>,
        /// How many more there are.
        more: usize,
    },
    /// A volume of the bundle is not there.
    #[error("{volume}, one of the {of} volumes of this bundle, is not there")]
    NoVolume {
        /// The volume's file name.
        volume: String,
        /// How many volumes there are.
        of: u32,
        /// What the system said.
        source: io::Error,
    },
    /// Something that the proof needs is neither in the bundle nor held.
    #[error("{}", missing(what, *more))]
    Missing {
        /// The missing things by name, sorted, at most [`MAX_NAMED`].
        what: Vec<String>,
        /// How many more there are.
        more: usize,
        /// What supplies them.
        cure: String,
    },
    /// A checksum database does not vouch for what the bundle brings.
    #[error("the checksum database {db} does not vouch for this bundle: {what}")]
    Sumdb {
        /// The database.
        db: DbName,
        /// What contradicts what.
        what: String,
    },
    /// A module has no checksum database in this bundle to vouch for it, or the bundle brings something that
    /// nothing in it proves.
    #[error("{what} is proven by no checksum database of this bundle")]
    Unproven {
        /// The item.
        what: String,
    },
    /// A private module comes by the word of a key that may not vouch for it here.
    #[error("{module} is private, and no key that signed this bundle may vouch for it here")]
    NotPrivate {
        /// The module.
        module: ModulePath,
        /// The keys that signed.
        signers: Vec<String>,
    },
    /// A module was vouched for in one way, and the bundle vouches for it in the other.
    #[error("{module} {was}, and this bundle {brings}")]
    OtherWord {
        /// The module version.
        module: ModuleVersion,
        /// What it was here.
        was: &'static str,
        /// What the bundle brings.
        brings: String,
    },
    /// A file of a name that is held comes with other bytes.
    #[error("{name} is held with other bytes than this bundle brings")]
    OtherFile {
        /// The file.
        name: FileName,
    },
    /// A checksum database has signed two trees of which neither continues the other.
    #[error(
        "the checksum database {db} has FORKED: the tree of {} records that it signed for this bundle does not \
         continue the tree of {} records that it signed before",
        offered.head.size, held.head.size
    )]
    Fork {
        /// The database.
        db: DbName,
        /// What the destination holds.
        held: Box<Side>,
        /// What the bundle brought.
        offered: Box<Side>,
    },
    /// The stage failed: a full disk, a store in use.
    #[error("keeping the bundle's contents failed")]
    Stage {
        /// The stage's own class of failure.
        exit: Exit,
        /// The stage's own advice.
        advice: Option<String>,
        /// What failed.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A zip that the bundle is packed against is held, and is not what it was, or cannot be read.
    #[error("zip {module}, which is held here and which this bundle is packed against, is damaged")]
    Held {
        /// The zip's module version.
        module: ModuleVersion,
        /// What is wrong with it.
        source: io::Error,
    },
    /// A temporary file failed.
    #[error("{what}")]
    Io {
        /// What was being done, and to what.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// What was refused: who signed, or what was signed.
fn refused(source: &TrustError) -> &'static str {
    match source {
        TrustError::Manifest(_) => "the bundle's manifest cannot be read",
        _ => "the bundle's manifest is not trusted",
    }
}

/// The one thing by name, or how many; [`Failure::details`] then has the names.
fn missing(what: &[String], more: usize) -> String {
    match (what, more) {
        ([only], 0) => format!("{only} is needed, and is neither in the bundle nor held"),
        _ => format!(
            "{} things are needed, and are neither in the bundle nor held",
            what.len() + more
        ),
    }
}

/// The one part by name, or how many; [`Failure::details`] has what is wrong with each.
fn parts_named(parts: &[DamagedPart], more: usize) -> String {
    match (parts, more) {
        ([only], 0) => only.part.clone(),
        _ => format!("{} places", parts.len() + more),
    }
}

/// Whether a newer modferry would know better.
fn is_newer(source: &(dyn Error + Send + Sync + 'static)) -> bool {
    matches!(
        source.downcast_ref::<SnapshotError>(),
        Some(SnapshotError::Newer(_))
    )
}

impl CheckError {
    /// A failure of the stage itself.
    pub fn stage<E: Failure + Send + Sync + 'static>(error: E) -> CheckError {
        CheckError::Stage {
            exit: error.exit(),
            advice: error.advice(),
            source: Box::new(error),
        }
    }

    pub(crate) fn damaged(
        volume: &str,
        entry: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> CheckError {
        CheckError::Damaged {
            volume: volume.into(),
            entry: entry.into(),
            source: source.into(),
        }
    }

    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> CheckError {
        CheckError::Io {
            what: what.into(),
            source,
        }
    }
}

impl Failure for CheckError {
    fn exit(&self) -> Exit {
        match self {
            // The signatures are in order: trusting another key would not help.
            CheckError::Untrusted {
                source: TrustError::Manifest(_),
            } => Exit::Damaged,
            CheckError::Untrusted { .. }
            | CheckError::UnknownDb { .. }
            | CheckError::NotPrivate { .. } => Exit::Untrusted,
            CheckError::Damaged { .. }
            | CheckError::DamagedParts { .. }
            | CheckError::Vulndb { .. } => Exit::Damaged,
            CheckError::Missing { .. } | CheckError::NoVolume { .. } => Exit::Missing,
            CheckError::Sumdb { .. }
            | CheckError::Unproven { .. }
            | CheckError::OtherWord { .. }
            | CheckError::Fork { .. } => Exit::Sumdb,
            CheckError::OtherFile { .. } => Exit::Other,
            CheckError::Stage { exit, .. } => *exit,
            CheckError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Exit::NoRoom
            }
            CheckError::Held { .. } | CheckError::Io { .. } => Exit::Other,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            CheckError::Untrusted {
                source: TrustError::Manifest(ManifestError::Newer { .. }),
            } => "use the modferry that made this bundle, or a newer one, on this machine".into(),
            CheckError::Untrusted {
                source: TrustError::Manifest(_),
            } => {
                "export it again: a manifest that was damaged on its way would not be rightly signed"
                    .into()
            }
            CheckError::Untrusted { .. } => {
                "if the bundle comes from a key that you trust, add that key to what is trusted here \
                 (modferry-appliance trust add KEY.pub), after comparing its fingerprint with its owner over \
                 another channel"
                    .into()
            }
            CheckError::UnknownDb { db } => format!(
                "if you rely on {db}, trust its key here, which GOSUMDB has on the other side \
                 (modferry-appliance trust add --sumdb '{db}+HASH+KEY'); otherwise refuse the bundle"
            ),
            CheckError::Damaged { volume, .. } | CheckError::DamagedParts { volume, .. } => {
                format!("copy {volume} again from where it was exported to, and repeat; if that does not help, export it again")
            }
            CheckError::Vulndb { source, .. } if is_newer(&**source) => {
                "use the modferry that made this bundle, or a newer one, on this machine".into()
            }
            CheckError::Vulndb { .. } => {
                "it was signed as it is, so copying it again does not help; have the bundle exported again, with this or a newer \
                 modferry, from a database that is whole"
                    .into()
            }
            CheckError::NoVolume { volume, .. } => {
                format!("copy {volume} from where it was exported to, and repeat with it beside the others")
            }
            CheckError::Missing { cure, .. } => cure.clone(),
            CheckError::NotPrivate { module, signers } => format!(
                "if it is one of your own and this key may bring it without a checksum database: modferry-appliance trust private '{module}' --key {}; otherwise refuse the bundle",
                signers.first().map_or("NAME", String::as_str)
            ),
            CheckError::OtherWord { module, .. } => format!(
                "a name does not become private, or public, by a bundle: find out which {} is; `modferry-appliance trust private` says which modules are private here, and what a store once took for public, or for private, stays so there",
                module.path()
            ),
            CheckError::OtherFile { .. } => {
                "a file's name has the same bytes for good: export it under another name".into()
            }
            CheckError::Sumdb { .. } | CheckError::Unproven { .. } => {
                "do not use this bundle; ask who exported it what became of these modules, and export again".into()
            }
            CheckError::Fork { .. } => {
                "do not use this bundle, and keep both signed heads: they prove that the checksum database, or \
                 someone with its key, told different clients different things; tell whoever runs it"
                    .into()
            }
            CheckError::Stage { advice, .. } => return advice.clone(),
            CheckError::Held { .. } => {
                "the bundle is not at fault: `modferry-appliance fsck` names all that is damaged here; restore it from a \
                 backup and import again, or have a bundle made that is packed against nothing: modferry-bundler export \
                 --basis none"
                    .into()
            }
            CheckError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                "make room; or, if it is the folder for temporary files that is full, set TMPDIR to one with more".into()
            }
            CheckError::Io { .. } => return None,
        })
    }

    fn details(&self) -> Vec<String> {
        match self {
            CheckError::Missing { what, more, .. } if what.len() + more > 1 => {
                let rest = (*more > 0).then(|| format!("and {more} more"));
                what.iter().cloned().chain(rest).collect()
            }
            CheckError::DamagedParts { parts, more, .. } => {
                let named = parts
                    .iter()
                    .map(|part| format!("{}: {}", part.part, part.what));
                let rest = (*more > 0).then(|| format!("and {more} more"));
                named.chain(rest).collect()
            }
            _ => Vec::new(),
        }
    }
}
