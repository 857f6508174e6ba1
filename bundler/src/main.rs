//! modferry-bundler: the connected side's command.

use std::process::ExitCode;

fn main() -> ExitCode {
    modferry_cli::give_back_what_is_freed();
    modferry_bundler::command::main()
}
