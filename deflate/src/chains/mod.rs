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
use crate::symbols::WINDOW;
use block::{Block, Tokens};
use finder::{Finder, Match, Search};

/// A match of at least this length is not worth looking for a longer one behind it.
const LAZY: usize = 16;

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
        let Self { finder, block } = self;
        block.reset();
        let mut next = Next {
            at: finder.begin(content),
            waiting: Waiting::Nothing,
        };
        loop {
            match next.tokens(&mut finder.search(content), block.tokens()) {
                Stop::Full(end) => block.end(content, finder.place(end), finder.start(), take)?,
                Stop::End if finder.advance(content) => next.at -= WINDOW,
                Stop::End => break,
            }
        }
        if let Waiting::Literal = next.waiting {
            block.tokens().push_literal(content[content.len() - 1]);
        }
        if !block.tokens().is_empty() {
            block.end(content, content.len(), finder.start(), take)?;
        }
        block.end_stream(take)
    }
}

/// Why there are no more tokens for now.
enum Stop {
    /// The block is full, and ends before this position.
    Full(usize),
    /// Too little of the buffer lies ahead.
    End,
}

/// What is known of the position before, and not yet a token.
#[derive(Clone, Copy)]
enum Waiting {
    Nothing,
    /// Nothing matches there. It becomes a token only with the next position, which may move the buffer on before.
    Literal,
    /// It is a token unless the next position has a longer one.
    Match(Match),
}

/// What is looked at next.
struct Next {
    at: usize,
    waiting: Waiting,
}

impl Next {
    /// Appends tokens until there is a reason to stop.
    fn tokens(&mut self, search: &mut Search<'_>, tokens: &mut Tokens) -> Stop {
        if self.at >= search.limit {
            return Stop::End;
        }
        let mut at = self.at;
        let mut known = match self.waiting {
            Waiting::Nothing => None,
            Waiting::Literal => {
                self.waiting = Waiting::Nothing;
                tokens.push_literal(search.byte(at - 1));
                if tokens.is_full() {
                    return Stop::Full(at);
                }
                None
            }
            Waiting::Match(known) => Some(known),
        };
        let mut chain = search.chain(at);
        let (stop, waiting) = 'tokens: loop {
            // Literals, up to the next match.
            let mut waiting = loop {
                if let Some(known) = known.take() {
                    break known;
                }
                let reach = search.insert(at, chain);
                // Asked for before it is known whether it is needed: its head is seldom near at hand.
                chain = search.chain(at + 1);
                let found =
                    reach.and_then(|reach| search.longest(at, reach, finder::MIN_MATCH - 1));
                at += 1;
                if at >= search.limit {
                    break 'tokens (Stop::End, found.map_or(Waiting::Literal, Waiting::Match));
                }
                if let Some(found) = found {
                    break found;
                }
                tokens.push_literal(search.byte(at - 1));
                if tokens.is_full() {
                    break 'tokens (Stop::Full(at), Waiting::Nothing);
                }
            };
            // The match, or a longer one at the next position.
            loop {
                let reach = search.insert(at, chain);
                chain = search.chain(at + 1);
                let longer = match reach {
                    Some(reach) if waiting.length < LAZY => {
                        search.longest(at, reach, waiting.length)
                    }
                    _ => None,
                };
                let Some(longer) = longer else {
                    break;
                };
                tokens.push_literal(search.byte(at - 1));
                waiting = longer;
                at += 1;
                if tokens.is_full() {
                    break 'tokens (Stop::Full(at - 1), Waiting::Match(waiting));
                }
                if at >= search.limit {
                    break 'tokens (Stop::End, Waiting::Match(waiting));
                }
            }
            tokens.push_match(waiting.length, waiting.distance);
            let behind = at - 1 + waiting.length;
            search.insert_all(at + 1..behind);
            at = behind;
            if tokens.is_full() {
                break (Stop::Full(at), Waiting::Nothing);
            }
            if at >= search.limit {
                break (Stop::End, Waiting::Nothing);
            }
            chain = search.chain(at);
        };
        *self = Self { at, waiting };
        stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
