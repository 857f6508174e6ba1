//! The server: one typed request, one read of the store, one response. It answers the go command's GOPROXY
//! requests and its checksum-database requests from what was imported, and has no way out.
//!
//! - [`run`]: from settings to a running server and from a signal to its end; [`config`], [`tls`]
//! - [`gate`]: what a connection is wrapped in, so that requests are answered one after the other
//! - [`service`]: a request's head to its response; [`answer`] is the store's side of it ([`found`]), [`respond`] HTTP's:
//!   the one table of statuses, types and cache lifetimes; [`conditional`] tags and ranges
//! - [`tail`]: how answers reach the connection; [`chunks`], [`recent`]: what is kept of those given lately, in
//!   bounded memory ([`clock`])
//! - [`store`]: the store as it is seen from here: read-only, growing, perhaps empty yet; [`site`] what all share
//! - [`wants`]: what is asked for and not here is kept, for whoever decides what comes in next
//! - [`access`], [`logging`]: the access log and the log; [`notify`]: what the service manager is told

pub mod access;
pub mod answer;
pub mod chunks;
pub mod clock;
pub mod conditional;
pub mod config;
pub mod found;
pub mod gate;
pub mod logging;
pub mod notify;
pub mod recent;
pub mod respond;
pub mod run;
pub mod service;
pub mod site;
pub mod store;
pub mod tail;
pub mod tls;
pub mod wants;
