//! The front of a volume: manifest, index and which volume it is, read without asking who signed.
//!
//! `inspect` and `diff` show what a bundle says of itself. They prove nothing and say so; `verify` proves. The
//! manifest must parse all the same, and the index must be the one that it names: so that what is shown is as good
//! as the signature, wherever that is checked.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use modferry_checker::diff::IndexFile;
use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{
    MAX_INDEX, MAX_VOLUME_TEXT, Manifest, Volume, VolumeText, front_size,
};
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
    /// Which volume it says that it is, and what it has.
    pub volume: VolumeText,
    /// Bytes of the volume.
    pub bytes: u64,
    /// Where its entries begin.
    pub entries_at: u64,
}

impl Front {
    /// Reads a volume's front; and the index, which is the same in all volumes of a bundle, and keeps its file open.
    pub fn read(path: &Path) -> Result<(Front, IndexFile), Error> {
        let open = |source| Error::file("read", path)(source);
        let mut file = File::open(path).map_err(open)?;
        let bytes = file.metadata().map_err(open)?.len();
        let volume = Volume::open(BufReader::new(&file)).map_err(|source| damaged(path, source))?;
        let note = volume.manifest_note().to_vec();
        drop(volume);
        let manifest = manifest_of(&note).map_err(|what| damaged(path, io::Error::other(what)))?;

        let index_at = BLOCK + (note.len() as u64).next_multiple_of(BLOCK);
        file.seek(SeekFrom::Start(index_at)).map_err(open)?;
        let size = manifest.index.size;
        header(&mut file, "index", MAX_INDEX)
            .and_then(|said| match said == size {
                true => Ok(()),
                false => Err(misplaced("index of that size")),
            })
            .map_err(|source| damaged(path, source))?;
        let volume_at = front_size(note.len() as u64, size);
        file.seek(SeekFrom::Start(volume_at)).map_err(open)?;
        let text = volume_text(&mut file).map_err(|source| damaged(path, source))?;
        let volume = VolumeText::parse(&text).map_err(|source| damaged(path, source))?;

        let index = IndexFile::new(file, index_at + BLOCK, size);
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
        let front = Front {
            path: path.to_owned(),
            note,
            manifest,
            volume,
            bytes,
            entries_at: volume_at + BLOCK + (text.len() as u64).next_multiple_of(BLOCK),
        };
        Ok((front, index))
    }
}

fn volume_text(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let size = header(file, "volume", MAX_VOLUME_TEXT)?;
    let mut text = vec![0; size as usize];
    file.read_exact(&mut text)?;
    Ok(text)
}

/// The tar header of a file of that name, and the size that it gives.
fn header(file: &mut impl Read, name: &str, most: u64) -> io::Result<u64> {
    let mut block = [0; BLOCK as usize];
    file.read_exact(&mut block)?;
    let named = block.starts_with(name.as_bytes()) && block[name.len()] == 0;
    let digits = std::str::from_utf8(&block[124..135]).ok();
    digits
        .and_then(|digits| u64::from_str_radix(digits, 8).ok())
        .filter(|size| named && *size <= most)
        .ok_or_else(|| misplaced(name))
}

fn misplaced(name: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("no {name} where it should be"),
    )
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
