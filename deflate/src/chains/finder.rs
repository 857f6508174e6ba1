//! Earlier occurrences of the bytes at a position: hash chains over a window of 32 KiB.
//!
//! Four bytes are hashed to 17 bits. Every position is put at the head of its hash's chain, and the chain is walked from
//! the newest to the older, at most 32 of them, those with other bytes and the same hash included: so the hash decides which
//! matches are found, and has to be the reference's.
//!
//! Heads are numbers that grow through all contents that this state ever sees, so that a new content has to clear nothing:
//! what is left of the one before is too far back to be in the window. A link of a chain is the distance to the position
//! before, in 16 bits: 64 KiB that stay in the processor's nearest memory.

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
/// The link of a position that has none before it in the window, or any distance beyond it.
const NO_LINK: u16 = u16::MAX;
/// Heads are swept when positions reach twice this number, and are then less by it.
pub(super) const SWEEP: u32 = 1 << 30;

/// An earlier occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) length: usize,
    pub(super) distance: usize,
}

/// What of the content the reference has in its buffer of two windows: nothing before can be matched or stored, and nothing
/// behind is seen.
#[derive(Clone, Copy)]
pub(super) struct Buffer {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Buffer {
    pub(super) fn first(content: usize) -> Self {
        Self {
            start: 0,
            end: content.min(2 * WINDOW),
        }
    }

    /// Lets the older window go and takes in as much again.
    pub(super) fn advance(&mut self, content: usize) {
        self.start += WINDOW;
        self.end = content.min(self.start + 2 * WINDOW);
    }
}

/// The chains of the last 32 KiB.
pub(super) struct Chains {
    /// The number of the newest position with each hash.
    heads: Box<[u32; 1 << HASH_BITS]>,
    /// For each position of the window, how far before it is the one with the same hash.
    links: Box<[u16; WINDOW]>,
    /// The number of the content's first position, modulo 2^32: that position may be far behind.
    first: u32,
    /// The number behind all that the buffer has had.
    pub(super) behind: u32,
}

impl Chains {
    pub(super) fn new() -> Self {
        Self {
            heads: Box::new([0; 1 << HASH_BITS]),
            links: Box::new([NO_LINK; WINDOW]),
            first: 0,
            behind: 0,
        }
    }

    /// For another content: numbers go on so far that no position of the last is in the window.
    pub(super) fn begin(&mut self, buffer: &Buffer) {
        self.first = self.behind + WINDOW as u32 + 1;
        self.follow(buffer);
    }

    /// The buffer is another. Keeps numbers small: they never pass 2^31 by more than a few windows, however much is written.
    pub(super) fn follow(&mut self, buffer: &Buffer) {
        if self.number(buffer.start) >= 2 * SWEEP {
            for head in self.heads.iter_mut() {
                *head = head.saturating_sub(SWEEP);
            }
            self.first = self.first.wrapping_sub(SWEEP);
        }
        self.behind = self.number(buffer.end);
    }

    /// Moves all numbers so far up that `behind` is this.
    #[cfg(test)]
    pub(super) fn grow_older(&mut self, behind: u32) {
        let more = behind - self.behind;
        for head in self.heads.iter_mut() {
            *head += more;
        }
        self.behind = behind;
    }

    #[inline(always)]
    fn number(&self, at: usize) -> u32 {
        self.first.wrapping_add(at as u32)
    }

    /// Makes this position its chain's newest, unless its four bytes are not all in the buffer; how far back the newest before is, if
    /// it may be matched.
    #[inline(always)]
    pub(super) fn insert(&mut self, content: &[u8], at: usize, buffer: &Buffer) -> Option<usize> {
        if at + MIN_MATCH > buffer.end {
            return None;
        }
        let distance = self.link(hash(&content[at..]), at);
        (distance <= reach(at, buffer)).then_some(distance)
    }

    /// Does so with every position of a range.
    #[inline(always)]
    pub(super) fn insert_all(&mut self, content: &[u8], range: Range<usize>, buffer: &Buffer) {
        let end = range.end.min((buffer.end + 1).saturating_sub(MIN_MATCH));
        for at in range.start..end {
            self.link(hash(&content[at..]), at);
        }
    }

    #[inline(always)]
    fn link(&mut self, hash: u32, at: usize) -> usize {
        let number = self.number(at);
        let head = &mut self.heads[hash as usize];
        let distance = number - *head;
        *head = number;
        self.links[at % WINDOW] = distance.min(u32::from(NO_LINK)) as u16;
        distance as usize
    }

    /// The longest match on the chain that begins `newest` bytes back; the nearest of several. It is longer than `known`, if
    /// that is given.
    #[inline(always)]
    pub(super) fn longest(
        &self,
        content: &[u8],
        at: usize,
        buffer: &Buffer,
        newest: usize,
        known: Option<usize>,
    ) -> Option<Match> {
        let reach = reach(at, buffer);
        let ahead = &content[at..buffer.end];
        let ahead = &ahead[..ahead.len().min(MAX_LENGTH)];
        let nice = NICE.min(ahead.len());
        let mut longest = known.unwrap_or(MIN_MATCH - 1);
        if longest >= ahead.len() {
            return None;
        }
        // A longer match has these four bytes, which end with the first that it is longer by.
        let mut needed = four(&ahead[longest - 3..]);
        let mut found = None;
        let mut distance = newest;
        for _ in 0..TRIES {
            let earlier = &content[at - distance..];
            if four(&earlier[longest - 3..]) == needed {
                let length = common(earlier, ahead);
                if length > longest && (length > MIN_MATCH || distance <= NEAR) {
                    found = Some(Match { length, distance });
                    longest = length;
                    if length >= nice {
                        break;
                    }
                    needed = four(&ahead[longest - 3..]);
                }
            }
            distance += usize::from(self.links[(at - distance) % WINDOW]);
            if distance > reach {
                break;
            }
        }
        found
    }
}

/// The farthest that a match may begin: within the window, and within the buffer.
#[inline(always)]
fn reach(at: usize, buffer: &Buffer) -> usize {
    WINDOW.min(at - buffer.start)
}

#[inline(always)]
fn hash(bytes: &[u8]) -> u32 {
    four(bytes).swap_bytes().wrapping_mul(HASH_FACTOR) >> (32 - HASH_BITS)
}

/// The first four bytes, of which there must be as many.
#[inline(always)]
fn four(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// How many bytes are the same; `earlier` is the longer.
#[inline(always)]
fn common(earlier: &[u8], ahead: &[u8]) -> usize {
    let earlier = &earlier[..ahead.len()];
    let (words, _) = earlier.as_chunks::<8>();
    let (others, _) = ahead.as_chunks::<8>();
    for (n, (word, other)) in words.iter().zip(others).enumerate() {
        let differ = u64::from_le_bytes(*word) ^ u64::from_le_bytes(*other);
        if differ != 0 {
            return n * 8 + differ.trailing_zeros() as usize / 8;
        }
    }
    let mut same = words.len() * 8;
    while same < ahead.len() && earlier[same] == ahead[same] {
        same += 1;
    }
    same
}
