//! modferry-bundler: the connected side's command.

fn main() {}
