//! What a bundle builds on and what it takes back: needs and bases against what is held, tombstones against the rest.
//!
//! A base is a zip that the bundle is packed against: it must be held with the very bytes that the list names. It says
//! nothing of what is selected, so that a tombstone may name it, too: what it takes back goes with the next `gc`.
//!
//! The lists come before everything else and may be as long as a site's selection, so they are read text by text.
//! A bundle must not contradict itself: what a tombstone names may be neither needed nor carried at that level,
//! or what the store keeps would depend on which was read last. Lists and items are sorted alike, so that one walk
//! finds it; what is walked again lies in an unlinked temporary file, and only bundles with tombstones have one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use modferry_protocol::bundle::{
    Base as ListedBase, BasesReader, Gone, Item, Level, ListError, ListKind, ListReader, Manifest,
};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::sumdb::DbName;

use crate::check::temp_file;
use crate::prove::Missing;
use crate::restore::Base;
use crate::{CheckError, HeldZip, Report, Stage};

/// A bundle's lists, as they come in and once they are in.
pub(crate) struct Lists<'a> {
    manifest: &'a Manifest,
    folder: PathBuf,
    /// Every checksum database that is trusted: a record of any proves what is held.
    dbs: Vec<DbName>,
    needs: ListReader<Level>,
    bases: BasesReader,
    tombstones: ListReader<Gone>,
    lacks: bool,
    needs_kept: Option<Kept>,
    tombstones_kept: Option<Kept>,
    /// What the tombstones are walked beside at the moment: needs, then each kind of item.
    walk: Option<Walk>,
}

/// A walk through one list, beside things of one kind in their order.
struct Walk {
    kind: Kind,
    cursor: Cursor,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Needs,
    Info,
    Mod,
    Zip,
}

impl<'a> Lists<'a> {
    pub(crate) fn new(manifest: &'a Manifest, folder: &Path, dbs: Vec<DbName>) -> Lists<'a> {
        Lists {
            manifest,
            folder: folder.into(),
            dbs,
            needs: ListReader::new(),
            bases: BasesReader::new(),
            tombstones: ListReader::new(),
            lacks: false,
            needs_kept: None,
            tombstones_kept: None,
            walk: None,
        }
    }

    /// Takes a text of needs: asks the stage for each thing, tells it of what is held, and notes what is not.
    pub(crate) fn need<S: Stage>(
        &mut self,
        item: &Item,
        text: &[u8],
        stage: &mut S,
        missing: &mut Missing,
        report: &mut Report,
    ) -> Result<(), CheckError> {
        let lines = self
            .needs
            .text(text)
            .map_err(|error| self.bad(item, error))?;
        if self.manifest.tombstones > 0 {
            self.keep(text, |lists| &mut lists.needs_kept)?;
        }
        for (module, level) in lines {
            let lacking = self.lacking(stage, &module, level)?;
            if lacking.is_empty() {
                report.needs += 1;
                stage.needed(&module, level).map_err(CheckError::stage)?;
            } else {
                self.lacks = true;
                lacking.iter().for_each(|item| missing.add(item));
            }
        }
        Ok(())
    }

    /// What of a needed module version is not held. Of one that is not held at all, the name of the zip will do.
    fn lacking<S: Stage>(
        &self,
        stage: &S,
        module: &ModuleVersion,
        level: Level,
    ) -> Result<Vec<Item>, CheckError> {
        let holds = |item: &Item| stage.holds(item).map_err(CheckError::stage);
        let mut lacking = Vec::new();
        if level == Level::Zip {
            let zip = Item::Zip(module.clone());
            if !holds(&zip)? {
                return Ok(vec![zip]);
            }
            let info = Item::Info(module.clone());
            if !holds(&info)? {
                lacking.push(info);
            }
        }
        let go_mod = Item::Mod(module.clone());
        if !holds(&go_mod)? {
            lacking.push(go_mod);
        }
        let record = |db: &DbName| Item::Record(db.clone(), module.clone());
        for db in &self.dbs {
            if holds(&record(db))? {
                return Ok(lacking);
            }
        }
        // What is private has a pin instead.
        if holds(&Item::Pin(module.clone()))? {
            return Ok(lacking);
        }
        // Of any will do, so the one that the bundle's own modules have is named.
        let own = self.manifest.heads.first().map(|(db, _)| db);
        lacking.extend(own.or(self.dbs.first()).map(record));
        Ok(lacking)
    }

    /// Takes a text of bases: finds each zip, and notes what is not held, or with other bytes.
    pub(crate) fn base<S: Stage>(
        &mut self,
        item: &Item,
        text: &[u8],
        stage: &S,
        missing: &mut Missing,
        found: &mut Vec<Base<S::HeldZip>>,
        report: &mut Report,
    ) -> Result<(), CheckError> {
        let lines = (self.bases.text(text)).map_err(|error| self.bad(item, error))?;
        for ListedBase { module, sha256 } in lines {
            let held = stage.held_zip(&module, &sha256);
            match held.map_err(CheckError::stage)? {
                HeldZip::Same(zip) => {
                    report.bases += 1;
                    found.push(Base {
                        module,
                        sha256,
                        zip,
                    });
                    continue;
                }
                HeldZip::None => missing.add(&Item::Zip(module)),
                HeldZip::Other => missing.other_bytes(module, &sha256),
            }
            self.lacks = true;
        }
        Ok(())
    }

    /// Takes a text of tombstones, and tells the stage of each. The needs must be in.
    pub(crate) fn take_back<S: Stage>(
        &mut self,
        item: &Item,
        text: &[u8],
        stage: &mut S,
        report: &mut Report,
    ) -> Result<(), CheckError> {
        let lines = (self.tombstones.text(text)).map_err(|error| self.bad(item, error))?;
        self.keep(text, |lists| &mut lists.tombstones_kept)?;
        for (module, gone) in lines {
            if let Some(level) = self.walk_to::<Level>(Kind::Needs, &module)?
                && contradicts(gone, level)
            {
                return Err(self.contradiction(gone, &module, "it is needed"));
            }
            report.tombstones += 1;
            stage.gone(&module, gone).map_err(CheckError::stage)?;
        }
        Ok(())
    }

    /// Refuses an item that a tombstone of this bundle takes back. Of each kind, items come in order.
    pub(crate) fn carries(&mut self, item: &Item) -> Result<(), CheckError> {
        let (kind, level, module) = match item {
            Item::Info(module) => (Kind::Info, Level::Mod, module),
            Item::Mod(module) => (Kind::Mod, Level::Mod, module),
            Item::Zip(module) => (Kind::Zip, Level::Zip, module),
            _ => return Ok(()),
        };
        match self.walk_to::<Gone>(kind, module)? {
            Some(gone) if contradicts(gone, level) => {
                Err(self.contradiction(gone, module, &format!("{item} is carried")))
            }
            _ => Ok(()),
        }
    }

    /// Whether something that is needed is not held.
    pub(crate) fn lacks(&self) -> bool {
        self.lacks
    }

    /// The lists are as long as the manifest says. All of their texts must be in.
    pub(crate) fn are_whole(&self) -> Result<(), CheckError> {
        for (list, count, told) in [
            ("needs", self.needs.count(), self.manifest.needs),
            ("bases", self.bases.count(), self.manifest.bases),
            (
                "tombstones",
                self.tombstones.count(),
                self.manifest.tombstones,
            ),
        ] {
            if count != told {
                let what =
                    format!("its texts list {count} module versions, and the manifest says {told}");
                return Err(self.damaged(list, what));
            }
        }
        Ok(())
    }

    /// What the list walked by `kind` says of the module; the modules asked for must come in order.
    fn walk_to<K: ListKind>(
        &mut self,
        kind: Kind,
        module: &ModuleVersion,
    ) -> Result<Option<K>, CheckError> {
        let kept = match kind {
            Kind::Needs => &mut self.needs_kept,
            _ => &mut self.tombstones_kept,
        };
        let Some(kept) = kept else {
            return Ok(None);
        };
        let failed = |source| failed(&self.folder, source);
        let walk = match &mut self.walk {
            Some(walk) if walk.kind == kind => walk,
            other => other.insert(Walk {
                kind,
                cursor: kept.walk().map_err(failed)?,
            }),
        };
        walk.cursor.find(module).map_err(failed)
    }

    fn keep(
        &mut self,
        text: &[u8],
        which: impl FnOnce(&mut Self) -> &mut Option<Kept>,
    ) -> Result<(), CheckError> {
        let folder = self.folder.clone();
        let kept = match which(self) {
            Some(kept) => kept,
            none => none.insert(Kept(temp_file(&folder)?)),
        };
        kept.0
            .write_all(text)
            .map_err(|source| failed(&folder, source))
    }

    fn bad(&self, item: &Item, error: ListError) -> CheckError {
        self.damaged(&item.to_string(), error)
    }

    /// Lists are the first of a bundle's entries, so it is its first volume that is wrong.
    fn damaged(
        &self,
        list: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> CheckError {
        CheckError::damaged(&self.manifest.volume_file_name(1), list, source)
    }

    fn contradiction(&self, gone: Gone, module: &ModuleVersion, what: &str) -> CheckError {
        let what = format!("it takes back {} of {module}, and {what}", gone.word());
        self.damaged("tombstones", what)
    }
}

/// Whether a module version cannot be gone like this and named at this level by one bundle.
fn contradicts(gone: Gone, named: Level) -> bool {
    gone == Gone::All || named == Level::Zip
}

fn failed(folder: &Path, source: io::Error) -> CheckError {
    let what = format!("keeping a list in a temporary file in {}", folder.display());
    CheckError::io(what, source)
}

/// A list's texts, one behind the other, in an unlinked file.
struct Kept(File);

impl Kept {
    /// A walk from the first line. It ends every walk before it.
    fn walk(&mut self) -> io::Result<Cursor> {
        self.0.seek(SeekFrom::Start(0))?;
        Ok(Cursor {
            lines: BufReader::new(self.0.try_clone()?),
            ahead: None,
        })
    }
}

/// Where a walk is.
struct Cursor {
    lines: BufReader<File>,
    /// The line that the walk stopped before.
    ahead: Option<(ModuleVersion, String)>,
}

impl Cursor {
    /// The module's word, if it is listed. Modules must be asked for in order.
    fn find<K: ListKind>(&mut self, module: &ModuleVersion) -> io::Result<Option<K>> {
        loop {
            if let Some((listed, word)) = &self.ahead
                && listed >= module
            {
                return Ok(K::of_word(word).filter(|_| listed == module));
            }
            let mut line = String::new();
            if self.lines.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            // A text's first line begins with a word of no kind.
            let fields: Vec<&str> = line.trim_end_matches('\n').split(' ').collect();
            if let [word, path, version] = fields[..]
                && K::of_word(word).is_some()
            {
                let listed = ModuleVersion::parse(path, version)
                    .map_err(|_| io::Error::other("what was read back is not what was written"))?;
                self.ahead = Some((listed, word.into()));
            }
        }
    }
}
