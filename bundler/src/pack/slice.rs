//! A stretch of a file, as a stream.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

/// Reads it without moving the file's own position, so that several may at once.
pub(super) struct Slice<'f> {
    file: &'f File,
    left: Range<u64>,
}

impl<'f> Slice<'f> {
    /// These bytes of the file.
    pub(super) fn new(file: &'f File, bytes: Range<u64>) -> Slice<'f> {
        Slice { file, left: bytes }
    }
}

impl Read for Slice<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.left.end - self.left.start;
        let most = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let n = self.file.read_at(&mut buf[..most], self.left.start)?;
        self.left.start += n as u64;
        Ok(n)
    }
}
