//! The record that the linker leaves: a header of 32 bytes that begins with a mark, at an address that 16 divides.
//!
//! ```text
//! 0   ff "Go buildinf:" with a space before "Go"
//! 14  size of a pointer: 4 or 8           (before 1.18)
//! 15  flags: 1 big-endian (before 1.18), 2 the texts follow the header
//! 16  pointers to Go's version and to the modules, each to a pointer and a length (before 1.18)
//! 32  Go's version and the modules, each with its length in front as a varint (from 1.18 on)
//! ```
//!
//! The modules stand between two random marks of 16 bytes, which the go command puts there.

use super::BinaryError;
use super::image::{Image, number};

/// The longest text that is read, in bytes: that of a program of a thousand modules is a twentieth of it.
pub(super) const MAX_TEXT: u64 = 4 << 20;

const MARK: &[u8; 14] = b"\xff Go buildinf:";
/// At what addresses it may stand.
const ALIGN: u64 = 16;
const HEADER: usize = 32;
const BIG_ENDIAN: u8 = 1;
const INLINE: u8 = 2;
/// What stands before the modules, and what behind.
const FRAME: usize = 16;
/// How much is searched at once, in bytes.
const PIECE: u64 = 64 << 10;
const MAX_VARINT: u64 = 10;

/// What it says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Go's version.
    pub(super) go: String,
    /// The lines about modules; empty without them.
    pub(super) modules: String,
}

/// Reads the record of a program.
pub(super) fn of(image: &Image<'_>) -> Result<Record, BinaryError> {
    let at = search(image)?;
    let header = image.exactly(at, HEADER as u64)?;
    let (flags, pointers) = (header[15], &header[16..]);
    let (go, modules) = if flags & INLINE != 0 {
        let (go, behind) = counted(image, at.saturating_add(HEADER as u64))?;
        (go, counted(image, behind)?.0)
    } else {
        let size = usize::from(header[14]);
        if !matches!(size, 4 | 8) {
            return Err(BinaryError::NoBuildInfo);
        }
        let big = flags & BIG_ENDIAN != 0;
        let pointer = |bytes: &[u8], n: usize| number(&bytes[n * size..(n + 1) * size], big);
        let text = |at: u64| -> Result<Vec<u8>, BinaryError> {
            let string = image.exactly(at, 2 * size as u64)?;
            bounded(image, pointer(&string, 0), pointer(&string, 1))
        };
        let modules = match pointer(pointers, 1) {
            0 => Vec::new(),
            at => text(at)?,
        };
        (text(pointer(pointers, 0))?, modules)
    };
    let go = String::from_utf8(go).map_err(|_| BinaryError::NoBuildInfo)?;
    if go.is_empty() {
        return Err(BinaryError::NoBuildInfo);
    }
    Ok(Record {
        go,
        modules: unframed(&modules),
    })
}

/// The address of the record, in the part of the program where linkers put it.
fn search(image: &Image<'_>) -> Result<u64, BinaryError> {
    let end = (image.data.start.checked_add(image.data.size)).ok_or(BinaryError::NoBuildInfo)?;
    let first = image.data.start.checked_next_multiple_of(ALIGN);
    let mut at = first.ok_or(BinaryError::NoBuildInfo)?;
    while at < end {
        let piece = image.up_to(at, PIECE.min(end - at))?;
        let marked = |slot: &[u8]| slot.starts_with(MARK);
        if let Some(slot) = piece.chunks(ALIGN as usize).position(marked) {
            return Ok(at + slot as u64 * ALIGN);
        }
        // A shorter piece than was asked for is the last that there is.
        if (piece.len() as u64) < PIECE {
            break;
        }
        at += PIECE;
    }
    Err(BinaryError::NoBuildInfo)
}

/// A text with its length in front, and the address behind it.
fn counted(image: &Image<'_>, at: u64) -> Result<(Vec<u8>, u64), BinaryError> {
    let bytes = image.up_to(at, MAX_VARINT)?;
    let mut size = 0_u64;
    for (index, byte) in bytes.iter().enumerate() {
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has one bit left.
        if index == 9 && *byte > 1 {
            break;
        }
        size |= bits << (7 * index);
        if byte & 0x80 == 0 {
            let at = at.saturating_add(index as u64 + 1);
            return Ok((bounded(image, at, size)?, at.saturating_add(size)));
        }
    }
    Err(BinaryError::NoBuildInfo)
}

fn bounded(image: &Image<'_>, at: u64, size: u64) -> Result<Vec<u8>, BinaryError> {
    match size {
        0 => Ok(Vec::new()),
        size if size > MAX_TEXT => Err(BinaryError::TooLong { size }),
        size => image.exactly(at, size),
    }
}

/// The lines between the marks. What has none is no text of the go command's, and counts as none, as there.
fn unframed(text: &[u8]) -> String {
    let lines = match text.len().checked_sub(FRAME) {
        Some(end) if end > FRAME && text[end - 1] == b'\n' => &text[FRAME..end],
        _ => &[],
    };
    String::from_utf8_lossy(lines).into_owned()
}
