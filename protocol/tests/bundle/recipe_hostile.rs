//! Recipes that no bundler writes: whatever they say is bounded and refused.

#![allow(clippy::unwrap_used)]

use std::io::{self, Write};

use modferry_protocol::bundle::{
    BaseEntry, Deflated, DeflatedFacts, MAX_RECIPE_FILES, MAX_RECIPE_WEIGHT, Recipe, Source,
};
use modferry_protocol::zip::places;

use super::recipe::{OfZip, decode, encode, module, usual};
use super::zips::MODULE;

/// A recipe's bytes, part by part.
#[derive(Clone)]
pub struct Parts {
    pub files: Vec<u8>,
    pub flags: Vec<u8>,
    pub front: Vec<u8>,
    pub kinds: Vec<u8>,
    pub kind_of: Vec<u8>,
    pub lengths: Vec<u8>,
    pub names: Vec<u8>,
    pub sources: Vec<u8>,
    pub directory: Vec<u8>,
    pub end: Vec<u8>,
    pub trailing: Vec<u8>,
}

/// A kind of zeros.
fn kind() -> Vec<u8> {
    vec![0; 30 + 46 + 3 + 2]
}

/// A recipe of so many files with names of one byte, each of the next deflate stream.
fn parts(files: usize) -> Parts {
    let kinds = [&[1][..], &kind()].concat();
    Parts {
        files: varint(files as u64),
        flags: vec![1],
        front: vec![0],
        kinds: if files == 0 { vec![0] } else { kinds },
        kind_of: vec![],
        lengths: vec![1; files],
        names: vec![b'n'; files],
        sources: vec![0; files],
        directory: vec![0],
        end: vec![0],
        trailing: vec![0],
    }
}

impl Parts {
    fn bytes(&self) -> Vec<u8> {
        [
            &self.files[..],
            &self.flags,
            &self.front,
            &self.kinds,
            &self.kind_of,
            &self.lengths,
            &self.names,
            &self.sources,
            &self.directory,
            &self.end,
            &self.trailing,
        ]
        .concat()
    }
}

/// A number as the format has it.
pub fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// The recipe of these parts, changed; it encodes to the same bytes.
pub fn with(files: usize, change: impl Fn(&mut Parts)) -> Result<Recipe, String> {
    let mut parts = parts(files);
    change(&mut parts);
    let recipe = decode(&parts.bytes());
    if let Ok(recipe) = &recipe {
        assert_eq!(encode(recipe), parts.bytes());
    }
    recipe
}

#[track_caller]
fn refused(why: &str, files: usize, change: impl Fn(&mut Parts)) {
    let error = with(files, change).unwrap_err();
    assert!(error.contains(why), "want {why}, have {error}");
}

const NEWER: &str = "the bundle was made by a newer modferry";

#[test]
fn files_and_kinds_are_counted_within_limits() {
    with(0, |_| ()).unwrap();
    with(MAX_RECIPE_FILES, |_| ()).unwrap();
    refused(
        "250001 files: want at most 250000",
        MAX_RECIPE_FILES + 1,
        |_| (),
    );
    refused("recipe: it ends", 1, |p| p.files = vec![0x80, 0]);
    // The column of lengths is not there: no memory is taken for what is not.
    refused("it ends", 3, |p| p.files = varint(MAX_RECIPE_FILES as u64));
    refused("0 kinds of 1 files", 1, |p| p.kinds = vec![0]);
    refused("1 kinds of 0 files", 0, |p| {
        p.kinds = [&[1][..], &kind()].concat()
    });
    let other = || [&[1][..], &kind()[1..]].concat();
    let two = || [&[2][..], &kind(), &other()].concat();
    refused("2 kinds of 1 files", 1, |p| p.kinds = two());
    let of = |kinds: Vec<u8>, kind_of: &[u8]| {
        with(kind_of.len(), |p| {
            (p.kinds, p.kind_of) = (kinds.clone(), kind_of.to_vec())
        })
        .map(drop)
    };
    of(two(), &[0, 1, 0]).unwrap();
    let refused = |why: &str, kinds, kind_of| {
        let error = of(kinds, kind_of).unwrap_err();
        assert!(error.ends_with(why), "want {why}, have {error}");
    };
    refused("kind 2 of 2", two(), &[0, 2]);
    // One spelling: each kind once, used, and where a file first has it.
    refused("kind 1 before kind 0", two(), &[1, 0]);
    refused("no file has kind 1 of 2", two(), &[0, 0]);
    let twice = [&[2][..], &kind(), &kind()].concat();
    refused("a kind is there twice", twice, &[0, 1]);
}

#[test]
fn whatever_is_in_a_recipe_weighs() {
    let weight = |files, change: fn(&mut Parts)| with(files, change).unwrap().weight();
    assert_eq!(weight(0, |_| ()), 0);
    let field = || [&varint(5000)[..], &[b'x'; 5000]].concat();
    let changes: [fn(&mut Parts); 4] = [
        |p| p.front = [&varint(5000)[..], &[b'x'; 5000]].concat(),
        |p| p.trailing = [&varint(5000)[..], &[b'x'; 5000]].concat(),
        |p| p.directory = [&[2][..], &varint(5000), &[b'x'; 5000]].concat(),
        |p| p.end = [&[2][..], &varint(5000), &[b'x'; 5000]].concat(),
    ];
    for change in changes {
        assert_eq!(weight(0, change), 5000);
    }
    let comment = |p: &mut Parts| p.end = [&[1][..], &varint(5000), &[b'x'; 5000]].concat();
    assert_eq!(weight(0, comment), 5000);
    // A file, its name of one byte, and its kind.
    assert_eq!(weight(1, |_| ()), 100 + 1 + 256);
    for at in 77..80 {
        let extra = with(1, |p| {
            p.kinds.splice(at..=at, field());
        });
        assert_eq!(extra.unwrap().weight(), 357 + 5000);
    }
    assert_eq!(weight(10_000, |_| ()), 10_000 * 101 + 256);
}

#[test]
fn a_recipe_that_is_too_heavy_is_refused_before_it_is_there() {
    let most = MAX_RECIPE_WEIGHT as usize;
    let heavy = "and more: want at most 33554432";
    let bytes = |len: usize| [varint(len as u64), vec![b'x'; len]].concat();
    // Of each column that is bytes, beside one file.
    let left = most - 357;
    let columns: [fn(&mut Parts, Vec<u8>); 4] = [
        |p, bytes| p.front = bytes,
        |p, bytes| p.directory = [vec![2], bytes].concat(),
        |p, bytes| p.end = [vec![2], bytes].concat(),
        |p, bytes| p.trailing = bytes,
    ];
    for column in columns {
        let of = |len: usize| with(1, |p| column(p, bytes(len)));
        assert_eq!(of(left).unwrap().weight(), MAX_RECIPE_WEIGHT);
        let error = of(left + 1).unwrap_err();
        assert!(error.contains(heavy), "{error}");
    }
    // Of kinds, with the files that have them.
    let kinds = |count: usize| {
        let kind = |n: usize| [&(n as u32).to_le_bytes()[..], &kind()[4..]].concat();
        let all: Vec<u8> = (0..count).flat_map(kind).collect();
        with(count, |p| {
            p.kinds = [varint(count as u64), all.clone()].concat();
            p.kind_of = (0..count).flat_map(|n| varint(n as u64)).collect();
        })
    };
    let most_kinds = most / 357;
    kinds(most_kinds).unwrap();
    let error = kinds(most_kinds + 1).unwrap_err();
    assert!(error.contains(heavy), "{error}");
    // Of names.
    let long = 0xffff - MODULE.len() - 1;
    let names = |count: usize| {
        with(count, |p| {
            p.lengths = (0..count).flat_map(|_| varint(long as u64)).collect();
            p.names = vec![b'n'; count * long];
        })
    };
    let most_names = (most - 256) / (100 + long);
    names(most_names).unwrap();
    let error = names(most_names + 1).unwrap_err();
    assert!(error.contains(heavy), "{error}");
    // What is only told of weighs, too: kinds that are not there, and nothing is taken for them.
    refused(heavy, 0, |p| {
        p.files = varint(200_000);
        p.kinds = varint(200_000);
    });
}

#[test]
fn a_kind_has_nothing_of_a_files_own() {
    let at = |at: usize, value: u8| with(1, |p| p.kinds[1 + at] = value).map(drop);
    let own =
        |at: usize| (14..30).contains(&at) || (46..64).contains(&at) || (72..76).contains(&at);
    for n in 0..76 {
        match at(n, 7) {
            Ok(()) => assert!(!own(n), "byte {n}"),
            Err(error) => assert!(
                own(n) && error.contains("a file's own"),
                "byte {n}: {error}"
            ),
        }
    }
    assert!(at(79, 7).is_ok());
    assert!(at(79, 8).unwrap_err().contains(NEWER));
    assert!(at(80, 4).is_ok());
    assert!(at(80, 5).unwrap_err().contains(NEWER));
    // Extra fields and comments, whose lengths have 16 bits in a zip.
    for field in 76..79 {
        for (len, ok) in [(0xffff, true), (0x1_0000, false)] {
            let long = with(1, |p| {
                let rest = p.kinds.split_off(1 + field + 1);
                p.kinds.pop();
                p.kinds.extend(varint(len));
                p.kinds.extend(vec![b'x'; len as usize]);
                p.kinds.extend(rest);
            });
            match long {
                Ok(_) => assert!(ok, "{len}"),
                Err(error) => assert!(!ok && error.contains("a field of 65536 bytes"), "{error}"),
            }
        }
    }
}

#[test]
fn names_have_65535_bytes_at_most() {
    let prefix = MODULE.len() + 1;
    let named = |flags: u8, len: usize| {
        with(1, |p| {
            p.flags = vec![flags];
            p.lengths = varint(len as u64);
            p.names = vec![b'n'; len];
        })
        .map(drop)
    };
    named(0, 0xffff).unwrap();
    assert!(
        named(0, 0x1_0000)
            .unwrap_err()
            .contains("a name of 65536 bytes behind 0")
    );
    named(1, 0xffff - prefix).unwrap();
    assert!(
        named(1, 0x1_0000 - prefix)
            .unwrap_err()
            .contains("want at most 65535")
    );
    assert!(named(2, 1).unwrap_err().contains(NEWER));
    refused("it ends in its names", 1, |p| p.lengths = varint(60_000));
    refused("a name of 18446744073709551615 bytes", 1, |p| {
        p.lengths = varint(u64::MAX)
    });
}

#[test]
fn sources_are_numbers_of_32_bits() {
    let source = |bytes: Vec<u8>| with(1, |p| p.sources.clone_from(&bytes));
    let of = |recipe: Recipe| *recipe.sources().next().unwrap();
    let zigzag = |n: i64| ((n << 1) ^ (n >> 63)) as u64;
    let last = i64::from(u32::MAX);
    let number = |n: i64| source(varint(zigzag(n) << 2));
    assert_eq!(of(number(last).unwrap()), Source::Deflated(u32::MAX));
    for bad in [last + 1, -1, (1 << 60) - 1, -(1 << 60)] {
        assert!(number(bad).unwrap_err().contains("number is none"), "{bad}");
    }
    let base = |base: i64, entry: i64| {
        source([varint(zigzag(base) << 2 | 1), varint(zigzag(entry))].concat())
    };
    let most = BaseEntry {
        base: u32::MAX,
        entry: u32::MAX,
    };
    assert_eq!(of(base(last, last).unwrap()), Source::Base(most));
    for (b, e) in [
        (last + 1, 0),
        (-1, 0),
        (0, last + 1),
        (0, -1),
        (0, i64::MAX),
        (0, i64::MIN),
    ] {
        assert!(
            base(b, e).unwrap_err().contains("number is none"),
            "{b} {e}"
        );
    }
    let pieces = |first: i64, count: u64, unpacked: u64| {
        source(
            [
                varint(zigzag(first) << 2 | 2),
                varint(count),
                vec![1, 2, 3, 4],
                varint(unpacked),
            ]
            .concat(),
        )
    };
    assert_eq!(
        of(pieces(last, 1, u64::MAX).unwrap()),
        Source::Pieces {
            first: u32::MAX,
            count: 1,
            crc32: 0x0403_0201,
            unpacked: u64::MAX
        }
    );
    for (first, count) in [(last, 2), (0, 0), (0, 1 << 32 | 1), (1, u64::MAX)] {
        assert!(
            pieces(first, count, 1).unwrap_err().contains("pieces from"),
            "{first} {count}"
        );
    }
    pieces(0, (1 << 32) - 1, 0).unwrap();
    assert!(source(vec![3]).unwrap_err().contains(NEWER));
    assert!(source(vec![]).is_err());
    // Each is counted from the one before.
    let two = with(3, |p| p.sources = vec![5 << 3, 0, 1 << 2]).unwrap();
    let numbers: Vec<_> = two.sources().copied().collect();
    assert_eq!(numbers, [5, 6, 6].map(Source::Deflated));
    // Entries anew in each base: 2 of base 0, then 0 and 1 of base 1.
    let bases = with(3, |p| p.sources = vec![1, 2 << 1, 2 << 2 | 1, 0, 1, 0]).unwrap();
    let entry = |base, entry| Source::Base(BaseEntry { base, entry });
    let want = [entry(0, 2), entry(1, 0), entry(1, 1)];
    assert!(bases.sources().eq(&want));
}

#[test]
fn a_directory_has_each_file_once_and_says_when_it_is_in_order() {
    let order = |bytes: &[u8]| with(3, |p| p.directory = [&[1], bytes].concat()).map(drop);
    // Differences from the one behind the one before: 2 0 1 is +2, -3, 0.
    order(&[4, 5, 0]).unwrap();
    assert!(
        order(&[0, 0, 0])
            .unwrap_err()
            .contains("in order and says that it is not")
    );
    let none = "names a file that is none, or twice";
    for bad in [&[0, 1, 0][..], &[0, 0, 2], &[1, 0, 0], &[4, 5, 1]] {
        assert!(order(bad).unwrap_err().contains(none), "{bad:?}");
    }
    let far = [&varint(u64::MAX)[..], &[0, 0]].concat();
    assert!(order(&far).unwrap_err().contains(none));
    let farther = [&varint(u64::MAX - 1)[..], &[2, 0]].concat();
    assert!(order(&farther).unwrap_err().contains(none));
    refused(NEWER, 1, |p| p.directory = vec![3]);
    refused("it ends in its directory", 1, |p| {
        p.directory = [&[2][..], &varint(1 << 40)].concat()
    });
}

#[test]
fn ends_have_one_spelling() {
    let comment = |len: usize| {
        with(1, |p| {
            p.end = [&[1][..], &varint(len as u64), &vec![b'c'; len]].concat()
        })
        .map(drop)
    };
    comment(1).unwrap();
    comment(0xffff).unwrap();
    assert!(
        comment(0)
            .unwrap_err()
            .contains("a comment of 0 bytes: want 1 to 65535")
    );
    assert!(
        comment(0x1_0000)
            .unwrap_err()
            .contains("a comment of 65536 bytes")
    );
    refused(NEWER, 1, |p| p.end = vec![3]);
    refused("it ends in what is behind it", 1, |p| {
        p.trailing = varint(9)
    });
    let bytes = parts(2).bytes();
    for len in 0..bytes.len() {
        assert!(decode(&bytes[..len]).is_err(), "{len} bytes");
    }
    assert_eq!(
        decode(&[&bytes[..], &[0]].concat()).unwrap_err(),
        "1 bytes behind"
    );
}

/// Streams of those bytes, under any name.
struct Large(DeflatedFacts);

impl Deflated for Large {
    fn facts(&mut self, _: &Source) -> io::Result<Option<DeflatedFacts>> {
        Ok(Some(self.0))
    }

    fn copy(&mut self, _: &Source, _: &mut dyn Write) -> io::Result<()> {
        panic!("nothing is to be copied")
    }
}

#[test]
fn how_large_a_zip_gets_is_known_before_it_is_made() {
    let size = |files: usize, packed: u64, unpacked: u64| {
        let recipe = decode(&parts(files).bytes()).unwrap();
        let crc32 = 0;
        let mut streams = Large(DeflatedFacts {
            packed,
            unpacked,
            crc32,
        });
        recipe
            .size(&module(), &mut streams, u64::MAX)
            .map_err(|error| error.to_string())
    };
    let name = MODULE.len() as u64 + 2;
    let (header, end) = (30 + 46 + 2 * name, 22);
    assert_eq!(size(1, 70, 80), Ok(70 + header + end));
    // The same stream many times over.
    let gib = 1 << 30;
    let five = "recipe: file 4: its size or offset has more than 32 bits";
    assert_eq!(size(5, gib, gib), Err(five.into()));
    assert_eq!(size(4, gib, gib), Ok(4 * (gib + header) + end));
    assert!(size(1, 1 << 32, 0).is_err());
    assert!(size(1, 0, 1 << 32).is_err());
    assert!(size(1, 0, (1 << 32) - 1).is_ok());
}

#[test]
fn what_is_not_there_is_named() {
    let zip = usual().build();
    let mut streams = OfZip {
        zip: &zip,
        places: places(&zip[..]).unwrap(),
    };
    let mut none = |sources: &[u8]| {
        let recipe = with(1, |p| p.sources = sources.to_vec()).unwrap();
        let size = recipe
            .size(&module(), &mut streams, u64::MAX)
            .unwrap_err()
            .to_string();
        let made = recipe.assemble(&module(), &mut streams, &mut io::sink());
        assert_eq!(made.unwrap_err().to_string(), size);
        size
    };
    assert_eq!(
        none(&[3 << 3]),
        "recipe: file 0: there is no deflate stream 3"
    );
    assert_eq!(
        none(&[2 << 3 | 1, 7 << 1]),
        "recipe: file 0: there is no entry 7 of base 2"
    );
    assert_eq!(
        none(&[3 << 3 | 2, 4, 0, 0, 0, 0, 0]),
        "recipe: file 0: there is no 4 deflate streams from 3 on, as they are"
    );
}

/// Streams of 100 bytes each, and how often somebody asked for one.
struct Asked(u32);

impl Deflated for Asked {
    fn facts(&mut self, _: &Source) -> io::Result<Option<DeflatedFacts>> {
        self.0 += 1;
        Ok(Some(DeflatedFacts {
            packed: 100,
            unpacked: 100,
            crc32: 0,
        }))
    }

    fn copy(&mut self, _: &Source, _: &mut dyn Write) -> io::Result<()> {
        panic!("nothing is to be copied")
    }
}

#[test]
fn nothing_is_asked_for_once_a_zip_is_too_large() {
    let recipe = decode(&parts(1000).bytes()).unwrap();
    let size = |most| {
        let mut streams = Asked(0);
        let size = recipe.size(&module(), &mut streams, most);
        (size.map_err(|error| error.to_string()), streams.0)
    };
    let whole = size(u64::MAX).0.unwrap();
    assert_eq!(size(whole), (Ok(whole), 1000));
    let longer = |most| Err(format!("its recipe makes more than {most} bytes"));
    assert_eq!(size(whole - 1), (longer(whole - 1), 1000));
    assert_eq!(size(99), (longer(99), 1));
    assert_eq!(size(0), (longer(0), 1));
}

/// Says one size and writes another.
struct Liar(u64);

impl Deflated for Liar {
    fn facts(&mut self, _: &Source) -> io::Result<Option<DeflatedFacts>> {
        let facts = DeflatedFacts {
            packed: 5,
            unpacked: 5,
            crc32: 0,
        };
        Ok(Some(facts))
    }

    fn copy(&mut self, _: &Source, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&vec![0; self.0 as usize])
    }
}

#[test]
fn streams_have_the_bytes_that_was_said() {
    let recipe = decode(&parts(1).bytes()).unwrap();
    let mut out = Vec::new();
    recipe.assemble(&module(), &mut Liar(5), &mut out).unwrap();
    for lie in [4, 6] {
        assert!(
            recipe
                .assemble(&module(), &mut Liar(lie), &mut out)
                .is_err()
        );
    }
}
