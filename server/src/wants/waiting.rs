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
}

/// What was missed since the last time.
#[derive(Default)]
pub struct Misses {
    /// By the path of the request: that is at hand before anything is parsed.
    pub missed: HashMap<Box<str>, Miss>,
    /// How many requests had no room.
    pub left_out: u64,
    bytes: usize,
    by: HashMap<Client, usize>,
    /// Who has brought in as many new names as an address may.
    over: Arc<HashSet<Client>>,
}

/// One name that was missed.
pub struct Miss {
    /// What is wanted.
    pub want: Want,
    /// What of it.
    pub parts: Parts,
    /// Who asked: each counts once, however many requests that were.
    pub clients: HashSet<Client>,
}

impl Miss {
    /// The same want as another worker, or another request, has it.
    pub fn and(&mut self, other: Miss) {
        self.parts = self.parts.and(other.parts);
        self.clients.extend(other.clients);
    }
}

impl Waiting {
    /// An empty buffer, for one of that many workers.
    pub fn new(workers: usize) -> Waiting {
        Waiting {
            misses: Mutex::default(),
            room: MAX_WAITING / workers.max(1),
        }
    }

    /// Notes that `client` has asked for this, by that path. Says whether it is noted.
    pub fn note(&self, path: &str, request: &Request, client: Client) -> bool {
        let misses = &mut *self.lock();
        if let Some(miss) = misses.missed.get_mut(path) {
            let room = misses.bytes + FURTHER_CLIENT <= self.room;
            if room && miss.clients.insert(client) {
                misses.bytes += FURTHER_CLIENT;
            }
            return true;
        }
        let Some((want, part)) = wanted(request) else {
            return false;
        };
        let size = 2 * path.len() + BESIDE;
        let by = misses.by.get(&client).copied().unwrap_or(0) + size;
        let room = self.room.max(SHARES * size);
        if misses.over.contains(&client) || by > room / SHARES || misses.bytes + size > room {
            misses.left_out += 1;
            return false;
        }
        misses.bytes += size;
        misses.by.insert(client, by);
        let miss = Miss {
            want,
            parts: part.into(),
            clients: HashSet::from([client]),
        };
        misses.missed.insert(path.into(), miss);
        true
    }

    /// Takes what there is. From now on, nothing new is noted of those in `over`.
    pub fn take(&self, over: &Arc<HashSet<Client>>) -> Misses {
        let empty = Misses {
            over: over.clone(),
            ..Misses::default()
        };
        std::mem::replace(&mut *self.lock(), empty)
    }

    fn lock(&self) -> MutexGuard<'_, Misses> {
        self.misses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn note(waiting: &Waiting, path: &str, client: u32) -> bool {
        waiting.note(path, &Request::parse(path).unwrap(), Client::V4(client))
    }

    fn path(n: usize) -> String {
        format!("/a.b/c{n:05}/@v/list")
    }

    #[test]
    fn whoever_asks_counts_once() {
        let waiting = Waiting::new(1);
        for client in [1, 2, 3, 1, 1] {
            assert!(note(&waiting, "/a.b/c/@v/list", client));
        }
        assert!(note(&waiting, "/a.b/c/@latest", 2));
        assert!(!note(&waiting, "/sumdb/sum.golang.org/tile/8/0/001", 2));
        let misses = waiting.take(&Arc::default());
        let clients = misses.missed.values().map(|miss| miss.clients.len());
        let mut counts: Vec<_> = clients.collect();
        counts.sort_unstable();
        assert_eq!((counts, misses.left_out), (vec![1, 3], 0));
        assert!(waiting.take(&Arc::default()).missed.is_empty());
    }

    #[test]
    fn a_client_fills_its_share_and_all_together_the_buffer() {
        let workers = 64;
        let waiting = Waiting::new(workers);
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
        let misses = waiting.take(&Arc::default());
        assert_eq!(misses.missed.len(), all);
        assert_eq!(misses.left_out, (all * 8 - all) as u64);
        assert!(note(&waiting, &path(0), 1));
    }

    #[test]
    fn who_asks_for_a_name_is_counted_as_long_as_there_is_room() {
        let waiting = Waiting::new(1024);
        let room = MAX_WAITING / 1024 - (2 * path(0).len() + BESIDE);
        let clients = 1 + (room / FURTHER_CLIENT) as u32;
        for client in 0..clients + 5 {
            assert!(note(&waiting, &path(0), client));
        }
        let misses = waiting.take(&Arc::default());
        let miss = misses.missed.into_values().next().unwrap();
        assert_eq!(miss.clients.len(), clients as usize);
    }

    #[test]
    fn nothing_new_is_noted_of_who_has_had_enough() {
        let waiting = Waiting::new(1);
        let over = Arc::new(HashSet::from([Client::V4(1)]));
        waiting.take(&over);
        assert!(!note(&waiting, &path(1), 1));
        assert!(note(&waiting, &path(1), 2));
        assert!(note(&waiting, &path(1), 1));
        assert_eq!(waiting.take(&over).left_out, 1);
    }
}
