#![allow(clippy::unwrap_used)]
use std::cell::RefCell;
use std::collections::BTreeSet;

use super::super::{MemoryLog, record_hash, tiling};
use super::*;

const HEIGHTS: [u8; 3] = [1, 2, 8];

fn height(height: u8) -> Height {
    Height::new(height).unwrap()
}

fn text(id: u64) -> Vec<u8> {
    format!("record {id}\n").into_bytes()
}

fn log(size: u64) -> MemoryLog {
    let mut log = MemoryLog::new();
    for id in 0..size {
        log.push(&text(id));
    }
    log
}

/// Holds some of a log's tiles, one of which may be wrong, and counts how often each is read.
struct Held<'a> {
    log: &'a MemoryLog,
    tiles: BTreeSet<Tile>,
    /// A tile, and the byte of it that has a bit flipped.
    wrong: Option<(Tile, usize)>,
    reads: RefCell<Vec<Tile>>,
}

impl<'a> Held<'a> {
    fn new(log: &'a MemoryLog, tiles: BTreeSet<Tile>) -> Self {
        Self {
            log,
            tiles,
            wrong: None,
            reads: RefCell::default(),
        }
    }
}

impl TileSource for Held<'_> {
    type Error = Infallible;

    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, Infallible> {
        if !self.tiles.contains(tile) {
            return Ok(None);
        }
        self.reads.borrow_mut().push(*tile);
        let mut bytes = self.log.tile_bytes(tile).unwrap();
        if let Some((wrong, at)) = self.wrong
            && wrong == *tile
        {
            bytes[at] ^= 1 << (at % 8);
        }
        Ok(Some(bytes))
    }
}

#[test]
fn the_closure_proves_every_record_in_every_tree() {
    let log = log(100);
    for h in HEIGHTS {
        for size in 0..=100 {
            let head = log.head(size).unwrap();
            for id in 0..size {
                let held = Held::new(&log, tiling::closure(height(h), size, [id], &[]));
                let mut proofs = Authenticator::with_height(height(h), head, held).unwrap();
                assert_eq!(proofs.record(id, &record_hash(&text(id))), Ok(()));
                assert_eq!(proofs.proven().records, 1);
                let wrong = proofs.record(id, &record_hash(b"other"));
                assert_eq!(wrong, Err(ProofError::RecordMismatch { id }));
                assert_eq!(proofs.proven().records, 1);
                let reads = proofs.source().reads.borrow();
                assert_eq!(
                    reads.len(),
                    proofs.source().tiles.len(),
                    "each tile is read once"
                );
                assert_eq!(proofs.proven().tiles, reads.len() as u64);
            }
        }
    }
}

#[test]
fn the_closure_proves_every_older_tree_in_every_newer() {
    let log = log(100);
    for h in HEIGHTS {
        for size in 0..=100 {
            let newer = log.head(size).unwrap();
            for older in 0..=size {
                let held = Held::new(&log, tiling::closure(height(h), size, [], &[older]));
                let mut proofs = Authenticator::with_height(height(h), newer, held).unwrap();
                let older = log.head(older).unwrap();
                assert_eq!(proofs.older(older), Ok(()));
                assert_eq!(proofs.proven().older, 1);
                let mut forked = older;
                forked.hash.0[31] ^= 1;
                let found = older.hash;
                let fork = ProofError::Fork {
                    older: forked,
                    newer,
                    found,
                };
                assert_eq!(proofs.older(forked), Err(fork));
                assert_eq!(proofs.proven().older, 1);
            }
        }
    }
}

#[test]
fn every_tile_of_the_closure_is_proven_and_given_out_at_any_width() {
    let log = log(100);
    for h in HEIGHTS {
        for size in 1..=100 {
            let all = tiling::closure(height(h), size, 0..size, &[]);
            let head = log.head(size).unwrap();
            let mut proofs =
                Authenticator::with_height(height(h), head, Held::new(&log, all.clone())).unwrap();
            for tile in &all {
                for width in [1, tile.width().div_ceil(2), tile.width()] {
                    let narrow = tile.with_width(width).unwrap();
                    let bytes = proofs.tile(&narrow).unwrap();
                    assert_eq!(&*bytes, log.tile_bytes(&narrow).unwrap());
                }
                if let Some(wider) = tile.with_width(tile.width() + 1) {
                    assert!(matches!(
                        proofs.tile(&wider),
                        Err(ProofError::BeyondTree { .. })
                    ));
                }
            }
            assert_eq!(
                proofs.proven().tiles,
                all.len() as u64,
                "each is proven once"
            );
        }
    }
}

#[test]
fn without_any_one_tile_the_proof_names_it() {
    let log = log(70);
    for size in 1..=70 {
        let head = log.head(size).unwrap();
        for id in [0, size / 2, size - 1] {
            for older in [0, size / 3, size / 2] {
                let closure = tiling::closure(height(2), size, [id], &[older]);
                for tile in &closure {
                    let mut held = Held::new(&log, closure.clone());
                    held.tiles.remove(tile);
                    let result =
                        Authenticator::with_height(height(2), head, held).and_then(|mut proofs| {
                            proofs.record(id, &record_hash(&text(id)))?;
                            proofs.older(log.head(older).unwrap())
                        });
                    assert_eq!(result, Err(ProofError::Missing { tile: *tile }));
                }
            }
        }
    }
}

/// Proves every tile of a tree with one of them wrong in one byte: it must be found, and by its name unless it is
/// in the edge.
fn assert_found(log: &MemoryLog, all: &BTreeSet<Tile>, size: u64, wrong: Tile, at: usize) {
    let mut held = Held::new(log, all.clone());
    held.wrong = Some((wrong, at));
    let head = log.head(size).unwrap();
    match Authenticator::with_height(height(wrong.height()), head, held) {
        Err(error) => {
            assert!(!wrong.is_full(), "{wrong} is not in the edge");
            assert_eq!(error, ProofError::Edge { head });
        }
        Ok(mut proofs) => {
            let found = ProofError::TileMismatch { tile: wrong };
            assert_eq!(
                proofs.tile(&wrong),
                Err(found.clone()),
                "byte {at} of {wrong}"
            );
            // It is not remembered as proven either, and what does not hang on it is.
            assert_eq!(proofs.tile(&wrong), Err(found));
            let hangs = |tile: &Tile| tile.level() < wrong.level() || *tile == wrong;
            for tile in all.iter().filter(|tile| at == 0 && !hangs(tile)) {
                assert!(proofs.tile(tile).is_ok());
            }
        }
    }
}

#[test]
fn every_flipped_byte_of_a_tile_is_found() {
    let log = log(300);
    for (h, sizes) in [(1, [7, 21, 64]), (2, [16, 45, 64]), (8, [100, 256, 300])] {
        for size in sizes {
            let all = tiling::closure(height(h), size, 0..size, &[]);
            for tile in &all {
                // All bytes of small tiles; of large ones, every hash, and every place in a hash in turn.
                let step = if h == 8 { 33 } else { 1 };
                for at in (0..tile.size()).step_by(step) {
                    assert_found(&log, &all, size, *tile, at);
                }
            }
        }
    }
}

#[test]
fn a_tree_head_that_is_not_the_logs_is_refused() {
    let log = log(300);
    let mut head = log.head(300).unwrap();
    head.hash.0[0] ^= 0x80;
    assert_eq!(
        Authenticator::new(head, &log).err(),
        Some(ProofError::Edge { head })
    );
    let empty = TreeHead {
        size: 0,
        hash: head.hash,
    };
    assert_eq!(
        Authenticator::new(empty, &log).err(),
        Some(ProofError::Edge { head: empty })
    );
    assert!(Authenticator::new(log.head(0).unwrap(), &log).is_ok());
    let large = TreeHead {
        size: MAX_TREE_SIZE + 1,
        hash: head.hash,
    };
    let error = Authenticator::new(large, &log).err();
    assert!(matches!(error, Some(ProofError::BeyondTree { .. })));
    let missing = TreeHead {
        size: MAX_TREE_SIZE,
        hash: head.hash,
    };
    let error = Authenticator::new(missing, &log).err();
    assert!(matches!(error, Some(ProofError::Missing { .. })));
}

#[test]
fn what_is_outside_the_tree_is_an_error() {
    let log = log(300);
    let mut proofs = Authenticator::new(log.head(290).unwrap(), &log).unwrap();
    let beyond = |result: Result<(), _>| {
        assert!(
            matches!(result, Err(ProofError::BeyondTree { .. })),
            "{result:?}"
        );
    };
    for id in [290, u64::MAX] {
        beyond(proofs.record(id, &Hash::EMPTY_TREE));
    }
    beyond(proofs.older(log.head(291).unwrap()));
    beyond(proofs.older(TreeHead {
        size: u64::MAX,
        hash: Hash::EMPTY_TREE,
    }));
    for path in [
        "tile/8/0/002.p/1",
        "tile/8/0/001",
        "tile/8/63/000",
        "tile/8/63/x999/999",
    ] {
        beyond(proofs.tile(&Tile::parse(path).unwrap()).map(|_| ()));
    }
    for path in ["tile/2/0/000", "tile/8/data/000"] {
        let result = proofs.tile(&Tile::parse(path).unwrap());
        assert!(matches!(result, Err(ProofError::Unprovable { .. })));
    }
    let proven = Proven {
        tiles: 2,
        records: 0,
        older: 0,
    };
    assert_eq!(proofs.proven(), proven, "only the edge has been proven");
}

/// Gives tiles one byte too short, one too long, or not at all.
struct Odd(isize);

impl TileSource for Odd {
    type Error = &'static str;

    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, &'static str> {
        match self.0 {
            0 => Err("disk"),
            by => Ok(Some(vec![0; tile.size().checked_add_signed(by).unwrap()])),
        }
    }
}

#[test]
fn what_the_source_does_wrong_is_said() {
    let head = log(300).head(300).unwrap();
    let tile = Tile::parse("tile/8/0/001.p/44").unwrap();
    assert_eq!(
        Authenticator::new(head, Odd(0)).err(),
        Some(ProofError::Source("disk"))
    );
    for (by, found) in [(-1, 44 * 32 - 1), (1, 44 * 32 + 1), (-(44 * 32), 0)] {
        let error = Authenticator::new(head, Odd(by)).err();
        assert_eq!(error, Some(ProofError::Length { tile, found }));
    }
}

#[test]
fn memory_is_bounded_and_what_left_the_cache_is_proven_again() {
    let tiles = CACHE_BYTES / Height::GO.full_width() as usize / HASH_SIZE;
    // At height 1 a tile is 64 bytes, so a small cache of the same kind shows the turnover.
    let log = log(512);
    let mut proofs = Authenticator::with_height(height(1), log.head(512).unwrap(), &log).unwrap();
    proofs.cache = Cache::new(4);
    for round in 1..=2 {
        for id in 0..512 {
            assert_eq!(proofs.record(id, &record_hash(&text(id))), Ok(()));
            assert!(proofs.cache.len() <= 4);
        }
        assert_eq!(proofs.proven().records, 512 * round);
    }
    assert!(
        proofs.proven().tiles > 511 + 256,
        "the second round read tiles again"
    );
    assert_eq!(tiles, 2048, "16 MiB of tiles");
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let tile = Tile::parse("tile/8/0/x001/234.p/5").unwrap();
    let missing: ProofError = ProofError::Missing { tile };
    assert_eq!(
        missing.to_string(),
        "tile/8/0/x001/234.p/5 is not there: the proof needs it"
    );
    let source = ProofError::Source(std::io::Error::other("disk"));
    assert_eq!(source.to_string(), "the tiles cannot be read");
    let cause = std::error::Error::source(&source).unwrap();
    assert_eq!(cause.to_string(), "disk");
}
