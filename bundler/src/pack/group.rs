//! Zips that are packed together: all versions of some modules.
//!
//! What is known of every entry is held in memory while its zip is packed, so there is an end to how many are packed
//! together. Whole module paths stay together, for it is their versions that share files; across modules few do.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use flate2::bufread::DeflateDecoder;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::{self, Place};

use super::analyse::{Analysis, DEFLATED, Key, STORED};
use super::held::Held;
use super::slice::Slice;
use crate::cache::{FileAt, ZipFile};

/// A zip that is to be packed.
#[derive(Clone, Copy, Debug)]
pub struct Zip<'z> {
    /// Of which module version.
    pub module: &'z ModuleVersion,
    /// Where it lies, and what it is.
    pub file: &'z ZipFile,
}

/// Some zips, and what is known of them.
pub(super) struct Group<'g> {
    /// Sorted by module.
    pub(super) zips: &'g [Zip<'g>],
    /// What they consist of. Zips whose proof failed have an error there.
    pub(super) analysis: Analysis,
    /// What the destination holds of these modules.
    pub(super) held: Held<'g>,
}

impl<'g> Group<'g> {
    /// The zips that are packed, by their places, and the streams of each.
    pub(super) fn packed(&self) -> impl Iterator<Item = (u32, &[Key])> {
        (0..)
            .zip(&self.analysis.zips)
            .filter_map(|(number, keys)| Some((number, keys.as_ref().ok()?.as_slice())))
    }

    /// A zip's names, without `path@version/`.
    pub(super) fn names(&self, zip: u32) -> io::Result<Vec<Vec<u8>>> {
        let Zip { module, file } = self.zips[zip as usize];
        Ok(Opened::new(&file.path)?.names(module))
    }

    /// Has the zip travel as it is.
    pub(super) fn leave_out(&mut self, zip: u32, why: String) {
        self.analysis.zips[zip as usize] = Err(why);
    }
}

/// A zip whose entries are read.
pub(crate) struct Opened {
    file: File,
    /// Its entries, in the directory's order.
    pub(crate) places: Vec<Place>,
}

impl Opened {
    /// Reads the directory.
    pub(crate) fn new(path: &Path) -> io::Result<Opened> {
        let file = File::open(path)?;
        let places = zip::places(&FileAt::new(file.try_clone()?)?).map_err(io::Error::other)?;
        Ok(Opened { file, places })
    }

    /// The names of all entries, without `path@version/`.
    pub(super) fn names(&self, module: &ModuleVersion) -> Vec<Vec<u8>> {
        let prefix = format!("{module}/");
        let short = |place: &Place| {
            let name = &place.name;
            name.strip_prefix(prefix.as_bytes())
                .unwrap_or(name)
                .to_vec()
        };
        self.places.iter().map(short).collect()
    }

    /// Appends an entry's content.
    pub(crate) fn unpack(&self, entry: u32, content: &mut Vec<u8>) -> io::Result<()> {
        let place = self.places.get(entry as usize);
        let place = place.ok_or_else(|| io::Error::other("no such entry"))?;
        let packed = BufReader::new(Slice::new(&self.file, place.data.clone()));
        match place.method {
            STORED => packed.take(place.unpacked).read_to_end(content)?,
            DEFLATED => DeflateDecoder::new(packed)
                .take(place.unpacked)
                .read_to_end(content)?,
            other => return Err(io::Error::other(format!("method {other} of an entry"))),
        };
        Ok(())
    }

    /// The file.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

/// Zips that were read lately: neighbouring contents are of few.
#[derive(Default)]
pub(super) struct Files(HashMap<PathBuf, File>);

impl Files {
    /// No more are open at once.
    const MOST: usize = 32;

    /// The zip there.
    pub(super) fn of(&mut self, path: &Path) -> io::Result<&File> {
        if !self.0.contains_key(path) {
            if self.0.len() >= Self::MOST {
                self.0.clear();
            }
            self.0.insert(path.to_owned(), File::open(path)?);
        }
        Ok(&self.0[path])
    }
}

/// Cuts zips into those that are packed together: of so many entries at most, unless one module path has more.
/// `entries` says how many a zip has; zips are sorted by module.
pub(super) fn groups<'z>(
    zips: &'z [Zip<'z>],
    entries: &[usize],
    most: usize,
) -> Vec<&'z [Zip<'z>]> {
    let mut groups = Vec::new();
    let (mut begin, mut count, mut at) = (0, 0, 0);
    for path in zips.chunk_by(|a, b| a.module.path() == b.module.path()) {
        let of_path: usize = entries[at..at + path.len()].iter().sum();
        if count > 0 && count + of_path > most {
            groups.push(&zips[begin..at]);
            (begin, count) = (at, 0);
        }
        (count, at) = (count + of_path, at + path.len());
    }
    if begin < zips.len() {
        groups.push(&zips[begin..]);
    }
    groups
}
