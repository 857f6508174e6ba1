//! Finds the recipe of a zip.
//!
//! Every byte of the zip that is not a file's packed bytes is compared with what the recipe makes there. A directory or
//! end that it does not make goes into the recipe as it is, which costs little, since it compresses; local headers that
//! it does not make, and gaps, are reasons for the zip to travel as it is.

use std::collections::HashMap;
use std::ops::Range;

use super::codec::prefix_of;
use super::headers::{
    CENTRAL_LEN, CENTRAL_OWN, Descriptor, END_LEN, Fill, Kind, LOCAL_LEN, LOCAL_OWN, put_end,
};
use super::{DeflatedFacts, Directory, End, File, MAX_RECIPE_FILES, Recipe, Source};
use crate::module::ModuleVersion;
use crate::zip::{Place, ReadAt, Window, ZipError, each_header, places};

/// The most bytes that a recipe has as they are: in front of the files, of the directory, and behind it. A zip with
/// more of them gains nothing by a recipe that it may not lose again.
const MAX_LITERAL: u64 = 4 << 20;

/// What is behind this many bytes is read at a time.
const READ: usize = 64 << 10;

impl Recipe {
    /// The recipe of a zip whose entries' packed bytes come from `source`; `None` if it is not regular enough for one,
    /// and travels as it is. Which sources there are does not matter for that.
    ///
    /// `source` is asked once for each entry, by its place in the central directory, in the order in which they lie in the
    /// zip. The recipe makes the same zip if each source has the packed bytes of its entry, and its facts are what the
    /// entry's [`Place`] says. Where content and headers contradict each other, only [`Source::Pieces`] fits.
    ///
    /// # Errors
    ///
    /// It is no zip, or cannot be read.
    pub fn of_zip(
        module: &ModuleVersion,
        zip: &(impl ReadAt + ?Sized),
        source: &mut dyn FnMut(usize, &Place) -> Source,
    ) -> Result<Option<Recipe>, ZipError> {
        let places = places(zip)?;
        if places.len() > MAX_RECIPE_FILES {
            return Ok(None);
        }
        let mut buf = Vec::new();
        let mut window = Window::new(zip, &mut buf);
        let mut headers = Vec::new();
        let directory = each_header(&mut window, |header| -> Result<(), ZipError> {
            headers.push(Central {
                fixed: front(header.fixed),
                extra: header.extra.to_vec(),
                comment: header.comment.to_vec(),
            });
            Ok(())
        })?;
        let finder = Finder {
            window,
            places: &places,
            directory,
        };
        finder.find(module, &headers, source)
    }
}

/// A header of the directory, as it stands there; the name is in the entry's place.
struct Central {
    fixed: [u8; CENTRAL_LEN],
    extra: Vec<u8>,
    comment: Vec<u8>,
}

/// A file's local header and what follows its packed bytes, understood.
struct Local {
    fixed: [u8; LOCAL_LEN],
    name: Vec<u8>,
    extra: Vec<u8>,
    fill: Fill,
    descriptor: Descriptor,
}

struct Finder<'z, R: ?Sized> {
    window: Window<'z, R>,
    places: &'z [Place],
    directory: Range<u64>,
}

impl<R: ReadAt + ?Sized> Finder<'_, R> {
    fn find(
        mut self,
        module: &ModuleVersion,
        headers: &[Central],
        source: &mut dyn FnMut(usize, &Place) -> Source,
    ) -> Result<Option<Recipe>, ZipError> {
        let mut order: Vec<usize> = (0..self.places.len()).collect();
        order.sort_by_key(|n| self.places[*n].header_offset);
        let Some(locals) = self.locals(&order)? else {
            return Ok(None);
        };
        let end_of_files = match order.last() {
            None => self.directory.start,
            Some(last) => {
                let descriptor = locals.last().map_or(0, |local| local.descriptor.len());
                self.places[*last].data.end + descriptor
            }
        };
        let first = order.first();
        let first = first.map_or(end_of_files, |n| self.places[*n].header_offset);
        let Some(front) = self.literal(0..first)? else {
            return Ok(None);
        };
        if self.directory.end < end_of_files {
            return Ok(None); // the directory is in front of the files
        }

        let regular = self.is_regular(headers, &order, &locals, end_of_files);
        let directory = if !regular {
            match self.literal(end_of_files..self.directory.end)? {
                Some(bytes) => Directory::Literal(bytes),
                None => return Ok(None),
            }
        } else if order.is_sorted() {
            Directory::InOrder
        } else {
            let mut place = vec![0; order.len()];
            for (file, n) in order.iter().enumerate() {
                place[*n] = file as u32;
            }
            Directory::Order(place)
        };
        let Some((end, trailing)) = self.end(end_of_files)? else {
            return Ok(None);
        };

        let prefix = prefix_of(module);
        let prefixed = locals.iter().all(|local| local.name.starts_with(&prefix));
        let cut = if prefixed { prefix.len() } else { 0 };
        let mut recipe = Recipe {
            prefixed,
            front,
            kinds: Vec::new(),
            files: Vec::with_capacity(order.len()),
            names: Vec::new(),
            directory,
            end,
            trailing,
        };
        let mut known: HashMap<Kind, u32> = HashMap::new();
        for (n, local) in order.into_iter().zip(locals) {
            recipe.names.extend(&local.name[cut..]);
            let kind = kind(&local, regular.then_some(&headers[n]));
            let next = known.len() as u32;
            let number = *known.entry(kind.clone()).or_insert(next);
            if number == next {
                recipe.kinds.push(kind);
            }
            recipe.files.push(File {
                kind: number,
                name_end: recipe.names.len() as u32, // a directory has at most 32 MiB
                source: source(n, &self.places[n]),
            });
        }
        Ok(Some(recipe))
    }

    /// The local headers in the order in which they lie; `None` if one is not as a recipe makes it, or bytes lie between.
    fn locals(&mut self, order: &[usize]) -> Result<Option<Vec<Local>>, ZipError> {
        let mut locals = Vec::with_capacity(order.len());
        let next = order
            .iter()
            .skip(1)
            .map(|n| Some(self.places[*n].header_offset));
        for (n, next) in order.iter().zip(next.chain([None])) {
            match self.local(&self.places[*n], next)? {
                Some(local) => locals.push(local),
                None => return Ok(None),
            }
        }
        Ok(Some(locals))
    }

    fn local(&mut self, place: &Place, next: Option<u64>) -> Result<Option<Local>, ZipError> {
        // The place is behind it, so it is there, and all of it.
        let len = (place.data.start - place.header_offset) as usize;
        let header = &self.window.at(place.header_offset, len)?[..len];
        let facts = facts(place);
        if place.data.end - place.data.start > u32::MAX.into() || place.unpacked > u32::MAX.into() {
            return Ok(None);
        }
        let mut fixed: [u8; LOCAL_LEN] = front(header);
        let rest = &header[LOCAL_LEN..];
        let (name, extra) = rest.split_at(usize::from(u16::from_le_bytes([fixed[26], fixed[27]])));
        let (name, extra) = (name.to_vec(), extra.to_vec());
        let streamed = fixed[6] & 8 != 0;
        // What is zero in any case is taken to be as in other files of this kind: known at the time, or not.
        let given = |at: usize, value: u32| {
            let here = u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
            match here {
                here if here == value => Some(value != 0 || !streamed),
                0 => Some(false),
                _ => None,
            }
        };
        let (Some(crc32), Some(packed), Some(unpacked)) = (
            given(14, facts.crc32),
            given(18, facts.packed as u32),
            given(22, facts.unpacked as u32),
        ) else {
            return Ok(None);
        };
        fixed[LOCAL_OWN].fill(0);
        let Some(descriptor) = self.descriptor(place, &facts, next, streamed)? else {
            return Ok(None);
        };
        Ok(Some(Local {
            fixed,
            name,
            extra,
            fill: Fill {
                crc32,
                packed,
                unpacked,
            },
            descriptor,
        }))
    }

    /// What is between a file's packed bytes and the next local header; `None` if that is something else. Behind the
    /// last file nothing says where it ends, so it is the longest that fits.
    fn descriptor(
        &mut self,
        place: &Place,
        facts: &DeflatedFacts,
        next: Option<u64>,
        streamed: bool,
    ) -> Result<Option<Descriptor>, ZipError> {
        let end = place.data.end;
        let mut fitting = Descriptor::ALL;
        fitting.sort_by_key(|descriptor| std::cmp::Reverse(descriptor.len()));
        for descriptor in fitting {
            match next {
                Some(next) if next != end + descriptor.len() => continue,
                None if !streamed && descriptor != Descriptor::None => continue,
                _ => {}
            }
            let bytes = descriptor.bytes(facts);
            if bytes.is_empty() || self.window.at(end, bytes.len())?.starts_with(&bytes) {
                return Ok(Some(descriptor));
            }
        }
        Ok(None)
    }

    /// Whether the directory's headers are those that a recipe makes.
    fn is_regular(
        &self,
        headers: &[Central],
        order: &[usize],
        locals: &[Local],
        end_of_files: u64,
    ) -> bool {
        let mut expected = Vec::new();
        self.directory.start == end_of_files
            && order.iter().zip(locals).all(|(n, local)| {
                let (place, header) = (&self.places[*n], &headers[*n]);
                let Ok(offset) = u32::try_from(place.header_offset) else {
                    return false;
                };
                let kind = kind(local, Some(header));
                expected.clear();
                kind.put_central(&mut expected, [&[], &local.name], &facts(place), offset);
                expected[..CENTRAL_LEN] == header.fixed && local.name == place.name
            })
    }

    /// The end record, and what is behind it; `None` if that is too much.
    fn end(&mut self, end_of_files: u64) -> Result<Option<(End, Vec<u8>)>, ZipError> {
        let at = self.directory.end;
        let Some(mut rest) = self.literal(at..self.window.size())? else {
            return Ok(None);
        };
        let comment = match rest.get(20..END_LEN as usize) {
            Some(len) => usize::from(u16::from_le_bytes([len[0], len[1]])),
            None => return Ok(Some((End::Literal(rest), Vec::new()))),
        };
        let len = END_LEN as usize + comment;
        let (Ok(size), Ok(offset)) = (
            u32::try_from(at - end_of_files),
            u32::try_from(end_of_files),
        ) else {
            return Ok(Some((End::Literal(rest), Vec::new())));
        };
        if rest.len() < len {
            return Ok(Some((End::Literal(rest), Vec::new())));
        }
        let trailing = rest.split_off(len);
        let text = rest[END_LEN as usize..].to_vec();
        let mut expected = Vec::new();
        put_end(&mut expected, self.places.len(), size, offset, &text);
        let end = match expected == rest {
            true if text.is_empty() => End::Plain,
            true => End::Comment(text),
            false => End::Literal(rest),
        };
        Ok(Some((end, trailing)))
    }

    /// Bytes of the zip; `None` if they are too many for a recipe.
    fn literal(&mut self, range: Range<u64>) -> Result<Option<Vec<u8>>, ZipError> {
        if range.end - range.start > MAX_LITERAL {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let here = self.window.at(at, READ)?;
            let len = (range.end - at).min(here.len() as u64) as usize;
            if len == 0 {
                break; // the range is of the file
            }
            bytes.extend_from_slice(&here[..len]);
            at += len as u64;
        }
        Ok(Some(bytes))
    }
}

fn facts(place: &Place) -> DeflatedFacts {
    DeflatedFacts {
        packed: place.data.end - place.data.start,
        unpacked: place.unpacked,
        crc32: place.crc32,
    }
}

/// The kind of a file: its local part, and its directory's part where the recipe makes the directory.
fn kind(local: &Local, header: Option<&Central>) -> Kind {
    let mut kind = Kind {
        local: local.fixed,
        central: [0; CENTRAL_LEN],
        local_extra: local.extra.clone(),
        central_extra: Vec::new(),
        comment: Vec::new(),
        fill: local.fill,
        descriptor: local.descriptor,
    };
    if let Some(header) = header {
        kind.central = header.fixed;
        CENTRAL_OWN
            .into_iter()
            .for_each(|own| kind.central[own].fill(0));
        kind.central_extra.clone_from(&header.extra);
        kind.comment.clone_from(&header.comment);
    }
    kind
}

/// So many bytes of those that are there.
fn front<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut front = [0; N];
    front.copy_from_slice(&bytes[..N]);
    front
}
