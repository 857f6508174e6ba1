//! Nothing is read, let alone interpreted, before its turn. What the types cannot say of that order is tested here.

#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::io::{self, Cursor, Read};

use modferry_protocol::bundle::{ReadError, Volume};

use super::common::*;

/// Counts the bytes that were read of it.
struct Counting<'a> {
    input: &'a [u8],
    read: &'a Cell<usize>,
}

impl Read for Counting<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.input.read(buf)?;
        self.read.set(self.read.get() + n);
        Ok(n)
    }
}

#[test]
fn before_the_manifest_is_trusted_only_it_is_read() {
    let parts = parts(&items());
    let written = volume(&parts);
    let layout = layout(&parts);
    let read = Cell::new(0);
    let input = Counting {
        input: &written,
        read: &read,
    };
    let opened = Volume::open(input).unwrap();
    assert_eq!(read.get(), layout[0].0.end, "only the manifest");
    let accepted = policy().accept(opened.manifest_note()).unwrap();
    let trusted = opened.trust(&accepted).unwrap();
    assert_eq!(read.get(), layout[0].0.end, "still only the manifest");
    let indexed = trusted.index(Cursor::new(Vec::new())).unwrap();
    assert_eq!(
        read.get(),
        layout[2].0.end,
        "and the index, and which volume"
    );
    let nothing = |_: u32| Err(io::ErrorKind::NotFound.into());
    let mut entries = indexed.entries(nothing).unwrap();
    drop(entries.next().unwrap());
    assert_eq!(read.get(), layout[2].0.end + 512, "and a header");
}

#[test]
fn nothing_of_an_altered_pack_is_shown() {
    let parts = parts(&items());
    let layout = layout(&parts);
    let mut bad = volume(&parts);
    // The last byte of the pack: all before it would restore.
    bad[layout[3].0.start + 512 + parts.entries[0].1.len() - 1] ^= 1;
    let opened = Volume::open(bad.as_slice()).unwrap();
    let accepted = policy().accept(opened.manifest_note()).unwrap();
    let mut entries = entries_of_one(opened, &accepted).unwrap();
    let mut shown = 0;
    let pack = entries.next().unwrap().unwrap();
    let error = pack.small_items(|_, _| -> Result<(), ReadError> {
        shown += 1;
        Ok(())
    });
    assert!(matches!(error, Err(ReadError::Damaged { .. })), "{error:?}");
    assert_eq!(shown, 0);
    assert!(
        matches!(entries.next().map(drop), Err(ReadError::Unfinished { .. })),
        "an error is the end"
    );
}

#[test]
fn a_callers_error_comes_back_as_it_is() {
    #[derive(Debug)]
    enum Mine {
        Full,
        Read,
    }
    impl From<ReadError> for Mine {
        fn from(_: ReadError) -> Self {
            Mine::Read
        }
    }
    let written = volume(&parts(&items()));
    let opened = Volume::open(written.as_slice()).unwrap();
    let accepted = policy().accept(opened.manifest_note()).unwrap();
    let mut entries = entries_of_one(opened, &accepted).unwrap();
    assert!(matches!(
        entries
            .next()
            .unwrap()
            .unwrap()
            .small_items(|_, _| Err(Mine::Full)),
        Err(Mine::Full)
    ));
    // A zip is no pack.
    let zip = entries.next().unwrap().unwrap();
    assert!(matches!(
        zip.small_items(|_, _| Err(Mine::Full)),
        Err(Mine::Read)
    ));
}

#[test]
fn a_spool_grows_only_as_the_index_comes() {
    let mut parts = parts(&items());
    parts.manifest.index.size = 1 << 30;
    let note = modferry_protocol::note::sign(&parts.manifest.encode(), &[&key()]).unwrap();
    let mut cut = file("manifest", &note);
    cut.extend_from_slice(&header("index", 1 << 30, |_| {}));
    cut.extend_from_slice(&[b'x'; 700]);
    let opened = Volume::open(cut.as_slice()).unwrap();
    let accepted = policy().accept(opened.manifest_note()).unwrap();
    let mut spool = Vec::new();
    let error = opened
        .trust(&accepted)
        .unwrap()
        .index(Cursor::new(&mut spool))
        .map(drop)
        .unwrap_err();
    assert_eq!(error.to_string(), "the volume ends in index");
    assert_eq!(spool.len(), 700);
}
