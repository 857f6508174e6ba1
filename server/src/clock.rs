//! A bounded cache: what makes room is found by the clock algorithm.
//!
//! The hand goes round over everything that is held, in the order in which it came. What was used since the hand
//! last passed is spared once, the rest goes. Both caches of this server are one of these.

use std::borrow::Borrow;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A cache that never holds more than it may.
pub struct Clock<K, V> {
    held: HashMap<K, Held<V>>,
    /// The names in `held`, in the order in which the hand will pass.
    hand: VecDeque<K>,
    size: usize,
    room: usize,
}

struct Held<V> {
    value: V,
    size: usize,
    used: bool,
}

impl<K: Clone + Eq + Hash, V> Clock<K, V> {
    /// An empty one for values whose sizes add up to `room` at most.
    pub fn new(room: usize) -> Clock<K, V> {
        Clock {
            held: HashMap::new(),
            hand: VecDeque::new(),
            size: 0,
            room,
        }
    }

    /// What is held under that name.
    pub fn get<Q: Eq + Hash + ?Sized>(&mut self, name: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let held = self.held.get_mut(name)?;
        held.used = true;
        Some(&held.value)
    }

    /// Holds the value, which counts for `size`, under that name, instead of what was held under it.
    pub fn put(&mut self, name: K, value: V, size: usize) {
        if size > self.room {
            return;
        }
        if let Some(held) = self.held.get_mut(&name) {
            self.size = self.size - held.size + size;
            *held = Held {
                value,
                size,
                used: true,
            };
            self.make_room(0);
            return;
        }
        self.make_room(size);
        self.size += size;
        self.hand.push_back(name.clone());
        let used = false;
        self.held.insert(name, Held { value, size, used });
    }

    fn make_room(&mut self, size: usize) {
        while self.size + size > self.room {
            let Some(name) = self.hand.pop_front() else {
                return;
            };
            let spared = self
                .held
                .get_mut(&name)
                .is_some_and(|held| std::mem::take(&mut held.used));
            if spared {
                self.hand.push_back(name);
            } else if let Some(held) = self.held.remove(&name) {
                self.size -= held.size;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is held adds up, fits, and each thing is in the hand's way once.
    fn check(clock: &Clock<u32, u32>) {
        assert!(clock.size <= clock.room);
        assert_eq!(
            clock.size,
            clock.held.values().map(|held| held.size).sum::<usize>()
        );
        assert_eq!(clock.held.len(), clock.hand.len());
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        let mut clock = Clock::new(10);
        for n in 0..100 {
            clock.put(n, n, 1 + n as usize % 4);
            check(&clock);
        }
        assert_eq!(clock.get(&99), Some(&99));
        assert_eq!(clock.get(&0), None);
    }

    #[test]
    fn what_is_used_stays() {
        let mut clock = Clock::new(10);
        for n in 0..100 {
            clock.put(n, n, 1);
            assert_eq!(clock.get(&0), Some(&0), "after {n}");
        }
    }

    #[test]
    fn a_name_is_held_once_with_its_last_value() {
        let mut clock = Clock::new(10);
        for size in [1, 10, 3] {
            clock.put(2, 0, 1);
            clock.put(1, size, size as usize);
            check(&clock);
            assert_eq!(clock.get(&1), Some(&size));
        }
        assert_eq!(clock.held.len(), 2);
    }

    #[test]
    fn what_would_never_fit_is_not_held() {
        let mut clock = Clock::new(10);
        clock.put(1, 1, 10);
        clock.put(2, 2, 11);
        assert_eq!(clock.get(&1), Some(&1));
        assert_eq!(clock.get(&2), None);
    }
}
