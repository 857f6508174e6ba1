//! Reads a bundle and proves it: the one loop behind `verify` and `import`, on both sides of the gap.
//!
//! [`check`] takes a volume as a stream and goes through it in an order in which nothing is interpreted
//! before it is trusted:
//!
//! 1. the manifest, bounded and unread, whose signatures the caller's [`Policy`] must accept;
//! 2. the index, hashed against the manifest before a line of it is parsed;
//! 3. the entries, each hashed against the index as it streams by: first the lists of what the bundle builds on
//!    and takes back, compared with what is held; then small things, which are decompressed, looked at and handed
//!    to the [`Stage`]; zips are checked on all cores and then handed over, in order;
//! 4. the proof: signed heads, tiles, records, and the h1 of each go.mod and zip against them, out of what
//!    the bundle brought and what the destination already holds.
//!
//! What happens with the bytes is the stage's business: the appliance's stage writes to a scratch store that
//! becomes visible only after `check` returns, [`SpoolStage`] keeps what the proof needs in a temporary file
//! and drops the zips. Whoever gets a [`Report`] has a bundle of which every check passed: there is no flag
//! to leave one out.
//!
//! Memory is bounded whatever the bundle's size: [`IN_FLIGHT`] bytes of zips, one pack of small things, and
//! the tiles that the proof keeps at hand.

mod check;
mod content;
pub mod diff;
mod directories;
mod error;
mod lists;
mod note;
mod pipeline;
mod prove;
mod report;
mod restore;
mod spool;
mod stage;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod volume;
pub mod vulndb;
mod workers;

pub use check::{check, from_read};
pub use content::{MAX_INFO, answered, info_is_of};
pub use error::{CheckError, MAX_NAMED, Side};
pub use modferry_protocol::trust::Policy;
pub use note::{split_note, united_note};
pub use pipeline::{IN_FLIGHT, SPOOL_ABOVE};
pub use report::{NoProgress, Progress, Report};
pub use restore::{FRAMES_IN_FLIGHT, streams_room};
pub use spool::{SpoolError, SpoolStage};
pub use stage::{HeldZip, Lack, MemoryStage, MemoryZip, Never, NoZip, Stage};
