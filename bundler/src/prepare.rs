//! What an export and a plan of it go by before anything is fetched: what was exported so far and is held, what is asked for,
//! where it comes from, and the vulnerability database. The same for both, so that a plan plans what an export does.

use std::path::PathBuf;

use modferry_protocol::bundle::MAX_MANIFEST;
use modferry_protocol::sumdb::SignedHead;

use crate::asked::Asked;
use crate::basis::{self, Basis, Holdings};
use crate::error::Error;
use crate::fetch::{Fetched, Sources};
use crate::files;
use crate::settings::Config;
use crate::state::{Exported, State};
use crate::sumdb::prove::Claims;
use crate::vulndb::{self, Database};

/// What is known before anything is fetched.
pub struct Prepared {
    /// The stream's bundles.
    pub exported: Vec<Exported>,
    /// What the next one builds on.
    pub basis: Basis,
    /// What is asked for.
    pub asked: Asked,
    /// Where it comes from.
    pub sources: Sources,
    /// What the destination holds.
    pub holdings: Holdings,
    /// Heads that clients may hold.
    pub claims: Claims,
    /// The vulnerability database, if one is named.
    pub vulndb: Option<Database>,
    /// Worth telling.
    pub notes: Vec<String>,
}

impl Prepared {
    /// By these settings and this state; for an export, which fetches zips and keeps a receipt, or for a plan.
    pub fn of(config: &Config, state: &State, exports: bool) -> Result<Prepared, Error> {
        let exported = state.exported()?;
        let basis = basis::choose(config, state, &exported, exports)?;
        let receipt_key = basis::receipt_key(config, state)?;
        let mut asked = Asked::of(config, &basis, &exported, receipt_key.as_ref())?;
        let sources = config.sources(exports)?;
        asked.pass_over_secret_wants(config, &sources)?;
        let db = &sources.sumdb.spec().name;
        let holdings = Holdings::of(&exported, &basis.built_on.bundles, db)?;
        let notes = basis
            .notes
            .iter()
            .chain(&asked.notes)
            .chain(&holdings.notes);
        let notes = notes.cloned().collect();
        asked.refuse_private(&sources, config.keep_going.unwrap_or(false))?;
        let claims = claims(config, &sources, state, &basis)?;
        let http = sources.upstream.http();
        let vulndb = vulndb::at_hand(config.vulndb.as_ref(), http, &sources.cache)?;
        config.policy.needs_vulndb(vulndb.as_ref(), &exported)?;
        Ok(Prepared {
            exported,
            basis,
            asked,
            sources,
            holdings,
            claims,
            vulndb,
            notes,
        })
    }
}

/// An error, if what was asked for has come to nothing at all.
pub fn refuse_nothing(
    config: &Config,
    fetched: &Fetched,
    vulndb: Option<&Database>,
) -> Result<(), Error> {
    match fetched.modules.is_empty() && config.files.is_empty() && vulndb.is_none() {
        true => Err(Error::usage(
            "nothing to export: what was asked for names no module",
        )),
        false => Ok(()),
    }
}

/// Heads that clients may hold: what this stream shipped, what the destination says that it served, what the
/// operator names, what runs before saw.
fn claims(
    config: &Config,
    sources: &Sources,
    state: &State,
    basis: &Basis,
) -> Result<Claims, Error> {
    let spec = sources.sumdb.spec();
    let mut claims = Claims {
        shipped: state.shipped(&spec.name)?,
        ..Claims::default()
    };
    for (db, head) in &basis.heads {
        if *db == spec.name && !claims.shipped.contains(head) {
            claims.shipped.push(*head);
        }
    }
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
