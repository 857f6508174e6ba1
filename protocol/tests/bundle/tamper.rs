//! A volume that somebody changed on its way is refused, and the error names what was changed.

#![allow(clippy::unwrap_used)]

use modferry_protocol::bundle::{Item, Volume};
use tar::EntryType;

use super::common::*;

/// Reads a volume that must be refused with an error that has all of these pieces.
fn refused(volume: &[u8], want: &[&str]) {
    let error = match read(volume) {
        Ok(_) => panic!("accepted; want an error with {want:?}"),
        Err(error) => error.to_string(),
    };
    for piece in want {
        assert!(error.contains(piece), "want {piece:?} in {error:?}");
    }
}

#[test]
fn no_byte_can_be_changed() {
    let parts = parts(&items());
    let good = volume(&parts);
    // Signatures take long to check: accept them once, except where they are what is changed.
    let accepted = policy().accept(&parts.note).unwrap();
    let layout = layout(&parts);
    assert_eq!(layout.last().unwrap().0.end, good.len());
    for (range, label) in layout {
        for at in range {
            let mut bad = good.clone();
            // Another bit in each byte; a whole cycle covers each bit of each field of the headers.
            bad[at] ^= 1 << (at % 8);
            if label == "manifest" {
                assert!(
                    read(&bad).is_err(),
                    "byte {at} of the manifest is in nothing"
                );
                continue;
            }
            let Err(error) =
                Volume::open(bad.as_slice()).and_then(|volume| read_accepted(volume, &accepted))
            else {
                panic!("byte {at}, in {label}, is in nothing")
            };
            let error = error.to_string();
            assert!(
                error.contains(&label),
                "byte {at}: {error:?} does not name {label:?}"
            );
        }
    }
}

#[test]
fn no_length_but_the_whole_is_enough() {
    let parts = parts(&items());
    let good = volume(&parts);
    // Signatures take long to check: accept them once.
    let accepted = policy().accept(&parts.note).unwrap();
    for (range, label) in layout(&parts) {
        for len in range {
            let cut =
                Volume::open(&good[..len]).and_then(|volume| read_accepted(volume, &accepted));
            let Err(error) = cut else {
                panic!("{len} bytes are enough")
            };
            assert_eq!(
                error.to_string(),
                format!("the volume ends in {label}"),
                "{len} bytes"
            );
        }
    }
    refused(
        &[good.as_slice(), &[0]].concat(),
        &["end of the archive: there are bytes behind it"],
    );
    refused(
        &[good.as_slice(), &good].concat(),
        &["end of the archive: there are bytes behind it"],
    );
}

/// The tar files of a bundle's entries.
fn files(parts: &Parts) -> Vec<Vec<u8>> {
    parts
        .entries
        .iter()
        .map(|(entry, bytes)| file(&entry.file_name(), bytes))
        .collect()
}

#[test]
fn entries_stay_where_they_are() {
    let parts = parts(&items());
    let good = files(&parts);
    assert_eq!(good.len(), 4);
    assert_eq!(
        forge(&parts, &[good.concat(), END.to_vec()].concat()),
        volume(&parts),
        "the forger writes as the writer"
    );
    let forged = |order: &[usize]| {
        let files: Vec<u8> = order.iter().flat_map(|i| good[*i].clone()).collect();
        forge(&parts, &[files.as_slice(), &END].concat())
    };

    let second = "expected entry 000002.zip (zip example.com/B/v2@v2.0.0), found";
    refused(&forged(&[0, 2, 1, 3]), &[second, "file \"000003.zip\" of"]);
    refused(&forged(&[0, 2, 3]), &[second, "file \"000003.zip\" of"]);
    refused(
        &forged(&[0, 0, 1, 2, 3]),
        &[second, "file \"000001.zst\" of"],
    );
    refused(
        &forged(&[0, 1, 1, 2, 3]),
        &["expected entry 000003.zip", "found file \"000002.zip\" of"],
    );
    refused(
        &forged(&[0, 1, 2]),
        &["expected entry 000004.zip", "found the end of the archive"],
    );
    refused(
        &forged(&[0, 1, 2, 3, 3]),
        &["expected end of the archive, found file \"000004.zip\" of"],
    );
    refused(
        &forge(&parts, &END),
        &[
            "expected entry 000001.zst (",
            "found the end of the archive",
        ],
    );
}

#[test]
fn entries_swapped_under_each_others_names_are_found_by_their_hash() {
    let mut same_size = items();
    for (item, bytes) in &mut same_size {
        if let Item::Zip(m) = item {
            *bytes = format!("{:60}", m.to_string()).into_bytes();
        }
    }
    let parts = parts(&same_size);
    let mut forged = files(&parts);
    let (second, third) = (forged[1][512..].to_vec(), forged[2][512..].to_vec());
    forged[1][512..].copy_from_slice(&third);
    forged[2][512..].copy_from_slice(&second);
    let volume = forge(&parts, &[forged.concat(), END.to_vec()].concat());
    refused(
        &volume,
        &["entry 000002.zip (zip example.com/B/v2@v2.0.0): SHA-256 is"],
    );
}

#[test]
fn nothing_but_plain_files_of_predicted_names() {
    let parts = parts(&items());
    let entry = &parts.entries[0].0;
    let (name, size) = (entry.file_name(), entry.stored);
    let expected = format!("expected {entry}, found");
    let attempt = |block: [u8; 512], found: &str| {
        let rest = [block.as_slice(), &[0; 4096]].concat();
        refused(&forge(&parts, &rest), &[&format!("{expected} {found}")]);
    };

    let kinds = [
        (EntryType::Symlink, "symbolic link \"000001.zst\""),
        (EntryType::Link, "hard link"),
        (EntryType::Directory, "directory"),
        (EntryType::Char, "device"),
        (EntryType::Block, "device"),
        (EntryType::Fifo, "fifo"),
        (EntryType::Continuous, "contiguous file"),
        (EntryType::GNUSparse, "sparse file"),
        (EntryType::GNULongName, "GNU long name"),
        (EntryType::GNULongLink, "GNU long name"),
        (EntryType::XHeader, "pax header"),
        (EntryType::XGlobalHeader, "pax header"),
        (EntryType::new(b'Z'), "entry of an unknown type"),
    ];
    for (kind, found) in kinds {
        attempt(header(&name, size, |h| h.set_entry_type(kind)), found);
    }
    // The old spelling of a regular file: harmless, and not ours.
    attempt(
        header(&name, size, |h| h.as_old_mut().linkflag = [0]),
        "file \"000001.zst\"",
    );
    let link = header(&name, 0, |h| {
        h.set_entry_type(EntryType::Symlink);
        h.set_link_name("../../etc/passwd").unwrap();
    });
    attempt(
        link,
        "symbolic link \"000001.zst\" of 0 bytes to \"../../etc/passwd\"",
    );

    for name in [
        "../../etc/cron.d/x",
        "/etc/passwd",
        "000001.zst/",
        "./000001.zst",
        "000001.ZST",
        "",
        "000001.zst\u{202e}",
    ] {
        let block = header("x", size, |h| {
            let field = &mut h.as_old_mut().name;
            field.fill(0);
            field[..name.len()].copy_from_slice(name.as_bytes());
        });
        attempt(block, "");
    }
    attempt(
        header(&name, size, |h| {
            h.as_ustar_mut().unwrap().prefix[..3].copy_from_slice(b"etc")
        }),
        "file \"etc/000001.zst\"",
    );
    attempt(header(&name, size, |h| h.set_mode(0o6755)), "file");
    attempt(header(&name, size, |h| h.set_uid(1000)), "file");
    attempt(header(&name, size, |h| h.set_mtime(1)), "file");
    attempt(
        header(&name, size, |h| h.set_username("root").unwrap()),
        "file",
    );
    attempt(
        header(&name, size, |h| h.as_ustar_mut().unwrap().pad[11] = 1),
        "file",
    );
    attempt(
        header(&name, size, |h| {
            h.as_ustar_mut().unwrap().magic = *b"ustar "
        }),
        "file",
    );
    attempt(
        header(&name, size + 1, |_| {}),
        &format!("file \"000001.zst\" of {} bytes", size + 1),
    );
    attempt(
        header(&name, 8 << 30, |_| {}),
        &format!("file \"000001.zst\" of {} bytes", 8u64 << 30),
    );
    attempt(header(&name, u64::MAX >> 1, |_| {}), "file \"000001.zst\"");
    // The right size, spelled with spaces.
    attempt(
        header(&name, size, |h| {
            h.as_old_mut()
                .size
                .copy_from_slice(format!("{size:>11o} ").as_bytes())
        }),
        "file",
    );
}

#[test]
fn the_front_is_as_strict_as_the_rest() {
    let parts = parts(&items());
    let good = volume(&parts);
    let behind_manifest = 512 + parts.note.len().next_multiple_of(512);
    let front = |block: [u8; 512]| [block.as_slice(), &good[512..]].concat();
    let note = parts.note.len() as u64;

    refused(
        &front(header("Manifest", note, |_| {})),
        &["expected manifest, found file \"Manifest\""],
    );
    refused(
        &front(header("manifest", note, |h| {
            h.set_entry_type(EntryType::Symlink)
        })),
        &["expected manifest, found symbolic link"],
    );
    refused(
        &front(header("manifest", 0, |_| {})),
        &["manifest: 0 bytes"],
    );
    refused(
        &front(header("manifest", 8 << 30, |_| {})),
        &["expected manifest, found file"],
    );
    refused(
        &[0; 4096],
        &["expected manifest, found the end of the archive"],
    );
    refused(&[b'x'; 4096], &["manifest: its tar header is damaged"]);
    refused(b"", &["the volume ends in manifest"]);

    let mut index = good.clone();
    index[behind_manifest..behind_manifest + 512].copy_from_slice(&header(
        "index",
        parts.index.len() as u64 + 1,
        |_| {},
    ));
    refused(&index, &["expected index, found file \"index\""]);
    let mut second = file("manifest", &parts.note);
    second.extend_from_slice(&good);
    refused(&second, &["expected index, found file \"manifest\""]);
}

#[test]
fn padding_is_zeros() {
    let parts = parts(&items());
    let good = volume(&parts);
    for (range, label) in layout(&parts).into_iter().rev().skip(1) {
        let mut bad = good.clone();
        bad[range.end - 1] = 1;
        refused(&bad, &[&format!("{label}: its padding is not all zeros")]);
    }
}
