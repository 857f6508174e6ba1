//! Collects what is missing, in order and bounded, and says what supplies it.

use std::collections::BTreeMap;

use modferry_protocol::bundle::{Basis, Item, Manifest, Snapshot};
use modferry_protocol::module::ModuleVersion;

use crate::{CheckError, Lack, MAX_NAMED, Stage};

/// What a proof has missed: the first [`MAX_NAMED`] things of it by name.
///
/// Beyond that, things are counted as often as they are missed, so the number of the others is at most what
/// it says.
#[derive(Debug, Default, Clone)]
pub(crate) struct Missing {
    /// Each, and what more there is to say of it.
    named: BTreeMap<Item, String>,
    more: usize,
    /// The worst of it, named or not. `None`: nothing.
    lack: Option<Lack>,
}

impl Missing {
    pub(crate) fn add(&mut self, item: &Item) {
        let lack = match item {
            Item::Tile(..) => Lack::Tiles,
            _ => Lack::Modules,
        };
        self.note(item.clone(), lack, String::new());
    }

    /// A zip that is held, and not with the bytes that are needed.
    pub(crate) fn other_bytes(&mut self, module: ModuleVersion, sha256: &[u8; 32]) {
        let digits: String = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        let more = format!(" with SHA-256 {digits} (it is held with other bytes)");
        self.note(Item::Zip(module), Lack::Bytes, more);
    }

    /// A vulnerability database, that or a later one.
    pub(crate) fn vulndb(&mut self, snapshot: &Snapshot) {
        let more = format!(" (the vulnerability database of {})", snapshot.modified);
        self.note(Item::Vulndb(1), Lack::Modules, more);
    }

    fn note(&mut self, item: Item, lack: Lack, more: String) {
        self.lack = self.lack.max(Some(lack));
        if self.named.contains_key(&item) {
            return;
        }
        if self.named.len() < MAX_NAMED {
            self.named.insert(item, more);
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
        let Some(lack) = self.lack else {
            return Ok(());
        };
        let known = stage.cure(manifest, lack).map_err(CheckError::stage)?;
        let named = self.named.iter();
        Err(CheckError::Missing {
            what: named.map(|(item, more)| format!("{item}{more}")).collect(),
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
