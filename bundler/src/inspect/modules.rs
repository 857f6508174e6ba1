//! Where the bytes of a bundle's zips went, by module version.
//!
//! A frame's bytes are shared out among its contents by their size: near enough, since like is beside like in it. A content
//! that several zips have counts for the first of them in the bundle, so a later version of a module shows what it adds. What
//! a zip takes out of one that the destination holds costs nothing here.
//!
//! Frames and recipes are read for it, and a frame that is compressed against zips that the destination holds takes those
//! too: they have to be in the cache. Nothing in a bundle is read before a trusted signature over it was checked.

use std::collections::BTreeSet;
use std::path::PathBuf;

use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{
    BaseEntry, BasesReader, Encoding, Entry, Incoming, Item, PrefixSize, ReadError, Recipe, Source,
    StoredContents, StoredRecipes, Volume, Volumes,
};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::trust::Policy;
use serde::{Serialize, Serializer};

use crate::bundle::Bundle;
use crate::cache::Cache;
use crate::error::Error;
use crate::front::damaged;
use crate::pack::base::Base;
use crate::pack::group::Opened as Zip;
use crate::verify::shelf;

/// A zip of a bundle, and what it takes there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModuleBytes {
    /// Of which module version.
    #[serde(serialize_with = "as_text")]
    pub module: ModuleVersion,
    /// Bytes in the bundle: its recipe and its share of frames, or the zip as it is.
    pub carried_bytes: u64,
    /// Bytes of the zip.
    pub zip_bytes: u64,
    /// Entries of it.
    pub files: u64,
    /// Of them, those that an earlier zip of the bundle brings.
    pub shared: u64,
    /// Of them, those that a zip brings that the destination holds.
    pub held: u64,
}

fn as_text<S: Serializer>(module: &ModuleVersion, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(module)
}

/// The zips of a bundle that the policy accepts, in their order.
pub fn modules(bundle: &Bundle, policy: &Policy, cache: &Cache) -> Result<Vec<ModuleBytes>, Error> {
    bundle.all_are_there()?;
    let read = |source: ReadError| damaged_in(bundle, source);
    let accepted = super::accepted(bundle, policy)?;
    let folder = std::env::temp_dir();
    let spool = tempfile::tempfile().map_err(Error::file("write into", &folder))?;
    let mut volumes = shelf(bundle);
    let path = bundle.volumes.first().map(|front| front.path.clone());
    let path = path.unwrap_or_default();
    let first = volumes(1).map_err(Error::file("read", &path))?;
    let mut entries = Volume::open(first)
        .and_then(|volume| volume.trust(&accepted)?.index(spool)?.entries(volumes))
        .map_err(read)?;

    let mut count = Count {
        bundle,
        cache,
        list: BasesReader::new(),
        bases: Vec::new(),
        opened: None,
        streams: Vec::new(),
        modules: Vec::new(),
    };
    while let Some(incoming) = entries.next().map_err(read)? {
        count.entry(incoming)?;
    }
    entries.finish().map_err(read)?;
    Ok(count.modules)
}

/// A deflate stream of the bundle.
#[derive(Clone, Copy)]
struct Stream {
    /// Its share of its frame, in bytes.
    carried: u32,
    /// Whether a zip that has it was counted.
    counted: bool,
}

struct Count<'b> {
    bundle: &'b Bundle,
    cache: &'b Cache,
    list: BasesReader,
    /// The bases, in the order of their list, and whether each is known to be there.
    bases: Vec<(Base, bool)>,
    /// The one that was looked at last.
    opened: Option<(u32, Zip)>,
    /// By number.
    streams: Vec<Stream>,
    modules: Vec<ModuleBytes>,
}

impl Count<'_> {
    fn entry<V: Volumes>(&mut self, mut incoming: Incoming<'_, V>) -> Result<(), Error> {
        let encoding = incoming.entry().encoding;
        if encoding == Encoding::Zstd {
            return incoming
                .small_items(|item, bytes| match item {
                    Item::Bases(_) => self.list_of_bases(bytes),
                    _ => Ok(()),
                })
                .map_err(|stopped| match stopped {
                    Stopped::Read(error) => damaged_in(self.bundle, error),
                    Stopped::Told(error) => error,
                });
        }
        let mut stored = Vec::new();
        if encoding != Encoding::Raw {
            let mut buf = vec![0; 1 << 20];
            loop {
                let n = incoming.read(&mut buf);
                match n.map_err(|error| damaged_in(self.bundle, error))? {
                    0 => break,
                    n => stored.extend_from_slice(&buf[..n]),
                }
            }
        }
        let entry = incoming
            .finish()
            .map_err(|error| damaged_in(self.bundle, error))?;
        match encoding {
            Encoding::Contents => self.contents(&entry, stored),
            Encoding::Recipes => self.recipes(&entry, &stored),
            Encoding::Raw | Encoding::Zstd => {
                self.modules
                    .extend(entry.zips().map(|(module, zip)| ModuleBytes {
                        module: module.clone(),
                        carried_bytes: entry.stored,
                        zip_bytes: zip.size,
                        files: 0,
                        shared: 0,
                        held: 0,
                    }));
                Ok(())
            }
        }
    }

    fn list_of_bases(&mut self, text: &[u8]) -> Result<(), Stopped> {
        let lines = self.list.text(text);
        let lines = lines.map_err(|error| Stopped::Told(self.wrong("bases", error)))?;
        let bases = lines.into_iter().map(|line| {
            let base = Base {
                path: self.cache.path(&line.module, "zip"),
                module: line.module,
                sha256: line.sha256,
            };
            (base, false)
        });
        self.bases.extend(bases);
        Ok(())
    }

    fn contents(&mut self, entry: &Entry, stored: Vec<u8>) -> Result<(), Error> {
        let carried = stored.len() as u64;
        let wrong = |error| self.wrong(&entry.to_string(), error);
        let contents = StoredContents::parse(stored).map_err(wrong)?;
        let prefix = self.prefix(contents.prefix())?;
        let wrong = |error| self.wrong(&entry.to_string(), error);
        let restored = contents.restore(&prefix, entry.restored()).map_err(wrong)?;
        let all: u64 = (0..restored.len())
            .map(|n| restored.content(n).len() as u64)
            .sum();
        for n in 0..restored.len() {
            let size = restored.content(n).len() as u64;
            let forms = restored.forms(n).len() as u64;
            if self.streams.len() as u64 + forms > self.bundle.manifest.deflated.streams {
                let what = "they give more deflate streams than the manifest has";
                return Err(self.wrong(&entry.to_string(), what));
            }
            let share = u128::from(size) * u128::from(carried) / u128::from(all.max(1));
            for _ in 0..forms {
                self.streams.push(Stream {
                    carried: (share as u64 / forms) as u32,
                    counted: false,
                });
            }
        }
        Ok(())
    }

    /// The contents of these entries of bases, one after the other.
    fn prefix(&mut self, parts: &[BaseEntry]) -> Result<Vec<u8>, Error> {
        let mut size = PrefixSize::default();
        let mut prefix = Vec::new();
        for part in parts {
            let (zip, _) = self.base(part.base)?;
            let lies = zip.places.get(part.entry as usize);
            let Some((packed, unpacked)) =
                lies.map(|place| (place.data.end - place.data.start, place.unpacked))
            else {
                return Err(self.wrong("contents", "they name an entry that its base has not"));
            };
            size = size.and(packed, unpacked);
            size.check()
                .map_err(|error| self.wrong("contents", error))?;
            let (zip, path) = self.base(part.base)?;
            zip.unpack(part.entry, &mut prefix)
                .map_err(|source| Error::file("read", &path)(source))?;
        }
        Ok(prefix)
    }

    /// The base of that place in the list, and where it lies. One is open at a time.
    fn base(&mut self, number: u32) -> Result<(&Zip, PathBuf), Error> {
        let Some((base, there)) = self.bases.get_mut(number as usize) else {
            return Err(self.wrong("contents", "they name a base that is not in the list"));
        };
        let path = base.path.clone();
        let read = |source| Error::file("read", &path)(source);
        *there = *there || base.is_there().map_err(read)?;
        if !*there {
            return Err(Fault::new(
                Exit::Missing,
                format!(
                    "{} is packed against {}, which is not in the cache {} as the destination has it",
                    self.bundle.name(),
                    base.module,
                    self.cache.root().display()
                ),
            )
            .advise("name the cache that it was exported with: --cache DIR")
            .into());
        }
        let opened = match self.opened.take() {
            Some((last, zip)) if last == number => zip,
            _ => Zip::new(&path).map_err(read)?,
        };
        let (_, zip) = self.opened.insert((number, opened));
        Ok((zip, path))
    }

    fn recipes(&mut self, entry: &Entry, stored: &[u8]) -> Result<(), Error> {
        let name = entry.to_string();
        let mut recipes =
            StoredRecipes::restore(entry, stored).map_err(|error| self.wrong(&name, error))?;
        let mut all = Vec::new();
        while let Some((module, zip, recipe)) =
            recipes.next().map_err(|error| self.wrong(&name, error))?
        {
            let mut bytes = Vec::new();
            recipe.encode(&mut bytes);
            let counted = self.recipe(module, zip.size, &recipe)?;
            all.push((counted, bytes.len() as u64));
        }
        let restored: u64 = all.iter().map(|(_, size)| size).sum();
        for (mut counted, size) in all {
            let share = u128::from(size) * u128::from(entry.stored) / u128::from(restored.max(1));
            counted.carried_bytes += share as u64;
            self.modules.push(counted);
        }
        Ok(())
    }

    fn recipe(
        &mut self,
        module: ModuleVersion,
        zip_bytes: u64,
        recipe: &Recipe,
    ) -> Result<ModuleBytes, Error> {
        let mut counted = ModuleBytes {
            module,
            carried_bytes: 0,
            zip_bytes,
            files: recipe.sources().len() as u64,
            shared: 0,
            held: 0,
        };
        let mut own = BTreeSet::new();
        // A zip has no use for a piece of another entry, so it has no more than all pieces.
        let mut looked_at = recipe.sources().len() + self.streams.len();
        for source in recipe.sources() {
            let numbers = match *source {
                Source::Base(_) => {
                    counted.held += 1;
                    continue;
                }
                Source::Deflated(number) => number..=number,
                Source::Pieces { first, count, .. } => first..=first.saturating_add(count - 1),
            };
            let mut shared = false;
            for number in numbers {
                let left = looked_at.checked_sub(1);
                let (Some(left), Some(stream)) = (left, self.streams.get_mut(number as usize))
                else {
                    let what =
                        format!("there is no deflate stream {number}, or it is used too often");
                    return Err(self.wrong(&format!("the recipe of {}", counted.module), what));
                };
                looked_at = left;
                shared |= stream.counted && !own.contains(&number);
                if !stream.counted {
                    stream.counted = true;
                    own.insert(number);
                    counted.carried_bytes += u64::from(stream.carried);
                }
            }
            counted.shared += u64::from(shared);
        }
        Ok(counted)
    }

    /// Something that was signed, and is not as the format has it.
    fn wrong(
        &self,
        what: &str,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Fault::new(
            Exit::Damaged,
            format!("{}: {what} cannot be read", self.bundle.name()),
        )
        .because(error)
        .into()
    }
}

/// Why the reading of a pack stopped.
enum Stopped {
    Read(ReadError),
    Told(Error),
}

impl From<ReadError> for Stopped {
    fn from(error: ReadError) -> Stopped {
        Stopped::Read(error)
    }
}

fn damaged_in(bundle: &Bundle, error: ReadError) -> Error {
    let front = bundle.volumes.iter().find(|front| {
        error
            .volume()
            .is_none_or(|number| front.volume.number == number)
    });
    let path = front.map(|front| front.path.clone()).unwrap_or_default();
    damaged(&path, error)
}
