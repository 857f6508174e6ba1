//! Where a bundle's bytes went, by kind: how many of each there are, what they take, and what they are restored to.
//!
//! It is counted from the index. Small things of several kinds are in one pack, and what each takes of it nobody can say;
//! tiles are hashes, which do not shrink, so they count in full, and the others share the rest by their size.

use modferry_protocol::bundle::{Encoding, Entry, Item};
use serde::Serialize;

use crate::bundle::Bundle;
use crate::error::Error;

/// What a bundle has of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kind {
    /// What it is.
    pub kind: &'static str,
    /// How many there are.
    pub count: u64,
    /// Bytes that they take in the bundle.
    pub carried_bytes: u64,
    /// Bytes that they are restored to: of contents, files' contents; of recipes, zips.
    pub restored_bytes: u64,
}

const RECORDS: usize = 5;
const TILES: usize = 6;
const CONTENTS: usize = 9;
const RECIPES: usize = 10;
const ZIPS: usize = 11;
const FRAMING: usize = 12;

const NAMES: [&str; 13] = [
    "lists of needs",
    "lists of bases",
    "lists of tombstones",
    "trust notes",
    "tree heads",
    "records",
    "tiles",
    "infos",
    "go.mod files",
    "frames of contents",
    "zips as recipes",
    "zips as they are",
    "manifest, index and tar headers",
];

/// What this bundle has of each kind, in their order; of those, and only those, that it has.
pub fn kinds(bundle: &Bundle) -> Result<Vec<Kind>, Error> {
    let mut kinds = NAMES.map(|kind| Kind {
        kind,
        count: 0,
        carried_bytes: 0,
        restored_bytes: 0,
    });
    let mut stored = 0;
    for entry in bundle.index.entries() {
        let entry = entry?;
        stored += entry.stored;
        count(&mut kinds, &entry);
    }
    // What is around the entries is known where all volumes are.
    if bundle.missing().is_empty() {
        let files: u64 = bundle.volumes.iter().map(|front| front.bytes).sum();
        let framing = &mut kinds[FRAMING];
        framing.count = bundle.volumes.len() as u64;
        framing.carried_bytes = files.saturating_sub(stored);
    }
    Ok(kinds.into_iter().filter(|kind| kind.count > 0).collect())
}

fn count(kinds: &mut [Kind; 13], entry: &Entry) {
    let mut sizes = [0; 13];
    for (item, size) in &entry.items {
        let kind = of(item, entry.encoding);
        kinds[kind].count += 1;
        kinds[kind].restored_bytes += size;
        sizes[kind] += size;
    }
    for (kind, share) in kinds.iter_mut().zip(shares(entry.stored, &sizes)) {
        kind.carried_bytes += share;
    }
}

fn of(item: &Item, encoding: Encoding) -> usize {
    match item {
        Item::Needs(_) => 0,
        Item::Bases(_) => 1,
        Item::Tombstones(_) => 2,
        Item::Trust(_) => 3,
        Item::Head(_) => 4,
        Item::Record(..) => RECORDS,
        Item::Tile(..) => TILES,
        Item::Info(_) => RECORDS + 2,
        Item::Mod(_) => RECORDS + 3,
        Item::Contents(_) => CONTENTS,
        Item::Zip(_) if encoding == Encoding::Recipes => RECIPES,
        Item::Zip(_) => ZIPS,
    }
}

/// What each kind takes of an entry, by the bytes that it is restored to. All of it is shared out.
fn shares(stored: u64, sizes: &[u64; 13]) -> [u64; 13] {
    let mut shares = [0; 13];
    let mut others: u64 = sizes.iter().sum();
    let mut left = stored;
    if sizes[TILES] > 0 {
        others -= sizes[TILES];
        shares[TILES] = match others {
            0 => stored,
            _ => sizes[TILES].min(stored),
        };
        left -= shares[TILES];
    }
    for (kind, size) in sizes.iter().enumerate() {
        if kind != TILES && *size > 0 {
            // The last takes what is left, so nothing is lost to rounding.
            let share = u128::from(left) * u128::from(*size) / u128::from(others);
            shares[kind] = share as u64;
            left -= share as u64;
            others -= size;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_an_entry_is_shared_out() {
        let mut sizes = [0; 13];
        sizes[TILES] = 8192;
        assert_eq!(shares(8200, &sizes)[TILES], 8200);
        sizes[RECORDS] = 300;
        sizes[RECORDS + 3] = 700;
        let shared = shares(8695, &sizes);
        assert_eq!(
            (shared[RECORDS], shared[TILES], shared[RECORDS + 3]),
            (150, 8192, 353)
        );
        for stored in [0, 1, 2, 8191, 8193, 1 << 40] {
            let shared = shares(stored, &sizes);
            assert_eq!(shared.iter().sum::<u64>(), stored);
        }
        // An item of no bytes takes none.
        assert_eq!(shares(9, &[0; 13]), [0; 13]);
    }
}
