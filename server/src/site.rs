//! What all workers share: the store, the chunks under way, and what the operator has set.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use modferry_appliance::store::{PinnedState, StoreError, Zip};

use crate::chunks::Chunks;
use crate::store::Store;
use modferry_cli::in_one_line;

/// The state behind every answer.
pub struct Site {
    /// The store.
    pub store: Arc<Store>,
    /// Chunks of the zips that are being sent.
    pub chunks: Chunks,
    /// How to ask for what is not carried: ends each such answer.
    pub how_to_ask: String,
    /// Which names are private: comma-separated, as GOPRIVATE has them.
    pub private: String,
    /// Whether each request is logged.
    pub access_log: bool,
    /// How many requests asked for tiles past the newest tree: clients that have seen a newer one.
    pub ahead: AtomicU64,
    /// What request ids begin with, so that those of two runs differ.
    run: u32,
    /// The number of the newest request id.
    faults: AtomicU64,
}

impl Site {
    /// The state of a server that has answered nothing yet.
    pub fn new(store: Arc<Store>, how_to_ask: String, private: String, access_log: bool) -> Site {
        Site {
            store,
            chunks: Chunks::new(),
            how_to_ask,
            private,
            access_log,
            ahead: AtomicU64::new(0),
            run: RandomState::new().hash_one(0_u8) as u32,
            faults: AtomicU64::new(0),
        }
    }

    /// A name for a request that failed, for its answer and for the log.
    pub fn request_id(&self) -> String {
        let number = self.faults.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{:08x}-{number}", self.run)
    }

    /// A chunk of a zip, from the cache, from the store, or, where it was removed meanwhile, from the state in which
    /// the zip was found. The error is whole, in one line.
    pub fn chunk(&self, zip: &Zip, number: u32, found_in: &PinnedState) -> Result<Bytes, String> {
        if zip.size == 0 {
            return Ok(Bytes::new()); // it has no chunk at all
        }
        let name = (zip.sha256, number);
        if let Some(chunk) = self.chunks.get(&name) {
            return Ok(chunk);
        }
        let missing = || format!("chunk {number} is not in the store");
        let reader = self.store.reader().ok_or_else(missing)?;
        let chunk = reader.chunk(zip, number);
        let chunk = chunk.or_else(|_| found_in.chunk(zip, number));
        let chunk = chunk.map_err(|error: StoreError| in_one_line(&error))?;
        let chunk = Bytes::from(chunk.ok_or_else(missing)?.into_vec());
        self.chunks.put(name, chunk.clone());
        Ok(chunk)
    }
}
