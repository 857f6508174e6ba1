//! Prefix codes of bounded length, as both writers make them of the frequencies in a block.
//!
//! Many codes are equally short for the same frequencies, so it matters which one is found. Both writers find theirs
//! by package-merge (Larmore and Hirschberg, 1990), worked lazily from the top row: row `n` holds, by rising weight,
//! every symbol and the pairs of row `n - 1`; the first `2 * symbols - 2` items of the top row are an optimal code, in
//! which a symbol's length is the number of rows that it was taken from. **Of a symbol and a pair of equal weight the
//! pair comes first**: this settles every tie. The symbols themselves are ordered by (frequency, symbol).
//! Where no code comes near the longest that is allowed, that is far more work than the plain Huffman tree, which is then
//! the same: its nodes in the order in which they are paired are what every row would begin with, if ties are broken
//! the same way. So the tree is tried first, and the rows are for what is deeper.
//! With lengths settled, the code is RFC 1951's canonical one (section 3.2.2).

/// The longest code of any alphabet in deflate, in bits.
pub(crate) const MAX_BITS: usize = 15;

/// What is written for a symbol. All zero for a symbol that has no code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Codeword {
    /// Reversed: the first bit of the code is the lowest.
    pub(crate) bits: u16,
    /// How many bits.
    pub(crate) length: u16,
}

/// Makes codes; keeps its scratch memory.
pub(crate) struct CodeBuilder {
    /// The symbols in use, each below its frequency: ordered as numbers they are ordered as the rows need it.
    used: Vec<u32>,
    tree: Tree,
    rows: Rows,
}

/// Bits of a symbol within an item of [`CodeBuilder::used`].
const SYMBOL_BITS: u32 = 9;

impl CodeBuilder {
    pub(crate) fn new() -> Self {
        Self {
            used: Vec::new(),
            tree: Tree::default(),
            rows: Rows::default(),
        }
    }

    /// The code of at most `longest` bits a symbol (at most [`MAX_BITS`]) for such frequencies: one each of at most 512
    /// symbols, each below 2^23. Fewer than three symbols in use have one bit each, also one alone.
    pub(crate) fn build(&mut self, frequencies: &[u32], longest: usize, code: &mut [Codeword]) {
        debug_assert!(frequencies.len() <= 1 << SYMBOL_BITS && longest <= MAX_BITS);
        self.used.clear();
        for (symbol, &frequency) in frequencies.iter().enumerate() {
            debug_assert!(frequency < 1 << (u32::BITS - SYMBOL_BITS));
            if frequency > 0 {
                self.used.push(frequency << SYMBOL_BITS | symbol as u32);
            }
        }
        code.fill(Codeword::default());
        if let [_] | [_, _] = self.used[..] {
            for (bits, item) in self.used.iter().enumerate() {
                code[symbol_of(*item)] = Codeword {
                    bits: bits as u16,
                    length: 1,
                };
            }
            return;
        }
        if self.used.is_empty() {
            return;
        }
        self.used.sort_unstable();
        let tree = self.tree.counts(&self.used, longest);
        let counts = tree.unwrap_or_else(|| self.rows.counts(&self.used, longest));

        // The most frequent symbols have the shortest codes.
        let mut first = [0u16; MAX_BITS + 2];
        let mut behind = self.used.len();
        for (length, &count) in counts.iter().enumerate().skip(1) {
            for &item in &self.used[behind - usize::from(count)..behind] {
                code[symbol_of(item)].length = length as u16;
            }
            behind -= usize::from(count);
            first[length + 1] = (first[length] + count) << 1;
        }
        let mut next = first;
        for word in code.iter_mut().filter(|word| word.length > 0) {
            let bits = &mut next[usize::from(word.length)];
            word.bits = bits.reverse_bits() >> (16 - word.length);
            *bits += 1;
        }
    }
}

fn symbol_of(item: u32) -> usize {
    (item & ((1 << SYMBOL_BITS) - 1)) as usize
}

/// How many bits all symbols take together. A symbol that is used has a code.
pub(crate) fn bits_of(frequencies: &[u32], code: &[Codeword]) -> u64 {
    let bits =
        |(&frequency, word): (&u32, &Codeword)| u64::from(frequency * u32::from(word.length));
    frequencies.iter().zip(code).map(bits).sum()
}

/// How many symbols have a code of each length.
type Counts = [u16; MAX_BITS + 1];

/// A Huffman tree, of which only the inner nodes are kept, in the order in which they are made: by rising weight.
#[derive(Default)]
struct Tree {
    weights: Vec<u32>,
    /// Of each inner node but the last, which inner node it is in.
    parents: Vec<u16>,
    /// The same of each symbol.
    symbol_parents: Vec<u16>,
    depths: Vec<u8>,
}

impl Tree {
    /// The lengths in this tree; none if one is above `longest`. `used` has three or more.
    fn counts(&mut self, used: &[u32], longest: usize) -> Option<Counts> {
        self.weights.clear();
        self.parents.clear();
        self.symbol_parents.clear();
        for made in 0..used.len() as u16 - 1 {
            let mut heavier = 0;
            for _ in 0..2 {
                let symbol = weight(used, self.symbol_parents.len());
                match self.weights.get(self.parents.len()) {
                    Some(&inner) if inner <= symbol => {
                        self.parents.push(made);
                        heavier += inner;
                    }
                    _ => {
                        self.symbol_parents.push(made);
                        heavier += symbol;
                    }
                }
            }
            self.weights.push(heavier);
        }
        // The last inner node is the root. No node is deeper than one that was made before it.
        self.depths.clear();
        self.depths.resize(self.weights.len(), 0);
        for node in (0..self.parents.len()).rev() {
            self.depths[node] = self.depths[usize::from(self.parents[node])] + 1;
            if usize::from(self.depths[node]) >= longest {
                return None;
            }
        }
        let mut counts = Counts::default();
        for &parent in &self.symbol_parents {
            counts[usize::from(self.depths[usize::from(parent)]) + 1] += 1;
        }
        Some(counts)
    }
}

/// How many symbols the items so far took from each row, from this one down; index 0 stays 0.
type Taken = [u16; MAX_BITS + 1];

/// A row of package-merge, of which only what was asked for is known.
#[derive(Clone, Copy, Default)]
struct Row {
    /// The weight of the next pair of the row below; none while that is not worked out.
    pair: Option<u32>,
    taken: Taken,
}

/// No more items: heavier than all that there are.
const NONE: u32 = u32::MAX;

#[derive(Default)]
struct Rows {
    rows: [Row; MAX_BITS + 1],
}

impl Rows {
    /// The lengths of an optimal code of at most `longest` bits.
    fn counts(&mut self, used: &[u32], longest: usize) -> Counts {
        let longest = longest.min(used.len() - 1);
        let taken = self.taken(used, longest);
        let mut counts = Counts::default();
        let lengths = counts.iter_mut().enumerate().take(longest + 1).skip(1);
        for (length, count) in lengths {
            // The most frequent symbols are taken from the top row alone, the rarest from every row.
            let row = longest + 1 - length;
            *count = taken[row] - taken[row - 1];
        }
        counts
    }

    /// How many symbols are taken from each row for an optimal code of at most `longest` bits; `used` has three or more.
    fn taken(&mut self, used: &[u32], longest: usize) -> Taken {
        // The two rarest symbols are the first items of every row: any pair is heavier than the second.
        let pair = weight(used, 0) + weight(used, 1);
        for (number, row) in self.rows.iter_mut().enumerate().skip(1) {
            row.pair = Some(if number == 1 { NONE } else { pair });
            row.taken = Taken::default();
            row.taken[number] = 2;
        }
        for _ in 2..2 * used.len() - 2 {
            self.next(used, longest);
        }
        self.rows[longest].taken
    }

    /// Takes the next item of a row and says its weight.
    fn next(&mut self, used: &[u32], number: usize) -> u32 {
        let pair = match self.rows[number].pair {
            Some(pair) => pair,
            None => {
                let first = self.next(used, number - 1);
                let second = self.next(used, number - 1);
                let pair = if second == NONE { NONE } else { first + second };
                self.rows[number].pair = Some(pair);
                pair
            }
        };
        let row = &mut self.rows[number];
        let symbols = row.taken[number];
        let symbol = weight(used, usize::from(symbols));
        if symbol < pair {
            row.taken[number] = symbols + 1;
            return symbol;
        }
        if pair != NONE {
            row.pair = None;
            let below = self.rows[number - 1].taken;
            let row = &mut self.rows[number];
            row.taken = below;
            row.taken[number] = symbols;
        }
        pair
    }
}

fn weight(used: &[u32], place: usize) -> u32 {
    used.get(place).map_or(NONE, |item| item >> SYMBOL_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(frequencies: &[u32], longest: usize) -> Vec<u16> {
        let mut code = vec![Codeword::default(); frequencies.len()];
        CodeBuilder::new().build(frequencies, longest, &mut code);
        code.iter().map(|word| word.length).collect()
    }

    #[test]
    fn one_symbol_or_two_have_one_bit_each() {
        assert_eq!(lengths(&[0, 0, 0], 15), [0, 0, 0]);
        assert_eq!(lengths(&[0, 7, 0], 15), [0, 1, 0]);
        assert_eq!(lengths(&[9, 0, 1], 15), [1, 0, 1]);
    }

    /// 1, 1, 2, 2 is as short with lengths 2, 2, 2, 2 as with 3, 3, 2, 1; a pair before a symbol of its weight gives the latter.
    #[test]
    fn of_equal_weights_the_pair_is_taken() {
        assert_eq!(lengths(&[1, 1, 2, 2], 15), [3, 3, 2, 1]);
        assert_eq!(lengths(&[1, 1, 2, 2], 2), [2, 2, 2, 2]);
    }

    #[test]
    fn no_code_is_longer_than_allowed_and_each_is_complete() {
        let mut fibonacci = vec![1u32, 1];
        for n in 2..20 {
            fibonacci.push(fibonacci[n - 1] + fibonacci[n - 2]);
        }
        for longest in [5, 7, 12, 15] {
            let lengths = lengths(&fibonacci, longest);
            assert_eq!(lengths.iter().copied().max(), Some(longest as u16));
            let filled: u32 = lengths.iter().map(|length| 1 << (15 - length)).sum();
            assert_eq!(filled, 1 << 15, "{longest}");
        }
    }

    /// Wherever the tree is not too deep, the rows give the same lengths.
    #[test]
    fn the_tree_and_the_rows_agree() {
        let mut state = 1u32;
        let mut random = |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let (mut tree, mut rows) = (Tree::default(), Rows::default());
        let mut seen = [0; 2];
        for _ in 0..4000 {
            let symbols = 3 + random(284);
            // Few different frequencies make many ties; shifts make deep trees.
            let (most, shift) = (1 + random(40), 1 + random(12));
            let frequency = |_| (1 + random(most)) << random(shift);
            let mut used: Vec<u32> = (0..symbols).map(frequency).collect();
            used.sort_unstable();
            used.iter_mut().for_each(|item| *item <<= SYMBOL_BITS);
            let longest = if symbols <= 19 { 7 } else { MAX_BITS };
            let counts = tree.counts(&used, longest);
            seen[usize::from(counts.is_some())] += 1;
            if let Some(counts) = counts {
                assert_eq!(counts, rows.counts(&used, longest), "{used:?}");
            }
        }
        assert!(seen[0] > 20 && seen[1] > 1000, "{seen:?}: both are tried");
    }

    #[test]
    fn the_code_is_canonical_and_reversed() {
        let mut code = [Codeword::default(); 4];
        CodeBuilder::new().build(&[1, 1, 2, 9], 15, &mut code);
        let word = |bits, length| Codeword { bits, length };
        assert_eq!(
            code,
            [word(0b011, 3), word(0b111, 3), word(0b01, 2), word(0, 1)]
        );
        assert_eq!(bits_of(&[1, 1, 2, 9], &code), 3 + 3 + 4 + 9);
    }
}
