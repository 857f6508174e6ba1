//! Reads a volume as a stream, once from front to back, and believes nothing before its turn.
//!
//! The types are the order of trust. Each step takes the one before it by value, and the only way from
//! [`Volume`] to [`Trusted`] is an [`Accepted`] manifest, which only a policy makes.
//!
//! A tar header is not parsed but predicted: manifest and index say what it must be, byte for byte. Memory is
//! bounded by the constants of [`crate::bundle`], and grows only as bytes arrive, never by what a header says.

use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

use sha2::{Digest as _, Sha256};

use super::index::IndexReader;
use super::item::{Encoding, Entry, Item};
use super::manifest::Manifest;
use super::rules::IndexError;
use super::stream::{Tar, check_hash, damaged, other_than};
use super::ustar::{self, BLOCK};
use super::{MAX_MANIFEST, pack};
use crate::trust::Accepted;

/// Why a volume is not read on. Each says the entry, or the part of the volume, that it is about.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Bytes are other than those that were signed, or were signed and are not as the format has them.
    #[error("{entry}: {what}")]
    Damaged {
        /// The entry.
        entry: String,
        /// What is wrong with it.
        what: String,
    },
    /// The volume ends early.
    #[error("the volume ends in {entry}")]
    Truncated {
        /// The entry that is not whole.
        entry: String,
    },
    /// The tar has something else than the index says.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What the index says comes here.
        expected: String,
        /// What is there instead.
        found: String,
    },
    /// The volume's manifest is not the one that was accepted.
    #[error("the volume belongs to another bundle: its manifest is not that of {expected}")]
    Foreign {
        /// The accepted manifest's file name.
        expected: String,
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
        /// The entry.
        entry: String,
        /// Why.
        source: io::Error,
    },
    /// The index's spool failed.
    #[error("the temporary copy of the index failed")]
    Spool(#[source] io::Error),
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
        let mut tar = Tar::new(input);
        let block = tar.block(&"manifest")?;
        let Some(size) = ustar::size_of(&block, "manifest") else {
            return Err(other_than("manifest", &block));
        };
        if !(1..=MAX_MANIFEST).contains(&size) {
            return Err(damaged(
                &"manifest",
                format!("{size} bytes: want 1 to {MAX_MANIFEST}"),
            ));
        }
        let mut note = Vec::new();
        tar.each_chunk(&"manifest", size, |chunk| {
            note.extend_from_slice(chunk);
            Ok(())
        })?;
        tar.padding(&"manifest", size)?;
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
        let manifest = accepted.manifest().clone();
        // A manifest has no empty line, so the first one in the note ends the text.
        let same = self
            .note
            .starts_with(format!("{}\n", manifest.encode()).as_bytes());
        if !same {
            return Err(ReadError::Foreign {
                expected: manifest.file_name(),
            });
        }
        Ok(Trusted {
            tar: self.tar,
            manifest,
        })
    }
}

/// A volume whose manifest is accepted. Of the rest, nothing is read.
pub struct Trusted<R> {
    tar: Tar<R>,
    manifest: Manifest,
}

impl<R: Read> Trusted<R> {
    /// The accepted manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Copies the index into an empty spool, and refuses it unless it is the one that the manifest names; only then
    /// reads it, from end to end, so that a malformed one is refused before any entry is.
    pub fn index<S: Read + Write + Seek>(
        mut self,
        mut spool: S,
    ) -> Result<Entries<R, S>, ReadError> {
        let want = self.manifest.index;
        self.tar.header(&"index", "index", want.size)?;
        let mut hasher = Sha256::new();
        self.tar.each_chunk(&"index", want.size, |chunk| {
            hasher.update(chunk);
            spool.write_all(chunk).map_err(ReadError::Spool)
        })?;
        self.tar.padding(&"index", want.size)?;
        check_hash(&"index", hasher, &want.sha256)?;

        spool.flush().map_err(ReadError::Spool)?;
        spool.seek(SeekFrom::Start(0)).map_err(ReadError::Spool)?;
        let index = IndexReader::new(BufReader::new(&mut spool));
        if let Some(what) = index.differs(&self.manifest)? {
            return Err(damaged(&"index", what));
        }
        spool.seek(SeekFrom::Start(0)).map_err(ReadError::Spool)?;
        Ok(Entries {
            tar: self.tar,
            index: IndexReader::new(BufReader::new(spool)),
            ended: false,
        })
    }
}

/// A volume's entries, one after the other, each where the index says it is.
pub struct Entries<R, S> {
    tar: Tar<R>,
    index: IndexReader<BufReader<S>>,
    ended: bool,
}

impl<R: Read, S: Read> Entries<R, S> {
    /// The next entry; `None` after the last, and then [`finish`](Self::finish) is due.
    ///
    /// The one before must have been finished.
    // Not an Iterator: what it gives borrows the volume, so that there is one entry under way at a time.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Incoming<'_, R>>, ReadError> {
        self.tar.none_open()?;
        let Some(entry) = self.index.next().transpose()? else {
            self.ended = true;
            return Ok(None);
        };
        self.tar.open = Some(entry.to_string());
        self.tar.header(&entry, &entry.file_name(), entry.stored)?;
        let left = entry.stored;
        Ok(Some(Incoming {
            tar: &mut self.tar,
            entry,
            left,
            hasher: Sha256::new(),
        }))
    }

    /// Reads the archive's end: two blocks of zeros and nothing behind them. All entries must have been read.
    pub fn finish(mut self) -> Result<(), ReadError> {
        self.tar.none_open()?;
        if !self.ended {
            return Err(ReadError::Unfinished {
                entry: "the index's last entry".into(),
            });
        }
        let end = "end of the archive";
        for _ in 0..2 {
            let block = self.tar.block(&end)?;
            if block != [0; BLOCK] {
                return Err(other_than(end, &block));
            }
        }
        match self.tar.read(&end, &mut [0])? {
            0 => Ok(()),
            _ => Err(damaged(&end, "there are bytes behind it".into())),
        }
    }
}

/// One entry that is coming in. Its bytes are as stored, and not to be interpreted before they are all hashed.
pub struct Incoming<'v, R> {
    tar: &'v mut Tar<R>,
    entry: Entry,
    left: u64,
    hasher: Sha256,
}

impl<R: Read> Incoming<'_, R> {
    /// What the index says that it is.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Reads some of the stored bytes; 0 when there are no more, or `buf` is empty. They are not proven before
    /// [`finish`](Self::finish) says so.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, ReadError> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        if most == 0 {
            return Ok(0);
        }
        let n = self.tar.read(&self.entry, &mut buf[..most])?;
        if n == 0 {
            return Err(ReadError::Truncated {
                entry: self.entry.to_string(),
            });
        }
        self.hasher.update(&buf[..n]);
        self.left -= n as u64;
        Ok(n)
    }

    /// Ends the entry: reads what was not read of it, and checks its hash and padding. Until this has been
    /// well, nothing that was read may be believed; without it, there is no next entry.
    pub fn finish(mut self) -> Result<Entry, ReadError> {
        self.rest(|_| {})?;
        self.tar.padding(&self.entry, self.entry.stored)?;
        check_hash(&self.entry, self.hasher, &self.entry.sha256)?;
        self.tar.open = None;
        Ok(self.entry)
    }

    /// Reads a pack whole, checks its hash, and only then restores it and gives each item and its bytes to `each`.
    ///
    /// Nothing may have been read of it before.
    pub fn small_items<E: From<ReadError>>(
        mut self,
        mut each: impl FnMut(Item, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.entry.encoding != Encoding::Zstd || self.left != self.entry.stored {
            return Err(ReadError::Unfinished {
                entry: self.entry.to_string(),
            }
            .into());
        }
        let mut frame = Vec::new();
        self.rest(|chunk| frame.extend_from_slice(chunk))?;
        let entry = self.finish()?;
        let bytes =
            pack::restore(&frame, entry.restored()).map_err(|what| damaged(&entry, what))?;
        let mut rest = bytes.as_slice();
        for (item, size) in entry.items {
            // The sizes' sum is what was restored, and fits in memory.
            let (item_bytes, behind) = rest.split_at(size as usize);
            each(item, item_bytes)?;
            rest = behind;
        }
        Ok(())
    }

    /// Reads and hashes what is left of the stored bytes.
    fn rest(&mut self, mut take: impl FnMut(&[u8])) -> Result<(), ReadError> {
        let Self {
            tar,
            entry,
            left,
            hasher,
        } = self;
        tar.each_chunk(entry, std::mem::take(left), |chunk| {
            hasher.update(chunk);
            take(chunk);
            Ok(())
        })
    }
}
