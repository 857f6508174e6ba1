//! Upstreams of private modules: each has its own module proxy or version control, and its own credentials.
//!
//! A private module's name is for its own upstream and nobody else. So its requests go one way only: no other proxy is
//! asked when that upstream fails, no redirect to another host is followed, and no checksum database is asked. What
//! [`Upstream`](super::goproxy::Upstream) is asked for goes through here first, lists and queries as well as files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modferry_protocol::module::{ModulePath, pattern};
use modferry_protocol::request::Request;
use serde::Deserialize;

use super::direct::Direct;
use super::goproxy::{GetError, Proxy, ProxyList, Unavailable, Upstream};
use super::http::{Header, Http, HttpOptions, Sink};
use super::netrc::{MAX_NETRC, Netrc};
use super::url::{Base, is_loopback};
use crate::error::Error;
use crate::files;
use crate::settings::path;

/// The most bytes of a file with a header.
const MAX_HEADER: u64 = 16 << 10;

/// An entry of `private:` in modferry.yaml.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct PrivateConfig {
    /// Glob patterns of module paths, as GOPRIVATE has them.
    pub patterns: Vec<String>,
    /// A GOPROXY list for these modules.
    pub goproxy: Option<String>,
    /// Whether the go command fetches them from version control.
    pub direct: bool,
    /// A netrc file with passwords for this upstream.
    #[serde(deserialize_with = "path::one")]
    pub netrc: Option<PathBuf>,
    /// A file with a header for this upstream: `Name: value`.
    #[serde(deserialize_with = "path::one")]
    pub header_file: Option<PathBuf>,
    /// A variable of the environment with such a header.
    pub header_env: Option<String>,
}

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
    /// Relative paths are relative to the configuration's folder.
    pub fn in_folder(&mut self, folder: &Path) {
        for path in [&mut self.netrc, &mut self.header_file]
            .into_iter()
            .flatten()
        {
            *path = folder.join(&*path);
        }
    }

    /// The upstream; `options` are those of the public ones, of which it takes no credentials. What the go command fetches
    /// is kept in `folder`.
    pub fn route(&self, options: &HttpOptions, folder: &Path) -> Result<PrivateRoute, Error> {
        let wrong =
            |what: &str| Error::usage(format!("private: {}: {what}", self.patterns.join(",")));
        if self.patterns.is_empty() {
            return Err(Error::usage(
                "private: an entry needs patterns: the module paths that it is for",
            ));
        }
        for given in &self.patterns {
            let names_some = given.contains(|c: char| c.is_ascii_alphanumeric());
            if !pattern::is_well_formed(given) || given.contains(',') || !names_some {
                return Err(wrong(&format!("{given:?} is no pattern of module paths")));
            }
        }
        let way = match (&self.goproxy, self.direct) {
            (Some(list), false) => {
                let list = ProxyList::parse(list).map_err(|source| {
                    Error::usage_because(format!("private: {}", self.patterns.join(",")), source)
                })?;
                let header = self.header()?;
                if header.is_some() && !keeps_a_secret(&list) {
                    return Err(wrong(
                        "a header is a secret of one upstream: want one URL as goproxy, and https",
                    ));
                }
                let http = Http::new(HttpOptions {
                    netrc: self.netrc()?,
                    header,
                    one_host: true,
                    ..options.clone()
                })
                .map_err(|source| Error::usage_because("unusable proxy", source))?;
                Way::Proxies(Box::new(Upstream::new(Arc::new(http), list)))
            }
            (None, true) if self.header_file.is_some() || self.header_env.is_some() => {
                return Err(wrong(
                    "a header is for a goproxy; version control has its own credentials",
                ));
            }
            (None, true) => {
                let direct = Direct::new(folder, self.patterns.join(","), self.netrc.clone());
                Way::Direct(Arc::new(
                    direct.map_err(Error::file("use the folder", folder))?,
                ))
            }
            _ => return Err(wrong("want either goproxy: URL or direct: true")),
        };
        Ok(PrivateRoute {
            patterns: self.patterns.join(","),
            way,
        })
    }

    fn netrc(&self) -> Result<Netrc, Error> {
        let Some(path) = &self.netrc else {
            return Ok(Netrc::default());
        };
        let text = files::read_bounded(path, MAX_NETRC).map_err(Error::file("read", path))?;
        Ok(Netrc::parse(&String::from_utf8_lossy(&text)))
    }

    fn header(&self) -> Result<Option<Header>, Error> {
        let (text, from) = match (&self.header_file, &self.header_env) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(Error::usage(
                    "private: want header-file or header-env, not both",
                ));
            }
            (Some(path), None) => {
                let text =
                    files::read_bounded(path, MAX_HEADER).map_err(Error::file("read", path))?;
                (
                    String::from_utf8_lossy(&text).into_owned(),
                    path.display().to_string(),
                )
            }
            (None, Some(name)) => match std::env::var(name) {
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
            .map(Some)
            .ok_or_else(|| Error::usage(format!("private: {from} has no header: want Name: value")))
    }
}

/// Whether what goes to this list with each request comes to one host only, and nobody on the way can read it. What never
/// leaves this machine cannot be overheard.
fn keeps_a_secret(list: &ProxyList) -> bool {
    let mut proxies = list
        .entries()
        .iter()
        .filter_map(|entry| match &entry.proxy {
            Proxy::At(base) => Some(base),
            Proxy::Direct | Proxy::Off => None,
        });
    match (proxies.next(), proxies.next()) {
        (Some(Base::Http(base)), None) => base.secure || is_loopback(&base.host),
        _ => false,
    }
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
