//! What an import does with the trust notes that a bundle brings.
//!
//! A bundle is judged by the keys that were trusted before it came. Its notes are judged by themselves
//! ([`crate::trust`]), and change the keys behind the commit, so that the bundle which brings a rotation may be
//! signed by the key that it revokes. Those that are news here go into the ledger with the import, in its one commit:
//! a run that is killed between the commit and the change of the keys has lost nothing, for whoever opens the
//! store for an import next makes the change first.
//!
//! What was applied, by an import or by hand, is entered into the ledger as an event of its own, here, since who may
//! change trust/ need not be who may write the store.

use super::{Done, ImportError};
use crate::store::{Event, LedgerEntry, Store, StoreError, View};
use crate::trust::{Carried, Taken, TrustStore, signed_by};

/// Applies what an import that was killed could not, and enters into the ledger what was applied since.
pub(super) fn settle(store: &Store, trust: &TrustStore) -> Result<(), ImportError> {
    for taken in trust.take(&trust_notes_of_last(store)?) {
        // What was ignored or waits was told when its bundle came.
        if let Taken::Applied(change) = taken {
            tracing::info!("{change}");
        }
    }
    enter(store, trust)
}

/// Makes the changes that a bundle's notes ask for, now that its import is committed. Nothing fails it any more.
pub(super) fn take(store: &Store, trust: &TrustStore, notes: &[Carried], done: &mut Done) {
    if notes.is_empty() {
        return;
    }
    done.trust = trust.take(notes);
    for taken in &done.trust {
        match taken {
            Taken::Applied(change) if !change.revoked.is_empty() => {
                let revoked = trust.revoked().unwrap_or_default();
                let of_note = revoked
                    .into_iter()
                    .filter(|key| change.revoked.contains(&key.name));
                let keys: Vec<_> = of_note.collect();
                match signed_by(store, &keys) {
                    Ok(imports) => done.revoked_keys_imports.extend(imports),
                    Err(error) => done.notes.push(format!(
                        "which imports the revoked keys had signed cannot be told: {error}"
                    )),
                }
            }
            Taken::Applied(_) | Taken::Pending { .. } => {}
            Taken::Ignored { .. } => tracing::warn!("{taken}"),
        }
    }
    if let Err(error) = enter(store, trust) {
        tracing::warn!(%error, "the trust note will be entered into the ledger by the next import");
    }
}

/// The trust notes that the last import brought and that were news then.
pub fn trust_notes_of_last(view: &View) -> Result<Vec<Carried>, StoreError> {
    let last = newest(view, |entry| entry.import().is_some())?;
    let import = last.as_ref().and_then(LedgerEntry::import);
    Ok(import.map_or_else(Vec::new, |import| import.source.trust.clone()))
}

/// Enters into the ledger the notes that were applied since the last one that it has.
fn enter(store: &Store, trust: &TrustStore) -> Result<(), ImportError> {
    let applied = trust.changes()?;
    if applied.is_empty() {
        return Ok(());
    }
    let last = newest(store, |entry| matches!(entry.event, Event::Trust(_)))?;
    let last = match last.map(|entry| entry.event) {
        Some(Event::Trust(change)) => change.number,
        _ => 0,
    };
    for change in applied.into_iter().filter(|change| change.number > last) {
        store.record(Event::Trust(change))?;
    }
    Ok(())
}

/// The newest entry of the ledger that is such a one.
fn newest(
    view: &View,
    such: impl Fn(&LedgerEntry) -> bool,
) -> Result<Option<LedgerEntry>, StoreError> {
    for number in (1..=view.ledger_size()?).rev() {
        if let Some(entry) = view.ledger(number)?.filter(&such) {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}
