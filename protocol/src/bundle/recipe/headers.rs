//! The headers of a zip's files, made from a kind of them and what is a file's own.

use super::DeflatedFacts;

pub(super) const LOCAL_LEN: usize = 30;
pub(super) const CENTRAL_LEN: usize = 46;
const DESCRIPTOR_SIGNATURE: [u8; 4] = *b"PK\x07\x08";

/// What files of a zip have in common: their headers, but for what is a file's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    /// The local header without name and extra field, its numbers zero that are in [`LOCAL_OWN`].
    pub(super) local: [u8; LOCAL_LEN],
    /// The directory's header, its numbers zero that are in [`CENTRAL_OWN`].
    pub(super) central: [u8; CENTRAL_LEN],
    pub(super) local_extra: Vec<u8>,
    pub(super) central_extra: Vec<u8>,
    pub(super) comment: Vec<u8>,
    pub(super) fill: Fill,
    pub(super) descriptor: Descriptor,
}

/// Where a local header has CRC-32, sizes, and the lengths of name and extra field.
pub(super) const LOCAL_OWN: std::ops::Range<usize> = 14..30;

/// Where a directory's header has CRC-32, sizes and three lengths; and the offset.
pub(super) const CENTRAL_OWN: [std::ops::Range<usize>; 2] = [16..34, 42..46];

/// Which facts stand in the local header; the others are zero there, and follow in a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fill {
    pub(super) crc32: bool,
    pub(super) packed: bool,
    pub(super) unpacked: bool,
}

impl Fill {
    pub(super) fn bits(self) -> u8 {
        u8::from(self.crc32) | u8::from(self.packed) << 1 | u8::from(self.unpacked) << 2
    }

    pub(super) fn of_bits(bits: u8) -> Option<Fill> {
        (bits < 8).then_some(Fill {
            crc32: bits & 1 != 0,
            packed: bits & 2 != 0,
            unpacked: bits & 4 != 0,
        })
    }
}

/// What follows a file's packed bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Descriptor {
    None,
    Signed,
    Bare,
    Signed64,
    Bare64,
}

impl Descriptor {
    pub(super) const ALL: [Descriptor; 5] = [
        Descriptor::None,
        Descriptor::Signed,
        Descriptor::Bare,
        Descriptor::Signed64,
        Descriptor::Bare64,
    ];

    pub(super) fn code(self) -> u8 {
        self as u8
    }

    pub(super) fn of_code(code: u8) -> Option<Descriptor> {
        Self::ALL.get(usize::from(code)).copied()
    }

    pub(super) fn len(self) -> u64 {
        match self {
            Descriptor::None => 0,
            Descriptor::Bare => 12,
            Descriptor::Signed => 16,
            Descriptor::Bare64 => 20,
            Descriptor::Signed64 => 24,
        }
    }

    pub(super) fn bytes(self, facts: &DeflatedFacts) -> Vec<u8> {
        let mut out = Vec::new();
        if self == Descriptor::None {
            return out;
        }
        if matches!(self, Descriptor::Signed | Descriptor::Signed64) {
            out.extend(DESCRIPTOR_SIGNATURE);
        }
        out.extend(facts.crc32.to_le_bytes());
        for size in [facts.packed, facts.unpacked] {
            match self {
                Descriptor::Signed64 | Descriptor::Bare64 => out.extend(size.to_le_bytes()),
                // Sizes that do not fit have been refused.
                _ => out.extend((size as u32).to_le_bytes()),
            }
        }
        out
    }
}

impl Kind {
    /// Bytes of a file's local header, whose name has so many.
    pub(super) fn local_len(&self, name: usize) -> u64 {
        (LOCAL_LEN + name + self.local_extra.len()) as u64
    }

    /// Bytes of a file's header in the directory, whose name has so many.
    pub(super) fn central_len(&self, name: usize) -> u64 {
        (CENTRAL_LEN + name + self.central_extra.len() + self.comment.len()) as u64
    }

    /// Appends a file's local header. Its name is `name`'s parts together, of 65,535 bytes at most; its sizes have 32 bits.
    pub(super) fn put_local(&self, out: &mut Vec<u8>, name: [&[u8]; 2], facts: &DeflatedFacts) {
        let mut fixed = self.local;
        let own = |given: bool, value: u32| if given { value } else { 0 };
        put(&mut fixed, 14, own(self.fill.crc32, facts.crc32));
        put(&mut fixed, 18, own(self.fill.packed, facts.packed as u32));
        put(
            &mut fixed,
            22,
            own(self.fill.unpacked, facts.unpacked as u32),
        );
        put_len(&mut fixed, 26, name[0].len() + name[1].len());
        put_len(&mut fixed, 28, self.local_extra.len());
        out.extend(fixed);
        out.extend(name.concat());
        out.extend(&self.local_extra);
    }

    /// Appends a file's header in the directory; its local header is at `offset`.
    pub(super) fn put_central(
        &self,
        out: &mut Vec<u8>,
        name: [&[u8]; 2],
        facts: &DeflatedFacts,
        offset: u32,
    ) {
        let mut fixed = self.central;
        put(&mut fixed, 16, facts.crc32);
        put(&mut fixed, 20, facts.packed as u32);
        put(&mut fixed, 24, facts.unpacked as u32);
        put_len(&mut fixed, 28, name[0].len() + name[1].len());
        put_len(&mut fixed, 30, self.central_extra.len());
        put_len(&mut fixed, 32, self.comment.len());
        put(&mut fixed, 42, offset);
        out.extend(fixed);
        out.extend(name.concat());
        out.extend(&self.central_extra);
        out.extend(&self.comment);
    }
}

/// An end record; the count is modulo 65536, as it was before there was another form of it.
pub(super) fn put_end(out: &mut Vec<u8>, files: usize, size: u32, offset: u32, comment: &[u8]) {
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((files as u16).to_le_bytes());
    out.extend((files as u16).to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(offset.to_le_bytes());
    out.extend((comment.len() as u16).to_le_bytes());
    out.extend(comment);
}

/// Bytes of an end record without its comment.
pub(super) const END_LEN: u64 = 22;

fn put(header: &mut [u8], at: usize, value: u32) {
    header[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn put_len(header: &mut [u8], at: usize, len: usize) {
    header[at..at + 2].copy_from_slice(&(len as u16).to_le_bytes());
}
