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
use std::convert::Infallible;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::note::{self, KeyError, NoteError, SUM_GOLANG_ORG, SigningKey, VerifierKey};
use modferry_protocol::sumdb::{
    Authenticator, Hash, Height, MAX_LEVEL, MAX_TREE_SIZE, MemoryLog, ProofError, Record,
    RecordError, SignedHead, Tile, TileSource, TreeHead, closure, split_lookup, tiling, tlog,
};

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

fn log() -> MemoryLog {
    let mut log = MemoryLog::new();
    for id in 0..300 {
        log.push(format!("record {id}\n").as_bytes());
    }
    log
}

#[test]
fn hashes_are_where_the_reference_has_them_and_proofs_are_its() {
    let log = log();
    let reader = |indexes: &[u64]| log.read(indexes).ok_or(());
    let least = [
        ("StoredHashIndex", 300),
        ("SplitStoredHashIndex", 300),
        ("StoredHashCount", 170),
        ("TreeHash", 301),
        ("ProveRecord", 250),
        ("ProveTree", 250),
    ];
    replay("sumdb_tree.jsonl", &least, |vector| {
        let arguments = Vector::numbers(&vector.arguments);
        let answers = || Vector::numbers(&vector.out);
        let hashes = || -> Vec<Hash> { vector.out.iter().map(|h| h.parse().unwrap()).collect() };
        match (vector.f.as_str(), arguments.as_slice()) {
            ("StoredHashIndex", &[level, n]) => {
                let index = tlog::stored_hash_index(level as u8, n);
                assert_eq!(index, Some(answers()[0]), "{vector:?}");
            }
            ("SplitStoredHashIndex", &[index]) => {
                let (level, n) = tlog::split_stored_hash_index(index).unwrap();
                assert_eq!([u64::from(level), n], *answers(), "{vector:?}");
            }
            ("StoredHashCount", &[size]) => {
                assert_eq!(
                    tlog::stored_hash_count(size),
                    Some(answers()[0]),
                    "{vector:?}"
                );
            }
            ("TreeHash", &[size]) => {
                assert_eq!(
                    vec![tlog::tree_hash(size, reader).unwrap()],
                    hashes(),
                    "{vector:?}"
                );
            }
            ("ProveRecord", &[size, n]) => {
                let proof = tlog::prove_record(size, n, reader).ok();
                assert_eq!(proof, vector.ok.then(hashes), "{vector:?}");
            }
            ("ProveTree", &[size, older]) => {
                let proof = tlog::prove_tree(size, older, reader).ok();
                assert_eq!(proof, vector.ok.then(hashes), "{vector:?}");
            }
            _ => {}
        }
    });
}

/// What the reference publishes when a tree grows: every tile whose width in the newer tree is another than in the older.
fn new_tiles(height: Height, older: u64, newer: u64) -> BTreeSet<Tile> {
    let mut tiles = BTreeSet::new();
    for level in 0..=MAX_LEVEL {
        let hashes = |size: u64| {
            size.checked_shr(u32::from(level) * u32::from(height.get()))
                .unwrap_or(0)
        };
        let (first, last) = (hashes(older) >> height.get(), hashes(newer) >> height.get());
        for index in first..=last {
            let tile = Tile::in_tree(height, level, index, newer);
            if tile != Tile::in_tree(height, level, index, older) {
                tiles.extend(tile);
            }
        }
    }
    tiles
}

#[test]
fn tiles_are_the_references_and_so_is_what_a_client_reads() {
    let least = [
        ("ParseTilePath", 1000),
        ("TileForIndex", 200),
        ("NewTiles", 100),
        ("PlanOlder", 400),
        ("PlanRecord", 400),
    ];
    let mut deep = 0;
    replay("sumdb_tiles.jsonl", &least, |vector| {
        if vector.f == "ParseTilePath" {
            let path = vector.arguments[0].as_str();
            let want = vector.ok.then(|| vector.out.clone());
            let found = Tile::parse(path).ok().map(|tile| {
                assert_eq!(tile.path(), path);
                let level = match tile.is_data() {
                    true => "data".into(),
                    false => tile.level().to_string(),
                };
                let (index, width) = (tile.index().to_string(), tile.width().to_string());
                vec![tile.height().to_string(), level, index, width]
            });
            // The reference documents that levels end at 63, and does not check it.
            let is_deep = want.as_ref().is_some_and(|want| {
                want[1]
                    .parse::<u64>()
                    .is_ok_and(|level| level > u64::from(MAX_LEVEL))
            });
            match is_deep {
                true => deep += 1,
                false => assert_eq!(found, want, "{vector:?}"),
            }
            assert!(!(is_deep && found.is_some()), "{vector:?}");
            return;
        }
        let arguments = Vector::numbers(&vector.arguments);
        let height = Height::new(arguments[0] as u8).unwrap();
        match (vector.f.as_str(), &arguments[1..]) {
            ("TileForIndex", &[index]) => {
                let tile = tiling::tile_for_index(height, index).unwrap();
                assert_eq!(tile.path(), vector.out[0], "{vector:?}");
            }
            ("NewTiles", &[older, newer]) => {
                assert_eq!(
                    new_tiles(height, older, newer),
                    vector.tiles(),
                    "{vector:?}"
                );
            }
            ("PlanOlder", &[_, 0]) => assert!(vector.out.is_empty(), "{vector:?}"),
            ("PlanOlder", &[size, older]) => {
                let tiles = tiling::closure(height, size, [], &[older]);
                assert_eq!(tiles, vector.tiles(), "{vector:?}");
            }
            ("PlanRecord", &[size, id]) => {
                let tiles = tiling::closure(height, size, [id], &[]);
                assert_eq!(tiles, vector.tiles(), "{vector:?}");
            }
            _ => {}
        }
    });
    assert!(
        (1..100).contains(&deep),
        "{deep} tiles of impossible levels"
    );
}

#[test]
fn records_and_tree_heads_are_read_and_written_as_the_reference_does() {
    let least = [
        ("FormatRecord", 48),
        ("ParseRecord", 300),
        ("FormatTree", 40),
        ("ParseTree", 250),
    ];
    let module: ModuleVersion = "example.com/a@v1.0.0".parse().unwrap();
    replay("sumdb_texts.jsonl", &least, |vector| {
        let arguments = &vector.arguments;
        match vector.f.as_str() {
            "FormatRecord" => {
                // What we write comes from a Record, so compare through reading: a text is a record's if and only if
                // the reference would write it.
                let message =
                    [arguments[0].as_bytes(), b"\n", &bytes(&arguments[1]), b"\n"].concat();
                let split = split_lookup(&message).ok();
                let whole =
                    split.is_some_and(|(record, note)| record == message && note.is_empty());
                assert_eq!(whole, vector.ok, "{vector:?}");
                if vector.ok {
                    assert_eq!(message, bytes(&vector.out[0]));
                }
            }
            "ParseRecord" => {
                let message = bytes(&arguments[0]);
                let split = split_lookup(&message);
                if !vector.ok {
                    assert!(split.is_err(), "{vector:?}");
                    assert!(Record::parse(&message, &module).is_err(), "{vector:?}");
                    return;
                }
                let [id, body, rest] = vector.out.as_slice() else {
                    panic!("{vector:?}");
                };
                let record = [id.as_bytes(), b"\n", &bytes(body), b"\n"].concat();
                match split {
                    Ok(found) => assert_eq!(found, (&*record, &*bytes(rest)), "{vector:?}"),
                    // The reference also takes leading zeros, signs, and so negative numbers.
                    Err(error) => {
                        assert_eq!(error, RecordError::Id, "{vector:?}");
                        assert!(
                            id.starts_with('-') || !message.starts_with(&record),
                            "{vector:?}"
                        );
                    }
                }
            }
            "FormatTree" => {
                let (size, hash) = (arguments[0].parse().unwrap(), arguments[1].parse().unwrap());
                let encoded = TreeHead { size, hash }.encode();
                assert_eq!(encoded.into_bytes(), bytes(&vector.out[0]));
            }
            "ParseTree" => {
                let found = text(&arguments[0]).and_then(|text| TreeHead::parse(&text).ok());
                // The reference also takes Base64 with loose ends, and further lines, as SignedHead::open does.
                let want = vector.ok.then(|| -> Option<TreeHead> {
                    let (size, hash) = (
                        vector.out[0].parse().unwrap(),
                        vector.out[1].parse().unwrap(),
                    );
                    let head = TreeHead { size, hash };
                    let same = head.encode().into_bytes() == bytes(&arguments[0]);
                    (same && size <= MAX_TREE_SIZE).then_some(head)
                });
                assert_eq!(found, want.flatten(), "{vector:?}");
            }
            _ => {}
        }
    });
}

/// Gives one byte for ever, as the program that made the vectors did.
struct Seed(u8);

impl rand_core::RngCore for Seed {
    fn next_u32(&mut self) -> u32 {
        u32::from_ne_bytes([self.0; 4])
    }
    fn next_u64(&mut self) -> u64 {
        u64::from_ne_bytes([self.0; 8])
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl rand_core::CryptoRng for Seed {}

/// Whether a key's name is one that we do not take although the reference does.
fn is_odd_name(name: &str) -> bool {
    name.len() > note::MAX_KEY_NAME || name.chars().any(|c| c < ' ')
}

fn check_key(vector: &Vector) {
    let key = text(&vector.arguments[0]);
    let found: Option<Result<_, KeyError>> = key.as_deref().map(|key| match vector.f.as_str() {
        "NewVerifier" => key
            .parse()
            .map(|key: VerifierKey| (key.name().to_owned(), key.id())),
        _ => key.parse().map(|key: SigningKey| {
            assert_eq!(
                key.to_secret_text().parse::<SigningKey>().unwrap().name(),
                key.name()
            );
            (key.name().to_owned(), key.verifier().id())
        }),
    });
    let Some(Ok((name, id))) = found else {
        if vector.ok {
            let key = key.unwrap();
            let before = if vector.f == "NewVerifier" { 2 } else { 4 };
            let encoded = key.splitn(before + 1, '+').last().unwrap();
            let canonical = BASE64_STANDARD.decode(encoded).is_ok();
            let weak = found == Some(Err(KeyError::Weak));
            let odd = is_odd_name(&text(&vector.out[0]).unwrap());
            assert!(
                !canonical || weak || odd,
                "refused without a reason: {vector:?}"
            );
        }
        return;
    };
    assert!(vector.ok, "accepted: {vector:?}");
    assert_eq!(
        [Some(name), Some(format!("{id:08x}"))],
        [text(&vector.out[0]), text(&vector.out[1])]
    );
}

fn check_open(vector: &Vector) {
    let message = bytes(&vector.arguments[0]);
    let keys = vector.arguments[1..]
        .iter()
        .map(|key| text(key).unwrap().parse().unwrap());
    let keys: Vec<VerifierKey> = keys.collect();
    let found = note::open(&message, &keys);
    if vector.ok {
        match found {
            Ok(opened) => {
                let mut answer = vec![opened.text.to_owned()];
                answer.extend(opened.signers.iter().map(ToString::to_string));
                let want: Vec<String> = vector.out.iter().map(|out| text(out).unwrap()).collect();
                assert_eq!(answer, want, "{vector:?}");
            }
            Err(error) => {
                // The reference takes Base64 with loose ends.
                assert_eq!(error, NoteError::Malformed, "{vector:?}");
                let message = String::from_utf8(message).unwrap();
                let (_, lines) = message.rsplit_once("\n\n").unwrap();
                let strict = lines.lines().all(|line| {
                    BASE64_STANDARD
                        .decode(line.rsplit(' ').next().unwrap())
                        .is_ok()
                });
                assert!(!strict, "refused without a reason: {vector:?}");
            }
        }
        return;
    }
    match (vector.out[0].as_str(), found) {
        ("malformed note", found) => assert_eq!(found, Err(NoteError::Malformed), "{vector:?}"),
        ("untrusted", Err(NoteError::Untrusted(_))) => {}
        ("bad signature", Err(NoteError::BadSignature { .. })) => {}
        // The reference verifies line by line, and we parse all lines first.
        ("bad signature" | "untrusted", Err(NoteError::Malformed)) => {}
        // The same key twice is one key to us.
        ("ambiguous", Ok(_)) => assert_eq!(keys[0], keys[1]),
        (want, found) => panic!("want {want}, found {found:?}: {vector:?}"),
    }
}

#[test]
fn notes_and_keys_are_the_references() {
    let least = [
        ("GenerateKey", 14),
        ("NewVerifier", 200),
        ("NewSigner", 180),
        ("Open", 250),
        ("Sign", 8),
    ];
    replay("sumdb_notes.jsonl", &least, |vector| {
        match vector.f.as_str() {
            "GenerateKey" => {
                let (seed, name) = (
                    vector.arguments[0].parse().unwrap(),
                    text(&vector.arguments[1]).unwrap(),
                );
                match SigningKey::generate(&name, &mut Seed(seed)) {
                    Ok(key) => {
                        assert_eq!(key.to_secret_text(), text(&vector.out[0]).unwrap());
                        assert_eq!(key.verifier().to_string(), text(&vector.out[1]).unwrap());
                    }
                    // The reference makes keys of names that it then refuses to read.
                    Err(error) => {
                        assert_eq!(error, KeyError::Name);
                        assert!(
                            text(&vector.out[1])
                                .unwrap()
                                .parse::<VerifierKey>()
                                .is_err()
                        );
                    }
                }
            }
            "NewVerifier" | "NewSigner" => check_key(vector),
            "Open" => check_open(vector),
            "Sign" => {
                let keys = vector.arguments[1..]
                    .iter()
                    .map(|key| text(key).unwrap().parse().unwrap());
                let keys: Vec<SigningKey> = keys.collect();
                let all: Vec<&SigningKey> = keys.iter().collect();
                let signed = bytes(&vector.out[0]);
                assert_eq!(note::sign(&vector.arguments[0], &all).unwrap(), signed);
                // One after the other gives the same.
                let mut one_by_one = note::sign(&vector.arguments[0], &all[..1]).unwrap();
                for key in &all[1..] {
                    one_by_one = note::add_signature(&one_by_one, key).unwrap();
                }
                assert_eq!(one_by_one, signed);
            }
            _ => {}
        }
    });
}

/// The tiles that the go command read for one lookup.
struct Read(BTreeMap<Tile, Vec<u8>>);

impl TileSource for Read {
    type Error = Infallible;

    fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.0.get(tile).cloned())
    }
}

/// A real lookup: the public database's answer for golang.org/x/mod and the tiles that the go command read to
/// check it, which are the closure of that record and no others.
#[test]
fn a_lookup_of_the_public_database_is_proven() {
    let mut tiles = BTreeMap::new();
    let mut answer = Vec::new();
    let mut module = String::new();
    replay(
        "sumdb_golang_org.jsonl",
        &[("Lookup", 1), ("Tile", 5)],
        |vector| {
            if vector.f == "Lookup" {
                module = vector.arguments.join("@");
                answer = bytes(&vector.out[0]);
            } else {
                let tile: Tile = vector.arguments[0].parse().unwrap();
                tiles.insert(tile, BASE64_STANDARD.decode(&vector.out[0]).unwrap());
            }
        },
    );
    let key: VerifierKey = SUM_GOLANG_ORG.parse().unwrap();
    let (record, note) = split_lookup(&answer).unwrap();
    let signed = SignedHead::open(note, &key).unwrap();
    assert_eq!(signed.note(), note);
    let head = signed.head();
    let record = Record::parse(record, &module.parse().unwrap()).unwrap();

    let needed = closure(head.size, [record.id()], &[]);
    assert_eq!(needed, tiles.keys().copied().collect());
    let mut proofs = Authenticator::new(head, Read(tiles)).unwrap();
    proofs.record(record.id(), &record.hash()).unwrap();
    proofs.older(head).unwrap();
    assert_eq!(proofs.proven().tiles, needed.len() as u64);

    let error = proofs.record(record.id() - 1, &record.hash()).unwrap_err();
    assert_eq!(
        error,
        ProofError::RecordMismatch {
            id: record.id() - 1
        }
    );
    let mut changed = note.to_vec();
    changed[24] ^= 1;
    assert!(SignedHead::open(&changed, &key).is_err());
}
