//! The proof: everything that a bundle brings leads to a signed tree head, and all that clients will ask for
//! of the tree is there.
//!
//! For each checksum database of the manifest: the signed head opens with the trusted key; the right edge
//! authenticates; every head ever served is continued; every staged tile and record is in the tree. Then each
//! staged go.mod and zip has the h1 of its record, whether that is staged, held or both; each `.info` has a
//! record; and each zip has its `.info`, `.mod` and record. What a query's answer names is whole, here or there.
//!
//! The cost is that of what is new, not of what is held, although the tree's *whole* closure must be there at
//! the widths of the new head. That is so because a tree's partial tiles, one a level, are the only ones that
//! get wider when it grows, and they are what the proof of an older head reads: with the newest head held
//! continued by the new one, every tile of the old closure is there at its new width, and authenticates.
//!
//! What is missing is collected to the end, so that one export can supply all of it. A contradiction ends the
//! proof at once.

mod missing;
mod private;
mod queries;
mod tree;

use modferry_protocol::bundle::{Item, Manifest, Pin};
use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::Signatory;
use modferry_protocol::sumdb::{DbName, Record};
use modferry_protocol::trust::Policy;
use modferry_protocol::zip::ZipFacts;

use crate::{CheckError, Report, Stage};
pub(crate) use missing::Missing;
use private::pin_of;
use queries::Awaited;
use tree::TreeProof;

/// One of the two hashes: as a record has it, and as a pin does.
type Hashes = (fn(&Record) -> H1, fn(&Pin) -> H1);

/// Proves in two parts: the small things, once all of them are staged, then each zip as it comes.
pub(crate) struct Prover<'a> {
    manifest: &'a Manifest,
    policy: &'a Policy,
    /// The trusted keys that signed the bundle.
    signers: &'a [Signatory],
    /// Every checksum database that is trusted: one that this bundle does not speak of may contradict it, too.
    dbs: Vec<DbName>,
    missing: Missing,
    /// Zips that answers to queries name, and that are still to come.
    awaited: Awaited,
    begun: bool,
}

impl<'a> Prover<'a> {
    pub(crate) fn new(
        manifest: &'a Manifest,
        policy: &'a Policy,
        signers: &'a [Signatory],
    ) -> Prover<'a> {
        Prover {
            manifest,
            policy,
            signers,
            // A key whose name is no database's is the key of none.
            dbs: (policy.sumdbs().iter())
                .filter_map(|key| DbName::new(key.name()).ok())
                .collect(),
            missing: Missing::default(),
            awaited: Awaited::default(),
            begun: false,
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// What the proof has missed so far.
    pub(crate) fn missing(&mut self) -> &mut Missing {
        &mut self.missing
    }

    /// Every checksum database that is trusted.
    pub(crate) fn dbs(&self) -> &[DbName] {
        &self.dbs
    }

    /// Proves heads, tiles, records and go.mod files. All of them must be staged.
    pub(crate) fn prove_small_things<S: Stage>(
        &mut self,
        stage: &S,
        report: &mut Report,
    ) -> Result<(), CheckError> {
        self.begun = true;
        let mut trees = Vec::new();
        for (db, head) in &self.manifest.heads {
            let Some(key) = self.policy.sumdb(db) else {
                return Err(CheckError::UnknownDb { db: db.clone() });
            };
            let tree = TreeProof::begin(db, head, key, stage, &mut self.missing, report)?;
            report.served.push((db.clone(), tree.served()));
            trees.push(tree);
        }
        stage.each_staged(&mut |item| match &item {
            // Opened above, if the manifest names its database.
            Item::Head(db) | Item::Tile(db, _) | Item::Record(db, _) => {
                let Some(tree) = trees.iter_mut().find(|tree| tree.db() == db) else {
                    return Err(CheckError::Unproven {
                        what: item.to_string(),
                    });
                };
                tree.prove(&item, &mut self.missing, report)?;
                match &item {
                    Item::Record(db, module) => {
                        self.is_public(stage, module)?;
                        self.agrees(stage, db, module)
                    }
                    _ => Ok(()),
                }
            }
            Item::Pin(module) => self.may_be_private(stage, module, report),
            Item::Mod(module) => {
                let go_mod = required(stage, &item)?;
                report.mods += 1;
                self.vouch(
                    stage,
                    module,
                    H1::of_go_mod(&go_mod),
                    (Record::go_mod, |pin| pin.go_mod),
                    "/go.mod",
                )
            }
            // Content was checked on the way in, and nothing vouches for more of it; but a version that no
            // checksum database knows must not become one that is listed.
            Item::Info(module) => self.has_record(stage, module),
            Item::Query(query) => self.names_what_is_whole(stage, query, report),
            // Nothing of these kinds is put before the small things are proven.
            Item::Needs(_)
            | Item::Bases(_)
            | Item::Tombstones(_)
            | Item::NeededFile(_)
            | Item::GoneFile(_)
            | Item::Trust(_)
            | Item::Vulndb(_)
            | Item::Contents(_)
            | Item::Zip(_)
            | Item::File(_) => Ok(()),
        })
    }

    /// Notes what a zip needs beside it and lacks. The small things must be staged.
    pub(crate) fn zip_is_accompanied<S: Stage>(
        &mut self,
        stage: &S,
        module: &ModuleVersion,
    ) -> Result<(), CheckError> {
        for item in [Item::Info(module.clone()), Item::Mod(module.clone())] {
            if find(stage, &item)?.is_none() {
                self.missing.add(&item);
            }
        }
        Ok(())
    }

    /// Compares a zip's h1 with its record. The small things must be proven.
    pub(crate) fn zip<S: Stage>(
        &mut self,
        stage: &S,
        module: &ModuleVersion,
        facts: &ZipFacts,
    ) -> Result<(), CheckError> {
        self.awaited.came(module);
        self.vouch(stage, module, facts.h1, (Record::zip, |pin| pin.zip), "")
    }

    /// Every record for the module, staged or held, must have this h1; there must be one of a database that
    /// the bundle brings a head of. Of a private module, that is its pin.
    ///
    /// Where a record is both staged and held, both count: it is the held one that goes on being served.
    fn vouch<S: Stage>(
        &mut self,
        stage: &S,
        module: &ModuleVersion,
        h1: H1,
        (recorded, pinned): Hashes,
        what: &str,
    ) -> Result<(), CheckError> {
        let records = self.records(stage, module)?;
        if records.is_empty()
            && let Some(pin) = pin_of(stage, module)?
        {
            return match pinned(&pin) {
                want if want == h1 => Ok(()),
                want => Err(CheckError::OtherWord {
                    module: module.clone(),
                    was: "is private",
                    brings: format!(
                        "has {h1} of its {} where its pin has {want}",
                        match what {
                            "" => "zip",
                            _ => "go.mod",
                        }
                    ),
                }),
            };
        }
        for (db, record) in records {
            let want = recorded(&record);
            if want != h1 {
                let what = format!("{module}{what} has {h1}, and its record has {want}");
                return Err(CheckError::Sumdb { db, what });
            }
        }
        self.has_record(stage, module)
    }

    /// A staged record must say what every other record of the module says, staged or held, in whatever database.
    fn agrees<S: Stage>(
        &self,
        stage: &S,
        db: &DbName,
        module: &ModuleVersion,
    ) -> Result<(), CheckError> {
        let item = Item::Record(db.clone(), module.clone());
        let new = parse_record(db, module, &required(stage, &item)?)?;
        for (other, record) in self.records(stage, module)? {
            for (what, new, old) in [
                ("", new.zip(), record.zip()),
                ("/go.mod", new.go_mod(), record.go_mod()),
            ] {
                if new != old {
                    let what = format!(
                        "its record of {module}{what} has {new}, and another record, of {other}, has {old}"
                    );
                    return Err(CheckError::Sumdb {
                        db: db.clone(),
                        what,
                    });
                }
            }
        }
        Ok(())
    }

    /// All records of the module, staged and held, of all checksum databases that are trusted.
    fn records<S: Stage>(
        &self,
        stage: &S,
        module: &ModuleVersion,
    ) -> Result<Vec<(DbName, Record)>, CheckError> {
        let mut records = Vec::new();
        for db in &self.dbs {
            let item = Item::Record(db.clone(), module.clone());
            // Of other databases than the manifest's, none may be staged; looking for one is not free.
            let staged = match self.manifest.heads.iter().any(|(name, _)| name == db) {
                true => stage.staged(&item).map_err(CheckError::stage)?,
                false => None,
            };
            let held = stage.held(&item).map_err(CheckError::stage)?;
            for bytes in staged.into_iter().chain(held) {
                records.push((db.clone(), parse_record(db, module, &bytes)?));
            }
        }
        Ok(records)
    }

    /// Notes the module's record as missing if no database that the bundle brings a head of has one.
    fn has_record<S: Stage>(
        &mut self,
        stage: &S,
        module: &ModuleVersion,
    ) -> Result<(), CheckError> {
        for (db, _) in &self.manifest.heads {
            if find(stage, &Item::Record(db.clone(), module.clone()))?.is_some() {
                return Ok(());
            }
        }
        if pin_of(stage, module)?.is_some() {
            return Ok(());
        }
        let Some((first, _)) = self.manifest.heads.first() else {
            return Err(CheckError::Unproven {
                what: module.to_string(),
            });
        };
        // What may come by a pin alone lacks that.
        let lacks = match self.policy.names_private(module.path()) {
            true => Item::Pin(module.clone()),
            false => Item::Record(first.clone(), module.clone()),
        };
        self.missing.add(&lacks);
        Ok(())
    }
}

fn parse_record(db: &DbName, module: &ModuleVersion, bytes: &[u8]) -> Result<Record, CheckError> {
    Record::parse(bytes, module).map_err(|error| CheckError::Sumdb {
        db: db.clone(),
        what: format!("the record of {module} is malformed: {error}"),
    })
}

/// The item's bytes, from the bundle or else from what is held.
fn find<S: Stage>(stage: &S, item: &Item) -> Result<Option<Vec<u8>>, CheckError> {
    match stage.staged(item).map_err(CheckError::stage)? {
        Some(bytes) => Ok(Some(bytes)),
        None => stage.held(item).map_err(CheckError::stage),
    }
}

/// The bytes of an item that the stage said is staged.
fn required<S: Stage>(stage: &S, item: &Item) -> Result<Vec<u8>, CheckError> {
    stage
        .staged(item)
        .map_err(CheckError::stage)?
        .ok_or_else(|| {
            let gone = std::io::Error::other(format!("{item} was staged, and is not there"));
            CheckError::io("reading back what was staged", gone)
        })
}
