//! Zips packed as simply as the format allows: contents in the order in which they are met, so many to a frame.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use flate2::read::DeflateDecoder;
use modferry_deflate::{Deflater, Writer};
use modferry_protocol::bundle::{
    BaseEntry, ContentsWriter, DeflatedTotals, Digest, Encoding, Entry, Form, Item, Recipe,
    RecipesBuilder, Source,
};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::{Place, places};
use sha2::{Digest as _, Sha256};

/// How a test bundle's zips are packed.
#[derive(Clone, Debug)]
pub struct TestPacking {
    /// Contents a frame.
    pub frame: usize,
    /// Zips that the destination holds, in order of module: entries that lie in them too are not carried, and every
    /// frame is compressed against all contents of the first.
    pub bases: Vec<(ModuleVersion, Vec<u8>)>,
}

impl TestPacking {
    /// So many contents to a frame, and nothing that the destination holds.
    pub fn frames_of(frame: usize) -> TestPacking {
        TestPacking {
            frame,
            bases: Vec::new(),
        }
    }
}

/// What zips come to when they are packed.
pub(super) struct Packed {
    /// Contents, recipes, and zips as they are; their numbers are to be given.
    pub(super) entries: Vec<(Entry, Vec<u8>)>,
    pub(super) deflated: DeflatedTotals,
}

/// Contents and how zips have them, with a name for each: a number as long as not all are known.
#[derive(Default)]
struct Contents {
    all: Vec<(Vec<u8>, BTreeMap<Form, u64>)>,
    places: BTreeMap<[u8; 32], usize>,
}

impl Contents {
    fn add(&mut self, content: Vec<u8>, form: Form, packed: u64) -> (usize, Form) {
        let place = *(self.places.entry(Sha256::digest(&content).into())).or_insert_with(|| {
            self.all.push((content, BTreeMap::new()));
            self.all.len() - 1
        });
        self.all[place].1.insert(form, packed);
        (place, form)
    }

    fn number(&self, (place, form): (usize, Form)) -> u32 {
        let before: usize = self.all[..place].iter().map(|(_, forms)| forms.len()).sum();
        let own = self.all[place].1.keys().position(|own| *own == form);
        (before + own.unwrap()) as u32
    }
}

/// Where an entry's packed bytes come from.
enum From {
    Content((usize, Form)),
    Piece((usize, Form)),
    Base(BaseEntry),
}

/// Packs zips, which come in order of module.
pub(super) fn pack(zips: &[(&ModuleVersion, &[u8])], packing: &TestPacking) -> Packed {
    let mut contents = Contents::default();
    let based: Vec<Vec<Place>> = (packing.bases.iter())
        .map(|(_, zip)| places(zip).unwrap())
        .collect();
    let mut from = Vec::new();
    for (_, zip) in zips {
        let of = places(*zip).unwrap();
        let sources = of.iter().map(|place| {
            let packed = data(zip, place);
            let bases = packing.bases.iter().zip(&based).enumerate();
            for (base, ((_, held), places)) in bases {
                let entry = places.iter().position(|own| data(held, own) == packed);
                if let Some(entry) = entry {
                    let (base, entry) = (base as u32, entry as u32);
                    return From::Base(BaseEntry { base, entry });
                }
            }
            let size = packed.len() as u64;
            if place.method == 0 {
                return From::Content(contents.add(packed.into(), Form::AsIs, size));
            }
            let content = inflated(packed);
            let mut deflater = Deflater::new();
            match (Writer::ALL.into_iter()).find(|w| deflater.makes(*w, &content, packed)) {
                Some(writer) => From::Content(contents.add(content, Form::Written(writer), size)),
                None => From::Piece(contents.add(packed.into(), Form::AsIs, size)),
            }
        });
        from.push(sources.collect::<Vec<_>>());
    }
    let mut entries = frames(&contents, packing, &based);
    let mut recipes = RecipesBuilder::new();
    for ((module, zip), from) in zips.iter().zip(&from) {
        let recipe = Recipe::of_zip(module, *zip, &mut |n, place| match from[n] {
            From::Content(content) => Source::Deflated(contents.number(content)),
            From::Base(entry) => Source::Base(entry),
            From::Piece(content) => Source::Pieces {
                first: contents.number(content),
                count: 1,
                crc32: place.crc32,
                unpacked: place.unpacked,
            },
        });
        let digest = Digest {
            size: zip.len() as u64,
            sha256: Sha256::digest(zip).into(),
        };
        match recipe.unwrap() {
            Some(recipe) => {
                let pack = recipes.push(module, digest, &recipe).unwrap();
                entries.extend(pack.map(|pack| pack.into_entry(0)));
            }
            None => {
                entries.extend(recipes.close().unwrap().map(|pack| pack.into_entry(0)));
                entries.push(raw(module, zip));
            }
        }
    }
    entries.extend(recipes.close().unwrap().map(|pack| pack.into_entry(0)));
    let forms = contents.all.iter().flat_map(|(_, forms)| forms.values());
    Packed {
        entries,
        deflated: DeflatedTotals {
            streams: forms.clone().count() as u64,
            bytes: forms.sum(),
        },
    }
}

/// A zip that travels as it is.
pub(super) fn raw(module: &ModuleVersion, zip: &[u8]) -> (Entry, Vec<u8>) {
    raw_item(Item::Zip(module.clone()), zip)
}

/// A zip or a file that travels as it is.
pub(super) fn raw_item(item: Item, bytes: &[u8]) -> (Entry, Vec<u8>) {
    let entry = Entry {
        number: 0,
        encoding: Encoding::Raw,
        stored: bytes.len() as u64,
        sha256: Sha256::digest(bytes).into(),
        items: vec![(item, bytes.len() as u64)],
        zip_sha256: Vec::new(),
    };
    (entry, bytes.to_vec())
}

/// The contents, so many to a frame.
fn frames(
    contents: &Contents,
    packing: &TestPacking,
    based: &[Vec<Place>],
) -> Vec<(Entry, Vec<u8>)> {
    let mut parts = Vec::new();
    let mut prefix = Vec::new();
    if let (Some((_, zip)), Some(places)) = (packing.bases.first(), based.first()) {
        for (n, place) in places.iter().enumerate() {
            let (base, entry) = (0, n as u32);
            parts.push(BaseEntry { base, entry });
            prefix.extend(match place.method {
                0 => data(zip, place).to_vec(),
                _ => inflated(data(zip, place)),
            });
        }
    }
    let mut entries = Vec::new();
    for (n, frame) in contents.all.chunks(packing.frame).enumerate() {
        let table: Vec<(u64, Vec<Form>)> = (frame.iter())
            .map(|(content, forms)| (content.len() as u64, forms.keys().copied().collect()))
            .collect();
        let mut writer = ContentsWriter::new(3, &prefix, &parts, &table).unwrap();
        for (content, _) in frame {
            writer.write_all(content).unwrap();
        }
        let restored = writer.restored();
        let stored = writer.finish().unwrap();
        let entry = Entry {
            number: 0,
            encoding: Encoding::Contents,
            stored: stored.len() as u64,
            sha256: Sha256::digest(&stored).into(),
            items: vec![(Item::Contents(n as u32 + 1), restored)],
            zip_sha256: Vec::new(),
        };
        entries.push((entry, stored));
    }
    entries
}

fn data<'z>(zip: &'z [u8], place: &Place) -> &'z [u8] {
    &zip[place.data.start as usize..place.data.end as usize]
}

fn inflated(packed: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    DeflateDecoder::new(packed)
        .read_to_end(&mut content)
        .unwrap();
    content
}
