//! Progress on stderr: one line that is redrawn on a terminal, and a line now and then elsewhere.

use modferry_checker::{NoProgress, Progress};
use modferry_cli::{bytes, duration};
use std::io::{IsTerminal, Write, stderr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the line on a terminal is redrawn.
const REDRAW: Duration = Duration::from_millis(100);

/// How often a line is written where there is no terminal.
const LINE: Duration = Duration::from_secs(10);

/// The progress to show: none where it would be in the way.
pub fn progress(silent: bool) -> Box<dyn Progress> {
    if silent {
        return Box::new(NoProgress);
    }
    Box::new(Shown(Mutex::new(State {
        terminal: stderr().is_terminal(),
        step: String::new(),
        total: 0,
        done: 0,
        begun: Instant::now(),
        told: Instant::now(),
        drawn: false,
    })))
}

struct Shown(Mutex<State>);

struct State {
    terminal: bool,
    step: String,
    total: u64,
    done: u64,
    begun: Instant,
    told: Instant,
    drawn: bool,
}

impl Progress for Shown {
    fn step(&self, name: &str) {
        self.with(|state| {
            state.step = name.into();
            if state.terminal {
                state.draw();
            }
        });
    }

    fn total(&self, bytes: u64) {
        self.with(|state| {
            (state.total, state.done) = (bytes, 0);
            state.begun = Instant::now();
        });
    }

    fn advance(&self, bytes: u64) {
        self.with(|state| {
            state.done += bytes;
            let pause = if state.terminal { REDRAW } else { LINE };
            if state.told.elapsed() >= pause {
                state.draw();
            }
        });
    }
}

impl Shown {
    fn with(&self, f: impl FnOnce(&mut State)) {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl State {
    fn draw(&mut self) {
        self.told = Instant::now();
        let mut line = self.step.clone();
        if let Some(percent) = self.done.saturating_mul(100).checked_div(self.total) {
            line += &format!(
                ": {} of {} ({percent} %)",
                bytes(self.done),
                bytes(self.total)
            );
            let spent = self.begun.elapsed();
            if self.done > 0 && self.done < self.total && spent > Duration::from_secs(2) {
                let left = spent.mul_f64((self.total - self.done) as f64 / self.done as f64);
                line += &format!(", {} left", duration(left));
            }
        }
        // A stderr that cannot be written to stops nothing.
        let mut err = stderr().lock();
        let _ = if self.terminal {
            self.drawn = true;
            write!(err, "\r\x1b[K{line}").and_then(|()| err.flush())
        } else {
            writeln!(err, "{line}")
        };
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if self.drawn {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
