//! Deflate streams, written again bit for bit.
//!
//! A module zip holds each file deflated, and neither zstd nor xz can shrink what is deflated already. A bundle that
//! carries the files' *contents* instead is several times smaller, but then the zip has to be made again with every
//! bit as it was: its SHA-256 is signed. Deflate leaves the writer free in which matches it takes, where blocks end and
//! which code each block has, so that only the very algorithm that wrote a stream writes it again.
//!
//! Module zips are written by very few programs. All that a module mirror serves is made by `cmd/go`'s own packing code,
//! with one of two encoders behind it, both at level 5 (`archive/zip`'s choice). This crate has both:
//!
//! | writer | is | streams |
//! |---|---|---|
//! | [`Writer::GoChains`] | `compress/flate` of Go up to 1.26: hash chains, lazy matching | the older ones |
//! | [`Writer::GoTables`] | github.com/klauspost/compress/flate 1.20: hash tables, two candidates each | the newer ones |
//!
//! What each writer does is fixed for ever by the streams that exist: a [`Writer`] is an algorithm, not a version of a
//! package, and another algorithm gets another [`Writer`].
//!
//! - The stream depends on the content alone, not on what the same [`Deflater`] has written before.
//! - Memory is bounded, and the same for every content: see [`Deflater`].
//! - Nothing here reads untrusted structure: any content can be deflated, and what comes out inflates to it.

mod bits;
mod chains;
mod fixed;
mod header;
mod huffman;
mod symbols;
mod tables;

use std::ops::ControlFlow;

use chains::Chains;
use tables::Tables;
use thiserror::Error;

/// Who wrote a deflate stream, as far as a stream can be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Writer {
    /// Go's own `compress/flate` at level 5, as it is up to Go 1.26.
    GoChains,
    /// github.com/klauspost/compress/flate at level 5, as it is in version 1.20.
    GoTables,
}

impl Writer {
    /// Every writer, the one of most streams first.
    pub const ALL: [Writer; 2] = [Writer::GoChains, Writer::GoTables];

    /// The number that bundles have for this writer.
    pub fn code(self) -> u8 {
        match self {
            Writer::GoChains => 1,
            Writer::GoTables => 2,
        }
    }

    /// The last bytes of each of its streams: an empty block, stored by the one and in the fixed code by the other.
    fn ending(self) -> &'static [u8] {
        match self {
            Writer::GoChains => &[0x00, 0x00, 0xff, 0xff],
            Writer::GoTables => &[0x00],
        }
    }

    /// The writer of a number in a bundle; none if it is another's or nobody's.
    pub fn of_code(code: u8) -> Option<Writer> {
        Writer::ALL.into_iter().find(|writer| writer.code() == code)
    }
}

/// A stream would be longer than the caller has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the deflate stream is longer than the {most} bytes that it may have")]
pub struct TooLong {
    /// The most that there was room for, in bytes.
    pub most: usize,
}

/// The state of all writers, to be used again and again: one a thread.
///
/// It takes about 2 MiB, however large the contents are, and never grows: a stream is handed on block by block.
/// Beginning another content costs next to nothing, which matters, because most contents are a few kB.
pub struct Deflater {
    chains: Chains,
    tables: Tables,
}

impl Default for Deflater {
    fn default() -> Self {
        Self::new()
    }
}

impl Deflater {
    /// State for every writer, none of it in use.
    pub fn new() -> Self {
        Self {
            chains: Chains::new(),
            tables: Tables::new(),
        }
    }

    /// Appends to `out` the stream that `writer` makes of all of `content`.
    ///
    /// # Errors
    ///
    /// [`TooLong`] if the stream has more than `most` bytes: `out` is then as it was.
    pub fn deflate(
        &mut self,
        writer: Writer,
        content: &[u8],
        most: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), TooLong> {
        let start = out.len();
        let written = self.write(writer, content, &mut |block| {
            if block.len() > most - (out.len() - start) {
                return ControlFlow::Break(());
            }
            out.extend_from_slice(block);
            ControlFlow::Continue(())
        });
        if written.is_break() {
            out.truncate(start);
            return Err(TooLong { most });
        }
        Ok(())
    }

    /// Whether `stream` is what `writer` makes of `content`. Ends with the first block that differs, and before any work
    /// where the stream's end shows that another has written it.
    pub fn makes(&mut self, writer: Writer, content: &[u8], stream: &[u8]) -> bool {
        if !stream.ends_with(writer.ending()) {
            return false;
        }
        let mut rest = stream;
        let written = self.write(
            writer,
            content,
            &mut |block| match rest.strip_prefix(block) {
                Some(behind) => {
                    rest = behind;
                    ControlFlow::Continue(())
                }
                None => ControlFlow::Break(()),
            },
        );
        written.is_continue() && rest.is_empty()
    }

    fn write(&mut self, writer: Writer, content: &[u8], take: Take<'_>) -> ControlFlow<()> {
        match writer {
            Writer::GoChains => self.chains.write(content, take),
            Writer::GoTables => self.tables.write(content, take),
        }
    }
}

/// Takes the next whole bytes of a stream, a block at a time; may end the writing.
type Take<'a> = &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_names_one_writer() {
        for writer in Writer::ALL {
            assert_eq!(Writer::of_code(writer.code()), Some(writer));
        }
        for code in [0, 3, 255] {
            assert_eq!(Writer::of_code(code), None);
        }
    }

    #[test]
    fn an_empty_content_is_one_empty_block() {
        let mut deflater = Deflater::new();
        let empty: [&[u8]; 2] = [b"\x01\x00\x00\xff\xff", b"\x03\x00"];
        for (writer, empty) in Writer::ALL.into_iter().zip(empty) {
            let mut out = b"before".to_vec();
            deflater
                .deflate(writer, b"", empty.len(), &mut out)
                .expect("there is room");
            assert_eq!(out, [b"before", empty].concat());
            assert!(deflater.makes(writer, b"", empty));
            assert!(!deflater.makes(writer, b"", &out[5..]));
            assert!(!deflater.makes(writer, b"", &[empty, b"\0"].concat()));
            let most = empty.len() - 1;
            assert_eq!(
                deflater.deflate(writer, b"", most, &mut out),
                Err(TooLong { most })
            );
            assert_eq!(out.len(), 6 + empty.len(), "cut back");
        }
    }
}
