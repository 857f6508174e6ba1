//! Where modules come from: module proxies over HTTP and in folders, as the go command is configured to
//! use them.

mod direct;
pub mod env;
pub mod goproxy;
pub mod http;
pub mod netrc;
pub mod private;
pub mod proxyenv;
mod resolver;
pub mod url;

#[cfg(test)]
pub(crate) mod testing;
