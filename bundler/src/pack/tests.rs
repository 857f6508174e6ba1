//! What is packed is read by the reader's code, and every zip must come out as it went in.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use modferry_checker::testing::{Packing as InZip, zip_of};
use modferry_deflate::Deflater;
use modferry_protocol::bundle::{
    BaseEntry, Deflated, DeflatedFacts, Form, Source, StoredContents, StoredRecipes,
};
use modferry_protocol::h1::H1;
use modferry_protocol::zip::{Place, places};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::cache::ZipFile;
use crate::progress::Mode;

/// Zips in a folder, sorted by module.
struct Zips {
    dir: tempfile::TempDir,
    zips: BTreeMap<ModuleVersion, (ZipFile, Vec<u8>)>,
}

impl Zips {
    fn new() -> Zips {
        Zips {
            dir: tempfile::tempdir().unwrap(),
            zips: BTreeMap::new(),
        }
    }

    fn add(&mut self, name: &str, files: &[(&str, &[u8])], packing: InZip) {
        let module: ModuleVersion = name.parse().unwrap();
        let zip = zip_of(&module, files, packing);
        self.add_zip(module, zip);
    }

    fn add_zip(&mut self, module: ModuleVersion, zip: Vec<u8>) {
        let path = self.dir.path().join(format!("{}.zip", self.zips.len()));
        std::fs::write(&path, &zip).unwrap();
        let file = ZipFile {
            path,
            size: zip.len() as u64,
            sha256: Sha256::digest(&zip).into(),
            h1: H1::of_go_mod(b"not looked at"),
        };
        self.zips.insert(module, (file, zip));
    }

    fn packed(&self, threads: usize, most_entries: usize, bases: &[Base]) -> Packed {
        let zips: Vec<Zip<'_>> = self
            .zips
            .iter()
            .map(|(module, (file, _))| Zip { module, file })
            .collect();
        let level = Packing::Fast.level().unwrap();
        let progress = Progress::new(Mode::Quiet);
        let folder = self.dir.path();
        pack_on(
            threads,
            most_entries,
            &zips,
            bases,
            &level,
            folder,
            &progress,
        )
        .unwrap()
    }

    /// As what the destination holds.
    fn as_bases(&self) -> Vec<Base> {
        self.zips
            .iter()
            .map(|(module, (file, _))| Base {
                module: module.clone(),
                sha256: file.sha256,
                path: file.path.clone(),
            })
            .collect()
    }

    /// Whether all of them come out of what was packed.
    #[track_caller]
    fn come_out_of(&self, packed: &Packed) {
        let rebuilt = Other::new(&packed.bases).take_in(packed);
        assert_eq!(rebuilt.len(), self.zips.len());
        for (module, (_, zip)) in &self.zips {
            assert!(rebuilt[module] == *zip, "{module}");
        }
    }
}

/// Text that deflates and is like no other of another number.
fn text(number: u64, size: usize) -> Vec<u8> {
    let mut state = number + 1;
    let word = std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(number * 2 + 1);
        format!("word{} ", (state >> 33) % 5000)
    });
    word.flat_map(String::into_bytes).take(size).collect()
}

/// The other side: deflate streams by their numbers, and the zips that it holds.
struct Other {
    bases: Vec<(Vec<u8>, Vec<Place>)>,
    streams: Vec<(DeflatedFacts, Vec<u8>)>,
}

impl Other {
    fn new(bases: &[Base]) -> Other {
        let read = |base: &Base| {
            let zip = std::fs::read(&base.path).unwrap();
            let places = places(&zip).unwrap();
            (zip, places)
        };
        Other {
            bases: bases.iter().map(read).collect(),
            streams: Vec::new(),
        }
    }

    fn take_in(mut self, packed: &Packed) -> BTreeMap<ModuleVersion, Vec<u8>> {
        let mut zips = BTreeMap::new();
        let mut last = None;
        for part in &packed.parts {
            let entry = &part.entry;
            let mut stored = Vec::new();
            packed
                .bytes(part)
                .unwrap()
                .read_to_end(&mut stored)
                .unwrap();
            assert_eq!(stored.len() as u64, entry.stored);
            assert_eq!(Sha256::digest(&stored)[..], entry.sha256);
            for (item, _) in &entry.items {
                assert!(last.as_ref() < Some(item), "{item} is out of order");
                last = Some(item.clone());
            }
            match entry.encoding {
                Encoding::Raw => {
                    let (module, _) = entry.zips().next().unwrap();
                    zips.insert(module.clone(), stored);
                }
                Encoding::Contents => self.contents(stored, entry.items[0].1),
                Encoding::Recipes => {
                    let mut recipes = StoredRecipes::restore(entry, &stored).unwrap();
                    while let Some((module, digest, recipe)) = recipes.next().unwrap() {
                        let mut zip = Vec::new();
                        recipe.assemble(&module, &mut self, &mut zip).unwrap();
                        assert_eq!(Sha256::digest(&zip)[..], digest.sha256, "{module}");
                        zips.insert(module, zip);
                    }
                }
                Encoding::Zstd => panic!("{entry}"),
            }
        }
        assert_eq!(self.streams.len() as u64, packed.deflated.streams);
        let bytes: usize = self.streams.iter().map(|(_, bytes)| bytes.len()).sum();
        assert_eq!(bytes as u64, packed.deflated.bytes);
        zips
    }

    fn contents(&mut self, stored: Vec<u8>, size: u64) {
        let stored = StoredContents::parse(stored).unwrap();
        let mut prefix = Vec::new();
        for part in stored.prefix() {
            let (zip, places) = &self.bases[part.base as usize];
            let place = &places[part.entry as usize];
            let packed = &zip[place.data.start as usize..place.data.end as usize];
            match place.method {
                0 => prefix.extend(packed),
                _ => drop(flate2::read::DeflateDecoder::new(packed).read_to_end(&mut prefix)),
            }
        }
        let restored = stored.restore(&prefix, size).unwrap();
        let mut deflater = Deflater::new();
        for n in 0..restored.len() {
            let content = restored.content(n);
            for form in restored.forms(n) {
                let mut stream = Vec::new();
                match form {
                    Form::AsIs => stream.extend(content),
                    Form::Written(writer) => deflater
                        .deflate(*writer, content, usize::MAX, &mut stream)
                        .unwrap(),
                }
                let mut crc = flate2::Crc::new();
                crc.update(content);
                let facts = DeflatedFacts {
                    packed: stream.len() as u64,
                    unpacked: content.len() as u64,
                    crc32: crc.sum(),
                };
                self.streams.push((facts, stream));
            }
        }
    }
}

impl Deflated for Other {
    fn facts(&mut self, source: &Source) -> io::Result<Option<DeflatedFacts>> {
        Ok(match *source {
            Source::Deflated(number) => self.streams.get(number as usize).map(|(facts, _)| *facts),
            Source::Base(BaseEntry { base, entry }) => {
                let place = &self.bases[base as usize].1[entry as usize];
                Some(DeflatedFacts {
                    packed: place.data.end - place.data.start,
                    unpacked: place.unpacked,
                    crc32: place.crc32,
                })
            }
            Source::Pieces {
                first,
                count,
                crc32,
                unpacked,
            } => {
                let pieces = &self.streams[first as usize..(first + count) as usize];
                Some(DeflatedFacts {
                    packed: pieces.iter().map(|(facts, _)| facts.packed).sum(),
                    unpacked,
                    crc32,
                })
            }
        })
    }

    fn copy(&mut self, source: &Source, out: &mut dyn io::Write) -> io::Result<()> {
        match *source {
            Source::Deflated(number) => out.write_all(&self.streams[number as usize].1),
            Source::Base(BaseEntry { base, entry }) => {
                let (zip, places) = &self.bases[base as usize];
                let data = &places[entry as usize].data;
                out.write_all(&zip[data.start as usize..data.end as usize])
            }
            Source::Pieces { first, count, .. } => {
                let pieces = &self.streams[first as usize..(first + count) as usize];
                pieces
                    .iter()
                    .try_for_each(|(_, bytes)| out.write_all(bytes))
            }
        }
    }
}

/// A zip of one deflated file, by somebody else's encoder.
fn foreign(module: &ModuleVersion, content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    let packed = encoder.finish().unwrap();
    // Stored, and then told to be deflated.
    let mut zip = zip_of(module, &[("foreign.txt", &packed)], InZip::Stored);
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let [place] = &places(&zip).unwrap()[..] else {
        panic!("one file")
    };
    let directory = place.data.end as usize;
    for (header, method) in [(0, 8), (directory, 10)] {
        zip[header + method..][..2].copy_from_slice(&8_u16.to_le_bytes());
        zip[header + method + 6..][..4].copy_from_slice(&crc.sum().to_le_bytes());
        zip[header + method + 14..][..4].copy_from_slice(&(content.len() as u32).to_le_bytes());
    }
    zip
}

fn mixed() -> Zips {
    let mut zips = Zips::new();
    let (long, other, short) = (text(1, 90_000), text(2, 30_000), text(3, 700));
    let changed = [&long[..50_000], b"changed", &long[50_000..]].concat();
    zips.add(
        "m.test/a@v1.0.0",
        &[
            ("go.mod", b"module m.test/a\n"),
            ("long.go", &long),
            ("x/short.go", &short),
            ("empty", b""),
        ],
        InZip::Deflated,
    );
    zips.add(
        "m.test/a@v1.1.0",
        &[
            ("go.mod", b"module m.test/a\n"),
            ("long.go", &changed),
            ("x/short.go", &short),
        ],
        InZip::Deflated,
    );
    // The same contents in another form.
    zips.add(
        "m.test/b@v1.0.0",
        &[("long.go", &long), ("other.go", &other)],
        InZip::Stored,
    );
    let c: ModuleVersion = "m.test/c@v1.0.0".parse().unwrap();
    zips.add_zip(c.clone(), foreign(&c, &other));
    zips.add("m.test/d@v1.0.0", &[], InZip::Deflated);
    zips
}

#[test]
fn every_zip_comes_out_as_it_went_in() {
    let zips = mixed();
    let packed = zips.packed(2, GROUP, &[]);
    zips.come_out_of(&packed);
    assert!(packed.verbatim.is_empty(), "{:?}", packed.verbatim);
    let raw = |part: &&Part| part.entry.encoding == Encoding::Raw;
    assert_eq!(packed.parts.iter().filter(raw).count(), 0);
    // Both forms of long.go's first version, its second, other.go as it is and as c has it, short.go, go.mod and the empty file.
    assert_eq!(packed.deflated.streams, 8);
    let stored: u64 = packed.parts.iter().map(|part| part.entry.stored).sum();
    let whole: u64 = zips.zips.values().map(|(file, _)| file.size).sum();
    assert!(stored * 3 < whole, "{stored} of {whole}");
}

#[test]
fn the_bytes_do_not_depend_on_the_threads() {
    let zips = mixed();
    let bytes = |packed: &Packed| {
        let entry = |part: &Part| (part.entry.clone(), part.entry.sha256);
        packed.parts.iter().map(entry).collect::<Vec<_>>()
    };
    let one = zips.packed(1, GROUP, &[]);
    for threads in [2, 8, 8, 8] {
        assert_eq!(bytes(&zips.packed(threads, GROUP, &[])), bytes(&one));
    }
}

#[test]
fn groups_are_of_whole_module_paths_and_numbers_go_on_through_all() {
    let zips = mixed();
    for most in [1, 4, 9] {
        let packed = zips.packed(2, most, &[]);
        zips.come_out_of(&packed);
        assert!(
            packed
                .parts
                .iter()
                .filter(|part| part.entry.encoding == Encoding::Contents)
                .count()
                > 1
        );
    }
    let all: Vec<Zip<'_>> = (zips.zips.iter())
        .map(|(module, (file, _))| Zip { module, file })
        .collect();
    let sizes = |most| -> Vec<usize> {
        group::groups(&all, &[4, 3, 2, 1, 0], most)
            .iter()
            .map(|group| group.len())
            .collect()
    };
    assert_eq!(sizes(1), [2, 1, 2]);
    assert_eq!(sizes(7), [2, 3]);
    assert_eq!(sizes(9), [3, 2]);
    assert_eq!(sizes(10), [5]);
}

#[test]
fn what_the_destination_has_is_not_carried() {
    let mut held = Zips::new();
    let big: Vec<(String, Vec<u8>)> = (0..40)
        .map(|n| (format!("f{n}.go"), text(n, 20_000)))
        .collect();
    let files = |big: &[(String, Vec<u8>)]| -> Vec<(String, Vec<u8>)> { big.to_vec() };
    let add = |zips: &mut Zips, name: &str, big: &[(String, Vec<u8>)]| {
        let files: Vec<(&str, &[u8])> = big.iter().map(|(name, text)| (&**name, &**text)).collect();
        zips.add(name, &files, InZip::Deflated);
    };
    add(&mut held, "m.test/a@v1.0.0", &big);
    add(&mut held, "m.test/a@v1.1.0", &big[..39]);
    add(&mut held, "m.test/z@v1.0.0", &big[..1]);
    let mut patched = files(&big);
    patched[7].1.splice(9_000..9_100, *b"a patch");
    patched.push(("new.go".into(), text(99, 500)));
    let mut zips = Zips::new();
    add(&mut zips, "m.test/a@v1.1.1", &patched);

    let packed = zips.packed(2, GROUP, &held.as_bases());
    zips.come_out_of(&packed);
    // The changed file and the new one; the file that v1.1.0 lacks is in v1.0.0.
    assert_eq!(packed.deflated.streams, 2);
    let used: Vec<String> = packed
        .bases
        .iter()
        .map(|base| base.module.to_string())
        .collect();
    assert_eq!(used, ["m.test/a@v1.0.0", "m.test/a@v1.1.0"]);
    let stored: u64 = packed.parts.iter().map(|part| part.entry.stored).sum();
    assert!(stored < 1500, "{stored}");
}

#[test]
fn a_zip_whose_rebuild_is_another_travels_as_it_is() {
    let mut zips = mixed();
    let a: ModuleVersion = "m.test/a@v1.1.0".parse().unwrap();
    zips.zips.get_mut(&a).unwrap().0.sha256 = [7; 32];
    // One that is no zip as packing knows them: bytes lie between two files.
    let module: ModuleVersion = "m.test/odd@v1.0.0".parse().unwrap();
    let mut odd = zip_of(&module, &[("a", b"aaa")], InZip::Stored);
    odd.splice(0..0, vec![0; 5 << 20]);
    zips.add_zip(module.clone(), odd.clone());

    let packed = zips.packed(2, GROUP, &[]);
    let left: Vec<String> = packed
        .verbatim
        .iter()
        .map(|(module, why)| format!("{module}: {why}"))
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(left[0], "m.test/a@v1.1.0: its rebuild is another zip");
    assert!(left[1].starts_with("m.test/odd@v1.0.0: "), "{left:?}");
    let raw: Vec<&ModuleVersion> = (packed.parts.iter())
        .filter(|part| part.entry.encoding == Encoding::Raw)
        .flat_map(|part| part.entry.zips().map(|(module, _)| module))
        .collect();
    assert_eq!(raw, [&a, &module]);
    // Nothing of them is carried besides.
    let mut others = mixed();
    others.zips.remove(&a);
    let contents = |packed: &Packed| -> Vec<[u8; 32]> {
        let frames = packed
            .parts
            .iter()
            .filter(|part| part.entry.encoding == Encoding::Contents);
        frames.map(|part| part.entry.sha256).collect()
    };
    assert_eq!(contents(&packed), contents(&others.packed(2, GROUP, &[])));
}

#[test]
fn what_is_larger_than_a_content_may_be_travels_in_pieces() {
    let mut zips = Zips::new();
    // Nothing shrinks it, nor takes long to find that out.
    let mut state = 1u64;
    let mut large = Vec::with_capacity(MAX_CONTENT as usize + 9);
    while large.len() < MAX_CONTENT as usize + 1 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        large.extend((state >> 8).to_le_bytes());
    }
    zips.add(
        "m.test/a@v1.0.0",
        &[("large", &large), ("small", b"small")],
        InZip::Stored,
    );
    large.truncate(MAX_CONTENT as usize);
    zips.add("m.test/b@v1.0.0", &[("large", &large)], InZip::Stored);
    let packed = zips.packed(2, GROUP, &[]);
    zips.come_out_of(&packed);
    assert!(packed.verbatim.is_empty(), "{:?}", packed.verbatim);
    // Two pieces, and one that is whole.
    assert_eq!(packed.deflated.streams, 4);
}

#[test]
fn a_zip_that_cannot_be_read_any_more_travels_as_it_is_said_to_be() {
    let mut zips = mixed();
    let a: ModuleVersion = "m.test/a@v1.0.0".parse().unwrap();
    zips.zips.get_mut(&a).unwrap().0.path = PathBuf::from("/nowhere");
    let packed = zips.packed(2, GROUP, &[]);
    assert_eq!(packed.verbatim.len(), 1, "{:?}", packed.verbatim);
    assert!(packed.parts.iter().any(|part| packed.bytes(part).is_err()));
}
