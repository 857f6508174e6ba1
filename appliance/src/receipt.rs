//! Receipts: what this store holds, signed with the store's own key ([`identity`]), for whoever exports the next bundle.

use crate::identity::{IdentityError, identity};
use crate::store::{self, StoreError, Totals, View};
use modferry_cli::{Exit, Failure};
use modferry_protocol::bundle::{Sequence, StreamName};
use modferry_protocol::note::{self, NoteError, VerifierKey};
use modferry_protocol::receipt::{MAX_RECEIPT, Receipt, ReceiptStream, ReceiptTotals};
use std::path::Path;

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptFault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store's own key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Something in the store cannot stand in a receipt.
    #[error("the store's state cannot be written into a receipt: {what}")]
    State {
        /// What, and why.
        what: String,
    },
    /// The receipt is longer than a note may be.
    #[error("the receipt would be longer than the {MAX_RECEIPT} bytes that one may have")]
    TooLong(#[source] NoteError),
}

impl Failure for ReceiptFault {
    fn exit(&self) -> Exit {
        match self {
            Self::Store(error) => error.exit(),
            Self::Identity(error) => error.exit(),
            _ => Exit::Other,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Store(error) => return error.advice(),
            Self::Identity(error) => return error.advice(),
            Self::State { .. } => "run modferry-appliance fsck".into(),
            Self::TooLong(_) => return None,
        })
    }
}

/// A receipt, signed.
#[derive(Debug)]
pub struct Signed {
    /// What it says.
    pub receipt: Receipt,
    /// The note: text and signature.
    pub note: Vec<u8>,
    /// Who opens it.
    pub key: VerifierKey,
    /// Whether the key was made just now: the bundler has to get its public half.
    pub new_key: bool,
}

/// Writes what is held into a receipt and signs it with the store's own key, which is made if there is none.
/// `name` is the key's name: it must be the key's that is there, if one is.
pub fn receipt(store: &Path, view: &View, name: Option<&str>) -> Result<Signed, ReceiptFault> {
    let receipt = of(view)?;
    let (key, new_key) = identity(store, name)?;
    let note = note::sign(&receipt.encode(), &[&key]).map_err(ReceiptFault::TooLong)?;
    Ok(Signed {
        receipt,
        note,
        key: key.verifier(),
        new_key,
    })
}

/// What is held, in a receipt's terms.
fn of(view: &View) -> Result<Receipt, ReceiptFault> {
    let Totals {
        counts, streams, ..
    } = view.totals()?;
    let mut heads = Vec::new();
    for db in view.databases()? {
        let of_db = view.heads(&db)?;
        heads.extend(of_db.into_iter().map(|head| (db.clone(), head)));
    }
    let state = |what: String| ReceiptFault::State { what };
    let streams = streams.into_iter().map(|(name, stream)| {
        let bad = |what: &str| state(format!("stream {name}: {what}"));
        Ok(ReceiptStream {
            name: StreamName::new(&name).map_err(|error| state(error.to_string()))?,
            sequence: Sequence::new(stream.sequence).ok_or_else(|| bad("it is at bundle 0"))?,
            manifest_sha256: store::unhex(&stream.manifest_sha256)
                .ok_or_else(|| bad("its newest manifest's SHA-256 is none"))?,
            bundles: stream.imported,
        })
    });
    Ok(Receipt {
        created: format!("{:.0}", jiff::Timestamp::now()),
        ledger: view.ledger_head()?,
        totals: ReceiptTotals {
            modules: counts.modules,
            versions: counts.versions,
            mods: counts.mods,
            zips: counts.zips,
            zip_bytes: counts.zip_bytes,
        },
        heads,
        streams: streams.collect::<Result<_, ReceiptFault>>()?,
    })
}

#[cfg(test)]
mod tests;
