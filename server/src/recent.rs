//! What a worker answered lately, by the path that was asked for: small answers whole, and where larger zips are.
//!
//! A build asks for the same few hundred things again and again, and many builds ask for the same. One that was
//! answered lately is answered again without parsing, reading and hashing: about a third of the processor time of
//! such a request that is not the kernel's. Nothing in here outlives an import: each answer has the store's state
//! with it that was asked for *before* it was read, and counts only for as long as that is the state.

use std::cell::RefCell;
use std::rc::Rc;

use crate::clock::Clock;
use crate::found::{Found, Kind};

/// The most that all workers together remember, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// What an answer takes beside its bytes and its path, in bytes, roughly.
const BESIDE: usize = 256;

/// One worker's memory.
pub struct Recent {
    answers: RefCell<Clock<Rc<str>, (u64, Found)>>,
}

impl Recent {
    /// An empty one, for one of that many workers.
    pub fn new(workers: usize) -> Recent {
        Recent {
            answers: RefCell::new(Clock::new(MAX_BYTES / workers.max(1))),
        }
    }

    /// What the path was answered with in this state.
    pub fn get(&self, path: &str, state: Option<u64>) -> Option<Found> {
        let state = state?;
        let mut answers = self.answers.borrow_mut();
        let (then, answer) = answers.get(path)?;
        (*then == state).then(|| answer.clone())
    }

    /// Remembers what the path is answered with in this state. A small zip counts with its bytes too, although it shares them with [`crate::chunks`] for as long as they are there.
    pub fn put(&self, path: &str, state: Option<u64>, found: &Found) {
        let Some(state) = state else { return };
        let bytes = match found {
            Found::Small(small) if small.kind == Kind::State => return,
            Found::Small(small) => small.bytes.len(),
            Found::Large(..) => 0,
        };
        let size = path.len() + bytes + BESIDE;
        self.answers
            .borrow_mut()
            .put(path.into(), (state, found.clone()), size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found::Small;
    use bytes::Bytes;

    #[test]
    fn an_answer_lasts_until_the_next_import() {
        let recent = Recent::new(1);
        let small = Found::Small(Small::new(Kind::List, Bytes::from_static(b"v1.0.0\n")));
        recent.put("/a", Some(3), &small);
        assert!(recent.get("/a", Some(3)).is_some());
        assert!(recent.get("/a", Some(4)).is_none());
        assert!(recent.get("/b", Some(3)).is_none());
        assert!(recent.get("/a", None).is_none());
        recent.put("/a", Some(4), &small);
        assert!(recent.get("/a", Some(4)).is_some());
    }

    #[test]
    fn health_is_asked_anew_each_time() {
        let recent = Recent::new(1);
        let state = Found::Small(Small::new(Kind::State, Bytes::from_static(b"ok\n")));
        recent.put("/healthz", Some(1), &state);
        assert!(recent.get("/healthz", Some(1)).is_none());
    }
}
