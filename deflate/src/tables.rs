//! [`Writer::GoTables`](crate::Writer::GoTables): what github.com/klauspost/compress/flate 1.20 writes at level 5 (level5.go,
//! huffman_bit_writer.go), which the newer module zips are made with.
//!
//! A content is cut into blocks of 65,535 bytes. In each, matches are searched in tables ([`search`]), and by what was
//! found the block is written one way or another ([`blocks`]). An empty block ends the stream, so that no other block
//! is marked as the last one. How the content is handed to the reference does not matter: it waits for a whole block.

mod blocks;
mod log2;
mod search;
mod tokens;

use std::ops::ControlFlow;

use crate::Take;
use blocks::Blocks;
use search::Search;
use tokens::Tokens;

/// The most bytes of a block: as many as one that is stored may have.
const BLOCK: usize = 65_535;
/// In shorter blocks nothing is searched. Only a last block is shorter.
const MIN_SEARCHED: usize = 128;
/// Blocks up to this are stored.
const TINY: usize = 32;

/// State of about 700 KiB: tables of 384, tokens of 256, and what is written of one block.
pub(crate) struct Tables {
    search: Search,
    tokens: Tokens,
    blocks: Blocks,
}

impl Tables {
    pub(crate) fn new() -> Self {
        Self {
            search: Search::new(),
            tokens: Tokens::new(),
            blocks: Blocks::new(),
        }
    }

    pub(crate) fn write(&mut self, content: &[u8], take: Take<'_>) -> ControlFlow<()> {
        self.search.begin();
        self.blocks.begin();
        let mut start = 0;
        while start < content.len() {
            let end = content.len().min(start + BLOCK);
            self.block(content, start, end);
            self.blocks.bits.hand_on(take)?;
            start = end;
        }
        self.blocks.finish();
        self.blocks.bits.hand_on(take)
    }

    fn block(&mut self, content: &[u8], start: usize, end: usize) {
        let input = &content[start..end];
        let last = end == content.len();
        if input.len() <= TINY {
            return self.blocks.stored(input);
        }
        if input.len() < MIN_SEARCHED {
            return self.blocks.literals(input, last);
        }
        self.tokens.clear();
        self.search.block(content, start, end, &mut self.tokens);
        if self.tokens.len() == 0 {
            self.blocks.stored(input);
        } else if self.tokens.len() > input.len() - (input.len() >> 4) {
            // Few matches: not worth their codes.
            self.blocks.literals(input, last);
        } else {
            self.blocks.tokens(&self.tokens, input, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(tables: &mut Tables, content: &[u8]) -> Vec<u8> {
        let mut stream = Vec::new();
        let whole = tables.write(content, &mut |block| {
            stream.extend_from_slice(block);
            ControlFlow::Continue(())
        });
        assert!(whole.is_continue());
        stream
    }

    /// Places are numbers of 32 bits that go on from content to content.
    #[test]
    fn where_the_numbers_of_places_end_does_not_show() {
        // Lines of which some parts come again soon, and others only blocks later.
        let content: Vec<u8> = (0u32..24_000)
            .flat_map(|n| format!("{} {:x}\n", n % 700, n.wrapping_mul(n) % 40_009).into_bytes())
            .collect();
        assert!(content.len() > 3 * BLOCK);
        let fresh = written(&mut Tables::new(), &content);
        let mut tables = Tables::new();
        for left in [
            0, 1, 32_767, 32_768, 32_769, 98_304, 100_000, 163_839, 170_000,
        ] {
            tables.search.free = u32::MAX - left;
            assert!(
                written(&mut tables, &content) == fresh,
                "{left} numbers left"
            );
            assert!(
                tables.search.free < 1 << 20,
                "{left} numbers left: it began anew"
            );
        }
    }
}
