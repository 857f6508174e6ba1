//! The chunks of zips that are being sent: one bounded cache for all connections.
//!
//! A zip of 50 MB goes out in pieces that fit a socket, and a slow client takes minutes over it. If each
//! connection kept the chunk that it is sending, a thousand slow clients would hold a gigabyte. Here a
//! connection keeps nothing but its place. For each piece it asks for the chunk again; as a rule the chunk is
//! still here, and where it had to make room it is read from the store once more. So memory is bounded
//! by [`MAX_BYTES`] however many clients there are and however slowly they read, and clients that fetch
//! the same zip at the same time share its chunks.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::clock::Clock;

/// The most that is kept, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// Names a chunk by its zip's SHA-256 and its number: equal zips share theirs.
pub type ChunkName = ([u8; 32], u32);

/// A bounded cache of chunks, for all threads.
pub struct Chunks {
    held: Mutex<Clock<ChunkName, Bytes>>,
}

impl Chunks {
    /// An empty one.
    pub fn new() -> Chunks {
        Chunks {
            held: Mutex::new(Clock::new(MAX_BYTES)),
        }
    }

    /// The chunk, if it is here.
    pub fn get(&self, name: &ChunkName) -> Option<Bytes> {
        self.lock().get(name).cloned()
    }

    /// Keeps the chunk for as long as there is room.
    pub fn put(&self, name: ChunkName, chunk: Bytes) {
        let size = chunk.len();
        self.lock().put(name, chunk, size);
    }

    fn lock(&self) -> MutexGuard<'_, Clock<ChunkName, Bytes>> {
        // Nothing in there panics half-way; and if it did, the worst is a chunk that is read again.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Chunks {
    fn default() -> Chunks {
        Chunks::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_is_kept_as_may_be() {
        let chunks = Chunks::new();
        let all = (MAX_BYTES >> 20) as u32;
        for n in 0..=all {
            chunks.put(([7; 32], n), Bytes::from(vec![n as u8; 1 << 20]));
        }
        let kept: Vec<u32> = (0..=all)
            .filter(|&n| chunks.get(&([7; 32], n)).is_some())
            .collect();
        assert_eq!(kept, (1..=all).collect::<Vec<_>>());
        assert!(chunks.get(&([8; 32], all)).is_none());
    }
}
