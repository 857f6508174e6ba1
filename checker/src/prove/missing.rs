//! Collects what is missing, in order and bounded, and says what supplies it.

use std::collections::BTreeSet;

use modferry_protocol::bundle::{Basis, Item, Manifest};

use crate::{CheckError, MAX_NAMED, Stage};

/// What a proof has missed: the first [`MAX_NAMED`] things of it by name.
///
/// Beyond that, things are counted as often as they are missed, so the number of the others is at most what
/// it says.
#[derive(Debug, Default, Clone)]
pub(crate) struct Missing {
    named: BTreeSet<Item>,
    more: usize,
    /// Whether any of it, named or not, is no tile.
    beyond_tiles: bool,
}

impl Missing {
    pub(crate) fn add(&mut self, item: &Item) {
        if self.named.contains(item) {
            return;
        }
        self.beyond_tiles |= !matches!(item, Item::Tile(..));
        if self.named.len() < MAX_NAMED {
            self.named.insert(item.clone());
        } else {
            self.more += 1;
        }
    }

    /// An error if anything was missed, with the cure that the stage knows.
    pub(crate) fn none_or_error<S: Stage>(
        &self,
        manifest: &Manifest,
        stage: &S,
    ) -> Result<(), CheckError> {
        if self.named.is_empty() {
            return Ok(());
        }
        let known = stage
            .cure(manifest, !self.beyond_tiles)
            .map_err(CheckError::stage)?;
        Err(CheckError::Missing {
            what: self.named.iter().map(Item::to_string).collect(),
            more: self.more,
            cure: known.unwrap_or_else(|| from_nothing(manifest)),
        })
    }
}

/// The cure where nothing is known of the stream: a bundle that builds on nothing.
fn from_nothing(manifest: &Manifest) -> String {
    let export = format!(
        "on the connected side: modferry-bundler export --stream {} --basis none",
        manifest.stream
    );
    match &manifest.basis {
        Basis::None => export,
        Basis::Bundle { sequence, .. } => format!(
            "this bundle builds on {}, so check it where that was imported; or export one that builds on nothing, {export}",
            manifest.stream.manifest_file(*sequence)
        ),
    }
}
