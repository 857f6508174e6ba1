//! The tar headers of a volume. There is one way to write each, so a reader compares instead of parsing.
//!
//! Every attack that lives in tar headers (links, devices, traversal names, sparse files, pax and GNU extensions,
//! sizes that two parsers read differently) is a header that differs from the predicted one. The parsers of the
//! tar crate serve only to say, in the error, what was found instead.

use std::fmt::Write as _;

use tar::{EntryType, Header};

use super::text;

/// The unit of a tar: headers are one, contents are padded to it, two empty ones end it.
pub(super) const BLOCK: usize = 512;

/// A header's bytes.
pub(super) type Block = [u8; BLOCK];

/// The one header for a file of that name and size: ustar, mode 0444, everything else zero or empty.
///
/// Names are this crate's own and at most 100 bytes; sizes are below the 8 GiB that ustar can say.
pub(super) fn header(name: &str, size: u64) -> Block {
    let mut header = Header::new_ustar();
    let field = &mut header.as_old_mut().name;
    let len = name.len().min(field.len());
    field[..len].copy_from_slice(&name.as_bytes()[..len]);
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(size);
    header.set_mtime(0);
    if let Some(ustar) = header.as_ustar_mut() {
        ustar.set_device_major(0);
        ustar.set_device_minor(0);
    }
    header.set_cksum();
    *header.as_bytes()
}

/// How many zero bytes follow contents of that size.
pub(super) fn padding(size: u64) -> usize {
    (size.next_multiple_of(BLOCK as u64) - size) as usize
}

/// What stands where another header had to be.
pub(super) enum Found {
    /// No header: its own checksum is wrong.
    Damaged,
    /// A header, or the archive's end: described.
    Other(String),
}

/// The size that a header gives, if it is one of a regular file of that name.
pub(super) fn size_of(block: &Block, name: &str) -> Option<u64> {
    let size = Header::from_byte_slice(block).entry_size().ok()?;
    (size < 1 << 33 && header(name, size) == *block).then_some(size)
}

/// Says what a block is that is not the expected header.
pub(super) fn describe(block: &Block) -> Found {
    if block.iter().all(|b| *b == 0) {
        return Found::Other("the end of the archive".into());
    }
    let header = Header::from_byte_slice(block);
    if header.cksum().ok() != Some(checksum(block)) {
        return Found::Damaged;
    }
    let kind = match header.entry_type() {
        EntryType::Regular => "file",
        EntryType::Link => "hard link",
        EntryType::Symlink => "symbolic link",
        EntryType::Char | EntryType::Block => "device",
        EntryType::Fifo => "fifo",
        EntryType::Directory => "directory",
        EntryType::Continuous => "contiguous file",
        EntryType::GNUSparse => "sparse file",
        EntryType::GNULongName | EntryType::GNULongLink => "GNU long name",
        EntryType::XHeader | EntryType::XGlobalHeader => "pax header",
        _ => "entry of an unknown type",
    };
    let mut found = format!("{kind} {}", text::shown(&header.path_bytes()));
    if let Ok(size) = header.entry_size() {
        // Writing to a String cannot fail.
        let _ = write!(found, " of {size} bytes");
    }
    if let Some(target) = header.link_name_bytes() {
        let _ = write!(found, " to {}", text::shown(&target));
    }
    Found::Other(found)
}

/// A header's checksum: the sum of its bytes, with the checksum's own taken as spaces.
fn checksum(block: &Block) -> u32 {
    let own = 148..156;
    block
        .iter()
        .enumerate()
        .map(|(at, b)| {
            if own.contains(&at) {
                u32::from(b' ')
            } else {
                u32::from(*b)
            }
        })
        .sum()
}
