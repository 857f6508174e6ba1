//! Is there room for what a manifest says is coming? Asked before anything is written.

use super::ImportError;
use super::bundle::unreadable;
use crate::store;
use modferry_checker::{IN_FLIGHT, SPOOL_ABOVE, streams_room};
use modferry_protocol::bundle::Manifest;
use modferry_protocol::zip::MAX_ZIP_FILE;
use std::path::Path;

/// Bytes that stay free beside what a bundle needs: RocksDB's logs, the ledger, compaction of small things.
pub const RESERVE: u64 = 64 << 20;

/// Bytes on disk, more than less, that small things take each: they lie in the scratch database first
/// and then in the store's files.
const TILE: u64 = 2 * 8400;
const RECORD: u64 = 2 * 500;
const INFO: u64 = 2 * 400;

/// The same for a go.mod file, where packed zips hide in the carried bytes what small things take.
const MOD: u64 = 2 * 4000;

/// The same for a base, of which the places of its entries are kept while zips are put together.
const BASE: u64 = 32 << 10;

/// The most bytes of zips' temporary copies at a time: a zip above [`SPOOL_ABOVE`] lies in the staging folder once
/// more while it is checked, and so many of them are in flight together.
const COPIES: u64 = IN_FLIGHT / SPOOL_ABOVE * MAX_ZIP_FILE;

/// The same for each byte of a vulnerability database: as it is and compressed, in both places. What a report says may be such that gzip
/// gains nothing.
const VULNDB: u64 = 4;

/// How many bytes the import of a bundle needs on the store's disk, reserve included. Zips are written once,
/// large ones of them twice for a while, small things twice; packs are compressed, and go.mod files by about a quarter.
/// The deflate streams of packed zips lie in temporary files until the last zip is put together.
pub fn needed(manifest: &Manifest) -> u64 {
    let totals = &manifest.totals;
    // Files travel as they are, and are written once.
    let carried = totals.carried_bytes.saturating_sub(totals.file_bytes);
    let zips = carried.max(totals.zip_bytes);
    let packs = carried.saturating_sub(totals.zip_bytes);
    let copies = match totals.zip_bytes {
        0..=SPOOL_ABOVE => 0,
        more => more.min(COPIES),
    };
    let mods = match totals.contents {
        0 => 0,
        _ => totals.mods.saturating_mul(MOD),
    };
    let vulndb = match &manifest.vulndb {
        Some(vulndb) if vulndb.carried => vulndb.snapshot.bytes,
        _ => 0,
    };
    [
        totals.file_bytes,
        zips,
        copies,
        streams_room(&manifest.deflated),
        mods,
        manifest.bases.saturating_mul(BASE),
        packs.saturating_mul(2 * 4),
        totals.tiles.saturating_mul(TILE),
        totals.records.saturating_mul(RECORD),
        totals.infos.saturating_mul(INFO),
        vulndb.saturating_mul(VULNDB),
        manifest.index.size,
        RESERVE,
    ]
    .into_iter()
    .fold(0, u64::saturating_add)
}

pub(super) fn check(folder: &Path, bundle: &str, manifest: &Manifest) -> Result<(), ImportError> {
    let have = store::room(folder).map_err(unreadable(folder))?;
    enough(have, needed(manifest)).map_err(|need| ImportError::NoRoom {
        bundle: bundle.into(),
        store: folder.into(),
        need,
        have,
    })
}

/// Is there room for copies of volumes that have so many bytes?
pub(super) fn for_copies(
    folder: &Path,
    manifest: &Manifest,
    bytes: u64,
) -> Result<(), ImportError> {
    let have = store::room(folder).map_err(unreadable(folder))?;
    enough(have, bytes.saturating_add(RESERVE)).map_err(|need| ImportError::NoRoom {
        bundle: format!("staging volumes of {}", manifest.file_name()),
        store: folder.into(),
        need,
        have,
    })
}

fn enough(have: u64, need: u64) -> Result<(), u64> {
    if have < need { Err(need) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn exactly_enough_is_enough() {
        assert_eq!(super::enough(100, 100), Ok(()));
        assert_eq!(super::enough(99, 100), Err(100));
    }
}
