//! What is packed is taken in by the other side's own check, and every zip must come out as it went in.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use modferry_checker::testing::{
    Packing as InZip, Sealed, TestBundle, TestModule, TestSumdb, key, policy, zip_of,
};
use modferry_checker::{MemoryStage, NoProgress, check};
use modferry_cli::in_one_line;
use modferry_protocol::bundle::{self, OneVolume, bases_texts};
use modferry_protocol::h1::H1;
use modferry_protocol::zip::{self, places};
use sha2::{Digest as _, Sha256};

use super::analyse::{DEFLATED, STORED};
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
        let level = Packing::Fast.level().unwrap();
        self.packed_in(&level, threads, most_entries, bases)
    }

    fn packed_in(
        &self,
        level: &level::Level,
        threads: usize,
        most_entries: usize,
        bases: &[Base],
    ) -> Packed {
        let zips: Vec<Zip<'_>> = self
            .zips
            .iter()
            .map(|(module, (file, _))| Zip { module, file })
            .collect();
        let progress = Progress::new(Mode::Quiet);
        let folder = self.dir.path();
        pack_on(
            threads,
            most_entries,
            &zips,
            bases,
            level,
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
        let rebuilt = imported(&self.zips, packed);
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

/// The zips that the other side makes of what was packed: its own check takes it in, behind a bundle that has brought
/// the bases.
fn imported(
    zips: &BTreeMap<ModuleVersion, (ZipFile, Vec<u8>)>,
    packed: &Packed,
) -> BTreeMap<ModuleVersion, Vec<u8>> {
    let read = |base: &Base| test_module(&base.module, std::fs::read(&base.path).unwrap());
    let bases: Vec<TestModule> = packed.bases.iter().map(read).collect();
    let carried: Vec<TestModule> = zips
        .iter()
        .map(|(module, (_, zip))| test_module(module, zip.clone()))
        .collect();
    let mut sumdb = TestSumdb::new("sum.test");
    for module in bases.iter().chain(&carried) {
        sumdb.add(module);
    }
    let key = key("site");
    let policy = policy(&[&key], &[&sumdb]);
    let mut stage = MemoryStage::new();
    let check = |sealed: &Sealed, stage: &mut MemoryStage| {
        let volume = OneVolume::new(&*sealed.volume);
        check(volume, None, &policy, stage, &NoProgress)
            .unwrap_or_else(|error| panic!("{}", in_one_line(&error)))
    };
    let all: Vec<&TestModule> = bases.iter().collect();
    let before = TestBundle::of(&sumdb, &all, &[]);
    let report = check(&before.seal(&[&key]), &mut stage);
    stage.commit(report.served);

    let all: Vec<&TestModule> = carried.iter().collect();
    let mut bundle = TestBundle::of(&sumdb, &all, &[])
        .less(&before, 2)
        .on(&before);
    bundle.items.retain(|item, _| !matches!(item, Item::Zip(_)));
    let list: Vec<bundle::Base> = (packed.bases.iter())
        .map(|base| bundle::Base {
            module: base.module.clone(),
            sha256: base.sha256,
        })
        .collect();
    let texts = bases_texts(&list).unwrap();
    bundle.items.extend((1..).map(Item::Bases).zip(texts));
    bundle.deflated = Some(packed.deflated);
    let mut entries = bundle.entries();
    for part in &packed.parts {
        let mut stored = Vec::new();
        let mut bytes = packed.bytes(part).unwrap();
        bytes.read_to_end(&mut stored).unwrap();
        let number = entries.len() as u32 + 1;
        let entry = part.entry.clone();
        entries.push((Entry { number, ..entry }, stored));
    }
    check(&bundle.seal_entries(&entries, &[&key], None), &mut stage);
    let zip = |module: &ModuleVersion| stage.staged_zip_bytes(module).map(<[u8]>::to_vec);
    zips.keys()
        .filter_map(|module| Some((module.clone(), zip(module)?)))
        .collect()
}

/// A module version whose zip is this one.
fn test_module(module: &ModuleVersion, zip: Vec<u8>) -> TestModule {
    TestModule {
        h1: zip::check(module, &zip).unwrap().h1,
        zip,
        ..TestModule::new(&module.to_string(), &[])
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

/// A zip whose second entry is a folder, of no bytes, with this method and CRC-32.
fn with_folder(module: &ModuleVersion, method: u16, crc32: u32) -> Vec<u8> {
    let files: [(&str, &[u8]); 2] = [("go.mod", b"module m.test/e\n"), ("folder/", b"")];
    let mut zip = zip_of(module, &files, InZip::Stored);
    let [_, folder] = &places(&zip).unwrap()[..] else {
        panic!("two entries")
    };
    let (directory, local) = (folder.data.end as usize, folder.header_offset as usize);
    let central = directory + 46 + module.to_string().len() + "/go.mod".len();
    for (header, field) in [(local, 8), (central, 10)] {
        zip[header + field..][..2].copy_from_slice(&method.to_le_bytes());
        zip[header + field + 6..][..4].copy_from_slice(&crc32.to_le_bytes());
    }
    let [_, folder] = &places(&zip).unwrap()[..] else {
        panic!("two entries")
    };
    assert_eq!((folder.method, folder.crc32), (method, crc32));
    zip
}

#[test]
fn a_zip_with_a_folder_in_it_comes_out_as_it_went_in() {
    let mut zips = mixed();
    // The first is as it should be, the others say that there is something where nothing is.
    for (version, method, crc32) in [(0, STORED, 0), (1, DEFLATED, 0), (2, STORED, 7)] {
        let module: ModuleVersion = format!("m.test/e@v1.{version}.0").parse().unwrap();
        zips.add_zip(module.clone(), with_folder(&module, method, crc32));
    }
    let packed = zips.packed(2, GROUP, &[]);
    let left: Vec<String> = (packed.verbatim.iter())
        .map(|(module, _)| module.to_string())
        .collect();
    assert_eq!(left, ["m.test/e@v1.1.0", "m.test/e@v1.2.0"]);
    zips.come_out_of(&packed);
}

#[test]
fn a_file_may_be_what_another_is_deflated_to() {
    let mut zips = mixed();
    let c: ModuleVersion = "m.test/c@v1.0.0".parse().unwrap();
    let zip = &zips.zips[&c].1;
    let data = places(zip).unwrap()[0].data.clone();
    let deflated = zip[data.start as usize..data.end as usize].to_vec();
    zips.add("m.test/f@v1.0.0", &[("deflated", &deflated)], InZip::Stored);
    // Which is found first depends on how streams lie in a table.
    for _ in 0..8 {
        let packed = zips.packed(2, GROUP, &[]);
        assert!(packed.verbatim.is_empty(), "{:?}", packed.verbatim);
        zips.come_out_of(&packed);
    }
}

/// A zip of so many empty files, each with an extra field of its own in its local header.
fn with_extras(module: &ModuleVersion, files: u32, size: u16) -> Vec<u8> {
    let names: Vec<String> = (0..files).map(|n| format!("f{n}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (&**name, &b""[..])).collect();
    let zip = zip_of(module, &files, InZip::Stored);
    let places = places(&zip).unwrap();
    let mut out = Vec::new();
    let mut offsets = Vec::new();
    for (n, place) in (0_u32..).zip(&places) {
        offsets.push(out.len() as u32);
        let (begin, end) = (place.header_offset as usize, place.data.end as usize);
        let header = out.len();
        out.extend(&zip[begin..end]);
        out[header + 28..][..2].copy_from_slice(&size.to_le_bytes());
        let field = [[0xfe, 0xca], (size - 4).to_le_bytes()].concat();
        out.extend(field.into_iter().chain(n.to_le_bytes()));
        out.resize(header + end - begin + usize::from(size), 0);
    }
    let start = out.len();
    out.extend(&zip[places.last().unwrap().data.end as usize..]);
    let mut at = start;
    for (name, offset) in names.iter().zip(offsets) {
        out[at + 42..][..4].copy_from_slice(&offset.to_le_bytes());
        at += 46 + module.to_string().len() + 1 + name.len();
    }
    out[at + 16..][..4].copy_from_slice(&(start as u32).to_le_bytes());
    out
}

#[test]
fn a_zip_whose_recipe_is_larger_or_heavier_than_may_be_travels_as_it_is() {
    let mut zips = mixed();
    // One that fits, one that has more bytes, and one that readers find too heavy; and one that is just not.
    for (version, files, size) in [
        (0, 20, 60_000),
        (1, 600, 60_000),
        (2, 600, 55_590),
        (3, 600, 55_500),
    ] {
        let module: ModuleVersion = format!("m.test/e@v1.{version}.0").parse().unwrap();
        zips.add_zip(module.clone(), with_extras(&module, files, size));
    }
    let packed = zips.packed(2, GROUP, &[]);
    let left: Vec<String> = (packed.verbatim.iter())
        .map(|(module, why)| format!("{module}: {why}"))
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(left[0], "m.test/e@v1.1.0: its recipe has more than 34 MB");
    assert!(
        left[1].starts_with("m.test/e@v1.2.0: recipe: it weighs "),
        "{left:?}"
    );
    zips.come_out_of(&packed);
}

#[test]
fn what_a_base_was_before_it_changed_is_not_packed_against() {
    let mut held = Zips::new();
    let text = text(1, 20_000);
    held.add("m.test/a@v1.0.0", &[("f", &text)], InZip::Deflated);
    held.add(
        "m.test/a@v1.1.0",
        &[("f", &text), ("g", b"g")],
        InZip::Deflated,
    );
    let mut zips = Zips::new();
    zips.add(
        "m.test/a@v1.2.0",
        &[("f", &text), ("g", b"g")],
        InZip::Deflated,
    );
    let used = |bases: &[Base]| {
        let packed = zips.packed(2, GROUP, bases);
        zips.come_out_of(&packed);
        let names = |bases: &mut dyn Iterator<Item = &ModuleVersion>| -> String {
            let names: Vec<String> = bases.map(|module| module.version().to_string()).collect();
            names.join(" ")
        };
        (
            names(&mut packed.bases.iter().map(|base| &base.module)),
            names(&mut packed.changed.iter()),
        )
    };
    let mut bases = held.as_bases();
    assert_eq!(used(&bases), ("v1.1.0".into(), String::new()));
    // It was this when the destination got it, and when it was last looked at.
    bases[1].sha256 = [7; 32];
    assert_eq!(used(&bases), ("v1.0.0".into(), "v1.1.0".into()));
    bases[0].sha256 = [7; 32];
    assert_eq!(used(&bases), (String::new(), "v1.0.0 v1.1.0".into()));
}

#[test]
fn what_is_done_again_takes_no_more_room() {
    let mut held = Zips::new();
    held.add(
        "m.test/a@v1.0.0",
        &[("f", &text(1, 9_000))],
        InZip::Deflated,
    );
    // Its only file is told to be a byte longer than it is, so what is compressed against it cannot be.
    let (file, zip) = held.zips.values_mut().next().unwrap();
    let end = places(zip).unwrap()[0].data.end as usize;
    for size in [22, end + 24] {
        zip[size..][..4].copy_from_slice(&9_001_u32.to_le_bytes());
    }
    std::fs::write(&file.path, &*zip).unwrap();
    file.sha256 = Sha256::digest(&*zip).into();
    let mut zips = Zips::new();
    zips.add(
        "m.test/a@v1.1.0",
        &[("f", &text(2, 9_000))],
        InZip::Deflated,
    );
    let texts = [text(3, 9_000), text(4, 9_000)];
    zips.add(
        "m.test/b@v1.0.0",
        &[("f", &texts[0]), ("g", &texts[1])],
        InZip::Deflated,
    );
    let level = level::Level {
        frame: 10_000,
        ..Packing::Fast.level().unwrap()
    };
    let packed = zips.packed_in(&level, 1, GROUP, &held.as_bases());
    assert_eq!(packed.verbatim.len(), 1, "{:?}", packed.verbatim);
    assert!(packed.verbatim[0].1.starts_with("its base cannot be read"));
    zips.come_out_of(&packed);
    let spooled = packed.parts.iter().map(|part| match &part.from {
        From::Spool(chunk) => chunk.size,
        From::File(_) => 0,
    });
    let spool = packed.spool.as_ref().unwrap();
    assert_eq!(spool.end(), spooled.sum::<u64>());
}
