//! Builds whose packages are loaded: which zips they open is known from what is in the zips that they open before.
//!
//! A [`Loader`] says what it wants, and is asked again once all of that is there. Its zips are read as soon as they are
//! verified; those that the destination holds are fetched for it as well, since what is in them says what else is needed.
//! A plan fetches no zip: it reads those that the cache has, and counts what the others may need as needed.
//!
//! A load that only completes requirements is not worth fetching again what the destination holds: what that imports was
//! carried with it, and the cache mostly has it to be read. Only where what is not selected is taken back, all has to be known.

use std::fs::File;
use std::sync::{Arc, Mutex};

use modferry_protocol::module::{ModulePath, ModuleVersion};

use super::slot::{Slot, Waiter};
use super::{Level, Session, lock};
use crate::cache::FileAt;
use crate::pool::Pool;
use crate::select::mvs::{Loaded, Main};
use crate::select::packages::constraint::Tags;
use crate::select::packages::folders::Packages;
use crate::select::packages::load::{Loader, Subject, Task};
use crate::select::packages::zip_packages;

/// What packages are loaded for.
#[derive(Clone, Debug)]
pub struct Loading {
    /// The main module.
    pub main: Main,
    /// Which packages.
    pub subject: Subject,
    /// What for.
    pub task: Task,
    /// Which files count.
    pub tags: Tags,
}

/// A loader at work.
pub(super) struct Load {
    pub(super) name: String,
    pub(super) optional: bool,
    pub(super) loader: Mutex<Loader>,
    subject: Subject,
    task: Task,
    tags: Tags,
    /// How much it waits for.
    missing: Mutex<usize>,
    /// Whether what it completed is wanted by a build.
    pub(super) built: bool,
}

impl Load {
    pub(super) fn new(name: String, loading: Loading, optional: bool) -> Load {
        Load {
            name,
            optional,
            tags: Loader::tags(loading.task, &loading.tags),
            subject: loading.subject.clone(),
            task: loading.task,
            loader: Mutex::new(Loader::new(loading.main, loading.subject, loading.task)),
            missing: Mutex::new(0),
            built: false,
        }
    }

    /// Whether it only completes requirements, and all else of the graph is wanted anyway.
    pub(super) fn completes(&self) -> bool {
        self.task == Task::Complete
    }

    /// The module that was named.
    pub(super) fn named(&self) -> Option<&ModuleVersion> {
        match &self.subject {
            Subject::Main | Subject::Required => None,
            Subject::Module(module) => Some(module),
        }
    }
}

impl Session<'_> {
    /// Begins a load: what was named is wanted, whatever else is.
    pub(super) fn begin_load<'t>(&'t self, pool: &Pool<'t>, index: usize) {
        let load = &self.loads[index];
        if let Some(named) = load.named() {
            self.want(pool, named, Level::Whole, None, load.optional);
        }
        pool.spawn(move |pool| self.go_on(pool, index));
    }

    /// Asks the loader, which has all that it wanted, what it wants next.
    fn go_on<'t>(&'t self, pool: &Pool<'t>, index: usize) {
        let load = &self.loads[index];
        let needs = lock(&load.loader).wanted();
        if needs.is_empty() {
            let selection = lock(&load.loader).selection().cloned().unwrap_or_default();
            for module in &selection.whole {
                self.want(pool, module, Level::Whole, None, load.optional);
            }
            for module in &selection.listed {
                self.want(pool, module, Level::Listed, None, true);
            }
            return;
        }
        *lock(&load.missing) = needs.len();
        for module in &needs.go_mods {
            self.want(
                pool,
                module,
                Level::Mod,
                Some(Waiter::Load(index)),
                load.optional,
            );
        }
        for module in &needs.zips {
            self.want_packages(pool, module, index);
        }
        for (path, current) in needs.newest {
            pool.spawn(move |pool| self.look_up(pool, index, path, current));
        }
    }

    /// Tells a loader what a go.mod says.
    pub(super) fn tell_load<'t>(
        &'t self,
        pool: &Pool<'t>,
        index: usize,
        module: &ModuleVersion,
        loaded: Loaded,
    ) {
        lock(&self.loads[index].loader).loaded(module, loaded);
        self.one_less(pool, index);
    }

    /// Tells a loader which version of a module is the newest.
    pub(super) fn tell_newest<'t>(
        &'t self,
        pool: &Pool<'t>,
        index: usize,
        path: &ModulePath,
        newest: Option<ModuleVersion>,
    ) {
        lock(&self.loads[index].loader).looked_up(path, newest);
        self.one_less(pool, index);
    }

    fn one_less<'t>(&'t self, pool: &Pool<'t>, index: usize) {
        let mut missing = lock(&self.loads[index].missing);
        *missing -= 1;
        if *missing == 0 {
            drop(missing);
            self.go_on(pool, index);
        }
    }

    /// Asks for a module for a loader that wants to know its packages.
    fn want_packages<'t>(&'t self, pool: &Pool<'t>, module: &ModuleVersion, index: usize) {
        let optional = self.loads[index].optional;
        self.want(pool, module, Level::Mod, None, optional);
        if let Some(slot) = self.lock().slots.get_mut(module) {
            slot.readers.push(index);
            if slot.left_out && self.zips && self.has_to_be_read(slot) {
                slot.left_out = false;
                slot.zip_begun = false;
                slot.zip_ended = false;
                self.progress.raised();
            }
        }
        self.want(pool, module, Level::Whole, None, optional);
        self.settle(pool, module);
    }

    /// Whether a loader waits for a module's packages that cannot do without, be the zip held by the destination.
    pub(super) fn has_to_be_read(&self, slot: &Slot) -> bool {
        let mut readers = slot.readers.iter().map(|index| &self.loads[*index]);
        readers.any(|load| self.thorough || !load.completes())
    }

    /// Where a module's zip is there, or never will be: tells the loaders that wait for it.
    pub(super) fn settle<'t>(&'t self, pool: &Pool<'t>, module: &ModuleVersion) {
        let mut state = self.lock();
        let Some(slot) = state.slots.get_mut(module) else {
            return;
        };
        if slot.zip.is_none() && !slot.zip_ended && !matches!(slot.loaded, Some(None)) {
            return;
        }
        let readers = std::mem::take(&mut slot.readers);
        drop(state);
        for index in readers {
            let module = module.clone();
            pool.spawn(move |pool| {
                let load = &self.loads[index];
                let packages = self.packages(&module, &load.tags);
                if packages.is_none() && !self.zips {
                    let mut state = self.lock();
                    match load.completes() {
                        true => state.unread_imports.insert(module.clone()),
                        false => state.unread.insert(module.clone()),
                    };
                }
                lock(&load.loader).opened(&module, packages);
                self.one_less(pool, index);
            });
        }
    }

    /// The packages of a module, if they can be known.
    fn packages(&self, module: &ModuleVersion, tags: &Tags) -> Option<Arc<Packages>> {
        let (path, verified) = {
            let state = self.lock();
            let slot = state.slots.get(module)?;
            if let Some((_, packages)) = slot.packages.iter().find(|(of, _)| of == tags) {
                return packages.clone();
            }
            match &slot.zip {
                Some(zip) => (zip.path.clone(), true),
                None if self.zips && !slot.left_out => return None,
                None => (self.sources.cache.path(module, "zip"), false),
            }
        };
        let read = File::open(path).and_then(FileAt::new);
        let packages = match read.map(|zip| zip_packages::read(module, &zip, tags)) {
            Ok(Ok(packages)) => Some(Arc::new(packages)),
            Ok(Err(error)) => {
                self.unknown(module, &error);
                None
            }
            Err(_) if !verified => None,
            Err(error) => {
                self.unknown(module, &error);
                None
            }
        };
        if let Some(slot) = self.lock().slots.get_mut(module) {
            slot.packages.push((tags.clone(), packages.clone()));
        }
        packages
    }

    fn unknown(&self, module: &ModuleVersion, error: &dyn std::error::Error) {
        let note = format!(
            "{module}: what its packages import cannot be read, so that all it requires is carried: {error}"
        );
        self.lock().notes.insert(note);
    }
}
