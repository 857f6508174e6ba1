//! Memory for zips' directories: what workers take for them at a time, together.
//!
//! A check holds the names of a zip's directory and some hundred bytes an entry, until it is done. Of the directories of
//! real modules that is nothing; of one as large as it may be, it is 50 MB, and there are as many workers as cores. So
//! each says before what it will take, and waits until there is room for it beside the others.

use std::sync::{Condvar, Mutex, PoisonError};

use modferry_protocol::zip::{Checker, ReadAt};

/// The most bytes of memory that directories take at a time: one of the largest, or many that are usual.
pub(crate) const DIRECTORIES: u64 = 48 << 20;

/// A zip of no more bytes is not looked at before: its directory is no longer than itself.
const SMALL: u64 = 256 << 10;

/// The account of [`DIRECTORIES`].
#[derive(Default)]
pub(crate) struct Directories {
    taken: Mutex<u64>,
    given_back: Condvar,
}

/// Room that was taken, until it is dropped.
pub(crate) struct Room<'d> {
    of: &'d Directories,
    bytes: u64,
}

impl Directories {
    /// Room for a zip's directory, once there is some. Whoever has room waits for nobody, so it will come.
    pub(crate) fn room_for(&self, checker: &mut Checker, zip: &impl ReadAt) -> Room<'_> {
        let bytes = match zip.size() {
            0..=SMALL => zip.size(),
            // What is no directory may be as long as one before it is found out.
            _ => checker.directory_size(zip).unwrap_or(DIRECTORIES),
        };
        self.take(bytes.saturating_mul(2).min(DIRECTORIES))
    }

    fn take(&self, bytes: u64) -> Room<'_> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let no_room = |taken: &mut u64| *taken + bytes > DIRECTORIES;
        let taken = self.given_back.wait_while(taken, no_room);
        *taken.unwrap_or_else(PoisonError::into_inner) += bytes;
        Room { of: self, bytes }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        *self.of.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.of.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing::{Packing, zip_of};
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn directories_together_take_no_more_than_there_is() {
        let directories = Directories::default();
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for n in 0..8_u64 {
                let (directories, now, most) = (&directories, &now, &most);
                scope.spawn(move || {
                    for turn in 0..200 {
                        let bytes = DIRECTORIES / (1 + (n + turn) % 4);
                        let room = directories.take(bytes);
                        let all = now.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        most.fetch_max(all, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(bytes, Ordering::SeqCst);
                        drop(room);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), DIRECTORIES);
        assert_eq!(*directories.taken.lock().unwrap(), 0);
    }

    #[test]
    fn a_directory_counts_twice_and_one_that_is_none_in_full() {
        let directories = Directories::default();
        let mut checker = Checker::new();
        let mut taken = |zip: &Vec<u8>| directories.room_for(&mut checker, zip).bytes;
        let module = "example.com/m@v1.0.0".parse().unwrap();
        let names: Vec<String> = (0..2000).map(|n| format!("{n:0100}")).collect();
        let files = |count: usize| -> Vec<(&str, &[u8])> {
            (names[..count].iter())
                .map(|name| (name.as_str(), &b""[..]))
                .collect()
        };
        let entry = 46 + 21 + 100;
        let large = zip_of(&module, &files(2000), Packing::Stored);
        assert!(large.len() as u64 > SMALL);
        assert_eq!(taken(&large), 2 * 2000 * entry);
        let small = zip_of(&module, &files(2), Packing::Stored);
        assert_eq!(taken(&small), 2 * small.len() as u64);
        let cut = large[..large.len() - 1].to_vec();
        assert_eq!(taken(&cut), DIRECTORIES);
    }
}
