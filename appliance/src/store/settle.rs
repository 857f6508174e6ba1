//! What of a draft the store takes, and the answers that have to be written anew for it.

use super::view::{scan, signed_head};
use super::{Counts, Draft, KEPT_NAMES, Kept, StoreError, View, Zip, keys, listing};
use modferry_protocol::module::{ModulePath, ModuleVersion, Version};
use std::collections::BTreeSet;

impl Draft<'_> {
    /// Leaves in the scratch database only what the store is to have: what it holds stays as it is,
    /// but for tiles that have grown wider, heads that are newer, and queries that were asked again. `bundle` is its stream
    /// and its number in it.
    pub(super) fn settle(
        &self,
        bundle: (&str, u64),
        added: &mut Counts,
        kept: &mut Kept,
    ) -> Result<(), StoreError> {
        let held: &View = self.store;
        let scratch = &self.scratch;
        let mut note_kept = |name: String| {
            if kept.names.len() < KEPT_NAMES {
                kept.names.push(name);
            }
        };
        scan(&scratch.0, &[], |key, new| {
            let old = held.pinned(key)?;
            match (keys::parse(key), old) {
                // As they are to be already.
                (
                    Some(
                        keys::Named::Claim(..)
                        | keys::Named::FileClaim(..)
                        | keys::Named::Vulndb
                        | keys::Named::Document(..),
                    ),
                    _,
                ) => {}
                (Some(keys::Named::Query(query, _)), _) => {
                    scratch.delete(key)?;
                    self.give_answer(query, new, bundle, added)?;
                }
                (Some(keys::Named::Head(db)), old) => {
                    let size = signed_head(new)?.size;
                    let of_size = keys::head_of_size(&db, size);
                    if held.pinned(&of_size)?.is_none() {
                        scratch.put(&of_size, new)?;
                        added.heads += 1;
                    }
                    match old {
                        Some(old) if signed_head(&old)?.size >= size => scratch.delete(key)?,
                        _ => {}
                    }
                }
                (Some(keys::Named::Tile { .. }), Some(old)) => {
                    if old.len() >= new.len() {
                        scratch.delete(key)?;
                    }
                }
                (Some(named), Some(old)) => {
                    let count = match &named {
                        keys::Named::Info(_) => &mut kept.infos,
                        keys::Named::Mod(_) => &mut kept.mods,
                        keys::Named::Zip(_) => &mut kept.zips,
                        _ => &mut 0,
                    };
                    let differs = match &named {
                        keys::Named::Zip(_) => {
                            Zip::decode(&old)?.sha256 != Zip::decode(new)?.sha256
                        }
                        _ => *old != *new,
                    };
                    if differs {
                        *count += 1;
                        if let Some(item) = keys::item(key, new) {
                            note_kept(item.to_string());
                        }
                    }
                    scratch.delete(key)?;
                }
                (Some(keys::Named::Info(_)), None) => added.infos += 1,
                (Some(keys::Named::Mod(_)), None) => added.mods += 1,
                (Some(keys::Named::Zip(_)), None) => {
                    added.zips += 1;
                    added.zip_bytes += Zip::decode(new)?.size;
                }
                (Some(keys::Named::Record(..)), None) => added.records += 1,
                (Some(keys::Named::Tile { .. }), None) => added.tiles += 1,
                (Some(keys::Named::Pin(_)), None) => added.pins += 1,
                (Some(keys::Named::File(_)), None) => {
                    added.files += 1;
                    added.file_bytes += Zip::decode(new)?.size;
                }
                (
                    Some(keys::Named::Ledger(_) | keys::Named::LedgerHash(_) | keys::Named::Other)
                    | None,
                    _,
                ) => {
                    return Err(StoreError::damaged("a strange key in the import under way"));
                }
            }
            Ok(())
        })
    }

    /// Writes `list` and `@latest` anew for every module that gets something.
    pub(super) fn list_modules(&self, added: &mut Counts) -> Result<(), StoreError> {
        for kind in keys::MODULE_KINDS {
            let mut last: Option<ModulePath> = None;
            scan(&self.scratch.0, &[kind], |key, _| {
                let module = keys::parse_module(&key[1..])
                    .ok_or_else(|| StoreError::damaged("a key that names no module version"))?;
                let path = module.path();
                if last.as_ref() != Some(path) && self.scratch.get(&keys::list(path))?.is_none() {
                    self.list_module(path, added)?;
                }
                last = Some(path.clone());
                Ok(())
            })?;
        }
        Ok(())
    }

    fn list_module(&self, path: &ModulePath, added: &mut Counts) -> Result<(), StoreError> {
        let held: &View = self.store;
        let mut with_zip = BTreeSet::<Version>::new();
        held.each_zip(path, |module, _| {
            with_zip.insert(module.version().clone());
            Ok(())
        })?;
        let old_versions = with_zip.clone();
        scan(&self.scratch.0, &keys::zips(path), |key, _| {
            let module = keys::parse_module(&key[1..]);
            with_zip.extend(module.map(|module| module.version().clone()));
            Ok(())
        })?;
        let mut whole = Vec::new();
        for version in with_zip {
            let module = ModuleVersion::new(path.clone(), version.clone())
                .map_err(|error| StoreError::damaged(format!("{path}@{version}: {error}")))?;
            let had = (held.has_info(&module)?, held.has_go_mod(&module)?);
            let info = had.0 || self.scratch.get(&keys::info(&module))?.is_some();
            let go_mod = had.1 || self.scratch.get(&keys::go_mod(&module))?.is_some();
            if info && go_mod {
                let was_whole = had == (true, true) && old_versions.contains(&version);
                added.versions += u64::from(!was_whole);
                whole.push(version);
            }
        }
        let known = held.list(path)?.is_some();
        added.modules += u64::from(!known);
        self.scratch
            .put(&keys::list(path), listing::list(&mut whole).as_bytes())?;
        if let Some(latest) = listing::latest(&whole) {
            let module = ModuleVersion::new(path.clone(), latest.clone())
                .map_err(|error| StoreError::damaged(format!("{path}@{latest}: {error}")))?;
            let info = match held.info(&module)? {
                Some(info) => Some(info.into_vec()),
                None => self.scratch.get(&keys::info(&module))?,
            };
            self.scratch
                .put(&keys::latest(path), &info.unwrap_or_default())?;
        }
        Ok(())
    }
}
