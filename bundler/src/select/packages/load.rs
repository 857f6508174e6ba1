//! How far a build goes: which go.mod files and zips the go command opens while it builds, tests or tidies.
//!
//! A [`Loader`] goes through what the go command would do, command by command, over what is known of go.mod files and
//! zips. What it would open and is not known yet is wanted; once that is there, it goes on. In the end, all that was
//! wanted is what has to be carried: modules that only might have provided a package are opened as well, and a build
//! does not go on without them.
//!
//! Where packages import what no module of the build has, `go get` and `go mod tidy` look for a module that does, and
//! require it: so does this, wherever one of them is gone through.
//!
//! A build's requirements change while it goes on, and the versions with them. What an earlier state selected stays
//! wanted, since the go command opens that too on its way.

mod run;

use std::collections::BTreeSet;
use std::sync::Arc;

use modferry_protocol::module::{ModulePath, ModuleVersion};

use super::closure::{Closure, Tests};
use super::constraint::Tags;
use super::find::find;
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
    /// To find out what tidying adds to the requirements because nothing else requires it: where all of the graph is
    /// taken anyway, only that is left to know.
    Complete,
}

/// Which packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The main module's own.
    Main,
    /// Those of a module that the main module requires.
    Module(ModuleVersion),
    /// Those of all modules that the main module requires: its own are not known, and may import any of them.
    Required,
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
    /// What nothing provides is looked for, and required.
    completes: bool,
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
            Task::Tidy | Task::Complete => Tags::Any,
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

    /// Tells which version of a module is the newest that may be chosen; `None`: there is no such module.
    pub fn looked_up(&mut self, path: &ModulePath, newest: Option<ModuleVersion>) {
        self.world.looked_up(path, newest);
    }

    /// The main module.
    pub fn main(&self) -> &Main {
        self.world.main()
    }

    /// The modules that came in because packages import them and nothing required them, once it is done.
    pub fn completed(&self) -> BTreeSet<ModuleVersion> {
        self.world.known.imported().cloned().collect()
    }

    /// Whether so many modules might have what nothing provides that not all of them were looked up.
    pub fn has_too_many(&self) -> bool {
        self.world.has_too_many()
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
        if self.task == Task::Complete {
            return self.tidy(&mut next, given).map(drop);
        }
        let expanded = self.expanded(&mut next, &given)?;
        // What is not listed may be imported, too, before it is tidied.
        if self.subject == Subject::Required && !self.world.main().lists_everything {
            self.take_graphs_whole(&[&given, &expanded])?;
        }
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
            Subject::Module(_) | Subject::Required => &[false, true],
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
                    // In a project of one's own, `go build` changes no requirement; what is named is got first.
                    completes: matches!(self.subject, Subject::Module(_)),
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
            completes: true,
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
        if !requirements.fixed && !requirements.roots().iter().all(stands) {
            requirements = roots::update(&mut self.world, &requirements, None, &[])?;
        }
        let graph = self.world.graph(&mut requirements)?;
        let listed = self.world.known.listed(&graph);
        self.selection.listed.extend(listed);
        self.selection.selected = (*graph).clone();
        self.keep(next, requirements.clone(), None);
        Ok(requirements)
    }

    /// Takes the graph as the requirements are and as it is once they are consistent.
    fn take_graphs_whole(&mut self, requirements: &[&Requirements]) -> Result<(), Wait> {
        for requirements in requirements {
            let graph = self.world.graph(&mut (*requirements).clone())?;
            let main = self.world.main();
            let fetched = graph.values().filter_map(|module| main.fetched(module));
            self.selection.whole.extend(fetched.cloned());
        }
        Ok(())
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
