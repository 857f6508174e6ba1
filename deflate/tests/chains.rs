//! What `Writer::GoChains` writes is what Go's `compress/flate` writes at level 5.
//!
//! Twice: against hashes that Go 1.26 gave (`chains.txt`), on every machine; and against the `go` command of this one, as long as it
//! is old enough to have that encoder. The contents are generated, by shape and size.

mod contents;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use contents::{SHAPES, content};
use modferry_deflate::{Deflater, Writer};
use sha2::{Digest, Sha256};

/// The newest Go that has this encoder.
const NEWEST_GO: u32 = 26;

/// Sizes around the shortest match, the end of what is looked ahead, a block of 16,384 tokens, the window, the longest stored block,
/// the buffer of two windows, and each by which the buffer moves on.
const SIZES: [usize; 48] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 100, 257, 258, 259, 261, 262, 263, 300, 1000,
    4095, 4097, 4100, 10_000, 16_383, 16_384, 16_385, 32_767, 32_768, 32_769, 33_030, 65_273,
    65_275, 65_534, 65_535, 65_536, 65_537, 65_800, 98_303, 98_305, 131_071, 131_073, 200_000,
    400_000,
];

/// A Go program: reads contents, each behind its size in four bytes, and writes their streams likewise. Each is written at once and in
/// pieces of 32 KiB, as `io.Copy` does, and the two have to be the same.
const REFERENCE: &str = r#"package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"io"
	"log"
	"os"
)

func stream(content []byte, piece int) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, 5)
	if err != nil {
		log.Fatal(err)
	}
	for len(content) > piece {
		w.Write(content[:piece])
		content = content[piece:]
	}
	w.Write(content)
	w.Close()
	return out.Bytes()
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	for {
		var size uint32
		err := binary.Read(in, binary.LittleEndian, &size)
		if err == io.EOF {
			break
		}
		content := make([]byte, size)
		if _, err := io.ReadFull(in, content); err != nil {
			log.Fatal(err)
		}
		whole := stream(content, len(content)+1)
		if !bytes.Equal(whole, stream(content, 32<<10)) {
			log.Fatalf("a content of %d bytes gives another stream when it is written in pieces", size)
		}
		binary.Write(out, binary.LittleEndian, uint32(len(whole)))
		out.Write(whole)
	}
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}
"#;

/// Every generated content: each shape in each size, and a few that are much larger.
fn all() -> impl Iterator<Item = (&'static str, usize)> {
    let sized = SHAPES
        .into_iter()
        .flat_map(|shape| SIZES.map(|size| (shape, size)));
    let large = ["same", "words", "islands", "edits"].map(|shape| (shape, 6_000_000));
    sized.chain(large)
}

/// What Go makes of each; none if the Go of this machine is too new.
fn of_go() -> Option<Vec<Vec<u8>>> {
    let version = Command::new("go")
        .args(["env", "GOVERSION"])
        .output()
        .expect("the go command");
    let version = String::from_utf8(version.stdout).expect("text");
    let minor = version.trim().strip_prefix("go1.").and_then(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u32>().ok()
    });
    let minor = minor.unwrap_or_else(|| panic!("a version of Go: {version:?}"));
    if minor > NEWEST_GO {
        return None;
    }

    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("main.go"), REFERENCE).expect("the program");
    std::fs::write(
        folder.path().join("go.mod"),
        "module reference\n\ngo 1.21\n",
    )
    .expect("its go.mod");
    let binary = folder.path().join("reference");
    go(folder.path(), &["build", "-o", "reference", "."]);

    let mut child = Command::new(binary)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    let feeder = std::thread::spawn(move || {
        for (shape, size) in all() {
            stdin
                .write_all(&(size as u32).to_le_bytes())
                .expect("a size");
            stdin.write_all(&content(shape, size)).expect("a content");
        }
    });
    let output = child.wait_with_output().expect("the program ends");
    feeder.join().expect("every content was read");
    assert!(output.status.success(), "the program says why, above");
    let mut rest = &output.stdout[..];
    let mut streams = Vec::new();
    while let Some((size, behind)) = rest.split_first_chunk::<4>() {
        let (stream, behind) = behind.split_at(u32::from_le_bytes(*size) as usize);
        streams.push(stream.to_vec());
        rest = behind;
    }
    Some(streams)
}

fn go(folder: &Path, arguments: &[&str]) {
    let output = Command::new("go")
        .args(arguments)
        .current_dir(folder)
        .envs([
            ("GOPROXY", "off"),
            ("GOTOOLCHAIN", "local"),
            ("GOWORK", "off"),
            ("GOFLAGS", ""),
        ])
        .output()
        .expect("the go command");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "go {arguments:?} in {}: {told}",
        folder.display()
    );
}

fn line(shape: &str, size: usize, stream: &[u8]) -> String {
    let mut line = format!("{shape} {size} ");
    for byte in Sha256::digest(stream) {
        write!(line, "{byte:02x}").expect("a string grows");
    }
    line
}

#[test]
fn the_go_command_writes_the_same() {
    let Some(theirs) = of_go() else {
        eprintln!("not compared: this machine's Go is newer than 1.{NEWEST_GO}");
        return;
    };
    assert_eq!(theirs.len(), all().count());
    let mut deflater = Deflater::new();
    let mut ours = Vec::new();
    for ((shape, size), theirs) in all().zip(theirs) {
        let content = content(shape, size);
        ours.clear();
        deflater
            .deflate(Writer::GoChains, &content, usize::MAX, &mut ours)
            .expect("no limit");
        let same = ours.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
        assert!(
            ours == theirs,
            "{shape} {size}: {} bytes and not {}, the first {same} of them the same",
            ours.len(),
            theirs.len()
        );
        assert!(deflater.makes(Writer::GoChains, &content, &theirs));
    }
}

#[test]
fn the_hashes_of_go_1_26_are_met() {
    let expected: Vec<&str> = include_str!("chains.txt").lines().collect();
    assert_eq!(expected.len(), all().count());
    let mut deflater = Deflater::new();
    let mut ours = Vec::new();
    for ((shape, size), expected) in all().zip(expected) {
        ours.clear();
        deflater
            .deflate(
                Writer::GoChains,
                &content(shape, size),
                usize::MAX,
                &mut ours,
            )
            .expect("no limit");
        assert_eq!(line(shape, size, &ours), expected);
    }
}

/// Makes `chains.txt` anew: `cargo test -p modferry-deflate --test chains -- --ignored --nocapture`.
#[test]
#[ignore = "writes the hashes that the others compare with"]
fn write_the_hashes_of_the_go_command() {
    let streams = of_go().expect("a Go that has this encoder");
    let lines = all()
        .zip(&streams)
        .map(|((shape, size), stream)| line(shape, size, stream) + "\n");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chains.txt");
    std::fs::write(file, lines.collect::<String>()).expect("the file");
}
