//! The store as the server sees it: perhaps not there yet, read-only, and growing under its feet.
//!
//! The importer is another process. After each import, [`Store::refresh`] makes what it brought visible;
//! a thread of its own calls it about each second ([`follow`]), so that no request ever waits for it. A
//! store that has no import yet is no error: the server starts, says that it is not ready, and opens the
//! database when the first import has made one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use modferry_appliance::evidence;
use modferry_appliance::store::{PinnedState, Reader, StoreError};
use modferry_cli::{Exit, Failure, in_one_line};

/// How long a new import can stay unseen, less the time that catching up takes.
pub const CATCH_UP_EVERY: Duration = Duration::from_secs(1);

/// How often a failure to catch up that goes on is logged again.
const LOG_AGAIN_AFTER: Duration = Duration::from_secs(60);

/// While the state that is read may be the one before or the one after a refresh.
const MOVING: u64 = u64::MAX;

/// The number of forks where their evidence cannot be read.
const UNKNOWN: usize = usize::MAX;

/// Why a folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing there.
    #[error("there is no store at {}", .0.display())]
    Absent(PathBuf),
    /// Something else is there.
    #[error("{} is not a store: it has neither db/ nor trust/", .0.display())]
    NotAStore(PathBuf),
    /// The system does not let the server look.
    #[error("cannot read the store {}", path.display())]
    Unreadable {
        /// The store's folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is a database, and it cannot be opened.
    #[error("cannot open the store {}", path.display())]
    Database {
        /// The store's folder.
        path: PathBuf,
        /// What is wrong with it.
        source: StoreError,
    },
}

impl Failure for OpenError {
    fn exit(&self) -> Exit {
        match self {
            OpenError::Absent(_) | OpenError::NotAStore(_) => Exit::Usage,
            OpenError::Unreadable { .. } => Exit::Other,
            OpenError::Database { source, .. } => source.exit(),
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            OpenError::Absent(path) => Some(format!(
                "give the store's folder with --store, or make one: modferry-appliance trust add KEY.pub --store {}",
                path.display()
            )),
            OpenError::NotAStore(_) => {
                Some("give the folder that modferry-appliance import --store was given".into())
            }
            OpenError::Unreadable { path, source } => {
                (source.kind() == io::ErrorKind::PermissionDenied).then(|| {
                    format!(
                        "run the server as a member of the group that {} belongs to",
                        path.display()
                    )
                })
            }
            OpenError::Database { source, .. } => source.advice(),
        }
    }
}

/// What a store's folder has in it.
enum Found {
    /// A database.
    Database,
    /// A store that nothing was imported into.
    Fresh,
}

/// A store, opened as soon as there is one to open.
pub struct Store {
    path: PathBuf,
    /// Where the reading side of RocksDB keeps its own log.
    secondary: PathBuf,
    reader: OnceLock<Arc<Reader>>,
    /// The state of the last refresh, for whoever is to read on in it.
    pin: Mutex<Option<Arc<PinnedState>>>,
    /// How many imports there were at the last refresh: kept here, because each request asks.
    imports: AtomicU64,
    /// The reader's generation at the last refresh: it also changes when something is removed.
    generation: AtomicU64,
    /// That number again, or [`MOVING`] while a refresh is under way.
    state: AtomicU64,
    /// How many refused forks no one has acknowledged, or [`UNKNOWN`].
    forks: AtomicUsize,
}

impl Store {
    /// Opens the store in `path`; `secondary` is a folder for the reading side's own files.
    pub fn open(path: &Path, secondary: &Path) -> Result<Store, OpenError> {
        let store = Store {
            path: path.into(),
            secondary: secondary.into(),
            reader: OnceLock::new(),
            pin: Mutex::new(None),
            imports: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            state: AtomicU64::new(0),
            forks: AtomicUsize::new(0),
        };
        store.refresh()?;
        Ok(store)
    }

    /// The store's folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The reading side, once something has been imported.
    pub fn reader(&self) -> Option<&Reader> {
        let reader = self.reader.get().filter(|_| self.imports() > 0);
        reader.map(|reader| &**reader)
    }

    /// How many imports are visible.
    pub fn imports(&self) -> u64 {
        self.imports.load(Ordering::Acquire)
    }

    /// How many forks of a checksum database were refused and are not acknowledged yet; `None` where their evidence
    /// cannot be read.
    pub fn forks(&self) -> Option<usize> {
        let forks = self.forks.load(Ordering::Relaxed);
        (forks != UNKNOWN).then_some(forks)
    }

    /// Names the state that is read: what was read in one state may be answered again in the same. `None` in
    /// the moment in which it changes. Ask before reading.
    pub fn state(&self) -> Option<u64> {
        let state = self.state.load(Ordering::Acquire);
        (state != MOVING).then_some(state)
    }

    /// Makes visible what was imported since the last time.
    pub fn refresh(&self) -> Result<(), OpenError> {
        // Before the first new thing can be seen, and until everything old is out of date.
        self.state.store(MOVING, Ordering::SeqCst);
        let refreshed = self.catch_up();
        let generation = self.generation.load(Ordering::Acquire);
        self.state.store(generation, Ordering::SeqCst);
        // No failure of this stands in the way of serving: the readiness page tells of it.
        let forks = evidence::unacknowledged(&self.path).unwrap_or(UNKNOWN);
        self.forks.store(forks, Ordering::Relaxed);
        refreshed
    }

    fn catch_up(&self) -> Result<(), OpenError> {
        let wrong = |source| OpenError::Database {
            path: self.path.clone(),
            source,
        };
        let reader = match self.reader.get() {
            Some(reader) => {
                reader.catch_up().map_err(wrong)?;
                reader
            }
            None => match self.look()? {
                Found::Fresh => return Ok(()),
                Found::Database => {
                    let reader = Reader::open(&self.path, &self.secondary).map_err(wrong)?;
                    self.reader.get_or_init(|| Arc::new(reader))
                }
            },
        };
        self.move_pin(reader).map_err(wrong)?;
        let generation = reader.generation();
        if generation != self.generation.load(Ordering::Acquire) {
            let imports = reader.totals().map_err(wrong)?.imports;
            // Only now: whoever sees the number also sees what it counts.
            self.imports.store(imports, Ordering::Release);
            self.generation.store(generation, Ordering::Release);
        }
        Ok(())
    }

    /// The state of the last refresh; `None` where there is no database yet.
    pub fn pin(&self) -> Option<Arc<PinnedState>> {
        self.held_pin().clone()
    }

    /// Lets go of the state before, unless someone still reads in it: also where only files have changed, so that
    /// the room of those that are needed no longer is given back.
    fn move_pin(&self, reader: &Arc<Reader>) -> Result<(), StoreError> {
        let current = match self.pin() {
            Some(pin) => pin.is_current(reader)?,
            None => false,
        };
        if !current {
            let pin = Arc::new(PinnedState::new(reader)?);
            *self.held_pin() = Some(pin);
        }
        Ok(())
    }

    fn held_pin(&self) -> MutexGuard<'_, Option<Arc<PinnedState>>> {
        self.pin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> Result<Found, OpenError> {
        let path = || self.path.clone();
        let unreadable = |source| OpenError::Unreadable {
            path: self.path.clone(),
            source,
        };
        let mut entries = match std::fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(OpenError::Absent(path())),
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
                return Err(OpenError::NotAStore(path()));
            }
            Err(e) => return Err(unreadable(e)),
        };
        let there = |name: &str| self.path.join(name).try_exists().map_err(unreadable);
        // CURRENT is what a RocksDB database has from its first moment on.
        if there("db/CURRENT")? {
            Ok(Found::Database)
        } else if there("trust")? || there("db")? || entries.next().is_none() {
            Ok(Found::Fresh)
        } else {
            Err(OpenError::NotAStore(path()))
        }
    }
}

/// Keeps the store's view fresh, each [`CATCH_UP_EVERY`] and whenever `now` says so, until `now`'s sender is gone.
///
/// Each round is a beat of `pulse`: a watchdog sees by it that this still runs.
pub fn follow(store: &Store, now: &Receiver<()>, pulse: &Pulse) {
    let mut seen = store.imports();
    let mut trouble: Option<(String, Instant)> = None;
    loop {
        match now.recv_timeout(CATCH_UP_EVERY) {
            Ok(()) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        match store.refresh() {
            Ok(()) => {
                if trouble.take().is_some() {
                    tracing::info!("the store can be read again");
                }
                let imports = store.imports();
                if imports != seen {
                    tracing::info!(imports, "an import is visible");
                    seen = imports;
                }
            }
            Err(error) => {
                let text = in_one_line(&error);
                let told = trouble
                    .as_ref()
                    .is_some_and(|(last, at)| *last == text && at.elapsed() < LOG_AGAIN_AFTER);
                if !told {
                    tracing::error!(error = %text, "cannot catch up with the store; what was visible stays");
                    trouble = Some((text, Instant::now()));
                }
            }
        }
        pulse.beat();
    }
}

/// When something last gave a sign of life.
pub struct Pulse {
    since: Instant,
    /// Milliseconds from `since` to the last beat.
    last: AtomicU64,
}

impl Pulse {
    /// One that beats now.
    pub fn new() -> Pulse {
        Pulse {
            since: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    fn beat(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// How long ago the last beat was.
    pub fn silent(&self) -> Duration {
        let last = Duration::from_millis(self.last.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(last)
    }
}

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse::new()
    }
}
