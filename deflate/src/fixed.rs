//! The codes of blocks that bring none of their own: RFC 1951, section 3.2.6.

use crate::huffman::Codeword;
use crate::symbols::{DISTANCES, LITERALS};

/// Of literals and lengths: four ranges, each with codes in a row.
pub(crate) const FIXED_LITERALS: [Codeword; LITERALS] = {
    let mut code = [Codeword { bits: 0, length: 0 }; LITERALS];
    let mut symbol = 0;
    while symbol < LITERALS {
        let number = symbol as u16;
        code[symbol] = match symbol {
            0..144 => word(0b0011_0000 + number, 8),
            144..256 => word(0b1_1001_0000 + number - 144, 9),
            256..280 => word(number - 256, 7),
            _ => word(0b1100_0000 + number - 280, 8),
        };
        symbol += 1;
    }
    code
};

/// Of distances: five bits each.
pub(crate) const FIXED_DISTANCES: [Codeword; DISTANCES] = {
    let mut code = [Codeword { bits: 0, length: 0 }; DISTANCES];
    let mut symbol = 0;
    while symbol < DISTANCES {
        code[symbol] = word(symbol as u16, 5);
        symbol += 1;
    }
    code
};

const fn word(number: u16, length: u16) -> Codeword {
    Codeword {
        bits: number.reverse_bits() >> (16 - length),
        length,
    }
}
