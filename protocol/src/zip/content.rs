//! One entry's content: found through its local header, inflated, counted, hashed (`File.Open`, `checksumReader` in
//! archive/zip's reader.go).
//!
//! Whoever has put a zip together from parts that it knows says what is in them ([`Known`]), and they are not inflated again.
//!
//! Content passes through one buffer into the hashes and is gone. An entry that goes on past its declared size is
//! cut off at the first byte too many, and no byte of the zip is worked on twice, so that neither a bomb nor entries that
//! share their data take more time than the file's size and the declared sizes allow.

use std::cmp::Ordering;
use std::io;
use std::ops::Range;

use flate2::{Decompress, FlushDecompress, Status};
use sha2::{Digest, Sha256};

use super::directory::{u16_at, u32_at};
use super::error::{Rule, ZipError};
use super::files::File;
use super::source::{ReadAt, Window};

const LOCAL_HEADER_LEN: usize = 30;
const LOCAL_HEADER_SIGNATURE: u32 = 0x0403_4b50;
const DESCRIPTOR_SIGNATURE: u32 = 0x0807_4b50;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// Why an entry's content was refused.
pub(super) enum Fail {
    Rule(Rule),
    Zip(ZipError),
}

impl From<Rule> for Fail {
    fn from(rule: Rule) -> Fail {
        Fail::Rule(rule)
    }
}

impl From<ZipError> for Fail {
    fn from(error: ZipError) -> Fail {
        Fail::Zip(error)
    }
}

/// What is known of the packed bytes of an entry, before the zip is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// How they are packed: 0 stored, 8 one deflate stream and nothing behind it. Of an entry that is packed in
    /// another way, nothing is known.
    pub method: u16,
    /// The content's CRC-32.
    pub crc32: u32,
    /// Its size in bytes.
    pub unpacked: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// Says what is known of the bytes of a zip in this range: exactly of these. `None`: nothing.
pub type Knowing<'a> = &'a mut dyn FnMut(Range<u64>) -> io::Result<Option<Known>>;

/// What one entry after another is read with.
pub(super) struct Contents {
    inflate: Decompress,
    out: Box<[u8]>,
}

impl Contents {
    const OUT: usize = 128 << 10;

    pub(super) fn new() -> Contents {
        Contents {
            inflate: Decompress::new(false),
            out: vec![0; Self::OUT].into_boxed_slice(),
        }
    }

    /// Reads an entry, unless its content is known, checks it and returns the SHA-256 of its content. `budget` is
    /// how many of the zip's bytes are not yet used up by entries.
    pub(super) fn digest<R: ReadAt + ?Sized>(
        &mut self,
        window: &mut Window<'_, R>,
        file: &File,
        budget: &mut u64,
        known: Knowing<'_>,
    ) -> Result<[u8; 32], Fail> {
        if file.is_shadowed {
            return Ok(Sha256::digest([]).into());
        }
        let body = find_body(window, file, budget)?;
        if file.is_directory {
            // Some writers give directories a compressed size; only what they would unpack to matters.
            if file.unpacked != 0 {
                return Err(Rule::DirectoryContent.into());
            }
            return Ok(Sha256::digest([]).into());
        }
        let known = known(body..body.saturating_add(file.packed)).map_err(|source| {
            let offset = body;
            ZipError::Read { offset, source }
        })?;
        let mut input = Input {
            window,
            offset: body,
            left: file.packed,
            budget,
        };
        let (crc32, sha256) = match known {
            Some(known) if known.method == file.method => {
                match known.unpacked.cmp(&file.unpacked) {
                    Ordering::Greater => return Err(Rule::Long(file.unpacked).into()),
                    Ordering::Less => return Err(Rule::Short(file.unpacked).into()),
                    Ordering::Equal => {}
                }
                input.skip()?;
                (known.crc32, known.sha256)
            }
            _ => self.read(&mut input, file)?,
        };
        // Where a descriptor follows, it has the checksum; where none does, zero in the directory means "not known".
        if file.has_descriptor {
            let (end, skipped) = (input.offset, input.left);
            spend(budget, skipped)?;
            let declared = descriptor_crc32(window, end + skipped)?;
            if declared != file.crc32 || crc32 != file.crc32 {
                return Err(Rule::Checksum.into());
            }
        } else if file.crc32 != 0 && crc32 != file.crc32 {
            return Err(Rule::Checksum.into());
        }
        Ok(sha256)
    }

    /// CRC-32 and SHA-256 of what the packed bytes hold, which must have the declared size.
    fn read<R: ReadAt + ?Sized>(
        &mut self,
        input: &mut Input<'_, '_, R>,
        file: &File,
    ) -> Result<(u32, [u8; 32]), Fail> {
        let mut hashes = Hashes {
            sha256: Sha256::new(),
            crc32: crc32fast::Hasher::new(),
            left: file.unpacked,
            declared: file.unpacked,
        };
        match file.method {
            STORED => copy(input, &mut hashes)?,
            DEFLATED => self.inflate(input, &mut hashes)?,
            other => return Err(Rule::Method(other).into()),
        }
        if hashes.left != 0 {
            return Err(Rule::Short(file.unpacked).into());
        }
        Ok((hashes.crc32.finalize(), hashes.sha256.finalize().into()))
    }

    /// How many bytes the last deflated entry gave before it ended or was cut off.
    #[cfg(test)]
    pub(super) fn inflated(&self) -> u64 {
        self.inflate.total_out()
    }

    fn inflate<R: ReadAt + ?Sized>(
        &mut self,
        input: &mut Input<'_, '_, R>,
        hashes: &mut Hashes,
    ) -> Result<(), Fail> {
        self.inflate.reset(false);
        let (mut total_in, mut total_out) = (0, 0);
        loop {
            let bytes = input.peek()?;
            let at_end = bytes.is_empty();
            // One byte more than is declared, so that what is longer shows itself at once.
            let room =
                usize::try_from(hashes.left).map_or(usize::MAX, |left| left.saturating_add(1));
            let room = room.min(self.out.len());
            let out = &mut self.out[..room];
            let status = self
                .inflate
                .decompress(bytes, out, FlushDecompress::None)
                .map_err(|_| Rule::Corrupt)?;
            let consumed = (self.inflate.total_in() - total_in) as usize;
            let produced = (self.inflate.total_out() - total_out) as usize;
            total_in += consumed as u64;
            total_out += produced as u64;
            hashes.update(&out[..produced])?;
            input.consume(consumed)?;
            if status == Status::StreamEnd {
                return Ok(()); // what follows within the declared packed size is ignored
            }
            if consumed == 0 && produced == 0 {
                return Err(if at_end {
                    Rule::Short(hashes.declared).into()
                } else {
                    Rule::Corrupt.into()
                });
            }
        }
    }
}

fn copy<R: ReadAt + ?Sized>(input: &mut Input<'_, '_, R>, hashes: &mut Hashes) -> Result<(), Fail> {
    loop {
        let bytes = input.peek()?;
        if bytes.is_empty() {
            return Ok(());
        }
        hashes.update(bytes)?;
        let len = bytes.len();
        input.consume(len)?;
    }
}

/// The packed bytes of an entry.
struct Input<'i, 'w, R: ?Sized> {
    window: &'i mut Window<'w, R>,
    offset: u64,
    left: u64,
    budget: &'i mut u64,
}

impl<R: ReadAt + ?Sized> Input<'_, '_, R> {
    /// The next bytes; none at the end of the entry or of the file.
    fn peek(&mut self) -> Result<&[u8], ZipError> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let bytes = self.window.at(self.offset, 1)?;
        let len = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        Ok(&bytes[..len])
    }

    fn consume(&mut self, len: usize) -> Result<(), Rule> {
        self.offset += len as u64;
        self.left -= len as u64;
        spend(self.budget, len as u64)
    }

    /// Goes behind the entry, which must be wholly in the file: otherwise nothing can be known of it.
    fn skip(&mut self) -> Result<(), Rule> {
        self.offset += self.left;
        spend(self.budget, std::mem::take(&mut self.left))
    }
}

/// Counts bytes of the zip as used by an entry: those that were worked on, and those that were jumped over to a descriptor.
fn spend(budget: &mut u64, bytes: u64) -> Result<(), Rule> {
    *budget = budget.checked_sub(bytes).ok_or(Rule::Overlap)?;
    Ok(())
}

struct Hashes {
    sha256: Sha256,
    crc32: crc32fast::Hasher,
    left: u64,
    declared: u64,
}

impl Hashes {
    fn update(&mut self, bytes: &[u8]) -> Result<(), Rule> {
        self.left = self
            .left
            .checked_sub(bytes.len() as u64)
            .ok_or(Rule::Long(self.declared))?;
        self.crc32.update(bytes);
        self.sha256.update(bytes);
        Ok(())
    }
}

/// Where the data of an entry begin. The local header is not compared with the directory: the reference doesn't either.
fn find_body<R: ReadAt + ?Sized>(
    window: &mut Window<'_, R>,
    file: &File,
    budget: &mut u64,
) -> Result<u64, Fail> {
    let missing = Rule::LocalHeader(file.header_offset);
    let Ok(offset) = u64::try_from(file.header_offset) else {
        return Err(missing.into());
    };
    let len = local_header_len(window, offset)?.ok_or(missing)?;
    spend(budget, LOCAL_HEADER_LEN as u64)?;
    Ok(offset + len)
}

/// The length of the local header at `offset`, with its name and extra fields, which are not looked at and may go on past
/// the end of the file; `None` if there is no local header.
pub(super) fn local_header_len<R: ReadAt + ?Sized>(
    window: &mut Window<'_, R>,
    offset: u64,
) -> Result<Option<u64>, ZipError> {
    let header = window.at(offset, LOCAL_HEADER_LEN)?;
    Ok(header.first_chunk().and_then(len_of_local_header))
}

/// The length of the local header whose fixed part that is; `None` if it is that of none.
fn len_of_local_header(fixed: &[u8; LOCAL_HEADER_LEN]) -> Option<u64> {
    let names = u64::from(u16_at(fixed, 26)) + u64::from(u16_at(fixed, 28));
    (u32_at(fixed, 0) == LOCAL_HEADER_SIGNATURE).then_some(LOCAL_HEADER_LEN as u64 + names)
}

/// Where the packed bytes of an entry are whose local header begins at `offset`; `None` if there is no local header, or
/// they go on past the end of the file.
pub fn packed_bytes(
    zip: &(impl ReadAt + ?Sized),
    offset: u64,
    packed: u64,
) -> io::Result<Option<Range<u64>>> {
    let mut fixed = [0; LOCAL_HEADER_LEN];
    if zip.size().checked_sub(offset) < Some(LOCAL_HEADER_LEN as u64) {
        return Ok(None);
    }
    zip.read_exact_at(offset, &mut fixed)?;
    Ok(len_of_local_header(&fixed).and_then(|len| {
        let begin = offset + len;
        let end = begin.checked_add(packed)?;
        (end <= zip.size()).then_some(begin..end)
    }))
}

/// The checksum in a data descriptor, whose signature is optional. Its sizes are ignored: whether they have 32 or 64
/// bits cannot be told.
fn descriptor_crc32<R: ReadAt + ?Sized>(
    window: &mut Window<'_, R>,
    offset: u64,
) -> Result<u32, Fail> {
    let bytes = window.at(offset, 16)?;
    let signature = bytes.len() >= 4 && u32_at(bytes, 0) == DESCRIPTOR_SIGNATURE;
    let (at, len) = if signature { (4, 16) } else { (0, 12) };
    if bytes.len() < len {
        return Err(Rule::Descriptor.into());
    }
    Ok(u32_at(bytes, at))
}
