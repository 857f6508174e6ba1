//! The search for matches: two tables by hashes, one of four bytes and one of seven, that remember where such bytes
//! were seen last (of the seven, the last two places). What is found first is taken, after a few looks around for
//! something longer. Where nothing is found, the steps get longer.
//!
//! A place stands in the tables as a number that goes on counting from content to content, so that what older
//! contents left there is out of reach, and nothing has to be cleared. The reference slides its content through a
//! buffer of 320 KiB; that does not show in what it writes, since all that is in reach stays there.

use super::BLOCK;
use super::tokens::Tokens;
use crate::symbols::WINDOW;

const TABLE_BITS: u32 = 15;
const TABLE: usize = 1 << TABLE_BITS;
/// How many bytes of two candidates are compared; the match that is taken may be longer.
const LOOK: usize = 258;
/// So near to a block's end no match is looked for.
const MARGIN: usize = 11;
/// Shorter matches are tried to be bettered from their end.
const SHORT_MATCH: usize = 30;
/// What may differ at the beginning of the better match.
const SKIPPED: usize = 2;

/// The tables: 384 KiB.
pub(super) struct Search {
    /// By four bytes: the last place.
    short: Box<[u32; TABLE]>,
    /// By seven bytes: the last place, and the one before it.
    long: Box<[[u32; 2]; TABLE]>,
    /// The number of the content's first byte.
    base: u32,
    /// The number behind that of the last byte that was searched.
    pub(super) free: u32,
}

/// `length` bytes at `at` are as they were at `from`.
#[derive(Clone, Copy)]
struct Match {
    at: usize,
    from: usize,
    length: usize,
}

impl Search {
    pub(super) fn new() -> Self {
        Self {
            short: table(),
            long: table(),
            base: 0,
            free: 0,
        }
    }

    /// Another content begins: nothing that was seen is in its reach.
    pub(super) fn begin(&mut self) {
        self.base = self.free.checked_add(WINDOW as u32).unwrap_or_else(|| {
            self.short.fill(0);
            self.long.fill([0; 2]);
            WINDOW as u32
        });
        self.free = self.base;
    }

    /// Before the numbers end, those in reach come down to the beginning again, and the others become 0.
    fn keep_in_range(&mut self) {
        if u32::MAX - self.free > BLOCK as u32 {
            return;
        }
        let here = self.free;
        self.free = 2 * WINDOW as u32;
        let down = here - self.free;
        self.base = self.base.wrapping_sub(down);
        for place in self.short.iter_mut().chain(self.long.as_flattened_mut()) {
            let in_reach = here - *place < WINDOW as u32;
            *place = if in_reach { *place - down } else { 0 };
        }
    }

    /// Adds the tokens of the next block, `start..end` of the content, to `tokens`: none at all if there is no match in
    /// it. A block is at most [`BLOCK`] bytes long, and at least 16.
    pub(super) fn block(&mut self, content: &[u8], start: usize, end: usize, tokens: &mut Tokens) {
        self.keep_in_range();
        self.free += (end - start) as u32;
        // Nothing behind the block's end is looked at.
        let content = &content[..end];
        let limit = end - MARGIN;
        let mut at = start;
        let mut told = start;
        let mut bytes = eight(content, at);
        while let Some((found, next)) = self.find(content, at, bytes, told, limit) {
            let found = self.stretched(content, found, told, limit);
            tokens.add_literals(&content[told..found.at]);
            tokens.add_match(found.length, (found.at - found.from) as u32);
            told = found.at + found.length;
            // The bytes at `next` are in the tables already.
            at = told.max(next + 1);
            if at >= limit {
                break;
            }
            bytes = self.remember_inside(content, at - found.length, at);
        }
        if tokens.len() > 0 {
            tokens.add_literals(&content[told..]);
        }
    }

    /// The first match from `at` on, whose eight bytes are `bytes`, and the place that would have been next.
    #[inline(always)]
    fn find(
        &mut self,
        content: &[u8],
        mut at: usize,
        mut bytes: u64,
        told: usize,
        limit: usize,
    ) -> Option<(Match, usize)> {
        loop {
            let next = at + 1 + ((at - told) >> 6);
            if next > limit {
                return None;
            }
            let place = self.place(at);
            let short = std::mem::replace(&mut self.short[hash_short(bytes)], place);
            let entry = &mut self.long[hash_long(bytes)];
            let long = *entry;
            *entry = [place, long[0]];
            let next_bytes = eight(content, next);

            let found = if let Some(found) = self.of_seven(content, at, bytes as u32, long) {
                self.remember(next_bytes, next);
                found
            } else if let Some(from) = self.alike(content, at, bytes as u32, short) {
                let found = Match {
                    at,
                    from,
                    length: common(content, at, from, LOOK),
                };
                let candidates = self.long[hash_long(next_bytes)];
                self.remember(next_bytes, next);
                self.better(content, next, next_bytes as u32, candidates, found.length)
                    .unwrap_or(found)
            } else {
                bytes = next_bytes;
                at = next;
                continue;
            };
            return Some((found, next));
        }
    }

    /// The longer match of those that seven bytes lead to, if four of them are alike. The place before the last
    /// counts only if the last one is in reach.
    #[inline(always)]
    fn of_seven(
        &self,
        content: &[u8],
        at: usize,
        wanted: u32,
        [last, before]: [u32; 2],
    ) -> Option<Match> {
        let from = self.reached(at, last)?;
        let whole = |from| Match {
            at,
            from,
            length: common(content, at, from, usize::MAX),
        };
        if four(content, from) != wanted {
            return self.alike(content, at, wanted, before).map(whole);
        }
        let Some(before) = self.alike(content, at, wanted, before) else {
            return Some(whole(from));
        };
        let length = common(content, at, from, LOOK);
        let other = common(content, at, before, LOOK);
        Some(if other > length {
            Match {
                at,
                from: before,
                length: other,
            }
        } else {
            Match { at, from, length }
        })
    }

    /// The first match among `candidates` that is longer than `length`.
    #[inline(always)]
    fn better(
        &self,
        content: &[u8],
        at: usize,
        wanted: u32,
        candidates: [u32; 2],
        length: usize,
    ) -> Option<Match> {
        self.reached(at, candidates[0])?;
        candidates.into_iter().find_map(|place| {
            let from = self.alike(content, at, wanted, place)?;
            let found = Match {
                at,
                from,
                length: common(content, at, from, LOOK),
            };
            (found.length > length).then_some(found)
        })
    }

    /// A match as long as it gets. What follows a short one may lead to a longer one, and either may begin earlier.
    #[inline(always)]
    fn stretched(&self, content: &[u8], mut found: Match, told: usize, limit: usize) -> Match {
        if found.length == LOOK {
            let Match { at, from, .. } = found;
            found.length += common(content, at + LOOK, from + LOOK, usize::MAX);
        }
        let behind = found.at + found.length;
        if found.length < SHORT_MATCH && behind < limit {
            let place = self.long[hash_long(eight(content, behind))][0];
            let distance = self.place(behind).wrapping_sub(place) as usize;
            let at = found.at + SKIPPED;
            if distance > 0 && distance < WINDOW && distance <= at {
                let from = at - distance;
                let length = common(content, at, from, usize::MAX);
                if length > found.length {
                    found = Match { at, from, length };
                }
            }
        }
        while found.from > 0 && found.at > told && content[found.from - 1] == content[found.at - 1]
        {
            found.at -= 1;
            found.from -= 1;
            found.length += 1;
        }
        found
    }

    /// Puts what is inside `from..at` into the tables, every third place into each, and all of its last place. Gives the
    /// seven bytes at `at`.
    #[inline(always)]
    fn remember_inside(&mut self, content: &[u8], from: usize, at: usize) -> u64 {
        let mut inside = from + 1;
        if inside < at - 1 {
            let bytes = eight(content, inside);
            self.remember(bytes, inside);
            self.remember_long(bytes >> 8, inside + 1);
            self.remember_short(bytes >> 16, inside + 2);
            inside += 4;
            while inside < at - 1 {
                let bytes = eight(content, inside);
                self.remember_long(bytes, inside);
                self.remember_short(bytes >> 8, inside + 1);
                inside += 3;
            }
        }
        let bytes = eight(content, at - 1);
        self.remember(bytes, at - 1);
        bytes >> 8
    }

    #[inline(always)]
    fn place(&self, at: usize) -> u32 {
        self.base.wrapping_add(at as u32)
    }

    /// Where that place is, if a match at `at` reaches it.
    #[inline(always)]
    fn reached(&self, at: usize, place: u32) -> Option<usize> {
        let distance = self.place(at).wrapping_sub(place) as usize;
        (distance < WINDOW).then(|| at - distance)
    }

    /// Where that place is, if `at` reaches it and the `wanted` four bytes are there.
    #[inline(always)]
    fn alike(&self, content: &[u8], at: usize, wanted: u32, place: u32) -> Option<usize> {
        self.reached(at, place)
            .filter(|&from| four(content, from) == wanted)
    }

    #[inline(always)]
    fn remember(&mut self, bytes: u64, at: usize) {
        self.remember_short(bytes, at);
        self.remember_long(bytes, at);
    }

    #[inline(always)]
    fn remember_short(&mut self, bytes: u64, at: usize) {
        self.short[hash_short(bytes)] = self.place(at);
    }

    #[inline(always)]
    fn remember_long(&mut self, bytes: u64, at: usize) {
        let place = self.place(at);
        let entry = &mut self.long[hash_long(bytes)];
        *entry = [place, entry[0]];
    }
}

fn table<T: Copy + Default>() -> Box<[T; TABLE]> {
    let table = vec![T::default(); TABLE].into_boxed_slice();
    let Ok(table) = table.try_into() else {
        unreachable!("a vector is as long as it was made")
    };
    table
}

#[inline(always)]
fn eight(content: &[u8], at: usize) -> u64 {
    content[at..]
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline(always)]
fn four(content: &[u8], at: usize) -> u32 {
    content[at..]
        .first_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// By the low four bytes.
#[inline(always)]
fn hash_short(bytes: u64) -> usize {
    ((bytes as u32).wrapping_mul(2_654_435_761) >> (32 - TABLE_BITS)) as usize
}

/// By the low seven bytes.
#[inline(always)]
fn hash_long(bytes: u64) -> usize {
    ((bytes << 8).wrapping_mul(58_295_818_150_454_627) >> (64 - TABLE_BITS)) as usize
}

/// How many bytes from `at` on are as those from `from` on, which is before it: at most `most`.
#[inline(always)]
fn common(content: &[u8], at: usize, from: usize, most: usize) -> usize {
    let here = &content[at..];
    let here = &here[..most.min(here.len())];
    let there = &content[from..][..here.len()];
    let (here, here_left) = here.as_chunks::<8>();
    let (there, there_left) = there.as_chunks::<8>();
    for (n, (this, that)) in here.iter().zip(there).enumerate() {
        let differ = u64::from_le_bytes(*this) ^ u64::from_le_bytes(*that);
        if differ != 0 {
            return n * 8 + (differ.trailing_zeros() >> 3) as usize;
        }
    }
    let left = here_left.iter().zip(there_left);
    here.len() * 8 + left.take_while(|(this, that)| this == that).count()
}
