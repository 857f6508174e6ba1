//! `keygen`: a new signing key, in two files.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Fault};
use modferry_protocol::note::{SigningKey, VerifierKey};

use crate::error::Error;
use crate::files;

/// A key that was made.
#[derive(Debug)]
pub struct Made {
    /// The secret key's file, readable by its owner only.
    pub key: PathBuf,
    /// The public key's file.
    pub public: PathBuf,
    /// The public key.
    pub verifier: VerifierKey,
}

/// Makes a key of that name: `NAME.key` and `NAME.pub` in the folder. Never over files that are there.
pub fn keygen(name: &str, folder: &Path) -> Result<Made, Error> {
    if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
        return Err(Error::usage(format!(
            "{name:?}: a key's name is also its files' name: want a plain word"
        )));
    }
    let key = SigningKey::generate(name, &mut rand_core::OsRng).map_err(|source| {
        Error::usage_because(format!("{name:?} cannot be a key's name"), source)
    })?;
    let made = Made {
        key: folder.join(format!("{name}.key")),
        public: folder.join(format!("{name}.pub")),
        verifier: key.verifier(),
    };
    fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
    if made.public.exists() {
        return Err(exists(&made.public));
    }
    create(&made.key, 0o600, &key.to_secret_text())?;
    create(&made.public, 0o644, &made.verifier.to_string())?;
    files::sync_folder_of(&made.key).map_err(Error::file("sync", folder))?;
    Ok(made)
}

fn create(path: &Path, mode: u32, line: &str) -> Result<(), Error> {
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        writeln!(file, "{line}")?;
        file.sync_all()
    };
    match write() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists(path)),
        outcome => outcome.map_err(Error::file("write", path)),
    }
}

fn exists(path: &Path) -> Error {
    Fault::new(
        Exit::Usage,
        format!("{} exists: a key is never written over", path.display()),
    )
    .advise("choose another name, or another folder with --out")
    .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn two_files_that_belong_together_and_are_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let made = keygen("site", &dir.path().join("keys")).unwrap();
        let mode = fs::metadata(&made.key).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let secret = fs::read(&made.key).unwrap();
        let key = crate::export::signing_key(&made.key).unwrap();
        assert_eq!(
            key.verifier(),
            crate::verify::verifier_key(&made.public).unwrap()
        );
        for _ in 0..2 {
            let error = keygen("site", &dir.path().join("keys")).unwrap_err();
            assert!(error.to_string().contains("never written over"), "{error}");
            let _ = fs::remove_file(&made.public);
        }
        assert_eq!(fs::read(&made.key).unwrap(), secret);
    }

    #[test]
    fn names_are_plain_words() {
        let dir = tempfile::tempdir().unwrap();
        for bad in ["", ".hidden", "a/b", "a b", "a+b", "../up"] {
            assert!(keygen(bad, dir.path()).is_err(), "{bad:?}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
