//! The `volume` file: which volume of a bundle this is, and which parts of which entries it has.
//!
//! ```text
//! modferry volume v1
//! volume 2 of 5
//! manifest <SHA-256 of this volume's `manifest` file>
//! entries 17 45                                    the first and the last entry of which it has something
//! extent 17 2 104857600 52428800 <SHA-256>         a part that is not its whole entry: entry, extent, offset, size
//! extent 45 1 0 31457280 <SHA-256>
//! check <SHA-256 of the lines above>
//! ```
//!
//! It is unsigned, since what is signed does not depend on how a bundle is cut into volumes. So it is believed for nothing
//! but where to read, and which volume is damaged: what the bytes are, the index says, which is signed. Its two hashes
//! are there for accidents: a flipped bit in it, or in a signature line, is found in the volume that has it, and not as
//! a contradiction with another one.
//!
//! At most one entry comes from the volume before, and at most one goes on in the next: only the first and the last
//! entry of a volume can be extents. What has extents is cut at their offsets and nowhere else.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::item::Entry;
use super::{MAX_ENTRIES, MAX_ENTRY};
use crate::text;

const FIRST_LINE_PREFIX: &str = "modferry volume v";
const FIRST_LINE: &str = "modferry volume v1";

/// The most volumes of a bundle, and so the most extents of an entry: three digits, so that names sort.
pub const MAX_VOLUMES: u32 = 999;

/// The most bytes of a `volume` file: a block of the tar, so that where a bundle is cut does not depend on what it says.
pub const MAX_VOLUME_TEXT: u64 = 512;

/// What a `volume` file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeText {
    /// Its number, from 1.
    pub number: u32,
    /// How many volumes the bundle has in this cut.
    pub of: u32,
    /// SHA-256 of the `manifest` file of this very volume, signatures and all.
    pub manifest_sha256: [u8; 32],
    /// The first and the last entry of which the volume has something; `None` where the bundle has no entries.
    pub entries: Option<(u32, u32)>,
    /// Those of them that are not whole here, in order: at most the first and the last.
    pub extents: Vec<Extent>,
}

/// A piece of an entry: what one volume has of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The entry's number.
    pub entry: u32,
    /// The extent's own number within the entry, from 1.
    pub number: u32,
    /// Where in the entry it begins, in bytes.
    pub offset: u64,
    /// Its bytes, one at least.
    pub size: u64,
    /// SHA-256 of them.
    pub sha256: [u8; 32],
}

/// Why a `volume` file is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VolumeTextError {
    /// More than [`MAX_VOLUME_TEXT`].
    #[error("{0} bytes: want at most {MAX_VOLUME_TEXT}")]
    TooLong(usize),
    /// A line is not as the format has it.
    #[error("line {line}: {what}")]
    Line {
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A later format.
    #[error(
        "format v{0}: the bundle was made by a newer modferry; use that version or a newer one"
    )]
    Newer(String),
    /// Its own hash is not that of its lines.
    #[error("its own hash does not fit its lines")]
    Check,
    /// The lines are well-formed and contradict each other.
    #[error("{0}")]
    Rule(String),
}

/// Where in a bundle's entries a volume begins or ends: in front of that byte of that extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) entry: u32,
    /// The extent that begins here, from 1.
    pub(super) extent: u32,
    pub(super) offset: u64,
}

impl Point {
    /// The beginning of an entry.
    pub(super) fn start_of(entry: u32) -> Self {
        Self {
            entry,
            extent: 1,
            offset: 0,
        }
    }
}

impl std::fmt::Display for Point {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.offset {
            0 => write!(f, "entry {}", self.entry),
            offset => write!(
                f,
                "extent {}, byte {offset} of entry {}",
                self.extent, self.entry
            ),
        }
    }
}

impl VolumeText {
    /// The file's text.
    pub fn encode(&self) -> String {
        let mut out = format!(
            "{FIRST_LINE}\nvolume {} of {}\nmanifest {}\n",
            self.number,
            self.of,
            text::Hex(&self.manifest_sha256)
        );
        // Writing to a String cannot fail.
        let _ = match self.entries {
            None => writeln!(out, "entries none"),
            Some((first, last)) => writeln!(out, "entries {first} {last}"),
        };
        for extent in &self.extents {
            let _ = writeln!(
                out,
                "extent {} {} {} {} {}",
                extent.entry,
                extent.number,
                extent.offset,
                extent.size,
                text::Hex(&extent.sha256)
            );
        }
        let check = Sha256::digest(&out).into();
        let _ = writeln!(out, "check {}", text::Hex(&check));
        out
    }

    /// Reads the file's text. It takes only what [`encode`](Self::encode) gives, and only what keeps the rules.
    pub fn parse(bytes: &[u8]) -> Result<Self, VolumeTextError> {
        if bytes.len() as u64 > MAX_VOLUME_TEXT {
            return Err(VolumeTextError::TooLong(bytes.len()));
        }
        let bad = |line: usize, what: &str| VolumeTextError::Line {
            line,
            what: what.into(),
        };
        let text = std::str::from_utf8(bytes).map_err(|_| bad(1, "not UTF-8"))?;
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        if first != FIRST_LINE {
            return Err(match text::other_version(first, FIRST_LINE_PREFIX) {
                Some(version) => VolumeTextError::Newer(version.into()),
                None => VolumeTextError::Line {
                    line: 1,
                    what: format!(
                        "want {FIRST_LINE:?}, have {}",
                        text::shown(first.as_bytes())
                    ),
                },
            });
        }
        let mut parser = Lines { lines, at: 1 };
        let volume = parser.volume()?;
        let encoded = volume.encode();
        if encoded != text {
            let without_hash = |text: &str| {
                text.len()
                    .checked_sub(65)
                    .map(|at| text.as_bytes()[..at].to_vec())
            };
            return Err(if without_hash(&encoded) == without_hash(text) {
                VolumeTextError::Check
            } else {
                bad(parser.at, "not spelled as this version writes it")
            });
        }
        volume.check().map_err(VolumeTextError::Rule)?;
        Ok(volume)
    }

    /// The rules that need no index.
    pub(super) fn check(&self) -> Result<(), String> {
        let Self { number, of, .. } = *self;
        if !(1..=MAX_VOLUMES).contains(&of) || !(1..=of).contains(&number) {
            return Err(format!(
                "volume {number} of {of}: want 1 to {MAX_VOLUMES} volumes"
            ));
        }
        let Some((first, last)) = self.entries else {
            if of == 1 && self.extents.is_empty() {
                return Ok(());
            }
            return Err("it has no entries: only a bundle's only volume may have none".into());
        };
        if !(1 <= first && first <= last && last <= MAX_ENTRIES) {
            return Err(format!(
                "entries {first} to {last}: want some of 1 to {MAX_ENTRIES}"
            ));
        }
        if number == 1 && self.begins() != Point::start_of(1) {
            return Err("volume 1 does not begin with the first entry".into());
        }
        for (n, extent) in self.extents.iter().enumerate() {
            let Extent {
                entry,
                number: extent_number,
                offset,
                size,
                ..
            } = *extent;
            let wrong =
                |what: &str| Err(format!("extent {extent_number} of entry {entry}: {what}"));
            if entry != first && entry != last {
                return wrong("only a volume's first and last entry may be extents");
            }
            if self.extents[..n].iter().any(|before| before.entry >= entry) {
                return wrong("it is out of order, or there twice");
            }
            if size == 0 || offset.checked_add(size).is_none_or(|end| end > MAX_ENTRY) {
                return wrong("no entry can have it");
            }
            if (extent_number == 1) != (offset == 0) || extent_number == 0 || extent_number > number
            {
                return wrong("its number does not fit its place");
            }
            if first < last && (entry == first) == (offset == 0) {
                return wrong("it ends within a volume, or begins in none");
            }
            if offset == 0 && number == of {
                return wrong("it goes on, and no volume follows");
            }
        }
        Ok(())
    }

    /// The extent that the volume has of an entry, if it has not all of it.
    pub fn extent_of(&self, entry: u32) -> Option<&Extent> {
        self.extents.iter().find(|extent| extent.entry == entry)
    }

    /// Where it begins.
    pub(super) fn begins(&self) -> Point {
        let first = self.entries.map_or(1, |(first, _)| first);
        match self.extent_of(first) {
            None => Point::start_of(first),
            Some(extent) => Point {
                entry: first,
                extent: extent.number,
                offset: extent.offset,
            },
        }
    }

    /// The last entry of which it has something; 0 if there is none.
    pub(super) fn last(&self) -> u32 {
        self.entries.map_or(0, |(_, last)| last)
    }

    /// Which part of an entry it has, by the index and by what it says; it must have something of it.
    pub(super) fn part_of(&self, entry: &Entry) -> Result<Part, String> {
        let Some(extent) = self.extent_of(entry.number) else {
            return Ok(Part {
                extent: None,
                offset: 0,
                size: entry.stored,
                sha256: entry.sha256,
            });
        };
        let end = extent.offset.saturating_add(extent.size);
        let fits = extent.size < entry.stored
            && end <= entry.stored
            && (end == entry.stored || entry.number == self.last());
        if !fits {
            return Err(format!(
                "it has bytes {} to {end} of {entry}, which has {}",
                extent.offset, entry.stored
            ));
        }
        Ok(Part {
            extent: Some(extent.number),
            offset: extent.offset,
            size: extent.size,
            sha256: extent.sha256,
        })
    }
}

/// What a volume has of an entry: all of it, or an extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The extent's number; `None` for a whole entry.
    pub(super) extent: Option<u32>,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) sha256: [u8; 32],
}

impl Part {
    /// Its name in the tar.
    pub(super) fn file_name(&self, entry: &Entry) -> String {
        match self.extent {
            None => entry.file_name(),
            Some(extent) => entry.extent_file_name(extent),
        }
    }

    /// As errors name it.
    pub(super) fn shown(&self, entry: &Entry) -> String {
        entry.shown_as(&self.file_name(entry))
    }
}

/// The lines behind the first.
struct Lines<'t> {
    lines: std::str::Lines<'t>,
    at: usize,
}

impl<'t> Lines<'t> {
    fn volume(&mut self) -> Result<VolumeText, VolumeTextError> {
        let (number, of) = match self.fields("volume")?[..] {
            [number, "of", of] => (self.number(number)?, self.number(of)?),
            _ => return Err(self.bad("want volume N of N")),
        };
        let manifest_sha256 = match self.fields("manifest")?[..] {
            [sha256] => self.sha256(sha256)?,
            _ => return Err(self.bad("want manifest SHA256")),
        };
        let entries = match self.fields("entries")?[..] {
            ["none"] => None,
            [first, last] => Some((self.number(first)?, self.number(last)?)),
            _ => return Err(self.bad("want entries FIRST LAST, or entries none")),
        };
        let mut extents = Vec::new();
        loop {
            let line = self.next()?;
            let fields: Vec<&str> = line.split(' ').collect();
            match fields[..] {
                ["check", sha256] => {
                    self.sha256(sha256)?;
                    break;
                }
                ["extent", entry, number, offset, size, sha256] => extents.push(Extent {
                    entry: self.number(entry)?,
                    number: self.number(number)?,
                    offset: self.long(offset)?,
                    size: self.long(size)?,
                    sha256: self.sha256(sha256)?,
                }),
                _ => {
                    return Err(
                        self.bad("want extent ENTRY EXTENT OFFSET SIZE SHA256, or check SHA256")
                    );
                }
            }
        }
        Ok(VolumeText {
            number,
            of,
            manifest_sha256,
            entries,
            extents,
        })
    }

    fn next(&mut self) -> Result<&'t str, VolumeTextError> {
        self.at += 1;
        self.lines.next().ok_or_else(|| self.bad("it is not there"))
    }

    /// The fields of the next line, which must have that key.
    fn fields(&mut self, key: &str) -> Result<Vec<&'t str>, VolumeTextError> {
        let mut fields = self.next()?.split(' ');
        if fields.next() != Some(key) {
            return Err(self.bad(&format!("want {key}")));
        }
        Ok(fields.collect())
    }

    fn number(&self, field: &str) -> Result<u32, VolumeTextError> {
        let number = self.long(field)?;
        u32::try_from(number).map_err(|_| self.bad("a number that is too large"))
    }

    fn long(&self, field: &str) -> Result<u64, VolumeTextError> {
        text::number(field).ok_or_else(|| self.bad("want a number"))
    }

    fn sha256(&self, field: &str) -> Result<[u8; 32], VolumeTextError> {
        text::sha256(field).ok_or_else(|| self.bad("want a SHA-256"))
    }

    fn bad(&self, what: &str) -> VolumeTextError {
        VolumeTextError::Line {
            line: self.at,
            what: what.into(),
        }
    }
}
