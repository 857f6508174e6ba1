//! Where a passphrase comes from: the terminal, or a file. Never the command line, which `ps` shows and shells
//! keep, and never the environment, which children inherit.
//!
//! A file is also `/dev/fd/N` (a pipe from a password manager) or what systemd's LoadCredential= lays out. As a
//! key's, it must be its owner's alone. Its first line is the passphrase, without the line's end.

use std::io;
use std::path::PathBuf;

use modferry_cli::{Exit, Fault};
use zeroize::Zeroizing;

use super::{read_secret, refuse_open, terminal};
use crate::error::Error;

/// The longest passphrase, in bytes.
pub const MAX_PASSPHRASE: usize = 1024;

/// The shortest one that a new key gets, in bytes. scrypt makes each guess cost half a second, not more.
pub const MIN_PASSPHRASE: usize = 8;

/// A passphrase, wiped when it is done with.
pub type Passphrase = Zeroizing<Vec<u8>>;

/// Where a passphrase comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is asked for on the terminal, and not shown.
    Terminal,
    /// The first line of this file.
    File(PathBuf),
}

impl From<Option<PathBuf>> for Source {
    /// The file, if one is named.
    fn from(file: Option<PathBuf>) -> Source {
        file.map_or(Source::Terminal, Source::File)
    }
}

impl Source {
    /// The passphrase of a key that is there.
    pub fn read(&self, prompt: &str) -> Result<Passphrase, Error> {
        match self {
            Source::Terminal => ask(prompt),
            Source::File(path) => {
                let limit = MAX_PASSPHRASE as u64 + 2; // and the line's end
                let (bytes, meta) = read_secret(path, limit, "read the passphrase")?;
                refuse_open(path, &meta)?;
                let line = bytes
                    .split(|byte| *byte == b'\n')
                    .next()
                    .unwrap_or_default();
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                if line.is_empty() || line.len() > MAX_PASSPHRASE {
                    return Err(Error::usage(format!(
                        "{}: its first line is no passphrase: want 1 to {MAX_PASSPHRASE} bytes",
                        path.display()
                    )));
                }
                Ok(Zeroizing::new(line.to_vec()))
            }
        }
    }

    /// The passphrase of a new key: asked for twice on a terminal, since nobody sees what is typed.
    pub fn choose(&self, prompt: &str) -> Result<Passphrase, Error> {
        let passphrase = self.read(prompt)?;
        if passphrase.len() < MIN_PASSPHRASE {
            return Err(Error::usage(format!(
                "the passphrase is too short: want at least {MIN_PASSPHRASE} bytes"
            )));
        }
        if *self == Source::Terminal && *ask("The same again")? != *passphrase {
            return Err(Error::usage("the two passphrases differ: no key was made"));
        }
        Ok(passphrase)
    }
}

fn ask(prompt: &str) -> Result<Passphrase, Error> {
    use io::ErrorKind::{Interrupted, InvalidInput, UnexpectedEof};
    let typed = terminal::ask(prompt, MAX_PASSPHRASE).map_err(|error| match error.kind() {
        Interrupted | UnexpectedEof => Fault::new(Exit::Other, "no passphrase was given"),
        InvalidInput => Fault::new(Exit::Usage, "the passphrase is too long").because(error),
        _ => Fault::new(
            Exit::Usage,
            "a passphrase is needed, and there is no terminal to ask on",
        )
        .because(error)
        .advise("name a file that has it, with --passphrase-file FILE (or /dev/fd/N for a pipe)"),
    })?;
    match typed.is_empty() {
        true => Err(Error::usage("no passphrase was given")),
        false => Ok(typed),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_s_first_line_counts() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p");
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            Source::File(path.clone()).read("")
        };
        let longest = "x".repeat(MAX_PASSPHRASE);
        for (text, want) in [
            ("one", "one"),
            ("one two \n", "one two "),
            ("one\r\n", "one"),
            ("one\ntwo\n", "one"),
            (&longest, &longest),
            (&format!("{longest}\r\n"), &longest),
        ] {
            assert_eq!(
                *read(text.as_bytes()).unwrap(),
                *want.as_bytes(),
                "{text:?}"
            );
        }
        for bad in [
            "",
            "\n",
            "\r\n",
            &format!("{longest}x"),
            &format!("{longest}xx\n"),
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad:?}");
        }
        fs::write(&path, "open").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let error = Source::File(path.clone()).read("").unwrap_err();
        assert!(error.to_string().contains("open to others"), "{error}");
    }

    #[test]
    fn a_new_key_s_has_a_least_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p");
        for (len, fine) in [(MIN_PASSPHRASE - 1, false), (MIN_PASSPHRASE, true)] {
            fs::write(&path, "x".repeat(len)).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            assert_eq!(Source::File(path.clone()).choose("").is_ok(), fine, "{len}");
        }
    }
}
