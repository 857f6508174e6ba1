//! Bundles in several volumes: however they are cut, they read as the one volume does.

#![allow(clippy::unwrap_used)]

use modferry_protocol::bundle::{CutError, MAX_VOLUMES, VolumePlan, cut};

use super::common::*;

/// The plan of a bundle in volumes of that size.
fn plan(parts: &Parts, limit: u64) -> Result<Vec<VolumePlan>, CutError> {
    let stored = parts.entries.iter().map(|(entry, _)| entry.stored);
    cut(front(parts), stored, Some(limit))
}

/// A bundle whose zips have from a few bytes to several blocks, and its pack two.
fn bundle() -> Parts {
    parts(&items_with_zips(&[1, 1400, 512, 513, 5000, 30, 2048]))
}

#[test]
fn every_cut_reads_as_the_whole() {
    let parts = bundle();
    let whole = volume(&parts);
    let carried = read(&whole).unwrap();
    let accepted = policy().accept(&parts.note).unwrap();
    let least = match plan(&parts, 0).unwrap_err() {
        CutError::TooSmall { least, .. } => least,
        other => panic!("{other}"),
    };
    // Front, `volume`, end, and a header with one block.
    assert_eq!(least, front(&parts) + 1024 + 1024 + 1024);
    assert!(plan(&parts, least - 1).is_err());
    let mut counts = Vec::new();
    for limit in least..=whole.len() as u64 + 1 {
        let plans = plan(&parts, limit).unwrap();
        if limit % 512 != 0 && limit != least + 1 {
            assert_eq!(plans, plan(&parts, limit - limit % 512).unwrap());
            continue;
        }
        let volumes = volumes(&parts, Some(limit));
        assert_eq!(volumes.len(), plans.len());
        for (volume, plan) in volumes.iter().zip(&plans) {
            assert_eq!(volume.len() as u64, plan.size, "planned to the byte");
            assert!(plan.size <= limit, "{plan:?} in {limit} bytes");
        }
        assert_eq!(read_volumes(&volumes, &accepted).unwrap(), carried);
        counts.push(volumes.len());
    }
    assert!(counts[0] > 20 && counts[0] <= MAX_VOLUMES as usize);
    assert_eq!(counts.last(), Some(&1));
    assert_eq!(volumes(&parts, Some(whole.len() as u64)), [whole]);
}
