//! Where a bundle is cut: exact at any size, those that mean something to file systems and to numbers among them.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use modferry_protocol::bundle::{
    BundleWriter, CutError, Encoding, Entry, Item, MAX_ENTRIES, MAX_ENTRY, MAX_VOLUMES,
    VolumeFiles, VolumePlan, cut,
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::common::*;

const GIB: u64 = 1 << 30;

/// A file in a tar.
fn file_size(stored: u64) -> u64 {
    512 + stored.next_multiple_of(512)
}

/// What must be true of every plan, told by another arithmetic than the planner's: what each volume has is put
/// together from what it says, byte for byte.
fn check(front: u64, stored: &[u64], limit: u64, plans: &[VolumePlan]) {
    let count = plans.len() as u32;
    assert!((1..=MAX_VOLUMES).contains(&count));
    let room = limit / 512 * 512 - front - 2048;
    // The entry and the byte in it that come next.
    let (mut entry, mut offset) = (1u32, 0);
    for (number, plan) in (1..).zip(plans) {
        assert_eq!((plan.number, plan.of), (number, count));
        assert!(plan.size <= limit, "{plan:?}");
        let mut used = 0;
        if let Some((first, last)) = plan.entries {
            assert_eq!(first, entry);
            for n in first..=last {
                let stored = stored[n as usize - 1];
                assert_eq!(entry, n);
                let size = match plan.extents().iter().find(|extent| extent.entry == n) {
                    None => stored,
                    Some(extent) => {
                        assert!(file_size(stored) > room, "entry {n} would have fitted");
                        assert_eq!(extent.offset, offset);
                        extent.size
                    }
                };
                offset += size;
                used += file_size(size);
                if offset == stored {
                    (entry, offset) = (n + 1, 0);
                } else {
                    assert_eq!(n, last, "only the last one goes on");
                    assert_eq!(used, room, "what is cut fills its volume");
                }
            }
        }
        assert_eq!(plan.size, front + 2048 + used);
        // No volume ends early: what begins the next would not have fitted.
        if number < count && offset == 0 {
            let next = stored[entry as usize - 1];
            assert!(used + file_size(next) > room);
            assert!(file_size(next) <= room || room - used < 1024);
        }
    }
    assert_eq!((entry as usize, offset), (stored.len() + 1, 0), "all of it");
}

#[test]
fn boundaries_of_file_systems_and_of_numbers() {
    let front = 512 * 9;
    // Entries of the largest size, and of odd ones, to 30 GiB.
    let sizes = [
        MAX_ENTRY,
        1,
        MAX_ENTRY - 1,
        70_000,
        MAX_ENTRY - 511,
        512 << 10,
    ];
    let stored: Vec<u64> = sizes.into_iter().cycle().take(120).collect();
    for boundary in [2 * GIB, 4 * GIB, 8 * GIB] {
        for limit in [
            boundary - 513,
            boundary - 512,
            boundary - 511,
            boundary - 1,
            boundary,
            boundary + 1,
            boundary + 511,
            boundary + 512,
        ] {
            let plans = cut(front, stored.iter().copied(), Some(limit)).unwrap();
            check(front, &stored, limit, &plans);
            // An entry fits where the limit leaves it just that room, and is not cut for it.
            let exact = limit / 512 * 512 - front - 2048;
            let whole = exact / file_size(MAX_ENTRY);
            let filler = exact - whole * file_size(MAX_ENTRY) - 512;
            for (filler, volumes) in [(filler, 1), (filler + 1, 2)] {
                let mut stored = vec![MAX_ENTRY; whole as usize];
                stored.push(filler);
                let plans = cut(front, stored.iter().copied(), Some(limit)).unwrap();
                check(front, &stored, limit, &plans);
                assert_eq!(plans.len(), volumes);
                assert_eq!(plans[0].size == limit / 512 * 512, volumes == 1);
            }
        }
    }
    // Media that are smaller than an entry.
    for limit in [100 << 20, 256 << 20, (500 << 20) + 5120] {
        let plans = cut(front, stored.iter().copied(), Some(limit)).unwrap();
        check(front, &stored, limit, &plans);
    }
    let one = cut(front, stored.iter().copied(), None).unwrap();
    let total: u64 = stored.iter().map(|stored| file_size(*stored)).sum();
    assert_eq!((one.len(), one[0].size), (1, front + 2048 + total));
}

#[test]
fn what_no_index_has_is_not_cut() {
    let entries = |count: u32, size: u64| (0..count).map(move |_| size);
    assert!(cut(1024, entries(3, MAX_ENTRY), None).is_ok());
    assert_eq!(
        cut(1024, entries(3, MAX_ENTRY + 1), None),
        Err(CutError::Entry(MAX_ENTRY + 1))
    );
    assert!(cut(1024, entries(MAX_ENTRIES, 1), None).is_ok());
    assert_eq!(
        cut(1024, entries(MAX_ENTRIES + 1, 1), Some(GIB)),
        Err(CutError::Entries)
    );
    for limit in [None, Some(0), Some(u64::MAX)] {
        let error = cut(u64::MAX, entries(3, 5), limit).unwrap_err();
        assert!(matches!(error, CutError::TooSmall { .. }));
    }
    assert!(cut(u64::MAX - GIB, entries(3, 5), Some(u64::MAX)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_plan_is_exact(
        front in 2..40u64,
        stored in proptest::collection::vec(prop_oneof![1..3000u64, 1..20u64, 100_000..200_000u64], 0..40),
        limit in prop_oneof![0..30_000u64, 0..1_000_000u64],
    ) {
        let front = front * 512;
        match cut(front, stored.iter().copied(), Some(limit)) {
            Ok(plans) => check(front, &stored, limit, &plans),
            Err(CutError::TooSmall { least, .. }) => {
                prop_assert!(least > limit && least % 512 == 0);
                let plans = cut(front, stored.iter().copied(), Some(least)).unwrap();
                check(front, &stored, least, &plans);
                prop_assert!(cut(front, stored.iter().copied(), Some(least - 1)).is_err());
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    #[test]
    fn no_sizes_panic(front in any::<u64>(), stored in proptest::collection::vec(any::<u64>(), 0..5), limit in any::<Option<u64>>()) {
        let _ = cut(front, stored.iter().copied(), limit);
    }
}

static ZEROS: [u8; 8192] = [0; 8192];

/// A file of which only what is not zeros is kept.
#[derive(Default)]
struct Sparse {
    /// By offset, whatever was written that is not all zeros.
    kept: BTreeMap<u64, Vec<u8>>,
    at: u64,
    size: u64,
}

impl Write for Sparse {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // The writer goes back once, to write a block again that is all there in one piece.
        self.kept.remove(&self.at);
        // A comparison of slices, which is quick in a debug build, too.
        let zeros = buf
            .chunks(ZEROS.len())
            .all(|chunk| *chunk == ZEROS[..chunk.len()]);
        if !zeros {
            self.kept.insert(self.at, buf.to_vec());
        }
        self.at += buf.len() as u64;
        self.size = self.size.max(self.at);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Start(at) = to else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        self.at = at;
        Ok(at)
    }
}

impl Read for Sparse {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = (self.size - self.at).min(buf.len() as u64);
        let (from, to) = (self.at, self.at + n);
        buf[..n as usize].fill(0);
        let before = self.kept.range(..=from).next_back().into_iter();
        for (at, bytes) in before.chain(self.kept.range(from + 1..to.max(from + 1))) {
            let (start, end) = (from.max(*at), to.min(at + bytes.len() as u64));
            if start < end {
                buf[(start - from) as usize..(end - from) as usize]
                    .copy_from_slice(&bytes[(start - at) as usize..(end - at) as usize]);
            }
        }
        self.at = to;
        Ok(n as usize)
    }
}

/// Volumes as sparse files.
struct SparseVolumes(Vec<Sparse>);

impl VolumeFiles for SparseVolumes {
    type File = Sparse;

    fn create(&mut self, _: &VolumePlan) -> io::Result<Sparse> {
        Ok(Sparse::default())
    }

    fn done(&mut self, plan: &VolumePlan, file: Sparse) -> io::Result<()> {
        assert_eq!((file.size, file.at), (plan.size, plan.size));
        self.0.push(file);
        Ok(())
    }
}

/// Writes more zeros than two volumes of that size hold, in entries of the largest size and one odd one, and
/// reads them back.
fn write_and_read(limit: u64) {
    let hash = |size: u64| {
        let mut hasher = Sha256::new();
        io::copy(&mut io::repeat(0).take(size), &mut hasher).unwrap();
        hasher.finalize().into()
    };
    let (odd, full) = (12_345, MAX_ENTRY);
    let hashes = [hash(odd), hash(full)];
    let count = limit / full + 2;
    let entries: Vec<Entry> = (0..count)
        .map(|n| {
            let (stored, sha256) = if n == 1 {
                (odd, hashes[0])
            } else {
                (full, hashes[1])
            };
            let zip = Item::Zip(module(&format!("example.com/z@v1.{n}.0")));
            Entry {
                number: n as u32 + 1,
                encoding: Encoding::Raw,
                stored,
                sha256,
                items: vec![(zip, stored)],
                zip_sha256: Vec::new(),
            }
        })
        .collect();
    let parts = sign(
        entries
            .iter()
            .map(|entry| (entry.clone(), Vec::new()))
            .collect(),
    );
    let stored: Vec<u64> = entries.iter().map(|entry| entry.stored).collect();
    let plans = cut(front(&parts), stored.iter().copied(), Some(limit)).unwrap();
    check(front(&parts), &stored, limit, &plans);
    assert!(plans.len() > 1);
    let files = SparseVolumes(Vec::new());
    let mut writer = BundleWriter::new(files, &parts.note, &parts.index, plans).unwrap();
    for entry in &entries {
        writer
            .entry(entry, &mut io::repeat(0).take(entry.stored))
            .unwrap();
    }
    let mut volumes = writer.finish().unwrap().0;
    for volume in &volumes {
        assert!(volume.size <= limit, "{} of {limit}", volume.size);
    }

    let accepted = policy().accept(&parts.note).unwrap();
    let mut open = |number: u32| {
        let volume = volumes.get_mut(number as usize - 1);
        let mut volume = std::mem::take(volume.ok_or(io::ErrorKind::NotFound)?);
        volume.at = 0;
        Ok(volume)
    };
    let first = modferry_protocol::bundle::Volume::open(open(1).unwrap()).unwrap();
    let mut all: modferry_protocol::bundle::Entries<_, Cursor<Vec<u8>>> =
        entries_of(first, &accepted, open).unwrap();
    let mut read = 0;
    while let Some(incoming) = all.next().unwrap() {
        incoming.finish().unwrap();
        read += 1;
    }
    all.finish().unwrap();
    assert_eq!(read, count);
}

#[test]
fn less_than_an_entry_a_volume() {
    write_and_read(400 << 20);
}

#[test]
#[ignore = "hashes 6 GiB"]
fn volumes_below_2_gib() {
    write_and_read(2 * GIB - 1);
}

#[test]
#[ignore = "hashes 10 GiB"]
fn volumes_below_4_gib() {
    write_and_read(4 * GIB - 1);
}

#[test]
#[ignore = "hashes 18 GiB"]
fn volumes_of_8_gib() {
    write_and_read(8 * GIB);
}
