//! A pool of threads for tasks that beget tasks: one go.mod leads to ten others, a record to its tiles.
//!
//! The pool ends when nothing is queued or running. Tasks that others wait for go in front of the queue
//! (go.mod files, lookups), those that only take time behind it (zips).

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

type Task<'t> = Box<dyn FnOnce(&Pool<'t>) + Send + 't>;

/// Runs tasks until none is left.
pub struct Pool<'t> {
    state: Mutex<State<'t>>,
    changed: Condvar,
}

#[derive(Default)]
struct State<'t> {
    front: VecDeque<Task<'t>>,
    back: VecDeque<Task<'t>>,
    running: usize,
    cancelled: bool,
}

impl<'t> Pool<'t> {
    /// Runs what `start` spawns, and what that spawns, on so many threads; returns when all of it is done.
    /// A panic of a task is a panic here.
    pub fn run(threads: usize, start: impl FnOnce(&Pool<'t>)) {
        let pool = Pool {
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
        };
        start(&pool);
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| pool.work());
            }
        });
    }

    /// Queues a task that others wait for.
    pub fn spawn(&self, task: impl FnOnce(&Pool<'t>) + Send + 't) {
        self.push(Box::new(task), true);
    }

    /// Queues a task that can wait.
    pub fn spawn_later(&self, task: impl FnOnce(&Pool<'t>) + Send + 't) {
        self.push(Box::new(task), false);
    }

    /// Forgets every task that has not begun, and those that are spawned from now on.
    pub fn cancel(&self) {
        let mut state = self.lock();
        state.cancelled = true;
        state.front.clear();
        state.back.clear();
        self.changed.notify_all();
    }

    fn push(&self, task: Task<'t>, front: bool) {
        let mut state = self.lock();
        if state.cancelled {
            return;
        }
        if front {
            state.front.push_back(task);
        } else {
            state.back.push_back(task);
        }
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State<'t>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            let task = state.front.pop_front();
            if let Some(task) = task.or_else(|| state.back.pop_front()) {
                state.running += 1;
                drop(state);
                let running = Running(self);
                task(self);
                drop(running);
                state = self.lock();
            } else if state.running == 0 {
                return;
            } else {
                state = self
                    .changed
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// Counts a task as running until it is dropped, by a panic too: the others must not wait for ever.
struct Running<'p, 't>(&'p Pool<'t>);

impl Drop for Running<'_, '_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running -= 1;
        if std::thread::panicking() {
            state.cancelled = true;
            state.front.clear();
            state.back.clear();
        }
        // Whoever waits is woken for each task that is pushed; besides, only the end concerns them all.
        if state.running == 0 && state.front.is_empty() && state.back.is_empty() {
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn grow<'t>(pool: &Pool<'t>, depth: usize, count: &'t AtomicUsize) {
        count.fetch_add(1, Ordering::Relaxed);
        if depth > 0 {
            pool.spawn(move |pool| grow(pool, depth - 1, count));
            pool.spawn_later(move |pool| grow(pool, depth - 1, count));
        }
    }

    #[test]
    fn every_begotten_task_runs() {
        for threads in [1, 4] {
            let count = AtomicUsize::new(0);
            Pool::run(threads, |pool| {
                pool.spawn(|pool| grow(pool, 9, &count));
            });
            assert_eq!(count.load(Ordering::Relaxed), (1 << 10) - 1);
        }
    }

    #[test]
    fn what_others_wait_for_goes_first() {
        let order = Mutex::new(String::new());
        let say = |c: char| order.lock().map(|mut order| order.push(c)).unwrap_or(());
        Pool::run(1, |pool| {
            pool.spawn_later(|_| say('z'));
            pool.spawn(|pool| {
                say('a');
                pool.spawn(|_| say('b'));
            });
        });
        assert_eq!(order.into_inner().unwrap_or_default(), "abz");
    }

    #[test]
    fn nothing_begins_after_cancel() {
        let count = AtomicUsize::new(0);
        Pool::run(1, |pool| {
            pool.spawn(|pool| {
                pool.cancel();
                pool.spawn(|_| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
            });
            pool.spawn_later(|_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert_eq!(count.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_panic_ends_the_pool() {
        let result = std::panic::catch_unwind(|| {
            Pool::run(3, |pool| {
                pool.spawn(|_| panic!("a task's panic"));
            });
        });
        assert!(result.is_err());
    }
}
