//! Asks a checksum database: records of modules, tiles, its newest head. Nothing is proven here; every
//! signed head that is seen is kept, so that [`super::prove`] can hold all of them against one tree.
//!
//! Reached through the module proxy where that passes it on, as the go command does, else directly.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::MAX_NOTE;
use modferry_protocol::request::SumdbRequest;
use modferry_protocol::sumdb::{
    DbName, HeadError, MAX_LOOKUP, Record, RecordError, SignedHead, Tile, TileSource, split_lookup,
};

use crate::cache::Cache;
use crate::files;
use crate::sumdb::spec::SumdbSpec;
use crate::upstream::goproxy::{self, GetError, Reason, Unavailable, Upstream};
use crate::upstream::url::Base;

/// One checksum database and what has been seen of it.
pub struct Client {
    spec: SumdbSpec,
    upstream: Upstream,
    cache: Cache,
    base: OnceLock<Result<Base, Unavailable>>,
    /// By size and root, so that two heads of one size are seen as two.
    heads: Mutex<BTreeMap<(u64, [u8; 32]), SignedHead>>,
    /// Modules whose record this run has from the cache, where it was put before anything proved it.
    from_cache: Mutex<HashSet<ModuleVersion>>,
}

/// Why a lookup gave no record.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// It cannot be had.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The answer is no record of this module.
    #[error("{database}'s answer for {module} is no record of it")]
    Record {
        /// The database.
        database: DbName,
        /// The module.
        module: ModuleVersion,
        /// What is wrong.
        source: RecordError,
    },
    /// The tree head in the answer is not the database's.
    #[error("{database}'s answer for {module} has no tree head that it signed")]
    Head {
        /// The database.
        database: DbName,
        /// The module.
        module: ModuleVersion,
        /// What is wrong.
        source: HeadError,
    },
}

/// A record, and the tree head that came with it.
#[derive(Clone, Debug)]
pub struct Looked {
    /// The record.
    pub record: Record,
    /// The size of the tree that the answer's head signs.
    pub tree_size: u64,
}

impl Client {
    /// A client that keeps what it fetches in `cache`.
    pub fn new(spec: SumdbSpec, upstream: Upstream, cache: Cache) -> Client {
        Client {
            spec,
            upstream,
            cache,
            base: OnceLock::new(),
            heads: Mutex::new(BTreeMap::new()),
            from_cache: Mutex::default(),
        }
    }

    /// Its name and key.
    pub fn spec(&self) -> &SumdbSpec {
        &self.spec
    }

    /// Every distinct head seen, the smallest first.
    pub fn heads(&self) -> Vec<SignedHead> {
        self.lock_heads().values().cloned().collect()
    }

    /// Takes a head into account: the one that a run before this one ended with, or one that was named.
    pub fn saw(&self, head: SignedHead) {
        let key = (head.head().size, head.head().hash.0);
        self.lock_heads().entry(key).or_insert(head);
    }

    /// The record of a module: from the cache, if a lookup of it is there, or from the database.
    pub fn lookup(&self, module: &ModuleVersion) -> Result<Looked, LookupError> {
        let path = SumdbRequest::Lookup(module.clone()).url_path();
        let file = self.cached(&path);
        if let Ok(Some(answer)) = self.cache.read(&file, MAX_LOOKUP as u64) {
            match self.read_lookup(module, &answer) {
                Ok(looked) => {
                    self.lock_from_cache().insert(module.clone());
                    return Ok(looked);
                }
                Err(error) => tracing::warn!(
                    file = %file.display(), %error, "damaged in the cache: fetched again"
                ),
            }
        }
        self.look_up(module)
    }

    /// Looks a module up anew where what this run has of it is from the cache: what is wrong with it may be
    /// what an earlier run was told, or damage. `None` where the database itself has just said it.
    pub fn lookup_again(&self, module: &ModuleVersion) -> Option<Result<Looked, LookupError>> {
        if !self.lock_from_cache().remove(module) {
            return None;
        }
        self.forget_lookup(module);
        Some(self.look_up(module))
    }

    /// Forgets a cached lookup, so that the next run asks for it.
    pub fn forget_lookup(&self, module: &ModuleVersion) {
        let path = SumdbRequest::Lookup(module.clone()).url_path();
        let _ = std::fs::remove_file(self.cached(&path));
    }

    fn look_up(&self, module: &ModuleVersion) -> Result<Looked, LookupError> {
        let path = SumdbRequest::Lookup(module.clone()).url_path();
        let file = self.cached(&path);
        let answer = self.get(&path, MAX_LOOKUP as u64)?;
        let looked = self.read_lookup(module, &answer)?;
        if let Err(error) = self.cache.write(&file, &answer) {
            tracing::warn!(file = %file.display(), %error, "cannot be kept in the cache");
        }
        Ok(looked)
    }

    /// Asks for the newest head. Databases behind some proxies do not tell it; lookups bring heads too.
    pub fn latest(&self) -> Result<(), LookupError> {
        match self.get(&SumdbRequest::Latest.url_path(), MAX_NOTE as u64) {
            Ok(note) => match SignedHead::open(&note, &self.spec.key) {
                Ok(head) => self.saw(head),
                // Only a lookup's head is what a client would have to believe.
                Err(error) => {
                    tracing::warn!(database = %self.spec.name, %error, "unusable latest head")
                }
            },
            Err(refused) => tracing::debug!(database = %self.spec.name, %refused, "no latest head"),
        }
        Ok(())
    }

    /// Whether the cache has the tile at its width or wider.
    pub fn has_tile(&self, tile: &Tile) -> bool {
        matches!(self.tile(tile), Ok(Some(_)))
    }

    /// Fetches a tile into the cache, at its width or, where it is not to be had so any more, whole.
    pub fn fetch_tile(&self, tile: &Tile) -> Result<(), GetError> {
        let mut refused = None;
        for candidate in [*tile, tile.full()] {
            let path = SumdbRequest::Tile(candidate).url_path();
            match self.get(&path, candidate.size() as u64) {
                Ok(bytes) if bytes.len() == candidate.size() => {
                    let file = self.cached(&path);
                    return self.cache.write(&file, &bytes).map_err(GetError::Local);
                }
                Ok(bytes) => {
                    return Err(GetError::Refused(Unavailable {
                        reason: Reason::Malformed,
                        text: format!("{path} of {} has {} bytes", self.spec.name, bytes.len()),
                    }));
                }
                Err(error) => {
                    let absent = error.is_absence();
                    refused.get_or_insert(error);
                    if !absent || tile.is_full() {
                        break;
                    }
                }
            }
        }
        Err(GetError::Refused(refused.unwrap_or(Unavailable {
            reason: Reason::Network,
            text: tile.path(),
        })))
    }

    /// Forgets a cached tile in every width.
    pub fn forget_tile(&self, tile: &Tile) {
        for path in [tile.path(), tile.full().path()] {
            let _ = std::fs::remove_file(self.cached(&path));
        }
    }

    fn read_lookup(&self, module: &ModuleVersion, answer: &[u8]) -> Result<Looked, LookupError> {
        let bad_record = |source| LookupError::Record {
            database: self.spec.name.clone(),
            module: module.clone(),
            source,
        };
        let (record, note) = split_lookup(answer).map_err(bad_record)?;
        let record = Record::parse(record, module).map_err(bad_record)?;
        let head = SignedHead::open(note, &self.spec.key).map_err(|source| LookupError::Head {
            database: self.spec.name.clone(),
            module: module.clone(),
            source,
        })?;
        let tree_size = head.head().size;
        self.saw(head);
        Ok(Looked { record, tree_size })
    }

    fn get(&self, path: &str, limit: u64) -> Result<Vec<u8>, Unavailable> {
        let base = self
            .base
            .get_or_init(|| self.find_base())
            .as_ref()
            .map_err(Clone::clone)?;
        let mut body = Vec::new();
        goproxy::get_into(
            self.upstream.http(),
            base,
            &format!("/{path}"),
            limit,
            &mut body,
        )
        .map_err(GetError::refused)?;
        Ok(body)
    }

    fn find_base(&self) -> Result<Base, Unavailable> {
        if let Some(at) = &self.spec.at {
            return Ok(at.clone());
        }
        match self.upstream.sumdb_base(self.spec.name.as_str())? {
            Some(base) => Ok(base),
            None => self
                .spec
                .direct()
                .map_err(|error| Unavailable::new(Reason::Malformed, &error)),
        }
    }

    fn cached(&self, path: &str) -> PathBuf {
        self.cache.sumdb_path(self.spec.name.as_str(), path)
    }

    fn lock_from_cache(&self) -> std::sync::MutexGuard<'_, HashSet<ModuleVersion>> {
        self.from_cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_heads(&self) -> std::sync::MutexGuard<'_, BTreeMap<(u64, [u8; 32]), SignedHead>> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TileSource for Client {
    type Error = std::io::Error;

    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, std::io::Error> {
        for candidate in [*tile, tile.full()] {
            let file = self.cached(&candidate.path());
            match files::read_bounded(&file, candidate.size() as u64) {
                Ok(bytes) => {
                    if let Some(cut) = tile.cut(&bytes) {
                        return Ok(Some(cut.to_vec()));
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
