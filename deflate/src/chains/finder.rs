//! Earlier occurrences of the bytes at a position: hash chains over a window of 32 KiB.
//!
//! Four bytes are hashed to 17 bits. Every position is put at the head of its hash's chain, and the chain is walked from
//! the newest to the older, at most 32 of them, those with other bytes and the same hash included: so the hash decides which
//! matches are found, and has to be the reference's.
//!
//! Nearly all time goes into walking chains, where each step waits for the one before. So a step is one load: a position is a
//! number of 16 bits in the buffer of two windows, a link is the number of the position before, and the content is copied
//! to where its numbers are, so that no step needs arithmetic or a check of bounds. Most matches are short, and which of
//! them is longest is no better guessed by the processor than by us: up to seven bytes, candidates are compared by their
//! first eight without a branch.
//!
//! All numbers are less by a window when the buffer moves on. Small contents are numbered one behind the other, so that only
//! every few of them has to clear the heads: what is left of an earlier content lies before the buffer's start.

use std::ops::Range;

use crate::symbols::{MAX_LENGTH, WINDOW};

/// The shortest match that is ever taken, and the bytes that are hashed.
pub(super) const MIN_MATCH: usize = 4;
/// A match of [`MIN_MATCH`] bytes is taken only from so near.
const NEAR: usize = 4096;
/// A match of so many bytes ends the search.
const NICE: usize = 32;
/// How many positions of a chain are tried.
const TRIES: u32 = 32;

const HASH_BITS: u32 = 17;
const HASH_FACTOR: u32 = 0x1e35_a7bd;
/// The number of no position: it is before every buffer.
const NONE: u16 = 0;
/// The first number of all, behind [`NONE`]. A buffer has two windows of positions, of which the last three are never at a head,
/// so that the last number is still one of 16 bits.
const FIRST: usize = 1;
/// Bytes that must lie ahead before a position is looked at, unless the content ends: the longest match, and a hash behind it.
const AHEAD: usize = MIN_MATCH + MAX_LENGTH;
/// How far behind a position's number bytes are looked at: as far as a match reaches, in steps of eight bytes.
const LOOK: usize = MAX_LENGTH.next_multiple_of(8);

/// Where the links begin, behind the heads.
const LINKS: usize = 1 << HASH_BITS;
type Numbers = [u16; LINKS + (1 << 16)];
type Bytes = [u8; FIRST + 2 * WINDOW + LOOK];

/// An earlier occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) length: usize,
    pub(super) distance: usize,
}

/// The chain of four bytes.
#[derive(Clone, Copy)]
pub(super) struct Chain {
    hash: u32,
    /// The number of its newest position.
    newest: u16,
}

/// What of a chain may be matched: from the newest down to the lowest number.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    newest: u16,
    lowest: u16,
}

/// What of the content the reference has in its buffer of two windows (nothing before can be matched or stored, and nothing behind is
/// seen), and the chains in it. Positions are told by their numbers.
pub(super) struct Finder {
    /// The number of the newest position with each hash; and from [`LINKS`] on, for each position, the number of the one before with
    /// the same hash, before the buffer if there is none.
    chains: Box<Numbers>,
    /// The buffer's bytes, each at its number. What is behind them is left over from others.
    bytes: Box<Bytes>,
    /// The number of the buffer's first position.
    first: usize,
    /// The number behind the buffer's last position.
    behind: usize,
    /// Where in the content the buffer begins.
    start: usize,
}

impl Finder {
    pub(super) fn new() -> Self {
        Self {
            chains: boxed(NONE),
            bytes: boxed(0),
            first: FIRST,
            behind: FIRST,
            start: 0,
        }
    }

    /// For another content. Gives the number of its first byte.
    pub(super) fn begin(&mut self, content: &[u8]) -> usize {
        let buffer = &content[..content.len().min(2 * WINDOW)];
        if self.behind + buffer.len() > FIRST + 2 * WINDOW {
            self.chains[..LINKS].fill(NONE);
            self.behind = FIRST;
        }
        self.start = 0;
        self.first = self.behind;
        self.append(buffer);
        self.first
    }

    /// Lets the older window go and takes in as much again, so that every number is less by [`WINDOW`]; unless there is no more.
    pub(super) fn advance(&mut self, content: &[u8]) -> bool {
        let behind = self.place(self.behind);
        if behind == content.len() {
            return false;
        }
        // The buffer was full, and so its first position the first of all.
        debug_assert_eq!((self.first, self.behind), (FIRST, FIRST + 2 * WINDOW));
        let less = |number: u16| number.saturating_sub(WINDOW as u16);
        let (heads, links) = self.chains.split_at_mut(LINKS);
        for head in heads {
            *head = less(*head);
        }
        let (older, newer) = links.split_at_mut(WINDOW);
        for (older, newer) in older.iter_mut().zip(newer) {
            *older = less(*newer);
        }
        self.bytes
            .copy_within(FIRST + WINDOW..FIRST + 2 * WINDOW, FIRST);
        self.start += WINDOW;
        self.behind = FIRST + WINDOW;
        self.append(&content[behind..content.len().min(behind + WINDOW)]);
        true
    }

    fn append(&mut self, bytes: &[u8]) {
        self.bytes[self.behind..][..bytes.len()].copy_from_slice(bytes);
        self.behind += bytes.len();
    }

    /// Where in the content this position is.
    pub(super) fn place(&self, at: usize) -> usize {
        at - self.first + self.start
    }

    /// Where in the content the buffer begins.
    pub(super) fn start(&self) -> usize {
        self.start
    }

    #[cfg(test)]
    pub(super) fn behind(&self) -> usize {
        self.behind
    }

    /// To search the buffer as it is now.
    pub(super) fn search(&mut self, content: &[u8]) -> Search<'_> {
        let ends = self.place(self.behind) == content.len();
        Search {
            limit: self.behind - if ends { 0 } else { AHEAD - 1 },
            chains: &mut self.chains,
            bytes: &self.bytes,
            first: self.first,
            behind: self.behind,
        }
    }
}

/// A [`Finder`] between two of its moves. What it refers to stays where it is, which the loops over positions rely on.
pub(super) struct Search<'f> {
    chains: &'f mut Numbers,
    bytes: &'f Bytes,
    /// The first position that is not to be looked at yet, or is behind the content.
    pub(super) limit: usize,
    first: usize,
    behind: usize,
}

impl Search<'_> {
    #[inline(always)]
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes[at]
    }

    /// The chain of a position's four bytes. If these are not all in the buffer it may be any.
    #[inline(always)]
    pub(super) fn chain(&self, at: usize) -> Chain {
        let hash = hash(four(self.bytes, at as u16));
        let newest = self.chains[hash as usize];
        Chain { hash, newest }
    }

    /// Makes this position its chain's newest, unless its four bytes are not all in the buffer; the chain as it was before, if there is
    /// a position on it that may be matched.
    #[inline(always)]
    pub(super) fn insert(&mut self, at: usize, chain: Chain) -> Option<Reach> {
        if at + MIN_MATCH > self.behind {
            return None;
        }
        self.link(at as u16, chain);
        let newest = chain.newest;
        let lowest = self.lowest(at);
        (newest >= lowest).then_some(Reach { newest, lowest })
    }

    /// Does so with every position of a range.
    #[inline(always)]
    pub(super) fn insert_all(&mut self, range: Range<usize>) {
        let end = range.end.min((self.behind + 1).saturating_sub(MIN_MATCH));
        let start = range.start.min(end);
        for at in start as u16..end as u16 {
            self.link(at, self.chain(usize::from(at)));
        }
    }

    #[inline(always)]
    fn link(&mut self, at: u16, chain: Chain) {
        self.chains[chain.hash as usize] = at;
        self.chains[LINKS + usize::from(at)] = chain.newest;
    }

    /// The first position that may be matched: within the window, and within the buffer.
    #[inline(always)]
    fn lowest(&self, at: usize) -> u16 {
        self.first.max(at.saturating_sub(WINDOW)) as u16
    }

    /// The longest match on a chain; the nearest of several. It is longer than `known`, which is at least [`MIN_MATCH`] less one.
    #[inline(always)]
    pub(super) fn longest(&self, at: usize, reach: Reach, known: usize) -> Option<Match> {
        let Reach { newest, lowest } = reach;
        let ahead = (self.behind - at).min(MAX_LENGTH);
        if known >= ahead {
            return None;
        }
        // A longer match has the four bytes that end with the first that it is longer by. They have been seen before, if there
        // is one: should it reach beyond this position, then a period earlier. The same goes for those one place before.
        let seen = |place: usize| self.chain(place).newest >= lowest;
        if known >= MIN_MATCH && !(seen(at + known - 3) & seen(at + known - 4)) {
            return None;
        }
        let at = at as u16;
        let mut tries = TRIES;
        let mut candidate = newest;
        let mut longest = known;
        if known < 8 {
            let here = eight(self.bytes, at, 0);
            // No match goes on behind the buffer.
            let end = if ahead < 8 { 1 << (8 * ahead) } else { 0 };
            // A length above the position that has it: of several the newest is the largest.
            let mut best = (known as u32) << 16 | 0xffff;
            let none_has_eight = loop {
                let differ = eight(self.bytes, candidate, 0) ^ here | end;
                if differ == 0 {
                    break false;
                }
                let length = differ.trailing_zeros() / 8;
                best = best.max(length << 16 | u32::from(candidate));
                candidate = self.chains[LINKS + usize::from(candidate)];
                tries -= 1;
                if candidate < lowest || tries == 0 {
                    break true;
                }
            };
            if none_has_eight {
                let length = (best >> 16) as usize;
                let distance = usize::from(at.wrapping_sub(best as u16));
                let taken = length > known && (length > MIN_MATCH || distance <= NEAR);
                return taken.then_some(Match { length, distance });
            }
            longest = 7;
        }
        let nice = NICE.min(ahead);
        // A longer match has these eight bytes, which end with the first that it is longer by.
        let mut needed = eight(self.bytes, at, longest - 7);
        let mut found = None;
        loop {
            if eight(self.bytes, candidate, longest - 7) == needed {
                let length = self.common(candidate, at).min(ahead);
                if length > longest {
                    let distance = usize::from(at - candidate);
                    found = Some(Match { length, distance });
                    if length >= nice {
                        break;
                    }
                    longest = length;
                    if !seen(usize::from(at) + longest - 3) {
                        break;
                    }
                    needed = eight(self.bytes, at, longest - 7);
                }
            }
            candidate = self.chains[LINKS + usize::from(candidate)];
            tries -= 1;
            if candidate < lowest || tries == 0 {
                break;
            }
        }
        found
    }

    /// How many bytes are the same, those behind the buffer included.
    #[inline(always)]
    fn common(&self, earlier: u16, at: u16) -> usize {
        let mut same = 0;
        while same < MAX_LENGTH {
            let differ = eight(self.bytes, earlier, same) ^ eight(self.bytes, at, same);
            if differ != 0 {
                return same + differ.trailing_zeros() as usize / 8;
            }
            same += 8;
        }
        same
    }
}

/// An array that never was on the stack.
fn boxed<T: Copy, const N: usize>(value: T) -> Box<[T; N]> {
    match vec![value; N].into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("the slice has as many"),
    }
}

#[inline(always)]
fn hash(four: u32) -> u32 {
    four.swap_bytes().wrapping_mul(HASH_FACTOR) >> (32 - HASH_BITS)
}

#[inline(always)]
fn four<const N: usize>(bytes: &[u8; N], at: u16) -> u32 {
    let bytes = bytes[usize::from(at)..].first_chunk();
    u32::from_le_bytes(*bytes.expect("four bytes"))
}

/// The eight bytes that are `behind` a position: less than [`LOOK`].
#[inline(always)]
fn eight<const N: usize>(bytes: &[u8; N], at: u16, behind: usize) -> u64 {
    let bytes = bytes[usize::from(at) + behind..].first_chunk();
    u64::from_le_bytes(*bytes.expect("eight bytes"))
}
