//! `export`: fetch, prove, write, sign, remember. In this order, so that what fails leaves nothing behind:
//! a bundle's files get their names last, and the state follows them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{MAX_MANIFEST, Missing};
use modferry_protocol::note::SigningKey;
use modferry_protocol::sumdb::SignedHead;

use crate::error::Error;
use crate::fetch::{Failure, Fetched, Session, Sources};
use crate::files;
use crate::progress::Progress;
use crate::select::args;
use crate::settings::Config;
use crate::state::State;
use crate::sumdb::prove::{Claims, prove};
use crate::trust;
use crate::write::{self, Contents, Written};

/// What an export came to.
#[derive(Debug)]
pub struct Exported {
    /// The files and their manifest.
    pub written: Written,
    /// What cannot be had and is named in the manifest.
    pub failures: Vec<Failure>,
    /// Older tree heads that were proven to be beginnings of the newest tree.
    pub older_heads: usize,
    /// Worth telling.
    pub notes: Vec<String>,
    /// The key that signed.
    pub signer: SigningKey,
}

/// Fetches what is asked for and writes a bundle of it.
pub fn export(config: &Config, progress: &Progress) -> Result<Exported, Error> {
    let (wants, mut notes) = args::wants(&config.modules, &config.go_mod)?;
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
    if let Some(name) = write::finish_interrupted(out, &state)? {
        notes.push(format!(
            "{name} was written by a run that was interrupted; it is in the stream now, and this bundle follows it"
        ));
    }
    let sequence = state.next()?;
    write::refuse_existing(out, &stream, sequence)?;
    let sources = config.sources(true)?;
    refuse_private(&sources, &wants, config.keep_going.unwrap_or(false))?;
    let mut claims = claims(config, &sources, &state)?;

    progress.phase("fetch");
    let mut fetched = Session::new(&sources, progress, wants).run()?;
    let keep_going = config.keep_going.unwrap_or(false);
    if !fetched.failures.is_empty() && !keep_going {
        return Err(Error::Unavailable {
            failures: fetched.failures,
            written: false,
        });
    }
    if fetched.modules.is_empty() {
        return Err(match fetched.failures.is_empty() {
            true => Error::usage("nothing to export: what was asked for names no module"),
            false => Error::Unavailable {
                failures: fetched.failures,
                written: false,
            },
        });
    }

    progress.phase("prove");
    claims.records = records(&fetched);
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

    let contents = Contents {
        stream,
        sequence,
        db: sources.sumdb.spec().name.clone(),
        proof: &proof,
        sources: &sources,
        modules: &fetched.modules,
        trust,
        missing: missing(&fetched.failures),
        volume_size: config.volume_size.map(|size| size.0),
    };
    let written = write::write(&contents, &key, out, &state, progress)?;
    if let Err(error) = state.remember(&written.manifest, &written.note) {
        // A bundle that the state does not know would stand in the way of the next one.
        for file in &written.files {
            let _ = std::fs::remove_file(file);
        }
        return Err(error);
    }
    notes.extend(fetched.notes);
    Ok(Exported {
        written,
        failures: fetched.failures,
        older_heads: proof.older,
        notes,
        signer: key,
    })
}

/// Modules that are private are refused before any request could name them.
pub fn refuse_private(
    sources: &Sources,
    wants: &[crate::fetch::Want],
    keep_going: bool,
) -> Result<(), Error> {
    use crate::fetch::Want;
    let mut refused: BTreeMap<String, &'static str> = BTreeMap::new();
    for want in wants {
        let modules: Vec<_> = match want {
            Want::Sums { sums, .. } => sums.keys().collect(),
            Want::Build { main, .. } => {
                let required = main.summary.require.iter();
                required.filter_map(|module| main.fetched(module)).collect()
            }
        };
        for module in modules {
            if let Some(variable) = sources.private_by(module) {
                refused.insert(module.to_string(), variable);
            }
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
    .advise("private modules come later; --keep-going exports the rest")
    .into())
}

/// Heads that clients may hold: what this stream shipped, what the operator names, what runs before saw.
fn claims(config: &Config, sources: &Sources, state: &State) -> Result<Claims, Error> {
    let spec = sources.sumdb.spec();
    let mut claims = Claims {
        shipped: state.shipped(&spec.name)?,
        ..Claims::default()
    };
    if let Some(head) = state.head(spec)? {
        sources.sumdb.saw(head);
    }
    for known in &config.known_head {
        if let Ok(size) = known.parse() {
            claims.sizes.push(size);
            continue;
        }
        let path = PathBuf::from(known);
        let note = files::read_bounded(&path, MAX_MANIFEST).map_err(Error::file("read", &path))?;
        let head = SignedHead::open(&note, &spec.key).map_err(|source| {
            Error::usage_because(format!("{known} is no tree head of {}", spec.name), source)
        })?;
        claims.shipped.push(head.head());
        sources.sumdb.saw(head);
    }
    Ok(claims)
}

/// The records of everything that is carried.
pub fn records(
    fetched: &Fetched,
) -> Vec<(
    modferry_protocol::module::ModuleVersion,
    modferry_protocol::sumdb::Record,
)> {
    fetched
        .modules
        .iter()
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
