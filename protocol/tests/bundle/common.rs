//! A small bundle, made as the bundler makes one, and read as an importer reads one.

#![allow(clippy::unwrap_used)]

use std::io::{self, Cursor, ErrorKind, Read};
use std::ops::Range;

use modferry_protocol::bundle::{
    Basis, BundleWriter, DeflatedTotals, Encoding, Entries, Entry, IndexWriter, Item, Manifest,
    PackBuilder, ReadError, Sequence, Snapshot, StreamName, Volume, VolumeText, Volumes, Vulndb,
    WriteError, cut, front_size,
};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::{self, SigningKey};
use modferry_protocol::sumdb::{DbName, Hash, Tile, TreeHead};
use modferry_protocol::trust::{Accepted, Policy};
use sha2::{Digest as _, Sha256};

/// A random number generator that gives the same keys each time.
pub struct Fixed(pub u8);

impl rand_core::RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        u32::from(self.0)
    }
    fn next_u64(&mut self) -> u64 {
        u64::from(self.0)
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        dest.fill(self.0);
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        dest.fill(self.0);
        Ok(())
    }
}

impl rand_core::CryptoRng for Fixed {}

/// The carrier's key.
pub fn key() -> SigningKey {
    SigningKey::generate("carrier.example", &mut Fixed(7)).unwrap()
}

/// The policy that trusts [`key`].
pub fn policy() -> Policy {
    Policy::new(vec![key().verifier()], 1, vec![]).unwrap()
}

pub fn db() -> DbName {
    DbName::new("sum.golang.org").unwrap()
}

pub fn module(text: &str) -> ModuleVersion {
    text.parse().unwrap()
}

/// A bundle's parts, as they go into a volume.
#[derive(Clone, Debug)]
pub struct Parts {
    pub manifest: Manifest,
    pub note: Vec<u8>,
    pub index: Vec<u8>,
    pub entries: Vec<(Entry, Vec<u8>)>,
}

/// What an item carries in tests.
pub type Carried = (Item, Vec<u8>);

/// A few items of each kind, in order.
pub fn items() -> Vec<Carried> {
    let tile = Tile::parse("tile/8/0/000.p/5").unwrap();
    let mut all = vec![
        (Item::Head(db()), b"a signed head\n".to_vec()),
        (Item::Tile(db(), tile), vec![7; 160]),
    ];
    for name in [
        "example.com/a@v1.0.0",
        "example.com/a@v1.1.0",
        "example.com/B/v2@v2.0.0",
    ] {
        let m = module(name);
        all.push((
            Item::Record(db(), m.clone()),
            format!("17\n{name} h1:…\n").into_bytes(),
        ));
        all.push((
            Item::Info(m.clone()),
            format!("{{\"Version\":\"{}\"}}", m.version()).into_bytes(),
        ));
        all.push((
            Item::Mod(m.clone()),
            format!("module {}\n", m.path()).into_bytes(),
        ));
        all.push((Item::Zip(m), format!("PK, the zip of {name}").into_bytes()));
    }
    all.sort();
    all
}

/// Items of every kind, so that the pack has more than two blocks, and zips of these sizes.
pub fn items_with_zips(sizes: &[usize]) -> Vec<Carried> {
    let mut all = items();
    all.retain(|(item, _)| !matches!(item, Item::Zip(_)));
    all.push((
        Item::Info(module("example.com/noise@v1.0.0")),
        noise(0, 900),
    ));
    for (n, size) in (1..).zip(sizes) {
        let zip = Item::Zip(module(&format!("example.com/z@v1.{n}.0")));
        all.push((zip, noise(n, *size)));
    }
    all.sort();
    all
}

/// Bytes that do not repeat, and do not compress.
fn noise(seed: u32, size: usize) -> Vec<u8> {
    let blocks =
        (0u32..).flat_map(|n| Sha256::digest([n.to_le_bytes(), seed.to_le_bytes()].concat()));
    blocks.take(size).collect()
}

/// Packs, indexes and signs, as the bundler does.
pub fn parts(items: &[Carried]) -> Parts {
    let mut entries = Vec::new();
    let mut packs = PackBuilder::new();
    let mut closed = Vec::new();
    for (item, bytes) in items
        .iter()
        .filter(|(item, _)| !matches!(item, Item::Zip(_)))
    {
        closed.extend(packs.push(item.clone(), bytes).unwrap());
    }
    closed.extend(packs.finish().unwrap());
    for pack in closed {
        entries.push(pack.into_entry(entries.len() as u32 + 1));
    }
    for (item, bytes) in items
        .iter()
        .filter(|(item, _)| matches!(item, Item::Zip(_)))
    {
        let stored = bytes.len() as u64;
        let entry = Entry {
            number: entries.len() as u32 + 1,
            encoding: Encoding::Raw,
            stored,
            sha256: Sha256::digest(bytes).into(),
            items: vec![(item.clone(), stored)],
            zip_sha256: Vec::new(),
        };
        entries.push((entry, bytes.clone()));
    }
    sign(entries)
}

/// A database that is carried, of so many bytes: what else its pieces are is not looked at before they are read.
pub fn carried_vulndb(bytes: u64) -> Vulndb {
    Vulndb {
        carried: true,
        snapshot: Snapshot {
            modified: "2026-11-20T12:00:00Z".into(),
            documents: 3,
            bytes,
            sha256: [7; 32],
        },
    }
}

/// Indexes and signs entries that are there.
pub fn sign(entries: Vec<(Entry, Vec<u8>)>) -> Parts {
    let mut index = IndexWriter::new(Vec::new()).unwrap();
    entries
        .iter()
        .for_each(|(entry, _)| index.entry(entry).unwrap());
    let (index, digest, totals) = index.finish();
    let head = TreeHead {
        size: 5,
        hash: Hash([3; 32]),
    };
    let heads = entries
        .iter()
        .flat_map(|(entry, _)| &entry.items)
        .filter_map(|(item, _)| match item {
            Item::Head(db) => Some((db.clone(), head)),
            _ => None,
        })
        .collect();
    // One module version a text will do: how many there are is not looked at before the texts are.
    let texts = |of: fn(&Item) -> bool| {
        let items = entries.iter().flat_map(|(entry, _)| &entry.items);
        items.filter(|(item, _)| of(item)).count() as u64
    };
    let needs = texts(|item| matches!(item, Item::Needs(_)));
    let bases = texts(|item| matches!(item, Item::Bases(_)));
    let tombstones = texts(|item| matches!(item, Item::Tombstones(_)));
    let items = entries.iter().flat_map(|(entry, _)| &entry.items);
    let pieces = items.filter(|(item, _)| matches!(item, Item::Vulndb(_)));
    let pieces: u64 = pieces.map(|(_, size)| size).sum();
    let (sequence, basis) = match needs + bases + tombstones {
        0 => (Sequence::FIRST, Basis::None),
        _ => (
            Sequence::new(2).unwrap(),
            Basis::Bundle {
                sequence: Sequence::FIRST,
                manifest_sha256: [1; 32],
            },
        ),
    };
    let manifest = Manifest {
        stream: StreamName::new("platform").unwrap(),
        sequence,
        created: "2026-11-21T09:00:00Z".into(),
        basis,
        needs,
        bases,
        tombstones,
        heads,
        vulndb: (pieces > 0).then(|| carried_vulndb(pieces)),
        totals,
        deflated: DeflatedTotals::default(),
        index: digest,
        missing: vec![],
    };
    let note = note::sign(&manifest.encode(), &[&key()]).unwrap();
    Parts {
        manifest,
        note,
        index,
        entries,
    }
}

/// Writes the bundle as one volume.
pub fn volume(parts: &Parts) -> Vec<u8> {
    volumes(parts, None).remove(0)
}

/// Writes the bundle in volumes of at most so many bytes.
pub fn volumes(parts: &Parts, limit: Option<u64>) -> Vec<Vec<u8>> {
    write(parts, limit).unwrap()
}

/// The same, where it may fail.
pub fn write(parts: &Parts, limit: Option<u64>) -> Result<Vec<Vec<u8>>, WriteError> {
    let stored = parts.entries.iter().map(|(entry, _)| entry.stored);
    let plans = cut(front(parts), stored, limit).unwrap();
    let mut writer = BundleWriter::new(Vec::new(), &parts.note, &parts.index, plans)?;
    for (entry, bytes) in &parts.entries {
        writer.entry(entry, &mut bytes.as_slice())?;
    }
    writer.finish()
}

/// The bytes of a bundle's manifest and index at the front of a volume.
pub fn front(parts: &Parts) -> u64 {
    front_size(parts.note.len() as u64, parts.index.len() as u64)
}

/// Reads a volume whole, as an importer does; gives what it carried.
pub fn read(volume: &[u8]) -> Result<Vec<Carried>, Failed> {
    read_from(volume)
}

/// The same from any input.
pub fn read_from(input: impl Read) -> Result<Vec<Carried>, Failed> {
    let volume = Volume::open(input)?;
    let accepted = policy().accept(volume.manifest_note())?;
    Ok(read_accepted(volume, &accepted)?)
}

/// What a bundle's only volume carries whose manifest was accepted.
pub fn read_accepted<R: Read>(
    volume: Volume<R>,
    accepted: &Accepted,
) -> Result<Vec<Carried>, ReadError> {
    read_all(volume, accepted, |_| Err(ErrorKind::NotFound.into()))
}

/// What volumes carry whose manifest was accepted.
pub fn read_volumes<B: AsRef<[u8]>>(
    volumes: &[B],
    accepted: &Accepted,
) -> Result<Vec<Carried>, ReadError> {
    let nth = |number: u32| -> io::Result<&[u8]> {
        let volume = volumes.get(number as usize - 1);
        Ok(volume.ok_or(ErrorKind::NotFound)?.as_ref())
    };
    let first = volumes.first().map_or(&[][..], |volume| volume.as_ref());
    read_all(Volume::open(first)?, accepted, nth)
}

fn read_all<V: Volumes>(
    first: Volume<V::Reader>,
    accepted: &Accepted,
    volumes: V,
) -> Result<Vec<Carried>, ReadError> {
    let mut entries = entries_of(first, accepted, volumes)?;
    let mut out = Vec::new();
    while let Some(mut incoming) = entries.next()? {
        match incoming.entry().encoding {
            Encoding::Zstd => incoming.small_items(|item, bytes| -> Result<(), ReadError> {
                out.push((item, bytes.to_vec()));
                Ok(())
            })?,
            // One item, or several that a reader tells apart: none of them is restored here.
            Encoding::Raw | Encoding::Contents | Encoding::Recipes => {
                let mut bytes = Vec::new();
                let mut buf = [0; 1000];
                loop {
                    match incoming.read(&mut buf)? {
                        0 => break,
                        n => bytes.extend_from_slice(&buf[..n]),
                    }
                }
                let entry = incoming.finish()?;
                out.push((entry.items[0].0.clone(), bytes));
            }
        }
    }
    entries.finish()?;
    Ok(out)
}

/// A bundle's entries, behind an accepted manifest.
pub fn entries_of<V: Volumes>(
    first: Volume<V::Reader>,
    accepted: &Accepted,
    volumes: V,
) -> Result<Entries<V, Cursor<Vec<u8>>>, ReadError> {
    first
        .trust(accepted)?
        .index(Cursor::new(Vec::new()))?
        .entries(volumes)
}

/// A bundle of one volume, which is open already.
type Only<R> = Entries<fn(u32) -> io::Result<R>, Cursor<Vec<u8>>>;

/// The same of its only volume.
pub fn entries_of_one<R: Read>(
    volume: Volume<R>,
    accepted: &Accepted,
) -> Result<Only<R>, ReadError> {
    entries_of(volume, accepted, |_| Err(ErrorKind::NotFound.into()))
}

/// Each part of one volume, and whether it is whole.
pub fn parts_of(volume: &[u8], accepted: &Accepted) -> Result<Vec<(String, bool)>, ReadError> {
    let mut parts = Volume::open(volume)?
        .trust(accepted)?
        .index(Cursor::new(Vec::new()))?
        .parts();
    let mut out = Vec::new();
    while let Some(part) = parts.next()? {
        out.push((part.name, part.result.is_ok()));
    }
    Ok(out)
}

/// Either of the errors that end a reading.
#[derive(Debug)]
pub enum Failed {
    Read(ReadError),
    Trust(modferry_protocol::trust::TrustError),
}

impl From<ReadError> for Failed {
    fn from(e: ReadError) -> Self {
        Failed::Read(e)
    }
}

impl From<modferry_protocol::trust::TrustError> for Failed {
    fn from(e: modferry_protocol::trust::TrustError) -> Self {
        Failed::Trust(e)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&match self {
            Failed::Read(e) => chain(e),
            Failed::Trust(e) => chain(e),
        })
    }
}

/// An error and its sources, as a person reads them.
pub fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        None => error.to_string(),
        Some(source) => format!("{error}: {}", chain(source)),
    }
}

/// Where each part of a volume lies, and what errors about it must say.
pub fn layout(parts: &Parts) -> Vec<(Range<usize>, String)> {
    let mut at = 0;
    let mut out = Vec::new();
    let mut part = |size: usize, label: String| {
        let len = 512 + size.next_multiple_of(512);
        out.push((at..at + len, label));
        at += len;
    };
    part(parts.note.len(), "manifest".into());
    part(parts.index.len(), "index".into());
    part(1, "volume".into());
    for (entry, bytes) in &parts.entries {
        part(bytes.len(), entry.to_string());
    }
    out.push((at..at + 1024, "end of the archive".into()));
    out
}

/// Writes a volume with none of the writer's checks: the front that is signed, and then whatever is given.
pub fn forge(parts: &Parts, rest: &[u8]) -> Vec<u8> {
    let mut volume = file("manifest", &parts.note);
    volume.extend(file("index", &parts.index));
    volume.extend(file("volume", text_of(parts).encode().as_bytes()));
    volume.extend_from_slice(rest);
    volume
}

/// The text of a bundle's only volume.
pub fn text_of(parts: &Parts) -> VolumeText {
    let count = parts.entries.len() as u32;
    VolumeText {
        number: 1,
        of: 1,
        manifest_sha256: Sha256::digest(&parts.note).into(),
        entries: (count > 0).then_some((1, count)),
        extents: Vec::new(),
    }
}

/// A file in a tar, as volumes have them.
pub fn file(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut out = header(name, bytes.len() as u64, |_| {}).to_vec();
    out.extend_from_slice(bytes);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

/// A tar header made with the tar crate alone, and then changed.
pub fn header(name: &str, size: u64, change: impl FnOnce(&mut tar::Header)) -> [u8; 512] {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_device_major(0).unwrap();
    header.set_device_minor(0).unwrap();
    change(&mut header);
    header.set_cksum();
    *header.as_bytes()
}

/// The end of an archive.
pub const END: [u8; 1024] = [0; 1024];
