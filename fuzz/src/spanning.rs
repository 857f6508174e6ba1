//! A bundle in three volumes whose `volume` texts a fuzzer may make up: what reads is the bundle, or nothing.

use std::io::{self, Cursor};
use std::sync::LazyLock;

use modferry_protocol::bundle::{
    BundleWriter, Encoding, Entry, IndexWriter, Item, Manifest, ReadError, Volume, cut, front_size,
};
use modferry_protocol::note;
use modferry_protocol::trust::Accepted;
use sha2::{Digest as _, Sha256};

use super::{KEY, POLICY};

/// The bundle.
pub static SPANNING: LazyLock<Spanning> = LazyLock::new(Spanning::new);

/// Three zips in three volumes: a whole one, one that is cut over all three of them, and a whole one.
pub struct Spanning {
    /// The volumes.
    pub volumes: Vec<Vec<u8>>,
    /// The manifest at the front of each, with its signature.
    pub manifest: Vec<u8>,
    /// Where each volume's text begins, behind its header.
    text_at: usize,
    accepted: Accepted,
    entries: Vec<Vec<u8>>,
}

const MANIFEST: &str = "modferry bundle v1\nstream fuzz\nsequence 1\ncreated 2026-11-21T09:00:00Z\nbasis none\n\
    needs 0\nbases 0\ntombstones 0\nrecords 0\ntiles 0\ninfos 0\nmods 0\nzips 0\nzip-bytes 0\ncontents 0\n\
    content-bytes 0\ncarried-bytes 0\ndeflated 0\ndeflated-bytes 0\n\
    index 0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";

impl Spanning {
    fn new() -> Self {
        let entries: Vec<Vec<u8>> = [700, 3000, 300]
            .iter()
            .map(|size| (0u32..*size).map(|n| (n % 251) as u8).collect())
            .collect();
        let mut index = IndexWriter::new(Vec::new()).unwrap();
        let listed: Vec<Entry> = (1..)
            .zip(&entries)
            .map(|(number, bytes)| {
                let zip = Item::Zip(format!("example.com/z@v1.{number}.0").parse().unwrap());
                let stored = bytes.len() as u64;
                let entry = Entry {
                    number,
                    encoding: Encoding::Raw,
                    stored,
                    sha256: Sha256::digest(bytes).into(),
                    items: vec![(zip, stored)],
                    zip_sha256: Vec::new(),
                };
                index.entry(&entry).unwrap();
                entry
            })
            .collect();
        let (index, digest, totals) = index.finish();
        let mut manifest = Manifest::parse(MANIFEST).unwrap();
        manifest.index = digest;
        manifest.totals = totals;
        let note = note::sign(&manifest.encode(), &[&KEY]).unwrap();
        let front = front_size(note.len() as u64, index.len() as u64);
        let stored = listed.iter().map(|entry| entry.stored);
        // The `volume` file, the end, and five blocks.
        let plans = cut(front, stored, Some(front + 2048 + 5 * 512)).unwrap();
        let mut writer = BundleWriter::new(Vec::new(), &note, &index, plans).unwrap();
        for (entry, bytes) in listed.iter().zip(&entries) {
            writer.entry(entry, &mut bytes.as_slice()).unwrap();
        }
        let bundle = Self {
            volumes: writer.finish().unwrap(),
            text_at: front as usize + 512,
            accepted: POLICY.accept(&note).unwrap(),
            manifest: note,
            entries,
        };
        // The true texts are good.
        for number in 1..=bundle.volumes.len() as u32 {
            bundle.read_with(number, bundle.text(number)).unwrap();
        }
        bundle
    }

    /// Reads the bundle with this text in the volume of that number. What is read must be the bundle.
    pub fn read_with(&self, number: u32, text: &[u8]) -> Result<(), ReadError> {
        let mut lying = self.volumes[number as usize - 1].clone();
        let header = &mut lying[self.text_at - 512..self.text_at];
        header.copy_from_slice(&super::repair::header_of("volume", text.len()));
        let block = &mut lying[self.text_at..self.text_at + 512];
        block.fill(0);
        let len = text.len().min(512);
        block[..len].copy_from_slice(&text[..len]);

        let nth = |n: u32| -> io::Result<&[u8]> {
            let volume = self.volumes.get(n as usize - 1);
            let volume = volume.ok_or(io::ErrorKind::NotFound)?;
            Ok(if n == number { &lying } else { volume })
        };
        let mut whole_by_parts = true;
        let mut parts = Volume::open(lying.as_slice())?
            .trust(&self.accepted)?
            .index(Cursor::new(Vec::new()))?
            .parts();
        while let Some(part) = parts.next()? {
            whole_by_parts &= part.result.is_ok();
        }
        let mut entries = Volume::open(nth(1).map_err(ReadError::Spool)?)?
            .trust(&self.accepted)?
            .index(Cursor::new(Vec::new()))?
            .entries(nth)?;
        let mut read = Vec::new();
        while let Some(mut incoming) = entries.next()? {
            let mut bytes = Vec::new();
            let mut buf = [0; 1000];
            loop {
                match incoming.read(&mut buf)? {
                    0 => break,
                    n => bytes.extend_from_slice(&buf[..n]),
                }
            }
            incoming.finish()?;
            read.push(bytes);
        }
        entries.finish()?;
        assert!(read == self.entries, "another bundle was read");
        assert!(whole_by_parts, "a volume that reads has a damaged part");
        Ok(())
    }

    /// A volume's own text.
    fn text(&self, number: u32) -> &[u8] {
        let block = &self.volumes[number as usize - 1][self.text_at..self.text_at + 512];
        let end = block.iter().position(|byte| *byte == 0).unwrap_or(512);
        &block[..end]
    }
}
