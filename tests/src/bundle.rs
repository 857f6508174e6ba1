//! Bundles taken apart and put together again by an attacker: with the site's key stolen ([`Contents`]), or
//! without it ([`Parts`]).

use std::{
    io::Cursor,
    path::{Path, PathBuf},
};

use modferry_protocol::{
    bundle::{
        BundleWriter, Encoding, Entry, IndexWriter, Item, Manifest, PackBuilder, Volume, cut,
        front_size,
    },
    note::{self, SigningKey, VerifierKey},
    trust::Policy,
};
use sha2::{Digest as _, Sha256};

use crate::site::file_with_suffix;

/// What a bundle says and carries, item by item, to be altered and signed again.
#[derive(Clone)]
pub struct Contents {
    /// The manifest; its index and totals are made anew by [`Contents::write`].
    pub manifest: Manifest,
    /// Every item with its bytes, in the bundle's order.
    pub items: Vec<(Item, Vec<u8>)>,
}

impl Contents {
    /// Reads the bundle in `folder`, which `key` has signed.
    pub fn read(folder: &str, key: &SigningKey) -> Self {
        let bytes = std::fs::read(file_with_suffix(folder, ".tar")).unwrap();
        let policy = Policy::new(vec![key.verifier()], 1, Vec::<VerifierKey>::new()).unwrap();
        let volume = Volume::open(&bytes[..]).unwrap();
        let accepted = policy.accept(volume.manifest_note()).unwrap();
        let mut entries = volume
            .trust(&accepted)
            .unwrap()
            .index(Cursor::new(Vec::new()))
            .unwrap()
            .entries(|_| Err(std::io::ErrorKind::NotFound.into()))
            .unwrap();
        let mut items = Vec::new();
        while let Some(mut entry) = entries.next().unwrap() {
            if entry.entry().encoding == Encoding::Zstd {
                entry
                    .small_items(|item, bytes| {
                        items.push((item.clone(), bytes.to_vec()));
                        Ok::<_, modferry_protocol::bundle::ReadError>(())
                    })
                    .unwrap();
                continue;
            }
            let mut bytes = vec![0; usize::try_from(entry.entry().stored).unwrap()];
            let mut filled = 0;
            while filled < bytes.len() {
                filled += entry.read(&mut bytes[filled..]).unwrap();
            }
            let entry = entry.finish().unwrap();
            items.push((entry.items[0].0.clone(), bytes));
        }
        Self {
            manifest: accepted.manifest().clone(),
            items,
        }
    }

    /// The bytes of the item whose name is `name`, as items are displayed: `mod example.com/a@v1.0.0`.
    #[track_caller]
    pub fn item(&mut self, name: &str) -> &mut Vec<u8> {
        let names: Vec<String> = self
            .items
            .iter()
            .map(|(item, _)| item.to_string())
            .collect();
        let at = names
            .iter()
            .position(|item| item == name)
            .unwrap_or_else(|| panic!("no {name} in {names:#?}"));
        &mut self.items[at].1
    }

    /// Leaves out every item whose name starts with `prefix`; at least one there must be.
    #[track_caller]
    pub fn without(mut self, prefix: &str) -> Self {
        let before = self.items.len();
        self.items
            .retain(|(item, _)| !item.to_string().starts_with(prefix));
        assert!(self.items.len() < before, "no item is named {prefix}…");
        self
    }

    /// Writes a well-formed, correctly signed bundle of these items into `folder`.
    pub fn write(mut self, folder: &str, key: &SigningKey) {
        let mut entries: Vec<(Entry, Vec<u8>)> = Vec::new();
        let mut number = 0;
        let mut next = || {
            number += 1;
            number
        };
        let mut builder = PackBuilder::new();
        for (item, bytes) in &self.items {
            if !matches!(item, Item::Zip(_))
                && let Some(pack) = builder.push(item.clone(), bytes).unwrap()
            {
                entries.push(pack.into_entry(next()));
            }
        }
        entries.extend(
            builder
                .finish()
                .unwrap()
                .map(|pack| pack.into_entry(next())),
        );
        for (item, bytes) in self.items {
            if matches!(item, Item::Zip(_)) {
                let entry = Entry {
                    number: next(),
                    encoding: Encoding::Raw,
                    stored: bytes.len() as u64,
                    sha256: Sha256::digest(&bytes).into(),
                    items: vec![(item, bytes.len() as u64)],
                    zip_sha256: Vec::new(),
                };
                entries.push((entry, bytes));
            }
        }
        let mut index = IndexWriter::new(Vec::new()).unwrap();
        for (entry, _) in &entries {
            index.entry(entry).unwrap();
        }
        let (index, digest, totals) = index.finish();
        self.manifest.index = digest;
        self.manifest.totals = totals;
        let signed = note::sign(&self.manifest.encode(), &[key]).unwrap();
        let front = front_size(signed.len() as u64, index.len() as u64);
        let plans = cut(front, entries.iter().map(|(entry, _)| entry.stored), None).unwrap();
        let mut writer = BundleWriter::new(Vec::new(), &signed, &index, plans).unwrap();
        for (entry, bytes) in &entries {
            writer.entry(entry, &mut &bytes[..]).unwrap();
        }
        let volume = writer.finish().unwrap().remove(0);
        std::fs::create_dir_all(folder).unwrap();
        let folder = Path::new(folder);
        std::fs::write(folder.join(self.manifest.volume_file_name(1)), volume).unwrap();
        std::fs::write(folder.join(self.manifest.file_name()), signed).unwrap();
    }
}

/// A volume as a sequence of tar members, header and padded data, to be altered without signing anything.
#[derive(Clone)]
pub struct Parts {
    /// The members in order: manifest, index, entries.
    pub members: Vec<Member>,
    file: PathBuf,
    manifest: (PathBuf, Vec<u8>),
}

/// One member of a tar.
#[derive(Clone)]
pub struct Member {
    /// The ustar header.
    pub header: tar::Header,
    /// The contents, without padding.
    pub data: Vec<u8>,
}

impl Member {
    /// The member's name.
    pub fn name(&self) -> String {
        String::from_utf8_lossy(&self.header.path_bytes()).into_owned()
    }

    /// Changes the header, and its checksum with it.
    #[must_use]
    pub fn with_header(mut self, change: impl FnOnce(&mut tar::Header)) -> Self {
        change(&mut self.header);
        self.header.set_cksum();
        self
    }
}

/// The members of a tar, in order.
pub fn members(bytes: &[u8]) -> Vec<Member> {
    let mut members = Vec::new();
    let mut at = 0;
    while bytes[at..at + 512].iter().any(|byte| *byte != 0) {
        let header = tar::Header::from_byte_slice(&bytes[at..at + 512]).clone();
        let size = usize::try_from(header.size().unwrap()).unwrap();
        members.push(Member {
            header,
            data: bytes[at + 512..at + 512 + size].to_vec(),
        });
        at += 512 + size.next_multiple_of(512);
    }
    members
}

impl Parts {
    /// Takes the bundle in `folder` apart.
    pub fn read(folder: &str) -> Self {
        let file = file_with_suffix(folder, ".tar");
        let manifest = file_with_suffix(folder, ".manifest");
        let bytes = std::fs::read(&file).unwrap();
        let sidecar = std::fs::read(&manifest).unwrap();
        Self {
            members: members(&bytes),
            file,
            manifest: (manifest, sidecar),
        }
    }

    /// The place of the first member whose name ends with `suffix`.
    #[track_caller]
    pub fn position(&self, suffix: &str) -> usize {
        let names: Vec<String> = self.members.iter().map(Member::name).collect();
        names
            .iter()
            .position(|name| name.ends_with(suffix))
            .unwrap_or_else(|| panic!("no member …{suffix} in {names:?}"))
    }

    /// The volume's bytes.
    pub fn volume(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for member in &self.members {
            out.extend(member.header.as_bytes());
            out.extend(&member.data);
            out.resize(out.len().next_multiple_of(512), 0);
        }
        out.extend([0; 1024]);
        out
    }

    /// Writes the bundle into another folder.
    pub fn write(&self, folder: &str) {
        self.write_volume(folder, &self.volume());
    }

    /// Writes the bundle into another folder with `volume` as its volume.
    pub fn write_volume(&self, folder: &str, volume: &[u8]) {
        let folder = Path::new(folder);
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(self.file.file_name().unwrap()), volume).unwrap();
        std::fs::write(
            folder.join(self.manifest.0.file_name().unwrap()),
            &self.manifest.1,
        )
        .unwrap();
    }
}
