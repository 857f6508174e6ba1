//! Writes a bundle: packs of small things, then the zips, behind an index and a manifest that bind them.
//!
//! The volume's index comes before its data, so what is [packed](crate::pack) and the packs of small things are made
//! first, in spools; zips that travel as they are, are known by the hashes of their check. Then, in this order:
//!
//! 1. every file of the bundle is written under a hidden name in the destination folder, and synced;
//! 2. the state [intends](State::intend) the bundle: its index, what it takes back, what it is built on, its
//!    folder, and then, as the pending one, its manifest;
//! 3. the volumes get their names, from the last to the first, and then the manifest: by renames, each followed by
//!    a sync of the folder;
//! 4. the state [remembers](State::remember) the bundle: only now it exists.
//!
//! What fails leaves no file of a bundle. Killed before 2, a run leaves hidden files, which a later one sweeps; in
//! 2, files in the state under a number that the next run writes again. From 3 on the bundle's files may lie there,
//! signed: so the next run [settles](crate::interrupted::settle) it first, wherever it was to be written. With the first
//! volume there, all are: it is finished, and counts. Else what there is of it is removed, and its number is used again;
//! where the folder is out of reach, nobody knows, and the number is passed over.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Fault, bytes};
use modferry_protocol::bundle::{
    self, Basis, BundleWriter, Encoding, Entry, IndexWriter, Item, Manifest, Missing, Pack,
    PackBuilder, Pin, Sequence, StreamName, bases_texts, cut, front_size, list_texts, needed_file,
};
use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::{self, SigningKey};
use modferry_protocol::sumdb::{DbName, TileSource};

use crate::answers::Carried;
use crate::basis::{Portion, Share};
use crate::bundle::files_named;
use crate::error::Error;
use crate::fetch::{Module, Sources};
use crate::files;
use crate::hidden::{HiddenVolumes, publish};
use crate::opaque::Selected;
use crate::pack::base::Base;
use crate::pack::{self, Packed, Packing, Zip};
use crate::policy::Policy;
use crate::progress::Progress;
use crate::snapshot::Carrying;
use crate::state::{BuiltOn, Intent, State};
use crate::sumdb::prove::Proof;

/// What goes into a bundle.
pub struct Contents<'c> {
    /// The stream.
    pub stream: StreamName,
    /// Its place in the stream.
    pub sequence: Sequence,
    /// The checksum database.
    pub db: DbName,
    /// What it is built on, as the manifest names it.
    pub basis: Basis,
    /// The same, as the state remembers it.
    pub built_on: &'c BuiltOn,
    /// The database's newest head.
    pub proof: &'c Proof,
    /// Where the files are.
    pub sources: &'c Sources,
    /// The modules that are selected.
    pub modules: &'c BTreeMap<ModuleVersion, Module>,
    /// What is carried of them, and what else is.
    pub portion: &'c Portion,
    /// Answers to queries, in their order.
    pub answers: Vec<Carried>,
    /// Opaque files.
    pub files: Selected,
    /// The vulnerability database, if the selection names one.
    pub vulndb: Option<Carrying<'c>>,
    /// Trust notes, by number.
    pub trust: Vec<(u64, Vec<u8>)>,
    /// What could not be had.
    pub missing: Vec<Missing>,
    /// The most bytes of a volume; one volume if there is no such limit.
    pub volume_size: Option<u64>,
    /// How zips travel.
    pub packing: Packing,
    /// Zips that the destination holds, for packing against.
    pub bases: &'c [Base],
    /// What says how large it may be.
    pub policy: &'c Policy,
}

/// A bundle that was written.
#[derive(Debug)]
pub struct Written {
    /// What it is.
    pub manifest: Manifest,
    /// The manifest as it was signed.
    pub note: Vec<u8>,
    /// The manifest's file, then the volumes.
    pub files: Vec<PathBuf>,
    /// Bytes of all.
    pub bytes: u64,
    /// How zips travel.
    pub packing: Packing,
    /// Zips that were to be packed and travel as they are, and why.
    pub verbatim: Vec<(ModuleVersion, String)>,
}

/// Refuses to write over a bundle that the state does not know: it would be another one of the same name.
pub fn refuse_existing(out: &Path, stream: &StreamName, sequence: Sequence) -> Result<(), Error> {
    match files_named(out, stream, sequence)?.first() {
        Some(path) => Err(taken(path)),
        None => Ok(()),
    }
}

fn taken(path: &Path) -> Error {
    Fault::new(
        Exit::Usage,
        format!("{} is there already, but not in this stream's state", path.display()),
    )
    .advise("use the state folder that it was exported with (--state), another --stream, or another --out")
    .into()
}

/// Writes the bundle into the folder.
pub fn write(
    contents: &Contents<'_>,
    key: &SigningKey,
    out: &Path,
    state: &State,
    progress: &Progress,
) -> Result<Written, Error> {
    let packed = packed(contents, progress)?;
    let mut spool = Spool::new(out)?;
    let tombstones = &contents.portion.tombstones;
    let tombstones: Vec<Vec<u8>> = list_texts(
        tombstones
            .iter()
            .map(|(module, gone)| (module.clone(), *gone)),
    )
    .collect::<Result<_, _>>()?;
    small_things(contents, &packed, &tombstones, &mut spool)?;
    let packs = spool.entries.len();
    for part in &packed.parts {
        spool.push(Entry {
            number: spool.index.next_number(),
            ..part.entry.clone()
        })?;
    }
    for file in &contents.files.carried {
        spool.push(Entry {
            number: spool.index.next_number(),
            encoding: Encoding::Raw,
            stored: file.size,
            sha256: file.sha256,
            items: vec![(Item::File(file.name.clone()), file.size)],
            zip_sha256: Vec::new(),
        })?;
    }
    let (index, digest, totals) = spool.index.finish();
    let manifest = Manifest {
        stream: contents.stream.clone(),
        sequence: contents.sequence,
        created: jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
        basis: contents.basis.clone(),
        needs: contents.portion.needs().count() as u64,
        bases: packed.bases.len() as u64,
        tombstones: contents.portion.tombstones.len() as u64,
        heads: vec![(contents.db.clone(), contents.proof.head.head())],
        vulndb: contents
            .vulndb
            .as_ref()
            .map(|carrying| carrying.vulndb.clone()),
        totals,
        deflated: packed.deflated,
        index: digest,
        missing: contents.missing.clone(),
    };
    let note = note::sign(&manifest.encode(), &[key])
        .map_err(|source| Error::usage_because("the manifest cannot be signed", source))?;
    let plans = cut(
        front_size(note.len() as u64, digest.size),
        spool.entries.iter().map(|entry| entry.stored),
        contents.volume_size,
    )?;
    let volumes_bytes: u64 = plans.iter().map(|plan| plan.size).sum();
    contents
        .policy
        .admit_bundle(volumes_bytes + note.len() as u64)?;
    room(out, volumes_bytes + note.len() as u64)?;

    progress.total(totals.carried_bytes);
    progress.phase("writing");
    let mut writer = BundleWriter::new(HiddenVolumes::new(out), &note, &index, plans)?;
    let mut small = spool.file;
    small
        .seek(SeekFrom::Start(0))
        .map_err(Error::file("read the spool in", out))?;
    for entry in &spool.entries[..packs] {
        writer.entry(
            entry,
            &mut counted((&mut small).take(entry.stored), progress),
        )?;
    }
    for (entry, part) in spool.entries[packs..].iter().zip(&packed.parts) {
        let bytes = packed.bytes(part)?;
        writer.entry(entry, &mut counted(bytes, progress))?;
    }
    for (entry, file) in spool.entries[packs + packed.parts.len()..]
        .iter()
        .zip(&contents.files.carried)
    {
        let bytes = File::open(&file.path).map_err(Error::file("read", &file.path))?;
        writer.entry(entry, &mut counted(bytes, progress))?;
    }
    let volumes = writer.finish()?.done;

    let mut sidecar = files::held_temp_in(out).map_err(Error::file("write into", out))?;
    sidecar
        .write_all(&note)
        .map_err(Error::file("write into", out))?;
    // From here on a run that is killed may leave the bundle's files: the next run has to know them.
    state.intend(&Intent {
        manifest: &manifest,
        note: &note,
        index: &index,
        tombstones: &tombstones,
        answers: &contents.answers,
        built_on: contents.built_on,
        folder: out,
    })?;
    let files = publish(out, &manifest, sidecar, volumes).map_err(|unnamed| {
        match unnamed.source.kind() {
            io::ErrorKind::AlreadyExists => taken(&unnamed.path),
            _ => Error::file("write", &unnamed.path)(unnamed.source),
        }
    })?;
    Ok(Written {
        bytes: volumes_bytes + note.len() as u64,
        manifest,
        note,
        files,
        packing: contents.packing,
        verbatim: packed.verbatim,
    })
}

/// Packs the zips that are carried, and tells of those that travel as they are all the same.
fn packed<'c>(contents: &Contents<'c>, progress: &Progress) -> Result<Packed, Error> {
    let carried = contents.carried(|share| share.zip);
    let zips: Vec<Zip<'c>> = carried
        .filter_map(|(module, entry)| {
            let file = entry.zip.as_ref()?;
            Some(Zip { module, file })
        })
        .collect();
    let folder = contents.sources.cache.root();
    let packed = pack::pack(&zips, contents.bases, contents.packing, folder, progress)?;
    for (module, why) in &packed.verbatim {
        progress.warn(&format!(
            "{module} is not packed and travels as it is: {why}"
        ));
    }
    for module in &packed.changed {
        progress.warn(&format!(
            "{module} was changed or removed in the cache during this run, so nothing is packed against it"
        ));
    }
    Ok(packed)
}

/// Needs, bases, tombstones, files that are needed or taken back, trust notes, heads, records, tiles, pins, infos, go.mods, answers to queries and the vulnerability database; each go.mod is verified as it is read.
fn small_things(
    contents: &Contents<'_>,
    packed: &Packed,
    tombstones: &[Vec<u8>],
    spool: &mut Spool,
) -> Result<(), Error> {
    let sources = contents.sources;
    let db = &contents.db;
    let needs = contents.portion.needs();
    for (number, text) in (1..).zip(list_texts(
        needs.map(|(module, level)| (module.clone(), level)),
    )) {
        spool.put(Item::Needs(number), &text?)?;
    }
    let bases: Vec<bundle::Base> = packed.bases.iter().map(of_list).collect();
    for (number, text) in (1..).zip(bases_texts(&bases)?) {
        spool.put(Item::Bases(number), &text)?;
    }
    for (number, text) in (1..).zip(tombstones) {
        spool.put(Item::Tombstones(number), text)?;
    }
    for (name, sha256) in &contents.files.held {
        spool.put(Item::NeededFile(name.clone()), &needed_file(sha256))?;
    }
    for name in &contents.portion.gone_files {
        spool.put(Item::GoneFile(name.clone()), &[])?;
    }
    for (number, note) in &contents.trust {
        spool.put(Item::Trust(*number), note)?;
    }
    spool.put(Item::Head(db.clone()), contents.proof.head.note())?;
    let vouched = || contents.carried(|share| share.for_selection);
    for (module, entry) in vouched().filter(|(module, _)| !sources.is_private(module)) {
        spool.put(
            Item::Record(db.clone(), module.clone()),
            &entry.record.encode(),
        )?;
    }
    let folder = sources.cache.root();
    let mut tiles: Vec<Item> = contents
        .portion
        .tiles
        .iter()
        .map(|tile| Item::Tile(db.clone(), *tile))
        .collect();
    tiles.sort();
    for item in tiles {
        let Item::Tile(_, tile) = &item else { continue };
        // Proven a moment ago, from this file; whoever changed it since makes a bundle that no one accepts.
        let bytes = TileSource::tile(&sources.sumdb, tile)
            .map_err(Error::file("read a tile in", folder))?
            .ok_or_else(|| vanished(&item))?;
        spool.put(item, &bytes)?;
    }
    for (module, entry) in vouched().filter(|(module, _)| sources.is_private(module)) {
        let pin = Pin {
            zip: entry.record.zip(),
            go_mod: entry.record.go_mod(),
        };
        spool.put(Item::Pin(module.clone()), &pin.encode(module))?;
    }
    for (module, _) in contents.carried(|share| share.info) {
        let item = Item::Info(module.clone());
        let bytes = sources
            .cache
            .info(module)
            .map_err(Error::file("read", &sources.cache.path(module, "info")))?
            .ok_or_else(|| vanished(&item))?;
        spool.put(item, &bytes)?;
    }
    for (module, entry) in contents.carried(|share| share.for_selection) {
        let item = Item::Mod(module.clone());
        let bytes = sources
            .cache
            .go_mod(module)
            .map_err(Error::file("read", &sources.cache.path(module, "mod")))?
            .filter(|bytes| H1::of_go_mod(bytes) == entry.record.go_mod())
            .ok_or_else(|| vanished(&item))?;
        spool.put(item, &bytes)?;
    }
    for answer in &contents.answers {
        spool.put(Item::Query(answer.query.clone()), &answer.bytes)?;
    }
    if let Some(carrying) = &contents.vulndb {
        let mut numbers = 1..;
        carrying.each_piece(|piece| {
            let number = numbers.next().unwrap_or_default();
            spool.put(Item::Vulndb(number), &piece)
        })?;
    }
    spool.close()
}

/// A base as the bundle's list has it.
fn of_list(base: &Base) -> bundle::Base {
    bundle::Base {
        module: base.module.clone(),
        sha256: base.sha256,
    }
}

impl<'c> Contents<'c> {
    /// The modules of which such a part is carried.
    fn carried(
        &self,
        part: impl Fn(&Share) -> bool,
    ) -> impl Iterator<Item = (&'c ModuleVersion, &'c Module)> {
        let shares = &self.portion.modules;
        self.modules
            .iter()
            .filter(move |(module, _)| shares.get(*module).is_some_and(&part))
    }
}

fn vanished(item: &Item) -> Error {
    Fault::new(
        Exit::Other,
        format!("{item} was changed or removed in the cache during this run"),
    )
    .advise("run the same command again: what is missing is fetched again")
    .into()
}

impl Module {
    /// Whether all of it is there, and it was asked for.
    pub fn is_whole(&self) -> bool {
        self.level == crate::fetch::Level::Whole && self.info && self.zip.is_some()
    }
}

/// The packs, in an unnamed file, and the index that grows with them.
struct Spool {
    folder: PathBuf,
    file: File,
    packs: PackBuilder,
    index: IndexWriter<Vec<u8>>,
    entries: Vec<Entry>,
}

impl Spool {
    fn new(folder: &Path) -> Result<Spool, Error> {
        Ok(Spool {
            folder: folder.to_owned(),
            file: tempfile::tempfile_in(folder).map_err(Error::file("write into", folder))?,
            packs: PackBuilder::new(),
            index: IndexWriter::new(Vec::new())?,
            entries: Vec::new(),
        })
    }

    fn put(&mut self, item: Item, bytes: &[u8]) -> Result<(), Error> {
        match self.packs.push(item, bytes)? {
            Some(pack) => self.pack(pack),
            None => Ok(()),
        }
    }

    fn close(&mut self) -> Result<(), Error> {
        match std::mem::take(&mut self.packs).finish()? {
            Some(pack) => self.pack(pack),
            None => Ok(()),
        }
    }

    fn pack(&mut self, pack: Pack) -> Result<(), Error> {
        let (entry, bytes) = pack.into_entry(self.index.next_number());
        self.file
            .write_all(&bytes)
            .map_err(Error::file("write into", &self.folder))?;
        self.push(entry)
    }

    fn push(&mut self, entry: Entry) -> Result<(), Error> {
        self.index.entry(&entry)?;
        self.entries.push(entry);
        Ok(())
    }
}

/// Refuses to begin where there is not room for it all.
pub(crate) fn room(out: &Path, needed: u64) -> Result<(), Error> {
    let Some(free) = free(out).filter(|free| *free < needed) else {
        return Ok(());
    };
    Err(Fault::new(
        Exit::NoRoom,
        format!("{} has room for {}, the bundle needs {}", out.display(), bytes(free), bytes(needed)),
    )
    .advise("make room, or name another folder with --out; nothing was written, and what was fetched is kept")
    .into())
}

/// How many bytes a folder has room for, if that is known.
pub(crate) fn free(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Counts what is read as progress.
pub(crate) struct Counted<'p, R> {
    inner: R,
    progress: &'p Progress,
}

pub(crate) fn counted<R: Read>(inner: R, progress: &Progress) -> Counted<'_, R> {
    Counted { inner, progress }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.progress.advance(n as u64);
        Ok(n)
    }
}
