#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::super::{MemoryLog, record_hash};
use super::*;

const LEAVES: u64 = 100;

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

/// RFC 6962, section 2.1, as it is written there: by splitting the list, without stored nodes.
fn merkle_tree_hash(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_TREE,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&merkle_tree_hash(left), &merkle_tree_hash(right))
        }
    }
}

fn reader(log: &MemoryLog) -> impl FnMut(&[u64]) -> Result<Vec<Hash>, ()> {
    |indexes| log.read(indexes).ok_or(())
}

#[test]
fn tree_hashes_are_rfc_6962s() {
    let log = log(LEAVES);
    let leaves: Vec<Hash> = (0..LEAVES).map(|id| record_hash(&text(id))).collect();
    for size in 0..=LEAVES {
        let want = merkle_tree_hash(&leaves[..size as usize]);
        assert_eq!(tree_hash(size, reader(&log)), Ok(want), "{size}");
    }
}

/// All ways in which a proof can be a little wrong.
fn spoiled(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut bad = vec![[proof, &[Hash::EMPTY_TREE]].concat()];
    bad.push([&[Hash::EMPTY_TREE], proof].concat());
    for at in 0..proof.len() {
        let mut changed = proof.to_vec();
        changed[at].0[at % 32] ^= 1;
        bad.push(changed);
        let mut shorter = proof.to_vec();
        shorter.remove(at);
        bad.push(shorter);
    }
    bad
}

#[test]
fn every_record_is_proven_in_every_tree_and_nothing_else_is() {
    let log = log(LEAVES);
    for size in 0..=LEAVES {
        let root = log.head(size).unwrap().hash;
        for n in 0..size {
            let record = record_hash(&text(n));
            let proof = prove_record(size, n, reader(&log)).unwrap();
            assert_eq!(check_record(&proof, size, &root, n, &record), Ok(()));
            for bad in spoiled(&proof) {
                assert_eq!(check_record(&bad, size, &root, n, &record), Err(BadProof));
            }
            let other = record_hash(&text(n + 1));
            assert_eq!(check_record(&proof, size, &root, n, &other), Err(BadProof));
            assert_eq!(
                check_record(&proof, size, &other, n, &record),
                Err(BadProof)
            );
        }
        let range = TlogError::Range { size, asked: size };
        assert_eq!(prove_record(size, size, reader(&log)), Err(range));
        assert_eq!(check_record(&[], size, &root, size, &root), Err(BadProof));
    }
}

#[test]
fn every_older_tree_is_proven_in_every_newer_and_nothing_else_is() {
    let log = log(LEAVES);
    for size in 1..=LEAVES {
        let root = log.head(size).unwrap().hash;
        for older in 1..=size {
            let old = log.head(older).unwrap().hash;
            let proof = prove_tree(size, older, reader(&log)).unwrap();
            assert_eq!(check_tree(&proof, size, &root, older, &old), Ok(()));
            for bad in spoiled(&proof) {
                assert_eq!(check_tree(&bad, size, &root, older, &old), Err(BadProof));
            }
            let other = record_hash(b"other");
            assert_eq!(
                check_tree(&proof, size, &root, older, &other),
                Err(BadProof)
            );
            assert_eq!(check_tree(&proof, size, &other, older, &old), Err(BadProof));
        }
        for older in [0, size + 1] {
            let range = TlogError::Range { size, asked: older };
            assert_eq!(prove_tree(size, older, reader(&log)), Err(range));
            assert_eq!(check_tree(&[], size, &root, older, &root), Err(BadProof));
        }
    }
}

#[test]
fn stored_indexes_number_the_nodes_as_a_growing_log_completes_them() {
    let mut index = 0;
    for n in 0..1000u64 {
        for level in 0..=(n + 1).trailing_zeros() as u8 {
            let place = n >> level;
            assert_eq!(stored_hash_index(level, place), Some(index));
            assert_eq!(split_stored_hash_index(index), Some((level, place)));
            index += 1;
        }
        assert_eq!(stored_hash_count(n + 1), Some(index));
    }
}

#[test]
fn the_largest_tree_has_a_limit() {
    assert_eq!(stored_hash_count(MAX_TREE_SIZE), Some(i64::MAX as u64));
    assert_eq!(stored_hash_count(MAX_TREE_SIZE + 1), None);
    assert_eq!(stored_hash_index(62, 0), Some(i64::MAX as u64 - 1));
    assert_eq!(split_stored_hash_index(i64::MAX as u64 - 1), Some((62, 0)));
    assert_eq!(split_stored_hash_index(i64::MAX as u64), None);
    assert_eq!(stored_hash_index(62, 1), None);
    assert_eq!(stored_hash_index(63, 0), None);
    assert_eq!(stored_hash_index(255, u64::MAX), None);
    assert!(stored_hash_index(0, MAX_TREE_SIZE - 1).is_some());
    assert_eq!(stored_hash_index(0, MAX_TREE_SIZE), None);
    assert_eq!(sub_tree_index(MAX_TREE_SIZE).map(|all| all.len()), Some(1));
    assert_eq!(
        sub_tree_index(MAX_TREE_SIZE - 1).map(|all| all.len()),
        Some(62)
    );
    assert_eq!(sub_tree_index(MAX_TREE_SIZE + 1), None);
    let any = |indexes: &[u64]| Ok::<_, ()>(vec![Hash::EMPTY_TREE; indexes.len()]);
    assert!(tree_hash(MAX_TREE_SIZE, any).is_ok());
    assert!(tree_hash(MAX_TREE_SIZE + 1, any).is_err());
    assert_eq!(prove_record(MAX_TREE_SIZE, 0, any).unwrap().len(), 62);
    assert!(prove_record(MAX_TREE_SIZE + 1, 0, any).is_err());
    assert_eq!(prove_tree(MAX_TREE_SIZE, 1, any).unwrap().len(), 62);
    assert!(prove_tree(MAX_TREE_SIZE + 1, 1, any).is_err());
    assert_eq!(
        stored_hashes(MAX_TREE_SIZE - 1, Hash::EMPTY_TREE, any)
            .unwrap()
            .len(),
        63
    );
    assert!(stored_hashes(MAX_TREE_SIZE, Hash::EMPTY_TREE, any).is_err());
    let root = Hash::EMPTY_TREE;
    assert_eq!(
        check_record(&[], MAX_TREE_SIZE + 1, &root, 0, &root),
        Err(BadProof)
    );
    assert_eq!(
        check_tree(&[], MAX_TREE_SIZE + 1, &root, 1, &root),
        Err(BadProof)
    );
}

#[test]
fn a_reader_that_fails_or_miscounts_is_an_error() {
    let fails = |_: &[u64]| Err("disk");
    assert_eq!(tree_hash(5, fails), Err(TlogError::Reader("disk")));
    assert_eq!(
        stored_hashes(5, Hash::EMPTY_TREE, fails),
        Err(TlogError::Reader("disk"))
    );
    let few = |_: &[u64]| Ok::<_, ()>(vec![Hash::EMPTY_TREE]);
    let count = |asked| Err(TlogError::Count { asked, got: 1 });
    assert_eq!(tree_hash(5, few), count(2).map(|()| Hash::EMPTY_TREE));
    assert_eq!(prove_record(5, 0, few), count(3).map(|()| vec![]));
    assert_eq!(
        stored_hashes(3, Hash::EMPTY_TREE, few),
        count(2).map(|()| vec![])
    );
    // Nothing to read, nothing read.
    assert_eq!(tree_hash(0, fails), Ok(Hash::EMPTY_TREE));
    assert_eq!(prove_record(1, 0, fails), Ok(vec![]));
    assert_eq!(prove_tree(4, 4, fails), Ok(vec![]));
}

proptest! {
    #[test]
    fn no_numbers_panic(level: u8, n: u64, m: u64, proof in 0usize..70) {
        let any = |indexes: &[u64]| Ok::<_, ()>(vec![Hash::EMPTY_TREE; indexes.len()]);
        let proof = vec![Hash::EMPTY_TREE; proof];
        let root = Hash::EMPTY_TREE;
        for n in [n, n >> 2, n >> (level % 64)] {
            if let Some(index) = stored_hash_index(level % 64, n) {
                prop_assert_eq!(split_stored_hash_index(index), Some((level % 64, n)));
            }
            if let Some((level, n)) = split_stored_hash_index(n) {
                prop_assert!(stored_hash_index(level, n).is_some());
            }
            let _ = (tree_hash(n, any), stored_hashes(n, root, any));
            for m in [m, m >> 2, m % n.max(1)] {
                let _ = (prove_record(n, m, any), prove_tree(n, m, any));
                let _ = (check_record(&proof, n, &root, m, &root), check_tree(&proof, n, &root, m, &root));
            }
        }
    }
}
