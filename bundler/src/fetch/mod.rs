//! Fetches what is selected, all at once: records, go.mod files, infos and zips of many modules in parallel,
//! each verified the moment what vouches for it is there.
//!
//! For every module its record and its go.mod are asked for together. When both are there, the go.mod is held
//! against the record; only then is it believed, kept, and read for further requirements. An info and a zip
//! follow where they are needed. One pool of threads does all of it, so no transfer waits for a round of
//! others: while zips stream in, go.mod files far down another graph are still being read.

mod because;
mod failure;
pub mod go_mod;
mod gosum_inside;
pub mod info;
mod loads;
mod pin;
mod slot;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use modferry_protocol::module::{ModulePath, ModuleVersion, Version, pattern};
use modferry_protocol::sumdb::Record;

pub use because::{Because, What};
pub use failure::{Failure, Fatal, Part};
use loads::Load;
pub use loads::Loading;
use slot::{Due, GoModBytes, Slot, State, Step, Waiter};

use crate::basis::{Holdings, Parts};
use crate::cache::{Cache, ZipFile};
use crate::pool::Pool;
use crate::progress::Progress;
use crate::select::gosum::Sums;
use crate::select::mvs::{Loaded, Main, Resolver, Selection};
use crate::select::resolve::QueryAnswer;
use crate::sumdb::client::Client;
use crate::upstream::goproxy::{Reason, Unavailable, Upstream};

/// No more notes than this about things that would be nice to have.
const MAX_NOTES: usize = 10;

/// How much of a module is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Its go.mod, for version selection.
    Mod,
    /// Its go.mod and its info: it is in a build list, and `go list -m all` asks for its time.
    Listed,
    /// Info, go.mod and zip.
    Whole,
}

/// Something to fetch.
#[derive(Clone, Debug)]
pub enum Want {
    /// Exactly these, which this go.sum names.
    Sums {
        /// The go.sum file.
        file: PathBuf,
        /// What it says.
        sums: BTreeMap<ModuleVersion, Sums>,
    },
    /// Nothing more, but what is fetched of these must have the hashes that this go.sum names.
    Pins {
        /// The go.sum file.
        file: PathBuf,
        /// What it says.
        sums: BTreeMap<ModuleVersion, Sums>,
    },
    /// What this build needs.
    Build {
        /// As a failure names it: the argument, or the go.mod file.
        name: String,
        /// Its main module.
        main: Box<Main>,
        /// The module that was named, whose own go.sum says what its tests need.
        named: Option<ModuleVersion>,
    },
    /// What loading these packages opens.
    Load {
        /// As a failure names it: the argument, or the go.mod file.
        name: String,
        /// Which packages, and what for.
        loading: Box<Loading>,
    },
    /// What the go command reads when it builds from these modules: the go.mod files of the graph, and of what that
    /// selects the zips of these modules and of those in which it looks for their packages, too, because their paths
    /// begin alike.
    Around {
        /// As a failure names it.
        name: String,
        /// Whose graph it is.
        main: Box<Main>,
        /// The modules.
        modules: BTreeSet<ModuleVersion>,
    },
    /// Exactly these, and nothing of what they require.
    Exactly {
        /// As a failure names them.
        name: String,
        /// How much of each.
        modules: BTreeMap<ModuleVersion, Level>,
    },
    /// What nobody named: what cannot be had of it is told, and is no failure.
    Optional(Box<Want>),
}

impl Want {
    /// The modules that are fetched because they are named.
    pub fn named(&self) -> Vec<&ModuleVersion> {
        match self {
            Want::Sums { sums, .. } => sums.keys().collect(),
            Want::Build { main, .. } | Want::Around { main, .. } => {
                let required = main.summary.require.iter();
                required.filter_map(|module| main.fetched(module)).collect()
            }
            Want::Load { loading, .. } => {
                let main = &loading.main;
                let required = main.summary.require.iter();
                required.filter_map(|module| main.fetched(module)).collect()
            }
            Want::Exactly { modules, .. } => modules.keys().collect(),
            Want::Pins { .. } => Vec::new(),
            Want::Optional(want) => want.named(),
        }
    }
}

/// Where things come from and go.
pub struct Sources {
    /// Module proxies.
    pub upstream: Upstream,
    /// The checksum database.
    pub sumdb: Client,
    /// What was downloaded before.
    pub cache: Cache,
    /// Patterns of modules that no request may name, with the variable that has them.
    pub private: Vec<(&'static str, String)>,
    /// Transfers at once.
    pub transfers: usize,
    /// Whether zips are fetched; otherwise only their sizes are asked for.
    pub zips: bool,
}

impl Sources {
    /// The variable whose patterns keep this module away from public upstreams, where it has no upstream of its own.
    pub fn private_by(&self, module: &ModuleVersion) -> Option<&'static str> {
        self.private_path_by(module.path())
    }

    /// The same of a module path.
    pub fn private_path_by(&self, path: &ModulePath) -> Option<&'static str> {
        if self.upstream.private(path).is_some() {
            return None;
        }
        self.private
            .iter()
            .find(|(_, globs)| pattern::match_prefix_patterns(globs, path.as_str()))
            .map(|(name, _)| *name)
    }

    /// Whether the path begins that of modules that are private, and no upstream is known that may be told of it.
    pub fn is_above_private(&self, path: &ModulePath) -> bool {
        let routed = self.upstream.private(path).is_some();
        let above = |globs: &str| {
            pattern::match_prefix_patterns_or_above(globs, path.as_str())
                && !pattern::match_prefix_patterns(globs, path.as_str())
        };
        !routed
            && (self.upstream.is_above_private(path)
                || self.private.iter().any(|(_, globs)| above(globs)))
    }
}

/// A module that was fetched and verified against its record.
#[derive(Clone, Debug)]
pub struct Module {
    /// How much of it was wanted.
    pub level: Level,
    /// Whether its zip is only nice to have: nothing that was asked for needs it.
    pub optional: bool,
    /// Its record, not yet proven to be in the tree.
    pub record: Record,
    /// Whether its info is in the cache.
    pub info: bool,
    /// Its zip, in the cache.
    pub zip: Option<ZipFile>,
    /// Its zip's size, where it was only asked for.
    pub zip_size: Option<u64>,
}

/// What a run fetched.
#[derive(Debug, Default)]
pub struct Fetched {
    /// Every module of which record and go.mod are there.
    pub modules: BTreeMap<ModuleVersion, Module>,
    /// What upstream answered to queries.
    pub answers: Vec<QueryAnswer>,
    /// Why each of them, and each that cannot be had, is selected.
    pub because: BTreeMap<ModuleVersion, Because>,
    /// What cannot be had.
    pub failures: Vec<Failure>,
    /// What was wanted, and is not among the modules: how much of it.
    pub unfinished: BTreeMap<ModuleVersion, Level>,
    /// Whether something that says what is wanted could not be read.
    pub uncertain: bool,
    /// Things to tell: folders that stand in for modules, sums that were passed over.
    pub notes: BTreeSet<String>,
}

impl Fetched {
    /// Notes that something of a module that is selected cannot be had.
    pub fn fail(&mut self, module: ModuleVersion, part: Part, why: Unavailable) {
        let because = self.because.get(&module);
        self.failures.push(Failure {
            required_by: because.map(Because::line).unwrap_or_default(),
            module,
            part,
            why,
        });
    }
}

/// One run of fetching.
pub struct Session<'s> {
    sources: &'s Sources,
    progress: &'s Progress,
    builds: Vec<Build>,
    loads: Vec<Load>,
    sums: Vec<(PathBuf, BTreeMap<ModuleVersion, Sums>)>,
    /// go.sum files that ask for nothing.
    pins: Vec<(PathBuf, BTreeMap<ModuleVersion, Sums>)>,
    exactly: Vec<Exactly>,
    /// What the destination holds: zips and infos of that are not fetched.
    held: &'s Holdings,
    state: Mutex<State>,
    checkers: Mutex<Vec<modferry_protocol::zip::Checker>>,
}

/// What is selected so far, by whatever way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// The highest version of each module, in build lists and besides.
    pub versions: BTreeMap<ModulePath, Version>,
    /// The modules that are carried whole.
    pub whole: BTreeSet<ModulePath>,
    /// The `go` lines of what is carried whole.
    pub go_lines: BTreeSet<String>,
}

impl Selected {
    fn add(&mut self, module: &ModuleVersion) {
        let version = self.versions.entry(module.path().clone());
        let version = version.or_insert_with(|| module.version().clone());
        if module.version() > version {
            *version = module.version().clone();
        }
    }
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

struct Build {
    name: String,
    named: Option<ModuleVersion>,
    /// Of all that is selected, only the zips of these modules and of those above and below them count.
    around: Option<BTreeSet<String>>,
    optional: bool,
    resolver: Mutex<Resolver>,
    first: Mutex<Vec<ModuleVersion>>,
    asked_own_sums: Mutex<bool>,
}

impl Build {
    /// Whether the zip of what is selected counts. Below `a/b`, the go command looks for packages in `a`, `a/b` and
    /// `a/b/c`, where those are in the build list.
    fn has_zip_of(&self, module: &ModuleVersion) -> bool {
        let Some(around) = &self.around else {
            return true;
        };
        let path = module.path().as_str();
        let mut above = path.match_indices('/').map(|(end, _)| &path[..end]);
        let below = format!("{path}/");
        around.contains(path)
            || above.any(|path| around.contains(path))
            || around.iter().any(|path| path.starts_with(&below))
    }
}

impl<'s> Session<'s> {
    /// A run that fetches `wants`. Of what is held, only what says what else is wanted is fetched.
    pub fn new(
        sources: &'s Sources,
        progress: &'s Progress,
        wants: Vec<Want>,
        held: &'s Holdings,
    ) -> Session<'s> {
        let mut session = Session {
            sources,
            progress,
            builds: Vec::new(),
            loads: Vec::new(),
            sums: Vec::new(),
            pins: Vec::new(),
            exactly: Vec::new(),
            held,
            state: Mutex::new(State::default()),
            checkers: Mutex::new(Vec::new()),
        };
        session.add(wants);
        session
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
                    let around = Some(paths.collect());
                    main.lists_everything = false;
                    let (resolver, first) = Resolver::new(*main);
                    self.builds.push(Build {
                        name,
                        named: None,
                        around,
                        optional,
                        resolver: Mutex::new(resolver),
                        first: Mutex::new(first),
                        asked_own_sums: Mutex::new(false),
                    });
                }
                Want::Build { name, main, named } => {
                    let (resolver, first) = Resolver::new(*main);
                    self.builds.push(Build {
                        name,
                        named,
                        around: None,
                        optional,
                        resolver: Mutex::new(resolver),
                        first: Mutex::new(first),
                        asked_own_sums: Mutex::new(false),
                    });
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
            let wants = more(&self.selected_so_far())?;
            if wants.is_empty() {
                return Ok(self.fetched());
            }
            begun = self.begun();
            self.add(wants);
        }
    }

    /// What was fetched, and what was not.
    fn fetched(&self) -> Fetched {
        let state = std::mem::take(&mut *self.lock());
        let mut fetched = Fetched {
            notes: state.notes,
            uncertain: state.uncertain,
            ..Fetched::default()
        };
        let mut optional = BTreeSet::new();
        for (module, part, why) in state.failures {
            let slot = state.slots.get(&module);
            if matches!(part, Part::Info | Part::Zip) && self.held.parts(&module).has(Parts::WHOLE)
            {
                fetched.uncertain = true;
                fetched.notes.insert(format!(
                    "the destination holds {module}; what its own go.sum names is not known, for its {} cannot be \
                     had: {}",
                    part.name(),
                    why.text
                ));
                continue;
            }
            let least = match part {
                Part::Module | Part::Record | Part::GoMod => Level::Mod,
                Part::Info | Part::Zip => Level::Whole,
            };
            let needed = slot.is_some_and(|slot| slot.needed >= Some(least));
            if !needed {
                // What it requires would be selected, too.
                fetched.uncertain |= matches!(part, Part::Module | Part::Record | Part::GoMod);
                optional.insert(format!(
                    "not carried, and no build needs it: {} of {module}: {}",
                    part.name(),
                    why.text
                ));
                continue;
            }
            fetched.failures.push(Failure {
                required_by: self.because(&module, None).line(),
                module,
                part,
                why,
            });
        }
        let more = optional.len().saturating_sub(MAX_NOTES);
        fetched.notes.extend(optional.into_iter().take(MAX_NOTES));
        if more > 0 {
            fetched
                .notes
                .insert(format!("not carried, and no build needs it: {more} more"));
        }
        fetched
            .failures
            .sort_by(|a, b| (&a.module, a.part).cmp(&(&b.module, b.part)));
        let of_builds = self.builds.iter().filter_map(|build| {
            let selection = lock(&build.resolver).selection().cloned()?;
            Some((&build.name, selection.folders))
        });
        let of_loads = self.loads.iter().filter_map(|load| {
            let selection = lock(&load.loader).selection().cloned()?;
            Some((&load.name, selection.folders))
        });
        for (name, folders) in of_builds.chain(of_loads) {
            fetched.notes.extend(folders.iter().map(|folder| {
                format!("{name}: {folder} stands in for a module and is not carried")
            }));
        }
        if state.unread > 0 {
            fetched.notes.insert(format!(
                "{} zips are not in the cache, so that what their packages need is not known: all that they require is \
                 counted, and an export may find less",
                state.unread
            ));
        }
        for module in self.required() {
            if !state.slots.contains_key(&module) {
                let because = self.because(&module, None);
                fetched.because.insert(module, because);
            }
        }
        for (module, slot) in state.slots {
            let because = self.because(&module, Some(slot.level));
            fetched.because.insert(module.clone(), because);
            let (Step::Got(record), Some(Some(_))) = (slot.record, slot.loaded) else {
                fetched.unfinished.insert(module, slot.level);
                continue;
            };
            let entry = Module {
                level: slot.level,
                optional: slot.needed < Some(Level::Whole),
                record,
                info: slot.info,
                zip: slot.zip,
                zip_size: slot.zip_size,
            };
            fetched.modules.insert(module, entry);
        }
        fetched
    }

    fn begun(&self) -> Begun {
        Begun {
            builds: self.builds.len(),
            loads: self.loads.len(),
            sums: self.sums.len(),
            exactly: self.exactly.len(),
        }
    }

    fn selected_so_far(&self) -> Selected {
        let mut selected = Selected::default();
        for build in &self.builds {
            if let Some(selection) = lock(&build.resolver).selection() {
                selection.selected.values().for_each(|m| selected.add(m));
            }
            build.named.iter().for_each(|module| selected.add(module));
        }
        for load in &self.loads {
            if let Some(selection) = lock(&load.loader).selection() {
                selection.selected.values().for_each(|m| selected.add(m));
            }
            load.named().iter().for_each(|module| selected.add(module));
        }
        for (_, sums) in &self.sums {
            let whole = sums.iter().filter(|(_, sum)| sum.zip.is_some());
            whole.for_each(|(module, _)| selected.add(module));
        }
        for exactly in &self.exactly {
            let whole = exactly
                .modules
                .iter()
                .filter(|(_, level)| **level == Level::Whole);
            whole.for_each(|(module, _)| selected.add(module));
        }
        for (module, slot) in &self.lock().slots {
            if let (Level::Whole, Some(Some(summary))) = (slot.level, &slot.loaded) {
                selected.whole.insert(module.path().clone());
                selected.go_lines.extend(summary.go.clone());
            }
        }
        selected
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

    /// Fetches what a build's selection came to, once it has.
    fn selected<'t>(&'t self, pool: &Pool<'t>, index: usize) {
        let build = &self.builds[index];
        let selection = lock(&build.resolver).selection().cloned();
        if let Some(selection) = selection {
            for module in &selection.whole {
                if build.has_zip_of(module) {
                    self.want(pool, module, Level::Whole, None, build.optional);
                }
            }
            for module in &selection.listed {
                self.want(pool, module, Level::Listed, None, true);
            }
            self.own_sums(pool, index, &selection);
        }
    }

    /// A named module's own go.sum tells what its tests and those of its packages need besides: what its
    /// authors' `go mod tidy` wrote. Of that, what the selection agrees with is carried where it can be had.
    fn own_sums<'t>(&'t self, pool: &Pool<'t>, index: usize, selection: &Selection) {
        let build = &self.builds[index];
        let Some(named) = &build.named else { return };
        let zip = self
            .lock()
            .slots
            .get(named)
            .and_then(|slot| slot.zip.clone());
        let Some(zip) = zip else { return };
        if std::mem::replace(&mut *lock(&build.asked_own_sums), true) {
            return;
        }
        match gosum_inside::read(named, &zip.path) {
            Ok(sums) => {
                for (module, sum) in sums {
                    let agreed = selection.selected.get(module.path()) == Some(&module);
                    if sum.zip.is_some() && agreed {
                        self.want(pool, &module, Level::Whole, None, true);
                    }
                }
            }
            Err(error) => {
                let mut state = self.lock();
                state.uncertain = true;
                state
                    .notes
                    .insert(format!("{named}: its go.sum cannot be used: {error}"));
            }
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
            pool.spawn_later(move |pool| match self.sources.zips {
                true => self.zip(pool, &of),
                false => self.zip_size(pool, &of),
            });
        }
        // A plan counts no infos.
        if due.info && self.sources.zips {
            let of = module.clone();
            pool.spawn_later(move |pool| self.info(pool, &of));
        }
    }

    /// Whether the destination holds all of it. A module that was named is fetched all the same, for its go.sum; so is one
    /// whose packages are to be read.
    fn is_left_out(&self, module: &ModuleVersion) -> bool {
        let named = || (self.builds.iter()).any(|build| build.named.as_ref() == Some(module));
        let read = || {
            let state = self.lock();
            let slot = state.slots.get(module);
            slot.is_some_and(|slot| !slot.readers.is_empty())
        };
        self.held.parts(module).has(Parts::WHOLE) && !(self.sources.zips && (named() || read()))
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
