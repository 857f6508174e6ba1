//! Removing what is gone: what no stream's selection names any more ([`super::Claim`]).
//!
//! First everything is found and written into a scratch database, and told, and nothing has changed. The commit is
//! then an import's: sorted files, here with deletions in them, that RocksDB takes in one `IngestExternalFile`, with
//! the ledger's entry. An ingested file is newer than all that is there, so its deletions hide what older files
//! have. Readers see all of it or nothing, and one that began before goes on in the state in which it began.
//!
//! Hidden is not yet gone from the disk. The deletions of zips' chunks are cut into files so that each lies over one
//! file of chunks; [`Store::reclaim`] then has RocksDB merge each such pair, which writes what is left of the
//! one and drops both. So it needs no more room at a time than one file of chunks has ([`super::ZIP_FILE`]), and
//! where it is interrupted the next one goes on: files that have deletions in them are found by RocksDB's own counts.
//!
//! Files go by the same rule: when no stream names them any more. Records, tiles and heads stay: they are small, and older heads are proven by them for ever.

use super::files::SortedFiles;
use super::ledger::{self, json};
use super::scratch::{Scratch, Staging};
use super::view::scan;
use super::{
    Answered, Claim, Counts, Event, Extent, LedgerEntry, REMOVED_NAMES, Removed, Store, StoreError,
    View, keys, listing, or_no_room,
};
use modferry_protocol::bundle::FileName;
use modferry_protocol::module::{ModulePath, ModuleVersion, Version};
use std::collections::BTreeMap;

/// Something that at least one stream has given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The module version.
    pub module: ModuleVersion,
    /// How much of it is held.
    pub held: Extent,
    /// How much of it stays: what some stream still names.
    pub stays: Extent,
    /// Bytes of its zip, if that goes.
    pub zip_bytes: u64,
    /// What each stream says of it, by the streams' names.
    pub claims: Vec<(String, Claim)>,
}

impl Found {
    /// Whether anything of it goes.
    pub fn goes(&self) -> bool {
        self.stays < self.held
    }
}

/// A file that at least one stream has given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Its name.
    pub name: FileName,
    /// Its bytes.
    pub bytes: u64,
    /// Whether it goes: no stream names it.
    pub goes: bool,
    /// What each stream says of it, by the streams' names.
    pub claims: Vec<(String, Claim)>,
}

/// What is to be removed, found and not yet done. Dropping it changes nothing.
pub struct Collection<'s> {
    store: &'s Store,
    /// What is to happen to a key of the store: [`DELETE`], or [`PUT`] and the value.
    changes: Scratch,
    removed: Counts,
    /// Module versions of which something goes.
    versions: u64,
    names: Vec<String>,
    /// The files that at least one stream has given up.
    files: Vec<FoundFile>,
    staging: Staging, // dropped after what writes into it
}

const DELETE: u8 = 0;
const PUT: u8 = 1;

/// First and last key of a file.
type Keys = (Vec<u8>, Vec<u8>);

/// The versions of one module of which something goes, and what stays of them.
type OfModule = BTreeMap<Version, Extent>;

impl Store {
    /// Finds what no stream names any more. `tell` is called with each module version that at least one stream has
    /// given up and that is held, whether it goes or another stream keeps it, by path and by version in bytewise order.
    pub fn find_gone(
        &self,
        tell: impl FnMut(&Found) -> Result<(), StoreError>,
    ) -> Result<Collection<'_>, StoreError> {
        // What is found is written down, so there may be no room for it.
        self.gather_gone(tell)
            .map_err(|error| or_no_room(self.dir(), error))
    }

    fn gather_gone(
        &self,
        mut tell: impl FnMut(&Found) -> Result<(), StoreError>,
    ) -> Result<Collection<'_>, StoreError> {
        let staging = self.staging()?;
        let changes = Scratch::create(staging.path().join("gone"))?;
        let mut found = Collection {
            store: self,
            changes,
            removed: Counts::default(),
            versions: 0,
            names: Vec::new(),
            files: Vec::new(),
            staging,
        };
        let mut gather = Gather::default();
        self.scan(&keys::all_claims(), |key, value| {
            let Some(keys::Named::Claim(module, stream)) = keys::parse(key) else {
                return Err(StoreError::damaged(
                    "a claim's key that names no module version",
                ));
            };
            if gather.module.as_ref() != Some(&module) {
                found.module(&mut gather, &mut tell)?;
                if gather.module.as_ref().map(ModuleVersion::path) != Some(module.path()) {
                    found.path(&mut gather)?;
                }
                gather.module = Some(module);
            }
            gather.claims.push((stream, Claim::decode(value)?));
            Ok(())
        })?;
        found.module(&mut gather, &mut tell)?;
        found.path(&mut gather)?;
        found.gather_files()?;
        Ok(found)
    }

    /// Gives the room of removed zips back to the disk. Where RocksDB could not do it (a full disk, an I/O error),
    /// that is logged, and the next call does it. Gives how many files still have removed zips in them.
    pub fn reclaim(&self) -> Result<usize, StoreError> {
        for (first, last) in self.with_deletions()? {
            self.db.compact_range(Some(first), Some(last));
        }
        let left = self.with_deletions()?.len();
        if left > 0 {
            tracing::warn!(
                files = left,
                "the room of removed zips is not given back yet"
            );
        }
        Ok(left)
    }

    /// First and last key of each file of chunks that has deletions in it.
    fn with_deletions(&self) -> Result<Vec<Keys>, StoreError> {
        let files = self.live_files()?.into_iter();
        Ok(files
            .filter(|file| file.num_deletions > 0)
            .filter_map(|file| Some((file.start_key?, file.end_key?)))
            .filter(|(_, last)| last.starts_with(&keys::all_chunks()))
            .collect())
    }
}

/// What a scan of the claims has in hand: one module version's claims, and one module's versions of which something goes.
#[derive(Default)]
struct Gather {
    module: Option<ModuleVersion>,
    claims: Vec<(String, Claim)>,
    going: OfModule,
}

impl Collection<'_> {
    /// How many of each thing go.
    pub fn removed(&self) -> &Counts {
        &self.removed
    }

    /// Of how many module versions something goes.
    pub fn versions(&self) -> u64 {
        self.versions
    }

    /// The files that at least one stream has given up and that are held, by name.
    pub fn files(&self) -> &[FoundFile] {
        &self.files
    }

    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.versions == 0 && self.removed.files == 0
    }

    /// Decides what goes of files. There are never more of them than [`super::MAX_HELD_FILES`].
    fn gather_files(&mut self) -> Result<(), StoreError> {
        let mut claimed: Vec<FoundFile> = Vec::new();
        self.store.scan(&keys::all_file_claims(), |key, value| {
            let Some(keys::Named::FileClaim(name, stream)) = keys::parse(key) else {
                return Err(StoreError::damaged("a claim's key that names no file"));
            };
            let claim = Claim::decode(value)?;
            match claimed.last_mut() {
                Some(last) if last.name == name => last.claims.push((stream, claim)),
                _ => {
                    let Some(file) = self.store.file(&name)? else {
                        return Ok(()); // gone before
                    };
                    claimed.push(FoundFile {
                        name,
                        bytes: file.size,
                        goes: true,
                        claims: vec![(stream, claim)],
                    });
                }
            }
            Ok(())
        })?;
        for mut file in claimed {
            let names = |(_, claim): &(String, Claim)| claim.extent > Extent::Nothing;
            if file.claims.iter().all(names) {
                continue;
            }
            file.goes = !file.claims.iter().any(names);
            if file.goes {
                self.remove_file(&file.name)?;
            }
            self.files.push(file);
        }
        Ok(())
    }

    fn remove_file(&mut self, name: &FileName) -> Result<(), StoreError> {
        let Some(file) = self.store.file(name)? else {
            return Ok(());
        };
        for n in 0..file.chunks() {
            self.delete(&keys::chunk(&file.bundle, file.number, n))?;
        }
        self.delete(&keys::file(name))?;
        self.removed.files += 1;
        self.removed.file_bytes += file.size;
        if self.names.len() < REMOVED_NAMES {
            self.names.push(format!("file {name}"));
        }
        Ok(())
    }

    /// All claims of a module version are in hand: decides what of it goes.
    fn module(
        &mut self,
        gather: &mut Gather,
        tell: &mut impl FnMut(&Found) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let claims = std::mem::take(&mut gather.claims);
        let Some(module) = &gather.module else {
            return Ok(());
        };
        let extents = || claims.iter().map(|(_, claim)| claim.extent);
        let stays = extents().max().unwrap_or(Extent::Zip);
        let least = extents().min().unwrap_or(Extent::Zip);
        let held = match least {
            Extent::Zip => return Ok(()),
            _ => self.store.extent(module)?,
        };
        if least >= held {
            return Ok(());
        }
        let mut found = Found {
            module: module.clone(),
            held,
            stays,
            zip_bytes: 0,
            claims,
        };
        if found.goes() {
            self.remove(&mut found)?;
            gather.going.insert(module.version().clone(), stays);
        }
        tell(&found)
    }

    fn remove(&mut self, found: &mut Found) -> Result<(), StoreError> {
        let module = &found.module;
        let (info, go_mod) = (self.store.has_info(module)?, self.store.has_go_mod(module)?);
        if let Some(zip) = self.store.zip(module)? {
            for n in 0..zip.chunks() {
                self.delete(&keys::chunk(&zip.bundle, zip.number, n))?;
            }
            self.delete(&keys::zip(module))?;
            found.zip_bytes = zip.size;
            self.removed.zips += 1;
            self.removed.zip_bytes += zip.size;
            self.removed.versions += u64::from(info && go_mod);
        }
        if found.stays == Extent::Nothing {
            for (held, key, count) in [
                (info, keys::info(module), &mut self.removed.infos),
                (go_mod, keys::go_mod(module), &mut self.removed.mods),
            ] {
                if held {
                    self.changes.put(&key, &[DELETE])?;
                    *count += 1;
                }
            }
        }
        self.versions += 1;
        if self.names.len() < REMOVED_NAMES {
            let what = match found.stays {
                Extent::Nothing => "all",
                _ => "zip",
            };
            self.names
                .push(format!("{what} {} {}", module.path(), module.version()));
        }
        Ok(())
    }

    /// All versions of a module are decided: its answers are written anew.
    fn path(&mut self, gather: &mut Gather) -> Result<(), StoreError> {
        let going = std::mem::take(&mut gather.going);
        let Some(path) = gather.module.as_ref().map(ModuleVersion::path) else {
            return Ok(());
        };
        if going.is_empty() {
            return Ok(());
        }
        self.answers(path, &going)?;
        let held: &View = self.store;
        let stays = |version: &Version| going.get(version).copied().unwrap_or(Extent::Zip);
        let mut whole = Vec::new();
        held.each_zip(path, |module, _| {
            let version = module.version();
            if stays(version) == Extent::Zip
                && held.has_info(&module)?
                && held.has_go_mod(&module)?
            {
                whole.push(version.clone());
            }
            Ok(())
        })?;
        if !self.any_left(path, stays)? {
            self.removed.modules += 1;
            self.delete(&keys::list(path))?;
            return self.delete(&keys::latest(path));
        }
        self.put(&keys::list(path), listing::list(&mut whole).as_bytes())?;
        match listing::latest(&whole) {
            None => self.delete(&keys::latest(path)),
            Some(latest) => {
                let module = ModuleVersion::new(path.clone(), latest.clone())
                    .map_err(|error| StoreError::damaged(format!("{path}@{latest}: {error}")))?;
                let info = held.info(&module)?.ok_or_else(|| {
                    StoreError::damaged(format!("the .info of {module}, which was there"))
                })?;
                self.put(&keys::latest(path), &info)
            }
        }
    }

    /// Answers to queries of the module that name what goes, go too. What another stream was answered is served then, if
    /// that stays.
    fn answers(&mut self, path: &ModulePath, going: &OfModule) -> Result<(), StoreError> {
        let mut of_query: Vec<Answered> = Vec::new();
        let mut all = Vec::new();
        self.store.each_given(&keys::queries(path), |given| {
            if (of_query.first()).is_some_and(|first| first.query != given.query) {
                all.push(std::mem::take(&mut of_query));
            }
            of_query.push(given);
            Ok(())
        })?;
        all.push(of_query);
        for mut answers in all {
            answers.sort_by_key(|given| given.entry);
            let newest = answers.last().map(|given| given.entry);
            let mut stay: Option<Answered> = None;
            for given in answers {
                let module = given.module()?;
                if going.contains_key(module.version()) {
                    self.delete(&keys::query(&given.query, &given.stream))?;
                    let served = keys::answer(given.query.path(), given.query.revision());
                    match &stay {
                        _ if Some(given.entry) != newest => {}
                        Some(other) => self.put(&served, &other.bytes)?,
                        None => {
                            self.delete(&served)?;
                            self.removed.queries += 1;
                        }
                    }
                } else {
                    stay = Some(given);
                }
            }
        }
        Ok(())
    }

    /// Whether the module keeps a `.mod` or an `.info`.
    fn any_left(
        &self,
        path: &ModulePath,
        stays: impl Fn(&Version) -> Extent,
    ) -> Result<bool, StoreError> {
        let mut left = false;
        for prefix in [keys::mods(path), keys::infos(path)] {
            self.store.scan(&prefix, |key, _| {
                let module = keys::parse_module(&key[1..]);
                left |= module.is_none_or(|module| stays(module.version()) > Extent::Nothing);
                Ok(())
            })?;
        }
        Ok(left)
    }

    fn delete(&self, key: &[u8]) -> Result<(), StoreError> {
        self.changes.put(key, &[DELETE])
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.changes.put(key, &[&[PUT], value].concat())
    }

    /// Does it, durably and at once, and gives the ledger's entry of it.
    pub fn commit(self) -> Result<LedgerEntry, StoreError> {
        self.publish()
            .map_err(|error| or_no_room(self.store.dir(), error))
    }

    fn publish(&self) -> Result<LedgerEntry, StoreError> {
        let mut totals = self.store.totals()?;
        totals.counts.take_away(&self.removed)?;
        totals.gone = 0;
        totals.gone_files = 0;
        self.put(&keys::TOTALS_KEY, &json(&totals)?)?;
        let event = Event::Gc(Removed {
            removed: self.removed.clone(),
            names: self.names.clone(),
        });
        let (entry, pairs) = ledger::next(self.store, event)?;
        for (key, value) in pairs {
            self.put(&key, &value)?;
        }
        self.store.ingest(&self.sorted_files()?)?;
        Ok(entry)
    }

    /// The changes as sorted files, those of chunks one for each file of chunks in the store.
    fn sorted_files(&self) -> Result<Vec<std::path::PathBuf>, StoreError> {
        let chunks = keys::all_chunks();
        let mut ends: Vec<Vec<u8>> = (self.store.live_files()?.into_iter())
            .filter(|file| {
                (file.start_key.as_ref()).is_some_and(|first| first.starts_with(&chunks))
            })
            .filter_map(|file| file.end_key)
            .collect();
        ends.sort();
        let mut ends = ends.into_iter().peekable();
        let mut files = SortedFiles::new(self.staging.path(), "gc", super::SMALL_FILE);
        let mut in_chunks = false;
        scan(&self.changes.0, &[], |key, change| {
            if key.starts_with(&chunks) {
                let mut cut = !std::mem::replace(&mut in_chunks, true);
                while ends.next_if(|end| key > end.as_slice()).is_some() {
                    cut = true;
                }
                if cut {
                    files.cut()?;
                }
            }
            match change.split_first() {
                Some((&PUT, value)) => files.put(key, value),
                _ => files.delete(key),
            }
        })?;
        files.finish()
    }
}

#[cfg(test)]
mod tests;
