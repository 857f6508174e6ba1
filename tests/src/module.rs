//! A module version made from a txtar: its .info, .mod and .zip as a proxy serves them, and its go.sum lines.

use flate2::Crc;
use modferry_deflate::{Deflater, Writer};
use sha2::{Digest as _, Sha256};

use crate::{log::base64, txtar};

/// The three files of a module version.
pub struct Module {
    /// `path@version`.
    pub name: String,
    /// The .info file.
    pub info: Vec<u8>,
    /// The .mod file.
    pub go_mod: Vec<u8>,
    /// The .zip file.
    pub zip: Vec<u8>,
}

impl Module {
    /// The module `path@version` with the files of `txtar`. `.info` and `.mod` may be among them, as in
    /// cmd/go's testdata; without them they are what a proxy would make.
    pub fn new(name: &str, txtar: &str) -> Self {
        let (path, version) = name.split_once('@').unwrap();
        let files = txtar::parse(txtar);
        let named = |wanted: &str| {
            files
                .iter()
                .find(|file| file.name == wanted)
                .map(|file| file.data.clone().into_bytes())
        };
        let contents: Vec<(String, &[u8])> = files
            .iter()
            .filter(|file| file.name != ".info" && file.name != ".mod")
            .map(|file| (format!("{name}/{}", file.name), file.data.as_bytes()))
            .collect();
        Self {
            name: name.to_owned(),
            info: named(".info").unwrap_or_else(|| {
                format!(r#"{{"Version":"{version}","Time":"2026-01-02T03:04:05Z"}}"#).into_bytes()
            }),
            go_mod: named(".mod")
                .or_else(|| named("go.mod"))
                .unwrap_or_else(|| format!("module {path}\n").into_bytes()),
            zip: zip(&contents),
        }
    }

    /// The module's record in a checksum database, computed over the unpacked files as `go` does it.
    pub fn record(&self, txtar: &str) -> String {
        let (path, version) = self.name.split_once('@').unwrap();
        let mut files: Vec<(String, String)> = txtar::parse(txtar)
            .into_iter()
            .filter(|file| file.name != ".info" && file.name != ".mod")
            .map(|file| (format!("{}/{}", self.name, file.name), file.data))
            .collect();
        files.sort();
        let zip = hash1(
            files
                .iter()
                .map(|(name, data)| (name.as_str(), data.as_bytes())),
        );
        let go_mod = hash1([("go.mod", &self.go_mod[..])].into_iter());
        format!("{path} {version} {zip}\n{path} {version}/go.mod {go_mod}\n")
    }
}

/// The h1 of files given in order of their names.
fn hash1<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let mut summary = Sha256::new();
    for (name, data) in files {
        let hex: String = Sha256::digest(data)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        summary.update(format!("{hex}  {name}\n"));
    }
    format!("h1:{}", base64(&summary.finalize()))
}

/// A zip of one file that says to have `said` bytes and inflates to `real` ones.
pub fn bomb(name: &str, said: u32, real: usize) -> Vec<u8> {
    let mut bytes = zip(&[(name.to_owned(), &vec![0; real])]);
    let real = u32::try_from(real).unwrap().to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 4)
        .filter(|at| bytes[*at..*at + 4] == real)
        .collect();
    assert_eq!(
        places.len(),
        2,
        "the size stands in the local header and in the directory"
    );
    for at in places {
        bytes[at..at + 4].copy_from_slice(&said.to_le_bytes());
    }
    bytes
}

/// A zip of files that are deflated as module mirrors do it, with sizes in the local headers.
fn zip(files: &[(String, &[u8])]) -> Vec<u8> {
    let mut deflater = Deflater::new();
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, data) in files {
        let mut packed = Vec::new();
        deflater
            .deflate(Writer::GoChains, data, usize::MAX, &mut packed)
            .unwrap();
        let mut crc = Crc::new();
        crc.update(data);
        let mut common = Vec::new();
        common.extend(20u16.to_le_bytes()); // version needed
        common.extend(0x0800u16.to_le_bytes()); // names are UTF-8
        common.extend(8u16.to_le_bytes()); // deflate
        common.extend([0; 4]); // no time
        common.extend(crc.sum().to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend((data.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes()); // no extra field
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]); // no comment, first disk, no attributes
        directory.extend((out.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(name.as_bytes());
        out.extend(packed);
    }
    let (start, size) = (out.len() as u32, directory.len() as u32);
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend((files.len() as u16).to_le_bytes());
    out.extend((files.len() as u16).to_le_bytes());
    out.extend(size.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend(0u16.to_le_bytes());
    out
}
