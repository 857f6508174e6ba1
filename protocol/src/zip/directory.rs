//! The central directory, found and read as Go's archive/zip does (`readDirectoryEnd`, `readDirectoryHeader` in reader.go).
//!
//! Zip readers disagree about odd archives, and an attacker lives off that. What counts here is what the go command
//! sees, so this keeps to the reference in its oddities too: which of two end records wins, when a zip64 record is
//! looked for, where the archive begins behind bytes put before it, that the declared count is compared modulo 65536,
//! and that a header that is none ends the directory. Headers come one at a time and are not kept.

use std::ops::Range;

use super::MAX_DIRECTORY;
use super::error::{ArchiveError, ZipError};
use super::source::{ReadAt, Window};

const END_LEN: usize = 22;
const END_SIGNATURE: &[u8; 4] = b"PK\x05\x06";
/// An end record is looked for so far from the end: its own length and a comment of at most 65535 bytes fit.
const END_SEARCH: usize = 65 << 10;
const END64_LOCATOR_LEN: u64 = 20;
const END64_LOCATOR_SIGNATURE: u32 = 0x0706_4b50;
const END64_LEN: usize = 56;
const END64_SIGNATURE: u32 = 0x0606_4b50;
const HEADER_LEN: usize = 46;
const HEADER_SIGNATURE: u32 = 0x0201_4b50;
const ZIP64_EXTRA: u16 = 0x0001;

/// What the directory says of an entry.
pub(crate) struct Header<'a> {
    pub(crate) name: &'a [u8],
    /// The header's fixed part, as it stands there.
    pub(crate) fixed: &'a [u8],
    pub(crate) extra: &'a [u8],
    pub(crate) comment: &'a [u8],
    pub(crate) method: u16,
    /// A data descriptor follows the data.
    pub(crate) descriptor: bool,
    pub(crate) crc32: u32,
    pub(crate) packed: u64,
    pub(crate) unpacked: u64,
    /// Of the local header, from the start of the file. May be nonsense, even negative.
    pub(crate) offset: i64,
}

/// Calls `each` for every entry in the directory's order; gives where the directory is in the file.
pub(crate) fn each_header<R: ReadAt + ?Sized, E: From<ZipError>>(
    window: &mut Window<'_, R>,
    mut each: impl FnMut(Header<'_>) -> Result<(), E>,
) -> Result<Range<u64>, E> {
    let end = End::find(window)?;
    let mut offset = end.directory;
    let mut found = 0u64;
    loop {
        match header_at(window, offset)? {
            Step::Header(mut header, len) => {
                offset += len;
                if offset - end.directory > MAX_DIRECTORY {
                    return Err(ZipError::from(ArchiveError::DirectoryTooLarge).into());
                }
                header.offset = header.offset.wrapping_add(end.base);
                each(header)?;
                found += 1;
            }
            Step::None => break,
            Step::EndOfFile => return Err(ZipError::from(ArchiveError::Truncated).into()),
        }
    }
    // The old end record counts modulo 65536, and archives with more entries than that exist without zip64 records.
    if found as u16 != end.records as u16 {
        let declared = end.records;
        return Err(ZipError::from(ArchiveError::Count { found, declared }).into());
    }
    Ok(end.directory..offset)
}

/// What the end record, and its zip64 form if there is one, come to.
struct End {
    records: u64,
    /// Where the directory starts in the file.
    directory: u64,
    /// What is to be added to the archive's offsets: the length of what stands before it.
    base: i64,
}

impl End {
    fn find<R: ReadAt + ?Sized>(window: &mut Window<'_, R>) -> Result<End, ZipError> {
        let size = window.size();
        let (start, tail) = window.tail()?;
        let searched = &tail[tail.len().saturating_sub(END_SEARCH)..];
        let found = find_signature(searched).ok_or(ArchiveError::NoEnd)?;
        let record = &searched[found..];
        let mut end_offset = start + (tail.len() - record.len()) as u64;
        let mut records = u64::from(u16_at(record, 10));
        let mut directory_size = u64::from(u32_at(record, 12));
        let mut directory_offset = u64::from(u32_at(record, 16));

        // The reference compares the 32-bit size to a 16-bit maximum.
        let may_be_zip64 =
            records == 0xffff || directory_size == 0xffff || directory_offset == 0xffff_ffff;
        if may_be_zip64 && let Some(offset) = find_end64(window, end_offset)? {
            let bytes = window.at(offset, END64_LEN)?;
            if bytes.len() < END64_LEN || u32_at(bytes, 0) != END64_SIGNATURE {
                return Err(ArchiveError::BadEnd.into());
            }
            records = u64_at(bytes, 32);
            directory_size = u64_at(bytes, 40);
            directory_offset = u64_at(bytes, 48);
            end_offset = offset;
        }
        if directory_size > i64::MAX as u64 || directory_offset > i64::MAX as u64 {
            return Err(ArchiveError::BadEnd.into());
        }

        // The directory is what stands just before its end record; what its declared offset lacks is the base.
        let directory = end_offset
            .checked_sub(directory_size)
            .filter(|&directory| directory < size)
            .ok_or(ArchiveError::BadEnd)?;
        let base = directory as i64 - directory_offset as i64;
        // Some writers declare a wrong size. Where a header stands at the declared offset itself, nothing precedes.
        let (directory, base) = match header_at(window, directory_offset)? {
            Step::Header(..) if base > 0 => (directory_offset, 0),
            _ => (directory, base),
        };
        Ok(End {
            records,
            directory,
            base,
        })
    }
}

/// Where the last end record starts, unless its comment is cut off.
fn find_signature(block: &[u8]) -> Option<usize> {
    let last = block.len().checked_sub(END_LEN)?;
    let found = (0..=last)
        .rev()
        .find(|&i| &block[i..i + 4] == END_SIGNATURE)?;
    let comment = usize::from(u16_at(block, found + 20));
    (found + END_LEN + comment <= block.len()).then_some(found)
}

/// Where the zip64 end record is, according to the locator that stands just before the end record.
fn find_end64<R: ReadAt + ?Sized>(
    window: &mut Window<'_, R>,
    end_offset: u64,
) -> Result<Option<u64>, ZipError> {
    let Some(offset) = end_offset.checked_sub(END64_LOCATOR_LEN) else {
        return Ok(None);
    };
    let bytes = window.at(offset, END64_LOCATOR_LEN as usize)?;
    let here = u32_at(bytes, 0) == END64_LOCATOR_SIGNATURE
        && u32_at(bytes, 4) == 0 // disk
        && u32_at(bytes, 16) == 1; // disks
    // An offset past i64 is taken for none, as the reference does.
    let offset = u64_at(bytes, 8);
    Ok((here && offset <= i64::MAX as u64).then_some(offset))
}

enum Step<'a> {
    /// A header and its length.
    Header(Header<'a>, u64),
    /// No header here, or a malformed one: the directory ends.
    None,
    /// The file ends exactly before a header, or before its name: the archive is refused, whatever it counts.
    EndOfFile,
}

fn header_at<'w, R: ReadAt + ?Sized>(
    window: &'w mut Window<'_, R>,
    offset: u64,
) -> Result<Step<'w>, ZipError> {
    const { assert!(HEADER_LEN + 3 * 0xffff <= Window::<[u8]>::CAPACITY) }
    let fixed = window.at(offset, HEADER_LEN)?;
    if fixed.is_empty() {
        return Ok(Step::EndOfFile);
    }
    if fixed.len() < HEADER_LEN || u32_at(fixed, 0) != HEADER_SIGNATURE {
        return Ok(Step::None);
    }
    let name_len = usize::from(u16_at(fixed, 28));
    let extra_len = usize::from(u16_at(fixed, 30));
    let comment_len = usize::from(u16_at(fixed, 32));
    let len = HEADER_LEN + name_len + extra_len + comment_len;
    let bytes = window.at(offset, len)?;
    if bytes.len() < len {
        let cut_before_name = bytes.len() == HEADER_LEN;
        return Ok(if cut_before_name {
            Step::EndOfFile
        } else {
            Step::None
        });
    }
    let (fixed, rest) = bytes.split_at(HEADER_LEN);
    let (name, rest) = rest.split_at(name_len);
    let (extra, rest) = rest.split_at(extra_len);
    let mut header = Header {
        name,
        fixed,
        extra,
        comment: &rest[..comment_len],
        method: u16_at(bytes, 10),
        descriptor: u16_at(bytes, 8) & 8 != 0,
        crc32: u32_at(bytes, 16),
        packed: u64::from(u32_at(bytes, 20)),
        unpacked: u64::from(u32_at(bytes, 24)),
        offset: i64::from(u32_at(bytes, 42)),
    };
    Ok(if widen(&mut header, extra).is_some() {
        Step::Header(header, len as u64)
    } else {
        Step::None
    })
}

/// Takes from the zip64 extra field what did not fit into 32 bits; `None` if that is not all there. An unpacked size
/// of 2³²-1 stands for itself where no such field is.
fn widen(header: &mut Header<'_>, mut extra: &[u8]) -> Option<()> {
    const FULL: u64 = 0xffff_ffff;
    let mut unpacked = header.unpacked == FULL;
    let mut packed = header.packed == FULL;
    let mut offset = header.offset == FULL as i64;
    while extra.len() >= 4 {
        let (tag, len) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let Some((mut field, rest)) = extra[4..].split_at_checked(len) else {
            break; // not in tag-and-length form: ignored
        };
        extra = rest;
        if tag != ZIP64_EXTRA {
            continue;
        }
        let mut next = || {
            let (value, rest) = field.split_first_chunk::<8>()?;
            field = rest;
            Some(u64::from_le_bytes(*value))
        };
        if std::mem::take(&mut unpacked) {
            header.unpacked = next()?;
        }
        if std::mem::take(&mut packed) {
            header.packed = next()?;
        }
        if std::mem::take(&mut offset) {
            header.offset = next()? as i64;
        }
    }
    (!packed && !offset).then_some(())
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
