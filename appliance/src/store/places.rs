//! How many files a store holds at most, and whether a bundle's still have a place.
//!
//! That is asked when a bundle's index is known and nothing behind it was read: gigabytes are not read for a refusal.

use super::{StoreError, View};
use modferry_protocol::bundle::FileName;

/// The most files that a store holds: the list of all of them is one answer of the server's, of some MB.
pub const MAX_HELD_FILES: u64 = 16_384;

impl View {
    /// An error, if these files, each named once, would be more than [`MAX_HELD_FILES`] with those that are held.
    pub fn has_place_for(&self, names: &[FileName]) -> Result<(), StoreError> {
        if names.is_empty() {
            return Ok(());
        }
        let mut held = self.totals()?.counts.files;
        for name in names {
            if self.file(name)?.is_some() {
                continue;
            }
            if held >= MAX_HELD_FILES {
                return Err(StoreError::TooManyFiles { name: name.clone() });
            }
            held += 1;
        }
        Ok(())
    }
}
