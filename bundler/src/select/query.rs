//! Version queries: what may be asked for behind a module's `@` besides one version of it.
//!
//! ```text
//! latest  upgrade  patch             as the go command means them
//! v1  v1.2                           the newest of that major or minor version
//! <v1.2.3  <=v1.2.3  >v1.2.3  >=v1   as the go command means them: the version closest to that one
//! ^1.8  ~1.8  >=1.7 <2  >=1.7, <2    the newest within a range
//! all  newest 3  since 2025-01-01    several; a range behind them narrows them: newest 3 ^1.8
//! v1.2.3  master  daa7c04131f5       a version, a branch, a commit
//! ```
//!
//! This is the reading of them, and nothing else: what is chosen is said in [`choose`](super::choose), and who is
//! asked in [`resolve`](super::resolve). Where the go command knows a query, it is read as in
//! cmd/go/internal/modload/query.go (newQueryMatcher); the rest is modferry's own, in the form that other
//! package managers have taught people. A branch that is called `all`, `newest 3` or `latest` has to be asked for
//! by its commit.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use modferry_protocol::module::{Revision, RevisionError, semver};

/// The longest query that is read, in bytes.
pub const MAX_QUERY: usize = modferry_cli::wants::MAX_QUERY;
/// The most versions that `newest` gives.
pub const MAX_NEWEST: usize = 10_000;

/// A version query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    text: Box<str>,
    kind: Kind,
}

/// What a query asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The newest version.
    Latest,
    /// The newest version, but none before the one that is selected.
    Upgrade,
    /// The newest version with the major and minor version of the one that is selected.
    Patch,
    /// What upstream says that this is: a full version, a branch, a commit.
    Named(Revision),
    /// The newest of `v1` or `v1.2`.
    Prefix(Prefix),
    /// The version closest to another one.
    Closest(Bound),
    /// The newest within a range.
    Within(Range),
    /// All versions, within a range.
    All(Range),
    /// So many of the highest versions, within a range.
    Newest(usize, Range),
    /// Those that were made then or later, within a range.
    Since(Timestamp, Range),
}

/// `v1` or `v1.2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(Box<str>);

/// A comparison with a version, which may be short, as in `>=v1.2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// How it compares.
    pub op: Op,
    /// With what.
    pub version: Box<str>,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// Terms that all hold; none of them is no restriction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range(Vec<Term>);

/// A term of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    Bound(Bound),
    Prefix(Prefix),
}

/// Why a text is no query. Displays whole, as one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Nothing behind the `@`.
    #[error(
        "an empty query: say latest, v1.2.3, ^1.8, all, newest 3, since 2025-01-31 or a branch"
    )]
    Empty,
    /// Longer than [`MAX_QUERY`].
    #[error("a query of {0} bytes; at most {MAX_QUERY} are read")]
    TooLong(usize),
    /// Something that is to be compared is no version.
    #[error("{version:?} in {query:?} is no version: say it as in >=1.7 or >=v1.7.0")]
    Version {
        /// What is no version.
        version: String,
        /// The query.
        query: String,
    },
    /// A short version where it is not clear what it stands for.
    #[error(
        "{version:?} in {query:?} may mean {} or all of {version}: say all three numbers, or {clear}",
        semver::canonical(version)
    )]
    Ambiguous {
        /// The short version.
        version: String,
        /// The query.
        query: String,
        /// What is clear.
        clear: String,
    },
    /// `newest` without a number, or with one that is out of bounds.
    #[error("newest {0:?}: say how many, from 1 to {MAX_NEWEST}, as in newest 3")]
    Count(String),
    /// `since` without a date.
    #[error(
        "since {0:?}: say a date or a time, as in since 2025-01-31 or since 2025-01-31T12:00:00Z"
    )]
    Date(String),
    /// Several words that are neither a range nor narrowed by one.
    #[error(
        "{word:?} in {query:?} belongs to no query: several words are all, newest N or since DATE, and a range, as in \
         newest 3 >=1.7 <2"
    )]
    Word {
        /// The word.
        word: String,
        /// The query.
        query: String,
    },
    /// Nothing that a module proxy can be asked for.
    #[error("no module proxy can be asked for it")]
    Revision(#[from] RevisionError),
}

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        if text.len() > MAX_QUERY {
            return Err(QueryError::TooLong(text.len()));
        }
        let words = words(text);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let kind = match words.as_slice() {
            [] => return Err(QueryError::Empty),
            ["latest"] => Kind::Latest,
            ["upgrade"] => Kind::Upgrade,
            ["patch"] => Kind::Patch,
            ["all", rest @ ..] => Kind::All(range(rest, text)?),
            ["newest"] => return Err(QueryError::Count(String::new())),
            ["newest", count, rest @ ..] => {
                let number = count.parse().ok();
                let within = number.filter(|number| (1..=MAX_NEWEST).contains(number));
                let number = within.ok_or_else(|| QueryError::Count((*count).to_owned()))?;
                Kind::Newest(number, range(rest, text)?)
            }
            ["since"] => return Err(QueryError::Date(String::new())),
            ["since", date, rest @ ..] => {
                let time = time(date).ok_or_else(|| QueryError::Date((*date).to_owned()))?;
                Kind::Since(time, range(rest, text)?)
            }
            [word] => single(word, text)?,
            several => Kind::Within(range(several, text)?),
        };
        Ok(Query {
            text: text.trim().into(),
            kind,
        })
    }

    /// `latest`.
    pub fn latest() -> Query {
        Query {
            text: "latest".into(),
            kind: Kind::Latest,
        }
    }

    /// What it asks for.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Words are parted by blanks and commas; a comparison may stand apart from its version.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(|c: char| c.is_whitespace() || c == ',') {
        match words.last_mut() {
            _ if word.is_empty() => {}
            Some(last) if matches!(last.as_str(), "<" | "<=" | ">" | ">=" | "^" | "~") => {
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

fn single(word: &str, text: &str) -> Result<Kind, QueryError> {
    if let Some((op, _)) = Op::before(word) {
        return Ok(Kind::Closest(bound(op, word, text)?));
    }
    if word.starts_with(['^', '~']) {
        return Ok(Kind::Within(range(&[word], text)?));
    }
    match Prefix::new(word) {
        Some(prefix) => Ok(Kind::Prefix(prefix)),
        None => Ok(Kind::Named(Revision::new(word)?)),
    }
}

fn range(words: &[&str], text: &str) -> Result<Range, QueryError> {
    let mut terms = Vec::new();
    for word in words {
        if let Some((op, _)) = Op::before(word) {
            terms.push(Term::Bound(bound(op, word, text)?));
        } else if let Some(version) = word.strip_prefix('^') {
            caret(&full(version, text)?, &mut terms);
        } else if let Some(version) = word.strip_prefix('~') {
            tilde(&full(version, text)?, &mut terms);
        } else if let Some(prefix) = Prefix::new(word) {
            terms.push(Term::Prefix(prefix));
        } else {
            return Err(QueryError::Word {
                word: (*word).to_owned(),
                query: text.to_owned(),
            });
        }
    }
    Ok(Range(terms))
}

fn bound(op: Op, word: &str, text: &str) -> Result<Bound, QueryError> {
    let version = full(word.trim_start_matches(['<', '>', '=']), text)?;
    let unclear = matches!(op, Op::LessOrEqual | Op::Greater);
    if unclear && let Some(Prefix(short)) = Prefix::new(&version) {
        let clear = match op {
            Op::Greater => format!(">={short}"),
            _ => format!("<{short}"),
        };
        return Err(QueryError::Ambiguous {
            version: short.into(),
            query: text.to_owned(),
            clear,
        });
    }
    Ok(Bound {
        op,
        version: version.into(),
    })
}

/// A version with its `v`, which may be left out where only a version can stand.
fn full(version: &str, text: &str) -> Result<String, QueryError> {
    let with_v = format!("v{}", version.strip_prefix('v').unwrap_or(version));
    match semver::is_valid(&with_v) {
        true => Ok(with_v),
        false => Err(QueryError::Version {
            version: version.to_owned(),
            query: text.to_owned(),
        }),
    }
}

/// From that version on, as long as nothing is incompatible: the first number that is not zero stays.
fn caret(version: &str, terms: &mut Vec<Term>) {
    let numbers = numbers(version);
    let same = match numbers.as_slice() {
        ["0", "0", _] => {
            // Every patch version of v0.0 may break: just this one.
            terms.push(Term::Bound(Bound {
                op: Op::LessOrEqual,
                version: version.into(),
            }));
            2
        }
        ["0", _, ..] => 2,
        _ => 1,
    };
    from_within(version, same, terms);
}

/// From that version on, with the same major and minor version.
fn tilde(version: &str, terms: &mut Vec<Term>) {
    let same = numbers(version).len().min(2);
    from_within(version, same, terms);
}

fn from_within(version: &str, same: usize, terms: &mut Vec<Term>) {
    let prefix = format!("v{}", numbers(version)[..same].join("."));
    terms.push(Term::Bound(Bound {
        op: Op::GreaterOrEqual,
        version: version.into(),
    }));
    terms.push(Term::Prefix(Prefix(prefix.into())));
}

fn numbers(version: &str) -> Vec<&str> {
    let end = version.find(['-', '+']).unwrap_or(version.len());
    version[1..end].split('.').collect()
}

fn time(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    let date: Date = (text.len() == "2025-01-31".len()).then(|| text.parse().ok())??;
    let start = date.to_zoned(TimeZone::UTC).ok()?;
    Some(start.timestamp())
}

impl Op {
    /// The comparison that a word begins with, and what follows it.
    fn before(word: &str) -> Option<(Op, &str)> {
        let ops = [
            ("<=", Op::LessOrEqual),
            (">=", Op::GreaterOrEqual),
            ("<", Op::Less),
            (">", Op::Greater),
        ];
        ops.iter()
            .find_map(|(sign, op)| Some((*op, word.strip_prefix(sign)?)))
    }
}

impl Prefix {
    /// `v1` or `v1.2`, and nothing else.
    fn new(text: &str) -> Option<Prefix> {
        let short = semver::is_valid(text) && text.matches('.').count() < 2;
        short.then(|| Prefix(text.into()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a version is one of these. Pre-releases of `v1.2.0` are none of `v1.2`.
    pub fn admits(&self, version: &str) -> bool {
        let rest = version.strip_prefix(&*self.0);
        rest.is_some_and(|rest| rest.starts_with('.')) && semver::compare(version, &self.0).is_ge()
    }
}

impl Bound {
    /// Whether a version compares so.
    pub fn admits(&self, version: &str) -> bool {
        let order = semver::compare(version, &self.version);
        match self.op {
            Op::Less => order.is_lt(),
            Op::LessOrEqual => order.is_le(),
            Op::Greater => order.is_gt(),
            Op::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Range {
    /// Whether a version is in the range.
    pub fn admits(&self, version: &str) -> bool {
        self.0.iter().all(|term| match term {
            Term::Bound(bound) => bound.admits(version),
            Term::Prefix(prefix) => prefix.admits(version),
        })
    }

    /// The versions that it names.
    pub fn versions(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|term| match term {
            Term::Bound(bound) => &*bound.version,
            Term::Prefix(prefix) => prefix.as_str(),
        })
    }
}

#[cfg(test)]
#[path = "query/tests.rs"]
mod tests;
