//! The recipe of each zip, and the proof that it is one.
//!
//! A recipe is taken the way that the other side takes it: encoded, decoded, and assembled by the reader's own code, out
//! of deflate streams by their numbers. The bytes of a stream are read where it was found; that its writer makes just
//! these of the content was seen when it was found, and that the content is carried is seen when its frame is restored.
//! What comes out must have the SHA-256 that the zip has, else the zip travels as it is.

use std::collections::HashMap;
use std::io::{self, Write};

use modferry_cli::{bytes, in_one_line};
use modferry_protocol::bundle::{
    BaseEntry, Deflated, DeflatedFacts, MAX_PACK_RESTORED, Recipe, Source,
};
use modferry_protocol::zip::Place;
use sha2::{Digest as _, Sha256};

use super::analyse::{Key, Made, Stream};
use super::group::{Files, Group, Opened, Zip};
use super::order::{Order, pieces};
use super::slice::Slice;
use super::workers;
use crate::cache::FileAt;

/// A zip's place, and its recipe; or why it has none.
pub(super) type Outcome = (u32, Result<Recipe, String>);

/// Finds the recipes of the zips that are packed, on so many threads.
pub(super) fn recipes(
    group: &Group<'_>,
    order: &Order,
    threads: usize,
) -> io::Result<Vec<Outcome>> {
    let packed: Vec<(u32, &[Key])> = group.packed().collect();
    let mut streams: HashMap<u32, &Stream> = HashMap::with_capacity(order.numbers.len());
    for (key, number) in &order.numbers {
        let Some(stream) = group.analysis.streams.get(key) else {
            continue;
        };
        // A file that is stored may be what another entry is deflated to: both are one content, as it is.
        let known = streams.entry(*number).or_insert(stream);
        if known.made == Made::ByNobody {
            *known = stream;
        }
    }
    let bases: HashMap<u32, u32> = order
        .bases
        .iter()
        .map(|(held, of_list)| (*of_list, *held))
        .collect();
    let found = || Found {
        group,
        streams: &streams,
        bases: &bases,
        files: Files::default(),
        base: None,
    };
    workers::each(threads, packed.len(), found, |found, at| {
        let (zip, keys) = packed[at];
        let recipe = found.recipe(order, &group.zips[zip as usize], keys);
        Ok((zip, recipe))
    })
}

/// The deflate streams that the other side will have, where they lie on this one.
struct Found<'f> {
    group: &'f Group<'f>,
    /// By number; of those in pieces, by the first piece's. Where one is a file, too, it is that file's.
    streams: &'f HashMap<u32, &'f Stream>,
    /// The bases that are used, by their places in the bundle's list.
    bases: &'f HashMap<u32, u32>,
    files: Files,
    /// The base that was looked at last, by its place in the list.
    base: Option<(u32, Opened)>,
}

impl Found<'_> {
    /// The proven recipe of a zip whose entries have these streams; else why there is none.
    fn recipe(&mut self, order: &Order, zip: &Zip<'_>, keys: &[Key]) -> Result<Recipe, String> {
        let in_words = |error: &dyn std::error::Error| in_one_line(error);
        let opened = Opened::new(&zip.file.path).map_err(|error| in_words(&error))?;
        let mut unknown = false;
        let mut source = |entry: usize, place: &Place| {
            let source = keys
                .get(entry)
                .and_then(|key| self.source(order, key, place));
            unknown |= source.is_none();
            source.unwrap_or(Source::Deflated(0))
        };
        let at = FileAt::new(
            opened
                .file()
                .try_clone()
                .map_err(|error| in_words(&error))?,
        );
        let at = at.map_err(|error| in_words(&error))?;
        let recipe = Recipe::of_zip(zip.module, &at, &mut source)
            .map_err(|error| in_words(&error))?
            .ok_or("it is not written as zips are")?;
        if unknown {
            return Err("it changed while it was packed".into());
        }
        let mut encoded = Vec::new();
        recipe.encode(&mut encoded);
        if encoded.len() as u64 > MAX_PACK_RESTORED {
            return Err(format!(
                "its recipe has more than {}",
                bytes(MAX_PACK_RESTORED)
            ));
        }
        let mut rest = encoded.as_slice();
        let decoded = Recipe::decode(zip.module, &mut rest).map_err(|error| in_words(&error))?;
        let mut assembled = Hashing::default();
        decoded
            .assemble(zip.module, self, &mut assembled)
            .map_err(|error| in_words(&error))?;
        let is = assembled.hasher.finalize();
        match rest.is_empty() && assembled.size == zip.file.size && is[..] == zip.file.sha256 {
            true => Ok(decoded),
            false => Err("its rebuild is another zip".into()),
        }
    }

    /// Where an entry's packed bytes come from.
    fn source(&self, order: &Order, key: &Key, place: &Place) -> Option<Source> {
        if let Some(held) = self.group.held.stream(key) {
            return Some(Source::Base(BaseEntry {
                base: *order.bases.get(&held.base)?,
                entry: held.entry,
            }));
        }
        let first = *order.numbers.get(key)?;
        let stream = self.group.analysis.streams.get(key)?;
        Some(match stream.made {
            Made::By(_) | Made::Stored => Source::Deflated(first),
            Made::ByNobody => Source::Pieces {
                first,
                count: pieces(stream),
                crc32: place.crc32,
                unpacked: place.unpacked,
            },
        })
    }

    /// The stream that a source names, if it is all of one.
    fn stream(&self, source: &Source) -> Option<&Stream> {
        let (first, count) = match *source {
            Source::Deflated(number) => (number, 1),
            Source::Pieces { first, count, .. } => (first, count),
            Source::Base(_) => return None,
        };
        let stream = *self.streams.get(&first)?;
        (pieces(stream) == count).then_some(stream)
    }

    /// An entry of a base, and the base.
    fn of_base(&mut self, of: BaseEntry) -> io::Result<Option<(&Opened, &Place)>> {
        if self.base.as_ref().is_none_or(|(last, _)| *last != of.base) {
            let Some(held) = self.bases.get(&of.base) else {
                return Ok(None);
            };
            let path = &self.group.held.bases[*held as usize].path;
            self.base = Some((of.base, Opened::new(path)?));
        }
        let opened = self.base.as_ref().map(|(_, opened)| opened);
        Ok(opened.and_then(|opened| Some((opened, opened.places.get(of.entry as usize)?))))
    }
}

impl Deflated for Found<'_> {
    fn facts(&mut self, source: &Source) -> io::Result<Option<DeflatedFacts>> {
        if let Source::Base(of) = source {
            let found = self.of_base(*of)?;
            return Ok(found.map(|(_, place)| DeflatedFacts {
                packed: place.data.end - place.data.start,
                unpacked: place.unpacked,
                crc32: place.crc32,
            }));
        }
        Ok(self.stream(source).map(|stream| {
            let (unpacked, crc32) = match *source {
                Source::Pieces {
                    unpacked, crc32, ..
                } => (unpacked, crc32),
                _ => (stream.unpacked, stream.crc32),
            };
            DeflatedFacts {
                packed: stream.origin.packed,
                unpacked,
                crc32,
            }
        }))
    }

    fn copy(&mut self, source: &Source, out: &mut dyn Write) -> io::Result<()> {
        let gone = || io::Error::other("a deflate stream is gone");
        if let Source::Base(of) = source {
            let (opened, place) = self.of_base(*of)?.ok_or_else(gone)?;
            io::copy(&mut Slice::new(opened.file(), place.data.clone()), out)?;
            return Ok(());
        }
        let origin = self.stream(source).ok_or_else(gone)?.origin;
        let file = self
            .files
            .of(&self.group.zips[origin.zip as usize].file.path)?;
        let bytes = origin.offset..origin.offset + origin.packed;
        io::copy(&mut Slice::new(file, bytes), out)?;
        Ok(())
    }
}

/// Hashes what is written.
#[derive(Default)]
struct Hashing {
    hasher: Sha256,
    size: u64,
}

impl Write for Hashing {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.hasher.update(buf);
        self.size += buf.len() as u64;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
