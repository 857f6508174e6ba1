//! Puts right in a mutated volume what no mutator could: tar checksums, SHA-256 hashes, totals, the signature.
//!
//! What is left wrong is what the mutation meant: sizes, names, orders, texts, compressed bytes. So it gets past the
//! hashes to the code that only a signed volume reaches, and "being signed does not make a bundle sane" is fuzzed as well.

use modferry_protocol::bundle::{
    Digest, Encoding, Entry, IndexReader, IndexWriter, Manifest, Totals,
};
use modferry_protocol::note::{self, SigningKey};
use sha2::{Digest as _, Sha256};

const BLOCK: usize = 512;

/// Files in front of a volume's entries: manifest, index, volume.
const FRONT: usize = 3;

/// A file of the tar: its header's name field, and its contents.
struct File {
    name: Vec<u8>,
    data: Vec<u8>,
}

/// The volume with hashes and signature put right; `None` where there is too little of it for that.
pub fn volume(data: &[u8], key: &SigningKey) -> Option<Vec<u8>> {
    let (mut files, end) = files(data);
    if files.len() < FRONT {
        return None;
    }
    let contents = files.split_off(FRONT);
    let mut manifest = Manifest::parse(text_of(&files[0].data)?).ok()?;
    if let Some((index, digest, totals)) = index(&files[1].data, &contents) {
        manifest.index = digest;
        manifest.totals = totals;
        files[1].data = index;
    } else {
        manifest.index.size = files[1].data.len() as u64;
        manifest.index.sha256 = Sha256::digest(&files[1].data).into();
    }
    files[0].data = note::sign(&manifest.encode(), &[key]).ok()?;
    let text = String::from_utf8_lossy(&files[2].data);
    files[2].data = volume_text(&text, Some(&files[0].data)).into_bytes();
    let mut out = Vec::new();
    for file in files.iter().chain(&contents) {
        out.extend_from_slice(&header(file));
        out.extend_from_slice(&file.data);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
    }
    out.extend_from_slice(end);
    Some(out)
}

/// The files as their headers have them, with sizes cut to what is there; and what is behind the last of them.
fn files(data: &[u8]) -> (Vec<File>, &[u8]) {
    let mut files = Vec::new();
    let mut rest = data;
    while let Some((block, behind)) = rest.split_at_checked(BLOCK) {
        if block.iter().all(|byte| *byte == 0) {
            break;
        }
        let header = tar::Header::from_byte_slice(block);
        let size = header.entry_size().unwrap_or(0).min(behind.len() as u64) as usize;
        let (contents, behind) = behind.split_at(size);
        files.push(File {
            name: header.path_bytes().into_owned(),
            data: contents.to_vec(),
        });
        rest = &behind[(size.next_multiple_of(BLOCK) - size).min(behind.len())..];
    }
    (files, rest)
}

/// The text of a note, up to its signatures.
fn text_of(note: &[u8]) -> Option<&str> {
    let note = std::str::from_utf8(note).ok()?;
    let text = note
        .split_once("\n\n")
        .map_or(note, |(text, _)| &note[..=text.len()]);
    Some(text)
}

/// A `volume` file's text with its own hash put right, and the manifest's.
pub fn volume_text(text: &str, manifest: Option<&[u8]>) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        match manifest {
            _ if line.starts_with("check ") => break,
            Some(note) if line.starts_with("manifest ") => {
                out += &format!("manifest {:x}\n", Sha256::digest(note));
            }
            _ => out += line,
        }
    }
    let check = Sha256::digest(&out);
    out + &format!("check {check:x}\n")
}

/// The index with each entry's stored size and hash as the files have them, if it is an index.
fn index(data: &[u8], contents: &[File]) -> Option<(Vec<u8>, Digest, Totals)> {
    let mut writer = IndexWriter::new(Vec::new()).ok()?;
    let mut contents = contents.iter();
    for entry in IndexReader::new(data) {
        let mut entry: Entry = entry.ok()?;
        if let Some(file) = contents.next() {
            entry.stored = file.data.len() as u64;
            entry.sha256 = Sha256::digest(&file.data).into();
            if entry.encoding == Encoding::Raw {
                entry.items[0].1 = entry.stored;
            }
        }
        writer.entry(&entry).ok()?;
    }
    Some(writer.finish())
}

/// A header as the format has it, of that name and size.
pub fn header_of(name: &str, size: usize) -> [u8; BLOCK] {
    header(&File {
        name: name.into(),
        data: vec![0; size],
    })
}

/// A header as the format has it, with that name.
fn header(file: &File) -> [u8; BLOCK] {
    let mut header = tar::Header::new_ustar();
    let field = &mut header.as_old_mut().name;
    let len = file.name.len().min(field.len());
    field[..len].copy_from_slice(&file.name[..len]);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(file.data.len() as u64);
    header.set_mtime(0);
    header.set_device_major(0).unwrap();
    header.set_device_minor(0).unwrap();
    header.set_cksum();
    *header.as_bytes()
}
