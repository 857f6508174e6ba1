//! One command: packages are loaded until that changes no requirement any more (cmd/go/internal/modload/load.go,
//! loadFromRoots).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use modferry_protocol::module::ModuleVersion;

use super::{Loader, Rules, Run, Subject};
use crate::select::packages::closure::{self, Closure, IN_ALL, NAMED, Package};
use crate::select::packages::find::{Import, find};
use crate::select::packages::provide::provider;
use crate::select::packages::requirements::Requirements;
use crate::select::packages::roots;
use crate::select::packages::world::{Tree, Wait};

impl Loader {
    /// Loads packages until that changes no requirement any more (load.go, loadFromRoots).
    pub(super) fn run(
        &mut self,
        next: &mut usize,
        start: &Requirements,
        rules: Rules,
    ) -> Result<Arc<Run>, Wait> {
        if let Some(run) = self.before(next) {
            return Ok(run);
        }
        let mut requirements = start.clone();
        if requirements.fixed {
            self.world.graph(&mut requirements)?;
        }
        let flags = match rules.imported {
            true => NAMED | IN_ALL,
            false => NAMED,
        };
        let closure = loop {
            let named = self.named(&mut requirements, rules)?;
            if let Some(more) = self.provided(&mut requirements, &named)? {
                requirements = more;
                continue;
            }
            let closure = closure::load(
                &mut self.world,
                &mut requirements,
                &named,
                flags,
                rules.tests,
            )?;
            let added = match rules.tidy {
                true => roots::tidied(&mut self.world, &requirements, &closure)?,
                false => Requirements::new(requirements.pruned, Vec::new()),
            };
            let mut now = roots::update(
                &mut self.world,
                &requirements,
                Some(&closure),
                added.roots(),
            )?;
            let changed = now.roots() != requirements.roots() && self.moved(&mut now, &closure)?;
            requirements = now;
            if changed {
                continue;
            }
            if !rules.completes || !self.complete(&mut requirements, &closure)? {
                break closure;
            }
        };
        Ok(self.keep(next, requirements, rules.tidy.then_some(closure)))
    }

    /// The packages that are named.
    fn named(
        &mut self,
        requirements: &mut Requirements,
        rules: Rules,
    ) -> Result<Vec<Arc<str>>, Wait> {
        match &self.subject {
            Subject::Main => {
                let main = self.world.main();
                let tree = main.tree.iter();
                let own = tree.flat_map(|tree| tree.listed(&main.ignore));
                let own = own.map(|folder| package(&main.name, folder));
                let members = main.members.iter().flat_map(|(name, member)| {
                    let listed = member.packages.listed(&member.ignore);
                    listed.map(|folder| package(name, folder))
                });
                let tools = main.tools.iter().filter(|_| rules.tidy);
                Ok(own
                    .chain(members)
                    .chain(tools.map(|tool| Arc::from(&**tool)))
                    .collect())
            }
            Subject::Module(module) => self.packages_of(requirements, [module.clone()]),
            Subject::Required => {
                let required = self.world.main().roots();
                self.packages_of(requirements, required)
            }
        }
    }

    /// The packages of these modules, at the versions that are selected.
    fn packages_of(
        &mut self,
        requirements: &mut Requirements,
        modules: impl IntoIterator<Item = ModuleVersion>,
    ) -> Result<Vec<Arc<str>>, Wait> {
        let graph = match requirements.fixed {
            false => None,
            true => Some(self.world.graph(requirements)?),
        };
        let (mut packages, mut waits) = (Vec::new(), false);
        for module in modules {
            let path = module.path().as_str();
            let selected = match &graph {
                None => requirements.selected(path).cloned(),
                Some(graph) => graph.get(path).cloned(),
            };
            match self.world.tree(&selected.unwrap_or_else(|| module.clone())) {
                Ok(Some(Tree::Packages(tree))) => {
                    let listed = tree.listed(&[]);
                    packages.extend(listed.map(|folder| package(path, folder)));
                }
                Ok(_) => {}
                // All of them at once.
                Err(Wait) => waits = true,
            }
        }
        match waits {
            true => Err(Wait),
            false => Ok(packages),
        }
    }

    /// The requirements with the modules of the named packages as roots, if they are none yet.
    fn provided(
        &mut self,
        requirements: &mut Requirements,
        named: &[Arc<str>],
    ) -> Result<Option<Requirements>, Wait> {
        if requirements.fixed {
            return Ok(None);
        }
        let (mut added, mut waits) = (BTreeSet::new(), false);
        for path in named {
            match find(&mut self.world, path, requirements, false) {
                Ok(import) => added.extend(import.module().cloned()),
                Err(Wait) => waits = true,
            }
        }
        if waits {
            return Err(Wait);
        }
        added.retain(|module| requirements.selected(module.path().as_str()) != Some(module));
        if added.is_empty() {
            return Ok(None);
        }
        let added: Vec<ModuleVersion> = added.into_iter().collect();
        let now = roots::update(&mut self.world, requirements, None, &added)?;
        Ok((now.roots() != requirements.roots()).then_some(now))
    }

    /// Requires what provides packages that nothing provided (load.go, resolveMissingImports); whether there is such.
    fn complete(
        &mut self,
        requirements: &mut Requirements,
        closure: &Closure,
    ) -> Result<bool, Wait> {
        let missing = closure.packages.iter().enumerate();
        let missing: Vec<(usize, &Package)> = missing
            .filter(|(_, package)| package.import == Import::Missing)
            .collect();
        if missing.is_empty() {
            return Ok(false);
        }
        let graph = self.world.graph(requirements)?;
        let (mut added, mut waits) = (BTreeMap::new(), false);
        for (at, package) in missing {
            match provider(&mut self.world, &package.path, &graph) {
                Ok(Some(module)) => drop(added.entry(module).or_insert(at)),
                Ok(None) => {}
                Err(Wait) => waits = true,
            }
        }
        if waits {
            return Err(Wait);
        }
        let modules: Vec<ModuleVersion> = added.keys().cloned().collect();
        for (module, at) in added {
            let by = closure
                .packages
                .iter()
                .find(|package| package.imports.contains(&at));
            let by = by.and_then(|package| package.import.module());
            let by = by.filter(|by| **by != module).cloned();
            self.world.known.import(module, by);
        }
        let before = std::mem::replace(
            requirements,
            roots::update(&mut self.world, requirements, None, &modules)?,
        );
        Ok(before.roots() != requirements.roots())
    }

    /// Whether other requirements lead any import elsewhere.
    fn moved(&mut self, now: &mut Requirements, closure: &Closure) -> Result<bool, Wait> {
        let graph = self.world.graph(now)?;
        for package in &closure.packages {
            match &package.import {
                Import::Module { module, .. } => {
                    if graph.get(module.path()) != Some(module) {
                        return Ok(true);
                    }
                }
                Import::Missing | Import::Ambiguous => {
                    let found = find(&mut self.world, &package.path, now, false)?;
                    if !matches!(found, Import::Missing | Import::Ambiguous) {
                        return Ok(true);
                    }
                }
                Import::Main { .. } | Import::Standard => {}
            }
        }
        Ok(false)
    }
}

/// The path of the package in a folder of a module.
fn package(module: &str, folder: &str) -> Arc<str> {
    match folder {
        "" => module.into(),
        folder => format!("{module}/{folder}").into(),
    }
}
