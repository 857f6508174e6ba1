//! A stream's state with bundles that were never written: what the tests of a basis need of them.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use modferry_protocol::bundle::{
    Basis as Named, DeflatedTotals, Digest, Encoding, Entry, Gone, IndexWriter, Item, Manifest,
    Sequence, Snapshot, StreamName, Vulndb, list_texts,
};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::sumdb::{DbName, Hash, Tile, TreeHead};

use sha2::{Digest as _, Sha256};

use crate::state::{BuiltOn, Chosen, Exported, Intent, State};

pub const DB: &str = "sum.example.org";

pub struct Stream {
    pub dir: tempfile::TempDir,
    pub state: State,
    /// A zip's bytes are the module's name and this.
    pub behind: Cell<&'static str>,
    /// The time of the vulnerability database that each bundle carries.
    pub vulndb: Cell<Option<&'static str>>,
}

/// `a` is `m.test/a@v1.0.0`, and `a@v1.1.0` is what it says.
pub fn module(name: &str) -> ModuleVersion {
    let version = if name.contains('@') { "" } else { "@v1.0.0" };
    format!("m.test/{name}{version}").parse().unwrap()
}

pub fn db() -> DbName {
    DbName::new(DB).unwrap()
}

/// `file a`, `gone-file a`, `mod a`, `zip a`, `whole a`, `listed a` (no zip), `selectable a` (go.mod and record), `tile 0 17 200`.
fn items(words: &str) -> Vec<Item> {
    let mut fields = words.split(' ');
    let kind = fields.next().unwrap();
    if kind == "tile" {
        let mut next = || fields.next().unwrap().parse::<u64>().unwrap();
        let tile = Tile::new(8, next() as u8, next(), next() as u32).unwrap();
        return vec![Item::Tile(db(), tile)];
    }
    let name = fields.next().unwrap();
    match kind {
        "file" => return vec![Item::File(name.parse().unwrap())],
        "gone-file" => return vec![Item::GoneFile(name.parse().unwrap())],
        _ => {}
    }
    let m = module(name);
    let (record, info, go_mod, zip) = (
        Item::Record(db(), m.clone()),
        Item::Info(m.clone()),
        Item::Mod(m.clone()),
        Item::Zip(m),
    );
    match kind {
        "record" => vec![record],
        "info" => vec![info],
        "mod" => vec![go_mod],
        "zip" => vec![zip],
        "selectable" => vec![record, go_mod],
        "listed" => vec![record, info, go_mod],
        "whole" => vec![record, info, go_mod, zip],
        other => panic!("no kind {other}"),
    }
}

impl Stream {
    pub fn new() -> Stream {
        let dir = tempfile::tempdir().unwrap();
        let stream = StreamName::new("platform").unwrap();
        let state = State::open(&dir.path().join("state"), &stream, |_| {}).unwrap();
        Stream {
            dir,
            state,
            behind: Cell::new(""),
            vulndb: Cell::new(None),
        }
    }

    /// Exports a bundle that carries these, takes `gone` back (`all a`, `zip a`), and was built on those bundles.
    pub fn bundle(&self, carries: &[&str], gone: &[&str], chosen: Chosen, on: &str) -> Manifest {
        let mut all: Vec<Item> = carries.iter().flat_map(|words| items(words)).collect();
        let vulndb = self.vulndb.get();
        all.extend(vulndb.map(|_| Item::Vulndb(1)));
        let mut gone: Vec<(ModuleVersion, Gone)> = gone
            .iter()
            .map(|words| match words.split_once(' ').unwrap() {
                ("all", name) => (module(name), Gone::All),
                (_, name) => (module(name), Gone::Zip),
            })
            .collect();
        gone.sort();
        let tombstones: Vec<Vec<u8>> = list_texts(gone.clone()).map(Result::unwrap).collect();
        all.extend((1..=tombstones.len() as u32).map(Item::Tombstones));
        all.sort();
        let (zips, small): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|item| matches!(item, Item::Zip(_) | Item::File(_)));
        let small: Vec<(Item, u64)> = small
            .into_iter()
            .map(|item| {
                let size = u64::from(!matches!(item, Item::GoneFile(_)));
                (item, size)
            })
            .collect();
        let mut entries = Vec::new();
        if !small.is_empty() {
            entries.push((Encoding::Zstd, small));
        }
        entries.extend(
            zips.into_iter()
                .map(|item| (Encoding::Raw, vec![(item, 1)])),
        );
        let mut writer = IndexWriter::new(Vec::new()).unwrap();
        for (number, (encoding, items)) in (1..).zip(entries) {
            let sha256 = match items.as_slice() {
                [(Item::Zip(module), _)] => {
                    Sha256::digest(format!("{module}{}", self.behind.get())).into()
                }
                _ => [0; 32],
            };
            let entry = Entry {
                number,
                encoding,
                stored: 1,
                sha256,
                items,
                zip_sha256: Vec::new(),
            };
            writer.entry(&entry).unwrap();
        }
        let (index, digest, totals) = writer.finish();
        let sequence = self.state.next().unwrap();
        let built_on = BuiltOn {
            chosen,
            bundles: on.parse().unwrap(),
        };
        let manifest = Manifest {
            stream: self.state.stream().clone(),
            sequence,
            created: "2026-11-21T09:00:00Z".into(),
            basis: match built_on.bundles.last() {
                None => Named::None,
                Some(sequence) => Named::Bundle {
                    sequence,
                    manifest_sha256: [1; 32],
                },
            },
            needs: 0,
            bases: 0,
            tombstones: gone.len() as u64,
            heads: vec![(
                db(),
                TreeHead {
                    size: 100 * sequence.get(),
                    hash: Hash([sequence.get() as u8; 32]),
                },
            )],
            vulndb: vulndb.map(|modified| Vulndb {
                carried: true,
                snapshot: Snapshot {
                    modified: modified.into(),
                    documents: 3,
                    bytes: 1,
                    sha256: [3; 32],
                },
            }),
            totals,
            deflated: DeflatedTotals::default(),
            index: Digest {
                size: digest.size,
                sha256: digest.sha256,
            },
            missing: Vec::new(),
        };
        let note = manifest.encode() + "\nsignature\n";
        let intent = Intent {
            manifest: &manifest,
            note: note.as_bytes(),
            index: &index,
            tombstones: &tombstones,
            answers: &[],
            built_on: &built_on,
            folder: self.dir.path(),
        };
        self.state.intend(&intent).unwrap();
        self.state.remember(&manifest, note.as_bytes()).unwrap();
        manifest
    }

    /// One that nobody chose the basis of, on all before it.
    pub fn next(&self, carries: &[&str], gone: &[&str]) -> Manifest {
        let on = match self.state.next().unwrap().get() {
            1 => "none".into(),
            2 => "1".into(),
            n => format!("1-{}", n - 1),
        };
        self.bundle(carries, gone, Chosen::Exported, &on)
    }

    pub fn exported(&self) -> Vec<Exported> {
        self.state.exported().unwrap()
    }

    /// A file of the state that belongs to a bundle.
    pub fn file(&self, sequence: u64, kind: &str) -> std::path::PathBuf {
        let name = self
            .state
            .stream()
            .manifest_file(Sequence::new(sequence).unwrap());
        let bundles = self.dir.path().join("state/bundles");
        bundles.join(name).with_extension(kind)
    }
}
