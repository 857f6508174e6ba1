//! Where modules come from: module proxies over HTTP and in folders, as the go command is configured to
//! use them.

pub mod env;
pub mod goproxy;
pub mod http;
pub mod netrc;
pub mod proxyenv;
mod resolver;
pub mod url;

#[cfg(test)]
pub(crate) mod testing;
