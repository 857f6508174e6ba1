//! The worked example of docs/bundle-format.md: made here, kept beside this file, and shown in the document.
//!
//! The kept volume is also the promise that a bundle made once stays readable. When the example changes on
//! purpose, run this test with `MODFERRY_UPDATE=1` and commit what it writes.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use modferry_deflate::{Deflater, Writer};
use modferry_protocol::bundle::*;
use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note;
use modferry_protocol::sumdb::{DbName, MemoryLog, Record, Tile, TreeHead};
use modferry_protocol::trust::{MAX_TRUST_NOTE, MAX_TRUST_NUMBER};
use modferry_protocol::zip;

use super::common::*;

const BEGIN: &str = "<!-- example: begin -->\n";
const END_MARK: &str = "<!-- example: end -->\n";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn kept(name: &str) -> PathBuf {
    root().join("tests/bundle/example").join(name)
}

/// The checksum database of the example, of one record.
fn sumdb_key() -> note::SigningKey {
    note::SigningKey::generate("sum.example", &mut Fixed(8)).unwrap()
}

/// A zip with two files that are not compressed: the simplest that `go` takes.
fn hello_zip() -> Vec<u8> {
    let go = b"package hello\n";
    zip_of("v1.0.0", go, go, 0)
}

/// Its next version: one file is the same, the other has changed and is deflated.
fn next_zip() -> Vec<u8> {
    zip_of("v1.1.0", NEXT_GO, &next_stream(), 8)
}

/// What the other file is deflated to.
fn next_stream() -> Vec<u8> {
    let mut stream = Vec::new();
    Deflater::new()
        .deflate(Writer::GoChains, NEXT_GO, 1000, &mut stream)
        .unwrap();
    stream
}

/// A zip of a version of the module: go.mod as it is, and a file that is packed to those bytes.
fn zip_of(version: &str, go: &[u8], packed: &[u8], method: u8) -> Vec<u8> {
    let files = [
        ("go.mod", HELLO_MOD, HELLO_MOD, 0),
        ("hello.go", go, packed, method),
    ];
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content, packed, method) in files {
        let name = format!("example.com/hello@{version}/{name}");
        let mut fields = vec![20u8, 0, 0, 0, method, 0, 0, 0, 0x21, 0];
        fields.extend(crc32fast::hash(content).to_le_bytes());
        fields.extend((packed.len() as u32).to_le_bytes());
        fields.extend((content.len() as u32).to_le_bytes());
        fields.extend((name.len() as u16).to_le_bytes());
        fields.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&fields);
        directory.extend([0; 10]);
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&fields);
        out.extend(name.as_bytes());
        out.extend(packed);
    }
    let at = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0\x02\0\x02\0");
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(at.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// What the example's three bundles are made of.
struct World {
    db: DbName,
    hello: ModuleVersion,
    world: ModuleVersion,
    next: ModuleVersion,
    log: MemoryLog,
    records: [Record; 3],
}

const HELLO_MOD: &[u8] = b"module example.com/hello\n";
const NEXT_GO: &[u8] = b"package hello\n\nconst Hello = \"hello, world\"\n";
const WORLD_MOD: &[u8] = b"module example.com/world\n";

fn world() -> World {
    let hello = module("example.com/hello@v1.0.0");
    let world = module("example.com/world@v0.1.0");
    let next = module("example.com/hello@v1.1.0");
    let next_facts = zip::check(&next, next_zip().as_slice()).unwrap();
    let facts = zip::check(&hello, hello_zip().as_slice()).unwrap();
    // Of the second module only the go.mod is carried: its zip's hash is in its record, and nobody asks for more.
    let records = [
        Record::new(0, &hello, facts.h1, H1::of_go_mod(HELLO_MOD)).unwrap(),
        Record::new(1, &world, facts.h1, H1::of_go_mod(WORLD_MOD)).unwrap(),
        Record::new(2, &next, next_facts.h1, H1::of_go_mod(HELLO_MOD)).unwrap(),
    ];
    let mut log = MemoryLog::new();
    for record in &records {
        log.push(record.text());
    }
    World {
        db: DbName::new("sum.example").unwrap(),
        hello,
        world,
        next,
        log,
        records,
    }
}

impl World {
    /// The head of that size, and the one tile that there is.
    fn tree(&self, size: u64) -> (TreeHead, [Carried; 2]) {
        let head = self.log.head(size).unwrap();
        let signed = note::sign(&head.encode(), &[&sumdb_key()]).unwrap();
        let tile = Tile::parse(&format!("tile/8/0/000.p/{size}")).unwrap();
        let hashes = self.log.tile_bytes(&tile).unwrap();
        let items = [
            (Item::Head(self.db.clone()), signed),
            (Item::Tile(self.db.clone(), tile), hashes),
        ];
        (head, items)
    }

    fn first(&self) -> Parts {
        let hello = &self.hello;
        let (head, tree) = self.tree(1);
        let mut items = vec![
            (
                Item::Record(self.db.clone(), hello.clone()),
                self.records[0].encode(),
            ),
            (
                Item::Info(hello.clone()),
                br#"{"Version":"v1.0.0","Time":"2026-11-20T12:00:00Z"}"#.to_vec(),
            ),
            (Item::Mod(hello.clone()), HELLO_MOD.to_vec()),
            (Item::Zip(hello.clone()), hello_zip()),
        ];
        items.extend(tree);
        items.sort();
        let mut parts = parts(&items);
        parts.manifest.heads = vec![(self.db.clone(), head)];
        parts.manifest.missing = vec![Missing {
            module: module("example.com/gone@v1.2.3"),
            reason: "410".into(),
        }];
        parts.note = note::sign(&parts.manifest.encode(), &[&key()]).unwrap();
        parts
    }

    /// A week later: another module's go.mod is selected, and of the first module no more than that.
    fn second(&self, first: &Parts) -> Parts {
        let text = |text: Option<Result<Vec<u8>, ListError>>| text.unwrap().unwrap();
        let (head, tree) = self.tree(2);
        let mut items = vec![
            (
                Item::Needs(1),
                text(list_texts([(self.hello.clone(), Level::Mod)]).next()),
            ),
            (
                Item::Tombstones(1),
                text(list_texts([(self.hello.clone(), Gone::Zip)]).next()),
            ),
            (
                Item::Record(self.db.clone(), self.world.clone()),
                self.records[1].encode(),
            ),
            (Item::Mod(self.world.clone()), WORLD_MOD.to_vec()),
        ];
        items.extend(tree);
        items.sort();
        let mut parts = parts(&items);
        parts.manifest.created = "2026-11-28T09:00:00Z".into();
        parts.manifest.basis = Basis::Bundle {
            sequence: first.manifest.sequence,
            manifest_sha256: first.manifest.sha256(),
        };
        parts.manifest.heads = vec![(self.db.clone(), head)];
        parts.note = note::sign(&parts.manifest.encode(), &[&key()]).unwrap();
        parts
    }

    /// On top of the first bundle, which is what the destination has taken in: the module's next version, packed.
    fn third(&self, first: &Parts) -> Parts {
        let (hello, next) = (&self.hello, &self.next);
        let base = Base {
            module: hello.clone(),
            sha256: sha256(&hello_zip()),
        };
        let needs = list_texts([(hello.clone(), Level::Zip)]).next();
        let (head, tree) = self.tree(3);
        let mut items = vec![
            (Item::Needs(1), needs.unwrap().unwrap()),
            (Item::Bases(1), bases_texts(&[base]).unwrap().remove(0)),
            (
                Item::Record(self.db.clone(), next.clone()),
                self.records[2].encode(),
            ),
            (
                Item::Info(next.clone()),
                br#"{"Version":"v1.1.0","Time":"2026-12-01T12:00:00Z"}"#.to_vec(),
            ),
            (Item::Mod(next.clone()), HELLO_MOD.to_vec()),
        ];
        items.extend(tree);
        items.sort();
        let mut entries = parts(&items).entries;

        // The changed file, compressed against what it was: the base's second entry.
        let was = BaseEntry { base: 0, entry: 1 };
        let table = [(NEXT_GO.len() as u64, vec![Form::Written(Writer::GoChains)])];
        let mut writer = ContentsWriter::new(12, b"package hello\n", &[was], &table).unwrap();
        writer.write_all(NEXT_GO).unwrap();
        let size = writer.restored();
        let stored = writer.finish().unwrap();
        let contents = Entry {
            number: entries.len() as u32 + 1,
            encoding: Encoding::Contents,
            stored: stored.len() as u64,
            sha256: sha256(&stored),
            items: vec![(Item::Contents(1), size)],
            zip_sha256: Vec::new(),
        };
        entries.push((contents, stored));

        // The file that is the same comes out of the base's first entry.
        let zip = next_zip();
        let source = &mut |n: usize, _: &zip::Place| match n {
            0 => Source::Base(BaseEntry { base: 0, entry: 0 }),
            _ => Source::Deflated(0),
        };
        let recipe = Recipe::of_zip(next, &zip, source).unwrap().unwrap();
        let digest = Digest {
            size: zip.len() as u64,
            sha256: sha256(&zip),
        };
        let mut recipes = RecipesBuilder::new();
        recipes.push(next, digest, &recipe).unwrap();
        let pack = recipes.close().unwrap().unwrap();
        entries.push(pack.into_entry(entries.len() as u32 + 1));

        let mut parts = sign(entries);
        parts.manifest.sequence = Sequence::new(3).unwrap();
        parts.manifest.created = "2026-12-05T09:00:00Z".into();
        parts.manifest.basis = Basis::Bundle {
            sequence: first.manifest.sequence,
            manifest_sha256: first.manifest.sha256(),
        };
        parts.manifest.heads = vec![(self.db.clone(), head)];
        parts.manifest.deflated = DeflatedTotals {
            streams: 1,
            bytes: next_stream().len() as u64,
        };
        parts.note = note::sign(&parts.manifest.encode(), &[&key()]).unwrap();
        parts
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    <sha2::Sha256 as sha2::Digest>::digest(bytes).into()
}

/// A block of Markdown.
fn fenced(text: &str) -> String {
    format!("```text\n{text}```\n\n")
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (n, row) in bytes.chunks(16).enumerate() {
        if row.iter().all(|b| *b == 0) {
            continue;
        }
        let digits: Vec<String> = row.iter().map(|b| format!("{b:02x}")).collect();
        let text: String = row
            .iter()
            .map(|b| {
                if (b' '..=b'~').contains(b) {
                    *b as char
                } else {
                    '.'
                }
            })
            .collect();
        writeln!(out, "{:04x}  {:47}  {text}", n * 16, digits.join(" ")).unwrap();
    }
    out
}

/// The example as the document shows it.
fn shown(parts: &Parts, volume: &[u8]) -> String {
    let mut out = String::new();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(volume);
    let digest: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    write!(
        out,
        "The volume has {} bytes, with the SHA-256 `{digest}`. The bundle's key and the checksum database's key are\n\n",
        volume.len()
    )
    .unwrap();
    out += &fenced(&format!(
        "{}\n{}\n",
        key().verifier(),
        sumdb_key().verifier()
    ));
    out += "Where what lies:\n\n| offset | bytes | what |\n|---:|---:|---|\n";
    for (range, label) in layout(parts) {
        writeln!(out, "| {} | {} | {label} |", range.start, range.len()).unwrap();
    }
    out += "\nThe first header, rows of zeros left out:\n\n";
    out += &fenced(&hex(&volume[..512]));
    out += "`manifest`, which is the file `platform.000001.manifest` too:\n\n";
    out += &fenced(std::str::from_utf8(&parts.note).unwrap());
    out += "`index`:\n\n";
    out += &fenced(std::str::from_utf8(&parts.index).unwrap());
    out += "`volume`:\n\n";
    out += &fenced(&text_of(parts).encode());
    out += "`000001.zst` restored, item by item:\n\n";
    out += &shown_items(volume);
    out
}

/// The second bundle, less what is like the first.
fn shown_second(parts: &Parts, volume: &[u8]) -> String {
    let mut out = "The bundle after it, a week later: another module's go.mod is selected, and of the first one no more than \
                   that. `platform.000002.manifest`:\n\n"
        .to_owned();
    out += &fenced(std::str::from_utf8(&parts.note).unwrap());
    out += "Its `index`:\n\n";
    out += &fenced(std::str::from_utf8(&parts.index).unwrap());
    out += "Its `000001.zst` restored, item by item:\n\n";
    out + &shown_items(volume)
}

/// The third bundle: how a packed zip travels.
fn shown_third(parts: &Parts, volume: &[u8]) -> String {
    let mut out = "The module's next version, packed, for a destination that has taken in the first bundle: of its two files one \
                   is the same, the other has changed. `platform.000003.manifest`:\n\n"
        .to_owned();
    out += &fenced(std::str::from_utf8(&parts.note).unwrap());
    out += "Its `index`:\n\n";
    out += &fenced(std::str::from_utf8(&parts.index).unwrap());
    out += "Its `000001.zst` restored, the items that only such a bundle has:\n\n";
    out += &shown_items_if(volume, |item| matches!(item, Item::Bases(_)));
    let (entry, stored) = &parts.entries[1];
    out += "`000002.contents`, a header of one part, entry 1 of base 0, and a frame:\n\n";
    out += &fenced(&hex(stored));
    let contents = StoredContents::parse(stored.clone()).unwrap();
    let restored = contents
        .restore(b"package hello\n", entry.restored())
        .unwrap();
    let content = restored.content(0);
    writeln!(
        out,
        "The frame restores to {} bytes: a table of one content of {} bytes in the form 1, and that content. The writer 1 deflates \
         it to deflate stream 0, of {} bytes:\n",
        entry.restored(),
        content.len(),
        next_stream().len()
    )
    .unwrap();
    out += &fenced(&hex(&next_stream()));
    let (entry, stored) = &parts.entries[2];
    let (_, _, recipe) = StoredRecipes::restore(entry, stored)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let mut bytes = Vec::new();
    recipe.encode(&mut bytes);
    out += "`000003.recipes` restored: 2 files whose names have the prefix, and nothing in front of them; two kinds, of which the \
            second has the method 8; the files' kinds; lengths of the names, and the names; entry 0 of base 0, and deflate stream 0; \
            a directory in order, a plain end, and nothing behind it:\n\n";
    out + &fenced(&hex(&bytes))
}

/// What the packs of a volume hold.
fn shown_items(volume: &[u8]) -> String {
    shown_items_if(volume, |item| !matches!(item, Item::Zip(_)))
}

fn shown_items_if(volume: &[u8], shown: impl Fn(&Item) -> bool) -> String {
    let mut out = String::new();
    for (item, bytes) in read(volume).unwrap() {
        if !shown(&item) {
            continue;
        }
        let shown = match std::str::from_utf8(&bytes) {
            Ok(text) if !matches!(item, Item::Tile(..)) => {
                let newline = if text.ends_with('\n') { "" } else { "\n" };
                format!("{text}{newline}")
            }
            _ => hex(&bytes),
        };
        write!(out, "{item}, {} bytes:\n\n{}", bytes.len(), fenced(&shown)).unwrap();
    }
    out
}

#[test]
fn the_document_shows_the_example() {
    let world = world();
    let first = world.first();
    let second = world.second(&first);
    let third = world.third(&first);
    let bundles = [&first, &second, &third].map(|parts| (parts, volume(parts)));
    let document = root().join("../docs/bundle-format.md");
    let text = std::fs::read_to_string(&document).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END_MARK).unwrap();
    let want = format!(
        "{before}{BEGIN}{}{}{}{END_MARK}{after}",
        shown(&first, &bundles[0].1),
        shown_second(&second, &bundles[1].1),
        shown_third(&third, &bundles[2].1)
    );
    if std::env::var_os("MODFERRY_UPDATE").is_some() {
        std::fs::create_dir_all(kept("")).unwrap();
        for (parts, volume) in &bundles {
            std::fs::write(kept(&parts.manifest.file_name()), &parts.note).unwrap();
            std::fs::write(kept(&parts.manifest.volume_file_name(1)), volume).unwrap();
        }
        std::fs::write(&document, &want).unwrap();
    }
    for (parts, volume) in &bundles {
        let name = parts.manifest.file_name();
        assert!(
            std::fs::read(kept(&name)).unwrap() == parts.note,
            "the kept {name} is another"
        );
        let name = parts.manifest.volume_file_name(1);
        assert!(
            std::fs::read(kept(&name)).unwrap() == *volume,
            "the kept {name} is another"
        );
    }
    assert!(
        std::fs::read_to_string(&document).unwrap() == want,
        "the document shows another example"
    );
}

#[test]
fn the_kept_volumes_are_still_readable() {
    let carried = |name: &str| read(&std::fs::read(kept(name)).unwrap()).unwrap();
    let names = |carried: &[Carried]| -> Vec<String> {
        carried.iter().map(|(item, _)| item.to_string()).collect()
    };
    let first = carried("platform.000001.v001.tar");
    assert_eq!(
        names(&first),
        [
            "head sum.example",
            "record sum.example example.com/hello@v1.0.0",
            "tile sum.example tile/8/0/000.p/1",
            "info example.com/hello@v1.0.0",
            "mod example.com/hello@v1.0.0",
            "zip example.com/hello@v1.0.0",
        ]
    );
    assert_eq!(first[5].1, hello_zip());
    let second = carried("platform.000002.v001.tar");
    assert_eq!(
        names(&second),
        [
            "needs 1",
            "tombstones 1",
            "head sum.example",
            "record sum.example example.com/world@v0.1.0",
            "tile sum.example tile/8/0/000.p/2",
            "mod example.com/world@v0.1.0",
        ]
    );
    assert_eq!(
        ListReader::new().text(&second[0].1).unwrap(),
        [(module("example.com/hello@v1.0.0"), Level::Mod)]
    );
    assert_eq!(
        ListReader::new().text(&second[1].1).unwrap(),
        [(module("example.com/hello@v1.0.0"), Gone::Zip)]
    );
    let third = carried("platform.000003.v001.tar");
    assert_eq!(
        names(&third),
        [
            "needs 1",
            "bases 1",
            "head sum.example",
            "record sum.example example.com/hello@v1.1.0",
            "tile sum.example tile/8/0/000.p/3",
            "info example.com/hello@v1.1.0",
            "mod example.com/hello@v1.1.0",
            "contents 1",
            "zip example.com/hello@v1.1.0",
        ]
    );
}

/// The base's entries and the one content are all that the third bundle's zip is made of.
#[test]
fn the_kept_recipe_still_makes_its_zip() {
    struct Streams(Vec<u8>, Vec<u8>);
    impl Deflated for Streams {
        fn facts(&mut self, source: &Source) -> io::Result<Option<DeflatedFacts>> {
            Ok(match source {
                Source::Base(BaseEntry { base: 0, entry: 0 }) => Some(DeflatedFacts {
                    packed: HELLO_MOD.len() as u64,
                    unpacked: HELLO_MOD.len() as u64,
                    crc32: crc32fast::hash(HELLO_MOD),
                }),
                Source::Deflated(0) => Some(DeflatedFacts {
                    packed: self.1.len() as u64,
                    unpacked: self.0.len() as u64,
                    crc32: crc32fast::hash(&self.0),
                }),
                _ => None,
            })
        }

        fn copy(&mut self, source: &Source, out: &mut dyn io::Write) -> io::Result<()> {
            match source {
                Source::Base(_) => out.write_all(HELLO_MOD),
                _ => out.write_all(&self.1),
            }
        }
    }
    let carried = read(&std::fs::read(kept("platform.000003.v001.tar")).unwrap()).unwrap();
    let contents = StoredContents::parse(carried[7].1.clone()).unwrap();
    assert_eq!(contents.prefix(), [BaseEntry { base: 0, entry: 1 }]);
    let contents = contents.restore(b"package hello\n", 3 + NEXT_GO.len() as u64);
    let content = contents.unwrap().content(0).to_vec();
    let mut stream = Vec::new();
    Deflater::new()
        .deflate(Writer::GoChains, &content, 1000, &mut stream)
        .unwrap();
    let third = world().third(&world().first());
    let (module, zip, recipe) = StoredRecipes::restore(&third.entries[2].0, &carried[8].1)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let mut made = Vec::new();
    let mut streams = Streams(content, stream);
    recipe.assemble(&module, &mut streams, &mut made).unwrap();
    assert!(made == next_zip());
    assert_eq!((made.len() as u64, sha256(&made)), (zip.size, zip.sha256));
}

#[test]
fn the_documents_volume_text_is_one() {
    let document = std::fs::read_to_string(root().join("../docs/bundle-format.md")).unwrap();
    let lines = document.lines().map(|line| line.strip_prefix("    "));
    let text: String = lines
        .skip_while(|line| *line != Some("modferry volume v1"))
        .map_while(|line| Some(format!("{}\n", line?)))
        .collect();
    let volume = VolumeText::parse(text.as_bytes()).unwrap();
    assert_eq!((volume.number, volume.extents.len()), (2, 2));
}

#[test]
fn the_document_has_the_limits() {
    let document = std::fs::read_to_string(root().join("../docs/bundle-format.md")).unwrap();
    let limits = [
        ("MAX_MANIFEST", MAX_MANIFEST),
        ("MAX_INDEX", MAX_INDEX),
        ("MAX_INDEX_LINE", MAX_INDEX_LINE as u64),
        ("MAX_ENTRIES", u64::from(MAX_ENTRIES)),
        ("MAX_HEADS", MAX_HEADS as u64),
        ("MAX_LIST_TEXT", MAX_LIST_TEXT as u64),
        ("MAX_TRUST_NOTES", MAX_TRUST_NOTES as u64),
        ("MAX_TRUST_NOTE", MAX_TRUST_NOTE),
        ("MAX_TRUST_NUMBER", MAX_TRUST_NUMBER),
        ("MAX_ENTRY", MAX_ENTRY),
        ("MAX_PACK_STORED", MAX_PACK_STORED),
        ("MAX_PACK_RESTORED", MAX_PACK_RESTORED),
        ("MAX_PACK_ITEMS", MAX_PACK_ITEMS as u64),
        ("MAX_WINDOW_LOG", u64::from(MAX_WINDOW_LOG)),
        ("MAX_STREAM_NAME", MAX_STREAM_NAME as u64),
        ("MAX_REASON", MAX_REASON as u64),
        ("MAX_VOLUMES", u64::from(MAX_VOLUMES)),
        ("MAX_VOLUME_TEXT", MAX_VOLUME_TEXT),
        ("MAX_BASES", MAX_BASES),
        ("MAX_CONTENTS_STORED", MAX_CONTENTS_STORED),
        ("MAX_CONTENTS_RESTORED", MAX_CONTENTS_RESTORED),
        (
            "MAX_CONTENTS_WINDOW_LOG",
            u64::from(MAX_CONTENTS_WINDOW_LOG),
        ),
        ("MAX_CONTENTS", MAX_CONTENTS as u64),
        ("MAX_FORMS", MAX_FORMS as u64),
        ("MAX_PREFIX_PARTS", MAX_PREFIX_PARTS as u64),
        ("MAX_PREFIX", MAX_PREFIX as u64),
        ("MAX_PREFIX_PACKED", MAX_PREFIX_PACKED as u64),
        ("MAX_BASE_ENTRIES", MAX_BASE_ENTRIES),
        ("MAX_RECIPE_WEIGHT", MAX_RECIPE_WEIGHT),
        ("MAX_DEFLATED", MAX_DEFLATED),
        ("MAX_RECIPE_FILES", MAX_RECIPE_FILES as u64),
    ];
    for (name, value) in limits {
        let row = format!("| `{name}` | {value} |");
        assert!(document.contains(&row), "no row that starts with {row:?}");
    }
}
