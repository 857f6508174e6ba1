//! One volume by itself: each part of an entry that it has, whole or damaged.
//!
//! Reading a bundle stops at the first thing that is wrong. Whoever stages one volume, or looks at a bad disc, wants to
//! know all that is. The index says where each part lies, so reading goes on behind one that is damaged; only where the
//! volume ends, or cannot be read on, all that should have followed is lost with it.

use std::io::{BufReader, Read};

use sha2::{Digest as _, Sha256};

use super::index::IndexReader;
use super::item::Entry;
use super::read::ReadError;
use super::stream::{END, SIGNED, Tar, WRITTEN};
use super::volume::{Part, VolumeText};

/// A part of a volume that was looked at.
#[derive(Debug)]
pub struct CheckedPart {
    /// The entry, or the part of it, as errors name it.
    pub name: String,
    /// What is wrong with it, if anything is.
    pub result: Result<(), ReadError>,
}

/// The parts of one volume, in order; the archive's end is the last.
pub struct VolumeParts<R, S> {
    tar: Tar<R>,
    text: VolumeText,
    index: IndexReader<BufReader<S>>,
    /// The entry that was taken from the index last; 0 before the first.
    at: u32,
    /// Whether that entry ends in this volume.
    to_the_end: bool,
    /// The part in which the input ended, or failed.
    lost: Option<String>,
    done: bool,
}

impl<R: Read, S: Read> VolumeParts<R, S> {
    pub(super) fn new(tar: Tar<R>, text: VolumeText, index: IndexReader<BufReader<S>>) -> Self {
        Self {
            tar,
            text,
            index,
            at: 0,
            to_the_end: true,
            lost: None,
            done: false,
        }
    }

    /// Which volume it says that it is, and what it has.
    pub fn volume(&self) -> &VolumeText {
        &self.text
    }

    /// The next part; `None` after the last. An error is about the volume as a whole: what it says of itself cannot be.
    // Not an Iterator, for the likeness to `Entries`.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<CheckedPart>, ReadError> {
        if self.done {
            return Ok(None);
        }
        let next = self.entry()?;
        self.done = next.is_none();
        let name = match &next {
            Some((entry, part)) => part.shown(entry),
            None => END.to_owned(),
        };
        let result = match (&self.lost, &next) {
            (Some(before), _) => Err(self
                .tar
                .damaged(&name, format!("the volume cannot be read behind {before}"))),
            (None, Some((entry, part))) => self.part(entry, part, &name),
            (None, None) => self.tar.end(),
        };
        if ends(&result) {
            self.lost = Some(name.clone());
        }
        Ok(Some(CheckedPart { name, result }))
    }

    /// The next entry of which the volume has something, and what.
    fn entry(&mut self) -> Result<Option<(Entry, Part)>, ReadError> {
        let first = self.text.begins().entry;
        while self.at < self.text.last() {
            let Some(entry) = self.index.next().transpose()? else {
                return Err(self.wrong(format!(
                    "it says that it has entry {}, and entry {} is the last",
                    self.text.last(),
                    self.at
                )));
            };
            self.at = entry.number;
            if entry.number >= first {
                let part = self.text.part_of(&entry).map_err(|what| self.wrong(what))?;
                self.to_the_end = part.offset + part.size == entry.stored;
                return Ok(Some((entry, part)));
            }
        }
        let all = self.to_the_end && self.index.next().transpose()?.is_none();
        let VolumeText { number, of, .. } = self.text;
        if all == (number == of) {
            return Ok(None);
        }
        Err(self.wrong(if all {
            format!(
                "it says that more follows, and entry {} is the last",
                self.at
            )
        } else {
            format!(
                "it says that it is the last, and more follows entry {}",
                self.at
            )
        }))
    }

    /// Reads a part, to its end if that can be, whatever is wrong with it.
    fn part(&mut self, entry: &Entry, part: &Part, name: &str) -> Result<(), ReadError> {
        let header = self.tar.header(&name, &part.file_name(entry), part.size);
        if ends(&header) {
            return header;
        }
        let mut hasher = Sha256::new();
        self.tar.each_chunk(&name, part.size, |chunk| {
            hasher.update(chunk);
            Ok(())
        })?;
        let padding = self.tar.padding(&name, part.size);
        let who = part.extent.map_or(SIGNED, |_| WRITTEN);
        header
            .and_then(|()| self.tar.check_hash(&name, hasher, &part.sha256, who))
            .and(padding)
    }

    fn wrong(&self, what: String) -> ReadError {
        self.tar.damaged(&"volume", what)
    }
}

/// Whether nothing more can be read.
fn ends(result: &Result<(), ReadError>) -> bool {
    matches!(
        result,
        Err(ReadError::Truncated { .. } | ReadError::Io { .. })
    )
}
