//! Module zips, written as plainly as the format allows.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use modferry_deflate::{Deflater, Writer};
use modferry_protocol::h1::H1;
use modferry_protocol::module::ModuleVersion;
use sha2::{Digest, Sha256};

/// How the files of a zip are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// As they are.
    Stored,
    /// Deflated, as module mirrors do it: such a zip can be packed.
    Deflated,
    /// Deflated by an encoder that no module mirror uses: contents and a writer do not make such a stream.
    Foreign,
}

/// A module zip of these files, `module@version/` put before each name.
pub fn zip_of(module: &ModuleVersion, files: &[(&str, &[u8])], packing: Packing) -> Vec<u8> {
    let named = files.iter();
    let named: Vec<(String, &[u8])> = named
        .map(|(name, content)| (format!("{module}/{name}"), *content))
        .collect();
    let files: Vec<(&str, &[u8])> = named
        .iter()
        .map(|(name, content)| (name.as_str(), *content))
        .collect();
    archive_of(&files, packing)
}

/// A zip of these files, by whatever names.
pub fn archive_of(files: &[(&str, &[u8])], packing: Packing) -> Vec<u8> {
    let mut deflater = Deflater::new();
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in files {
        let (method, packed) = match packing {
            Packing::Stored => (0_u16, content.to_vec()),
            Packing::Deflated => {
                let mut packed = Vec::new();
                deflater
                    .deflate(Writer::GoChains, content, usize::MAX, &mut packed)
                    .unwrap();
                (8, packed)
            }
            Packing::Foreign => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
                encoder.write_all(content).unwrap();
                (8, encoder.finish().unwrap())
            }
        };
        // What both headers have: version, flags, method, time, date, CRC, sizes, name and extra lengths.
        let mut common = Vec::new();
        for field in [20, 0, method, 0, 0x21] {
            common.extend(field.to_le_bytes());
        }
        common.extend(crc32fast::hash(content).to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend((content.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend(0_u16.to_le_bytes());

        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]); // comment, disk and attributes
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());

        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(&packed);
    }
    let start = out.len() as u32;
    out.extend(&directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((files.len() as u16).to_le_bytes());
    out.extend((files.len() as u16).to_le_bytes());
    out.extend((directory.len() as u32).to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0; 2]);
    out
}

/// The h1 of a module zip of these files.
pub fn zip_h1(module: &ModuleVersion, files: &[(&str, &[u8])]) -> H1 {
    let hashed = files
        .iter()
        .map(|(name, content)| (format!("{module}/{name}"), Sha256::digest(content).into()));
    H1::of_files(hashed).unwrap()
}
