//! The tar as a stream of blocks: reads what is predicted, in bounded pieces, and says what is there instead.

use std::fmt::Display;
use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::read::ReadError;
use super::text;
use super::ustar::{self, BLOCK, Block, Found};

/// The input, and whether something of it is half read.
pub(super) struct Tar<R> {
    input: R,
    /// The entry that is under way, or that an error was in.
    pub(super) open: Option<String>,
}

impl<R: Read> Tar<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, open: None }
    }

    pub(super) fn none_open(&self) -> Result<(), ReadError> {
        match &self.open {
            None => Ok(()),
            Some(entry) => Err(ReadError::Unfinished {
                entry: entry.clone(),
            }),
        }
    }

    /// Reads some bytes; 0 at the end of the input.
    pub(super) fn read(&mut self, entry: &dyn Display, buf: &mut [u8]) -> Result<usize, ReadError> {
        loop {
            match self.input.read(buf) {
                Ok(n) => return Ok(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(ReadError::Io {
                        entry: entry.to_string(),
                        source,
                    });
                }
            }
        }
    }

    pub(super) fn block(&mut self, entry: &dyn Display) -> Result<Block, ReadError> {
        let mut block = [0; BLOCK];
        self.fill(entry, &mut block)?;
        Ok(block)
    }

    fn fill(&mut self, entry: &dyn Display, buf: &mut [u8]) -> Result<(), ReadError> {
        let mut done = 0;
        while done < buf.len() {
            match self.read(entry, &mut buf[done..])? {
                0 => {
                    return Err(ReadError::Truncated {
                        entry: entry.to_string(),
                    });
                }
                n => done += n,
            }
        }
        Ok(())
    }

    /// Reads the one header that may stand here.
    pub(super) fn header(
        &mut self,
        entry: &dyn Display,
        name: &str,
        size: u64,
    ) -> Result<(), ReadError> {
        let block = self.block(entry)?;
        if block == ustar::header(name, size) {
            Ok(())
        } else {
            Err(other_than(&entry.to_string(), &block))
        }
    }

    /// Reads that many bytes, in pieces that do not depend on how many there are said to be.
    pub(super) fn each_chunk(
        &mut self,
        entry: &dyn Display,
        size: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut buf = vec![0; size.min(64 << 10) as usize];
        let mut left = size;
        while left > 0 {
            let most = left.min(buf.len() as u64) as usize;
            let n = self.read(entry, &mut buf[..most])?;
            if n == 0 {
                return Err(ReadError::Truncated {
                    entry: entry.to_string(),
                });
            }
            take(&buf[..n])?;
            left -= n as u64;
        }
        Ok(())
    }

    pub(super) fn padding(&mut self, entry: &dyn Display, size: u64) -> Result<(), ReadError> {
        let mut block = [0; BLOCK];
        let padding = &mut block[..ustar::padding(size)];
        self.fill(entry, padding)?;
        if padding.iter().all(|b| *b == 0) {
            Ok(())
        } else {
            Err(damaged(entry, "its padding is not all zeros".into()))
        }
    }
}

pub(super) fn check_hash(
    entry: &dyn Display,
    hasher: Sha256,
    want: &[u8; 32],
) -> Result<(), ReadError> {
    let have: [u8; 32] = hasher.finalize().into();
    if have == *want {
        return Ok(());
    }
    Err(damaged(
        entry,
        format!(
            "SHA-256 is {}, signed is {}",
            text::Hex(&have),
            text::Hex(want)
        ),
    ))
}

pub(super) fn damaged(entry: &dyn Display, what: String) -> ReadError {
    ReadError::Damaged {
        entry: entry.to_string(),
        what,
    }
}

pub(super) fn other_than(expected: &str, block: &Block) -> ReadError {
    match ustar::describe(block) {
        Found::Damaged => damaged(&expected, "its tar header is damaged".into()),
        Found::Other(found) => ReadError::Unexpected {
            expected: expected.to_owned(),
            found,
        },
    }
}
