//! What a run says while it works: a line that moves on a terminal, plain lines elsewhere, one JSON object
//! a line for machines, or nothing. All of it goes to stderr; results go to stdout.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use modferry_cli::bytes;

use crate::fetch::Level;

/// How progress is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On a terminal if stderr is one, else in plain lines.
    Auto,
    /// Not at all; warnings still are.
    Quiet,
    /// As JSON lines.
    Json,
}

/// Plain and JSON lines come no closer together than this.
const EVERY: Duration = Duration::from_secs(2);

/// Tells how a run goes. Shared by all of its threads.
pub struct Progress {
    how: How,
    began: Instant,
    counts: Counts,
    phase: Mutex<Phase>,
}

enum How {
    Bar(ProgressBar),
    Plain,
    Json,
    Quiet,
}

struct Phase {
    name: &'static str,
    told: Instant,
}

#[derive(Default)]
struct Counts {
    modules: AtomicU64,
    modules_done: AtomicU64,
    records: AtomicU64,
    tiles: AtomicU64,
    zips: AtomicU64,
    zips_done: AtomicU64,
    zip_bytes: AtomicU64,
    bytes_done: AtomicU64,
    bytes_all: AtomicU64,
}

impl Progress {
    /// In this mode.
    pub fn new(mode: Mode) -> Progress {
        let how = match mode {
            Mode::Quiet => How::Quiet,
            Mode::Json => How::Json,
            Mode::Auto if std::io::stderr().is_terminal() => {
                let bar = ProgressBar::new_spinner();
                let style =
                    ProgressStyle::with_template("{spinner:.green} [{elapsed_precise}] {wide_msg}");
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
                bar.enable_steady_tick(Duration::from_millis(100));
                How::Bar(bar)
            }
            Mode::Auto => How::Plain,
        };
        Progress {
            how,
            began: Instant::now(),
            counts: Counts::default(),
            phase: Mutex::new(Phase {
                name: "",
                told: Instant::now(),
            }),
        }
    }

    /// Since the run began.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The next phase begins, and what the one before came to is told.
    pub fn phase(&self, name: &'static str) {
        self.end_phase();
        self.lock().name = name;
        self.counts.bytes_done.store(0, Ordering::Relaxed);
        if matches!(self.how, How::Bar(_)) {
            self.tell(true);
        }
    }

    fn end_phase(&self) {
        let nothing_done = self.counts.bytes_all.load(Ordering::Relaxed) == 0
            && !matches!(self.lock().name, "fetch" | "plan" | "prove");
        if !self.lock().name.is_empty() && !matches!(self.how, How::Bar(_)) && !nothing_done {
            self.tell(true);
        }
    }

    /// A module was found that is needed this much.
    pub fn found(&self, level: Level) {
        self.counts.modules.fetch_add(1, Ordering::Relaxed);
        if level == Level::Whole {
            self.counts.zips.fetch_add(1, Ordering::Relaxed);
        }
        self.tell(false);
    }

    /// More of a module is needed than was thought.
    pub fn raised(&self) {
        self.counts.zips.fetch_add(1, Ordering::Relaxed);
    }

    /// A record came, or cannot be had.
    pub fn record_done(&self) {
        self.counts.records.fetch_add(1, Ordering::Relaxed);
        self.tell(false);
    }

    /// A go.mod was verified, or cannot be had.
    pub fn module_done(&self) {
        self.counts.modules_done.fetch_add(1, Ordering::Relaxed);
        self.tell(false);
    }

    /// Tiles came.
    pub fn tiles(&self, count: usize) {
        self.counts.tiles.fetch_add(count as u64, Ordering::Relaxed);
        self.tell(false);
    }

    /// A zip was verified.
    pub fn zip_done(&self, size: u64) {
        self.counts.zips_done.fetch_add(1, Ordering::Relaxed);
        self.counts.zip_bytes.fetch_add(size, Ordering::Relaxed);
        self.tell(false);
    }

    /// The phase that begins handles so many bytes.
    pub fn total(&self, all: u64) {
        self.counts.bytes_all.store(all, Ordering::Relaxed);
    }

    /// So many bytes of it are done.
    pub fn advance(&self, count: u64) {
        self.counts.bytes_done.fetch_add(count, Ordering::Relaxed);
        self.tell(false);
    }

    /// Something that is worth knowing and no error.
    pub fn warn(&self, text: &str) {
        let text: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        match &self.how {
            How::Bar(bar) => bar.println(format!("warning: {text}")),
            How::Json => self.json(&serde_json::json!({ "warning": text })),
            How::Plain | How::Quiet => line(&format!("warning: {text}")),
        }
    }

    /// The moving line goes away; what the last phase came to is told. Once is enough.
    pub fn finish(&self) {
        self.end_phase();
        self.lock().name = "";
        if let How::Bar(bar) = &self.how {
            bar.finish_and_clear();
        }
    }

    fn tell(&self, now: bool) {
        if matches!(self.how, How::Quiet) {
            return;
        }
        let mut phase = self.lock();
        if let How::Bar(bar) = &self.how {
            bar.set_message(self.words(phase.name));
            return;
        }
        if !now && phase.told.elapsed() < EVERY {
            return;
        }
        phase.told = Instant::now();
        let words = self.words(phase.name);
        let name = phase.name;
        drop(phase);
        match &self.how {
            How::Json => self.json(&self.numbers(name)),
            _ => line(&words),
        }
    }

    fn words(&self, phase: &str) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.counts;
        match phase {
            "fetch" | "plan" => {
                let zips = if phase == "plan" { "zip sizes" } else { "zips" };
                format!(
                    "fetching: go.mod files {}/{}, records {}/{}, {zips} {}/{} ({})",
                    count(&counts.modules_done),
                    count(&counts.modules),
                    count(&counts.records),
                    count(&counts.modules),
                    count(&counts.zips_done),
                    count(&counts.zips),
                    bytes(count(&counts.zip_bytes)),
                )
            }
            "prove" => format!(
                "proving against the checksum database: {}",
                modferry_cli::count(count(&counts.tiles), "tile")
            ),
            other => {
                let all = count(&counts.bytes_all);
                if all == 0 {
                    return format!("{other}:");
                }
                format!(
                    "{other}: {} of {}",
                    bytes(count(&counts.bytes_done)),
                    bytes(all)
                )
            }
        }
    }

    fn numbers(&self, phase: &str) -> serde_json::Value {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.counts;
        serde_json::json!({ "progress": {
            "phase": phase,
            "seconds": self.began.elapsed().as_secs_f64(),
            "modules": count(&counts.modules), "modules_done": count(&counts.modules_done),
            "records_done": count(&counts.records), "tiles_done": count(&counts.tiles),
            "zips": count(&counts.zips), "zips_done": count(&counts.zips_done),
            "zip_bytes_done": count(&counts.zip_bytes),
            "bytes": count(&counts.bytes_all), "bytes_done": count(&counts.bytes_done),
        }})
    }

    fn json(&self, value: &serde_json::Value) {
        line(&value.to_string());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stderr that is closed is no reason to stop.
fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
