//! Module versions: each file against its records, the answers made of them, and the claims.

use super::zips::Owner;
use super::{Run, keys};
use crate::store::scratch::Scratch;
use crate::store::{Claim, Counts, Extent, StoreError, StreamState, Zip, listing};
use modferry_checker::info_is_of;
use modferry_protocol::bundle::{Pin, Sequence, Sequences};
use modferry_protocol::h1::H1;
use modferry_protocol::module::{ModulePath, ModuleVersion, Version};
use modferry_protocol::sumdb::{DbName, Record};
use std::collections::BTreeMap;

/// A check of one key's value, which is of that module version.
type Each<'f> = &'f mut dyn FnMut(&mut Run<'_>, &ModuleVersion, &[u8]);

impl Run<'_> {
    /// Checks each `.mod`, `.info`, zip's locator, answer and claim, and counts them. Notes in `zips` which chunks
    /// belong to which zip. Gives how many module versions are gone.
    pub(super) fn modules(&mut self, zips: Option<&Scratch>, counts: &mut Counts) -> u64 {
        let dbs = self.databases();
        self.each_module(
            &keys::all_mods(),
            "go.mod files",
            &mut |run, module, bytes| {
                counts.mods += 1;
                run.recorded(
                    &dbs,
                    module,
                    H1::of_go_mod(bytes),
                    Record::go_mod,
                    "/go.mod",
                );
                run.claimed(module);
            },
        );
        self.each_module(&keys::all_infos(), "infos", &mut |run, module, bytes| {
            counts.infos += 1;
            if let Err(error) = info_is_of(bytes, module) {
                run.found(format!("info {module}: {error}"));
            }
            if run.is_absent(keys::go_mod(module)) {
                run.found(format!("info {module}: it is there without its go.mod"));
            }
        });
        self.each_module(
            &keys::all_zips(),
            "zips' places",
            &mut |run, module, locator| {
                counts.zips += 1;
                let Some(zip) = run.sound(|| format!("zip {module}"), Zip::decode(locator)) else {
                    return;
                };
                counts.zip_bytes += zip.size;
                run.recorded(&dbs, module, zip.h1, Record::zip, "");
                for (what, key) in [
                    ("go.mod", keys::go_mod(module)),
                    ("info", keys::info(module)),
                ] {
                    if run.is_absent(key) {
                        run.found(format!("zip {module}: it is there without its {what}"));
                    }
                }
                if let Some(zips) = zips {
                    let noted = super::zips::note(zips, &Owner::Zip(module.clone()), &zip);
                    run.sound(|| format!("zip {module}"), noted);
                }
            },
        );
        self.answers(counts);
        self.files(zips, counts);
        self.pins(counts);
        self.checked("go.mod files have the h1 of their records", counts.mods);
        self.checked("infos are of their versions", counts.infos);
        self.checked("zips' h1 is that of their records", counts.zips);
        self.checked(
            "modules have the list and the latest version that they should",
            counts.modules,
        );
        self.claims()
    }

    fn each_module(&mut self, prefix: &[u8], what: &str, f: Each<'_>) {
        self.each(prefix, what, |run, key, value| {
            match keys::parse_module(&key[1..]) {
                Some(module) => f(run, &module, value),
                None => run.found(format!(
                    "a key among the {what} that names no module version"
                )),
            }
        });
    }

    /// At least one database has a record of it, and each record has this h1.
    fn recorded(
        &mut self,
        dbs: &[DbName],
        module: &ModuleVersion,
        h1: H1,
        of: impl Fn(&Record) -> H1,
        what: &str,
    ) {
        let mut records = 0;
        for db in dbs {
            let record = self.view.record(db, module);
            let Some(Some(bytes)) = self.sound(|| format!("the {db} record of {module}"), record)
            else {
                continue;
            };
            // One that does not parse is told where the records are checked.
            let Ok(record) = Record::parse(&bytes, module) else {
                continue;
            };
            records += 1;
            let want = of(&record);
            if want != h1 {
                self.found(format!(
                    "{module}{what} has {h1}, and its {db} record has {want}"
                ));
            }
        }
        if records == 0 {
            self.pinned(module, h1, what);
        }
    }

    /// A private module's file has the h1 of its pin.
    fn pinned(&mut self, module: &ModuleVersion, h1: H1, what: &str) {
        let pin = self.view.pin(module);
        let Some(pin) = self.sound(|| format!("the pin of {module}"), pin) else {
            return;
        };
        let Some(bytes) = pin else {
            return self.found(format!(
                "{module}{what} has no record of any checksum database, and no pin"
            ));
        };
        // One that does not parse is told where the pins are checked.
        let Some(pin) = Pin::parse(&bytes, module) else {
            return;
        };
        let want = if what.is_empty() { pin.zip } else { pin.go_mod };
        if want != h1 {
            self.found(format!("{module}{what} has {h1}, and its pin has {want}"));
        }
    }

    /// Each pin is one, of a module that no checksum database vouches for.
    fn pins(&mut self, counts: &mut Counts) {
        self.each_module(&keys::all_pins(), "pins", &mut |run, module, bytes| {
            counts.pins += 1;
            if Pin::parse(bytes, module).is_none() {
                run.found(format!("the pin of {module} is none"));
            }
            run.claimed(module);
        });
        self.checked("pins are of private module versions", counts.pins);
    }

    fn is_absent(&mut self, key: Vec<u8>) -> bool {
        let there = self.view.pinned(&key).map(|value| value.is_some());
        self.sound(|| "a module's file".into(), there) == Some(false)
    }

    fn claimed(&mut self, module: &ModuleVersion) {
        let any = self.view.any(&keys::claims(module));
        if self.sound(|| format!("the claims on {module}"), any) == Some(false) {
            self.found(format!("no stream ever named {module}"));
        }
    }

    /// Makes `list` and `@latest` anew.
    fn answers(&mut self, counts: &mut Counts) {
        // Every module has an answer.
        let mut last: Option<ModulePath> = None;
        self.each_module(&keys::all_mods(), "go.mod files", &mut |run, module, _| {
            if last.as_ref() != Some(module.path()) {
                counts.modules += 1;
                if run.is_absent(keys::list(module.path())) {
                    run.found(format!("{}: it has no list", module.path()));
                }
                last = Some(module.path().clone());
            }
        });
        // Every answer is of a module, and the one that it should be.
        self.each(&keys::all_lists(), "lists", |run, key, list| {
            let Some(path) = path_of(key) else {
                return run.found("a list's key that names no module");
            };
            let made = run.answer(&path);
            let Some((mut whole, known)) = run.sound(|| format!("{path}"), made) else {
                return;
            };
            if !known {
                run.found(format!("{path}: it has a list and no go.mod"));
            }
            counts.versions += whole.len() as u64;
            if listing::list(&mut whole).as_bytes() != list {
                run.found(format!(
                    "{path}: its list does not name the versions that are whole"
                ));
            }
            let latest = run.view.latest(&path);
            let Some(latest) = run.sound(|| format!("{path}@latest"), latest) else {
                return;
            };
            let expected = run.expected_latest(&path, &whole);
            if run.sound(|| format!("{path}@latest"), expected) != Some(latest.map(Vec::from)) {
                run.found(format!(
                    "{path}: its latest version is not the one that it should be"
                ));
            }
        });
        self.each(&keys::all_latest(), "latest versions", |run, key, _| {
            let absent = path_of(key).map(|path| run.is_absent(keys::list(&path)));
            if absent != Some(false) {
                run.found("a latest version of a module that has no list");
            }
        });
    }

    /// The versions of a module that are whole, and whether there is any version at all.
    fn answer(&self, path: &ModulePath) -> Result<(Vec<Version>, bool), StoreError> {
        let mut whole = Vec::new();
        self.view.each_zip(path, |module, _| {
            if self.view.has_info(&module)? && self.view.has_go_mod(&module)? {
                whole.push(module.version().clone());
            }
            Ok(())
        })?;
        Ok((whole, self.view.any(&keys::mods(path))?))
    }

    fn expected_latest(
        &self,
        path: &ModulePath,
        whole: &[Version],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(version) = listing::latest(whole) else {
            return Ok(None);
        };
        let module = ModuleVersion::new(path.clone(), version.clone())
            .map_err(|error| StoreError::damaged(format!("{path}@{version}: {error}")))?;
        Ok(self.view.info(&module)?.map(Vec::from))
    }

    /// Checks each claim, and counts the module versions that are gone.
    fn claims(&mut self) -> u64 {
        let streams = self
            .view
            .totals()
            .map(|totals| totals.streams)
            .unwrap_or_default();
        let (mut claims, mut gone) = (0, 0);
        let mut under_way: Option<(ModuleVersion, Extent)> = None;
        let view = self.view;
        let is_gone = |(module, claimed): &(ModuleVersion, Extent)| -> Result<bool, StoreError> {
            Ok(*claimed < Extent::Zip && *claimed < view.extent(module)?)
        };
        self.each(&keys::all_claims(), "claims", |run, key, value| {
            claims += 1;
            let Some(keys::Named::Claim(module, stream)) = keys::parse(key) else {
                return run.found("a claim's key that names no module version");
            };
            let what = || format!("the claim of stream {stream} on {module}");
            let Some(claim) = run.sound(what, Claim::decode(value)) else {
                return;
            };
            run.claim_is_sound(&streams, &stream, &claim, &what());
            match &mut under_way {
                Some((last, claimed)) if *last == module => *claimed = claim.extent.max(*claimed),
                _ => {
                    if let Some(done) = under_way.replace((module, claim.extent)) {
                        gone +=
                            u64::from(run.sound(|| "a claim".into(), is_gone(&done)) == Some(true));
                    }
                }
            }
        });
        if let Some(done) = under_way {
            gone += u64::from(self.sound(|| "a claim".into(), is_gone(&done)) == Some(true));
        }
        self.checked("claims are of bundles that were imported", claims);
        gone
    }

    /// A claim is of bundles that were imported.
    pub(super) fn claim_is_sound(
        &mut self,
        streams: &BTreeMap<String, StreamState>,
        stream: &str,
        claim: &Claim,
        what: &str,
    ) {
        let Some(state) = streams.get(stream) else {
            return self.found(format!("{what}: nothing of that stream was imported"));
        };
        let among = |set: &Sequences, bundle| {
            Sequence::new(bundle).is_some_and(|bundle| set.contains(bundle))
        };
        if !among(&state.imported, claim.sequence) {
            self.found(format!(
                "{what}: bundle {} was never imported",
                claim.sequence
            ));
        }
        let given_up = (self.taken_back.get(stream)).is_some_and(|set| among(set, claim.given_up));
        if claim.given_up != 0 && !given_up {
            self.found(format!(
                "{what}: no bundle {} that gives anything up was imported",
                claim.given_up
            ));
        }
    }
}

fn path_of(key: &[u8]) -> Option<ModulePath> {
    let path = std::str::from_utf8(key.get(1..)?).ok()?;
    ModulePath::new(path).ok()
}
