//! The few strict pieces that the texts of this crate are made of: manifest, index, and what else is signed.
//!
//! Each accepts exactly one spelling of a value, so that what was parsed encodes to the bytes it came from.

use std::fmt::{self, Write as _};

/// A number as the formats write it: decimal, without sign or leading zeros.
pub(crate) fn number(s: &str) -> Option<u64> {
    let plain = s.bytes().all(|b| b.is_ascii_digit()) && (s == "0" || !s.starts_with('0'));
    if plain { s.parse().ok() } else { None }
}

/// A SHA-256 as the formats write it: 64 lower-case hexadecimal digits.
pub(crate) fn sha256(s: &str) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = s.as_bytes().try_into().ok()?;
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(out)
}

fn digit(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    }
}

/// Whether this is a time as the texts have it: `YYYY-MM-DDThh:mm:ssZ`, each part in its range.
pub(crate) fn is_time(s: &str) -> bool {
    let shape = b"dddd-dd-ddTdd:dd:ddZ";
    let fits = s.len() == shape.len()
        && s.bytes().zip(shape).all(|(b, want)| {
            if *want == b'd' {
                b.is_ascii_digit()
            } else {
                b == *want
            }
        });
    let part = |from: usize, len: usize, low: u32, high: u32| {
        s.get(from..from + len)
            .and_then(|p| p.parse().ok())
            .is_some_and(|n| (low..=high).contains(&n))
    };
    fits && part(5, 2, 1, 12)
        && part(8, 2, 1, 31)
        && part(11, 2, 0, 23)
        && part(14, 2, 0, 59)
        && part(17, 2, 0, 59)
}

/// Whether a later version could have this as a word where we know none.
pub(crate) fn is_word(s: &str) -> bool {
    !s.is_empty()
        && s.bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Prints a hash in lower-case hexadecimal.
pub(crate) struct Hex<'a>(pub &'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The version that a first line names, if it is `PREFIX` and a number other than 1: another format's, not a broken line.
pub(crate) fn other_version<'a>(line: &'a str, prefix: &str) -> Option<&'a str> {
    let version = line.strip_prefix(prefix)?;
    (number(version)? != 1).then_some(version)
}

/// A piece of untrusted text made fit for an error message: quoted, escaped, and cut at 80 characters.
pub(crate) fn shown(s: &[u8]) -> String {
    let text = String::from_utf8_lossy(&s[..s.len().min(400)]);
    let mut out = String::from('"');
    for c in text.chars() {
        if out.len() >= 80 {
            out.push('…');
            break;
        }
        // An escape of a String cannot fail.
        let _ = write!(out, "{}", c.escape_debug());
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("18446744073709551615"), Some(u64::MAX));
        for bad in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1_0",
            "18446744073709551616",
            "١",
        ] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn hashes_have_one_spelling() {
        let hex = "00ff".repeat(16);
        assert_eq!(Hex(&sha256(&hex).unwrap()).to_string(), hex);
        for bad in [
            "",
            &hex[1..],
            &format!("{hex}0"),
            &hex.to_uppercase(),
            &hex.replace('f', "g"),
        ] {
            assert_eq!(sha256(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn shown_text_is_short_and_plain() {
        assert_eq!(shown(b"a\n\x1b[1m\xff"), "\"a\\n\\u{1b}[1m\u{fffd}\"");
        assert!(shown(&[b'x'; 5000]).len() < 100);
    }
}
