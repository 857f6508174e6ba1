//! Projects: a go.mod, a go.work, a go.sum, and folders full of them.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use modferry_cli::folder_of;
use modferry_cli::wants::Follow;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::MAX_GO_MOD;

use super::{Gathering, in_file, read};
use crate::error::Error;
use crate::fetch::{Level, Want};
use crate::select::ask::{Ask, Input, What};
use crate::select::gomod::GoMod;
use crate::select::gosum;
use crate::select::input::checkouts;
use crate::select::levels;
use crate::select::mvs::Main;
use crate::select::toolchains::Lines;
use crate::select::workspace::{self, Workspace};

/// The largest go.sum file that is read, in bytes.
pub const MAX_GO_SUM: u64 = 64 << 20;

impl Gathering<'_> {
    /// A go.sum beside it names exactly what its build needs, unless it is said how far to go. It does not name what is
    /// pruned from the module graph and yet selected, which `go list -m all` tells: that comes along as far as it is to be had.
    pub(super) fn go_mod(&mut self, ask: &Ask, path: &Path) -> Result<(), Error> {
        let file = go_mod_of(path)?;
        self.asked.lines.push(Lines {
            go: file.go.clone(),
            toolchain: file.toolchain.clone(),
        });
        let sums = sums_beside(path)?;
        let has_sums = sums.is_some();
        self.asked.wants.extend(match ask.options.follow {
            Some(Follow::None | Follow::Build | Follow::Test) => sums.map(pins),
            Some(Follow::All) | None => sums,
        });
        let main = main_of(path, &file)?;
        if has_sums && ask.options.follow.is_none() {
            self.asked.wants.push(Want::Optional(Box::new(Want::Around {
                name: ask.name(),
                main: Box::new(main),
                modules: BTreeSet::new(),
            })));
            return Ok(());
        }
        if ask.options.follow == Some(Follow::None) {
            let required = main.summary.require.iter();
            let required = required.filter_map(|module| main.fetched(module));
            self.exactly(ask, required.map(whole).collect());
            return Ok(());
        }
        let follow = ask.options.follow.unwrap_or(Follow::All);
        let folder = folder_of(path);
        let found = levels::of_project(ask.name(), main, &file, folder, follow, self.tags);
        let (wants, note) = found.map_err(|error| {
            Error::usage_because(format!("{}: its packages", ask.name()), error)
        })?;
        self.asked.wants.extend(wants);
        self.asked.notes.extend(note);
        Ok(())
    }

    /// It is exact by itself. To follow it all the way is to follow each module of which it names the zip.
    pub(super) fn go_sum(&mut self, ask: &Ask, path: &Path) -> Result<(), Error> {
        let sums = sums_of(path)?;
        if matches!(&sums, Want::Sums { sums, .. } if sums.is_empty()) {
            return Err(Error::usage(format!("{} names no module", path.display())));
        }
        if let (Some(Follow::All | Follow::Build | Follow::Test), Want::Sums { sums, .. }) =
            (ask.options.follow, &sums)
        {
            let whole = sums.iter().filter(|(_, sum)| sum.zip.is_some());
            self.each(ask, whole.map(|(module, _)| module.clone()))?;
        }
        self.asked.wants.push(sums);
        Ok(())
    }

    /// What its go.sum files name, and what building all its modules together comes to: for that, versions may be
    /// selected that none of these files has.
    pub(super) fn go_work(&mut self, ask: &Ask, path: &Path) -> Result<(), Error> {
        let workspace = workspace_of(path)?;
        self.asked.lines.extend(workspace.lines.iter().cloned());
        let of_work = path.with_extension("work.sum");
        let beside = workspace
            .go_mods
            .iter()
            .map(|go_mod| go_mod.with_extension("sum"));
        let follow = ask.options.follow.unwrap_or(Follow::All);
        for sum in std::iter::once(of_work).chain(beside) {
            let sums = if_there(sums_of(&sum))?;
            self.asked.wants.extend(match follow {
                Follow::None | Follow::Build | Follow::Test => sums.map(pins),
                Follow::All => sums,
            });
        }
        if follow == Follow::None {
            let main = &workspace.main;
            let required = main.summary.require.iter();
            let required = required.filter_map(|module| main.fetched(module));
            self.exactly(ask, required.map(whole).collect());
            return Ok(());
        }
        let found = levels::of_workspace(ask.name(), workspace, follow, self.tags);
        let (want, note) = found.map_err(|error| {
            Error::usage_because(format!("{}: its packages", ask.name()), error)
        })?;
        self.asked.wants.push(want);
        self.asked.notes.extend(note);
        Ok(())
    }

    /// Each go.mod and each go.work, as if it had been named.
    pub(super) fn checkouts(&mut self, ask: &Ask, path: &Path) -> Result<(), Error> {
        let found = checkouts::find(path)
            .map_err(|source| Error::usage_because("the checkouts cannot be read", source))?;
        self.asked.notes.extend(found.notes);
        let go_mods = found.go_mods.into_iter().map(|path| (Input::GoMod, path));
        let go_works = found.go_works.into_iter().map(|path| (Input::GoWork, path));
        for (input, path) in go_mods.chain(go_works) {
            self.add(Ask {
                what: What::Input(input, path),
                ..ask.clone()
            })?;
        }
        Ok(())
    }
}

/// What the go.sum beside the go.mod names, if there is one. One that is empty says nothing about the build: then it is as if
/// there were none.
fn sums_beside(go_mod: &Path) -> Result<Option<Want>, Error> {
    let sums = if_there(sums_of(&go_mod.with_extension("sum")))?;
    Ok(sums.filter(|sums| !matches!(sums, Want::Sums { sums, .. } if sums.is_empty())))
}

/// The same, without the error of a file that does not exist.
fn if_there<T>(read: Result<T, Error>) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a go.sum names.
fn sums_of(path: &Path) -> Result<Want, Error> {
    let sums = gosum::parse(&read(path, MAX_GO_SUM)?).map_err(in_file(path))?;
    Ok(Want::Sums {
        file: path.to_owned(),
        sums,
    })
}

/// The same go.sum where something else says what is wanted: its hashes count all the same.
fn pins(sums: Want) -> Want {
    match sums {
        Want::Sums { file, sums } => Want::Pins { file, sums },
        other => other,
    }
}

/// The build that a go.mod file describes.
pub(super) fn main_of(path: &Path, file: &GoMod) -> Result<Main, Error> {
    let main = Main::of(file).map_err(in_file(path))?;
    match main.summary.malformed.first() {
        None => Ok(main),
        Some(name) => Err(Error::usage(format!(
            "{}: {name} is no module version",
            path.display()
        ))),
    }
}

/// What a go.mod says.
pub(super) fn go_mod_of(path: &Path) -> Result<GoMod, Error> {
    GoMod::parse(&read(path, MAX_GO_MOD)?).map_err(in_file(path))
}

/// The workspace of a go.work.
pub(super) fn workspace_of(path: &Path) -> Result<Workspace, Error> {
    workspace::read(path)
        .map_err(|source| Error::usage_because("the workspace cannot be read", source))
}

fn whole(module: &ModuleVersion) -> (ModuleVersion, Level) {
    (module.clone(), Level::Whole)
}
