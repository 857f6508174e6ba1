//! Writes a bundle: packs of small things, then the zips, behind an index and a manifest that bind them.
//!
//! The volume's index comes before its data, so the packs are made first, in a spool; zips are known by the
//! hashes of their check. Everything is written under hidden names in the destination folder, synced, and
//! renamed: the volumes from the last to the first, then the manifest. What fails leaves no file of a bundle.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Fault, bytes};
use modferry_protocol::bundle::{
    Basis, BundleWriter, Encoding, Entry, IndexWriter, Item, MAX_MANIFEST, Manifest, Missing, Pack,
    PackBuilder, Sequence, StreamName, Volume, cut, front_size,
};
use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::{self, SigningKey};
use modferry_protocol::sumdb::{DbName, TileSource};

use crate::bundle::files_named;
use crate::error::Error;
use crate::fetch::{Module, Sources};
use crate::files;
use crate::hidden::{HiddenVolumes, publish, withdraw};
use crate::progress::Progress;
use crate::state::State;
use crate::sumdb::prove::Proof;

/// What goes into a bundle.
pub struct Contents<'c> {
    /// The stream.
    pub stream: StreamName,
    /// Its place in the stream.
    pub sequence: Sequence,
    /// The checksum database.
    pub db: DbName,
    /// Its newest head, and the tiles that clients need.
    pub proof: &'c Proof,
    /// Where the files are.
    pub sources: &'c Sources,
    /// The modules.
    pub modules: &'c BTreeMap<ModuleVersion, Module>,
    /// Trust notes, by number.
    pub trust: Vec<(u64, Vec<u8>)>,
    /// What could not be had.
    pub missing: Vec<Missing>,
    /// The most bytes of a volume; one volume if there is no such limit.
    pub volume_size: Option<u64>,
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

/// Finishes what a run that was killed had as good as done: the volume stands in the folder with exactly the
/// manifest that the state noted before it got its name. Its manifest's file is written if it is not there,
/// and the state learns of it. Whatever else stands there is not touched. Returns the bundle's name.
pub fn finish_interrupted(out: &Path, state: &State) -> Result<Option<String>, Error> {
    let Some((manifest, note)) = state.pending(state.next()?)? else {
        return Ok(None);
    };
    let volume = out.join(manifest.volume_file_name(1));
    let Ok(file) = File::open(&volume) else {
        withdraw(out, &manifest, &note)?;
        return Ok(None);
    };
    if !Volume::open(BufReader::new(file)).is_ok_and(|found| found.manifest_note() == note) {
        return Ok(None);
    }
    let sidecar = out.join(manifest.file_name());
    match files::read_bounded(&sidecar, MAX_MANIFEST) {
        Ok(found) if found == note => {}
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            files::write_durably(&sidecar, &note).map_err(Error::file("write", &sidecar))?;
        }
        Err(source) => return Err(Error::file("read", &sidecar)(source)),
    }
    state.remember(&manifest, &note)?;
    Ok(Some(manifest.file_name()))
}

/// Writes the bundle into the folder.
pub fn write(
    contents: &Contents<'_>,
    key: &SigningKey,
    out: &Path,
    state: &State,
    progress: &Progress,
) -> Result<Written, Error> {
    let mut spool = Spool::new(out)?;
    small_things(contents, &mut spool)?;
    let packs = spool.entries.len();
    let mut zips = Vec::new();
    for (module, entry) in contents.modules {
        if let (true, Some(zip)) = (entry.is_whole(), &entry.zip) {
            spool.push(Entry {
                number: spool.index.next_number(),
                encoding: Encoding::Raw,
                stored: zip.size,
                sha256: zip.sha256,
                items: vec![(Item::Zip(module.clone()), zip.size)],
            })?;
            zips.push(&zip.path);
        }
    }
    let (index, digest, totals) = spool.index.finish();
    let manifest = Manifest {
        stream: contents.stream.clone(),
        sequence: contents.sequence,
        created: jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string(),
        basis: Basis::None,
        needs: 0,
        tombstones: 0,
        heads: vec![(contents.db.clone(), contents.proof.head.head())],
        totals,
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
    for (entry, path) in spool.entries[packs..].iter().zip(zips) {
        let zip = File::open(path).map_err(Error::file("read", path))?;
        writer.entry(entry, &mut counted(zip, progress))?;
    }
    let volumes = writer.finish()?.done;

    let mut sidecar = files::held_temp_in(out).map_err(Error::file("write into", out))?;
    sidecar
        .write_all(&note)
        .map_err(Error::file("write into", out))?;
    // From here on a run that is killed may leave the bundle's files: the next run has to know them.
    state.intend(&manifest, &note, &index)?;
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
    })
}

/// Trust notes, heads, records, tiles, infos and go.mods, each verified as it is read.
fn small_things(contents: &Contents<'_>, spool: &mut Spool) -> Result<(), Error> {
    let sources = contents.sources;
    let db = &contents.db;
    for (number, note) in &contents.trust {
        spool.put(Item::Trust(*number), note)?;
    }
    spool.put(Item::Head(db.clone()), contents.proof.head.note())?;
    for (module, entry) in contents.modules {
        spool.put(
            Item::Record(db.clone(), module.clone()),
            &entry.record.encode(),
        )?;
    }
    let folder = sources.cache.root();
    let mut tiles: Vec<Item> = contents
        .proof
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
    for (module, _) in contents.modules.iter().filter(|(_, entry)| entry.info) {
        let item = Item::Info(module.clone());
        let bytes = sources
            .cache
            .info(module)
            .map_err(Error::file("read", &sources.cache.path(module, "info")))?
            .ok_or_else(|| vanished(&item))?;
        spool.put(item, &bytes)?;
    }
    for (module, entry) in contents.modules {
        let item = Item::Mod(module.clone());
        let bytes = sources
            .cache
            .go_mod(module)
            .map_err(Error::file("read", &sources.cache.path(module, "mod")))?
            .filter(|bytes| H1::of_go_mod(bytes) == entry.record.go_mod())
            .ok_or_else(|| vanished(&item))?;
        spool.put(item, &bytes)?;
    }
    spool.close()
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
    let Ok(stat) = rustix::fs::statvfs(out) else {
        return Ok(());
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free >= needed {
        return Ok(());
    }
    Err(Fault::new(
        Exit::NoRoom,
        format!("{} has room for {}, the bundle needs {}", out.display(), bytes(free), bytes(needed)),
    )
    .advise("make room, or name another folder with --out; nothing was written, and what was fetched is kept")
    .into())
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
