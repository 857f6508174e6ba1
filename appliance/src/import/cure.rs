//! What supplies a bundle with what it lacks: one command for the connected side, from what the ledger knows.
//!
//! A bundle builds on another, which builds on another, and so on to one that builds on nothing. Where a bundle of
//! this chain never came here, what it carried is what is missing, and the cure carries again all from there on.
//! Gaps beside the chain harm nothing, and are not gone back to: so years of small losses that were cured do not
//! make the next cure any larger. What an absent bundle built on is not known here, so the bundles before it
//! count as its chain, too.
//!
//! Where the chain is whole, the store has lost something, or nothing of the stream ever came to it, and only a
//! bundle that builds on nothing is sure to do. One other case is ordinary: two streams feed one store, and this one
//! does not know the tree heads that the other has shipped. Then its tiles do not reach, and its export has to be
//! told of the newest head that is held; of the older ones nothing more is needed, since that head continues them.
//!
//! A zip that is held in other bytes than the stream's stays (bytes that were served do not change), and whatever is
//! packed against the stream's lacks them: this bundle, and, whatever they build on, those after it. So the cure is not
//! packed against anything, and neither is to be what the stream exports from then on.

use crate::store::{StoreError, View};
use modferry_checker::Lack;
use modferry_protocol::bundle::{Basis, Manifest};
use modferry_protocol::sumdb::DbName;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What was imported of one stream.
#[derive(Default)]
struct Stream {
    /// What each bundle builds on, by the SHA-256 of its manifest's text.
    bundles: HashMap<[u8; 32], Basis>,
    /// The bundle of each number.
    numbers: BTreeMap<u64, [u8; 32]>,
    /// The heads that its bundles brought, by their sizes.
    heads: BTreeSet<(DbName, u64)>,
}

impl Stream {
    fn of(view: &View, name: &str) -> Result<Self, StoreError> {
        let mut stream = Self::default();
        for number in 1..=view.ledger_size()? {
            let entry = view.ledger(number)?;
            let Some(import) = entry.as_ref().and_then(|entry| entry.import()) else {
                continue;
            };
            if import.source.stream != name {
                continue;
            }
            let manifest = import.manifest().ok_or_else(|| {
                StoreError::damaged(format!("the manifest in ledger entry {number}"))
            })?;
            let sha256 = manifest.sha256();
            stream.numbers.insert(manifest.sequence.get(), sha256);
            let heads = manifest
                .heads
                .iter()
                .map(|(db, head)| (db.clone(), head.size));
            stream.heads.extend(heads);
            stream.bundles.insert(sha256, manifest.basis);
        }
        Ok(stream)
    }

    /// How far back the chain that begins with `basis` is broken.
    fn chain<'a>(&'a self, mut basis: &'a Basis) -> Chain {
        if self.bundles.is_empty() {
            return Chain::Unknown;
        }
        let mut gap = None;
        // Ends, since a basis is always of a lower number.
        while let Basis::Bundle {
            sequence,
            manifest_sha256,
        } = basis
        {
            if let Some(below) = self.bundles.get(manifest_sha256) {
                basis = below;
                continue;
            }
            let sequence = sequence.get();
            if self.numbers.contains_key(&sequence) {
                return Chain::Other;
            }
            let below = self.numbers.range(..sequence).next_back();
            gap = Some((below.map_or(1, |(below, _)| below + 1), sequence));
            match below.and_then(|(_, below)| self.bundles.get(below)) {
                Some(below) => basis = below,
                None => break,
            }
        }
        gap.map_or(Chain::Whole, |(first, last)| Chain::Gap { first, last })
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Chain {
    /// Nothing of the stream was ever imported.
    Unknown,
    /// All of it was imported.
    Whole,
    /// These bundles never came; what is below them did, as far as it counts.
    Gap { first: u64, last: u64 },
    /// Under a number that it builds on, another bundle was imported.
    Other,
}

/// How a bundle that lacks something can be made up for.
pub(super) fn cure(view: &View, manifest: &Manifest, lack: Lack) -> Result<String, StoreError> {
    let name = &manifest.stream;
    let stream = Stream::of(view, name.as_str())?;
    let known = unknown_heads(view, manifest, &stream)?;
    let (why, from) = match stream.chain(&manifest.basis) {
        Chain::Gap { first, last } => (
            format!(
                "{} of stream {name} never came here: import what there is of that first, or make up for it on the \
                 connected side: ",
                bundles(first, last)
            ),
            format!("--cumulative-from {first}"),
        ),
        Chain::Unknown if manifest.basis != Basis::None => (
            format!(
                "nothing of stream {name} ever came here: import it from its first bundle on, or begin it again on the \
                 connected side: "
            ),
            "--basis none".into(),
        ),
        Chain::Other => (
            format!(
                "two exports write the stream {name}; let one of them go on from nothing, on the connected side: "
            ),
            "--basis none".into(),
        ),
        Chain::Whole | Chain::Unknown => (
            "on the connected side: ".into(),
            match &manifest.basis {
                // All that it lacks is the way to a head that it does not know, or bytes that never will be here.
                Basis::Bundle { .. }
                    if lack == Lack::Bytes || lack == Lack::Tiles && !known.is_empty() =>
                {
                    format!("--cumulative-from {}", manifest.sequence)
                }
                _ => "--basis none".into(),
            },
        ),
    };
    let (bytes, deltas) = match lack {
        Lack::Bytes => (
            format!(
                "zips of stream {name} are held here in other bytes, and stay, so nothing that is packed against them can \
                 be taken in: say `deltas: false` in the stream's configuration, for later exports too; "
            ),
            " --no-deltas",
        ),
        Lack::Tiles | Lack::Modules => (String::new(), ""),
    };
    Ok(format!(
        "{bytes}{why}modferry-bundler export --stream {name} {from}{known}{deltas}"
    ))
}

/// The option that names the newest head that is held of each database, where this stream has not shipped it.
fn unknown_heads(view: &View, manifest: &Manifest, stream: &Stream) -> Result<String, StoreError> {
    let mut options = String::new();
    for (db, offered) in &manifest.heads {
        let newest = view.heads(db)?.last().map(|head| head.size);
        if let Some(size) = newest
            && size != offered.size
            && !stream.heads.contains(&(db.clone(), size))
        {
            options += &format!(" --known-head {size}");
        }
    }
    Ok(options)
}

fn bundles(first: u64, last: u64) -> String {
    if first == last {
        format!("bundle {first}")
    } else {
        format!("bundles {first} to {last}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_protocol::bundle::Sequence;

    /// A stream of these bundles: number, and the number that it builds on.
    fn stream(imported: &[(u64, Option<u64>)]) -> Stream {
        let mut stream = Stream::default();
        for (number, on) in imported {
            stream.numbers.insert(*number, [*number as u8; 32]);
            stream.bundles.insert([*number as u8; 32], basis(*on));
        }
        stream
    }

    fn basis(number: Option<u64>) -> Basis {
        match number {
            None => Basis::None,
            Some(number) => Basis::Bundle {
                sequence: Sequence::new(number).unwrap(),
                manifest_sha256: [number as u8; 32],
            },
        }
    }

    fn chain(imported: &[(u64, Option<u64>)], on: Option<u64>) -> Chain {
        stream(imported).chain(&basis(on))
    }

    #[test]
    fn the_chain_is_followed_to_its_end() {
        assert_eq!(chain(&[], Some(3)), Chain::Unknown);
        let all = [(1, None), (2, Some(1)), (3, Some(2))];
        assert_eq!(chain(&all, Some(3)), Chain::Whole);
        let gap = |first, last| Chain::Gap { first, last };
        assert_eq!(chain(&all[..2], Some(3)), gap(3, 3));
        assert_eq!(chain(&[(1, None)], None), Chain::Whole);
        assert_eq!(chain(&[(9, None)], Some(3)), gap(1, 3));
        // Bundle 3 was imported though it builds on 2, which was lost: it needed nothing of it, this one does.
        let without_2 = [(1, None), (3, Some(2))];
        assert_eq!(chain(&without_2, Some(3)), gap(2, 2));
        assert_eq!(chain(&without_2, Some(4)), gap(2, 2));
        assert_eq!(chain(&[(1, None)], Some(5)), gap(2, 5));
    }

    #[test]
    fn a_gap_that_was_cured_is_not_gone_back_to() {
        // 2 and 3 were lost; 4 carried them again, on top of 1.
        let cured = [(1, None), (4, Some(1)), (5, Some(4))];
        assert_eq!(chain(&cured, Some(5)), Chain::Whole);
        assert_eq!(chain(&cured, Some(7)), Chain::Gap { first: 6, last: 7 });
        // So was everything before one that builds on nothing.
        assert_eq!(chain(&[(9, None)], Some(9)), Chain::Whole);
    }

    #[test]
    fn another_bundle_of_the_same_number_is_no_basis() {
        let mut stream = stream(&[(1, None), (2, Some(1))]);
        stream.numbers.insert(3, [33; 32]);
        stream.bundles.insert([33; 32], basis(Some(2)));
        assert_eq!(stream.chain(&basis(Some(3))), Chain::Other);
    }
}
