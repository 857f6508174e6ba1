//! Which module provides a package (cmd/go/internal/modload/import.go, importFromModules).
//!
//! Every module whose path is a prefix of the import path may. All of them that are selected are looked into, for a
//! package that two of them hold is ambiguous; so all of their zips are wanted, whichever it is in. In a pruned graph the
//! roots are asked first, and the whole graph only where they do not have the package.

use modferry_protocol::module::ModuleVersion;

use super::requirements::Requirements;
use super::world::{Tree, Wait, World};

/// Where an import leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Import {
    /// Into the main module, or into a folder of its that stands in for a module without a proper path.
    Main {
        /// The path of the module.
        module: String,
        /// The folder in it.
        folder: String,
    },
    /// Into another module.
    Module {
        /// The module, before replacement.
        module: ModuleVersion,
        /// The folder in it.
        folder: String,
    },
    /// Into the standard library, as far as is known here: which packages that has depends on the Go behind the gap.
    Standard,
    /// Nowhere.
    Missing,
    /// Into more than one module.
    Ambiguous,
}

impl Import {
    /// The module, if it is not the main one.
    pub(super) fn module(&self) -> Option<&ModuleVersion> {
        match self {
            Import::Module { module, .. } => Some(module),
            _ => None,
        }
    }
}

/// Finds a package. `whole`: in the whole graph at once.
pub(super) fn find(
    world: &mut World,
    path: &str,
    requirements: &mut Requirements,
    whole: bool,
) -> Result<Import, Wait> {
    let mut graph = match whole {
        true => Some(world.graph(requirements)?),
        false => None,
    };
    loop {
        let (mut found, mut possible, mut waits) = (Vec::new(), None, false);
        for prefix in prefixes(path) {
            let folder = path[prefix.len()..].trim_start_matches('/');
            if let Some(holds) = world.main().holds(prefix, folder) {
                if holds {
                    found.push(Import::Main {
                        module: prefix.to_owned(),
                        folder: folder.to_owned(),
                    });
                }
                continue;
            }
            let selected = match &graph {
                Some(graph) => graph.get(prefix),
                None => requirements.selected(prefix),
            };
            let Some(module) = selected.cloned() else {
                continue;
            };
            let tree = world.tree(&module);
            let import = || Import::Module {
                module: module.clone(),
                folder: folder.to_owned(),
            };
            match tree {
                Ok(Some(Tree::Packages(packages))) if packages.folder(folder).is_some() => {
                    found.push(import());
                }
                Ok(Some(Tree::Unknown)) => possible = possible.or_else(|| Some(import())),
                Ok(_) => {}
                Err(Wait) => waits = true,
            }
        }
        if waits {
            return Err(Wait);
        }
        match (found.pop(), found.is_empty()) {
            (Some(found), true) => return Ok(found),
            (Some(_), false) => return Ok(Import::Ambiguous),
            (None, _) => {}
        }
        if let Some(possible) = possible {
            return Ok(possible);
        }
        if is_standard(path) {
            return Ok(Import::Standard);
        }
        if graph.is_some() {
            return Ok(Import::Missing);
        }
        graph = Some(world.graph(requirements)?);
    }
}

/// Whether the go command looks for it in the standard library first: its first element has no dot.
pub(super) fn is_standard(path: &str) -> bool {
    !path
        .split('/')
        .next()
        .is_some_and(|first| first.contains('.'))
}

/// The path and what stands before each of its slashes, the longest first.
pub(super) fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(path);
    std::iter::from_fn(move || {
        let here = rest?;
        rest = here.rfind('/').map(|at| &here[..at]);
        Some(here)
    })
}
