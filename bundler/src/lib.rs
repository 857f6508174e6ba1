//! The connected side of modferry: select, fetch, verify, write, sign.
//!
//! A run goes one way: what is asked for ([`select`]) becomes module versions, each of which is fetched from
//! the configured upstreams ([`upstream`]) into a cache ([`cache`]) and held against the checksum database
//! ([`sumdb`]); what is proven, and the destination does not hold yet ([`basis`]), is written into a signed bundle
//! ([`export`]).

pub mod answers;
pub mod asked;
pub mod basis;
pub mod bundle;
pub mod cache;
pub mod command;
pub mod diff;
pub mod error;
pub mod estimate;
pub mod export;
pub mod fetch;
pub mod files;
pub mod front;
mod hidden;
pub mod inspect;
pub mod interrupted;
pub mod key;
pub mod keygen;
pub mod opaque;
pub mod pack;
pub mod place;
pub mod plan;
pub mod policy;
pub mod pool;
mod prepare;
pub mod progress;
pub mod recut;
pub mod remote;
pub mod select;
pub mod settings;
pub mod sign;
pub mod snapshot;
pub mod state;
pub mod sumdb;
#[cfg(test)]
mod testing;
pub mod trust;
pub mod unzip;
pub mod upstream;
pub mod verify;
pub mod volume_size;
pub mod vulndb;
pub mod write;
