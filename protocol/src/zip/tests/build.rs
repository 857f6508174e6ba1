//! Zips for tests, and sources that watch how they are read.

use std::cell::Cell;
use std::io;

use flate2::{Compress, Compression, FlushCompress};

use crate::zip::ReadAt;

pub(super) const PREFIX: &str = "example.com/m@v1.0.0/";

/// An archive under construction: the local parts, and the directory that is put behind them.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) zip: Vec<u8>,
    pub(super) directory: Vec<u8>,
    count: usize,
}

pub(super) struct Entry<'a> {
    /// Behind [`PREFIX`].
    pub(super) name: &'a str,
    pub(super) method: u16,
    pub(super) packed: &'a [u8],
    pub(super) unpacked: u32,
    pub(super) crc32: u32,
    pub(super) descriptor: bool,
}

pub(super) fn stored<'a>(name: &'a str, content: &'a [u8]) -> Entry<'a> {
    Entry {
        name,
        method: 0,
        packed: content,
        unpacked: content.len() as u32,
        crc32: crc32fast::hash(content),
        descriptor: false,
    }
}

pub(super) fn deflate(content: &[u8], level: u32) -> Vec<u8> {
    let mut compress = Compress::new(Compression::new(level), false);
    let mut packed = Vec::new();
    loop {
        packed.reserve(64 << 10);
        let input = &content[compress.total_in() as usize..];
        let status = compress.compress_vec(input, &mut packed, FlushCompress::Finish);
        if status.unwrap() == flate2::Status::StreamEnd {
            return packed;
        }
    }
}

impl Builder {
    pub(super) fn local(&mut self, entry: &Entry<'_>) {
        let sizes = [entry.packed.len() as u32, entry.unpacked];
        let name = format!("{PREFIX}{}", entry.name);
        self.zip.extend(b"PK\x03\x04\x14\0");
        self.zip.extend([8 * u8::from(entry.descriptor), 0]);
        self.zip.extend(entry.method.to_le_bytes());
        self.zip.extend([0, 0, 33, 0]);
        if entry.descriptor {
            self.zip.extend([0; 12]);
        } else {
            self.zip.extend(entry.crc32.to_le_bytes());
            self.zip.extend(sizes.iter().flat_map(|s| s.to_le_bytes()));
        }
        self.zip.extend((name.len() as u16).to_le_bytes());
        self.zip.extend([0, 0]);
        self.zip.extend(name.as_bytes());
        self.zip.extend(entry.packed);
        if entry.descriptor {
            self.zip.extend(b"PK\x07\x08");
            self.zip.extend(entry.crc32.to_le_bytes());
            self.zip.extend(sizes.iter().flat_map(|s| s.to_le_bytes()));
        }
    }

    /// A directory header for `entry`, whose local header is at `offset`, with a comment of so many bytes.
    pub(super) fn header(&mut self, entry: &Entry<'_>, offset: u32, comment: u16) {
        let name = format!("{PREFIX}{}", entry.name);
        let d = &mut self.directory;
        d.extend(b"PK\x01\x02\x14\0\x14\0");
        d.extend([8 * u8::from(entry.descriptor), 0]);
        d.extend(entry.method.to_le_bytes());
        d.extend([0, 0, 33, 0]);
        d.extend(entry.crc32.to_le_bytes());
        d.extend((entry.packed.len() as u32).to_le_bytes());
        d.extend(entry.unpacked.to_le_bytes());
        d.extend((name.len() as u16).to_le_bytes());
        d.extend([0, 0]);
        d.extend(comment.to_le_bytes());
        d.extend([0; 8]);
        d.extend(offset.to_le_bytes());
        d.extend(name.as_bytes());
        d.resize(d.len() + usize::from(comment), b'c');
        self.count += 1;
    }

    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        let offset = self.zip.len() as u32;
        self.local(entry);
        self.header(entry, offset, 0);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let offset = self.zip.len() as u32;
        self.zip.extend(&self.directory);
        self.zip.extend(b"PK\x05\x06\0\0\0\0");
        self.zip.extend((self.count as u16).to_le_bytes());
        self.zip.extend((self.count as u16).to_le_bytes());
        self.zip.extend((self.directory.len() as u32).to_le_bytes());
        self.zip.extend(offset.to_le_bytes());
        self.zip.extend([0, 0]);
        self.zip
    }
}

pub(super) fn zip_of(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = Builder::default();
    entries.iter().for_each(|entry| builder.add(entry));
    builder.finish()
}

/// Counts what is read, fails at the read of number `fail_at`, and panics at a read past the end.
pub(super) struct Watched<'a> {
    pub(super) zip: &'a [u8],
    pub(super) fail_at: usize,
    pub(super) reads: Cell<usize>,
    pub(super) bytes: Cell<u64>,
}

impl<'a> Watched<'a> {
    pub(super) fn new(zip: &'a [u8], fail_at: usize) -> Self {
        Watched {
            zip,
            fail_at,
            reads: Cell::new(0),
            bytes: Cell::new(0),
        }
    }
}

impl ReadAt for Watched<'_> {
    fn size(&self) -> u64 {
        self.zip.size()
    }

    fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        assert!(offset + buf.len() as u64 <= self.size());
        self.reads.set(self.reads.get() + 1);
        self.bytes.set(self.bytes.get() + buf.len() as u64);
        if self.reads.get() > self.fail_at {
            return Err(io::Error::other("the disk is gone"));
        }
        self.zip.read_exact_at(offset, buf)
    }
}
