//! Bases: zips that the destination holds, and whose entries a packed bundle builds on.
//!
//! An entry is named by its place in the zip's central directory. That is read once a base, when it is first asked for,
//! into an unlinked file: bases may be many, their directories large, and a recipe may name entries of them in any
//! order. A [`Reader`] reads a base in aligned blocks of [`BLOCK`] bytes, which is how the store keeps zips.
//!
//! What a base holds was checked when it came, and its SHA-256 is the one that the bundle names. That its bytes are still
//! those, the hash of whatever is made of them says.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use flate2::{Decompress, FlushDecompress, Status};
use modferry_protocol::bundle::{BaseEntry, MAX_PREFIX};
use modferry_protocol::zip::{ReadAt, ZipError, places};

use crate::CheckError;
use crate::check::temp_file;

/// Bytes of a base that are read at a time.
const BLOCK: u64 = 1 << 20;

/// Bytes on disk for what is known of an entry.
const RECORD: u64 = 18;

/// Where an entry's packed bytes are in its base, and what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) method: u16,
    start: u32,
    pub(crate) packed: u32,
    pub(crate) unpacked: u32,
    pub(crate) crc32: u32,
}

/// The bases of a bundle, in the order of its list.
pub(crate) struct Bases<Z> {
    bases: Vec<Base<Z>>,
    entries: File,
    /// Bytes of `entries` that are written.
    written: Mutex<u64>,
}

struct Base<Z> {
    zip: Z,
    /// Where its entries are in the file, and how many they are, once somebody has asked.
    entries: Mutex<Option<(u64, u32)>>,
}

impl<Z> Bases<Z> {
    pub(super) fn new(zips: Vec<Z>, folder: &Path) -> Result<Bases<Z>, CheckError> {
        Ok(Bases {
            bases: zips
                .into_iter()
                .map(|zip| Base {
                    zip,
                    entries: Mutex::new(None),
                })
                .collect(),
            entries: temp_file(folder)?,
            written: Mutex::new(0),
        })
    }
}

impl<Z: ReadAt> Bases<Z> {
    /// A reader that has read nothing yet.
    pub(crate) fn reader(&self) -> Reader<'_, Z> {
        Reader {
            bases: self,
            block: RefCell::new(Block {
                base: 0,
                number: 0,
                bytes: Vec::new(),
            }),
        }
    }

    /// Where the entries of a base are in the file, and how many; they are read if they were not yet.
    fn entries_of(&self, base: &Base<Z>, blocks: &Blocks<'_, Z>) -> io::Result<(u64, u32)> {
        let mut known = base.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = *known {
            return Ok(known);
        }
        let all = places(blocks).map_err(|error| match error {
            ZipError::Read { source, .. } => source,
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        })?;
        let mut records = Vec::with_capacity(all.len() * RECORD as usize);
        for place in &all {
            records.extend(place.method.to_le_bytes());
            // A module's zip has 500 MiB at most, and nothing in it more; what an entry claims to unpack to was checked.
            let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
            records.extend(number(place.data.start));
            records.extend(number(place.data.end - place.data.start));
            records.extend(number(place.unpacked));
            records.extend(place.crc32.to_le_bytes());
        }
        let mut written = (self.written.lock()).unwrap_or_else(PoisonError::into_inner);
        let at = *written;
        self.entries.write_all_at(&records, at)?;
        *written += records.len() as u64;
        Ok(*known.insert((at, all.len() as u32)))
    }
}

/// Reads bases: one thread's, with one block at hand.
pub(crate) struct Reader<'b, Z> {
    bases: &'b Bases<Z>,
    block: RefCell<Block>,
}

/// A block of a base. No bytes: none yet.
struct Block {
    base: u32,
    number: u64,
    bytes: Vec<u8>,
}

/// A base, read through the block at hand.
struct Blocks<'r, Z> {
    number: u32,
    zip: &'r Z,
    block: &'r RefCell<Block>,
}

impl<Z: ReadAt> ReadAt for Blocks<'_, Z> {
    fn size(&self) -> u64 {
        self.zip.size()
    }

    fn read_exact_at(&self, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let got = self.read_at(offset, buf)?;
            buf = &mut buf[got..];
            offset += got as u64;
        }
        Ok(())
    }
}

impl<Z: ReadAt> Blocks<'_, Z> {
    /// Some of the bytes from `offset` on, one at least.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut block = self.block.borrow_mut();
        let number = offset / BLOCK;
        let start = number * BLOCK;
        if block.bytes.is_empty() || (block.base, block.number) != (self.number, number) {
            let size = self.zip.size().saturating_sub(start).min(BLOCK);
            block.bytes.clear();
            let mut bytes = std::mem::take(&mut block.bytes);
            bytes.resize(size as usize, 0);
            self.zip.read_exact_at(start, &mut bytes)?;
            *block = Block {
                base: self.number,
                number,
                bytes,
            };
        }
        let from = (block.bytes.get((offset - start) as usize..))
            .filter(|rest| !rest.is_empty())
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        let got = from.len().min(buf.len());
        buf[..got].copy_from_slice(&from[..got]);
        Ok(got)
    }
}

impl<Z: ReadAt> Reader<'_, Z> {
    fn blocks(&self, base: u32) -> Option<(&Base<Z>, Blocks<'_, Z>)> {
        let of = self.bases.bases.get(base as usize)?;
        let blocks = Blocks {
            number: base,
            zip: &of.zip,
            block: &self.block,
        };
        Some((of, blocks))
    }

    /// What an entry has; `None` if there is no such base, or no such entry.
    pub(crate) fn get(&self, entry: BaseEntry) -> io::Result<Option<Packed>> {
        let Some((base, blocks)) = self.blocks(entry.base) else {
            return Ok(None);
        };
        let (at, count) = self.bases.entries_of(base, &blocks)?;
        if entry.entry >= count {
            return Ok(None);
        }
        let mut record = [0; RECORD as usize];
        let at = at + u64::from(entry.entry) * RECORD;
        self.bases.entries.read_exact_at(&mut record, at)?;
        let number = |at: usize| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(&record[at..at + 4]);
            u32::from_le_bytes(bytes)
        };
        Ok(Some(Packed {
            method: u16::from_le_bytes([record[0], record[1]]),
            start: number(2),
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
        let Some((_, blocks)) = self.blocks(base) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let (mut offset, mut left) = (u64::from(packed.start), packed.packed as usize);
        let mut piece = vec![0; left.min(64 << 10)];
        while left > 0 {
            let most = left.min(piece.len());
            let got = blocks.read_at(offset, &mut piece[..most])?;
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

    /// What frames are compressed against: the contents of these entries, one after the other.
    pub(crate) fn prefix(&self, parts: &[BaseEntry]) -> Result<Vec<u8>, PrefixError> {
        let mut found = Vec::new();
        let mut size = 0u64;
        for part in parts {
            let packed = self.get(*part)?.ok_or(PrefixError::None(*part))?;
            size += u64::from(packed.unpacked);
            found.push((part, packed));
        }
        if size > MAX_PREFIX as u64 {
            return Err(PrefixError::TooLarge(size));
        }
        let mut prefix = Vec::with_capacity(size as usize);
        for (part, packed) in found {
            let end = prefix.len() + packed.unpacked as usize;
            match packed.method {
                0 => self.copy(part.base, &packed, &mut prefix)?,
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
    #[error("it is compressed against {0} bytes: want at most {MAX_PREFIX}")]
    TooLarge(u64),
    #[error("entry {} of base {}, which it is compressed against, is not what its zip says", .0.entry, .0.base)]
    Unlike(BaseEntry),
    #[error("reading what it is compressed against failed")]
    Read(#[from] io::Error),
}
