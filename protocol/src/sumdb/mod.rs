//! The checksum database, offline: tree heads, tiles, records, and the proofs that bind them.
//!
//! golang.org/x/mod/sumdb (client.go, server.go, tlog) is the reference, for formats and for what a client asks.
//! Nothing here does I/O, and nothing panics or overflows on any input.
//!
//! - [`SignedHead`]: the size and root hash that the database has signed
//! - [`Record`]: what it says of one module version
//! - [`Tile`], [`tlog`]: how its tree is cut into files, and the arithmetic of that tree
//! - [`tiling`]: which tiles a client can need, the closure
//! - [`Authenticator`]: proves tiles, records and older heads against a signed head

use std::collections::BTreeSet;

mod cache;
mod hash;
mod head;
mod log;
mod name;
mod proof;
mod record;
mod tile;
pub mod tiling;
pub mod tlog;

pub use hash::{HASH_SIZE, Hash, HashError, node_hash, record_hash};
pub use head::{HeadError, SignedHead, TreeHead, TreeHeadError};
pub use log::MemoryLog;
pub use name::{DbName, DbNameError, MAX_DB_NAME};
pub use proof::{Authenticator, CACHE_BYTES, ProofError, Proven, TileSource};
pub use record::{MAX_LOOKUP, MAX_RECORD, Record, RecordError, split_lookup};
pub use tile::{
    Height, MAX_LEVEL, MAX_TILE_INDEX, MAX_TILE_PATH, MAX_TREE_SIZE, Tile, TilePathError,
};

/// [`tiling::closure`] at cmd/go's height.
pub fn closure(size: u64, records: impl IntoIterator<Item = u64>, older: &[u64]) -> BTreeSet<Tile> {
    tiling::closure(Height::GO, size, records, older)
}

/// [`tiling::edge`] at cmd/go's height.
pub fn edge(size: u64) -> Vec<Tile> {
    tiling::edge(Height::GO, size)
}

/// [`tiling::tiles_of_record`] at cmd/go's height.
pub fn tiles_of_record(size: u64, id: u64) -> Vec<Tile> {
    tiling::tiles_of_record(Height::GO, size, id)
}

/// [`tiling::tiles_of_older`] at cmd/go's height.
pub fn tiles_of_older(size: u64, older: u64) -> Vec<Tile> {
    tiling::tiles_of_older(Height::GO, size, older)
}
