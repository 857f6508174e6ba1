//! The header of a block with a code of its own: RFC 1951, section 3.2.7.
//!
//! The lengths of both codes stand in one row, symbols of literals and lengths first, and runs in it are shortened. How
//! runs are shortened is the writer's choice, and both writers choose alike: a run of a length is that length once and
//! then repeats of at most 6 while 3 or more remain; a run of zeros is repeats of at most 138 while 11 or more remain, then
//! one repeat of 3 to 10; what remains is written one by one.

use crate::bits::BitWriter;
use crate::huffman::{CodeBuilder, Codeword, bits_of};
use crate::symbols::{DISTANCES, FIRST_LENGTH, LITERALS};

/// Symbols of the code that the lengths are written in: the lengths, and three ways to repeat.
const SYMBOLS: usize = 19;
/// The longest code of such a symbol, in bits.
const MAX_BITS: usize = 7;
/// Repeats the length before: 3 to 6 times.
const REPEAT: u8 = 16;
/// Repeats zero 3 to 10 times.
const ZEROS: u8 = 17;
/// Repeats zero 11 to 138 times.
const MANY_ZEROS: u8 = 18;
/// The order in which the lengths of these symbols' own code are written; the last, if zero, are left out.
const ORDER: [u8; SYMBOLS] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// A header that is made, to be measured and then written or not.
pub(crate) struct Header {
    lengths: Vec<u8>,
    /// Symbols, and what a repeat's extra bits say (0 for the others).
    row: Vec<(u8, u8)>,
    code: [Codeword; SYMBOLS],
    /// How many lengths of [`ORDER`] are written.
    ordered: usize,
    literals: usize,
    distances: usize,
}

impl Header {
    pub(crate) fn new() -> Self {
        Self {
            lengths: Vec::with_capacity(LITERALS + DISTANCES),
            row: Vec::with_capacity(LITERALS + DISTANCES),
            code: [Codeword::default(); SYMBOLS],
            ordered: 0,
            literals: 0,
            distances: 0,
        }
    }

    /// Makes the header for two codes, each cut behind its last symbol in use (at least 257 literals, one distance), and
    /// says its size in bits, with the three that say what kind of block it is.
    pub(crate) fn make(
        &mut self,
        builder: &mut CodeBuilder,
        literals: &[Codeword],
        distances: &[Codeword],
    ) -> u64 {
        self.literals = literals.len();
        self.distances = distances.len();
        self.lengths.clear();
        let both = literals.iter().chain(distances);
        self.lengths.extend(both.map(|word| word.length as u8));
        self.row.clear();
        for run in self.lengths.chunk_by(|one, next| one == next) {
            shorten(run[0], run.len(), &mut self.row);
        }

        let mut frequencies = [0u32; SYMBOLS];
        for &(symbol, _) in &self.row {
            frequencies[usize::from(symbol)] += 1;
        }
        builder.build(&frequencies, MAX_BITS, &mut self.code);
        let unused = ORDER
            .iter()
            .rev()
            .take_while(|&&symbol| frequencies[usize::from(symbol)] == 0);
        self.ordered = (SYMBOLS - unused.count()).max(4);
        let extra: u32 = (REPEAT..=MANY_ZEROS)
            .map(|symbol| frequencies[usize::from(symbol)] * extra_bits(symbol))
            .sum();
        3 + 5
            + 5
            + 4
            + 3 * self.ordered as u64
            + bits_of(&frequencies, &self.code)
            + u64::from(extra)
    }

    /// Writes what was made, for a block that is not the last.
    pub(crate) fn write(&self, bits: &mut BitWriter, last: bool) {
        // Two bits of kind, the counts, and at most 14 bits for each length.
        bits.room(16 + 2 * (LITERALS + DISTANCES));
        bits.put(0b100 | u64::from(last), 3);
        bits.put((self.literals - FIRST_LENGTH) as u64, 5);
        bits.put((self.distances - 1) as u64, 5);
        bits.put((self.ordered - 4) as u64, 4);
        for &symbol in &ORDER[..self.ordered] {
            bits.put(u64::from(self.code[usize::from(symbol)].length), 3);
        }
        for &(symbol, extra) in &self.row {
            let word = self.code[usize::from(symbol)];
            let bits_and_extra = u64::from(word.bits) | u64::from(extra) << word.length;
            bits.put(bits_and_extra, u32::from(word.length) + extra_bits(symbol));
        }
    }
}

fn extra_bits(symbol: u8) -> u32 {
    match symbol {
        REPEAT => 2,
        ZEROS => 3,
        MANY_ZEROS => 7,
        _ => 0,
    }
}

fn shorten(length: u8, mut count: usize, row: &mut Vec<(u8, u8)>) {
    if length == 0 {
        while count >= 11 {
            let zeros = count.min(138);
            row.push((MANY_ZEROS, (zeros - 11) as u8));
            count -= zeros;
        }
        if count >= 3 {
            row.push((ZEROS, (count - 3) as u8));
            count = 0;
        }
    } else {
        row.push((length, 0));
        count -= 1;
        while count >= 3 {
            let repeats = count.min(6);
            row.push((REPEAT, (repeats - 3) as u8));
            count -= repeats;
        }
    }
    row.extend(std::iter::repeat_n((length, 0), count));
}
