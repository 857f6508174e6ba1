//! Frames of contents: compressed, and then restored to see that they are whole.
//!
//! Contents pass from the zips through a small buffer into the compressor, so that a frame under way is held once: in
//! the compressor's window. When it is done, the reader's own code restores it, and each content must have the hash
//! that it was found with.

use std::io::{self, BufReader, Write};
use std::path::Path;

use flate2::bufread::DeflateDecoder;
use modferry_deflate::Writer;
use modferry_protocol::bundle::{BaseEntry, ContentsWriter, Form, StoredContents};
use sha2::{Digest as _, Sha256};

use super::analyse::{Key, half};
use super::group::{Files, Group, Opened};
use super::held::HeldEntry;
use super::level::Level;
use super::order::{Content, Frame, Order};
use super::slice::Slice;
use super::spool::{Chunk, Spool};
use super::{FRAMES_AT_ONCE, workers};
use crate::error::Error;
use crate::progress::Progress;

/// A frame's stored bytes, and its size as restored; or which contents did not come out of it again, and why.
pub(super) type Outcome = Result<(Chunk, u64), (Vec<usize>, String)>;

/// Compresses the frames.
pub(super) fn frames(
    group: &Group<'_>,
    order: &Order,
    level: &Level,
    spool: &Spool,
    threads: usize,
    progress: &Progress,
) -> Result<Vec<Outcome>, Error> {
    let job = |files: &mut Files, at: usize| {
        let frame = &order.frames[at];
        let frame = Contents {
            group,
            order,
            frame,
            contents: &order.contents[frame.contents.clone()],
        };
        frame.packed(level, files, spool, progress)
    };
    let threads = threads.min(FRAMES_AT_ONCE);
    workers::each(threads, order.frames.len(), Files::default, job)
}

struct Contents<'c> {
    group: &'c Group<'c>,
    order: &'c Order,
    frame: &'c Frame,
    contents: &'c [Content],
}

impl Contents<'_> {
    fn packed(
        &self,
        level: &Level,
        files: &mut Files,
        spool: &Spool,
        progress: &Progress,
    ) -> Result<Outcome, Error> {
        let all = || self.frame.contents.clone().collect();
        let prefix = match self.prefix() {
            Ok(prefix) => prefix,
            Err(source) => return Ok(Err((all(), format!("its base cannot be read: {source}")))),
        };
        let (stored, size) = match self.compressed(level, &prefix, files, progress) {
            Ok(compressed) => compressed,
            Err(source) => return Ok(Err((all(), format!("it cannot be compressed: {source}")))),
        };
        let chunk = spool.put(&stored)?;
        Ok(self.proven(stored, &prefix, size).map(|()| (chunk, size)))
    }

    /// What the frame is compressed against: the contents of entries that the destination holds.
    fn prefix(&self) -> io::Result<Vec<u8>> {
        let size = self.frame.prefix.iter().map(|held| held.size).sum::<u64>();
        let mut prefix = Vec::with_capacity(size as usize);
        let mut base: Option<(u32, Opened)> = None;
        for held in &self.frame.prefix {
            let opened = match base.take() {
                Some((number, opened)) if number == held.base => opened,
                _ => Opened::new(&self.group.held.bases[held.base as usize].path)?,
            };
            let begin = prefix.len();
            opened.unpack(held.entry, &mut prefix)?;
            if (prefix.len() - begin) as u64 != held.size {
                return Err(io::Error::other("an entry is not as large as it says"));
            }
            base = Some((held.base, opened));
        }
        Ok(prefix)
    }

    /// The frame as it is stored.
    fn compressed(
        &self,
        level: &Level,
        prefix: &[u8],
        files: &mut Files,
        progress: &Progress,
    ) -> io::Result<(Vec<u8>, u64)> {
        let of_list = |held: &HeldEntry| {
            let base = self.order.bases.get(&held.base).copied();
            let base = base.ok_or_else(|| io::Error::other("a base that is not in the list"))?;
            Ok(BaseEntry {
                base,
                entry: held.entry,
            })
        };
        let bases = self
            .frame
            .prefix
            .iter()
            .map(of_list)
            .collect::<io::Result<Vec<_>>>()?;
        let table: Vec<(u64, Vec<Form>)> = self
            .contents
            .iter()
            .map(|content| (content.size, forms(content.forms)))
            .collect();
        let out = ContentsWriter::new(level.zstd, prefix, &bases, &table);
        let mut out = out.map_err(io::Error::other)?;
        for content in self.contents {
            copy(files, self.path(content), content, &mut out)?;
            progress.advance(content.size);
        }
        let size = out.restored();
        Ok((out.finish().map_err(io::Error::other)?, size))
    }

    /// Restores the frame as the other side does, and looks whether each content is what it was.
    fn proven(
        &self,
        stored: Vec<u8>,
        prefix: &[u8],
        size: u64,
    ) -> Result<(), (Vec<usize>, String)> {
        let restored = StoredContents::parse(stored)
            .and_then(|stored| stored.restore(prefix, size))
            .map_err(|error| (self.frame.contents.clone().collect(), error.to_string()))?;
        let differs = |at: &usize| {
            let content = &self.order.contents[*at];
            let is = half(Sha256::digest(restored.content(at - self.frame.contents.start)).into());
            match content.key {
                (was, 0) => is != was,
                _ => !self.hash_of_piece(content).is_ok_and(|was| is == was),
            }
        };
        let lost: Vec<usize> = self.frame.contents.clone().filter(differs).collect();
        match lost.is_empty() {
            true => Ok(()),
            false => Err((lost, "its contents changed while they were packed".into())),
        }
    }

    /// A piece is known by what it is a piece of, so its own hash is taken from there.
    fn hash_of_piece(&self, content: &Content) -> io::Result<Key> {
        let mut hasher = Sha256::new();
        copy(
            &mut Files::default(),
            self.path(content),
            content,
            &mut hasher,
        )?;
        Ok(half(hasher.finalize().into()))
    }

    /// The zip that a content comes from.
    fn path(&self, content: &Content) -> &Path {
        &self.group.zips[content.origin.zip as usize].file.path
    }
}

fn forms(codes: u8) -> Vec<Form> {
    let as_it_is = (codes & 1 != 0).then_some(Form::AsIs);
    let written = Writer::ALL
        .into_iter()
        .filter(|writer| codes & 1 << writer.code() != 0)
        .map(Form::Written);
    as_it_is.into_iter().chain(written).collect()
}

/// Copies a content out of the zip that it comes from.
fn copy(files: &mut Files, path: &Path, content: &Content, out: &mut dyn Write) -> io::Result<()> {
    let file = files.of(path)?;
    let origin = content.origin;
    let of_entry = content.packed.clone().unwrap_or(0..origin.packed);
    let packed = Slice::new(
        file,
        origin.offset + of_entry.start..origin.offset + of_entry.end,
    );
    let copied = match content.packed {
        Some(_) => io::copy(&mut BufReader::with_capacity(BUFFER, packed), out)?,
        None => {
            let packed = BufReader::with_capacity(BUFFER, packed);
            io::copy(&mut DeflateDecoder::new(packed), out)?
        }
    };
    if copied != content.size {
        return Err(io::Error::other("a zip changed while it was packed"));
    }
    Ok(())
}

/// What is read of a zip at once: most entries are smaller.
const BUFFER: usize = 32 << 10;
