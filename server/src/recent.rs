//! The small answers that a worker gave lately, by the path that was asked for.
//!
//! A build asks for the same few hundred things again and again, and many builds ask for the same. One that was
//! answered lately is answered again without parsing, reading and hashing: about a third of the processor time of
//! such a request that is not the kernel's. Nothing in here outlives an import: each answer has the number of
//! imports with it that there were *before* it was read, and counts only for as long as that is the number.

use std::cell::RefCell;
use std::rc::Rc;

use actix_http::header::HeaderValue;
use bytes::Bytes;

use crate::answer::Kind;
use crate::clock::Clock;
use crate::conditional::Etag;

/// The most that all workers together remember, in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// The largest answer that is remembered, in bytes: a whole tile, and most things but zips.
pub const MAX_ANSWER: usize = 16 << 10;

/// What an answer takes beside its bytes and its path, in bytes, roughly.
const BESIDE: usize = 256;

/// A small answer that is there, with its tag.
#[derive(Clone)]
pub struct Small {
    /// What it is.
    pub kind: Kind,
    /// All of it.
    pub bytes: Bytes,
    /// Its tag.
    pub etag: Etag,
    /// The tag as a header.
    pub etag_header: HeaderValue,
}

impl Small {
    /// The answer of that kind with these bytes.
    pub fn new(kind: Kind, bytes: Bytes) -> Small {
        let etag = Etag::of_bytes(&bytes);
        Small {
            kind,
            bytes,
            etag_header: etag.header(),
            etag,
        }
    }
}

/// One worker's memory.
pub struct Recent {
    answers: RefCell<Clock<Rc<str>, (u64, Small)>>,
}

impl Recent {
    /// An empty one, for one of that many workers.
    pub fn new(workers: usize) -> Recent {
        Recent {
            answers: RefCell::new(Clock::new(MAX_BYTES / workers.max(1))),
        }
    }

    /// What the path was answered with, if nothing has been imported since.
    pub fn get(&self, path: &str, imports: u64) -> Option<Small> {
        let mut answers = self.answers.borrow_mut();
        let (then, small) = answers.get(path)?;
        (*then == imports).then(|| small.clone())
    }

    /// Remembers what the path is answered with; `imports` is how many there were before it was read.
    pub fn put(&self, path: &str, imports: u64, small: &Small) {
        if small.bytes.len() <= MAX_ANSWER {
            let size = path.len() + small.bytes.len() + BESIDE;
            self.answers
                .borrow_mut()
                .put(path.into(), (imports, small.clone()), size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_lasts_until_the_next_import() {
        let recent = Recent::new(1);
        let small = Small::new(Kind::List, Bytes::from_static(b"v1.0.0\n"));
        recent.put("/a", 3, &small);
        assert!(recent.get("/a", 3).is_some());
        assert!(recent.get("/a", 4).is_none());
        assert!(recent.get("/b", 3).is_none());
        recent.put("/a", 4, &small);
        assert!(recent.get("/a", 4).is_some());
    }

    #[test]
    fn what_is_not_small_is_not_remembered() {
        let recent = Recent::new(1);
        for (path, size) in [("/a", MAX_ANSWER), ("/b", MAX_ANSWER + 1)] {
            let small = Small::new(Kind::Mod, Bytes::from(vec![0; size]));
            recent.put(path, 1, &small);
            assert_eq!(recent.get(path, 1).is_some(), size == MAX_ANSWER);
        }
    }
}
