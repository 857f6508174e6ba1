//! A fingerprint to say over the telephone: `04127 88213 50091 77446 10358 92230`.
//!
//! Two people who each have a copy of a bundle compare thirty digits in six groups, in any language and without
//! spelling hexadecimal. It is made from the SHA-256 of the text that is signed, so that it covers every byte of
//! the bundle, and neither the signatures nor the cut into volumes change it: it is the same before and after
//! a second signature.
//!
//! Thirty digits are 99 bits. To make another text with the same digits as a given one takes about 2^99 tries;
//! two texts of one's own making that agree take about 2^50, which a signer could afford: so it shows that both
//! have the *same* text, and says nothing about who made it. Signatures do.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Digits of a group.
const GROUP: usize = 5;
/// Groups.
const GROUPS: usize = 6;
/// One more than the largest number that the digits say: 10^30.
const MODULUS: u128 = 10_u128.pow((GROUP * GROUPS) as u32);

/// A text's SHA-256 in thirty digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spoken(u128);

impl Spoken {
    /// Of a text that is signed, the signatures left out.
    pub fn of(text: &str) -> Self {
        Self::of_sha256(&Sha256::digest(text).into())
    }

    /// Of that text's SHA-256: its first 16 bytes as a number, the first byte most significant, modulo 10^30.
    pub fn of_sha256(sha256: &[u8; 32]) -> Self {
        let number = sha256[..16]
            .iter()
            .fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        Self(number % MODULUS)
    }
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:0width$}", self.0, width = GROUP * GROUPS);
        for (n, digit) in digits.chars().enumerate() {
            if n > 0 && n % GROUP == 0 {
                f.write_str(" ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_groups_of_five_digits() {
        // printf '' | sha256sum: e3b0c44298fc1c149afbf4c8996fb924…; the number by another calculator.
        assert_eq!(
            Spoken::of("").to_string(),
            "91896 55778 86386 47253 85835 78916"
        );
        let mut one = [0; 32];
        one[15] = 1;
        one[16] = 0xff;
        assert_eq!(
            Spoken::of_sha256(&one).to_string(),
            "00000 00000 00000 00000 00000 00001"
        );
        assert_eq!(
            Spoken::of_sha256(&[0xff; 32]).to_string(),
            "92093 84634 63374 60743 17682 11455"
        );
    }

    #[test]
    fn another_text_has_another() {
        assert_ne!(Spoken::of("stream a\n"), Spoken::of("stream b\n"));
    }
}
