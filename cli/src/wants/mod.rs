//! The wants file: what a mirror was asked for and does not have, on its way back to whoever exports the next bundle.
//!
//! ```text
//! # for people
//! modferry-wants: 1
//! site: platform
//! written: 2026-11-21T09:00:00Z
//! wants:
//!   - want: github.com/caddyserver/caddy/v2@v2.11.9
//!     asked: 14
//!     first: 2026-11-02T08:12:00Z
//!     last: 2026-11-20T17:12:44Z
//!   - want: golang.org/x/exp/slices@latest
//!     or: [golang.org/x/exp, golang.org/x]
//!     follow: build
//!     note: the build of billing
//!   - want: corp.example/team/tool@v1.0.0
//!     private: true
//!
//! — platform Az3grh…
//! ```
//!
//! It leaves an isolated network, so a person has to be able to read all of it, to strike lines, and to type it where
//! nothing electronic may leave: YAML, of which only the first line and `wants` with a `want` each are needed. What an
//! appliance writes is a signed note around that text, by the key that signs receipts. Without the signature's
//! lines it is the same file, typed by hand; with lines that do not verify it is refused.
//!
//! - [`parse`](Wants::parse): strict, with line and column; bounded by [`MAX_WANTS_FILE`] and [`MAX_WANTS`]
//! - [`encode`](Wants::encode): the text that is signed; parsing it gives the same wants
//! - [`open`], [`sign`]: the note around it
//!
//! `or` is there because the go command, asked for a package, asks the mirror for every module that could have it:
//! `a.b/c/d`, `a.b/c` and `a.b`. That is one want, of whichever of these modules exists, the longest first.
//!
//! `private` is there because whoever reads the file cannot know which names are: it stands by each entry that must be named
//! to no public host, itself and what stands in its `or`. A version that does not know the key refuses the file.

mod encode;
mod parse;
mod signed;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use modferry_protocol::module::{ModulePath, PathError};
use modferry_protocol::note::{self, NoteError};
use serde::{Deserialize, Serialize, Serializer};

use crate::{ConfigError, Exit, Failure};
pub use signed::{Signed, Signer, open, read, sign};

/// The only format that there is.
pub const WANTS_FORMAT: u64 = 1;

/// The most bytes of a wants file, signatures included: what a note may have.
pub const MAX_WANTS_FILE: usize = note::MAX_NOTE;

/// The most wants in a file.
pub const MAX_WANTS: usize = 10_000;

/// The most bytes of a want, as `path@query`: some times what the longest in the public index have.
pub const MAX_WANT: usize = 1000;

/// The longest query that an exporter reads, in bytes. One that is longer would have it refuse the whole file.
pub const MAX_QUERY: usize = 256;

/// The newest version, as a query.
pub const LATEST: &str = "latest";

/// What is no branch to an exporter, whatever a repository has.
const WORDS_OF_QUERIES: [&str; 6] = ["all", "newest", "since", LATEST, "upgrade", "patch"];

/// The most bytes of the site's name, and of a note.
pub const MAX_WORDS: usize = 500;

/// A wants file's contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Whose wants these are: a name that people know.
    pub site: Option<String>,
    /// When it was written, by the appliance's clock.
    pub written: Option<Time>,
    /// The wants, in the file's order.
    pub wants: Vec<Entry>,
}

/// One want, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is wanted.
    pub want: Want,
    /// The shorter paths that the module may have instead, longest first.
    pub or: Vec<ModulePath>,
    /// Whether these names are private: for an upstream of their own, and no public host. A file that says nothing of it
    /// leaves that to whoever reads it.
    pub private: bool,
    /// How often it was asked for.
    pub asked: Option<u64>,
    /// When it was first asked for.
    pub first: Option<Time>,
    /// When it was last asked for.
    pub last: Option<Time>,
    /// How far its requirements are to be followed.
    pub follow: Option<Follow>,
    /// What a person has to say of it.
    pub note: Option<String>,
    /// Where in the file the text of [`want`](Entry::want) begins; `None` where the entries do not begin on lines of their own.
    pub place: Option<Place>,
}

impl Entry {
    /// A want of which nothing more is known.
    pub fn new(want: Want) -> Entry {
        Entry {
            want,
            or: Vec::new(),
            private: false,
            asked: None,
            first: None,
            last: None,
            follow: None,
            note: None,
            place: None,
        }
    }
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The character in it, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A module, and which version of it: a version, a branch, `latest`, or another query that the bundler resolves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Want {
    path: ModulePath,
    query: Box<str>,
}

/// Why a text is no want.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantError {
    /// Nothing says which version.
    #[error("no version: write MODULE@VERSION, or MODULE@latest")]
    NoQuery,
    /// Something that no query has.
    #[error("what stands behind the @ must be printable ASCII, and no space at its ends")]
    Query,
    /// Longer than [`MAX_WANT`].
    #[error("it has {0} bytes, and a want at most {MAX_WANT}")]
    TooLong(usize),
    /// The path is none.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl Want {
    /// That module at that query.
    pub fn new(path: ModulePath, query: &str) -> Result<Want, WantError> {
        let length = path.as_str().len() + 1 + query.len();
        if length > MAX_WANT {
            return Err(WantError::TooLong(length));
        }
        let printable = query.bytes().all(|b| matches!(b, b' '..=b'~'));
        if query.is_empty() || !printable || query.trim() != query {
            return Err(WantError::Query);
        }
        Ok(Want {
            path,
            query: query.into(),
        })
    }

    /// The module's path.
    pub fn path(&self) -> &ModulePath {
        &self.path
    }

    /// The query: not empty, printable, on one line. Nothing says that it can be resolved.
    pub fn query(&self) -> &str {
        &self.query
    }

    /// Whether it is of one version of one module, as everything is that the go command asks a mirror for: the newest, or
    /// what [`is_revision`] admits, of a path without the dots that make a pattern of it. Only such a want is signed: one for
    /// `all` brings in a module's whole history, and that is for a person to ask for, not for whoever can send a request.
    pub fn is_of_one(&self) -> bool {
        let one = self.query() == LATEST || is_revision(self.query());
        one && !self.path.as_str().contains("...")
    }
}

/// Whether a query can be meant as a version, the beginning of one, a branch or a commit, of at most [`MAX_QUERY`] bytes.
/// To the go command whatever it puts into a path is one of these; to an exporter some words and signs mean more, and a
/// branch that is called like that has to be asked for by its commit.
pub fn is_revision(query: &str) -> bool {
    let sign = |c: char| c.is_whitespace() || matches!(c, ',' | '<' | '>' | '^' | '~');
    (1..=MAX_QUERY).contains(&query.len())
        && !query.contains(sign)
        && !query.starts_with('=')
        && !WORDS_OF_QUERIES.contains(&query)
}

impl FromStr for Want {
    type Err = WantError;

    fn from_str(text: &str) -> Result<Want, WantError> {
        let (path, query) = text.split_once('@').ok_or(WantError::NoQuery)?;
        Want::new(ModulePath::new(path)?, query)
    }
}

impl Serialize for Want {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.path, self.query)
    }
}

/// How far the requirements of what is wanted are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Follow {
    /// Not at all.
    None,
    /// As far as building its packages needs.
    Build,
    /// Their tests, too.
    Test,
    /// All that is required.
    All,
}

impl Follow {
    /// All there are, the nearest first.
    pub const ALL: [Follow; 4] = [Follow::None, Follow::Build, Follow::Test, Follow::All];

    /// As the file writes it.
    pub fn name(self) -> &'static str {
        match self {
            Follow::None => "none",
            Follow::Build => "build",
            Follow::Test => "test",
            Follow::All => "all",
        }
    }
}

impl FromStr for Follow {
    type Err = String;

    fn from_str(text: &str) -> Result<Follow, String> {
        [Follow::None, Follow::Build, Follow::Test, Follow::All]
            .into_iter()
            .find(|follow| follow.name() == text)
            .ok_or_else(|| format!("{text:?}: say none, build, test or all"))
    }
}

/// A time to the second, in UTC: `2026-11-21T09:00:00Z`, and no other spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(jiff::Timestamp);

impl Time {
    /// So many seconds after 1970 began; `None` where no calendar has a date for it.
    pub fn from_seconds(seconds: u64) -> Option<Time> {
        let seconds = i64::try_from(seconds).ok()?;
        jiff::Timestamp::from_second(seconds).ok().map(Time)
    }

    /// What this machine's clock says.
    pub fn now() -> Time {
        let now = jiff::Timestamp::now().as_second();
        jiff::Timestamp::from_second(now).map_or(Time(jiff::Timestamp::UNIX_EPOCH), Time)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Time, String> {
        let time = text.parse().map(Time).ok();
        time.filter(|time| time.to_string() == text)
            .ok_or_else(|| format!("{text:?} is no time: write 2026-11-21T09:00:00Z"))
    }
}

/// Why a wants file is not accepted, or cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum WantsError {
    /// The file could not be read.
    #[error("cannot read the wants file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Larger than [`MAX_WANTS_FILE`].
    #[error("the wants file {} is larger than {MAX_WANTS_FILE} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Not UTF-8.
    #[error("the wants file {} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// Nothing but empty lines and comments.
    #[error("{} is empty: it has not even a wants file's first line, `modferry-wants: {WANTS_FORMAT}`", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Of a format that this version does not know.
    #[error("{} is a wants file of format {format}, and this version reads {WANTS_FORMAT}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The format.
        format: u64,
    },
    /// The text is not what is expected at this place.
    #[error(transparent)]
    Invalid(#[from] ConfigError),
    /// More than [`MAX_WANTS`].
    #[error("{} has {count} wants, and at most {MAX_WANTS} are read", path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// It has lines of a signature, and they are not the known key's over this text.
    #[error("the signature of the wants file {} is not good", path.display())]
    Signature {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: NoteError,
    },
    /// It asks for more than one version of a module, or for a range, and such a want is not signed.
    #[error("{}: {want} is not one version, branch or commit of one module, and is not signed", path.display())]
    NotOfOne {
        /// The file.
        path: PathBuf,
        /// The first such want.
        want: Want,
    },
    /// It cannot be signed.
    #[error("the wants file {} cannot be signed", path.display())]
    Sign {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: NoteError,
    },
}

impl Failure for WantsError {
    fn exit(&self) -> Exit {
        match self {
            WantsError::Signature { .. } => Exit::Untrusted,
            WantsError::Newer { .. } => Exit::Damaged,
            _ => Exit::Usage,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            WantsError::Read { .. } => return None,
            WantsError::TooLarge { .. } | WantsError::TooMany { .. } => {
                "make two files of it, each with the first lines".into()
            }
            WantsError::NotText { .. } => {
                "save it as plain text in UTF-8; no word processor's format is read".into()
            }
            WantsError::Empty { .. } => {
                "if it was copied, copy it again; if it is typed by hand, begin with that line"
                    .into()
            }
            WantsError::Newer { .. } => "use modferry of the version that wrote it".into(),
            WantsError::Invalid(error) => return error.advice(),
            WantsError::Signature { path, .. } => format!(
                "was it edited, or signed by another store? sign it again there: modferry-appliance wants --sign {}\n\
                 or remove the lines that begin with — at its end, and it counts as typed by hand",
                path.display()
            ),
            WantsError::NotOfOne { .. } => {
                "strike it, or leave the file without a signature: it counts then as typed by hand, and may ask for that"
                    .into()
            }
            WantsError::Sign { .. } => {
                "a signed text has no control characters but line ends: no tabs, for one".into()
            }
        })
    }
}

#[cfg(test)]
mod tests;
