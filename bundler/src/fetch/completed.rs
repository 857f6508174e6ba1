//! What packages import and nothing requires: which modules have it is asked upstream, as `go mod tidy` would ask, and what
//! comes of it is carried with its own requirements.
//!
//! Nobody named these modules, so what cannot be had of them is told and is no failure. No host is asked for what is private,
//! or for what begins the names of private modules.

use modferry_protocol::module::{ModulePath, ModuleVersion, Version};

use super::{Session, Want, lock};
use crate::pool::Pool;
use crate::select::mvs::Main;
use crate::select::resolve::{AskError, Question, Unanswered};

/// So many modules that come along are named.
const MAX_NAMED: usize = 5;

impl Session<'_> {
    /// Tells a loader which version of a module is the newest, `current` being selected.
    pub(super) fn look_up<'t>(
        &'t self,
        pool: &Pool<'t>,
        index: usize,
        path: ModulePath,
        current: Option<Version>,
    ) {
        let newest = match self.sources.is_above_private(&path) {
            true => None,
            false => self.newest(pool, index, &path, current),
        };
        self.tell_newest(pool, index, &path, newest);
    }

    fn newest(
        &self,
        pool: &Pool<'_>,
        index: usize,
        path: &ModulePath,
        current: Option<Version>,
    ) -> Option<ModuleVersion> {
        let question = {
            let loader = lock(&self.loads[index].loader);
            let excluded = loader.main().exclude.iter();
            let excluded = excluded.filter(|module| module.path() == path);
            Question {
                current,
                without: excluded.map(|module| module.version().clone()).collect(),
                ..Question::newest(path.clone())
            }
        };
        let why = match self.oracle.ask(&question) {
            Ok(answer) => return answer.chosen.into_iter().next(),
            Err(AskError::Unanswered(why)) => *why,
            Err(AskError::Fatal(fatal)) => {
                self.stop(pool, *fatal);
                return None;
            }
        };
        if !matches!(&why, Unanswered::Unavailable { why, .. } if !why.is_absence()) {
            return None;
        }
        let mut state = self.lock();
        state.uncertain |= why.is_trouble();
        state.unknown.insert(path.clone());
        let name = &self.loads[index].name;
        state.unasked.insert(format!(
            "{name}: whether {path} has packages that are imported, and that nothing required has, is not known: {why}"
        ));
        None
    }

    /// Builds of what was completed since this was asked last. Whoever imports one package of a module needs some of what
    /// completes it and not the rest, so each of it is selected alone, too.
    pub(super) fn completed(&mut self) -> Vec<Want> {
        let mut wants = Vec::new();
        for load in &mut self.loads {
            if !load.completes() || std::mem::replace(&mut load.built, true) {
                continue;
            }
            let loader = lock(&load.loader);
            if loader.has_too_many() {
                let mut state = lock(&self.state);
                state.uncertain = true;
                state.notes.insert(format!(
                    "{}: its packages import so much that nothing provides that not all of it is looked for",
                    load.name
                ));
            }
            let completed = loader.completed();
            if !completed.is_empty() {
                let some: Vec<_> = completed
                    .iter()
                    .take(MAX_NAMED)
                    .map(|module| module.to_string())
                    .collect();
                let more = match completed.len() > MAX_NAMED {
                    true => ", …",
                    false => "",
                };
                lock(&self.state).notes.insert(format!(
                    "{}: what its packages import and nothing requires comes along, modules: {}: {}{more}",
                    load.name,
                    completed.len(),
                    some.join(", "),
                ));
            }
            let all = [&completed.iter().cloned().collect::<Vec<_>>()[..]];
            let each = completed.iter().map(std::slice::from_ref);
            let each = each.filter(|_| completed.len() > 1);
            for modules in all.into_iter().chain(each).filter(|some| !some.is_empty()) {
                let required = loader.main().summary.require.iter().chain(modules);
                let build = Want::Build {
                    name: format!(
                        "{}, with what its packages import and nothing requires",
                        load.name
                    ),
                    main: Box::new(Main::requiring_all(required.cloned())),
                    named: None,
                };
                wants.push(Want::Optional(Box::new(build)));
            }
        }
        wants
    }
}
