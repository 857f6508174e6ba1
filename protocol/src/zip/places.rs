//! Where the packed bytes of a zip's entries lie, for those who take a zip apart, or take parts out of one.
//!
//! It is the directory as [`check`](super::check) reads it, and of each local header its length. Nothing else is looked
//! at: not whether the bytes inflate, not whether entries share some. Of [`places`], memory is three times what the directory
//! takes, of at most [`MAX_DIRECTORY`](super::MAX_DIRECTORY) bytes; [`each_listed`] is for who has not as much.

use std::ops::Range;

use super::content::local_header_len;
use super::directory::{Header, each_header};
use super::error::{EntryName, Rule, ZipError};
use super::source::{ReadAt, Window};

/// An entry of a zip, as the directory has it, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its whole name; not necessarily UTF-8.
    pub name: Vec<u8>,
    /// How it is packed: 0 as it is, 8 deflated.
    pub method: u16,
    /// The declared CRC-32 of its content.
    pub crc32: u32,
    /// The declared size of its content.
    pub unpacked: u64,
    /// Its packed bytes, all of them within the file.
    pub data: Range<u64>,
    /// Where its local header begins.
    pub header_offset: u64,
}

/// What the directory says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// How it is packed: 0 as it is, 8 deflated.
    pub method: u16,
    /// The declared CRC-32 of its content.
    pub crc32: u32,
    /// How many packed bytes it has.
    pub packed: u64,
    /// The declared size of its content.
    pub unpacked: u64,
    /// Where its local header begins. [`packed_bytes`](super::packed_bytes) come behind it.
    pub header_offset: u64,
}

impl Listed {
    fn of(header: &Header<'_>) -> Result<Listed, ZipError> {
        let header_offset = u64::try_from(header.offset).map_err(|_| ZipError::Entry {
            name: EntryName::new(header.name),
            rule: Rule::LocalHeader(header.offset),
        })?;
        Ok(Listed {
            method: header.method,
            crc32: header.crc32,
            packed: header.packed,
            unpacked: header.unpacked,
            header_offset,
        })
    }
}

/// Calls `each` for every entry of a zip, in its directory's order. None of them is kept, and nothing but the directory is
/// read: memory is one buffer, however many there are.
pub fn each_listed<E: From<ZipError>>(
    zip: &(impl ReadAt + ?Sized),
    mut each: impl FnMut(Listed) -> Result<(), E>,
) -> Result<(), E> {
    let mut buf = Vec::new();
    each_header(&mut Window::new(zip, &mut buf), |header| {
        each(Listed::of(&header)?)
    })?;
    Ok(())
}

/// The entries of a zip, in its directory's order.
///
/// An entry without a local header, or whose packed bytes go on past the end of the file, is an error.
pub fn places(zip: &(impl ReadAt + ?Sized)) -> Result<Vec<Place>, ZipError> {
    let mut buf = Vec::new();
    let mut window = Window::new(zip, &mut buf);
    let mut places = Vec::new();
    let mut packed = Vec::new();
    each_header(&mut window, |header| {
        let listed = Listed::of(&header)?;
        packed.push(listed.packed);
        places.push(Place {
            name: header.name.to_vec(),
            method: listed.method,
            crc32: listed.crc32,
            unpacked: listed.unpacked,
            data: 0..0,
            header_offset: listed.header_offset,
        });
        Ok::<_, ZipError>(())
    })?;
    // In the order in which they lie in the zip, so that it is read from front to back.
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|&at| places[at].header_offset);
    for at in order {
        let place = &mut places[at];
        let refuse = |place: &Place, rule| ZipError::Entry {
            name: EntryName::new(&place.name),
            rule,
        };
        let offset = place.header_offset;
        let len = local_header_len(&mut window, offset)?
            .ok_or_else(|| refuse(place, Rule::LocalHeader(offset as i64)))?;
        let begin = offset + len;
        let end = begin
            .checked_add(packed[at])
            .filter(|&end| end <= window.size());
        let end = end.ok_or_else(|| refuse(place, Rule::Short(place.unpacked)))?;
        place.data = begin..end;
    }
    Ok(places)
}
