//! What a request asks of a representation beyond "give it to me": validators and ranges.
//!
//! RFC 9110, sections 13 and 14, as far as a server of immutable bytes needs them: strong entity tags,
//! `If-Match`, `If-None-Match`, `If-Range` and one range of bytes. There are no modification times here:
//! an isolated machine's clock is wrong, and a tag over the content is exact. A set of several ranges is
//! answered with the whole, as the RFC allows: no client of this server sends one, and answering it
//! would multiply the work for one request.
//!
//! Pure functions over header texts: [`decide`] is the whole interface to the responder.

use actix_http::header::HeaderValue;
use sha2::{Digest, Sha256};

/// A strong entity tag, in its quotes.
#[derive(Clone, Copy)]
pub struct Etag {
    text: [u8; Etag::MAX],
    length: u8,
}

impl Etag {
    /// The longest tag: a whole SHA-256 in hexadecimal digits and the two quotes.
    const MAX: usize = 66;
    /// How much of a small answer's hash its tag shows: enough that no two are ever confused.
    const OF_SMALL: usize = 16;

    /// The tag of bytes whose SHA-256 is known.
    pub fn of_hash(sha256: &[u8; 32]) -> Etag {
        Etag::hex(sha256)
    }

    /// The tag of these bytes.
    pub fn of_bytes(bytes: &[u8]) -> Etag {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        Etag::hex(&hash[..Etag::OF_SMALL])
    }

    fn hex(bytes: &[u8]) -> Etag {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'"'; Etag::MAX];
        for (pair, byte) in text[1..].chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Etag {
            text,
            length: (2 + 2 * bytes.len()) as u8,
        }
    }

    /// The tag as a header's value.
    pub fn header(&self) -> HeaderValue {
        // Quotes and hexadecimal digits are always a header's value.
        HeaderValue::from_bytes(self.as_bytes()).unwrap_or(HeaderValue::from_static("\"\""))
    }

    /// The tag as it stands in a header: `"0123…"`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.length)]
    }
}

/// The request's headers that bear on it, as they came; `None` where absent.
#[derive(Clone, Copy, Default)]
pub struct Asked<'a> {
    /// `If-Match`.
    pub if_match: Option<&'a [u8]>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'a [u8]>,
    /// `If-Range`.
    pub if_range: Option<&'a [u8]>,
    /// `Range`.
    pub range: Option<&'a [u8]>,
}

/// What is to be sent of a representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// All of it: 200.
    Whole,
    /// The bytes from `start` up to, not including, `end`: 206. Never empty.
    Part {
        /// First byte, from 0.
        start: u64,
        /// One past the last byte.
        end: u64,
    },
    /// Nothing, the client has it: 304.
    NotModified,
    /// Nothing, the client wanted another one: 412.
    PreconditionFailed,
    /// Nothing, no byte of the range exists: 416.
    Unsatisfiable,
}

/// Decides over a GET (`ranges`) or a HEAD (which has no ranges) of `size` bytes with this tag.
pub fn decide(asked: &Asked<'_>, ranges: bool, etag: &Etag, size: u64) -> Sent {
    if let Some(tags) = asked.if_match
        && !lists(tags, etag, false)
    {
        return Sent::PreconditionFailed;
    }
    if let Some(tags) = asked.if_none_match
        && lists(tags, etag, true)
    {
        return Sent::NotModified;
    }
    match asked.range {
        Some(range)
            if ranges
                && asked
                    .if_range
                    .is_none_or(|tag| trim(tag) == etag.as_bytes()) =>
        {
            one_range(range, size)
        }
        _ => Sent::Whole,
    }
}

/// Whether the list of tags names this one; `weak` ignores the mark of weak tags.
fn lists(tags: &[u8], etag: &Etag, weak: bool) -> bool {
    // A tag of ours has no comma in it, so splitting at commas cannot make one out of two.
    trim(tags) == b"*"
        || tags.split(|&b| b == b',').any(|tag| {
            let tag = trim(tag);
            let tag = if weak {
                tag.strip_prefix(b"W/").unwrap_or(tag)
            } else {
                tag
            };
            tag == etag.as_bytes()
        })
}

fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// Reads `bytes=A-B`, `bytes=A-` or `bytes=-N`. What is not one such range is as good as absent.
fn one_range(header: &[u8], size: u64) -> Sent {
    let header = trim(header);
    let Some((unit, spec)) = header.split_at_checked(6) else {
        return Sent::Whole;
    };
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return Sent::Whole;
    }
    let spec = trim(spec);
    let Some(dash) = spec.iter().position(|&b| b == b'-') else {
        return Sent::Whole;
    };
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    let part = match (first.is_empty(), last.is_empty()) {
        (true, true) => return Sent::Whole,
        (true, false) => match number(last) {
            Some(0) => return Sent::Unsatisfiable,
            Some(n) => (size.saturating_sub(n), size),
            None => return Sent::Whole,
        },
        (false, true) => match number(first) {
            Some(start) => (start, size),
            None => return Sent::Whole,
        },
        (false, false) => match (number(first), number(last)) {
            (Some(start), Some(end)) if start <= end => (start, end.saturating_add(1).min(size)),
            _ => return Sent::Whole,
        },
    };
    match part {
        // Nothing of nothing is all of it.
        _ if size == 0 => Sent::Whole,
        (start, _) if start >= size => Sent::Unsatisfiable,
        (start, end) => Sent::Part { start, end },
    }
}

/// Digits and nothing else; more than 64 bits of them count as the largest number.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0_u64, |n, d| {
        n.saturating_mul(10).saturating_add(u64::from(d - b'0'))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranged(header: &str, size: u64) -> Sent {
        let asked = Asked {
            range: Some(header.as_bytes()),
            ..Asked::default()
        };
        decide(&asked, true, &Etag::of_bytes(b"x"), size)
    }

    #[test]
    fn ranges() {
        let part = |start, end| Sent::Part { start, end };
        for (header, size, sent) in [
            ("bytes=0-0", 10, part(0, 1)),
            ("bytes=0-9", 10, part(0, 10)),
            ("bytes=0-10", 10, part(0, 10)),
            ("bytes=3-", 10, part(3, 10)),
            ("bytes=9-", 10, part(9, 10)),
            ("bytes=-1", 10, part(9, 10)),
            ("bytes=-10", 10, part(0, 10)),
            ("bytes=-11", 10, part(0, 10)),
            ("Bytes=2-3", 10, part(2, 4)),
            ("bytes= 2-3 ", 10, part(2, 4)),
            ("bytes=2-99999999999999999999999", 10, part(2, 10)),
            ("bytes=10-", 10, Sent::Unsatisfiable),
            ("bytes=10-20", 10, Sent::Unsatisfiable),
            ("bytes=99999999999999999999999-", 10, Sent::Unsatisfiable),
            ("bytes=-0", 10, Sent::Unsatisfiable),
            ("bytes=0-0", 0, Sent::Whole),
            ("bytes=-5", 0, Sent::Whole),
            // Not one range of bytes: as if it were not there.
            ("bytes=5-4", 10, Sent::Whole),
            ("bytes=-", 10, Sent::Whole),
            ("bytes=", 10, Sent::Whole),
            ("bytes", 10, Sent::Whole),
            ("bytes=a-b", 10, Sent::Whole),
            ("bytes=+1-2", 10, Sent::Whole),
            ("bytes=1-2,4-5", 10, Sent::Whole),
            ("items=0-1", 10, Sent::Whole),
            ("", 10, Sent::Whole),
        ] {
            assert_eq!(ranged(header, size), sent, "{header:?} of {size}");
        }
    }

    #[test]
    fn validators() {
        let etag = Etag::of_bytes(b"content");
        let own = String::from_utf8_lossy(etag.as_bytes()).into_owned();
        let ask = |if_match: Option<&str>, if_none_match: Option<&str>, if_range: Option<&str>| {
            let asked = Asked {
                if_match: if_match.map(str::as_bytes),
                if_none_match: if_none_match.map(str::as_bytes),
                if_range: if_range.map(str::as_bytes),
                range: Some(b"bytes=1-1"),
            };
            decide(&asked, true, &etag, 7)
        };
        let part = Sent::Part { start: 1, end: 2 };
        assert_eq!(ask(None, None, None), part);
        assert_eq!(ask(None, Some(&own), None), Sent::NotModified);
        assert_eq!(ask(None, Some("*"), None), Sent::NotModified);
        assert_eq!(
            ask(None, Some(&format!("W/{own}")), None),
            Sent::NotModified
        );
        assert_eq!(
            ask(None, Some(&format!("\"a\", {own}")), None),
            Sent::NotModified
        );
        assert_eq!(ask(None, Some("\"a\""), None), part);
        assert_eq!(ask(Some("\"a\""), None, None), Sent::PreconditionFailed);
        assert_eq!(
            ask(Some(&format!("W/{own}")), None, None),
            Sent::PreconditionFailed
        );
        assert_eq!(ask(Some(&own), None, None), part);
        assert_eq!(ask(Some("*"), None, None), part);
        assert_eq!(ask(None, None, Some(&own)), part);
        assert_eq!(ask(None, None, Some(&format!("W/{own}"))), Sent::Whole);
        assert_eq!(
            ask(None, None, Some("Sat, 01 Jan 2022 00:00:00 GMT")),
            Sent::Whole
        );
    }

    #[test]
    fn a_head_has_no_ranges() {
        let asked = Asked {
            range: Some(b"bytes=1-1"),
            ..Asked::default()
        };
        assert_eq!(decide(&asked, false, &Etag::of_bytes(b"x"), 7), Sent::Whole);
    }

    #[test]
    fn tags_are_quoted_digits() {
        assert_eq!(
            Etag::of_bytes(b"").as_bytes(),
            b"\"e3b0c44298fc1c149afbf4c8996fb924\""
        );
        let whole = Etag::of_hash(&[0xab; 32]);
        assert_eq!(
            whole.as_bytes(),
            format!("\"{}\"", "ab".repeat(32)).as_bytes()
        );
    }
}
