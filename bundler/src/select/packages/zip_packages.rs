//! The packages of a module zip, read from the headers of its Go files.
//!
//! Of each file no more is inflated than its header takes. The zip passed the checks for module zips before, so its
//! structure is sound; how much of it is worked on is bounded all the same.

use std::io::{self, Read};
use std::ops::Range;

use flate2::read::DeflateDecoder;
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::{ReadAt, ZipError, places};

use super::constraint::Tags;
use super::folders::{Collector, Packages, TooMany, is_source};
use super::imports::Header;

/// The most bytes of a Go file that its header may have: 4 MiB. Licences stand there, and generated lists of imports.
pub const MAX_HEADER: usize = 4 << 20;

/// So much of a file is read at first; most headers fit.
const FIRST: usize = 2 << 10;

/// Why a zip's packages are not known.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Its directory cannot be read.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// A file in it cannot be unpacked.
    #[error("{name} cannot be unpacked")]
    File {
        /// The entry.
        name: String,
        /// Why not.
        source: io::Error,
    },
    /// A file's header is longer than [`MAX_HEADER`].
    #[error("the imports of {0} do not end within {MAX_HEADER} bytes")]
    Header(String),
    /// There are too many imports.
    #[error(transparent)]
    TooMany(#[from] TooMany),
}

/// The packages of this module, whose zip it is.
pub fn read(
    module: &ModuleVersion,
    zip: &(impl ReadAt + ?Sized),
    tags: &Tags,
) -> Result<Packages, Unreadable> {
    let prefix = format!("{module}/");
    let mut collector = Collector::new(tags);
    let mut bytes = Vec::new();
    let mut entries = places(zip)?;
    // In the order in which they lie in the zip, so that it is read from front to back.
    entries.sort_by_key(|entry| entry.data.start);
    for entry in entries {
        let Ok(name) = std::str::from_utf8(&entry.name) else {
            continue;
        };
        let Some(path) = name.strip_prefix(&prefix) else {
            continue;
        };
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        if !is_source(file) {
            continue;
        }
        let stretch = Stretch {
            zip,
            left: entry.data.clone(),
        };
        let read = match entry.method {
            0 => header_of(stretch, &mut bytes),
            _ => header_of(DeflateDecoder::new(stretch), &mut bytes),
        };
        let header = read.map_err(|source| Unreadable::File {
            name: path.into(),
            source,
        })?;
        match &header {
            Found::Header(header) => collector.add(folder, file, Some((header, &bytes)))?,
            Found::NoGo => collector.add(folder, file, None)?,
            Found::TooLong => return Err(Unreadable::Header(path.into())),
        }
    }
    Ok(collector.finish())
}

/// What is found at the beginning of a file.
pub(super) enum Found {
    Header(Header),
    /// A zero byte, which no Go file has.
    NoGo,
    /// Nothing else within [`MAX_HEADER`].
    TooLong,
}

/// The header of a Go file, and what was read of it, in `bytes`.
pub(super) fn header_of(mut file: impl Read, bytes: &mut Vec<u8>) -> io::Result<Found> {
    bytes.clear();
    let mut room = FIRST;
    loop {
        let missing = room - bytes.len();
        let got = file.by_ref().take(missing as u64).read_to_end(bytes)?;
        match Header::read(bytes, got < missing) {
            Ok(Some(header)) => return Ok(Found::Header(header)),
            Ok(None) if room >= MAX_HEADER => return Ok(Found::TooLong),
            Ok(None) => room = (room * 4).min(MAX_HEADER),
            Err(_) => return Ok(Found::NoGo),
        }
    }
}

/// A stretch of the zip, as a stream.
struct Stretch<'z, R: ?Sized> {
    zip: &'z R,
    left: Range<u64>,
}

impl<R: ReadAt + ?Sized> Read for Stretch<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.left.end - self.left.start;
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        self.zip.read_exact_at(self.left.start, &mut buf[..len])?;
        self.left.start += len as u64;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_checker::testing::{Packing, zip_of};

    fn read_zip(files: &[(&str, &str)], packing: Packing) -> Result<Packages, Unreadable> {
        let module: ModuleVersion = "a.test/M@v1.0.0".parse().unwrap();
        let files: Vec<(&str, &[u8])> = files
            .iter()
            .map(|(n, text)| (*n, text.as_bytes()))
            .collect();
        read(
            &module,
            zip_of(&module, &files, packing).as_slice(),
            &Tags::Any,
        )
    }

    #[test]
    fn headers_are_found_in_either_packing() {
        let long = format!("// {}\npackage a\nimport \"b\"\n", "x".repeat(3 * FIRST));
        let files = [
            ("go.mod", "module a.test/M\n"),
            ("a.go", "package a\nimport \"x\"\n\nvar zero = \"\0\"\n"),
            ("sub/dir/a.go", &*long),
            ("sub/dir/a_test.go", "package a\nimport \"t\"\n"),
            ("zero/a.go", "package \0\n"),
            ("none/a.txt", "import \"n\"\n"),
            ("hidden/_a.go", "package a\n"),
        ];
        for packing in [Packing::Stored, Packing::Deflated] {
            let found = read_zip(&files, packing).unwrap();
            assert_eq!(found.folder("").unwrap().imports.join(" "), "x");
            let sub = found.folder("sub/dir").unwrap();
            assert_eq!(
                (sub.imports.join(" "), sub.test_imports.join(" ")),
                ("b".into(), "t".into())
            );
            assert!(!found.folder("zero").unwrap().counts);
            assert!(found.folder("none").is_none() && found.folder("hidden").is_none());
        }
    }

    #[test]
    fn a_header_is_bounded() {
        let of = |len: usize| {
            let end = "\npackage a\nvar x int\n";
            format!("//{}{end}", "x".repeat(len - 2 - "\npackage a\nv".len()))
        };
        let (fits, longer) = (of(MAX_HEADER), of(MAX_HEADER + 1));
        read_zip(&[("a.go", &fits)], Packing::Deflated).unwrap();
        let error = read_zip(&[("b/a.go", &longer)], Packing::Deflated).unwrap_err();
        assert!(error.to_string().contains("b/a.go"), "{error}");
    }
}
