//! The server's log, on stderr: as the other commands' (modferry_cli), but for what a server needs beside.
//!
//! - The access log is collected and written in blocks, at least each [`FLUSH_EVERY`]: one system call for each
//!   request would cost about as much as answering it. Everything else is written at once, behind what was
//!   collected, so that the order stays. At a kill -9 the access log of the last moment is lost, and nothing else.
//! - What the HTTP engine and TLS say about a client's broken requests is left out: any client could fill the disk
//!   with it. RUST_LOG brings it back.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::Metadata;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How long the access log may be behind.
pub const FLUSH_EVERY: Duration = Duration::from_millis(200);

/// How much of the access log is collected, in bytes.
const BLOCK: usize = 32 << 10;

/// The target of the access log's events.
pub const ACCESS: &str = "access";

/// Starts logging: from `info` up, with `quiet` from `warn` up; RUST_LOG overrides both. `json` writes one object a
/// line. What is returned writes the rest of the access log when it is dropped.
#[must_use]
pub fn init(json: bool, quiet: bool) -> Flush {
    let level = if quiet { "warn" } else { "info" };
    let filter = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = if filter.is_empty() {
        EnvFilter::new(format!(
            "{level},actix_server=warn,actix_http=off,rustls=error"
        ))
    } else {
        EnvFilter::builder().parse_lossy(filter)
    };
    let log = Log::default();
    let colours = io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(log.clone())
        .with_ansi(colours);
    // The only failure is that something set up logging before; that then stays.
    let _ = if json {
        logs.json().flatten_event(true).try_init()
    } else {
        logs.try_init()
    };
    // Without the thread the access log comes in blocks only: no reason not to serve.
    let _ = std::thread::Builder::new().name("log".into()).spawn({
        let log = log.clone();
        move || {
            loop {
                std::thread::sleep(FLUSH_EVERY);
                log.flush();
            }
        }
    });
    Flush(log)
}

/// Writes the rest of the access log when it is dropped.
pub struct Flush(Log);

impl Drop for Flush {
    fn drop(&mut self) {
        self.0.flush();
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush(&self) {
        write_out(&mut self.lock());
    }
}

/// A stderr that cannot be written to changes nothing for those who are served.
fn write_out(collected: &mut Vec<u8>) {
    if !collected.is_empty() {
        let _ = io::stderr().lock().write_all(collected);
        collected.clear();
    }
}

/// Takes one event.
struct Line<'a> {
    collected: MutexGuard<'a, Vec<u8>>,
    at_once: bool,
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            collected: self.lock(),
            at_once: true,
        }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        Line {
            collected: self.lock(),
            at_once: meta.target() != ACCESS,
        }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.collected.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if self.at_once || self.collected.len() >= BLOCK {
            write_out(&mut self.collected);
        }
    }
}
