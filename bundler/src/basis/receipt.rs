//! What the destination has said: receipts, verified by its key, and the newest one kept in the state.
//!
//! ```text
//! receipts/key.pub        the appliance's key: given once
//! receipts/NNNNNN.note    a receipt, by the number of the bundle that was next when it was taken
//! ```
//!
//! A receipt is a statement about this stream only if the bundle that it names as the newest is the one that the
//! state has under that number, manifest for manifest. It must not be older than one taken before: the ledger that it
//! speaks of only grows, so a smaller one is an old receipt, or a store that was put back to an earlier day.

use std::io;
use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{Sequence, Sequences};
use modferry_protocol::note::VerifierKey;
use modferry_protocol::receipt::{MAX_RECEIPT, Receipt, ReceiptError};

use crate::error::Error;
use crate::files;
use crate::state::{Exported, State, damaged};
use crate::verify::verifier_key;

/// A receipt that was taken, and when.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// What it says.
    pub receipt: Receipt,
    /// Its file.
    pub path: PathBuf,
    /// The bundle that was next when it was taken: those from there on it cannot tell of.
    pub before: Sequence,
}

/// A receipt whose signature was verified, and by what.
pub(super) struct Verified {
    pub receipt: Receipt,
    note: Vec<u8>,
    key: VerifierKey,
}

/// Reads and verifies a receipt's file. `key` is the file of the appliance's key where it is given; else the one
/// that was given before.
pub(super) fn open(path: &Path, key: Option<&Path>, state: &State) -> Result<Verified, Error> {
    let Some(key) = known_key(key, state)? else {
        let what = "the key of the appliance that made it is not known";
        return Err(refused(
            path,
            what,
            "name it once with --receipt-key FILE: it is identity.pub in the appliance's store; compare its \
             fingerprint by another way than the receipt came",
        ));
    };
    let note = files::read_bounded(path, MAX_RECEIPT as u64).map_err(Error::file("read", path))?;
    let name = format!("{}+{:08x}", key.name(), key.id());
    match Receipt::open(&note, std::slice::from_ref(&key)) {
        Ok(receipt) => Ok(Verified { receipt, note, key }),
        Err(source) => {
            let (exit, advice) = match source {
                ReceiptError::Note(_) => (
                    Exit::Untrusted,
                    format!(
                        "the key that is known is {name}; a store that was made anew has another: compare its \
                         fingerprint, and name it with --receipt-key FILE"
                    ),
                ),
                _ => (
                    Exit::Damaged,
                    "the appliance is of another version: use a bundler of that version".into(),
                ),
            };
            let what = format!("{}: no receipt of this destination", path.display());
            let fault = Fault::new(exit, what).because(source).advise(advice);
            Err(fault.into())
        }
    }
}

/// The appliance's key: of that file where one is given; else the one that was given before.
pub(super) fn known_key(key: Option<&Path>, state: &State) -> Result<Option<VerifierKey>, Error> {
    match key {
        Some(path) => verifier_key(path).map(Some),
        None => kept_key(state),
    }
}

fn kept_key(state: &State) -> Result<Option<VerifierKey>, Error> {
    let path = state.receipts().join(KEY);
    path.exists().then(|| verifier_key(&path)).transpose()
}

/// Takes a receipt that the command line names; `kept` is the one that was taken before, if it still counts. With
/// `keep`, the state has it from now on, and later exports use it by themselves.
///
/// One that says no more than what is kept is that one again, and stays as old as it is.
pub(super) fn take(
    path: &Path,
    key: Option<&Path>,
    state: &State,
    exported: &[Exported],
    kept: Option<&Taken>,
    keep: bool,
) -> Result<Taken, Error> {
    let opened = open(path, key, state)?;
    bundles(&opened.receipt, path, state, exported)?;
    let same_appliance = kept_key(state)?.is_some_and(|kept| kept == opened.key);
    if let Some(kept) = kept.filter(|_| same_appliance) {
        let (old, new) = (kept.receipt.ledger, opened.receipt.ledger);
        if new.size < old.size {
            let what = format!(
                "it is older than one that was used before: its ledger has {} entries, that one's has {}",
                new.size, old.size
            );
            let advice = "use the newest; where the store was put back to an earlier day, say so: --basis FILE";
            return Err(refused(path, what, advice));
        }
        if new.size == old.size && new.hash != old.hash {
            return Err(refused(
                path,
                "its ledger is another than that of a receipt used before: the destination's history was rewritten",
                "find out why; where the store was put back to an earlier day, say so: --basis FILE",
            ));
        }
        if new == old {
            return Ok(kept.clone());
        }
    }
    let before = state.next()?;
    if keep {
        let folder = state.receipts();
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            files::write_durably(&path, bytes).map_err(Error::file("write", &path))
        };
        write(KEY, format!("{}\n", opened.key).as_bytes())?;
        write(&format!("{before:06}.note"), &opened.note)?;
    }
    Ok(Taken {
        receipt: opened.receipt,
        path: path.into(),
        before,
    })
}

/// The newest receipt that was taken.
pub(super) fn newest(state: &State) -> Result<Option<Taken>, Error> {
    let folder = state.receipts();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file("read", &folder)(error)),
    };
    let mut newest: Option<(u64, PathBuf)> = None;
    for entry in entries {
        let path = entry.map_err(Error::file("read", &folder))?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".note")?.parse().ok());
        if let Some(number) = number
            && newest.as_ref().is_none_or(|(newest, _)| number > *newest)
        {
            newest = Some((number, path));
        }
    }
    let Some((number, path)) = newest else {
        return Ok(None);
    };
    let Some(before) = Sequence::new(number) else {
        return Ok(None);
    };
    // Its signature was checked when it was taken, by a key that may have been replaced since.
    let note =
        files::read_bounded(&path, MAX_RECEIPT as u64).map_err(Error::file("read", &path))?;
    let text = std::str::from_utf8(&note).map_err(|error| damaged(&path, &error.to_string()))?;
    let end = text.find("\n\n").map_or(text.len(), |end| end + 1);
    let receipt =
        Receipt::parse(&text[..end]).map_err(|error| damaged(&path, &error.to_string()))?;
    Ok(Some(Taken {
        receipt,
        path,
        before,
    }))
}

/// The bundles of this stream that a receipt says were taken in.
pub(super) fn bundles(
    receipt: &Receipt,
    path: &Path,
    state: &State,
    exported: &[Exported],
) -> Result<Sequences, Error> {
    let stream = state.stream();
    let Some(says) = receipt.stream(stream) else {
        return Ok(Sequences::new());
    };
    let Some(own) = exported
        .iter()
        .find(|bundle| bundle.sequence() == says.sequence)
    else {
        return Err(refused(
            path,
            format!(
                "it says that bundle {} of {stream} was imported, which this state does not know",
                says.sequence
            ),
            "use the state folder that the bundle was exported with (--state), or --basis none",
        ));
    };
    if own.manifest.sha256() != says.manifest_sha256 {
        return Err(refused(
            path,
            format!(
                "bundle {} of {stream} that it says was imported is another one than this state's",
                says.sequence
            ),
            "another bundler exports the same stream: give each destination a stream of its own, or use that \
             bundler's state folder (--state)",
        ));
    }
    Ok(says.bundles.clone())
}

fn refused(path: &Path, what: impl std::fmt::Display, advice: &str) -> Error {
    Fault::new(Exit::Usage, format!("{}: {what}", path.display()))
        .advise(advice)
        .into()
}

const KEY: &str = "key.pub";
