//! Packs: many small items in one zstd frame, because an `.info` of 60 bytes is not worth a tar block of its own,
//! and all of a bundle's texts together compress to a fifth.
//!
//! A pack is the items' bytes one after the other, with nothing between them: the index says where each ends.
//! It is restored only after its stored bytes' hash is right; even then the frame may have come from a hostile
//! signer, so window, size and count are all bounded.

use sha2::{Digest as _, Sha256};
use zstd::stream::raw::CParameter;

use super::item::{Encoding, Entry, Item};
use super::{MAX_PACK_ITEMS, MAX_PACK_RESTORED, MAX_RECIPE_WEIGHT, MAX_WINDOW_LOG, frame};

/// A pack is closed when the next item would take it past this many bytes.
///
/// Large enough that like compresses with like, small enough that a damaged one is quickly sent again.
pub const PACK_TARGET: usize = 4 << 20;

/// zstd's level for packs.
///
/// Measured on the small things of 423 modules: 6.25 MB, of which 5.8 MB are tiles, that is hashes, and do not
/// compress. The other 434 kB go to 85 kB at level 3, 78 kB at 9 and 73 kB at 19; all of it takes 0.05 s, 0.14 s
/// and 2.8 s of one core. Past 9, seconds of export buy a thousandth of the bundle.
const LEVEL: i32 = 9;

/// Collects small items, in their order, into packs.
#[derive(Default)]
pub struct PackBuilder {
    items: Vec<(Item, u64)>,
    bytes: Vec<u8>,
}

/// A closed pack: all of an [`Entry`] but its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// The items in it, and the bytes of each.
    pub items: Vec<(Item, u64)>,
    /// How it holds them.
    pub encoding: Encoding,
    /// Of recipes: the SHA-256 of each zip.
    pub zip_sha256: Vec<[u8; 32]>,
    /// The compressed bytes, as they are stored.
    pub bytes: Vec<u8>,
    /// SHA-256 of the compressed bytes.
    pub sha256: [u8; 32],
}

/// Why an item goes into no pack.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Zips, the contents of them, and files have entries of their own.
    #[error("{0} does not go into a pack")]
    Zip(Item),
    /// Larger than a pack may be.
    #[error("{item} has {size} bytes: a pack holds at most {MAX_PACK_RESTORED}")]
    TooLarge {
        /// The item.
        item: Item,
        /// Its bytes.
        size: u64,
    },
    /// A recipe heavier than readers take.
    #[error("the recipe of {item} weighs {weight}: want at most {MAX_RECIPE_WEIGHT}")]
    TooHeavy {
        /// The zip.
        item: Item,
        /// What its recipe weighs.
        weight: u64,
    },
    /// zstd failed, which takes a lack of memory.
    #[error("compressing a pack failed")]
    Zstd(#[source] std::io::Error),
}

impl PackBuilder {
    /// A builder with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an item in; gives back the pack before it when that is full.
    pub fn push(&mut self, item: Item, bytes: &[u8]) -> Result<Option<Pack>, PackError> {
        let size = bytes.len() as u64;
        if matches!(item, Item::Contents(_) | Item::Zip(_) | Item::File(_)) {
            return Err(PackError::Zip(item));
        }
        if size > MAX_PACK_RESTORED {
            return Err(PackError::TooLarge { item, size });
        }
        let full =
            self.bytes.len() + bytes.len() > PACK_TARGET || self.items.len() == MAX_PACK_ITEMS;
        let closed = if full { self.close()? } else { None };
        self.items.push((item, size));
        self.bytes.extend_from_slice(bytes);
        Ok(closed)
    }

    /// The last pack; `None` when there is nothing left for one.
    pub fn finish(mut self) -> Result<Option<Pack>, PackError> {
        self.close()
    }

    fn close(&mut self) -> Result<Option<Pack>, PackError> {
        if self.items.is_empty() {
            return Ok(None);
        }
        let bytes = compress(&self.bytes).map_err(PackError::Zstd)?;
        self.bytes.clear();
        let sha256 = Sha256::digest(&bytes).into();
        Ok(Some(Pack {
            items: std::mem::take(&mut self.items),
            encoding: Encoding::Zstd,
            zip_sha256: Vec::new(),
            bytes,
            sha256,
        }))
    }
}

impl Pack {
    /// The entry that this pack is when it has that number, and its bytes.
    pub fn into_entry(self, number: u32) -> (Entry, Vec<u8>) {
        let stored = self.bytes.len() as u64;
        let entry = Entry {
            number,
            encoding: self.encoding,
            stored,
            sha256: self.sha256,
            items: self.items,
            zip_sha256: self.zip_sha256,
        };
        (entry, self.bytes)
    }
}

/// One frame that declares its size, with a window that readers take.
pub(super) fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.set_parameter(CParameter::WindowLog(MAX_WINDOW_LOG))?;
    compressor.compress(bytes)
}

/// The bytes of a pack that must restore to exactly `size`, at most [`MAX_PACK_RESTORED`], or what is wrong with it.
pub(super) fn restore(stored: &[u8], size: u64) -> Result<Vec<u8>, String> {
    frame::restore(stored, &[], size, MAX_WINDOW_LOG)
}

/// How many bytes a pack restores to of which the index does not say that, or what is wrong with it.
pub(super) fn restored_size(stored: &[u8]) -> Result<u64, String> {
    match frame::declared(stored)? {
        declared if declared <= MAX_PACK_RESTORED => Ok(declared),
        declared => Err(format!(
            "the frame declares {declared} bytes: want at most {MAX_PACK_RESTORED}"
        )),
    }
}
