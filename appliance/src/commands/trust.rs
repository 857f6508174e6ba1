//! `trust add|list|remove|require`.

use super::{failed, say};
use crate::Failed;
use crate::args::{Args, Trust};
use modferry_appliance::trust::{Kind, TrustStore, TrustedKey};
use serde_json::json;
use std::path::Path;

pub fn trust(args: &Args, store: &Path, action: &Trust) -> Result<(), Failed> {
    let trust = TrustStore::of(store);
    match action {
        Trust::Add { key, sumdb } => {
            let kind = if *sumdb { Kind::Sumdb } else { Kind::Bundle };
            let (key, new) = trust.add(kind, key).map_err(failed)?;
            say(args, &json!({ "added": new, "key": key }), || {
                let what = match (new, kind) {
                    (false, _) => "was trusted before",
                    (true, Kind::Bundle) => "is trusted to sign bundles",
                    (true, Kind::Sumdb) => "is trusted as a checksum database",
                };
                format!(
                    "{} {what}\n  fingerprint {}\n  compare it with its owner over another channel: whoever \
                     has that key decides what gets in here",
                    key.name, key.fingerprint
                )
            })
        }
        Trust::List => {
            let keys = trust.list().map_err(failed)?;
            let any = keys.iter().any(|key| key.kind == Kind::Bundle);
            let required = match any {
                true => Some(trust.required().map_err(failed)?),
                false => None,
            };
            say(args, &json!({ "required": required, "keys": keys }), || {
                let mut text = match required {
                    Some(1) => "to sign bundles, any one of:".into(),
                    Some(number) => format!("to sign bundles, {number} different ones of:"),
                    None => {
                        "to sign bundles: nobody yet (modferry-appliance trust add KEY.pub)".into()
                    }
                };
                text += &lines(&keys, Kind::Bundle);
                text += "\nas checksum databases:";
                text += &lines(&keys, Kind::Sumdb);
                text
            })
        }
        Trust::Remove { name } => {
            let key = trust.remove(name).map_err(failed)?;
            say(args, &json!({ "removed": key }), || {
                format!(
                    "{} is trusted no more; what it brought stays in the store",
                    key.name
                )
            })
        }
        Trust::Require { number } => {
            trust.require(*number).map_err(failed)?;
            say(args, &json!({ "required": number }), || {
                format!("bundles need the signatures of {number} different trusted keys")
            })
        }
    }
}

fn lines(keys: &[TrustedKey], kind: Kind) -> String {
    let of_kind = keys.iter().filter(|key| key.kind == kind);
    of_kind
        .map(|key| {
            let built_in = if key.built_in { " (built in)" } else { "" };
            format!(
                "\n  {}{built_in}\n    fingerprint {}",
                key.name, key.fingerprint
            )
        })
        .collect()
}
