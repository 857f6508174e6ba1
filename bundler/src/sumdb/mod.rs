//! The checksum database as the connected side uses it: lookups, tiles, heads, and the proof of all of them.

pub mod client;
pub mod prove;
pub mod spec;
