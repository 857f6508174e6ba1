//! Whether the go command asked for something only by the way.
//!
//! Asked for a package or a module `a.b/c/d`, the go command asks for `a.b/c/d`, `a.b/c` and `a.b`, takes what it gets, and is
//! content with 404s for the rest. Two kinds of misses are therefore no wants:
//!
//! - a package of a module that is here: `a.b/c/d`, where `a.b/c` has that folder;
//! - what a module that is here has before its last elements: `a.b`, where `a.b/c` is here, and `a.b` was never a module.
//!
//! Where the module is here and the package is not in the version that was asked for, another version of it may have
//! it: then the module is one of those that are wanted.

use super::Missed;
use super::group::prefixes;
use crate::store::{InStore, StoreError, View};
use modferry_protocol::module::{ModulePath, ModuleVersion, Version};
use modferry_protocol::zip::each_name;
use serde::Deserialize;
use std::collections::HashSet;

/// What a miss looks like from what is here.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// Asked for by the way: something that is here answers it.
    Guess,
    /// A want; these modules are here, whose paths its own begins with.
    Want(Vec<ModulePath>),
}

/// Looks at misses.
pub struct Guesses<'v> {
    view: &'v View,
    /// The module version that was looked into last, and the folders in it that have Go files: wants come in the order
    /// of their paths, and with them their modules.
    last: Option<(ModuleVersion, HashSet<String>)>,
}

impl<'v> Guesses<'v> {
    /// Looks into that store.
    pub fn new(view: &'v View) -> Guesses<'v> {
        Guesses { view, last: None }
    }

    /// Looks at a miss of what no go.mod names.
    pub fn look(&mut self, missed: &Missed) -> Result<Look, StoreError> {
        if self.is_above_a_module(missed)? {
            return Ok(Look::Guess);
        }
        let path = missed.want.path().as_str();
        let mut modules = Vec::new();
        for prefix in prefixes(path) {
            let Ok(module) = ModulePath::new(prefix) else {
                continue;
            };
            if self.view.list(&module)?.is_none() {
                continue;
            }
            if let Some(module) = self.version(&module, missed.want.query())?
                && self.has(module, &path[prefix.len() + 1..])?
            {
                return Ok(Look::Guess);
            }
            modules.push(module);
        }
        Ok(Look::Want(modules))
    }

    /// Whether its path is no module here, and begins that of one that is: at that version, if it is one.
    fn is_above_a_module(&self, missed: &Missed) -> Result<bool, StoreError> {
        let (path, query) = (missed.want.path(), missed.want.query());
        if self.view.list(path)?.is_some() {
            return Ok(false);
        }
        let version = Version::new(query).ok();
        for module in self.view.mods_below(path) {
            let module = module?;
            if version
                .as_ref()
                .is_none_or(|version| module.version() == version)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The version of the module that the go command would have looked into.
    fn version(
        &self,
        module: &ModulePath,
        query: &str,
    ) -> Result<Option<ModuleVersion>, StoreError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Info {
            version: String,
        }
        let version = match query {
            "latest" => {
                let info = self.view.latest(module)?;
                let info = info.and_then(|info| serde_json::from_slice::<Info>(&info).ok());
                info.map(|info| info.version)
            }
            query => Some(query.to_owned()),
        };
        Ok(version.and_then(|version| ModuleVersion::parse(module.as_str(), &version).ok()))
    }

    fn has(&mut self, module: ModuleVersion, folder: &str) -> Result<bool, StoreError> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != module) {
            let folders = self.folders(&module)?;
            self.last = Some((module, folders));
        }
        Ok((self.last.as_ref()).is_some_and(|(_, folders)| folders.contains(folder)))
    }

    fn folders(&self, module: &ModuleVersion) -> Result<HashSet<String>, StoreError> {
        let mut folders = HashSet::new();
        let Some(zip) = self.view.zip(module)? else {
            return Ok(folders);
        };
        let prefix = format!("{module}/");
        // A zip that cannot be read is fsck's to tell of; here it only has no packages.
        let _ = each_name(&InStore::new(self.view, &zip), |name| {
            let name = std::str::from_utf8(name).unwrap_or_default();
            let name = name.strip_prefix(&prefix).unwrap_or_default();
            if let Some((folder, file)) = name.rsplit_once('/')
                && file.ends_with(".go")
                && !file.ends_with("_test.go")
                && !folders.contains(folder)
            {
                folders.insert(folder.to_owned());
            }
        });
        Ok(folders)
    }
}
