//! The thread that takes misses down: each second from the workers' buffers into the table, and from there to the disk.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::admission::{Admission, Limit};
use super::journal::Journal;
use super::table::Table;
use super::waiting::Miss;
use super::{Settings, Waiting};
use modferry_cli::wants::Want;

/// How often the buffers are emptied.
pub const TAKE_EVERY: Duration = Duration::from_secs(1);

/// How often a failure to write that goes on, or a limit that is reached, is logged again.
const LOG_AGAIN_AFTER: Duration = Duration::from_secs(3600);

/// Keeps what is missed, or does not, where there is no place for it.
#[derive(Default)]
pub struct Keeper {
    running: Option<Running>,
}

struct Running {
    admission: Arc<Admission>,
    buffers: Arc<Mutex<Vec<Arc<Waiting>>>>,
    workers: usize,
    /// What ends it: its sender, dropped, and the thread.
    end: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

impl Keeper {
    /// Begins to keep what is missed, in the folder that is set, else below the service manager's. Where that cannot be, it is
    /// said once in the log, and nothing is kept.
    pub fn start(settings: &Settings, workers: usize) -> Keeper {
        if settings.most == 0 {
            return Keeper::default();
        }
        let Some(folder) = folder(settings) else {
            tracing::info!(
                "what is not here and is asked for is not kept: there is no place for it (wants: folder)"
            );
            return Keeper::default();
        };
        let begun = Journal::open(&folder)
            .map_err(|error| modferry_cli::in_one_line(&error))
            .and_then(|journal| run(settings, workers, journal).map_err(|error| error.to_string()));
        match begun {
            Ok(running) => Keeper {
                running: Some(running),
            },
            Err(error) => {
                tracing::warn!(%error, "what is not here and is asked for is not kept");
                Keeper::default()
            }
        }
    }

    /// A buffer for a worker; `None` where nothing is kept.
    pub fn buffer(&self) -> Option<Arc<Waiting>> {
        let running = self.running.as_ref()?;
        let buffer = Arc::new(Waiting::new(running.workers, running.admission.clone()));
        let mut buffers = running
            .buffers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        buffers.push(buffer.clone());
        Some(buffer)
    }

    /// Takes down what there is, writes it, and ends.
    pub fn stop(&self) {
        let Some(running) = &self.running else { return };
        let end = running
            .end
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some((stop, thread)) = end {
            drop(stop);
            let _ = thread.join();
        }
    }
}

/// The folder that is set, else one below the service manager's for this service.
fn folder(settings: &Settings) -> Option<PathBuf> {
    settings.folder.clone().or_else(|| {
        // Several folders are separated by colons.
        let folders = std::env::var_os("STATE_DIRECTORY")?;
        let first = std::env::split_paths(&folders).find(|path| path.is_absolute());
        first.map(|folder: PathBuf| folder.join(Path::new("wants")))
    })
}

fn run(settings: &Settings, workers: usize, journal: Journal) -> std::io::Result<Running> {
    let buffers: Arc<Mutex<Vec<Arc<Waiting>>>> = Arc::default();
    let (stop, stopped) = channel();
    let every = settings.every;
    let (wants, left_out) = journal.load();
    let begun = now();
    let table = Table::new(settings.clone(), wants, left_out, begun);
    let admission = Arc::new(Admission::to(&table, settings.new_per_address, begun));
    let thread = {
        let (buffers, admission) = (buffers.clone(), admission.clone());
        let keep = move || keep(&buffers, &admission, table, &journal, &stopped, every);
        std::thread::Builder::new()
            .name("wants".into())
            .spawn(keep)?
    };
    Ok(Running {
        admission,
        buffers,
        workers,
        end: Mutex::new(Some((stop, thread))),
    })
}

fn keep(
    buffers: &Mutex<Vec<Arc<Waiting>>>,
    admission: &Admission,
    mut table: Table,
    journal: &Journal,
    stopped: &Receiver<()>,
    every: Duration,
) {
    // The first round writes: names may be private now that were not before, and a place that cannot be written
    // is told at once.
    let (mut changed, mut saved) = (true, None::<Instant>);
    let (mut trouble, mut reached) = (Trouble::default(), Reached::default());
    loop {
        let end = stopped.recv_timeout(TAKE_EVERY) == Err(RecvTimeoutError::Disconnected);
        let now = now();
        admission.begin(now);
        let any = take(buffers, &mut table, &mut reached, now);
        let gone = table.make_room(now);
        admission.renew(table.room(now), &gone);
        reached.tell(end);
        changed |= any || !gone.is_empty();
        if changed && (end || saved.is_none_or(|saved| saved.elapsed() >= every)) {
            let written = journal.save(&table, now);
            changed = written.is_err();
            trouble.tell(written);
            saved = Some(Instant::now());
        }
        if end {
            return;
        }
    }
}

/// Takes everything out of the buffers, each want once: an address that asks for its parts, over several connections, has asked
/// once. Returns whether there was anything.
fn take(
    buffers: &Mutex<Vec<Arc<Waiting>>>,
    table: &mut Table,
    reached: &mut Reached,
    now: u64,
) -> bool {
    let buffers = buffers.lock().unwrap_or_else(PoisonError::into_inner);
    let mut any = false;
    let mut all: HashMap<Want, Miss> = HashMap::new();
    for buffer in &*buffers {
        let misses = buffer.take();
        let left_out = misses.left_out.iter().sum();
        any |= !misses.missed.is_empty() || left_out > 0;
        table.leave_out(left_out);
        reached.add(misses.left_out);
        for miss in misses.missed.into_values() {
            match all.entry(miss.want.clone()) {
                Entry::Occupied(mut known) => known.get_mut().and(miss),
                Entry::Vacant(new) => {
                    new.insert(miss);
                }
            }
        }
    }
    for miss in all.into_values() {
        table.add(miss, now);
    }
    any
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// A failure to write, told once and then ever more rarely.
#[derive(Default)]
struct Trouble(Option<(String, Instant)>);

impl Trouble {
    fn tell(&mut self, written: std::io::Result<()>) {
        let Err(error) = written else {
            if self.0.take().is_some() {
                tracing::info!("what is missed can be written again");
            }
            return;
        };
        let text = error.to_string();
        let told = (self.0.as_ref())
            .is_some_and(|(last, at)| *last == text && at.elapsed() < LOG_AGAIN_AFTER);
        if !told {
            tracing::error!(error = %text, "cannot write what is missed; it is kept in memory");
            self.0 = Some((text, Instant::now()));
        }
    }
}

/// Which limits have kept names out: each told when it is reached, and then ever so often.
#[derive(Default)]
struct Reached([(u64, Option<Instant>); Limit::ALL.len()]);

impl Reached {
    fn add(&mut self, left_out: [u64; Limit::ALL.len()]) {
        for ((requests, _), more) in self.0.iter_mut().zip(left_out) {
            *requests = requests.saturating_add(more);
        }
    }

    fn tell(&mut self, end: bool) {
        for ((requests, told), limit) in self.0.iter_mut().zip(Limit::ALL) {
            let again = told.is_none_or(|at| at.elapsed() >= LOG_AGAIN_AFTER);
            if *requests > 0 && (again || end) {
                tracing::warn!(
                    requests = *requests,
                    limit = limit.setting(),
                    "what is missed is not noted: {limit}"
                );
                (*requests, *told) = (0, Some(Instant::now()));
            }
        }
    }
}
