//! (header)
fn main() {}
