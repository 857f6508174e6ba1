//! Threads that compute while one thread reads: as many as the machine has cores, within [`MAX_WORKERS`], each with tools
//! of its own.
//!
//! The reading thread submits a job and gets a [`Pending`] answer, which it takes when its turn has come: so what comes
//! out is in the order of the bundle, whoever was faster. Jobs never wait for one another nor for the reader, and
//! are begun in the order in which they were submitted; how many may be under way, and the bytes that they hold, is the
//! account of whoever submits them.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::{self, Knowing, ReadAt, ZipError, ZipFacts};

use crate::CheckError;
use crate::directories::Directories;
use crate::restore::RebuildTools;

/// The most workers: each has a few megabytes of tools, and one thread that reads keeps no more of them busy.
const MAX_WORKERS: usize = 16;

/// What a worker uses for one job after another, so that its memory is made once.
pub(crate) struct Tools<'d> {
    zips: zip::Checker,
    /// All workers' account.
    directories: &'d Directories,
    rebuild: Option<RebuildTools>,
}

impl<'d> Tools<'d> {
    pub(crate) fn new(directories: &'d Directories) -> Tools<'d> {
        Tools {
            zips: zip::Checker::new(),
            directories,
            rebuild: None,
        }
    }

    /// Checks a zip, once there is room for its directory.
    pub(crate) fn check(
        &mut self,
        module: &ModuleVersion,
        body: &impl ReadAt,
        known: Knowing<'_>,
    ) -> Result<ZipFacts, ZipError> {
        let _room = self.directories.room_for(&mut self.zips, body);
        self.zips.check_knowing(module, body, known)
    }

    /// Those for deflate streams, which only packed bundles have.
    pub(crate) fn rebuild(&mut self) -> &mut RebuildTools {
        self.rebuild.get_or_insert_with(RebuildTools::new)
    }
}

type Job<'env> = Box<dyn FnOnce(&mut Tools<'_>) + Send + 'env>;

/// The reading thread's end. Dropping it lets the workers end.
pub(crate) struct Workers<'env> {
    jobs: Sender<Job<'env>>,
    count: usize,
    /// No more deflate streams are to be written.
    rebuilt: Arc<AtomicBool>,
}

impl<'env> Workers<'env> {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// No more deflate streams are to be written: each worker lets go of the tools for that before its next job.
    pub(crate) fn all_rebuilt(&self) {
        self.rebuilt.store(true, Ordering::Relaxed);
    }

    /// Has a worker do it.
    pub(crate) fn submit<T: Send + 'env>(
        &self,
        job: impl FnOnce(&mut Tools<'_>) -> T + Send + 'env,
    ) -> Result<Pending<T>, CheckError> {
        let (reply, answer) = bounded(1);
        let job = Box::new(move |tools: &mut Tools<'_>| {
            // The reader may have stopped for another reason.
            let _ = reply.send(job(tools));
        });
        self.jobs.send(job).map_err(|_| gone())?;
        Ok(Pending(answer))
    }
}

/// An answer that comes.
pub(crate) struct Pending<T>(Receiver<T>);

impl<T> Pending<T> {
    /// Waits for it.
    pub(crate) fn wait(self) -> Result<T, CheckError> {
        self.0.recv().map_err(|_| gone())
    }

    /// Whether [`Pending::wait`] would not wait.
    pub(crate) fn is_ready(&self) -> bool {
        !self.0.is_empty()
    }
}

/// A worker ended before its time; that it panicked comes out when the threads are joined.
fn gone() -> CheckError {
    CheckError::io("checking zips", io::Error::other("a worker thread ended"))
}

/// Runs `read` with workers at its disposal, and joins them. After an error of `read`, what is queued is dropped undone.
pub(crate) fn with_workers<'env, T>(
    read: impl FnOnce(Workers<'env>) -> Result<T, CheckError>,
) -> Result<T, CheckError> {
    let count = workers_for(thread::available_parallelism().map_or(2, NonZero::get));
    let (jobs, queue) = unbounded::<Job<'env>>();
    let stop = AtomicBool::new(false);
    let rebuilt = Arc::new(AtomicBool::new(false));
    let directories = Directories::default();
    thread::scope(|scope| {
        // Owned here, so that every way out drops it and lets the workers end.
        let workers = Workers {
            jobs,
            count,
            rebuilt: rebuilt.clone(),
        };
        for n in 0..count {
            let (queue, stop, rebuilt) = (&queue, &stop, &rebuilt);
            let directories = &directories;
            thread::Builder::new()
                .name(format!("zips-{n}"))
                .spawn_scoped(scope, move || work(queue, stop, rebuilt, directories))
                .map_err(|source| CheckError::io("starting a thread to check zips", source))?;
        }
        let result = read(workers);
        if result.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        result
    })
}

/// How many workers a machine of so many cores has.
fn workers_for(cores: usize) -> usize {
    cores.min(MAX_WORKERS)
}

fn work(
    queue: &Receiver<Job<'_>>,
    stop: &AtomicBool,
    rebuilt: &AtomicBool,
    directories: &Directories,
) {
    let mut tools = Tools::new(directories);
    for job in queue {
        if rebuilt.load(Ordering::Relaxed) {
            tools.rebuild = None;
        }
        if !stop.load(Ordering::Relaxed) {
            job(&mut tools);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn answers_are_taken_in_the_order_of_the_reader() {
        let ran = AtomicU32::new(0);
        let taken: Result<Vec<u32>, _> = with_workers(|workers| {
            let mut pending = Vec::new();
            for n in 0..1000 {
                let ran = &ran;
                pending.push(workers.submit(move |_| {
                    ran.fetch_add(1, Ordering::Relaxed);
                    n
                })?);
            }
            pending.into_iter().map(Pending::wait).collect()
        });
        assert_eq!(taken.unwrap(), (0..1000).collect::<Vec<_>>());
        assert_eq!(ran.into_inner(), 1000);
    }

    #[test]
    fn after_an_error_of_the_reader_what_is_queued_is_dropped_undone() {
        for (stopped, done) in [(false, 3), (true, 0)] {
            let ran = AtomicU32::new(0);
            let (jobs, queue) = unbounded::<Job<'_>>();
            for _ in 0..3 {
                let job = |_: &mut Tools<'_>| {
                    ran.fetch_add(1, Ordering::Relaxed);
                };
                jobs.send(Box::new(job)).unwrap();
            }
            drop(jobs);
            let stopped = AtomicBool::new(stopped);
            work(
                &queue,
                &stopped,
                &AtomicBool::new(false),
                &Directories::default(),
            );
            assert_eq!(ran.load(Ordering::Relaxed), done);
        }
    }

    #[test]
    fn tools_for_deflate_streams_are_dropped_once_all_are_written() {
        for rebuilt in [false, true] {
            let (done, kept) = (AtomicBool::new(false), AtomicBool::new(false));
            let (jobs, queue) = unbounded::<Job<'_>>();
            jobs.send(Box::new(|tools: &mut Tools<'_>| {
                tools.rebuild();
                done.store(rebuilt, Ordering::Relaxed);
            }))
            .unwrap();
            jobs.send(Box::new(|tools: &mut Tools<'_>| {
                kept.store(tools.rebuild.is_some(), Ordering::Relaxed);
            }))
            .unwrap();
            drop(jobs);
            work(
                &queue,
                &AtomicBool::new(false),
                &done,
                &Directories::default(),
            );
            assert_eq!(kept.load(Ordering::Relaxed), !rebuilt);
        }
    }

    #[test]
    fn a_large_machine_has_no_more_workers_than_there_is_memory_for() {
        assert_eq!([1, 16, 17, 512].map(workers_for), [1, 16, 16, 16]);
    }
}
