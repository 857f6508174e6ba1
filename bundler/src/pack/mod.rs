//! Packs zips: their files' contents once, compressed together, and of each zip a recipe that rebuilds it bit for bit.
//!
//! Zips are deflated one file at a time, so nothing shrinks them, and ten versions of a module take ten times the room
//! although nine files in ten are the same. What is carried instead, for a [group] of modules after another:
//!
//! 1. [analyse]: each deflate stream of the zips is known once, with its content and the writer that makes it of that;
//! 2. [held]: streams that the destination has in [bases](base) are named, and not carried;
//! 3. [order]: the contents that are left are put like beside like, and cut into frames;
//! 4. [recipes]: each zip's recipe, which is read again, and must give the zip;
//! 5. [frames]: each frame is compressed, restored again by the reader's code, and each content hashed.
//!
//! So every rebuild is proven before anything is signed. A zip whose proof fails, or that is written too oddly for a
//! recipe, travels as it is; 3 to 5 are then done again without it, so that nothing of it is left behind. At the end the
//! bases that are used are hashed once more.
//!
//! The same zips give the same bytes, on any number of cores. Memory is bounded: by [`GROUP`] for what is known of
//! entries, and by [`FRAMES_AT_ONCE`] frames under way. What is packed waits in an unnamed file in the cache's folder,
//! for the index, which names it all, comes first in a bundle.

mod analyse;
pub mod base;
mod frames;
pub(crate) mod group;
mod held;
mod level;
mod order;
mod recipes;
mod slice;
mod spool;
#[cfg(test)]
mod tests;
mod workers;

use std::io::Read;
use std::path::{Path, PathBuf};

use modferry_protocol::bundle::{
    DeflatedTotals, Digest, Encoding, Entry, Item, MAX_BASE_ENTRIES, Pack, Recipe, RecipesBuilder,
};
use modferry_protocol::module::ModuleVersion;

pub use group::Zip;
pub use level::Packing;

use crate::error::Error;
use crate::progress::Progress;
use base::Base;
use group::Group;
use order::Order;
use spool::{Chunk, Spool};

/// The most bytes of a content that is packed: of a larger one, the deflate stream is carried as it is, in pieces. A
/// frame of it has room for a table besides.
const MAX_CONTENT: u64 = 40 << 20;

/// Zips of so many entries are packed together, at about 200 bytes of memory an entry.
const GROUP: usize = 250_000;

/// Frames that are compressed at once: each takes about 100 MB while it is.
const FRAMES_AT_ONCE: usize = 2;

/// What zips were packed into.
#[derive(Debug)]
pub struct Packed {
    /// The entries of a bundle that carry them, in order; their numbers are not known yet.
    pub parts: Vec<Part>,
    /// The bases that recipes take streams from: zips that the destination has to hold.
    pub bases: Vec<Base>,
    /// What the contents give.
    pub deflated: DeflatedTotals,
    /// Zips that were to be packed and travel as they are, and why.
    pub verbatim: Vec<(ModuleVersion, String)>,
    /// Bases that are no longer what the destination holds, so that nothing is packed against them.
    pub changed: Vec<ModuleVersion>,
    spool: Option<Spool>,
}

/// An entry of a bundle, and where its bytes are.
#[derive(Debug)]
pub struct Part {
    /// The entry, but for its number.
    pub entry: Entry,
    from: From,
}

#[derive(Debug)]
enum From {
    Spool(Chunk),
    File(PathBuf),
}

impl Packed {
    /// An entry's bytes.
    pub fn bytes<'p>(&'p self, part: &'p Part) -> Result<Box<dyn Read + 'p>, Error> {
        match (&part.from, &self.spool) {
            (From::Spool(chunk), Some(spool)) => Ok(Box::new(spool.read(chunk))),
            (From::Spool(_), None) => Ok(Box::new(std::io::empty())),
            (From::File(path), _) => {
                let file = std::fs::File::open(path).map_err(Error::file("read", path))?;
                Ok(Box::new(file))
            }
        }
    }
}

/// Zips as they are.
pub fn verbatim(zips: &[Zip<'_>]) -> Packed {
    Packed {
        parts: zips.iter().map(as_it_is).collect(),
        bases: Vec::new(),
        deflated: DeflatedTotals::default(),
        verbatim: Vec::new(),
        changed: Vec::new(),
        spool: None,
    }
}

/// Packs zips, which are sorted by module, on all cores; `bases` are what the destination holds of the same modules,
/// sorted too. What is packed waits in the folder.
pub fn pack(
    zips: &[Zip<'_>],
    bases: &[Base],
    packing: Packing,
    folder: &Path,
    progress: &Progress,
) -> Result<Packed, Error> {
    let Some(level) = packing.level() else {
        return Ok(verbatim(zips));
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    pack_on(threads, GROUP, zips, bases, &level, folder, progress)
}

/// Packs, and looks whether the bases that are used are still what the destination holds: the cache's files may change
/// after they were found. As long as one is not, all is packed again without it.
fn pack_on(
    threads: usize,
    most_entries: usize,
    zips: &[Zip<'_>],
    bases: &[Base],
    level: &level::Level,
    folder: &Path,
    progress: &Progress,
) -> Result<Packed, Error> {
    let mut bases = bases.to_vec();
    let mut changed = Vec::new();
    loop {
        let mut packed =
            pack_against(threads, most_entries, zips, &bases, level, folder, progress)?;
        let used = &packed.bases;
        let there = workers::each(
            threads,
            used.len(),
            || (),
            |(), at| Ok::<_, Error>(used[at].is_there().unwrap_or(false)),
        )?;
        let not_there = used.iter().zip(there).filter(|(_, there)| !there);
        let not_there: Vec<ModuleVersion> =
            not_there.map(|(base, _)| base.module.clone()).collect();
        if not_there.is_empty() {
            changed.sort();
            packed.changed = changed;
            return Ok(packed);
        }
        bases.retain(|base| !not_there.contains(&base.module));
        changed.extend(not_there);
    }
}

fn pack_against(
    threads: usize,
    most_entries: usize,
    zips: &[Zip<'_>],
    bases: &[Base],
    level: &level::Level,
    folder: &Path,
    progress: &Progress,
) -> Result<Packed, Error> {
    let most = zips.iter().map(|zip| zip.file.size).sum();
    let spool = Spool::new(folder, most)?;
    let mut packed = verbatim(&[]);
    let mut out = Out::default();
    let entries = workers::each(
        threads,
        zips.len(),
        || (),
        |(), at| {
            let opened = group::Opened::new(&zips[at].file.path);
            Ok::<_, Error>(opened.map_or(0, |opened| opened.places.len()))
        },
    )?;
    let read = |source| Error::file("pack zips of", folder)(source);
    let mut base_entries = 0;
    for of_group in group::groups(zips, &entries, most_entries) {
        progress.total(of_group.iter().map(|zip| zip.file.size).sum());
        progress.phase("unpacking");
        let paths: Vec<_> = of_group.iter().map(|zip| zip.file.path.as_path()).collect();
        let left = MAX_BASE_ENTRIES.saturating_sub(base_entries);
        let held = held::Held::of(of_paths(bases, of_group), left, threads).map_err(read)?;
        let analysis = analyse::analyse(&paths, threads, |at| {
            progress.advance(of_group[at].file.size);
        });
        let mut group = Group {
            zips: of_group,
            analysis: analysis.map_err(read)?,
            held,
        };
        let before = spool.end();
        let (order, frames, recipes) = loop {
            spool.cut(before);
            let first_base = packed.bases.len() as u32;
            let order = Order::of(&group, out.number, first_base, level.frame).map_err(read)?;
            let recipes = recipes::recipes(&group, &order, threads).map_err(read)?;
            let Some(recipes) = all_proven(&mut group, recipes) else {
                continue;
            };
            progress.total(order.contents.iter().map(|content| content.size).sum());
            progress.phase("packing");
            let frames = frames::frames(&group, &order, level, &spool, threads, progress)?;
            let Some(frames) = all_restored(&mut group, &order, frames) else {
                continue;
            };
            break (order, frames, recipes);
        };
        packed.deflated.streams += u64::from(order.end - out.number);
        packed.deflated.bytes += order
            .contents
            .iter()
            .map(|content| content.deflated)
            .sum::<u64>();
        out.number = order.end;
        let used = order.bases.keys();
        base_entries += used.map(|at| group.held.entries(*at)).sum::<u64>();
        packed.bases.extend(
            order
                .bases
                .keys()
                .map(|at| group.held.bases[*at as usize].clone()),
        );
        for (chunk, size) in frames {
            out.frame(chunk, size);
        }
        let mut recipes = recipes.into_iter().peekable();
        for (at, zip) in (0..).zip(of_group) {
            match recipes.next_if(|(of, _)| *of == at) {
                Some((_, recipe)) => out.recipe(zip, &recipe, &spool)?,
                None => out.as_it_is(zip, &spool)?,
            }
        }
        let failed = of_group.iter().zip(group.analysis.zips);
        packed
            .verbatim
            .extend(failed.filter_map(|(zip, keys)| Some((zip.module.clone(), keys.err()?))));
    }
    out.close(&spool)?;
    packed.parts = out.frames;
    packed.parts.append(&mut out.zips);
    packed.spool = Some(spool);
    Ok(packed)
}

/// Those of the bases that are of a group's module paths: both are sorted.
fn of_paths<'b>(bases: &'b [Base], zips: &[Zip<'_>]) -> &'b [Base] {
    let (Some(first), Some(last)) = (zips.first(), zips.last()) else {
        return &[];
    };
    let begin = bases.partition_point(|base| base.module.path() < first.module.path());
    let end = bases.partition_point(|base| base.module.path() <= last.module.path());
    &bases[begin..end]
}

/// The recipes, if every zip that is packed has one; else those without are left out.
fn all_proven(group: &mut Group<'_>, recipes: Vec<recipes::Outcome>) -> Option<Vec<(u32, Recipe)>> {
    let mut proven = Vec::with_capacity(recipes.len());
    let mut all = true;
    for (zip, recipe) in recipes {
        match recipe {
            Ok(recipe) => proven.push((zip, recipe)),
            Err(why) => {
                group.leave_out(zip, why);
                all = false;
            }
        }
    }
    all.then_some(proven)
}

/// The frames, if every content came out of its frame again; else the zips that need one that did not are left out.
fn all_restored(
    group: &mut Group<'_>,
    order: &Order,
    frames: Vec<frames::Outcome>,
) -> Option<Vec<(Chunk, u64)>> {
    let mut restored = Vec::with_capacity(frames.len());
    let mut lost = std::collections::BTreeMap::new();
    for frame in frames {
        match frame {
            Ok(frame) => restored.push(frame),
            Err((contents, why)) => {
                lost.extend(
                    contents
                        .into_iter()
                        .map(|at| (order.contents[at].key.0, why.clone())),
                );
            }
        }
    }
    if lost.is_empty() {
        return Some(restored);
    }
    let concerned: Vec<(u32, String)> = group
        .packed()
        .filter_map(|(zip, keys)| {
            let contents = keys
                .iter()
                .filter_map(|key| group.analysis.streams.get(key));
            let why = contents
                .into_iter()
                .find_map(|stream| lost.get(&stream.content))?;
            Some((zip, why.clone()))
        })
        .collect();
    for (zip, why) in concerned {
        group.leave_out(zip, why);
    }
    None
}

fn as_it_is(zip: &Zip<'_>) -> Part {
    Part {
        entry: Entry {
            number: 0,
            encoding: Encoding::Raw,
            stored: zip.file.size,
            sha256: zip.file.sha256,
            items: vec![(Item::Zip(zip.module.clone()), zip.file.size)],
            zip_sha256: Vec::new(),
        },
        from: From::File(zip.file.path.clone()),
    }
}

/// The entries so far.
#[derive(Default)]
struct Out {
    /// The number of the next deflate stream.
    number: u32,
    frames: Vec<Part>,
    zips: Vec<Part>,
    recipes: RecipesBuilder,
}

impl Out {
    /// A frame of contents, and its bytes as it is restored.
    fn frame(&mut self, stored: Chunk, size: u64) {
        let number = self.frames.len() as u32 + 1;
        let entry = Entry {
            number: 0,
            encoding: Encoding::Contents,
            stored: stored.size,
            sha256: stored.sha256,
            items: vec![(Item::Contents(number), size)],
            zip_sha256: Vec::new(),
        };
        self.frames.push(Part {
            entry,
            from: From::Spool(stored),
        });
    }

    /// A zip that travels as a recipe.
    fn recipe(&mut self, zip: &Zip<'_>, recipe: &Recipe, spool: &Spool) -> Result<(), Error> {
        let digest = Digest {
            size: zip.file.size,
            sha256: zip.file.sha256,
        };
        match self.recipes.push(zip.module, digest, recipe)? {
            Some(pack) => self.pack(pack, spool),
            None => Ok(()),
        }
    }

    /// A zip that does not.
    fn as_it_is(&mut self, zip: &Zip<'_>, spool: &Spool) -> Result<(), Error> {
        self.close(spool)?;
        self.zips.push(as_it_is(zip));
        Ok(())
    }

    /// Ends the pack of recipes.
    fn close(&mut self, spool: &Spool) -> Result<(), Error> {
        match self.recipes.close()? {
            Some(pack) => self.pack(pack, spool),
            None => Ok(()),
        }
    }

    fn pack(&mut self, pack: Pack, spool: &Spool) -> Result<(), Error> {
        let (entry, bytes) = pack.into_entry(0);
        let from = From::Spool(spool.put(&bytes)?);
        self.zips.push(Part { entry, from });
        Ok(())
    }
}
