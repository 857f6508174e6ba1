//! The tiles that have been proven, least recently used out first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::tile::Tile;

/// At most so many tiles and their bytes.
pub(super) struct Cache {
    capacity: usize,
    tiles: HashMap<Tile, (u64, Arc<[u8]>)>,
    /// When each tile was used last, in uses counted from the start.
    uses: BTreeMap<u64, Tile>,
    clock: u64,
}

impl Cache {
    /// A cache of `capacity` tiles, at least one.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            tiles: HashMap::new(),
            uses: BTreeMap::new(),
            clock: 0,
        }
    }

    pub fn get(&mut self, tile: &Tile) -> Option<Arc<[u8]>> {
        let (used, bytes) = self.tiles.get_mut(tile)?;
        self.uses.remove(used);
        self.clock += 1;
        *used = self.clock;
        self.uses.insert(self.clock, *tile);
        Some(bytes.clone())
    }

    pub fn insert(&mut self, tile: Tile, bytes: Arc<[u8]>) {
        self.clock += 1;
        if let Some((used, _)) = self.tiles.insert(tile, (self.clock, bytes)) {
            self.uses.remove(&used);
        }
        self.uses.insert(self.clock, tile);
        while self.tiles.len() > self.capacity {
            let Some((_, oldest)) = self.uses.pop_first() else {
                break;
            };
            self.tiles.remove(&oldest);
        }
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        assert_eq!(self.tiles.len(), self.uses.len());
        self.tiles.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_least_recently_used_tile_goes_first() {
        let tile = |index| Tile::new(8, 0, index, 256).unwrap();
        let bytes: Arc<[u8]> = Arc::from([1u8].as_slice());
        let mut cache = Cache::new(2);
        cache.insert(tile(0), bytes.clone());
        cache.insert(tile(1), bytes.clone());
        assert!(cache.get(&tile(0)).is_some());
        cache.insert(tile(2), bytes.clone());
        assert_eq!(cache.len(), 2);
        assert!(cache.get(&tile(1)).is_none());
        assert!(cache.get(&tile(0)).is_some());
        cache.insert(tile(0), bytes.clone());
        cache.insert(tile(2), bytes);
        assert_eq!(cache.len(), 2);
    }
}
