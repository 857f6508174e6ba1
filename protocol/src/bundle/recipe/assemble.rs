//! Puts a zip together.

use std::io::{self, Write};
use std::ops::Range;

use super::headers::{END_LEN, put_end};
use super::{Deflated, DeflatedFacts, Directory, End, Recipe, RecipeError};
use crate::module::ModuleVersion;

impl Recipe {
    /// How many bytes the zip will have, nothing of it being written yet.
    ///
    /// No stream is asked for behind the one that makes it larger than `most` bytes.
    ///
    /// # Errors
    ///
    /// A file's source is not there, or a size or offset has more than 32 bits; or the zip would have more than `most` bytes.
    pub fn size(
        &self,
        module: &ModuleVersion,
        streams: &mut dyn Deflated,
        most: u64,
    ) -> Result<u64, RecipeError> {
        let prefix = self.prefix(module);
        let mut at = self.front.len() as u64;
        let mut directory = 0;
        for (n, file) in self.files.iter().enumerate() {
            let kind = &self.kinds[file.kind as usize];
            let name = prefix.len() + self.name(n).len();
            let facts = self.facts(n, streams)?;
            in_32_bits(at).ok_or(RecipeError::TooLarge { file: n })?;
            at += kind.local_len(name) + facts.packed + kind.descriptor.len();
            directory += kind.central_len(name);
            if at > most {
                return Err(RecipeError::Longer { most });
            }
        }
        at += match &self.directory {
            Directory::Literal(bytes) => bytes.len() as u64,
            _ => directory,
        };
        at += match &self.end {
            End::Plain => END_LEN,
            End::Comment(comment) => END_LEN + comment.len() as u64,
            End::Literal(bytes) => bytes.len() as u64,
        };
        at += self.trailing.len() as u64;
        if at > most {
            return Err(RecipeError::Longer { most });
        }
        Ok(at)
    }

    /// Writes the zip, from front to back, and gives where each file's packed bytes are in it.
    ///
    /// Streams are asked for in the order of [`sources`](Self::sources). Its memory is counted in
    /// [`weight`](Self::weight). That it is the right zip, only its hash says.
    ///
    /// # Errors
    ///
    /// A file's source is not there, or a size or offset has more than 32 bits; or reading or writing fails.
    pub fn assemble(
        &self,
        module: &ModuleVersion,
        streams: &mut dyn Deflated,
        out: &mut dyn Write,
    ) -> Result<Vec<Range<u64>>, RecipeError> {
        let prefix = self.prefix(module);
        let mut out = Counted { out, at: 0 };
        let mut facts = Vec::with_capacity(self.files.len());
        let mut offsets = Vec::with_capacity(self.files.len());
        let mut data = Vec::with_capacity(self.files.len());
        let mut header = Vec::new();
        out.write_all(&self.front)?;
        for (n, file) in self.files.iter().enumerate() {
            let kind = &self.kinds[file.kind as usize];
            let own = self.facts(n, streams)?;
            offsets.push(in_32_bits(out.at).ok_or(RecipeError::TooLarge { file: n })?);
            header.clear();
            kind.put_local(&mut header, [&prefix, self.name(n)], &own);
            out.write_all(&header)?;
            let start = out.at;
            streams.copy(&file.source, &mut out)?;
            if out.at - start != own.packed {
                let what = "a deflate stream has other bytes than was said";
                return Err(io::Error::other(what).into());
            }
            data.push(start..out.at);
            out.write_all(&kind.descriptor.bytes(&own))?;
            facts.push(own);
        }
        let directory = out.at;
        let mut central = |out: &mut Counted<'_>, n: usize| {
            let kind = &self.kinds[self.files[n].kind as usize];
            header.clear();
            kind.put_central(&mut header, [&prefix, self.name(n)], &facts[n], offsets[n]);
            out.write_all(&header)
        };
        match &self.directory {
            Directory::InOrder => (0..self.files.len()).try_for_each(|n| central(&mut out, n))?,
            Directory::Order(order) => {
                (order.iter()).try_for_each(|n| central(&mut out, *n as usize))?;
            }
            Directory::Literal(bytes) => out.write_all(bytes)?,
        }
        let comment = match &self.end {
            End::Plain => Some(&[][..]),
            End::Comment(comment) => Some(&comment[..]),
            End::Literal(bytes) => {
                out.write_all(bytes)?;
                None
            }
        };
        if let Some(comment) = comment {
            let size = in_32_bits(out.at - directory);
            let (Some(size), Some(offset)) = (size, in_32_bits(directory)) else {
                let file = self.files.len();
                return Err(RecipeError::TooLarge { file });
            };
            let mut end = Vec::new();
            put_end(&mut end, self.files.len(), size, offset, comment);
            out.write_all(&end)?;
        }
        out.write_all(&self.trailing)?;
        Ok(data)
    }

    fn facts(&self, n: usize, streams: &mut dyn Deflated) -> Result<DeflatedFacts, RecipeError> {
        let source = self.files[n].source;
        let facts = streams.facts(&source)?;
        let facts = facts.ok_or(RecipeError::NoSource {
            file: n,
            from: source,
        })?;
        match (in_32_bits(facts.packed), in_32_bits(facts.unpacked)) {
            (Some(_), Some(_)) => Ok(facts),
            _ => Err(RecipeError::TooLarge { file: n }),
        }
    }
}

fn in_32_bits(number: u64) -> Option<u32> {
    number.try_into().ok()
}

/// Counts what is written through it.
struct Counted<'a> {
    out: &'a mut dyn Write,
    at: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.out.write(buf)?;
        self.at += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
