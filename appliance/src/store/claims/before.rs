//! Claims on files, in a store of a schema that knew none: they are made by the next import.
//!
//! Such a store knows which bundle brought a file, and of each bundle how many files it carried, but not which. So a stream
//! claims each file that it brought. One that has carried files that were there already may have carried any of
//! those that are held: it claims them all, until it gives them up. That keeps more than needed; the other way, `gc` would
//! remove what a stream still builds on.
//!
//! A program between the two wrote claims into a store under the older name. Where it brought a file, the bringer's claim
//! is there, and nothing is made up for that one.

use super::super::{BundleId, Draft, Import, SCHEMA, StoreError, Totals, View, keys};
use super::{Claim, Extent};
use std::collections::BTreeMap;

/// What a store's ledger tells of the streams that carried files.
#[derive(Default)]
struct Carriers {
    /// The stream, and the number in it, of each bundle that brought files.
    brought: BTreeMap<BundleId, (String, u64)>,
    /// The streams that carried files that were held already, and in which bundle of theirs last.
    carried_held: BTreeMap<String, u64>,
}

impl View {
    /// Whether its files have claims: not in stores of the schemas before.
    pub(in crate::store) fn knows_file_claims(&self) -> Result<bool, StoreError> {
        let schema = self.pinned(&keys::SCHEMA_KEY)?;
        Ok(schema.is_none_or(|schema| &*schema == SCHEMA.as_bytes()))
    }
}

impl Carriers {
    fn of(view: &View) -> Result<Carriers, StoreError> {
        let mut carriers = Carriers::default();
        for number in 1..=view.ledger_size()? {
            if let Some(import) = view.ledger(number)?.as_ref().and_then(|e| e.import()) {
                carriers.add(import)?;
            }
        }
        Ok(carriers)
    }

    fn add(&mut self, import: &Import) -> Result<(), StoreError> {
        let (stream, sequence) = (&import.source.stream, import.source.sequence);
        if import.added.files > 0 {
            let bundle = bundle_of(import)?;
            self.brought.insert(bundle, (stream.clone(), sequence));
        }
        let carried = import
            .manifest()
            .map_or(0, |manifest| manifest.totals.files);
        if carried > import.added.files {
            // A tombstone in a bundle before the last of them comes too late to give up what that one carried.
            let last = self.carried_held.entry(stream.clone()).or_default();
            *last = sequence.max(*last);
        }
        Ok(())
    }
}

fn bundle_of(import: &Import) -> Result<BundleId, StoreError> {
    let sha256 = super::super::unhex(&import.manifest_sha256);
    let bundle = sha256.and_then(|sha256| sha256.first_chunk().copied());
    bundle.ok_or_else(|| StoreError::damaged("the hash of an imported manifest"))
}

impl Draft<'_> {
    /// In a store of a schema before, makes the claims on the files that it holds, and counts those that no stream claims.
    pub(super) fn claim_files_of_before(&self, totals: &mut Totals) -> Result<(), StoreError> {
        let held: &View = self.store;
        if held.knows_file_claims()? {
            return Ok(());
        }
        let carriers = Carriers::of(held)?;
        totals.gone_files = 0;
        held.each_file(|name, file| {
            let (bringer, brought) = carriers.brought.get(&file.bundle).ok_or_else(|| {
                StoreError::damaged(format!("the import that brought the file {name}"))
            })?;
            let claims: BTreeMap<String, Claim> = held.file_claims(&name)?.into_iter().collect();
            let named = claims.values().any(|claim| claim.extent > Extent::Nothing);
            if claims.contains_key(bringer) {
                totals.gone_files += u64::from(!named);
                return Ok(());
            }
            let mut makes = carriers.carried_held.clone();
            let own = makes.entry(bringer.clone()).or_default();
            *own = (*own).max(*brought);
            for (stream, sequence) in makes {
                if claims.contains_key(&stream) {
                    continue;
                }
                let claim = Claim {
                    extent: Extent::Zip,
                    sequence,
                    given_up: 0,
                };
                let key = keys::file_claim(&name, &stream);
                self.scratch.put(&key, &claim.encode())?;
            }
            Ok(())
        })
    }
}
