//! Contents to deflate streams: every content in each of its forms, on all workers.
//!
//! A frame's contents are independent, so they are cut into batches of about [`BATCH`] bytes, and the next frame is read
//! and restored while this one's batches are under way. Each stream that was written is inflated and compared with the
//! content that it was made of: what is then known of the content (its SHA-256, computed once) is known of the stream's
//! very bytes, and no zip that has them need inflate them again.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use flate2::{Decompress, FlushDecompress, Status};
use modferry_deflate::{Deflater, TooLong};
use modferry_protocol::bundle::{DeflatedTotals, Form, RestoredContents};
use sha2::{Digest, Sha256};

use super::Streams;
use super::streams::Stream;
use crate::CheckError;
use crate::workers::{Pending, Workers};

/// The most bytes of frames of contents in memory at a time: the one that is being read, as stored and as restored with
/// its prefix, and those whose deflate streams are being written, which count too. One frame is always let in.
pub const FRAMES_IN_FLIGHT: u64 = 160 << 20;

/// Bytes of contents in a batch, unless a single one has more.
const BATCH: usize = 1 << 20;

/// The most contents in a batch: what is known of a stream takes memory, too, and a content may have no bytes.
const BATCH_CONTENTS: usize = 4096;

/// Where one batch's deflate streams are made; a larger buffer is given back at once.
const KEPT_BUFFER: usize = 2 * BATCH;

/// What a worker writes deflate streams with.
pub(crate) struct RebuildTools {
    deflater: Deflater,
    inflate: Decompress,
    inflated: Box<[u8]>,
    made: Vec<u8>,
}

impl RebuildTools {
    pub(crate) fn new() -> RebuildTools {
        RebuildTools {
            deflater: Deflater::new(),
            inflate: Decompress::new(false),
            inflated: vec![0; 64 << 10].into_boxed_slice(),
            made: Vec::new(),
        }
    }

    /// Adds what zips have of a content in this form to what was made; gives how zips have it: 0 as it is, 8 deflated.
    fn make(&mut self, form: Form, content: &[u8], streams: &Streams) -> Result<u8, Fault> {
        let start = self.made.len();
        // What this batch has made is not set aside yet.
        let left = streams.left().saturating_sub(start as u64);
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        match form {
            Form::AsIs if content.len() > most => Err(Fault::TooMany),
            Form::AsIs => {
                self.made.extend_from_slice(content);
                Ok(0)
            }
            Form::Written(writer) => {
                (self.deflater)
                    .deflate(writer, content, most, &mut self.made)
                    .map_err(|TooLong { .. }| Fault::TooMany)?;
                if !self.inflates_to(start..self.made.len(), content) {
                    return Err(Fault::Unlike);
                }
                Ok(8)
            }
        }
    }

    /// Keeps what was made, which is of these streams, and begins anew.
    fn keep(
        &mut self,
        first: &mut u64,
        known: &mut Vec<Stream>,
        streams: &Streams,
    ) -> Result<(), Fault> {
        let kept = streams.keep(*first, known, &self.made).map_err(Fault::Io)?;
        *first += known.len() as u64;
        known.clear();
        self.made.clear();
        if self.made.capacity() > KEPT_BUFFER {
            self.made = Vec::new();
        }
        if kept { Ok(()) } else { Err(Fault::TooMany) }
    }

    /// Whether it is one deflate stream and nothing behind it, and inflates to that.
    fn inflates_to(&mut self, from: Range<usize>, content: &[u8]) -> bool {
        let mut packed = &self.made[from];
        let mut expected = content;
        self.inflate.reset(false);
        loop {
            let (total_in, total_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status =
                (self.inflate).decompress(packed, &mut self.inflated, FlushDecompress::None);
            let consumed = (self.inflate.total_in() - total_in) as usize;
            let produced = (self.inflate.total_out() - total_out) as usize;
            let Some(behind) = expected.strip_prefix(&self.inflated[..produced]) else {
                return false;
            };
            (packed, expected) = (&packed[consumed..], behind);
            match status {
                Ok(Status::StreamEnd) => return packed.is_empty() && expected.is_empty(),
                Ok(_) if consumed > 0 || produced > 0 => {}
                _ => return false,
            }
        }
    }
}

/// Why a batch has no deflate streams.
#[derive(Debug)]
enum Fault {
    /// There are more bytes of them than the manifest says.
    TooMany,
    /// The stream that was made of a content is none of it. That is a fault of this program.
    Unlike,
    /// They could not be kept.
    Io(io::Error),
}

/// Writes the deflate streams of some contents, the first of them being of that number, and keeps them.
fn rebuild(
    tools: &mut RebuildTools,
    contents: &RestoredContents,
    batch: Range<usize>,
    mut first: u64,
    streams: &Streams,
) -> Result<(), Fault> {
    let mut known = Vec::new();
    tools.made.clear();
    for n in batch {
        let content = contents.content(n);
        let (crc32, sha256) = (crc32fast::hash(content), Sha256::digest(content).into());
        for form in contents.forms(n) {
            let start = tools.made.len();
            let method = tools.make(*form, content, streams)?;
            known.push(Stream {
                method,
                // A content has 64 MiB at most, and no writer doubles it.
                packed: (tools.made.len() - start) as u32,
                unpacked: content.len() as u32,
                crc32,
                sha256,
            });
            // A large content may have several forms: not all of them at once.
            if tools.made.len() >= BATCH {
                tools.keep(&mut first, &mut known, streams)?;
            }
        }
    }
    tools.keep(&mut first, &mut known, streams)
}

/// A frame whose deflate streams are to be written.
pub(crate) struct Frame {
    /// The volume that it ended in, and the entry, for errors.
    pub(crate) volume: String,
    pub(crate) entry: String,
    /// Bytes as restored.
    pub(crate) size: u64,
    pub(crate) contents: RestoredContents,
}

/// The frames whose deflate streams are being written, in order.
#[derive(Default)]
pub(crate) struct Frames {
    under_way: VecDeque<UnderWay>,
    /// The bytes that they count.
    bytes: u64,
}

struct UnderWay {
    volume: String,
    entry: String,
    bytes: u64,
    batches: Vec<Pending<Result<(), Fault>>>,
}

impl Frames {
    /// Waits until so many bytes have room beside the frames under way, or none is under way.
    pub(crate) fn make_room(&mut self, bytes: u64, streams: &Streams) -> Result<(), CheckError> {
        while self.bytes.saturating_add(bytes) > FRAMES_IN_FLIGHT && self.finish_one(streams)? {}
        Ok(())
    }

    /// Has the workers write a frame's deflate streams.
    pub(crate) fn submit<'env, Z: Send + Sync + 'env>(
        &mut self,
        frame: Frame,
        parts: &Arc<super::Parts<Z>>,
        workers: &Workers<'env>,
    ) -> Result<(), CheckError> {
        let Frame {
            volume,
            entry,
            size,
            contents,
        } = frame;
        let count = contents.len();
        let forms: u64 = (0..count).map(|n| contents.forms(n).len() as u64).sum();
        let streams = &parts.streams;
        let Some(mut first) = streams.announce(forms) else {
            return Err(CheckError::damaged(&volume, entry, too_many(streams)));
        };
        let largest = (0..count).map(|n| contents.content(n).len()).max();
        let made = ((largest.unwrap_or(0) + BATCH) * workers.count()) as u64;
        let contents = Arc::new(contents);
        let mut batches = Vec::new();
        for batch in batches_of(&contents) {
            let (contents, parts, number) = (contents.clone(), parts.clone(), first);
            first += batch
                .clone()
                .map(|n| contents.forms(n).len() as u64)
                .sum::<u64>();
            batches.push(workers.submit(move |tools| {
                rebuild(tools.rebuild(), &contents, batch, number, &parts.streams)
            })?);
        }
        let bytes = size.saturating_add(made.min(size));
        self.bytes += bytes;
        self.under_way.push_back(UnderWay {
            volume,
            entry,
            bytes,
            batches,
        });
        Ok(())
    }

    /// Waits for the oldest frame; `false` when none is under way.
    fn finish_one(&mut self, streams: &Streams) -> Result<bool, CheckError> {
        let Some(frame) = self.under_way.pop_front() else {
            return Ok(false);
        };
        for batch in frame.batches {
            let what = match batch.wait()? {
                Ok(()) => continue,
                Err(Fault::Io(source)) => return Err(streams.failed(source)),
                Err(Fault::TooMany) => too_many(streams),
                Err(Fault::Unlike) => {
                    "a deflate stream that was written of it does not inflate to it: a fault of this program".into()
                }
            };
            return Err(CheckError::damaged(&frame.volume, frame.entry, what));
        }
        self.bytes -= frame.bytes;
        Ok(true)
    }

    /// Waits for all frames.
    pub(crate) fn finish(&mut self, streams: &Streams) -> Result<(), CheckError> {
        while self.finish_one(streams)? {}
        Ok(())
    }
}

/// Consecutive contents, of about [`BATCH`] bytes together and [`BATCH_CONTENTS`] at most.
fn batches_of(contents: &RestoredContents) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for n in 0..contents.len() {
        let size = contents.content(n).len();
        if n > start && (bytes + size > BATCH || n - start == BATCH_CONTENTS) {
            batches.push(start..n);
            (start, bytes) = (n, 0);
        }
        bytes += size;
    }
    batches.push(start..contents.len());
    batches
}

fn too_many(streams: &Streams) -> String {
    let DeflatedTotals { streams, bytes } = streams.limits();
    format!(
        "its contents give more than the {streams} deflate streams of {bytes} bytes that the manifest says"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_protocol::bundle::{ContentsWriter, StoredContents};
    use std::io::Write;

    #[test]
    fn nothing_is_made_of_a_content_that_has_no_room() {
        let limits = |bytes| DeflatedTotals { streams: 9, bytes };
        let folder = std::env::temp_dir();
        for form in [
            Form::AsIs,
            Form::Written(modferry_deflate::Writer::GoChains),
        ] {
            let mut tools = RebuildTools::new();
            let all = Streams::new(limits(u64::MAX), &folder).unwrap();
            tools.make(form, b"content", &all).unwrap();
            let made = tools.made.len() as u64;
            let enough = Streams::new(limits(2 * made), &folder).unwrap();
            tools.make(form, b"content", &enough).unwrap();
            // What this batch has made already is in it.
            let few = Streams::new(limits(3 * made - 1), &folder).unwrap();
            let fault = tools.make(form, b"content", &few);
            assert!(matches!(fault, Err(Fault::TooMany)), "{form:?}");
            assert!((tools.made.len() as u64) < 3 * made);
        }
    }

    /// How many contents each batch has.
    fn batches(sizes: &[usize]) -> Vec<usize> {
        let table: Vec<_> = (sizes.iter())
            .map(|size| (*size as u64, vec![Form::AsIs]))
            .collect();
        let mut writer = ContentsWriter::new(1, &[], &[], &table).unwrap();
        writer.write_all(&vec![7; sizes.iter().sum()]).unwrap();
        let restored = writer.restored();
        let stored = StoredContents::parse(writer.finish().unwrap()).unwrap();
        let batches = batches_of(&stored.restore(&[], restored).unwrap());
        assert!(batches.is_sorted_by(|a, b| a.end == b.start));
        batches.iter().map(Range::len).collect()
    }

    #[test]
    fn batches_have_a_mebibyte_and_4096_contents_at_most() {
        assert_eq!(batches(&[BATCH - 1, 1, 0]), [3]);
        assert_eq!(batches(&[BATCH - 1, 2, 5]), [1, 2]);
        assert_eq!(batches(&[3 * BATCH, 1, 1]), [1, 2]);
        assert_eq!(batches(&[0; 4096]), [4096]);
        assert_eq!(batches(&[0; 8193]), [4096, 4096, 1]);
    }
}
