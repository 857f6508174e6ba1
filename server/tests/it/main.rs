//! The built server, over real sockets. One program, so that the store is linked once.
#![allow(clippy::unwrap_used)]

mod answers;
mod common;
mod connection;
mod lifecycle;
mod ranges;
mod removal;
mod tls;
mod vulndb;
mod wants;
