//! Receipts: what this store holds, signed with the store's own key, for whoever exports the next bundle.
//!
//! ```text
//! identity.key    the store's own signing key, readable by its owner only
//! identity.pub    its public half, to be given to the bundler once
//! ```
//!
//! The key is made when the first receipt is. It says nothing about who may put something into the store, which
//! is decided by STORE/trust alone: whoever steals it can make a bundler leave out what the store lacks, and
//! the next import then says what is missing.

use crate::store::{self, StoreError, Totals, View};
use modferry_cli::{Exit, Failure, folder_of};
use modferry_protocol::bundle::{Sequence, StreamName};
use modferry_protocol::note::{self, KeyError, NoteError, SigningKey, VerifierKey};
use modferry_protocol::receipt::{MAX_RECEIPT, Receipt, ReceiptStream, ReceiptTotals};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What the store's own key is called if no one says otherwise.
pub const DEFAULT_NAME: &str = "receipt";

/// The most bytes of the key's file.
const MAX_KEY_FILE: u64 = 4096;

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptFault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key's file is not one.
    #[error("{} is not the store's own key", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyError,
    },
    /// The key can be read by others than its owner.
    #[error("{} can be read by others than its owner: it may be known", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The store's own key has another name than the one asked for.
    #[error("the store's own key is called {known}, and not {asked}")]
    Name {
        /// The name that it has.
        known: String,
        /// The name that was asked for.
        asked: String,
    },
    /// No key can have that name.
    #[error("{name:?} cannot be the name of a key")]
    BadName {
        /// The name.
        name: String,
        /// Why not.
        source: KeyError,
    },
    /// Something in the store cannot stand in a receipt.
    #[error("the store's state cannot be written into a receipt: {what}")]
    State {
        /// What, and why.
        what: String,
    },
    /// The receipt is longer than a note may be.
    #[error("the receipt would be longer than the {MAX_RECEIPT} bytes that one may have")]
    TooLong(#[source] NoteError),
    /// The system failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Failure for ReceiptFault {
    fn exit(&self) -> Exit {
        match self {
            Self::Store(error) => error.exit(),
            Self::Name { .. } | Self::BadName { .. } => Exit::Usage,
            Self::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => Exit::NoRoom,
            _ => Exit::Other,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Store(error) => return error.advice(),
            Self::Key { path, .. } => format!(
                "restore it from a backup, or move it away: a new one is made, and its public half has to be given \
                 to the bundler anew: mv {0} {0}.old",
                path.display()
            ),
            Self::Exposed { path } => format!(
                "if nobody has read it: chmod 600 {0}; else remove it, and give the bundler the public half of the \
                 one that is made then: rm {0}",
                path.display()
            ),
            Self::Name { known, .. } => format!(
                "leave --name away, or say --name {known}; a name is given when the key is made"
            ),
            Self::BadName { .. } => "choose a plain word".into(),
            Self::State { .. } => "run modferry-appliance fsck".into(),
            Self::TooLong(_) | Self::Io { .. } => return None,
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

/// The store's own key, and whether it was made just now.
fn identity(store: &Path, name: Option<&str>) -> Result<(SigningKey, bool), ReceiptFault> {
    let path = store.join("identity.key");
    let (key, new) = match read_key(&path)? {
        Some(key) => (key, false),
        None => {
            store::not_for_another(store)?;
            (make_key(&path, name.unwrap_or(DEFAULT_NAME))?, true)
        }
    };
    match name {
        Some(asked) if asked != key.name() => Err(ReceiptFault::Name {
            known: key.name().into(),
            asked: asked.into(),
        }),
        _ => {
            // Also where a power cut came between the two files.
            let public = store.join("identity.pub");
            if new || !public.exists() {
                write(&public, 0o644, &key.verifier().to_string(), true)?;
            }
            Ok((key, new))
        }
    }
}

fn read_key(path: &Path) -> Result<Option<SigningKey>, ReceiptFault> {
    let io = |source| ReceiptFault::Io {
        action: "read",
        path: path.into(),
        source,
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(io)?,
    };
    if file.metadata().map_err(io)?.mode() & 0o077 != 0 {
        return Err(ReceiptFault::Exposed { path: path.into() });
    }
    let mut text = String::new();
    file.take(MAX_KEY_FILE)
        .read_to_string(&mut text)
        .map_err(io)?;
    let key = text.trim_end().parse();
    key.map(Some).map_err(|source| ReceiptFault::Key {
        path: path.into(),
        source,
    })
}

fn make_key(path: &Path, name: &str) -> Result<SigningKey, ReceiptFault> {
    let key = SigningKey::generate(name, &mut rand_core::OsRng);
    let key = key.map_err(|source| ReceiptFault::BadName {
        name: name.into(),
        source,
    })?;
    match write(path, 0o600, &key.to_secret_text(), false) {
        // Another receipt was as quick.
        Err(ReceiptFault::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
            let made = read_key(path)?;
            Ok(made.unwrap_or(key))
        }
        written => written.map(|()| key),
    }
}

/// Writes a line to a file of that mode, whole and synced before it has its name; over another one only if `over`.
fn write(path: &Path, mode: u32, line: &str, over: bool) -> Result<(), ReceiptFault> {
    let folder = folder_of(path);
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?; // 0600 from its first moment
        writeln!(file, "{line}")?;
        (file.as_file()).set_permissions(fs::Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        match over {
            true => file.persist(path)?,
            false => file.persist_noclobber(path)?,
        };
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| ReceiptFault::Io {
        action: "write",
        path: path.into(),
        source,
    })
}

#[cfg(test)]
mod tests;
