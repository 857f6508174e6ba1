//! What is written is read back, byte for byte, and always written the same.

#![allow(clippy::unwrap_used)]

use super::common::*;

#[test]
fn a_volume_gives_back_what_went_in() {
    let parts = parts(&items());
    assert_eq!(read(&volume(&parts)).unwrap(), items());
}
