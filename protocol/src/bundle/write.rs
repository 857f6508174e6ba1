//! Writes a volume. The same manifest, index and entries give the same bytes.
//!
//! The writer reads what it is given as a reader will, so that it cannot write a volume that no reader takes:
//! the manifest must parse and name this index, and each entry must be the index's next, with the bytes that
//! the index's hash is over.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

use super::index::IndexReader;
use super::item::{Digest, Entry};
use super::manifest::{Manifest, ManifestError};
use super::rules::IndexError;
use super::{MAX_MANIFEST, ustar};

/// Writes one volume: `manifest`, `index`, then every entry in order.
pub struct VolumeWriter<'i, W> {
    out: W,
    index: IndexReader<&'i [u8]>,
}

/// Why a volume was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The manifest is none.
    #[error("the manifest is not one that a reader takes")]
    Manifest(#[from] ManifestError),
    /// The index is none.
    #[error("the index is not one that a reader takes")]
    Index(#[from] IndexError),
    /// The parts given do not belong together.
    #[error("{what}")]
    Mismatch {
        /// Which, and how they differ.
        what: String,
    },
    /// Reading an entry's bytes, or writing the volume, failed.
    #[error("{entry}: reading or writing it failed")]
    Io {
        /// The entry, or the part of the volume.
        entry: String,
        /// Why.
        source: io::Error,
    },
}

impl<'i, W: Write> VolumeWriter<'i, W> {
    /// Writes a volume's front: the manifest with its signatures, and the index that it names.
    pub fn new(out: W, manifest_note: &[u8], index: &'i [u8]) -> Result<Self, WriteError> {
        let manifest = manifest_of(manifest_note)?;
        let given = Digest {
            size: index.len() as u64,
            sha256: Sha256::digest(index).into(),
        };
        if manifest.index != given {
            return Err(mismatch(
                "the manifest names another index than the one given",
            ));
        }
        if let Some(what) = IndexReader::new(index).differs(&manifest)? {
            return Err(mismatch(&format!(
                "the index does not fit the manifest: {what}"
            )));
        }
        let mut writer = Self {
            out,
            index: IndexReader::new(index),
        };
        writer
            .file("manifest", manifest_note)
            .map_err(io_of("manifest"))?;
        writer.file("index", index).map_err(io_of("index"))?;
        Ok(writer)
    }

    /// Writes the next entry from its bytes. They are hashed on the way: what is not what the index says is an
    /// error, and the volume is then no volume.
    pub fn entry(&mut self, entry: &Entry, bytes: &mut dyn Read) -> Result<(), WriteError> {
        match self.index.next().transpose()? {
            Some(next) if next == *entry => {}
            Some(next) => {
                return Err(mismatch(&format!(
                    "{entry} given where the index has {next}"
                )));
            }
            None => {
                return Err(mismatch(&format!(
                    "{entry} given after the index's last entry"
                )));
            }
        }
        let digest = self.body(entry, bytes).map_err(io_of(&entry.to_string()))?;
        if digest
            != (Digest {
                size: entry.stored,
                sha256: entry.sha256,
            })
        {
            return Err(mismatch(&format!(
                "{entry}: its bytes are not those that the index was made from"
            )));
        }
        Ok(())
    }

    /// Ends the archive. All of the index's entries must have been written.
    pub fn finish(mut self) -> Result<W, WriteError> {
        if let Some(next) = self.index.next().transpose()? {
            return Err(mismatch(&format!("{next} was not given")));
        }
        let end = [0; 2 * ustar::BLOCK];
        self.out
            .write_all(&end)
            .and_then(|()| self.out.flush())
            .map_err(io_of("end of the archive"))?;
        Ok(self.out)
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.out
            .write_all(&ustar::header(name, bytes.len() as u64))?;
        self.out.write_all(bytes)?;
        self.pad(bytes.len() as u64)
    }

    /// Writes an entry whole, and gives the digest of what its bytes were, at most one byte past what it has.
    fn body(&mut self, entry: &Entry, bytes: &mut dyn Read) -> io::Result<Digest> {
        self.out
            .write_all(&ustar::header(&entry.file_name(), entry.stored))?;
        let mut hashing = Hashing {
            out: &mut self.out,
            hasher: Sha256::new(),
        };
        let size = io::copy(&mut bytes.take(entry.stored + 1), &mut hashing)?;
        let sha256 = hashing.hasher.finalize().into();
        self.pad(size)?;
        Ok(Digest { size, sha256 })
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        self.out
            .write_all(&[0; ustar::BLOCK][..ustar::padding(size)])
    }
}

/// Hashes what is written through it.
struct Hashing<'a, W> {
    out: &'a mut W,
    hasher: Sha256,
}

impl<W: Write> Write for Hashing<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.out.write(buf)?;
        self.hasher.update(&buf[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The manifest in a note, signatures unseen: whether they are any good is not the writer's to say.
fn manifest_of(note: &[u8]) -> Result<Manifest, WriteError> {
    if note.len() as u64 > MAX_MANIFEST {
        return Err(ManifestError::TooLong(note.len()).into());
    }
    let note = std::str::from_utf8(note).map_err(|_| mismatch("the manifest is not UTF-8"))?;
    let Some((text, _signatures)) = note.split_once("\n\n") else {
        return Err(mismatch("the manifest is not signed"));
    };
    Ok(Manifest::parse(&note[..=text.len()])?)
}

fn mismatch(what: &str) -> WriteError {
    WriteError::Mismatch {
        what: what.to_owned(),
    }
}

fn io_of(entry: &str) -> impl FnOnce(io::Error) -> WriteError {
    let entry = entry.to_owned();
    |source| WriteError::Io { entry, source }
}
