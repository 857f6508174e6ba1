//! A real lookup of the public database, from the signed head down to the record.

use std::collections::BTreeMap;
use std::convert::Infallible;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use modferry_protocol::note::{SUM_GOLANG_ORG, VerifierKey};
use modferry_protocol::sumdb::{
    Authenticator, ProofError, Record, SignedHead, Tile, TileSource, closure, split_lookup,
};

use super::{bytes, replay};

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
