//! `Writer::GoTables` writes what its reference writes: contents of many shapes and sizes, generated here and in
//! tests/vectors/deflate by the same rules, and the SHA-256 of the stream that the reference made of each.

use std::fmt::Write as _;

use modferry_deflate::{Deflater, Writer};
use sha2::{Digest, Sha256};

const VECTORS: &str = include_str!("vectors/go_tables.txt");

/// splitmix64.
struct Source(u64);

impl Source {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }
}

fn content(shape: &str, size: usize) -> Vec<u8> {
    let seed = |seed: u64, c: u8| seed.wrapping_mul(31).wrapping_add(u64::from(c));
    let mut source = Source(shape.bytes().fold(size as u64, seed));
    let mut content = Vec::new();
    while content.len() < size {
        more(&mut content, shape, &mut source, size);
    }
    content.truncate(size);
    content
}

/// Appends something of that shape.
fn more(out: &mut Vec<u8>, shape: &str, source: &mut Source, size: usize) {
    let mut alphabet = |letters: &[u8]| {
        for _ in 0..64 {
            out.push(letters[source.below(letters.len())]);
        }
    };
    match shape {
        "same" => out.extend([b'='; 1000]),
        "random" => out.extend((0..64).map(|_| source.byte())),
        "acgt" => alphabet(b"acgt"),
        "hex" => alphabet(b"0123456789abcdef"),
        "base64" => alphabet(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
        "skewed" => out.extend((0..64).map(|_| source.next().trailing_zeros().min(63) as u8)),
        "words" => {
            // The rarer words come up later in the text.
            for _ in 0..12 {
                let (any, known) = (source.below(500), source.below(1 + out.len() / 8));
                let mut word = Source(any.min(known) as u64);
                for _ in 0..2 + word.below(8) {
                    out.push(b'a' + word.below(26) as u8);
                }
                out.push(b' ');
            }
            out.push(b'\n');
        }
        "period" | "window" => {
            let mut period = 1 + source.below(40_000);
            if shape == "window" {
                period = 32_764 + source.below(8);
            }
            let piece: Vec<u8> = (0..period).map(|_| source.byte()).collect();
            for _ in 0..3 {
                out.extend(&piece);
            }
        }
        "sparse" => {
            for _ in 0..1 + source.below(120) {
                out.push(source.byte());
            }
            if out.len() > 100 {
                let at = out.len() - 1 - source.below(out.len().min(40_000) - 30);
                for at in at..at + 4 + source.below(17) {
                    out.push(out[at]);
                }
            }
        }
        "mixed" => {
            let kinds = [
                "words", "random", "base64", "acgt", "same", "skewed", "sparse", "hex",
            ];
            let kind = kinds[source.below(kinds.len())];
            let end = size.min(out.len() + 1 + source.below(50_000));
            while out.len() < end {
                more(out, kind, source, size);
            }
        }
        "changing" => {
            // A line again and again, with another number.
            let (line, value) = (out.len() / 40, source.below(1000));
            out.extend(
                format!("\tentry[{line}] = field{{name: \"name\", value: {value}}}\n").bytes(),
            );
        }
        _ => unreachable!("no such shape: {shape}"),
    }
}

fn vectors() -> impl Iterator<Item = (&'static str, usize, &'static str)> {
    VECTORS.lines().map(|line| {
        let mut fields = line.split(' ');
        let mut field = || fields.next().expect("three fields");
        (field(), field().parse().expect("a size"), field())
    })
}

/// One deflater writes them all, so that this shows as well that a stream does not depend on those before it.
#[test]
fn every_stream_is_what_the_reference_makes() {
    let mut deflater = Deflater::new();
    let mut out = Vec::new();
    let mut different = String::new();
    let mut count = 0;
    for (shape, size, sha256) in vectors() {
        let content = content(shape, size);
        out.clear();
        deflater
            .deflate(Writer::GoTables, &content, usize::MAX, &mut out)
            .expect("no limit");
        if format!("{:x}", Sha256::digest(&out)) != sha256 {
            writeln!(different, "{shape} {size}").expect("a string takes all");
        }
        count += 1;
    }
    assert_eq!(different, "", "written differently");
    assert!(count > 500, "only {count} vectors");
}
