//! The signing key's file: how it is read, wherever a command takes `--key`.
//!
//! A key file has one of two forms, both made by [`keygen`](crate::keygen): the plain one of Go's note package, a
//! line that begins with `PRIVATE+KEY+`, or the same key [encrypted](encrypted) with a [passphrase](passphrase).
//!
//! Who holds the key can sign for the site, so the file must be its owner's alone, whichever form it has: one
//! that others may read is refused, as ssh does it. A warning would be read once and never again. Of a key that
//! belongs to somebody else (root, say, who lets a group read it) that owner has decided who may, so there only
//! one that everybody may read is refused. The check is on the open file, so that no other takes its place.

pub mod encrypted;
pub mod passphrase;
mod terminal;

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use modferry_cli::{Exit, Fault};
use modferry_protocol::note::SigningKey;
use zeroize::Zeroizing;

use crate::error::Error;
use encrypted::KeyFileError;
use passphrase::Source;

/// The largest key file that is read, in bytes.
pub const MAX_KEY: u64 = 4096;

/// Reads a signing key's file; if it is encrypted, with the passphrase from there. Nothing of it is ever shown.
pub fn signing_key(path: &Path, passphrase: &Source) -> Result<SigningKey, Error> {
    let (bytes, meta) = read_secret(path, MAX_KEY, "read the signing key")?;
    let none = |source: Box<dyn std::error::Error + Send + Sync>| -> Error {
        Fault::new(Exit::Usage, format!("{} is no signing key", path.display()))
            .because(source)
            .advise(
                "a key file begins with PRIVATE+KEY+, or, if it is encrypted, with \"modferry signing key\"; \
                 modferry-bundler keygen makes both",
            )
            .into()
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| none("it is not text".into()))?;
    // Who names a public key by mistake is not told to hide it.
    if encrypted::is_encrypted(text) || text.trim_start().starts_with("PRIVATE+KEY+") {
        refuse_open(path, &meta)?;
    }
    if !encrypted::is_encrypted(text) {
        return text.trim().parse().map_err(|error| none(Box::new(error)));
    }
    let name = encrypted::public(text).map_err(|error| none(Box::new(error)))?;
    let prompt = format!("Passphrase of the key {} ({})", name.name(), path.display());
    let passphrase = passphrase.read(&prompt)?;
    encrypted::decrypt(text, &passphrase).map_err(|error| match error {
        KeyFileError::Passphrase => Fault::new(
            Exit::Usage,
            format!("the key in {} cannot be decrypted", path.display()),
        )
        .because(error)
        .advise("try again; a passphrase that is lost cannot be recovered: then make a new key and have it trusted")
        .into(),
        error => none(Box::new(error)),
    })
}

/// Refuses a file that is somebody's business beside its owner's.
fn refuse_open(path: &Path, meta: &Metadata) -> Result<(), Error> {
    let mode = meta.mode() & 0o777;
    let ours = meta.uid() == rustix::process::geteuid().as_raw();
    let forbidden = if ours { 0o077 } else { 0o007 };
    // A pipe's mode says nothing: whoever made it chose who gets its end.
    if meta.is_file() && mode & forbidden != 0 {
        return Err(Fault::new(
            Exit::Usage,
            format!("{} is open to others (mode {mode:04o}), so it is not used", path.display()),
        )
        .advise(format!(
            "chmod 600 {}; and if somebody may have read it, make a new key\n\
             on a medium that keeps no modes, mount it with umask=077, or copy the file to a disk that does",
            path.display()
        ))
        .into());
    }
    Ok(())
}

/// Reads a small file that may have a secret, and says whose it is.
fn read_secret(
    path: &Path,
    limit: u64,
    what: &'static str,
) -> Result<(Zeroizing<Vec<u8>>, Metadata), Error> {
    let file = File::open(path).map_err(Error::file(what, path))?;
    let meta = file.metadata().map_err(Error::file(what, path))?;
    // Room for all of it at once: a buffer that grows would leave copies of the secret behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit as usize + 2));
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(Error::file(what, path))?;
    if bytes.len() as u64 > limit {
        let source = io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("larger than {limit} bytes"),
        );
        return Err(Error::file(what, path)(source));
    }
    Ok((bytes, meta))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::keygen::keygen;
    use modferry_cli::Failure;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_that_others_may_read_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let made = keygen("site", dir.path(), None).unwrap();
        for (mode, fine) in [
            (0o600, true),
            (0o400, true),
            (0o640, false),
            (0o604, false),
            (0o660, false),
            (0o601, false),
        ] {
            fs::set_permissions(&made.key, Permissions::from_mode(mode)).unwrap();
            let read = signing_key(&made.key, &Source::Terminal);
            assert_eq!(read.is_ok(), fine, "{mode:o}");
            if let Err(error) = read {
                assert!(
                    error.to_string().contains(&format!("mode {mode:04o}")),
                    "{error}"
                );
                assert!(
                    error.advice().unwrap().starts_with("chmod 600 "),
                    "{error:?}"
                );
                assert_eq!(error.exit(), Exit::Usage);
            }
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        let secret = "PRIVATE+KEY+site+00000000+AAAASECRET";
        for text in [
            secret,
            "",
            "modferry signing key\nSECRET\n",
            "SECRET \u{fffd}",
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            let error = signing_key(&path, &Source::Terminal).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage);
            assert!(
                !format!("{error:?}{:?}", error.advice()).contains("SECRET"),
                "{error:?}"
            );
        }
        let limit = MAX_KEY as usize;
        for (size, words) in [(limit, "is no signing key"), (limit + 1, "cannot read")] {
            fs::write(&path, vec![b'x'; size]).unwrap();
            let error = signing_key(&path, &Source::Terminal).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
