//! modferry-bundler: the connected side's command.

use std::process::ExitCode;

fn main() -> ExitCode {
    modferry_bundler::command::main()
}
