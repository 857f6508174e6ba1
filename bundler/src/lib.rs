//! The connected side of modferry: select, fetch, verify, write, sign.

pub mod cache;
pub mod files;
pub mod pool;
pub mod select;
pub mod upstream;
