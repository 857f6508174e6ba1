//! Small checksum databases, modules and bundles in memory, whole or wrong in one chosen way.
//!
//! For this crate's tests and, behind the feature `testing`, for those of crates that read bundles. A
//! [`TestBundle`] is a plain map of items: a test takes one away, changes its bytes or adds another, and
//! [`TestBundle::seal`] then signs the result properly. So a test reaches the one check that it is about, past all
//! those before it.

// It is made to be called from tests, where a panic is a failure with a place.
#![allow(clippy::unwrap_used)]

mod pack;
mod sumdb;
mod vulndb;
mod zip;

use std::collections::BTreeMap;

use modferry_protocol::bundle::{
    Base, Basis, BundleWriter, DeflatedTotals, Digest, Entry, Gone, Item, Level, Manifest, Missing,
    PackBuilder, Sequence, SnapshotWriter, StreamName, Totals, Vulndb, bases_texts, cut,
    encode_index, front_size, list_texts,
};
use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::{SigningKey, sign};
use modferry_protocol::sumdb::{DbName, TreeHead, closure};
use modferry_protocol::trust::Policy;
use rand_core::OsRng;
use sha2::{Digest as _, Sha256};

pub use pack::TestPacking;
pub use sumdb::TestSumdb;
pub use vulndb::{
    TestVulndb, VULNDB_MODIFIED, good_vulndb, odd_vulndbs, vulnerability, wrong_vulndbs,
};
pub use zip::{Packing, archive_of, zip_h1, zip_of};

/// A new key of that name.
pub fn key(name: &str) -> SigningKey {
    SigningKey::generate(name, &mut OsRng).unwrap()
}

/// A module version as upstream would serve it.
#[derive(Clone, Debug)]
pub struct TestModule {
    /// Its name.
    pub module: ModuleVersion,
    /// The `.info`.
    pub info: Vec<u8>,
    /// The `.mod`.
    pub go_mod: Vec<u8>,
    /// The `.zip`.
    pub zip: Vec<u8>,
    /// The zip's h1.
    pub h1: H1,
}

impl TestModule {
    /// `name` is `path@version`; `files` are names and contents. A go.mod is made if there is none among them.
    pub fn new(name: &str, files: &[(&str, &str)]) -> TestModule {
        let module: ModuleVersion = name.parse().unwrap();
        let default_mod = format!("module {}\n", module.path());
        let go_mod = files
            .iter()
            .find(|(name, _)| *name == "go.mod")
            .map_or(&*default_mod, |(_, text)| text);
        let mut all: Vec<(&str, &[u8])> = vec![("go.mod", go_mod.as_bytes())];
        all.extend(
            files
                .iter()
                .filter(|(name, _)| *name != "go.mod")
                .map(|(name, text)| (*name, text.as_bytes())),
        );
        TestModule {
            info: format!(
                r#"{{"Version":"{}","Time":"2020-01-02T03:04:05Z"}}"#,
                module.version()
            )
            .into(),
            go_mod: go_mod.into(),
            zip: zip_of(&module, &all, Packing::Deflated),
            h1: zip_h1(&module, &all),
            module,
        }
    }

    /// One of many: `example.com/mN` with a few files.
    pub fn numbered(n: usize) -> TestModule {
        let source = format!("package m\n\nconst N = {n}\n").repeat(n % 50 + 1);
        TestModule::new(
            &format!("example.com/m{n}@v1.{n}.0"),
            &[("m.go", &source), ("LICENSE", "none\n")],
        )
    }
}

/// A bundle before it is sealed: what it carries, free to be changed.
#[derive(Clone, Debug)]
pub struct TestBundle {
    /// The stream.
    pub stream: StreamName,
    /// Its number in the stream.
    pub sequence: Sequence,
    /// What it builds on.
    pub basis: Basis,
    /// How many needs the manifest counts; `None`: those that there are.
    pub needs: Option<u64>,
    /// How many bases the manifest counts; `None`: those that there are.
    pub bases: Option<u64>,
    /// How many tombstones the manifest counts; `None`: those that there are.
    pub tombstones: Option<u64>,
    /// The heads that the manifest names.
    pub heads: Vec<(DbName, TreeHead)>,
    /// What it carries.
    pub items: BTreeMap<Item, Vec<u8>>,
    /// The vulnerability database that the manifest names.
    pub vulndb: Option<Vulndb>,
    /// What the manifest says could not be had.
    pub missing: Vec<Missing>,
    /// How its zips are packed; `None`: they travel as they are.
    pub packing: Option<TestPacking>,
    /// What the manifest says that its contents give; `None`: what they do.
    pub deflated: Option<DeflatedTotals>,
    /// What is done to its entries before they are numbered and signed.
    pub tamper: Option<Tamper>,
}

/// What is done to entries and their bytes.
pub type Tamper = fn(&mut Vec<(Entry, Vec<u8>)>);

/// A sealed bundle's files.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// The manifest beside the volume.
    pub manifest: Vec<u8>,
    /// The volume, or the first one.
    pub volume: Vec<u8>,
    /// Those behind it, where it was sealed in several.
    pub more: Vec<Vec<u8>>,
    /// The index's entries, to know what lies where.
    pub entries: Vec<Entry>,
}

impl TestBundle {
    /// Everything about these modules, proven by `sumdb` at its newest head, for clients that may hold a head
    /// of one of the sizes in `older`. The modules must be in the database.
    pub fn of(sumdb: &TestSumdb, modules: &[&TestModule], older: &[u64]) -> TestBundle {
        TestBundle::at(sumdb, sumdb.size(), modules, older)
    }

    /// The same at an older head of the database.
    pub fn at(sumdb: &TestSumdb, size: u64, modules: &[&TestModule], older: &[u64]) -> TestBundle {
        let head = sumdb.head_at(size);
        let db = sumdb.db().clone();
        let mut items = BTreeMap::from([(Item::Head(db.clone()), sumdb.signed(&head))]);
        let ids: Vec<u64> = modules
            .iter()
            .map(|m| sumdb.record(&m.module).unwrap().id())
            .collect();
        for tile in closure(size, ids, older) {
            items.insert(Item::Tile(db.clone(), tile), sumdb.tile(&tile));
        }
        for m in modules {
            items.insert(
                Item::Record(db.clone(), m.module.clone()),
                sumdb.record(&m.module).unwrap().encode(),
            );
            items.insert(Item::Info(m.module.clone()), m.info.clone());
            items.insert(Item::Mod(m.module.clone()), m.go_mod.clone());
            items.insert(Item::Zip(m.module.clone()), m.zip.clone());
        }
        TestBundle {
            stream: StreamName::new("test").unwrap(),
            sequence: Sequence::FIRST,
            basis: Basis::None,
            needs: None,
            bases: None,
            tombstones: None,
            heads: vec![(db, head)],
            items,
            vulndb: None,
            missing: Vec::new(),
            packing: None,
            deflated: None,
            tamper: None,
        }
    }

    /// Takes away what `held` carries, as an export on top of it would; the tiles that are held narrower stay.
    #[must_use]
    pub fn less(mut self, held: &TestBundle, sequence: u64) -> TestBundle {
        self.items.retain(|item, bytes| {
            held.items.get(item) != Some(bytes) || matches!(item, Item::Head(_))
        });
        self.sequence = Sequence::new(sequence).unwrap();
        self
    }

    /// Makes it a bundle that builds on that one, which must have a lower number.
    #[must_use]
    pub fn on(mut self, basis: &TestBundle) -> TestBundle {
        self.basis = Basis::Bundle {
            sequence: basis.sequence,
            manifest_sha256: basis.sha256(),
        };
        self
    }

    /// Adds what the destination must hold, in order of module.
    #[must_use]
    pub fn needing(
        mut self,
        lines: impl IntoIterator<Item = (ModuleVersion, Level)>,
    ) -> TestBundle {
        let texts = list_texts(lines).map(Result::unwrap);
        self.items.extend((1..).map(Item::Needs).zip(texts));
        self
    }

    /// Adds what the selection no longer names, in order of module.
    #[must_use]
    pub fn without(mut self, lines: impl IntoIterator<Item = (ModuleVersion, Gone)>) -> TestBundle {
        let texts = list_texts(lines).map(Result::unwrap);
        self.items.extend((1..).map(Item::Tombstones).zip(texts));
        self
    }

    /// Packs its zips, and lists what they are packed against.
    #[must_use]
    pub fn packed(mut self, packing: TestPacking) -> TestBundle {
        let bases: Vec<Base> = (packing.bases.iter())
            .map(|(module, zip)| Base {
                module: module.clone(),
                sha256: Sha256::digest(zip).into(),
            })
            .collect();
        let texts = bases_texts(&bases).unwrap();
        self.items.extend((1..).map(Item::Bases).zip(texts));
        self.packing = Some(packing);
        self
    }

    /// Adds a vulnerability database that says that it was changed last at that time: documents by name.
    #[must_use]
    pub fn with_vulndb(mut self, modified: &str, documents: &[(&str, &str)]) -> TestBundle {
        let mut writer = SnapshotWriter::new();
        let mut pieces = Vec::new();
        for (name, json) in documents {
            let name = name.parse().unwrap();
            pieces.extend(writer.document(&name, json.as_bytes()).unwrap());
        }
        let (last, snapshot) = writer.finish(modified);
        pieces.push(last);
        self.items
            .retain(|item, _| !matches!(item, Item::Vulndb(_)));
        self.items.extend((1..).map(Item::Vulndb).zip(pieces));
        self.vulndb = Some(Vulndb {
            carried: true,
            snapshot,
        });
        self
    }

    /// SHA-256 of the manifest's text, once it is sealed.
    pub fn sha256(&self) -> [u8; 32] {
        let entries: Vec<Entry> = self.entries().into_iter().map(|(entry, _)| entry).collect();
        let index = encode_index(&entries).unwrap();
        self.manifest(&entries, &index).sha256()
    }

    /// The entries, with their bytes.
    pub fn entries(&self) -> Vec<(Entry, Vec<u8>)> {
        let mut entries: Vec<(Entry, Vec<u8>)> = Vec::new();
        let mut packs = Vec::new();
        let mut builder = PackBuilder::new();
        for (item, bytes) in &self.items {
            if !matches!(item, Item::Zip(_) | Item::File(_)) {
                packs.extend(builder.push(item.clone(), bytes).unwrap());
            }
        }
        packs.extend(builder.finish().unwrap());
        for pack in packs {
            entries.push(pack.into_entry(entries.len() as u32 + 1));
        }
        match &self.packing {
            Some(packing) => entries.extend(pack::pack(&self.zips(), packing).entries),
            None => {
                let zips = self.zips().into_iter();
                entries.extend(zips.map(|(module, zip)| pack::raw(module, zip)));
            }
        }
        for (item, bytes) in &self.items {
            if matches!(item, Item::File(_)) {
                entries.push(pack::raw_item(item.clone(), bytes));
            }
        }
        if let Some(tamper) = self.tamper {
            tamper(&mut entries);
        }
        for (number, (entry, stored)) in (1..).zip(&mut entries) {
            entry.number = number;
            entry.stored = stored.len() as u64;
            entry.sha256 = Sha256::digest(stored).into();
        }
        entries
    }

    fn zips(&self) -> Vec<(&ModuleVersion, &[u8])> {
        (self.items.iter())
            .filter_map(|(item, bytes)| match item {
                Item::Zip(module) => Some((module, bytes.as_slice())),
                _ => None,
            })
            .collect()
    }

    /// The manifest over an index of this bundle.
    pub fn manifest(&self, entries: &[Entry], index: &[u8]) -> Manifest {
        let mut totals = Totals::default();
        for entry in entries {
            totals.carried_bytes += entry.stored;
            for (item, size) in &entry.items {
                match item {
                    Item::Needs(_)
                    | Item::Bases(_)
                    | Item::Tombstones(_)
                    | Item::Trust(_)
                    | Item::Head(_)
                    | Item::Vulndb(_) => {}
                    Item::Contents(_) => {
                        totals.contents += 1;
                        totals.content_bytes += size;
                    }
                    Item::NeededFile(_) => totals.needed_files += 1,
                    Item::GoneFile(_) => totals.gone_files += 1,
                    Item::Record(..) => totals.records += 1,
                    Item::Tile(..) => totals.tiles += 1,
                    Item::Pin(_) => totals.pins += 1,
                    Item::Info(_) => totals.infos += 1,
                    Item::Mod(_) => totals.mods += 1,
                    Item::Query(_) => totals.queries += 1,
                    Item::File(_) => {
                        totals.files += 1;
                        totals.file_bytes += size;
                    }
                    Item::Zip(_) => {
                        totals.zips += 1;
                        totals.zip_bytes += size;
                    }
                }
            }
        }
        Manifest {
            stream: self.stream.clone(),
            sequence: self.sequence,
            created: "2026-11-21T09:00:00Z".into(),
            basis: self.basis.clone(),
            needs: (self.needs)
                .unwrap_or_else(|| self.listed(|item| matches!(item, Item::Needs(_)))),
            bases: (self.bases)
                .unwrap_or_else(|| self.listed(|item| matches!(item, Item::Bases(_)))),
            tombstones: (self.tombstones)
                .unwrap_or_else(|| self.listed(|item| matches!(item, Item::Tombstones(_)))),
            heads: self.heads.clone(),
            vulndb: self.vulndb.clone(),
            totals,
            deflated: self.deflated.unwrap_or_else(|| {
                let packing = self.packing.as_ref();
                let packed = packing.map(|packing| pack::pack(&self.zips(), packing));
                packed.map_or(DeflatedTotals::default(), |packed| packed.deflated)
            }),
            index: Digest {
                size: index.len() as u64,
                sha256: Sha256::digest(index).into(),
            },
            missing: self.missing.clone(),
        }
    }

    /// How many lines the texts of a list have, first lines left out.
    fn listed(&self, of: impl Fn(&Item) -> bool) -> u64 {
        let lines = |text: &Vec<u8>| text.split(|byte| *byte == b'\n').count() as u64 - 2;
        (self.items.iter())
            .filter(|(item, _)| of(item))
            .map(|(_, text)| lines(text))
            .sum()
    }

    /// Signs it with these keys, and writes it as one volume.
    pub fn seal(&self, keys: &[&SigningKey]) -> Sealed {
        self.seal_in(keys, None)
    }

    /// The same in volumes of at most so many bytes.
    pub fn seal_in(&self, keys: &[&SigningKey], limit: Option<u64>) -> Sealed {
        self.seal_entries(&self.entries(), keys, limit)
    }

    /// The same of these entries instead of its own: of such as something else has made.
    pub fn seal_entries(
        &self,
        entries: &[(Entry, Vec<u8>)],
        keys: &[&SigningKey],
        limit: Option<u64>,
    ) -> Sealed {
        let listed: Vec<Entry> = entries.iter().map(|(entry, _)| entry.clone()).collect();
        let index = encode_index(&listed).unwrap();
        let manifest = sign(&self.manifest(&listed, &index).encode(), keys).unwrap();
        let front = front_size(manifest.len() as u64, index.len() as u64);
        let plans = cut(front, listed.iter().map(|entry| entry.stored), limit).unwrap();
        let mut writer = BundleWriter::new(Vec::new(), &manifest, &index, plans).unwrap();
        for (entry, bytes) in entries {
            writer.entry(entry, &mut &bytes[..]).unwrap();
        }
        let mut volumes = writer.finish().unwrap();
        Sealed {
            manifest,
            volume: volumes.remove(0),
            more: volumes,
            entries: listed,
        }
    }
}

/// A policy that trusts these keys, one signature being enough.
pub fn policy(bundle_keys: &[&SigningKey], sumdbs: &[&TestSumdb]) -> Policy {
    Policy::new(
        bundle_keys.iter().map(|key| key.verifier()).collect(),
        1,
        sumdbs.iter().map(|sumdb| sumdb.key().verifier()).collect(),
    )
    .unwrap()
}
