//! The store's own key, with which it signs what leaves: receipts and wants files.
//!
//! ```text
//! identity.key    the store's own signing key, readable by its owner only
//! identity.pub    its public half, to be given to the bundler once
//! ```
//!
//! The key is made when the first of them is. It says nothing about who may put something into the store, which
//! is decided by STORE/trust alone: whoever steals it can make a bundler leave out what the store lacks, and
//! the next import then says what is missing.

use crate::store::{self, StoreError};
use modferry_cli::{Exit, Failure, folder_of};
use modferry_protocol::note::{KeyError, SigningKey};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What the store's own key is called if no one says otherwise.
pub const DEFAULT_NAME: &str = "receipt";

/// The most bytes of the key's file.
const MAX_KEY_FILE: u64 = 4096;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
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

impl Failure for IdentityError {
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
            Self::Io { .. } => return None,
        })
    }
}

/// The store's own key, which is made if there is none, and whether it was made just now. `name` is the key's name: it must be
/// the key's that is there, if one is.
pub fn identity(store: &Path, name: Option<&str>) -> Result<(SigningKey, bool), IdentityError> {
    let path = store.join("identity.key");
    let (key, new) = match read_key(&path)? {
        Some(key) => (key, false),
        None => {
            store::not_for_another(store)?;
            (make_key(&path, name.unwrap_or(DEFAULT_NAME))?, true)
        }
    };
    match name {
        Some(asked) if asked != key.name() => Err(IdentityError::Name {
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

fn read_key(path: &Path) -> Result<Option<SigningKey>, IdentityError> {
    let io = |source| IdentityError::Io {
        action: "read",
        path: path.into(),
        source,
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(io)?,
    };
    if file.metadata().map_err(io)?.mode() & 0o077 != 0 {
        return Err(IdentityError::Exposed { path: path.into() });
    }
    let mut text = String::new();
    file.take(MAX_KEY_FILE)
        .read_to_string(&mut text)
        .map_err(io)?;
    let key = text.trim_end().parse();
    key.map(Some).map_err(|source| IdentityError::Key {
        path: path.into(),
        source,
    })
}

fn make_key(path: &Path, name: &str) -> Result<SigningKey, IdentityError> {
    let key = SigningKey::generate(name, &mut rand_core::OsRng);
    let key = key.map_err(|source| IdentityError::BadName {
        name: name.into(),
        source,
    })?;
    match write(path, 0o600, &key.to_secret_text(), false) {
        // Another command was as quick.
        Err(IdentityError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
            let made = read_key(path)?;
            Ok(made.unwrap_or(key))
        }
        written => written.map(|()| key),
    }
}

/// Writes a line to a file of that mode, whole and synced before it has its name; over another one only if `over`.
fn write(path: &Path, mode: u32, line: &str, over: bool) -> Result<(), IdentityError> {
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
    write().map_err(|source| IdentityError::Io {
        action: "write",
        path: path.into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_key_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (key, new) = identity(dir.path(), Some("site-7")).unwrap();
        assert!(new);
        assert_eq!(key.name(), "site-7");
        let path = dir.path().join("identity.key");
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        for exposed in [0o640, 0o604, 0o622] {
            mode(exposed);
            let refused = identity(dir.path(), None).unwrap_err();
            assert!(
                matches!(refused, IdentityError::Exposed { .. }),
                "{exposed:o}: {refused}"
            );
        }
        mode(0o400);
        assert!(identity(dir.path(), None).is_ok());
        mode(0o600);
        let refused = identity(dir.path(), Some("site-8")).unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        assert_eq!(
            refused.to_string(),
            "the store's own key is called site-7, and not site-8"
        );

        // A public half that was lost comes back; a key that is none is told, and nothing is made in its place.
        fs::remove_file(dir.path().join("identity.pub")).unwrap();
        assert_eq!(identity(dir.path(), None).unwrap().0.seed(), key.seed());
        assert!(dir.path().join("identity.pub").exists());
        fs::write(&path, "PRIVATE+KEY+site-7+00000000+AAAA\n").unwrap();
        let refused = identity(dir.path(), None).unwrap_err();
        assert!(matches!(refused, IdentityError::Key { .. }));
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "PRIVATE+KEY+site-7+00000000+AAAA\n"
        );
    }

    #[test]
    fn a_name_that_no_key_can_have_makes_none() {
        let dir = tempfile::tempdir().unwrap();
        let refused = identity(dir.path(), Some("two words")).unwrap_err();
        assert!(matches!(refused, IdentityError::BadName { .. }));
        assert!(!dir.path().join("identity.key").exists());
    }
}
