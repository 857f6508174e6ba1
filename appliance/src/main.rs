//! The command of the isolated side. It reads its arguments, calls the library, and says what came of it.

mod args;
mod commands;
mod progress;

use args::{Args, Command};
use clap::Parser;
use modferry_cli::{Failure, give_back_what_is_freed, init_tracing, report};
use std::process::ExitCode;

/// What commands fail with.
type Failed = Box<dyn Failure>;

fn main() -> ExitCode {
    give_back_what_is_freed();
    let args = Args::parse();
    init_tracing(args.json, args.quiet);
    match run(&args) {
        Ok(code) => code,
        Err(error) => report("modferry-appliance", args.json, &*error),
    }
}

fn run(args: &Args) -> Result<ExitCode, Failed> {
    let store = &args.store()?;
    match &args.command {
        Command::Trust { action } => commands::trust(args, store, action),
        Command::Import(import) => return commands::import(args, store, import),
        Command::Verify { paths, fingerprint } => {
            commands::verify(args, store, paths, *fingerprint)
        }
        Command::Diff { a, b } => commands::diff(args, store, a, b.as_deref()),
        Command::Evidence { action } => commands::evidence(args, store, action),
        Command::Status { ledger } => commands::status(args, store, *ledger),
        Command::Fsck(fsck) => commands::fsck(args, store, fsck),
        Command::Gc(gc) => commands::gc(args, store, gc),
        Command::Receipt { out, name } => {
            commands::receipt(args, store, out.as_deref(), name.as_deref())
        }
        Command::Wants(wants) => commands::wants(args, store, &args.wants(wants)?, wants),
        Command::List { prefixes, all } => commands::list(args, store, prefixes, *all),
    }?;
    Ok(ExitCode::SUCCESS)
}
