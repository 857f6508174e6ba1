//! Contents that are signed as they should be, and hostile or broken all the same: being signed is not being sane.

#![allow(clippy::unwrap_used)]

use modferry_protocol::bundle::{
    Basis, Digest, Encoding, Entry, Item, Manifest, Sequence, Totals, encode_index,
};
use modferry_protocol::bundle::{MAX_PACK_RESTORED, MAX_WINDOW_LOG};
use modferry_protocol::note;
use sha2::{Digest as _, Sha256};
use zstd::stream::raw::CParameter;

use super::common::*;

/// A signed bundle whose one pack is these bytes, said to hold go.mods of these sizes; what reading it gives.
fn read_pack(frame: &[u8], sizes: &[u64]) -> Result<Vec<Carried>, String> {
    let items = (1..)
        .zip(sizes)
        .map(|(n, size)| (Item::Mod(module(&format!("example.com/a@v1.{n}.0"))), *size));
    let entry = Entry {
        number: 1,
        encoding: Encoding::Zstd,
        stored: frame.len() as u64,
        sha256: Sha256::digest(frame).into(),
        items: items.collect(),
        zip_sha256: Vec::new(),
    };
    read(&volume(&sign(vec![(entry, frame.to_vec())]))).map_err(|e| e.to_string())
}

#[track_caller]
fn refused(frame: &[u8], sizes: &[u64], want: &str) {
    let error = read_pack(frame, sizes).unwrap_err();
    assert!(
        error.starts_with("entry 000001.zst (") && error.contains(want),
        "want {want:?} in {error:?}"
    );
}

fn compressed(bytes: &[u8], window_log: u32) -> Vec<u8> {
    let mut compressor = zstd::bulk::Compressor::new(3).unwrap();
    compressor
        .set_parameter(CParameter::WindowLog(window_log))
        .unwrap();
    compressor.compress(bytes).unwrap()
}

#[test]
fn a_pack_restores_to_its_items() {
    let frame = compressed(b"onetwothree", 20);
    let carried = read_pack(&frame, &[3, 3, 5]).unwrap();
    let bytes: Vec<&[u8]> = carried.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    assert_eq!(bytes, [&b"one"[..], b"two", b"three"]);
    assert_eq!(read_pack(&compressed(b"", 20), &[0]).unwrap()[0].1, b"");
}

#[test]
fn the_window_is_bounded() {
    // More bytes than the window, or the frame would need no window but its size.
    let bytes = vec![b'x'; (1 << (MAX_WINDOW_LOG + 1)) + 1];
    let size = bytes.len() as u64;
    assert!(read_pack(&compressed(&bytes, MAX_WINDOW_LOG), &[size]).is_ok());
    refused(
        &compressed(&bytes, MAX_WINDOW_LOG + 1),
        &[size],
        "a window of 16777216 bytes: want at most 2^23",
    );
}

#[test]
fn a_bomb_does_not_go_off() {
    let size = MAX_PACK_RESTORED;
    let bomb = compressed(&vec![0; size as usize + 1], MAX_WINDOW_LOG);
    assert!(bomb.len() < 4096);
    refused(
        &bomb,
        &[size],
        &format!("the frame declares {} bytes, the index {size}", size + 1),
    );
    refused(&bomb, &[100], "the frame declares");
    // A frame that lies about its size too: magic, descriptor (4 bytes of size), window, size.
    let lie = |size: u32| {
        let mut lying = bomb.clone();
        assert_eq!(lying[4] >> 6, 2, "the size has 4 bytes");
        lying[6..10].copy_from_slice(&size.to_le_bytes());
        lying
    };
    refused(&lie(100), &[100], "");
    refused(&lie(size as u32), &[size], "");
}

#[test]
fn a_pack_is_one_frame_that_declares_its_size() {
    let one = compressed(b"module a\n", 20);
    refused(
        &[one.as_slice(), b"x"].concat(),
        &[9],
        "1 bytes behind the frame",
    );
    refused(
        &[one.as_slice(), &compressed(b"", 20)].concat(),
        &[9],
        "bytes behind the frame",
    );
    refused(&one[..one.len() - 1], &[9], "not to be decompressed");
    refused(&one, &[8], "the frame declares 9 bytes, the index 8");
    refused(&one, &[10], "the frame declares 9 bytes, the index 10");
    refused(b"module a\n", &[9], "not a zstd frame");
    // A skippable frame, which a decoder would pass over.
    refused(
        &[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, b'x'],
        &[0],
        "not a zstd frame",
    );
    let undeclared = zstd::stream::encode_all(&b"module a\n"[..], 3).unwrap();
    refused(&undeclared, &[9], "the frame does not declare its size");
    let mut corrupt = compressed(&vec![b'x'; 5000], 20);
    let last = corrupt.len() - 1;
    corrupt[last] ^= 0xff;
    corrupt[last - 3] ^= 0xff;
    refused(&corrupt, &[5000], "");
}

/// Signs a manifest again after a change, as a hostile signer can, and gives the volume.
fn forged(change: impl FnOnce(&mut Parts)) -> Vec<u8> {
    let mut parts = parts(&items());
    change(&mut parts);
    parts.note = note::sign(&parts.manifest.encode(), &[&key()]).unwrap();
    let files: Vec<u8> = parts
        .entries
        .iter()
        .flat_map(|(entry, bytes)| file(&entry.file_name(), bytes))
        .collect();
    forge(&parts, &[files.as_slice(), &END].concat())
}

fn error(volume: &[u8]) -> String {
    read(volume).unwrap_err().to_string()
}

#[test]
fn totals_and_heads_must_be_the_indexs() {
    assert!(read(&forged(|_| {})).is_ok());
    let wrong =
        |change: fn(&mut Totals)| error(&forged(|parts| change(&mut parts.manifest.totals)));
    assert_eq!(
        wrong(|t| t.zips += 1),
        "index: it comes to 3 zips, and the manifest says 4"
    );
    assert_eq!(
        wrong(|t| t.records = 0),
        "index: it comes to 3 records, and the manifest says 0"
    );
    assert!(wrong(|t| t.tiles += 1).contains("tiles"));
    assert!(wrong(|t| t.infos += 1).contains("infos"));
    assert!(wrong(|t| t.mods += 1).contains("mods"));
    assert!(wrong(|t| t.zip_bytes += 1).contains("zip-bytes"));
    assert!(wrong(|t| t.contents += 1).contains("it comes to 0 contents"));
    assert!(wrong(|t| t.content_bytes += 1).contains("contents of 1 bytes cannot deflate"));
    assert!(wrong(|t| t.carried_bytes -= 1).contains("carried-bytes"));
    let heads = error(&forged(|parts| parts.manifest.heads.clear()));
    assert_eq!(
        heads,
        "index: it has the heads of other databases than the manifest"
    );
}

#[test]
fn bytes_of_contents_are_the_indexs() {
    let with = |content_bytes: u64| {
        forged(|parts| {
            let raw = parts
                .entries
                .iter()
                .position(|(entry, _)| entry.encoding == Encoding::Raw);
            let contents = Entry {
                number: 0,
                encoding: Encoding::Contents,
                stored: 5,
                sha256: Sha256::digest(b"12345").into(),
                items: vec![(Item::Contents(1), 77)],
                zip_sha256: Vec::new(),
            };
            parts
                .entries
                .insert(raw.unwrap(), (contents, b"12345".to_vec()));
            for (number, (entry, _)) in (1..).zip(&mut parts.entries) {
                entry.number = number;
            }
            let entries: Vec<Entry> = parts
                .entries
                .iter()
                .map(|(entry, _)| entry.clone())
                .collect();
            parts.index = encode_index(&entries).unwrap();
            parts.manifest.index = Digest {
                size: parts.index.len() as u64,
                sha256: Sha256::digest(&parts.index).into(),
            };
            let totals = &mut parts.manifest.totals;
            (totals.contents, totals.content_bytes) = (1, content_bytes);
            totals.carried_bytes += 5;
            (
                parts.manifest.deflated.streams,
                parts.manifest.deflated.bytes,
            ) = (1, 20);
        })
    };
    read(&with(77)).unwrap();
    for wrong in [0, 76, 78] {
        let want = format!("index: it comes to 77 content-bytes, and the manifest says {wrong}");
        assert_eq!(error(&with(wrong)), want);
    }
}

#[test]
fn there_are_lists_if_the_manifest_counts_what_they_list() {
    let lists = [
        (Item::Needs(1), b"needs".to_vec()),
        (Item::Bases(1), b"bases".to_vec()),
        (Item::Tombstones(1), b"gone".to_vec()),
        (Item::Vulndb(1), b"piece".to_vec()),
    ];
    let forged = |change: fn(&mut Manifest)| {
        let mut parts = parts(&lists);
        parts.manifest.bases = 1;
        change(&mut parts.manifest);
        parts.note = note::sign(&parts.manifest.encode(), &[&key()]).unwrap();
        let (entry, bytes) = &parts.entries[0];
        read(&forge(
            &parts,
            &[file(&entry.file_name(), bytes).as_slice(), &END].concat(),
        ))
        .map_err(|e| e.to_string())
    };
    // How many it counts is for whoever reads the texts.
    assert!(forged(|m| m.needs = 9_000_000).is_ok());
    assert_eq!(
        forged(|m| m.needs = 0).unwrap_err(),
        "index: it has 1 texts of needs, and the manifest counts 0 needs"
    );
    assert_eq!(
        forged(|m| m.bases = 0).unwrap_err(),
        "index: it has 1 texts of bases, and the manifest counts 0 bases"
    );
    assert_eq!(
        forged(|m| m.tombstones = 0).unwrap_err(),
        "index: it has 1 texts of tombstones, and the manifest counts 0 tombstones"
    );
    let none = "index: it has 1 pieces of a vulnerability database, and the manifest says that none is carried";
    assert_eq!(forged(|m| m.vulndb = None).unwrap_err(), none);
    assert_eq!(
        forged(|m| m.vulndb.as_mut().unwrap().carried = false).unwrap_err(),
        none
    );
    // Room is made by what the manifest says.
    let of = |bytes: &str| {
        format!("index: it has a vulnerability database of 5 bytes, and the manifest says {bytes}")
    };
    assert_eq!(
        forged(|m| m.vulndb.as_mut().unwrap().snapshot.bytes = 4).unwrap_err(),
        of("4")
    );
    assert_eq!(
        forged(|m| m.vulndb.as_mut().unwrap().snapshot.bytes = 6).unwrap_err(),
        of("6")
    );
    assert!(forged(|m| m.vulndb.as_mut().unwrap().snapshot.documents = 9).is_ok());
    assert_eq!(
        error(&self::forged(|parts| {
            parts.manifest.vulndb = Some(carried_vulndb(1))
        })),
        "index: it has 0 pieces of a vulnerability database, and the manifest says that one is carried"
    );
    assert_eq!(
        error(&self::forged(|parts| {
            parts.manifest.sequence = Sequence::new(2).unwrap();
            parts.manifest.basis = Basis::Bundle {
                sequence: Sequence::FIRST,
                manifest_sha256: [0; 32],
            };
            parts.manifest.needs = 1;
        })),
        "index: it has 0 texts of needs, and the manifest counts 1 needs"
    );
}

fn with_index(index: Vec<u8>) -> Vec<u8> {
    forged(|parts| {
        parts.manifest.index = Digest {
            size: index.len() as u64,
            sha256: Sha256::digest(&index).into(),
        };
        parts.index = index;
    })
}

#[test]
fn a_signed_index_is_checked_from_end_to_end_before_any_entry_is_read() {
    let good = parts(&items()).index;
    let last = good.len() - "zip example.com/a v1.1.0 37\n".len();
    let bad = [&good[..last], b"zip ../../etc v1.1.0 37\n"].concat();
    let volume = with_index(bad);
    // Cut behind the index: no entry is there to be read.
    let parts_end = volume.len()
        - parts(&items())
            .entries
            .iter()
            .map(|(_, b)| 512 + b.len().next_multiple_of(512))
            .sum::<usize>()
        - 1024;
    let error = error(&volume[..parts_end]);
    assert!(
        error.starts_with("the index is not as the format has it: index line"),
        "{error}"
    );
    assert!(error.contains("module"), "{error}");
}

#[test]
fn another_bundles_volume_is_foreign() {
    use modferry_protocol::bundle::Volume;
    let ours = parts(&items());
    let theirs = parts(&items()[..6]);
    let accepted = policy().accept(&ours.note).unwrap();
    let opened = Volume::open(volume(&theirs).as_slice()).map(|v| v.trust(&accepted).map(drop));
    let error = chain(&opened.unwrap().unwrap_err());
    assert_eq!(
        error,
        "the volume belongs to another bundle: its manifest is not that of platform.000001.manifest"
    );
}

#[test]
fn signatures_may_be_added_beside_the_volume() {
    use modferry_protocol::bundle::Volume;
    use modferry_protocol::note::SigningKey;
    let parts = parts(&items());
    let second = SigningKey::generate("second.example", &mut Fixed(9)).unwrap();
    let sidecar = note::add_signature(&parts.note, &second).unwrap();
    let policy = modferry_protocol::trust::Policy::new(vec![second.verifier()], 1, vec![]).unwrap();
    let written = volume(&parts);
    let opened = Volume::open(written.as_slice()).unwrap();
    assert!(
        policy.accept(opened.manifest_note()).is_err(),
        "the volume has only the first signature"
    );
    let accepted = policy.accept(&sidecar).unwrap();
    assert_eq!(accepted.signers()[0].name, "second.example");
    assert!(opened.trust(&accepted).is_ok());
}
