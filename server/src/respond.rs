//! The one table: which status, type and cache lifetime each answer has; and the response made of it.
//!
//! Everything that decides over HTTP is in this file: the table is [`Refusal::status`] and
//! [`Kind::headers`], the rest turns it into a response. 410 is not in it: to the go command it means the
//! same as 404 with a promise attached ("gone for good") that a mirror cannot make.

use std::sync::Arc;
use std::time::Instant;

use actix_http::header::{self, HeaderValue};
use actix_http::{Method, RequestHead, Response, StatusCode};
use bytes::Bytes;

use crate::access::Access;
use crate::answer::Refusal;
use crate::conditional::{Asked, Etag, Sent, decide};
use crate::found::{Answer, Kind, Small};
use crate::gate::Latch;
use crate::site::Site;
use crate::tail::{NoBody, Tail};

/// The most that an error's text has, in characters, whatever a client put into its path.
pub const MAX_ERROR_TEXT: usize = 1000;

const TEXT: &str = "text/plain; charset=UTF-8";
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
const BRIEFLY: &str = "public, max-age=60";
const NOT_AT_ALL: &str = "no-store";

impl Kind {
    /// `Content-Type` and `Cache-Control`.
    fn headers(self) -> (&'static str, &'static str) {
        match self {
            Kind::List => (TEXT, BRIEFLY),
            Kind::Latest | Kind::Query => ("application/json", BRIEFLY),
            Kind::Info => ("application/json", FOR_GOOD),
            Kind::Mod => (TEXT, FOR_GOOD),
            Kind::Zip => ("application/zip", FOR_GOOD),
            Kind::Files => (TEXT, BRIEFLY),
            Kind::File => ("application/octet-stream", FOR_GOOD),
            Kind::Json => ("application/json", BRIEFLY),
            // It is a file that is compressed, and not a transfer that is: whoever asks inflates it.
            Kind::Gzip => ("application/gzip", BRIEFLY),
            Kind::Supported | Kind::Head | Kind::Lookup => (TEXT, BRIEFLY),
            Kind::FullTile => ("application/octet-stream", FOR_GOOD),
            Kind::PartialTile => ("application/octet-stream", BRIEFLY),
            Kind::State => (TEXT, NOT_AT_ALL),
        }
    }
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
            Refusal::NotCarried(_)
            | Refusal::Noted(_)
            | Refusal::NotNoted(..)
            | Refusal::NoSuchPath(_) => StatusCode::NOT_FOUND,
            Refusal::Private(_) => StatusCode::FORBIDDEN,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::TooLong(_) => StatusCode::URI_TOO_LONG,
            Refusal::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Refusal::NotReady(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the client is told. A failure of the server's own goes to the log, under an id that the client gets.
    fn text(self, site: &Site, path: &str) -> String {
        match self {
            Refusal::NotCarried(what) => {
                format!("not carried: {what} ({})", site.how_to_ask)
            }
            Refusal::Noted(what) => {
                format!("not carried: {what} (noted as wanted; {})", site.how_to_ask)
            }
            Refusal::NotNoted(what, limit) => {
                let how_to_ask = &site.how_to_ask;
                format!("not carried: {what} (not noted as wanted: {limit}; {how_to_ask})")
            }
            Refusal::Private(why) => format!("private: {why}"),
            Refusal::Malformed(why) => format!("malformed request: {why}"),
            Refusal::NoSuchPath(why) => format!("not found: {why}"),
            Refusal::TooLong(why) => format!("path too long: {why}"),
            Refusal::Method => "method not allowed: only GET and HEAD are served".into(),
            Refusal::NotReady(why) => format!("not ready: {why}"),
            Refusal::Fault(error) => {
                let id = site.request_id();
                tracing::error!(request = %id, path, %error, "a request failed");
                format!("internal error, logged as request {id}")
            }
        }
    }
}

/// One request's way to its response.
pub struct Exchange<'a> {
    /// The state behind every answer.
    pub site: &'a Arc<Site>,
    /// The request.
    pub head: &'a RequestHead,
    /// The connection that it came by.
    pub latch: &'a Latch,
    /// When the request was there.
    pub since: Instant,
}

impl Exchange<'_> {
    /// The response with that answer. What follows its head is with the connection already.
    pub fn respond(&self, answer: Result<Answer, Refusal>) -> Response<NoBody> {
        match answer {
            Ok(Answer::Small(small)) => self.small(&small),
            Ok(Answer::Large(kind, zip, pin)) => {
                let (etag, size) = (Etag::of_hash(&zip.sha256), zip.size);
                let tag = (&etag, etag.header());
                self.represent(kind, tag, size, |access, start, end| {
                    Tail::zip(self.site.clone(), (zip, pin), start, end, access)
                })
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn small(&self, small: &Small) -> Response<NoBody> {
        let (tag, size) = (
            (&small.etag, small.etag_header.clone()),
            small.bytes.len() as u64,
        );
        self.represent(small.kind, tag, size, |access, start, end| {
            Tail::bytes(small.bytes.slice(start as usize..end as usize), access)
        })
    }

    /// The response of something that is there: all of it, a part, or only its headers.
    fn represent(
        &self,
        kind: Kind,
        (etag, etag_header): (&Etag, HeaderValue),
        size: u64,
        content: impl FnOnce(Option<Access>, u64, u64) -> Tail,
    ) -> Response<NoBody> {
        let (content_type, cache) = kind.headers();
        let (status, start, end) = match self.decide(etag, size) {
            Sent::Whole => (StatusCode::OK, 0, size),
            Sent::Part { start, end } => (StatusCode::PARTIAL_CONTENT, start, end),
            Sent::NotModified => (StatusCode::NOT_MODIFIED, 0, 0),
            Sent::PreconditionFailed => {
                let text = "precondition failed: this is not the one that If-Match names";
                return self.tell(StatusCode::PRECONDITION_FAILED, text, |_| {});
            }
            Sent::Unsatisfiable => {
                let text = format!(
                    "range not satisfiable: there are {}",
                    modferry_cli::count(size, "byte")
                );
                return self.tell(StatusCode::RANGE_NOT_SATISFIABLE, &text, |headers| {
                    put(headers, header::CONTENT_RANGE, &format!("bytes */{size}"));
                });
            }
        };
        let mut response = empty(status);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(header::ETAG, etag_header);
        if status != StatusCode::NOT_MODIFIED {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(end - start));
            headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        }
        if status == StatusCode::PARTIAL_CONTENT {
            let range = format!("bytes {start}-{}/{size}", end - 1);
            put(headers, header::CONTENT_RANGE, &range);
        }
        let access = self.access(status);
        self.latch
            .answer(if self.is_head() || status == StatusCode::NOT_MODIFIED {
                Tail::bytes(Bytes::new(), access)
            } else {
                content(access, start, end)
            });
        response
    }

    fn refuse(&self, refusal: Refusal) -> Response<NoBody> {
        let status = refusal.status();
        let text = refusal.text(self.site, self.head.uri.path());
        self.tell(status, &text, |headers| match status {
            StatusCode::METHOD_NOT_ALLOWED => put(headers, header::ALLOW, "GET, HEAD"),
            StatusCode::SERVICE_UNAVAILABLE => put(headers, header::RETRY_AFTER, "10"),
            _ => {}
        })
    }

    /// A response in words: one line of plain text, for go to print.
    fn tell(
        &self,
        status: StatusCode,
        text: &str,
        more: impl FnOnce(&mut header::HeaderMap),
    ) -> Response<NoBody> {
        let text = one_line(text);
        let mut response = empty(status);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(TEXT));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(NOT_AT_ALL));
        more(headers);
        let text = if self.is_head() {
            Bytes::new()
        } else {
            text.into()
        };
        self.latch.answer(Tail::bytes(text, self.access(status)));
        response
    }

    fn decide(&self, etag: &Etag, size: u64) -> Sent {
        let headers = self.head.headers();
        let get = |name| headers.get(name).map(HeaderValue::as_bytes);
        // Two Range headers are no range.
        let range = get(header::RANGE).filter(|_| headers.get_all(header::RANGE).count() == 1);
        let asked = Asked {
            if_match: get(header::IF_MATCH),
            if_none_match: get(header::IF_NONE_MATCH),
            if_range: get(header::IF_RANGE),
            range,
        };
        decide(&asked, !self.is_head(), etag, size)
    }

    fn is_head(&self) -> bool {
        self.head.method == Method::HEAD
    }

    fn access(&self, status: StatusCode) -> Option<Access> {
        self.site
            .access_log
            .then(|| Access::new(self.head, status, self.since))
    }
}

/// A response whose head says everything about its framing.
fn empty(status: StatusCode) -> Response<NoBody> {
    let mut response = Response::with_body(status, NoBody);
    response.head_mut().no_chunking(true);
    response
}

fn put(headers: &mut header::HeaderMap, name: header::HeaderName, value: &str) {
    // The values are digits and fixed words; one that were no header value would be left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The text as one line of at most [`MAX_ERROR_TEXT`] characters, no control character among them.
fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .take(MAX_ERROR_TEXT)
        .map(|c| {
            if c.is_control() || c == '\u{2028}' || c == '\u{2029}' {
                '?'
            } else {
                c
            }
        })
        .collect();
    if text.chars().nth(MAX_ERROR_TEXT).is_some() {
        line.push('…');
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_without_control_characters() {
        assert_eq!(one_line("a\r\n\nb\u{1b}[0m\u{85}"), "a???b?[0m?\n");
        let long = "ä".repeat(MAX_ERROR_TEXT);
        assert_eq!(one_line(&long), format!("{long}\n"));
        assert_eq!(one_line(&format!("{long}ä")), format!("{long}…\n"));
    }

    #[test]
    fn nothing_is_gone() {
        for refusal in [
            Refusal::NotCarried(String::new()),
            Refusal::Noted(String::new()),
            Refusal::Private(String::new()),
            Refusal::Malformed(String::new()),
            Refusal::NoSuchPath(String::new()),
            Refusal::TooLong(String::new()),
            Refusal::Method,
            Refusal::NotReady(String::new()),
            Refusal::Fault(String::new()),
        ] {
            assert_ne!(refusal.status(), StatusCode::GONE, "{refusal:?}");
        }
    }
}
