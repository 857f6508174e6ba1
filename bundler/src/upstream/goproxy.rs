//! GOPROXY: a list of module proxies, with the go command's rules for which one answers
//! (cmd/go/internal/modfetch/proxy.go).
//!
//! Each request goes to the first proxy; after `,` the next one is asked only when the answer was 404 or
//! 410, after `|` after any failure. `off` ends the list. `direct` ends it too: modferry fetches from
//! proxies only, so what is left to `direct` is unavailable, and the failure says so.

use std::io::{self, Read};
use std::str::FromStr;
use std::sync::Arc;

use modferry_protocol::module::ModulePath;
use modferry_protocol::request::Request;
use serde::{Deserialize, Deserializer};

use super::http::{Http, HttpError, Sink};
use super::private::PrivateRoute;
use super::url::{Base, BaseError, HttpBase};
use crate::policy::Rule;
use crate::select::text;

/// A module proxy, or a word that ends the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// A module proxy.
    At(Base),
    /// Version control, which modferry does not do.
    Direct,
    /// Nothing further.
    Off,
}

/// One element of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The proxy.
    pub proxy: Proxy,
    /// Whether the next one is asked after any failure (`|`), not just after 404 and 410 (`,`).
    pub after_any_failure: bool,
}

/// A parsed GOPROXY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyList(Vec<Entry>);

/// Why a GOPROXY list was not accepted.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ListError {
    /// Nothing in it.
    #[error("GOPROXY contains no entries")]
    Empty,
    /// It begins with `off` or `direct`: no proxy would ever be asked.
    #[error("GOPROXY begins with {0}: there is no module proxy to fetch from")]
    NoProxy(&'static str),
    /// An element is no URL.
    #[error("GOPROXY has an element that is no proxy")]
    Element(#[from] BaseError),
}

impl ProxyList {
    /// Parses GOPROXY's value.
    pub fn parse(text: &str) -> Result<ProxyList, ListError> {
        let mut entries = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (element, after_any_failure) = match rest.find([',', '|']) {
                Some(at) => {
                    let parts = (&rest[..at], rest.as_bytes()[at] == b'|');
                    rest = &rest[at + 1..];
                    parts
                }
                None => (std::mem::take(&mut rest), false),
            };
            let proxy = match element.trim() {
                "" => continue,
                "off" => Proxy::Off,
                "direct" => Proxy::Direct,
                url if url.contains(['.', ':', '/'])
                    && !url.contains(":/")
                    && !url.starts_with('/') =>
                {
                    Proxy::At(Base::parse(&format!("https://{url}"))?)
                }
                url => Proxy::At(Base::parse(url)?),
            };
            let ends = !matches!(proxy, Proxy::At(_));
            entries.push(Entry {
                proxy,
                after_any_failure,
            });
            if ends {
                break;
            }
        }
        match entries.first() {
            None => Err(ListError::Empty),
            // Only the word is told: what follows it may hold a password.
            Some(Entry {
                proxy: Proxy::Off, ..
            }) => Err(ListError::NoProxy("off")),
            Some(Entry {
                proxy: Proxy::Direct,
                ..
            }) => Err(ListError::NoProxy("direct")),
            Some(_) => Ok(ProxyList(entries)),
        }
    }

    /// The elements in order.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }
}

impl FromStr for ProxyList {
    type Err = ListError;

    fn from_str(text: &str) -> Result<ProxyList, ListError> {
        ProxyList::parse(text)
    }
}

impl<'de> Deserialize<'de> for ProxyList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ProxyList, D::Error> {
        text::deserialize(deserializer, "proxies in GOPROXY's form")
    }
}

/// Why an upstream does not give something: what a report and a manifest's `missing` line call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// An HTTP status.
    Status(u16),
    /// Left to `direct`, which modferry does not do.
    Direct,
    /// The go command could not ask version control: its host is down, or a login failed.
    VersionControl,
    /// Larger than the go command accepts.
    TooLarge,
    /// No usable answer.
    Network,
    /// A file of a `file://` upstream cannot be read.
    Unreadable,
    /// GOPRIVATE, GONOPROXY or GONOSUMDB names it.
    Private,
    /// The module's name or what it says of itself is malformed.
    Malformed,
    /// The site's policy refuses it.
    Policy(Rule),
}

impl Reason {
    /// One word: `404`, `direct`, `too-large`, …
    pub fn token(self) -> String {
        match self {
            Reason::Status(status) => status.to_string(),
            Reason::Direct => "direct".into(),
            Reason::VersionControl => "version-control".into(),
            Reason::TooLarge => "too-large".into(),
            Reason::Network => "network".into(),
            Reason::Unreadable => "unreadable".into(),
            Reason::Private => "private".into(),
            Reason::Malformed => "malformed".into(),
            Reason::Policy(rule) => rule.token(),
        }
    }

    /// In words, for a report that counts them.
    pub fn words(self) -> String {
        match self {
            Reason::Status(404) => "not there (404)".into(),
            Reason::Status(410) => "gone (410)".into(),
            Reason::Status(status @ (401 | 403)) => format!("refused by the proxy ({status})"),
            Reason::Status(status) => format!("the proxy answers {status}"),
            Reason::Direct => "left to direct, which asks no proxy".into(),
            Reason::VersionControl => "version control cannot be asked".into(),
            Reason::TooLarge => "larger than the go command accepts".into(),
            Reason::Network => "no usable answer".into(),
            Reason::Unreadable => "unreadable here".into(),
            Reason::Private => "private, and no upstream of its own is set".into(),
            Reason::Malformed => "malformed".into(),
            Reason::Policy(rule) => format!("refused by policy ({})", rule.name()),
        }
    }

    /// Whether that means "not there" to the go command, so that the next proxy is asked.
    fn is_absence(self) -> bool {
        matches!(self, Reason::Status(404 | 410) | Reason::Direct)
    }
}

/// Something that no upstream gives.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{text}")]
pub struct Unavailable {
    /// The kind of refusal.
    pub reason: Reason,
    /// The refusal in words, with the URL.
    pub text: String,
}

impl Unavailable {
    /// From the words of an error and all its causes.
    pub fn new(reason: Reason, error: &dyn std::error::Error) -> Unavailable {
        let text = modferry_cli::in_one_line(error);
        Unavailable { reason, text }
    }

    /// Nothing is there.
    pub fn is_absence(&self) -> bool {
        self.reason.is_absence()
    }

    /// Nothing is there, or upstream does not give it: an answer about the thing itself, and not about how it was asked for.
    pub fn is_denial(&self) -> bool {
        self.is_absence() || matches!(self.reason, Reason::Status(401 | 403))
    }
}

/// Why a request gave nothing. What goes wrong on this side is no word of an upstream: no other one is asked,
/// and no module counts as missing because of it.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// No upstream gives it.
    #[error(transparent)]
    Refused(#[from] Unavailable),
    /// What was received cannot be kept here.
    #[error("cannot keep what was received")]
    Local(#[source] io::Error),
}

impl GetError {
    /// As a refusal, where what was received is only kept in memory.
    pub fn refused(self) -> Unavailable {
        match self {
            GetError::Refused(why) => why,
            GetError::Local(_) => Unavailable::new(Reason::Unreadable, &self),
        }
    }
}

/// The proxies of a list.
#[derive(Clone, Debug)]
pub struct Upstream {
    http: Arc<Http>,
    list: ProxyList,
    /// Where private modules are asked for, and nowhere else.
    private: Arc<[PrivateRoute]>,
}

impl Upstream {
    /// The proxies of `list`, reached through `http`.
    pub fn new(http: Arc<Http>, list: ProxyList) -> Upstream {
        Upstream {
            http,
            list,
            private: [].into(),
        }
    }

    /// The same, with private modules asked for at their own upstreams only.
    pub fn with_private(self, routes: Vec<PrivateRoute>) -> Upstream {
        Upstream {
            private: routes.into(),
            ..self
        }
    }

    /// Where a private module is asked for; `None` of a public one.
    pub fn private(&self, path: &ModulePath) -> Option<&PrivateRoute> {
        self.private.iter().find(|route| route.covers(path))
    }

    /// Whether the path is not private itself, and begins that of a module that is.
    pub fn is_above_private(&self, path: &ModulePath) -> bool {
        self.private(path).is_none() && self.private.iter().any(|route| route.covers_or_above(path))
    }

    /// The HTTP client.
    pub fn http(&self) -> &Arc<Http> {
        &self.http
    }

    /// The answer to a request, of at most `limit` bytes.
    pub fn get(&self, request: &Request, limit: u64) -> Result<Vec<u8>, Unavailable> {
        let mut body = Vec::new();
        self.get_into(request, limit, &mut body)
            .map_err(GetError::refused)?;
        Ok(body)
    }

    /// As [`Upstream::get`], into a sink. Returns the number of bytes.
    pub fn get_into(
        &self,
        request: &Request,
        limit: u64,
        sink: &mut dyn Sink,
    ) -> Result<u64, GetError> {
        if let Some(route) = self.route(request) {
            return route.get_into(request, limit, sink);
        }
        let path = request.url_path();
        self.first(|base| get_into(&self.http, base, &path, limit, sink))
    }

    /// The size of the answer to a request, where an upstream says it.
    pub fn size(&self, request: &Request) -> Result<Option<u64>, Unavailable> {
        if let Some(route) = self.route(request) {
            return route.size(request);
        }
        let path = request.url_path();
        self.first(|base| match base {
            Base::Http(http) => size_of(&self.http, http, &path).map_err(GetError::Refused),
            Base::File(_) => match base.join(&path) {
                Base::File(file) => std::fs::metadata(&file)
                    .map(|meta| Some(meta.len()))
                    .map_err(|error| unreadable(&file, &error).into()),
                Base::Http(_) => Ok(None),
            },
        })
        .map_err(GetError::refused)
    }

    /// Where the request goes if it names a private module.
    fn route(&self, request: &Request) -> Option<&PrivateRoute> {
        match request {
            Request::List(path) | Request::Latest(path) | Request::Query { path, .. } => {
                self.private(path)
            }
            Request::Info(module) | Request::Mod(module) | Request::Zip(module) => {
                self.private(module.path())
            }
            // A checksum database is never asked for a private module: its records are pins (crate::fetch::pin).
            Request::Sumdb { .. } | Request::Files | Request::File(_) | Request::Vulndb { .. } => {
                None
            }
        }
    }

    /// Asks each proxy alone, by the rules of the list, for what takes several requests that have to agree: a list of
    /// the module's versions and the answers that hang on it. A private module's own upstream is asked once.
    pub fn each_alone<T>(
        &self,
        path: &ModulePath,
        mut ask: impl FnMut(Upstream) -> Result<T, Unavailable>,
    ) -> Result<T, Unavailable> {
        if self.private(path).is_some() {
            return ask(self.clone());
        }
        let alone = |base: &Base| Upstream {
            http: Arc::clone(&self.http),
            list: ProxyList(vec![Entry {
                proxy: Proxy::At(base.clone()),
                after_any_failure: false,
            }]),
            private: Arc::clone(&self.private),
        };
        self.first(|base| ask(alone(base)).map_err(GetError::Refused))
            .map_err(GetError::refused)
    }

    /// Where the checksum database `supported` path says that a proxy passes it on: the first proxy
    /// that answers 200. `None`: it is reached directly.
    pub fn sumdb_base(&self, name: &str) -> Result<Option<Base>, Unavailable> {
        let path = format!("/sumdb/{name}/supported");
        let found = self.first_or(
            |base| {
                let mut body = Vec::new();
                get_into(&self.http, base, &path, MAX_SUPPORTED, &mut body)?;
                Ok(Some(base.join(&format!("/sumdb/{name}"))))
            },
            // Whatever the proxies before it said, if their failures are passed over.
            |_| Ok(None),
        );
        match found.map_err(GetError::refused) {
            Err(refused) if refused.is_absence() => Ok(None),
            found => found,
        }
    }

    /// The first proxy's answer, by the rules of the list; of several refusals the one that says most.
    fn first<T>(&self, ask: impl FnMut(&Base) -> Result<T, GetError>) -> Result<T, GetError> {
        self.first_or(ask, |before| {
            Err(GetError::Refused(Unavailable {
                text: format!(
                    "{}; modferry does not fetch \"direct\" from version control",
                    before.text
                ),
                ..before
            }))
        })
    }

    /// As [`Upstream::first`]; where the list comes to `direct`, what `direct` makes of the refusals before.
    fn first_or<T>(
        &self,
        mut ask: impl FnMut(&Base) -> Result<T, GetError>,
        direct: impl FnOnce(Unavailable) -> Result<T, GetError>,
    ) -> Result<T, GetError> {
        let mut told: Option<Unavailable> = None;
        for entry in self.list.entries() {
            let refused = match &entry.proxy {
                Proxy::At(base) => match ask(base) {
                    Ok(value) => return Ok(value),
                    Err(GetError::Refused(refused)) => refused,
                    Err(local) => return Err(local),
                },
                // As for the go command, `off` and `direct` at the end do not hide what a proxy said.
                Proxy::Off => break,
                Proxy::Direct => match told {
                    Some(before) => return direct(before),
                    None => break,
                },
            };
            let absent = refused.is_absence();
            match &told {
                Some(before) if !before.is_absence() && absent => {}
                _ => told = Some(refused),
            }
            if !absent && !entry.after_any_failure {
                break;
            }
        }
        Err(told
            .unwrap_or(Unavailable {
                reason: Reason::Direct,
                text: "GOPROXY names no module proxy".into(),
            })
            .into())
    }
}

/// A checksum database's `supported` answer is empty; whatever it holds is passed over.
const MAX_SUPPORTED: u64 = 1 << 16;

/// GET of `base` + `path`, over HTTP or from a folder.
pub fn get_into(
    http: &Http,
    base: &Base,
    path: &str,
    limit: u64,
    sink: &mut dyn Sink,
) -> Result<u64, GetError> {
    match base {
        Base::Http(at) => http.get_into(at, path, limit, sink).map_err(failed),
        Base::File(_) => match base.join(path) {
            Base::File(file) => read_file(&file, limit, sink),
            Base::Http(_) => Ok(0),
        },
    }
}

/// How large `base` + `path` is, where the server says it: see [`Http::size`].
pub fn size_of(http: &Http, base: &HttpBase, path: &str) -> Result<Option<u64>, Unavailable> {
    let size = http.size(base, path);
    size.map_err(|error| failed(error).refused())
}

/// As [`get_into`], of a file that counts byte for byte: see [`Http::get_verbatim_into`].
pub fn get_verbatim_into(
    http: &Http,
    base: &Base,
    limit: u64,
    sink: &mut dyn Sink,
) -> Result<u64, GetError> {
    match base {
        Base::Http(at) => http.get_verbatim_into(at, "", limit, sink).map_err(failed),
        Base::File(file) => read_file(file, limit, sink),
    }
}

/// A file, as a proxy that serves its folder would give it.
pub(super) fn read_file(
    file: &std::path::Path,
    limit: u64,
    sink: &mut dyn Sink,
) -> Result<u64, GetError> {
    let unreadable = |error| GetError::Refused(unreadable(file, &error));
    let mut from = std::fs::File::open(file).map_err(unreadable)?;
    if !from.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(io::ErrorKind::NotFound.into()));
    }
    sink.restart().map_err(GetError::Local)?;
    let mut buffer = vec![0; 64 << 10];
    let mut got = 0;
    loop {
        let n = from.read(&mut buffer).map_err(unreadable)?;
        if n == 0 {
            return Ok(got);
        }
        got += n as u64;
        if got > limit {
            return Err(unreadable(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("larger than {limit} bytes"),
            )));
        }
        sink.take(&buffer[..n]).map_err(GetError::Local)?;
    }
}

fn unreadable(file: &std::path::Path, error: &io::Error) -> Unavailable {
    let reason = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Reason::Status(404),
        io::ErrorKind::FileTooLarge => Reason::TooLarge,
        _ => Reason::Unreadable,
    };
    Unavailable {
        reason,
        text: format!("file://{}: {error}", file.display()),
    }
}

fn failed(error: HttpError) -> GetError {
    let reason = match error {
        HttpError::Write { source, .. } => return GetError::Local(source),
        HttpError::Status { status, .. } => Reason::Status(status),
        HttpError::TooLarge { .. } => Reason::TooLarge,
        HttpError::Transport { .. } | HttpError::Elsewhere { .. } | HttpError::Encoded { .. } => {
            Reason::Network
        }
    };
    Unavailable::new(reason, &error).into()
}

#[cfg(test)]
#[path = "goproxy/tests.rs"]
mod tests;
