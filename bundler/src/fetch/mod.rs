//! Fetches what is selected, all at once: records, go.mod files, infos and zips of many modules in parallel,
//! each verified the moment what vouches for it is there.
//!
//! For every module its record and its go.mod are asked for together. When both are there, the go.mod is held
//! against the record; only then is it believed, kept, and read for further requirements. An info and a zip
//! follow where they are needed. One pool of threads does all of it, so no transfer waits for a round of
//! others: while zips stream in, go.mod files far down another graph are still being read.

mod because;
mod builds;
mod completed;
mod dependents;
mod failure;
mod fetched;
pub mod go_mod;
mod gosum_inside;
pub mod info;
mod loads;
mod pin;
mod selected;
mod slot;
mod sources;
mod tasks;
mod want;
pub mod zip;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use modferry_protocol::module::ModuleVersion;

pub use because::{Because, What};
use builds::Build;
pub use dependents::{Dependents, MAX_DEPENDENTS};
pub use failure::{Failure, Fatal, Part};
pub use fetched::{Fetched, Module};
use loads::Load;
pub use loads::Loading;
pub use selected::Selected;
use slot::{Due, GoModBytes, Slot, State, Step, Waiter};
pub use sources::Sources;
pub use want::{Level, Want};

use crate::basis::{Holdings, Parts};
use crate::pool::Pool;
use crate::progress::Progress;
use crate::select::gosum::Sums;
use crate::select::mvs::Loaded;
use crate::select::resolve::Oracle;
use crate::upstream::goproxy::{Reason, Unavailable};

/// One run of fetching.
pub struct Session<'s> {
    sources: &'s Sources,
    oracle: &'s Oracle<'s>,
    progress: &'s Progress,
    builds: Vec<Build>,
    loads: Vec<Load>,
    sums: Vec<(PathBuf, BTreeMap<ModuleVersion, Sums>)>,
    /// go.sum files that ask for nothing.
    pins: Vec<(PathBuf, BTreeMap<ModuleVersion, Sums>)>,
    exactly: Vec<Exactly>,
    /// What the destination holds: zips and infos of that are not fetched.
    held: &'s Holdings,
    /// Whether all is read that says what else is selected.
    thorough: bool,
    /// Whether zips are fetched; otherwise only their sizes are asked for.
    zips: bool,
    state: Mutex<State>,
    checkers: Mutex<Vec<modferry_protocol::zip::Checker>>,
}

/// How many wants were begun.
#[derive(Debug, Default, PartialEq, Eq)]
struct Begun {
    builds: usize,
    loads: usize,
    sums: usize,
    exactly: usize,
}

struct Exactly {
    name: String,
    modules: BTreeMap<ModuleVersion, Level>,
    optional: bool,
}

impl<'s> Session<'s> {
    /// A run that fetches `wants`; where packages import what nothing has, it asks the oracle. Of what is held, only what says what else is wanted is fetched.
    pub fn new(
        sources: &'s Sources,
        oracle: &'s Oracle<'s>,
        progress: &'s Progress,
        wants: Vec<Want>,
        held: &'s Holdings,
    ) -> Session<'s> {
        let mut session = Session {
            sources,
            oracle,
            progress,
            builds: Vec::new(),
            loads: Vec::new(),
            sums: Vec::new(),
            pins: Vec::new(),
            exactly: Vec::new(),
            held,
            thorough: false,
            zips: sources.zips,
            state: Mutex::new(State::default()),
            checkers: Mutex::new(Vec::new()),
        };
        session.add(wants);
        session
    }

    /// The same, where all that says what else is selected has to be known, since the rest is taken back.
    pub fn thorough(self, thorough: bool) -> Session<'s> {
        Session { thorough, ..self }
    }

    /// The same; `zips` says whether zips are fetched, or only their sizes asked for.
    pub fn with_zips(self, zips: bool) -> Session<'s> {
        Session { zips, ..self }
    }

    fn add(&mut self, wants: Vec<Want>) {
        for want in wants {
            let (want, optional) = match want {
                Want::Optional(want) => (*want, true),
                want => (want, false),
            };
            match want {
                Want::Optional(want) => self.add(vec![Want::Optional(want)]),
                Want::Sums { file, sums } => self.sums.push((file, sums)),
                Want::Pins { file, sums } => self.pins.push((file, sums)),
                Want::Exactly { name, modules } => self.exactly.push(Exactly {
                    name,
                    modules,
                    optional,
                }),
                Want::Load { name, loading } => {
                    self.loads.push(Load::new(name, *loading, optional));
                }
                Want::Around {
                    name,
                    mut main,
                    modules,
                } => {
                    let paths = modules.iter().map(|module| module.path().to_string());
                    main.lists_everything = false;
                    let around = Some(paths.collect());
                    self.builds
                        .push(Build::new(name, *main, None, around, optional));
                }
                Want::Build { name, main, named } => {
                    self.builds
                        .push(Build::new(name, *main, named, None, optional));
                }
            }
        }
    }

    /// Fetches until nothing is left to fetch, or something is found that nobody may carry on after.
    ///
    /// `more` is told what is selected so far, and says what is wanted besides: nothing ends it.
    pub fn run<E: From<Fatal>>(
        mut self,
        mut more: impl FnMut(&Selected) -> Result<Vec<Want>, E>,
    ) -> Result<Fetched, E> {
        let mut begun = Begun::default();
        loop {
            Pool::run(self.sources.transfers, |pool| self.begin(pool, &begun));
            if let Some(fatal) = self.lock().fatal.take() {
                return Err(fatal.into());
            }
            // What is completed is selected before anybody is told what is.
            let mut wants = self.completed();
            if wants.is_empty() {
                wants = more(&self.selected_so_far())?;
            }
            if wants.is_empty() {
                return Ok(self.fetched());
            }
            begun = self.begun();
            self.add(wants);
        }
    }

    fn begun(&self) -> Begun {
        Begun {
            builds: self.builds.len(),
            loads: self.loads.len(),
            sums: self.sums.len(),
            exactly: self.exactly.len(),
        }
    }

    /// Begins what was not begun before.
    fn begin<'t>(&'t self, pool: &Pool<'t>, begun: &Begun) {
        if *begun == Begun::default() {
            pool.spawn(|_| {
                if let Err(error) = self.sources.sumdb.latest() {
                    tracing::debug!(%error, "no latest head");
                }
            });
        }
        for (_, sums) in &self.sums[begun.sums..] {
            for (module, sum) in sums {
                // Which of the others are in the build list a go.sum does not tell: `go list -m all` asks
                // for the infos of those.
                let level = if sum.zip.is_some() {
                    Level::Whole
                } else {
                    Level::Listed
                };
                self.want(pool, module, level, None, false);
            }
        }
        for exactly in &self.exactly[begun.exactly..] {
            for (module, level) in &exactly.modules {
                self.want(pool, module, *level, None, exactly.optional);
            }
        }
        for (index, build) in self.builds.iter().enumerate().skip(begun.builds) {
            for module in std::mem::take(&mut *lock(&build.first)) {
                self.want(
                    pool,
                    &module,
                    Level::Mod,
                    Some(Waiter::Build(index)),
                    build.optional,
                );
            }
            // Also where its own requirements select a newer version of it: it is what was asked for.
            if let Some(named) = &build.named {
                self.want(pool, named, Level::Whole, None, build.optional);
            }
            self.selected(pool, index);
        }
        for index in begun.loads..self.loads.len() {
            self.begin_load(pool, index);
        }
    }

    /// Asks for a module, or for more of one that was asked for before. The build that waits for what its
    /// go.mod says is told as soon as that is known.
    fn want<'t>(
        &'t self,
        pool: &Pool<'t>,
        module: &ModuleVersion,
        level: Level,
        waiter: Option<Waiter>,
        optional: bool,
    ) {
        let mut state = self.lock();
        let Some(slot) = state.slots.get_mut(module) else {
            self.progress.found(level);
            let private = self.sources.private_by(module);
            let mut slot = Slot::new(level, waiter, optional);
            if private.is_some() {
                slot.record = Step::Failed;
                slot.go_mod = Step::Failed;
                slot.loaded = Some(None);
            }
            let waiting = if private.is_some() {
                std::mem::take(&mut slot.waiting)
            } else {
                Vec::new()
            };
            state.slots.insert(module.clone(), slot);
            match private {
                Some(variable) => {
                    let why = Unavailable {
                        reason: Reason::Private,
                        text: format!(
                            "{variable} names it as private, and no upstream of its own is set for it (private, in modferry.yaml)"
                        ),
                    };
                    state.failures.push((module.clone(), Part::Module, why));
                    drop(state);
                    self.tell(pool, module, None, waiting);
                }
                None => {
                    drop(state);
                    let of = module.clone();
                    pool.spawn(move |pool| self.go_mod(pool, &of, false));
                    let of = module.clone();
                    pool.spawn(move |pool| self.record(pool, &of));
                }
            }
            return;
        };
        slot.needed = slot.needed.max((!optional).then_some(level));
        if level > slot.level {
            slot.level = level;
            if level == Level::Whole {
                self.progress.raised();
            }
        }
        let due = slot.due();
        let loaded = slot.loaded.clone();
        if let (Some(waiter), None) = (waiter, &loaded) {
            slot.waiting.push(waiter);
        }
        drop(state);
        self.begin_rest(pool, module, due);
        if let (Some(waiter), Some(loaded)) = (waiter, loaded) {
            self.tell(pool, module, loaded, vec![waiter]);
        }
    }

    /// Tells builds what a go.mod says, from a task of its own: what follows may tell them more.
    fn tell<'t>(
        &'t self,
        pool: &Pool<'t>,
        module: &ModuleVersion,
        loaded: Loaded,
        waiters: Vec<Waiter>,
    ) {
        for waiter in waiters {
            let (module, loaded) = (module.clone(), loaded.clone());
            pool.spawn(move |pool| {
                let index = match waiter {
                    Waiter::Build(index) => index,
                    Waiter::Load(index) => return self.tell_load(pool, index, &module, loaded),
                };
                let build = &self.builds[index];
                let wanted = lock(&build.resolver).loaded(&module, loaded);
                for module in wanted {
                    self.want(
                        pool,
                        &module,
                        Level::Mod,
                        Some(Waiter::Build(index)),
                        build.optional,
                    );
                }
                self.selected(pool, index);
            });
        }
    }

    /// Fetches what is due of a module besides its record and its go.mod.
    fn begin_rest<'t>(&'t self, pool: &Pool<'t>, module: &ModuleVersion, mut due: Due) {
        if due.zip && self.is_left_out(module) {
            due = Due::default();
            self.progress.zip_done(0);
            if let Some(slot) = self.lock().slots.get_mut(module) {
                slot.left_out = true;
                slot.zip_ended = true;
            }
            self.settle(pool, module);
        }
        if due.zip {
            let of = module.clone();
            pool.spawn_later(move |pool| match self.zips {
                true => self.zip(pool, &of),
                false => self.zip_size(pool, &of),
            });
        }
        // A plan counts no infos.
        if due.info && self.zips {
            let of = module.clone();
            pool.spawn_later(move |pool| self.info(pool, &of));
        }
    }

    /// Whether the destination holds all of it. A module that was named is fetched all the same, for its go.sum; so is one
    /// whose packages have to be read.
    fn is_left_out(&self, module: &ModuleVersion) -> bool {
        let named = || (self.builds.iter()).any(|build| build.named.as_ref() == Some(module));
        let read = || {
            let state = self.lock();
            let slot = state.slots.get(module);
            slot.is_some_and(|slot| self.has_to_be_read(slot))
        };
        self.held.parts(module).has(Parts::WHOLE) && !(self.zips && (named() || read()))
    }

    fn fail(&self, module: &ModuleVersion, part: Part, why: Unavailable) {
        self.lock().failures.push((module.clone(), part, why));
    }

    fn stop(&self, pool: &Pool<'_>, fatal: Fatal) {
        self.lock().fatal.get_or_insert(fatal);
        pool.cancel();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is read of a go.mod file that a record vouches for.
fn summarise(bytes: &[u8]) -> Result<Arc<crate::select::mvs::Summary>, String> {
    let file = crate::select::gomod::GoMod::parse_lax(bytes).map_err(|error| error.to_string())?;
    Ok(Arc::new(crate::select::mvs::Summary::of(&file)))
}
