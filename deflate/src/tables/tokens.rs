//! What the search found in a block, and how often each symbol occurs in it.

use super::BLOCK;
use super::log2::log2;
use crate::symbols::{
    DISTANCE_EXTRA, DISTANCES, END_OF_BLOCK, FIRST_LENGTH, LENGTH_EXTRA, LENGTH_SYMBOL, LITERALS,
    MAX_LENGTH, MIN_LENGTH, distance_symbol,
};

/// A literal (its byte) or a match.
#[derive(Clone, Copy, Default)]
pub(super) struct Token(u32);

const MATCH: u32 = 1 << 31;

impl Token {
    #[inline(always)]
    fn matched(length: usize, distance: u32, symbol: usize) -> Token {
        Token(MATCH | ((length - MIN_LENGTH) as u32) << 20 | (symbol as u32) << 15 | (distance - 1))
    }

    #[inline(always)]
    pub(super) fn literal(self) -> Option<u8> {
        (self.0 < MATCH).then_some(self.0 as u8)
    }

    /// Of a match: its length less [`MIN_LENGTH`].
    #[inline(always)]
    pub(super) fn length(self) -> usize {
        (self.0 >> 20 & 0xff) as usize
    }

    /// Of a match: its distance less one.
    #[inline(always)]
    pub(super) fn distance(self) -> u32 {
        self.0 & 0x7fff
    }

    /// Of a match: its distance's symbol.
    #[inline(always)]
    pub(super) fn distance_symbol(self) -> usize {
        (self.0 >> 15 & 31) as usize
    }
}

/// The tokens of one block: 256 KiB.
pub(super) struct Tokens {
    items: Box<[Token]>,
    len: usize,
    /// Literals, the end (always once) and lengths.
    pub(super) literals: [u32; LITERALS],
    pub(super) distances: [u32; DISTANCES],
}

impl Tokens {
    pub(super) fn new() -> Tokens {
        Tokens {
            items: vec![Token::default(); BLOCK].into_boxed_slice(),
            len: 0,
            literals: [0; LITERALS],
            distances: [0; DISTANCES],
        }
    }

    pub(super) fn clear(&mut self) {
        self.len = 0;
        self.literals = [0; LITERALS];
        self.literals[END_OF_BLOCK] = 1;
        self.distances = [0; DISTANCES];
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Token> {
        self.items[..self.len].iter()
    }

    #[inline(always)]
    pub(super) fn add_literals(&mut self, bytes: &[u8]) {
        for (item, &byte) in self.items[self.len..].iter_mut().zip(bytes) {
            *item = Token(u32::from(byte));
            self.literals[usize::from(byte)] += 1;
        }
        self.len += bytes.len();
    }

    /// A match of any length from [`MIN_LENGTH`] on. A long one becomes several, none of which is too short.
    #[inline(always)]
    pub(super) fn add_match(&mut self, mut length: usize, distance: u32) {
        let symbol = distance_symbol(distance);
        while length > MAX_LENGTH {
            let part = if length > MAX_LENGTH + MIN_LENGTH {
                MAX_LENGTH
            } else {
                MAX_LENGTH - MIN_LENGTH
            };
            self.add_part(part, distance, symbol);
            length -= part;
        }
        self.add_part(length, distance, symbol);
    }

    #[inline(always)]
    fn add_part(&mut self, length: usize, distance: u32, symbol: usize) {
        self.literals[FIRST_LENGTH + usize::from(LENGTH_SYMBOL[(length - MIN_LENGTH) & 0xff])] += 1;
        self.distances[symbol] += 1;
        self.items[self.len] = Token::matched(length, distance, symbol);
        self.len += 1;
    }

    /// How many bits stand behind the symbols, in any code.
    pub(super) fn extra_bits(&self) -> u64 {
        extra(&self.literals[FIRST_LENGTH..], &LENGTH_EXTRA)
            + extra(&self.distances, &DISTANCE_EXTRA)
    }

    /// What the block would come to in bits with codes of its own, without their header: each symbol by its share, in
    /// single precision, with the sums in this very order, as the result decides between two ways of writing. `ended`: the
    /// end of the block stands among the tokens.
    pub(super) fn estimate(&self, ended: bool) -> u64 {
        let share = 1.0 / (self.len + usize::from(ended)) as f32;
        let mut sum = 0.0;
        add(&self.literals[..END_OF_BLOCK], share, &mut sum);
        sum += 15.0; // the end
        add(&self.literals[FIRST_LENGTH..], share, &mut sum);
        let matches: u32 = self.distances.iter().sum();
        if matches > 0 {
            add(&self.distances, 1.0 / matches as f32, &mut sum);
        }
        sum as u64 + self.extra_bits()
    }
}

fn extra(counts: &[u32], bits: &[u8]) -> u64 {
    counts
        .iter()
        .zip(bits)
        .map(|(&count, &bits)| u64::from(count * u32::from(bits)))
        .sum()
}

/// Adds what these symbols take: each word is 1 to 15 bits long.
fn add(counts: &[u32], share: f32, sum: &mut f32) {
    for &count in counts {
        if count > 0 {
            let count = count as f32;
            *sum += (-log2(count * share)).clamp(1.0, 15.0) * count;
        }
    }
}
