//! Earlier occurrences of the bytes at a position: hash chains over a window of 32 KiB.
//!
//! Four bytes are hashed to 17 bits. Every position is put at the head of its hash's chain, and the chain is walked from
//! the newest to the older, at most 32 of them, those with other bytes and the same hash included: so the hash decides which
//! matches are found, and has to be the reference's.
//!
//! What counts is memory: heads and links are touched at random, several times a position. Both have 16 bits. A head is the
//! number of a position in the buffer of two windows, and all are less by a window when the buffer moves on. Small contents
//! are numbered one behind the other, so that only every few of them has to clear the heads: what is left of an earlier
//! content lies before the buffer's start. A link is the distance to the position before.

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
    heads: Box<[u16; 1 << HASH_BITS]>,
    /// For each position of the window, how far before it is the one with the same hash. Beyond the buffer if there is none.
    links: Box<[u16; WINDOW]>,
    /// The number of the buffer's first position.
    first: usize,
    /// The number behind the buffer's last position.
    behind: usize,
}

impl Chains {
    pub(super) fn new() -> Self {
        Self {
            heads: Box::new([NONE; 1 << HASH_BITS]),
            links: Box::new([0; WINDOW]),
            first: FIRST,
            behind: FIRST,
        }
    }

    /// For another content.
    pub(super) fn begin(&mut self, buffer: &Buffer) {
        if self.behind + buffer.end > FIRST + 2 * WINDOW {
            self.heads.fill(NONE);
            self.behind = FIRST;
        }
        self.first = self.behind;
        self.behind += buffer.end;
    }

    /// The buffer has moved on by a window: so that it was full, and its first position the first of all.
    pub(super) fn advance(&mut self, buffer: &Buffer) {
        debug_assert_eq!(self.first, FIRST);
        for head in self.heads.iter_mut() {
            *head = head.saturating_sub(WINDOW as u16);
        }
        self.behind = FIRST + buffer.end - buffer.start;
    }

    #[cfg(test)]
    pub(super) fn behind(&self) -> usize {
        self.behind
    }

    /// Makes this position its chain's newest, unless its four bytes are not all in the buffer; how far back the newest before is, if
    /// it may be matched.
    #[inline(always)]
    pub(super) fn insert(&mut self, content: &[u8], at: usize, buffer: &Buffer) -> Option<usize> {
        if at + MIN_MATCH > buffer.end {
            return None;
        }
        let distance = self.link(hash(&content[at..]), at, buffer);
        (distance <= reach(at, buffer)).then_some(distance)
    }

    /// Does so with every position of a range.
    #[inline(always)]
    pub(super) fn insert_all(&mut self, content: &[u8], range: Range<usize>, buffer: &Buffer) {
        let end = range.end.min((buffer.end + 1).saturating_sub(MIN_MATCH));
        for at in range.start..end {
            self.link(hash(&content[at..]), at, buffer);
        }
    }

    #[inline(always)]
    fn link(&mut self, hash: u32, at: usize, buffer: &Buffer) -> usize {
        let number = (self.first + at - buffer.start) as u16;
        let head = &mut self.heads[hash as usize];
        let distance = number - *head;
        *head = number;
        self.links[at % WINDOW] = distance;
        usize::from(distance)
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
    u32::from_le_bytes(*bytes.first_chunk().expect("four bytes"))
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
