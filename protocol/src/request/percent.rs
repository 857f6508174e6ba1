//! Percent-encoding of a URL's path: decoded exactly once, and refused where twice would mean something else.
//!
//! A `+` stands for itself in a path (it is a space only in forms), so `v2.0.0+incompatible` and
//! `v2.0.0%2Bincompatible` are the same.

use super::RequestError;
use std::borrow::Cow;

/// Decodes each `%XX` once.
///
/// A `%` that comes out of it is an error: nothing that is asked for has one, and whatever decodes again behind us
/// would see another path than we did.
pub(super) fn decode(raw: &str) -> Result<Cow<'_, str>, RequestError> {
    let decoded = match raw.split_once('%') {
        None => Cow::Borrowed(raw),
        Some(_) => Cow::Owned(decode_escapes(raw)?),
    };
    if let Some(control) = decoded.chars().find(|c| c.is_control()) {
        return Err(RequestError::Control(control));
    }
    Ok(decoded)
}

fn decode_escapes(raw: &str) -> Result<String, RequestError> {
    let mut parts = raw.split('%');
    let mut decoded = Vec::with_capacity(raw.len());
    decoded.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        // The digits are looked at as bytes: the first two characters need not be ASCII.
        let byte = match part.as_bytes() {
            [high, low, ..] => hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        match byte {
            None => {
                let shown = part.chars().take(2).collect::<String>();
                return Err(RequestError::BadEscape(format!("%{shown}")));
            }
            Some(b'%') => return Err(RequestError::EncodedTwice),
            Some(byte) => {
                decoded.push(byte);
                decoded.extend_from_slice(&part.as_bytes()[2..]);
            }
        }
    }
    String::from_utf8(decoded).map_err(|_| RequestError::NotUtf8)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Encodes what may not stand for itself in one element of a path (RFC 3986, pchar), in the manner of Go's
/// url.PathEscape but that `!` is left alone.
pub(super) fn encode(element: &str) -> String {
    let mut encoded = String::with_capacity(element.len());
    for byte in element.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&()+,=@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
