//! A checksum database in memory: a log of records, its tiles and signed heads.

use std::collections::BTreeMap;

use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::{SigningKey, sign};
use modferry_protocol::sumdb::{DbName, MemoryLog, Record, Tile, TreeHead};

use super::{TestModule, key};

/// A checksum database with a key of its own.
#[derive(Clone, Debug)]
pub struct TestSumdb {
    db: DbName,
    key: SigningKey,
    log: MemoryLog,
    records: BTreeMap<ModuleVersion, Record>,
}

impl TestSumdb {
    /// An empty database of that name.
    pub fn new(name: &str) -> TestSumdb {
        TestSumdb {
            db: DbName::new(name).unwrap(),
            key: key(name),
            log: MemoryLog::new(),
            records: BTreeMap::new(),
        }
    }

    /// A database of the same name and key that has recorded nothing: the beginning of a fork.
    #[must_use]
    pub fn emptied(&self) -> TestSumdb {
        TestSumdb {
            log: MemoryLog::new(),
            records: BTreeMap::new(),
            ..self.clone()
        }
    }

    /// Its name.
    pub fn db(&self) -> &DbName {
        &self.db
    }

    /// Its key.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// How many records it has.
    pub fn size(&self) -> u64 {
        self.log.size()
    }

    /// Adds a module's record.
    pub fn add(&mut self, module: &TestModule) {
        self.add_record(&module.module, module.h1, H1::of_go_mod(&module.go_mod));
    }

    /// Adds a record that says what it is told to.
    pub fn add_record(&mut self, module: &ModuleVersion, zip: H1, go_mod: H1) {
        let record = Record::new(self.size(), module, zip, go_mod).unwrap();
        self.log.push(record.text());
        self.records.insert(module.clone(), record);
    }

    /// Adds `n` records that no one asks for, in a history that differs with `seed`.
    pub fn pad(&mut self, n: u64, seed: &str) {
        for i in 0..n {
            self.log.push(format!("{seed} {i}\n").as_bytes());
        }
    }

    /// A module's record.
    pub fn record(&self, module: &ModuleVersion) -> Option<&Record> {
        self.records.get(module)
    }

    /// The newest head.
    pub fn head(&self) -> TreeHead {
        self.head_at(self.size())
    }

    /// The head when there were `size` records.
    pub fn head_at(&self, size: u64) -> TreeHead {
        self.log.head(size).unwrap()
    }

    /// A head as this database signs it.
    pub fn signed(&self, head: &TreeHead) -> Vec<u8> {
        sign(&head.encode(), &[&self.key]).unwrap()
    }

    /// A tile of the whole log.
    pub fn tile(&self, tile: &Tile) -> Vec<u8> {
        self.log.tile_bytes(tile).unwrap()
    }
}
