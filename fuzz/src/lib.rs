//! What a fuzzer checks of each parser that sees untrusted bytes: a function for each, from bytes to a panic or nothing.
//!
//! That nothing panics, overflows or takes memory without bounds is the least. Beyond it, each asks for the promise that
//! its parser makes: what parses encodes to the same bytes, what reads back is what was written. The bytes come
//! from a mutator that sees which code they reach, so signatures and hashes, which it could never guess, are put right
//! for it where something lies behind them ([`repair`]).
//!
//! One target is no parser: deflate streams have to be written bit for bit, whatever the content ([`deflate`]).
//!
//! The committed inputs in corpus/ are our own: made up, or what the fuzzer made of such. protocol/tests/fuzz.rs runs each
//! target over its own with the ordinary tests. A finding goes there under a name that says what it was.

#![allow(clippy::unwrap_used, reason = "a panic is how a target fails")]

mod content;
mod repair;
mod spanning;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{self, Cursor, Write};
use std::path::Path;
use std::sync::LazyLock;

use modferry_cli::wants::{self as wants_file, Signer, Wants};
use modferry_deflate::{Deflater, TooLong, Writer};
use modferry_protocol::bundle::{
    BaseEntry, BasesReader, BundleWriter, ContentsWriter, Deflated, DeflatedFacts, Encoding,
    Entries, Entry, Gone, IndexReader, Level, ListKind, ListReader, Manifest, OneVolume, ReadError,
    Recipe, RestoredContents, Sequences, SnapshotReader, SnapshotWriter, Source, StoredContents,
    Volume, VolumeText, Volumes, bases_texts, cut, encode_index, front_size, list_texts,
};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::{self, SigningKey, VerifierKey};
use modferry_protocol::receipt::Receipt;
use modferry_protocol::request::Request;
use modferry_protocol::sumdb::{Record, SignedHead, Tile, TreeHead, split_lookup};
use modferry_protocol::trust::{Accepted, Judged, Keyring, Policy, Thresholds, TrustNote};
use modferry_protocol::zip::{self, Checker, Place, places};

use spanning::SPANNING;

/// A target's name, which is that of its folder in corpus/, and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("bases", bases),
    ("contents", contents),
    ("deflate", deflate),
    ("index", index),
    ("lists", lists),
    ("manifest", manifest),
    ("note", note),
    ("receipt", receipt),
    ("recipe", recipe),
    ("record", record),
    ("request", request),
    ("snapshot", snapshot),
    ("tile_path", tile_path),
    ("trust_note", trust_note),
    ("volume", volume),
    ("volume_text", volume_text),
    ("wants", wants),
    ("zip", zip),
];

/// A bundle's manifest: what parses encodes to the same text.
pub fn manifest(data: &[u8]) {
    round_trip(data, Manifest::parse, Manifest::encode);
}

/// A bundle's index: what reads from end to end encodes to the same bytes.
pub fn index(data: &[u8]) {
    let entries: Result<Vec<_>, _> = IndexReader::new(data).collect();
    if let Ok(entries) = entries {
        assert_eq!(encode_index(&entries).unwrap(), data);
    }
}

/// The lists of needs and of tombstones, whose texts a NUL keeps apart here: what reads is written again as it was.
pub fn lists(data: &[u8]) {
    list::<Level>(data);
    list::<Gone>(data);
}

fn list<K: ListKind>(data: &[u8]) {
    let mut reader = ListReader::<K>::new();
    let mut lines = Vec::new();
    let mut bodies = Vec::new();
    for text in data.split(|byte| *byte == 0) {
        let Ok(more) = reader.text(text) else {
            return;
        };
        lines.extend(more);
        bodies.extend_from_slice(
            text.split_inclusive(|byte| *byte == b'\n')
                .skip(1)
                .collect::<Vec<_>>()
                .concat()
                .as_slice(),
        );
    }
    assert_eq!(reader.count(), lines.len() as u64);
    let first_line = format!("{}1\n", K::FIRST_LINE_PREFIX).into_bytes();
    let texts: Vec<_> = list_texts(lines).map(Result::unwrap).collect();
    assert_eq!(texts, [[first_line, bodies].concat()]);
}

/// The list of bases, whose texts a NUL keeps apart here: what reads is written again as it was.
pub fn bases(data: &[u8]) {
    let mut reader = BasesReader::new();
    let mut read = Vec::new();
    let mut texts = data.split(|byte| *byte == 0);
    let Some(Ok(first)) = texts.next().map(|text| reader.text(text)) else {
        return;
    };
    let first_text = data.split(|byte| *byte == 0).next().unwrap();
    assert_eq!(bases_texts(&first).unwrap(), [first_text]);
    read.extend(first);
    for text in texts {
        let Ok(more) = reader.text(text) else {
            return;
        };
        read.extend(more);
    }
    assert_eq!(reader.count(), read.len() as u64);
    bases_texts(&read).unwrap();
}

/// Contents: as they are stored; and as a frame restores to them, so that a mutation reaches the table.
pub fn contents(data: &[u8]) {
    if let Some((size, stored)) = data.split_first_chunk::<4>()
        && let Ok(stored) = StoredContents::parse(stored.to_vec())
    {
        // As large as the index lets it be; a few MiB tell as much as 64.
        let size = u64::from(u32::from_le_bytes(*size)) & 0x3f_ffff;
        let prefix = vec![b'p'; 1000];
        if let Ok(restored) = stored.restore(&prefix, size) {
            written_again(&restored, None);
        }
    }
    let stored = StoredContents::parse(framed(data)).unwrap();
    if let Ok(restored) = stored.restore(&[], data.len() as u64) {
        written_again(&restored, Some(data.len() as u64));
    }
}

/// Contents that were read are written, to as many bytes if that is said, and read again.
fn written_again(restored: &RestoredContents, size: Option<u64>) {
    let table: Vec<_> = (0..restored.len())
        .map(|n| (restored.content(n).len() as u64, restored.forms(n).to_vec()))
        .collect();
    let mut writer = ContentsWriter::new(1, &[], &[], &table).unwrap();
    for n in 0..restored.len() {
        writer.write_all(restored.content(n)).unwrap();
    }
    let written = writer.restored();
    assert!(size.is_none_or(|size| size == written));
    let stored = StoredContents::parse(writer.finish().unwrap()).unwrap();
    let again = stored.restore(&[], written).unwrap();
    assert_eq!(again.len(), restored.len());
    for n in 0..restored.len() {
        assert!(again.content(n) == restored.content(n));
        assert_eq!(again.forms(n), restored.forms(n));
    }
}

/// An entry of contents without a prefix, whose frame has those bytes in blocks as they are.
fn framed(data: &[u8]) -> Vec<u8> {
    let mut stored = vec![0, 0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    stored.extend((data.len() as u32).to_le_bytes());
    let blocks: Vec<&[u8]> = data.chunks(100_000).collect();
    for block in &blocks {
        stored.extend(&((block.len() as u32) << 3).to_le_bytes()[..3]);
        stored.extend(*block);
    }
    stored.extend([1, 0, 0]); // the last block, of nothing
    stored
}

/// Writers of deflate streams, on a content that grows from the data; the front, as long as its first two bytes say, is a
/// stream that somebody claims to be its own. What each writer makes inflates to the content, whatever it wrote before.
pub fn deflate(data: &[u8]) {
    let (length, behind) = data.split_first_chunk().unwrap_or((&[0; 2], data));
    let length = usize::from(u16::from_le_bytes(*length));
    let (claimed, seed) = behind.split_at(length.min(behind.len()));
    let content = content::grown(seed);
    let mut used = Deflater::new();
    for writer in Writer::ALL {
        let mut stream = Vec::new();
        (used.deflate(writer, &content, usize::MAX, &mut stream)).unwrap();
        assert!(content::inflates(&stream, &content), "{writer:?}");
        assert!(used.makes(writer, &content, &stream));
        assert_eq!(used.makes(writer, &content, claimed), claimed == stream);

        // Other contents, and one that was given up, leave no trace.
        let _ = used.makes(writer, claimed, &[&stream[..], claimed].concat());
        let most = stream.len() - 1;
        let mut again = b"before".to_vec();
        let short = used.deflate(writer, &content, most, &mut again);
        assert_eq!((short, &again[..]), (Err(TooLong { most }), &b"before"[..]));
        (used.deflate(writer, &content, stream.len(), &mut again)).unwrap();
        assert!(again[6..] == stream, "{writer:?} wrote another stream");

        // With any bit changed it is no longer its stream. Which one, the data says.
        let byte = claimed.len() % stream.len();
        stream[byte] ^= 1 << (claimed.first().unwrap_or(&0) & 7);
        assert!(!used.makes(writer, &content, &stream));
    }
}

/// A recipe: what decodes encodes to the same bytes, and makes a zip of the size that it said. A zip: it comes out as it
/// went in, or has no recipe.
pub fn recipe(data: &[u8]) {
    let module: ModuleVersion = "example.com/m@v1.0.0".parse().unwrap();
    comes_out(&module, data);
    let mut rest = data;
    let Ok(recipe) = Recipe::decode(&module, &mut rest) else {
        return;
    };
    let mut again = Vec::new();
    recipe.encode(&mut again);
    assert_eq!(again, &data[..data.len() - rest.len()]);
    let mut made_up = MadeUp;
    if let Ok(size) = recipe.size(&module, &mut made_up, 1 << 20) {
        let mut zip = Vec::new();
        recipe.assemble(&module, &mut made_up, &mut zip).unwrap();
        assert_eq!(zip.len() as u64, size);
        comes_out(&module, &zip);
    }
}

/// If a zip has a recipe, that makes the same zip.
fn comes_out(module: &ModuleVersion, zip: &[u8]) {
    let source = &mut |n: usize, place: &Place| Source::Pieces {
        first: n as u32,
        count: 1,
        crc32: place.crc32,
        unpacked: place.unpacked,
    };
    if let Ok(Some(recipe)) = Recipe::of_zip(module, zip, source) {
        let mut streams = OfZip(zip, places(zip).unwrap());
        assert_eq!(
            recipe.size(module, &mut streams, u64::MAX).unwrap(),
            zip.len() as u64
        );
        let mut again = Vec::new();
        recipe.assemble(module, &mut streams, &mut again).unwrap();
        assert!(again == zip, "another zip came out");
    }
}

/// The packed bytes of a zip's entries.
struct OfZip<'z>(&'z [u8], Vec<Place>);

impl Deflated for OfZip<'_> {
    fn facts(&mut self, source: &Source) -> io::Result<Option<DeflatedFacts>> {
        let Source::Pieces {
            first,
            crc32,
            unpacked,
            ..
        } = *source
        else {
            return Ok(None);
        };
        Ok(self.1.get(first as usize).map(|place| DeflatedFacts {
            packed: place.data.end - place.data.start,
            unpacked,
            crc32,
        }))
    }

    fn copy(&mut self, source: &Source, out: &mut dyn Write) -> io::Result<()> {
        let Source::Pieces { first, .. } = *source else {
            return Ok(());
        };
        let data = self.1[first as usize].data.clone();
        out.write_all(&self.0[data.start as usize..data.end as usize])
    }
}

/// Deflate streams without end: each has as many bytes as its number, modulo 1000, and one in 16 is not there.
struct MadeUp;

impl Deflated for MadeUp {
    fn facts(&mut self, source: &Source) -> io::Result<Option<DeflatedFacts>> {
        let (number, times, crc32, unpacked) = match *source {
            Source::Deflated(number) => (number, 1, number, u64::from(number)),
            Source::Base(BaseEntry { base, entry }) => (base ^ entry, 1, base, u64::from(entry)),
            Source::Pieces {
                first,
                count,
                crc32,
                unpacked,
            } => (first, u64::from(count), crc32, unpacked),
        };
        Ok((number % 16 != 15).then(|| DeflatedFacts {
            packed: u64::from(number % 1000) * times,
            unpacked,
            crc32,
        }))
    }

    fn copy(&mut self, source: &Source, out: &mut dyn Write) -> io::Result<()> {
        let facts = self.facts(source)?.unwrap();
        out.write_all(&vec![b'd'; facts.packed as usize])
    }
}

/// A signed note, with and without a signature by a trusted key, and keys themselves.
pub fn note(data: &[u8]) {
    let keys = POLICY.bundle_keys();
    if let Ok(opened) = note::open(data, keys) {
        assert!(data.starts_with(opened.text.as_bytes()) && !opened.signers.is_empty());
    }
    // Signed by us, whoever signed it before, it opens, and says the same.
    if let Ok(signed) = note::add_signature(data, &KEY) {
        let opened = note::open(&signed, keys).unwrap();
        assert!(data.starts_with(opened.text.as_bytes()));
        assert!(opened.signers.iter().any(|by| by.id == keys[0].id()));
    }
    // The digits of a key's hash may be of either case, as in the reference. It is the same key.
    if let Ok(Ok(parsed)) = std::str::from_utf8(data).map(str::parse::<VerifierKey>) {
        assert_eq!(parsed.to_string().parse(), Ok(parsed));
    }
}

/// A receipt's text, and its lists of bundles: what parses encodes to the same text.
pub fn receipt(data: &[u8]) {
    round_trip(data, Receipt::parse, Receipt::encode);
    round_trip(data, str::parse::<Sequences>, ToString::to_string);
}

/// A vulnerability database's text: what reads is written again as it was, and is the same snapshot.
pub fn snapshot(data: &[u8]) {
    let mut reader = SnapshotReader::new();
    let Ok(documents) = reader.piece(data) else {
        return;
    };
    let mut writer = SnapshotWriter::new();
    let mut text = Vec::new();
    for (name, bytes) in documents {
        text.extend(writer.document(&name, bytes).unwrap().unwrap_or_default());
    }
    let (last, written) = writer.finish("2026-11-20T12:00:00Z");
    text.extend(last);
    assert_eq!(text, data);
    assert_eq!(reader.finish("2026-11-20T12:00:00Z"), written);
}

/// A wants file: what opens is written so that it opens as the same, and what can be signed opens as it was.
pub fn wants(data: &[u8]) {
    let path = Path::new("wants.yaml");
    if let Ok(opened) = wants_file::open(path, data, &[]) {
        let again = Wants::parse(path, &opened.wants.encode()).unwrap();
        assert_eq!(without_places(again), without_places(opened.wants));
    }
    if let Ok((wants, note)) = wants_file::sign(path, data, &KEY) {
        let opened = wants_file::open(path, &note, &[KEY.verifier()]).unwrap();
        assert_eq!(opened.wants, wants);
        assert!(matches!(opened.signer, Signer::Known(_)));
    }
}

fn without_places(mut wants: Wants) -> Wants {
    wants.wants.iter_mut().for_each(|entry| entry.place = None);
    wants
}

/// A tile's path: one spelling each.
pub fn tile_path(data: &[u8]) {
    round_trip(data, Tile::parse, Tile::path);
}

/// A checksum database's answer to a lookup: the record, and the signed tree head behind it.
pub fn record(data: &[u8]) {
    let module: ModuleVersion = "example.com/a@v1.0.0".parse().unwrap();
    if let Ok(record) = Record::parse(data, &module) {
        assert_eq!(record.encode(), data);
    }
    if let Ok((front, behind)) = split_lookup(data) {
        assert_eq!([front, behind].concat(), data);
        let _ = Record::parse(front, &module);
        let _ = SignedHead::open(behind, &POLICY.bundle_keys()[0]);
        round_trip(behind, TreeHead::parse, TreeHead::encode);
    }
}

/// The path of a request: what is asked for has one URL, and that URL asks for it.
pub fn request(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(request) = Request::parse(text) {
        assert_eq!(Request::parse(&request.url_path()).unwrap(), request);
    }
}

/// A module zip: whatever it says of itself, the answer is the same however much of it is in memory before.
pub fn zip(data: &[u8]) {
    let module: ModuleVersion = "example.com/m@v1.0.0".parse().unwrap();
    let mut checker = Checker::new();
    let first = checker.check(&module, data);
    let again = checker.check(&module, data);
    assert_eq!(first.is_ok(), again.is_ok());
    if let (Ok(facts), Ok(same)) = (first, again) {
        assert_eq!(facts, same);
        assert!(facts.unpacked <= zip::MAX_ZIP_FILE);
    }
}

/// A trust note: its text has one spelling, and signed by the one trusted key it leaves a ring that can still sign.
pub fn trust_note(data: &[u8]) {
    round_trip(data, TrustNote::parse, TrustNote::encode);
    let mut ring = Keyring {
        keys: POLICY.bundle_keys().to_vec(),
        revoked: Vec::new(),
        thresholds: Thresholds::new(1, BTreeMap::new()),
        applied: Vec::new(),
    };
    let _ = ring.judge(data);
    let Some(signed) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| note::sign(text, &[&KEY]).ok())
    else {
        return;
    };
    if let Ok(Judged::Next(accepted)) = ring.judge(&signed) {
        assert_eq!(accepted.note().encode().as_bytes(), data);
        ring.apply(accepted.note());
        assert!(ring.keys.len() >= ring.thresholds.largest());
        assert!(matches!(ring.judge(&signed), Ok(Judged::Applied(1))));
    }
}

/// The text of a `volume` file, as it is and with its hashes put right: what parses encodes to the same text, and whatever
/// it says of a volume of a bundle, that bundle is read, or nothing.
pub fn volume_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let own = repair::volume_text(&text, None);
    let both = repair::volume_text(&text, Some(&SPANNING.manifest));
    for bytes in [data, own.as_bytes(), both.as_bytes()] {
        let Ok(parsed) = VolumeText::parse(bytes) else {
            continue;
        };
        assert_eq!(parsed.encode().as_bytes(), bytes);
        // In the volume that it says it is of; elsewhere it would only be out of turn.
        let count = SPANNING.volumes.len() as u32;
        let _ = SPANNING.read_with(parsed.number.min(count), bytes);
    }
}

/// A volume, as it is and with its hashes and signature put right: what reads whole is written again as it was, and
/// is whole part by part, too.
pub fn volume(data: &[u8]) {
    let _ = read_volume(data);
    let _ = whole_by_parts(data);
    let Some(repaired) = repair::volume(data, &KEY) else {
        return;
    };
    let whole = whole_by_parts(&repaired);
    if let Ok((note, index, entries)) = read_volume(&repaired) {
        let front = front_size(note.len() as u64, index.len() as u64);
        let stored = entries.iter().map(|(entry, _)| entry.stored);
        let plans = cut(front, stored, None).unwrap();
        let mut writer = BundleWriter::new(Vec::new(), &note, &index, plans).unwrap();
        for (entry, bytes) in &entries {
            writer.entry(entry, &mut bytes.as_slice()).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), [repaired]);
        assert!(whole.unwrap());
    }
}

/// Looks at each part of one volume, and says whether all are as they were written.
fn whole_by_parts(data: &[u8]) -> Result<bool, Box<dyn std::error::Error>> {
    let volume = Volume::open(data)?;
    let accepted = POLICY.accept(volume.manifest_note())?;
    let mut parts = volume
        .trust(&accepted)?
        .index(Cursor::new(Vec::new()))?
        .parts();
    let mut whole = true;
    while let Some(part) = parts.next()? {
        whole &= part.result.is_ok();
    }
    Ok(whole)
}

/// A bundle of one volume, in memory as its index is.
type Only<'d> = Entries<OneVolume<&'d [u8]>, Cursor<&'d mut Vec<u8>>>;

/// The entries of a bundle's only volume, its index kept in `spool`.
fn entries_of<'d>(
    data: &'d [u8],
    accepted: &Accepted,
    spool: &'d mut Vec<u8>,
) -> Result<Only<'d>, ReadError> {
    let mut only = OneVolume::new(data);
    Volume::open(only.open(1).map_err(ReadError::Spool)?)?
        .trust(accepted)?
        .index(Cursor::new(spool))?
        .entries(only)
}

/// A volume that was read whole: the manifest's note, the index, and the entries as stored.
type Whole = (Vec<u8>, Vec<u8>, Vec<(Entry, Vec<u8>)>);

/// Reads a volume as an importer does: every step of trust, and every pack restored.
fn read_volume(data: &[u8]) -> Result<Whole, Box<dyn std::error::Error>> {
    let volume = Volume::open(data)?;
    let note = volume.manifest_note().to_vec();
    let accepted = POLICY.accept(&note)?;
    let mut spool = Vec::new();
    let mut entries = entries_of(data, &accepted, &mut spool)?;
    let mut read = Vec::new();
    while let Some(mut incoming) = entries.next()? {
        let entry = incoming.entry().clone();
        let mut bytes = Vec::new();
        let mut buf = [0; 4096];
        loop {
            match incoming.read(&mut buf)? {
                0 => break,
                n => bytes.extend_from_slice(&buf[..n]),
            }
        }
        incoming.finish()?;
        read.push((entry, bytes));
    }
    entries.finish()?;

    // Once more from the front, now with the packs restored.
    let mut spool_again = Vec::new();
    let mut entries = entries_of(data, &accepted, &mut spool_again)?;
    while let Some(incoming) = entries.next()? {
        let items = incoming.entry().items.clone();
        if incoming.entry().encoding != Encoding::Zstd {
            incoming.finish()?;
            continue;
        }
        let mut expected = items.into_iter();
        incoming.small_items(|item, bytes| -> Result<(), ReadError> {
            assert_eq!(expected.next().unwrap(), (item, bytes.len() as u64));
            Ok(())
        })?;
        assert!(expected.next().is_none(), "a pack left an item out");
    }
    Ok((note, spool, read))
}

/// What parses encodes to the same text.
fn round_trip<T: Debug, E>(
    data: &[u8],
    parse: impl Fn(&str) -> Result<T, E>,
    encode: impl Fn(&T) -> String,
) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(parsed) = parse(text) {
        assert_eq!(encode(&parsed), text, "{parsed:?}");
    }
}

/// The key that signs in fuzzing and nowhere else: its secret is in the source.
static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::generate("fuzz.example", &mut Sevens).unwrap());

/// The policy that trusts [`KEY`].
static POLICY: LazyLock<Policy> =
    LazyLock::new(|| Policy::new(vec![KEY.verifier()], 1, vec![]).unwrap());

/// A random number generator that gives the same key each time.
struct Sevens;

impl rand_core::RngCore for Sevens {
    fn next_u32(&mut self) -> u32 {
        7
    }
    fn next_u64(&mut self) -> u64 {
        7
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        dest.fill(7);
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core::Error> {
        dest.fill(7);
        Ok(())
    }
}

impl rand_core::CryptoRng for Sevens {}
