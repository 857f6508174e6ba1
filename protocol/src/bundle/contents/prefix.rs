//! What the entries of bases come to that a frame's prefix is made of.
//!
//! Both sides ask here: who writes a frame, before it takes another entry into the prefix; who reads one, before anything
//! of the bases is read. What an entry inflates to and how it is packed both count: deflate streams of nothing but empty
//! blocks, or a stored entry of 500 MiB that says that it has no content, would be read to their ends for nothing.

use super::{ContentsError, MAX_PREFIX, MAX_PREFIX_PACKED, malformed};

/// The bytes of a prefix, as its entries lie in their zips and as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrefixSize {
    packed: u64,
    unpacked: u64,
}

impl PrefixSize {
    /// With one more entry, of so many bytes in its zip and so many as it is.
    #[must_use]
    pub fn and(self, packed: u64, unpacked: u64) -> PrefixSize {
        PrefixSize {
            packed: self.packed.saturating_add(packed),
            unpacked: self.unpacked.saturating_add(unpacked),
        }
    }

    /// The prefix's bytes.
    pub fn unpacked(self) -> u64 {
        self.unpacked
    }

    /// # Errors
    ///
    /// It has more than [`MAX_PREFIX`] bytes, or its entries have more than [`MAX_PREFIX_PACKED`] in their zips.
    pub fn check(self) -> Result<(), ContentsError> {
        if self.unpacked > MAX_PREFIX as u64 {
            return Err(malformed(format!(
                "a prefix of {} bytes: want at most {MAX_PREFIX}",
                self.unpacked
            )));
        }
        if self.packed > MAX_PREFIX_PACKED as u64 {
            return Err(malformed(format!(
                "a prefix whose entries have {} bytes in their zips: want at most {MAX_PREFIX_PACKED}",
                self.packed
            )));
        }
        Ok(())
    }

    /// Of a prefix at hand.
    pub(super) fn of(prefix: &[u8]) -> PrefixSize {
        PrefixSize::default().and(0, prefix.len() as u64)
    }
}
