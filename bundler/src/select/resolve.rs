//! Asks upstream what queries come to: the one place where what is selected depends on the day.
//!
//! Of a module its `list` is asked for, and `@latest` only where the list has no version, as the go command does; many
//! proxies answer 404 there, and then the newest commit is the one that the list tells of, if it does. What the
//! authors have retracted, and whether they deprecate the module, is in the go.mod of its newest version, which is
//! held against its record before a word of it counts. Each module is looked at once in a run, whatever is asked about it.
//!
//! A branch or a commit is one request, and its answer is kept as it came, with the time: it can be carried, for whoever
//! asks the same inside.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use modferry_protocol::module::{ModulePath, ModuleVersion, Revision, Version, canonical_version};
use modferry_protocol::request::Request;

use super::choose::{Admitted, Retractions, Terms, is_own_go_mod, newest_in_list};
use super::exclude::Exclude;
use super::gomod::GoMod;
use super::gover::GoVersion;
use super::query::{Kind, Query};
use super::toolchains::{self, Wanted};
use crate::cache::MAX_INFO;
use crate::fetch::go_mod::{self, GoModError};
use crate::fetch::{Fatal, Sources, info};
use crate::pool::Pool;
use crate::upstream::goproxy::{GetError, Reason, Unavailable, Upstream};

/// The largest `list` answer that is taken, in bytes: many times the longest that is known.
pub const MAX_LIST: u64 = 4 << 20;

/// A query about a module.
#[derive(Clone, Debug)]
pub struct Question {
    /// The module.
    pub path: ModulePath,
    /// What may be meant instead, where there is no such module, in this order.
    pub or: Vec<ModulePath>,
    /// What is asked of it.
    pub query: Query,
    /// The version that is selected otherwise, for `upgrade` and `patch`.
    pub current: Option<Version>,
    /// Whether pre-releases count like releases.
    pub pre_releases: bool,
    /// Whether retracted versions count.
    pub retracted: bool,
    /// Whether a version that is named has to be there: not everything that a pattern matches has it.
    pub looks: bool,
}

/// What a query came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The versions, in order.
    pub chosen: Vec<ModuleVersion>,
    /// The answer to a branch or a commit.
    pub carried: Option<QueryAnswer>,
    /// The version whose go.mod holds the module's retractions and its deprecation, where it is known: the newest, be it
    /// retracted itself.
    pub newest: Option<ModuleVersion>,
    /// Something to tell.
    pub note: Option<String>,
}

/// What upstream says that a branch or a commit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryAnswer {
    /// The module.
    pub path: ModulePath,
    /// The branch or commit.
    pub query: Revision,
    /// The `.info` that answers it, as it came.
    pub info: Vec<u8>,
    /// When it was asked for.
    pub asked: Timestamp,
}

/// Why a query comes to nothing. Displays whole, in one line.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unanswered {
    /// No upstream tells.
    #[error("{module}@{query}: {why}{}", hint(query, why))]
    Unavailable {
        /// The module.
        module: ModulePath,
        /// What was asked of it.
        query: Query,
        /// What was said instead.
        why: Unavailable,
    },
    /// No version is one that was asked for.
    #[error("{module}@{query}: no version of it fits: {known}")]
    NoVersion {
        /// The module.
        module: ModulePath,
        /// What was asked of it.
        query: Query,
        /// What there is instead.
        known: String,
    },
    /// `patch` of nothing.
    #[error(
        "{module}@patch: nothing else that is selected, and nothing that the stream has carried, has a version of it: \
         say which, as in {module}@v1.2"
    )]
    NoCurrent {
        /// The module.
        module: ModulePath,
    },
    /// An answer that is none.
    #[error("{module}@{query}: upstream's answer names no version of this module: {what}")]
    Malformed {
        /// The module.
        module: ModulePath,
        /// What was asked of it.
        query: Query,
        /// What it says.
        what: String,
    },
    /// A toolchain that there is not.
    #[error("toolchain {wanted}: upstream lists none such; the newest is {}", newest.as_ref().map_or("none", GoVersion::as_str))]
    Toolchain {
        /// Which.
        wanted: Wanted,
        /// The newest that is listed.
        newest: Option<GoVersion>,
    },
    /// What was named is excluded.
    #[error("{module}@{query}: {version} is excluded by {exclude}")]
    Excluded {
        /// The module.
        module: ModulePath,
        /// What was asked of it.
        query: Query,
        /// What it came to.
        version: Version,
        /// What excludes it.
        exclude: Exclude,
    },
}

impl Unanswered {
    /// Whether it is up to whoever asked, and no upstream has a say in it.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Unanswered::NoCurrent { .. } | Unanswered::Excluded { .. }
        )
    }

    /// Whether there may be an answer at another time: upstream failed, and did not say that there is none.
    pub fn may_change(&self) -> bool {
        matches!(self, Unanswered::Unavailable { why, .. }
            if !why.is_absence() && why.reason != Reason::Private)
    }
}

/// What to do about a refusal, where that is not plain.
fn hint(query: &Query, why: &Unavailable) -> &'static str {
    match (query.kind(), why.reason) {
        (Kind::Named(_), Reason::Status(401 | 403)) => {
            ": it does not look at branches and commits for others; say a version, or the pseudo-version"
        }
        _ => "",
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum AskError {
    /// The query comes to nothing.
    Unanswered(Box<Unanswered>),
    /// Nothing may go on.
    Fatal(Box<Fatal>),
}

impl From<Unanswered> for AskError {
    fn from(unanswered: Unanswered) -> AskError {
        AskError::Unanswered(Box::new(unanswered))
    }
}

impl From<Fatal> for AskError {
    fn from(fatal: Fatal) -> AskError {
        AskError::Fatal(Box::new(fatal))
    }
}

/// Asks upstream, each thing once.
pub struct Oracle<'s> {
    sources: &'s Sources,
    exclude: &'s [Exclude],
    known: Mutex<HashMap<ModulePath, Place>>,
}

/// What is known of one module; whoever comes second waits for the first.
type Place = Arc<Mutex<Option<Arc<Result<Known, Unavailable>>>>>;

/// What upstream says of a module.
struct Known {
    /// The proxy that said it.
    proxy: Upstream,
    /// Its `list` answer.
    list: String,
    /// The versions in it.
    versions: Vec<Version>,
    /// The newest version, retracted or not.
    newest: Option<ModuleVersion>,
    retractions: Retractions,
    note: Option<String>,
}

impl<'s> Oracle<'s> {
    /// Asks these sources, and never chooses what is excluded.
    pub fn new(sources: &'s Sources, exclude: &'s [Exclude]) -> Oracle<'s> {
        Oracle {
            sources,
            exclude,
            known: Mutex::default(),
        }
    }

    /// Whether a version is never chosen.
    pub fn excludes(&self, module: &ModuleVersion) -> bool {
        let covers = |exclude: &Exclude| exclude.covers(module.path(), module.version());
        self.exclude.iter().any(covers)
    }

    /// The answers to all questions, in their order, asked for at once.
    pub fn ask_all(
        &self,
        questions: &[Question],
    ) -> Result<Vec<Result<Answer, Unanswered>>, Fatal> {
        let answers: Vec<Mutex<Option<Result<Answer, AskError>>>> =
            questions.iter().map(|_| Mutex::new(None)).collect();
        Pool::run(self.sources.transfers, |pool| {
            for (question, place) in questions.iter().zip(&answers) {
                pool.spawn(move |_| *lock(place) = Some(self.ask(question)));
            }
        });
        let mut all = Vec::with_capacity(questions.len());
        for place in answers {
            match place.into_inner().unwrap_or_else(PoisonError::into_inner) {
                Some(Ok(answer)) => all.push(Ok(answer)),
                Some(Err(AskError::Unanswered(why))) => all.push(Err(*why)),
                Some(Err(AskError::Fatal(fatal))) => return Err(*fatal),
                None => {}
            }
        }
        Ok(all)
    }

    /// The versions of Go that upstream has toolchains of, for whatever platform.
    pub fn toolchains(&self) -> Result<BTreeSet<GoVersion>, Box<Unanswered>> {
        let Ok(path) = ModulePath::new(toolchains::MODULE) else {
            return Ok(BTreeSet::new());
        };
        match self.list(&path) {
            Ok((_, list)) => Ok(toolchains::listed(versions(&path, &list).iter())),
            Err(why) => Err(Box::new(Unanswered::Unavailable {
                module: path,
                query: Query::latest(),
                why,
            })),
        }
    }

    /// The answer to one question. Where several modules may be meant, it is about the first that upstream has; where
    /// it has none of them, it says so of the first.
    pub fn ask(&self, question: &Question) -> Result<Answer, AskError> {
        if question.or.is_empty() {
            return self.ask_one(question);
        }
        let mut refusal = None;
        for path in std::iter::once(&question.path).chain(&question.or) {
            let one = Question {
                path: path.clone(),
                or: Vec::new(),
                looks: true,
                ..question.clone()
            };
            match self.ask_one(&one) {
                Err(AskError::Unanswered(why)) => drop(refusal.get_or_insert(why)),
                answer => return answer,
            }
        }
        match refusal {
            Some(why) => Err(AskError::Unanswered(why)),
            None => Ok(Answer::default()),
        }
    }

    fn ask_one(&self, question: &Question) -> Result<Answer, AskError> {
        let path = &question.path;
        let exact = match question.query.kind() {
            Kind::Named(name) => ModuleVersion::parse(path.as_str(), name.as_str()).ok(),
            _ => None,
        };
        if let Some(variable) = self.sources.private_path_by(path)
            && (exact.is_none() || question.looks)
        {
            let text =
                format!("{variable} names it as private: no public upstream is asked for it");
            let reason = Reason::Private;
            return Err(self.unavailable(question, Unavailable { reason, text }));
        }
        if let Some(module) = exact {
            self.refuse_excluded(question, &module)?;
            if question.looks {
                self.info(question, module.clone())?;
            }
            return Ok(Answer {
                chosen: vec![module],
                ..Answer::default()
            });
        }
        if let Kind::Named(name) = question.query.kind() {
            return self.named(question, name);
        }
        if matches!(question.query.kind(), Kind::Patch) && question.current.is_none() {
            let module = path.clone();
            return Err(Unanswered::NoCurrent { module }.into());
        }
        let known = self.known(path)?;
        let known = match known.as_ref() {
            Ok(known) => known,
            Err(why) => return Err(self.unavailable(question, why.clone())),
        };
        let chosen = self.choose(question, known)?;
        Ok(Answer {
            chosen,
            carried: None,
            newest: known.newest.clone(),
            note: known.note.clone(),
        })
    }

    /// A branch, a commit, or a version that cannot be one of the module as it stands.
    fn named(&self, question: &Question, name: &Revision) -> Result<Answer, AskError> {
        let path = &question.path;
        let exact = |version: &str| ModuleVersion::parse(path.as_str(), version).ok();
        let asked = Timestamp::now();
        let get = |name: &Revision| {
            let request = Request::info(path.clone(), name.clone());
            self.sources.upstream.get(&request, MAX_INFO)
        };
        let mut carried = Some(name);
        let info = get(name).or_else(|why| {
            // A version with build metadata means the one without, where there is no such tag.
            let canonical = canonical_version(name.as_str());
            match Revision::new(&canonical) {
                Ok(canonical) if canonical != *name => {
                    carried = None;
                    get(&canonical).map_err(|_| why)
                }
                _ => Err(why),
            }
        });
        let info = info.map_err(|why| self.unavailable(question, why))?;
        let module = version_in(&info).and_then(|version| exact(&version));
        let module = module.ok_or_else(|| Unanswered::Malformed {
            module: path.clone(),
            query: question.query.clone(),
            what: excerpt(&info),
        })?;
        self.refuse_excluded(question, &module)?;
        Ok(Answer {
            chosen: vec![module],
            carried: carried.map(|name| QueryAnswer {
                path: path.clone(),
                query: name.clone(),
                info: info.clone(),
                asked,
            }),
            ..Answer::default()
        })
    }

    fn refuse_excluded(&self, question: &Question, module: &ModuleVersion) -> Result<(), AskError> {
        let covers = |exclude: &&Exclude| exclude.covers(module.path(), module.version());
        match self.exclude.iter().find(covers) {
            None => Ok(()),
            Some(exclude) => Err(Unanswered::Excluded {
                module: question.path.clone(),
                query: question.query.clone(),
                version: module.version().clone(),
                exclude: exclude.clone(),
            }
            .into()),
        }
    }

    fn choose(&self, question: &Question, known: &Known) -> Result<Vec<ModuleVersion>, AskError> {
        let (path, query) = (&question.path, &question.query);
        let terms = Terms {
            path,
            current: question.current.as_ref(),
        };
        let excluded = |version: &Version| self.exclude.iter().any(|e| e.covers(path, version));
        let allowed = |version: &Version| {
            !excluded(version) && (question.retracted || !known.retractions.cover(version))
        };
        let mut admitted = query.admitted(&known.versions, &terms, allowed);
        if let Kind::Since(since, _) = query.kind() {
            let times = self.times(question, &admitted)?;
            admitted.retain(|version| times.get(version).is_some_and(|time| time >= since));
        }
        let own = self.hinge_has_go_mod(question, &admitted)?;
        let chosen = query.choose(admitted, own, question.pre_releases);
        let of_module = |version: &Version| ModuleVersion::new(path.clone(), version.clone()).ok();
        if let [only] = chosen.as_slice()
            && let Some(current) = terms.current
            && current.is_pseudo()
            && matches!(query.kind(), Kind::Upgrade | Kind::Patch)
        {
            let time = self.time(question, only)?;
            if query.stays(&terms, time) && allowed(current) {
                return Ok(of_module(current).into_iter().collect());
            }
        }
        if !chosen.is_empty() {
            return Ok(chosen.iter().filter_map(of_module).collect());
        }
        if query.may_use_commit(&terms) {
            let commit = newest_commit(path, known);
            let commit = commit.map_err(|why| self.unavailable(question, why))?;
            let since = match query.kind() {
                Kind::Since(since, _) => Some(*since),
                _ => None,
            };
            if let Some(commit) = commit
                && query.admits(commit.version(), &terms)
                && allowed(commit.version())
                && match since {
                    Some(since) => self.time(question, commit.version())? >= since,
                    None => true,
                }
            {
                return Ok(vec![commit]);
            }
        }
        if let (Kind::Upgrade | Kind::Patch, Some(current)) = (query.kind(), terms.current)
            && allowed(current)
        {
            return Ok(of_module(current).into_iter().collect());
        }
        Err(Unanswered::NoVersion {
            module: path.clone(),
            query: query.clone(),
            known: self.in_words(question, known, &terms),
        }
        .into())
    }

    /// What there is, for whoever asked for something else.
    fn in_words(&self, question: &Question, known: &Known, terms: &Terms<'_>) -> String {
        let admitted = question.query.admitted(&known.versions, terms, |_| true);
        let retracted = admitted
            .versions()
            .iter()
            .filter(|v| known.retractions.cover(v));
        match (known.versions.last(), retracted.count()) {
            (_, some @ 1..) if !question.retracted => format!(
                "{some} that would {} retracted (`retracted: true` takes such)",
                if some == 1 { "is" } else { "are" }
            ),
            (None, _) => "upstream lists no version, and does not tell the newest commit: say a pseudo-version".into(),
            (Some(newest), _) => format!("upstream lists {}, the highest {newest}", known.versions.len()),
        }
    }

    /// Whether the last compatible version is a module of its own, where that decides anything.
    fn hinge_has_go_mod(&self, question: &Question, admitted: &Admitted) -> Result<bool, AskError> {
        let Some(hinge) = admitted.hinge() else {
            return Ok(true);
        };
        let Ok(module) = ModuleVersion::new(question.path.clone(), hinge.clone()) else {
            return Ok(true);
        };
        match go_mod::of(self.sources, &module) {
            Ok(bytes) => Ok(is_own_go_mod(&question.path, &bytes)),
            Err(GoModError::Refused(why)) => Err(self.unavailable(question, why)),
            Err(GoModError::Fatal(fatal)) => Err(AskError::Fatal(fatal)),
        }
    }

    fn known(&self, path: &ModulePath) -> Result<Arc<Result<Known, Unavailable>>, AskError> {
        let place = {
            let mut known = lock(&self.known);
            Arc::clone(known.entry(path.clone()).or_default())
        };
        let mut place = lock(&place);
        if let Some(known) = &*place {
            return Ok(Arc::clone(known));
        }
        let known = Arc::new(match self.look(path) {
            Ok(known) => Ok(known),
            Err(GoModError::Refused(why)) => Err(why),
            Err(GoModError::Fatal(fatal)) => return Err(AskError::Fatal(fatal)),
        });
        *place = Some(Arc::clone(&known));
        Ok(known)
    }

    /// The `list` answer, and the proxy that gave it.
    fn list(&self, path: &ModulePath) -> Result<(Upstream, String), Unavailable> {
        self.sources.upstream.each_alone(path, |proxy| {
            let list = proxy.get(&Request::List(path.clone()), MAX_LIST)?;
            Ok((proxy, String::from_utf8_lossy(&list).into_owned()))
        })
    }

    /// Asks for the list, and reads the newest version's go.mod.
    fn look(&self, path: &ModulePath) -> Result<Known, GoModError> {
        let (proxy, list) = self.list(path).map_err(GoModError::Refused)?;
        let mut known = Known {
            versions: versions(path, &list),
            proxy,
            list,
            newest: None,
            retractions: Retractions::default(),
            note: None,
        };
        // The newest of all, as the go command finds where retractions are: it looks at no retraction for that.
        let any = Question {
            or: Vec::new(),
            path: path.clone(),
            query: Query::latest(),
            current: None,
            pre_releases: false,
            retracted: true,
            looks: false,
        };
        let everything = Oracle::new(self.sources, &[]);
        let unknown = |why: String| {
            Some(format!(
                "{path}: what its authors have retracted is not known: {why}"
            ))
        };
        let newest = match everything.choose(&any, &known) {
            Ok(chosen) => chosen.into_iter().next(),
            Err(AskError::Unanswered(why)) => {
                if let Unanswered::Unavailable { why, .. } = *why {
                    known.note = unknown(why.to_string());
                }
                None
            }
            Err(AskError::Fatal(fatal)) => return Err(GoModError::Fatal(fatal)),
        };
        let Some(newest) = newest else {
            return Ok(known);
        };
        match go_mod::of(self.sources, &newest) {
            Ok(bytes) => match GoMod::parse_lax(&bytes) {
                Ok(file) => known.retractions = Retractions::of(&file),
                Err(error) => known.note = unknown(format!("go.mod of {newest}: {error}")),
            },
            // As for the go command, what cannot be read forbids nothing.
            Err(GoModError::Refused(why)) => known.note = unknown(why.to_string()),
            Err(fatal) => return Err(fatal),
        }
        known.newest = Some(newest);
        Ok(known)
    }

    /// When each of these versions was made.
    fn times(
        &self,
        question: &Question,
        admitted: &Admitted,
    ) -> Result<HashMap<Version, Timestamp>, AskError> {
        let found: Mutex<Vec<Result<(Version, Timestamp), AskError>>> = Mutex::default();
        Pool::run(self.sources.transfers, |pool| {
            for version in admitted.versions() {
                let found = &found;
                pool.spawn(move |_| {
                    let time = self.time(question, version);
                    lock(found).push(time.map(|time| (version.clone(), time)));
                });
            }
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.into_iter().collect()
    }

    /// When a version was made, as its info says.
    fn time(&self, question: &Question, version: &Version) -> Result<Timestamp, AskError> {
        let malformed = |what: String| {
            AskError::from(Unanswered::Malformed {
                module: question.path.clone(),
                query: question.query.clone(),
                what,
            })
        };
        let module = ModuleVersion::new(question.path.clone(), version.clone())
            .map_err(|error| malformed(error.to_string()))?;
        let bytes = self.info(question, module)?;
        time_in(&bytes)
            .ok_or_else(|| malformed(format!("{version} has no time: {}", excerpt(&bytes))))
    }

    fn info(&self, question: &Question, module: ModuleVersion) -> Result<Vec<u8>, AskError> {
        match info::of(self.sources, &module) {
            Ok(bytes) => Ok(bytes),
            Err(GetError::Refused(why)) => Err(self.unavailable(question, why)),
            Err(GetError::Local(source)) => Err(Fatal::Cache { module, source }.into()),
        }
    }

    fn unavailable(&self, question: &Question, why: Unavailable) -> AskError {
        Unanswered::Unavailable {
            module: question.path.clone(),
            query: question.query.clone(),
            why,
        }
        .into()
    }
}

/// The commit that `@latest` names; where there is no `@latest`, the newest that the list tells of.
fn newest_commit(path: &ModulePath, known: &Known) -> Result<Option<ModuleVersion>, Unavailable> {
    let version = match known.proxy.get(&Request::Latest(path.clone()), MAX_INFO) {
        Ok(info) => version_in(&info),
        Err(why) if why.is_absence() => newest_in_list(&known.list).map(str::to_owned),
        Err(why) => return Err(why),
    };
    Ok(version.and_then(|version| ModuleVersion::parse(path.as_str(), &version).ok()))
}

/// The tagged versions of a `list` answer, in order. What is no version of this module is passed over.
fn versions(path: &ModulePath, list: &str) -> Vec<Version> {
    let named = list
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let modules = named.filter_map(|name| ModuleVersion::parse(path.as_str(), name).ok());
    let mut versions: Vec<Version> = modules
        .map(|module| module.into_parts().1)
        .filter(|version| !version.is_pseudo())
        .collect();
    versions.sort();
    versions.dedup();
    versions
}

#[derive(serde::Deserialize)]
struct Info {
    #[serde(rename = "Version")]
    version: String,
    #[serde(rename = "Time")]
    time: Option<String>,
}

fn version_in(info: &[u8]) -> Option<String> {
    serde_json::from_slice(info)
        .ok()
        .map(|info: Info| info.version)
}

/// When an info says that its version was made.
pub fn time_in(info: &[u8]) -> Option<Timestamp> {
    let info: Info = serde_json::from_slice(info).ok()?;
    info.time?.parse().ok()
}

/// What an answer begins with, in one line.
fn excerpt(bytes: &[u8]) -> String {
    const SHOWN: usize = 80;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    format!("{text:?}")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "resolve/tests.rs"]
mod tests;
