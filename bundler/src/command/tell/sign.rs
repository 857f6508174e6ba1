//! What is signed, shown before it is: nobody is asked, so what was signed must stand there.

use modferry_cli::{bytes, count, print_json};
use modferry_protocol::bundle::{Basis, Manifest};
use modferry_protocol::note::VerifierKey;
use modferry_protocol::trust::TrustNote;
use serde_json::json;

use super::say;
use crate::command::stdout;
use crate::error::Error;
use crate::sign::{Signable, Signed, Unsigned};

/// What is about to be signed.
pub fn unsigned(unsigned: &Unsigned) -> Result<(), Error> {
    say(&format!(
        "{}: {}\n  fingerprint {}\n  signed already, unchecked, by {}\n",
        unsigned.path.display(),
        match &unsigned.what {
            Signable::Manifest(manifest) => manifest_text(manifest),
            Signable::Trust(note) => trust_text(note),
        },
        unsigned.spoken,
        match unsigned.claimed.is_empty() {
            true => "nobody".into(),
            false => unsigned.claimed.join(", "),
        },
    ))
}

fn trust_text(note: &TrustNote) -> String {
    let mut text = format!("trust note {}, created {}", note.number, note.created);
    for (what, keys) in [("trusts", &note.add), ("REVOKES", &note.revoke)] {
        for key in keys {
            text += &format!(
                "\n  {what} {}+{:08x}, fingerprint of the key {}",
                key.name(),
                key.id(),
                key.fingerprint()
            );
        }
    }
    if let Some(count) = note.require {
        text += &format!("\n  requires {count} signatures from now on");
    }
    for (stream, count) in &note.streams {
        text += &format!("\n  requires {count} signatures for stream {stream}");
    }
    text
}

fn manifest_text(manifest: &Manifest) -> String {
    let totals = &manifest.totals;
    let mut text = format!(
        "the manifest of bundle {} {}, created {}\n  {}\n",
        manifest.stream,
        manifest.sequence,
        manifest.created,
        match &manifest.basis {
            Basis::None => "whole by itself".into(),
            Basis::Bundle { sequence, .. } => format!("builds on bundle {sequence} of its stream"),
        },
    );
    for (db, head) in &manifest.heads {
        let records = count(head.size, "record");
        text += &format!("  {db}: a tree of {records}, {}\n", head.hash);
    }
    text + &format!(
        "  {} ({}), {}; needs {} held, takes {} back; {} could not be had",
        count(totals.zips, "zip"),
        bytes(totals.zip_bytes),
        count(totals.mods, "go.mod file"),
        manifest.needs,
        manifest.tombstones,
        manifest.missing.len(),
    )
}

/// What came of it; as JSON, what was signed, too.
pub fn signed(signed: &Signed, unsigned: &serde_json::Value, json: bool) -> Result<(), Error> {
    let key = format!("{}+{:08x}", signed.key.name(), signed.key.id());
    if json {
        return print_json(&json!({
            "file": signed.path, "signed": unsigned, "added": signed.added,
            "signer": key, "claimed_signers": signed.claimed,
        }))
        .map_err(stdout);
    }
    let path = signed.path.display();
    say(&match signed.added {
        true => format!(
            "signed by {key}: {path} has {} signatures\n",
            signed.claimed.len()
        ),
        false => format!("{key} has signed it already: nothing to do\n"),
    })
}

/// What is about to be signed, for machines.
pub fn as_json(unsigned: &Unsigned) -> serde_json::Value {
    let mut told = match &unsigned.what {
        Signable::Manifest(manifest) => json!({
            "kind": "manifest", "stream": manifest.stream.to_string(),
            "sequence": manifest.sequence.get(), "created": manifest.created,
            "modules": manifest.totals.zips, "go_mods": manifest.totals.mods,
            "needs": manifest.needs, "tombstones": manifest.tombstones,
        }),
        Signable::Trust(note) => {
            let keys = |keys: &[VerifierKey]| -> Vec<String> {
                keys.iter().map(ToString::to_string).collect()
            };
            let streams: serde_json::Map<_, _> = note
                .streams
                .iter()
                .map(|(stream, count)| (stream.to_string(), json!(count)))
                .collect();
            json!({
                "kind": "trust", "number": note.number, "created": note.created,
                "add": keys(&note.add), "revoke": keys(&note.revoke),
                "require": note.require, "require_streams": streams,
            })
        }
    };
    told["fingerprint"] = json!(unsigned.spoken.to_string());
    told["claimed_signers"] = json!(unsigned.claimed);
    told
}
