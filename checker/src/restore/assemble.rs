//! One zip: put together from its recipe, hashed and checked.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use modferry_protocol::bundle::{Deflated, DeflatedFacts, Digest, Recipe, RecipeError, Source};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::{Known, ReadAt, ZipError, ZipFacts};
use sha2::{Digest as _, Sha256};

use super::Parts;
use super::bases::Reader;
use super::streams::Kept;
use crate::pipeline::Body;
use crate::workers::Tools;

/// Bytes that are copied at a time.
const PIECE: usize = 64 << 10;

/// Why a zip is not the one that the index names, or not one that is taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error(transparent)]
    Recipe(RecipeError),
    #[error("its recipe makes {made} bytes, the index has {size}")]
    Shorter { made: u64, size: u64 },
    #[error("what its recipe makes does not have the SHA-256 of the index")]
    Sha256,
    /// A temporary file failed, or what the destination holds.
    #[error("putting a zip together failed")]
    Io(#[source] io::Error),
    #[error(transparent)]
    Zip(#[from] ZipError),
}

/// Puts a zip together in `body`, which has its size, and checks it as one that came as it is.
pub(crate) fn restore<Z: ReadAt>(
    parts: &Parts<Z>,
    tools: &mut Tools<'_>,
    module: &ModuleVersion,
    recipe: Recipe,
    wanted: &Digest,
    body: &mut Body,
) -> Result<ZipFacts, Unfit> {
    let mut sources = Sources {
        parts,
        reader: parts.bases.reader(),
        last: None,
        size: wanted.size,
        buffer: vec![0; PIECE],
    };
    let unfit = |error| match error {
        RecipeError::Io(source) => Unfit::Io(source),
        error => Unfit::Recipe(error),
    };
    let size = wanted.size;
    let made = (recipe.size(module, &mut sources, size)).map_err(unfit)?;
    if made != size {
        return Err(Unfit::Shorter { made, size });
    }
    let mut out = Out {
        body,
        pending: Vec::new(),
        at: 0,
        size,
        hasher: Sha256::new(),
    };
    let ranges = (recipe.assemble(module, &mut sources, &mut out)).map_err(unfit)?;
    if out.finish().map_err(Unfit::Io)? != wanted.sha256 {
        return Err(Unfit::Sha256);
    }
    let from: Vec<(u64, u32)> = (ranges.iter().zip(recipe.sources()))
        .filter_map(|(range, source)| match source {
            Source::Deflated(number) => Some((range.start, *number)),
            Source::Base(_) | Source::Pieces { .. } => None,
        })
        .collect();
    drop((ranges, recipe));
    Ok(tools.check(module, body, &mut |range| known(parts, &from, range))?)
}

/// What is known of these bytes of a zip: `from` has where the deflate streams that are known begin, in order.
fn known<Z>(parts: &Parts<Z>, from: &[(u64, u32)], range: Range<u64>) -> io::Result<Option<Known>> {
    let Ok(at) = from.binary_search_by_key(&range.start, |(start, _)| *start) else {
        return Ok(None);
    };
    let kept = parts.streams.get(from[at].1)?;
    Ok(kept
        .map(|kept| kept.stream)
        .filter(|stream| u64::from(stream.packed) == range.end - range.start)
        .map(|stream| Known {
            method: stream.method.into(),
            crc32: stream.crc32,
            unpacked: stream.unpacked.into(),
            sha256: stream.sha256,
        }))
}

/// Where a recipe's deflate streams come from.
struct Sources<'p, Z> {
    parts: &'p Parts<Z>,
    reader: Reader<'p, Z>,
    /// The one that was asked for last: first what it has, then its bytes.
    last: Option<(u32, Kept)>,
    /// Bytes of the zip.
    size: u64,
    buffer: Vec<u8>,
}

impl<Z: ReadAt> Sources<'_, Z> {
    fn stream(&mut self, number: u32) -> io::Result<Option<Kept>> {
        if let Some((last, kept)) = self.last
            && last == number
        {
            return Ok(Some(kept));
        }
        let kept = self.parts.streams.get(number)?;
        self.last = kept.map(|kept| (number, kept));
        Ok(kept)
    }

    /// The bytes of that many pieces of a deflate stream; `None` if they are not all there, or not as they are.
    ///
    /// One of several has a byte at least, so that there is no more work in them than there are bytes in the zip: where they
    /// have more than that, they are not counted to their end.
    fn pieces(&mut self, first: u32, count: u32) -> io::Result<Option<u64>> {
        let mut bytes = 0;
        for n in 0..count {
            let kept = match first.checked_add(n) {
                Some(number) => self.parts.streams.get(number)?,
                None => None,
            };
            match kept {
                Some(Kept { stream, .. })
                    if stream.method == 0 && (stream.packed > 0 || count == 1) =>
                {
                    bytes += u64::from(stream.packed);
                }
                _ => return Ok(None),
            }
            if bytes > self.size {
                break;
            }
        }
        Ok(Some(bytes))
    }
}

impl<Z: ReadAt> Deflated for Sources<'_, Z> {
    fn facts(&mut self, source: &Source) -> io::Result<Option<DeflatedFacts>> {
        Ok(match *source {
            Source::Deflated(number) => self.stream(number)?.map(|kept| DeflatedFacts {
                packed: kept.stream.packed.into(),
                unpacked: kept.stream.unpacked.into(),
                crc32: kept.stream.crc32,
            }),
            Source::Base(entry) => self.reader.get(entry)?.map(|packed| DeflatedFacts {
                packed: packed.packed.into(),
                unpacked: packed.unpacked.into(),
                crc32: packed.crc32,
            }),
            Source::Pieces {
                first,
                count,
                crc32,
                unpacked,
            } => self.pieces(first, count)?.map(|packed| DeflatedFacts {
                packed,
                unpacked,
                crc32,
            }),
        })
    }

    fn copy(&mut self, source: &Source, out: &mut dyn Write) -> io::Result<()> {
        let gone = || io::Error::other("a deflate stream that was there is not any more");
        match *source {
            Source::Deflated(number) => {
                let kept = self.stream(number)?.ok_or_else(gone)?;
                self.parts.streams.copy(&kept, &mut self.buffer, out)
            }
            Source::Base(entry) => {
                let packed = self.reader.get(entry)?.ok_or_else(gone)?;
                self.reader.copy(entry.base, &packed, out)
            }
            Source::Pieces { first, count, .. } => (0..count).try_for_each(|n| {
                let kept = self.parts.streams.get(first + n)?.ok_or_else(gone)?;
                self.parts.streams.copy(&kept, &mut self.buffer, out)
            }),
        }
    }
}

/// Where a zip is put together: it takes as many bytes as the zip has, which its recipe's size is, and hashes them.
struct Out<'b> {
    body: &'b mut Body,
    /// What is not in the file yet, where it is one.
    pending: Vec<u8>,
    at: u64,
    size: u64,
    hasher: Sha256,
}

impl Out<'_> {
    fn finish(mut self) -> io::Result<[u8; 32]> {
        let at = self.at - self.pending.len() as u64;
        match self.body {
            Body::Memory { buffer, size } => self.hasher.update(&buffer[..*size]),
            Body::Spooled { file, .. } => flush(file, at, &mut self.pending, &mut self.hasher)?,
        }
        Ok(self.hasher.finalize().into())
    }
}

fn flush(file: &File, at: u64, pending: &mut Vec<u8>, hasher: &mut Sha256) -> io::Result<()> {
    hasher.update(&*pending);
    file.write_all_at(pending, at)?;
    pending.clear();
    Ok(())
}

impl Write for Out<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let more = buf.len() as u64;
        if more > self.size - self.at {
            return Err(io::Error::other("the zip gets longer than it may"));
        }
        match self.body {
            Body::Memory { buffer, .. } => {
                buffer[self.at as usize..][..buf.len()].copy_from_slice(buf);
            }
            Body::Spooled { file, .. } => {
                let at = self.at - self.pending.len() as u64;
                self.pending.extend_from_slice(buf);
                if self.pending.len() >= 4 * PIECE {
                    flush(file, at, &mut self.pending, &mut self.hasher)?;
                }
            }
        }
        self.at += more;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::NoZip;
    use crate::directories::Directories;
    use crate::restore::Parts;
    use crate::restore::bases::Bases;
    use crate::restore::streams::{Stream, Streams};
    use modferry_protocol::bundle::DeflatedTotals;

    /// As-they-are streams of those bytes, from 0.
    fn parts(streams: &[&[u8]]) -> Parts<NoZip> {
        parts_of(0, streams)
    }

    /// Streams of that method, of those bytes.
    fn parts_of(method: u8, streams: &[&[u8]]) -> Parts<NoZip> {
        let folder = std::env::temp_dir();
        let totals = DeflatedTotals {
            streams: streams.len() as u64,
            bytes: streams.iter().map(|bytes| bytes.len() as u64).sum(),
        };
        let all = Streams::new(totals, &folder).unwrap();
        for bytes in streams {
            let stream = Stream {
                method,
                packed: bytes.len() as u32,
                unpacked: bytes.len() as u32,
                crc32: 0,
                sha256: [0; 32],
            };
            let number = all.announce(1).unwrap();
            assert!(all.keep(number, &[stream], bytes).unwrap());
        }
        Parts {
            streams: all,
            bases: Bases::new(Vec::new(), 0, &folder).unwrap(),
        }
    }

    #[test]
    fn nothing_is_written_of_a_zip_of_another_size() {
        let module: ModuleVersion = "example.com/m@v1.0.0".parse().unwrap();
        // No file, three bytes in front, and an end record: 25 bytes.
        let bytes = b"\x00\x00\x03abc\x00\x00\x00\x00";
        for (size, written) in [(24, false), (25, true), (26, false)] {
            let recipe = Recipe::decode(&module, &mut &bytes[..]).unwrap();
            let mut body = Body::Memory {
                buffer: vec![7; 64],
                size,
            };
            let wanted = Digest {
                size: size as u64,
                sha256: [0; 32],
            };
            let directories = Directories::default();
            let mut tools = Tools::new(&directories);
            let all = parts(&[]);
            let unfit = restore(&all, &mut tools, &module, recipe, &wanted, &mut body).unwrap_err();
            assert_eq!(matches!(unfit, Unfit::Sha256), written, "{unfit}");
            let Body::Memory { buffer, .. } = body else {
                unreachable!()
            };
            assert_eq!(buffer != [7; 64], written, "{size}: {unfit}");
        }
    }

    #[test]
    fn pieces_are_counted_no_further_than_the_zip_has_bytes() {
        let all = parts(&[b"abc", b"", b"de", b"fghi"]);
        let pieces = |first, count, size| {
            let mut sources = Sources {
                parts: &all,
                reader: all.bases.reader(),
                last: None,
                size,
                buffer: Vec::new(),
            };
            sources.pieces(first, count).unwrap()
        };
        assert_eq!(pieces(2, 2, 6), Some(6));
        assert_eq!(pieces(0, 1, 6), Some(3));
        assert_eq!(pieces(3, 1, 3), Some(4), "more than the zip has");
        // What is not there is not looked for behind that.
        assert_eq!(pieces(2, 3, 6), None);
        assert_eq!(pieces(2, u32::MAX - 2, 5), Some(6));
        // Of several each has a byte; one may be empty.
        assert_eq!(pieces(1, 1, 6), Some(0));
        assert_eq!(pieces(0, 2, 6), None);
        assert_eq!(pieces(1, 2, 6), None);
        assert_eq!(pieces(4, 1, 6), None);
        // What a writer has made is no piece.
        for (method, found) in [(0, Some(3)), (8, None)] {
            let all = parts_of(method, &[b"abc"]);
            let mut sources = Sources {
                parts: &all,
                reader: all.bases.reader(),
                last: None,
                size: 3,
                buffer: Vec::new(),
            };
            assert_eq!(sources.pieces(0, 1).unwrap(), found);
        }
    }
}
