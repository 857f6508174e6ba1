//! Numbered jobs on several threads, each with a state of its own that it uses again and again.
//!
//! Results come in the order of the jobs, whichever thread did which, so that what is made of them does not depend on
//! the threads. The error of the first job that failed counts; jobs that have not begun by then do not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does jobs `0..count` on so many threads. A panic of a job is a panic here.
pub(super) fn each<S, T: Send, E: Send>(
    threads: usize,
    count: usize,
    state: impl Fn() -> S + Sync,
    job: impl Fn(&mut S, usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<(usize, E)>> = Mutex::new(None);
    let work = || {
        let mut state = state();
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return done;
            }
            match job(&mut state, number) {
                Ok(result) => done.push((number, result)),
                Err(error) => {
                    next.store(count, Ordering::Relaxed);
                    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                    if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                        *failed = Some((number, error));
                    }
                    return done;
                }
            }
        }
    };
    let mut done: Vec<(usize, T)> = Vec::with_capacity(count);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.clamp(1, count.max(1)))
            .map(|_| scope.spawn(work))
            .collect();
        for thread in threads {
            match thread.join() {
                Ok(results) => done.extend(results),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    if let Some((_, error)) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    done.sort_unstable_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        for threads in [0, 1, 3, 100] {
            let results = each(threads, 50, || 0, |_, n| Ok::<_, ()>(n * n));
            assert_eq!(results, Ok((0..50).map(|n| n * n).collect::<Vec<_>>()));
        }
        assert_eq!(each(2, 0, || (), |(), n| Ok::<_, ()>(n)), Ok(Vec::new()));
    }

    #[test]
    fn the_first_failure_counts_and_ends_the_rest() {
        let begun = AtomicUsize::new(0);
        let result = each(
            1,
            1000,
            || (),
            |(), n| {
                begun.fetch_add(1, Ordering::Relaxed);
                if n >= 7 { Err(n) } else { Ok(()) }
            },
        );
        assert_eq!(result, Err(7));
        assert_eq!(begun.into_inner(), 8);
        let result = each(
            4,
            1000,
            || (),
            |(), n| if n % 2 == 1 { Err(n) } else { Ok(()) },
        );
        assert!(result.is_err());
    }
}
