//! What modferry's three commands have in common towards the person or the script that runs them.
//!
//! One contract, kept in one place so that the commands cannot drift apart:
//!
//! - a result goes to stdout, as text or, with `--json`, as one JSON object on one line;
//! - everything else goes to stderr: progress, logs, and a failure as what happened, why, and what to do
//!   next, or with `--json` as `{"error":{"exit":…,"message":…,"causes":[…],"details":[…],"advice":…}}`;
//! - the exit code says which kind of failure it was ([`Exit`]), the same in all commands;
//! - a configuration file is YAML, and a key that no one reads is an error with its line and column.
//!
//! [`wants`] is the file in which one of them tells another what is missing.

mod config;
mod failure;
mod logging;
mod memory;
mod path;
mod rate;
mod units;
pub mod wants;

pub use config::{ConfigError, MAX_CONFIG, load_config, parse_config};
pub use failure::{Exit, Failure, Fault, causes, in_one_line, print_json, printable, report};
pub use logging::init_tracing;
pub use memory::give_back_what_is_freed;
pub use path::folder_of;
pub use rate::{Rate, RateError};
pub use units::{ByteSize, UnitError, bytes, count, duration, parse_bytes};
