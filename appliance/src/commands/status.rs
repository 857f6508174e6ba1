//! `status`: what the store holds, and from which imports.

use super::{failed, reader, say};
use crate::Failed;
use crate::args::Args;
use modferry_appliance::evidence::{self, Evidence};
use modferry_appliance::store::{LedgerEntry, SCHEMA, StoreError, Totals, View};
use modferry_appliance::trust::{Kind, TrustStore};
use modferry_cli::bytes;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

#[derive(Default, Serialize)]
struct Status {
    store: String,
    schema: &'static str,
    #[serde(flatten)]
    totals: Totals,
    tree_heads: Vec<Head>,
    /// The last imports, newest first.
    last_imports: Vec<LedgerEntry>,
    /// Forks of checksum databases that were refused, and that no one has acknowledged.
    unacknowledged_forks: Vec<Evidence>,
    /// How many keys are trusted to sign bundles.
    trusted_bundle_keys: usize,
}

#[derive(Serialize)]
struct Head {
    database: String,
    size: u64,
    hash: String,
    /// How many heads were ever served.
    heads: usize,
}

pub fn status(args: &Args, store: &Path, imports: u64) -> Result<(), Failed> {
    let mut status = match reader(store)? {
        Some((reader, _log)) => look(&reader, imports).map_err(failed)?,
        None => Status::default(),
    };
    status.schema = SCHEMA;
    status.store = store.display().to_string();
    let keys = TrustStore::of(store).list().map_err(failed)?;
    status.trusted_bundle_keys = keys.iter().filter(|key| key.kind == Kind::Bundle).count();
    status.unacknowledged_forks = evidence::list(store).map_err(failed)?;
    status
        .unacknowledged_forks
        .retain(|fork| fork.acknowledged.is_none());
    say(args, &status, || text(&status))
}

fn look(view: &View, imports: u64) -> Result<Status, StoreError> {
    let totals = view.totals()?;
    let mut tree_heads = Vec::new();
    for db in view.databases()? {
        let heads = view.heads(&db)?;
        if let Some(newest) = heads.last() {
            tree_heads.push(Head {
                database: db.to_string(),
                size: newest.size,
                hash: newest.hash.to_string(),
                heads: heads.len(),
            });
        }
    }
    let mut last_imports = Vec::new();
    for number in (1..=totals.imports).rev() {
        if totals.imports - number >= imports {
            break;
        }
        last_imports.extend(view.ledger(number)?);
    }
    Ok(Status {
        totals,
        tree_heads,
        last_imports,
        ..Status::default()
    })
}

fn text(status: &Status) -> String {
    let counts = &status.totals.counts;
    let mut text = format!(
        "store {} ({})\n  module versions  {} of {} modules\n  go.mod files     {}\n  zips             {} ({})\n  \
         sumdb            {} records, {} tiles\n  trusted keys     {} for bundles",
        status.store,
        status.schema,
        counts.versions,
        counts.modules,
        counts.mods,
        counts.zips,
        bytes(counts.zip_bytes),
        counts.records,
        counts.tiles,
        status.trusted_bundle_keys
    );
    // Writing to a String cannot fail.
    for head in &status.tree_heads {
        let _ = write!(
            text,
            "\ntree head {}: {} records, {} (heads so far: {})",
            head.database, head.size, head.hash, head.heads
        );
    }
    for (name, stream) in &status.totals.streams {
        let _ = write!(
            text,
            "\nstream {name}: at bundle {}, made {} (bundles imported: {})",
            stream.sequence, stream.created, stream.bundles
        );
    }
    for fork in &status.unacknowledged_forks {
        let _ = write!(
            text,
            "\nFORK refused: {0}; what is served is the state before it\n  \
             once looked into: modferry-appliance evidence acknowledge {0}",
            fork.name
        );
    }
    let _ = write!(text, "\nimports: {}", status.totals.imports);
    for entry in &status.last_imports {
        let _ = write!(
            text,
            "\n  {:>4}  {}  {} {}  {} new module versions, {}",
            entry.number,
            entry.time,
            entry.source.stream,
            entry.source.sequence,
            entry.added.versions,
            bytes(entry.added.zip_bytes)
        );
    }
    text
}
