//! Module zips: the rules of x/mod/zip's CheckZip, the central directory as Go's archive/zip reads it, and the h1 of
//! what is inside, in one pass.
//!
//! A zip that [`check`] accepts is one that the go command accepts, with the h1 that it would compute; the vectors in
//! tests/vectors/zip hold the two against each other. On purpose stricter than the reference are:
//!
//! - a directory of more than [`MAX_DIRECTORY`] bytes: the reference holds any directory in memory;
//! - entries that together use more bytes than the file has, so that they must share some ([`Rule::Overlap`]): the go
//!   command would inflate the same bytes again for each of them.
//!
//! What the rules do not ask, as the reference doesn't: modes (a symbolic link is a file whose content is its target;
//! nothing here or in the go command makes a link of it), times, comments, encryption flags, local headers' names.
//!
//! Memory: the directory's names and about 100 bytes an entry, and two fixed buffers, whatever the entries' sizes are.

mod content;
mod directory;
mod error;
mod files;
mod names;
mod places;
mod source;
#[cfg(test)]
mod tests;
mod unicode;

pub use content::{Knowing, Known, packed_bytes};
pub(crate) use directory::each_header;
pub use error::{ArchiveError, EntryName, Rule, ZipError};
pub use names::{FilePathError, check_file_path};
pub use places::{Listed, Place, each_listed, places};
pub use source::ReadAt;
pub(crate) use source::Window;

use crate::h1::{H1, Summary};
use crate::module::ModuleVersion;
use content::{Contents, Fail};
use files::Files;

/// The most bytes that a module zip may have, and the most that its files together may unpack to: 500 MiB.
pub const MAX_ZIP_FILE: u64 = 500 << 20;

/// The most bytes that the go.mod in a module's root may have: 16 MiB.
pub const MAX_GO_MOD: u64 = 16 << 20;

/// The most bytes that the LICENSE in a module's root may have: 16 MiB.
pub const MAX_LICENSE: u64 = 16 << 20;

/// The most bytes that a zip's central directory may have: 32 MiB, enough for about 200,000 files with names of
/// 100 bytes. It bounds the memory that a check takes. The reference has no such limit.
pub const MAX_DIRECTORY: u64 = 32 << 20;

/// What a check finds out about a zip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZipFacts {
    /// The hash over names and contents that go.sum and the checksum database record.
    pub h1: H1,
    /// How many entries there are, those for directories included (they are part of the h1).
    pub files: u32,
    /// How many bytes the files unpack to.
    pub unpacked: u64,
}

/// Checks that `zip` is a valid zip of `module`, and hashes what is in it.
///
/// A caller with many zips keeps a [`Checker`] instead.
pub fn check(module: &ModuleVersion, zip: &(impl ReadAt + ?Sized)) -> Result<ZipFacts, ZipError> {
    Checker::new().check(module, zip)
}

/// Calls `f` with each name in a zip's directory, in its order. Nothing is checked but that there is a directory: for zips that
/// were checked before.
///
/// # Errors
/// When there is no directory, or one that is too large.
pub fn each_name(zip: &(impl ReadAt + ?Sized), mut f: impl FnMut(&[u8])) -> Result<(), ZipError> {
    let mut buffer = Vec::new();
    let mut window = Window::new(zip, &mut buffer);
    let each = directory::each_header(&mut window, |header| {
        f(header.name);
        Ok(())
    });
    each.map(drop)
}

/// Checks one zip after another with the same buffers, about 450 KiB.
pub struct Checker {
    window: Vec<u8>,
    contents: Contents,
}

impl Checker {
    /// A checker with fresh buffers.
    pub fn new() -> Checker {
        Checker {
            window: Vec::new(),
            contents: Contents::new(),
        }
    }

    /// As [`check`] does.
    pub fn check(
        &mut self,
        module: &ModuleVersion,
        zip: &(impl ReadAt + ?Sized),
    ) -> Result<ZipFacts, ZipError> {
        self.check_prefixed(format!("{module}/"), zip, &mut |_| Ok(None))
    }

    /// Bytes of a zip's directory, which a check takes up to twice the memory of: that much is known in little time, and
    /// in no memory but the buffers.
    pub fn directory_size(&mut self, zip: &(impl ReadAt + ?Sized)) -> Result<u64, ZipError> {
        let mut window = Window::new(zip, &mut self.window);
        let range = directory::each_header(&mut window, |_| Ok::<_, ZipError>(()))?;
        Ok(range.end - range.start)
    }

    /// The same of a zip of which parts are known, so that they are not inflated and hashed again. `known` is believed.
    pub fn check_knowing(
        &mut self,
        module: &ModuleVersion,
        zip: &(impl ReadAt + ?Sized),
        known: Knowing<'_>,
    ) -> Result<ZipFacts, ZipError> {
        self.check_prefixed(format!("{module}/"), zip, known)
    }

    fn check_prefixed(
        &mut self,
        prefix: String,
        zip: &(impl ReadAt + ?Sized),
        known: Knowing<'_>,
    ) -> Result<ZipFacts, ZipError> {
        let mut window = Window::new(zip, &mut self.window);
        if window.size() > MAX_ZIP_FILE {
            let size = window.size();
            return Err(ZipError::TooLarge { size });
        }
        let mut files = Files::new(prefix);
        directory::each_header(&mut window, |header| files.add(header))?;
        files.check_collisions()?;

        // In the order in which they lie in the zip, so that the source is read from front to back.
        let header_offset = |i: &u32| files.files[*i as usize].header_offset;
        let mut budget = window.size();
        for i in files.order(|a, b| header_offset(a).cmp(&header_offset(b))) {
            let file = &files.files[i as usize];
            match self.contents.digest(&mut window, file, &mut budget, known) {
                Ok(sha256) => files.files[i as usize].sha256 = sha256,
                Err(Fail::Rule(rule)) => return Err(files.error(file, rule)),
                Err(Fail::Zip(error)) => return Err(error),
            }
        }
        Ok(ZipFacts {
            h1: h1(&files),
            files: files.files.len() as u32,
            unpacked: files.unpacked,
        })
    }
}

impl Default for Checker {
    fn default() -> Self {
        Checker::new()
    }
}

fn h1(files: &Files) -> H1 {
    let name = |i: u32| files.name(&files.files[i as usize]);
    let mut summary = Summary::new();
    for i in files.order(|&a, &b| name(a).cmp(name(b))) {
        let sha256 = files.files[i as usize].sha256;
        summary.line(&[&files.prefix, name(i)], &sha256);
    }
    summary.finish()
}
