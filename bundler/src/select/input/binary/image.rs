//! A program as its file has it: which addresses lie where, and the tables that say so.

use modferry_protocol::zip::ReadAt;

use super::BinaryError;

/// The largest table of headers that is read, in bytes: more than 65,535 sections of ELF take.
pub(super) const MAX_TABLE: u64 = 4 << 20;

/// A program in memory, as its file has it.
pub(super) struct Image<'a> {
    pub(super) file: &'a dyn ReadAt,
    pub(super) regions: Vec<Region>,
    /// Where the record is to be found.
    pub(super) data: Data,
}

/// Addresses whose bytes are in the file.
pub(super) struct Region {
    pub(super) address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// Addresses that are searched for the record.
#[derive(Clone, Copy, Default)]
pub(super) struct Data {
    pub(super) start: u64,
    pub(super) size: u64,
}

impl Image<'_> {
    /// As many of `size` bytes from the address on as there are in the region that it is in; none outside of all.
    pub(super) fn up_to(&self, address: u64, size: u64) -> Result<Vec<u8>, BinaryError> {
        let inside = |region: &&Region| {
            (address.checked_sub(region.address)).is_some_and(|skip| skip < region.size)
        };
        let Some(region) = self.regions.iter().find(inside) else {
            return Ok(Vec::new());
        };
        let skip = address - region.address;
        let offset = region.offset.saturating_add(skip);
        let left = (region.size - skip).min(self.file.size().saturating_sub(offset));
        if left == 0 {
            return Ok(Vec::new());
        }
        let mut bytes = vec![0; size.min(left) as usize];
        self.file.read_exact_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// `size` bytes from the address on.
    pub(super) fn exactly(&self, address: u64, size: u64) -> Result<Vec<u8>, BinaryError> {
        let bytes = self.up_to(address, size)?;
        match bytes.len() as u64 == size {
            true => Ok(bytes),
            false => Err(BinaryError::NoBuildInfo),
        }
    }
}

/// A format, and how its numbers are written.
#[derive(Clone, Copy)]
pub(super) struct Format {
    pub(super) name: &'static str,
    pub(super) big_endian: bool,
}

impl Format {
    pub(super) fn damaged(self, what: &'static str) -> BinaryError {
        BinaryError::Damaged {
            format: self.name,
            what,
        }
    }

    /// The table of `size` bytes at `start`. `cut` is told where the file does not have it all.
    pub(super) fn table(
        self,
        file: &dyn ReadAt,
        start: u64,
        size: u64,
        cut: &'static str,
    ) -> Result<Table, BinaryError> {
        if size > MAX_TABLE {
            return Err(self.damaged("a table of its headers is larger than any known"));
        }
        if (start.checked_add(size)).is_none_or(|end| end > file.size()) {
            return Err(self.damaged(cut));
        }
        let mut bytes = vec![0; size as usize];
        file.read_exact_at(start, &mut bytes)?;
        Ok(Table {
            format: self,
            bytes,
        })
    }
}

/// A table of a file.
pub(super) struct Table {
    pub(super) format: Format,
    pub(super) bytes: Vec<u8>,
}

impl Table {
    /// The number of `size` bytes at `at`.
    pub(super) fn number(&self, at: usize, size: usize) -> Result<u64, BinaryError> {
        match self.bytes.get(at..).and_then(|rest| rest.get(..size)) {
            Some(bytes) => Ok(number(bytes, self.format.big_endian)),
            None => Err(self.format.damaged("a header is cut off")),
        }
    }

    /// The text of at most `size` bytes at `at`, up to its first zero.
    pub(super) fn text(&self, at: usize, size: usize) -> &[u8] {
        let rest = self.bytes.get(at..).unwrap_or_default();
        let text = &rest[..size.min(rest.len())];
        let end = text.iter().position(|byte| *byte == 0);
        &text[..end.unwrap_or(text.len())]
    }
}

/// The number that at most 8 bytes are.
pub(super) fn number(bytes: &[u8], big_endian: bool) -> u64 {
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    match big_endian {
        true => bytes.iter().fold(0, add),
        false => bytes.iter().rev().fold(0, add),
    }
}
