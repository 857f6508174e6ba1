//! The two lists that a bundle may carry: what the destination must hold already, and what is no longer selected.
//!
//! ```text
//! modferry needs v1
//! mod example.com/a v1.0.0             its .mod and record must be held
//! zip example.com/b v1.2.0             its .info, .mod, .zip and record must be held
//! ```
//!
//! ```text
//! modferry tombstones v1
//! all example.com/c v1.0.0             the selection names nothing of it any more
//! zip example.com/d v1.0.0             it no longer names the zip; the .mod, and the .info, it still does
//! ```
//!
//! A list is as long as a site's selection, so it is cut into texts of at most [`MAX_LIST_TEXT`], each an item of
//! its own, numbered from 1. Modules are in order over all texts of a list, so that none is there twice and two
//! lists can be compared in the memory of two texts. An empty list has no text.

use std::marker::PhantomData;

use super::{MAX_INDEX_LINE, MAX_LIST_TEXT};
use crate::module::ModuleVersion;
use crate::text;

/// How much of a module version is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Its `.mod`, which version selection reads, and its record.
    Mod,
    /// All of it: `.info`, `.mod`, `.zip` and record.
    Zip,
}

/// What of a module version the selection no longer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gone {
    /// Its zip. The rest is still named.
    Zip,
    /// All of it.
    All,
}

/// The words of a list, and its first line: what makes a list a list of needs or of tombstones.
pub trait ListKind: Copy {
    /// What the first line begins with; the format's version follows.
    const FIRST_LINE_PREFIX: &'static str;

    /// The word in front of a module version.
    fn word(self) -> &'static str;

    /// The value of that word.
    fn of_word(word: &str) -> Option<Self>;
}

/// What the destination must hold.
impl ListKind for Level {
    const FIRST_LINE_PREFIX: &'static str = "modferry needs v";

    fn word(self) -> &'static str {
        match self {
            Level::Mod => "mod",
            Level::Zip => "zip",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        match word {
            "mod" => Some(Level::Mod),
            "zip" => Some(Level::Zip),
            _ => None,
        }
    }
}

/// Tombstones.
impl ListKind for Gone {
    const FIRST_LINE_PREFIX: &'static str = "modferry tombstones v";

    fn word(self) -> &'static str {
        match self {
            Gone::Zip => "zip",
            Gone::All => "all",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        match word {
            "zip" => Some(Gone::Zip),
            "all" => Some(Gone::All),
            _ => None,
        }
    }
}

/// Why a list is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A text of more than [`MAX_LIST_TEXT`].
    #[error("a text of {0} bytes: want at most {MAX_LIST_TEXT}")]
    TooLong(usize),
    /// A line is not as the format has it.
    #[error("line {line}: {what}")]
    Line {
        /// The line's number in its text, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A line is well-formed and means nothing to this version.
    #[error(
        "line {line}: {what}: the bundle was made by a newer modferry; use that version or a newer one"
    )]
    Newer {
        /// The line's number in its text, from 1.
        line: usize,
        /// What is unknown.
        what: String,
    },
    /// A writer was given modules out of order, or one twice.
    #[error("{module} is out of order or there twice")]
    Order {
        /// The module.
        module: ModuleVersion,
    },
    /// More bases than [`MAX_BASES`](super::MAX_BASES).
    #[error("more than {} bases", super::MAX_BASES)]
    TooMany,
    /// A writer was given a module whose line no reader takes.
    #[error("a line of {0} bytes: want at most {MAX_INDEX_LINE}")]
    LongLine(usize),
}

/// The texts of a list, whose modules must come in order: each is full, but for the last. Of nothing, no text.
pub fn list_texts<K, I>(lines: I) -> ListTexts<K, I::IntoIter>
where
    K: ListKind,
    I: IntoIterator<Item = (ModuleVersion, K)>,
{
    ListTexts {
        lines: lines.into_iter(),
        last: None,
        ahead: None,
        kind: PhantomData,
    }
}

/// What [`list_texts`] gives: the texts in the order of their numbers.
pub struct ListTexts<K, I> {
    lines: I,
    last: Option<ModuleVersion>,
    /// The line that the text before had no room for.
    ahead: Option<String>,
    kind: PhantomData<K>,
}

impl<K: ListKind, I: Iterator<Item = (ModuleVersion, K)>> ListTexts<K, I> {
    fn line(&mut self) -> Result<Option<String>, ListError> {
        if let Some(line) = self.ahead.take() {
            return Ok(Some(line));
        }
        let Some((module, kind)) = self.lines.next() else {
            return Ok(None);
        };
        if self.last.as_ref().is_some_and(|last| module <= *last) {
            return Err(ListError::Order { module });
        }
        let line = format!("{} {} {}\n", kind.word(), module.path(), module.version());
        if line.len() > MAX_INDEX_LINE {
            return Err(ListError::LongLine(line.len()));
        }
        self.last = Some(module);
        Ok(Some(line))
    }

    fn text(&mut self) -> Result<Option<Vec<u8>>, ListError> {
        let Some(first) = self.line()? else {
            return Ok(None);
        };
        let mut text = format!("{}1\n{first}", K::FIRST_LINE_PREFIX);
        while let Some(line) = self.line()? {
            if text.len() + line.len() > MAX_LIST_TEXT {
                self.ahead = Some(line);
                break;
            }
            text += &line;
        }
        Ok(Some(text.into_bytes()))
    }
}

impl<K: ListKind, I: Iterator<Item = (ModuleVersion, K)>> Iterator for ListTexts<K, I> {
    type Item = Result<Vec<u8>, ListError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.text().transpose()
    }
}

/// Reads a list, text by text in their order, in the memory of one text.
#[derive(Clone, Debug)]
pub struct ListReader<K> {
    last: Option<ModuleVersion>,
    count: u64,
    kind: PhantomData<K>,
}

impl<K> Default for ListReader<K> {
    fn default() -> Self {
        Self {
            last: None,
            count: 0,
            kind: PhantomData,
        }
    }
}

impl<K: ListKind> ListReader<K> {
    /// A reader that has read no text.
    pub fn new() -> Self {
        Self::default()
    }

    /// The lines of the next text, all of which are well. After an error the list has nothing more to say.
    pub fn text(&mut self, text: &[u8]) -> Result<Vec<(ModuleVersion, K)>, ListError> {
        let mut listed = Vec::new();
        for (number, line) in lines(text)? {
            if number == 1 {
                first_line(line, K::FIRST_LINE_PREFIX)?;
            } else {
                listed.push(self.line(number, line)?);
            }
        }
        self.count += listed.len() as u64;
        Ok(listed)
    }

    /// How many module versions the texts so far have listed.
    pub fn count(&self) -> u64 {
        self.count
    }

    fn line(&mut self, number: usize, line: &str) -> Result<(ModuleVersion, K), ListError> {
        let bad = |what: String| ListError::Line { line: number, what };
        let fields: Vec<&str> = line.split(' ').collect();
        let [word, path, version] = fields.as_slice() else {
            return Err(bad(format!(
                "want a word, a module path and a version, have {}",
                text::shown(line.as_bytes())
            )));
        };
        let kind = match K::of_word(word) {
            Some(kind) => kind,
            None if text::is_word(word) => {
                return Err(ListError::Newer {
                    line: number,
                    what: format!("the word {}", text::shown(word.as_bytes())),
                });
            }
            None => {
                return Err(bad(format!("the word {}", text::shown(word.as_bytes()))));
            }
        };
        let module =
            ModuleVersion::parse(path, version).map_err(|e| bad(format!("module: {e}")))?;
        if self.last.as_ref().is_some_and(|last| module <= *last) {
            return Err(bad(format!("{module} is out of order or there twice")));
        }
        self.last = Some(module.clone());
        Ok((module, kind))
    }
}

/// The lines of a text, numbered from 1, without their newlines: a first one, which is for [`first_line`], and at least
/// one more.
pub(super) fn lines(text: &[u8]) -> Result<Vec<(usize, &str)>, ListError> {
    if text.len() > MAX_LIST_TEXT {
        return Err(ListError::TooLong(text.len()));
    }
    let bad = |line: usize, what: String| ListError::Line { line, what };
    let text = std::str::from_utf8(text).map_err(|error| {
        let line = 1 + text[..error.valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        bad(line, "not UTF-8".into())
    })?;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        let Some(line) = line.strip_suffix('\n') else {
            return Err(bad(number, "ends without a newline".into()));
        };
        if number > 1 && line.len() + 1 > MAX_INDEX_LINE {
            return Err(bad(number, format!("longer than {MAX_INDEX_LINE} bytes")));
        }
        lines.push((number, line));
    }
    if lines.len() < 2 {
        let what = "want a first line and a module version at least, have the end";
        return Err(bad(lines.len() + 1, what.into()));
    }
    Ok(lines)
}

/// Checks the first line of a text, which is that prefix and the format's version.
pub(super) fn first_line(line: &str, prefix: &str) -> Result<(), ListError> {
    if line.strip_prefix(prefix) == Some("1") {
        return Ok(());
    }
    Err(match text::other_version(line, prefix) {
        Some(version) => ListError::Newer {
            line: 1,
            what: format!("format v{version}"),
        },
        None => ListError::Line {
            line: 1,
            what: format!("want \"{prefix}1\", have {}", text::shown(line.as_bytes())),
        },
    })
}
