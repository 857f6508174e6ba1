//! The isolated side: the store, and the import that fills it.
//!
//! [`store`] is the only user of RocksDB in modferry, and has the read side that the server opens.

pub mod store;
