//! Opens a volume as a stream, once from front to back, and believes nothing before its turn.
//!
//! The types are the order of trust. Each step takes the one before it by value, and the only way from
//! [`Volume`] to [`Trusted`] is an [`Accepted`] manifest, which only a policy makes. From [`Indexed`] two ways lead on:
//! [`Indexed::entries`] reads the bundle, this volume and all that follow it; [`Indexed::parts`] examines just this one.
//!
//! A tar header is not parsed but predicted: manifest and index say what it must be, byte for byte. Memory is
//! bounded by the constants of [`crate::bundle`], and grows only as bytes arrive, never by what a header says.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use sha2::{Digest as _, Sha256};

use super::entries::{Entries, Volumes};
use super::file::FileName;
use super::index::IndexReader;
use super::item::Item;
use super::manifest::Manifest;
use super::parts::VolumeParts;
use super::rules::IndexError;
use super::stream::{SIGNED, Tar};
use super::volume::VolumeText;
use super::{MAX_MANIFEST, MAX_VOLUME_TEXT};
use crate::trust::Accepted;

/// Why a bundle is not read on. Each says the entry, or the part of the volume, that it is about, and the volume's
/// number, where that is known.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Bytes are other than those that were signed, or were signed and are not as the format has them.
    #[error("{entry}: {what}")]
    Damaged {
        /// The volume's number.
        volume: Option<u32>,
        /// The entry.
        entry: String,
        /// What is wrong with it.
        what: String,
    },
    /// The volume ends early.
    #[error("the volume ends in {entry}")]
    Truncated {
        /// The volume's number.
        volume: Option<u32>,
        /// The entry that is not whole.
        entry: String,
    },
    /// The tar has something else than the index says, or it is another volume than the one whose turn it is.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// The volume's number.
        volume: Option<u32>,
        /// What the index says comes here.
        expected: String,
        /// What is there instead.
        found: String,
    },
    /// The volume's manifest is not the one that was accepted.
    #[error("the volume belongs to another bundle: its manifest is not that of {expected}")]
    Foreign {
        /// The volume's number.
        volume: Option<u32>,
        /// The accepted manifest's file name.
        expected: String,
    },
    /// The next volume is not there.
    #[error("volume {volume} of {of} is not there")]
    Absent {
        /// Its number.
        volume: u32,
        /// How many there are.
        of: u32,
        /// What the system said.
        source: io::Error,
    },
    /// The index is signed, and is no index.
    #[error("the index is not as the format has it")]
    Index(#[source] IndexError),
    /// The caller went on without having finished an entry, or after an error.
    #[error("{entry} was not finished")]
    Unfinished {
        /// The entry.
        entry: String,
    },
    /// Reading the volume failed.
    #[error("reading {entry} failed")]
    Io {
        /// The volume's number.
        volume: Option<u32>,
        /// The entry.
        entry: String,
        /// Why.
        source: io::Error,
    },
    /// The index's spool failed.
    #[error("the temporary copy of the index failed")]
    Spool(#[source] io::Error),
}

impl ReadError {
    /// The number of the volume that it is about; `None` where that is not known, or it is about no volume.
    pub fn volume(&self) -> Option<u32> {
        match self {
            Self::Damaged { volume, .. }
            | Self::Truncated { volume, .. }
            | Self::Unexpected { volume, .. }
            | Self::Foreign { volume, .. }
            | Self::Io { volume, .. } => *volume,
            Self::Absent { volume, .. } => Some(*volume),
            Self::Index(_) | Self::Unfinished { .. } | Self::Spool(_) => None,
        }
    }
}

impl From<IndexError> for ReadError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Io(source) => ReadError::Spool(source),
            error => ReadError::Index(error),
        }
    }
}

/// A volume of which only the manifest's bytes are read, and nothing is believed.
pub struct Volume<R> {
    tar: Tar<R>,
    note: Vec<u8>,
}

impl<R: Read> Volume<R> {
    /// Reads the manifest's bytes, at most [`MAX_MANIFEST`], and interprets none of them.
    pub fn open(input: R) -> Result<Self, ReadError> {
        Self::open_as(input, None)
    }

    /// The same of what should be the volume of that number.
    pub(super) fn open_as(input: R, volume: Option<u32>) -> Result<Self, ReadError> {
        let mut tar = Tar::new(input, volume);
        let note = tar.small_file("manifest", MAX_MANIFEST)?;
        Ok(Self { tar, note })
    }

    /// The manifest with its signatures, as it rides in this volume: for
    /// [`Policy::accept`](crate::trust::Policy::accept), unless a file beside the volume has more signatures.
    pub fn manifest_note(&self) -> &[u8] {
        &self.note
    }

    /// Goes on with an accepted manifest, if it is this volume's: the texts must be equal. The signatures need not
    /// be, since some may have been added later to the file beside the volume.
    pub fn trust(self, accepted: &Accepted) -> Result<Trusted<R>, ReadError> {
        self.trust_manifest(accepted.manifest())
    }

    pub(super) fn trust_manifest(self, manifest: &Manifest) -> Result<Trusted<R>, ReadError> {
        // A manifest has no empty line, so the first one in the note ends the text.
        let same = self
            .note
            .starts_with(format!("{}\n", manifest.encode()).as_bytes());
        if !same {
            return Err(ReadError::Foreign {
                volume: self.tar.volume,
                expected: manifest.file_name(),
            });
        }
        Ok(Trusted {
            tar: self.tar,
            manifest: manifest.clone(),
            note_sha256: Sha256::digest(&self.note).into(),
        })
    }
}

/// A volume whose manifest is accepted. Of the rest, nothing is read.
pub struct Trusted<R> {
    tar: Tar<R>,
    manifest: Manifest,
    note_sha256: [u8; 32],
}

impl<R: Read> Trusted<R> {
    /// The accepted manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Copies the index into an empty spool, and refuses it unless it is the one that the manifest names; only then
    /// reads it, from end to end, so that a malformed one is refused before any entry is. Then reads which volume
    /// this is.
    pub fn index<S: Read + Write + Seek>(
        mut self,
        mut spool: S,
    ) -> Result<Indexed<R, S>, ReadError> {
        self.index_bytes(|chunk| spool.write_all(chunk).map_err(ReadError::Spool))?;
        spool.flush().map_err(ReadError::Spool)?;
        spool.seek(SeekFrom::Start(0)).map_err(ReadError::Spool)?;
        let index = IndexReader::new(BufReader::new(&mut spool));
        let mut files = Vec::new();
        let differs = index.differs(&self.manifest, |entry| {
            files.extend(entry.items.iter().filter_map(|(item, _)| match item {
                Item::File(name) => Some(name.clone()),
                _ => None,
            }));
        });
        if let Some(what) = differs? {
            return Err(self.tar.damaged(&"index", what));
        }
        spool.seek(SeekFrom::Start(0)).map_err(ReadError::Spool)?;
        let text = self.volume_text()?;
        Ok(Indexed {
            tar: self.tar,
            manifest: self.manifest,
            index: IndexReader::new(BufReader::new(spool)),
            files,
            text,
        })
    }

    /// Reads a volume's front whose index is known already: it must be the same. Gives the rest, and which volume it is.
    pub(super) fn same_index(mut self) -> Result<(Tar<R>, VolumeText), ReadError> {
        self.index_bytes(|_| Ok(()))?;
        let text = self.volume_text()?;
        Ok((self.tar, text))
    }

    fn index_bytes(
        &mut self,
        mut take: impl FnMut(&[u8]) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let want = self.manifest.index;
        self.tar.header(&"index", "index", want.size)?;
        let mut hasher = Sha256::new();
        self.tar.each_chunk(&"index", want.size, |chunk| {
            hasher.update(chunk);
            take(chunk)
        })?;
        self.tar.padding(&"index", want.size)?;
        self.tar.check_hash(&"index", hasher, &want.sha256, SIGNED)
    }

    fn volume_text(&mut self) -> Result<VolumeText, ReadError> {
        let name = "volume";
        let bytes = self.tar.small_file(name, MAX_VOLUME_TEXT)?;
        let text = VolumeText::parse(&bytes)
            .map_err(|error| self.tar.damaged(&name, error.to_string()))?;
        if text.manifest_sha256 != self.note_sha256 {
            return Err(self.tar.damaged(
                &"manifest",
                "it is not as it was written: a signature's line is another".into(),
            ));
        }
        // Volumes that are opened in order have a number already: the text has to agree.
        match self.tar.volume {
            Some(number) if number != text.number => Err(ReadError::Unexpected {
                volume: self.tar.volume,
                expected: format!("volume {number}"),
                found: format!("volume {} of {}", text.number, text.of),
            }),
            _ => {
                self.tar.volume = Some(text.number);
                Ok(text)
            }
        }
    }
}

/// A volume whose index is the accepted manifest's, and that has said which volume it is. Of its entries, nothing is read.
pub struct Indexed<R, S> {
    tar: Tar<R>,
    manifest: Manifest,
    index: IndexReader<BufReader<S>>,
    files: Vec<FileName>,
    text: VolumeText,
}

impl<R: Read, S: Read> Indexed<R, S> {
    /// The files that the bundle carries, in all of its volumes: at most [`MAX_FILES`](super::MAX_FILES).
    pub fn files(&self) -> &[FileName] {
        &self.files
    }

    /// Which volume it says that it is, and what it has.
    pub fn volume(&self) -> &VolumeText {
        &self.text
    }

    /// All of the bundle's entries: this must be the first volume, and `volumes` gives those behind it.
    pub fn entries<V: Volumes<Reader = R>>(self, volumes: V) -> Result<Entries<V, S>, ReadError> {
        if self.text.number != 1 {
            return Err(ReadError::Unexpected {
                volume: self.tar.volume,
                expected: "volume 1".into(),
                found: format!("volume {} of {}", self.text.number, self.text.of),
            });
        }
        Ok(Entries::new(
            volumes,
            self.tar,
            self.text,
            self.manifest,
            self.index,
        ))
    }

    /// What this one volume has, part by part.
    pub fn parts(self) -> VolumeParts<R, S> {
        VolumeParts::new(self.tar, self.text, self.index)
    }
}
