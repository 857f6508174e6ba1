//! The ledger: its tree made anew, and what its entries say taken together.

use super::{Run, keys, ledger};
use crate::store::{Event, HeldVulndb, Import, LedgerEntry, Totals, hex, spoken_head, view};
use modferry_protocol::sumdb::{Hash, TreeHead, record_hash, tlog};
use sha2::{Digest, Sha256};

impl Run<'_> {
    /// Checks every entry and every hash; gives the totals that the entries make.
    pub(super) fn ledger(&mut self) -> Totals {
        let mut totals = Totals::default();
        let (mut next, mut imports) = (1_u64, 0_u64);
        self.each(
            &keys::ledger(0)[..1],
            "the ledger's entries",
            |run, key, bytes| {
                let number = match keys::parse(key) {
                    Some(keys::Named::Ledger(number)) => number,
                    _ => {
                        return run.found(format!(
                            "a strange key among the ledger's entries: {}",
                            hex(key)
                        ));
                    }
                };
                if number != next {
                    run.found(format!(
                        "the ledger's entry {next} is missing: the next one is {number}"
                    ));
                }
                next = number.saturating_add(1);
                run.leaf(number, bytes);
                let what = format!("ledger entry {number}");
                let entry = view::json::<LedgerEntry>(&what, bytes);
                let Some(entry) = run.sound(|| what, entry) else {
                    return;
                };
                if entry.number != number {
                    run.found(format!(
                        "ledger entry {number} says that it is number {}",
                        entry.number
                    ));
                }
                match &entry.event {
                    Event::Import(import) => {
                        imports += 1;
                        run.import(number, import);
                        let entered = totals.enter(import);
                        run.sound(|| format!("ledger entry {number}"), entered);
                    }
                    Event::Gc(gc) => {
                        let taken = totals.counts.take_away(&gc.removed);
                        run.sound(|| format!("ledger entry {number}"), taken);
                    }
                    Event::DropVulndb(_) => run.vulndb = None,
                    Event::Acknowledge(_) | Event::Trust(_) => {}
                }
            },
        );
        let size = next - 1;
        let said = self.view.ledger_size();
        if let Some(said) = self.sound(|| "the ledger's size".into(), said)
            && said != size
        {
            self.found(format!(
                "the ledger says that it has {said} entries, and has {size}"
            ));
        }
        self.count(
            &keys::ledger_hash(0)[..1],
            "nodes of the ledger's tree",
            tlog::stored_hash_count(size),
        );
        self.count(
            &keys::manifest(&[0; 32])[..1],
            "imported manifests",
            Some(imports),
        );
        self.checked("entries are in the ledger, and make its tree", size);
        self.checked("imports are found by their manifests", imports);
        self.head(size);
        totals
    }

    /// The hashes that an entry completes are those that are stored.
    fn leaf(&mut self, number: u64, bytes: &[u8]) {
        let n = number.saturating_sub(1);
        let view = self.view;
        let hashes = tlog::stored_hashes(n, record_hash(bytes), |at| view.ledger_hashes(at));
        let hashes = hashes.map_err(ledger::in_the_tree);
        let what = || format!("ledger entry {number}");
        let Some(made) = self.sound(what, hashes) else {
            return;
        };
        let first = tlog::stored_hash_index(0, n).unwrap_or_default();
        let indexes: Vec<u64> = (first..).take(made.len()).collect();
        let stored = view.ledger_hashes(&indexes);
        if let Some(stored) = self.sound(what, stored)
            && stored != made
        {
            self.found(format!(
                "ledger entry {number} is not the one in the ledger's tree: it was changed"
            ));
        }
    }

    fn import(&mut self, number: u64, import: &Import) {
        let note = &import.source.manifest;
        let text = note.rfind("\n\n").map_or("", |end| &note[..=end]);
        let sha256: [u8; 32] = Sha256::digest(text).into();
        if hex(&sha256) != import.manifest_sha256 {
            self.found(format!(
                "ledger entry {number}: its manifest has another SHA-256 than it says"
            ));
        }
        let manifest = import.manifest();
        if let Some(manifest) = &manifest
            && let Some(vulndb) = manifest.vulndb.as_ref().filter(|vulndb| vulndb.carried)
        {
            let brought = HeldVulndb {
                snapshot: vulndb.snapshot.clone(),
                stream: manifest.stream.to_string(),
                sequence: manifest.sequence.get(),
                entry: number,
            };
            if (self.vulndb.as_ref()).is_none_or(|held| brought.replaces(held)) {
                self.vulndb = Some(brought);
            }
        }
        if let Some(manifest) = manifest
            && (manifest.tombstones > 0 || manifest.totals.gone_files > 0)
        {
            let bundles = self.taken_back.entry(manifest.stream.to_string());
            bundles.or_default().insert(manifest.sequence);
        }
        let Some(sha256) = crate::store::unhex(&import.manifest_sha256) else {
            return;
        };
        let found = self.view.imported(&sha256);
        if let Some(found) = self.sound(|| format!("ledger entry {number}"), found)
            && found != Some(number)
        {
            self.found(format!(
                "ledger entry {number}: its manifest is found as {}",
                found.map_or("none".into(), |other| format!("entry {other}"))
            ));
        }
    }

    fn count(&mut self, prefix: &[u8], what: &str, expected: Option<u64>) {
        let mut count = 0;
        self.each(prefix, what, |_, _, _| count += 1);
        if Some(count) != expected {
            let expected = expected.unwrap_or_default();
            self.found(format!(
                "there are {count} {what} where there should be {expected}"
            ));
        }
    }

    /// The head, and the one that was written down once.
    fn head(&mut self, size: u64) {
        let view = self.view;
        let root = |size| view.ledger_root(size);
        if let Some(hash) = self.sound(|| "the ledger's head".into(), root(size)) {
            self.report.ledger = spoken_head(&TreeHead { size, hash });
        }
        let Some(older) = self.fsck.ledger_head else {
            return;
        };
        if older.size > size {
            self.found(format!(
                "history was rewritten: the ledger has {size} entries, and once had {}",
                older.size
            ));
        } else if let Some(hash) =
            self.sound(|| "an older head of the ledger".into(), root(older.size))
            && hash != older.hash
        {
            self.found(format!(
                "history was rewritten: the ledger's first {} entries have the root {hash}, and once had {}",
                older.size, older.hash
            ));
        }
        self.checked("older heads of the ledger are continued by it", 1);
    }
}

/// The two words of a ledger's head: its size and its root hash.
pub fn parse_head(text: &str) -> Option<TreeHead> {
    let (size, hash) = text.trim().split_once(' ')?;
    let hash: Hash = hash.trim_start().parse().ok()?;
    let size = size.parse().ok()?;
    Some(TreeHead { size, hash })
}
