//! The arithmetic of a transparency log: where hashes are, how they make a tree, and the two proofs.
//!
//! A tree's complete nodes have coordinates (level, n): level 0 are the records' hashes, and (level, n) is over
//! the 2^level records from n·2^level on. The reference also numbers them in one sequence, in the order in
//! which a growing log completes them: the *stored hash index*. Proofs and tree hashes ask for nodes by that
//! number, through a reader that is any `FnMut(&[u64]) -> Result<Vec<Hash>, E>`: one call with all that is needed.
//!
//! Reference: golang.org/x/mod/sumdb/tlog/tlog.go. That code panics on what it calls bad math; here sizes
//! beyond [`MAX_TREE_SIZE`] and coordinates outside such a tree are `None` or an error.

use thiserror::Error;

use super::hash::{Hash, node_hash};
use super::tile::MAX_TREE_SIZE;

/// A node's coordinates: its level and its place in it.
pub(super) type Node = (u8, u64);

/// Why hashes of a log could not be worked out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TlogError<E> {
    /// A record or an older tree that the tree does not have, or a tree beyond [`MAX_TREE_SIZE`].
    #[error("no such record or tree: {asked} in a tree of {size}")]
    Range {
        /// The tree's size.
        size: u64,
        /// The record's number, or the older tree's size.
        asked: u64,
    },
    /// The reader gave another number of hashes than it was asked for.
    #[error("asked for {asked} hashes and got {got}")]
    Count {
        /// How many were asked for.
        asked: usize,
        /// How many came.
        got: usize,
    },
    /// The reader failed.
    #[error("the log's hashes cannot be read")]
    Reader(#[source] E),
}

/// The proof does not lead from the one hash to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("invalid transparency proof")]
pub struct BadProof;

/// Where a node's hash is in the sequence of all complete nodes. `None` if no tree up to [`MAX_TREE_SIZE`] has it.
pub fn stored_hash_index(level: u8, n: u64) -> Option<u64> {
    let records = 1u64.checked_shl(level.into())?;
    let end = n.checked_add(1)?.checked_mul(records)?;
    if end > MAX_TREE_SIZE {
        return None;
    }
    Some(nodes_of(end - 1) + u64::from(level))
}

/// The inverse of [`stored_hash_index`]: the level and the place in it.
pub fn split_stored_hash_index(index: u64) -> Option<(u8, u64)> {
    if index >= nodes_of(MAX_TREE_SIZE) {
        return None;
    }
    // The node was completed by record n, the last one with nodes_of(n) <= index. Since a tree of n records has
    // 2n nodes less at most 63, n is a little above index/2.
    let mut n = index / 2;
    while nodes_of(n + 1) <= index {
        n += 1;
    }
    let level = (index - nodes_of(n)) as u8; // at most 62: each record completes a node a level
    Some((level, n >> level))
}

/// How many complete nodes a tree of `size` records has. `None` beyond [`MAX_TREE_SIZE`].
pub fn stored_hash_count(size: u64) -> Option<u64> {
    (size <= MAX_TREE_SIZE).then(|| nodes_of(size))
}

/// The complete nodes of a tree of at most [`MAX_TREE_SIZE`] records: each of its perfect subtrees, of 2^k records,
/// has 2^(k+1) - 1.
fn nodes_of(size: u64) -> u64 {
    2 * size - u64::from(size.count_ones())
}

/// The largest power of two up to `n`, as an exponent. `n` is at least 1.
fn log2(n: u64) -> u8 {
    n.checked_ilog2().unwrap_or(0) as u8
}

/// The perfect subtrees that make up the records `lo..hi`, from left to right.
///
/// `lo` must be a multiple of the largest power of two up to `hi - lo`, as it is for every subtree of a log.
pub(super) fn subtrees(mut lo: u64, hi: u64) -> Vec<Node> {
    let mut nodes = Vec::new();
    while lo < hi {
        let level = log2(hi - lo);
        nodes.push((level, lo >> level));
        lo += 1 << level;
    }
    nodes
}

/// Joins the hashes of a range's perfect subtrees, left to right, to the range's hash.
pub(super) fn join(hashes: &[Hash]) -> Hash {
    let mut hashes = hashes.iter().rev();
    let Some(&last) = hashes.next() else {
        return Hash::EMPTY_TREE;
    };
    hashes.fold(last, |right, left| node_hash(left, &right))
}

/// The stored hash indexes that the root hash of a tree of `size` records is made from, largest subtree first.
/// `None` beyond [`MAX_TREE_SIZE`].
pub fn sub_tree_index(size: u64) -> Option<Vec<u64>> {
    if size > MAX_TREE_SIZE {
        return None;
    }
    subtrees(0, size)
        .into_iter()
        .map(|(level, n)| stored_hash_index(level, n))
        .collect()
}

/// The hashes of ranges of records, with one call of the reader.
fn range_hashes<E>(
    ranges: &[(u64, u64)],
    mut read: impl FnMut(&[u64]) -> Result<Vec<Hash>, E>,
) -> Result<Vec<Hash>, TlogError<E>> {
    let parts: Vec<Vec<Node>> = ranges.iter().map(|&(lo, hi)| subtrees(lo, hi)).collect();
    let indexes: Vec<u64> = parts
        .iter()
        .flatten()
        .filter_map(|&(level, n)| stored_hash_index(level, n))
        .collect();
    if indexes.is_empty() {
        return Ok(vec![Hash::EMPTY_TREE; ranges.len()]);
    }
    let hashes = read(&indexes).map_err(TlogError::Reader)?;
    if hashes.len() != indexes.len() {
        return Err(TlogError::Count {
            asked: indexes.len(),
            got: hashes.len(),
        });
    }
    let mut rest = hashes.as_slice();
    Ok(parts
        .iter()
        .map(|part| {
            let (now, later) = rest.split_at(part.len());
            rest = later;
            join(now)
        })
        .collect())
}

/// The root hash of the tree of the log's first `size` records.
pub fn tree_hash<E>(
    size: u64,
    read: impl FnMut(&[u64]) -> Result<Vec<Hash>, E>,
) -> Result<Hash, TlogError<E>> {
    if size > MAX_TREE_SIZE {
        return Err(TlogError::Range { size, asked: size });
    }
    let hashes = range_hashes(&[(0, size)], read)?;
    Ok(hashes.first().copied().unwrap_or(Hash::EMPTY_TREE))
}

/// The hashes of the nodes that record number `n` completes: its own and those of the subtrees that it is the
/// last record of. They follow each other in the sequence from `stored_hash_index(0, n)` on.
pub fn stored_hashes<E>(
    n: u64,
    record: Hash,
    mut read: impl FnMut(&[u64]) -> Result<Vec<Hash>, E>,
) -> Result<Vec<Hash>, TlogError<E>> {
    if n >= MAX_TREE_SIZE {
        return Err(TlogError::Range { size: n, asked: n });
    }
    // Each one-bit at n's low end says that a subtree to the left is complete, and joins this one.
    let indexes: Vec<u64> = (0..n.trailing_ones() as u8)
        .filter_map(|level| stored_hash_index(level, (n >> level) - 1))
        .collect();
    let mut hashes = vec![record];
    if indexes.is_empty() {
        return Ok(hashes);
    }
    let left = read(&indexes).map_err(TlogError::Reader)?;
    if left.len() != indexes.len() {
        return Err(TlogError::Count {
            asked: indexes.len(),
            got: left.len(),
        });
    }
    let mut hash = record;
    for left in &left {
        hash = node_hash(left, &hash);
        hashes.push(hash);
    }
    Ok(hashes)
}

/// A step down a tree, and the side that was not taken.
struct Step {
    /// The records under the side not taken.
    other: (u64, u64),
    /// Whether that is the left side.
    other_is_left: bool,
}

/// The way down from the root of a tree of `size` records to record `leaf`, or to the first subtree on that way that
/// is `far_enough`: the steps, and the records (from, to) under where it ends.
fn descend(size: u64, leaf: u64, far_enough: impl Fn(u64, u64) -> bool) -> (Vec<Step>, (u64, u64)) {
    let (mut lo, mut hi) = (0, size);
    let mut steps = Vec::new();
    while hi - lo > 1 && !far_enough(lo, hi) {
        let middle = lo + (1 << log2(hi - lo - 1)); // the largest power of two below hi - lo
        let left = leaf < middle;
        let (taken, other) = match left {
            true => ((lo, middle), (middle, hi)),
            false => ((middle, hi), (lo, middle)),
        };
        steps.push(Step {
            other,
            other_is_left: !left,
        });
        (lo, hi) = taken;
    }
    (steps, (lo, hi))
}

/// Proves that record `n` is in the tree of `size` records: RFC 6962's audit path, from the leaf up.
pub fn prove_record<E>(
    size: u64,
    n: u64,
    read: impl FnMut(&[u64]) -> Result<Vec<Hash>, E>,
) -> Result<Vec<Hash>, TlogError<E>> {
    if size > MAX_TREE_SIZE || n >= size {
        return Err(TlogError::Range { size, asked: n });
    }
    let (steps, _) = descend(size, n, |_, _| false);
    let ranges: Vec<_> = steps.iter().rev().map(|step| step.other).collect();
    range_hashes(&ranges, read)
}

/// Checks a proof that the tree of `size` records and root hash `root` has a record `n` of hash `record`.
pub fn check_record(
    proof: &[Hash],
    size: u64,
    root: &Hash,
    n: u64,
    record: &Hash,
) -> Result<(), BadProof> {
    if size > MAX_TREE_SIZE || n >= size {
        return Err(BadProof);
    }
    let (steps, _) = descend(size, n, |_, _| false);
    if steps.len() != proof.len() {
        return Err(BadProof);
    }
    let hash = steps
        .iter()
        .rev()
        .zip(proof)
        .fold(*record, |hash, (step, other)| climb(step, &hash, other));
    if hash == *root { Ok(()) } else { Err(BadProof) }
}

fn climb(step: &Step, hash: &Hash, other: &Hash) -> Hash {
    match step.other_is_left {
        true => node_hash(other, hash),
        false => node_hash(hash, other),
    }
}

/// Proves that the tree of `size` records begins with all the records of the tree of `older`: RFC 6962's
/// consistency proof.
pub fn prove_tree<E>(
    size: u64,
    older: u64,
    read: impl FnMut(&[u64]) -> Result<Vec<Hash>, E>,
) -> Result<Vec<Hash>, TlogError<E>> {
    if size > MAX_TREE_SIZE || older == 0 || older > size {
        return Err(TlogError::Range { size, asked: older });
    }
    let (steps, common) = descend(size, older - 1, |_, hi| hi == older);
    let mut ranges: Vec<_> = steps.iter().rev().map(|step| step.other).collect();
    if common.0 > 0 {
        ranges.insert(0, common);
    }
    range_hashes(&ranges, read)
}

/// Checks a proof that the tree of `size` records and root hash `root` begins with the tree of `older` records and
/// root hash `older_root`.
pub fn check_tree(
    proof: &[Hash],
    size: u64,
    root: &Hash,
    older: u64,
    older_root: &Hash,
) -> Result<(), BadProof> {
    if size > MAX_TREE_SIZE || older == 0 || older > size {
        return Err(BadProof);
    }
    let (steps, common) = descend(size, older - 1, |_, hi| hi == older);
    // Where the ways part, both trees have the same hash: the older tree's own, if that is a left corner.
    let (shared, proof) = match common.0 {
        0 => (older_root, proof),
        _ => proof.split_first().ok_or(BadProof)?,
    };
    if steps.len() != proof.len() {
        return Err(BadProof);
    }
    let (mut old, mut new) = (*shared, *shared);
    for (step, other) in steps.iter().rev().zip(proof) {
        new = climb(step, &new, other);
        if step.other_is_left {
            old = node_hash(other, &old); // what is to the right is not in the older tree
        }
    }
    if new == *root && old == *older_root {
        Ok(())
    } else {
        Err(BadProof)
    }
}

#[cfg(test)]
mod tests;
