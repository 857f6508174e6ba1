//! The front of a volume: manifest and index, read without asking who signed.
//!
//! `inspect` and `diff` show what a bundle says of itself. They prove nothing and say so; `verify` proves. The
//! manifest must parse all the same, and the index must be the one that it names: so that what is shown is as good
//! as the signature, wherever that is checked.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use modferry_checker::diff::IndexFile;
use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{MAX_INDEX, Manifest, Volume};
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::state::manifest_of;

/// A tar's unit.
const BLOCK: u64 = 512;

/// What a volume has before its entries.
#[derive(Debug)]
pub struct Front {
    /// The volume's file.
    pub path: PathBuf,
    /// The manifest with the signatures that ride in the volume.
    pub note: Vec<u8>,
    /// The manifest, by whomever.
    pub manifest: Manifest,
    /// The index that it names.
    pub index: IndexFile,
    /// Bytes of the volume.
    pub bytes: u64,
}

impl Front {
    /// Reads a volume's front.
    pub fn read(path: &Path) -> Result<Front, Error> {
        let open = |source| Error::file("read", path)(source);
        let mut file = File::open(path).map_err(open)?;
        let bytes = file.metadata().map_err(open)?.len();
        let volume = Volume::open(BufReader::new(&file)).map_err(|source| damaged(path, source))?;
        let note = volume.manifest_note().to_vec();
        drop(volume);
        let manifest = manifest_of(&note).map_err(|what| damaged(path, io::Error::other(what)))?;

        let header = BLOCK + (note.len() as u64).next_multiple_of(BLOCK);
        let size = manifest.index.size;
        file.seek(SeekFrom::Start(header)).map_err(open)?;
        index_header(&mut file, size).map_err(|source| damaged(path, source))?;
        let index = IndexFile::new(file, header + BLOCK, size);
        let mut hasher = Sha256::new();
        let mut reader = index.bytes();
        let mut buf = vec![0; 64 << 10];
        loop {
            match reader.read(&mut buf).map_err(open)? {
                0 => break,
                n => hasher.update(&buf[..n]),
            }
        }
        if <[u8; 32]>::from(hasher.finalize()) != manifest.index.sha256 {
            let what = io::Error::other("its index is not the one that its manifest names");
            return Err(damaged(path, what));
        }
        Ok(Front {
            path: path.to_owned(),
            note,
            manifest,
            index,
            bytes,
        })
    }
}

/// The tar header of an index of that size.
fn index_header(file: &mut impl Read, size: u64) -> io::Result<()> {
    let mut block = [0; BLOCK as usize];
    file.read_exact(&mut block)?;
    let digits = std::str::from_utf8(&block[124..135]).ok();
    let said = digits.and_then(|digits| u64::from_str_radix(digits, 8).ok());
    match block.starts_with(b"index\0") && said == Some(size) && size <= MAX_INDEX {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "no index where it should be",
        )),
    }
}

/// A file that is no volume, or no longer.
pub fn damaged(path: &Path, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Fault::new(
        Exit::Damaged,
        format!("{}: not a bundle, or damaged", path.display()),
    )
    .because(source)
    .into()
}
