//! What a bundle will come to on the medium, before it is made, and how long it takes to carry.
//!
//! Of zips that are not fetched only the size is known, and what packing makes of one depends on what is in it. So
//! this is a rule of thumb, corrected by what the same stream's packed bundles have come to, and it is told as an
//! estimate. The rule knows two kinds of zips, since they differ by more than all others do: the first of a module path
//! that is held or carried, and a further version of one, which costs about its diff. A packed bundle of the stream
//! corrects the kind that makes up most of it.

use std::collections::HashSet;

use modferry_protocol::bundle::{Encoding, Sequences};
use modferry_protocol::module::{ModulePath, ModuleVersion};

use crate::error::Error;
use crate::pack::Packing;
use crate::state::Exported;

/// Of the bytes of the first zip of a path, so many are carried, packed `fast`, by the thousand.
///
/// Of 423 modules, all requirements of two large programs: 49 % together; 62 % of a hundred of them, 36 to 78 % of
/// twenty, 40 to 77 % of each by itself.
const FIRST: u64 = 600;

/// Of the bytes of a further version's zip, by the thousand.
///
/// In 8 releases each of 17 modules a release against the one before it: 1.1 % together, 0.3 to 7 % by module; half of
/// all are below 0.5 %, one in ten is above 6.5 %. What recipes and unchanged files' names cost comes to it.
const FURTHER: u64 = 30;

/// What packing `max` leaves of what `fast` does, by the thousand: 4 % less for 423 modules in one version each, 9 % for
/// eight versions of 17.
const MAX_OF_FAST: u64 = 950;

/// Bytes of a module version's record, info and go.mod, packed, and of their lines in the index.
const MODULE: u64 = 600;

/// Bytes of a zip's entry besides the zip, where it is carried as it is: tar header, padding, lines in the index.
const ENTRY: u64 = 900;

/// Bytes of a needed module version's line, packed.
const NEED: u64 = 15;

/// Bytes of a manifest, of the tree head, of tar headers and of a tar's end.
const FRONT: u64 = 5_000;

/// So many of the stream's newest packed bundles correct the rule.
const LEARN_FROM: usize = 8;

/// What a bundle will carry, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Bytes of zips, each the first of its path.
    pub first: u64,
    /// Bytes of zips of further versions.
    pub further: u64,
    /// How many zips.
    pub zips: u64,
    /// Module versions of which any part is carried.
    pub modules: u64,
    /// Bytes of tiles, which are hashes and do not shrink.
    pub tiles: u64,
    /// Module versions that are needed.
    pub needs: u64,
}

/// How much of zips is carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    packing: Packing,
    first: Learned,
    further: Learned,
    /// The paths of which the destination holds a zip.
    held: HashSet<ModulePath>,
}

/// What the rule says of one kind in bundles that were made, and what they came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Learned {
    bundles: usize,
    ruled: u64,
    carried: u64,
}

impl Learned {
    fn of(&self, by_rule: u64) -> u64 {
        match self.ruled {
            0 => by_rule,
            ruled => scaled(by_rule, self.carried, ruled),
        }
    }

    fn add(&mut self, ruled: u64, carried: u64) {
        self.bundles += 1;
        self.ruled += ruled;
        self.carried += carried;
    }
}

/// `bytes` times `by` over `of`.
fn scaled(bytes: u64, by: u64, of: u64) -> u64 {
    let product = u128::from(bytes) * u128::from(by) / u128::from(of);
    u64::try_from(product).unwrap_or(u64::MAX)
}

impl Rule {
    /// Of the stream's next bundle, where those were taken in.
    pub fn of(
        exported: &[Exported],
        taken_in: &Sequences,
        packing: Packing,
    ) -> Result<Rule, Error> {
        let mut rule = Rule {
            packing,
            first: Learned::default(),
            further: Learned::default(),
            held: HashSet::new(),
        };
        let newest = exported.len().saturating_sub(LEARN_FROM);
        let mut seen = HashSet::new();
        for (at, bundle) in exported.iter().enumerate() {
            let mut load = Load::default();
            let mut carried = 0;
            bundle.each_entry(|entry| {
                let packed = matches!(entry.encoding, Encoding::Contents | Encoding::Recipes);
                if packed {
                    carried += entry.stored;
                }
                for (module, digest) in entry.zips() {
                    let further = !seen.insert(module.path().clone());
                    if packed {
                        load.zip(digest.size, further);
                    }
                    if taken_in.contains(bundle.sequence()) {
                        rule.held.insert(module.path().clone());
                    }
                }
            })?;
            let [first, further] = [(load.first, FIRST), (load.further, FURTHER)]
                .map(|(bytes, share)| scaled(bytes, share, 1000));
            if at >= newest && load.zips > 0 {
                match first >= further {
                    true => rule.first.add(first + further, carried),
                    false => rule.further.add(first + further, carried),
                }
            }
        }
        Ok(rule)
    }

    /// Counts zips that are to be carried, in the order of modules. One of unknown size counts nothing.
    pub fn load<'m>(&self, zips: impl Iterator<Item = (&'m ModuleVersion, u64)>) -> Load {
        let mut load = Load::default();
        let mut before = None;
        for (module, size) in zips {
            let further = before == Some(module.path()) || self.held.contains(module.path());
            load.zip(size, further);
            before = Some(module.path());
        }
        load
    }

    /// Bytes of the bundle's files.
    pub fn carried(&self, load: &Load) -> u64 {
        let small = load.modules * MODULE + load.tiles + load.needs * NEED + FRONT;
        let zips = match self.packing {
            Packing::None => load.first + load.further + load.zips * ENTRY,
            Packing::Fast => self.packed(load),
            // What the stream has come to was packed either way, and only the rule of thumb is of one.
            Packing::Max => scaled(self.packed(load), MAX_OF_FAST, 1000),
        };
        zips + small
    }

    fn packed(&self, load: &Load) -> u64 {
        let first = self.first.of(scaled(load.first, FIRST, 1000));
        first + self.further.of(scaled(load.further, FURTHER, 1000))
    }

    /// What it is an estimate by.
    pub fn words(&self) -> String {
        match (self.packing, self.first.bundles + self.further.bundles) {
            (Packing::None, _) => "the zips' sizes, as they travel as they are".into(),
            (_, 0) => "what common modules come to, as this stream has no packed bundle yet".into(),
            (_, 1) => "what the stream's last packed bundle came to".into(),
            (_, count) => format!("what the stream's last {count} packed bundles came to"),
        }
    }
}

impl Load {
    fn zip(&mut self, size: u64, further: bool) {
        self.zips += 1;
        match further {
            true => self.further += size,
            false => self.first += size,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn module(name: &str) -> ModuleVersion {
        format!("m.test/{name}").parse().unwrap()
    }

    fn rule(packing: Packing, held: &[&str]) -> Rule {
        let held = held.iter().map(|name| module(name).path().clone());
        Rule {
            packing,
            first: Learned::default(),
            further: Learned::default(),
            held: held.collect(),
        }
    }

    #[test]
    fn the_first_zip_of_a_path_is_told_from_further_versions() {
        let zips = ["a@v1.0.0", "a@v1.1.0", "b@v1.0.0", "c@v1.0.0"].map(module);
        let load = rule(Packing::Fast, &["b@v0.1.0"]).load(zips.iter().zip([1, 20, 300, 4000]));
        assert_eq!((load.first, load.further, load.zips), (4001, 320, 4));
    }

    #[test]
    fn zips_as_they_are_take_their_size_and_packed_ones_less() {
        let load = Load {
            first: 10_000_000,
            further: 10_000_000,
            zips: 10,
            modules: 10,
            tiles: 8192,
            needs: 100,
        };
        let small = 10 * MODULE + 8192 + 100 * NEED + FRONT;
        for (packing, zips) in [
            (Packing::None, 20_000_000 + 10 * ENTRY),
            (Packing::Fast, 6_300_000),
            (Packing::Max, 5_985_000),
        ] {
            assert_eq!(
                rule(packing, &[]).carried(&load),
                zips + small,
                "{packing:?}"
            );
        }
    }

    #[test]
    fn each_kind_is_corrected_by_what_it_came_to() {
        let mut rule = rule(Packing::Fast, &[]);
        assert!(rule.words().contains("no packed bundle yet"));
        // First zips took half of what the rule says, further ones twice as much, in two bundles.
        rule.first.add(6_000, 3_000);
        rule.further.add(100, 150);
        rule.further.add(200, 450);
        let load = Load {
            first: 1_000_000,
            further: 1_000_000,
            ..Load::default()
        };
        assert_eq!(rule.packed(&load), 300_000 + 60_000);
        assert!(rule.words().contains("last 3 packed bundles"));
    }
}
