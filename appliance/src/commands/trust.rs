//! `trust add|list|remove|require|private|apply|begin`.

use super::{failed, reader, say};
use crate::Failed;
use crate::args::{Args, Required, Trust};
use modferry_appliance::trust::{
    Applied, Kind, ListedNote, PendingNote, PrivateRule, SignedImport, TrustStore, TrustedKey,
    Waiting, imports_text, read_note, signed_by,
};
use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::StreamName;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

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
            let listed = look(&trust, store)?;
            say(args, &listed, || text(&listed))
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
        Trust::Require { number, stream } => require(args, &trust, *number, stream.as_ref()),
        Trust::Private { pattern, key, .. } => private(args, &trust, pattern, key.as_deref()),
        Trust::Apply { notes } => apply(args, &trust, store, notes),
        Trust::Begin { note } => {
            let number = trust.begin(note).map_err(failed)?;
            say(args, &json!({ "begun": number }), || {
                format!(
                    "the keys here are taken for those that trust note {number} left; the next one is {}",
                    number + 1
                )
            })
        }
    }
}

/// Who may bring private modules; with no key nobody, any more.
fn private(
    args: &Args,
    trust: &TrustStore,
    pattern: &str,
    key: Option<&str>,
) -> Result<(), Failed> {
    match key {
        Some(key) => {
            let rule = trust.allow_private(pattern, key).map_err(failed)?;
            say(args, &json!({ "private": rule }), || {
                format!(
                    "{} may bring modules of {pattern} without a checksum database: its owner alone decides what they are",
                    rule.key
                )
            })
        }
        None => {
            trust.forbid_private(pattern).map_err(failed)?;
            say(args, &json!({ "removed": pattern }), || {
                format!(
                    "nobody may bring private modules of {pattern}; what came stays in the store"
                )
            })
        }
    }
}

fn require(
    args: &Args,
    trust: &TrustStore,
    number: Required,
    stream: Option<&StreamName>,
) -> Result<(), Failed> {
    let told = json!({ "required": match number {
        Required::Number(number) => Some(number),
        Required::Default => None,
    }, "stream": stream.map(StreamName::as_str) });
    match (number, stream) {
        (Required::Number(number), _) => {
            trust.require(number, stream).map_err(failed)?;
            say(args, &told, || {
                let whose = match stream {
                    Some(stream) => format!("of stream {stream} "),
                    None => String::new(),
                };
                format!("bundles {whose}need the signatures of {number} different trusted keys")
            })
        }
        (Required::Default, Some(stream)) => {
            trust.require_default(stream).map_err(failed)?;
            say(args, &told, || {
                format!("bundles of stream {stream} need as many signatures as any others")
            })
        }
        (Required::Default, None) => Err(failed(
            Fault::new(Exit::Usage, "there is no default to go back to")
                .advise("give a number, or a stream with --stream"),
        )),
    }
}

/// Applies the notes in turn; what was applied before one fails stays applied.
fn apply(args: &Args, trust: &TrustStore, store: &Path, notes: &[PathBuf]) -> Result<(), Failed> {
    let given: Vec<_> = match notes.is_empty() {
        true => trust
            .waiting()
            .map_err(failed)?
            .into_iter()
            .map(Waiting::note)
            .collect(),
        false => notes.iter().map(|note| read_note(note)).collect(),
    };
    if given.is_empty() {
        return say(args, &json!({ "outcome": "nothing-to-do" }), || {
            "no trust note waits here: nothing to do".into()
        });
    }
    for note in given {
        let note = note.map_err(failed)?;
        let applied = trust.apply(note.as_bytes()).map_err(failed)?;
        trust.clear_pending();
        let imports = match &applied {
            Applied::Applied(change) if !change.revoked.is_empty() => {
                let mut revoked = trust.revoked().map_err(failed)?;
                revoked.retain(|key| change.revoked.contains(&key.name));
                imports(store, &revoked)?
            }
            _ => Vec::new(),
        };
        let told = json!({ "applied": applied, "revoked_keys_imports": imports });
        say(args, &told, || match &applied {
            Applied::AlreadyApplied { number } => {
                format!("trust note {number} was applied before: nothing to do")
            }
            Applied::Applied(change) => {
                let mut text = change.to_string();
                if !change.revoked.is_empty() {
                    text += &imports_text(&imports);
                }
                text
            }
        })?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Listed {
    required: Option<usize>,
    required_by_stream: BTreeMap<String, usize>,
    keys: Vec<TrustedKey>,
    revoked: Vec<TrustedKey>,
    /// Who may bring which private modules.
    private: Vec<PrivateRule>,
    /// What the revoked keys had signed.
    revoked_keys_imports: Vec<SignedImport>,
    notes: Vec<ListedNote>,
    pending: Vec<PendingNote>,
}

fn look(trust: &TrustStore, store: &Path) -> Result<Listed, Failed> {
    let keys = trust.list().map_err(failed)?;
    let any = keys.iter().any(|key| key.kind == Kind::Bundle);
    let keyring = match any {
        true => Some(trust.keyring().map_err(failed)?),
        false => None,
    };
    let thresholds = keyring.map(|keyring| keyring.thresholds);
    let streams = thresholds.iter().flat_map(|all| all.streams());
    let revoked = trust.revoked().map_err(failed)?;
    Ok(Listed {
        required: thresholds.as_ref().map(|all| all.default()),
        required_by_stream: streams.map(|(s, n)| (s.to_string(), *n)).collect(),
        keys,
        revoked_keys_imports: imports(store, &revoked)?,
        revoked,
        private: trust.private().map_err(failed)?,
        notes: trust.notes().map_err(failed)?,
        pending: trust.pending().map_err(failed)?,
    })
}

/// What these keys had signed of what is in the store, where there is one.
fn imports(store: &Path, keys: &[TrustedKey]) -> Result<Vec<SignedImport>, Failed> {
    if keys.is_empty() || !store.join("db").is_dir() {
        return Ok(Vec::new());
    }
    match reader(store)? {
        Some((reader, _log)) => signed_by(&reader, keys).map_err(failed),
        None => Ok(Vec::new()),
    }
}

// Writing to a String cannot fail.
fn text(listed: &Listed) -> String {
    let mut text: String = match listed.required {
        Some(1) => "to sign bundles, any one of:".into(),
        Some(number) => format!("to sign bundles, {number} different ones of:"),
        None => "to sign bundles: nobody yet (modferry-appliance trust add KEY.pub)".into(),
    };
    text += &lines(&listed.keys, Kind::Bundle);
    for (stream, number) in &listed.required_by_stream {
        let _ = write!(text, "\nto sign stream {stream}: {number} of them");
    }
    text += "\nas checksum databases:";
    text += &lines(&listed.keys, Kind::Sumdb);
    for rule in &listed.private {
        let _ = write!(
            text,
            "\nprivate modules of {}: as {} says",
            rule.pattern, rule.key
        );
    }
    if !listed.revoked.is_empty() {
        text += "\nrevoked, never to be trusted again:";
        text += &lines(&listed.revoked, Kind::Bundle);
        text += &imports_text(&listed.revoked_keys_imports);
    }
    if !listed.notes.is_empty() {
        text += "\ntrust notes applied, each continuing the one before:";
    }
    for note in &listed.notes {
        let signers = match note.signers.is_empty() {
            true => "keys that are not known here any more".into(),
            false => note.signers.join(", "),
        };
        let _ = write!(
            text,
            "\n  {} of {}, signed by {signers}\n    SHA-256 {}",
            note.number, note.created, note.sha256
        );
    }
    text + &pending_text(&listed.pending)
}

/// What waits for an administrator, a line each.
pub fn pending_text(pending: &[PendingNote]) -> String {
    let mut text = String::new();
    for note in pending {
        let _ = match &note.refused {
            None => write!(
                text,
                "\ntrust note waiting for an administrator: modferry-appliance trust apply {}",
                note.path.display()
            ),
            Some(why) => write!(
                text,
                "\ntrust note that would not be accepted: {}: {why}",
                note.path.display()
            ),
        };
    }
    text
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
