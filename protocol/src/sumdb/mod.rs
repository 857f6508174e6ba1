//! The checksum database, offline: tree heads, tiles, records, and the proofs that bind them.
//!
//! golang.org/x/mod/sumdb (client.go, server.go, tlog) is the reference, for formats and for what a client asks.
//! Nothing here does I/O.

mod hash;
mod head;
mod name;
mod tile;

pub use hash::{HASH_SIZE, Hash, HashError, node_hash, record_hash};
pub use head::{HeadError, SignedHead, TreeHead, TreeHeadError};
pub use name::{DbName, DbNameError, MAX_DB_NAME};
pub use tile::{
    Height, MAX_LEVEL, MAX_TILE_INDEX, MAX_TILE_PATH, MAX_TREE_SIZE, Tile, TilePathError,
};
