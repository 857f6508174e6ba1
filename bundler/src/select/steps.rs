//! From what is asked for to versions, in as many steps as it takes: some of it can be said only when the rest is known.
//!
//! 1. Queries that stand by themselves (`latest`, `^1.8`, a branch) are answered before anything is fetched.
//! 2. `upgrade`, `patch` and patterns come after what was asked for besides has been selected: they are about that, and
//!    about what the stream has carried so far. The cache is no source of names: what a bundle carries must not
//!    depend on what was fetched once for another one.
//! 3. Then the newest versions, so that `go list -m -u`, retractions and deprecations are known inside. Whoever types
//!    `go get module` there gets the newest version that is listed, so it comes with all that it needs. Nobody named
//!    it, though: what cannot be had of it is told and is no failure.
//! 4. Last the toolchains, which all that was selected has a say in.

use std::collections::{BTreeMap, BTreeSet};

use modferry_cli::wants::Follow;
use modferry_protocol::module::{ModulePath, ModuleVersion, Version};
use serde::Deserialize;

use super::exclude::Exclude;
use super::platform::Platform;
use super::query::Query;
use super::resolve::{Answer, Oracle, QueryAnswer, Question, Unanswered};
use super::sought::Sought;
use super::toolchains::{self, Lines, Toolchains};
use crate::basis::{Holdings, Parts};
use crate::fetch::{Fatal, Level, Selected, Want};

/// No more notes than this about newest versions that are not known.
const MAX_NOTES: usize = 10;

/// Of which modules the newest version is carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Newest {
    /// Of those that are named, unless exactly a version of them is wanted.
    #[default]
    Named,
    /// Of all that is carried whole.
    All,
    /// Of none.
    None,
}

/// How versions are chosen.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// What is never chosen.
    pub exclude: Vec<Exclude>,
    /// Of which modules the newest version is carried.
    pub newest: Newest,
    /// Which toolchains are carried.
    pub toolchains: Toolchains,
    /// For which platforms.
    pub platforms: Vec<Platform>,
}

/// What the steps have come to.
#[derive(Debug, Default)]
pub struct Told {
    /// Worth telling.
    pub notes: Vec<String>,
    /// Answers to branches and commits.
    pub answers: Vec<QueryAnswer>,
    /// Queries that come to nothing.
    pub unanswered: Vec<Unanswered>,
    /// Whether more would be selected, if upstream had answered all.
    pub uncertain: bool,
    /// The modules whose newest version was looked for and found.
    pub newest: BTreeSet<ModulePath>,
}

/// The steps.
pub struct Steps<'s> {
    oracle: &'s Oracle<'s>,
    choice: &'s Choice,
    held: &'s Holdings,
    /// The highest version of each module that the stream has carried.
    earlier: BTreeMap<ModulePath, Version>,
    /// What is about the rest.
    relative: Vec<Sought>,
    /// The modules that are named, each as it was sought.
    named: BTreeMap<ModulePath, Sought>,
    /// The versions that were chosen.
    chosen: BTreeSet<ModuleVersion>,
    /// The main modules' lines about Go.
    lines: Vec<Lines>,
    next: Step,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Relative,
    Newest,
    Toolchains,
    Done,
}

impl<'s> Steps<'s> {
    /// With what this oracle says, for a destination that holds that, and a stream that has carried these versions.
    pub fn new(
        oracle: &'s Oracle<'s>,
        choice: &'s Choice,
        held: &'s Holdings,
        earlier: BTreeMap<ModulePath, Version>,
        lines: Vec<Lines>,
    ) -> Steps<'s> {
        Steps {
            oracle,
            choice,
            held,
            earlier,
            relative: Vec::new(),
            named: BTreeMap::new(),
            chosen: BTreeSet::new(),
            lines,
            next: Step::Relative,
            told: Told::default(),
        }
    }

    /// The first step: what is wanted of what can be said before anything is selected.
    pub fn first(&mut self, sought: Vec<Sought>) -> Result<Vec<Want>, Fatal> {
        let (later, now) = sought.into_iter().partition(Sought::is_relative);
        self.relative = later;
        let now: Vec<Sought> = now;
        let asked = now.iter().filter_map(|sought| {
            let path = sought.pattern.as_path()?;
            Some((sought, sought.question(path, None)))
        });
        let mut wants = self.answered(asked.collect())?;
        if self.relative.is_empty() && self.choice.newest == Newest::Named {
            // Nothing has to be selected before, so nobody has to wait for it.
            wants.extend(self.newest(&Selected::default())?);
            self.next = Step::Toolchains;
        }
        Ok(wants)
    }

    /// What is wanted now that this is selected; nothing at the end.
    pub fn next(&mut self, selected: &Selected) -> Result<Vec<Want>, Fatal> {
        loop {
            let (wants, next) = match self.next {
                Step::Relative => (self.relative(selected)?, Step::Newest),
                Step::Newest => (self.newest(selected)?, Step::Toolchains),
                Step::Toolchains => (self.toolchains(selected)?, Step::Done),
                Step::Done => return Ok(Vec::new()),
            };
            self.next = next;
            if !wants.is_empty() {
                return Ok(wants);
            }
        }
    }

    /// What there is to tell.
    pub fn told(self) -> Told {
        self.told
    }

    /// Whether any query came to nothing so far.
    pub fn has_unanswered(&self) -> bool {
        !self.told.unanswered.is_empty()
    }

    /// Asks, and wants what that comes to.
    fn answered(&mut self, asked: Vec<(&Sought, Question)>) -> Result<Vec<Want>, Fatal> {
        let (sought, questions): (Vec<&Sought>, Vec<Question>) = asked.into_iter().unzip();
        let answers = self.oracle.ask_all(&questions)?;
        let mut wants = Vec::new();
        for ((sought, question), answer) in sought.iter().zip(&questions).zip(answers) {
            match answer {
                Ok(answer) => {
                    self.tell(sought, question, &answer.chosen);
                    let new = |note: &String| !self.told.notes.contains(note);
                    let note = answer.note.filter(new);
                    self.told.notes.extend(note);
                    self.told.answers.extend(answer.carried);
                    for module in answer.chosen {
                        wants.extend(self.take(sought, module));
                    }
                }
                // Not everything that a pattern matches has what is asked for.
                Err(why) if question.looks && !why.may_change() => {
                    self.told.notes.push(format!("passed over: {why}"));
                }
                Err(why) => {
                    self.told.unanswered.push(why);
                    self.told.uncertain = true;
                }
            }
        }
        Ok(wants)
    }

    fn take(&mut self, sought: &Sought, module: ModuleVersion) -> Vec<Want> {
        // Once exactly and once with what it needs: then its newest version is wanted with that, too.
        self.named
            .entry(module.path().clone())
            .and_modify(|first| first.follow = first.follow.max(sought.follow))
            .or_insert_with(|| sought.clone());
        self.chosen.insert(module.clone());
        sought.wants(module)
    }

    /// Says what a query came to, and if that changes nothing.
    fn tell(&mut self, sought: &Sought, question: &Question, chosen: &[ModuleVersion]) {
        if let Some(first) = chosen.first()
            && *first.path() != question.path
        {
            let note = format!("{} is a package of {}", question.path, first.path());
            self.told.notes.push(note);
        }
        if sought.is_version() {
            return;
        }
        let versions: Vec<&str> = chosen.iter().map(|m| m.version().as_str()).collect();
        let held = |module: &ModuleVersion| self.held.parts(module).has(Parts::WHOLE);
        let same = chosen.len() == 1
            && chosen.first().map(ModuleVersion::version) == question.current.as_ref();
        let unchanged = match (chosen.iter().all(held), same) {
            (true, _) => ": the destination holds that, nothing changes",
            (_, true) => " already: nothing changes",
            _ => "",
        };
        self.told.notes.push(format!(
            "{}@{} is {}{unchanged}",
            chosen.first().map_or(&question.path, ModuleVersion::path),
            question.query,
            versions.join(" ")
        ));
    }

    /// What is about the rest.
    fn relative(&mut self, selected: &Selected) -> Result<Vec<Want>, Fatal> {
        let relative = std::mem::take(&mut self.relative);
        let mut asked = Vec::new();
        for sought in &relative {
            let known = || selected.versions.keys().chain(self.earlier.keys());
            let paths: BTreeSet<&ModulePath> = match sought.pattern.as_path() {
                Some(path) => BTreeSet::from([path]),
                None => known()
                    .filter(|path| sought.pattern.matches(path))
                    .collect(),
            };
            if paths.is_empty() {
                self.told.notes.push(format!(
                    "{} matches nothing: neither what else is selected nor what the stream has carried has such a \
                     module, and no upstream can be asked which there are",
                    sought
                ));
            }
            for path in paths {
                let current = selected.versions.get(path).or(self.earlier.get(path));
                asked.push((sought, sought.question(path, current.cloned())));
            }
        }
        self.answered(asked)
    }

    /// The newest versions, and those whose go.mod holds what their authors take back.
    fn newest(&mut self, selected: &Selected) -> Result<Vec<Want>, Fatal> {
        let mut modules = self.named.clone();
        match self.choice.newest {
            Newest::None => return Ok(Vec::new()),
            Newest::Named => modules.retain(|_, sought| sought.follow != Follow::None),
            Newest::All => {
                for path in &selected.whole {
                    let entry = modules.entry(path.clone());
                    entry.or_insert_with(|| Sought::newest(path));
                }
            }
        }
        let question = |(path, sought): (&ModulePath, &Sought)| Question {
            or: Vec::new(),
            query: Query::latest(),
            ..sought.question(path, None)
        };
        let questions: Vec<Question> = modules.iter().map(question).collect();
        let answers = self.oracle.ask_all(&questions)?;
        let (mut wants, mut unknown) = (Vec::new(), Vec::new());
        for ((path, sought), answer) in modules.iter().zip(answers) {
            let Answer {
                chosen,
                newest,
                note,
                ..
            } = match answer {
                Ok(answer) => answer,
                Err(why) => {
                    self.told.uncertain |= why.may_change();
                    unknown.push(why.to_string());
                    continue;
                }
            };
            self.told.newest.insert(path.clone());
            unknown.extend(note);
            let name = format!("the newest version of {path}");
            for module in chosen {
                if self.chosen.insert(module.clone()) {
                    let newest = Sought {
                        name: name.clone(),
                        ..sought.clone()
                    };
                    wants.extend(newest.wants(module));
                }
            }
            // Retracted itself, it is only there to say so.
            if let Some(newest) = newest
                && !self.oracle.excludes(&newest)
                && self.chosen.insert(newest.clone())
            {
                wants.push(exactly(&name, [(newest, Level::Whole)].into()));
            }
        }
        let more = unknown.len().saturating_sub(MAX_NOTES);
        let first = unknown.into_iter().take(MAX_NOTES);
        let notes = first.map(|why| format!("no newest version is looked for: {why}"));
        self.told.notes.extend(notes);
        if more > 0 {
            let note = format!("no newest version is looked for of {more} modules more");
            self.told.notes.push(note);
        }
        Ok(wants
            .into_iter()
            .map(|want| Want::Optional(Box::new(want)))
            .collect())
    }

    /// The toolchains that are named, and those that the selection wants.
    fn toolchains(&mut self, selected: &Selected) -> Result<Vec<Want>, Fatal> {
        let Toolchains { auto, named } = &self.choice.toolchains;
        let mut versions = match auto {
            true => toolchains::auto(&self.lines, selected.go_lines.iter().map(String::as_str)),
            false => BTreeSet::new(),
        };
        if *auto && versions.is_empty() {
            let note = "toolchains: nothing that is selected wants a newer Go than the first that switches, 1.21";
            self.told.notes.push(note.into());
        }
        if !named.is_empty() {
            match self.oracle.toolchains() {
                Ok(had) => {
                    for wanted in named {
                        match wanted.among(&had) {
                            Some(version) => drop(versions.insert(version.clone())),
                            None => self.told.unanswered.push(Unanswered::Toolchain {
                                wanted: wanted.clone(),
                                newest: had.last().cloned(),
                            }),
                        }
                    }
                }
                Err(why) => self.told.unanswered.push(*why),
            }
        }
        if versions.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = versions
            .iter()
            .map(|version| format!("go{version}"))
            .collect();
        let platforms: Vec<String> = self
            .choice
            .platforms
            .iter()
            .map(ToString::to_string)
            .collect();
        self.told.notes.push(format!(
            "toolchains: {} for {}",
            names.join(", "),
            platforms.join(", ")
        ));
        let modules = toolchains::modules(&versions, &self.choice.platforms);
        Ok(vec![exactly("toolchains", modules)])
    }
}

/// Just these.
fn exactly(name: &str, modules: BTreeMap<ModuleVersion, Level>) -> Want {
    Want::Exactly {
        name: name.to_owned(),
        modules,
    }
}
