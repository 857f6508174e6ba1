//! A bundle's place in its stream: what is odd about it, and what is refused.
//!
//! A gap is no error: what a bundle needs, it needs from the store, and that is checked. An older bundle that comes
//! late is none either, as long as it only adds. But one with tombstones takes back, by a selection that a newer bundle
//! has replaced: whoever replays it could mark what is selected now for removal. It is refused. What the newer bundle needs
//! was there without it; what else the older one carried, and its tombstones, come again with the export that the refusal names.

use super::ImportError;
use crate::store::{StoreError, View, hex};
use modferry_protocol::bundle::Manifest;

/// Refuses a bundle that would take back what a newer one of its stream has said.
pub(super) fn only_forward(
    view: &View,
    bundle: &str,
    manifest: &Manifest,
) -> Result<(), ImportError> {
    let totals = view.totals()?;
    let newest = totals
        .streams
        .get(manifest.stream.as_str())
        .map_or(0, |newest| newest.sequence);
    let sequence = manifest.sequence.get();
    if manifest.tombstones == 0 || sequence > newest {
        return Ok(());
    }
    Err(ImportError::Rollback {
        bundle: bundle.into(),
        stream: manifest.stream.to_string(),
        sequence,
        newest,
        tombstones: manifest.tombstones,
    })
}

/// What is odd about a bundle's place in its stream. None of it is an error: what a bundle needs, it
/// needs from the store, and that is checked.
pub(super) fn notes(view: &View, manifest: &Manifest) -> Result<Vec<String>, StoreError> {
    let totals = view.totals()?;
    let sequence = manifest.sequence.get();
    let mut notes = Vec::new();
    let newest = totals.streams.get(manifest.stream.as_str());
    match newest.map_or(0, |newest| newest.sequence) {
        last if sequence > last + 1 => {
            let gap = match sequence - 1 {
                before if before == last + 1 => format!("bundle {before}"),
                before => format!("bundles {} to {before}", last + 1),
            };
            notes.push(format!(
                "{gap} of stream {} never came here before this one, and nothing of it is needed",
                manifest.stream
            ));
        }
        last if sequence < last => notes.push(format!(
            "bundle {last} of stream {} came here before this one",
            manifest.stream
        )),
        last if sequence == last
            && newest.is_some_and(|newest| newest.manifest_sha256 != hex(&manifest.sha256())) =>
        {
            notes.push(format!(
                "another bundle {sequence} of stream {} came here before: two exports write the same stream",
                manifest.stream
            ));
        }
        _ => {}
    }
    if !manifest.missing.is_empty() {
        notes.push(format!(
            "not in it, since it could not be had when it was exported: {}",
            modferry_cli::count(manifest.missing.len(), "module version")
        ));
    }
    Ok(notes)
}
