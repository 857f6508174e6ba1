//! A block: up to 16,384 literals and matches, written with a fixed code, with a code of its own, or as they were.
//!
//! The shortest of the three is taken. Two peculiarities of the reference decide on single bits: a block without matches
//! counts one distance that is never written, in both ways of coding; and a block can be stored only if its first byte is still in
//! the buffer.

use std::ops::ControlFlow;

use crate::Take;
use crate::bits::BitWriter;
use crate::fixed::{FIXED_DISTANCES, FIXED_LITERALS};
use crate::header::Header;
use crate::huffman::{CodeBuilder, Codeword, MAX_BITS, bits_of};
use crate::symbols::{
    DISTANCE_BASE, DISTANCE_EXTRA, DISTANCES, END_OF_BLOCK, FIRST_LENGTH, LENGTH_BASE,
    LENGTH_EXTRA, LENGTH_SYMBOL, LITERALS, MIN_LENGTH, WINDOW, distance_symbol,
};

/// How many tokens make a block full.
const FULL: usize = 1 << 14;
/// The most that a stored block holds, in bytes.
const MAX_STORED: usize = 65_535;

/// A literal; or, with this bit, a match: the symbol of its distance, above its distance less one, above its length less three.
const MATCH: u32 = 1 << 31;
/// Where the distance begins.
const DISTANCE: u32 = 8;
/// Where its symbol begins.
const SYMBOL: u32 = DISTANCE + 15;

/// A block's tokens so far, and how often there is each symbol of a literal, a length and a distance.
pub(super) struct Tokens {
    tokens: [u32; FULL],
    count: usize,
    literals: [u32; LITERALS],
    distances: [u32; DISTANCES],
}

impl Tokens {
    fn clear(&mut self) {
        self.count = 0;
        self.literals.fill(0);
        self.distances.fill(0);
    }

    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
        self.count == FULL
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// There must be room: the tokens are not full.
    #[inline(always)]
    fn push(&mut self, token: u32) {
        self.tokens[self.count % FULL] = token;
        self.count += 1;
    }

    #[inline(always)]
    pub(super) fn push_literal(&mut self, byte: u8) {
        self.push(u32::from(byte));
        self.literals[usize::from(byte)] += 1;
    }

    #[inline(always)]
    pub(super) fn push_match(&mut self, length: usize, distance: usize) {
        let length = (length - MIN_LENGTH) as u8;
        let symbol = distance_symbol(distance as u32);
        let less = distance as u32 - 1;
        self.push(MATCH | (symbol as u32) << SYMBOL | less << DISTANCE | u32::from(length));
        self.literals[FIRST_LENGTH + usize::from(LENGTH_SYMBOL[usize::from(length)])] += 1;
        self.distances[symbol] += 1;
    }
}

/// Tokens that are not yet written, and the writer of blocks.
pub(super) struct Block {
    tokens: Box<Tokens>,
    /// Where in the content the block begins.
    start: usize,
    bits: BitWriter,
    builder: CodeBuilder,
    header: Header,
}

impl Block {
    pub(super) fn new() -> Self {
        Self {
            tokens: Box::new(Tokens {
                tokens: [0; FULL],
                count: 0,
                literals: [0; LITERALS],
                distances: [0; DISTANCES],
            }),
            start: 0,
            bits: BitWriter::new(),
            builder: CodeBuilder::new(),
            header: Header::new(),
        }
    }

    /// For another stream.
    pub(super) fn reset(&mut self) {
        self.clear(0);
        self.bits.reset();
    }

    fn clear(&mut self, start: usize) {
        self.tokens.clear();
        self.start = start;
    }

    /// The tokens, to append more.
    pub(super) fn tokens(&mut self) -> &mut Tokens {
        &mut self.tokens
    }

    /// Writes the block, which ends before `end` in the content; the buffer begins at `kept`.
    pub(super) fn end(
        &mut self,
        content: &[u8],
        end: usize,
        kept: usize,
        take: Take<'_>,
    ) -> ControlFlow<()> {
        self.tokens.literals[END_OF_BLOCK] = 1;
        let stored = (self.start >= kept && end - self.start <= MAX_STORED)
            .then(|| &content[self.start..end]);
        self.write(stored);
        self.clear(end);
        self.bits.hand_on(take)
    }

    /// Ends the stream with an empty stored block.
    pub(super) fn end_stream(&mut self, take: Take<'_>) -> ControlFlow<()> {
        self.bits.put_stored_header(0, true);
        self.bits.hand_on(take)
    }

    fn write(&mut self, stored: Option<&[u8]>) {
        let Tokens {
            tokens,
            count,
            literals,
            distances,
        } = &mut *self.tokens;
        let tokens = &tokens[..*count];
        if behind_last(distances) == 0 {
            distances[0] = 1;
        }
        let mut literal_code = [Codeword::default(); LITERALS];
        let mut distance_code = [Codeword::default(); DISTANCES];
        self.builder.build(literals, MAX_BITS, &mut literal_code);
        self.builder.build(distances, MAX_BITS, &mut distance_code);

        let sum = |frequencies: &[u32], extra: &[u8]| -> u64 {
            let bits = |(&frequency, &extra): (&u32, &u8)| u64::from(frequency * u32::from(extra));
            frequencies.iter().zip(extra).map(bits).sum()
        };
        let extra = sum(&literals[FIRST_LENGTH..], &LENGTH_EXTRA) + sum(distances, &DISTANCE_EXTRA);
        let header = self.header.make(
            &mut self.builder,
            &literal_code[..behind_last(literals)],
            &distance_code[..behind_last(distances)],
        );
        let own =
            header + bits_of(literals, &literal_code) + bits_of(distances, &distance_code) + extra;
        let fixed =
            3 + bits_of(literals, &FIXED_LITERALS) + bits_of(distances, &FIXED_DISTANCES) + extra;
        if let Some(bytes) = stored
            && (bytes.len() as u64 + 5) * 8 < own.min(fixed)
        {
            self.bits.put_stored_header(bytes.len() as u16, false);
            self.bits.put_bytes(bytes);
        } else if own < fixed {
            self.header.write(&mut self.bits, false);
            put_tokens(tokens, &literal_code, &distance_code, &mut self.bits);
        } else {
            self.bits.room(1);
            self.bits.put(0b010, 3);
            put_tokens(tokens, &FIXED_LITERALS, &FIXED_DISTANCES, &mut self.bits);
        }
    }
}

fn behind_last(frequencies: &[u32]) -> usize {
    frequencies
        .iter()
        .rposition(|&frequency| frequency > 0)
        .map_or(0, |last| last + 1)
}

/// The most bits of a match: both codes, and five and thirteen extra bits.
const MAX_TOKEN_BITS: usize = 2 * MAX_BITS + 5 + 13;

fn put_tokens(
    tokens: &[u32],
    literals: &[Codeword; LITERALS],
    distances: &[Codeword; DISTANCES],
    bits: &mut BitWriter,
) {
    bits.room((tokens.len() + 1) * MAX_TOKEN_BITS / 8 + 1);
    bits.put_all(tokens.iter().map(|&token| {
        if token & MATCH == 0 {
            let word = literals[token as usize];
            return (u64::from(word.bits), u32::from(word.length));
        }
        let length = (token & 0xff) as u16;
        let symbol = usize::from(LENGTH_SYMBOL[usize::from(length)]);
        let word = literals[FIRST_LENGTH + symbol];
        let mut all = u64::from(word.bits);
        let mut count = u32::from(word.length);
        all |= u64::from(length - LENGTH_BASE[symbol]) << count;
        count += u32::from(LENGTH_EXTRA[symbol]);
        let less = (token >> DISTANCE) as u16 & (WINDOW - 1) as u16;
        let symbol = ((token & !MATCH) >> SYMBOL) as usize;
        let word = distances[symbol];
        all |= u64::from(word.bits) << count;
        count += u32::from(word.length);
        all |= u64::from(less - DISTANCE_BASE[symbol]) << count;
        count += u32::from(DISTANCE_EXTRA[symbol]);
        (all, count)
    }));
    let end = literals[END_OF_BLOCK];
    bits.put(u64::from(end.bits), u32::from(end.length));
}
