//! Collects what is missing, in order and bounded, and says what supplies it.

use std::collections::BTreeSet;

use modferry_protocol::bundle::{Basis, Item, Manifest};

use crate::{CheckError, MAX_NAMED};

/// What a proof has missed: the first [`MAX_NAMED`] things of it by name.
///
/// Beyond that, things are counted as often as they are missed, so the number of the others is at most what
/// it says.
#[derive(Debug, Default, Clone)]
pub(crate) struct Missing {
    named: BTreeSet<Item>,
    more: usize,
}

impl Missing {
    pub(crate) fn add(&mut self, item: &Item) {
        if self.named.contains(item) {
            return;
        }
        if self.named.len() < MAX_NAMED {
            self.named.insert(item.clone());
        } else {
            self.more += 1;
        }
    }

    /// An error if anything was missed.
    pub(crate) fn none_or_error(self, manifest: &Manifest) -> Result<(), CheckError> {
        if self.named.is_empty() {
            return Ok(());
        }
        let cure = match &manifest.basis {
            Basis::Bundle { sequence, .. } => format!(
                "this bundle builds on {}: import that one first; if it is lost, export again from an older \
                 basis (modferry-bundler export)",
                manifest.stream.manifest_file(*sequence)
            ),
            Basis::None => {
                "export these modules again (modferry-bundler export), on a connected machine"
                    .into()
            }
        };
        let what = self.named.iter().map(Item::to_string).collect();
        Err(CheckError::Missing {
            what,
            more: self.more,
            cure,
        })
    }
}
