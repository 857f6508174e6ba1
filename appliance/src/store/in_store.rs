//! Random access to a zip in the store.

use super::{CHUNK, View, Zip};
use modferry_protocol::zip::ReadAt;
use std::io;
use std::sync::{Mutex, PoisonError};

/// A zip where it lies, with the chunk at hand that was read last.
pub struct InStore<'a> {
    view: &'a View,
    zip: &'a Zip,
    last: Mutex<Option<(u32, Vec<u8>)>>,
}

impl<'a> InStore<'a> {
    /// That zip of that store.
    pub fn new(view: &'a View, zip: &'a Zip) -> Self {
        let last = Mutex::new(None);
        Self { view, zip, last }
    }
}

impl ReadAt for InStore<'_> {
    fn size(&self) -> u64 {
        self.zip.size
    }

    fn read_exact_at(&self, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        while !buf.is_empty() {
            let number = u32::try_from(offset / CHUNK as u64).map_err(io::Error::other)?;
            if last.as_ref().is_none_or(|(at, _)| *at != number) {
                let chunk = self
                    .view
                    .chunk(self.zip, number)
                    .map_err(io::Error::other)?;
                *last = Some((
                    number,
                    chunk.ok_or(io::ErrorKind::UnexpectedEof)?.into_vec(),
                ));
            }
            let chunk = last.as_ref().map_or(&[][..], |(_, chunk)| chunk);
            let from = (offset % CHUNK as u64) as usize;
            let part = chunk.get(from..).filter(|part| !part.is_empty());
            let part = part.ok_or(io::ErrorKind::UnexpectedEof)?;
            let length = part.len().min(buf.len());
            buf[..length].copy_from_slice(&part[..length]);
            offset += length as u64;
            buf = &mut buf[length..];
        }
        Ok(())
    }
}
