//! Numbers in the binary parts of a bundle, contents and recipes: LEB128, seven bits a byte, the lowest first.
//!
//! A number has one spelling, its shortest, so that what was decoded encodes to the bytes that it came from. Numbers
//! that are likely to be near the one before travel as the difference, zigzag (0, -1, 1, -2 … as 0, 1, 2, 3 …).

/// Appends a number.
pub(super) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes a number from the front; `None` if there is none, it is not the shortest spelling, or it needs more than 64 bits.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for (n, byte) in bytes.iter().enumerate() {
        let (bits, shift) = (u64::from(byte & 0x7f), 7 * n as u32);
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            if *byte == 0 && n > 0 {
                return None;
            }
            *bytes = &bytes[n + 1..];
            return Some(value);
        }
        if shift == 63 {
            return None;
        }
    }
    None
}

/// A difference as a number.
pub(super) fn zigzag(difference: i64) -> u64 {
    (difference << 1 ^ difference >> 63) as u64
}

/// The difference that a number is.
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_length_has_its_first_and_last_number() {
        for (value, bytes) in [
            (0, &[0][..]),
            (127, &[127]),
            (128, &[0x80, 1]),
            (16_383, &[0xff, 0x7f]),
            (16_384, &[0x80, 0x80, 1]),
            (
                u64::MAX,
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            ),
        ] {
            let mut out = Vec::new();
            put(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(take(&mut &out[..]), Some(value));
        }
    }

    #[test]
    fn numbers_have_one_spelling_and_64_bits() {
        for bad in [
            &[][..],
            &[0x80],
            &[0x80, 0],
            &[0xff, 0x80, 0],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
            &[
                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0,
            ],
        ] {
            let mut rest = bad;
            assert_eq!(take(&mut rest), None, "{bad:?}");
            assert_eq!(rest, bad, "nothing is taken");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_is_put_again(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut rest = &bytes[..];
            if let Some(value) = take(&mut rest) {
                let mut again = Vec::new();
                put(&mut again, value);
                prop_assert_eq!(again, &bytes[..bytes.len() - rest.len()]);
            }
        }

        #[test]
        fn differences_come_back(difference: i64) {
            prop_assert_eq!(unzigzag(zigzag(difference)), difference);
            prop_assert!(zigzag(difference % 64) < 128, "small ones have one byte");
        }
    }
}
