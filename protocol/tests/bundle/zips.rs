//! Zips of every shape that a writer may give them, sane or not.

#![allow(clippy::unwrap_used)]

use flate2::{Compress, Compression, FlushCompress, Status};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// The module version that they are of.
pub const MODULE: &str = "example.com/m@v1.0.0";

/// Who packed an entry.
#[derive(Clone, Copy, Debug)]
pub enum Encoder {
    Stored,
    Zlib(u32),
    StoredBlocks,
    FixedHuffman,
}

/// What follows an entry's packed bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Descriptor {
    None,
    Signed,
    Bare,
    Signed64,
    Bare64,
}

/// An entry under construction.
#[derive(Clone, Debug)]
pub struct Entry {
    pub name: Vec<u8>,
    pub content: Vec<u8>,
    pub encoder: Encoder,
    /// Time and date.
    pub time: u32,
    pub descriptor: Descriptor,
    /// Facts in the local header even where a descriptor follows.
    pub filled: bool,
    pub local_extra: Vec<u8>,
    pub central_extra: Vec<u8>,
    pub comment: Vec<u8>,
    /// Sizes in zip64 extra fields.
    pub zip64: bool,
    /// Bytes that belong to nothing, behind it.
    pub gap: Vec<u8>,
    /// Added to the CRC-32 in all headers.
    pub wrong_crc32: u32,
    /// The name that the directory has, where that is another.
    pub central_name: Option<Vec<u8>>,
}

/// An archive under construction.
#[derive(Clone, Debug)]
pub struct Zip {
    pub front: Vec<u8>,
    /// Whether offsets count from behind the front, as in archives that something was put in front of.
    pub based: bool,
    pub entries: Vec<Entry>,
    /// Keys by which the directory is sorted.
    pub order: Vec<u8>,
    /// The directory has this entry once more.
    pub again: Option<usize>,
    /// Bytes between the files and the directory.
    pub gap: Vec<u8>,
    pub zip64: bool,
    pub comment: Vec<u8>,
    pub trailing: Vec<u8>,
}

/// What an encoder makes of a content.
pub fn pack(encoder: Encoder, content: &[u8]) -> Vec<u8> {
    match encoder {
        Encoder::Stored => content.to_vec(),
        Encoder::Zlib(level) => {
            let mut compress = Compress::new(Compression::new(level), false);
            let mut out = Vec::with_capacity(2 * content.len() + 100);
            let status = compress.compress_vec(content, &mut out, FlushCompress::Finish);
            assert_eq!(status.unwrap(), Status::StreamEnd);
            out
        }
        Encoder::StoredBlocks => {
            let mut out = Vec::new();
            for piece in content.chunks(1000) {
                let len = piece.len() as u16;
                out.push(0);
                out.extend(len.to_le_bytes());
                out.extend((!len).to_le_bytes());
                out.extend(piece);
            }
            out.extend([1, 0, 0, 0xff, 0xff]);
            out
        }
        Encoder::FixedHuffman => fixed_huffman(content),
    }
}

/// One block of literals with the code that the format fixes.
fn fixed_huffman(content: &[u8]) -> Vec<u8> {
    let mut bits: Vec<bool> = vec![true, true, false];
    let mut code = |value: u32, len: u32| {
        bits.extend((0..len).rev().map(|bit| value >> bit & 1 == 1));
    };
    for byte in content {
        match byte {
            0..=143 => code(0x30 + u32::from(*byte), 8),
            _ => code(0x190 + u32::from(*byte) - 144, 9),
        }
    }
    code(0, 7);
    bits.chunks(8)
        .map(|byte| {
            let bits = byte.iter().enumerate();
            bits.map(|(n, bit)| u8::from(*bit) << n).sum()
        })
        .collect()
}

impl Zip {
    /// Its bytes.
    pub fn build(&self) -> Vec<u8> {
        let mut zip = self.front.clone();
        let base = if self.based { self.front.len() } else { 0 };
        let mut headers = Vec::new();
        for entry in &self.entries {
            let offset = zip.len() - base;
            headers.push(entry.build(&mut zip, offset as u32));
        }
        zip.extend(&self.gap);
        let mut order: Vec<usize> = (0..headers.len()).collect();
        order.sort_by_key(|n| self.order.get(*n));
        order.extend(self.again.filter(|n| *n < headers.len()));
        let directory = zip.len() - base;
        for n in &order {
            zip.extend(&headers[*n]);
        }
        let size = (zip.len() - base - directory) as u32;
        let count = order.len() as u16;
        let mut ends = (count, size, directory as u32);
        if self.zip64 {
            let at = (zip.len() - base) as u64;
            zip.extend(b"PK\x06\x06\x2c\0\0\0\0\0\0\0\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
            for number in [count.into(), count.into(), size.into(), directory as u64] {
                zip.extend(number.to_le_bytes());
            }
            zip.extend(b"PK\x06\x07\0\0\0\0");
            zip.extend(at.to_le_bytes());
            zip.extend([1, 0, 0, 0]);
            ends = (u16::MAX, u32::MAX, u32::MAX);
        }
        zip.extend(b"PK\x05\x06\0\0\0\0");
        zip.extend(ends.0.to_le_bytes());
        zip.extend(ends.0.to_le_bytes());
        zip.extend(ends.1.to_le_bytes());
        zip.extend(ends.2.to_le_bytes());
        zip.extend((self.comment.len() as u16).to_le_bytes());
        zip.extend(&self.comment);
        zip.extend(&self.trailing);
        zip
    }
}

impl Entry {
    /// Puts its local part into the zip, and gives its header for the directory.
    fn build(&self, zip: &mut Vec<u8>, offset: u32) -> Vec<u8> {
        let packed = pack(self.encoder, &self.content);
        let method: u16 = if matches!(self.encoder, Encoder::Stored) {
            0
        } else {
            8
        };
        let crc32 = crc32fast::hash(&self.content).wrapping_add(self.wrong_crc32);
        let sizes = [packed.len() as u32, self.content.len() as u32];
        let in_extra = |extra: &[u8]| {
            let mut field = vec![1, 0, 16, 0];
            field.extend(u64::from(sizes[1]).to_le_bytes());
            field.extend(u64::from(sizes[0]).to_le_bytes());
            field.extend(extra);
            field
        };
        let shown = if self.zip64 { [u32::MAX; 2] } else { sizes };
        let (local_extra, central_extra) = if self.zip64 {
            (in_extra(&self.local_extra), in_extra(&self.central_extra))
        } else {
            (self.local_extra.clone(), self.central_extra.clone())
        };
        let streamed = self.descriptor != Descriptor::None;
        let mut common = vec![20, 0, 8 * u8::from(streamed), 0];
        common.extend(method.to_le_bytes());
        common.extend(self.time.to_le_bytes());

        zip.extend(b"PK\x03\x04");
        zip.extend(&common);
        if streamed && !self.filled {
            zip.extend([0; 12]);
        } else {
            for number in [crc32, shown[0], shown[1]] {
                zip.extend(number.to_le_bytes());
            }
        }
        zip.extend((self.name.len() as u16).to_le_bytes());
        zip.extend((local_extra.len() as u16).to_le_bytes());
        zip.extend(&self.name);
        zip.extend(&local_extra);
        zip.extend(&packed);
        if matches!(self.descriptor, Descriptor::Signed | Descriptor::Signed64) {
            zip.extend(b"PK\x07\x08");
        }
        match self.descriptor {
            Descriptor::None => {}
            Descriptor::Signed | Descriptor::Bare => {
                for number in [crc32, sizes[0], sizes[1]] {
                    zip.extend(number.to_le_bytes());
                }
            }
            Descriptor::Signed64 | Descriptor::Bare64 => {
                zip.extend(crc32.to_le_bytes());
                for number in sizes {
                    zip.extend(u64::from(number).to_le_bytes());
                }
            }
        }
        zip.extend(&self.gap);

        let name = self.central_name.as_ref().unwrap_or(&self.name);
        let mut header = b"PK\x01\x02\x14\x03".to_vec();
        header.extend(common);
        for number in [crc32, shown[0], shown[1]] {
            header.extend(number.to_le_bytes());
        }
        header.extend((name.len() as u16).to_le_bytes());
        header.extend((central_extra.len() as u16).to_le_bytes());
        header.extend((self.comment.len() as u16).to_le_bytes());
        header.extend([0, 0, 0, 0, 0, 0, 0xa4, 0x81]);
        header.extend(offset.to_le_bytes());
        header.extend(name);
        header.extend(&central_extra);
        header.extend(&self.comment);
        header
    }
}

/// A plain entry of that name behind the module's prefix, as `cmd/go` writes it.
pub fn plain(name: &str, content: &[u8]) -> Entry {
    Entry {
        name: format!("{MODULE}/{name}").into(),
        content: content.to_vec(),
        encoder: Encoder::Zlib(5),
        time: 0,
        descriptor: Descriptor::Signed,
        filled: false,
        local_extra: Vec::new(),
        central_extra: Vec::new(),
        comment: Vec::new(),
        zip64: false,
        gap: Vec::new(),
        wrong_crc32: 0,
        central_name: None,
    }
}

/// A zip of those entries, as `cmd/go` writes it.
pub fn of(entries: Vec<Entry>) -> Zip {
    Zip {
        front: Vec::new(),
        based: false,
        entries,
        order: Vec::new(),
        again: None,
        gap: Vec::new(),
        zip64: false,
        comment: Vec::new(),
        trailing: Vec::new(),
    }
}

fn any_encoder() -> impl Strategy<Value = Encoder> {
    prop_oneof![
        Just(Encoder::Stored),
        (0..10u32).prop_map(Encoder::Zlib),
        Just(Encoder::StoredBlocks),
        Just(Encoder::FixedHuffman),
    ]
}

fn any_content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 0..100),
        (vec(any::<u8>(), 1..20), 0..300usize).prop_map(|(unit, times)| unit.repeat(times)),
    ]
}

/// Mostly nothing, now and then some bytes.
fn rarely() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![9 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..30)]
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => "[a-z/]{1,12}".prop_map(|name| format!("{MODULE}/{name}").into_bytes()),
        1 => vec(any::<u8>(), 0..20),
    ]
}

prop_compose! {
    fn any_entry()(
        name in any_name(),
        content in any_content(),
        encoder in any_encoder(),
        time in select(vec![0, 0, 0x2100_0000u32, 77]),
        descriptor in select(vec![Descriptor::Signed, Descriptor::Signed, Descriptor::None,
            Descriptor::Bare, Descriptor::Signed64, Descriptor::Bare64]),
        filled in proptest::bool::weighted(0.2),
        local_extra in rarely(),
        central_extra in rarely(),
        comment in rarely(),
        zip64 in proptest::bool::weighted(0.03),
        gap in prop_oneof![50 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..30)],
        wrong_crc32 in prop_oneof![30 => Just(0), 1 => any::<u32>()],
        central_name in prop_oneof![50 => Just(None), 1 => any_name().prop_map(Some)],
    ) -> Entry {
        Entry {
            name, content, encoder, time, descriptor, filled, local_extra, central_extra, comment, zip64, gap,
            wrong_crc32, central_name,
        }
    }
}

prop_compose! {
    /// Any zip; most of them are regular.
    pub fn any_zip()(
        front in rarely(),
        based in any::<bool>(),
        entries in vec(any_entry(), 0..8),
        order in prop_oneof![vec(Just(0u8), 8), vec(any::<u8>(), 8)],
        again in prop_oneof![20 => Just(None), 1 => (0..8usize).prop_map(Some)],
        gap in prop_oneof![20 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..30)],
        zip64 in proptest::bool::weighted(0.1),
        comment in rarely(),
        trailing in rarely(),
    ) -> Zip {
        Zip { front, based, entries, order, again, gap, zip64, comment, trailing }
    }
}
