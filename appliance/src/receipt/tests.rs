#![allow(clippy::unwrap_used)]

use super::*;
use crate::identity::DEFAULT_NAME;
use crate::store::{Source, Store};
use modferry_protocol::bundle::Item;
use modferry_protocol::note::SigningKey;
use modferry_protocol::receipt::ReceiptError;
use modferry_protocol::sumdb::{Hash, TreeHead};
use sha2::{Digest, Sha256};
use std::fs;
use tempfile::TempDir;

fn import(dir: &Path, stream: &str, sequence: u64, head: u64) {
    let store = Store::open_or_create(dir, "test", false).unwrap();
    let manifest = Sha256::digest(format!("{stream} {sequence}")).into();
    let mut draft = store.draft(&manifest).unwrap();
    let item = Item::Mod(format!("example.com/a@v1.{sequence}.0").parse().unwrap());
    draft.put(&item, b"module example.com/a\n").unwrap();
    let hash = Hash([head as u8; 32]);
    let note = TreeHead { size: head, hash }.encode() + "\n\u{2014} sum.example.com AAAA\n";
    let db = Item::Head("sum.example.com".parse().unwrap());
    draft.put(&db, note.as_bytes()).unwrap();
    let stream = stream.into();
    draft
        .commit(Source {
            stream,
            sequence,
            ..Source::default()
        })
        .unwrap();
}

fn filled() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (stream, sequence, head) in [
        ("platform", 1, 10),
        ("edge", 3, 5),
        ("platform", 2, 300),
        ("platform", 4, 300),
    ] {
        import(dir.path(), stream, sequence, head);
    }
    dir
}

fn receipt_of(dir: &Path, name: Option<&str>) -> Result<Signed, ReceiptFault> {
    let store = Store::open(dir, "test", false).unwrap();
    receipt(dir, &store, name)
}

#[test]
fn it_says_what_is_held_and_the_same_key_signs_every_one() {
    let dir = filled();
    let signed = receipt_of(dir.path(), None).unwrap();
    assert!(signed.new_key);
    assert_eq!(signed.key.name(), DEFAULT_NAME);
    let public = fs::read_to_string(dir.path().join("identity.pub")).unwrap();
    assert_eq!(public, format!("{}\n", signed.key));
    let key: VerifierKey = public.trim_end().parse().unwrap();
    let opened = Receipt::open(&signed.note, std::slice::from_ref(&key)).unwrap();
    assert_eq!(opened, signed.receipt);
    let sizes: Vec<_> = opened.heads.iter().map(|(_, head)| head.size).collect();
    assert_eq!(
        (sizes, opened.ledger.size, opened.totals.mods),
        (vec![5, 10, 300], 4, 4)
    );
    let streams: Vec<_> = (opened.streams.iter())
        .map(|stream| format!("{} {} {}", stream.name, stream.sequence, stream.bundles))
        .collect();
    assert_eq!(streams, ["edge 3 3", "platform 4 1-2,4"]);
    let newest: [u8; 32] = Sha256::digest("platform 4").into();
    assert_eq!(opened.streams[1].manifest_sha256, newest);

    import(dir.path(), "platform", 3, 300);
    let again = receipt_of(dir.path(), Some(DEFAULT_NAME)).unwrap();
    assert!(!again.new_key);
    let later = Receipt::open(&again.note, &[key]).unwrap();
    assert_eq!(later.streams[1].bundles.to_string(), "1-4");
    assert_eq!(later.ledger.size, 5);
    assert_ne!(later.ledger.hash, opened.ledger.hash);
    let stranger = SigningKey::generate(DEFAULT_NAME, &mut rand_core::OsRng).unwrap();
    assert!(matches!(
        Receipt::open(&again.note, &[stranger.verifier()]),
        Err(ReceiptError::Note(NoteError::Untrusted(_)))
    ));
}
