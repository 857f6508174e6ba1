//! Logs: through tracing, to stderr, so that stdout stays the command's result alone.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging to stderr: from `info` up, with `quiet` from `warn` up; `RUST_LOG` overrides both.
///
/// `json` writes one JSON object a line. Colours only on a terminal, and not where `NO_COLOR` is set.
/// A second call changes nothing.
pub fn init_tracing(json: bool, quiet: bool) {
    let level = if quiet {
        LevelFilter::WARN
    } else {
        LevelFilter::INFO
    };
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .from_env_lossy();
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colours);
    // The only failure is that something set up logging before; that then stays.
    let _ = if json {
        logs.json().flatten_event(true).try_init()
    } else {
        logs.try_init()
    };
}
