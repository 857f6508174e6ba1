//! Stores with known contents.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use modferry_appliance::store::{CHUNK, Draft, Source, Store};
use modferry_protocol::bundle::{Answer, Gone, Item, Query};
use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::sumdb::{DbName, Hash, Tile, TreeHead};
use modferry_protocol::zip::ZipFacts;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// The size of the tree of the first import, in records.
pub const TREE: u64 = 70_000;

/// The sizes of the zips of example.com/sized, whose minor version is the place in here.
pub const SIZES: [usize; 6] = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17];

/// A folder with a store in it, and whatever else a test puts there.
pub struct Fixture {
    dir: TempDir,
}

impl Fixture {
    /// A folder with no store yet.
    pub fn empty() -> Fixture {
        Fixture {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A store with one import.
    pub fn filled() -> Fixture {
        let fixture = Fixture::empty();
        fixture.import(1, |draft| {
            for name in [
                "github.com/BurntSushi/toml@v1.2.0",
                "example.com/a@v1.0.0",
                "example.com/a@v1.1.0",
            ] {
                put_whole(draft, &module(name), &zip_bytes(name, 1000));
            }
            for (n, size) in SIZES.into_iter().enumerate() {
                let name = sized(n);
                put_whole(draft, &module(&name), &zip_bytes(&name, size));
            }
            put_whole(draft, &module(&big()), &BIG);
            draft
                .put(
                    &Item::Mod(module("example.com/only@v1.0.0")),
                    b"module example.com/only\n",
                )
                .unwrap();
            let query = Query::new("example.com/a".parse().unwrap(), "main".parse().unwrap());
            let answer = Answer {
                asked: "2026-11-21T09:00:00Z",
                info: &info("example.com/a@v1.1.0"),
            };
            draft
                .put(&Item::Query(query.unwrap()), &answer.encode())
                .unwrap();
            for (name, size) in [("small.txt", 5), ("large.tar", 3 * CHUNK + 17)] {
                let bytes = zip_bytes(name, size);
                let sha256 = Sha256::digest(&bytes).into();
                draft
                    .put_file(&name.parse().unwrap(), size as u64, &sha256, &mut &*bytes)
                    .unwrap();
            }
            let ours = module("git.corp.test/ours@v1.0.0");
            put_whole(draft, &ours, &zip_bytes("git.corp.test/ours@v1.0.0", 100));
            draft.put(&Item::Pin(ours), b"pinned").unwrap();
            let record = Item::Record(db(), module("example.com/a@v1.0.0"));
            draft
                .put(&record, b"7\nexample.com/a v1.0.0 h1:x\n\n")
                .unwrap();
            put_head(draft, TREE);
            for (level, index, width) in [(0, 0, 256), (0, 273, 112), (1, 1, 17), (2, 0, 1)] {
                let tile = Tile::new(8, level, index, width).unwrap();
                draft
                    .put(&Item::Tile(db(), tile), &tile_bytes(&tile))
                    .unwrap();
            }
        });
        fixture
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The store's folder.
    pub fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    /// Imports what `fill` puts into a draft, as bundle number `number`.
    pub fn import(&self, number: u8, fill: impl FnOnce(&mut Draft<'_>)) {
        let store = Store::open_or_create(&self.store(), "test", false).unwrap();
        let mut draft = store.draft(&Sha256::digest([number]).into()).unwrap();
        fill(&mut draft);
        draft
            .commit(Source {
                stream: "test".into(),
                sequence: number.into(),
                ..Source::default()
            })
            .unwrap();
    }

    /// Imports a bundle, number `number`, that gives up module versions, and removes them.
    pub fn remove(&self, number: u8, names: &[&str]) {
        self.import(number, |draft| {
            for name in names {
                draft.gone(&module(name), Gone::All).unwrap();
            }
        });
        let store = Store::open(&self.store(), "test", false).unwrap();
        let gone = store.find_gone(|_| Ok(())).unwrap();
        assert_eq!(gone.versions(), names.len() as u64);
        gone.commit().unwrap();
        assert_eq!(store.reclaim().unwrap(), 0);
    }

    /// Imports one module version, as bundle number `number`.
    pub fn import_module(&self, number: u8, name: &str) {
        self.import(number, |draft| {
            put_whole(draft, &module(name), &zip_bytes(name, 100))
        });
    }
}

/// The version of example.com/sized whose zip has `SIZES[n]` bytes.
pub fn sized(n: usize) -> String {
    format!("example.com/sized@v1.{n}.0")
}

/// A module version whose zip is far larger than what sockets buffer.
pub fn big() -> String {
    "example.com/big@v1.0.0".into()
}

/// The `.info` of a module version.
pub fn info(name: &str) -> Vec<u8> {
    let version = name.split_once('@').unwrap().1;
    format!("{{\"Version\":\"{version}\",\"Time\":\"2020-01-02T03:04:05Z\"}}").into_bytes()
}

/// The zip of [`big`].
pub static BIG: LazyLock<Vec<u8>> = LazyLock::new(|| zip_bytes(&big(), 24 << 20));

/// Bytes for a zip, which neither the store nor the server looks into.
pub fn zip_bytes(name: &str, size: usize) -> Vec<u8> {
    let seed = Sha256::digest(name);
    (0..size)
        .map(|n| seed[n % 32] ^ (n >> 5) as u8 ^ (n >> 13) as u8)
        .collect()
}

/// The signed head of a tree, with a signature that only clients would look at.
pub fn head_of(size: u64) -> Vec<u8> {
    let head = TreeHead {
        size,
        hash: Hash([size as u8; 32]),
    };
    format!("{}\n\u{2014} sum.golang.org AAAA\n", head.encode()).into_bytes()
}

/// A tile's hashes: the wider one starts with the narrower one's.
pub fn tile_bytes(tile: &Tile) -> Vec<u8> {
    let place = format!("{} {}", tile.level(), tile.index());
    (0..tile.width())
        .flat_map(|n| <[u8; 32]>::from(Sha256::digest(format!("{place} {n}"))))
        .collect()
}

/// A module version by its name.
pub fn module(name: &str) -> ModuleVersion {
    name.parse().unwrap()
}

fn db() -> DbName {
    "sum.golang.org".parse().unwrap()
}

fn put_head(draft: &mut Draft<'_>, size: u64) {
    draft.put(&Item::Head(db()), &head_of(size)).unwrap();
}

/// Puts all of a module version into a draft.
pub fn put_whole(draft: &mut Draft<'_>, module: &ModuleVersion, zip: &[u8]) {
    let name = module.to_string();
    draft
        .put(&Item::Info(module.clone()), &info(&name))
        .unwrap();
    let go_mod = format!("module {}\n", module.path());
    draft
        .put(&Item::Mod(module.clone()), go_mod.as_bytes())
        .unwrap();
    let facts = ZipFacts {
        h1: H1::of_go_mod(zip),
        files: 1,
        unpacked: zip.len() as u64,
    };
    let sha256 = Sha256::digest(zip).into();
    draft
        .put_zip(module, &facts, zip.len() as u64, &sha256, &mut &*zip)
        .unwrap();
}
