//! The trust note: a change of the trusted keys, signed by those who are trusted before it.
//!
//! ```text
//! modferry trust v1
//! number 2
//! after 3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b
//! created 2026-11-21T09:00:00Z
//! add site-2027+1a2b3c4d+AbC…
//! revoke site-2026+5e6f7a8b+AdE…
//! require 2
//! require platform 3
//! ```
//!
//! It is signed as a C2SP signed note ([`crate::note`]). Notes are numbered from 1, and each names the text of the
//! one before it, so that there is one row of them, and a store that has applied one knows which is the next.
//! `add` and `revoke` lines are sorted; `require` lines only ever raise (`Thresholds::raised_by`).
//!
//! Parsing is strict: what parses encodes to the same bytes. Whether a note is accepted is another question,
//! which [`Keyring::judge`](super::Keyring::judge) answers.

use std::fmt::Write as _;

use crate::bundle::StreamName;
use crate::note::VerifierKey;
use crate::text;

use super::MAX_REQUIRED;

const FIRST_LINE_PREFIX: &str = "modferry trust v";
const FIRST_LINE: &str = "modferry trust v1";

/// The most bytes of a trust note with its signatures: room for two hundred keys and their signatures.
pub const MAX_TRUST_NOTE: u64 = 64 << 10;

/// The highest number of a trust note: it stands with six digits in a file's name.
pub const MAX_TRUST_NUMBER: u64 = 999_999;

/// A change of the trusted keys. Its text is what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustNote {
    /// Its place in the row, from 1 to [`MAX_TRUST_NUMBER`].
    pub number: u64,
    /// SHA-256 of the text of the note before it; `None` for the first, and for no other.
    pub after: Option<[u8; 32]>,
    /// When it was made, by its maker's clock: `2026-11-21T09:00:00Z`. For people; nothing is decided by it.
    pub created: String,
    /// Keys to be trusted, sorted by their text.
    pub add: Vec<VerifierKey>,
    /// Keys not to be trusted any more, nor ever again; sorted by their text.
    pub revoke: Vec<VerifierKey>,
    /// How many signatures every stream needs from now on, at least.
    pub require: Option<usize>,
    /// How many signatures a stream needs from now on, at least; sorted by name.
    pub streams: Vec<(StreamName, usize)>,
}

/// Why a trust note's text is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustNoteError {
    /// More than [`MAX_TRUST_NOTE`].
    #[error("trust note of {0} bytes: want at most {MAX_TRUST_NOTE}")]
    TooLong(usize),
    /// A line is not as the format has it.
    #[error("trust note line {line}: {what}")]
    Line {
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// Its first line says another version of the format.
    #[error(
        "the trust note is of format v{0}: it was made by a newer modferry; use that version or a newer one"
    )]
    Newer(String),
    /// It says nothing to do.
    #[error(
        "the trust note changes nothing: want a key to add or revoke, or a number of signatures to require"
    )]
    Empty,
}

impl TrustNote {
    /// The text that gets signed.
    pub fn encode(&self) -> String {
        let mut out = format!("{FIRST_LINE}\nnumber {}\n", self.number);
        // Writing to a String cannot fail.
        let _ = match &self.after {
            None => writeln!(out, "after none"),
            Some(sha256) => writeln!(out, "after {}", text::Hex(sha256)),
        };
        let _ = writeln!(out, "created {}", self.created);
        for key in &self.add {
            let _ = writeln!(out, "add {key}");
        }
        for key in &self.revoke {
            let _ = writeln!(out, "revoke {key}");
        }
        if let Some(number) = self.require {
            let _ = writeln!(out, "require {number}");
        }
        for (stream, number) in &self.streams {
            let _ = writeln!(out, "require {stream} {number}");
        }
        out
    }

    /// Reads a note's text, without signatures. It takes only what [`encode`](Self::encode) gives.
    pub fn parse(text: &str) -> Result<Self, TrustNoteError> {
        if text.len() as u64 > MAX_TRUST_NOTE {
            return Err(TrustNoteError::TooLong(text.len()));
        }
        let mut parser = Parser {
            lines: text.lines().collect(),
            at: 0,
        };
        let note = parser.note()?;
        if note.encode() != text {
            // Line endings, and whatever spelling a value's own parser lets through.
            return Err(parser.bad("not spelled as this version writes it"));
        }
        if note.add.is_empty()
            && note.revoke.is_empty()
            && note.require.is_none()
            && note.streams.is_empty()
        {
            return Err(TrustNoteError::Empty);
        }
        Ok(note)
    }

    /// SHA-256 of the text: what the next note names in `after`.
    pub fn sha256(&self) -> [u8; 32] {
        use sha2::Digest as _;
        sha2::Sha256::digest(self.encode()).into()
    }
}

/// Reads line by line, each of which must be the one that the format has there.
struct Parser<'a> {
    lines: Vec<&'a str>,
    at: usize,
}

impl<'a> Parser<'a> {
    fn note(&mut self) -> Result<TrustNote, TrustNoteError> {
        let first = self.line().unwrap_or_default();
        if let Some(version) = text::other_version(first, FIRST_LINE_PREFIX) {
            return Err(TrustNoteError::Newer(version.to_owned()));
        }
        if first != FIRST_LINE {
            return Err(self.unexpected(&format!("{FIRST_LINE:?}")));
        }
        self.at += 1;
        let number = self.value("number", |v| {
            let number = text::number(v).filter(|n| (1..=MAX_TRUST_NUMBER).contains(n));
            number.ok_or_else(|| format!("want a number from 1 to {MAX_TRUST_NUMBER}"))
        })?;
        let after = self.value("after", |v| match (v, number) {
            ("none", 1) => Ok(None),
            ("none", _) => Err("only the first note comes after none".into()),
            (_, 1) => Err("the first note comes after none".into()),
            (hash, _) => match text::sha256(hash) {
                None => Err("want a SHA-256 in lower-case hexadecimal".into()),
                sha256 => Ok(sha256),
            },
        })?;
        let created = self.value("created", |v| match text::is_time(v) {
            true => Ok(v.to_owned()),
            false => Err("want a time such as 2026-11-21T09:00:00Z".into()),
        })?;
        let add = self.keys("add", &[])?;
        let revoke = self.keys("revoke", &add)?;
        let mut require = None;
        if self.has("require") && self.line().is_some_and(|line| line.split(' ').count() == 2) {
            require = Some(self.value("require", required)?);
        }
        let mut streams: Vec<(StreamName, usize)> = Vec::new();
        while self.has("require") {
            let last = streams.last().map(|(stream, _)| stream.clone());
            streams.push(self.value("require", |v| {
                let (stream, number) = v.split_once(' ').ok_or("want a stream and a number")?;
                let stream = StreamName::new(stream).map_err(|e| e.to_string())?;
                if last.is_some_and(|last| stream <= last) {
                    return Err(format!("{stream} is out of order or there twice"));
                }
                Ok((stream, required(number)?))
            })?);
        }
        match self.line() {
            None => Ok(TrustNote {
                number,
                after,
                created,
                add,
                revoke,
                require,
                streams,
            }),
            Some(_) => Err(self.unexpected("the end")),
        }
    }

    /// The keys of the lines that begin so, none of which is one of `others`.
    fn keys(
        &mut self,
        word: &str,
        others: &[VerifierKey],
    ) -> Result<Vec<VerifierKey>, TrustNoteError> {
        let mut keys: Vec<VerifierKey> = Vec::new();
        while self.has(word) {
            let key = self.value(word, |v| {
                let key: VerifierKey = v.parse().map_err(|e| format!("{e}"))?;
                if keys
                    .last()
                    .is_some_and(|last| v <= last.to_string().as_str())
                {
                    return Err(format!("{v} is out of order or there twice"));
                }
                // A key's name is its owner's choice, and not part of the secret.
                let mut known = keys.iter().chain(others);
                let same = |known: &&VerifierKey| known.fingerprint() == key.fingerprint();
                if let Some(known) = known.find(same) {
                    return Err(format!("{v} is the same key as {known}"));
                }
                Ok(key)
            })?;
            keys.push(key);
        }
        Ok(keys)
    }

    fn line(&self) -> Option<&'a str> {
        self.lines.get(self.at).copied()
    }

    fn has(&self, word: &str) -> bool {
        self.line()
            .and_then(|line| line.strip_prefix(word))
            .is_some_and(|rest| rest.starts_with(' '))
    }

    /// The value of the line under way, which must have that key; then the next line is under way.
    fn value<T>(
        &mut self,
        word: &str,
        parse: impl FnOnce(&'a str) -> Result<T, String>,
    ) -> Result<T, TrustNoteError> {
        let line = self.line().filter(|_| self.has(word));
        let Some(value) = line.and_then(|line| line.get(word.len() + 1..)) else {
            return Err(self.unexpected(&format!("{word:?}")));
        };
        let value = parse(value).map_err(|what| self.bad(&format!("{word}: {what}")))?;
        self.at += 1;
        Ok(value)
    }

    fn bad(&self, what: &str) -> TrustNoteError {
        TrustNoteError::Line {
            line: self.at + 1,
            what: what.to_owned(),
        }
    }

    fn unexpected(&self, want: &str) -> TrustNoteError {
        match self.line() {
            None => self.bad(&format!("want {want}, have the end")),
            Some(line) => self.bad(&format!(
                "want {want}, have {}",
                text::shown(line.as_bytes())
            )),
        }
    }
}

fn required(value: &str) -> Result<usize, String> {
    text::number(value)
        .and_then(|number| usize::try_from(number).ok())
        .filter(|number| (1..=MAX_REQUIRED).contains(number))
        .ok_or_else(|| format!("want a number from 1 to {MAX_REQUIRED}"))
}
