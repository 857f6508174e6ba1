//! Where a zip's bytes come from: random access to a file, a chunked value or memory, and a window over it.
//!
//! Zips are read from the end, then from the front. [`Window`] makes few large reads of it: a small zip is read whole in
//! one, and local headers, data and descriptors that follow one another come out of the same buffer.

use std::io;

use super::error::ZipError;

/// Random access to a zip. Its size must not change while it is read.
pub trait ReadAt {
    /// The size in bytes.
    fn size(&self) -> u64;

    /// Fills `buf` from `offset` on. Fewer bytes left than that is an error of kind `UnexpectedEof`;
    /// [`check`](super::check) never asks past [`size`](ReadAt::size).
    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()>;
}

impl ReadAt for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let source = usize::try_from(offset)
            .ok()
            .and_then(|start| self.get(start..start.checked_add(buf.len())?))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(source);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> u64 {
        self.as_slice().size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.as_slice().read_exact_at(offset, buf)
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        (**self).read_exact_at(offset, buf)
    }
}

/// A zip seen through one buffer of at most [`Window::CAPACITY`] bytes.
pub(crate) struct Window<'a, R: ?Sized> {
    source: &'a R,
    size: u64,
    /// Only grows, so that its memory is zeroed once and not for each zip; `len` bytes of it are the zip's from `start` on.
    buf: &'a mut Vec<u8>,
    start: u64,
    len: usize,
}

impl<'a, R: ReadAt + ?Sized> Window<'a, R> {
    pub(crate) const CAPACITY: usize = 256 << 10;

    /// Takes `buf` for its buffer, whatever is in it.
    pub(crate) fn new(source: &'a R, buf: &'a mut Vec<u8>) -> Self {
        Window {
            source,
            size: source.size(),
            buf,
            start: 0,
            len: 0,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The file's last bytes, as many as fit, and the offset of their first.
    pub(crate) fn tail(&mut self) -> Result<(u64, &[u8]), ZipError> {
        let start = self.size.saturating_sub(Self::CAPACITY as u64);
        self.fill(start)?;
        Ok((start, &self.buf[..self.len]))
    }

    /// The bytes from `offset` on that one read gives: at least `want` (1 to [`Window::CAPACITY`]), or fewer
    /// where the file ends before. Empty at and past its end.
    pub(crate) fn at(&mut self, offset: u64, want: usize) -> Result<&[u8], ZipError> {
        let want = (want as u64).min(self.size.saturating_sub(offset));
        if want == 0 {
            return Ok(&[]);
        }
        if offset < self.start || offset + want > self.start + self.len as u64 {
            self.fill(offset)?;
        }
        let skip = (offset - self.start) as usize;
        Ok(&self.buf[skip..self.len])
    }

    fn fill(&mut self, offset: u64) -> Result<(), ZipError> {
        let len = (self.size - offset).min(Self::CAPACITY as u64) as usize;
        if self.buf.len() < len {
            self.buf.resize(len, 0);
        }
        self.len = 0;
        self.source
            .read_exact_at(offset, &mut self.buf[..len])
            .map_err(|source| ZipError::Read { offset, source })?;
        self.start = offset;
        self.len = len;
        Ok(())
    }
}
