//! The body of an answer: received within its limit, and the coding undone under which it comes.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use ureq::Body;
use ureq::http::{HeaderMap, Response, header};

use super::Sink;
use super::error::{Failed, HttpError, TransportError, What};

/// The coding of bodies that is asked for.
const GZIP: &str = "gzip";

/// Which codings of a body are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Coding {
    /// Any that the client knows, and they are asked for.
    Any,
    /// None is asked for: the body is compressed already, or there is none.
    Unasked,
    /// Nor taken.
    None,
}

impl Coding {
    /// As far as it makes sense for this URL.
    pub fn of(self, url: &str) -> Coding {
        match path_is_packed(url) {
            true => self.max(Coding::Unasked),
            false => self,
        }
    }

    /// What an Accept-Encoding says.
    pub fn asked(self) -> &'static str {
        match self {
            Coding::Any => GZIP,
            Coding::Unasked | Coding::None => "identity",
        }
    }
}

/// Whether the answer is compressed already, so that a coding of the body would only cost time.
fn path_is_packed(url: &str) -> bool {
    url.ends_with(".zip") || url.contains("/tile/")
}

/// The bytes of a body, into a sink. Returns how many.
pub fn receive(
    url: &str,
    answer: Response<Body>,
    limit: u64,
    sink: &mut dyn Sink,
) -> Result<u64, Failed> {
    let too_large = || Failed {
        passing: false,
        retry_after: None,
        what: What::Told(HttpError::TooLarge {
            url: url.to_owned(),
            limit,
        }),
    };
    let unwritable = |source| Failed {
        passing: false,
        retry_after: None,
        what: What::Told(HttpError::Write {
            url: url.to_owned(),
            source,
        }),
    };
    let coded = coding_of(answer.headers()).is_some();
    let expected = content_length(answer.headers()).filter(|_| !coded);
    if expected.is_some_and(|size| size > limit) {
        return Err(too_large());
    }
    sink.restart().map_err(unwritable)?;
    let mut body = decoded(answer);
    let mut buffer = vec![0; 64 << 10];
    let mut got = 0u64;
    loop {
        let n = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Failed::transport(TransportError::Body(error))),
        };
        got += n as u64;
        if got > limit {
            return Err(too_large());
        }
        sink.take(&buffer[..n]).map_err(unwritable)?;
    }
    match expected {
        Some(expected) if expected != got => {
            Err(Failed::transport(TransportError::Short { got, expected }))
        }
        _ => Ok(got),
    }
}

/// The body, with the coding undone that is asked for; one that is not known is left as it is.
pub fn decoded(answer: Response<Body>) -> Box<dyn Read> {
    let coding = coding_of(answer.headers());
    let body = answer.into_body().into_reader();
    match coding.as_deref() {
        // Old servers and RFC 9110 know it by either name.
        Some(GZIP | "x-gzip") => Box::new(MultiGzDecoder::new(body)),
        _ => Box::new(body),
    }
}

/// The coding that a body is said to be under, in lower case.
pub fn coding_of(headers: &HeaderMap) -> Option<String> {
    let coding = headers.get(header::CONTENT_ENCODING)?;
    let text = String::from_utf8_lossy(coding.as_bytes());
    let text = text.trim().to_ascii_lowercase();
    (text != "identity").then_some(text)
}

/// How many bytes a body is said to have.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// How large the whole is of which an answer (206) has a part; `None` where it does not say.
pub fn whole_length(headers: &HeaderMap) -> Option<u64> {
    let range = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (_, whole) = range.split_once('/')?;
    whole.trim().parse().ok()
}
