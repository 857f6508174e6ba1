//! Zips that are held, read in aligned blocks of which the last few stay at hand.

use std::cell::RefCell;
use std::io;

use modferry_protocol::zip::ReadAt;

use super::bases::{Base, BaseError};

/// Bytes that are read at a time: that is how the store keeps zips.
pub(super) const BLOCK: u64 = 1 << 20;

/// Blocks that stay at hand: a recipe takes its files by turns from two bases, the nearest on either side.
const BLOCKS: usize = 2;

/// The blocks that were read last, of whichever bases, the latest at the end.
#[derive(Default)]
pub(super) struct Blocks(RefCell<Vec<Block>>);

/// A block of a base, by both their numbers.
struct Block {
    base: u32,
    number: u64,
    bytes: Vec<u8>,
}

/// A base, read through the blocks at hand.
pub(super) struct ThroughBlocks<'r, Z> {
    pub(super) number: u32,
    pub(super) base: &'r Base<Z>,
    pub(super) blocks: &'r Blocks,
}

impl<Z: ReadAt> ReadAt for ThroughBlocks<'_, Z> {
    fn size(&self) -> u64 {
        self.base.zip.size()
    }

    fn read_exact_at(&self, mut offset: u64, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let got = self.read_at(offset, buf)?;
            buf = &mut buf[got..];
            offset += got as u64;
        }
        Ok(())
    }
}

impl<Z: ReadAt> ThroughBlocks<'_, Z> {
    /// Some of the bytes from `offset` on, one at least.
    pub(super) fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let number = offset / BLOCK;
        let mut blocks = self.blocks.0.borrow_mut();
        let is_it = |block: &Block| (block.base, block.number) == (self.number, number);
        let block = match blocks.iter().position(is_it) {
            Some(at) => blocks.remove(at),
            None => {
                let oldest = (blocks.len() >= BLOCKS).then(|| blocks.remove(0));
                self.read(number, oldest.map_or_else(Vec::new, |block| block.bytes))?
            }
        };
        let from = (block.bytes.get((offset % BLOCK) as usize..))
            .filter(|rest| !rest.is_empty())
            .ok_or_else(|| self.damaged(io::ErrorKind::UnexpectedEof.into()))?;
        let got = from.len().min(buf.len());
        buf[..got].copy_from_slice(&from[..got]);
        blocks.push(block);
        Ok(got)
    }

    fn read(&self, number: u64, mut bytes: Vec<u8>) -> io::Result<Block> {
        let start = number * BLOCK;
        bytes.resize(self.size().saturating_sub(start).min(BLOCK) as usize, 0);
        (self.base.zip.read_exact_at(start, &mut bytes)).map_err(|source| self.damaged(source))?;
        Ok(Block {
            base: self.number,
            number,
            bytes,
        })
    }

    /// The failure that this base cannot be read.
    pub(super) fn damaged(&self, source: io::Error) -> io::Error {
        let module = self.base.module.clone();
        BaseError::Held { module, source }.into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::Cell;

    /// Zeros, of which somebody counts how often they are read.
    struct Counted {
        size: u64,
        reads: Cell<u32>,
    }

    impl ReadAt for Counted {
        fn size(&self) -> u64 {
            self.size
        }

        fn read_exact_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
            assert!(offset.is_multiple_of(BLOCK) && offset + buf.len() as u64 <= self.size);
            self.reads.set(self.reads.get() + 1);
            buf.fill(0);
            Ok(())
        }
    }

    fn bases(count: usize) -> Vec<Base<Counted>> {
        let base = |n| Base {
            module: format!("example.com/m@v1.{n}.0").parse().unwrap(),
            sha256: [0; 32],
            zip: Counted {
                size: 3 * BLOCK + 5,
                reads: Cell::new(0),
            },
        };
        (0..count).map(base).collect()
    }

    /// How often each base was read, after a byte of it was asked for at each of these places.
    fn reads(count: usize, asked: &[(usize, u64)]) -> Vec<u32> {
        let bases = bases(count);
        let blocks = Blocks::default();
        for (n, at) in asked {
            let through = ThroughBlocks {
                number: *n as u32,
                base: &bases[*n],
                blocks: &blocks,
            };
            through.read_exact_at(*at, &mut [0]).unwrap();
            assert!(blocks.0.borrow().len() <= BLOCKS);
        }
        bases.iter().map(|base| base.zip.reads.get()).collect()
    }

    #[test]
    fn two_bases_by_turns_are_read_once() {
        let turns: Vec<_> = (0..100).map(|n| (n % 2, n as u64 * 10)).collect();
        assert_eq!(reads(2, &turns), [1, 1]);
        // A third one takes the place of the one that was asked for longest ago.
        assert_eq!(
            reads(3, &[(0, 0), (1, 0), (0, 0), (2, 0), (0, 0)]),
            [1, 1, 1]
        );
        assert_eq!(reads(3, &[(0, 0), (1, 0), (2, 0), (0, 0)]), [2, 1, 1]);
        assert_eq!(reads(1, &[(0, 0), (0, BLOCK - 1), (0, BLOCK), (0, 0)]), [2]);
    }

    #[test]
    fn the_end_is_an_end_and_names_the_base() {
        let bases = bases(1);
        let blocks = Blocks::default();
        let through = ThroughBlocks {
            number: 0,
            base: &bases[0],
            blocks: &blocks,
        };
        let mut six = [7; 6];
        through.read_exact_at(3 * BLOCK, &mut six[..5]).unwrap();
        assert_eq!(six, [0, 0, 0, 0, 0, 7]);
        let error = through.read_exact_at(3 * BLOCK, &mut six).unwrap_err();
        let Ok(BaseError::Held { module, source }) = error.downcast() else {
            panic!("not a base's")
        };
        assert_eq!(module.to_string(), "example.com/m@v1.0.0");
        assert_eq!(source.kind(), io::ErrorKind::UnexpectedEof);
    }
}
