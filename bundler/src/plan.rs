//! `plan`: what an export would build on and carry, and about how much that is, without fetching a zip.

pub mod why;

use std::collections::BTreeMap;

use modferry_cli::Rate;
use modferry_protocol::bundle::{CutError, Gone, cut, front_size};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::sumdb::closure;
use serde::Serialize;

use crate::answers;
use crate::basis::{Parts, Portion};
use crate::error::Error;
use crate::estimate::{Load, Rule};
use crate::fetch::{Because, Failure, Level};
use crate::opaque;
use crate::policy::Judge;
use crate::policy::vulnerable::Known;
use crate::prepare::{Prepared, refuse_nothing};
use crate::progress::Progress;
use crate::select::resolve::Unanswered;
use crate::select::withdrawn::Withdrawn;
use crate::settings::Config;
use crate::snapshot::Carrying;
use crate::state::State;
use crate::trust;
use crate::volume_size::VolumeSize;

/// What an export would come to.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// The stream.
    pub stream: String,
    /// The sequence number that the bundle would get.
    pub sequence: u64,
    /// What it would be built on, in words.
    pub basis: String,
    /// The bundles that count as arrived, as `1-4,6-7`, or `none`.
    pub arrived: String,
    /// Whether there is nothing to export: all of it is held, and the tree has not grown.
    pub nothing_new: bool,
    /// Module versions that are selected with their zips.
    pub modules: usize,
    /// Of them, those that would be carried.
    pub new_modules: usize,
    /// Module versions of which only the go.mod is selected.
    pub go_mods: usize,
    /// Of them, those that would be carried.
    pub new_go_mods: usize,
    /// Bytes of the zips that would be carried, as far as upstream says.
    pub new_zip_bytes: u64,
    /// Of those zips, how many have a size that upstream does not say.
    pub unsized_zips: usize,
    /// Of those zips, how many the cache has, unverified.
    pub cached_zips: usize,
    /// Bytes of those that it does not have, as far as upstream says: what an export would fetch.
    pub fetch_bytes: u64,
    /// Opaque files.
    pub files: opaque::Counted,
    /// The vulnerability database, if one is named.
    pub vulndb: Option<CountedVulndb>,
    /// Tiles of the checksum database that would be carried.
    pub new_tiles: usize,
    /// Their bytes, before they are compressed.
    pub new_tile_bytes: u64,
    /// Bytes of the bundle's files, estimated; the zips and files of unknown size are not in it.
    pub carried_bytes_estimate: u64,
    /// What that is estimated by, in words.
    pub estimated_by: String,
    /// How fast it is carried, if somebody said so.
    pub media_rate: Option<Rate>,
    /// Seconds on the way at that rate, of the estimate.
    pub media_seconds_estimate: Option<u64>,
    /// The newest tree that was seen, in records; `None` if none was.
    pub tree_size: Option<u64>,
    /// Module versions that would be taken back: all of it (`all`), or the zip (`zip`).
    pub tombstones: BTreeMap<String, &'static str>,
    /// Opaque files that would be taken back.
    pub gone_files: Vec<String>,
    /// Its known vulnerabilities; `None` where no vulnerability database is at hand.
    #[serde(rename = "vulnerabilities")]
    pub known: Option<Known>,
    /// What authors have taken back of it.
    #[serde(flatten)]
    pub withdrawn: Withdrawn,
    /// Why each module version is selected, or asked for.
    #[serde(skip)]
    pub because: BTreeMap<ModuleVersion, Because>,
    /// Every module version: `path@version`, `zip` or `mod`, `new` or `held`, bytes of its zip.
    #[serde(skip)]
    pub list: Vec<(String, Level, bool, Option<u64>)>,
    /// How many of the modules that would be carried have which licence: of those whose zips are in the cache.
    pub licences: BTreeMap<&'static str, usize>,
    /// Of the others, how many there are.
    pub unread_licences: usize,
    /// What cannot be had, or is refused.
    #[serde(skip)]
    pub failures: Vec<Failure>,
    /// Queries that come to nothing.
    #[serde(skip)]
    pub unanswered: Vec<Unanswered>,
    /// Worth telling.
    pub notes: Vec<String>,
}

/// What there is to carry of the vulnerability database.
#[derive(Debug, Serialize)]
pub struct CountedVulndb {
    /// When it was last changed: the one at hand, or that of the destination where that is newer.
    pub modified: String,
    /// How many documents it has.
    pub documents: u64,
    /// Bytes of these and their names, before they are compressed.
    pub bytes: u64,
    /// Bytes of these as they are carried, compressed; 0 where they are not.
    pub carried_bytes: u64,
    /// Whether it would be carried: the destination holds another one, or none.
    pub new: bool,
}

impl CountedVulndb {
    fn of(carrying: Carrying<'_>) -> Result<CountedVulndb, Error> {
        Ok(CountedVulndb {
            carried_bytes: carrying.carried_bytes()?,
            modified: carrying.vulndb.snapshot.modified,
            documents: carrying.vulndb.snapshot.documents,
            bytes: carrying.vulndb.snapshot.bytes,
            new: carrying.vulndb.carried,
        })
    }
}

/// An error, if volumes of that size are too small for so many bytes, whatever else is in them: each has at least a byte of the
/// manifest and of the index.
fn volumes(size: VolumeSize, carried: u64) -> Result<(), CutError> {
    let plans = cut(front_size(1, 1), std::iter::once(carried), Some(size.0));
    plans.map(drop)
}

/// Selects, and asks for sizes.
pub fn plan(config: &Config, progress: &Progress) -> Result<Plan, Error> {
    if let Some(size) = config.volume_size
        && volumes(size, 1).is_err()
    {
        return Err(Error::usage(format!(
            "--volume-size: volumes of {size} are too small for any bundle"
        )));
    }
    let trust = trust::carried(&config.trust)?;
    let stream = config.stream()?;
    let state = State::read(&config.state_folder(&stream)?, &stream);
    let Prepared {
        exported,
        basis,
        asked,
        sources,
        holdings,
        claims,
        vulndb,
        mut notes,
    } = Prepared::of(config, &state, false)?;
    let db = sources.sumdb.spec().name.clone();
    let carrying = Carrying::at_hand(vulndb.as_ref(), &holdings)?;
    notes.extend(carrying.iter().flat_map(|it| it.notes.iter().cloned()));
    let counted = opaque::count(
        &config.files,
        sources.upstream.http(),
        &sources.cache,
        &holdings,
    )?;
    progress.phase("plan");
    let (mut fetched, told) = asked.fetch(config, &sources, &holdings, &exported, progress)?;
    notes.extend(told.notes);
    if fetched.failures.is_empty() && told.unanswered.is_empty() {
        refuse_nothing(config, &fetched, vulndb.as_ref())?;
    }

    let judge = Judge {
        policy: &config.policy,
        sources: &sources,
        holdings: &holdings,
        vulndb: vulndb.as_ref(),
        exported: &exported,
        now: jiff::Timestamp::now(),
    };
    let judged = judge.judge(&mut fetched)?;
    notes.extend(judged.notes);

    let tree_size = sources.sumdb.heads().last().map(|head| head.head().size);
    let size = tree_size.unwrap_or(0);
    let ids = fetched.modules.values().map(|entry| entry.record.id());
    let shipped = claims.shipped.iter().map(|head| head.size);
    let older: Vec<u64> = shipped.chain(claims.sizes.iter().copied()).collect();
    let tiles = closure(size, ids, &older);
    let prune = config.prune.unwrap_or(false);
    let files = opaque::names(&config.files)?;
    let portion = Portion::of(
        &fetched, &tiles, &holdings, &basis, &exported, prune, &files,
    )?;
    notes.extend(portion.notes.iter().cloned());

    let gone = |(module, gone): (&ModuleVersion, &Gone)| {
        let word = match gone {
            Gone::All => "all",
            Gone::Zip => "zip",
        };
        (module.to_string(), word)
    };
    let mut plan = Plan {
        stream: stream.to_string(),
        sequence: state.next()?.get(),
        basis: basis.words.clone(),
        arrived: basis.built_on.bundles.to_string(),
        nothing_new: false,
        modules: 0,
        new_modules: 0,
        go_mods: 0,
        new_go_mods: 0,
        new_zip_bytes: 0,
        unsized_zips: 0,
        cached_zips: 0,
        fetch_bytes: 0,
        files: counted,
        vulndb: carrying.map(CountedVulndb::of).transpose()?,
        new_tiles: portion.tiles.len(),
        new_tile_bytes: portion.tiles.iter().map(|tile| tile.size() as u64).sum(),
        carried_bytes_estimate: 0,
        estimated_by: String::new(),
        media_rate: config.media_rate,
        media_seconds_estimate: None,
        tree_size,
        tombstones: portion.tombstones.iter().map(gone).collect(),
        gone_files: (portion.gone_files.iter().map(ToString::to_string)).collect(),
        known: judged.known,
        withdrawn: Withdrawn::of(&fetched, &told.newest, &sources.cache)?,
        because: fetched.because,
        list: Vec::new(),
        licences: judged.licences,
        unread_licences: judged.unread_licences,
        failures: Vec::new(),
        unanswered: told.unanswered,
        notes,
    };
    let mut new_zips = Vec::new();
    for (module, entry) in &fetched.modules {
        let held = holdings.parts(module);
        if entry.level < Level::Whole || (entry.lacks_zip && !held.has(Parts::WHOLE)) {
            let new = !held.has(Parts::FOR_SELECTION);
            plan.go_mods += 1;
            plan.new_go_mods += usize::from(new);
            plan.list.push((module.to_string(), Level::Mod, new, None));
            continue;
        }
        let new = !held.has(Parts::WHOLE);
        let size = entry.zip_size.filter(|_| new);
        plan.modules += 1;
        if new {
            plan.new_modules += 1;
            plan.new_zip_bytes += size.unwrap_or(0);
            new_zips.push((module, size.unwrap_or(0)));
            plan.unsized_zips += usize::from(size.is_none());
            match sources.cache.path(module, "zip").exists() {
                true => plan.cached_zips += 1,
                false => plan.fetch_bytes += size.unwrap_or(0),
            }
        }
        plan.list
            .push((module.to_string(), Level::Whole, new, size));
    }
    let packing = config.pack.unwrap_or_default();
    let rule = Rule::of(&exported, &basis.built_on.bundles, packing)?;
    let carried = rule.carried(&Load {
        modules: (plan.new_modules + plan.new_go_mods) as u64,
        tiles: plan.new_tile_bytes,
        needs: portion.needs().count() as u64,
        ..rule.load(new_zips.into_iter())
    });
    // What files and the vulnerability database come to is known, and not estimated.
    let vulndb = plan.vulndb.as_ref();
    let vulndb = vulndb.map_or(0, |vulndb| vulndb.carried_bytes);
    let carried = carried + plan.files.new_bytes + vulndb;
    plan.carried_bytes_estimate = carried;
    if let Some(limit) = config.policy.max_size.bundle
        && carried > limit.0
    {
        plan.notes.push(format!(
            "that is more than the policy (max-size: bundle) allows, {limit}: an export will refuse to write it, unless \
             the estimate is wrong"
        ));
    }
    if let Some(size) = config.volume_size
        && let Err(error) = volumes(size, carried)
    {
        plan.notes.push(format!(
            "{error}: an export will refuse to write it, unless the estimate is wrong"
        ));
    }
    plan.estimated_by = rule.words();
    plan.media_seconds_estimate = config
        .media_rate
        .map(|rate| rate.time_for(carried).as_secs());
    // An answer about what is carried anew is no further reason to write.
    let (answers, _) = answers::carried(&fetched.answers, &portion);
    // A plan fetches neither infos nor zips, so what it would carry of modules it counts by itself.
    plan.nothing_new = plan.new_modules + plan.new_go_mods + plan.new_tiles + plan.files.new == 0
        && plan.tombstones.is_empty()
        && plan.gone_files.is_empty()
        && plan.vulndb.as_ref().is_none_or(|vulndb| !vulndb.new)
        && answers::are_known(&answers, &holdings)
        && trust
            .iter()
            .all(|(number, _)| holdings.has_trust_note(*number))
        && size <= basis.tree_size(&exported, &db);
    plan.failures = fetched.failures;
    plan.notes.extend(fetched.notes);
    plan.notes.append(&mut plan.files.notes);
    Ok(plan)
}
