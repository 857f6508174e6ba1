//! GET and HEAD over HTTP/1.1 with keep-alive: retries, limits, proxies, passwords, the system's trust store.
//!
//! What may pass by itself is tried again: 408, 429, any 5xx but 501, timeouts, broken connections and bodies that
//! end early, with growing pauses, or the pause that the server asks for in Retry-After. Anything else is
//! an answer. A body is never kept beyond its limit, and a large one never in memory.
//!
//! A HEAD that is denied is no answer about the file yet: a link that is signed for GET denies HEAD what it has. A GET of
//! the first byte decides.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use ureq::config::RedirectAuthHeaders;
use ureq::http::header::{HeaderName, HeaderValue};
use ureq::http::{Response, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, Proxy};

mod body;
mod error;

use body::{Coding, coding_of, content_length, decoded, receive, whole_length};
use error::{Failed, What};
pub use error::{HttpError, TransportError};

use super::netrc::Netrc;
use super::proxyenv::ProxyEnv;
use super::resolver::CachingResolver;
use super::url::HttpBase;

/// How much of an error's body is read, for the message.
const MAX_ERROR_TEXT: u64 = 4096;
/// The largest limit of a body that counts as small: a go.mod's. Only zips may be larger.
const SMALL_BODY: u64 = 16 << 20;
/// A small body may take the time that its limit takes at this rate, in bytes a second, besides
/// [`HttpOptions::small_body_timeout`].
const SLOWEST: u64 = 64 << 10;
/// Redirects that are followed for one request.
const MAX_REDIRECTS: u32 = 10;
/// When and how often a request is tried again.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Tries in all, the first included.
    pub attempts: u32,
    /// The pause before the second try; it doubles with each further one.
    pub pause: Duration,
    /// No pause is longer than this, unless the server asks for one.
    pub longest_pause: Duration,
    /// A Retry-After longer than this counts as this.
    pub longest_retry_after: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            attempts: 5,
            pause: Duration::from_millis(300),
            longest_pause: Duration::from_secs(10),
            longest_retry_after: Duration::from_secs(60),
        }
    }
}

/// Settings of the client.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// Transfers at once, for which connections are kept open.
    pub connections: usize,
    /// Retries.
    pub retry: Retry,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for the head of an answer: a module proxy may have to fetch the module first.
    pub answer_timeout: Duration,
    /// Longest silence within a body.
    pub stall_timeout: Duration,
    /// Longest time for all of a small body, and more for a larger limit: one that drips is never silent.
    pub small_body_timeout: Duration,
    /// Proxies of the environment.
    pub proxies: ProxyEnv,
    /// Passwords.
    pub netrc: Netrc,
    /// A header that goes with each request.
    pub header: Option<Header>,
    /// Whether what is asked for is for that host only: no redirect leads to another.
    pub one_host: bool,
}

impl Default for HttpOptions {
    fn default() -> HttpOptions {
        HttpOptions {
            connections: 24,
            retry: Retry::default(),
            connect_timeout: Duration::from_secs(20),
            answer_timeout: Duration::from_secs(120),
            stall_timeout: Duration::from_secs(60),
            small_body_timeout: Duration::from_secs(60),
            proxies: ProxyEnv::default(),
            netrc: Netrc::default(),
            header: None,
            one_host: false,
        }
    }
}

/// How a URL is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    /// GET.
    Body,
    /// HEAD.
    Head,
    /// GET of the first byte, for what is said about the rest.
    FirstByte,
}

/// A header with credentials, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    name: HeaderName,
    value: HeaderValue,
}

impl Header {
    /// Reads `Name: value`.
    pub fn parse(text: &str) -> Option<Header> {
        let (name, value) = text.split_once(':')?;
        Some(Header {
            name: name.trim().parse().ok()?,
            value: value.trim().parse().ok()?,
        })
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({})", self.name)
    }
}

/// Where a body goes. A try that breaks off starts again from nothing.
pub trait Sink {
    /// Forgets what was written so far.
    fn restart(&mut self) -> io::Result<()>;
    /// Takes the next bytes.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()>;
}

impl Sink for Vec<u8> {
    fn restart(&mut self) -> io::Result<()> {
        self.clear();
        Ok(())
    }
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }
}

/// The client. One serves all threads; connections are kept and shared.
pub struct Http {
    options: HttpOptions,
    direct: Agent,
    https_proxied: Option<Agent>,
    http_proxied: Option<Agent>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// A proxy of the environment that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{name} does not name a usable proxy")]
pub struct BadProxy {
    /// The variable.
    pub name: &'static str,
    /// What is wrong with it.
    pub source: Box<ureq::Error>,
}

impl Http {
    /// A client with these settings.
    pub fn new(options: HttpOptions) -> Result<Http, BadProxy> {
        let proxied = |name: &'static str, proxy: &Option<String>| {
            proxy
                .as_deref()
                .map(|proxy| {
                    Proxy::new(proxy).map_err(|source| BadProxy {
                        name,
                        source: Box::new(source),
                    })
                })
                .transpose()
                .map(|proxy| proxy.map(|proxy| agent(&options, Some(proxy))))
        };
        Ok(Http {
            direct: agent(&options, None),
            https_proxied: proxied("HTTPS_PROXY", &options.proxies.https)?,
            http_proxied: proxied("HTTP_PROXY", &options.proxies.http)?,
            options,
        })
    }

    /// The body of `base` + `path`, of at most `limit` bytes.
    pub fn get(&self, base: &HttpBase, path: &str, limit: u64) -> Result<Vec<u8>, HttpError> {
        let mut body = Vec::new();
        self.get_into(base, path, limit, &mut body)?;
        Ok(body)
    }

    /// As [`Http::get`], into a sink. Returns the number of bytes.
    pub fn get_into(
        &self,
        base: &HttpBase,
        path: &str,
        limit: u64,
        sink: &mut dyn Sink,
    ) -> Result<u64, HttpError> {
        self.body(base, path, limit, Coding::Any, sink)
    }

    /// As [`Http::get_into`], of a file that counts byte for byte, and no record says which bytes those are. A server that
    /// sends it under a coding (`Content-Encoding`) is refused: it may have coded the file, or the file may be what it calls
    /// coded, and undoing that would give other bytes.
    pub fn get_verbatim_into(
        &self,
        base: &HttpBase,
        path: &str,
        limit: u64,
        sink: &mut dyn Sink,
    ) -> Result<u64, HttpError> {
        self.body(base, path, limit, Coding::None, sink)
    }

    fn body(
        &self,
        base: &HttpBase,
        path: &str,
        limit: u64,
        coding: Coding,
        sink: &mut dyn Sink,
    ) -> Result<u64, HttpError> {
        let url = base.url(path);
        let coding = coding.of(&url);
        self.tried(&url, || {
            let answer = self.call(base, &url, Asking::Body, limit, coding)?;
            if answer.status().as_u16() != 200 {
                return Err(refused(&url, answer));
            }
            if let (Coding::None, Some(coding)) = (coding, coding_of(answer.headers())) {
                return Err(Failed::encoded(&url, coding));
            }
            receive(&url, answer, limit, sink)
        })
    }

    /// How large `base` + `path` is, without its body; `None` where that is not said. That there is nothing, or that it is
    /// denied, is said by a GET: an error of one of these statuses is what [`Http::get`] would come to.
    pub fn size(&self, base: &HttpBase, path: &str) -> Result<Option<u64>, HttpError> {
        let url = base.url(path);
        let ask = |asking| self.call(base, &url, asking, 0, Coding::Unasked);
        self.tried(&url, || {
            let answer = ask(Asking::Head)?;
            match answer.status().as_u16() {
                200 => return Ok(content_length(answer.headers())),
                401 | 403 | 404 | 410 => {}
                status => return Err(Failed::status(&url, status, answer.headers(), b"")),
            }
            let answer = ask(Asking::FirstByte)?;
            match answer.status().as_u16() {
                200 => Ok(content_length(answer.headers())),
                206 => Ok(whole_length(answer.headers())),
                _ => Err(refused(&url, answer)),
            }
        })
    }

    /// The answer, at the end of the redirects that may be followed.
    fn call(
        &self,
        base: &HttpBase,
        url: &str,
        asking: Asking,
        limit: u64,
        coding: Coding,
    ) -> Result<Response<Body>, Failed> {
        if !self.options.one_host {
            return self.call_once(base, url, asking, limit, coding);
        }
        let mut at = url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.call_once(base, &at, asking, limit, coding)?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let location = answer.headers().get(header::LOCATION);
            let location = location.and_then(|location| location.to_str().ok());
            match location.and_then(|location| base.same_host(location)) {
                Some(next) => at = next,
                None => break,
            }
        }
        Err(Failed {
            passing: false,
            retry_after: None,
            what: What::Told(HttpError::Elsewhere {
                url: url.to_owned(),
            }),
        })
    }

    fn call_once(
        &self,
        base: &HttpBase,
        url: &str,
        asking: Asking,
        limit: u64,
        coding: Coding,
    ) -> Result<Response<Body>, Failed> {
        let agent = match self
            .options
            .proxies
            .proxy_for(base.secure, &base.host, base.port)
        {
            Some(_) if base.secure => self.https_proxied.as_ref(),
            Some(_) => self.http_proxied.as_ref(),
            None => None,
        }
        .unwrap_or(&self.direct);
        let request = match asking {
            Asking::Head => agent.head(url),
            Asking::Body => agent.get(url),
            Asking::FirstByte => agent.get(url).header(header::RANGE, "bytes=0-0"),
        };
        // A secure upstream never leads to an insecure one.
        let mut request =
            request
                .config()
                .https_only(base.secure)
                .timeout_recv_body((limit <= SMALL_BODY).then(|| {
                    self.options.small_body_timeout + Duration::from_secs(limit / SLOWEST)
                }))
                .build();
        request = request.header(header::ACCEPT_ENCODING, coding.asked());
        let login = base
            .user
            .as_ref()
            .map(|(user, password)| (user.as_str(), password.as_str()))
            .or_else(|| {
                base.secure
                    .then(|| self.options.netrc.lookup(url))
                    .flatten()
            });
        if let Some((user, password)) = login {
            let token =
                base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
            request = request.header(header::AUTHORIZATION, format!("Basic {token}"));
        }
        if let Some(header) = &self.options.header {
            request = request.header(header.name.clone(), header.value.clone());
        }
        request
            .call()
            .map_err(|error| Failed::transport(TransportError::Http(Box::new(error))))
    }

    fn tried<T>(
        &self,
        url: &str,
        mut once: impl FnMut() -> Result<T, Failed>,
    ) -> Result<T, HttpError> {
        let retry = &self.options.retry;
        let mut attempt = 1;
        loop {
            let failed = match once() {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            if !failed.passing || attempt >= retry.attempts {
                return Err(failed.told(url, attempt));
            }
            let pause = match failed.retry_after {
                Some(asked) => asked.min(retry.longest_retry_after),
                None => jittered(
                    retry
                        .pause
                        .saturating_mul(1 << (attempt - 1).min(16))
                        .min(retry.longest_pause),
                ),
            };
            tracing::debug!(url, attempt, ?pause, why = %failed.words(), "trying again");
            std::thread::sleep(pause);
            attempt += 1;
        }
    }
}

/// An answer that is none, with what the server says about it.
fn refused(url: &str, answer: Response<Body>) -> Failed {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let mut text = Vec::new();
    let _ = decoded(answer).take(MAX_ERROR_TEXT).read_to_end(&mut text);
    Failed::status(url, status, &headers, &text)
}

fn agent(options: &HttpOptions, proxy: Option<Proxy>) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("modferry-bundler/", env!("CARGO_PKG_VERSION")))
        .proxy(proxy)
        .tls_config(tls)
        .max_idle_connections(2 * options.connections)
        .max_idle_connections_per_host(options.connections)
        .max_idle_age(Duration::from_secs(60))
        // To another host a password never goes; to another path of the same one it must.
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .max_redirects(if options.one_host { 0 } else { MAX_REDIRECTS })
        .max_redirects_will_error(!options.one_host)
        .input_buffer_size(64 << 10)
        .output_buffer_size(8 << 10)
        .timeout_connect(Some(options.connect_timeout))
        .timeout_resolve(Some(options.connect_timeout))
        .timeout_recv_response(Some(options.answer_timeout))
        .timeout_per_read(Some(options.stall_timeout))
        .build();
    Agent::with_parts(
        config,
        DefaultConnector::default(),
        CachingResolver::default(),
    )
}

/// Between half of the pause and all of it, so that many transfers do not come back at once.
fn jittered(pause: Duration) -> Duration {
    use std::hash::{BuildHasher, Hasher};
    let random = std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish();
    pause / 2 + pause.mul_f64((random % 1024) as f64 / 2048.0)
}

#[cfg(test)]
#[path = "http/tests.rs"]
mod tests;
