//! How a block is written: stored, with the fixed codes, with codes of its own, or with those of the block before it, which is then
//! simply not ended. Which of these it becomes is decided by sizes, some exact and some guessed, just as the reference does.

use std::mem::swap;

use super::tokens::Tokens;
use crate::bits::BitWriter;
use crate::fixed::{FIXED_DISTANCES, FIXED_LITERALS};
use crate::header::Header;
use crate::huffman::{CodeBuilder, Codeword, MAX_BITS, bits_of};
use crate::symbols::{
    DISTANCE_BASE, DISTANCE_EXTRA, DISTANCES, END_OF_BLOCK, FIRST_LENGTH, LENGTH_BASE,
    LENGTH_EXTRA, LENGTH_SYMBOL, LITERALS,
};

/// With fewer tokens the fixed codes are thought of.
const FEW_TOKENS: usize = 250;
/// What a header comes to that is not made yet, in bits.
const HEADER_GUESS: u64 = 70 * 8;
/// Shorter blocks of literals are not looked at for even counts.
const EVEN_COUNTS_FROM: usize = 1025;
/// The one distance that a block without matches has to name.
const ONE_DISTANCE: [Codeword; 1] = [Codeword { bits: 0, length: 1 }];

/// The codes of the block that is not ended yet.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    No,
    /// Literals and matches: how many bits its header took.
    Tokens(u64),
    /// Literals alone.
    Literals(u64),
}

/// Writes blocks.
pub(super) struct Blocks {
    pub(super) bits: BitWriter,
    open: Open,
    literals: [Codeword; LITERALS],
    distances: [Codeword; DISTANCES],
    /// Codes for literals that may not be taken.
    tried: [Codeword; LITERALS],
    header: Header,
    builder: CodeBuilder,
}

impl Blocks {
    pub(super) fn new() -> Self {
        Self {
            bits: BitWriter::new(),
            open: Open::No,
            literals: [Codeword::default(); LITERALS],
            distances: [Codeword::default(); DISTANCES],
            tried: [Codeword::default(); LITERALS],
            header: Header::new(),
            builder: CodeBuilder::new(),
        }
    }

    /// Begins another stream.
    pub(super) fn begin(&mut self) {
        self.bits.reset();
        self.open = Open::No;
    }

    /// Ends the stream: with an empty block in the fixed codes.
    pub(super) fn finish(&mut self) {
        self.end_block();
        self.bits.room(2);
        self.bits.put(0b011, 3);
        self.put_code(FIXED_LITERALS[END_OF_BLOCK]);
        self.bits.align();
    }

    /// Writes the block as it is.
    pub(super) fn stored(&mut self, input: &[u8]) {
        self.end_block();
        self.bits.put_stored_header(input.len() as u16, false);
        self.bits.put_bytes(input);
    }

    /// Writes a block, some of which are matches; `last`: none follows.
    pub(super) fn tokens(&mut self, tokens: &Tokens, input: &[u8], last: bool) {
        if !matches!(self.open, Open::Tokens(_)) || !self.covers(tokens) {
            self.end_block();
        }
        let few = tokens.len() + usize::from(last) < FEW_TOKENS;
        let stored = stored_bits(input);
        let extra = tokens.extra_bits();
        let fixed = 3 + in_codes(tokens, &FIXED_LITERALS, &FIXED_DISTANCES) + extra;
        if let Open::Tokens(header) = self.open {
            let fresh = header + tokens.estimate(last);
            let end = u64::from(self.literals[END_OF_BLOCK].length);
            let fresh = fresh + end + (fresh >> 7);
            let again = in_codes(tokens, &self.literals, &self.distances) + extra;
            if fresh < again {
                self.end_block();
            }
            let size = fresh.min(again);
            if stored <= size {
                return self.stored(input);
            }
            if few && fixed + 7 < size {
                return self.fixed(tokens, fixed);
            }
        }
        if self.open == Open::No {
            self.builder
                .build(&tokens.literals, MAX_BITS, &mut self.literals);
            self.builder
                .build(&tokens.distances, MAX_BITS, &mut self.distances);
            let header = self.header.make(
                &mut self.builder,
                used(&self.literals),
                used(&self.distances),
            );
            let size = header + in_codes(tokens, &self.literals, &self.distances) + extra;
            if few && fixed <= size {
                return if stored <= fixed {
                    self.stored(input)
                } else {
                    self.fixed(tokens, fixed)
                };
            }
            if stored <= size {
                return self.stored(input);
            }
            self.header.write(&mut self.bits, false);
            self.open = Open::Tokens(header);
        }
        let size = in_codes(tokens, &self.literals, &self.distances) + extra;
        self.room(size);
        put_tokens(&mut self.bits, tokens, &self.literals, &self.distances);
        if last {
            self.end_block();
        }
    }

    /// Writes a block as literals alone, or as it is.
    pub(super) fn literals(&mut self, input: &[u8], last: bool) {
        let mut counts = [0; LITERALS];
        for &byte in input {
            counts[usize::from(byte)] += 1;
        }
        let stored = stored_bits(input);
        if input.len() >= EVEN_COUNTS_FROM && even(&counts[..END_OF_BLOCK], input.len()) {
            return self.stored(input);
        }
        counts[END_OF_BLOCK] = 1;
        self.builder.build(&counts, MAX_BITS, &mut self.tried);
        let header = match self.open {
            Open::No => HEADER_GUESS,
            Open::Tokens(header) | Open::Literals(header) => header,
        };
        let fresh = bits_of(&counts, &self.tried) + header;
        let fresh = fresh + (fresh >> 7);
        if stored <= fresh {
            return self.stored(input);
        }
        let counts = &counts[..END_OF_BLOCK];
        let covered = counts
            .iter()
            .zip(&self.literals)
            .all(|(&n, code)| n == 0 || code.length > 0);
        if !covered || fresh < bits_of(counts, &self.literals) {
            self.end_block();
        }
        if self.open == Open::No {
            swap(&mut self.literals, &mut self.tried);
            let named = &self.literals[..FIRST_LENGTH];
            let header = self.header.make(&mut self.builder, named, &ONE_DISTANCE);
            self.header.write(&mut self.bits, false);
            self.open = Open::Literals(header);
        }
        self.room(bits_of(counts, &self.literals));
        for bytes in input.chunks(3) {
            let (mut bits, mut count) = (0, 0);
            for &byte in bytes {
                let code = self.literals[usize::from(byte)];
                bits |= u64::from(code.bits) << count;
                count += u32::from(code.length);
            }
            self.bits.put(bits, count);
        }
        if last {
            self.end_block();
        }
    }

    /// Writes a block in the fixed codes, which comes to `size` bits.
    fn fixed(&mut self, tokens: &Tokens, size: u64) {
        self.end_block();
        self.room(size);
        self.bits.put(0b010, 3);
        put_tokens(&mut self.bits, tokens, &FIXED_LITERALS, &FIXED_DISTANCES);
        self.put_code(FIXED_LITERALS[END_OF_BLOCK]);
    }

    /// Writes the end of the block that is open, if one is.
    fn end_block(&mut self) {
        if self.open != Open::No {
            self.open = Open::No;
            self.bits.room(2);
            self.put_code(self.literals[END_OF_BLOCK]);
        }
    }

    /// Makes room for so many bits.
    fn room(&mut self, bits: u64) {
        self.bits.room((bits / 8) as usize + 1);
    }

    fn put_code(&mut self, code: Codeword) {
        self.bits.put(u64::from(code.bits), u32::from(code.length));
    }

    /// Whether the open block has a word for each symbol of these.
    fn covers(&self, tokens: &Tokens) -> bool {
        let all = |counts: &[u32], codes: &[Codeword]| {
            counts
                .iter()
                .zip(codes)
                .all(|(&count, code)| count == 0 || code.length > 0)
        };
        all(&tokens.distances, &self.distances) && all(&tokens.literals, &self.literals)
    }
}

/// What a stored block takes, in the reference's reckoning.
fn stored_bits(input: &[u8]) -> u64 {
    (input.len() as u64 + 5) * 8
}

/// What the symbols take, and the end of the block, without the bits behind them.
fn in_codes(tokens: &Tokens, literals: &[Codeword], distances: &[Codeword]) -> u64 {
    bits_of(&tokens.literals, literals) + bits_of(&tokens.distances, distances)
}

/// The codes up to the last one that has a word.
fn used(codes: &[Codeword]) -> &[Codeword] {
    let behind = codes
        .iter()
        .rposition(|code| code.length > 0)
        .map_or(0, |last| last + 1);
    &codes[..behind]
}

/// Whether all bytes are about as frequent: the squares of how far each count is from the mean come to less than two a byte.
fn even(counts: &[u32], len: usize) -> bool {
    // 256 times the counts, so that the mean is a whole number.
    let squares = counts
        .iter()
        .map(|&count| (u64::from(count) << 8).abs_diff(len as u64).pow(2));
    squares.sum::<u64>() < (2 * len as u64) << 16
}

/// Writes the tokens. There is room.
fn put_tokens(
    bits: &mut BitWriter,
    tokens: &Tokens,
    literals: &[Codeword; LITERALS],
    distances: &[Codeword; DISTANCES],
) {
    for token in tokens.iter() {
        match token.literal() {
            Some(byte) => {
                let code = literals[usize::from(byte)];
                bits.put(u64::from(code.bits), u32::from(code.length));
            }
            None => {
                // At most 15 + 5 + 15 + 13 bits.
                let length = token.length();
                let symbol = usize::from(LENGTH_SYMBOL[length]);
                let code = literals[FIRST_LENGTH + symbol];
                let mut count = u32::from(code.length);
                let mut word = u64::from(code.bits);
                word |= (length as u64 - u64::from(LENGTH_BASE[symbol])) << count;
                count += u32::from(LENGTH_EXTRA[symbol]);
                let symbol = token.distance_symbol();
                let code = distances[symbol];
                word |= u64::from(code.bits) << count;
                count += u32::from(code.length);
                word |= u64::from(token.distance() - u32::from(DISTANCE_BASE[symbol])) << count;
                count += u32::from(DISTANCE_EXTRA[symbol]);
                bits.put(word, count);
            }
        }
    }
}
