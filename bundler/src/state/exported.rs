//! A bundle that was exported before, as the state remembers it: its manifest, and beside it its index, its
//! tombstones, and which bundles it was built on.
//!
//! These files decide what later bundles leave out, so none is believed that is not what was written: the index
//! must have the hash that its manifest names, the tombstones their count. What is lost or damaged is told as such,
//! and whoever asks then counts the bundle as one that brought nothing, which costs bytes and loses nothing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use modferry_protocol::bundle::{
    Entry, Gone, IndexReader, Item, ListReader, MAX_INDEX, MAX_INDEX_LINE, MAX_LIST_TEXT,
    MAX_QUERIES, Manifest, Query, Sequence, Sequences,
};
use modferry_protocol::module::ModuleVersion;
use sha2::{Digest as _, Sha256};

use super::damaged;
use crate::error::Error;
use crate::files;

/// The most bytes of a file that says what a bundle was built on: the most ranges, and some.
const MAX_BUILT_ON: u64 = 1 << 20;

/// A bundle that was exported before.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Its manifest.
    pub manifest: Manifest,
    /// The manifest's file in the state; the others lie beside it.
    pub(super) path: PathBuf,
}

/// What a bundle was built on: the bundles that counted as arrived when it was made, and who said so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuiltOn {
    /// Who said so.
    pub chosen: Chosen,
    /// The bundles that counted as arrived.
    pub bundles: Sequences,
}

/// Who said what a bundle is to be built on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chosen {
    /// Nobody: all bundles exported so far.
    #[default]
    Exported,
    /// The newest receipt.
    Receipt,
    /// A person, for this export.
    Hand,
}

impl Chosen {
    fn word(self) -> &'static str {
        match self {
            Chosen::Exported => "exported",
            Chosen::Receipt => "receipt",
            Chosen::Hand => "hand",
        }
    }
}

impl BuiltOn {
    /// The text that the state keeps.
    pub fn encode(&self) -> String {
        let (chosen, bundles) = (self.chosen.word(), &self.bundles);
        format!("{FIRST_LINE}\nchosen {chosen}\nbundles {bundles}\n")
    }

    /// Reads that text.
    pub fn parse(text: &str) -> Option<BuiltOn> {
        let rest = text.strip_prefix(FIRST_LINE)?.strip_prefix("\nchosen ")?;
        let (chosen, bundles) = rest.strip_suffix('\n')?.split_once("\nbundles ")?;
        let chosen = [Chosen::Exported, Chosen::Receipt, Chosen::Hand]
            .into_iter()
            .find(|known| known.word() == chosen)?;
        let bundles = bundles.parse().ok()?;
        Some(BuiltOn { chosen, bundles })
    }
}

const FIRST_LINE: &str = "modferry basis v1";
pub(super) const INDEX: &str = "index";
pub(super) const TOMBSTONES: &str = "tombstones";
pub(super) const BUILT_ON: &str = "basis";
pub(super) const QUERIES: &str = "queries";

/// The most bytes of a file with what a bundle answered: as many lines as it may have answers, of names of any length.
const MAX_ANSWERS: u64 = MAX_QUERIES as u64 * MAX_INDEX_LINE as u64;

impl Exported {
    /// Its place in the stream.
    pub fn sequence(&self) -> Sequence {
        self.manifest.sequence
    }

    /// Calls `each` with every item that it carried and its bytes, in their order. `false`, and no call, where its
    /// index is lost or damaged.
    pub fn each_item(&self, mut each: impl FnMut(Item, u64)) -> Result<bool, Error> {
        self.each_entry(|entry| {
            for (item, size) in entry.items {
                each(item, size);
            }
        })
    }

    /// The same with whole entries.
    pub fn each_entry(&self, mut each: impl FnMut(Entry)) -> Result<bool, Error> {
        let path = self.path.with_extension(INDEX);
        let Some(mut file) = open(&path)? else {
            return Ok(false);
        };
        let named = self.manifest.index;
        let read = Error::file("read", &path);
        let mut hash = || -> io::Result<bool> {
            let mut hasher = Sha256::new();
            let size = io::copy(&mut (&file).take(MAX_INDEX + 1), &mut hasher)?;
            file.rewind()?;
            Ok(size == named.size && hasher.finalize()[..] == named.sha256)
        };
        if !hash().map_err(read)? {
            return Ok(false);
        }
        for entry in IndexReader::new(BufReader::new(file)) {
            each(entry?);
        }
        Ok(true)
    }

    /// Calls `each` with every tombstone of it, in order. `false` where they are lost or damaged: `each` may have
    /// had some by then.
    pub fn each_tombstone(&self, mut each: impl FnMut(ModuleVersion, Gone)) -> Result<bool, Error> {
        if self.manifest.tombstones == 0 {
            return Ok(true);
        }
        let path = self.path.with_extension(TOMBSTONES);
        let Some(file) = open(&path)? else {
            return Ok(false);
        };
        let mut reader: ListReader<Gone> = ListReader::new();
        let mut texts = Texts::new(BufReader::new(file));
        while let Some(text) = texts.next().map_err(Error::file("read", &path))? {
            let Ok(lines) = reader.text(&text) else {
                return Ok(false);
            };
            lines
                .into_iter()
                .for_each(|(module, gone)| each(module, gone));
        }
        Ok(reader.count() == self.manifest.tombstones)
    }

    /// Calls `each` with every query that it answered, and the version that the answer names. `false`, and no call, where
    /// they are lost or damaged.
    pub fn each_answer(&self, each: impl FnMut((Query, ModuleVersion))) -> Result<bool, Error> {
        let count = self.manifest.totals.queries;
        if count == 0 {
            return Ok(true);
        }
        let path = self.path.with_extension(QUERIES);
        let text = match files::read_bounded(&path, MAX_ANSWERS) {
            Ok(text) => String::from_utf8(text).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(Error::file("read", &path)(error)),
        };
        let answers: Option<Vec<_>> = text.lines().map(crate::answers::decode).collect();
        match answers.filter(|answers| answers.len() as u64 == count) {
            None => Ok(false),
            Some(answers) => {
                answers.into_iter().for_each(each);
                Ok(true)
            }
        }
    }

    /// What it was built on; `None` where the state does not say, as before there was a choice.
    pub fn built_on(&self) -> Result<Option<BuiltOn>, Error> {
        let path = self.path.with_extension(BUILT_ON);
        let text = match files::read_bounded(&path, MAX_BUILT_ON) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::file("read", &path)(error)),
        };
        let parsed = std::str::from_utf8(&text).ok().and_then(BuiltOn::parse);
        match parsed {
            Some(built_on) => Ok(Some(built_on)),
            None => Err(damaged(
                &path,
                "it does not say what the bundle was built on",
            )),
        }
    }
}

fn open(path: &Path) -> Result<Option<File>, Error> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file("read", path)(error)),
    }
}

/// Room for the first line of the text behind a full one, which tells that the full one ends.
const NEXT_FIRST_LINE: usize = 64;

/// The texts of a list that lie in one file, one after the other: each begins with the list's first line.
struct Texts<R> {
    input: R,
    first_line: Vec<u8>,
}

impl<R: BufRead> Texts<R> {
    fn new(input: R) -> Texts<R> {
        Texts {
            input,
            first_line: Vec::new(),
        }
    }

    /// The next text; `None` at the end. What is longer than a text may have is cut where no reader takes it.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut text = std::mem::take(&mut self.first_line);
        loop {
            let before = text.len();
            let room = (MAX_LIST_TEXT + NEXT_FIRST_LINE).saturating_sub(before) as u64;
            (&mut self.input).take(room).read_until(b'\n', &mut text)?;
            if text.len() == before {
                return Ok((!text.is_empty()).then_some(text));
            }
            if before > 0 && text[before..].starts_with(b"modferry ") {
                self.first_line = text.split_off(before);
                return Ok(Some(text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_protocol::bundle::list_texts;

    #[test]
    fn what_a_bundle_was_built_on_has_one_spelling() {
        for (chosen, bundles) in [
            (Chosen::Exported, "1-4,6-7"),
            (Chosen::Receipt, "3"),
            (Chosen::Hand, "none"),
        ] {
            let bundles = bundles.parse().unwrap();
            let built_on = BuiltOn { chosen, bundles };
            assert_eq!(BuiltOn::parse(&built_on.encode()), Some(built_on));
        }
        for bad in [
            "",
            "modferry basis v1\nchosen hand\nbundles 1-4",
            "modferry basis v1\nchosen hand\nbundles 2-1\n",
            "modferry basis v1\nchosen foot\nbundles 1\n",
            "modferry basis v2\nchosen hand\nbundles 1\n",
        ] {
            assert_eq!(BuiltOn::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn texts_in_one_file_come_apart_again() {
        let module = |n: usize| -> ModuleVersion {
            let name = format!("m.test/{}{n:05}@v1.0.0", "x".repeat(100));
            name.parse().unwrap()
        };
        let lines = (0..20_000).map(|n| (module(n), Gone::All));
        let texts: Vec<Vec<u8>> = list_texts(lines).map(Result::unwrap).collect();
        assert!(texts.len() > 1);
        let all = texts.concat();
        let mut split = Texts::new(all.as_slice());
        for text in &texts {
            assert_eq!(split.next().unwrap().as_deref(), Some(text.as_slice()));
        }
        assert_eq!(split.next().unwrap(), None);
        // What never ends is cut where no list would take it.
        let endless = vec![b'x'; 3 * MAX_LIST_TEXT];
        let mut split = Texts::new(endless.as_slice());
        assert!(split.next().unwrap().unwrap().len() > MAX_LIST_TEXT);
    }
}
