//! Results, in words for people and as JSON for machines.

mod diff;
mod inspect;
mod plan;
mod recut;
mod sign;
mod trust;
mod verify;
mod vulnerable;

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use modferry_cli::{bytes, count, duration, print_json, printable};
use modferry_protocol::bundle::Manifest;
use modferry_protocol::module::ModuleVersion;
use serde_json::json;

use super::flags::Cli;
use super::stdout;
use crate::error::Error;
use crate::export::Exported;
use crate::fetch::{Dependents, Failure};
use crate::keygen::Made;
use crate::pack::Packing;
use crate::select::resolve::Unanswered;
use crate::settings::Config;
use crate::write::Written;

pub use diff::diff;
pub use inspect::{fingerprint as inspect_fingerprint, inspect};
pub use plan::{plan, plan_why};
pub use recut::recut;
pub use sign::{as_json, signed, unsigned};
pub use trust::trust_note;
pub use verify::verify;

fn say(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(stdout)
}

/// `keygen`
pub fn keygen(made: &Made, json: bool) -> Result<(), Error> {
    let fingerprint = made.verifier.fingerprint();
    if json {
        return print_json(&json!({
            "key": made.key, "pub": made.public,
            "verifier": made.verifier.to_string(), "fingerprint": fingerprint,
        }))
        .map_err(stdout);
    }
    say(&format!(
        "{}  the secret key: keep it on this side, readable by those who export only\n\
         {}  the public key: carry it to the other side once\n\
         fingerprint {fingerprint}\n\
         next: modferry-bundler export MODULE@VERSION --key {} --out DIR\n",
        made.key.display(),
        made.public.display(),
        made.key.display()
    ))
}

/// `export`
pub fn export(
    exported: &Exported,
    config: &Config,
    took: Duration,
    cli: &Cli,
) -> Result<(), Error> {
    let Some(written) = &exported.written else {
        return nothing_new(exported, config, took, cli);
    };
    let manifest = &written.manifest;
    let totals = &manifest.totals;
    if cli.json {
        let heads: Vec<_> = manifest
            .heads
            .iter()
            .map(|(db, head)| json!({ "database": db.as_str(), "size": head.size, "hash": head.hash.to_string() }))
            .collect();
        return print_json(&json!({
            "stream": manifest.stream.to_string(), "sequence": manifest.sequence.get(),
            "fingerprint": manifest.spoken().to_string(),
            "volumes": written.files.len() - 1, "files": written.files, "bytes": written.bytes,
            "basis": exported.basis, "nothing_new": false,
            "needs": manifest.needs, "tombstones": manifest.tombstones,
            "modules": totals.zips, "go_mods": totals.mods, "records": totals.records,
            "tiles": totals.tiles, "zip_bytes": totals.zip_bytes, "carried_bytes": totals.carried_bytes,
            "pack": written.packing, "contents": totals.contents,
            "content_bytes": totals.content_bytes, "bases": manifest.bases, "verbatim": verbatim(written), "heads": heads,
            "older_heads_proven": exported.older_heads, "missing": missing(&exported.failures, &exported.unanswered),
            "vulnerabilities": exported.known, "notes": exported.notes, "seconds": took.as_secs_f64(),
            "signer": exported.signer.verifier().to_string(),
            "media_rate": config.media_rate, "media_seconds": seconds_to_carry(config, written.bytes),
        }))
        .map_err(stdout);
    }
    if cli.quiet {
        return Ok(());
    }
    let mut text = format!(
        "exported {} {}: {} ({}) and {} for version selection, in {}\n\
         built on {}",
        manifest.stream,
        manifest.sequence,
        count(totals.zips, "module"),
        bytes(totals.zip_bytes),
        count(totals.mods - totals.zips.min(totals.mods), "go.mod file"),
        duration(took),
        exported.basis,
    );
    if manifest.needs > 0 {
        let are = if manifest.needs == 1 { "is" } else { "are" };
        let needed = count(manifest.needs, "module version");
        text += &format!("; {needed} {are} needed there");
    }
    if manifest.tombstones > 0 {
        let are = if manifest.tombstones == 1 {
            "is"
        } else {
            "are"
        };
        text += &format!("; {} {are} taken back", manifest.tombstones);
    }
    text += "\n";
    text += &packed(written);
    for (db, head) in &manifest.heads {
        text += &format!(
            "proven against {db}: {} in its tree of {}, carried with {}; consistent with {}\n",
            count(totals.records, "record"),
            head.size,
            count(totals.tiles, "tile"),
            count(exported.older_heads, "older tree head"),
        );
    }
    text += &vulnerable::counted(exported.known.as_ref());
    text += &notes(&exported.notes);
    for file in &written.files {
        text += &format!("  {}\n", file.display());
    }
    let out = config.out.as_deref().unwrap_or(Path::new("."));
    let verifier = exported.signer.verifier();
    text += &format!(
        "{} on disk, in {}{}, signed by {}+{:08x}\n\
         fingerprint, to compare over a telephone: {}\n\
         next, on the other side: modferry-appliance import {}\n\
         (once before: modferry-appliance trust add {}.pub, fingerprint {})\n",
        bytes(written.bytes),
        volumes(written.files.len() - 1),
        time_to_carry(config, written.bytes),
        verifier.name(),
        verifier.id(),
        manifest.spoken(),
        out.display(),
        verifier.name(),
        verifier.fingerprint(),
    );
    say(&text)
}

/// What packing came to; nothing where nothing was to be packed.
fn packed(written: &Written) -> String {
    let totals = &written.manifest.totals;
    let mut text = String::new();
    if totals.zips > written.verbatim.len() as u64 && written.packing != Packing::None {
        let share = totals.carried_bytes as f64 / totals.zip_bytes.max(1) as f64 * 100.0;
        text += &format!(
            "packed: {} are carried for zips of {} ({share:.1} %), each rebuild proven",
            bytes(totals.carried_bytes),
            bytes(totals.zip_bytes),
        );
        text += &match written.manifest.bases {
            0 => "\n".into(),
            bases => format!(
                "; built on: {} that the destination holds\n",
                count(bases, "zip")
            ),
        };
    }
    if let Some((module, why)) = written.verbatim.first() {
        text += &match written.verbatim.len() {
            1 => format!("not packed: {module}: {why}\n"),
            zips => format!("not packed: {zips} zips, the first of them {module}: {why}\n"),
        };
    }
    text
}

fn verbatim(written: &Written) -> Vec<serde_json::Value> {
    let one = |(module, why): &(ModuleVersion, String)| json!({ "module": module.to_string(), "why": why });
    written.verbatim.iter().map(one).collect()
}

/// `export` where there is nothing to export.
fn nothing_new(
    exported: &Exported,
    config: &Config,
    took: Duration,
    cli: &Cli,
) -> Result<(), Error> {
    let stream = config.stream()?;
    if cli.json {
        return print_json(&json!({
            "stream": stream.to_string(), "basis": exported.basis, "nothing_new": true,
            "files": [], "bytes": 0, "selected": exported.selected, "tree_size": exported.tree_size,
            "missing": missing(&exported.failures, &exported.unanswered), "vulnerabilities": exported.known,
            "notes": exported.notes, "seconds": took.as_secs_f64(),
        }))
        .map_err(stdout);
    }
    if cli.quiet {
        return Ok(());
    }
    let mut text = format!(
        "nothing new in {stream}: the destination holds all that is selected, {}, and the tree of {}; nothing was written\n\
         built on {}\n",
        count(exported.selected, "module version"),
        count(exported.tree_size, "record"),
        exported.basis
    );
    text += &vulnerable::counted(exported.known.as_ref());
    text += &notes(&exported.notes);
    say(&text)
}

/// All that cannot be had: queries that come to nothing, then parts of modules.
fn missing(failures: &[Failure], unanswered: &[Unanswered]) -> Vec<serde_json::Value> {
    let query = |why: &Unanswered| {
        json!({
            "module": why.asked(), "part": "query", "reason": why.token(), "text": why.to_string(),
            "required_by": "", "dependents": Dependents::default(),
        })
    };
    let one = |failure: &Failure| {
        json!({
            "module": failure.module.to_string(), "part": failure.part.name(),
            "reason": failure.why.reason.token(), "text": failure.why.text,
            "required_by": failure.required_by, "dependents": failure.dependents,
        })
    };
    let queries = unanswered.iter().map(query);
    queries.chain(failures.iter().map(one)).collect()
}

/// The seconds that so many bytes take on the way; `None` where nobody has said how fast it is.
fn seconds_to_carry(config: &Config, bytes: u64) -> Option<u64> {
    let rate = config.media_rate?;
    Some(rate.time_for(bytes).as_secs())
}

/// `, 3 min 20 s on the way at 2.0 Mbit/s`, or nothing.
fn time_to_carry(config: &Config, bytes: u64) -> String {
    match config.media_rate {
        None => String::new(),
        Some(rate) => format!(", {} on the way at {rate}", duration(rate.time_for(bytes))),
    }
}

/// `1 volume`, `3 volumes`
fn volumes(count: usize) -> String {
    match count {
        1 => "1 volume".into(),
        _ => format!("{count} volumes"),
    }
}

/// `--fingerprint` of inspect and verify: what two people compare, and of what. `signers` are those checked.
fn fingerprint(manifest: &Manifest, signers: Option<&[String]>, json: bool) -> Result<(), Error> {
    let (stream, sequence) = (&manifest.stream, manifest.sequence);
    if json {
        return print_json(&json!({
            "stream": stream.to_string(), "sequence": sequence.get(),
            "fingerprint": manifest.spoken().to_string(), "signers": signers,
        }))
        .map_err(stdout);
    }
    say(&format!(
        "{}  {stream} {sequence}, {}\n",
        manifest.spoken(),
        match signers {
            Some(signers) => format!("signed by {}", signers.join(", ")),
            None => "signature NOT CHECKED".into(),
        }
    ))
}

/// A line for each. They have other people's words in them, which do nothing to a terminal.
fn notes(notes: &[String]) -> String {
    let notes = notes.iter();
    notes
        .map(|note| format!("note: {}\n", printable(note)))
        .collect()
}

/// What somebody else says, in one line behind a colon; nothing where they say nothing.
fn in_one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain = words.join(" ").replace(|c: char| c.is_control(), "");
    match plain.is_empty() {
        true => String::new(),
        false => format!(": {}", printable(&plain)),
    }
}
