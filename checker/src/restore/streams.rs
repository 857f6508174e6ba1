//! The deflate streams of a bundle, in one unlinked file, and what is known of each, in a second one.
//!
//! A stream's number is its place in the second file, whose records have one size. Where its bytes lie in the first
//! is a matter of who was done first: workers write there at the same time. Both files grow only as streams are written,
//! and never past what the bundle's manifest says, for which there is room.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use modferry_protocol::bundle::DeflatedTotals;

use crate::CheckError;
use crate::check::temp_file;

/// Bytes on disk for what is known of a deflate stream.
const STREAM_RECORD: u64 = 53;

/// The bytes of temporary files that so many deflate streams take.
pub fn streams_room(deflated: &DeflatedTotals) -> u64 {
    (deflated.streams.saturating_mul(STREAM_RECORD)).saturating_add(deflated.bytes)
}

/// What is known of a deflate stream, or of a content that is as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// How zips have it: 0 as it is, 8 deflated.
    pub(crate) method: u8,
    /// Its bytes.
    pub(crate) packed: u32,
    /// Its content's bytes. They have been inflated from it.
    pub(crate) unpacked: u32,
    /// The content's CRC-32.
    pub(crate) crc32: u32,
    /// The content's SHA-256.
    pub(crate) sha256: [u8; 32],
}

/// A [`Stream`] and where its bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) stream: Stream,
    offset: u64,
}

/// All deflate streams of a bundle.
pub(crate) struct Streams {
    folder: PathBuf,
    bytes: File,
    table: File,
    limits: DeflatedTotals,
    /// Bytes set aside so far.
    used: AtomicU64,
    /// Streams told of so far.
    count: AtomicU64,
}

impl Streams {
    /// Room for so many streams and bytes, and no more. Nothing is written yet.
    pub(crate) fn new(limits: DeflatedTotals, folder: &Path) -> Result<Streams, CheckError> {
        Ok(Streams {
            folder: folder.into(),
            bytes: temp_file(folder)?,
            table: temp_file(folder)?,
            limits,
            used: AtomicU64::new(0),
            count: AtomicU64::new(0),
        })
    }

    /// How many bytes a stream may have that is written now.
    pub(crate) fn left(&self) -> u64 {
        (self.limits.bytes).saturating_sub(self.used.load(Ordering::Relaxed))
    }

    /// What there is so far.
    pub(crate) fn totals(&self) -> DeflatedTotals {
        DeflatedTotals {
            streams: self.count.load(Ordering::Relaxed),
            bytes: self.used.load(Ordering::Relaxed),
        }
    }

    /// What there must be in the end.
    pub(crate) fn limits(&self) -> DeflatedTotals {
        self.limits
    }

    /// Tells of so many streams that will be kept: gives the number of the first, or `None` if there are too many.
    pub(crate) fn announce(&self, streams: u64) -> Option<u64> {
        let first = self.count.load(Ordering::Relaxed);
        let count = first.checked_add(streams)?;
        (count <= self.limits.streams).then(|| {
            self.count.store(count, Ordering::Relaxed);
            first
        })
    }

    /// Keeps streams that lie one behind the other in `bytes`, the first of them being of that number. `false` if there
    /// are more bytes than may be.
    pub(crate) fn keep(&self, first: u64, streams: &[Stream], bytes: &[u8]) -> io::Result<bool> {
        let more = bytes.len() as u64;
        let set_aside =
            |used: u64| (used.checked_add(more)).filter(|used| *used <= self.limits.bytes);
        let Ok(mut offset) =
            (self.used).fetch_update(Ordering::Relaxed, Ordering::Relaxed, set_aside)
        else {
            return Ok(false);
        };
        self.bytes.write_all_at(bytes, offset)?;
        let mut records = Vec::with_capacity(streams.len() * STREAM_RECORD as usize);
        for stream in streams {
            records.push(stream.method);
            records.extend(offset.to_le_bytes());
            for number in [stream.packed, stream.unpacked, stream.crc32] {
                records.extend(number.to_le_bytes());
            }
            records.extend(stream.sha256);
            offset += u64::from(stream.packed);
        }
        self.table.write_all_at(&records, first * STREAM_RECORD)?;
        Ok(true)
    }

    /// The stream of that number; `None` if there is none. All of a bundle's must be kept.
    pub(crate) fn get(&self, number: u32) -> io::Result<Option<Kept>> {
        if u64::from(number) >= self.count.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let mut record = [0; STREAM_RECORD as usize];
        self.table
            .read_exact_at(&mut record, u64::from(number) * STREAM_RECORD)?;
        let number = |at: usize| u32::from_le_bytes(array(&record, at));
        Ok(Some(Kept {
            stream: Stream {
                method: record[0],
                packed: number(9),
                unpacked: number(13),
                crc32: number(17),
                sha256: array(&record, 21),
            },
            offset: u64::from_le_bytes(array(&record, 1)),
        }))
    }

    /// Writes a stream's bytes to `out`. `buffer` is used for it.
    pub(crate) fn copy(
        &self,
        kept: &Kept,
        buffer: &mut [u8],
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let (mut offset, mut left) = (kept.offset, kept.stream.packed as usize);
        while left > 0 {
            let piece = left.min(buffer.len());
            self.bytes.read_exact_at(&mut buffer[..piece], offset)?;
            out.write_all(&buffer[..piece])?;
            offset += piece as u64;
            left -= piece;
        }
        Ok(())
    }

    /// A failure of one of the files.
    pub(crate) fn failed(&self, source: io::Error) -> CheckError {
        let folder = self.folder.display();
        CheckError::io(
            format!("keeping deflate streams in a temporary file in {folder}"),
            source,
        )
    }
}

/// `N` bytes of a record from `at` on, which are in it.
fn array<const N: usize>(record: &[u8; STREAM_RECORD as usize], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&record[at..at + N]);
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn streams(streams: u64, bytes: u64) -> Streams {
        Streams::new(DeflatedTotals { streams, bytes }, &std::env::temp_dir()).unwrap()
    }

    fn stream(packed: u32) -> Stream {
        Stream {
            method: 8,
            packed,
            unpacked: packed + 1,
            crc32: packed + 2,
            sha256: [packed as u8; 32],
        }
    }

    fn bytes_of(streams: &Streams, number: u32, buffer: usize) -> Vec<u8> {
        let kept = streams.get(number).unwrap().unwrap();
        let mut out = Vec::new();
        streams.copy(&kept, &mut vec![0; buffer], &mut out).unwrap();
        out
    }

    #[test]
    fn what_is_kept_is_found_by_its_number_whoever_comes_first() {
        let all = streams(4, 10);
        assert_eq!(all.announce(1), Some(0));
        assert_eq!(all.announce(3), Some(1));
        assert!(
            all.keep(1, &[stream(3), stream(0), stream(4)], b"oneTHRE")
                .unwrap()
        );
        assert!(all.keep(0, &[stream(2)], b"zz").unwrap());
        for (number, bytes) in [(0, &b"zz"[..]), (1, b"one"), (2, b""), (3, b"THRE")] {
            let kept = all.get(number).unwrap().unwrap();
            assert_eq!(kept.stream, stream(bytes.len() as u32));
            assert_eq!(bytes_of(&all, number, 1), bytes);
            assert_eq!(bytes_of(&all, number, 64), bytes);
        }
        assert!(all.get(4).unwrap().is_none());
        let totals = all.totals();
        assert_eq!((totals.streams, totals.bytes, all.left()), (4, 9, 1));
    }

    #[test]
    fn no_more_streams_than_were_foreseen() {
        let all = streams(3, 0);
        assert_eq!(all.announce(2), Some(0));
        assert_eq!(all.announce(2), None);
        assert_eq!(all.announce(u64::MAX), None);
        assert_eq!(all.announce(1), Some(2));
        assert_eq!(all.announce(1), None);
    }

    #[test]
    fn no_more_bytes_than_were_foreseen() {
        let all = streams(9, 5);
        all.announce(9).unwrap();
        assert!(all.keep(0, &[stream(3)], b"abc").unwrap());
        assert!(!all.keep(1, &[stream(3)], b"abc").unwrap());
        assert!(all.keep(1, &[stream(2)], b"ab").unwrap());
        assert!(!all.keep(2, &[stream(1)], b"a").unwrap());
        assert!(all.keep(2, &[stream(0)], b"").unwrap());
    }
}
