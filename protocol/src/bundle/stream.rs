//! The tar as a stream of blocks: reads what is predicted, in bounded pieces, and says what is there instead.

use std::fmt::Display;
use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use super::read::ReadError;
use super::ustar::{self, BLOCK, Block, Found};
use crate::text;

/// A volume's bytes, and its number where that is known: each error has it.
pub(super) struct Tar<R> {
    input: R,
    pub(super) volume: Option<u32>,
}

impl<R: Read> Tar<R> {
    pub(super) fn new(input: R, volume: Option<u32>) -> Self {
        Self { input, volume }
    }

    /// Reads some bytes; 0 at the end of the input.
    pub(super) fn read(&mut self, entry: &dyn Display, buf: &mut [u8]) -> Result<usize, ReadError> {
        loop {
            match self.input.read(buf) {
                Ok(n) => return Ok(n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(ReadError::Io {
                        volume: self.volume,
                        entry: entry.to_string(),
                        source,
                    });
                }
            }
        }
    }

    /// The same; the input must not end here.
    pub(super) fn read_some(
        &mut self,
        entry: &dyn Display,
        buf: &mut [u8],
    ) -> Result<usize, ReadError> {
        match self.read(entry, buf)? {
            0 => Err(ReadError::Truncated {
                volume: self.volume,
                entry: entry.to_string(),
            }),
            n => Ok(n),
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
            done += self.read_some(entry, &mut buf[done..])?;
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
            Err(self.other_than(entry, &block))
        }
    }

    /// Reads a whole file whose size only its own header says, up to that many bytes: the rest of the header is
    /// predicted.
    pub(super) fn small_file(&mut self, name: &str, most: u64) -> Result<Vec<u8>, ReadError> {
        let block = self.block(&name)?;
        let Some(size) = ustar::size_of(&block, name) else {
            return Err(self.other_than(&name, &block));
        };
        if !(1..=most).contains(&size) {
            return Err(self.damaged(&name, format!("{size} bytes: want 1 to {most}")));
        }
        let mut bytes = Vec::new();
        self.each_chunk(&name, size, |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        self.padding(&name, size)?;
        Ok(bytes)
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
            let n = self.read_some(entry, &mut buf[..most])?;
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
            Err(self.damaged(entry, "its padding is not all zeros".into()))
        }
    }

    /// Reads the archive's end: two blocks of zeros and nothing behind them.
    pub(super) fn end(&mut self) -> Result<(), ReadError> {
        let end = &END;
        for _ in 0..2 {
            let block = self.block(end)?;
            if block != [0; BLOCK] {
                return Err(self.other_than(end, &block));
            }
        }
        match self.read(end, &mut [0])? {
            0 => Ok(()),
            _ => Err(self.damaged(end, "there are bytes behind it".into())),
        }
    }

    pub(super) fn check_hash(
        &self,
        entry: &dyn Display,
        hasher: Sha256,
        want: &[u8; 32],
        who: &str,
    ) -> Result<(), ReadError> {
        let have: [u8; 32] = hasher.finalize().into();
        if have == *want {
            return Ok(());
        }
        let (have, want) = (text::Hex(&have), text::Hex(want));
        Err(self.damaged(entry, format!("SHA-256 is {have}, {who} is {want}")))
    }

    pub(super) fn damaged(&self, entry: &dyn Display, what: String) -> ReadError {
        ReadError::Damaged {
            volume: self.volume,
            entry: entry.to_string(),
            what,
        }
    }

    pub(super) fn other_than(&self, expected: &dyn Display, block: &Block) -> ReadError {
        match ustar::describe(block) {
            Found::Damaged => self.damaged(expected, "its tar header is damaged".into()),
            Found::Other(found) => ReadError::Unexpected {
                volume: self.volume,
                expected: expected.to_string(),
                found,
            },
        }
    }
}

/// What the end of a volume is called in errors.
pub(super) const END: &str = "end of the archive";

/// Whose word a hash is: the manifest's and the index's, which are signed,
pub(super) const SIGNED: &str = "signed";

/// or only the volume's own, which tells nothing but where a damage is.
pub(super) const WRITTEN: &str = "written";
