//! What zips consist of: each deflate stream once, with what it unpacks to and who wrote it.
//!
//! Most entries were seen before, in another version of the module, and are known by the hash of their packed bytes;
//! only of a stream that is new the content is unpacked, hashed, and given to the writers until one makes the stream
//! of it. Zips are looked at on all cores, and what comes out is the same for any number of them: a stream is judged
//! where it lies first, by zip and entry, and what is found there does not depend on what else is known by then. The
//! writers are asked in an order that is the zip's own, for a zip's entries have one writer.
//!
//! An entry of ordinary size is held in memory, packed and unpacked, by each thread; one that is larger than
//! [`LARGE`], by one thread at a time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use flate2::{Crc, Decompress, FlushDecompress, Status};
use modferry_deflate::{Deflater, Writer};
use modferry_protocol::bundle::MAX_RECIPE_FILES;
use modferry_protocol::zip::Place;
use sha2::{Digest as _, Sha256};

use super::MAX_CONTENT;
use super::group::Opened;

/// Packed and unpacked bytes of an entry together, beyond which one thread at a time holds such a one: 16 MiB.
const LARGE: u64 = 16 << 20;

pub(super) const STORED: u16 = 0;
pub(super) const DEFLATED: u16 = 8;

/// The first half of a SHA-256. Two that are equal by design would make a zip whose proof fails, and that then travels
/// as it is.
pub(super) type Key = [u8; 16];

/// Where packed bytes lie that are all of an entry's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The zip, by its place among those that are packed.
    pub(super) zip: u32,
    /// The entry, by its place in the zip's directory.
    pub(super) entry: u32,
    /// Its first byte in the zip.
    pub(super) offset: u64,
    /// Bytes.
    pub(super) packed: u64,
}

/// What restores an entry's packed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// This writer makes them of the content.
    By(Writer),
    /// They are the content: the entry is stored.
    Stored,
    /// Nobody makes them, or nobody here: they are carried themselves.
    ByNobody,
}

/// The packed bytes of an entry, or of several that have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    /// The first of these entries.
    pub(super) origin: Origin,
    /// What it says of its content: bytes,
    pub(super) unpacked: u64,
    /// and their CRC-32.
    pub(super) crc32: u32,
    /// How the packed bytes come about.
    pub(super) made: Made,
    /// What is carried for it: the hash of the content, or of the packed bytes where they are carried themselves.
    pub(super) content: Key,
}

/// What some zips consist of.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    /// Each of their deflate streams.
    pub(super) streams: HashMap<Key, Stream>,
    /// Of each zip its entries' streams, in the directory's order; or why it cannot be packed.
    pub(super) zips: Vec<Result<Vec<Key>, String>>,
}

/// Looks at the zips, on so many threads. `each` is told of every one that is done.
pub(super) fn analyse(
    zips: &[&Path],
    threads: usize,
    done: impl Fn(usize) + Sync,
) -> io::Result<Analysis> {
    let shared = Shared::default();
    let zips = super::workers::each(threads, zips.len(), Worker::new, |worker, number| {
        let zip = worker.zip(&shared, zips[number], number as u32);
        done(number);
        zip
    })?;
    let streams = shared.streams.into_inner();
    Ok(Analysis {
        streams: streams.unwrap_or_else(PoisonError::into_inner),
        zips,
    })
}

/// The hashes of the entries' packed bytes, of each zip, on so many threads; `None` for a zip that is none.
pub(super) fn hash(zips: &[&Path], threads: usize) -> io::Result<Vec<Option<Vec<Key>>>> {
    super::workers::each(threads, zips.len(), Vec::new, |buffer, number| {
        let Ok(opened) = Opened::new(zips[number]) else {
            return Ok(None);
        };
        let keys = opened.places.iter().map(|place| {
            Ok(key_of(
                place.method,
                hash_packed(opened.file(), &place.data, buffer)?,
            ))
        });
        keys.collect::<io::Result<_>>().map(Some)
    })
}

#[derive(Default)]
struct Shared {
    streams: Mutex<HashMap<Key, Stream>>,
    /// Who holds this holds a large entry.
    large: Mutex<()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a thread uses again and again.
struct Worker {
    deflater: Deflater,
    inflate: Decompress,
    packed: Vec<u8>,
    content: Vec<u8>,
}

impl Worker {
    fn new() -> Worker {
        Worker {
            deflater: Deflater::new(),
            inflate: Decompress::new(false),
            packed: Vec::new(),
            content: Vec::new(),
        }
    }

    /// The streams of a zip's entries; the inner error says why it cannot be packed.
    fn zip(
        &mut self,
        shared: &Shared,
        path: &Path,
        number: u32,
    ) -> io::Result<Result<Vec<Key>, String>> {
        let opened = match Opened::new(path) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let (file, places) = (opened.file(), &opened.places);
        if places.len() > MAX_RECIPE_FILES {
            return Ok(Err(format!("it has more than {MAX_RECIPE_FILES} entries")));
        }
        let first = self.writer_of(file, places)?;
        let mut keys = Vec::with_capacity(places.len());
        for (entry, place) in (0..).zip(places) {
            if !matches!(place.method, STORED | DEFLATED) {
                return Ok(Err(format!("method {} of an entry", place.method)));
            }
            // The other side takes no piece without bytes, and no deflate stream has none.
            let empty = place.data.is_empty();
            if empty && (place.method == DEFLATED || place.unpacked > 0 || place.crc32 != 0) {
                return Ok(Err("an entry without bytes is told to have some".into()));
            }
            let origin = Origin {
                zip: number,
                entry,
                offset: place.data.start,
                packed: place.data.end - place.data.start,
            };
            keys.push(self.entry(shared, file, place, origin, first)?);
        }
        Ok(Ok(keys))
    }

    /// The hash of an entry's packed bytes, whose stream is known from now on.
    fn entry(
        &mut self,
        shared: &Shared,
        file: &File,
        place: &Place,
        origin: Origin,
        first: Writer,
    ) -> io::Result<Key> {
        let in_memory = origin.packed.saturating_add(match place.method {
            STORED => 0,
            _ => place.unpacked.min(MAX_CONTENT),
        });
        let _large = (in_memory > LARGE).then(|| lock(&shared.large));
        let outcome = self.entry_now(shared, file, place, origin, first);
        if in_memory > LARGE {
            self.packed = Vec::new();
            self.content = Vec::new();
        }
        outcome
    }

    fn entry_now(
        &mut self,
        shared: &Shared,
        file: &File,
        place: &Place,
        origin: Origin,
        first: Writer,
    ) -> io::Result<Key> {
        let hashed = hash_packed(file, &place.data, &mut self.packed)?;
        let key = key_of(place.method, hashed);
        let known = |streams: &HashMap<Key, Stream>| {
            let at = |origin: &Origin| (origin.zip, origin.entry);
            streams
                .get(&key)
                .is_some_and(|known| at(&known.origin) <= at(&origin))
        };
        if known(&lock(&shared.streams)) {
            return Ok(key);
        }
        let mut stream = Stream {
            origin,
            unpacked: place.unpacked,
            crc32: place.crc32,
            made: Made::ByNobody,
            content: hashed,
        };
        if place.method == STORED {
            let whole = origin.packed <= MAX_CONTENT
                && place.unpacked == origin.packed
                && crc32(&self.packed) == place.crc32;
            if whole {
                stream.made = Made::Stored;
            }
        } else if origin.packed <= MAX_CONTENT && self.unpack(place) {
            let other = Writer::ALL.into_iter().find(|writer| *writer != first);
            let writers = [Some(first), other];
            let by = writers
                .into_iter()
                .flatten()
                .find(|writer| self.deflater.makes(*writer, &self.content, &self.packed));
            if let Some(writer) = by {
                stream.made = Made::By(writer);
                stream.content = half(Sha256::digest(&self.content).into());
            }
        }
        let mut streams = lock(&shared.streams);
        if !known(&streams) {
            match streams.entry(key) {
                Entry::Occupied(mut later) => drop(later.insert(stream)),
                Entry::Vacant(vacant) => drop(vacant.insert(stream)),
            }
        }
        Ok(key)
    }

    /// Unpacks the packed bytes, if they are one deflate stream of what the entry says, and of no more than a content
    /// may have.
    fn unpack(&mut self, place: &Place) -> bool {
        if place.unpacked > MAX_CONTENT {
            return false;
        }
        // One byte more than is declared: what is longer then shows itself. Not into the vector's spare room, all of which
        // would be zeroed first: it is as large as the largest entry before.
        self.content.resize(place.unpacked as usize + 1, 0);
        self.inflate.reset(false);
        let ended =
            self.inflate
                .decompress(&self.packed, &mut self.content, FlushDecompress::Finish);
        self.content.truncate(place.unpacked as usize);
        matches!(ended, Ok(Status::StreamEnd))
            && self.inflate.total_in() == self.packed.len() as u64
            && self.inflate.total_out() == place.unpacked
            && crc32(&self.content) == place.crc32
    }

    /// Whom to ask first: who wrote the first entry that is large enough to tell the writers apart, and not too large
    /// for a trial.
    fn writer_of(&mut self, file: &File, places: &[Place]) -> io::Result<Writer> {
        let telling = 2 << 10..64 << 10;
        let trial = places
            .iter()
            .find(|place| place.method == DEFLATED && telling.contains(&place.unpacked));
        let [first, ..] = Writer::ALL;
        let Some(place) = trial else {
            return Ok(first);
        };
        if place.data.end - place.data.start > LARGE {
            return Ok(first);
        }
        hash_packed(file, &place.data, &mut self.packed)?;
        if !self.unpack(place) {
            return Ok(first);
        }
        let makes = |writer: &Writer| self.deflater.makes(*writer, &self.content, &self.packed);
        Ok(Writer::ALL.into_iter().find(makes).unwrap_or(first))
    }
}

/// Hashes packed bytes; they are then in the buffer, unless they are more than a content may be.
fn hash_packed(file: &File, data: &Range<u64>, buffer: &mut Vec<u8>) -> io::Result<Key> {
    let packed = data.end - data.start;
    if packed <= MAX_CONTENT {
        buffer.resize(packed as usize, 0);
        file.read_exact_at(buffer, data.start)?;
        return Ok(half(Sha256::digest(&buffer).into()));
    }
    let mut hasher = Sha256::new();
    buffer.resize(1 << 20, 0);
    let mut at = data.start;
    while at < data.end {
        let size = (data.end - at).min(buffer.len() as u64);
        let chunk = &mut buffer[..size as usize];
        file.read_exact_at(chunk, at)?;
        hasher.update(&chunk);
        at += size;
    }
    Ok(half(hasher.finalize().into()))
}

/// A stored entry and a deflated one that have the same bytes are two things.
fn key_of(method: u16, mut hashed: Key) -> Key {
    hashed[0] ^= method as u8;
    hashed
}

/// The half of a SHA-256 that is kept.
pub(super) fn half(sha256: [u8; 32]) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(&sha256[..16]);
    key
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}
