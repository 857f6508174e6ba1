//! `volumes`: the same bundle in volumes of another size, without a key.
//!
//! What is signed does not depend on the cut, so the entries, the index and the manifest stay as they are, byte for
//! byte, and so do the signatures; those of the manifest's file ride in the new volumes, too. Each entry is held
//! against the signed index on its way. Tar headers and `volume` files of the old volumes are not copied but written
//! anew.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use modferry_cli::{Exit, Fault};
use modferry_protocol::bundle::{
    BundleWriter, Entry, IndexReader, Manifest, WriteError, cut, front_size,
};

use crate::bundle::{self, Bundle};
use crate::error::Error;
use crate::files;
use crate::front::Front;
use crate::hidden::{HiddenVolumes, publish};
use crate::progress::Progress;
use crate::write::{counted, room};

/// A bundle that was cut anew.
#[derive(Debug)]
pub struct Recut {
    /// What it is.
    pub manifest: Manifest,
    /// The manifest's file, then the volumes.
    pub files: Vec<PathBuf>,
    /// Bytes of all.
    pub bytes: u64,
}

/// Writes the bundle into another folder, in volumes of at most `limit` bytes, or in one.
pub fn recut(
    bundle: &Bundle,
    limit: Option<u64>,
    out: &Path,
    progress: &Progress,
) -> Result<Recut, Error> {
    bundle.all_are_there()?;
    files::make_folders(out).map_err(Error::file("make", out))?;
    files::sweep(out);
    let manifest = &bundle.manifest;
    if let Some(path) = bundle::files_named(out, &manifest.stream, manifest.sequence)?.first() {
        return Err(taken(path));
    }
    let mut index = Vec::new();
    let read = bundle.index.bytes().read_to_end(&mut index);
    read.map_err(Error::file("read", &bundle.volumes[0].path))?;
    let entries: Vec<Entry> = IndexReader::new(index.as_slice()).collect::<Result<_, _>>()?;
    let plans = cut(
        front_size(bundle.note.len() as u64, index.len() as u64),
        entries.iter().map(|entry| entry.stored),
        limit,
    )?;
    let bytes: u64 = plans.iter().map(|plan| plan.size).sum();
    room(out, bytes + bundle.note.len() as u64)?;

    progress.total(manifest.totals.carried_bytes);
    progress.phase("writing");
    let parts = layout(bundle, &entries)?;
    let mut writer = BundleWriter::new(HiddenVolumes::new(out), &bundle.note, &index, plans)?;
    for (entry, parts) in entries.iter().zip(&parts) {
        let mut bytes = counted(Reader::new(parts), progress);
        writer
            .entry(entry, &mut bytes)
            .map_err(|error| match error {
                WriteError::Mismatch { .. } => damaged(entry, parts),
                error => error.into(),
            })?;
    }
    let volumes = writer.finish()?.done;
    let mut sidecar = files::held_temp_in(out).map_err(Error::file("write into", out))?;
    sidecar
        .write_all(&bundle.note)
        .map_err(Error::file("write into", out))?;
    let files = publish(out, manifest, sidecar, volumes).map_err(|unnamed| {
        match unnamed.source.kind() {
            io::ErrorKind::AlreadyExists => taken(&unnamed.path),
            _ => Error::file("write", &unnamed.path)(unnamed.source),
        }
    })?;
    Ok(Recut {
        manifest: manifest.clone(),
        files,
        bytes: bytes + bundle.note.len() as u64,
    })
}

fn taken(path: &Path) -> Error {
    Fault::new(
        Exit::Usage,
        format!(
            "{} is there already: nothing is written over",
            path.display()
        ),
    )
    .advise("name another folder with --out")
    .into()
}

fn damaged(entry: &Entry, parts: &[Part<'_>]) -> Error {
    let paths = parts.iter().map(|part| part.front.path.display());
    let names: Vec<String> = paths.map(|path| path.to_string()).collect();
    let names = names.join(", ");
    Fault::new(
        Exit::Damaged,
        format!("{names}: {entry} is damaged: its bytes are not those that were signed"),
    )
    .advise(format!(
        "copy {names} again from where it was exported to; nothing was written"
    ))
    .into()
}

/// A stretch of a volume that has some of an entry's bytes.
struct Part<'b> {
    front: &'b Front,
    at: u64,
    size: u64,
}

/// A tar's unit.
const BLOCK: u64 = 512;

/// Where each entry's bytes are, as the volumes say; an entry's hash then shows whether they said the truth.
fn layout<'b>(bundle: &'b Bundle, entries: &[Entry]) -> Result<Vec<Vec<Part<'b>>>, Error> {
    let mut parts: Vec<Vec<Part<'b>>> = entries.iter().map(|_| Vec::new()).collect();
    for front in &bundle.volumes {
        let mut at = front.entries_at;
        let (first, last) = front.volume.entries.unwrap_or((1, 0));
        for number in first..=last {
            let place = number as usize - 1;
            let (Some(entry), Some(parts)) = (entries.get(place), parts.get_mut(place)) else {
                return Err(misfit(front));
            };
            let (offset, size) = match front.volume.extent_of(number) {
                Some(extent) => (extent.offset, extent.size),
                None => (0, entry.stored),
            };
            let have: u64 = parts.iter().map(|part| part.size).sum();
            if offset != have || size > entry.stored - have {
                return Err(misfit(front));
            }
            let at_data = at + BLOCK;
            at = at_data + size.next_multiple_of(BLOCK);
            parts.push(Part {
                front,
                at: at_data,
                size,
            });
        }
    }
    for (entry, parts) in entries.iter().zip(&parts) {
        let have: u64 = parts.iter().map(|part| part.size).sum();
        if have != entry.stored {
            return Err(misfit(
                parts.last().map_or(&bundle.volumes[0], |part| part.front),
            ));
        }
    }
    Ok(parts)
}

fn misfit(front: &Front) -> Error {
    Fault::new(
        Exit::Damaged,
        format!(
            "{}: what it says that it has does not fit what the other volumes have",
            front.path.display()
        ),
    )
    .advise("the volumes are of two cuts of the bundle, or one is damaged: modferry-bundler inspect FILE tells")
    .into()
}

/// An entry's bytes, part by part. One volume is open at a time.
struct Reader<'p, 'b> {
    parts: std::slice::Iter<'p, Part<'b>>,
    under_way: Option<io::Take<File>>,
}

impl<'p, 'b> Reader<'p, 'b> {
    fn new(parts: &'p [Part<'b>]) -> Self {
        Self {
            parts: parts.iter(),
            under_way: None,
        }
    }
}

impl Read for Reader<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(part) = &mut self.under_way {
                let n = part.read(buf)?;
                if n > 0 || buf.is_empty() {
                    return Ok(n);
                }
            }
            let Some(part) = self.parts.next() else {
                return Ok(0);
            };
            let mut file = File::open(&part.front.path)?;
            file.seek(SeekFrom::Start(part.at))?;
            self.under_way = Some(file.take(part.size));
        }
    }
}
