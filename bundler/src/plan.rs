//! `plan`: what an export would carry, without fetching a zip.

use std::collections::HashSet;

use modferry_protocol::bundle::Item;
use serde::Serialize;

use crate::error::Error;
use crate::fetch::{Failure, Level, Session};
use crate::progress::Progress;
use crate::select::args;
use crate::settings::Config;
use crate::state::State;

/// What an export would come to.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// The stream.
    pub stream: String,
    /// The sequence number that the bundle would get.
    pub sequence: u64,
    /// Module versions with their zips.
    pub modules: usize,
    /// Of them, those that no bundle of this stream carried.
    pub new_modules: usize,
    /// Module versions of which only the go.mod is needed.
    pub go_mods: usize,
    /// Of them, those that no bundle of this stream carried.
    pub new_go_mods: usize,
    /// Bytes of the zips, as far as upstream says.
    pub zip_bytes: u64,
    /// Bytes of the new ones.
    pub new_zip_bytes: u64,
    /// Zips whose size upstream does not say.
    pub unsized_zips: usize,
    /// Zips that the cache has, unverified.
    pub cached_zips: usize,
    /// The newest tree that was seen, in records; `None` if none was.
    pub tree_size: Option<u64>,
    /// Every module version: `path@version`, `zip` or `mod`, `new` or `held`.
    #[serde(skip)]
    pub list: Vec<(String, Level, bool, Option<u64>)>,
    /// What cannot be had.
    #[serde(skip)]
    pub failures: Vec<Failure>,
    /// Worth telling.
    pub notes: Vec<String>,
}

/// Selects, and asks for sizes.
pub fn plan(config: &Config, progress: &Progress) -> Result<Plan, Error> {
    let (wants, mut notes) = args::wants(&config.modules, &config.go_mod)?;
    let stream = config.stream()?;
    let state = State::read(&config.state_folder(&stream)?, &stream);
    let sources = config.sources(false)?;
    crate::export::refuse_private(&sources, &wants, config.keep_going.unwrap_or(false))?;
    progress.phase("plan");
    let fetched = Session::new(&sources, progress, wants).run()?;

    let mut held = HashSet::new();
    state.each_carried(|item| {
        if matches!(item, Item::Mod(_) | Item::Zip(_)) {
            held.insert(item);
        }
    })?;
    notes.extend(fetched.notes);
    let mut plan = Plan {
        stream: stream.to_string(),
        sequence: state.next()?.get(),
        modules: 0,
        new_modules: 0,
        go_mods: 0,
        new_go_mods: 0,
        zip_bytes: 0,
        new_zip_bytes: 0,
        unsized_zips: 0,
        cached_zips: 0,
        tree_size: sources.sumdb.heads().last().map(|head| head.head().size),
        list: Vec::new(),
        failures: fetched.failures,
        notes,
    };
    for (module, entry) in &fetched.modules {
        if entry.level < Level::Whole {
            let new = !held.contains(&Item::Mod(module.clone()));
            plan.go_mods += 1;
            plan.new_go_mods += usize::from(new);
            plan.list.push((module.to_string(), Level::Mod, new, None));
            continue;
        }
        let new = !held.contains(&Item::Zip(module.clone()));
        let size = entry.zip_size;
        plan.modules += 1;
        plan.new_modules += usize::from(new);
        plan.zip_bytes += size.unwrap_or(0);
        plan.new_zip_bytes += size.filter(|_| new).unwrap_or(0);
        plan.unsized_zips += usize::from(size.is_none());
        plan.cached_zips += usize::from(sources.cache.path(module, "zip").exists());
        plan.list
            .push((module.to_string(), Level::Whole, new, size));
    }
    Ok(plan)
}
