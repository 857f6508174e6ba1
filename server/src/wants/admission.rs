//! Whether one more name can be noted: decided where a 404 is worded, so that it says what is so.
//!
//! The table is the keeper's own: to sort it, and to write it, takes longer than an answer may. So what a worker has to
//! know of it stands here, for all of them: which names are held, and for how many more there is room, in all and for
//! each address. The keeper says that each second; in between, what is admitted is taken off. A worker comes here with a
//! name that it has not had itself in that second, and holds the lock for a few look-ups.
//!
//! What is admitted will be held: the room is what is free, and what those entries take that give way to a new name.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use modferry_cli::wants::Want;

use super::Client;
use super::table::{PERIOD, Table, size};

/// How many addresses are counted one by one; all further ones of a period count as one.
pub const MAX_CLIENTS: usize = 65_536;

/// Why a name is not noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The address has brought in as many new names as it may within an hour.
    NewNames,
    /// What the address has brought in fills its part of the table.
    Share,
    /// The table is full of names that are worth as much.
    Full,
    /// More was missed within a second than is taken down.
    AtOnce,
}

impl Limit {
    /// All there are.
    pub const ALL: [Limit; 4] = [Limit::NewNames, Limit::Share, Limit::Full, Limit::AtOnce];

    /// What sets it.
    pub fn setting(self) -> &'static str {
        match self {
            Limit::NewNames => "wants: new-per-address",
            Limit::Share => "wants: most or most-bytes, a quarter for one address",
            Limit::Full => "wants: most or most-bytes",
            Limit::AtOnce => "what is taken down in a second",
        }
    }
}

/// In a few words, for whoever is told that something is not noted.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::NewNames => "this address has asked for too many new names within an hour",
            Limit::Share => "this address has filled its share of the list",
            Limit::Full => "the list is full",
            Limit::AtOnce => "too much is asked for at once",
        })
    }
}

/// Room for names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// How many.
    pub names: usize,
    /// What they may take, in bytes.
    pub bytes: u64,
}

impl Space {
    fn has(self, bytes: u64) -> bool {
        self.names > 0 && self.bytes >= bytes
    }

    fn less(self, bytes: u64) -> Space {
        Space {
            names: self.names.saturating_sub(1),
            bytes: self.bytes.saturating_sub(bytes),
        }
    }
}

/// What a table has room for.
#[derive(Clone, Debug, Default)]
pub struct Room {
    /// In all.
    pub all: Space,
    /// For an address that has brought in nothing: its first name is within that, however long it is.
    pub share: Space,
    /// For each of those that have brought in something.
    pub left: HashMap<Client, Space>,
}

impl Room {
    fn refuses(&self, client: Client, bytes: u64) -> Option<Limit> {
        let its = self.left.get(&client);
        if its.is_some_and(|its| !its.has(bytes)) {
            return Some(Limit::Share);
        }
        (!self.all.has(bytes)).then_some(Limit::Full)
    }

    fn take(&mut self, client: Client, bytes: u64) {
        self.all = self.all.less(bytes);
        let its = self.left.entry(client).or_insert(self.share);
        *its = its.less(bytes);
    }
}

/// What all workers ask.
pub struct Admission {
    new_per_address: u32,
    hasher: RandomState,
    state: Mutex<State>,
}

struct State {
    /// The names that are held, or will be, by their hashes: of 2^64, so that two of one hash are nothing to reckon with, and
    /// all that they would do is that one is not noted.
    known: HashSet<u64>,
    room: Room,
    /// What was admitted since the keeper began to look: what it says of the room may not know of that.
    under_way: Vec<(Client, u64)>,
    /// When the period began in which new names are counted.
    since: u64,
    new: HashMap<Client, u32>,
}

impl Admission {
    /// To that table, of whose addresses each may bring in so many new names in a [`PERIOD`].
    pub fn to(table: &Table, new_per_address: u32, now: u64) -> Admission {
        let hasher = RandomState::new();
        let state = State {
            known: table.wants().map(|want| hasher.hash_one(want)).collect(),
            room: table.room(now),
            under_way: Vec::new(),
            since: now,
            new: HashMap::new(),
        };
        Admission {
            new_per_address,
            hasher,
            state: Mutex::new(state),
        }
    }

    /// Whether the name is held already, or will be.
    pub fn is_known(&self, want: &Want) -> bool {
        let hash = self.hasher.hash_one(want);
        self.lock().known.contains(&hash)
    }

    /// Admits the name, which counts from now on as brought in by that address if it is new. Says whether it is new.
    pub fn admit(&self, want: &Want, client: Client) -> Result<bool, Limit> {
        let (hash, bytes) = (self.hasher.hash_one(want), size(want));
        let state = &mut *self.lock();
        if state.known.contains(&hash) {
            return Ok(false);
        }
        let counted = match state.new.len() < MAX_CLIENTS || state.new.contains_key(&client) {
            true => client,
            false => Client::Unknown,
        };
        let new = state.new.entry(counted).or_default();
        if *new >= self.new_per_address {
            return Err(Limit::NewNames);
        }
        if let Some(limit) = state.room.refuses(client, bytes) {
            return Err(limit);
        }
        *new += 1;
        state.room.take(client, bytes);
        state.under_way.push((client, bytes));
        state.known.insert(hash);
        Ok(true)
    }

    /// The keeper begins to look: what is admitted from now on, it may not see.
    pub fn begin(&self, now: u64) {
        let mut state = self.lock();
        state.under_way.clear();
        if now < state.since || now - state.since >= PERIOD {
            state.since = now;
            state.new.clear();
        }
    }

    /// What the keeper found: what there is room for, and what is held no more.
    pub fn renew(&self, room: Room, gone: &[Want]) {
        let gone: Vec<u64> = gone.iter().map(|want| self.hasher.hash_one(want)).collect();
        let state = &mut *self.lock();
        state.room = room;
        for (client, bytes) in &state.under_way {
            state.room.take(*client, *bytes);
        }
        for hash in gone {
            state.known.remove(&hash);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "admission/tests.rs"]
mod tests;
