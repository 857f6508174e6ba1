//! What a command fails with, its exit code, and what to do next.

use std::io;
use std::path::{Path, PathBuf};

use modferry_checker::CheckError;
use modferry_checker::diff::DiffError;
use modferry_cli::wants::WantsError;
use modferry_cli::{ConfigError, Exit, Failure, Fault, count, in_one_line};
use modferry_protocol::bundle::{CutError, IndexError, ListError, PackError, WriteError};

use crate::fetch::{self, Fatal};
use crate::policy::is_refusal;
use crate::select::resolve::Unanswered;
use crate::sumdb::prove::SumdbError;

/// Why a command of the bundler failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Anything that a command finds out by itself.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The configuration file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A wants file.
    #[error(transparent)]
    Wants(#[from] WantsError),
    /// A file could not be read or written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// `read`, `write`, …
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something was found while fetching that stops everything.
    #[error(transparent)]
    Fetch(Box<Fatal>),
    /// The checksum database is not believed.
    #[error(transparent)]
    Sumdb(Box<SumdbError>),
    /// Modules that cannot be had, or may not be carried.
    #[error("{}{}", unavailable(failures, unanswered.len()), if *written { "; the bundle has the rest" } else { "" })]
    Unavailable {
        /// All of them.
        failures: Vec<fetch::Failure>,
        /// Queries that come to nothing.
        unanswered: Vec<Unanswered>,
        /// Whether a bundle of the rest was written.
        written: bool,
    },
    /// A bundle does not verify.
    #[error(transparent)]
    Check(Box<CheckError>),
    /// Volumes of a bundle are damaged.
    #[error("{}", volumes(.0))]
    Volumes(Vec<CheckError>),
    /// Two bundles or stores cannot be compared.
    #[error(transparent)]
    Diff(#[from] DiffError),
    /// The index of the bundle.
    #[error("the bundle's index cannot be made")]
    Index(#[from] IndexError),
    /// A list of the bundle.
    #[error("the bundle's list of needs or tombstones cannot be made")]
    List(#[from] ListError),
    /// A pack of the bundle.
    #[error("the bundle's small files cannot be packed")]
    Pack(#[from] PackError),
    /// The volumes' size.
    #[error("the bundle cannot be cut into volumes of that size")]
    Cut(#[from] CutError),
    /// The volumes.
    #[error("the bundle's volumes cannot be written")]
    Write(#[from] WriteError),
}

fn unavailable(failures: &[fetch::Failure], unanswered: usize) -> String {
    let refused = failures
        .iter()
        .filter(|failure| is_refusal(failure))
        .count();
    let upstream = failures.len() + unanswered - refused;
    match (upstream, refused) {
        (_, 0) => format!("{} cannot be had from upstream", count(upstream, "thing")),
        (0, _) => format!("the policy refuses {}", count(refused, "thing")),
        _ => format!(
            "{} cannot be had from upstream, and the policy refuses {}",
            count(upstream, "thing"),
            count(refused, "thing")
        ),
    }
}

/// The one damaged volume, or how many; the details then have each.
fn volumes(damaged: &[CheckError]) -> String {
    match damaged {
        [only] => in_one_line(only),
        _ => format!("{} volumes are damaged", damaged.len()),
    }
}

impl Error {
    /// A wrong use or configuration.
    pub fn usage(message: impl Into<String>) -> Error {
        Fault::new(Exit::Usage, message).into()
    }

    /// The same, because of `source`.
    pub fn usage_because(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Fault::new(Exit::Usage, message).because(source).into()
    }

    /// For `map_err` on file operations.
    pub fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::File {
            what,
            path: path.to_owned(),
            source,
        }
    }
}

/// Whether the destination takes no file of that size, as FAT does not from 4 GiB on.
fn too_large(error: &WriteError) -> bool {
    matches!(error, WriteError::Io { source, .. } if source.kind() == io::ErrorKind::FileTooLarge)
}

/// What is named and is not there, or is a folder in place of a file, or the other way round, was named wrongly: a flag, a key of
/// modferry.yaml, or what one of these leads to. What is there and cannot be read is no fault of who named it.
fn of_file(source: &io::Error) -> Exit {
    match source.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidInput => Exit::Usage,
        _ => of_io(source),
    }
}

fn of_io(source: &io::Error) -> Exit {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Exit::NoRoom,
        _ => Exit::Other,
    }
}

impl From<Fatal> for Error {
    fn from(fatal: Fatal) -> Error {
        Error::Fetch(Box::new(fatal))
    }
}

impl From<SumdbError> for Error {
    fn from(error: SumdbError) -> Error {
        Error::Sumdb(Box::new(error))
    }
}

impl From<CheckError> for Error {
    fn from(error: CheckError) -> Error {
        Error::Check(Box::new(error))
    }
}

impl Failure for Fatal {
    fn exit(&self) -> Exit {
        match self {
            Fatal::Cache { source, .. } => of_io(source),
            Fatal::Mismatch { .. } | Fatal::GoSum { .. } | Fatal::Lookup(_) => Exit::Sumdb,
        }
    }

    fn advice(&self) -> Option<String> {
        let text = match self {
            Fatal::GoSum { .. } => {
                "the go.sum file or the upstream was tampered with, or a version was published twice: \
                 find out which before anything is carried"
            }
            Fatal::Mismatch { .. } => {
                "nothing was written; the upstream serves something that its authors did not publish, \
                 or the version was published twice: try another upstream (GOPROXY)"
            }
            Fatal::Lookup(_) => {
                "nothing was written; check that GOSUMDB names the database that this upstream answers for"
            }
            Fatal::Cache { .. } => return None,
        };
        Some(text.into())
    }
}

impl Failure for SumdbError {
    fn exit(&self) -> Exit {
        match self {
            SumdbError::Unavailable { .. } | SumdbError::NoHead { .. } => Exit::Upstream,
            SumdbError::Cache { source, .. } => of_io(source),
            SumdbError::KnownBeyond { .. } => Exit::Usage,
            SumdbError::Fork { .. }
            | SumdbError::WentBack { .. }
            | SumdbError::Record { .. }
            | SumdbError::Tiles { .. } => Exit::Sumdb,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            SumdbError::Fork { evidence, .. } => {
                let files: Vec<String> = evidence
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                let files = files.join(", ");
                let kept = match evidence.len() {
                    0 => "Neither signed tree head could be kept as evidence".into(),
                    1 => format!(
                        "One signed tree head is kept as evidence: {files}; the other is in the bundle of \
                         this stream that shipped it, keep that"
                    ),
                    _ => format!("Both signed tree heads are kept as evidence: {files}"),
                };
                Some(format!(
                    "no bundle was written. {kept}. Do not go on from this network before it is known who \
                     forged one of them"
                ))
            }
            SumdbError::WentBack { .. } => Some(
                "no bundle was written; the upstream hides the newest tree or is far behind: try another \
                 (GOPROXY), and do not go on from this network before it is known why"
                    .into(),
            ),
            SumdbError::NoHead { .. } | SumdbError::Unavailable { .. } => {
                Some("check GOPROXY and GOSUMDB, and whether they can be reached from here".into())
            }
            _ => None,
        }
    }
}

impl Failure for Error {
    fn exit(&self) -> Exit {
        match self {
            Error::Fault(fault) => fault.exit(),
            Error::Config(error) => error.exit(),
            Error::Wants(error) => error.exit(),
            Error::File { source, .. } => of_file(source),
            Error::Fetch(fatal) => fatal.exit(),
            Error::Sumdb(error) => error.exit(),
            Error::Unavailable {
                failures,
                unanswered,
                ..
            } => match failures.iter().all(is_refusal)
                && unanswered.iter().all(Unanswered::is_usage)
            {
                true => Exit::Usage,
                false => Exit::Upstream,
            },
            Error::Check(error) => error.exit(),
            Error::Volumes(_) => Exit::Damaged,
            Error::Diff(error) => error.exit(),
            Error::Write(error) if too_large(error) => Exit::NoRoom,
            Error::Write(WriteError::Io { source, .. }) => of_io(source),
            Error::Cut(_) => Exit::Usage,
            Error::Index(_) | Error::List(_) | Error::Pack(_) | Error::Write(_) => Exit::Other,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Error::Fault(fault) => fault.advice(),
            Error::Config(error) => error.advice(),
            Error::Wants(error) => error.advice(),
            Error::Fetch(fatal) => fatal.advice(),
            Error::Sumdb(error) => error.advice(),
            Error::Unavailable { written: false, .. } => Some(
                "take them out of what is asked for, or use --keep-going to export the rest; its manifest \
                 will say what is missing"
                    .into(),
            ),
            Error::Check(error) => error.advice(),
            Error::Write(error) if too_large(error) => Some(
                "the file system of the destination takes no file so large: export in volumes, with \
                 --volume-size fat32 or less"
                    .into(),
            ),
            Error::Volumes(damaged) => {
                let advice: Vec<String> = damaged.iter().filter_map(Failure::advice).collect();
                Some(advice.join("\n"))
            }
            Error::Diff(error) => error.advice(),
            _ => None,
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Error::Unavailable {
                failures,
                unanswered,
                ..
            } => {
                let queries = unanswered.iter().map(ToString::to_string);
                queries
                    .chain(failures.iter().map(fetch::Failure::line))
                    .collect()
            }
            Error::Check(error) => error.details(),
            Error::Volumes(damaged) => damaged
                .iter()
                .flat_map(|error| match damaged.len() {
                    1 => error.details(),
                    _ => [vec![in_one_line(error)], error.details()].concat(),
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_named_and_not_there_is_the_settings_fault() {
        let dir = tempfile::tempdir().unwrap();
        let exit = |path: &Path| {
            let read = crate::files::read_bounded(path, 10);
            Error::file("read", path)(read.unwrap_err()).exit()
        };
        let file = dir.path().join("file");
        std::fs::write(&file, [0; 11]).unwrap();
        assert_eq!(exit(&dir.path().join("none")), Exit::Usage);
        assert_eq!(exit(dir.path()), Exit::Usage);
        assert_eq!(exit(&file.join("below")), Exit::Usage);
        let made = crate::files::make_folders(&file);
        let error = Error::file("make", &file)(made.unwrap_err());
        assert_eq!(error.exit(), Exit::Usage);
        // One that is there, and larger than may be.
        assert_eq!(exit(&file), Exit::Other);
        for (kind, exit) in [
            (io::ErrorKind::PermissionDenied, Exit::Other),
            (io::ErrorKind::StorageFull, Exit::NoRoom),
        ] {
            assert_eq!(Error::file("read", &file)(kind.into()).exit(), exit);
        }
    }

    #[test]
    fn a_file_system_that_takes_no_large_files_is_told_as_that() {
        const EFBIG: i32 = 27;
        let error = Error::Write(WriteError::Io {
            entry: "entry 000001.zip".into(),
            source: io::Error::from_raw_os_error(EFBIG),
        });
        assert_eq!(error.exit(), Exit::NoRoom);
        assert!(
            error
                .advice()
                .is_some_and(|advice| advice.contains("--volume-size fat32"))
        );
    }
}
