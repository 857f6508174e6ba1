//! The alphabets of RFC 1951, section 3.2.5: which symbol a length or a distance has, and with which extra bits.

/// Literals, the end of a block, and 29 lengths.
pub(crate) const LITERALS: usize = 286;
/// The symbol that ends a block.
pub(crate) const END_OF_BLOCK: usize = 256;
/// The symbol of the shortest length.
pub(crate) const FIRST_LENGTH: usize = 257;
/// Symbols of distances.
pub(crate) const DISTANCES: usize = 30;
/// The shortest match that has a symbol; the index of every table of lengths is a length less this.
pub(crate) const MIN_LENGTH: usize = 3;
/// The longest match.
pub(crate) const MAX_LENGTH: usize = 258;
/// The farthest that a match may reach back.
pub(crate) const WINDOW: usize = 32768;

/// How many extra bits follow each symbol of a length, from [`FIRST_LENGTH`] on.
pub(crate) const LENGTH_EXTRA: [u8; 29] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];

/// How many extra bits follow each symbol of a distance.
pub(crate) const DISTANCE_EXTRA: [u8; DISTANCES] = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13,
    13,
];

/// The least length of each symbol, less [`MIN_LENGTH`].
pub(crate) const LENGTH_BASE: [u16; 29] = bases(LENGTH_EXTRA, Some(255));

/// The least distance of each symbol, less one.
pub(crate) const DISTANCE_BASE: [u16; DISTANCES] = bases(DISTANCE_EXTRA, None);

/// The symbol of each length, less [`FIRST_LENGTH`].
pub(crate) const LENGTH_SYMBOL: [u8; 256] = {
    let mut symbols = [0; 256];
    let mut symbol = 0;
    while symbol < LENGTH_BASE.len() {
        // Symbols follow each other, so that each table entry is written last by the symbol that it belongs to.
        let mut length = LENGTH_BASE[symbol] as usize;
        while length < symbols.len() {
            symbols[length] = symbol as u8;
            length += 1;
        }
        symbol += 1;
    }
    symbols
};

/// The symbol of a distance of 1 to [`WINDOW`].
#[inline(always)]
pub(crate) fn distance_symbol(distance: u32) -> usize {
    let less = distance - 1;
    if less < 2 {
        return less as usize;
    }
    // Two symbols for each power of two; the bit below the highest tells which.
    let power = less.ilog2();
    (2 * power + (less >> (power - 1) & 1)) as usize
}

/// Where each symbol's values begin: each has two to the power of its extra bits. The last may stand for one value of its own.
const fn bases<const N: usize>(extra: [u8; N], last: Option<u16>) -> [u16; N] {
    let mut bases = [0; N];
    let mut symbol = 1;
    while symbol < N {
        bases[symbol] = bases[symbol - 1] + (1 << extra[symbol - 1]);
        symbol += 1;
    }
    if let Some(last) = last {
        bases[N - 1] = last;
    }
    bases
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every value lies between its symbol's base and the next symbol's.
    #[test]
    fn every_length_and_distance_has_the_symbol_whose_range_it_is_in() {
        for length in MIN_LENGTH..=MAX_LENGTH {
            let less = (length - MIN_LENGTH) as u16;
            let symbol = usize::from(LENGTH_SYMBOL[usize::from(less)]);
            assert!(less >= LENGTH_BASE[symbol], "length {length}");
            assert!(
                less - LENGTH_BASE[symbol] < 1 << LENGTH_EXTRA[symbol],
                "length {length}"
            );
        }
        assert_eq!(
            LENGTH_SYMBOL[255], 28,
            "258 has a symbol without extra bits"
        );
        for distance in 1..=WINDOW as u32 {
            let symbol = distance_symbol(distance);
            let less = (distance - 1) as u16;
            assert!(less >= DISTANCE_BASE[symbol], "distance {distance}");
            assert!(
                less - DISTANCE_BASE[symbol] < 1 << DISTANCE_EXTRA[symbol],
                "distance {distance}"
            );
        }
    }
}
