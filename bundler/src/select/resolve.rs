//! Asks upstream what queries come to: the one place where what is selected depends on the day.
//!
//! Of a module its `list` is asked for, and `@latest` only where the list has no version, as the go command does; many
//! proxies answer 404 there, and then the newest commit is the one that the list tells of, if it does. What the
//! authors have retracted, and whether they deprecate the module, is in the go.mod of its newest version, which is
//! held against its record before a word of it counts. Each module is looked at once in a run, whatever is asked about it.
//!
//! A branch or a commit is one request, and its answer is kept as it came, with the time: it can be carried, for whoever
//! asks the same inside.

mod choosing;
mod info;
mod known;
mod package;
mod question;
mod unanswered;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use modferry_protocol::module::{ModulePath, ModuleVersion, Revision, canonical_version};
use modferry_protocol::request::Request;

pub use info::time_in;
use info::{excerpt, version_in};
pub use known::MAX_LIST;
use known::{Place, versions};
pub use question::{Answer, QueryAnswer, Question};
pub use unanswered::{AskError, Unanswered};

use super::exclude::Exclude;
use super::gover::GoVersion;
use super::query::{Kind, Query};
use super::toolchains;
use crate::cache::MAX_INFO;
use crate::fetch::{Fatal, Sources};
use crate::pool::Pool;
use crate::upstream::goproxy::{Reason, Unavailable};

/// Asks upstream, each thing once.
pub struct Oracle<'s> {
    sources: &'s Sources,
    exclude: &'s [Exclude],
    known: Mutex<HashMap<ModulePath, Place>>,
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

    /// The answer to one question. Where the path may be that of a package, it may be about a module above it.
    pub fn ask(&self, question: &Question) -> Result<Answer, AskError> {
        match question.or.is_empty() {
            true => self.ask_one(question),
            false => self.ask_above(question),
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

    fn unavailable(&self, question: &Question, why: Unavailable) -> AskError {
        Unanswered::Unavailable {
            module: question.path.clone(),
            query: question.query.clone(),
            why,
        }
        .into()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "resolve/tests.rs"]
mod tests;
