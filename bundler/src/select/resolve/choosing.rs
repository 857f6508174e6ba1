//! Which version of a module a query chooses, with what has to be asked for that on the way: the go.mod that `+incompatible`
//! versions hinge on, the times of versions, the newest commit.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use modferry_protocol::module::{ModulePath, ModuleVersion, Version};
use modferry_protocol::request::Request;

use super::info::{excerpt, time_in, version_in};
use super::known::Known;
use super::{AskError, Oracle, Question, Unanswered, lock};
use crate::cache::MAX_INFO;
use crate::fetch::go_mod::{self, GoModError};
use crate::fetch::{Fatal, info};
use crate::pool::Pool;
use crate::select::choose::{Admitted, Terms, is_own_go_mod, newest_in_list};
use crate::select::query::Kind;
use crate::upstream::goproxy::{GetError, Unavailable};

impl Oracle<'_> {
    /// The versions that a question is about, of those that are known.
    pub(super) fn choose(
        &self,
        question: &Question,
        known: &Known,
    ) -> Result<Vec<ModuleVersion>, AskError> {
        let (path, query) = (&question.path, &question.query);
        let terms = Terms {
            path,
            current: question.current.as_ref(),
        };
        let allowed = |version: &Version| {
            !self.is_barred(question, version)
                && (question.retracted || !known.retractions.cover(version))
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

    /// What there is, for whoever asked for something else. What is excluded is so whether or not it is retracted, too.
    fn in_words(&self, question: &Question, known: &Known, terms: &Terms<'_>) -> String {
        let admitted = question.query.admitted(&known.versions, terms, |_| true);
        let (excluded, left): (Vec<&Version>, Vec<&Version>) =
            (admitted.versions().iter()).partition(|version| self.is_barred(question, version));
        let retracted = left.iter().filter(|v| known.retractions.cover(v)).count();
        let are = |some: usize| if some == 1 { "is" } else { "are" };
        let mut reasons = Vec::new();
        if !excluded.is_empty() {
            let some = excluded.len();
            reasons.push(format!("{some} that would {} excluded", are(some)));
        }
        if retracted > 0 && !question.retracted {
            reasons.push(format!(
                "{retracted} that would {} retracted (`retracted: true` takes such)",
                are(retracted)
            ));
        }
        match known.versions.last() {
            _ if !reasons.is_empty() => reasons.join(", "),
            None => "upstream lists no version, and does not tell the newest commit: say a pseudo-version".into(),
            Some(newest) => format!("upstream lists {}, the highest {newest}", known.versions.len()),
        }
    }

    /// Whether this version may not be chosen, whatever upstream says of it.
    fn is_barred(&self, question: &Question, version: &Version) -> bool {
        question.without.contains(version)
            || (self.exclude.iter()).any(|exclude| exclude.covers(&question.path, version))
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

    pub(super) fn info(
        &self,
        question: &Question,
        module: ModuleVersion,
    ) -> Result<Vec<u8>, AskError> {
        match info::of(self.sources, &module) {
            Ok(bytes) => Ok(bytes),
            Err(GetError::Refused(why)) => Err(self.unavailable(question, why)),
            Err(GetError::Local(source)) => Err(Fatal::Cache { module, source }.into()),
        }
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
