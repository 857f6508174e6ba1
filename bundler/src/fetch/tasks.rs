//! The single steps: a record, a go.mod, an info, a zip.

use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::request::Request;
use modferry_protocol::sumdb::{Record, tiles_of_record};
use modferry_protocol::zip::MAX_GO_MOD;

use super::zip::{self, ZipError};
use super::{Fatal, GoModBytes, Part, Session, Step, info, lock, summarise};
use crate::cache::ZipFile;
use crate::pool::Pool;
use crate::sumdb::client::{Looked, LookupError};
use crate::upstream::goproxy::GetError;

impl Session<'_> {
    /// Looks the module up, and holds what go.sum files say against the record.
    pub(super) fn record<'t>(&'t self, pool: &Pool<'t>, module: &ModuleVersion) {
        let looked = self.sources.record(module);
        self.progress.record_done();
        self.looked_up(pool, module, looked);
    }

    fn looked_up<'t>(
        &'t self,
        pool: &Pool<'t>,
        module: &ModuleVersion,
        looked: Result<Looked, LookupError>,
    ) {
        let step = match looked {
            Ok(looked) => {
                if let Err(fatal) = self.agree_with_sums(module, &looked.record) {
                    return match self.again(module) {
                        Some(looked) => self.looked_up(pool, module, looked),
                        None => self.contradicted(pool, module, fatal),
                    };
                }
                // Tiles that are full never change: they can be on their way before the newest tree is known.
                for tile in tiles_of_record(looked.tree_size, looked.record.id()) {
                    if tile.is_full() && self.first_asked(&tile) {
                        pool.spawn(move |_| {
                            if !self.sources.sumdb.has_tile(&tile) {
                                // Whatever fails here is asked for again, and told, when it is proven.
                                let _ = self.sources.sumdb.fetch_tile(&tile);
                            }
                        });
                    }
                }
                Step::Got(looked.record)
            }
            Err(LookupError::Unavailable(why)) => {
                self.fail(module, Part::Record, why);
                Step::Failed
            }
            Err(error) => return self.stop(pool, Fatal::Lookup(error)),
        };
        if let Some(slot) = self.lock().slots.get_mut(module) {
            slot.record = step;
        }
        self.join(pool, module);
    }

    /// Fetches the go.mod; it is not believed before the record is there.
    pub(super) fn go_mod<'t>(&'t self, pool: &Pool<'t>, module: &ModuleVersion, anew: bool) {
        let cached = if anew {
            Ok(None)
        } else {
            self.sources.cache.go_mod(module)
        };
        let step = match cached {
            Ok(Some(bytes)) => Step::Got(GoModBytes {
                bytes,
                from_cache: true,
            }),
            Ok(None) => {
                match self
                    .sources
                    .upstream
                    .get(&Request::Mod(module.clone()), MAX_GO_MOD)
                {
                    Ok(bytes) => Step::Got(GoModBytes {
                        bytes,
                        from_cache: false,
                    }),
                    Err(why) => {
                        self.fail(module, Part::GoMod, why);
                        Step::Failed
                    }
                }
            }
            Err(source) => {
                let module = module.clone();
                return self.stop(pool, Fatal::Cache { module, source });
            }
        };
        if let Some(slot) = self.lock().slots.get_mut(module) {
            slot.go_mod = step;
        }
        self.join(pool, module);
    }

    /// When record and go.mod are both there: holds one against the other and goes on from there.
    fn join<'t>(&'t self, pool: &Pool<'t>, module: &ModuleVersion) {
        let mut state = self.lock();
        let Some(slot) = state.slots.get_mut(module) else {
            return;
        };
        if slot.loaded.is_some() {
            return;
        }
        let both = matches!((&slot.record, &slot.go_mod), (Step::Got(_), Step::Got(_)));
        let failed = matches!(slot.record, Step::Failed) || matches!(slot.go_mod, Step::Failed);
        let waits = matches!(slot.record, Step::Waiting) || matches!(slot.go_mod, Step::Waiting);
        if failed && !waits {
            slot.loaded = Some(None);
            let waiting = std::mem::take(&mut slot.waiting);
            drop(state);
            self.progress.module_done();
            self.settle(pool, module);
            return self.tell(pool, module, None, waiting);
        }
        if !both {
            return;
        }
        let (Step::Got(record), Step::Got(go_mod)) = (
            &slot.record,
            std::mem::replace(&mut slot.go_mod, Step::Taken),
        ) else {
            return;
        };
        let (got, recorded) = (H1::of_go_mod(&go_mod.bytes), record.go_mod());
        if got != recorded {
            if go_mod.from_cache {
                slot.go_mod = Step::Waiting;
                drop(state);
                self.damaged(&self.sources.cache.path(module, "mod"));
                let of = module.clone();
                return pool.spawn(move |pool| self.go_mod(pool, &of, true));
            }
            slot.go_mod = Step::Got(go_mod);
            slot.record = Step::Waiting;
            drop(state);
            if let Some(looked) = self.again(module) {
                return self.looked_up(pool, module, looked);
            }
            let fatal = Fatal::Mismatch {
                module: module.clone(),
                part: Part::GoMod,
                got,
                recorded,
            };
            return self.contradicted(pool, module, fatal);
        }
        drop(state);
        if !go_mod.from_cache
            && let Err(source) = self
                .sources
                .cache
                .write(&self.sources.cache.path(module, "mod"), &go_mod.bytes)
        {
            let module = module.clone();
            return self.stop(pool, Fatal::Cache { module, source });
        }
        let summary = match summarise(&go_mod.bytes) {
            Ok(summary) => summary,
            Err(text) => {
                // It is carried as it is; a build that needs its requirements fails in the go command as well.
                let note = format!(
                    "{module}: its go.mod cannot be read, its requirements are passed over: {text}"
                );
                self.lock().notes.insert(note);
                std::sync::Arc::default()
            }
        };
        for name in &summary.malformed {
            let note = format!("{module} requires {name}, which names no module: passed over");
            self.lock().notes.insert(note);
        }
        let mut state = self.lock();
        let Some(slot) = state.slots.get_mut(module) else {
            return;
        };
        slot.loaded = Some(Some(summary.clone()));
        let waiting = std::mem::take(&mut slot.waiting);
        let due = slot.due();
        drop(state);
        self.progress.module_done();
        self.begin_rest(pool, module, due);
        self.tell(pool, module, Some(summary), waiting);
    }

    /// Fetches the info: the version it names must be the one that was asked for.
    pub(super) fn info(&self, pool: &Pool<'_>, module: &ModuleVersion) {
        match info::of(self.sources, module) {
            Ok(_) => {
                if let Some(slot) = self.lock().slots.get_mut(module) {
                    slot.info = true;
                }
            }
            Err(GetError::Refused(why)) => self.fail(module, Part::Info, why),
            Err(GetError::Local(source)) => {
                let module = module.clone();
                self.stop(pool, Fatal::Cache { module, source });
            }
        }
    }

    /// Fetches the zip into the cache, checked by the rules for module zips and against the record.
    pub(super) fn zip<'t>(&'t self, pool: &Pool<'t>, module: &ModuleVersion) {
        let recorded = match self.lock().slots.get(module).map(|slot| &slot.record) {
            Some(Step::Got(record)) => record.zip(),
            _ => return,
        };
        let mut checker = lock(&self.checkers).pop().unwrap_or_default();
        let outcome = self.zip_with(pool, module, recorded, &mut checker);
        lock(&self.checkers).push(checker);
        self.progress
            .zip_done(outcome.as_ref().map_or(0, |zip| zip.size));
        let there = outcome.is_some();
        if let Some(slot) = self.lock().slots.get_mut(module) {
            slot.zip = outcome;
            slot.zip_ended = true;
        }
        self.settle(pool, module);
        if !there {
            return;
        }
        for (index, build) in self.builds.iter().enumerate() {
            if build.named.as_ref() == Some(module) {
                self.selected(pool, index);
            }
        }
    }

    fn zip_with(
        &self,
        pool: &Pool<'_>,
        module: &ModuleVersion,
        recorded: H1,
        checker: &mut modferry_protocol::zip::Checker,
    ) -> Option<ZipFile> {
        let damaged = |path: &std::path::Path| self.damaged(path);
        let renewed = |got| self.renewed(module, got);
        match zip::of(self.sources, module, recorded, checker, damaged, renewed) {
            Ok(zip) => return Some(zip),
            Err(ZipError::Refused(why)) => self.fail(module, Part::Zip, why),
            Err(ZipError::Mismatch(got)) => {
                let fatal = Fatal::Mismatch {
                    module: module.clone(),
                    part: Part::Zip,
                    got,
                    recorded,
                };
                self.contradicted(pool, module, fatal);
            }
            Err(ZipError::Local(source)) => {
                let module = module.clone();
                self.stop(pool, Fatal::Cache { module, source });
            }
        }
        None
    }

    /// Asks how large the zip is, without fetching it.
    pub(super) fn zip_size<'t>(&'t self, pool: &Pool<'t>, module: &ModuleVersion) {
        let path = self.sources.cache.path(module, "zip");
        let size = match std::fs::metadata(&path) {
            Ok(meta) => Some(meta.len()),
            Err(_) => match self.sources.upstream.size(&Request::Zip(module.clone())) {
                Ok(size) => size,
                // Only that says that there is no zip: many upstreams do not know HEAD, and each refuses it in its way.
                Err(why) if why.is_denial() => {
                    self.fail(module, Part::Zip, why);
                    None
                }
                Err(why) => {
                    tracing::debug!(%module, %why, "its zip's size is not said");
                    None
                }
            },
        };
        self.progress.zip_done(size.unwrap_or(0));
        if let Some(slot) = self.lock().slots.get_mut(module) {
            slot.zip_size = size;
            slot.zip_ended = true;
        }
        self.settle(pool, module);
    }

    /// Looks the module up anew, if its record is from the cache.
    fn again(&self, module: &ModuleVersion) -> Option<Result<Looked, LookupError>> {
        let looked = self.sources.record_again(module)?;
        self.progress.warn(&format!(
            "the cached checksum-database record of {module} does not fit: fetched again"
        ));
        Some(looked)
    }

    /// Whether the record, looked up anew, has this zip, and the go.mod that was held against the old one.
    fn renewed(&self, module: &ModuleVersion, zip: H1) -> bool {
        let record = match self.again(module) {
            Some(Ok(looked)) => looked.record,
            None | Some(Err(_)) => return false,
        };
        let mut state = self.lock();
        let Some(slot) = state.slots.get_mut(module) else {
            return false;
        };
        let fits = matches!(&slot.record, Step::Got(old)
            if old.go_mod() == record.go_mod() && record.zip() == zip);
        if fits {
            slot.record = Step::Got(record);
        }
        fits
    }

    /// Stops everything. The lookup is not kept: whichever side was wrong, the next run asks again.
    fn contradicted(&self, pool: &Pool<'_>, module: &ModuleVersion, fatal: Fatal) {
        self.sources.sumdb.forget_lookup(module);
        self.stop(pool, fatal);
    }

    fn damaged(&self, path: &std::path::Path) {
        self.progress
            .warn(&format!("{} is damaged: fetching it again", path.display()));
    }

    fn agree_with_sums(&self, module: &ModuleVersion, record: &Record) -> Result<(), Fatal> {
        for (file, sums) in self.sums.iter().chain(&self.pins) {
            let Some(sum) = sums.get(module) else {
                continue;
            };
            let pairs = [
                (Part::Zip, &sum.zip, record.zip()),
                (Part::GoMod, &sum.go_mod, record.go_mod()),
            ];
            for (part, said, recorded) in pairs {
                match said {
                    Some(said) if *said != recorded => {
                        return Err(Fatal::GoSum {
                            module: module.clone(),
                            file: file.clone(),
                            part,
                            said: *said,
                            recorded,
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Whether nobody asked for this tile before.
    fn first_asked(&self, tile: &modferry_protocol::sumdb::Tile) -> bool {
        self.lock().tiles.insert(*tile)
    }
}
