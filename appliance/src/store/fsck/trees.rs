//! Checksum databases: signatures, trees, tiles and records.

use super::{Run, keys};
use crate::store::{StoreError, Totals, View, view::signed_head};
use modferry_cli::in_one_line;
use modferry_protocol::sumdb::{
    Authenticator, DbName, Height, Record, SignedHead, Tile, TileSource, TreeHead,
};

/// The store's tiles of one database.
struct Tiles<'a> {
    view: &'a View,
    db: &'a DbName,
}

impl TileSource for Tiles<'_> {
    type Error = StoreError;

    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.view.tile(self.db, tile)?.map(Vec::from))
    }
}

impl Run<'_> {
    /// Proves everything of each checksum database; gives how much of it there is.
    pub(super) fn trees(&mut self) -> Totals {
        let mut totals = Totals::default();
        let counts = &mut totals.counts;
        for db in self.databases() {
            let heads = self.heads(&db);
            counts.heads += heads.len() as u64;
            let Some(newest) = heads.last().copied() else {
                self.found(format!("{db} has no signed head"));
                continue;
            };
            let view = self.view;
            let tiles = Tiles { view, db: &db };
            let tree = Authenticator::new(newest, tiles);
            let mut tree = match tree {
                Ok(tree) => tree,
                Err(error) => {
                    self.found(format!("the tree of {db}: {}", in_one_line(&error)));
                    continue;
                }
            };
            for &older in &heads {
                if let Err(error) = tree.older(older) {
                    self.found(format!(
                        "the head of {} records of {db}: {}",
                        older.size,
                        in_one_line(&error)
                    ));
                }
            }
            self.each(&keys::tiles(&db), "tiles", |run, key, value| {
                counts.tiles += 1;
                run.tile(&mut tree, &heads, key, value);
            });
            self.each(&keys::records(&db), "records", |run, key, value| {
                counts.records += 1;
                run.record(&mut tree, &db, key, value);
            });
        }
        // What belongs to a database that has no newest head at all.
        self.every_database_is_known(&keys::all_heads(), "heads");
        self.every_database_is_known(&keys::all_records(), "records");
        self.every_database_is_known(&keys::all_tiles(), "tiles");
        self.checked(
            "tree heads are signed, and continued by the newest one",
            counts.heads,
        );
        self.checked("tiles are in the newest tree", counts.tiles);
        self.checked("records are in the newest tree", counts.records);
        totals
    }

    /// Each head ever served, oldest first; the last one is the one that is served.
    fn heads(&mut self, db: &DbName) -> Vec<TreeHead> {
        let key = self
            .fsck
            .sumdbs
            .iter()
            .find(|key| key.name() == db.as_str());
        if key.is_none() {
            let note = format!(
                "no key of {db} is trusted any more: its heads' signatures were not checked"
            );
            self.report.notes.push(note);
        }
        let mut heads = Vec::new();
        let mut newest = Vec::new();
        self.each(&keys::heads(db), "tree heads", |run, at, note| {
            let size = at.last_chunk().map_or(0, |size| u64::from_be_bytes(*size));
            let what = || format!("the head of {size} records of {db}");
            if let Some(key) = key
                && let Err(error) = SignedHead::open(note, key)
            {
                return run.found(format!("{}: {}", what(), in_one_line(&error)));
            }
            let Some(head) = run.sound(what, signed_head(note)) else {
                return;
            };
            if head.size != size {
                return run.found(format!("{} has {} records", what(), head.size));
            }
            newest = note.to_vec();
            heads.push(head);
        });
        let served = self.view.head(db);
        if let Some(served) = self.sound(|| format!("the head of {db}"), served)
            && served.as_deref() != Some(&newest)
        {
            self.found(format!(
                "the head of {db} that is served is not the newest one"
            ));
        }
        heads
    }

    fn tile(
        &mut self,
        tree: &mut Authenticator<Tiles<'_>>,
        heads: &[TreeHead],
        key: &[u8],
        value: &[u8],
    ) {
        let tile = match (keys::parse(key), u32::try_from(value.len() / 32)) {
            (
                Some(keys::Named::Tile {
                    height,
                    level,
                    index,
                    ..
                }),
                Ok(width),
            ) if value.len().is_multiple_of(32) => Tile::new(height, level, index, width),
            _ => None,
        };
        let Some(tile) = tile else {
            return self.found("a tile's key or length that is none");
        };
        let (db, size) = (tree.source().db, tree.head().size);
        let in_tree = |size| Tile::in_tree(Height::GO, tile.level(), tile.index(), size);
        let proven = match in_tree(size).filter(|whole| whole.width() > tile.width()) {
            // It has grown since, and nothing that is held needed it wider: then it is of an older tree.
            Some(_) => match heads.iter().find(|head| in_tree(head.size) == Some(tile)) {
                Some(&head) => Authenticator::new(
                    head,
                    Tiles {
                        view: self.view,
                        db,
                    },
                )
                .and_then(|mut tree| tree.tile(&tile).map(drop)),
                None => {
                    return self.found(format!(
                        "{db} {tile}: it is in no tree of a head that was served"
                    ));
                }
            },
            None => tree.tile(&tile).map(drop),
        };
        if let Err(error) = proven {
            self.found(format!("{db} {tile}: {}", in_one_line(&error)));
        }
    }

    fn record(
        &mut self,
        tree: &mut Authenticator<Tiles<'_>>,
        db: &DbName,
        key: &[u8],
        value: &[u8],
    ) {
        let Some(keys::Named::Record(_, module)) = keys::parse(key) else {
            return self.found("a record's key that names no module version");
        };
        let proven = match Record::parse(value, &module) {
            Ok(record) => tree
                .record(record.id(), &record.hash())
                .map_err(|error| in_one_line(&error)),
            Err(error) => Err(in_one_line(&error)),
        };
        if let Err(error) = proven {
            self.found(format!("the {db} record of {module}: {error}"));
        }
    }

    fn every_database_is_known(&mut self, prefix: &[u8], what: &'static str) {
        let view = self.view;
        let mut known: Option<(Vec<u8>, bool)> = None;
        self.each(prefix, what, |run, key, _| {
            let name = key[1..].split(|&byte| byte == 0).next().unwrap_or_default();
            if known.as_ref().is_some_and(|(last, _)| last == name) {
                return;
            }
            let db = std::str::from_utf8(name)
                .ok()
                .and_then(|name| name.parse().ok());
            let there = db.and_then(|db: DbName| view.head(&db).ok()?).is_some();
            if !there {
                run.found(format!(
                    "{what} of {:?}, which has no head",
                    String::from_utf8_lossy(name)
                ));
            }
            known = Some((name.to_vec(), there));
        });
    }
}
