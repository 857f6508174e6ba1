//! What bases have: streams that need not be carried, and files as they were before.
//!
//! A stream that a base has is named and not carried. A file that was changed is compressed with what it was in the
//! base as its prefix, and costs about its diff.

use std::collections::HashMap;
use std::io;

use modferry_protocol::module::ModuleVersion;
use sha2::{Digest as _, Sha256};

use super::analyse::{self, Key, half};
use super::base::Base;
use super::group::Opened;

/// An entry of a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldEntry {
    /// The base, by its place among those that are held.
    pub(super) base: u32,
    /// The entry, by its place in the zip's directory.
    pub(super) entry: u32,
    /// Bytes of its content.
    pub(super) size: u64,
    /// Its bytes as it is packed.
    pub(super) packed: u64,
}

/// What the destination holds of some modules.
#[derive(Debug, Default)]
pub(super) struct Held<'b> {
    /// The bases, sorted by module.
    pub(super) bases: &'b [Base],
    streams: HashMap<Key, HeldEntry>,
    /// By module path and name, in the order of the bases.
    names: HashMap<Key, Vec<HeldEntry>>,
    /// How many entries each base has; none of a base that is not used.
    entries: Vec<u64>,
}

impl<'b> Held<'b> {
    /// Looks at the bases, on so many threads. One that cannot be read has nothing; nor has one whose entries would be
    /// more, together with those before it, than `most`.
    pub(super) fn of(bases: &'b [Base], most: u64, threads: usize) -> io::Result<Held<'b>> {
        let paths: Vec<_> = bases.iter().map(|base| base.path.as_path()).collect();
        let hashed = analyse::hash(&paths, threads)?;
        let mut held = Held {
            bases,
            ..Held::default()
        };
        for ((number, base), keys) in (0..).zip(bases).zip(hashed) {
            let count = keys.as_ref().map_or(0, |keys| keys.len() as u64);
            let fits = held.entries.iter().sum::<u64>() + count <= most;
            held.entries.push(if fits { count } else { 0 });
            let Some(keys) = keys.filter(|_| fits) else {
                continue;
            };
            let opened = Opened::new(&base.path)?;
            let names = opened.names(&base.module);
            for (((entry, key), place), name) in (0..).zip(keys).zip(&opened.places).zip(names) {
                let of_base = HeldEntry {
                    base: number,
                    entry,
                    size: place.unpacked,
                    packed: place.data.end - place.data.start,
                };
                // The newest base is the one that most zips are near to.
                held.streams.insert(key, of_base);
                let named = held.names.entry(key_of(&base.module, &name)).or_default();
                if named.last().is_none_or(|last| last.base != number) {
                    named.push(of_base);
                }
            }
        }
        Ok(held)
    }

    /// How many entries the base of that place has.
    pub(super) fn entries(&self, base: u32) -> u64 {
        self.entries.get(base as usize).copied().unwrap_or_default()
    }

    /// Where the destination has these packed bytes.
    pub(super) fn stream(&self, key: &Key) -> Option<HeldEntry> {
        self.streams.get(key).copied()
    }

    /// The file of that name in the version nearest before this one; else the one nearest behind.
    pub(super) fn before(&self, module: &ModuleVersion, name: &[u8]) -> Option<HeldEntry> {
        let named = self.names.get(&key_of(module, name))?;
        let older = |held: &&HeldEntry| self.bases[held.base as usize].module < *module;
        named.iter().rev().find(older).or(named.first()).copied()
    }
}

/// A name in any version of a module.
fn key_of(module: &ModuleVersion, name: &[u8]) -> Key {
    let mut hasher = Sha256::new();
    hasher.update(module.path().as_str());
    hasher.update([0]);
    hasher.update(name);
    half(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_checker::testing::{Packing, zip_of};

    #[test]
    fn bases_have_together_no_more_entries_than_readers_take() {
        let dir = tempfile::tempdir().unwrap();
        let contents: Vec<String> = (0..9).map(|n| format!("content {n}")).collect();
        let base = |(version, files): (usize, &std::ops::Range<usize>)| {
            let module: ModuleVersion = format!("m.test/a@v1.{version}.0").parse().unwrap();
            let files: Vec<(&str, &[u8])> = (contents[files.clone()].iter())
                .map(|content| (&**content, content.as_bytes()))
                .collect();
            let zip = zip_of(&module, &files, Packing::Deflated);
            let path = dir.path().join(format!("{version}.zip"));
            std::fs::write(&path, &zip).unwrap();
            Base {
                module,
                sha256: Sha256::digest(&zip).into(),
                path,
            }
        };
        let bases: Vec<Base> = [0..3, 3..7, 7..9].iter().enumerate().map(base).collect();
        for (most, entries) in [
            (9, [3, 4, 2]),
            (8, [3, 4, 0]),
            (6, [3, 0, 2]),
            (4, [3, 0, 0]),
        ] {
            let held = Held::of(&bases, most, 1).unwrap();
            assert_eq!([0, 1, 2].map(|base| held.entries(base)), entries, "{most}");
            // What does not count is not used either.
            let used =
                |base: u32| held.streams.values().filter(|of| of.base == base).count() as u64;
            assert_eq!([0, 1, 2].map(used), entries);
            let named = held.names.values().flatten().count() as u64;
            assert_eq!(named, entries.iter().sum::<u64>());
        }
    }
}
