//! What an export or a plan is asked for, from the settings to what is fetched.

use std::collections::BTreeMap;

use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::Sequence;
use modferry_protocol::module::{ModulePath, ModuleVersion, Version};
use modferry_protocol::note::VerifierKey;

use crate::basis::{self, Basis, Holdings};
use crate::error::Error;
use crate::fetch::{Fetched, Level, Session, Sources, Want};
use crate::progress::Progress;
use crate::select::gather::gather;
use crate::select::resolve::Oracle;
use crate::select::sought::{Place, Sought};
use crate::select::steps::{Steps, Told};
use crate::select::toolchains::Lines;
use crate::settings::Config;
use crate::state::Exported;

/// What is asked for.
#[derive(Debug, Default)]
pub struct Asked {
    /// What is known to be wanted.
    pub wants: Vec<Want>,
    /// Modules by name: versions and queries.
    pub sought: Vec<Sought>,
    /// The main modules' lines about Go.
    pub lines: Vec<Lines>,
    /// Worth telling.
    pub notes: Vec<String>,
}

impl Asked {
    /// What the settings name; with `--cumulative-from`, also what the bundles since carried; if nothing is named, be it
    /// that a wants file is empty, what the stream has named so far. `receipt_key` is the key of the destination's
    /// receipts, if it is known.
    pub fn of(
        config: &Config,
        basis: &Basis,
        exported: &[Exported],
        receipt_key: Option<&VerifierKey>,
    ) -> Result<Asked, Error> {
        let mut asked = gather(config.asks(), receipt_key, &config.tags())?;
        let named = !asked.wants.is_empty() || !asked.sought.is_empty();
        let prune = config.prune.unwrap_or(false);
        let again = |first: Sequence, name: String| -> Result<Want, Error> {
            let modules: BTreeMap<ModuleVersion, Level> = basis::carried_since(exported, first)?;
            Ok(Want::Exactly { name, modules })
        };
        if !named && !exported.is_empty() {
            if prune {
                return Err(Error::usage(
                    "--prune takes back what is not selected, and nothing is: name modules, or go.mod files with --go-mod",
                ));
            }
            let want = again(Sequence::FIRST, "what the stream carried before".into())?;
            let note = "nothing is named: what the stream has carried so far is taken as selected";
            asked.wants.push(want);
            asked.notes.push(note.into());
            return Ok(asked);
        }
        if !named && (!config.files.is_empty() || config.vulndb.is_some()) {
            return Ok(asked); // files or a vulnerability database alone will do
        }
        if !named {
            let mut why = asked.notes;
            why.push(
                "nothing to export: name modules (path@version), or go.mod files with --go-mod"
                    .into(),
            );
            return Err(Error::usage(why.join("; ")));
        }
        if let Some(first) = basis.again_from
            && !prune
        {
            let want = again(first, format!("--cumulative-from {first}"))?;
            asked.wants.push(want);
        }
        Ok(asked)
    }

    /// Wants files have what is private: marked as that where it was missed, whatever is known of it here; and what a go
    /// command asked for on its way to a private module: the host of its repository, or its team. No public upstream is
    /// asked for any of these names: what has no upstream of its own is passed over, and that is told. What a person
    /// names otherwise is asked for.
    pub fn pass_over_secret_wants(
        &mut self,
        config: &Config,
        sources: &Sources,
    ) -> Result<(), Error> {
        let mut notes = Vec::new();
        let mut without_upstream = false;
        self.sought.retain_mut(|sought| {
            let Place::Path(path) = &sought.pattern else {
                return true;
            };
            if !sought.wanted {
                return true;
            }
            // What has one needs no more care: whatever stands above it has it as well, or begins private names.
            if sought.private && sources.upstream.private(path).is_none() {
                notes.push(format!(
                    "{} is not asked for: the file says that it is private, and it has no upstream of its own here",
                    sought.name
                ));
                without_upstream = true;
                return false;
            }
            if sources.is_above_private(path) {
                notes.push(format!(
                    "{}: {sought} is passed over: it begins the names of private modules, and no public upstream is told of these",
                    sought.name
                ));
                return false;
            }
            let all = sought.or.len();
            let secret = |path: &ModulePath| {
                sources.is_above_private(path) || sources.private_path_by(path).is_some()
            };
            sought.or.retain(|path| !secret(path));
            if sought.or.len() < all {
                notes.push(format!(
                    "{}: of what {sought} may be instead, {} passed over: private, or the beginning of private modules' names",
                    sought.name,
                    match all - sought.or.len() {
                        1 => "1 is".to_owned(),
                        count => format!("{count} are"),
                    }
                ));
            }
            true
        });
        if without_upstream {
            notes.push(
                "say where private modules come from, in modferry.yaml: private, with patterns and a goproxy or direct: true"
                    .into(),
            );
        }
        let named = !self.sought.is_empty() || !self.wants.is_empty();
        let other = !config.files.is_empty() || config.vulndb.is_some();
        let nothing = !named && !other && !notes.is_empty();
        self.notes.extend(notes);
        match nothing {
            true => Err(Error::usage(format!(
                "nothing to export: {}",
                self.notes.join("; ")
            ))),
            false => Ok(()),
        }
    }

    /// Modules that are private are refused before any request could name them.
    pub fn refuse_private(&self, sources: &Sources, keep_going: bool) -> Result<(), Error> {
        let mut refused: BTreeMap<String, &'static str> = BTreeMap::new();
        for module in self.wants.iter().flat_map(Want::named) {
            if let Some(variable) = sources.private_by(module) {
                refused.insert(module.to_string(), variable);
            }
        }
        for sought in &self.sought {
            if let Place::Path(path) = &sought.pattern
                && let Some(variable) = sources.private_path_by(path)
            {
                refused.insert(sought.to_string(), variable);
            }
        }
        let Some((first, variable)) = refused.first_key_value() else {
            return Ok(());
        };
        if keep_going {
            return Ok(());
        }
        let names: Vec<&str> = refused.keys().map(String::as_str).collect();
        Err(Fault::new(
            Exit::Usage,
            match names.len() {
                1 => format!(
                    "{first} is private ({variable} names it): no public upstream is asked for it"
                ),
                _ => format!(
                    "private modules, for which no public upstream is asked: {}",
                    names.join(", ")
                ),
            },
        )
        .advise(
            "say where they come from, in modferry.yaml: private, with patterns and a goproxy or direct: true; --keep-going exports the rest",
        )
        .into())
    }

    /// Answers queries, selects and fetches, in the steps that this takes.
    pub fn fetch(
        self,
        config: &Config,
        sources: &Sources,
        held: &Holdings,
        exported: &[Exported],
        progress: &Progress,
    ) -> Result<(Fetched, Told), Error> {
        let choice = config.choice();
        let earlier = match self.sought.iter().any(Sought::is_relative) {
            true => newest_of(&basis::carried_since(exported, Sequence::FIRST)?),
            false => BTreeMap::new(),
        };
        let oracle = Oracle::new(sources, &choice.exclude);
        let mut steps = Steps::new(&oracle, &choice, held, earlier, self.lines);
        let mut wants = self.wants;
        wants.extend(steps.first(self.sought)?);
        // Nothing will be written then, but all else that cannot be had is to be told with it, and no zip is fetched for that.
        let in_vain = steps.has_unanswered() && !config.keep_going.unwrap_or(false);
        let session = Session::new(sources, &oracle, progress, wants, held)
            .thorough(config.prune.unwrap_or(false))
            .with_zips(sources.zips && !in_vain);
        let mut fetched = session.run(|selected| Ok::<_, Error>(steps.next(selected)?))?;
        let mut told = steps.told();
        fetched.answers = std::mem::take(&mut told.answers);
        fetched.uncertain |= told.uncertain;
        // What was carried, and may only be refused for now, must not be taken back.
        if config.prune.unwrap_or(false) && !fetched.unknown.is_empty() {
            let carried = newest_of(&basis::carried_since(exported, Sequence::FIRST)?);
            fetched.uncertain |= fetched
                .unknown
                .iter()
                .any(|path| carried.contains_key(path));
        }
        Ok((fetched, told))
    }
}

/// The highest version of each module that is there whole.
fn newest_of(modules: &BTreeMap<ModuleVersion, Level>) -> BTreeMap<ModulePath, Version> {
    let whole = modules.iter().filter(|(_, level)| **level == Level::Whole);
    // In the order of versions, so that the last of a module stays.
    whole
        .map(|(module, _)| (module.path().clone(), module.version().clone()))
        .collect()
}
