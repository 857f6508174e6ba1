//! [`Writer::GoChains`](crate::Writer::GoChains): what Go's `compress/flate` does at level 5.
//!
//! The content goes through a buffer of two windows ([`finder`]); at each position up to 32 earlier ones with the same
//! hash are tried, newest first; a match waits for one position, in case that the next has a longer one; 16,384
//! literals and matches are a block ([`block`]), written in whichever of three ways is shortest. The stream ends with an
//! empty stored block.
//!
//! Where the buffer moves on depends, by a few bytes, on how the content is handed to Go's writer. This is the stream of
//! one call, which is also that of calls of 32 KiB each, as `io.Copy` makes them.
//!
//! The reference is `deflate.go`, `huffman_bit_writer.go` and `huffman_code.go` in Go's `src/compress/flate`.

mod block;
mod finder;

use std::ops::ControlFlow;

use crate::Take;
use block::Block;
use finder::{Buffer, Chains as Finder, Match};

/// A match of at least this length is not worth looking for a longer one behind it.
const LAZY: usize = 16;
/// Bytes that must lie ahead before a position is looked at, unless the content ends: the longest match, and a hash behind it.
const AHEAD: usize = finder::MIN_MATCH + crate::symbols::MAX_LENGTH;

/// The writer's state: half a MiB of chains and a block of at most 16,384 tokens.
pub(crate) struct Chains {
    finder: Finder,
    block: Block,
}

impl Chains {
    pub(crate) fn new() -> Self {
        Self {
            finder: Finder::new(),
            block: Block::new(),
        }
    }

    /// Writes the stream of a content, block by block.
    pub(crate) fn write(&mut self, content: &[u8], take: Take<'_>) -> ControlFlow<()> {
        self.block.reset();
        let mut buffer = Buffer::first(content.len());
        self.finder.begin(&buffer);
        let mut at = 0;
        // The match at the position before this one, if its byte is not yet part of a token as a literal.
        let mut waiting: Option<Option<Match>> = None;
        loop {
            let ahead = buffer.end - at;
            if ahead < AHEAD {
                if buffer.end < content.len() {
                    buffer.advance(content.len());
                    self.finder.advance(&buffer);
                    continue;
                }
                if ahead == 0 {
                    break;
                }
            }
            let known = waiting.flatten();
            let newest = self.finder.insert(content, at, &buffer);
            let longer = match (known, newest) {
                (None, Some(newest)) => self.finder.longest(content, at, &buffer, newest, None),
                (Some(known), Some(newest)) if known.length < LAZY => {
                    self.finder
                        .longest(content, at, &buffer, newest, Some(known.length))
                }
                _ => None,
            };
            match (known, longer) {
                (Some(known), None) => {
                    self.block.push_match(known.length, known.distance);
                    let behind = at - 1 + known.length;
                    self.finder.insert_all(content, at + 1..behind, &buffer);
                    at = behind;
                    waiting = None;
                    if self.block.is_full() {
                        self.block.end(content, at, buffer.start, take)?;
                    }
                }
                _ => {
                    if waiting.is_some() {
                        self.block.push_literal(content[at - 1]);
                        if self.block.is_full() {
                            self.block.end(content, at, buffer.start, take)?;
                        }
                    }
                    waiting = Some(longer);
                    at += 1;
                }
            }
        }
        if waiting.is_some() {
            self.block.push_literal(content[at - 1]);
        }
        if !self.block.is_empty() {
            self.block.end(content, at, buffer.start, take)?;
        }
        self.block.end_stream(take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symbols::WINDOW;

    fn stream(chains: &mut Chains, content: &[u8]) -> Vec<u8> {
        let mut stream = Vec::new();
        let written = chains.write(content, &mut |block| {
            stream.extend_from_slice(block);
            ControlFlow::Continue(())
        });
        assert!(written.is_continue());
        stream
    }

    /// Each time the numbers stand elsewhere, up to the last that there is and beyond.
    #[test]
    fn numbers_run_out_without_a_trace() {
        let line = |n: u32| format!("{} and {n}\n", n % 97).into_bytes();
        let content: Vec<u8> = (0..30_000).flat_map(line).collect();
        let mut used = Chains::new();
        for before in [
            0,
            1,
            30_000,
            2 * WINDOW - 5000,
            2 * WINDOW - 1,
            2 * WINDOW,
            100_000,
        ] {
            for size in [
                4,
                1000,
                4999,
                5000,
                5001,
                2 * WINDOW,
                2 * WINDOW + 1,
                content.len(),
            ] {
                stream(&mut used, &content[..before]);
                let expected = stream(&mut Chains::new(), &content[..size]);
                assert!(
                    stream(&mut used, &content[..size]) == expected,
                    "{size} after {before}"
                );
                assert!(
                    stream(&mut used, &content[..size]) == expected,
                    "{size} again"
                );
            }
        }
    }

    #[test]
    fn small_contents_share_the_numbers_that_there_are() {
        let mut chains = Chains::new();
        let mut cleared = 0;
        for _ in 0..1000 {
            let before = chains.finder.behind();
            stream(&mut chains, &[b'x'; 1000]);
            cleared += u32::from(chains.finder.behind() < before);
        }
        assert_eq!(cleared, 1000 / 65, "65 have room");
    }
}
