//! The chunks of zips that are being sent: one bounded cache for all connections.
//!
//! A zip of 50 MB goes out in pieces that fit a socket, and a slow client takes minutes over it. If each
//! connection kept the chunk that it is sending, a thousand slow clients would hold a gigabyte. Here a
//! connection keeps nothing but its place. For each piece it asks for the chunk again; as a rule the chunk is
//! still here, and where it had to make room it is read from the store once more. So memory is bounded
//! by [`MAX_BYTES`] however many clients there are and however slowly they read, and clients that fetch
//! the same zip at the same time share its chunks.
//!
//! What makes room is found by the clock algorithm: a chunk that was used since the hand last passed is
//! spared once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// The most that is kept, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// Names a chunk by its zip's SHA-256 and its number: equal zips share theirs.
pub type ChunkName = ([u8; 32], u32);

/// A bounded cache of chunks, for all threads.
#[derive(Default)]
pub struct Chunks {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    held: HashMap<ChunkName, Held>,
    /// The names in `held`, in the order in which the hand of the clock will pass.
    clock: VecDeque<ChunkName>,
    bytes: usize,
}

struct Held {
    chunk: Bytes,
    used: bool,
}

impl Chunks {
    /// The chunk, if it is here.
    pub fn get(&self, name: &ChunkName) -> Option<Bytes> {
        let mut inner = self.lock();
        let held = inner.held.get_mut(name)?;
        held.used = true;
        Some(held.chunk.clone())
    }

    /// Keeps the chunk for as long as there is room.
    pub fn put(&self, name: ChunkName, chunk: Bytes) {
        if chunk.len() > MAX_BYTES {
            return;
        }
        let mut inner = self.lock();
        if inner.held.contains_key(&name) {
            return; // two connections read it at the same time
        }
        while inner.bytes + chunk.len() > MAX_BYTES {
            let Some(oldest) = inner.clock.pop_front() else {
                break;
            };
            let spared = inner
                .held
                .get_mut(&oldest)
                .is_some_and(|held| std::mem::take(&mut held.used));
            if spared {
                inner.clock.push_back(oldest);
            } else if let Some(held) = inner.held.remove(&oldest) {
                inner.bytes -= held.chunk.len();
            }
        }
        inner.bytes += chunk.len();
        inner.clock.push_back(name);
        inner.held.insert(name, Held { chunk, used: false });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics half-way; and if it did, the worst is a chunk that is read again.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNK: usize = 1 << 20;

    fn name(n: u32) -> ChunkName {
        ([7; 32], n)
    }

    fn chunk(n: u32) -> Bytes {
        Bytes::from(vec![n as u8; CHUNK])
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        let chunks = Chunks::default();
        for n in 0..200 {
            chunks.put(name(n), chunk(n));
            let inner = chunks.lock();
            assert!(inner.bytes <= MAX_BYTES);
            assert_eq!(inner.bytes, inner.held.len() * CHUNK);
            assert_eq!(inner.held.len(), inner.clock.len());
        }
        assert_eq!(chunks.lock().bytes, MAX_BYTES);
        assert!(chunks.get(&name(0)).is_none());
        assert_eq!(chunks.get(&name(199)), Some(chunk(199)));
    }

    #[test]
    fn what_is_used_stays() {
        let chunks = Chunks::default();
        for n in 0..200 {
            chunks.put(name(n), chunk(n));
            assert_eq!(chunks.get(&name(0)), Some(chunk(0)), "after {n}");
        }
    }

    #[test]
    fn the_same_chunk_is_held_once() {
        let chunks = Chunks::default();
        chunks.put(name(1), chunk(1));
        chunks.put(name(1), chunk(1));
        assert_eq!(chunks.lock().bytes, CHUNK);
    }

    #[test]
    fn what_would_never_fit_is_not_kept() {
        let chunks = Chunks::default();
        chunks.put(name(1), chunk(1));
        chunks.put(name(2), Bytes::from(vec![0; MAX_BYTES + 1]));
        assert!(chunks.get(&name(1)).is_some());
        assert!(chunks.get(&name(2)).is_none());
    }
}
