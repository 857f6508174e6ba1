//! Writes contents, as a stream: the memory of zstd's window, and of what comes out.

use std::io::{self, Write};

use zstd::stream::raw::CParameter;

use super::{
    BaseEntry, ContentsError, Form, MAX_CONTENTS_WINDOW_LOG, PrefixSize, header, malformed, table,
};
use crate::bundle::{MAX_CONTENTS_RESTORED, MAX_CONTENTS_STORED};

/// How hard zstd tries, and the memory that it takes for that besides its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentsLevel {
    /// One of zstd's levels.
    pub level: i32,
    /// Entries of the table of hashes, as a power of two, of about 5 bytes each; 0 as the level has it.
    pub hash_log: u32,
    /// Entries of the table of chains or trees, as a power of two, of 4 bytes each; 0 as the level has it. Levels that
    /// look rows of hashes up have no such table.
    pub chain_log: u32,
}

impl From<i32> for ContentsLevel {
    /// The level with its own tables.
    fn from(level: i32) -> Self {
        Self {
            level,
            hash_log: 0,
            chain_log: 0,
        }
    }
}

/// Compresses contents that are written into it, one after the other, to an entry of contents.
pub struct ContentsWriter<'p> {
    zstd: zstd::stream::write::Encoder<'p, Vec<u8>>,
    /// How many bytes of contents are still due.
    left: u64,
    restored: u64,
}

impl<'p> ContentsWriter<'p> {
    /// A writer for contents of those sizes and forms, in their order, at one of zstd's levels or with tables of its own.
    ///
    /// `prefix` is what the entries of bases have, one after the other. zstd's window is as large as all of it, so the
    /// writer takes as much memory as will be written, and the tables of the level.
    ///
    /// # Errors
    ///
    /// A reader would refuse it: too many contents, parts or bytes, or forms out of order.
    pub fn new(
        level: impl Into<ContentsLevel>,
        prefix: &'p [u8],
        parts: &[BaseEntry],
        contents: &[(u64, Vec<Form>)],
    ) -> Result<Self, ContentsError> {
        PrefixSize::of(prefix).check()?;
        let mut stored = Vec::new();
        header::put(&mut stored, parts)?;
        let mut front = Vec::new();
        table::put(&mut front, contents)?;
        let left = contents
            .iter()
            .try_fold(0u64, |sum, (size, _)| sum.checked_add(*size));
        let restored = left.and_then(|left| left.checked_add(front.len() as u64));
        let (Some(left), Some(restored)) = (left, restored) else {
            return Err(malformed("contents of 2^64 bytes and more"));
        };
        if restored > MAX_CONTENTS_RESTORED {
            return Err(malformed(format!(
                "a frame of {restored} bytes: want at most {MAX_CONTENTS_RESTORED}"
            )));
        }
        let begun = begin(level.into(), prefix, stored, restored).and_then(|mut zstd| {
            zstd.write_all(&front)?;
            Ok(zstd)
        });
        Ok(Self {
            zstd: begun.map_err(ContentsError::Zstd)?,
            left,
            restored,
        })
    }

    /// The bytes that it restores to, which are the item's size in the index.
    pub fn restored(&self) -> u64 {
        self.restored
    }

    /// Ends the frame, when all contents are written; gives what is stored.
    pub fn finish(self) -> Result<Vec<u8>, ContentsError> {
        if self.left != 0 {
            return Err(malformed(format!("{} bytes were not given", self.left)));
        }
        let stored = self.zstd.finish().map_err(ContentsError::Zstd)?;
        if stored.len() as u64 > MAX_CONTENTS_STORED {
            return Err(malformed(format!(
                "{} bytes: want at most {MAX_CONTENTS_STORED}",
                stored.len()
            )));
        }
        Ok(stored)
    }
}

/// More than the sizes have is an error.
impl Write for ContentsWriter<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if buf.len() as u64 > self.left {
            return Err(io::Error::other(
                "more bytes of contents than their sizes have",
            ));
        }
        let n = self.zstd.write(buf)?;
        self.left -= n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(()) // a flush would end a block early, for no reader's good
    }
}

/// A frame that declares its size, with a window over the whole of it and its prefix.
fn begin<'p>(
    level: ContentsLevel,
    prefix: &'p [u8],
    stored: Vec<u8>,
    restored: u64,
) -> io::Result<zstd::stream::write::Encoder<'p, Vec<u8>>> {
    let mut zstd = zstd::stream::write::Encoder::with_ref_prefix(stored, level.level, prefix)?;
    let all = restored + prefix.len() as u64;
    let window_log = all
        .next_power_of_two()
        .trailing_zeros()
        .clamp(10, MAX_CONTENTS_WINDOW_LOG);
    zstd.set_parameter(CParameter::WindowLog(window_log))?;
    zstd.set_parameter(CParameter::HashLog(level.hash_log))?;
    zstd.set_parameter(CParameter::ChainLog(level.chain_log))?;
    // Files that are alike lie far apart where many versions of large modules are carried.
    zstd.set_parameter(CParameter::EnableLongDistanceMatching(true))?;
    // By itself, zstd takes a finer net the higher the level is, and then spends minutes on comparing the many alike
    // beginnings of generated files; this one is that of its lowest levels.
    zstd.set_parameter(CParameter::LdmHashRateLog(7))?;
    zstd.set_parameter(CParameter::LdmBucketSizeLog(2))?;
    zstd.set_pledged_src_size(Some(restored))?;
    Ok(zstd)
}
