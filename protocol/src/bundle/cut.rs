//! Cuts a bundle into volumes of a limited size: which entries go where, to the byte, before any is written.
//!
//! Volumes are filled in order. An entry that does not fit behind the others begins the next volume; only one that would
//! not fit into a whole volume of its own is cut, and then fills what is left of this one, too. So a damaged volume
//! harms few entries that it does not hold whole.
//!
//! The plan is pure arithmetic over sizes. It is exact, since everything in a tar is a whole number of blocks, and the
//! one file whose text depends on the plan, `volume`, has one block whatever it says.

use super::ustar::BLOCK;
use super::volume::{Extent, MAX_VOLUMES, Point, VolumeText};
use super::{MAX_ENTRIES, MAX_ENTRY};

/// A block of the tar, and the header of a file.
const UNIT: u64 = BLOCK as u64;

/// The `volume` file, and the two blocks at the end.
const FIXED: u64 = 2 * UNIT + 2 * UNIT;

/// The least room in which an extent can be: a header, and a block.
const LEAST_ROOM: u64 = 2 * UNIT;

/// What goes into one volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumePlan {
    /// Its number, from 1.
    pub number: u32,
    /// How many there are.
    pub of: u32,
    /// Its bytes, all of them.
    pub size: u64,
    /// The first and the last entry of which it has something; `None` where the bundle has no entries.
    pub entries: Option<(u32, u32)>,
    pub(super) extents: Vec<Extent>,
}

/// Why a bundle cannot be cut so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    /// The volumes would be too small to hold anything, or too many.
    #[error(
        "volumes of {limit} bytes are too small for this bundle, which may have {MAX_VOLUMES} of them: {least} bytes will do"
    )]
    TooSmall {
        /// The limit that was asked for.
        limit: u64,
        /// A limit that will do. One block less would not.
        least: u64,
    },
    /// An entry that no index has.
    #[error("an entry of {0} bytes: want at most {MAX_ENTRY}")]
    Entry(u64),
    /// More entries than an index has.
    #[error("more than {MAX_ENTRIES} entries")]
    Entries,
}

/// The bytes at the front of every volume: a manifest with its signatures and an index, of these sizes, as the tar has them.
pub fn front_size(manifest_note: u64, index: u64) -> u64 {
    file(manifest_note).saturating_add(file(index))
}

/// A file of that size in the tar.
fn file(size: u64) -> u64 {
    size.checked_next_multiple_of(UNIT)
        .and_then(|padded| padded.checked_add(UNIT))
        .unwrap_or(u64::MAX)
}

/// Cuts a bundle into volumes of at most `limit` bytes, or makes one volume of it where there is no limit.
///
/// `front` is what [`front_size`] gives, `stored` the entries' sizes as stored, in order.
pub fn cut(
    front: u64,
    stored: impl Iterator<Item = u64> + Clone,
    limit: Option<u64>,
) -> Result<Vec<VolumePlan>, CutError> {
    let mut total = front.saturating_add(FIXED);
    let mut count = 0;
    for size in stored.clone() {
        if size > MAX_ENTRY {
            return Err(CutError::Entry(size));
        }
        count += 1;
        if count > MAX_ENTRIES {
            return Err(CutError::Entries);
        }
        total = total.saturating_add(file(size));
    }
    let plan = |limit: u64| Cutter::cut(front, stored.clone(), limit);
    let Some(limit) = limit else {
        return plan(u64::MAX).ok_or(CutError::TooSmall {
            limit: u64::MAX,
            least: total,
        });
    };
    plan(limit).ok_or_else(|| {
        // In blocks. One volume of everything will always do, and this one will not.
        let (mut bad, mut good) = (limit / UNIT, total.div_ceil(UNIT));
        while good > bad + 1 {
            let middle = bad + (good - bad) / 2;
            match plan(middle * UNIT) {
                Some(_) => good = middle,
                None => bad = middle,
            }
        }
        CutError::TooSmall {
            limit,
            least: good.saturating_mul(UNIT),
        }
    })
}

/// The volumes so far.
struct Cutter {
    /// What every volume has besides entries.
    fixed: u64,
    /// What a volume may have of entries.
    room: u64,
    /// What the last volume has of them.
    used: u64,
    /// Where the last volume begins.
    begins: Point,
    /// The size of the entry that it begins with.
    first_stored: u64,
    volumes: Vec<VolumePlan>,
}

impl Cutter {
    /// `None` if the limit is too small.
    fn cut(front: u64, stored: impl Iterator<Item = u64>, limit: u64) -> Option<Vec<VolumePlan>> {
        let fixed = front.checked_add(FIXED)?;
        let mut cutter = Self {
            fixed,
            room: (limit - limit % UNIT).checked_sub(fixed)?,
            used: 0,
            begins: Point::start_of(1),
            first_stored: 0,
            volumes: Vec::new(),
        };
        let mut end = Point::start_of(1);
        for (number, size) in (1..).zip(stored) {
            cutter.entry(number, size)?;
            end = Point::start_of(number + 1);
        }
        cutter.close(end, 0)?;
        let of = cutter.volumes.len() as u32;
        cutter.volumes.iter_mut().for_each(|volume| volume.of = of);
        Some(cutter.volumes)
    }

    fn entry(&mut self, number: u32, stored: u64) -> Option<()> {
        let whole = file(stored);
        if self.used.checked_add(whole)? > self.room && whole <= self.room {
            self.close(Point::start_of(number), stored)?;
        }
        if self.room < LEAST_ROOM {
            return None;
        }
        let mut at = Point::start_of(number);
        loop {
            let (left, room) = (file(stored - at.offset), self.room - self.used);
            if left <= room {
                self.used += left;
                return Some(());
            }
            if room >= LEAST_ROOM {
                // Room is whole blocks, and what is left would have taken more of them.
                at.extent += 1;
                at.offset += room - UNIT;
                self.used = self.room;
            }
            self.close(at, stored)?;
        }
    }

    /// Ends a volume there, and begins the next; `stored` is the size of the entry that goes on there, or begins.
    fn close(&mut self, end: Point, stored: u64) -> Option<()> {
        let begins = std::mem::replace(&mut self.begins, end);
        let first_stored = std::mem::replace(&mut self.first_stored, stored);
        let number = self.volumes.len() as u32 + 1;
        if number > MAX_VOLUMES {
            return None;
        }
        let last = match end.offset {
            0 => end.entry - 1,
            _ => end.entry,
        };
        let mut extents = Vec::new();
        let mut extent = |from: Point, to: u64| {
            extents.push(Extent {
                entry: from.entry,
                number: from.extent,
                offset: from.offset,
                size: to - from.offset,
                sha256: [0; 32],
            });
        };
        if begins.entry == last && end.offset > 0 {
            extent(begins, end.offset);
        } else {
            if begins.offset > 0 {
                extent(begins, first_stored);
            }
            if end.offset > 0 {
                extent(Point::start_of(last), end.offset);
            }
        }
        self.volumes.push(VolumePlan {
            number,
            of: 0,
            size: self.fixed + std::mem::take(&mut self.used),
            entries: (begins.entry <= last).then_some((begins.entry, last)),
            extents,
        });
        Some(())
    }
}

impl VolumePlan {
    /// Those of its entries that are not whole in it, at most two. Their hashes are not known yet, and are zeros.
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// The `volume` file's text for this plan, its extents' hashes not yet known.
    pub(super) fn text(&self, manifest_sha256: [u8; 32]) -> VolumeText {
        VolumeText {
            number: self.number,
            of: self.of,
            manifest_sha256,
            entries: self.entries,
            extents: self.extents.clone(),
        }
    }
}
