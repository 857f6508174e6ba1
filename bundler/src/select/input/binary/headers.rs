//! As much of five formats' headers as it takes to know where a program's addresses lie in its file, and in which part of
//! it the linker has left Go's record.
//!
//! The record has a section of its own in ELF (`.go.buildinfo`) and Mach-O (`__go_buildinfo`). Elsewhere, and in old
//! programs, it stands in what the program may write: the first such segment or section. (debug/buildinfo's `DataStart`
//! and `DataReader`; the layouts are those of debug/elf, pe, macho, plan9obj and internal/xcoff.)

use modferry_protocol::zip::ReadAt;

use super::BinaryError;
use super::image::{Data, Format, Image, Region};

/// How many parts a fat Mach-O file may have. A Java class begins with the same four bytes, and then has its version
/// there, which is larger.
pub(super) const MAX_PARTS: u64 = 16;

/// The programs of a file: one, or one for each processor.
pub(super) fn images(file: &dyn ReadAt) -> Result<Vec<Image<'_>>, BinaryError> {
    let mut begins = [0; 4];
    if file.size() >= 4 {
        file.read_exact_at(0, &mut begins)?;
    }
    let image = match begins {
        [0x7f, b'E', b'L', b'F'] => elf(file)?,
        [b'M', b'Z', ..] => pe(file)?,
        [0xfe, 0xed, 0xfa, 0xce | 0xcf] | [0xce | 0xcf, 0xfa, 0xed, 0xfe] => macho(file, 0)?,
        [0xca, 0xfe, 0xba, 0xbe] => return fat(file, 20, 4),
        [0xca, 0xfe, 0xba, 0xbf] => return fat(file, 32, 8),
        [0x01, 0xdf, ..] => xcoff(file, false)?,
        [0x01, 0xf7, ..] => xcoff(file, true)?,
        // 386, arm, amd64.
        [0, 0, 0x01, 0xeb] | [0, 0, 0x06, 0x47] => plan9(file, 32)?,
        [0, 0, 0x8a, 0x97] => plan9(file, 40)?,
        _ => return Err(BinaryError::NoProgram),
    };
    Ok(vec![image])
}

fn elf(file: &dyn ReadAt) -> Result<Image<'_>, BinaryError> {
    let mut format = Format {
        name: "ELF",
        big_endian: false,
    };
    let ident = format.table(file, 0, 16, "cut off in its header")?.bytes;
    let wide = match ident[4] {
        1 => false,
        2 => true,
        _ => return Err(format.damaged("neither of 32 nor of 64 bits")),
    };
    format.big_endian = match ident[5] {
        1 => false,
        2 => true,
        _ => return Err(format.damaged("neither little-endian nor big-endian")),
    };
    let word = if wide { 8 } else { 4 };
    let pick = |narrow: usize, at: usize| if wide { at } else { narrow };
    let header = format.table(file, 0, pick(52, 64) as u64, "cut off in its header")?;

    let (segments_at, each, count) = (
        header.number(pick(28, 32), word)?,
        header.number(pick(42, 54), 2)?,
        header.number(pick(44, 56), 2)?,
    );
    if count > 0 && each < pick(32, 56) as u64 {
        return Err(format.damaged("its segment headers are too small"));
    }
    let segments = format.table(
        file,
        segments_at,
        each * count,
        "its segment headers are cut off",
    )?;
    let mut regions = Vec::new();
    let mut data = Data::default();
    for at in (0..count).map(|n| (n * each) as usize) {
        const LOADED: u64 = 1;
        const EXECUTE_AND_WRITE: u64 = 3;
        const WRITE: u64 = 2;
        if segments.number(at, 4)? != LOADED {
            continue;
        }
        let address = segments.number(at + pick(8, 16), word)?;
        regions.push(Region {
            address,
            offset: segments.number(at + pick(4, 8), word)?,
            size: segments.number(at + pick(16, 32), word)?,
        });
        let flags = segments.number(at + pick(24, 4), 4)?;
        if data.size == 0 && flags & EXECUTE_AND_WRITE == WRITE {
            data = Data {
                start: address,
                size: segments.number(at + pick(20, 40), word)?,
            };
        }
    }

    let (sections_at, each, count, names) = (
        header.number(pick(32, 40), word)?,
        header.number(pick(46, 58), 2)?,
        header.number(pick(48, 60), 2)?,
        header.number(pick(50, 62), 2)?,
    );
    if names < count {
        if each < pick(40, 64) as u64 {
            return Err(format.damaged("its section headers are too small"));
        }
        let sections = format.table(
            file,
            sections_at,
            each * count,
            "its section headers are cut off",
        )?;
        let at = (names * each) as usize;
        let names = format.table(
            file,
            sections.number(at + pick(16, 24), word)?,
            sections.number(at + pick(20, 32), word)?,
            "the names of its sections are cut off",
        )?;
        for at in (0..count).map(|n| (n * each) as usize) {
            const NAME: &[u8] = b".go.buildinfo";
            if names.text(sections.number(at, 4)? as usize, NAME.len() + 1) == NAME {
                data = Data {
                    start: sections.number(at + pick(12, 16), word)?,
                    size: sections.number(at + pick(20, 32), word)?,
                };
                break;
            }
        }
    }
    Ok(Image {
        file,
        regions,
        data,
    })
}

fn pe(file: &dyn ReadAt) -> Result<Image<'_>, BinaryError> {
    let format = Format {
        name: "PE",
        big_endian: false,
    };
    let dos = format.table(file, 0, 64, "cut off in its header")?;
    let at = dos.number(60, 4)?;
    let header = format.table(file, at, 24, "its header is cut off")?;
    if !header.bytes.starts_with(b"PE\0\0") {
        return Err(format.damaged("a program of DOS, not of Windows"));
    }
    let (count, optional) = (header.number(6, 2)?, header.number(20, 2)?);
    let table = format.table(file, at + 24, optional, "its optional header is cut off")?;
    let base = match optional {
        0 => 0,
        _ => match table.number(0, 2)? {
            0x10b => table.number(28, 4)?,
            0x20b => table.number(24, 8)?,
            _ => return Err(format.damaged("neither of 32 nor of 64 bits")),
        },
    };
    let sections = format.table(
        file,
        at + 24 + optional,
        count * 40,
        "its section headers are cut off",
    )?;
    let mut regions = Vec::new();
    let mut data = Data::default();
    for at in (0..count as usize).map(|n| n * 40) {
        // Initialized data, read and write; of alignments the linker's own.
        const DATA: u64 = 0xc000_0040;
        const ALIGN: u64 = 0x0060_0000;
        let address = base.wrapping_add(sections.number(at + 12, 4)?);
        let size = sections.number(at + 16, 4)?;
        regions.push(Region {
            address,
            offset: sections.number(at + 20, 4)?,
            size,
        });
        let of_data = sections.number(at + 36, 4)? & !ALIGN == DATA;
        if data.size == 0 && size != 0 && of_data {
            data = Data {
                start: address,
                size: sections.number(at + 8, 4)?,
            };
        }
    }
    Ok(Image {
        file,
        regions,
        data,
    })
}

/// A Mach-O program that begins at `base`.
fn macho(file: &dyn ReadAt, base: u64) -> Result<Image<'_>, BinaryError> {
    let mut format = Format {
        name: "Mach-O",
        big_endian: true,
    };
    let begins = format.table(file, base, 4, "cut off in its header")?;
    let wide = match begins.bytes[..] {
        [0xfe, 0xed, 0xfa, width] | [width, 0xfa, 0xed, 0xfe] => width == 0xcf,
        _ => return Err(format.damaged("a part of it is none")),
    };
    format.big_endian = begins.bytes[0] == 0xfe;
    let word = if wide { 8 } else { 4 };
    let header_size = if wide { 32 } else { 28 };
    let header = format.table(file, base, header_size, "cut off in its header")?;
    let (count, size) = (header.number(16, 4)?, header.number(20, 4)?);
    let commands = format.table(
        file,
        base + header_size,
        size,
        "its load commands are cut off",
    )?;

    let mut regions = Vec::new();
    let (mut own, mut writable) = (None, None);
    let mut at = 0;
    for _ in 0..count {
        const SEGMENT: u64 = 0x1;
        const SEGMENT_64: u64 = 0x19;
        const READ_AND_WRITE: u64 = 3;
        let (command, length) = (
            commands.number(at, 4)?,
            commands.number(at + 4, 4)? as usize,
        );
        if length < 8 || length > commands.bytes.len() - at {
            return Err(format.damaged("a load command's length cannot be"));
        }
        if command == if wide { SEGMENT_64 } else { SEGMENT } {
            // Behind the name: address, its size, offset, its size, protections at most and at first, sections.
            let field = |n: usize| commands.number(at + 24 + n * word, word);
            let behind = at + 24 + 4 * word;
            let (address, size) = (field(0)?, field(3)?);
            if commands.text(at + 8, 16) != b"__PAGEZERO" {
                regions.push(Region {
                    address,
                    offset: base.saturating_add(field(2)?),
                    size,
                });
            }
            let protections = (commands.number(behind, 4)?, commands.number(behind + 4, 4)?);
            if address != 0 && size != 0 && protections == (READ_AND_WRITE, READ_AND_WRITE) {
                writable = writable.or(Some(Data {
                    start: address,
                    size: field(1)?,
                }));
            }
            let each = if wide { 80 } else { 68 };
            let sections = commands.number(behind + 8, 4)? as usize;
            if sections > (length - (behind + 16 - at).min(length)) / each {
                return Err(format.damaged("a segment has more sections than its load command"));
            }
            for section in (0..sections).map(|n| behind + 16 + n * each) {
                if commands.text(section, 16) == b"__go_buildinfo" {
                    own = own.or(Some(Data {
                        start: commands.number(section + 32, word)?,
                        size: commands.number(section + 32 + word, word)?,
                    }));
                }
            }
        }
        at += length;
    }
    Ok(Image {
        file,
        regions,
        data: own.or(writable).unwrap_or_default(),
    })
}

/// The parts of a fat Mach-O file, each described by `each` bytes with offsets of `word` bytes.
fn fat(file: &dyn ReadAt, each: u64, word: usize) -> Result<Vec<Image<'_>>, BinaryError> {
    let format = Format {
        name: "fat Mach-O",
        big_endian: true,
    };
    let header = format.table(file, 0, 8, "cut off in its header")?;
    let count = header.number(4, 4)?;
    if count > MAX_PARTS {
        return Err(BinaryError::NoProgram);
    }
    let parts = format.table(file, 8, count * each, "the list of its parts is cut off")?;
    if count == 0 {
        return Err(format.damaged("it has no part"));
    }
    (0..count)
        .map(|n| macho(file, parts.number((n * each) as usize + 8, word)?))
        .collect()
}

fn xcoff(file: &dyn ReadAt, wide: bool) -> Result<Image<'_>, BinaryError> {
    let format = Format {
        name: "XCOFF",
        big_endian: true,
    };
    let word = if wide { 8 } else { 4 };
    let (header_size, each) = if wide { (24, 72) } else { (20, 40) };
    let header = format.table(file, 0, header_size, "cut off in its header")?;
    let count = header.number(2, 2)?;
    let sections = format.table(
        file,
        header_size + header.number(16, 2)?,
        count * each,
        "its section headers are cut off",
    )?;
    let mut regions = Vec::new();
    let mut data = Data::default();
    for at in (0..count).map(|n| (n * each) as usize) {
        const DATA: u64 = 0x40;
        // Behind the name: two addresses, the size, the offset, three numbers that are passed over.
        let field = |n: usize| sections.number(at + 8 + n * word, word);
        let (start, size, offset) = (field(1)?, field(2)?, field(3)?);
        if offset == 0 {
            continue;
        }
        regions.push(Region {
            address: start,
            offset,
            size,
        });
        if data.size == 0 && sections.number(at + if wide { 64 } else { 36 }, 4)? == DATA {
            data = Data { start, size };
        }
    }
    Ok(Image {
        file,
        regions,
        data,
    })
}

/// Plan 9's a.out: a header, the code, the data. What stands for an address is the place in the file.
fn plan9(file: &dyn ReadAt, header_size: u64) -> Result<Image<'_>, BinaryError> {
    let format = Format {
        name: "Plan 9 a.out",
        big_endian: true,
    };
    let header = format.table(file, 0, header_size, "cut off in its header")?;
    let start = header_size + header.number(4, 4)?;
    let size = header.number(8, 4)?;
    Ok(Image {
        file,
        regions: vec![Region {
            address: start,
            offset: start,
            size,
        }],
        data: Data { start, size },
    })
}
