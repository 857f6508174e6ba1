//! What the vectors of the reference do not reach: limits, the shape of errors, sources that fail.
#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn empty_archive() {
    let mut zip = b"PK\x05\x06".to_vec();
    zip.resize(22, 0);
    let module = ModuleVersion::parse("example.com/a", "v1.0.0").unwrap();
    let facts = check(&module, &zip).unwrap();
    assert_eq!(
        facts.h1.to_string(),
        "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    );
}
