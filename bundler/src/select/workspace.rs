//! A go.work file and the modules that it uses, as one build: all of them are main modules, and what any of them requires
//! is required (cmd/go/internal/modload: requirementsFromModFiles, readModGraph with workspace pruning).
//!
//! What stands in for a module by go.work counts before what the modules' own go.mod files say of it; where those
//! disagree, there is no build, for the go command neither.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::hash::Hash;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use modferry_protocol::zip::MAX_GO_MOD;

use super::gomod::{GoMod, GoModError, Replacement};
use super::gowork::GoWork;
use super::main_module::{BadReplacement, Main, Member, With};
use super::packages::checkout::{self, CheckoutError};
use super::packages::constraint::Tags;
use super::toolchains::Lines;
use crate::files;

/// The largest go.work file that is read, in bytes.
pub const MAX_GO_WORK: u64 = 4 << 20;
/// The most modules of a workspace.
pub const MAX_USES: usize = 10_000;

/// A workspace, put together.
#[derive(Debug)]
pub struct Workspace {
    /// Its build.
    pub main: Main,
    /// The go.mod files of its modules.
    pub go_mods: Vec<PathBuf>,
    /// What go.work and the modules say about Go.
    pub lines: Vec<Lines>,
    /// Its go.work file, and what that says.
    work: (PathBuf, GoWork),
    /// Its modules by name: the go.mod file of each, and what that says.
    members: BTreeMap<String, (PathBuf, GoMod)>,
}

impl Workspace {
    /// Adds to the build what the files of its modules import, and those of the folders that stand in for others.
    pub fn read_files(&mut self, tags: &Tags) -> Result<(), CheckoutError> {
        for (name, (go_mod, file)) in &self.members {
            let member = Member {
                packages: Arc::new(checkout::read(modferry_cli::folder_of(go_mod), tags)?),
                ignore: file.ignore.clone(),
            };
            self.main.members.insert(name.clone(), member);
        }
        let (path, work) = &self.work;
        let of_members = self.members.values();
        let of_members =
            of_members.flat_map(|(path, file)| file.replace.iter().map(move |it| (path, it)));
        for (path, replace) in work.replace.iter().map(|it| (path, it)).chain(of_members) {
            if let Replacement::Folder(folder) = &replace.with {
                let folder = plain(&modferry_cli::folder_of(path).join(folder));
                let name = folder.display().to_string();
                checkout::stand_in(&mut self.main, &replace.path, name, &folder, tags)?;
            }
        }
        Ok(())
    }
}

/// Why there is no workspace.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// A file cannot be read.
    #[error("cannot read {}{}", path.display(), used_by(.by))]
    Read {
        /// The file.
        path: PathBuf,
        /// The go.work file and its line, if that names it.
        by: Option<(PathBuf, usize)>,
        /// Why not.
        source: io::Error,
    },
    /// A file is malformed.
    #[error("{}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        source: GoModError,
    },
    /// A replacement names no module.
    #[error("{}", path.display())]
    Replacement {
        /// The go.mod or go.work file.
        path: PathBuf,
        /// Which.
        source: BadReplacement,
    },
    /// A requirement that names no module version.
    #[error("{}: {name} is no module version", path.display())]
    Malformed {
        /// The go.mod file.
        path: PathBuf,
        /// What it requires.
        name: String,
    },
    /// A module is used twice.
    #[error("{}: module {module} is used twice, from {} and from {}", path.display(), first.display(), second.display())]
    Twice {
        /// The go.work file.
        path: PathBuf,
        /// The module.
        module: String,
        /// One go.mod of it.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// Two modules of the workspace replace a module each in its own way.
    #[error(
        "{}: {module} is replaced in two ways; the one that counts has to stand in go.work: see {}",
        path.display(), second.display()
    )]
    Conflict {
        /// The go.work file.
        path: PathBuf,
        /// What is replaced.
        module: String,
        /// The go.mod file that says something else than one before.
        second: PathBuf,
    },
    /// None at all.
    #[error("{}: it uses no module: a use line names the folder of each", .0.display())]
    Empty(PathBuf),
    /// More than [`MAX_USES`].
    #[error("{}: it uses more than {MAX_USES} modules", .0.display())]
    Uses(PathBuf),
}

fn used_by(by: &Option<(PathBuf, usize)>) -> String {
    match by {
        Some((path, line)) => format!(", which {}:{line} uses", path.display()),
        None => String::new(),
    }
}

/// Reads the workspace of this go.work file.
pub fn read(path: &Path) -> Result<Workspace, WorkspaceError> {
    let folder = modferry_cli::folder_of(path);
    let text = files::read_bounded(path, MAX_GO_WORK).map_err(|source| WorkspaceError::Read {
        path: path.into(),
        by: None,
        source,
    })?;
    let syntax = |path: &Path| {
        let path = path.to_owned();
        move |source| WorkspaceError::Syntax { path, source }
    };
    let work = GoWork::parse(&text).map_err(syntax(path))?;
    if work.uses.is_empty() {
        return Err(WorkspaceError::Empty(path.into()));
    }
    if work.uses.len() > MAX_USES {
        return Err(WorkspaceError::Uses(path.into()));
    }
    let mut lines = vec![Lines {
        go: work.go.clone(),
        toolchain: work.toolchain.clone(),
    }];
    let mut members: BTreeMap<String, (PathBuf, GoMod)> = BTreeMap::new();
    let mut go_mods = Vec::new();
    for (line, used) in &work.uses {
        let go_mod = plain(&folder.join(used)).join("go.mod");
        let text = files::read_bounded(&go_mod, MAX_GO_MOD);
        let text = text.map_err(|source| WorkspaceError::Read {
            path: go_mod.clone(),
            by: Some((path.into(), *line)),
            source,
        })?;
        let file = GoMod::parse(&text).map_err(syntax(&go_mod))?;
        lines.push(Lines {
            go: file.go.clone(),
            toolchain: file.toolchain.clone(),
        });
        let name = file.module.clone().unwrap_or_default();
        if let Some((first, _)) = members.get(&name) {
            return Err(WorkspaceError::Twice {
                path: path.into(),
                module: name,
                first: first.clone(),
                second: go_mod,
            });
        }
        go_mods.push(go_mod.clone());
        members.insert(name, (go_mod, file));
    }
    Ok(Workspace {
        main: united(path, &work, &members)?,
        go_mods,
        lines,
        work: (path.into(), work),
        members,
    })
}

/// The build of all modules together.
fn united(
    path: &Path,
    work: &GoWork,
    members: &BTreeMap<String, (PathBuf, GoMod)>,
) -> Result<Main, WorkspaceError> {
    let bad = |path: &Path| {
        let path = path.to_owned();
        move |source| WorkspaceError::Replacement { path, source }
    };
    let of_work = GoMod {
        replace: work.replace.clone(),
        ..GoMod::default()
    };
    let mut main = Main::of(&of_work).map_err(bad(path))?;
    root_folders(&mut main, modferry_cli::folder_of(path));
    let by_work = main.clone();
    main.lists_everything = true;
    for (go_mod, file) in members.values() {
        let mut member = Main::of(file).map_err(bad(go_mod))?;
        root_folders(&mut member, modferry_cli::folder_of(go_mod));
        let is_member = |name: &String| {
            let (path, _) = name.rsplit_once('@').unwrap_or((name, ""));
            let replaced = work.replace.iter().any(|replace| replace.path == path);
            members.contains_key(path) || replaced
        };
        if let Some(name) = (member.summary.malformed.iter()).find(|name| !is_member(name)) {
            return Err(WorkspaceError::Malformed {
                path: go_mod.clone(),
                name: name.clone(),
            });
        }
        main.workspace.extend(member.path);
        match member.summary.pruned {
            true => main.summary.pruned = true,
            false => main.unpruned.extend(member.summary.require.iter().cloned()),
        }
        main.summary.require.extend(member.summary.require);
        let by_others = (file.require.iter()).all(|require| members.contains_key(&require.path));
        main.lists_everything &= member.lists_everything || by_others;
        main.exclude.extend(member.exclude);
        main.folders.extend(member.folders);
        let conflict = |module: String| WorkspaceError::Conflict {
            path: path.into(),
            module,
            second: go_mod.clone(),
        };
        member.replace_one.retain(|module, _| {
            !by_work.replace_all.contains_key(module.path())
                && !by_work.replace_one.contains_key(module)
        });
        (member.replace_all).retain(|module, _| !by_work.replace_all.contains_key(module));
        add(&mut main.replace_one, member.replace_one).map_err(conflict)?;
        add(&mut main.replace_all, member.replace_all).map_err(conflict)?;
    }
    Ok(main)
}

/// Adds replacements; an error is what is replaced in two ways.
fn add<K: Eq + Hash + Display>(
    to: &mut HashMap<K, With>,
    more: HashMap<K, With>,
) -> Result<(), String> {
    for (key, with) in more {
        match to.entry(key) {
            Entry::Vacant(entry) => drop(entry.insert(with)),
            Entry::Occupied(entry) if *entry.get() == with => {}
            Entry::Occupied(entry) => return Err(entry.key().to_string()),
        }
    }
    Ok(())
}

/// Folders that stand in for modules, named from where the go command runs: `../lib` is another one in each module.
fn root_folders(main: &mut Main, at: &Path) {
    let rooted = |folder: &str| plain(&at.join(folder)).display().to_string();
    let all = main
        .replace_one
        .values_mut()
        .chain(main.replace_all.values_mut());
    for with in all {
        if let With::Folder(folder) = with {
            *folder = rooted(folder);
        }
    }
    main.folders = main.folders.iter().map(|folder| rooted(folder)).collect();
}

/// The same path without `.` and, as far as names show it, without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(plain.components().next_back(), Some(Component::Normal(_))) =>
            {
                plain.pop();
            }
            component => plain.push(component),
        }
    }
    plain
}

#[cfg(test)]
#[path = "workspace/tests.rs"]
mod tests;
