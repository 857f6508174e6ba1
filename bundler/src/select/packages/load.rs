//! How far a build goes: which go.mod files and zips the go command opens while it builds, tests or tidies.
//!
//! A [`Loader`] goes through what the go command would do, command by command, over what is known of go.mod files and
//! zips. What it would open and is not known yet is wanted; once that is there, it goes on. In the end, all that was
//! wanted is what has to be carried: modules that only might have provided a package are opened as well, and a build
//! does not go on without them.
//!
//! A build's requirements change while it goes on, and the versions with them. What an earlier state selected stays
//! wanted, since the go command opens that too on its way.

use std::collections::BTreeSet;
use std::sync::Arc;

use modferry_protocol::module::ModuleVersion;

use super::closure::{self, Closure, IN_ALL, NAMED, Tests};
use super::constraint::Tags;
use super::find::{Import, find};
use super::folders::Packages;
use super::requirements::Requirements;
use super::roots;
use super::world::{Needs, Tree, Wait, World};
use crate::select::graph::Loaded;
use crate::select::main_module::Main;
use crate::select::mvs::Selection;

/// What is to be done with the packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// To build them.
    Build,
    /// To test them as well.
    Test,
    /// To tidy the main module's requirements as well.
    Tidy,
}

/// Which packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The main module's own.
    Main,
    /// Those of a module that the main module requires.
    Module(ModuleVersion),
}

/// Finds out what a build opens. Ask it with [`Loader::wanted`] until that is nothing; then there is a
/// [`Loader::selection`].
#[derive(Debug)]
pub struct Loader {
    world: World,
    task: Task,
    subject: Subject,
    /// What came of commands before, in their order.
    runs: Vec<Arc<Run>>,
    selection: Selection,
    done: bool,
}

/// What came of a command.
#[derive(Debug)]
struct Run {
    requirements: Requirements,
    /// The packages, where they are needed later.
    closure: Option<Closure>,
}

/// How packages are loaded.
#[derive(Clone, Copy)]
struct Rules {
    tests: Tests,
    /// The packages of a module that is required are imported by the main module.
    imported: bool,
    tidy: bool,
}

impl Loader {
    /// A loader for this main module.
    pub fn new(main: Main, subject: Subject, task: Task) -> Loader {
        let mut selection = Selection {
            folders: main.folders.clone(),
            ..Selection::default()
        };
        if let Subject::Module(module) = &subject {
            selection.whole.insert(module.clone());
        }
        Loader {
            world: World::new(main),
            task,
            subject,
            runs: Vec::new(),
            selection,
            done: false,
        }
    }

    /// Under which tags files are to be read for this task: `go mod tidy` takes all.
    pub fn tags(task: Task, tags: &Tags) -> Tags {
        match task {
            Task::Tidy => Tags::Any,
            Task::Build | Task::Test => tags.clone(),
        }
    }

    /// Tells what a wanted go.mod file says; `None`: it cannot be had.
    pub fn loaded(&mut self, module: &ModuleVersion, loaded: Loaded) {
        self.world.known.learn(module, loaded);
    }

    /// Tells what packages a wanted zip has; `None`: that cannot be known.
    pub fn opened(&mut self, module: &ModuleVersion, packages: Option<Arc<Packages>>) {
        let tree = packages.map_or(Tree::Unknown, Tree::Packages);
        self.world.opened(module, tree);
    }

    /// Goes on, and says what is wanted before it can go further. Nothing: it is done.
    ///
    /// It is worth calling when all that was wanted before is there.
    pub fn wanted(&mut self) -> Needs {
        if !self.done && self.go_through().is_ok() {
            self.done = true;
            self.selection
                .whole
                .extend(self.world.zips().iter().cloned());
            let folders = self.world.known.folders().cloned();
            self.selection.folders.extend(folders);
            self.world.rest();
            self.runs.clear();
        }
        self.world.wanted()
    }

    /// The outcome, once nothing is wanted any more.
    pub fn selection(&self) -> Option<&Selection> {
        self.done.then_some(&self.selection)
    }

    /// Every module version that anything of this build requires.
    pub fn required(&self) -> impl Iterator<Item = &ModuleVersion> {
        self.world.known.required()
    }

    /// Whether anything of this build requires the module.
    pub fn knows(&self, module: &ModuleVersion) -> bool {
        self.world.known.is_required(module)
    }

    /// The shortest chain of requirements that leads to a module, the module last.
    pub fn chain(&self, module: &ModuleVersion) -> Vec<ModuleVersion> {
        self.world.known.chain(module)
    }

    /// One command after another. What one came to is kept, so that one that has to wait begins at itself again.
    fn go_through(&mut self) -> Result<(), Wait> {
        let mut next = 0;
        let given = Requirements::of(self.world.main());
        let expanded = self.expanded(&mut next, &given)?;
        let mut starts = vec![given.clone()];
        if expanded.roots() != given.roots() {
            starts.push(expanded);
        }
        for start in starts.clone() {
            self.build_and_test(&mut next, start)?;
        }
        if self.task == Task::Tidy {
            for start in starts {
                let tidied = self.tidy(&mut next, start)?;
                self.build_and_test(&mut next, tidied)?;
            }
        }
        self.take_unknown_whole()
    }

    /// `go build`, `go test` and `go vet` of the packages, named on the command line or imported by the main module.
    fn build_and_test(&mut self, next: &mut usize, start: Requirements) -> Result<(), Wait> {
        let imported: &[bool] = match self.subject {
            Subject::Main => &[false],
            Subject::Module(_) => &[false, true],
        };
        for of_named in [false, true] {
            if of_named && self.task < Task::Test {
                break;
            }
            for imported in imported {
                let tests = Tests {
                    of_named,
                    ..Tests::default()
                };
                let rules = Rules {
                    tests,
                    imported: *imported,
                    tidy: false,
                };
                let run = self.run(next, &start, rules)?;
                self.expanded(next, &run.requirements)?;
            }
        }
        Ok(())
    }

    /// `go mod tidy`; returns what it leaves as requirements.
    fn tidy(&mut self, next: &mut usize, start: Requirements) -> Result<Requirements, Wait> {
        let go = self.world.main().go.as_ref();
        let before = |minor: u32| {
            let version = format!("1.{minor}").parse().ok();
            go.is_some_and(|go| version.is_some_and(|version| *go < version))
        };
        // Without a go line it is Go 1.16's ways that count.
        let in_all = before(16);
        let is_1_17 = !before(17) && before(18);
        let rules = Rules {
            tests: Tests {
                of_named: true,
                of_all: true,
                in_all,
            },
            imported: true,
            tidy: true,
        };
        let run = self.run(next, &start, rules)?;
        let Some(closure) = &run.closure else {
            return Ok(run.requirements.clone());
        };
        let tidied = roots::tidied(&mut self.world, &run.requirements, closure)?;
        if is_1_17 {
            // A module for Go 1.17 is tidied so that Go 1.16, which prunes nothing, builds the same.
            let mut unpruned = Requirements::new(false, tidied.roots().to_vec());
            self.world.graph(&mut unpruned)?;
            let mut waits = false;
            for package in &closure.packages {
                waits |= find(&mut self.world, &package.path, &mut unpruned, true).is_err();
            }
            if waits {
                return Err(Wait);
            }
        }
        Ok(tidied)
    }

    /// `go list -m all` and `go mod graph`: the whole graph, and roots that are consistent with it.
    fn expanded(&mut self, next: &mut usize, start: &Requirements) -> Result<Requirements, Wait> {
        if let Some(run) = self.before(next) {
            return Ok(run.requirements.clone());
        }
        let mut requirements = start.clone();
        let graph = self.world.graph(&mut requirements)?;
        let stands = |root: &ModuleVersion| graph.get(root.path()).is_none_or(|it| it == root);
        if requirements.pruned && !requirements.roots().iter().all(stands) {
            requirements = roots::update(&mut self.world, &requirements, None, &[])?;
        }
        let graph = self.world.graph(&mut requirements)?;
        let listed = self.world.known.listed(&graph);
        self.selection.listed.extend(listed);
        self.selection.selected = (*graph).clone();
        self.keep(next, requirements.clone(), None);
        Ok(requirements)
    }

    /// Loads packages until that changes no requirement any more (load.go, loadFromRoots).
    fn run(
        &mut self,
        next: &mut usize,
        start: &Requirements,
        rules: Rules,
    ) -> Result<Arc<Run>, Wait> {
        if let Some(run) = self.before(next) {
            return Ok(run);
        }
        let mut requirements = start.clone();
        if !requirements.pruned {
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
            if !changed {
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
        let of = |module: &str, folder: &str| -> Arc<str> {
            match folder {
                "" => module.into(),
                folder => format!("{module}/{folder}").into(),
            }
        };
        match &self.subject {
            Subject::Main => {
                let main = self.world.main();
                let tree = main.tree.iter();
                let own = tree.flat_map(|tree| tree.listed(&main.ignore));
                let own = own.map(|folder| of(&main.name, folder));
                let tools = main.tools.iter().filter(|_| rules.tidy);
                Ok(own.chain(tools.map(|tool| Arc::from(&**tool))).collect())
            }
            Subject::Module(module) => {
                let path = module.path().as_str();
                let selected = match requirements.pruned {
                    true => requirements.selected(path).cloned(),
                    false => self.world.graph(requirements)?.get(path).cloned(),
                };
                let selected = selected.unwrap_or_else(|| module.clone());
                Ok(match self.world.tree(&selected)? {
                    Some(Tree::Packages(packages)) => {
                        let listed = packages.listed(&[]);
                        listed.map(|folder| of(path, folder)).collect()
                    }
                    _ => Vec::new(),
                })
            }
        }
    }

    /// The requirements with the modules of the named packages as roots, if they are none yet.
    fn provided(
        &mut self,
        requirements: &mut Requirements,
        named: &[Arc<str>],
    ) -> Result<Option<Requirements>, Wait> {
        if !requirements.pruned {
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

    /// Of modules whose packages cannot be known, all that they require is wanted, and what that requires.
    fn take_unknown_whole(&mut self) -> Result<(), Wait> {
        let mut stack = self.world.unknown();
        let mut seen: BTreeSet<ModuleVersion> = stack.iter().cloned().collect();
        let mut waits = false;
        while let Some(module) = stack.pop() {
            let file = match self.world.file(&module) {
                Ok(Some(file)) => file,
                Ok(None) => continue,
                Err(Wait) => {
                    waits = true;
                    continue;
                }
            };
            for require in &file.require {
                let main = self.world.main();
                let selected = self.selection.selected.get(require.path());
                let Some(module) = main.fetched(selected.unwrap_or(require)).cloned() else {
                    continue;
                };
                if seen.insert(module.clone()) {
                    self.world.want_zip(&module);
                    stack.push(module);
                }
            }
        }
        match waits {
            true => Err(Wait),
            false => Ok(()),
        }
    }

    /// What the next command came to, if it was gone through before.
    fn before(&self, next: &mut usize) -> Option<Arc<Run>> {
        let run = self.runs.get(*next)?;
        *next += 1;
        Some(Arc::clone(run))
    }

    fn keep(
        &mut self,
        next: &mut usize,
        requirements: Requirements,
        closure: Option<Closure>,
    ) -> Arc<Run> {
        let run = Arc::new(Run {
            requirements,
            closure,
        });
        self.runs.push(Arc::clone(&run));
        *next += 1;
        run
    }
}

#[cfg(test)]
#[path = "load/tests.rs"]
mod tests;
