//! `keygen`: a new signing key, in two files; the secret one under a passphrase, where that is asked for.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Fault};
use modferry_protocol::note::{SigningKey, VerifierKey};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::files;
use crate::key::encrypted;
use crate::key::passphrase::Source;

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
///
/// The secret key is encrypted if there is a passphrase to encrypt it with.
pub fn keygen(name: &str, folder: &Path, passphrase: Option<&Source>) -> Result<Made, Error> {
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
    files::make_folders(folder).map_err(Error::file("make", folder))?;
    // Before anybody is asked for a passphrase.
    for path in [&made.key, &made.public] {
        if path.exists() {
            return Err(exists(path));
        }
    }
    let secret = match passphrase {
        None => Zeroizing::new(key.to_secret_text()),
        Some(source) => {
            let passphrase = source.choose(&format!("Passphrase for the new key {name}"))?;
            let text = encrypted::encrypt(&key, &passphrase, &mut rand_core::OsRng);
            let text = text.map_err(|source| Error::usage_because("no key was made", source))?;
            Zeroizing::new(text.trim_end().to_owned())
        }
    };
    create(&made.key, 0o600, &secret)?;
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
        let made = keygen("site", &dir.path().join("keys"), None).unwrap();
        let mode = fs::metadata(&made.key).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let secret = fs::read(&made.key).unwrap();
        let key = crate::key::signing_key(&made.key, &Source::Terminal).unwrap();
        assert_eq!(
            key.verifier(),
            crate::verify::verifier_key(&made.public).unwrap()
        );
        for _ in 0..2 {
            let error = keygen("site", &dir.path().join("keys"), None).unwrap_err();
            assert!(error.to_string().contains("never written over"), "{error}");
            let _ = fs::remove_file(&made.public);
        }
        assert_eq!(fs::read(&made.key).unwrap(), secret);
    }

    #[test]
    fn a_passphrase_s_key_is_made_for_its_owner_only_and_read_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passphrase");
        fs::write(&file, "correct horse\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let source = Source::File(file.clone());
        let made = keygen("site", dir.path(), Some(&source)).unwrap();
        let mode = fs::metadata(&made.key).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let text = fs::read_to_string(&made.key).unwrap();
        assert!(!text.contains("PRIVATE+KEY"), "{text}");
        let key = crate::key::signing_key(&made.key, &source).unwrap();
        assert_eq!(key.verifier(), made.verifier);
        fs::write(&file, "another horse\n").unwrap();
        let error = crate::key::signing_key(&made.key, &source).unwrap_err();
        assert!(error.to_string().contains("cannot be decrypted"), "{error}");
        // Too short a passphrase: no key, and no file.
        fs::write(&file, "short\n").unwrap();
        keygen("other", dir.path(), Some(&source)).unwrap_err();
        assert!(!dir.path().join("other.key").exists() && !dir.path().join("other.pub").exists());
    }

    #[test]
    fn names_are_plain_words() {
        let dir = tempfile::tempdir().unwrap();
        for bad in ["", ".hidden", "a/b", "a b", "a+b", "../up"] {
            assert!(keygen(bad, dir.path(), None).is_err(), "{bad:?}");
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
