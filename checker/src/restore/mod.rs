//! Packed zips, put together again: contents to deflate streams, deflate streams and recipes to zips.
//!
//! Contents come first, a frame after the other. The reading thread restores a frame, and the workers write the deflate
//! streams of its contents ([`rebuild`]), each of them once for the whole bundle, into one unlinked file
//! ([`streams`]). Then come recipes: a worker puts a zip together from that file and from what the destination
//! holds ([`bases`]), hashes it, and checks it like one that came as it is ([`assemble`]).
//!
//! Nothing in here has to be believed. A zip is taken only if its SHA-256 is the signed index's and its h1 the checksum
//! database's, and the h1 is over what was inflated from the very deflate streams. So whatever is wrong with contents,
//! recipes or the code that wrote streams again, no other zip than the right one gets in. What the bounds are for is time
//! and room:
//!
//! - A recipe names deflate streams and entries of bases, never recipes: there are no cycles. It writes at most as many
//!   bytes as the index says that its zip has, one [`MAX_ZIP_FILE`](modferry_protocol::zip::MAX_ZIP_FILE) at most.
//! - The deflate streams of a bundle are at most as many, and have at most as many bytes, as its manifest says, for which
//!   room was found before it was read.
//! - Of a frame's prefix, size and packed bytes are known and bounded before it is read.
//! - Of bases, nothing is in memory but the blocks that readers have at hand.
//! - Of frames, [`FRAMES_IN_FLIGHT`] bytes are in memory at a time, as stored and as restored.

mod assemble;
mod bases;
mod blocks;
mod rebuild;
mod streams;

use std::path::Path;

use modferry_protocol::bundle::{MAX_BASE_ENTRIES, Manifest};

use crate::CheckError;

pub(crate) use assemble::{Unfit, restore};
use bases::Bases;
pub(crate) use bases::{Base, BaseError, PrefixError};
pub use rebuild::FRAMES_IN_FLIGHT;
pub(crate) use rebuild::{Frame, Frames, RebuildTools};
use streams::Streams;
pub use streams::streams_room;

/// What zips are put together from.
pub(crate) struct Parts<Z> {
    pub(crate) streams: Streams,
    pub(crate) bases: Bases<Z>,
}

impl<Z> Parts<Z> {
    /// None yet of the bundle's; the bases are as they were found. Temporary files are in `folder`.
    pub(crate) fn new(
        manifest: &Manifest,
        bases: Vec<Base<Z>>,
        folder: &Path,
    ) -> Result<Parts<Z>, CheckError> {
        Ok(Parts {
            streams: Streams::new(manifest.deflated, folder)?,
            bases: Bases::new(bases, MAX_BASE_ENTRIES, folder)?,
        })
    }
}
