//! Writes a bundle's volumes. The same manifest, index, entries and limit give the same bytes.
//!
//! The writer reads what it is given as a reader will, so that it cannot write a volume that no reader takes:
//! the manifest must parse and name this index, and each entry must be the index's next, with the bytes that
//! the index's hash is over.
//!
//! What a volume has of an entry that is cut gets a hash of its own, which stands in front of it, in the `volume`
//! file, and is known behind it: that block is written again when the volume is. So each entry is read once.

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use sha2::{Digest as _, Sha256};

use super::cut::VolumePlan;
use super::index::IndexReader;
use super::item::{Digest, Entry};
use super::manifest::{Manifest, ManifestError};
use super::rules::IndexError;
use super::volume::VolumeText;
use super::{MAX_MANIFEST, ustar};

/// Where the volumes of a bundle are written to.
pub trait VolumeFiles {
    /// A volume under way.
    type File: Write + Seek;

    /// A new and empty file for a volume.
    fn create(&mut self, volume: &VolumePlan) -> io::Result<Self::File>;

    /// Takes a volume that is whole.
    fn done(&mut self, volume: &VolumePlan, file: Self::File) -> io::Result<()>;
}

/// In memory, one after the other.
impl VolumeFiles for Vec<Vec<u8>> {
    type File = Cursor<Vec<u8>>;

    fn create(&mut self, _: &VolumePlan) -> io::Result<Self::File> {
        Ok(Cursor::default())
    }

    fn done(&mut self, _: &VolumePlan, file: Self::File) -> io::Result<()> {
        self.push(file.into_inner());
        Ok(())
    }
}

/// Writes a bundle into the volumes that [`cut`](super::cut) planned: every entry, in order.
pub struct BundleWriter<'b, F: VolumeFiles> {
    files: F,
    manifest_note: &'b [u8],
    index_bytes: &'b [u8],
    index: IndexReader<&'b [u8]>,
    plans: std::vec::IntoIter<VolumePlan>,
    volume: Volume<F::File>,
}

/// Why a bundle was not written.
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

impl<'b, F: VolumeFiles> BundleWriter<'b, F> {
    /// Begins the first volume: the manifest with its signatures, and the index that it names.
    pub fn new(
        mut files: F,
        manifest_note: &'b [u8],
        index: &'b [u8],
        plans: Vec<VolumePlan>,
    ) -> Result<Self, WriteError> {
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
        if let Some(what) = IndexReader::new(index).differs(&manifest, |_| {})? {
            return Err(mismatch(&format!(
                "the index does not fit the manifest: {what}"
            )));
        }
        let mut plans = plans.into_iter();
        let volume = Volume::create(&mut files, &mut plans, 1, manifest_note, index)?;
        Ok(Self {
            files,
            manifest_note,
            index_bytes: index,
            index: IndexReader::new(index),
            plans,
            volume,
        })
    }

    /// Writes the next entry from its bytes. They are hashed on the way: what is not what the index says is an
    /// error, and the volumes are then no bundle.
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
        let other = || {
            mismatch(&format!(
                "{entry}: its bytes are not those that the index was made from"
            ))
        };
        if self.volume.text.last() < entry.number {
            self.next_volume()?;
        }
        let mut hasher = Sha256::new();
        let mut offset = 0;
        loop {
            let size = self.volume.part(entry, offset, bytes, &mut hasher)?;
            offset += size.ok_or_else(other)?;
            if offset >= entry.stored {
                break;
            }
            self.next_volume()?;
        }
        let behind = io::copy(&mut bytes.take(1), &mut io::sink());
        let ended = behind.map_err(io_of(&entry.to_string()))? == 0;
        if !ended || hasher.finalize()[..] != entry.sha256 {
            return Err(other());
        }
        Ok(())
    }

    /// Ends the last volume. All of the index's entries must have been written.
    pub fn finish(mut self) -> Result<F, WriteError> {
        if let Some(next) = self.index.next().transpose()? {
            return Err(mismatch(&format!("{next} was not given")));
        }
        if self.plans.next().is_some() {
            return Err(unplanned());
        }
        self.volume.finish(&mut self.files)?;
        Ok(self.files)
    }

    fn next_volume(&mut self) -> Result<(), WriteError> {
        let next = Volume::create(
            &mut self.files,
            &mut self.plans,
            self.volume.plan.number + 1,
            self.manifest_note,
            self.index_bytes,
        )?;
        std::mem::replace(&mut self.volume, next).finish(&mut self.files)
    }
}

/// The volume that is being written.
struct Volume<W> {
    file: W,
    plan: VolumePlan,
    text: VolumeText,
    /// Where the `volume` file's contents are.
    text_at: u64,
    written: u64,
}

impl<W: Write + Seek> Volume<W> {
    /// Begins the next planned volume, which must have that number.
    fn create<F: VolumeFiles<File = W>>(
        files: &mut F,
        plans: &mut impl Iterator<Item = VolumePlan>,
        number: u32,
        manifest_note: &[u8],
        index: &[u8],
    ) -> Result<Self, WriteError> {
        let plan = plans
            .next()
            .filter(|plan| plan.number == number)
            .ok_or_else(unplanned)?;
        let text = plan.text(Sha256::digest(manifest_note).into());
        text.check().map_err(|what| mismatch(&what))?;
        let file = files.create(&plan).map_err(io_of("manifest"))?;
        let mut volume = Self {
            file,
            plan,
            text,
            text_at: 0,
            written: 0,
        };
        volume.small_file("manifest", manifest_note)?;
        volume.small_file("index", index)?;
        let text = volume.text.encode();
        volume.text_at = volume.small_file("volume", text.as_bytes())?;
        Ok(volume)
    }

    /// Writes what the volume has of an entry, from there on, and gives its size; `None` if there are not so many bytes.
    fn part(
        &mut self,
        entry: &Entry,
        offset: u64,
        bytes: &mut dyn Read,
        hasher: &mut Sha256,
    ) -> Result<Option<u64>, WriteError> {
        let part = self.text.part_of(entry).map_err(|what| mismatch(&what))?;
        if part.offset != offset {
            return Err(unplanned());
        }
        let name = part.shown(entry);
        self.put(&name, &ustar::header(&part.file_name(entry), part.size))?;
        let mut hashing = Hashing {
            out: &mut self.file,
            whole: hasher,
            part: part.extent.map(|_| Sha256::new()),
        };
        let size = io::copy(&mut bytes.take(part.size), &mut hashing).map_err(io_of(&name))?;
        let part_hasher = hashing.part;
        if size != part.size {
            return Ok(None);
        }
        self.written += size;
        self.put(&name, padding(size))?;
        let extents = self.text.extents.iter_mut();
        if let (Some(hasher), Some(extent)) = (
            part_hasher,
            extents
                .into_iter()
                .find(|extent| extent.entry == entry.number),
        ) {
            extent.sha256 = hasher.finalize().into();
        }
        Ok(Some(size))
    }

    /// Ends the archive, and writes the extents' hashes where they belong.
    fn finish<F: VolumeFiles<File = W>>(mut self, files: &mut F) -> Result<(), WriteError> {
        let end = "end of the archive";
        self.put(end, &[0; 2 * ustar::BLOCK])?;
        if self.written != self.plan.size {
            return Err(unplanned());
        }
        if !self.text.extents.is_empty() {
            let text = self.text.encode();
            self.file
                .seek(SeekFrom::Start(self.text_at))
                .and_then(|_| self.file.write_all(text.as_bytes()))
                .and_then(|()| self.file.seek(SeekFrom::Start(self.written)))
                .map_err(io_of("volume"))?;
        }
        self.file.flush().map_err(io_of(end))?;
        files.done(&self.plan, self.file).map_err(io_of(end))
    }

    /// Writes a file that is in memory; gives the offset of its contents.
    fn small_file(&mut self, name: &str, bytes: &[u8]) -> Result<u64, WriteError> {
        let size = bytes.len() as u64;
        self.put(name, &ustar::header(name, size))?;
        let at = self.written;
        self.put(name, bytes)?;
        self.put(name, padding(size))?;
        Ok(at)
    }

    fn put(&mut self, entry: &str, bytes: &[u8]) -> Result<(), WriteError> {
        self.file.write_all(bytes).map_err(io_of(entry))?;
        self.written += bytes.len() as u64;
        Ok(())
    }
}

/// The zeros behind contents of that size.
fn padding(size: u64) -> &'static [u8] {
    &[0; ustar::BLOCK][..ustar::padding(size)]
}

/// Hashes what is written through it.
struct Hashing<'a, W> {
    out: &'a mut W,
    whole: &'a mut Sha256,
    part: Option<Sha256>,
}

impl<W: Write> Write for Hashing<'_, W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.out.write(buf)?;
        self.whole.update(&buf[..n]);
        if let Some(part) = &mut self.part {
            part.update(&buf[..n]);
        }
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

fn unplanned() -> WriteError {
    mismatch("the volumes were planned for another bundle")
}

fn io_of(entry: &str) -> impl FnOnce(io::Error) -> WriteError {
    let entry = entry.to_owned();
    |source| WriteError::Io { entry, source }
}
