//! The harness of the end-to-end tests: it runs the *built* binaries and the real go command.
//!
//! A scenario is a [`site::Site`]: a temporary folder with a connected side (an in-process [`upstream`] that
//! serves modules described as txtar, with a signed checksum database of its own) and an isolated side
//! (a store, a running `modferry-server`, and a [`golang::Go`] whose environment holds nothing of the
//! caller's). Everything listens on a free port of 127.0.0.1, nothing sleeps to synchronise, and each
//! scenario owns all that it touches, so that all of them run in parallel.
//!
//! A failing command fails the test with the command, its folder and a listing of it, stdout and stderr.

#![allow(clippy::unwrap_used, reason = "a harness: a panic is how a test fails")]

pub mod answers;
pub mod bundle;
pub mod faults;
pub mod golang;
pub mod halfway;
#[path = "../../server/tests/it/common/client.rs"]
pub mod http;
pub mod kill;
pub mod log;
pub mod module;
pub mod online;
pub mod power;
pub mod run;
pub mod server;
pub mod site;
pub mod small_disk;
pub mod txtar;
pub mod upstream;
pub mod vulndb;
