//! Bases: zips that the destination holds, and whose entries a packed bundle builds on.
//!
//! An entry is named by its place in the zip's central directory. That is read once a base, when it is first asked for,
//! and passes into an unlinked file, entry by entry: bases may be many, their directories large, and a recipe may name
//! entries of them in any order. The entries of all bases are counted: there are
//! [`MAX_BASE_ENTRIES`](modferry_protocol::bundle::MAX_BASE_ENTRIES) at most.
//!
//! What a base holds was checked when it came, and its SHA-256 is the one that the bundle names. That its bytes are still
//! those, the hash of whatever is made of them says. Where that is wrong, the bases are hashed again ([`Bases::damaged`]):
//! what is then found is the destination's own trouble, and carrying the bundle once more would not mend it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use flate2::{Decompress, FlushDecompress, Status};
use modferry_protocol::bundle::{BaseEntry, ContentsError, PrefixSize};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::{ReadAt, ZipError, each_listed, packed_bytes};
use sha2::{Digest, Sha256};

use super::blocks::{BLOCK, Blocks, ThroughBlocks};
use crate::CheckError;
use crate::check::temp_file;

/// Bytes on disk for what is known of an entry.
const RECORD: u64 = 18;

/// Bytes of records that are written at once.
const BUFFER: usize = 64 << 10;

/// A zip that is held with the bytes of that hash.
pub(crate) struct Base<Z> {
    pub(crate) module: ModuleVersion,
    pub(crate) sha256: [u8; 32],
    pub(crate) zip: Z,
}

/// Why entries of bases cannot be had. It travels in an [`io::Error`], and is [taken out](BaseError::told) in the end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaseError {
    /// The destination's own zip cannot be read, or is none any more.
    #[error("zip {module}, which is held, cannot be read")]
    Held {
        module: ModuleVersion,
        source: io::Error,
    },
    #[error("the zips that it is packed against have together more than {most} entries")]
    TooMany { most: u64 },
}

impl From<BaseError> for io::Error {
    fn from(error: BaseError) -> io::Error {
        io::Error::other(error)
    }
}

impl BaseError {
    /// What a failure comes to that may be a base's: the destination's trouble, damage of the bundle's entry, or neither:
    /// a temporary file's, while `doing` something.
    pub(crate) fn told(source: io::Error, volume: &str, entry: &str, doing: String) -> CheckError {
        match source.downcast() {
            Ok(BaseError::Held { module, source }) => CheckError::Held { module, source },
            Ok(error) => CheckError::damaged(volume, entry, error),
            Err(source) => CheckError::io(doing, source),
        }
    }
}

/// Where an entry is in its base, and what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    method: u16,
    /// Of its local header.
    offset: u32,
    pub(crate) packed: u32,
    pub(crate) unpacked: u32,
    pub(crate) crc32: u32,
}

/// The bases of a bundle, in the order of its list.
pub(crate) struct Bases<Z> {
    bases: Vec<Listed<Z>>,
    entries: File,
    /// How many entries are in the file.
    written: Mutex<u64>,
    /// How many may be.
    most: u64,
}

struct Listed<Z> {
    base: Base<Z>,
    /// The first of its entries in the file, and how many they are, once somebody has asked.
    entries: OnceLock<(u64, u32)>,
}

impl<Z> Bases<Z> {
    /// Bases that have together so many entries at most. Nothing of them is read yet.
    pub(super) fn new(
        bases: Vec<Base<Z>>,
        most: u64,
        folder: &Path,
    ) -> Result<Bases<Z>, CheckError> {
        let listed = |base| Listed {
            base,
            entries: OnceLock::new(),
        };
        Ok(Bases {
            bases: bases.into_iter().map(listed).collect(),
            entries: temp_file(folder)?,
            written: Mutex::new(0),
            most,
        })
    }
}

impl<Z: ReadAt> Bases<Z> {
    /// A reader that has read nothing yet.
    pub(crate) fn reader(&self) -> Reader<'_, Z> {
        Reader {
            bases: self,
            blocks: Blocks::default(),
        }
    }

    /// Where the entries of a base are in the file, and how many; they are read if they were not yet, one directory
    /// at a time.
    fn entries_of(&self, base: &Listed<Z>, zip: &ThroughBlocks<'_, Z>) -> io::Result<(u64, u32)> {
        if let Some(known) = base.entries.get() {
            return Ok(*known);
        }
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = base.entries.get() {
            return Ok(*known);
        }
        let (first, mut count) = (*written, 0_u32);
        let mut records = Vec::with_capacity(BUFFER + RECORD as usize);
        let mut at = first * RECORD;
        each_listed(zip, |listed| {
            if first + u64::from(count) >= self.most {
                return Err(BaseError::TooMany { most: self.most }.into());
            }
            // A module's zip has 500 MiB at most, and nothing in it more; what an entry claims to unpack to was checked.
            let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
            records.extend(listed.method.to_le_bytes());
            records.extend(number(listed.header_offset));
            records.extend(number(listed.packed));
            records.extend(number(listed.unpacked));
            records.extend(listed.crc32.to_le_bytes());
            count += 1;
            if records.len() >= BUFFER {
                self.entries.write_all_at(&records, at)?;
                at += records.len() as u64;
                records.clear();
            }
            Ok(())
        })
        .map_err(|stopped| match stopped {
            Stopped::Io(error) | Stopped::Zip(ZipError::Read { source: error, .. }) => error,
            Stopped::Zip(error) => zip.damaged(io::Error::other(error)),
        })?;
        self.entries.write_all_at(&records, at)?;
        *written += u64::from(count);
        Ok(*base.entries.get_or_init(|| (first, count)))
    }

    /// The first of those bases of which something was read that is not what it was, if one is: all of them are hashed.
    pub(crate) fn damaged(&self) -> Option<CheckError> {
        let is_read = |listed: &&Listed<Z>| listed.entries.get().is_some();
        let of = |listed: &Listed<Z>| {
            let source = hash(&listed.base).err()?;
            let module = listed.base.module.clone();
            Some(CheckError::Held { module, source })
        };
        self.bases.iter().filter(is_read).find_map(of)
    }
}

/// Whether a base has the bytes that it is named by.
fn hash<Z: ReadAt>(base: &Base<Z>) -> io::Result<()> {
    let mut hasher = Sha256::new();
    let (mut at, size) = (0, base.zip.size());
    let mut block = Vec::new();
    while at < size {
        block.resize((size - at).min(BLOCK) as usize, 0);
        base.zip.read_exact_at(at, &mut block)?;
        hasher.update(&block);
        at += block.len() as u64;
    }
    match hasher.finalize()[..] == base.sha256 {
        true => Ok(()),
        false => Err(io::Error::other(
            "its bytes do not have the SHA-256 any more that they had when they were taken in",
        )),
    }
}

/// Why the reading of a directory stopped.
enum Stopped {
    Zip(ZipError),
    Io(io::Error),
}

impl From<ZipError> for Stopped {
    fn from(error: ZipError) -> Stopped {
        Stopped::Zip(error)
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Stopped {
        Stopped::Io(error)
    }
}

impl From<BaseError> for Stopped {
    fn from(error: BaseError) -> Stopped {
        Stopped::Io(error.into())
    }
}

/// Reads bases: one thread's, with a few blocks at hand.
pub(crate) struct Reader<'b, Z> {
    bases: &'b Bases<Z>,
    blocks: Blocks,
}

impl<Z: ReadAt> Reader<'_, Z> {
    fn zip(&self, number: u32) -> Option<(&Listed<Z>, ThroughBlocks<'_, Z>)> {
        let listed = self.bases.bases.get(number as usize)?;
        let zip = ThroughBlocks {
            number,
            base: &listed.base,
            blocks: &self.blocks,
        };
        Some((listed, zip))
    }

    /// What an entry has; `None` if there is no such base, or no such entry.
    pub(crate) fn get(&self, entry: BaseEntry) -> io::Result<Option<Packed>> {
        let Some((base, zip)) = self.zip(entry.base) else {
            return Ok(None);
        };
        let (first, count) = self.bases.entries_of(base, &zip)?;
        if entry.entry >= count {
            return Ok(None);
        }
        let mut record = [0; RECORD as usize];
        let at = (first + u64::from(entry.entry)) * RECORD;
        self.bases.entries.read_exact_at(&mut record, at)?;
        let number = |at: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&record[at..at + 4]);
            u32::from_le_bytes(bytes)
        };
        Ok(Some(Packed {
            method: u16::from_le_bytes([record[0], record[1]]),
            offset: number(2),
            packed: number(6),
            unpacked: number(10),
            crc32: number(14),
        }))
    }

    /// Gives an entry's packed bytes, piece by piece, to `take`, until that says that it has enough.
    fn each_piece(
        &self,
        base: u32,
        packed: &Packed,
        mut take: impl FnMut(&[u8]) -> io::Result<bool>,
    ) -> io::Result<()> {
        let Some((_, zip)) = self.zip(base) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut left = packed.packed as usize;
        if left == 0 {
            return Ok(());
        }
        let lies = packed_bytes(&zip, packed.offset.into(), packed.packed.into())?;
        let lies = lies.ok_or_else(|| {
            let what = "its directory names an entry where there is none";
            zip.damaged(io::Error::other(what))
        })?;
        let mut offset = lies.start;
        let mut piece = vec![0; left.min(64 << 10)];
        while left > 0 {
            let most = left.min(piece.len());
            let got = zip.read_at(offset, &mut piece[..most])?;
            if !take(&piece[..got])? {
                break;
            }
            offset += got as u64;
            left -= got;
        }
        Ok(())
    }

    /// Writes an entry's packed bytes to `out`.
    pub(crate) fn copy(
        &self,
        base: u32,
        packed: &Packed,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        self.each_piece(base, packed, |piece| out.write_all(piece).map(|()| true))
    }

    /// What frames are compressed against: the contents of these entries, one after the other. What they come to is known
    /// before any of them is read.
    pub(crate) fn prefix(&self, parts: &[BaseEntry]) -> Result<Vec<u8>, PrefixError> {
        let mut found = Vec::new();
        let mut size = PrefixSize::default();
        for part in parts {
            let packed = self.get(*part)?.ok_or(PrefixError::None(*part))?;
            size = size.and(packed.packed.into(), packed.unpacked.into());
            found.push((part, packed));
        }
        size.check()?;
        let mut prefix = Vec::with_capacity(size.unpacked() as usize);
        for (part, packed) in found {
            let end = prefix.len() + packed.unpacked as usize;
            match packed.method {
                0 if packed.packed == packed.unpacked => {
                    self.copy(part.base, &packed, &mut prefix)?;
                }
                8 => self.inflate(part.base, &packed, &mut prefix)?,
                _ => return Err(PrefixError::Unlike(*part)),
            }
            if prefix.len() != end {
                return Err(PrefixError::Unlike(*part));
            }
        }
        Ok(prefix)
    }

    /// Appends what an entry inflates to, or as much of it as it says that it has.
    fn inflate(&self, base: u32, packed: &Packed, out: &mut Vec<u8>) -> io::Result<()> {
        let mut inflate = Decompress::new(false);
        let start = out.len();
        out.resize(start + packed.unpacked as usize, 0);
        self.each_piece(base, packed, |mut piece| {
            loop {
                let before = (inflate.total_in(), inflate.total_out());
                let at = start + before.1 as usize;
                let status = inflate.decompress(piece, &mut out[at..], FlushDecompress::None);
                let consumed = (inflate.total_in() - before.0) as usize;
                piece = &piece[consumed..];
                match status {
                    Ok(Status::StreamEnd) | Err(_) => return Ok(false),
                    _ if piece.is_empty() => return Ok(true),
                    _ if before == (inflate.total_in(), inflate.total_out()) => return Ok(false),
                    _ => {}
                }
            }
        })?;
        out.truncate(start + inflate.total_out() as usize);
        Ok(())
    }
}

/// Why the prefix of a frame cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrefixError {
    #[error("there is no entry {} of base {}, which it is compressed against", .0.entry, .0.base)]
    None(BaseEntry),
    #[error(transparent)]
    TooLarge(#[from] ContentsError),
    #[error("entry {} of base {}, which it is compressed against, is not what its zip says", .0.entry, .0.base)]
    Unlike(BaseEntry),
    #[error("reading what it is compressed against failed")]
    Read(#[from] io::Error),
}

#[cfg(test)]
mod tests;
