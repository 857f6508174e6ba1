//! What modferry's parts agree on, as pure code: no files, sockets, clock, environment or threads.
//!
//! The outside world comes in through two small traits, [`zip::ReadAt`] and [`sumdb::TileSource`], and
//! through `std::io::Read` and `Write` for bundles. So each rule here can be tested exhaustively, and the
//! connected and the isolated side cannot disagree about one.
//!
//! - [`module`]: module paths and versions, escaping, semantic-version order (golang.org/x/mod/module, semver)
//! - [`request`]: every GOPROXY and sumdb URL as one typed value
//! - [`zip`], [`h1`]: the rules for module zips and the hashes over them (x/mod/zip, x/mod/sumdb/dirhash)
//! - [`note`], [`sumdb`]: signed notes, tree heads, tiles, records, proofs, and the closure of tiles that
//!   lets a client verify offline (x/mod/sumdb/note, tlog)
//! - [`bundle`], [`trust`]: the bundle format, and the policy that decides whose bundles are read
//! - [`receipt`]: what the isolated side says that it holds, to be carried back

pub mod bundle;
pub mod h1;
pub mod module;
pub mod note;
pub mod receipt;
pub mod request;
pub mod sumdb;
mod text;
pub mod trust;
pub mod zip;
