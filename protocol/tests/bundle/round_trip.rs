//! What is written is read back, byte for byte, and always written the same.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::process::Command;

use modferry_protocol::bundle::{
    Base, BasesReader, Basis, DeflatedTotals, Digest, Encoding, Entry, Gone, IndexReader, Item,
    Level, ListError, ListKind, ListReader, MAX_BASES, MAX_DEFLATED, MAX_DOCUMENTS, MAX_SNAPSHOT,
    Manifest, Missing, Query, Sequence, Snapshot, StreamName, Totals, Volume, Vulndb, bases_texts,
    encode_index, list_texts,
};
use modferry_protocol::module::{ModuleVersion, Revision};
use modferry_protocol::note;
use modferry_protocol::sumdb::{DbName, Hash, Tile, TreeHead};
use modferry_protocol::trust::MAX_TRUST_NUMBER;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::common::*;
use super::volumes::spanning;

#[test]
fn a_volume_gives_back_what_went_in() {
    let parts = parts(&items());
    assert_eq!(read(&volume(&parts)).unwrap(), items());
}

#[test]
fn an_empty_bundle_is_one_too() {
    assert_eq!(read(&volume(&parts(&[]))).unwrap(), []);
}

/// Gives one byte at a time, and is interrupted before each: what a pipe may do.
struct Trickle<'a>(&'a [u8], bool);

impl Read for Trickle<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = buf.len().min(1);
        self.0.read(&mut buf[..n])
    }
}

#[test]
fn a_volume_reads_from_a_pipe() {
    let written = volume(&parts(&items()));
    assert_eq!(read_from(Trickle(&written, false)).unwrap(), items());
}

#[test]
fn an_entry_may_be_passed_over_but_not_left_half_read() {
    let parts = parts(&items());
    let written = volume(&parts);
    let opened = Volume::open(written.as_slice()).unwrap();
    let accepted = policy().accept(opened.manifest_note()).unwrap();
    let mut entries = entries_of_one(opened, &accepted).unwrap();
    // Unread, but hashed all the same.
    entries.next().unwrap().unwrap().finish().unwrap();
    entries.next().unwrap().unwrap().read(&mut [0; 5]).unwrap();
    let error = entries.next().map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "entry 000002.zip (zip example.com/B/v2@v2.0.0) was not finished"
    );
    assert_eq!(entries.finish().unwrap_err().to_string(), error.to_string());
}

#[test]
fn the_end_is_not_the_end_before_all_entries_are_read() {
    let parts = parts(&items());
    let written = volume(&parts);
    let opened = Volume::open(written.as_slice()).unwrap();
    let accepted = policy().accept(opened.manifest_note()).unwrap();
    let entries = entries_of_one(opened, &accepted).unwrap();
    assert!(entries.finish().is_err());
}

#[test]
fn the_same_parts_give_the_same_bytes() {
    assert_eq!(volume(&parts(&items())), volume(&parts(&items())));
    assert_eq!(spanning().1, spanning().1);
}

/// What the system's tar says of a volume, which it may unpack beside itself; `None` if there is no tar.
fn system_tar(args: &[&str], volume: &Path) -> Option<String> {
    let tar = |args: &mut dyn Iterator<Item = &OsStr>| Command::new("tar").args(args).output();
    if tar(&mut [OsStr::new("--version")].into_iter()).is_err() {
        eprintln!("skipped: no tar on this machine");
        return None;
    }
    let behind = [volume.as_os_str(), "-C".as_ref(), volume.parent()?.as_ref()];
    let out = tar(&mut args.iter().map(OsStr::new).chain(behind)).unwrap();
    assert!(
        out.status.success() && out.stderr.is_empty(),
        "tar {args:?}: {out:?}"
    );
    Some(String::from_utf8(out.stdout).unwrap())
}

#[test]
fn system_tar_lists_and_unpacks_a_volume() {
    let parts = parts(&items());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("platform.000001.v001.tar");
    std::fs::write(&path, volume(&parts)).unwrap();
    let Some(listed) = system_tar(&["-tf"], &path) else {
        return;
    };
    assert_eq!(
        listed,
        "manifest\nindex\nvolume\n000001.zst\n000002.zip\n000003.zip\n000004.zip\n"
    );
    let long = system_tar(&["--utc", "--numeric-owner", "-tvf"], &path).unwrap();
    assert!(
        long.lines()
            .all(|l| l.starts_with("-r--r--r-- 0/0") && l.contains("1970-01-01 00:00")),
        "{long}"
    );
    system_tar(&["-xf"], &path).unwrap();
    let unpacked = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(unpacked("manifest"), parts.note);
    assert_eq!(unpacked("index"), parts.index);
    for (entry, bytes) in &parts.entries {
        assert_eq!(unpacked(&entry.file_name()), *bytes, "{entry}");
    }
}

#[test]
fn what_system_tar_unpacks_of_all_volumes_is_all_of_the_entries() {
    let (parts, volumes) = spanning();
    let folder = tempfile::tempdir().unwrap();
    for (number, volume) in (1..).zip(&volumes) {
        let path = folder.path().join(parts.manifest.volume_file_name(number));
        std::fs::write(&path, volume).unwrap();
        if system_tar(&["-xf"], &path).is_none() {
            return;
        }
    }
    let unpacked = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    for (entry, bytes) in &parts.entries {
        let extents = if entry.number == 4 { 3 } else { 0 };
        let all: Vec<u8> = match extents {
            0 => unpacked(&entry.file_name()),
            _ => (1..=extents)
                .flat_map(|extent| unpacked(&entry.extent_file_name(extent)))
                .collect(),
        };
        assert_eq!(all, *bytes, "{entry}");
    }
}

fn any_module() -> impl Strategy<Value = ModuleVersion> {
    let path = "[a-z]{1,5}\\.[a-z]{2,3}(/[A-Za-z0-9_~-]{1,6}[a-z]){0,3}";
    (path, 0..3u8, 0..20u8, 0..20u8, "(-[a-z]{1,4}\\.[1-9])?").prop_filter_map(
        "a module",
        |(path, major, minor, patch, pre)| {
            let path = if major > 1 {
                format!("{path}/v{major}")
            } else {
                path
            };
            ModuleVersion::parse(&path, &format!("v{major}.{minor}.{patch}{pre}")).ok()
        },
    )
}

fn any_db() -> impl Strategy<Value = DbName> {
    "[a-z]{1,5}\\.[a-z]{2,3}(/[a-z]{1,3})?".prop_map(|name| DbName::new(&name).unwrap())
}

fn any_query() -> impl Strategy<Value = Query> {
    (any_module(), "[a-zA-Z][a-zA-Z0-9._~-]{0,9}").prop_filter_map("a query", |(module, text)| {
        Query::new(module.path().clone(), Revision::new(&text).ok()?).ok()
    })
}

fn any_item() -> impl Strategy<Value = Item> {
    let tile = (0..4u8, 0..2000u64, 1..=256u32)
        .prop_map(|(level, index, width)| Tile::new(8, level, index, width).unwrap());
    prop_oneof![
        any_db().prop_map(Item::Head),
        (any_db(), any_module()).prop_map(|(db, m)| Item::Record(db, m)),
        (any_db(), tile).prop_map(|(db, tile)| Item::Tile(db, tile)),
        any_module().prop_map(Item::Pin),
        any_module().prop_map(Item::Info),
        any_module().prop_map(Item::Mod),
        any_query().prop_map(Item::Query),
        any_module().prop_map(Item::Zip),
    ]
}

/// Items in order, with a byte at least in each zip, list and note. Lists' texts are numbered from 1.
fn any_items() -> impl Strategy<Value = BTreeMap<Item, Vec<u8>>> {
    let bytes = || prop_oneof![vec(any::<u8>(), 1..40), vec(any::<u8>(), 500..1100)];
    let texts = || vec(bytes(), 0..3);
    let pieces = vec(bytes(), 0..3);
    let notes = btree_map(1..=MAX_TRUST_NUMBER, bytes(), 0..=2);
    (
        btree_map(any_item(), bytes(), 0..30),
        texts(),
        texts(),
        texts(),
        pieces,
        notes,
    )
        .prop_map(|(mut items, needs, bases, tombstones, pieces, notes)| {
            items.extend((1..).map(Item::Needs).zip(needs));
            items.extend((1..).map(Item::Bases).zip(bases));
            items.extend((1..).map(Item::Tombstones).zip(tombstones));
            items.extend((1..).map(Item::Vulndb).zip(pieces));
            items.extend(notes.into_iter().map(|(n, note)| (Item::Trust(n), note)));
            items
        })
}

fn any_level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::Mod), Just(Level::Zip)]
}

fn any_gone() -> impl Strategy<Value = Gone> {
    prop_oneof![Just(Gone::Zip), Just(Gone::All)]
}

/// What a list's texts list.
fn listed<K: ListKind>(texts: &[Vec<u8>]) -> Result<Vec<(ModuleVersion, K)>, ListError> {
    let mut reader = ListReader::new();
    let mut all = Vec::new();
    for text in texts {
        all.extend(reader.text(text)?);
    }
    assert_eq!(reader.count(), all.len() as u64);
    Ok(all)
}

fn texts<K: ListKind>(lines: &[(ModuleVersion, K)]) -> Vec<Vec<u8>> {
    list_texts(lines.to_vec()).map(Result::unwrap).collect()
}

fn any_time() -> impl Strategy<Value = String> {
    (1970..3000u32, 1..=12u8, 1..=31u8, 0..24u8, 0..60u8, 0..60u8)
        .prop_map(|(y, mo, d, h, m, s)| format!("{y:04}-{mo:02}-{d:02}T{h:02}:{m:02}:{s:02}Z"))
}

prop_compose! {
    fn any_manifest()(
        stream in "[a-z0-9][a-z0-9-]{0,62}",
        sequence in 2..=u64::MAX,
        created in any_time(),
        basis in proptest::option::of((any::<u64>(), any::<[u8; 32]>())),
        heads in btree_map(any_db(), (any::<u64>(), any::<[u8; 32]>()), 0..4),
        n in any::<[u64; 13]>(),
        of_files in any::<[u64; 2]>(),
        some in any::<[bool; 3]>(),
        lists in any::<[u64; 2]>(),
        bases in 0..=MAX_BASES,
        deflated in (0..=MAX_DEFLATED, any::<u64>()),
        index in (0..=1u64 << 30, any::<[u8; 32]>()),
        vulndb in proptest::option::of((any::<bool>(), any_time(), 1..=MAX_DOCUMENTS, 1..=MAX_SNAPSHOT, any::<[u8; 32]>())),
        missing in btree_map(any_module(), "[a-z0-9-]{1,64}", 0..6),
    ) -> Manifest {
        let [records, tiles, pins, infos, mods, queries, zips, zip_bytes, files, file_bytes, contents, content_bytes, carried_bytes] = n;
        let (queries, pins) = (if some[0] { queries } else { 0 }, if some[1] { pins } else { 0 });
        let (files, file_bytes) = if some[2] { (files, file_bytes) } else { (0, 0) };
        let ([needs, tombstones], bases) = if basis.is_some() { (lists, bases) } else { ([0, 0], 0) };
        let [needed_files, gone_files] = if basis.is_some() { of_files } else { [0, 0] };
        let deflated = if contents > 0 { (deflated.0, deflated.1.min(zip_bytes)) } else { (0, 0) };
        let content_bytes = content_bytes.min(deflated.1.saturating_mul(1100));
        Manifest {
            stream: StreamName::new(&stream).unwrap(),
            sequence: Sequence::new(sequence).unwrap(),
            created,
            basis: match basis {
                None => Basis::None,
                Some((n, manifest_sha256)) => Basis::Bundle { sequence: Sequence::new(1 + n % (sequence - 1)).unwrap(), manifest_sha256 },
            },
            needs,
            bases,
            tombstones,
            heads: heads.into_iter().map(|(db, (size, hash))| (db, TreeHead { size, hash: Hash(hash) })).collect(),
            vulndb: vulndb.map(|(carried, modified, documents, bytes, sha256)| Vulndb {
                carried: carried || basis.is_none(),
                snapshot: Snapshot { modified, documents, bytes, sha256 },
            }),
            totals: Totals { needed_files, gone_files, records, tiles, pins, infos, mods, queries, zips, zip_bytes, files, file_bytes, contents, content_bytes, carried_bytes },
            deflated: DeflatedTotals { streams: deflated.0, bytes: deflated.1 },
            index: Digest { size: index.0, sha256: index.1 },
            missing: missing.into_iter().map(|(module, reason)| Missing { module, reason }).collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_manifest_is_read_back(manifest in any_manifest()) {
        prop_assert_eq!(Manifest::parse(&manifest.encode()), Ok(manifest));
    }

    #[test]
    fn any_items_are_carried(items in any_items()) {
        let items: Vec<Carried> = items.into_iter().collect();
        let parts = parts(&items);
        let entries: Vec<Entry> = parts.entries.iter().map(|(entry, _)| entry.clone()).collect();
        prop_assert_eq!(&encode_index(&entries).unwrap(), &parts.index);
        let again: Result<Vec<Entry>, _> = IndexReader::new(parts.index.as_slice()).collect();
        prop_assert_eq!(again.unwrap(), entries);
        prop_assert_eq!(read(&volume(&parts)).unwrap(), items);
    }

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..3000)) {
        let _ = read(&bytes);
        let _ = IndexReader::new(bytes.as_slice()).count();
        let _ = Manifest::parse(&String::from_utf8_lossy(&bytes));
        // Signed, and nonsense behind the first line.
        let index = [b"modferry index v1\n", bytes.as_slice()].concat();
        let _ = IndexReader::new(index.as_slice()).count();
        let text = format!("modferry bundle v1\n{}\n", String::from_utf8_lossy(&bytes).replace(|c: char| c < ' ', ""));
        if let Ok(note) = note::sign(&text, &[&key()]) {
            let _ = policy().accept(&note);
        }
    }

    /// A text that is one byte away from a good one is refused, or is another good one: it encodes to itself.
    #[test]
    fn what_parses_encodes_to_itself(manifest in any_manifest(), items in any_items(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = manifest.encode().into_bytes();
        let here = at.index(text.len());
        text[here] = byte;
        if let Ok(text) = String::from_utf8(text) && let Ok(manifest) = Manifest::parse(&text) {
            prop_assert_eq!(manifest.encode(), text);
        }
        let mut index = parts(&items.into_iter().collect::<Vec<_>>()).index;
        let here = at.index(index.len());
        index[here] = byte;
        let read: Result<Vec<Entry>, _> = IndexReader::new(index.as_slice()).collect();
        if let Ok(entries) = read {
            prop_assert_eq!(encode_index(&entries).unwrap(), index);
        }
    }

    #[test]
    fn any_list_is_read_back(needs in btree_map(any_module(), any_level(), 0..40), gone in btree_map(any_module(), any_gone(), 1..40)) {
        let needs: Vec<_> = needs.into_iter().collect();
        prop_assert_eq!(listed(&texts(&needs)), Ok(needs));
        let gone: Vec<_> = gone.into_iter().collect();
        prop_assert_eq!(listed(&texts(&gone)), Ok(gone));
    }

    #[test]
    fn a_list_that_parses_encodes_to_itself(gone in btree_map(any_module(), any_gone(), 1..10), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = texts(&gone.into_iter().collect::<Vec<_>>()).remove(0);
        let here = at.index(text.len());
        text[here] = byte;
        if let Ok(lines) = ListReader::<Gone>::new().text(&text) {
            prop_assert_eq!(texts(&lines), [text]);
        }
    }

    #[test]
    fn any_bases_are_read_back(bases in btree_map(any_module(), any::<[u8; 32]>(), 1..40), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let bases: Vec<Base> = bases.into_iter().map(|(module, sha256)| Base { module, sha256 }).collect();
        let mut texts = bases_texts(&bases).unwrap();
        let mut reader = BasesReader::new();
        let read: Vec<Base> = texts.iter().flat_map(|text| reader.text(text).unwrap()).collect();
        prop_assert_eq!(reader.count(), bases.len() as u64);
        prop_assert_eq!(read, bases);
        let text = &mut texts[0];
        let here = at.index(text.len());
        text[here] = byte;
        if let Ok(bases) = BasesReader::new().text(text) {
            prop_assert_eq!(&bases_texts(&bases).unwrap(), &texts[..1]);
        }
    }

    #[test]
    fn random_lists_never_panic(bytes in vec(any::<u8>(), 0..3000)) {
        let _ = ListReader::<Level>::new().text(&bytes);
        let behind = [b"modferry needs v1\n", bytes.as_slice()].concat();
        let _ = ListReader::<Level>::new().text(&behind);
        let behind = [b"modferry bases v1\nzip ", bytes.as_slice()].concat();
        let _ = BasesReader::new().text(&behind);
    }

    #[test]
    fn random_packs_never_panic(frame in vec(any::<u8>(), 1..2000), magic in any::<bool>(), sizes in vec(0..100_000u64, 1..5)) {
        let frame = if magic { [&[0x28, 0xb5, 0x2f, 0xfd], frame.as_slice()].concat() } else { frame };
        let items = (1..).zip(sizes).map(|(n, size)| (Item::Mod(module(&format!("example.com/a@v1.{n}.0"))), size)).collect();
        let sha256 = <sha2::Sha256 as sha2::Digest>::digest(&frame).into();
        let entry = Entry { number: 1, encoding: Encoding::Zstd, stored: frame.len() as u64, sha256, items, zip_sha256: Vec::new() };
        let _ = read(&volume(&sign(vec![(entry, frame)])));
    }
}
