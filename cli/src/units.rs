//! Sizes, times and numbers of things as people write and read them.
//!
//! Sizes are printed in powers of ten ("1.2 GB", as disks and sticks are sold) and read in either kind:
//! "700MB" is 700,000,000 bytes, "4 GiB" is 4 × 2^30. A bare "4G" means one thing to `dd` and another to
//! `ls`, so it is refused with the two spellings to choose from.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes in powers of ten, three digits or fewer before the unit: "999 B", "1.2 kB", "43 MB", "1.2 GB".
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut unit = 0;
    let mut scale = 1000_u64;
    // One decimal below ten, none above; a value that would round to 1000 goes to the next unit.
    while unit + 1 < UNITS.len() && n >= scale.saturating_mul(1000) - scale / 2 {
        scale *= 1000;
        unit += 1;
    }
    let tenths = (u128::from(n) * 10 + u128::from(scale) / 2) / u128::from(scale);
    if tenths < 100 {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!(
            "{} {}",
            (u128::from(n) + u128::from(scale) / 2) / u128::from(scale),
            UNITS[unit]
        )
    }
}

/// So many of them: "1 zip", "2 zips", "3 entries". `one` is the word, or the words, for one.
pub fn count(n: impl fmt::Display, one: &str) -> String {
    let n = n.to_string();
    let stem = one.strip_suffix('y');
    let consonant = |stem: &&str| !stem.ends_with(['a', 'e', 'i', 'o', 'u']);
    match stem.filter(consonant) {
        _ if n == "1" => format!("1 {one}"),
        Some(stem) => format!("{n} {stem}ies"),
        None => format!("{n} {one}s"),
    }
}

/// A time span with the precision a person wants: "8 ms", "1.2 s", "43 s", "3 min 20 s", "2 h 05 min".
pub fn duration(d: Duration) -> String {
    let ms = d.as_millis();
    if ms < 1000 {
        return format!("{ms} ms");
    }
    if ms < 9_950 {
        let tenths = (ms + 50) / 100;
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    let s = (ms + 500) / 1000;
    if s < 60 {
        format!("{s} s")
    } else if s < 3600 {
        format!("{} min {:02} s", s / 60, s % 60)
    } else {
        format!("{} h {:02} min", s / 3600, s % 3600 / 60)
    }
}

/// Why a size could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a number followed by a unit.
    #[error("{0:?} is not a size: write a number and a unit, as in \"700 MB\" or \"4 GiB\"")]
    Malformed(String),
    /// "4G" and the like.
    #[error("{0:?} can mean two sizes: write {1}B (powers of 1000) or {1}iB (powers of 1024)")]
    Ambiguous(String, char),
    /// More than 2^64 - 1 bytes, or a fraction of a byte.
    #[error("{0:?} is not a whole number of bytes that fits in 64 bits")]
    Range(String),
}

/// Reads a size: digits, perhaps a decimal fraction, perhaps spaces, a unit (none means bytes).
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    let malformed = || UnitError::Malformed(text.into());
    let range = || UnitError::Range(text.into());
    let trimmed = text.trim();
    let unit_at = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(unit_at);
    let unit = unit.trim_start();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(malformed());
    }
    let scale: u128 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "mb" => 1000_u128.pow(2),
        "gb" => 1000_u128.pow(3),
        "tb" => 1000_u128.pow(4),
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        short @ ("k" | "m" | "g" | "t") => {
            let letter = short.chars().next().unwrap_or('?').to_ascii_uppercase();
            return Err(UnitError::Ambiguous(text.into(), letter));
        }
        _ => return Err(malformed()),
    };
    let whole: u64 = whole.parse().map_err(|_| range())?;
    // 18 digits keep the products below within 128 bits; more than that of a TiB is no whole byte anyway.
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 18 {
        return Err(range());
    }
    let part = if fraction.is_empty() {
        0
    } else {
        fraction.parse::<u128>().map_err(|_| range())?
    };
    let of = 10_u128.pow(fraction.len() as u32);
    if !(part * scale).is_multiple_of(of) {
        return Err(range());
    }
    u64::try_from(u128::from(whole) * scale + part * scale / of).map_err(|_| range())
}

/// A number of bytes in a configuration file or a flag: a plain number, or text as [`parse_bytes`] reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(
    /// Bytes.
    pub u64,
);

impl FromStr for ByteSize {
    type Err = UnitError;
    fn from_str(text: &str) -> Result<ByteSize, UnitError> {
        parse_bytes(text).map(ByteSize)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bytes(self.0))
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = ByteSize;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size, as in 700 MB or 4 GiB")
            }
            fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(n))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_printed_in_three_digits() {
        for (n, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1234, "1.2 kB"),
            (9_949, "9.9 kB"),
            (9_950, "10 kB"),
            (999_499, "999 kB"),
            (999_500, "1.0 MB"),
            (43_000_000, "43 MB"),
            (1_200_000_000, "1.2 GB"),
            (u64::MAX, "18 EB"),
        ] {
            assert_eq!(bytes(n), text, "{n}");
        }
    }

    #[test]
    fn one_is_no_plural() {
        for (n, one, text) in [
            (0, "go.mod file", "0 go.mod files"),
            (1, "module version", "1 module version"),
            (2, "module version", "2 module versions"),
            (1, "entry", "1 entry"),
            (11, "entry", "11 entries"),
            (2, "key", "2 keys"),
        ] {
            assert_eq!(count(n, one), text);
        }
        assert_eq!(count(u64::MAX, "B"), "18446744073709551615 Bs");
    }

    #[test]
    fn sizes_are_read_in_both_kinds_of_units() {
        for (text, n) in [
            ("0", 0),
            ("512", 512),
            ("512 B", 512),
            ("700MB", 700_000_000),
            (" 700 mb ", 700_000_000),
            ("4 GiB", 4 << 30),
            ("1.5KiB", 1536),
            ("1.50 kB", 1500),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse_bytes(text), Ok(n), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_reason() {
        for text in [
            "", "GB", "-1", "1.2.3 GB", ".5 GB", "5. GB", "4 GBB", "1e3", "4 GiB x", "١",
        ] {
            assert_eq!(
                parse_bytes(text),
                Err(UnitError::Malformed(text.into())),
                "{text}"
            );
        }
        for text in ["4G", "4 k", "1t"] {
            assert!(
                matches!(parse_bytes(text), Err(UnitError::Ambiguous(..))),
                "{text}"
            );
        }
        let long = format!("0.{}1 TB", "0".repeat(18));
        for text in [
            "18446744073709551616",
            "16777216 TiB",
            "1.5",
            "0.0001 kB",
            "99999999999999999999999 B",
            &long,
        ] {
            assert_eq!(
                parse_bytes(text),
                Err(UnitError::Range(text.into())),
                "{text}"
            );
        }
    }

    #[test]
    fn times_are_printed_as_people_say_them() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1.0 s"),
            (9_949, "9.9 s"),
            (9_950, "10 s"),
            (59_499, "59 s"),
            (59_500, "1 min 00 s"),
            (200_000, "3 min 20 s"),
            (7_500_000, "2 h 05 min"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), text, "{ms}");
        }
    }
}
