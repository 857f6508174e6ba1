//! What the operator sets of it.

use std::path::PathBuf;
use std::time::Duration;

use modferry_appliance::wants::kept::{BESIDE_THE_ENTRIES, BESIDE_THE_NAME, MAX_KEPT};
use modferry_cli::wants::MAX_WANT;

/// The most names that are kept if no one says otherwise.
pub const DEFAULT_MOST: usize = 20_000;

/// The most names that can be set.
pub const MAX_MOST: usize = 200_000;

/// The most bytes on disk if no one says otherwise.
pub const DEFAULT_MOST_BYTES: u64 = 8 << 20;

/// The most bytes that can be set: what a file of it may have.
pub const MAX_MOST_BYTES: u64 = MAX_KEPT;

/// The fewest bytes that can be set, unless nothing is kept: of both files, with the longest name.
pub const MIN_MOST_BYTES: u64 = (2 * BESIDE_THE_ENTRIES + MAX_WANT + BESIDE_THE_NAME) as u64;

/// How many new names an address may bring in within an hour if no one says otherwise: a large project that is tidied
/// against an empty mirror misses some hundred.
pub const DEFAULT_NEW_PER_ADDRESS: u32 = 2000;

/// For how many days a name is kept that nobody asks for any more, if no one says otherwise.
pub const DEFAULT_DAYS: u32 = 90;

/// How many seconds lie between two times of writing if no one says otherwise.
pub const DEFAULT_EVERY: u64 = 10;

/// The settings that are in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The folder, if one was named.
    pub folder: Option<PathBuf>,
    /// The most names; 0 keeps none at all.
    pub most: usize,
    /// The most bytes on disk, of both files together.
    pub most_bytes: u64,
    /// How many new names an address may bring in within an hour.
    pub new_per_address: u32,
    /// For how many days a name is kept that nobody asks for.
    pub days: u32,
    /// How much time lies between two times of writing.
    pub every: Duration,
    /// Which names are private: comma-separated, as GOPRIVATE has them.
    pub private: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            folder: None,
            most: DEFAULT_MOST,
            most_bytes: DEFAULT_MOST_BYTES,
            new_per_address: DEFAULT_NEW_PER_ADDRESS,
            days: DEFAULT_DAYS,
            every: Duration::from_secs(DEFAULT_EVERY),
            private: String::new(),
        }
    }
}
