//! A worker's misses, until they are taken down.
//!
//! One buffer a worker, and the keeper empties it each second: so the lock is free whenever the worker wants it, but for
//! the moment in which the keeper puts an empty buffer in the full one's place. Its size is bounded, and no client
//! can fill more than a part of it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use modferry_appliance::wants::Parts;
use modferry_cli::wants::Want;
use modferry_protocol::request::Request;

use super::admission::{Admission, Limit};
use super::{Client, wanted};

/// The most bytes that the misses of all workers may take in a second.
pub const MAX_WAITING: usize = 4 << 20;

/// A client may fill this part of a buffer: one of so many.
const SHARES: usize = 4;

/// What a miss takes beside its path, twice, in bytes, roughly.
const BESIDE: usize = 200;

/// What each further client of a miss takes.
const FURTHER_CLIENT: usize = 50;

/// One worker's buffer.
pub struct Waiting {
    misses: Mutex<Misses>,
    room: usize,
    admission: Arc<Admission>,
}

/// What was missed since the last time.
#[derive(Default)]
pub struct Misses {
    /// By the path of the request: that is at hand before anything is parsed.
    pub missed: HashMap<Box<str>, Miss>,
    /// How many requests were not noted by each limit, in the order of [`Limit::ALL`].
    pub left_out: [u64; Limit::ALL.len()],
    bytes: usize,
    by: HashMap<Client, usize>,
}

/// One name that was missed.
pub struct Miss {
    /// What is wanted.
    pub want: Want,
    /// What of it.
    pub parts: Parts,
    /// Who asked: each counts once, however many requests that were.
    pub clients: HashSet<Client>,
    /// Who brought it in, where it was new.
    pub by: Option<Client>,
}

impl Miss {
    /// The same want as another worker, or another request, has it.
    pub fn and(&mut self, other: Miss) {
        self.parts = self.parts.and(other.parts);
        self.clients.extend(other.clients);
        self.by = self.by.or(other.by);
    }
}

impl Waiting {
    /// An empty buffer, for one of that many workers.
    pub fn new(workers: usize, admission: Arc<Admission>) -> Waiting {
        Waiting {
            misses: Mutex::default(),
            room: MAX_WAITING / workers.max(1),
            admission,
        }
    }

    /// Notes that `client` has asked for this, by that path. Says whether it is noted; `None` where it is nothing that could be.
    pub fn note(&self, path: &str, request: &Request, client: Client) -> Option<Result<(), Limit>> {
        let misses = &mut *self.lock();
        if let Some(miss) = misses.missed.get_mut(path) {
            let room = misses.bytes + FURTHER_CLIENT <= self.room;
            if room && miss.clients.insert(client) {
                misses.bytes += FURTHER_CLIENT;
            }
            return Some(Ok(()));
        }
        let (want, part) = wanted(request)?;
        let size = 2 * path.len() + BESIDE;
        let by = misses.by.get(&client).copied().unwrap_or(0) + size;
        let room = self.room.max(SHARES * size);
        let admitted = match by <= room / SHARES && misses.bytes + size <= room {
            true => self.admission.admit(&want, client),
            false => Err(Limit::AtOnce),
        };
        let new = match admitted {
            Ok(new) => new,
            Err(limit) => {
                misses.left_out[limit as usize] += 1;
                // That somebody has asked for it once more is lost, and it is noted all the same.
                let noted = limit == Limit::AtOnce && self.admission.is_known(&want);
                return Some(if noted { Ok(()) } else { Err(limit) });
            }
        };
        misses.bytes += size;
        misses.by.insert(client, by);
        let miss = Miss {
            want,
            parts: part.into(),
            clients: HashSet::from([client]),
            by: new.then_some(client),
        };
        misses.missed.insert(path.into(), miss);
        Some(Ok(()))
    }

    /// Takes what there is.
    pub fn take(&self) -> Misses {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Misses> {
        self.misses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wants::Settings;
    use crate::wants::table::Table;

    fn waiting(workers: usize) -> Waiting {
        let settings = Settings {
            most: 100_000,
            most_bytes: u64::MAX,
            new_per_address: 50_000,
            ..Settings::default()
        };
        let table = Table::new(settings, Vec::new(), 0, 0);
        Waiting::new(workers, Arc::new(Admission::to(&table, 50_000, 0)))
    }

    fn asked(waiting: &Waiting, path: &str, client: u32) -> Option<Result<(), Limit>> {
        waiting.note(path, &Request::parse(path).unwrap(), Client::V4(client))
    }

    fn note(waiting: &Waiting, path: &str, client: u32) -> bool {
        asked(waiting, path, client) == Some(Ok(()))
    }

    fn path(n: usize) -> String {
        format!("/a.b/c{n:05}/@v/list")
    }

    #[test]
    fn whoever_asks_counts_once() {
        let waiting = waiting(1);
        for client in [1, 2, 3, 1, 1] {
            assert!(note(&waiting, "/a.b/c/@v/list", client));
        }
        assert!(note(&waiting, "/a.b/c/@latest", 2));
        assert_eq!(
            asked(&waiting, "/sumdb/sum.golang.org/tile/8/0/001", 2),
            None
        );
        let misses = waiting.take();
        let clients = misses.missed.values().map(|miss| miss.clients.len());
        let mut counts: Vec<_> = clients.collect();
        counts.sort_unstable();
        assert_eq!((counts, misses.left_out), (vec![1, 3], [0; 4]));
        assert!(waiting.take().missed.is_empty());
    }

    #[test]
    fn a_client_fills_its_share_and_all_together_the_buffer() {
        let workers = 64;
        let waiting = waiting(workers);
        let size = 2 * path(0).len() + BESIDE;
        let (share, all) = (
            MAX_WAITING / workers / SHARES / size,
            MAX_WAITING / workers / size,
        );
        let noted = |client, from: usize| {
            (from..from + all)
                .filter(|n| note(&waiting, &path(*n), client))
                .count()
        };
        assert_eq!(noted(1, 0), share);
        // What is in it is counted on, for whoever it is.
        assert!(note(&waiting, &path(0), 1));
        let rest: usize = (2..9)
            .map(|client| noted(client, client as usize * all))
            .sum();
        assert_eq!(share + rest, all);
        let misses = waiting.take();
        assert_eq!(misses.missed.len(), all);
        assert_eq!(
            misses.left_out[Limit::AtOnce as usize],
            (all * 8 - all) as u64
        );
        // What was noted a second ago is noted, be there room for this time or not.
        let second = noted(1, all * 20);
        assert_eq!(second, share);
        assert!(note(&waiting, &path(2), 1));
        assert_eq!(
            asked(&waiting, &path(all * 30), 1),
            Some(Err(Limit::AtOnce))
        );
        waiting.take();
        assert!(note(&waiting, &path(0), 1));
    }

    #[test]
    fn who_asks_for_a_name_is_counted_as_long_as_there_is_room() {
        let waiting = waiting(1024);
        let room = MAX_WAITING / 1024 - (2 * path(0).len() + BESIDE);
        let clients = 1 + (room / FURTHER_CLIENT) as u32;
        for client in 0..clients + 5 {
            assert!(note(&waiting, &path(0), client));
        }
        let misses = waiting.take();
        let miss = misses.missed.into_values().next().unwrap();
        assert_eq!(miss.clients.len(), clients as usize);
    }

    #[test]
    fn what_a_limit_keeps_out_is_said_and_counted() {
        let settings = Settings {
            new_per_address: 1,
            ..Settings::default()
        };
        let table = Table::new(settings, Vec::new(), 0, 0);
        let waiting = Waiting::new(1, Arc::new(Admission::to(&table, 1, 0)));
        assert!(note(&waiting, &path(1), 1));
        assert_eq!(asked(&waiting, &path(2), 1), Some(Err(Limit::NewNames)));
        assert!(note(&waiting, &path(2), 2));
        // Another has brought it in.
        assert!(note(&waiting, &path(2), 1));
        let misses = waiting.take();
        assert_eq!(misses.left_out[Limit::NewNames as usize], 1);
        let brought = |n: usize| misses.missed[path(n).as_str()].by;
        assert_eq!(brought(2), Some(Client::V4(2)));
        // The same name by another path is no new one.
        assert!(note(&waiting, "/a.b/c00001/@latest", 1));
        let missed = waiting.take().missed;
        assert_eq!(missed["/a.b/c00001/@latest"].by, None);
    }
}
