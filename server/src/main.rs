//! `modferry-server`: reads its settings and runs; a failure is told and becomes the exit code.

use std::process::ExitCode;

use clap::Parser as _;
use modferry_cli::report;
use modferry_server::config::{Args, Config};
use modferry_server::logging;
use modferry_server::run::run;

const PROGRAM: &str = "modferry-server";

fn main() -> ExitCode {
    let args = Args::parse();
    let config = match Config::load(&args) {
        Ok(config) => config,
        Err(error) => return report(PROGRAM, args.json, &error),
    };
    let _log = logging::init(args.json, args.quiet);
    match run(&config, args.json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(PROGRAM, args.json, &error),
    }
}
