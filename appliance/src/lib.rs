//! The isolated side: the store, whom it trusts, and the import that fills it.
//!
//! [`store`] is the only user of RocksDB in modferry, and has the read side that the server opens.
//! [`import`], [`trust`], [`evidence`], [`receipt`] and [`wants`] are what the command `modferry-appliance` is a thin front of.

pub mod diff;
pub mod evidence;
pub mod identity;
pub mod import;
pub mod receipt;
pub mod store;
pub mod trust;
pub mod wants;
