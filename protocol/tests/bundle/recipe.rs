//! Recipes: the zip that comes out is the zip that went in, or there is no recipe.

#![allow(clippy::unwrap_used)]

use std::io::{self, Write};

use modferry_protocol::bundle::{BaseEntry, Deflated, DeflatedFacts, Recipe, Source};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::{Place, ZipError, places};
use proptest::prelude::*;

use super::zips::{Descriptor, Encoder, Entry, MODULE, Zip, any_zip, of, plain};

pub fn module() -> ModuleVersion {
    MODULE.parse().unwrap()
}

/// The packed bytes of one zip's entries, under whatever name a recipe may give them.
pub struct OfZip<'z> {
    pub zip: &'z [u8],
    pub places: Vec<Place>,
}

impl OfZip<'_> {
    fn place(&self, source: &Source) -> Option<&Place> {
        let n = match source {
            Source::Deflated(n) | Source::Pieces { first: n, .. } => *n,
            Source::Base(BaseEntry { entry, .. }) => *entry,
        };
        self.places.get(n as usize)
    }
}

impl Deflated for OfZip<'_> {
    fn facts(&mut self, source: &Source) -> io::Result<Option<DeflatedFacts>> {
        Ok(self.place(source).map(|place| {
            let (unpacked, crc32) = match *source {
                Source::Pieces {
                    unpacked, crc32, ..
                } => (unpacked, crc32),
                _ => (place.unpacked, place.crc32),
            };
            DeflatedFacts {
                packed: place.data.end - place.data.start,
                unpacked,
                crc32,
            }
        }))
    }

    fn copy(&mut self, source: &Source, out: &mut dyn Write) -> io::Result<()> {
        let data = self.place(source).unwrap().data.clone();
        out.write_all(&self.zip[data.start as usize..data.end as usize])
    }
}

/// The three kinds of sources, one after the other.
fn source(n: usize, place: &Place) -> Source {
    let entry = n as u32;
    match n % 3 {
        0 => Source::Deflated(entry),
        1 => Source::Base(BaseEntry {
            base: entry / 4,
            entry,
        }),
        _ => Source::Pieces {
            first: entry,
            count: 1,
            crc32: place.crc32,
            unpacked: place.unpacked,
        },
    }
}

pub fn encode(recipe: &Recipe) -> Vec<u8> {
    let mut bytes = Vec::new();
    recipe.encode(&mut bytes);
    bytes
}

pub fn decode(bytes: &[u8]) -> Result<Recipe, String> {
    let mut rest = bytes;
    let recipe = Recipe::decode(&module(), &mut rest).map_err(|error| error.to_string())?;
    match rest {
        [] => Ok(recipe),
        _ => Err(format!("{} bytes behind", rest.len())),
    }
}

/// The recipe of a zip, if it has one; and then it makes the same zip.
pub fn recipe(zip: &[u8]) -> Result<Option<Recipe>, ZipError> {
    let Some(recipe) = Recipe::of_zip(&module(), zip, &mut source)? else {
        return Ok(None);
    };
    let bytes = encode(&recipe);
    assert_eq!(decode(&bytes).as_ref(), Ok(&recipe));
    let mut streams = OfZip {
        zip,
        places: places(zip)?,
    };
    assert_eq!(
        recipe.size(&module(), &mut streams, u64::MAX).unwrap(),
        zip.len() as u64
    );
    let mut again = Vec::new();
    let data = recipe
        .assemble(&module(), &mut streams, &mut again)
        .unwrap();
    assert!(again == zip, "it is another zip");
    let mut expected: Vec<_> = streams
        .places
        .iter()
        .map(|place| place.data.clone())
        .collect();
    expected.sort_by_key(|data| (data.start, data.end));
    assert_eq!(data, expected);
    assert_eq!(recipe.sources().len(), data.len());
    Ok(Some(recipe))
}

fn has_recipe(zip: &Zip) -> bool {
    recipe(&zip.build()).unwrap().is_some()
}

/// A zip as `cmd/go` writes it.
pub fn usual() -> Zip {
    of(vec![
        plain("go.mod", b"module example.com/m\n"),
        plain("m.go", b"package m\n"),
        plain("empty", b""),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    /// Or it is no zip that the go command reads.
    #[test]
    fn any_zip_comes_out_as_it_went_in_or_has_no_recipe(zip in any_zip()) {
        let _ = recipe(&zip.build());
    }

    #[test]
    fn a_zip_with_any_byte_changed_does_too(zip in any_zip(), at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut zip = zip.build();
        let at = at.index(zip.len());
        zip[at] = to;
        let _ = recipe(&zip);
    }

    /// Whatever bytes: they are refused, or the one spelling of a recipe.
    #[test]
    fn what_decodes_encodes_to_the_same_bytes(zip in any_zip(), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4)) {
        if let Ok(Some(recipe)) = recipe(&zip.build()) {
            let mut bytes = encode(&recipe);
            for (at, to) in changes {
                let at = at.index(bytes.len());
                bytes[at] = to;
            }
            if let Ok(recipe) = decode(&bytes) {
                prop_assert_eq!(encode(&recipe), bytes);
            }
        }
    }
}

#[test]
fn a_usual_zip_has_a_recipe_of_its_names() {
    let zip = usual();
    let bytes = encode(&recipe(&zip.build()).unwrap().unwrap());
    let kind = 30 + 46 + 3 + 2;
    let names = "go.mod".len() + "m.go".len() + "empty".len();
    let sources = 1 + 2 + (1 + 1 + 4 + 1);
    // Files, flags, front, kinds; a length for each name; directory, end, trailing.
    assert_eq!(bytes.len(), 4 + kind + 3 + names + sources + 3);
}

/// A change of a zip's shape.
type Change = fn(&mut Zip);

#[test]
fn zips_of_odd_shapes_have_recipes() {
    let changes: [(&str, Change); 19] = [
        ("as cmd/go writes it", |_| ()),
        ("no files", |zip| zip.entries.clear()),
        ("stored", |zip| zip.entries[0].encoder = Encoder::Stored),
        ("no descriptor", |zip| {
            zip.entries[1].descriptor = Descriptor::None;
        }),
        ("a descriptor without a signature", |zip| {
            zip.entries[1].descriptor = Descriptor::Bare;
        }),
        ("one of 64 bits", |zip| {
            zip.entries[1].descriptor = Descriptor::Signed64;
        }),
        ("one of 64 bits without a signature", |zip| {
            zip.entries[2].descriptor = Descriptor::Bare64;
        }),
        ("a filled header and a descriptor", |zip| {
            zip.entries[0].filled = true;
        }),
        ("extra fields", |zip| {
            zip.entries[0].local_extra = b"UT\x05\0\x01abcd".to_vec();
            zip.entries[1].central_extra = b"UT\x05\0\x01dcba".to_vec();
        }),
        ("a file's comment", |zip| {
            zip.entries[1].comment = b"of a file".to_vec();
        }),
        ("times", |zip| zip.entries[2].time = 0x5b75_6345),
        ("a name outside the prefix", |zip| {
            zip.entries[0].name = b"go.mod".to_vec();
        }),
        ("a name twice", |zip| {
            let again = zip.entries[1].clone();
            zip.entries.push(again);
        }),
        ("another order", |zip| zip.order = vec![2, 0, 1]),
        ("a comment", |zip| zip.comment = b"of the zip".to_vec()),
        ("bytes in front", |zip| {
            zip.front = b"#!/bin/sh\n".to_vec();
        }),
        ("bytes behind", |zip| zip.trailing = b"\n".to_vec()),
        ("a wrong CRC-32", |zip| zip.entries[2].wrong_crc32 = 5),
        ("all of it", |zip| {
            zip.entries[0].encoder = Encoder::StoredBlocks;
            zip.entries[1].encoder = Encoder::FixedHuffman;
            zip.entries[1].descriptor = Descriptor::None;
            zip.comment = b"of the zip".to_vec();
            zip.order = vec![2, 0, 1];
            zip.trailing = b"\n".to_vec();
        }),
    ];
    for (what, change) in changes {
        let mut zip = usual();
        change(&mut zip);
        let recipe = recipe(&zip.build()).unwrap();
        let bytes = encode(&recipe.unwrap_or_else(|| panic!("{what}: none")));
        // The directory is made, and not taken over.
        assert!(bytes.len() < 350, "{what}: {} bytes", bytes.len());
    }
}

#[test]
fn a_directory_that_is_not_made_is_taken_over() {
    let changes: [(&str, Change); 5] = [
        ("bytes in front that offsets do not count", |zip| {
            (zip.front, zip.based) = (b"front".to_vec(), true);
        }),
        ("bytes between the files and the directory", |zip| {
            zip.gap = b"gap".to_vec();
        }),
        ("another name in the directory", |zip| {
            zip.entries[0].central_name = Some(format!("{MODULE}/go.mod2").into());
        }),
        ("zip64 sizes in the directory", |zip| {
            zip.entries[0].zip64 = true;
            zip.entries[0].filled = false;
        }),
        ("a zip64 end", |zip| zip.zip64 = true),
    ];
    for (what, change) in changes {
        let mut zip = usual();
        change(&mut zip);
        assert!(has_recipe(&zip), "{what}");
    }
}

#[test]
fn a_zip_that_a_recipe_cannot_make_has_none() {
    let changes: [(&str, Change); 3] = [
        ("bytes between files", |zip| {
            zip.entries[0].gap = b"gap".to_vec();
        }),
        ("zip64 sizes in a local header", |zip| {
            zip.entries[0].zip64 = true;
            zip.entries[0].filled = true;
        }),
        ("a file twice in the directory", |zip| zip.again = Some(1)),
    ];
    for (what, change) in changes {
        let mut zip = usual();
        change(&mut zip);
        assert!(!has_recipe(&zip), "{what}");
    }
    // The same headers with literals that are too many, and as many as there may be.
    for (len, ok) in [(4 << 20, true), ((4 << 20) + 1, false)] {
        let zip = Zip {
            front: vec![b'f'; len],
            ..usual()
        };
        assert_eq!(has_recipe(&zip), ok, "{len} bytes in front");
    }
}

#[test]
fn an_end_counts_files_modulo_65536() {
    for count in [65_535, 65_537] {
        let files = (0..count).map(|n| Entry {
            encoder: Encoder::Stored,
            ..plain(&format!("{n:x}"), b"")
        });
        let recipe = recipe(&of(files.collect()).build()).unwrap().unwrap();
        // A directory in order, a plain end, and nothing behind it.
        assert!(encode(&recipe).ends_with(&[0, 0, 0]), "{count}");
    }
}

#[test]
fn entries_that_share_bytes_have_no_recipe() {
    // The second file lies in the first one's data, which is stored.
    let inner = of(vec![plain("inner", b"inner")]).build();
    let local = &inner[..inner.len() - 22 - 46 - MODULE.len() - 6];
    let outer = Entry {
        encoder: Encoder::Stored,
        ..plain("outer", local)
    };
    let mut zip = of(vec![outer, plain("inner", b"inner")]);
    let mut bytes = zip.build();
    let at = bytes
        .windows(4)
        .rposition(|four| four == b"PK\x01\x02")
        .unwrap();
    let start = 30 + MODULE.len() + 6;
    bytes[at + 42..at + 46].copy_from_slice(&(start as u32).to_le_bytes());
    assert_eq!(
        places(&bytes[..]).unwrap().len(),
        2,
        "the go command reads it"
    );
    assert!(recipe(&bytes).unwrap().is_none());
    zip.entries.clear();
    assert!(has_recipe(&zip));
}

/// Every zip that the go command's own judgement was asked about.
#[test]
fn zips_of_the_vectors_come_out_as_they_went_in() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/zip");
    let (mut with, mut without) = (0, 0);
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "zip") {
            match recipe(&std::fs::read(&path).unwrap()) {
                Ok(Some(_)) => with += 1,
                Ok(None) | Err(_) => without += 1,
            }
        }
    }
    assert!(with > 0 && without > 0, "{with} with, {without} without");
}
