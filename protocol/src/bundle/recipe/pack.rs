//! Packs of recipes: like compresses with like, and recipes of one module's versions are nearly the same.

use sha2::{Digest as _, Sha256};

use super::{Recipe, RecipeError, malformed};
use crate::bundle::item::{Digest, Encoding, Entry, Item};
use crate::bundle::pack::{self, Pack, PackError};
use crate::bundle::{MAX_PACK_ITEMS, MAX_PACK_RESTORED, MAX_RECIPE_WEIGHT};
use crate::module::ModuleVersion;

/// A pack is closed when the next recipe would take it past this many bytes: so many restored are nothing to an
/// importer, and recipes of all versions of a large module lie together.
const PACK_TARGET: usize = 8 << 20;

/// Collects recipes, in the order of their modules, into packs.
#[derive(Default)]
pub struct RecipesBuilder {
    items: Vec<(Item, u64)>,
    zip_sha256: Vec<[u8; 32]>,
    bytes: Vec<u8>,
}

impl RecipesBuilder {
    /// A builder with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the recipe of a zip in, whose size and SHA-256 are those; gives back the pack before it when that is full.
    ///
    /// # Errors
    ///
    /// The recipe is too large for any pack, or heavier than readers take: the zip has to travel as it is. The builder is as it was.
    pub fn push(
        &mut self,
        module: &ModuleVersion,
        zip: Digest,
        recipe: &Recipe,
    ) -> Result<Option<Pack>, PackError> {
        let weight = recipe.weight();
        if weight > MAX_RECIPE_WEIGHT {
            let item = Item::Zip(module.clone());
            return Err(PackError::TooHeavy { item, weight });
        }
        let before = self.bytes.len();
        recipe.encode(&mut self.bytes);
        let size = self.bytes.len() - before;
        let item = Item::Zip(module.clone());
        if size as u64 > MAX_PACK_RESTORED {
            self.bytes.truncate(before);
            return Err(PackError::TooLarge {
                item,
                size: size as u64,
            });
        }
        let mut closed = None;
        if self.bytes.len() > PACK_TARGET || self.items.len() == MAX_PACK_ITEMS {
            let next = self.bytes.split_off(before);
            closed = self.close()?;
            self.bytes = next;
        }
        self.items.push((item, zip.size));
        self.zip_sha256.push(zip.sha256);
        Ok(closed)
    }

    /// What has been collected, as a pack: where a zip comes next that travels as it is, and at the end.
    pub fn close(&mut self) -> Result<Option<Pack>, PackError> {
        if self.items.is_empty() {
            return Ok(None);
        }
        let bytes = pack::compress(&self.bytes).map_err(PackError::Zstd)?;
        self.bytes.clear();
        let sha256 = Sha256::digest(&bytes).into();
        Ok(Some(Pack {
            items: std::mem::take(&mut self.items),
            encoding: Encoding::Recipes,
            zip_sha256: std::mem::take(&mut self.zip_sha256),
            bytes,
            sha256,
        }))
    }
}

/// A pack of recipes, restored; each is decoded when its turn comes.
pub struct StoredRecipes {
    /// The zips that are still due, the last one first.
    zips: Vec<(ModuleVersion, Digest)>,
    bytes: Vec<u8>,
    /// How many of the bytes are read.
    at: usize,
}

impl StoredRecipes {
    /// Restores the recipes of an entry, whose stored bytes these are, their hash being right.
    ///
    /// # Errors
    ///
    /// It is no entry of recipes, or the frame is malformed or restores to more than
    /// [`MAX_PACK_RESTORED`](crate::bundle::MAX_PACK_RESTORED) bytes.
    pub fn restore(entry: &Entry, stored: &[u8]) -> Result<Self, RecipeError> {
        if entry.encoding != Encoding::Recipes {
            return Err(malformed(format!("{entry} has none")));
        }
        let mut zips: Vec<_> = entry
            .zips()
            .map(|(module, zip)| (module.clone(), zip))
            .collect();
        zips.reverse();
        let size = Self::restored_size(stored)?;
        Ok(Self {
            zips,
            bytes: pack::restore(stored, size).map_err(malformed)?,
            at: 0,
        })
    }

    /// The bytes of memory that restoring these stored ones takes: the frame's own word, which is bounded.
    ///
    /// # Errors
    ///
    /// The frame's header is malformed, or says more than [`MAX_PACK_RESTORED`](crate::bundle::MAX_PACK_RESTORED).
    pub fn restored_size(stored: &[u8]) -> Result<u64, RecipeError> {
        pack::restored_size(stored).map_err(malformed)
    }

    /// The next zip, and its recipe; `None` after the last. After an error there is nothing more to be had.
    // Not an Iterator: behind the last one there may be an error.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<(ModuleVersion, Digest, Recipe)>, RecipeError> {
        let mut rest = &self.bytes[self.at..];
        let Some((module, zip)) = self.zips.pop() else {
            return match rest.len() {
                0 => Ok(None),
                behind => Err(malformed(format!("{behind} bytes behind the last one"))),
            };
        };
        let recipe = Recipe::decode(&module, &mut rest).inspect_err(|_| self.zips.clear())?;
        self.at = self.bytes.len() - rest.len();
        Ok(Some((module, zip, recipe)))
    }
}
