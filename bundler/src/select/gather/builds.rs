//! What something was built from, as its own record of that says: a program, a bill of materials, a vendor folder, a module
//! cache. None of these says what the modules require, and whoever builds again reads that too: the module graph comes
//! with what they name, but for a cache, which has it all itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use modferry_cli::wants::Follow;
use modferry_protocol::module::ModuleVersion;

use super::projects::{go_mod_of, main_of, workspace_of};
use super::{Gathering, at, read};
use crate::cache::FileAt;
use crate::error::Error;
use crate::fetch::{Level, Want};
use crate::select::ask::Ask;
use crate::select::input::sbom::SbomError;
use crate::select::input::{Levels, Listing, binary, modcache, sbom, vendor};
use crate::select::mvs::Main;

/// What `go work vendor` begins its modules.txt with.
const OF_WORKSPACE: &[u8] = b"## workspace";

impl Gathering<'_> {
    /// A compiled program.
    pub(super) fn binary(&mut self, ask: &Ask, path: &Path) -> Result<(), Error> {
        let file = File::open(path).and_then(FileAt::new);
        let file = file.map_err(Error::file("read", path))?;
        let listing = binary::read(&file)
            .map_err(|error| Error::usage_because(path.display().to_string(), error))?;
        self.built_from(ask, whole(listing), None)
    }

    /// A bill of materials.
    pub(super) fn sbom(&mut self, ask: &Ask, path: &Path) -> Result<(), Error> {
        let listing = sbom::parse(&read(path, sbom::MAX_SBOM)?).map_err(|error| match error {
            SbomError::Misplaced(misplaced) => at(path)(misplaced),
            error => Error::usage(format!("{}: {error}", path.display())),
        })?;
        self.built_from(ask, whole(listing), None)
    }

    /// A vendor/modules.txt. Where the go.mod or go.work is still there beside its folder, that says whose module graph it is.
    pub(super) fn vendor(&mut self, ask: &Ask, path: &Path) -> Result<(), Error> {
        let text = read(path, vendor::MAX_VENDOR)?;
        let levels = vendor::parse(&text).map_err(at(path))?;
        let above = modferry_cli::folder_of(path).join("..");
        let (go_mod, go_work) = (above.join("go.mod"), above.join("go.work"));
        let main = match text.starts_with(OF_WORKSPACE) {
            true if go_work.is_file() => Some(workspace_of(&go_work)?.main),
            false if go_mod.is_file() => Some(main_of(&go_mod, &go_mod_of(&go_mod)?)?),
            _ => None,
        };
        self.built_from(ask, levels, main)
    }

    /// A module cache, which says itself how much of each module was needed.
    pub(super) fn modcache(&mut self, ask: &Ask, path: &Path) -> Result<(), Error> {
        let levels = modcache::read(path)
            .map_err(|error| Error::usage_because(path.display().to_string(), error))?;
        match ask.options.follow {
            None | Some(Follow::None) => {
                self.tell(ask, levels.notes);
                self.exactly(ask, levels.modules);
                Ok(())
            }
            Some(_) => self.built_from(ask, levels, None),
        }
    }

    /// `main` is the main module that was built, if it is known; otherwise it is one that requires all of these.
    fn built_from(&mut self, ask: &Ask, levels: Levels, main: Option<Main>) -> Result<(), Error> {
        let Levels { modules, notes } = levels;
        self.tell(ask, notes);
        let whole = modules.iter().filter(|(_, level)| **level == Level::Whole);
        let whole = whole.map(|(module, _)| module.clone());
        match ask.options.follow {
            None => {
                let main = main.unwrap_or_else(|| Main::requiring_all(modules.keys().cloned()));
                let around = Want::Around {
                    name: ask.name(),
                    main: Box::new(main),
                    modules: whole.collect(),
                };
                self.exactly(ask, modules);
                self.asked.wants.push(around);
            }
            Some(Follow::None) => self.exactly(ask, modules),
            Some(_) => self.each(ask, whole)?,
        }
        Ok(())
    }

    fn tell(&mut self, ask: &Ask, notes: Vec<String>) {
        let name = ask.name();
        let notes = notes.into_iter().map(|note| format!("{name}: {note}"));
        self.asked.notes.extend(notes);
    }
}

/// All of it whole.
fn whole(listing: Listing) -> Levels {
    let modules: BTreeMap<ModuleVersion, Level> = (listing.modules.into_iter())
        .map(|module| (module, Level::Whole))
        .collect();
    Levels {
        modules,
        notes: listing.notes,
    }
}
