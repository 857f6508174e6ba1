//! Zips: read by one thread, checked by the [workers](crate::workers), handed on in the order of the bundle.
//!
//! The thread that reads the volume fills a buffer, whose SHA-256 it knows to be right, and submits it. A
//! worker computes the zip's rules and its h1, which is nearly all of the work, and sends the buffer back with
//! what it found. The reading thread takes the results in order, so that a stage sees zips sorted, and reuses
//! the buffers. A zip above [`SPOOL_ABOVE`] lies in an unlinked temporary file instead. A zip that comes as a recipe goes
//! the same way: its buffer is empty, and the worker puts the zip together in it first.
//!
//! The reading thread alone owns the buffers' account ([`Pool`]): when the bytes in flight have reached
//! [`IN_FLIGHT`] it must take results before it may read on, so there is nothing to wait for that cannot come.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use std::sync::Arc;

use modferry_protocol::bundle::{Digest, Recipe};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::{ReadAt, ZipFacts};
use sha2::{Digest as _, Sha256};

use crate::CheckError;
use crate::restore::{self, Parts, Unfit};
use crate::workers::{Pending, Tools, Workers};

/// Zips of more bytes than this are spooled to a temporary file while they are checked.
pub const SPOOL_ABOVE: u64 = 32 << 20;

/// The most bytes of zips held in memory at a time: being read, waiting, being checked, or being kept by the
/// stage. A spooled zip counts as [`SPOOL_ABOVE`], so that temporary files are few, too.
pub const IN_FLIGHT: u64 = 96 << 20;

/// The smallest buffer: below this, an allocation costs more than it holds.
const MIN_BUFFER: u64 = 64 << 10;

/// Zips submitted per worker that have not been taken back: enough that no worker waits for the reader.
const QUEUE_PER_WORKER: usize = 8;

/// A zip's bytes, as they were hashed.
pub(crate) enum Body {
    /// In the first `size` bytes of a buffer of the pool.
    Memory { buffer: Vec<u8>, size: usize },
    /// In an unlinked file.
    Spooled { file: File, size: u64 },
}

impl ReadAt for Body {
    fn size(&self) -> u64 {
        match self {
            Body::Memory { size, .. } => *size as u64,
            Body::Spooled { size, .. } => *size,
        }
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        match self {
            Body::Memory { buffer, size } => buffer[..*size].read_exact_at(offset, buf),
            Body::Spooled { file, .. } => file.read_exact_at(buf, offset),
        }
    }
}

impl Body {
    /// Gives the bytes to `keep`, and `false` if what `keep` read is not what was hashed: memory cannot have
    /// changed, a file is hashed again while it is read.
    pub(crate) fn hand_over<E>(
        &self,
        sha256: &[u8; 32],
        keep: impl FnOnce(&mut dyn Read) -> Result<(), E>,
    ) -> Result<bool, E> {
        match self {
            Body::Memory { buffer, size } => keep(&mut &buffer[..*size]).map(|()| true),
            Body::Spooled { file, size } => {
                let mut reader = Rehashing {
                    file,
                    offset: 0,
                    size: *size,
                    hasher: Sha256::new(),
                };
                keep(&mut reader)?;
                Ok(reader.offset == *size && reader.hasher.finalize()[..] == sha256[..])
            }
        }
    }
}

/// Reads a spooled zip and hashes what it gives out.
struct Rehashing<'a> {
    file: &'a File,
    offset: u64,
    size: u64,
    hasher: Sha256,
}

impl Read for Rehashing<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.offset).unwrap_or(usize::MAX);
        let want = buf.len().min(left);
        let got = self.file.read_at(&mut buf[..want], self.offset)?;
        self.hasher.update(&buf[..got]);
        self.offset += got as u64;
        Ok(got)
    }
}

/// The account of buffers: those lent and those free together never exceed the limit.
///
/// Buffers come in powers of two, so that one fits the next zip of about the size.
pub(crate) struct Pool {
    free: BTreeMap<u64, Vec<Vec<u8>>>,
    allocated: u64,
    limit: u64,
}

impl Pool {
    pub(crate) fn new(limit: u64) -> Pool {
        Pool {
            free: BTreeMap::new(),
            allocated: 0,
            limit,
        }
    }

    fn class(size: u64) -> u64 {
        size.max(MIN_BUFFER).next_power_of_two()
    }

    /// A buffer of at least `size` bytes; `None` while there is no room for one.
    pub(crate) fn take(&mut self, size: u64) -> Option<Vec<u8>> {
        let class = Pool::class(size);
        if let Some(buffer) = self.free.get_mut(&class).and_then(Vec::pop) {
            return Some(buffer);
        }
        self.reserve(class).then(|| vec![0; class as usize])
    }

    /// Takes a buffer back.
    pub(crate) fn give(&mut self, buffer: Vec<u8>) {
        self.free
            .entry(buffer.len() as u64)
            .or_default()
            .push(buffer);
    }

    /// Sets `bytes` aside, freeing buffers that no one uses, and says whether there was room.
    pub(crate) fn reserve(&mut self, bytes: u64) -> bool {
        while self.allocated + bytes > self.limit {
            let Some(mut largest) = self.free.last_entry() else {
                return false;
            };
            if let Some(buffer) = largest.get_mut().pop() {
                self.allocated -= buffer.len() as u64;
            } else {
                largest.remove();
            }
        }
        self.allocated += bytes;
        true
    }

    /// The opposite of [`Pool::reserve`].
    pub(crate) fn release(&mut self, bytes: u64) {
        self.allocated -= bytes;
    }
}

/// What is known of a zip before it is checked.
pub(crate) struct Ticket {
    pub(crate) module: ModuleVersion,
    pub(crate) sha256: [u8; 32],
    /// The volume's name, for errors.
    pub(crate) volume: String,
    /// The entry's.
    pub(crate) entry: String,
    /// Whether it was put together from a recipe.
    pub(crate) packed: bool,
}

struct Answer {
    body: Body,
    facts: Result<ZipFacts, Unfit>,
}

/// A zip under way.
struct UnderWay {
    ticket: Ticket,
    /// Bytes of the pool's account beside its body's.
    reserved: u64,
    answer: Pending<Answer>,
}

/// A checked zip, its bytes still at hand.
pub(crate) struct Checked {
    pub(crate) ticket: Ticket,
    pub(crate) body: Body,
    pub(crate) facts: Result<ZipFacts, Unfit>,
}

/// The zips under way.
pub(crate) struct Pipeline<'env> {
    pub(crate) pool: Pool,
    pub(crate) workers: Workers<'env>,
    pending: VecDeque<UnderWay>,
}

impl<'env> Pipeline<'env> {
    pub(crate) fn new(workers: Workers<'env>) -> Pipeline<'env> {
        Pipeline {
            pool: Pool::new(IN_FLIGHT),
            workers,
            pending: VecDeque::new(),
        }
    }

    /// Whether one more zip may be submitted before a result is taken.
    pub(crate) fn has_place(&self) -> bool {
        self.pending.len() < self.workers.count() * QUEUE_PER_WORKER
    }

    /// Hands a zip to the workers. There must be a place for it.
    pub(crate) fn submit(&mut self, ticket: Ticket, body: Body) -> Result<(), CheckError> {
        let module = ticket.module.clone();
        self.begin(ticket, 0, move |tools| Answer {
            facts: (tools.check(&module, &body, &mut |_| Ok(None))).map_err(Unfit::Zip),
            body,
        })
    }

    /// Has the workers put a zip together in a body of its size. There must be a place for it, and `reserved` are the
    /// bytes that are [set aside](Pool::reserve) for the recipe.
    pub(crate) fn restore<Z: ReadAt + Send + Sync + 'env>(
        &mut self,
        ticket: Ticket,
        mut body: Body,
        recipe: Recipe,
        reserved: u64,
        parts: Arc<Parts<Z>>,
    ) -> Result<(), CheckError> {
        let module = ticket.module.clone();
        let wanted = Digest {
            size: body.size(),
            sha256: ticket.sha256,
        };
        self.begin(ticket, reserved, move |tools| Answer {
            facts: restore::restore(&parts, tools, &module, recipe, &wanted, &mut body),
            body,
        })
    }

    fn begin(
        &mut self,
        ticket: Ticket,
        reserved: u64,
        job: impl FnOnce(&mut Tools<'_>) -> Answer + Send + 'env,
    ) -> Result<(), CheckError> {
        let answer = self.workers.submit(job)?;
        self.pending.push_back(UnderWay {
            ticket,
            reserved,
            answer,
        });
        Ok(())
    }

    /// The next result in the order of submission; waits for it. `None` when nothing is under way.
    pub(crate) fn next(&mut self) -> Result<Option<Checked>, CheckError> {
        let Some(UnderWay {
            ticket,
            reserved,
            answer,
        }) = self.pending.pop_front()
        else {
            return Ok(None);
        };
        let Answer { body, facts } = answer.wait()?;
        self.pool.release(reserved);
        Ok(Some(Checked {
            ticket,
            body,
            facts,
        }))
    }

    /// Whether [`Pipeline::next`] would not wait.
    pub(crate) fn is_ready(&self) -> bool {
        self.pending
            .front()
            .is_some_and(|zip| zip.answer.is_ready())
    }

    /// Ends the loan of a result's bytes.
    pub(crate) fn give_back(&mut self, body: Body) {
        match body {
            Body::Memory { buffer, .. } => self.pool.give(buffer),
            Body::Spooled { .. } => self.pool.release(SPOOL_ABOVE),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::workers::with_workers;

    #[test]
    fn lent_and_free_buffers_together_stay_within_the_limit() {
        let mut pool = Pool::new(4 * MIN_BUFFER);
        let first = pool.take(1).unwrap();
        let second = pool.take(MIN_BUFFER).unwrap();
        let third = pool.take(MIN_BUFFER + 1).unwrap();
        assert_eq!(
            [first.len(), second.len(), third.len()].map(|n| n as u64),
            [MIN_BUFFER, MIN_BUFFER, 2 * MIN_BUFFER]
        );
        assert!(pool.take(1).is_none(), "all is lent");
        pool.give(first);
        assert!(
            pool.take(MIN_BUFFER + 1).is_none(),
            "a small free one is not enough"
        );
        assert!(!pool.reserve(2 * MIN_BUFFER));
        // What was freed in vain is not lost.
        let again = pool.take(1).unwrap();
        assert!(pool.take(1).is_none());
        pool.give(third);
        pool.give(again);
        pool.give(second);
        assert!(pool.take(4 * MIN_BUFFER).is_some(), "free ones make room");
        assert!(pool.take(1).is_none());
    }

    #[test]
    fn a_buffer_is_used_again() {
        let mut pool = Pool::new(MIN_BUFFER);
        let mut buffer = pool.take(10).unwrap();
        buffer[0] = 7;
        pool.give(buffer);
        assert_eq!(pool.take(20).unwrap()[0], 7);
    }

    #[test]
    fn spooled_zips_count() {
        let mut pool = Pool::new(IN_FLIGHT);
        assert_eq!(
            (0..10).take_while(|_| pool.reserve(SPOOL_ABOVE)).count() as u64,
            IN_FLIGHT / SPOOL_ABOVE
        );
        pool.release(SPOOL_ABOVE);
        assert!(pool.take(SPOOL_ABOVE).is_some());
    }

    #[test]
    fn a_file_that_changed_since_it_was_hashed_is_noticed() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"hello", 0).unwrap();
        let sha256: [u8; 32] = Sha256::digest(b"hello").into();
        let body = Body::Spooled { file, size: 5 };
        let read_all = |body: &Body| {
            let mut got = Vec::new();
            let same = body
                .hand_over(&sha256, |reader| reader.read_to_end(&mut got).map(drop))
                .unwrap();
            (same, got)
        };
        assert_eq!(read_all(&body), (true, b"hello".to_vec()));
        assert!(
            !body.hand_over(&sha256, |_| Ok::<_, io::Error>(())).unwrap(),
            "not read to its end"
        );
        let Body::Spooled { file, .. } = &body else {
            unreachable!()
        };
        file.write_all_at(b"j", 0).unwrap();
        assert!(!read_all(&body).0);
    }

    #[test]
    fn results_come_back_in_order() {
        let module: ModuleVersion = "example.com/a@v1.0.0".parse().unwrap();
        let result = with_workers(|workers| {
            let mut pipeline = Pipeline::new(workers);
            let mut taken = Vec::new();
            for n in 0..1000_u32 {
                while !pipeline.has_place() || (n % 7 == 0 && pipeline.is_ready()) {
                    taken.push(pipeline.next()?.unwrap());
                }
                let buffer = n.to_le_bytes().to_vec();
                let ticket = Ticket {
                    module: module.clone(),
                    sha256: [0; 32],
                    volume: String::new(),
                    entry: n.to_string(),
                    packed: false,
                };
                pipeline.submit(ticket, Body::Memory { buffer, size: 4 })?;
            }
            while let Some(checked) = pipeline.next()? {
                taken.push(checked);
            }
            assert!(
                taken.iter().all(|checked| checked.facts.is_err()),
                "four bytes are no zip"
            );
            Ok(taken
                .iter()
                .map(|checked| checked.ticket.entry.parse::<u32>().unwrap())
                .collect::<Vec<_>>())
        });
        assert_eq!(result.unwrap(), (0..1000).collect::<Vec<_>>());
    }
}
