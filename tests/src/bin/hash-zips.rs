//! The least that any verified import must do, as a peer to measure import against: reads the zips named on the
//! command line (or all below a folder), inflates every file in them and hashes it, and hashes each zip whole,
//! on all cores. Nothing is checked and nothing is stored.

#![allow(clippy::unwrap_used, reason = "a measuring stick")]

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use flate2::{Decompress, FlushDecompress, Status};
use sha2::{Digest as _, Sha256};

fn main() {
    let mut zips = Vec::new();
    for argument in std::env::args().skip(1) {
        collect(Path::new(&argument), &mut zips);
    }
    let started = Instant::now();
    let next = AtomicUsize::new(0);
    let (packed, unpacked) = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..std::thread::available_parallelism().unwrap().get())
            .map(|_| {
                scope.spawn(|| {
                    let mut sums = (0, 0);
                    while let Some(zip) = zips.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let bytes = std::fs::read(zip).unwrap();
                        std::hint::black_box(Sha256::digest(&bytes));
                        sums.0 += bytes.len();
                        sums.1 += hash_files(&bytes);
                    }
                    sums
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    });
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{} zips, {packed} bytes packed, {unpacked} bytes unpacked, {seconds:.2} s",
        zips.len()
    );
}

fn collect(path: &Path, zips: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), zips);
        }
    } else if path.extension().is_some_and(|extension| extension == "zip") {
        zips.push(path.to_path_buf());
    }
}

/// Inflates and hashes each file by the directory's entries; returns the bytes inflated.
fn hash_files(zip: &[u8]) -> usize {
    let u16_at = |at: usize| usize::from(u16::from_le_bytes(zip[at..at + 2].try_into().unwrap()));
    let u32_at = |at: usize| u32::from_le_bytes(zip[at..at + 4].try_into().unwrap()) as usize;
    let end = zip
        .windows(4)
        .rposition(|window| window == b"PK\x05\x06")
        .unwrap();
    let mut at = u32_at(end + 16);
    let mut buffer = vec![0; 64 << 10];
    let mut inflated = 0;
    let mut inflater = Decompress::new(false);
    for _ in 0..u16_at(end + 10) {
        let (method, packed, local) = (u16_at(at + 10), u32_at(at + 20), u32_at(at + 42));
        at += 46 + u16_at(at + 28) + u16_at(at + 30) + u16_at(at + 32);
        let start = local + 30 + u16_at(local + 26) + u16_at(local + 28);
        let data = &zip[start..start + packed];
        let mut hash = Sha256::new();
        if method == 0 {
            hash.update(data);
            inflated += data.len();
        } else {
            inflater.reset(false);
            loop {
                let (read, wrote) = (inflater.total_in() as usize, inflater.total_out());
                let status = inflater
                    .decompress(&data[read..], &mut buffer, FlushDecompress::None)
                    .unwrap();
                let fresh = (inflater.total_out() - wrote) as usize;
                hash.update(&buffer[..fresh]);
                inflated += fresh;
                if status == Status::StreamEnd {
                    break;
                }
            }
        }
        std::hint::black_box(hash.finalize());
    }
    inflated
}
