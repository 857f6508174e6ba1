//! All that was missed, bounded.
//!
//! When there is too much, what goes is decided by what an entry is worth: how often it was asked for, halved for each
//! week since anybody last did; among equals the one goes that nobody has asked for the longest. So what builds
//! fail on stays, what was invented once and never asked for again goes, and what was wanted much a year ago does
//! not stand in the way of what is wanted a little today.
//!
//! Counts can be driven up by whoever asks for the same names all day. So no address holds more than a part of the table
//! ([`SHARES`]): what it brought in beyond that goes first, whatever it is worth.

use std::collections::HashMap;

use modferry_appliance::wants::Missed;
use modferry_appliance::wants::kept::{BESIDE_THE_ENTRIES, BESIDE_THE_NAME};
use modferry_cli::wants::Want;
use modferry_protocol::module::pattern::match_prefix_patterns_or_above;

use super::admission::{Room, Space};
use super::waiting::Miss;
use super::{Client, Settings};

/// For how long an address's new names are counted, in seconds.
pub const PERIOD: u64 = 3600;

/// What one address brought in may be this part of the table: one of so many, in names and in bytes.
pub const SHARES: usize = 4;

/// After how many seconds without being asked for an entry is worth half.
const HALVED_AFTER: f64 = 7.0 * 86_400.0;

/// What was missed.
pub struct Table {
    settings: Settings,
    wants: HashMap<Want, Held>,
    bytes: u64,
    /// What each address has brought in of that.
    brought: HashMap<Client, Brought>,
    left_out: u64,
}

struct Held {
    missed: Missed,
    private: bool,
    /// Who brought it in; `None` where it was read from a file, which names nobody.
    by: Option<Client>,
}

/// What an address has brought in.
#[derive(Clone, Copy, Default)]
struct Brought {
    names: usize,
    bytes: u64,
}

impl Table {
    /// A table that begins with what was kept; `left_out` is how many requests were left out before.
    pub fn new(settings: Settings, kept: Vec<Missed>, left_out: u64, now: u64) -> Table {
        let mut table = Table {
            settings,
            wants: HashMap::new(),
            bytes: 2 * BESIDE_THE_ENTRIES as u64,
            brought: HashMap::new(),
            left_out,
        };
        // An entry that is noted no more, of an earlier version's file, goes.
        for missed in kept.into_iter().filter(|missed| missed.want.is_of_one()) {
            table.hold(missed, None);
        }
        table.make_room(now);
        table
    }

    /// Takes a miss down, which was admitted.
    pub fn add(&mut self, miss: Miss, now: u64) {
        let asked = miss.clients.len() as u64;
        let Some(held) = self.wants.get_mut(&miss.want) else {
            let missed = Missed {
                want: miss.want,
                parts: miss.parts,
                asked,
                first: now,
                last: now,
            };
            return self.hold(missed, miss.by);
        };
        let missed = &mut held.missed;
        missed.asked = missed.asked.saturating_add(asked);
        missed.parts = missed.parts.and(miss.parts);
        // A clock that was put back counts from then on.
        missed.first = missed.first.min(now);
        missed.last = now;
    }

    /// Notes that so many requests were not taken down.
    pub fn leave_out(&mut self, requests: u64) {
        self.left_out = self.left_out.saturating_add(requests);
    }

    /// Forgets what nobody asks for any more, and what there is no room for. Returns what that is.
    pub fn make_room(&mut self, now: u64) -> Vec<Want> {
        let longest = u64::from(self.settings.days) * 86_400;
        let old = |held: &Held| now.saturating_sub(held.missed.last) > longest;
        let mut gone: Vec<Want> = (self.wants.values())
            .filter(|held| old(held))
            .map(|held| held.missed.want.clone())
            .collect();
        for want in &gone {
            self.forget(want);
        }
        let clients: Vec<Client> = self.brought.keys().copied().collect();
        for client in clients {
            gone.extend(self.forget_least(
                now,
                |held| held.by == Some(client),
                |table| table.has_more_than_its_share(client),
            ));
        }
        gone.extend(self.forget_least(now, |_| true, Table::is_full));
        gone
    }

    /// What there is room for after that. A new name is asked for once, and now: whatever is worth less gives way to it.
    pub fn room(&self, now: u64) -> Room {
        let share = Space {
            names: (self.settings.most / SHARES).max(1),
            bytes: self.settings.most_bytes / SHARES as u64,
        };
        let left = |of: Space, names: usize, bytes: u64| Space {
            names: of.names.saturating_sub(names),
            bytes: of.bytes.saturating_sub(bytes),
        };
        let all = Space {
            names: self.settings.most,
            bytes: self.settings.most_bytes,
        };
        let its = |(client, brought): (&Client, &Brought)| {
            (*client, left(share, brought.names, brought.bytes))
        };
        let mut room = Room {
            all: left(all, self.wants.len(), self.bytes),
            share,
            left: self.brought.iter().map(its).collect(),
        };
        for held in self.wants.values() {
            if worth(&held.missed, now) < 1.0 {
                let bytes = size(&held.missed.want);
                room.all.names += 1;
                room.all.bytes += bytes;
                if let Some(its) = held.by.and_then(|by| room.left.get_mut(&by)) {
                    its.names += 1;
                    its.bytes += bytes;
                }
            }
        }
        room
    }

    /// The names.
    pub fn wants(&self) -> impl Iterator<Item = &Want> {
        self.wants.keys()
    }

    /// Forgets those of least worth, of these, as long as that is too much.
    fn forget_least(
        &mut self,
        now: u64,
        of: impl Fn(&Held) -> bool,
        is_too_much: impl Fn(&Table) -> bool,
    ) -> Vec<Want> {
        let mut gone = Vec::new();
        if !is_too_much(self) {
            return gone;
        }
        let mut all: Vec<(f64, u64, Want)> = (self.wants.values())
            .filter(|held| of(held))
            .map(|held| {
                let Missed { last, want, .. } = &held.missed;
                (worth(&held.missed, now), *last, want.clone())
            })
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, &a.2).cmp(&(b.1, &b.2))));
        let mut least = all.into_iter();
        while is_too_much(self)
            && let Some((_, _, want)) = least.next()
        {
            self.left_out = self.left_out.saturating_add(self.forget(&want));
            gone.push(want);
        }
        gone
    }

    /// What is kept of public or of private names, in the order of their paths.
    pub fn kept(&self, private: bool) -> Vec<Missed> {
        let held = self.wants.values().filter(|held| held.private == private);
        let mut kept: Vec<Missed> = held.map(|held| held.missed.clone()).collect();
        kept.sort_by(|a, b| a.want.cmp(&b.want));
        kept
    }

    /// How many requests were not taken down.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.wants.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.wants.is_empty()
    }

    fn is_full(&self) -> bool {
        self.wants.len() > self.settings.most || self.bytes > self.settings.most_bytes
    }

    /// Whether it has brought in more than its share; one name is always within.
    fn has_more_than_its_share(&self, client: Client) -> bool {
        let Brought { names, bytes } = self.brought.get(&client).copied().unwrap_or_default();
        names > 1
            && (names > self.settings.most / SHARES
                || bytes > self.settings.most_bytes / SHARES as u64)
    }

    fn hold(&mut self, missed: Missed, by: Option<Client>) {
        let path = missed.want.path().as_str();
        let private = match_prefix_patterns_or_above(&self.settings.private, path);
        let size = size(&missed.want);
        let held = Held {
            missed,
            private,
            by,
        };
        if self.wants.insert(held.missed.want.clone(), held).is_some() {
            return;
        }
        self.bytes += size;
        if let Some(by) = by {
            let brought = self.brought.entry(by).or_default();
            brought.names += 1;
            brought.bytes += size;
        }
    }

    /// Returns how often it was asked for.
    fn forget(&mut self, want: &Want) -> u64 {
        let Some(held) = self.wants.remove(want) else {
            return 0;
        };
        let size = size(want);
        self.bytes -= size;
        if let Some(by) = held.by
            && let Some(brought) = self.brought.get_mut(&by)
        {
            brought.names -= 1;
            brought.bytes -= size;
            if brought.names == 0 {
                self.brought.remove(&by);
            }
        }
        held.missed.asked
    }
}

/// The bytes that an entry has in a file, or some more.
pub(super) fn size(want: &Want) -> u64 {
    (want.path().as_str().len() + want.query().len() + BESIDE_THE_NAME) as u64
}

fn worth(missed: &Missed, now: u64) -> f64 {
    let silent = now.saturating_sub(missed.last) as f64;
    missed.asked as f64 * (-silent / HALVED_AFTER).exp2()
}

#[cfg(test)]
mod tests;
