//! Tiles: a transparency log cut into files of a few kilobytes.
//!
//! A tile of height H at level L and index I lists the hashes at tree level H·L from I·2^H on: 2^H of them
//! when it is full, fewer (its width) at the right edge of a tree. The tree levels above, up to H·(L+1),
//! follow by hashing. Its name is its path, `tile/H/L/III[.p/W]`, with I in groups of three digits
//! (`x001/x234/067`). Level `data` holds the records themselves, and has no hashes.
//!
//! Reference: golang.org/x/mod/sumdb/tlog/tile.go. The same paths are accepted, except that the level is
//! limited to 63 (deeper levels cannot exist; the reference says so and does not check).
//! Nothing here overflows or panics, whatever the coordinates.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::hash::HASH_SIZE;

/// The largest tree that is handled, in records: everything that is derived from a size, such as the number
/// of all its hashes, then fits into 63 bits, as in the Go reference.
pub const MAX_TREE_SIZE: u64 = 1 << 62;

/// The deepest level of a tile.
pub const MAX_LEVEL: u8 = 63;

/// The largest index of a tile: what the reference's signed integer holds.
pub const MAX_TILE_INDEX: u64 = i64::MAX as u64;

/// The number of tree levels in a tile: 1 to 30. cmd/go uses 8 and asks for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height(u8);

impl Height {
    /// The height that cmd/go and sum.golang.org use: tiles of 256 hashes, 8 KiB.
    pub const GO: Height = Height(8);
    /// The largest height.
    pub const MAX: Height = Height(30);

    /// A height of 1 to 30.
    pub const fn new(height: u8) -> Option<Self> {
        match height {
            1..=30 => Some(Self(height)),
            _ => None,
        }
    }

    /// The number of tree levels.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The width of a full tile, in hashes: 2^height.
    pub const fn full_width(self) -> u32 {
        1 << self.0
    }
}

/// The coordinates of a tile: where it is and how wide, not what is in it.
///
/// Orders by data or hashes (hashes first), height, level, index, width.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    data: bool,
    height: Height,
    level: u8,
    index: u64,
    width: u32,
}

/// Not the path of a tile, or not in its one spelling.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("malformed tile path {0:?}: want tile/HEIGHT/LEVEL/INDEX[.p/WIDTH]")]
pub struct TilePathError(pub String);

impl Tile {
    /// A tile of hashes: height 1 to 30, level 0 to 63, index below 2^63, width 1 to 2^height.
    pub fn new(height: u8, level: u8, index: u64, width: u32) -> Option<Self> {
        let height = Height::new(height)?;
        let valid = level <= MAX_LEVEL
            && index <= MAX_TILE_INDEX
            && (1..=height.full_width()).contains(&width);
        valid.then_some(Self {
            data: false,
            height,
            level,
            index,
            width,
        })
    }

    /// A tile of records, `tile/H/data/I`: the width counts records.
    pub fn new_data(height: u8, index: u64, width: u32) -> Option<Self> {
        let tile = Self::new(height, 0, index, width)?;
        Some(Self { data: true, ..tile })
    }

    /// The tile of these coordinates at the width that it has in a tree of `size` records, or `None` if such
    /// a tree does not reach there.
    pub fn in_tree(height: Height, level: u8, index: u64, size: u64) -> Option<Self> {
        if size > MAX_TREE_SIZE {
            return None;
        }
        // How many hashes the tree has at this tile's lowest tree level, and how many are left of the tile.
        let hashes = shift_right(size, u32::from(level) * u32::from(height.0));
        let before = index.checked_mul(u64::from(height.full_width()))?;
        let there = hashes.checked_sub(before)?;
        let width = there.min(u64::from(height.full_width())) as u32;
        Self::new(height.0, level, index, width)
    }

    /// The height: how many tree levels the tile has.
    pub fn height(&self) -> u8 {
        self.height.0
    }

    /// The level among tiles, 0 being the records' hashes. 0 for a data tile.
    pub fn level(&self) -> u8 {
        self.level
    }

    /// The place among the tiles of its level, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes (or records) it lists.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Whether it lists records instead of hashes.
    pub fn is_data(&self) -> bool {
        self.data
    }

    /// Whether it has all of its 2^height hashes, and so never grows again.
    pub fn is_full(&self) -> bool {
        self.width == self.height.full_width()
    }

    /// The same tile when it is full.
    pub fn full(&self) -> Tile {
        Tile {
            width: self.height.full_width(),
            ..*self
        }
    }

    /// The same tile at another width, if that is possible at its height.
    pub fn with_width(&self, width: u32) -> Option<Tile> {
        (1..=self.height.full_width())
            .contains(&width)
            .then_some(Tile { width, ..*self })
    }

    /// The bytes that its hashes take. A data tile has no such length; this is then the bytes of its records' hashes.
    pub fn size(&self) -> usize {
        self.width as usize * HASH_SIZE
    }

    /// This tile's bytes out of those of the same tile at this or a greater width; `None` if they are fewer,
    /// or if this is a data tile, whose records have no fixed length.
    pub fn cut<'a>(&self, wider: &'a [u8]) -> Option<&'a [u8]> {
        if self.data {
            return None;
        }
        wider.get(..self.size())
    }

    /// The tile one level up that has this full tile's root hash, at its width in a tree of `size` records.
    /// `None` if there is no such tile: if this tile is partial in that tree, or is not in it.
    pub fn parent(&self, size: u64) -> Option<Tile> {
        let here = Self::in_tree(self.height, self.level, self.index, size)?;
        if self.data || !here.is_full() {
            return None;
        }
        let index = self.index >> self.height.0;
        Self::in_tree(self.height, self.level.checked_add(1)?, index, size)
    }

    /// The path by which it is asked for: `tile/8/0/x001/x234/067.p/12`.
    pub fn path(&self) -> String {
        self.to_string()
    }

    /// Parses a path, accepting only what [`Tile::path`] writes.
    pub fn parse(path: &str) -> Result<Self, TilePathError> {
        Self::parse_loosely(path)
            .filter(|tile| tile.path() == path)
            .ok_or_else(|| TilePathError(path.chars().take(MAX_TILE_PATH).collect()))
    }

    /// Reads the numbers; [`Tile::parse`] then decides whether they were spelt right.
    fn parse_loosely(path: &str) -> Option<Self> {
        if path.len() > MAX_TILE_PATH {
            return None;
        }
        let elements: Vec<&str> = path.strip_prefix("tile/")?.split('/').collect();
        let [height, level, index @ ..] = elements.as_slice() else {
            return None;
        };
        let height = Height::new(height.parse().ok()?)?;
        let (index, width) = match index {
            [upper @ .., last, width] if last.ends_with(".p") => {
                let last = &last[..last.len() - ".p".len()];
                ([upper, &[last]].concat(), width.parse().ok()?)
            }
            _ => (index.to_vec(), height.full_width()),
        };
        if index.is_empty() {
            return None;
        }
        let index = index.iter().try_fold(0u64, |index, group| {
            let group = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
            index.checked_mul(INDEX_BASE)?.checked_add(group)
        })?;
        match *level {
            "data" => Self::new_data(height.0, index, width),
            level => Self::new(height.0, level.parse().ok()?, index, width),
        }
    }
}

/// Indexes are written in groups of three digits, so that no folder gets too many entries.
const INDEX_BASE: u64 = 1000;

/// The longest path of a tile, in bytes: `tile/30/data/` and 2^63 in groups of three, `.p/` and 2^30.
pub const MAX_TILE_PATH: usize = 64;

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.height.0)?;
        match self.data {
            true => f.write_str("data/")?,
            false => write!(f, "{}/", self.level)?,
        }
        let mut groups = [0; 7]; // 2^63 has 19 digits
        let mut count = 0;
        let mut rest = self.index;
        for group in &mut groups {
            *group = rest % INDEX_BASE;
            rest /= INDEX_BASE;
            count += 1;
            if rest == 0 {
                break;
            }
        }
        for group in groups.iter().take(count).skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if !self.is_full() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tile({self})")
    }
}

impl FromStr for Tile {
    type Err = TilePathError;

    fn from_str(path: &str) -> Result<Self, TilePathError> {
        Self::parse(path)
    }
}

/// `value >> bits`, where shifting everything out gives 0.
pub(super) fn shift_right(value: u64, bits: u32) -> u64 {
    value.checked_shr(bits).unwrap_or(0)
}

#[cfg(test)]
mod tests;
