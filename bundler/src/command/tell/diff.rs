//! Differences as they are found, one a line, and what they come to.

use std::io::{self, Write};
use std::path::Path;

use super::say;
use crate::command::flags::Cli;
use crate::command::stdout;
use crate::error::Error;

/// `diff`; with `--quiet`, only what it comes to.
pub fn diff(a: &Path, b: &Path, cli: &Cli) -> Result<(), Error> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let summary = crate::diff::diff(a, b, &mut |difference| match (cli.quiet, cli.json) {
        (true, _) => Ok(()),
        (false, true) => {
            serde_json::to_writer(&mut out, difference)?;
            writeln!(out)
        }
        (false, false) => writeln!(out, "{difference}"),
    })?;
    out.flush().map_err(stdout)?;
    drop(out);
    match cli.json {
        true => modferry_cli::print_json(&summary).map_err(stdout),
        false => say(&format!("{summary}\n")),
    }
}
