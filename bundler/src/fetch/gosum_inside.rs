//! The go.sum inside a module zip that was verified before.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use modferry_protocol::module::ModuleVersion;
use modferry_protocol::zip::ReadAt;

use crate::cache::FileAt;
use crate::select::gosum::{self, Sums};

/// The largest go.sum that is read, in bytes; the largest known ones have about 1 MB.
pub const MAX_GO_SUM: u64 = 16 << 20;

/// The module's own go.sum; empty where it has none.
pub fn read(module: &ModuleVersion, zip: &Path) -> io::Result<BTreeMap<ModuleVersion, Sums>> {
    let source = FileAt::new(File::open(zip)?)?;
    match entry(&source, &format!("{module}/go.sum"))? {
        Some(text) => gosum::parse(&text).map_err(|error| invalid(&error.to_string())),
        None => Ok(BTreeMap::new()),
    }
}

/// One entry's bytes. The archive passed the checks for module zips, so its structure is known to be sound;
/// what is read here is read carefully all the same.
fn entry(zip: &impl ReadAt, wanted: &str) -> io::Result<Option<Vec<u8>>> {
    let size = zip.size();
    let tail_size = size.min(22 + 65_535);
    let tail = read_at(zip, size - tail_size, tail_size)?;
    let end = tail
        .windows(4)
        .rposition(|window| window == b"PK\x05\x06")
        .and_then(|at| tail.get(at..at + 22))
        .ok_or_else(|| invalid("no end of its directory"))?;
    let (directory_size, directory_at) = (u64::from(le32(end, 12)), u64::from(le32(end, 16)));
    if directory_size > size || directory_at > size {
        // A zip64 archive; module zips are too small to need one.
        return Ok(None);
    }
    let directory = read_at(zip, directory_at, directory_size)?;
    let mut rest = directory.as_slice();
    while rest.len() >= 46 && rest.starts_with(b"PK\x01\x02") {
        let (name, extra, comment) = (le16(rest, 28), le16(rest, 30), le16(rest, 32));
        let next = 46 + usize::from(name) + usize::from(extra) + usize::from(comment);
        if rest.get(46..46 + usize::from(name)) == Some(wanted.as_bytes()) {
            return content(zip, rest).map(Some);
        }
        rest = rest.get(next..).unwrap_or_default();
    }
    Ok(None)
}

fn content(zip: &impl ReadAt, header: &[u8]) -> io::Result<Vec<u8>> {
    let (method, packed, plain) = (le16(header, 10), le32(header, 20), le32(header, 24));
    let at = u64::from(le32(header, 42));
    if u64::from(plain) > MAX_GO_SUM || u64::from(packed) > MAX_GO_SUM {
        return Err(invalid("too large"));
    }
    let local = read_at(zip, at, 30)?;
    let skip = 30 + u64::from(le16(&local, 26)) + u64::from(le16(&local, 28));
    let bytes = read_at(zip, at + skip, u64::from(packed))?;
    match method {
        0 => Ok(bytes),
        8 => {
            let mut text = Vec::new();
            flate2::read::DeflateDecoder::new(bytes.as_slice())
                .take(MAX_GO_SUM)
                .read_to_end(&mut text)?;
            Ok(text)
        }
        _ => Err(invalid("unknown compression")),
    }
}

fn read_at(zip: &impl ReadAt, offset: u64, size: u64) -> io::Result<Vec<u8>> {
    let fits = offset
        .checked_add(size)
        .is_some_and(|end| end <= zip.size());
    if !fits {
        return Err(invalid("an offset points outside the zip"));
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| invalid("too large"))?];
    zip.read_exact_at(offset, &mut bytes)?;
    Ok(bytes)
}

fn le16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
