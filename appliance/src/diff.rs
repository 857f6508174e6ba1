//! A store as one side of a comparison; the comparing itself is [`modferry_checker::diff`]'s.

use std::collections::BTreeSet;
use std::vec::IntoIter;

use modferry_checker::diff::{DiffError, Head, Held, Side};
use modferry_cli::Failure as _;
use modferry_protocol::bundle::Level;
use modferry_protocol::module::ModuleVersion;

use crate::store::{StoreError, View};

/// What the store holds; of no store, nothing.
pub fn store<'v>(name: &str, view: Option<&'v View>) -> Result<Side<'v>, StoreError> {
    let Some(view) = view else {
        return Ok(Side {
            name: name.to_owned(),
            held: Box::new(std::iter::empty()),
            tiles: Some(Box::new(std::iter::empty())),
            heads: Some(BTreeSet::new()),
        });
    };
    let mut heads = BTreeSet::new();
    for db in view.databases()? {
        heads.extend(view.heads(&db)?.iter().map(|head| Head::new(&db, head)));
    }
    let unreadable = |name: &str| {
        let name = name.to_owned();
        move |error: StoreError| DiffError::Read {
            name: name.clone(),
            exit: error.exit(),
            source: Box::new(error),
        }
    };
    let held = HeldIn {
        view,
        mods: view.mods().peekable(),
        ready: Vec::new().into_iter(),
    };
    let (failed, tiles_failed) = (unreadable(name), unreadable(name));
    Ok(Side {
        name: name.to_owned(),
        held: Box::new(held.map(move |held| held.map_err(&failed))),
        tiles: Some(Box::new(
            view.tiles().map(move |tile| tile.map_err(&tiles_failed)),
        )),
        heads: Some(heads),
    })
}

/// Module versions as the keys have them, versions bytewise, put in the order of versions: one module at a time.
struct HeldIn<'v, I: Iterator<Item = Result<ModuleVersion, StoreError>>> {
    view: &'v View,
    mods: std::iter::Peekable<I>,
    ready: IntoIter<ModuleVersion>,
}

impl<I: Iterator<Item = Result<ModuleVersion, StoreError>>> HeldIn<'_, I> {
    /// The next module's versions.
    fn module(&mut self) -> Result<(), StoreError> {
        let mut versions: Vec<ModuleVersion> = Vec::new();
        while let Some(next) = self.mods.next_if(|next| match (next, versions.first()) {
            (Ok(next), Some(first)) => next.path() == first.path(),
            _ => true,
        }) {
            versions.push(next?);
        }
        versions.sort();
        self.ready = versions.into_iter();
        Ok(())
    }
}

impl<I: Iterator<Item = Result<ModuleVersion, StoreError>>> Iterator for HeldIn<'_, I> {
    type Item = Result<Held, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.as_slice().is_empty()
            && let Err(error) = self.module()
        {
            return Some(Err(error));
        }
        let module = self.ready.next()?;
        Some(self.view.zip(&module).map(|zip| {
            let level = match zip {
                Some(_) => Level::Zip,
                None => Level::Mod,
            };
            (module, level)
        }))
    }
}
