//! The list of bases: zips that the destination holds, and that this bundle's zips are put together from besides what
//! it carries.
//!
//! ```text
//! modferry bases v1
//! zip example.com/a v1.0.0 <SHA-256>       this zip must be held, with these very bytes
//! ```
//!
//! A patch release of a module is mostly the files of the release before it. [Recipes](super::Recipe) and prefixes of
//! [contents](super::StoredContents) name a base by its place in this list, and an entry by its place in that zip's
//! directory, which is why the zip's hash has to be the one that the bundle was made with.
//!
//! It is cut into texts as the [other lists](super::ListReader) are, and in the same order. It claims nothing for its stream: a
//! base may be taken back by the very bundle that builds on it.

use super::lists::{ListError, first_line, lines};
use super::{MAX_BASES, MAX_INDEX_LINE, MAX_LIST_TEXT};
use crate::module::ModuleVersion;
use crate::text;

const FIRST_LINE_PREFIX: &str = "modferry bases v";

/// A zip that the destination must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Whose it is.
    pub module: ModuleVersion,
    /// SHA-256 of all its bytes.
    pub sha256: [u8; 32],
}

/// The texts of a list of bases, in the order of their numbers: each is full, but for the last. Of nothing, no text.
///
/// # Errors
///
/// The bases are not in the order of their modules, or one of them is there twice; they are more than [`MAX_BASES`]; or
/// a name is too long for a line.
pub fn bases_texts(bases: &[Base]) -> Result<Vec<Vec<u8>>, ListError> {
    if bases.len() as u64 > MAX_BASES {
        return Err(ListError::TooMany);
    }
    if let Some(pair) = bases
        .windows(2)
        .find(|pair| pair[0].module >= pair[1].module)
    {
        let module = pair[1].module.clone();
        return Err(ListError::Order { module });
    }
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for Base { module, sha256 } in bases {
        let (path, version) = (module.path(), module.version());
        let line = format!("zip {path} {version} {}\n", text::Hex(sha256));
        if line.len() > MAX_INDEX_LINE {
            return Err(ListError::LongLine(line.len()));
        }
        match texts.last_mut() {
            Some(text) if text.len() + line.len() <= MAX_LIST_TEXT => text.extend(line.bytes()),
            _ => texts.push(format!("{FIRST_LINE_PREFIX}1\n{line}").into()),
        }
    }
    Ok(texts)
}

/// Reads a list of bases, text by text in their order.
#[derive(Clone, Debug, Default)]
pub struct BasesReader {
    last: Option<ModuleVersion>,
    count: u64,
}

impl BasesReader {
    /// A reader that has read no text.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bases of the next text. After an error the list has nothing more to say.
    pub fn text(&mut self, text: &[u8]) -> Result<Vec<Base>, ListError> {
        let mut bases = Vec::new();
        for (number, line) in lines(text)? {
            if number == 1 {
                first_line(line, FIRST_LINE_PREFIX)?;
                continue;
            }
            if self.count == MAX_BASES {
                return Err(ListError::TooMany);
            }
            bases.push(self.line(number, line)?);
            self.count += 1;
        }
        Ok(bases)
    }

    /// How many bases the texts so far have listed.
    pub fn count(&self) -> u64 {
        self.count
    }

    fn line(&mut self, number: usize, line: &str) -> Result<Base, ListError> {
        let bad = |what: String| ListError::Line { line: number, what };
        let shown = |field: &str| text::shown(field.as_bytes());
        let fields: Vec<&str> = line.split(' ').collect();
        let [path, version, sha256] = match fields.as_slice() {
            ["zip", path, version, sha256] => [path, version, sha256],
            [word, _, ..] if text::is_word(word) && *word != "zip" => {
                return Err(ListError::Newer {
                    line: number,
                    what: format!("the word {}", shown(word)),
                });
            }
            _ => {
                return Err(bad(format!(
                    "want \"zip\", a module path, a version and a SHA-256, have {}",
                    shown(line)
                )));
            }
        };
        let module =
            ModuleVersion::parse(path, version).map_err(|e| bad(format!("module: {e}")))?;
        if self.last.as_ref().is_some_and(|last| module <= *last) {
            return Err(bad(format!("{module} is out of order or there twice")));
        }
        let sha256 =
            text::sha256(sha256).ok_or_else(|| bad(format!("SHA-256 {}", shown(sha256))))?;
        self.last = Some(module.clone());
        Ok(Base { module, sha256 })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bases_are_written_in_order_and_each_once() {
        let base = |version: &str| Base {
            module: format!("example.com/a@{version}").parse().unwrap(),
            sha256: [7; 32],
        };
        let texts = |versions: [&str; 2]| bases_texts(&versions.map(base));
        assert_eq!(texts(["v1.9.0", "v1.10.0"]).unwrap().len(), 1);
        for wrong in [["v1.10.0", "v1.9.0"], ["v1.9.0", "v1.9.0"]] {
            assert!(matches!(texts(wrong), Err(ListError::Order { .. })));
        }
    }
}
