//! One checksum database's part of the proof: its heads, its tiles and its records.

use modferry_cli::in_one_line;
use modferry_protocol::bundle::Item;
use modferry_protocol::note::VerifierKey;
use modferry_protocol::sumdb::{
    Authenticator, DbName, ProofError, SignedHead, Tile, TileSource, TreeHead, edge,
    tiles_of_older, tiles_of_record,
};

use super::{Missing, parse_record, required};
use crate::{CheckError, Report, Side, Stage};

/// Which of two sources of tiles is asked first.
#[derive(Clone, Copy, PartialEq)]
enum First {
    /// The bundle's tiles, so that it is these that are proven.
    Staged,
    /// Those that are held, which are proven already.
    Held,
}

impl First {
    fn other(self) -> First {
        match self {
            First::Staged => First::Held,
            First::Held => First::Staged,
        }
    }
}

/// The tiles of one database: the bundle's and those that are held.
struct Tiles<'a, S> {
    db: &'a DbName,
    stage: &'a S,
    first: First,
}

// By hand, since a derived one would ask it of the stage.
impl<S> Clone for Tiles<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Tiles<'_, S> {}

impl<S: Stage> TileSource for Tiles<'_, S> {
    type Error = CheckError;

    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, CheckError> {
        let item = Item::Tile(self.db.clone(), *tile);
        let get = |first| match first {
            First::Staged => self.stage.staged(&item).map_err(CheckError::stage),
            First::Held => self.stage.held(&item).map_err(CheckError::stage),
        };
        Ok(match get(self.first)? {
            Some(bytes) => Some(bytes),
            None => get(self.first.other())?,
        })
    }
}

impl<S: Stage> Tiles<'_, S> {
    /// Notes which of the tiles are missing, and says whether any was.
    fn any_missing(&self, tiles: Vec<Tile>, missing: &mut Missing) -> Result<bool, CheckError> {
        let mut any = false;
        for tile in tiles {
            if self.tile(&tile)?.is_none() {
                missing.add(&Item::Tile(self.db.clone(), tile));
                any = true;
            }
        }
        Ok(any)
    }
}

/// Proofs within one tree.
struct Tree<'a, S: Stage> {
    head: TreeHead,
    tiles: Tiles<'a, S>,
    /// `None`: the right edge is not all there, which has been noted; nothing can be proven.
    authenticator: Option<Authenticator<Tiles<'a, S>>>,
}

/// What is wrong with a tree.
enum Fault {
    /// It contradicts the tree of the other side. This is the head of that which is held, as against the one
    /// that is offered.
    Fork(TreeHead),
    Other(CheckError),
}

impl From<CheckError> for Fault {
    fn from(error: CheckError) -> Fault {
        Fault::Other(error)
    }
}

impl<'a, S: Stage> Tree<'a, S> {
    /// Proves the edge. `other` is the newest head of the other side, where there is one: the held for the
    /// bundle's, the bundle's for the held.
    fn open(
        head: TreeHead,
        tiles: Tiles<'a, S>,
        other: Option<&TreeHead>,
        missing: &mut Missing,
    ) -> Result<Tree<'a, S>, Fault> {
        let mut tree = Tree {
            head,
            tiles,
            authenticator: None,
        };
        if !tiles.any_missing(edge(head.size), missing)? {
            match Authenticator::new(head, tiles) {
                Ok(authenticator) => tree.authenticator = Some(authenticator),
                Err(error) => return Err(tree.fault("its right edge", error, other)?),
            }
        }
        Ok(tree)
    }

    /// Makes one proof, and says whether it could be made. Where tiles are missing, all of `needs` that are
    /// missing are noted.
    fn prove(
        &mut self,
        what: &str,
        proof: impl FnOnce(&mut Authenticator<Tiles<'a, S>>) -> Result<(), ProofError<CheckError>>,
        needs: impl FnOnce(u64) -> Vec<Tile>,
        other: Option<&TreeHead>,
        missing: &mut Missing,
    ) -> Result<bool, Fault> {
        let Some(authenticator) = &mut self.authenticator else {
            return Ok(false);
        };
        match proof(authenticator) {
            Ok(()) => Ok(true),
            Err(ProofError::Missing { tile }) => {
                missing.add(&Item::Tile(self.tiles.db.clone(), tile));
                self.tiles.any_missing(needs(self.head.size), missing)?;
                Ok(false)
            }
            Err(error) => Err(self.fault(what, error, other)?),
        }
    }

    /// Tells a fork from other contradictions: it is one if the tile that does not fit comes from the other
    /// side and is right there. Two sides with the same head are no fork, whatever tiles come with them.
    fn fault(
        &self,
        what: &str,
        error: ProofError<CheckError>,
        other: Option<&TreeHead>,
    ) -> Result<Fault, CheckError> {
        let fork = |other: TreeHead| match self.tiles.first {
            First::Staged => Fault::Fork(other),
            First::Held => Fault::Fork(self.head),
        };
        let suspects = match &error {
            ProofError::Fork { older, .. } => return Ok(fork(*older)),
            ProofError::TileMismatch { tile } => vec![*tile],
            // Which of the edge's tiles is wrong cannot be said, unless it is right with those that are held.
            ProofError::Edge { .. } => match self.wrong_staged_edge()? {
                Some(fault) => return Ok(fault),
                None => edge(self.head.size),
            },
            _ => Vec::new(),
        };
        if let Some(other) = other.filter(|other| **other != self.head) {
            for tile in suspects {
                if self.is_of_the_other_side(&tile, other)? {
                    return Ok(fork(*other));
                }
            }
        }
        Ok(Fault::Other(match error {
            ProofError::Source(error) => error,
            error => CheckError::Sumdb {
                db: self.tiles.db.clone(),
                what: format!("{what}: {error}"),
            },
        }))
    }

    /// The staged tile that spoils an edge, where the tiles that are held make it whole.
    fn wrong_staged_edge(&self) -> Result<Option<Fault>, CheckError> {
        let tiles = Tiles {
            first: First::Held,
            ..self.tiles
        };
        if Authenticator::new(self.head, tiles).is_err() {
            return Ok(None);
        }
        for tile in edge(self.head.size) {
            let item = Item::Tile(self.tiles.db.clone(), tile);
            let staged = self.tiles.stage.staged(&item).map_err(CheckError::stage)?;
            if staged.is_some() && staged != tiles.tile(&tile)? {
                return Ok(Some(Fault::Other(CheckError::Sumdb {
                    db: self.tiles.db.clone(),
                    what: format!("{item} is not the one in the signed tree"),
                })));
            }
        }
        Ok(None)
    }

    /// Whether the tile is only held by the other side, and is proven by the other side's head.
    fn is_of_the_other_side(&self, tile: &Tile, other: &TreeHead) -> Result<bool, CheckError> {
        let item = Item::Tile(self.tiles.db.clone(), *tile);
        let (own, others) = match self.tiles.first {
            First::Staged => (self.tiles.stage.staged(&item), First::Held),
            First::Held => (self.tiles.stage.held(&item), First::Staged),
        };
        if own.map_err(CheckError::stage)?.is_some() {
            return Ok(false);
        }
        let tiles = Tiles {
            first: others,
            ..self.tiles
        };
        Ok(Authenticator::new(*other, tiles)
            .and_then(|mut tree| tree.tile(tile))
            .is_ok())
    }

    /// Proves that the tree continues that of `older`, and says whether it could be told.
    fn continues(
        &mut self,
        older: &TreeHead,
        other: Option<&TreeHead>,
        missing: &mut Missing,
    ) -> Result<bool, Fault> {
        let what = format!("that it continues the tree of {} records", older.size);
        let proof = |tree: &mut Authenticator<_>| tree.older(*older);
        self.prove(
            &what,
            proof,
            |size| tiles_of_older(size, older.size),
            other,
            missing,
        )
    }
}

/// The proof of one database.
pub(super) struct TreeProof<'a, S: Stage> {
    db: &'a DbName,
    stage: &'a S,
    offered: Side,
    /// The heads held, smallest first.
    held: Vec<TreeHead>,
    /// The tree of the bundle's head.
    brought: Tree<'a, S>,
    /// The tree of a newer head that is held and goes on being served.
    newer: Option<Tree<'a, S>>,
}

impl<'a, S: Stage> TreeProof<'a, S> {
    /// Opens the head and proves it consistent with every head held.
    pub(super) fn begin(
        db: &'a DbName,
        head: &TreeHead,
        key: &VerifierKey,
        stage: &'a S,
        missing: &mut Missing,
        report: &mut Report,
    ) -> Result<TreeProof<'a, S>, CheckError> {
        let offered = Side {
            head: *head,
            note: open_head(db, head, key, stage)?,
        };
        report.heads += 1;

        let mut held = stage.heads_held(db).map_err(CheckError::stage)?;
        held.sort_by_key(|held| (held.size, held.hash.0));
        held.dedup();
        if let Some(other) = held
            .iter()
            .find(|held| held.size == head.size && held.hash != head.hash)
        {
            return Err(fork(db, *other, &offered, stage));
        }
        let newest = held.last();
        let tiles = Tiles {
            db,
            stage,
            first: First::Staged,
        };
        let brought = Tree::open(*head, tiles, newest, missing)
            .map_err(|fault| explain(db, fault, &offered, stage))?;
        let newer = match newest.filter(|newest| newest.size > head.size) {
            None => None,
            Some(newest) => {
                let tiles = Tiles {
                    first: First::Held,
                    ..tiles
                };
                Some(
                    Tree::open(*newest, tiles, Some(head), missing)
                        .map_err(|fault| explain(db, fault, &offered, stage))?,
                )
            }
        };
        let mut proof = TreeProof {
            db,
            stage,
            offered,
            held,
            brought,
            newer,
        };
        report.older_heads += proof.prove_continuity(missing)?;
        Ok(proof)
    }

    /// Proves what is served from now on to continue what it must, and counts the heads.
    fn prove_continuity(&mut self, missing: &mut Missing) -> Result<u64, CheckError> {
        let head = self.offered.head;
        if let Some(newer) = &mut self.newer {
            // What was served before the newest head is proven already: that head is served still.
            let continued = newer.continues(&head, Some(&head), missing);
            return continued
                .map(u64::from)
                .map_err(|fault| self.explain(fault));
        }
        let mut continued = 0;
        // The newest first: if that one is continued, so is whatever it continues.
        for n in (0..self.held.len())
            .rev()
            .filter(|n| self.held[*n].size < head.size)
        {
            let (older, newest) = (self.held[n], self.held.last());
            match self.brought.continues(&older, newest, missing) {
                Ok(proven) => continued += u64::from(proven),
                Err(fault) => return Err(self.explain(fault)),
            }
        }
        Ok(continued)
    }

    fn explain(&self, fault: Fault) -> CheckError {
        explain(self.db, fault, &self.offered, self.stage)
    }

    pub(super) fn db(&self) -> &DbName {
        self.db
    }

    /// The head that is served once the bundle is taken in.
    pub(super) fn served(&self) -> TreeHead {
        self.newer.as_ref().unwrap_or(&self.brought).head
    }

    /// Proves a staged tile or record.
    pub(super) fn prove(
        &mut self,
        item: &Item,
        missing: &mut Missing,
        report: &mut Report,
    ) -> Result<(), CheckError> {
        let newest = self.held.last();
        let proven = match item {
            Item::Tile(db, tile) => {
                let bytes = required(self.stage, item)?;
                let mut same = false;
                let proof = |tree: &mut Authenticator<_>| {
                    // A narrower tile than the tree's is proven by the wider one: so these bytes may be others.
                    same = *tree.tile(tile)? == *bytes;
                    Ok(())
                };
                let proven =
                    self.brought
                        .prove(&item.to_string(), proof, |_| Vec::new(), newest, missing);
                if matches!(proven, Ok(true)) && !same {
                    let what = format!("{item} is not the one in the signed tree");
                    return Err(CheckError::Sumdb {
                        db: db.clone(),
                        what,
                    });
                }
                report.tiles += u64::from(matches!(proven, Ok(true)));
                proven
            }
            Item::Record(db, module) => {
                let record = parse_record(db, module, &required(self.stage, item)?)?;
                let (id, hash) = (record.id(), record.hash());
                let (tree, other) = match &mut self.newer {
                    Some(newer) => (newer, Some(&self.offered.head)),
                    None => (&mut self.brought, newest),
                };
                let proof = |tree: &mut Authenticator<_>| tree.record(id, &hash);
                let chain = |size| tiles_of_record(size, id);
                let proven = tree.prove(&item.to_string(), proof, chain, other, missing);
                report.records += u64::from(matches!(proven, Ok(true)));
                proven
            }
            _ => Ok(false),
        };
        proven.map(drop).map_err(|fault| self.explain(fault))
    }
}

fn explain<S: Stage>(db: &DbName, fault: Fault, offered: &Side, stage: &S) -> CheckError {
    match fault {
        Fault::Other(error) => error,
        Fault::Fork(held) => fork(db, held, offered, stage),
    }
}

/// A fork, with its evidence: the note of the very head that is contradicted, which need not be the newest.
fn fork<S: Stage>(db: &DbName, held: TreeHead, offered: &Side, stage: &S) -> CheckError {
    match stage.head_note(db, held.size) {
        Ok(note) => {
            let held = Box::new(Side {
                head: held,
                note: note.unwrap_or_default(),
            });
            CheckError::Fork {
                db: db.clone(),
                held,
                offered: Box::new(offered.clone()),
            }
        }
        Err(error) => CheckError::stage(error),
    }
}

/// The bundle's signed head: it opens with the key, and is the one that the manifest names.
fn open_head<S: Stage>(
    db: &DbName,
    head: &TreeHead,
    key: &VerifierKey,
    stage: &S,
) -> Result<Vec<u8>, CheckError> {
    let note = required(stage, &Item::Head(db.clone()))?;
    let refused = |what: String| {
        Err(CheckError::Sumdb {
            db: db.clone(),
            what,
        })
    };
    match SignedHead::open(&note, key) {
        Err(error) => refused(in_one_line(&error)),
        Ok(signed) if signed.head() != *head => {
            refused("the signed tree head is not the one that the bundle's manifest names".into())
        }
        Ok(_) => Ok(note),
    }
}
