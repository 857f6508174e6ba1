//! A state of the store that stays readable, however the reader moves on.
//!
//! Nothing is ever missing that a request needs at once: it is read in the state of that moment. But a zip takes as
//! long as its client wants, and meanwhile `gc` may remove it and [`Reader::catch_up`] move on. Who sends a zip holds
//! a pin of the state in which the zip was found. That is a RocksDB iterator: it keeps its version of the database,
//! with every file of it open, although the importer may long since have unlinked them.
//!
//! A pin costs little and is shared; it is asked only for what is no longer in the newest state, one question at a time.

use super::view::whole_chunk;
use super::{CHUNK, Reader, StoreError, Value, View, Zip, keys};
use modferry_protocol::bundle::FileName;
use modferry_protocol::module::ModuleVersion;
use rocksdb::{DB, DBRawIteratorWithThreadMode, ReadOptions};
use self_cell::self_cell;
use std::sync::{Arc, Mutex, PoisonError};

type Iterator<'a> = DBRawIteratorWithThreadMode<'a, DB>;

self_cell!(
    struct State {
        owner: Arc<Reader>,
        #[not_covariant]
        dependent: Iterator,
    }
);

/// A state of the store. The room of what was removed since is given back when the last pin of it is dropped.
pub struct PinnedState {
    state: Mutex<State>,
    generation: u64,
    version: u64,
}

impl PinnedState {
    /// The state that the reader is in.
    pub fn new(reader: &Arc<Reader>) -> Result<Self, StoreError> {
        // Asked before: a pin that is taken for older than it is is only made anew too often.
        let version = version(reader)?;
        let state = State::new(reader.clone(), |reader| {
            let view: &View = reader;
            let mut options = ReadOptions::default();
            options.fill_cache(false); // a zip would push every small thing out
            view.db.raw_iterator_opt(options)
        });
        let mut pin = Self {
            state: Mutex::new(state),
            generation: 0,
            version,
        };
        let generation = pin.get(&keys::GENERATION_KEY)?;
        pin.generation = generation.map_or(Ok(0), |value| super::view::number(&value))?;
        Ok(pin)
    }

    /// Names the state, as [`Reader::generation`] does.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the reader has the very files that this keeps. Where it has not, files that are needed no longer wait
    /// for this to be dropped.
    pub fn is_current(&self, reader: &Reader) -> Result<bool, StoreError> {
        Ok(version(reader)? == self.version)
    }

    /// Where a zip is and what it is, in this state.
    pub fn zip(&self, module: &ModuleVersion) -> Result<Option<Zip>, StoreError> {
        self.get(&keys::zip(module))?
            .map(|value| Zip::decode(&value))
            .transpose()
    }

    /// Where a file is, in this state.
    pub fn file(&self, name: &FileName) -> Result<Option<Zip>, StoreError> {
        self.get(&keys::file(name))?
            .map(|value| Zip::decode(&value))
            .transpose()
    }

    /// Chunk `n` of a zip that was found in this state, as [`View::chunk`] gives it.
    pub fn chunk(&self, zip: &Zip, n: u32) -> Result<Option<Value>, StoreError> {
        if u64::from(n) * CHUNK as u64 >= zip.size {
            return Ok(None);
        }
        let value = self.get(&keys::chunk(&zip.bundle, zip.number, n))?;
        whole_chunk(zip, n, value).map(Some)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        // A panic in there leaves an iterator that is sought anew each time.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.with_dependent_mut(|_, iterator| {
            iterator.seek(key);
            let value = match iterator.item() {
                Some((found, value)) if found == key => Some(value.to_vec()),
                _ => None,
            };
            let sought = iterator.status();
            // Behind every key: the block that has been read is not to stay in memory.
            iterator.seek(keys::BEHIND_ALL);
            sought.map_err(StoreError::rocks("read an older state of the store"))?;
            Ok(value)
        })
    }
}

/// Another number, other files.
fn version(reader: &Reader) -> Result<u64, StoreError> {
    let asked = reader
        .db
        .property_int_value("rocksdb.current-super-version-number")
        .map_err(StoreError::rocks("ask which files the store has"))?;
    asked.ok_or_else(|| StoreError::damaged("RocksDB does not number its versions"))
}
