//! A bundle's entries, one after the other, whichever volumes they are in.
//!
//! The volumes come in order, each opened when the one before it has ended, with the accepted manifest and its index at
//! its front. Each must begin exactly where the one before it ended, so that no entry is left out, and no part of one
//! comes twice. An entry that spans volumes is read as one.

use std::io::{self, BufReader, Read};

use sha2::{Digest as _, Sha256};

use super::index::IndexReader;
use super::item::{Encoding, Entry, Item};
use super::manifest::Manifest;
use super::pack;
use super::read::{ReadError, Volume};
use super::stream::{SIGNED, Tar, WRITTEN};
use super::volume::{Part, Point, VolumeText};

/// Where the volumes of one bundle are: on a shelf, in a drive that asks for the next disc, in a pipe.
pub trait Volumes {
    /// A volume's bytes, from its first.
    type Reader: Read;

    /// Opens the volume of that number, from 1. They are asked for in order, each once, and each only when all
    /// before it are read. [`NotFound`](io::ErrorKind::NotFound) means that it is not there.
    fn open(&mut self, number: u32) -> io::Result<Self::Reader>;
}

impl<R: Read, F: FnMut(u32) -> io::Result<R>> Volumes for F {
    type Reader = R;

    fn open(&mut self, number: u32) -> io::Result<R> {
        self(number)
    }
}

/// A bundle's only volume, as one stream.
pub struct OneVolume<R>(Option<R>);

impl<R: Read> OneVolume<R> {
    /// The bundle of that one volume.
    pub fn new(reader: R) -> Self {
        Self(Some(reader))
    }
}

impl<R: Read> Volumes for OneVolume<R> {
    type Reader = R;

    fn open(&mut self, number: u32) -> io::Result<R> {
        let only = if number == 1 { self.0.take() } else { None };
        only.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "only one volume was given"))
    }
}

/// A bundle's entries, one after the other, each where the index says it is.
pub struct Entries<V: Volumes, S> {
    feed: Feed<V>,
    index: IndexReader<BufReader<S>>,
    /// The entry that was read last; 0 before the first.
    last: u32,
    ended: bool,
}

impl<V: Volumes, S: Read> Entries<V, S> {
    pub(super) fn new(
        volumes: V,
        tar: Tar<V::Reader>,
        text: VolumeText,
        manifest: Manifest,
        index: IndexReader<BufReader<S>>,
    ) -> Self {
        Self {
            feed: Feed {
                volumes,
                tar,
                text,
                manifest,
                open: None,
            },
            index,
            last: 0,
            ended: false,
        }
    }

    /// The next entry; `None` after the last, and then [`finish`](Self::finish) is due.
    ///
    /// The one before must have been finished.
    // Not an Iterator: what it gives borrows the volume, so that there is one entry under way at a time.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Incoming<'_, V>>, ReadError> {
        self.feed.none_open()?;
        let Some(entry) = self.index.next().transpose()? else {
            self.ended = true;
            return Ok(None);
        };
        self.last = entry.number;
        self.feed.open = Some(entry.to_string());
        let from = Point::start_of(entry.number);
        if self.feed.text.last() < entry.number {
            self.feed.next_volume(from)?;
        }
        let part = self.feed.begin(&entry)?;
        Ok(Some(Incoming {
            feed: &mut self.feed,
            left: entry.stored,
            entry,
            hasher: Sha256::new(),
            part,
        }))
    }

    /// What the volume that is being read says of itself.
    pub fn volume(&self) -> &VolumeText {
        &self.feed.text
    }

    /// Reads the last volume's end. All entries must have been read.
    pub fn finish(mut self) -> Result<(), ReadError> {
        self.feed.none_open()?;
        if !self.ended {
            return Err(ReadError::Unfinished {
                entry: "the index's last entry".into(),
            });
        }
        let VolumeText { number, of, .. } = self.feed.text;
        if number != of || self.feed.text.last() != self.last {
            return Err(self.feed.tar.damaged(
                &"volume",
                format!(
                    "it says that more follows, and entry {} is the last",
                    self.last
                ),
            ));
        }
        self.feed.tar.end()
    }
}

/// The volumes as one stream of parts.
struct Feed<V: Volumes> {
    volumes: V,
    /// The volume that is being read.
    tar: Tar<V::Reader>,
    /// What it says of itself.
    text: VolumeText,
    manifest: Manifest,
    /// The entry that is under way, or that an error was in.
    open: Option<String>,
}

impl<V: Volumes> Feed<V> {
    fn none_open(&self) -> Result<(), ReadError> {
        match &self.open {
            None => Ok(()),
            Some(entry) => Err(ReadError::Unfinished {
                entry: entry.clone(),
            }),
        }
    }

    /// Reads this volume's end and the next one's front; that has to begin there.
    fn next_volume(&mut self, there: Point) -> Result<(), ReadError> {
        let VolumeText { number, of, .. } = self.text;
        if number == of {
            return Err(self.tar.damaged(
                &"volume",
                format!("it says that it is the last, and {there} is in none"),
            ));
        }
        self.tar.end()?;
        let next = number + 1;
        let reader = self.volumes.open(next).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                ReadError::Absent {
                    volume: next,
                    of,
                    source,
                }
            } else {
                ReadError::Io {
                    volume: Some(next),
                    entry: "manifest".into(),
                    source,
                }
            }
        })?;
        (self.tar, self.text) = Volume::open_as(reader, Some(next))?
            .trust_manifest(&self.manifest)?
            .same_index()?;
        if self.text.of != of {
            return Err(ReadError::Unexpected {
                volume: Some(next),
                expected: format!("volume {next} of {of}"),
                found: format!("volume {next} of {}", self.text.of),
            });
        }
        let begins = self.text.begins();
        if begins != there {
            return Err(self.tar.damaged(
                &"volume",
                format!(
                    "it begins with {begins}, and volume {number} ends in front of {there}: they are not from one cut"
                ),
            ));
        }
        Ok(())
    }

    /// Reads the header of what this volume has of an entry.
    fn begin(&mut self, entry: &Entry) -> Result<Coming, ReadError> {
        let part = self
            .text
            .part_of(entry)
            .map_err(|what| self.tar.damaged(&"volume", what))?;
        let name = part.shown(entry);
        self.tar.header(&name, &part.file_name(entry), part.size)?;
        Ok(Coming {
            left: part.size,
            hasher: part.extent.map(|_| Sha256::new()),
            part,
            name,
        })
    }
}

/// The part that is being read.
struct Coming {
    part: Part,
    name: String,
    left: u64,
    /// Of an extent: a whole entry has one hash only.
    hasher: Option<Sha256>,
}

/// One entry that is coming in. Its bytes are as stored, and not to be interpreted before they are all hashed.
pub struct Incoming<'v, V: Volumes> {
    feed: &'v mut Feed<V>,
    entry: Entry,
    left: u64,
    hasher: Sha256,
    part: Coming,
}

impl<V: Volumes> Incoming<'_, V> {
    /// What the index says that it is.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The number of the volume that is being read.
    pub fn volume(&self) -> u32 {
        self.feed.text.number
    }

    /// Reads some of the stored bytes; 0 when there are no more, or `buf` is empty. They are not proven before
    /// [`finish`](Self::finish) says so.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize, ReadError> {
        if self.left == 0 || buf.is_empty() {
            return Ok(0);
        }
        if self.part.left == 0 {
            self.next_part()?;
        }
        let most = usize::try_from(self.part.left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        let n = self.feed.tar.read_some(&self.part.name, &mut buf[..most])?;
        self.hasher.update(&buf[..n]);
        if let Some(hasher) = &mut self.part.hasher {
            hasher.update(&buf[..n]);
        }
        self.part.left -= n as u64;
        self.left -= n as u64;
        Ok(n)
    }

    /// Ends the entry: reads what was not read of it, and checks its hash and padding. Until this has been
    /// well, nothing that was read may be believed; without it, there is no next entry.
    pub fn finish(mut self) -> Result<Entry, ReadError> {
        self.rest(|_| {})?;
        self.end_part()?;
        let Self {
            feed,
            entry,
            hasher,
            ..
        } = self;
        feed.tar.check_hash(&entry, hasher, &entry.sha256, SIGNED)?;
        feed.open = None;
        Ok(entry)
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
        let volume = self.feed.tar.volume;
        let entry = self.finish()?;
        let bytes = pack::restore(&frame, entry.restored()).map_err(|what| ReadError::Damaged {
            volume,
            entry: entry.to_string(),
            what,
        })?;
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
        let mut buf = vec![0; self.left.min(64 << 10) as usize];
        loop {
            match self.read(&mut buf)? {
                0 => return Ok(()),
                n => take(&buf[..n]),
            }
        }
    }

    /// The part's padding, and its own hash, which says in which volume a spanning entry is damaged.
    fn end_part(&mut self) -> Result<(), ReadError> {
        let tar = &mut self.feed.tar;
        let Part { size, sha256, .. } = self.part.part;
        tar.padding(&self.part.name, size)?;
        match self.part.hasher.take() {
            None => Ok(()),
            Some(hasher) => tar.check_hash(&self.part.name, hasher, &sha256, WRITTEN),
        }
    }

    /// Goes on in the next volume.
    fn next_part(&mut self) -> Result<(), ReadError> {
        self.end_part()?;
        let Part { extent, .. } = self.part.part;
        self.feed.next_volume(Point {
            entry: self.entry.number,
            extent: extent.unwrap_or(1) + 1,
            offset: self.entry.stored - self.left,
        })?;
        self.part = self.feed.begin(&self.entry)?;
        Ok(())
    }
}
