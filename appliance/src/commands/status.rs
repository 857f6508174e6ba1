//! `status`: what the store holds, and from which imports.

use super::trust::pending_text;
use super::{failed, reader, say};
use crate::Failed;
use crate::args::Args;
use modferry_appliance::evidence::{self, Evidence};
use modferry_appliance::import::{self, Pending};
use modferry_appliance::store::{Event, LedgerEntry, SCHEMA, StoreError, Totals, View, hex};
use modferry_appliance::trust::{
    Kind, PendingNote, SignedImport, Taken, TrustStore, imports_text, signed_by,
};
use modferry_cli::{bytes, count};
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
    /// The ledger's head: `None` where nothing was imported yet.
    ledger: Option<Ledger>,
    /// The vulnerability database that is served.
    vulnerability_database: Option<Vulndb>,
    /// The last things that were done to the store, newest first.
    last_entries: Vec<LedgerEntry>,
    /// Bundles of which some volumes are staged, and some still to come.
    pending_volumes: Vec<Pending>,
    /// Forks of checksum databases that were refused, and that no one has acknowledged.
    unacknowledged_forks: Vec<Evidence>,
    /// How many keys are trusted to sign bundles.
    trusted_bundle_keys: usize,
    /// What keys had signed that were revoked since.
    revoked_keys_imports: Vec<SignedImport>,
    /// Trust notes that wait for an administrator.
    pending_trust_notes: Vec<PendingNote>,
    /// Trust notes of the last import that are not accepted.
    refused_trust_notes: Vec<Taken>,
}

#[derive(Serialize)]
struct Ledger {
    size: u64,
    root: String,
}

#[derive(Serialize)]
struct Vulndb {
    /// When it was changed last.
    modified: String,
    documents: u64,
    sha256: String,
    stream: String,
    sequence: u64,
}

#[derive(Serialize)]
struct Head {
    database: String,
    size: u64,
    hash: String,
    /// How many heads were ever served.
    heads: usize,
}

pub fn status(args: &Args, store: &Path, entries: u64) -> Result<(), Failed> {
    let trust = TrustStore::of(store);
    let mut status = match reader(store)? {
        Some((reader, _log)) => {
            let mut status = look(&reader, entries).map_err(failed)?;
            let revoked = trust.revoked().map_err(failed)?;
            status.revoked_keys_imports = signed_by(&reader, &revoked).map_err(failed)?;
            let carried = import::trust_notes_of_last(&reader).map_err(failed)?;
            status.refused_trust_notes = trust.refused(&carried).map_err(failed)?;
            status
        }
        None => Status::default(),
    };
    status.pending_trust_notes = trust.pending().map_err(failed)?;
    status.schema = SCHEMA;
    status.store = store.display().to_string();
    let keys = trust.list().map_err(failed)?;
    status.trusted_bundle_keys = keys.iter().filter(|key| key.kind == Kind::Bundle).count();
    status.pending_volumes = import::pending(store).map_err(failed)?;
    status.unacknowledged_forks = evidence::list(store).map_err(failed)?;
    status
        .unacknowledged_forks
        .retain(|fork| fork.acknowledged.is_none());
    say(args, &status, || text(&status))
}

fn look(view: &View, entries: u64) -> Result<Status, StoreError> {
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
    let ledger = view.ledger_head()?;
    let mut last_entries = Vec::new();
    for number in (1..=ledger.size).rev() {
        if ledger.size - number >= entries {
            break;
        }
        last_entries.extend(view.ledger(number)?);
    }
    let vulndb = view.vulndb()?.map(|held| Vulndb {
        modified: held.snapshot.modified,
        documents: held.snapshot.documents,
        sha256: hex(&held.snapshot.sha256),
        stream: held.stream,
        sequence: held.sequence,
    });
    Ok(Status {
        totals,
        tree_heads,
        vulnerability_database: vulndb,
        ledger: Some(Ledger {
            size: ledger.size,
            root: ledger.hash.to_string(),
        }),
        last_entries,
        ..Status::default()
    })
}

fn text(status: &Status) -> String {
    let counts = &status.totals.counts;
    let mut text = format!(
        "store {} ({})\n  module versions  {} of {}\n  go.mod files     {}\n  zips             {} ({})\n  \
         sumdb            {}, {}\n  trusted keys     {} for bundles",
        status.store,
        status.schema,
        counts.versions,
        count(counts.modules, "module"),
        counts.mods,
        counts.zips,
        bytes(counts.zip_bytes),
        count(counts.records, "record"),
        count(counts.tiles, "tile"),
        status.trusted_bundle_keys
    );
    // Writing to a String cannot fail.
    if status.totals.gone > 0 {
        let _ = write!(
            text,
            "\n  gone             {} that no stream names any more (modferry-appliance gc)",
            count(status.totals.gone, "module version")
        );
    }
    if status.totals.gone_files > 0 {
        let _ = write!(
            text,
            "\n  gone files       {} that no stream names any more (modferry-appliance gc)",
            status.totals.gone_files
        );
    }
    for head in &status.tree_heads {
        let _ = write!(
            text,
            "\ntree head {}: {}, {} (heads so far: {})",
            head.database,
            count(head.size, "record"),
            head.hash,
            head.heads
        );
    }
    if let Some(vulndb) = &status.vulnerability_database {
        let _ = write!(
            text,
            "\nvulnerability database of {}: {} (stream {}, bundle {})",
            vulndb.modified,
            count(vulndb.documents, "document"),
            vulndb.stream,
            vulndb.sequence
        );
    }
    for (name, stream) in &status.totals.streams {
        let _ = write!(
            text,
            "\nstream {name}: at bundle {}, made {} (bundles imported: {})",
            stream.sequence, stream.created, stream.bundles
        );
    }
    for pending in &status.pending_volumes {
        let _ = write!(text, "\n{}", waiting(pending));
    }
    for refused in &status.refused_trust_notes {
        let _ = write!(text, "\n{refused}");
    }
    text += &pending_text(&status.pending_trust_notes);
    if !status.revoked_keys_imports.is_empty() {
        text += &imports_text(&status.revoked_keys_imports);
    }
    for fork in &status.unacknowledged_forks {
        let _ = write!(
            text,
            "\nFORK refused: {0}; what is served is the state before it\n  \
             once looked into: modferry-appliance evidence acknowledge {0}",
            fork.name
        );
    }
    if let Some(ledger) = &status.ledger {
        // The two words that `fsck --ledger-head` takes.
        let _ = write!(text, "\nledger head: {} {}", ledger.size, ledger.root);
    }
    for entry in &status.last_entries {
        let _ = write!(
            text,
            "\n  {:>4}  {}  {}",
            entry.number,
            entry.time,
            told(entry)
        );
    }
    text
}

/// What was done, in a line.
fn told(entry: &LedgerEntry) -> String {
    match &entry.event {
        Event::Import(import) => format!(
            "import {} {}: {}, {}",
            import.source.stream,
            import.source.sequence,
            count(import.added.versions, "new module version"),
            bytes(import.added.zip_bytes)
        ),
        Event::Gc(gc) => {
            let modules = format!(
                "gc: {} and {} removed, {}",
                count(gc.removed.mods, "go.mod file"),
                count(gc.removed.zips, "zip"),
                bytes(gc.removed.zip_bytes)
            );
            match gc.removed.files {
                0 => modules,
                files => format!(
                    "{modules}; {}, {}",
                    count(files, "opaque file"),
                    bytes(gc.removed.file_bytes)
                ),
            }
        }
        Event::Acknowledge(done) => match &done.reason {
            Some(reason) => format!("acknowledged: the fork {}: {reason}", done.evidence),
            None => format!("acknowledged: the fork {}", done.evidence),
        },
        Event::Trust(change) => format!("trust note {} applied", change.number),
        Event::DropVulndb(dropped) => format!(
            "the vulnerability database of {} was dropped",
            dropped.modified
        ),
    }
}

/// A bundle of which volumes wait for others.
pub fn waiting(pending: &Pending) -> String {
    let staged: Vec<_> = pending.staged.iter().map(u32::to_string).collect();
    format!(
        "waiting: stream {}, bundle {}: volumes {} of {} are staged ({})\n  still to come: {}",
        pending.stream,
        pending.sequence,
        staged.join(", "),
        pending.of,
        bytes(pending.bytes),
        pending.to_come.join(", ")
    )
}
