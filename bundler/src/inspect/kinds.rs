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

/// Behind the kinds of items come zips that travel as they are, and what is around everything.
const ZIPS: usize = Item::KINDS;
const FRAMING: usize = ZIPS + 1;
const ALL: usize = FRAMING + 1;

/// [`Item::kind`] of tiles.
const TILES: usize = 8;

const NAMES: [&str; ALL] = [
    "lists of needs",
    "lists of bases",
    "lists of tombstones",
    "needed files",
    "files taken back",
    "trust notes",
    "tree heads",
    "records",
    "tiles",
    "pins of private modules",
    "infos",
    "go.mod files",
    "answers to queries",
    "pieces of a vulnerability database",
    "frames of contents",
    "zips as recipes",
    "opaque files",
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

fn count(kinds: &mut [Kind; ALL], entry: &Entry) {
    let mut sizes = [0; ALL];
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

/// Kinds of items in their order, which ends with zips: as recipes or as they are.
fn of(item: &Item, encoding: Encoding) -> usize {
    match item {
        Item::Zip(_) if encoding != Encoding::Recipes => ZIPS,
        item => item.kind(),
    }
}

/// What each kind takes of an entry, by the bytes that it is restored to. All of it is shared out.
fn shares(stored: u64, sizes: &[u64; ALL]) -> [u64; ALL] {
    let mut shares = [0; ALL];
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
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_protocol::bundle::Query;

    const RECORDS: usize = 7;

    #[test]
    fn kinds_are_called_what_they_are() {
        let db = || modferry_protocol::sumdb::DbName::new("sum.test").unwrap();
        let module = || "example.com/a@v1.0.0".parse().unwrap();
        let tile = modferry_protocol::sumdb::Tile::new(8, 0, 0, 1).unwrap();
        let path = "example.com/a".parse().unwrap();
        let query = Query::new(path, "main".parse().unwrap()).unwrap();
        for (item, encoding, name) in [
            (Item::Needs(1), Encoding::Zstd, "lists of needs"),
            (Item::Bases(1), Encoding::Zstd, "lists of bases"),
            (Item::Tombstones(1), Encoding::Zstd, "lists of tombstones"),
            (
                Item::NeededFile("a".parse().unwrap()),
                Encoding::Zstd,
                "needed files",
            ),
            (
                Item::GoneFile("a".parse().unwrap()),
                Encoding::Zstd,
                "files taken back",
            ),
            (Item::Trust(1), Encoding::Zstd, "trust notes"),
            (Item::Head(db()), Encoding::Zstd, "tree heads"),
            (Item::Record(db(), module()), Encoding::Zstd, "records"),
            (Item::Tile(db(), tile), Encoding::Zstd, "tiles"),
            (
                Item::Pin(module()),
                Encoding::Zstd,
                "pins of private modules",
            ),
            (Item::Info(module()), Encoding::Zstd, "infos"),
            (Item::Mod(module()), Encoding::Zstd, "go.mod files"),
            (Item::Query(query), Encoding::Zstd, "answers to queries"),
            (
                Item::Vulndb(1),
                Encoding::Zstd,
                "pieces of a vulnerability database",
            ),
            (Item::Contents(1), Encoding::Contents, "frames of contents"),
            (Item::Zip(module()), Encoding::Recipes, "zips as recipes"),
            (
                Item::File("a".parse().unwrap()),
                Encoding::Raw,
                "opaque files",
            ),
            (Item::Zip(module()), Encoding::Raw, "zips as they are"),
        ] {
            assert_eq!(NAMES[of(&item, encoding)], name);
        }
        assert_eq!(NAMES[TILES], "tiles");
        assert_eq!(NAMES[RECORDS], "records");
    }

    #[test]
    fn all_of_an_entry_is_shared_out() {
        let mut sizes = [0; ALL];
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
        assert_eq!(shares(9, &[0; ALL]), [0; ALL]);
    }
}
