//! Bases: zips that the destination holds, and out of which a bundle's zips are rebuilt besides what it carries.
//!
//! A patch release shares nine files in ten with the version before it. Where the destination has that version, the
//! bundle names the entry of its zip instead of carrying the file again, and compresses a file that was changed with
//! the one that it was as its prefix.
//!
//! What counts as held is what the stream's own bundles carried, by the SHA-256 that their indexes have: other bytes
//! would rebuild other zips. It errs, as [`Holdings`](crate::basis::Holdings) does, towards holding less: since a base
//! that is not there costs a journey, and one that is not used some bytes. What an earlier bundle took back is none,
//! as the destination's gc may have removed it; what this bundle takes back is one, as its import comes before that.
//! A base has to be read here, so one that is no longer in the cache is none; that costs bytes, and nothing else.
//!
//! Of each module path the nearest held version on either side of a carried one is offered, and no more: in 8 releases each
//! of 17 modules, what a release shares with any other that is not in the one before it is 0.02 % of what is new in it; but
//! of a release that comes between two held ones, both together leave a third of what each leaves by itself.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::PathBuf;

use modferry_protocol::bundle::{MAX_BASES, Sequences};
use modferry_protocol::module::ModuleVersion;
use sha2::{Digest as _, Sha256};

use crate::cache::Cache;
use crate::error::Error;
use crate::state::Exported;

/// A zip that the destination holds, and the cache too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Of which module version.
    pub module: ModuleVersion,
    /// SHA-256 of the zip, as the stream's index has it.
    pub sha256: [u8; 32],
    /// Where it lies.
    pub path: PathBuf,
}

impl Base {
    /// Whether the file has these bytes; `false` where there is none.
    pub fn is_there(&self) -> io::Result<bool> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut hasher = Sha256::new();
        io::copy(&mut file, &mut hasher)?;
        Ok(hasher.finalize()[..] == self.sha256)
    }
}

/// What the zips of a bundle may be rebuilt from.
#[derive(Debug, Default)]
pub struct Candidates {
    /// The bases, in the order of their modules.
    pub bases: Vec<Base>,
    /// Things to tell.
    pub notes: Vec<String>,
}

/// What the stream's bundles say of a zip's bytes.
#[derive(PartialEq, Eq)]
enum Held {
    As([u8; 32]),
    /// Two bundles carried it with different bytes; nobody knows here which the destination kept.
    Unclear,
}

/// Looks for what these zips, which a bundle is to carry, may be rebuilt from: of the bundles that were taken in.
pub fn candidates(
    carried: &[&ModuleVersion],
    exported: &[Exported],
    taken_in: &Sequences,
    cache: &Cache,
) -> Result<Candidates, Error> {
    let held = held(carried, exported, taken_in)?;
    let mut found: BTreeMap<&ModuleVersion, Option<Base>> = BTreeMap::new();
    for carried in carried {
        let of_path = |(module, _): &(&ModuleVersion, &Held)| module.path() == carried.path();
        let before = held.range(..=*carried).rev().take_while(of_path);
        let after = held.range((Bound::Excluded(*carried), Bound::Unbounded));
        nearest(before, &mut found, cache)?;
        nearest(after.take_while(of_path), &mut found, cache)?;
    }
    let lost = found.values().filter(|base| base.is_none()).count();
    let mut candidates = Candidates {
        bases: found.into_values().flatten().collect(),
        notes: Vec::new(),
    };
    if lost > 0 {
        candidates.notes.push(format!(
            "{lost} zips that the destination holds are not in the cache as it has them: what is carried cannot be \
             packed as changes of those, and takes more room"
        ));
    }
    candidates.bases.truncate(MAX_BASES as usize);
    Ok(candidates)
}

/// Finds the first of these that is in the cache, too.
fn nearest<'h>(
    held: impl Iterator<Item = (&'h ModuleVersion, &'h Held)>,
    found: &mut BTreeMap<&'h ModuleVersion, Option<Base>>,
    cache: &Cache,
) -> Result<(), Error> {
    for (module, held) in held {
        let base = match found.entry(module) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(in_cache(module, held, cache)?),
        };
        if base.is_some() {
            break;
        }
    }
    Ok(())
}

/// The zips that the destination holds of the paths of these modules.
fn held(
    carried: &[&ModuleVersion],
    exported: &[Exported],
    taken_in: &Sequences,
) -> Result<BTreeMap<ModuleVersion, Held>, Error> {
    let paths: HashSet<_> = carried.iter().map(|module| module.path()).collect();
    let mut held: BTreeMap<ModuleVersion, Held> = BTreeMap::new();
    for bundle in exported {
        // Whether it has arrived or not, it may have; and of either kind, it takes the zip back.
        let whole = bundle.each_tombstone(|module, _| {
            held.remove(&module);
        })?;
        if !whole {
            held.clear();
        }
        if !taken_in.contains(bundle.sequence()) {
            continue;
        }
        bundle.each_entry(|entry| {
            for (module, digest) in entry.zips() {
                if !paths.contains(module.path()) {
                    continue;
                }
                let carried = Held::As(digest.sha256);
                match held.entry(module.clone()) {
                    Entry::Vacant(new) => {
                        new.insert(carried);
                    }
                    Entry::Occupied(known) if *known.get() == carried => {}
                    Entry::Occupied(mut known) => {
                        known.insert(Held::Unclear);
                    }
                }
            }
        })?;
    }
    Ok(held)
}

fn in_cache(module: &ModuleVersion, held: &Held, cache: &Cache) -> Result<Option<Base>, Error> {
    let Held::As(sha256) = held else {
        return Ok(None);
    };
    let base = Base {
        module: module.clone(),
        sha256: *sha256,
        path: cache.path(module, "zip"),
    };
    let there = base.is_there().map_err(Error::file("read", &base.path))?;
    Ok(there.then_some(base))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::basis::testing::{Stream, module};
    use crate::state::Chosen;

    /// A stream's bundles, and a cache that has these zips as they were carried.
    struct World {
        stream: Stream,
        cache: Cache,
    }

    impl World {
        fn new(bundles: &[&[&str]], cached: &[&str]) -> World {
            let stream = Stream::new();
            for carries in bundles {
                stream.next(carries, &[]);
            }
            let cache = Cache::open(&stream.dir.path().join("cache")).unwrap();
            let world = World { stream, cache };
            cached
                .iter()
                .for_each(|name| world.put(name, &module(name).to_string()));
            world
        }

        fn put(&self, name: &str, bytes: &str) {
            let path = self.cache.path(&module(name), "zip");
            self.cache.write(&path, bytes.as_bytes()).unwrap();
        }

        /// The bases of what is carried, and the notes.
        fn of(&self, carried: &[&str], taken_in: &str) -> (String, Vec<String>) {
            let carried: Vec<ModuleVersion> = carried.iter().map(|name| module(name)).collect();
            let carried: Vec<&ModuleVersion> = carried.iter().collect();
            let taken_in = taken_in.parse().unwrap();
            let found = candidates(&carried, &self.stream.exported(), &taken_in, &self.cache);
            let found = found.unwrap();
            for base in &found.bases {
                assert!(base.is_there().unwrap());
            }
            let names = found.bases.iter().map(|base| base.module.to_string());
            (
                names.collect::<Vec<_>>().join(" ").replace("m.test/", ""),
                found.notes,
            )
        }

        #[track_caller]
        fn assert(&self, carried: &[&str], taken_in: &str, bases: &str) {
            let (found, notes) = self.of(carried, taken_in);
            assert_eq!(found, bases);
            assert!(notes.is_empty(), "{notes:?}");
        }
    }

    #[test]
    fn the_nearest_on_either_side_are_bases() {
        let held = [
            "a@v1.2.0",
            "a@v1.9.0",
            "a@v1.10.0",
            "a@v1.12.0-rc.1",
            "b@v1.0.0",
        ];
        let zips: Vec<String> = held.iter().map(|name| format!("zip {name}")).collect();
        let zips: Vec<&str> = zips.iter().map(String::as_str).collect();
        let world = World::new(&[&zips], &held);
        world.assert(&["a@v1.11.0"], "1", "a@v1.10.0 a@v1.12.0-rc.1");
        world.assert(&["a@v1.12.0"], "1", "a@v1.12.0-rc.1");
        world.assert(&["a@v1.0.0"], "1", "a@v1.2.0");
        world.assert(&["a@v1.3.0", "a@v1.4.0"], "1", "a@v1.2.0 a@v1.9.0");
        // The zip itself, where it is carried again.
        world.assert(&["a@v1.9.0"], "1", "a@v1.9.0 a@v1.10.0");
        world.assert(&["c@v1.0.0"], "1", "");
        // Not of a bundle that does not count as arrived.
        world.assert(&["a@v1.11.0"], "none", "");
    }

    #[test]
    fn a_zip_that_the_cache_has_no_more_costs_the_next_nearest() {
        let zips = ["zip a@v1.0.0", "zip a@v1.1.0", "zip a@v1.2.0"];
        let world = World::new(&[&zips], &["a@v1.0.0"]);
        world.put("a@v1.2.0", "other bytes of the same files");
        let (bases, notes) = world.of(&["a@v1.3.0", "a@v1.4.0"], "1");
        assert_eq!(bases, "a@v1.0.0");
        assert_eq!(notes.len(), 1);
        assert!(
            notes[0].starts_with("2 zips that the destination holds"),
            "{notes:?}"
        );
    }

    #[test]
    fn what_was_taken_back_is_no_base_until_it_is_carried_again() {
        let world = World::new(&[&["zip a@v1.0.0", "zip b@v1.0.0"]], &["a", "b"]);
        let both = ["a@v1.1.0", "b@v1.1.0"];
        world.stream.next(&[], &["all a", "zip b"]);
        world.assert(&both, "1-2", "");
        // Nor where that bundle may not have arrived.
        world.assert(&both, "1", "");
        world.stream.next(&["zip b"], &[]);
        world.assert(&both, "1-3", "b@v1.0.0");
        world.assert(&both, "1-2", "");
        // Where it is lost what was taken back, all that came before may have been.
        std::fs::write(world.stream.file(2, "tombstones"), b"?").unwrap();
        world.assert(&["b@v1.1.0"], "1-3", "b@v1.0.0");
        world.stream.next(&[], &["all c"]);
        std::fs::write(world.stream.file(4, "tombstones"), b"?").unwrap();
        world.assert(&["b@v1.1.0"], "1-4", "");
    }

    #[test]
    fn a_zip_that_was_carried_with_different_bytes_is_no_base() {
        let world = World::new(
            &[&["zip a@v1.0.0", "zip a@v1.1.0"]],
            &["a@v1.0.0", "a@v1.1.0"],
        );
        world.stream.next(&["zip a@v1.1.0"], &[]);
        world.assert(&["a@v1.2.0"], "1-2", "a@v1.1.0");
        world.stream.behind.set(" otherwise");
        world.stream.next(&["zip a@v1.1.0"], &[]);
        let (bases, notes) = world.of(&["a@v1.2.0"], "1-3");
        assert_eq!((bases.as_str(), notes.len()), ("a@v1.0.0", 1));
    }

    #[test]
    fn a_bundle_without_its_index_has_brought_no_base() {
        let world = World::new(
            &[&["zip a@v1.0.0"], &["zip a@v1.1.0"]],
            &["a@v1.0.0", "a@v1.1.0"],
        );
        world.assert(&["a@v1.2.0"], "1-2", "a@v1.1.0");
        std::fs::remove_file(world.stream.file(2, "index")).unwrap();
        world.assert(&["a@v1.2.0"], "1-2", "a@v1.0.0");
        world
            .stream
            .bundle(&["zip a@v1.1.5"], &[], Chosen::Hand, "none");
        world.put("a@v1.1.5", "m.test/a@v1.1.5");
        world.assert(&["a@v1.2.0"], "3", "a@v1.1.5");
    }
}
