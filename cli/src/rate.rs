//! Rates of media and lines, as people write and read them: "10 MB/s" of a stick, "2 Mbit/s" of a diode.
//!
//! Media are sold in bytes and lines in bits, and "Mb/s" is written for both. So it is refused, with the two spellings
//! to choose from: a transfer that takes eight times as long as planned is no small thing.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::{ByteSize, UnitError, bytes};

/// So much in a second, never nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Bits in a second, at least 1.
    bits: u64,
    /// Whether it was said in bits, and is told so.
    said_in_bits: bool,
}

/// Why a rate could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Not a number, a unit and `/s`.
    #[error("{0:?} is not a rate: write a number and a unit, as in \"10 MB/s\" or \"2 Mbit/s\"")]
    Malformed(String),
    /// "2 Mb/s" and the like.
    #[error("{0:?} can mean two rates: write {1}B/s (bytes) or {1}bit/s (bits)")]
    Ambiguous(String, String),
    /// Nothing ever arrives, or more than 2^64 - 1 bits a second, or a fraction of a bit.
    #[error("{0:?} is not a whole number of bits a second, from 1 on, that fits in 64 bits")]
    Range(String),
}

impl Rate {
    /// How long so many bytes take, in whole seconds, rounded up.
    pub fn time_for(&self, bytes: u64) -> Duration {
        let seconds = (u128::from(bytes) * 8).div_ceil(u128::from(self.bits));
        Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX))
    }
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Rate, RateError> {
        let malformed = || RateError::Malformed(text.into());
        let range = || RateError::Range(text.into());
        let amount = text.trim().strip_suffix("/s").ok_or_else(malformed)?;
        let unit = amount.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &amount[..amount.len() - unit.len()];
        let unit = unit.trim();
        let (size, eighths) = match unit.strip_suffix("bit") {
            Some(prefix) => (format!("{number}{prefix}B"), 1),
            None if unit.len() > 1 && unit.ends_with('b') => {
                let prefix = unit.trim_end_matches('b');
                return Err(RateError::Ambiguous(text.into(), prefix.into()));
            }
            // A bare number of anything could be of bytes or bits.
            None if unit.is_empty() || unit == "b" => return Err(malformed()),
            None => (format!("{number}{unit}"), 8),
        };
        let ByteSize(count) = size.parse().map_err(|error| match error {
            UnitError::Range(_) => range(),
            UnitError::Malformed(_) | UnitError::Ambiguous(..) => malformed(),
        })?;
        match count.checked_mul(eighths) {
            None | Some(0) => Err(range()),
            Some(bits) => Ok(Rate {
                bits,
                said_in_bits: eighths == 1,
            }),
        }
    }
}

/// `10 MB/s`, `2.0 Mbit/s`
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.said_in_bits {
            true => write!(f, "{}it/s", bytes(self.bits).replace('B', "b")),
            false => write!(f, "{}/s", bytes(self.bits / 8)),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        // Read by a visitor, for what is wrong is then told with its line and column.
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Rate;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rate, as in 10 MB/s or 2 Mbit/s")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Rate, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rates_are_read_in_bytes_and_in_bits() {
        for (text, bits, told) in [
            ("10MB/s", 80_000_000, "10 MB/s"),
            (" 4 MiB/s ", 33_554_432, "4.2 MB/s"),
            ("2 Mbit/s", 2_000_000, "2.0 Mbit/s"),
            ("9600 bit/s", 9600, "9.6 kbit/s"),
            ("1.5kbit/s", 1500, "1.5 kbit/s"),
            ("12 B/s", 96, "12 B/s"),
            ("1bit/s", 1, "1 bit/s"),
        ] {
            let rate: Rate = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(rate.bits, bits, "{text}");
            assert_eq!(rate.to_string(), told);
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_with_the_reason() {
        for text in [
            "",
            "10",
            "10 MB",
            "MB/s",
            "10/s",
            "8b/s",
            "10 MBit/h",
            "-1 B/s",
            "10M/s",
            "1.2.3 B/s",
            "1 furlong/s",
        ] {
            let error = text.parse::<Rate>().unwrap_err();
            assert_eq!(error, RateError::Malformed(text.into()), "{text}");
        }
        let error = "2 Mb/s".parse::<Rate>().unwrap_err();
        assert_eq!(error, RateError::Ambiguous("2 Mb/s".into(), "M".into()));
        assert!(
            error
                .to_string()
                .ends_with("write MB/s (bytes) or Mbit/s (bits)")
        );
        for text in [
            "0 MB/s",
            "0bit/s",
            "0.5 bit/s",
            "18446744073709551616 bit/s",
            "2305843009213693952 B/s",
        ] {
            let error = text.parse::<Rate>().unwrap_err();
            assert_eq!(error, RateError::Range(text.into()), "{text}");
        }
        let most: Rate = "2305843009213693951 B/s".parse().unwrap();
        assert_eq!(most.bits, u64::MAX - 7);
    }

    #[test]
    fn time_is_rounded_up() {
        let rate: Rate = "2 Mbit/s".parse().unwrap();
        for (bytes, seconds) in [
            (0, 0),
            (1, 1),
            (250_000, 1),
            (250_001, 2),
            (75_000_000, 300),
        ] {
            assert_eq!(
                rate.time_for(bytes),
                Duration::from_secs(seconds),
                "{bytes}"
            );
        }
        let slow: Rate = "1 bit/s".parse().unwrap();
        assert_eq!(slow.time_for(u64::MAX), Duration::from_secs(u64::MAX));
    }
}
