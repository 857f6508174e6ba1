//! What a bundle says of itself.

use std::io::{self, Write};

use modferry_cli::{bytes, count, print_json};
use modferry_protocol::bundle::{Basis, Item};
use serde_json::json;

use super::say;
use crate::bundle::Bundle;
use crate::cache::hex;
use crate::command::stdout;
use crate::error::Error;
use crate::inspect::{Inspected, Kind, ModuleBytes};

/// `inspect --fingerprint`
pub fn fingerprint(inspected: &Inspected, json: bool) -> Result<(), Error> {
    let manifest = &inspected.bundle.manifest;
    super::fingerprint(manifest, inspected.signers.as_deref(), json)
}

/// `inspect`
pub fn inspect(
    inspected: &Inspected,
    modules: Option<&[ModuleBytes]>,
    list: bool,
    json: bool,
) -> Result<(), Error> {
    let bundle = &inspected.bundle;
    let manifest = &bundle.manifest;
    let totals = &manifest.totals;
    if json {
        let mut items = Vec::new();
        if list {
            for item in inspected.bundle.index.items() {
                let (item, size) = item?;
                items.push(json!({ "item": item.to_string(), "bytes": size }));
            }
        }
        let missing: Vec<_> = manifest
            .missing
            .iter()
            .map(
                |missing| json!({ "module": missing.module.to_string(), "reason": missing.reason }),
            )
            .collect();
        let heads: Vec<_> = manifest
            .heads
            .iter()
            .map(|(db, head)| json!({ "database": db.as_str(), "size": head.size, "hash": head.hash.to_string() }))
            .collect();
        let volumes: Vec<_> = bundle
            .volumes
            .iter()
            .map(|front| {
                json!({
                    "file": front.path, "number": front.volume.number, "bytes": front.bytes,
                    "entries": front.volume.entries,
                })
            })
            .collect();
        let vulndb = manifest.vulndb.as_ref().map(|vulndb| {
            let snapshot = &vulndb.snapshot;
            json!({
                "carried": vulndb.carried, "modified": snapshot.modified, "documents": snapshot.documents,
                "bytes": snapshot.bytes, "sha256": hex(&snapshot.sha256),
            })
        });
        let basis = match &manifest.basis {
            Basis::None => None,
            Basis::Bundle { sequence, .. } => Some(sequence.get()),
        };
        return print_json(&json!({
            "volumes": volumes, "volume_count": bundle.of(), "missing_volumes": missing_volumes(bundle),
            "signature_checked": inspected.signers.is_some(), "signers": inspected.signers,
            "claimed_signers": inspected.claimed,
            "fingerprint": manifest.spoken().to_string(),
            "stream": manifest.stream.to_string(), "sequence": manifest.sequence.get(),
            "created": manifest.created, "basis": basis, "needs": manifest.needs, "bases": manifest.bases,
            "tombstones": manifest.tombstones, "heads": heads, "missing": missing,
            "vulnerability_database": vulndb,
            "records": totals.records, "tiles": totals.tiles, "infos": totals.infos,
            "mods": totals.mods, "zips": totals.zips, "zip_bytes": totals.zip_bytes,
            "carried_bytes": totals.carried_bytes, "kinds": inspected.kinds,
            "by_module": modules, "items": list.then_some(items),
        }))
        .map_err(stdout);
    }
    let mut text = String::new();
    let file = bundle.name();
    match &inspected.signers {
        Some(signers) => text += &format!("{file}: signed by {}\n", signers.join(", ")),
        None => {
            text += &format!(
                "{file}: signature NOT CHECKED (claims to be signed by {}); use verify, or --pub FILE\n",
                match inspected.claimed.is_empty() {
                    true => "nobody".into(),
                    false => inspected.claimed.join(", "),
                }
            );
        }
    }
    text += &format!(
        "  stream {} {}, created {}, {} on disk\n",
        manifest.stream,
        manifest.sequence,
        manifest.created,
        bytes(bundle.volumes.iter().map(|front| front.bytes).sum())
    );
    text += &format!("  fingerprint {}\n", manifest.spoken());
    text += &match &manifest.basis {
        Basis::None => "  builds on nothing: whole by itself\n".into(),
        Basis::Bundle { sequence, .. } => format!(
            "  builds on bundle {sequence}: needs of what is held {}, takes {} back\n",
            count(manifest.needs, "module version"),
            manifest.tombstones
        ),
    };
    if manifest.bases > 0 {
        text += &format!(
            "  packed against {} that have to be held with the very bytes that they had here\n",
            count(manifest.bases, "zip")
        );
    }
    if bundle.of() > 1 {
        for front in &bundle.volumes {
            let (first, last) = front.volume.entries.unwrap_or_default();
            text += &format!(
                "  volume {} of {}, entries {first} to {last}, {}: {}\n",
                front.volume.number,
                front.volume.of,
                bytes(front.bytes),
                front.path.display()
            );
        }
        let missing = missing_volumes(bundle);
        if !missing.is_empty() {
            text += &format!("  not here: {}\n", missing.join(", "));
        }
    }
    for (db, head) in &manifest.heads {
        let records = count(head.size, "record");
        text += &format!("  {db}: a tree of {records}, {}\n", head.hash);
    }
    text += &format!(
        "  {} ({}), {}, {}, {}\n",
        count(totals.zips, "zip"),
        bytes(totals.zip_bytes),
        count(totals.mods, "go.mod file"),
        count(totals.records, "record"),
        count(totals.tiles, "tile")
    );
    if let Some(vulndb) = &manifest.vulndb {
        let (does, snapshot) = match vulndb.carried {
            true => ("carries", &vulndb.snapshot),
            false => ("needs", &vulndb.snapshot),
        };
        text += &format!(
            "  {does} the vulnerability database of {}: {} documents ({}), SHA-256 {}\n",
            snapshot.modified,
            snapshot.documents,
            bytes(snapshot.bytes),
            hex(&snapshot.sha256)
        );
    }
    text += &kinds(&inspected.kinds);
    if let Some(modules) = modules {
        text += &by_module(modules);
    }
    for missing in &manifest.missing {
        text += &format!("  missing {}: {}\n", missing.module, missing.reason);
    }
    say(&text)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    for item in inspected.bundle.index.items() {
        let (item, size) = item?;
        let line = match (list, &item) {
            (true, _) => format!("{item} {size}"),
            (false, Item::Zip(_) | Item::File(_)) => format!("    {item} ({})", bytes(size)),
            (false, _) => continue,
        };
        writeln!(out, "{line}").map_err(stdout)?;
    }
    out.flush().map_err(stdout)
}

/// Where its bytes went: a line for each kind of thing.
fn kinds(kinds: &[Kind]) -> String {
    let mut text = String::from("  where the bytes went:\n");
    for kind in kinds {
        let restored = match kind.restored_bytes {
            0 => String::new(),
            restored => format!(", restored {}", bytes(restored)),
        };
        text += &format!(
            "{:>10} {:>9}  {}{restored}\n",
            kind.count,
            bytes(kind.carried_bytes),
            kind.kind
        );
    }
    text
}

/// What each zip takes, the largest first.
fn by_module(modules: &[ModuleBytes]) -> String {
    let mut sorted: Vec<&ModuleBytes> = modules.iter().collect();
    sorted.sort_by_key(|module| std::cmp::Reverse(module.carried_bytes));
    let mut text = String::from(
        "  what each zip takes; what several have counts for the first of them in the bundle:\n",
    );
    for module in sorted {
        text += &format!(
            "{:>10} of {:>8}  {}",
            bytes(module.carried_bytes),
            bytes(module.zip_bytes),
            module.module
        );
        if module.shared + module.held > 0 {
            text += &format!(
                ": of {} files {} are an earlier zip's here, {} one's that is held",
                module.files, module.shared, module.held
            );
        }
        text += "\n";
    }
    text
}

/// The file names of the volumes that are not there.
fn missing_volumes(bundle: &Bundle) -> Vec<String> {
    let missing = bundle.missing();
    missing
        .iter()
        .map(|number| bundle.manifest.volume_file_name(*number))
        .collect()
}
