//! `export`: find out what the destination holds, fetch, prove, write, sign, remember. In this order, so that what
//! fails leaves nothing behind: a bundle's files get their names last, and the state follows them.
//!
//! Killed at any point, a run leaves a stream that goes on as if it had not been: see [`write`](crate::write).

use std::collections::BTreeMap;
use std::path::Path;

use modferry_protocol::bundle::Missing;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::SigningKey;

use crate::answers;
use crate::basis::{Basis, Portion};
use crate::error::Error;
use crate::fetch::{Failure, Fetched, Sources};
use crate::files;
use crate::interrupted::{self, Interrupted};
use crate::opaque;
use crate::pack::Packing;
use crate::pack::base::{self, Candidates};
use crate::policy::Judge;
use crate::policy::vulnerable::Known;
use crate::prepare::{Prepared, refuse_nothing};
use crate::progress::Progress;
use crate::select::resolve::Unanswered;
use crate::settings::Config;
use crate::snapshot::Carrying;
use crate::state::{Exported as Earlier, State};
use crate::sumdb::prove::prove;
use crate::trust;
use crate::write::{self, Contents, Written};

/// What an export came to.
#[derive(Debug)]
pub struct Exported {
    /// The files and their manifest; `None` where the destination holds everything already.
    pub written: Option<Written>,
    /// What it was built on, in words.
    pub basis: String,
    /// What cannot be had and is named in the manifest.
    pub failures: Vec<Failure>,
    /// Queries that come to nothing.
    pub unanswered: Vec<Unanswered>,
    /// Module versions that are selected.
    pub selected: usize,
    /// Records in the newest tree.
    pub tree_size: u64,
    /// Older tree heads that were proven to be beginnings of the newest tree.
    pub older_heads: usize,
    /// Known vulnerabilities of what is selected; `None` where no vulnerability database is at hand.
    pub known: Option<Known>,
    /// Worth telling.
    pub notes: Vec<String>,
    /// The key that signs.
    pub signer: SigningKey,
}

/// Fetches what is asked for and writes a bundle of what the destination does not hold of it.
pub fn export(config: &Config, progress: &Progress) -> Result<Exported, Error> {
    let key = config.signing_key()?;
    let trust = trust::carried(&config.trust)?;
    let out = config
        .out
        .as_deref()
        .ok_or_else(|| Error::usage("no folder to write to: say --out DIR"))?;
    files::make_folders(out).map_err(Error::file("make", out))?;
    files::sweep(out);
    let stream = config.stream()?;
    let state = State::open(&config.state_folder(&stream)?, &stream, |text| {
        progress.warn(text)
    })?;
    let mut notes = Vec::new();
    let mut sequence = state.next()?;
    match interrupted::settle(&state)? {
        Interrupted::No => {}
        Interrupted::Finished(name) => {
            notes.push(format!(
                "{name} was written by a run that was interrupted; it is in the stream now, and this bundle follows it"
            ));
            sequence = state.next()?;
        }
        Interrupted::OutOfReach(folder) => {
            notes.push(format!(
                "an interrupted run may have written bundle {sequence} into {}, which is not there now: its number is \
                 passed over",
                folder.display()
            ));
            sequence = sequence.next().ok_or_else(State::used_up)?;
        }
    }
    write::refuse_existing(out, &stream, sequence)?;

    let Prepared {
        exported,
        basis,
        asked,
        sources,
        holdings,
        mut claims,
        vulndb,
        notes: prepared,
    } = Prepared::of(config, &state, true)?;
    notes.extend(prepared);
    let keep_going = config.keep_going.unwrap_or(false);
    let db = sources.sumdb.spec().name.clone();
    let carrying = Carrying::at_hand(vulndb.as_ref(), &holdings)?;
    notes.extend(carrying.iter().flat_map(|it| it.notes.iter().cloned()));
    let files = opaque::gather(
        &config.files,
        sources.upstream.http(),
        &sources.cache,
        &holdings,
    )?;

    progress.phase("fetch");
    let (mut fetched, told) = asked.fetch(config, &sources, &holdings, &exported, progress)?;
    notes.extend(told.notes);
    stop_at(&fetched, &told.unanswered, keep_going)?;
    refuse_nothing(config, &fetched, vulndb.as_ref())?;

    progress.phase("prove");
    claims.records = records(&fetched, &sources);
    let proof = prove(
        &sources.sumdb,
        &mut claims,
        sources.transfers,
        &state.evidence(),
        &|count| {
            progress.tiles(count);
        },
    )?;
    for (module, record) in claims.records {
        if let Some(entry) = fetched.modules.get_mut(&module) {
            entry.record = record;
        }
    }
    state.keep_head(sources.sumdb.spec(), &proof.head)?;

    // Only now are the records' places in the log proven.
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
    stop_at(&fetched, &told.unanswered, keep_going)?;

    let prune = config.prune.unwrap_or(false);
    let named = files.names();
    let portion = Portion::of(
        &fetched,
        &proof.tiles,
        &holdings,
        &basis,
        &exported,
        prune,
        &named,
    )?;
    notes.extend(portion.notes.iter().cloned());
    let (answers, unfit) = answers::carried(&fetched.answers, &portion);
    notes.extend(unfit);
    let tree_size = proof.head.head().size;
    let nothing_new = portion.is_empty()
        && files.carried.is_empty()
        && (carrying.as_ref()).is_none_or(|carrying| !carrying.vulndb.carried)
        && answers::are_known(&answers, &holdings)
        && trust
            .iter()
            .all(|(number, _)| holdings.has_trust_note(*number))
        && tree_size <= basis.tree_size(&exported, &db);
    let written = match nothing_new {
        true => None,
        false => {
            let packing = config.pack.unwrap_or_default();
            let bases = match packing != Packing::None && config.deltas.unwrap_or(true) {
                true => bases(&fetched, &portion, &exported, &basis, &sources)?,
                false => Candidates::default(),
            };
            notes.extend(bases.notes);
            let contents = Contents {
                stream,
                sequence,
                db,
                basis: basis.named(&exported),
                built_on: &basis.built_on,
                proof: &proof,
                sources: &sources,
                modules: &fetched.modules,
                portion: &portion,
                answers,
                files,
                vulndb: carrying,
                trust,
                missing: missing(&fetched.failures),
                volume_size: config.volume_size.map(|size| size.0),
                packing,
                bases: &bases.bases,
                policy: &config.policy,
            };
            Some(written_and_remembered(
                &contents, &key, out, &state, progress,
            )?)
        }
    };
    notes.extend(fetched.notes);
    Ok(Exported {
        written,
        basis: basis.words,
        failures: fetched.failures,
        unanswered: told.unanswered,
        selected: fetched.modules.len(),
        tree_size,
        older_heads: proof.older,
        known: judged.known,
        notes,
        signer: key,
    })
}

/// An error, if something cannot be had or is refused and nobody wants the rest, or there is no rest.
fn stop_at(fetched: &Fetched, unanswered: &[Unanswered], keep_going: bool) -> Result<(), Error> {
    let all = fetched.failures.is_empty() && unanswered.is_empty();
    if all || (keep_going && !fetched.modules.is_empty()) {
        return Ok(());
    }
    Err(Error::Unavailable {
        failures: fetched.failures.clone(),
        unanswered: unanswered.to_vec(),
        written: false,
    })
}

/// What zips may be packed against.
fn bases(
    fetched: &Fetched,
    portion: &Portion,
    exported: &[Earlier],
    basis: &Basis,
    sources: &Sources,
) -> Result<Candidates, Error> {
    let zip = |module: &&ModuleVersion| portion.modules.get(module).is_some_and(|share| share.zip);
    let carried: Vec<&ModuleVersion> = fetched.modules.keys().filter(zip).collect();
    base::candidates(&carried, exported, &basis.built_on.bundles, &sources.cache)
}

fn written_and_remembered(
    contents: &Contents<'_>,
    key: &SigningKey,
    out: &Path,
    state: &State,
    progress: &Progress,
) -> Result<Written, Error> {
    let written = write::write(contents, key, out, state, progress)?;
    if let Err(error) = state.remember(&written.manifest, &written.note) {
        // A bundle that the state does not know would stand in the way of the next one.
        for file in &written.files {
            let _ = std::fs::remove_file(file);
        }
        return Err(error);
    }
    Ok(written)
}

/// The records of everything that is carried and that a checksum database vouches for.
pub fn records(
    fetched: &Fetched,
    sources: &Sources,
) -> Vec<(ModuleVersion, modferry_protocol::sumdb::Record)> {
    fetched
        .modules
        .iter()
        .filter(|(module, _)| !sources.is_private(module))
        .map(|(module, entry)| (module.clone(), entry.record.clone()))
        .collect()
}

/// One line a module; of several reasons the first.
fn missing(failures: &[Failure]) -> Vec<Missing> {
    let mut missing = BTreeMap::new();
    for failure in failures {
        missing
            .entry(failure.module.clone())
            .or_insert_with(|| failure.why.reason.token());
    }
    missing
        .into_iter()
        .map(|(module, reason)| Missing { module, reason })
        .collect()
}
