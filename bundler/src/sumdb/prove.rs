//! Proves what a run relies on: that every record is in the tree of the newest head, and that every other
//! head seen, now or before, signs a beginning of that tree.
//!
//! The tiles for it are planned, fetched in parallel, and then proven in one go. They lie in the cache; a
//! proof that fails on tiles of an earlier run is tried once more with tiles fetched anew, before it is
//! called what it would be then: a database that has forked, or an upstream that forges it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use modferry_protocol::module::ModuleVersion;
use modferry_protocol::sumdb::{
    Authenticator, DbName, ProofError, Record, SignedHead, Tile, TreeHead, closure, tiles_of_older,
};

use super::client::Client;
use crate::files;
use crate::pool::Pool;
use crate::upstream::goproxy::{GetError, Unavailable};

/// Why the checksum database was not believed.
#[derive(Debug, thiserror::Error)]
pub enum SumdbError {
    /// Two heads of one database that cannot both be true.
    #[error("{database} has forked: two signed tree heads contradict each other")]
    Fork {
        /// The database.
        database: DbName,
        /// Where both signed heads were saved.
        evidence: Vec<PathBuf>,
        /// How they contradict each other.
        source: Box<ProofError<std::io::Error>>,
    },
    /// A record that is not in the tree.
    #[error("{database}'s record of {module} is not in its signed tree")]
    Record {
        /// The database.
        database: DbName,
        /// The module.
        module: ModuleVersion,
        /// What is wrong.
        source: Box<ProofError<std::io::Error>>,
    },
    /// Tiles that do not make the signed tree.
    #[error("{database}'s tiles do not prove its tree head of {size} records")]
    Tiles {
        /// The database.
        database: DbName,
        /// The newest head's size.
        size: u64,
        /// What is wrong.
        source: Box<ProofError<std::io::Error>>,
    },
    /// A tile cannot be had.
    #[error("{database}: a tile of its tree of {size} records cannot be had")]
    Unavailable {
        /// The database.
        database: DbName,
        /// The newest head's size.
        size: u64,
        /// Why.
        source: Unavailable,
    },
    /// A tile cannot be kept.
    #[error("cannot keep a tile of {database} in the cache")]
    Cache {
        /// The database.
        database: DbName,
        /// What the system said.
        source: std::io::Error,
    },
    /// No head was seen at all.
    #[error("{database} gave no tree head")]
    NoHead {
        /// The database.
        database: DbName,
    },
    /// A head that was shipped is newer than all that the database shows now.
    #[error(
        "{database} has gone back: a tree of {older} records was shipped, its newest has only {size}"
    )]
    WentBack {
        /// The database.
        database: DbName,
        /// The shipped head's size.
        older: u64,
        /// The newest head's size.
        size: u64,
    },
    /// A size that was named lies beyond the newest head.
    #[error("known head of {older} records: {database}'s newest tree has only {size}")]
    KnownBeyond {
        /// The database.
        database: DbName,
        /// The size that was named.
        older: u64,
        /// The newest head's size.
        size: u64,
    },
}

/// What was proven.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The newest head.
    pub head: SignedHead,
    /// The closure: every tile that a client can ask for, at its width in that head's tree.
    pub tiles: BTreeSet<Tile>,
    /// Older heads that were found consistent.
    pub older: usize,
}

/// What a proof has to cover.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    /// Records with the modules they are of.
    pub records: Vec<(ModuleVersion, Record)>,
    /// Heads that clients may hold: those that were shipped before.
    pub shipped: Vec<TreeHead>,
    /// Sizes of heads that clients may hold, of which only the size is known.
    pub sizes: Vec<u64>,
}

/// Fetches the tiles and proves the claims against the newest head seen. A record from the cache that is
/// not in the tree is looked up anew; the claims then have the one that is.
pub fn prove(
    client: &Client,
    claims: &mut Claims,
    threads: usize,
    evidence: &Path,
    on_tiles: &(dyn Fn(usize) + Sync),
) -> Result<Proof, SumdbError> {
    loop {
        match prove_once(client, claims, threads, evidence, on_tiles) {
            Err(SumdbError::Record { module, .. }) if renewed(client, claims, &module) => {}
            Err(error) => {
                if let SumdbError::Record { module, .. } = &error {
                    client.forget_lookup(module);
                }
                return Err(error);
            }
            proof => return proof,
        }
    }
}

/// Whether the database, asked anew, says the same of the module in another record. Other hashes than what
/// was fetched agreed with are for the next run.
fn renewed(client: &Client, claims: &mut Claims, module: &ModuleVersion) -> bool {
    let Some(Ok(looked)) = client.lookup_again(module) else {
        return false;
    };
    let claim = claims.records.iter_mut().find(|(of, _)| of == module);
    let new = looked.record;
    match claim {
        Some((_, old)) if old.zip() == new.zip() && old.go_mod() == new.go_mod() => {
            tracing::warn!(%module, "the cached record is not in the tree: fetched again");
            *old = new;
            true
        }
        _ => false,
    }
}

fn prove_once(
    client: &Client,
    claims: &Claims,
    threads: usize,
    evidence: &Path,
    on_tiles: &(dyn Fn(usize) + Sync),
) -> Result<Proof, SumdbError> {
    let database = &client.spec().name;
    let seen = client.heads();
    let Some(head) = seen.last().cloned() else {
        return Err(SumdbError::NoHead {
            database: database.clone(),
        });
    };
    let size = head.head().size;
    if let Some(pair) = seen
        .windows(2)
        .find(|pair| pair[0].head().size == pair[1].head().size)
    {
        // Two roots over as many records: no tile is needed to see it.
        let (older, newer) = (pair[0].head(), pair[1].head());
        let found = newer.hash;
        let fork = Failed::Older(
            older,
            ProofError::Fork {
                older,
                newer,
                found,
            },
        );
        return Err(told(client, &seen, &pair[1], fork, evidence));
    }
    if let Some(&older) = claims.sizes.iter().find(|&&older| older > size) {
        return Err(SumdbError::KnownBeyond {
            database: database.clone(),
            older,
            size,
        });
    }
    if let Some(older) = claims.shipped.iter().find(|shipped| shipped.size > size) {
        return Err(SumdbError::WentBack {
            database: database.clone(),
            older: older.size,
            size,
        });
    }
    let mut kept: Vec<u64> = claims.shipped.iter().map(|head| head.size).collect();
    kept.extend(&claims.sizes);
    let ids = claims.records.iter().map(|(_, record)| record.id());
    let tiles = closure(size, ids, &kept);

    // Heads that were only seen have to be consistent, but no client holds them: their tiles stay here.
    let mut wanted = tiles.clone();
    for other in &seen {
        wanted.extend(tiles_of_older(size, other.head().size));
    }
    let missing: Vec<Tile> = wanted
        .iter()
        .filter(|tile| !client.has_tile(tile))
        .copied()
        .collect();
    let reused = missing.len() < wanted.len();
    fetch(client, size, &missing, threads, on_tiles)?;
    let first = check(client, claims, &seen, &head, &tiles);
    let outcome = match first {
        Err(error) if reused => {
            tracing::warn!(%database, error = %error.proof(), "cached tiles do not prove: fetched again");
            let again: Vec<Tile> = wanted.iter().copied().collect();
            for tile in &again {
                client.forget_tile(tile);
            }
            fetch(client, size, &again, threads, on_tiles)?;
            check(client, claims, &seen, &head, &tiles)
        }
        outcome => outcome,
    };
    match outcome {
        Ok(older) => Ok(Proof { head, tiles, older }),
        Err(failed) => Err(told(client, &seen, &head, *failed, evidence)),
    }
}

enum Failed {
    Tree(ProofError<std::io::Error>),
    Record(ModuleVersion, ProofError<std::io::Error>),
    Older(TreeHead, ProofError<std::io::Error>),
}

impl Failed {
    fn tree(error: ProofError<std::io::Error>) -> Box<Failed> {
        Box::new(Failed::Tree(error))
    }

    fn proof(&self) -> &ProofError<std::io::Error> {
        match self {
            Failed::Tree(error) | Failed::Record(_, error) | Failed::Older(_, error) => error,
        }
    }
}

fn fetch(
    client: &Client,
    size: u64,
    tiles: &[Tile],
    threads: usize,
    on_tiles: &(dyn Fn(usize) + Sync),
) -> Result<(), SumdbError> {
    let refused: Mutex<Option<GetError>> = Mutex::new(None);
    Pool::run(threads, |pool| {
        for tile in tiles {
            let refused = &refused;
            pool.spawn(move |pool| match client.fetch_tile(tile) {
                Ok(()) => on_tiles(1),
                Err(error) => {
                    if let Ok(mut refused) = refused.lock() {
                        refused.get_or_insert(error);
                    }
                    pool.cancel();
                }
            });
        }
    });
    match refused.into_inner() {
        Ok(None) => Ok(()),
        Ok(Some(GetError::Refused(source))) => Err(SumdbError::Unavailable {
            database: client.spec().name.clone(),
            size,
            source,
        }),
        Ok(Some(GetError::Local(source))) => Err(SumdbError::Cache {
            database: client.spec().name.clone(),
            source,
        }),
        Err(poisoned) => std::panic::panic_any(poisoned.to_string()),
    }
}

fn check(
    client: &Client,
    claims: &Claims,
    seen: &[SignedHead],
    head: &SignedHead,
    tiles: &BTreeSet<Tile>,
) -> Result<usize, Box<Failed>> {
    let mut authenticator = Authenticator::new(head.head(), client).map_err(Failed::tree)?;
    let mut older = 0;
    let others = seen
        .iter()
        .map(SignedHead::head)
        .filter(|other| *other != head.head());
    for other in others.chain(claims.shipped.iter().copied()) {
        authenticator
            .older(other)
            .map_err(|error| Box::new(Failed::Older(other, error)))?;
        older += 1;
    }
    for (module, record) in &claims.records {
        authenticator
            .record(record.id(), &record.hash())
            .map_err(|error| Box::new(Failed::Record(module.clone(), error)))?;
    }
    for tile in tiles {
        authenticator.tile(tile).map_err(Failed::tree)?;
    }
    Ok(older)
}

fn told(
    client: &Client,
    seen: &[SignedHead],
    head: &SignedHead,
    failed: Failed,
    evidence: &Path,
) -> SumdbError {
    let database = client.spec().name.clone();
    match failed {
        Failed::Older(other, source @ ProofError::Fork { .. }) => {
            let notes = [
                Some(head),
                seen.iter().find(|signed| signed.head() == other),
            ];
            let mut saved = Vec::new();
            for signed in notes.into_iter().flatten() {
                let name = format!(
                    "{}-{}-{}.note",
                    database.as_str().replace('/', "_"),
                    signed.head().size,
                    crate::cache::hex(&signed.head().hash.0[..4])
                );
                let path = evidence.join(name);
                match files::write_durably(&path, signed.note()) {
                    Ok(()) => saved.push(path),
                    Err(error) => {
                        tracing::error!(path = %path.display(), %error, "cannot save the evidence");
                    }
                }
            }
            SumdbError::Fork {
                database,
                evidence: saved,
                source: Box::new(source),
            }
        }
        Failed::Record(module, source) => SumdbError::Record {
            database,
            module,
            source: Box::new(source),
        },
        Failed::Older(_, source) | Failed::Tree(source) => SumdbError::Tiles {
            database,
            size: head.head().size,
            source: Box::new(source),
        },
    }
}
