//! `trust new`: a note that changes the keys which the other side trusts; and the notes that an export carries.
//!
//! A note is made here and signed by one key. Others sign it where their keys are (`sign`), and it travels in
//! bundles (`export --trust`) or alone. Whether it is accepted, only the other side knows: it depends on the keys that are
//! trusted there. What can be said here is whether the note is one, and whether it continues the one before.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{MAX_TRUST_NOTES, Spoken, StreamName};
use modferry_protocol::note::{self, SigningKey, VerifierKey};
use modferry_protocol::trust::{MAX_REQUIRED, MAX_TRUST_NOTE, TrustNote};

use crate::error::Error;
use crate::files;

/// What a new note is to say.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Its number; may be left out where `after` says it.
    pub number: Option<u64>,
    /// The note before it.
    pub after: Option<PathBuf>,
    /// Keys to trust: files, or lines.
    pub add: Vec<String>,
    /// Keys to revoke: files, or lines.
    pub revoke: Vec<String>,
    /// `N`, or `STREAM=N`.
    pub require: Vec<String>,
}

/// A note that was made.
#[derive(Debug)]
pub struct Made {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub note: TrustNote,
    /// What two people compare before the second one signs.
    pub spoken: Spoken,
    /// Who has signed.
    pub signer: VerifierKey,
}

/// Makes a note, signs it, and writes it into a file that must not be there yet.
pub fn new(change: &Change, key: &SigningKey, out: &Path) -> Result<Made, Error> {
    let before = change.after.as_deref().map(read).transpose()?;
    let number = match (&before, change.number) {
        (Some((before, _)), None) => before.number + 1,
        (Some((before, _)), Some(number)) if number != before.number + 1 => {
            return Err(Error::usage(format!(
                "--number {number}: the note after number {} is number {}",
                before.number,
                before.number + 1
            )));
        }
        (_, Some(number)) => number,
        (None, None) => {
            return Err(Error::usage(
                "say which note comes before (--after NOTE), or --number 1 for the first",
            ));
        }
    };
    if before.is_none() && number != 1 {
        return Err(Error::usage(format!(
            "trust note {number} continues note {}: say which that is, with --after NOTE",
            number.saturating_sub(1)
        )));
    }
    let (require, streams) = thresholds(&change.require)?;
    let note = TrustNote {
        number,
        after: before.map(|(before, _)| before.sha256()),
        created: jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
        add: keys(&change.add)?,
        revoke: keys(&change.revoke)?,
        require,
        streams,
    };
    let text = note.encode();
    // The rules are the reader's: a key both added and revoked, nothing to do, one key twice.
    TrustNote::parse(&text)
        .map_err(|source| Error::usage_because("this would be no trust note", source))?;
    let signed = note::sign(&text, &[key])
        .map_err(|source| Error::usage_because("the trust note cannot be signed", source))?;
    write_new(out, &signed)?;
    Ok(Made {
        path: out.to_owned(),
        note,
        spoken: Spoken::of(&text),
        signer: key.verifier(),
    })
}

/// Reads a trust note: what it says, and its bytes with all signatures, of which none is checked.
pub fn read(path: &Path) -> Result<(TrustNote, Vec<u8>), Error> {
    let none = |source: Box<dyn std::error::Error + Send + Sync>| {
        let fault = Fault::new(
            Exit::Damaged,
            format!("{} is no trust note", path.display()),
        );
        Error::from(
            fault
                .because(source)
                .advise("give the file that `modferry-bundler trust new` wrote"),
        )
    };
    let bytes =
        files::read_bounded(path, MAX_TRUST_NOTE).map_err(|source| match source.kind() {
            io::ErrorKind::FileTooLarge => none(source.into()),
            _ => Error::file("read", path)(source),
        })?;
    let text = note::text(&bytes).map_err(|source| none(source.into()))?;
    let note = TrustNote::parse(text).map_err(|source| none(source.into()))?;
    Ok((note, bytes))
}

/// The notes that a bundle is to carry, by number: a piece of one row, each continuing the one before it.
pub fn carried(paths: &[PathBuf]) -> Result<Vec<(u64, Vec<u8>)>, Error> {
    if paths.len() > MAX_TRUST_NOTES {
        return Err(Error::usage(format!(
            "{} trust notes: a bundle carries at most {MAX_TRUST_NOTES}; carry those that the other side has not \
             applied yet",
            paths.len()
        )));
    }
    let mut notes = Vec::new();
    for path in paths {
        let (note, bytes) = read(path)?;
        notes.push((path, note, bytes));
    }
    notes.sort_by_key(|(_, note, _)| note.number);
    for pair in notes.windows(2) {
        let [(first, before, _), (second, after, _)] = pair else {
            continue;
        };
        if after.number != before.number + 1 || after.after != Some(before.sha256()) {
            return Err(Error::usage(format!(
                "{} (trust note {}) does not continue {} (trust note {})",
                second.display(),
                after.number,
                first.display(),
                before.number
            )));
        }
    }
    let numbered = |(_, note, bytes): (_, TrustNote, _)| (note.number, bytes);
    Ok(notes.into_iter().map(numbered).collect())
}

fn keys(given: &[String]) -> Result<Vec<VerifierKey>, Error> {
    let mut keys = Vec::new();
    for key in given {
        keys.push(match key.parse() {
            Ok(key) => key,
            Err(_) => crate::verify::verifier_key(Path::new(key))?,
        });
    }
    keys.sort_by_key(VerifierKey::to_string);
    keys.dedup();
    Ok(keys)
}

type Thresholds = (Option<usize>, Vec<(StreamName, usize)>);

fn thresholds(given: &[String]) -> Result<Thresholds, Error> {
    let number = |text: &str, given: &str| {
        let number = text.parse().ok();
        number
            .filter(|number| (1..=MAX_REQUIRED).contains(number))
            .ok_or_else(|| {
                Error::usage(format!(
                    "--require {given}: want a number from 1 to {MAX_REQUIRED}, or STREAM=NUMBER"
                ))
            })
    };
    let (mut require, mut streams) = (None, Vec::new());
    for given in given {
        match given.split_once('=') {
            None if require.is_some() => {
                return Err(Error::usage(format!("--require {given}: said twice")));
            }
            None => require = Some(number(given, given)?),
            Some((stream, text)) => {
                let stream = StreamName::new(stream)
                    .map_err(|source| Error::usage_because(format!("--require {given}"), source))?;
                streams.push((stream, number(text, given)?));
            }
        }
    }
    streams.sort();
    Ok((require, streams))
}

/// A note that others may have signed, or carried away, is never written over.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let write = || {
        let mut temp = files::temp_beside(path)?;
        temp.write_all(bytes)?;
        files::persist_new_durably(temp, path)
    };
    write().map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Fault::new(
            Exit::Usage,
            format!(
                "{} exists: a trust note is never written over",
                path.display()
            ),
        )
        .advise("choose another name with --out")
        .into(),
        _ => Error::file("write", path)(source),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs;
    use tempfile::TempDir;

    fn key(name: &str) -> SigningKey {
        SigningKey::from_seed(name, &[name.as_bytes()[0]; 32]).unwrap()
    }

    fn public(name: &str) -> String {
        key(name).verifier().to_string()
    }

    fn make(dir: &TempDir, name: &str, change: Change) -> Result<Made, Error> {
        new(&change, &key("a"), &dir.path().join(name))
    }

    fn adding(name: &str, after: Option<&Made>) -> Change {
        Change {
            number: after.is_none().then_some(1),
            after: after.map(|made| made.path.clone()),
            add: vec![public(name)],
            ..Change::default()
        }
    }

    #[test]
    fn a_row_of_notes_is_made_and_carried() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("b.pub");
        fs::write(&file, format!("{}\n", public("b"))).unwrap();
        let first = make(
            &dir,
            "1.note",
            Change {
                number: Some(1),
                add: vec![file.display().to_string(), public("c")],
                revoke: vec![public("d")],
                require: vec!["prod=3".into(), "2".into(), "canary=1".into()],
                ..Change::default()
            },
        )
        .unwrap();
        assert_eq!(first.note.add.len(), 2);
        assert_eq!(first.note.require, Some(2));
        let streams: Vec<_> = first
            .note
            .streams
            .iter()
            .map(|(s, n)| (s.as_str(), *n))
            .collect();
        assert_eq!(streams, [("canary", 1), ("prod", 3)]);
        let (read_back, bytes) = read(&first.path).unwrap();
        assert_eq!(read_back, first.note);
        let opened = note::open(&bytes, &[key("a").verifier()]).unwrap();
        assert_eq!(opened.text, first.note.encode());

        let second = make(&dir, "2.note", adding("e", Some(&first))).unwrap();
        assert_eq!(second.note.number, 2);
        assert_eq!(second.note.after, Some(first.note.sha256()));
        let third = make(&dir, "3.note", adding("f", Some(&second))).unwrap();
        let row = [&third, &first, &second].map(|made| made.path.clone());
        let notes = carried(&row).unwrap();
        assert_eq!(notes.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(notes[0].1, bytes);
        assert!(carried(&[]).unwrap().is_empty());

        let error = carried(&[row[0].clone(), row[1].clone()]).unwrap_err();
        assert!(error.to_string().contains("does not continue"), "{error}");
        let other = make(&dir, "other.note", adding("g", Some(&first))).unwrap();
        assert!(carried(&[other.path, third.path.clone()]).is_err());
        assert!(carried(&[row[0].clone(), row[0].clone()]).is_err());
        // As many as a bundle may have are read; one more is not even looked at.
        let many = vec![third.path; MAX_TRUST_NOTES + 1];
        let error = carried(&many).unwrap_err().to_string();
        assert!(error.contains("at most 16"), "{error}");
        let error = carried(&many[1..]).unwrap_err().to_string();
        assert!(error.contains("does not continue"), "{error}");
    }

    #[test]
    fn what_is_no_note_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let made = make(&dir, "1.note", adding("b", None)).unwrap();
        let error = make(&dir, "1.note", adding("c", None)).unwrap_err();
        assert!(error.to_string().contains("never written over"), "{error}");
        let bad = |change: Change, want: &str| {
            let error = make(&dir, "bad.note", change).unwrap_err();
            let mut text = error.to_string();
            if let Some(source) = std::error::Error::source(&error) {
                text = format!("{text}: {source}");
            }
            assert!(text.contains(want), "{text}");
            assert!(!dir.path().join("bad.note").exists());
        };
        let first = || adding("b", None);
        bad(
            Change {
                number: None,
                ..first()
            },
            "--number 1",
        );
        bad(
            Change {
                number: Some(2),
                ..first()
            },
            "--after NOTE",
        );
        bad(
            Change {
                number: Some(0),
                ..first()
            },
            "--after NOTE",
        );
        bad(
            Change {
                number: Some(3),
                ..adding("b", Some(&made))
            },
            "is number 2",
        );
        bad(
            Change {
                add: vec![],
                ..first()
            },
            "changes nothing",
        );
        bad(
            Change {
                revoke: vec![public("b")],
                ..first()
            },
            "is the same key as",
        );
        bad(
            Change {
                add: vec!["no such file".into()],
                ..first()
            },
            "no such file",
        );
        for (require, want) in [
            (vec!["0"], "from 1 to 99"),
            (vec!["100"], "from 1 to 99"),
            (vec!["two"], "from 1 to 99"),
            (vec!["1", "2"], "said twice"),
            (vec!["prod=0"], "from 1 to 99"),
            (vec!["Prod=1"], "stream name"),
            (vec!["prod=1", "prod=2"], "there twice"),
        ] {
            let require = require.into_iter().map(String::from).collect();
            bad(Change { require, ..first() }, want);
        }
        let strange = dir.path().join("strange");
        for bytes in [
            b"hello".to_vec(),
            note::sign("modferry bundle v1\n", &[&key("a")]).unwrap(),
            made.note.encode().into_bytes(),
            vec![b'x'; MAX_TRUST_NOTE as usize + 1],
        ] {
            fs::write(&strange, bytes).unwrap();
            let error = read(&strange).unwrap_err();
            assert!(error.to_string().contains("is no trust note"), "{error}");
            assert_eq!(crate::command::exit_of(&error), Exit::Damaged);
        }
    }
}
