//! Which contents are carried, in what order, and where frames of them begin and end.
//!
//! zstd finds in a file what it has seen before in the same frame, so like goes beside like: by module path, then by
//! name within the module, then by version, so that a file stands behind itself as it was a version ago. What nobody
//! can write again is deflated still, helps nothing and is helped by nothing: it comes last.
//!
//! The order is a function of what is packed alone, not of how it was found out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::ops::Range;

use modferry_protocol::bundle::{MAX_CONTENTS, MAX_PREFIX_PARTS, PrefixSize};

use super::MAX_CONTENT;
use super::analyse::{Key, Made, Origin, Stream};
use super::group::Group;
use super::held::HeldEntry;

/// The bytes of a content, or of a piece of what is carried as it is.
#[derive(Clone, Debug)]
pub(super) struct Content {
    /// What it is known by.
    pub(super) key: ContentKey,
    /// An entry whose packed bytes give it.
    pub(super) origin: Origin,
    /// Which of them, where it is carried as it is; `None` where it is what they unpack to.
    pub(super) packed: Option<Range<u64>>,
    /// Its bytes.
    pub(super) size: u64,
    /// How packed bytes are made of it, a bit for the code of each form; 0 is "as it is".
    pub(super) forms: u8,
    /// Whether it is what nobody can write again.
    pub(super) opaque: bool,
    /// Bytes of all the deflate streams that are made of it.
    pub(super) deflated: u64,
    /// The number of the first of them.
    pub(super) number: u32,
    /// The same file of a zip that the destination holds, if it has other bytes there.
    pub(super) before: Option<HeldEntry>,
}

/// The hash of a content, or of packed bytes; and which piece of them, from 1, or 0 where they are in one.
pub(super) type ContentKey = (Key, u32);

/// Contents that are compressed together.
#[derive(Clone, Debug, Default)]
pub(super) struct Frame {
    /// Which.
    pub(super) contents: Range<usize>,
    /// What they are compressed against.
    pub(super) prefix: Vec<HeldEntry>,
}

/// What is carried for some zips.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Contents, each once.
    pub(super) contents: Vec<Content>,
    /// The frames that they are in.
    pub(super) frames: Vec<Frame>,
    /// The number behind that of the last deflate stream.
    pub(super) end: u32,
    /// The deflate streams' first, where they are several the first piece's, numbers.
    pub(super) numbers: HashMap<Key, u32>,
    /// The bases that are used, by their places among those that are held, and their places in the bundle's list.
    pub(super) bases: BTreeMap<u32, u32>,
}

impl Order {
    /// Of those zips of the group that are packed: numbers begin with these, and a frame has so many bytes at most.
    pub(super) fn of(
        group: &Group<'_>,
        first_number: u32,
        first_base: u32,
        frame: u64,
    ) -> io::Result<Order> {
        let (streams, bases) = used(group);
        let mut contents: HashMap<ContentKey, Content> = HashMap::new();
        for stream in streams.values() {
            for content in contents_of(stream) {
                contents
                    .entry(content.key)
                    .and_modify(|known| known.join(&content))
                    .or_insert(content);
            }
        }
        let mut contents = named(group, contents.into_values().collect())?;
        let mut number = first_number;
        let mut numbers = HashMap::with_capacity(streams.len());
        let mut places = HashMap::with_capacity(contents.len());
        for content in &mut contents {
            content.number = number;
            number += content.forms.count_ones();
            places.insert(content.key, (content.number, content.forms));
        }
        for (key, stream) in &streams {
            let first = first_key(stream);
            let Some((number, forms)) = places.get(&first) else {
                continue;
            };
            let before = forms & ((1 << code(stream.made)) - 1);
            numbers.insert(*key, number + before.count_ones());
        }
        let frames = frames(&contents, frame);
        let prefixes = frames.iter().flat_map(|frame| &frame.prefix);
        let all: BTreeSet<u32> = bases
            .into_iter()
            .chain(prefixes.map(|held| held.base))
            .collect();
        Ok(Order {
            bases: all.into_iter().zip(first_base..).collect(),
            contents,
            frames,
            end: number,
            numbers,
        })
    }
}

impl Content {
    /// Takes in what else is made of the same bytes.
    fn join(&mut self, other: &Content) {
        let at = |origin: &Origin| (origin.zip, origin.entry);
        if self.forms & other.forms == 0 {
            self.deflated += other.deflated;
        }
        self.forms |= other.forms;
        self.opaque &= other.opaque;
        if at(&other.origin) < at(&self.origin) {
            self.origin = other.origin;
            self.packed.clone_from(&other.packed);
        }
    }
}

/// The code of the form that such packed bytes have in a bundle.
fn code(made: Made) -> u8 {
    match made {
        Made::By(writer) => writer.code(),
        Made::Stored | Made::ByNobody => 0,
    }
}

/// The streams that are carried, and the bases that have others.
fn used<'g>(group: &'g Group<'_>) -> (BTreeMap<Key, &'g Stream>, BTreeSet<u32>) {
    let mut streams = BTreeMap::new();
    let mut bases = BTreeSet::new();
    for key in group.packed().flat_map(|(_, keys)| keys) {
        if let Some(held) = group.held.stream(key) {
            bases.insert(held.base);
        } else if let Some(stream) = group.analysis.streams.get(key) {
            streams.insert(*key, stream);
        }
    }
    (streams, bases)
}

/// In how many pieces a stream is carried.
pub(super) fn pieces(stream: &Stream) -> u32 {
    match stream.made {
        Made::ByNobody => stream.origin.packed.div_ceil(MAX_CONTENT).max(1) as u32,
        Made::By(_) | Made::Stored => 1,
    }
}

/// The content of a stream, or the first piece of what is carried as it is.
fn first_key(stream: &Stream) -> ContentKey {
    (stream.content, u32::from(pieces(stream) > 1))
}

/// What is carried for a stream: its content, or itself in pieces.
fn contents_of(stream: &Stream) -> Vec<Content> {
    let content = |key, packed: Option<Range<u64>>, size, deflated| Content {
        key,
        origin: stream.origin,
        packed,
        size,
        forms: 1 << code(stream.made),
        opaque: stream.made == Made::ByNobody,
        deflated,
        number: 0,
        before: None,
    };
    let packed = stream.origin.packed;
    if let Made::By(_) = stream.made {
        return vec![content((stream.content, 0), None, stream.unpacked, packed)];
    }
    let (_, mut piece) = first_key(stream);
    let mut pieces = Vec::new();
    let mut from = 0;
    loop {
        let to = packed.min(from + MAX_CONTENT);
        pieces.push(content(
            (stream.content, piece),
            Some(from..to),
            to - from,
            to - from,
        ));
        if to == packed {
            return pieces;
        }
        (from, piece) = (to, piece + 1);
    }
}

/// Sorts contents by what they are called where they come from, and finds what they were before.
fn named(group: &Group<'_>, contents: Vec<Content>) -> io::Result<Vec<Content>> {
    let mut by_zip: BTreeMap<u32, Vec<Content>> = BTreeMap::new();
    for content in contents {
        by_zip.entry(content.origin.zip).or_default().push(content);
    }
    let mut named = Vec::new();
    let mut path = 0;
    let mut last = None;
    for (zip, contents) in by_zip {
        let module = group.zips[zip as usize].module;
        if last.replace(module.path()) != Some(module.path()) {
            path += 1;
        }
        let names = group.names(zip)?;
        for mut content in contents {
            let name = names
                .get(content.origin.entry as usize)
                .cloned()
                .unwrap_or_default();
            if !content.opaque {
                content.before = group.held.before(module, &name);
            }
            let place = (content.origin.entry, content.key.1);
            named.push(((content.opaque, path, name, zip, place), content));
        }
    }
    named.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(named.into_iter().map(|(_, content)| content).collect())
}

/// Cuts the contents into frames of so many bytes at most, the table of each included.
fn frames(contents: &[Content], most: u64) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    let (mut size, mut prefix) = (0, PrefixSize::default());
    let with = |prefix: PrefixSize, held: &HeldEntry| prefix.and(held.packed, held.size);
    let is_one = |held: &HeldEntry| with(PrefixSize::default(), held).check().is_ok();
    for (at, content) in contents.iter().enumerate() {
        let takes = content.size + TABLE_ROW;
        let before = content.before.filter(is_one);
        let adds = |frame: &Frame| before.filter(|held| !frame.prefix.contains(held));
        let fits = frames.last().is_some_and(|frame| {
            let adds = adds(frame);
            frame.contents.len() < MAX_CONTENTS
                && size + takes <= most
                && adds.is_none_or(|held| with(prefix, &held).check().is_ok())
                && frame.prefix.len() + usize::from(adds.is_some()) <= MAX_PREFIX_PARTS
        });
        if !fits {
            (size, prefix) = (TABLE_ROW, PrefixSize::default());
            frames.push(Frame {
                contents: at..at,
                prefix: Vec::new(),
            });
        }
        let Some(frame) = frames.last_mut() else {
            continue;
        };
        if let Some(held) = adds(frame) {
            frame.prefix.push(held);
            prefix = with(prefix, &held);
        }
        frame.contents.end = at + 1;
        size += takes;
    }
    frames
}

/// The most bytes of the table that one content takes: a size, and a form or several.
const TABLE_ROW: u64 = 10 + 9;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_protocol::bundle::{MAX_PREFIX, MAX_PREFIX_PACKED};

    /// Contents of a byte each, and what they were before: so many bytes, and packed to so many.
    fn contents(before: &[Option<(usize, usize)>]) -> Vec<Content> {
        let content = |(at, before): (usize, &Option<(usize, usize)>)| Content {
            key: ([0; 16], at as u32),
            origin: Origin {
                zip: 0,
                entry: at as u32,
                offset: 0,
                packed: 1,
            },
            packed: None,
            size: 1,
            forms: 1,
            opaque: false,
            deflated: 1,
            number: at as u32,
            before: before.map(|(size, packed)| HeldEntry {
                base: 0,
                entry: at as u32,
                size: size as u64,
                packed: packed as u64,
            }),
        };
        before.iter().enumerate().map(content).collect()
    }

    /// How many contents each frame has, and how many entries its prefix.
    fn cut(before: &[Option<(usize, usize)>]) -> Vec<(usize, usize)> {
        let frames = frames(&contents(before), u64::MAX);
        assert!(frames.is_sorted_by(|a, b| a.contents.end == b.contents.start));
        let cut = |frame: &Frame| (frame.contents.len(), frame.prefix.len());
        frames.iter().map(cut).collect()
    }

    #[test]
    fn a_frame_is_cut_where_readers_would_refuse_it() {
        assert_eq!(cut(&vec![None; MAX_CONTENTS]), [(MAX_CONTENTS, 0)]);
        assert_eq!(
            cut(&vec![None; MAX_CONTENTS + 1]),
            [(MAX_CONTENTS, 0), (1, 0)]
        );
        let parts = vec![Some((1, 1)); MAX_PREFIX_PARTS + 1];
        assert_eq!(cut(&parts[1..]), [(MAX_PREFIX_PARTS, MAX_PREFIX_PARTS)]);
        assert_eq!(cut(&parts), [(MAX_PREFIX_PARTS, MAX_PREFIX_PARTS), (1, 1)]);
        let of = |size, packed| Some((size, packed));
        assert_eq!(cut(&[of(MAX_PREFIX - 1, 1), of(1, 1), None]), [(3, 2)]);
        assert_eq!(
            cut(&[of(MAX_PREFIX - 1, 1), of(2, 1), None]),
            [(1, 1), (2, 1)]
        );
        assert_eq!(cut(&[of(1, MAX_PREFIX_PACKED - 1), of(1, 1)]), [(2, 2)]);
        assert_eq!(
            cut(&[of(1, MAX_PREFIX_PACKED - 1), of(1, 2)]),
            [(1, 1), (1, 1)]
        );
    }

    #[test]
    fn what_is_too_large_for_a_prefix_is_in_none() {
        assert_eq!(cut(&[Some((MAX_PREFIX, MAX_PREFIX_PACKED))]), [(1, 1)]);
        assert_eq!(cut(&[Some((MAX_PREFIX + 1, 1)), Some((1, 1))]), [(2, 1)]);
        assert_eq!(
            cut(&[Some((1, MAX_PREFIX_PACKED + 1)), Some((1, 1))]),
            [(2, 1)]
        );
    }

    #[test]
    fn a_frame_has_as_many_bytes_as_it_may() {
        let all = contents(&[None; 5]);
        let three = TABLE_ROW + 3 * (1 + TABLE_ROW);
        for (most, sizes) in [(three, &[3, 2][..]), (three - 1, &[2, 2, 1])] {
            let frames = frames(&all, most);
            let lens: Vec<usize> = frames.iter().map(|frame| frame.contents.len()).collect();
            assert_eq!(lens, sizes);
        }
    }
}
