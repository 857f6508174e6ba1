//! What a request fails with, and whether that may pass by itself.

use std::io;
use std::time::Duration;

use ureq::http::{HeaderMap, header};

/// How much of it is shown, in characters.
const SHOWN_ERROR_TEXT: usize = 200;

/// Why a GET gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// An answer other than 200.
    #[error("{url}: {status}{}", said(text))]
    Status {
        /// The URL, without its user part.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of what the server said about it.
        text: String,
    },
    /// No answer, or a broken one, after all tries.
    #[error("{url}: no usable answer after {attempts} tries")]
    Transport {
        /// The URL, without its user part.
        url: String,
        /// How often it was tried.
        attempts: u32,
        /// What happened the last time.
        source: TransportError,
    },
    /// The body is larger than it may be.
    #[error("{url}: larger than {limit} bytes")]
    TooLarge {
        /// The URL, without its user part.
        url: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The upstream of private modules leads to another host, which would then know their names.
    #[error("{url}: it redirects elsewhere, where a private module must not be asked for")]
    Elsewhere {
        /// The URL, without its user part.
        url: String,
    },
    /// The body comes under a coding, and only its own bytes will do.
    #[error(
        "{url}: the server sends it as Content-Encoding {coding:?}, so that its own bytes are not known"
    )]
    Encoded {
        /// The URL, without its user part.
        url: String,
        /// What the server says.
        coding: String,
    },
    /// What was received could not be written here.
    #[error("{url}: cannot write what was received")]
    Write {
        /// The URL, without its user part.
        url: String,
        /// What the system said.
        source: io::Error,
    },
}

/// What went wrong on the way.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// In the request or the answer's head.
    #[error(transparent)]
    Http(Box<ureq::Error>),
    /// In the body.
    #[error("the body broke off: {0}")]
    Body(io::Error),
    /// The body ended before its Content-Length.
    #[error("the body ended after {got} of {expected} bytes")]
    Short {
        /// Bytes that came.
        got: u64,
        /// Bytes that were announced.
        expected: u64,
    },
}

fn said(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(" ({text})")
    }
}

/// One try that failed.
pub(super) struct Failed {
    pub(super) passing: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) what: What,
}

pub(super) enum What {
    Told(HttpError),
    Transport(TransportError),
}

impl Failed {
    pub(super) fn status(url: &str, status: u16, headers: &HeaderMap, text: &[u8]) -> Failed {
        // 501: it does not know the method, and will not know it soon.
        let passing = status == 408 || status == 429 || (status >= 500 && status != 501);
        Failed {
            passing,
            retry_after: passing.then(|| retry_after(headers)).flatten(),
            what: What::Told(HttpError::Status {
                url: url.to_owned(),
                status,
                text: first_line(text),
            }),
        }
    }

    pub(super) fn encoded(url: &str, coding: String) -> Failed {
        Failed {
            passing: false,
            retry_after: None,
            what: What::Told(HttpError::Encoded {
                url: url.to_owned(),
                coding,
            }),
        }
    }

    pub(super) fn transport(error: TransportError) -> Failed {
        let passing = match &error {
            TransportError::Body(_) | TransportError::Short { .. } => true,
            TransportError::Http(error) => matches!(
                **error,
                ureq::Error::Io(_)
                    | ureq::Error::Timeout(_)
                    | ureq::Error::HostNotFound
                    | ureq::Error::ConnectionFailed
                    | ureq::Error::Protocol(_)
            ),
        };
        Failed {
            passing,
            retry_after: None,
            what: What::Transport(error),
        }
    }

    pub(super) fn words(&self) -> String {
        match &self.what {
            What::Told(error) => error.to_string(),
            What::Transport(error) => error.to_string(),
        }
    }

    pub(super) fn told(self, url: &str, attempts: u32) -> HttpError {
        match self.what {
            What::Told(error) => error,
            What::Transport(source) => HttpError::Transport {
                url: url.to_owned(),
                attempts,
                source,
            },
        }
    }
}

/// Retry-After in either of its forms: seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    let seconds = at.duration_since(jiff::Timestamp::now()).as_secs();
    Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn first_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    if line.trim_start().starts_with('<') {
        return String::new(); // a page for a browser says nothing here
    }
    line.trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN_ERROR_TEXT)
        .collect()
}
