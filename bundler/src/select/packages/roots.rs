//! How the requirements change while packages are loaded: modules that provide packages become roots, and each root
//! stands at the version that the graph selects (cmd/go/internal/modload/buildlist.go: updatePrunedRoots,
//! tidyPrunedRoots).
//!
//! An unpruned graph is read whole before any package is loaded, so no module of it that becomes a root there changes what
//! is selected: its requirements stay as they are, but for modules that nothing required.

use std::collections::{BTreeSet, HashSet};

use modferry_protocol::module::{ModulePath, ModuleVersion};

use super::closure::{Closure, IN_ALL, NAMED};
use super::find::{Import, find};
use super::requirements::Requirements;
use super::world::{Selected, Wait, World};

/// The requirements after these packages were loaded and these modules added.
pub(super) fn update(
    world: &mut World,
    before: &Requirements,
    closure: Option<&Closure>,
    added: &[ModuleVersion],
) -> Result<Requirements, Wait> {
    if before.fixed {
        let mut roots = before.roots().to_vec();
        roots.extend_from_slice(added);
        let now = Requirements::new(before.pruned, roots);
        return Ok(match now.roots() == before.roots() {
            true => before.clone(),
            false => now,
        });
    }
    let mut roots = before.roots().to_vec();
    let mut spot_checked = BTreeSet::new();
    let mut raised = false;
    for package in closure.iter().flat_map(|closure| &closure.packages) {
        let Some(module) = package.import.module() else {
            continue;
        };
        if !package.has(IN_ALL | NAMED) {
            continue;
        }
        if before.selected(module.path().as_str()).is_some() {
            spot_checked.insert(module.clone());
        } else {
            roots.push(module.clone());
            raised = true;
        }
    }
    for module in added {
        if before
            .selected(module.path().as_str())
            .is_none_or(|root| root < module)
        {
            roots.push(module.clone());
            raised = true;
        }
    }
    let mut now = before.clone();
    loop {
        let graph = if raised {
            now = Requirements::new(true, roots);
            Some(world.graph(&mut now)?)
        } else if now.graph_read || !agree(world, &now, &spot_checked)? {
            Some(world.graph(&mut now)?)
        } else {
            None
        };
        (roots, raised) = consistent(world, &now, graph.as_deref());
        if !raised {
            break;
        }
    }
    if roots == now.roots() {
        return Ok(now);
    }
    Ok(Requirements::new(true, roots))
}

/// One root of each path, at the version that is selected; and whether any stood at another one.
fn consistent(
    world: &World,
    requirements: &Requirements,
    graph: Option<&Selected>,
) -> (Vec<ModuleVersion>, bool) {
    let (mut roots, mut raised) = (Vec::new(), false);
    let mut seen = HashSet::new();
    for root in requirements.roots() {
        if world.main().is_self(root) || !seen.insert(root.path()) {
            continue;
        }
        let path = root.path().as_str();
        let selected = match graph {
            Some(graph) => graph.get(path),
            None => requirements.selected(path),
        };
        let selected = selected.unwrap_or(root);
        raised |= selected != root;
        roots.push(selected.clone());
    }
    (roots, raised)
}

/// Whether none of these modules requires more than the roots have.
fn agree(
    world: &mut World,
    requirements: &Requirements,
    modules: &BTreeSet<ModuleVersion>,
) -> Result<bool, Wait> {
    let (mut agree, mut waits) = (true, false);
    for module in modules {
        match world.file(module) {
            Ok(Some(file)) => {
                agree &= file.require.iter().all(|require| {
                    let root = requirements.selected(require.path().as_str());
                    root.is_none_or(|root| root >= require)
                        || world.main().exclude.contains(require)
                });
            }
            Ok(None) => agree = false,
            Err(Wait) => waits = true,
        }
    }
    match waits {
        true => Err(Wait),
        false => Ok(agree),
    }
}

/// The requirements that `go mod tidy` keeps for these packages.
pub(super) fn tidied(
    world: &mut World,
    before: &Requirements,
    closure: &Closure,
) -> Result<Requirements, Wait> {
    if before.fixed {
        return Ok(before.clone());
    }
    let packages = &closure.packages;
    let mut roots: Vec<ModuleVersion> = Vec::new();
    let mut paths: HashSet<ModulePath> = HashSet::new();
    let mut queue = Vec::new();
    let mut queued = vec![false; packages.len()];
    for (at, package) in packages.iter().enumerate() {
        if !package.has(IN_ALL) {
            continue;
        }
        if let Some(module) = package.import.module()
            && paths.insert(module.path().clone())
        {
            roots.push(module.clone());
        }
        queue.push(at);
        queued[at] = true;
    }
    let mut tidy = Requirements::new(true, roots.clone());
    // What tests of packages in `all` need is kept by a root only where the graph does not select it anyway; nearer
    // packages first, since what they bring in tends to suffice for those behind them.
    while !queue.is_empty() {
        let graph = world.graph(&mut tidy)?;
        let mut next = Vec::new();
        for at in queue {
            let package = &packages[at];
            if matches!(package.import, Import::Standard) {
                continue;
            }
            for at in package.imports.iter().chain(&package.test) {
                if !std::mem::replace(&mut queued[*at], true) {
                    next.push(*at);
                }
            }
            if let Some(module) = package.import.module()
                && graph
                    .get(module.path())
                    .is_none_or(|selected| selected < module)
                && paths.insert(module.path().clone())
            {
                roots.push(module.clone());
            }
        }
        if roots.len() > tidy.roots().len() {
            tidy = Requirements::new(true, roots.clone());
        }
        queue = next;
    }
    // A package that only became unambiguous by a root must keep that root.
    loop {
        let mut waits = false;
        for package in packages {
            let Some(module) = package.import.module() else {
                continue;
            };
            if paths.contains(module.path()) {
                continue;
            }
            match find(world, &package.path, &mut tidy, false) {
                Ok(Import::Ambiguous) => {
                    paths.insert(module.path().clone());
                    roots.push(module.clone());
                }
                Ok(_) => {}
                Err(Wait) => waits = true,
            }
        }
        if waits {
            return Err(Wait);
        }
        if roots.len() == tidy.roots().len() {
            return Ok(tidy);
        }
        tidy = Requirements::new(true, roots.clone());
    }
}
