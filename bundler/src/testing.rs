//! What unit tests of several modules start from.

#![allow(clippy::unwrap_used)]

use modferry_protocol::bundle::{
    Basis, DeflatedTotals, Digest, Manifest, Sequence, StreamName, Totals,
};

/// The manifest of a bundle that has nothing in it.
pub(crate) fn manifest(stream: &str, sequence: u64) -> Manifest {
    Manifest {
        stream: StreamName::new(stream).unwrap(),
        sequence: Sequence::new(sequence).unwrap(),
        created: "2026-11-21T09:00:00Z".into(),
        basis: Basis::None,
        needs: 0,
        bases: 0,
        tombstones: 0,
        heads: Vec::new(),
        vulndb: None,
        totals: Totals::default(),
        deflated: DeflatedTotals::default(),
        index: Digest {
            size: 18,
            sha256: [0; 32],
        },
        missing: Vec::new(),
    }
}
