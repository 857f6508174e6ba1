//! The packages of a module whose files are in a folder: a project's own, or one that stands in for a module.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::constraint::Tags;
use super::folders::{Collector, Packages, TooMany, is_source};
use super::zip_packages::{Found, MAX_HEADER, header_of};

/// A folder with more files and folders than this below it is not taken for a module's.
pub const MAX_ENTRIES: usize = 1 << 20;

/// Why a folder's packages are not known.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// The system refuses.
    #[error("cannot read {}", path.display())]
    Read {
        /// What was read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// There is more than [`MAX_ENTRIES`].
    #[error("{} has more than {MAX_ENTRIES} files and folders below it", .0.display())]
    Entries(PathBuf),
    /// A file's header is longer than [`MAX_HEADER`].
    #[error("{}: its imports do not end within {MAX_HEADER} bytes", .0.display())]
    Header(PathBuf),
    /// There are too many imports.
    #[error("{}: {source}", path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// Of what.
        source: TooMany,
    },
}

/// The packages of the module in this folder. Folders that are modules of their own are none of its, vendored
/// packages are others', and links to folders are not followed, as for the go command.
pub fn read(root: &Path, tags: &Tags) -> Result<Packages, CheckoutError> {
    let mut collector = Collector::new(tags);
    let mut bytes = Vec::new();
    let mut seen = 0;
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((path, folder)) = folders.pop() {
        let failed = |source| CheckoutError::Read {
            path: path.clone(),
            source,
        };
        for entry in fs::read_dir(&path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            seen += 1;
            if seen > MAX_ENTRIES {
                return Err(CheckoutError::Entries(root.to_owned()));
            }
            // What is no text cannot be named by an import.
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = entry.path();
            if entry.file_type().map_err(failed)?.is_dir() {
                let hidden = name.starts_with('.') || name == "vendor";
                if !hidden && !path.join("go.mod").is_file() {
                    let below = match &*folder {
                        "" => name,
                        folder => format!("{folder}/{name}"),
                    };
                    folders.push((path, below));
                }
                continue;
            }
            // A link to a file counts as one.
            if !is_source(&name) || !path.is_file() {
                continue;
            }
            let failed = |source| CheckoutError::Read {
                path: path.clone(),
                source,
            };
            let file = File::open(&path).map_err(failed)?;
            let header = match header_of(file, &mut bytes).map_err(failed)? {
                Found::Header(header) => Some(header),
                Found::NoGo => None,
                Found::TooLong => return Err(CheckoutError::Header(path)),
            };
            let read = header.as_ref().map(|header| (header, &*bytes));
            collector
                .add(&folder, &name, read)
                .map_err(|source| CheckoutError::TooMany {
                    path: root.to_owned(),
                    source,
                })?;
        }
    }
    Ok(collector.finish())
}
