//! Replays what golang.org/x/mod/sumdb answered, against our own notes, tiles, records and proofs.
//!
//! `tests/vectors/sumdb/` is the program that wrote `vectors/sumdb_*.jsonl`: each line is one call of the reference
//! with its arguments, whether it succeeded, and its answer. Where the arguments can be any bytes, each character
//! stands for one.
//!
//! We never accept what the reference refuses. Where we refuse what it accepts, the replay says why, next to the
//! comparison: it lets some things be spelt in more than one way, and we do not.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use modferry_protocol::sumdb::Tile;

#[path = "sumdb/lookup.rs"]
mod lookup;
#[path = "sumdb/notes.rs"]
mod notes;
#[path = "sumdb/texts.rs"]
mod texts;
#[path = "sumdb/tree.rs"]
mod tree;

#[derive(Debug, serde::Deserialize)]
struct Vector {
    f: String,
    #[serde(rename = "in")]
    arguments: Vec<String>,
    ok: bool,
    #[serde(default)]
    out: Vec<String>,
}

impl Vector {
    /// The arguments or answers that are numbers, as such.
    fn numbers(list: &[String]) -> Vec<u64> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// The answer as a set of tiles.
    fn tiles(&self) -> BTreeSet<Tile> {
        self.out.iter().map(|path| path.parse().unwrap()).collect()
    }
}

fn bytes(latin1: &str) -> Vec<u8> {
    latin1.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

fn text(latin1: &str) -> Option<String> {
    String::from_utf8(bytes(latin1)).ok()
}

fn read(file: &str) -> Vec<Vector> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(file);
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Replays a file, and makes sure that it has at least so many vectors of each function, and no others.
fn replay(file: &str, least: &[(&str, usize)], mut check: impl FnMut(&Vector)) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for vector in read(file) {
        *counts.entry(vector.f.clone()).or_default() += 1;
        check(&vector);
    }
    for (function, least) in least {
        let count = counts.remove(*function).unwrap_or(0);
        assert!(
            count >= *least,
            "{file}: {count} vectors of {function}, want {least}"
        );
    }
    assert!(counts.is_empty(), "{file}: not replayed: {counts:?}");
}
