//! Upstreams of private modules: each has its own module proxy or version control, and its own credentials.
//!
//! A private module's name is for its own upstream and nobody else. So its requests go one way only: no other proxy is
//! asked when that upstream fails, no redirect to another host is followed, and no checksum database is asked. What
//! [`Upstream`](super::goproxy::Upstream) is asked for goes through here first, lists and queries as well as files.

pub mod config;

use std::path::Path;
use std::sync::Arc;

use modferry_protocol::module::{ModulePath, pattern};
use modferry_protocol::request::Request;

use super::direct::Direct;
use super::goproxy::{GetError, Unavailable, Upstream};
use super::http::{Header, Http, HttpOptions, Sink};
use super::netrc::{MAX_NETRC, Netrc};
use crate::error::Error;
use crate::files;
pub use config::PrivateConfig;
use config::{HeaderAt, Source};

/// The most bytes of a file with a header.
const MAX_HEADER: u64 = 16 << 10;

/// Where modules of some patterns are asked for.
#[derive(Clone, Debug)]
pub struct PrivateRoute {
    patterns: String,
    way: Way,
}

#[derive(Clone, Debug)]
enum Way {
    Proxies(Box<Upstream>),
    Direct(Arc<Direct>),
}

impl PrivateConfig {
    /// The upstream; `options` are those of the public ones, of which it takes no credentials. What the go command fetches
    /// is kept in `folder`.
    pub fn route(&self, options: &HttpOptions, folder: &Path) -> Result<PrivateRoute, Error> {
        let patterns = self.patterns.join(",");
        let way = match &self.from {
            Source::Goproxy { list, header } => {
                let http = Http::new(HttpOptions {
                    netrc: self.netrc()?,
                    header: header.as_ref().map(read_header).transpose()?,
                    one_host: true,
                    ..options.clone()
                })
                .map_err(|source| Error::usage_because("unusable proxy", source))?;
                Way::Proxies(Box::new(Upstream::new(Arc::new(http), list.clone())))
            }
            Source::Direct => {
                let direct = Direct::new(folder, patterns.clone(), self.netrc.clone());
                let direct = direct.map_err(Error::file("use the folder", folder))?;
                Way::Direct(Arc::new(direct))
            }
        };
        Ok(PrivateRoute { patterns, way })
    }

    fn netrc(&self) -> Result<Netrc, Error> {
        let Some(path) = &self.netrc else {
            return Ok(Netrc::default());
        };
        let text = files::read_bounded(path, MAX_NETRC).map_err(Error::file("read", path))?;
        Ok(Netrc::parse(&String::from_utf8_lossy(&text)))
    }
}

fn read_header(at: &HeaderAt) -> Result<Header, Error> {
    let (text, from) = match at {
        HeaderAt::File(path) => {
            let text = files::read_bounded(path, MAX_HEADER).map_err(Error::file("read", path))?;
            (
                String::from_utf8_lossy(&text).into_owned(),
                path.display().to_string(),
            )
        }
        HeaderAt::Variable(name) => match std::env::var(name) {
            Ok(text) => (text, format!("${name}")),
            Err(_) => {
                return Err(Error::usage(format!(
                    "private: the variable {name} is not set"
                )));
            }
        },
    };
    // What is in it is never shown.
    Header::parse(text.trim())
        .ok_or_else(|| Error::usage(format!("private: {from} has no header: want Name: value")))
}

impl PrivateRoute {
    /// Whether the module is private, and to be asked for here.
    pub fn covers(&self, path: &ModulePath) -> bool {
        pattern::match_prefix_patterns(&self.patterns, path.as_str())
    }

    /// The same, or the path begins that of such a module.
    pub fn covers_or_above(&self, path: &ModulePath) -> bool {
        pattern::match_prefix_patterns_or_above(&self.patterns, path.as_str())
    }

    pub(super) fn get_into(
        &self,
        request: &Request,
        limit: u64,
        sink: &mut dyn Sink,
    ) -> Result<u64, GetError> {
        match &self.way {
            Way::Proxies(upstream) => upstream.get_into(request, limit, sink),
            Way::Direct(direct) => direct.get_into(request, limit, sink),
        }
    }

    pub(super) fn size(&self, request: &Request) -> Result<Option<u64>, Unavailable> {
        match &self.way {
            Way::Proxies(upstream) => upstream.size(request),
            // It is fetched whole or not at all.
            Way::Direct(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
