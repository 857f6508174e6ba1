//! What a recipe weighs: the memory that it may take, counted while it is decoded and before anything is taken.
//!
//! ```text
//! weight = 100 files + 256 kinds + the bytes of names, front, extra fields, comments, directory, end and trailing
//! ```
//!
//! It is no measure of one program's structures but the format's own, so that every reader takes the same recipes and every
//! writer knows which. A file has two bytes in a recipe and fifty times that in memory, and a kind twice its own: that is
//! why the size of a pack bounds neither.

use super::headers::Kind;
use super::{DeflatedFacts, File, MAX_RECIPE_WEIGHT, RecipeError, malformed};

/// For each file: itself, its place in the directory, and what is known of it while the zip is put together.
const FILE: u64 = 100;

/// For each kind: itself, and its place in the set that finds one that is there twice.
const KIND: u64 = 256;

/// What putting a zip together takes a file: its facts, its header's offset, where its packed bytes are, and as much
/// again for whoever looks up what they hold.
const ASSEMBLED: usize =
    size_of::<DeflatedFacts>() + size_of::<u32>() + 2 * size_of::<std::ops::Range<u64>>();

const _: () = {
    assert!((size_of::<File>() + ASSEMBLED + size_of::<u32>()) as u64 <= FILE);
    assert!((size_of::<Kind>() + 4 * size_of::<&Kind>()) as u64 <= KIND);
};

/// A recipe's weight, as far as it is known.
#[derive(Default)]
pub(super) struct Weight(u64);

impl Weight {
    /// Counts files.
    pub(super) fn files(&mut self, count: usize) {
        self.0 = self.0.saturating_add(FILE.saturating_mul(count as u64));
    }

    /// Counts kinds.
    pub(super) fn kinds(&mut self, count: usize) {
        self.0 = self.0.saturating_add(KIND.saturating_mul(count as u64));
    }

    /// Counts bytes that are kept as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(bytes.len() as u64);
    }

    /// All of it.
    pub(super) fn total(&self) -> u64 {
        self.0
    }

    /// Whether it is one that is taken.
    pub(super) fn check(&self) -> Result<(), RecipeError> {
        if self.0 > MAX_RECIPE_WEIGHT {
            return Err(malformed(format!(
                "it weighs {} and more: want at most {MAX_RECIPE_WEIGHT}",
                self.0
            )));
        }
        Ok(())
    }
}
