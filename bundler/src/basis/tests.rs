#![allow(clippy::unwrap_used)]
use super::testing::{Stream, db};
use super::*;
use modferry_protocol::bundle::{Sequence, StreamName};
use modferry_protocol::note::{SigningKey, sign};
use modferry_protocol::receipt::{ReceiptStream, ReceiptTotals};
use modferry_protocol::sumdb::Hash;
use std::path::PathBuf;

/// A stream of five bundles, each on all before it.
fn stream() -> Stream {
    let stream = Stream::new();
    for name in ["a", "b", "c", "d", "e"] {
        stream.next(&[&format!("whole {name}")], &[]);
    }
    stream
}

fn key(name: &str) -> SigningKey {
    SigningKey::generate(name, &mut rand_core::OsRng).unwrap()
}

/// A receipt for these bundles, and its key's file.
struct Receipts {
    key: SigningKey,
    dir: tempfile::TempDir,
}

impl Receipts {
    fn new() -> Receipts {
        Receipts {
            key: key("receipt"),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    fn key_file(&self) -> PathBuf {
        let path = self.dir.path().join("identity.pub");
        std::fs::write(&path, format!("{}\n", self.key.verifier())).unwrap();
        path
    }

    fn receipt(&self, stream: &Stream, bundles: &str, ledger: u64) -> Receipt {
        let bundles: Sequences = bundles.parse().unwrap();
        let of = |sequence| {
            let exported = stream.exported();
            let own = exported.iter().find(|b| b.sequence() == sequence);
            ReceiptStream {
                name: stream.state.stream().clone(),
                sequence,
                manifest_sha256: own.map_or([9; 32], |own| own.manifest.sha256()),
                bundles: bundles.clone(),
            }
        };
        Receipt {
            created: "2026-11-22T10:00:00Z".into(),
            ledger: TreeHead {
                size: ledger,
                hash: Hash([ledger as u8; 32]),
            },
            totals: ReceiptTotals::default(),
            heads: vec![(
                db(),
                TreeHead {
                    size: 777,
                    hash: Hash([7; 32]),
                },
            )],
            streams: bundles.last().map(of).into_iter().collect(),
        }
    }

    fn file(&self, receipt: &Receipt) -> PathBuf {
        let path = self
            .dir
            .path()
            .join(format!("{}.receipt", receipt.ledger.size));
        std::fs::write(&path, sign(&receipt.encode(), &[&self.key]).unwrap()).unwrap();
        path
    }
}

fn chosen(stream: &Stream, config: &Config) -> Result<Basis, String> {
    choose(config, &stream.state, &stream.exported(), true).map_err(|error| error.to_string())
}

fn by_hand_of(stream: &Stream, basis: &str) -> Result<Basis, String> {
    let config = Config {
        basis: Some(basis.into()),
        ..Config::default()
    };
    chosen(stream, &config)
}

fn on(basis: &Basis) -> (String, Chosen) {
    (basis.built_on.bundles.to_string(), basis.built_on.chosen)
}

#[test]
fn without_a_word_all_bundles_so_far_have_arrived() {
    let empty = Stream::new();
    let basis = chosen(&empty, &Config::default()).unwrap();
    assert_eq!(on(&basis), ("none".into(), Chosen::Exported));
    assert_eq!(basis.named(&[]), Named::None);
    assert_eq!(basis.tree_size(&[], &db()), 0);

    let stream = stream();
    let exported = stream.exported();
    let basis = chosen(&stream, &Config::default()).unwrap();
    assert_eq!(on(&basis), ("1-5".into(), Chosen::Exported));
    assert!(basis.words.contains("bundles 1-5"), "{}", basis.words);
    let newest = Named::Bundle {
        sequence: Sequence::new(5).unwrap(),
        manifest_sha256: exported[4].manifest.sha256(),
    };
    assert_eq!(basis.named(&exported), newest);
    assert_eq!(basis.tree_size(&exported, &db()), 500);
}

#[test]
fn a_person_names_nothing_a_number_or_a_manifest() {
    let stream = stream();
    for (named, bundles) in [("none", "none"), ("1", "1"), ("3", "1-3"), ("5", "1-5")] {
        let basis = by_hand_of(&stream, named).unwrap();
        assert_eq!(on(&basis), (bundles.into(), Chosen::Hand), "{named}");
    }
    let manifest = stream.file(4, "manifest");
    let basis = by_hand_of(&stream, manifest.to_str().unwrap()).unwrap();
    assert_eq!(on(&basis), ("1-4".into(), Chosen::Hand));
    for (named, words) in [
        (
            "6",
            "does not know bundle 6 of stream platform: of platform it knows bundles 1-5",
        ),
        ("0", "no such file"),
        ("nothing", "no such file"),
    ] {
        let error = by_hand_of(&stream, named).unwrap_err();
        assert!(error.contains(words), "{named}: {error}");
    }
    let other = stream.dir.path().join("other");
    for (from, to, words) in [
        (
            "stream platform",
            "stream laptops",
            "is of stream laptops, and this export is of stream platform",
        ),
        ("sequence 4", "sequence 7", "does not know bundle 7"),
        (
            "2026-11-21",
            "2026-11-22",
            "is another bundle 4 of stream platform",
        ),
        (
            "modferry",
            "something",
            "is neither a manifest nor a receipt",
        ),
    ] {
        let text = std::fs::read_to_string(&manifest).unwrap();
        std::fs::write(&other, text.replacen(from, to, 1)).unwrap();
        let error = by_hand_of(&stream, other.to_str().unwrap()).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_bundles_own_basis_counts_for_those_after_it() {
    let stream = stream();
    stream.bundle(&["whole f"], &[], Chosen::Hand, "none");
    let basis = chosen(&stream, &Config::default()).unwrap();
    assert_eq!(on(&basis), ("6".into(), Chosen::Exported));
    stream.bundle(&["whole g"], &[], Chosen::Exported, "6");
    assert_eq!(on(&by_hand_of(&stream, "7").unwrap()).0, "6-7");
    assert_eq!(on(&by_hand_of(&stream, "5").unwrap()).0, "1-5");
    // Bundles from before there was a choice were whole.
    std::fs::remove_file(stream.file(3, "basis")).unwrap();
    assert_eq!(on(&by_hand_of(&stream, "3").unwrap()).0, "3");
}

#[test]
fn a_lost_bundle_is_made_up_for_from_those_before_it() {
    let stream = stream();
    let from = |n| {
        let config = Config {
            cumulative_from: Sequence::new(n),
            ..Config::default()
        };
        chosen(&stream, &config)
    };
    let basis = from(4).unwrap();
    assert_eq!(on(&basis), ("1-3".into(), Chosen::Hand));
    assert_eq!(basis.again_from, Sequence::new(4));
    assert_eq!(on(&from(1).unwrap()).0, "none");
    assert!(from(6).unwrap_err().contains("does not know bundle 6"));
    // The next goes on from there, without the lost one.
    stream.bundle(&["whole d", "whole e"], &[], Chosen::Hand, "1-3");
    let basis = chosen(&stream, &Config::default()).unwrap();
    assert_eq!(on(&basis).0, "1-3,6");
}

#[test]
fn a_receipt_counts_until_the_next() {
    let (stream, receipts) = (stream(), Receipts::new());
    let receipt = receipts.receipt(&stream, "1-2,4", 3);
    let mut config = Config {
        receipt: Some(receipts.file(&receipt)),
        ..Config::default()
    };
    let error = chosen(&stream, &config).unwrap_err();
    assert!(
        error.contains("the key of the appliance that made it is not known"),
        "{error}"
    );
    config.receipt_key = Some(receipts.key_file());
    let basis = chosen(&stream, &config).unwrap();
    assert_eq!(on(&basis), ("1-2,4".into(), Chosen::Receipt));
    assert_eq!(basis.heads, receipt.heads);
    assert_eq!(basis.tree_size(&stream.exported(), &db()), 777);
    // Bundle 3 is known to be lost; of 5 it cannot tell.
    assert!(
        basis.notes[0].contains("since (bundle 5)"),
        "{:?}",
        basis.notes
    );
    // From now on by itself, and without the key.
    let basis = chosen(&stream, &Config::default()).unwrap();
    assert_eq!(on(&basis), ("1-2,4".into(), Chosen::Receipt));
    stream.bundle(&["whole f"], &[], Chosen::Receipt, "1-2,4");
    let basis = chosen(&stream, &Config::default()).unwrap();
    assert_eq!(on(&basis).0, "1-2,4");
    assert!(basis.notes[0].contains("bundles 5-6") && basis.notes[0].contains("--basis 6"));
    let newer = receipts.receipt(&stream, "1-2,4-6", 5);
    config.receipt = Some(receipts.file(&newer));
    config.receipt_key = None;
    assert_eq!(on(&chosen(&stream, &config).unwrap()).0, "1-2,4-6");
    // The one before it is old now, and one of as many entries is another history.
    config.receipt = Some(receipts.file(&receipt));
    let error = chosen(&stream, &config).unwrap_err();
    assert!(
        error.contains("its ledger has 3 entries, that one's has 5"),
        "{error}"
    );
    let mut rewritten = newer.clone();
    rewritten.ledger.hash = Hash([0; 32]);
    config.receipt = Some(receipts.file(&rewritten));
    let error = chosen(&stream, &config).unwrap_err();
    assert!(error.contains("history was rewritten"), "{error}");
    assert_eq!(
        on(&chosen(&stream, &Config::default()).unwrap()).0,
        "1-2,4-6"
    );
    // A plan keeps none.
    let newest = receipts.receipt(&stream, "1-6", 6);
    config.receipt = Some(receipts.file(&newest));
    let planned = choose(&config, &stream.state, &stream.exported(), false).unwrap();
    assert_eq!(on(&planned).0, "1-6");
    assert_eq!(
        on(&chosen(&stream, &Config::default()).unwrap()).0,
        "1-2,4-6"
    );
}

#[test]
fn a_receipt_that_is_not_this_destinations_or_this_streams_is_refused() {
    let (stream, receipts) = (stream(), Receipts::new());
    let config = |receipt: &Receipt| Config {
        receipt: Some(receipts.file(receipt)),
        receipt_key: Some(receipts.key_file()),
        ..Config::default()
    };
    let good = receipts.receipt(&stream, "1-3", 3);
    let mut other = good.clone();
    other.streams[0].manifest_sha256 = [9; 32];
    let error = chosen(&stream, &config(&other)).unwrap_err();
    assert!(
        error.contains("bundle 3 of platform that it says was imported is another one"),
        "{error}"
    );
    let unknown = receipts.receipt(&stream, "1-9", 3);
    let error = chosen(&stream, &config(&unknown)).unwrap_err();
    assert!(
        error.contains("bundle 9 of platform was imported, which this state does not know"),
        "{error}"
    );
    // Signed by somebody else.
    let forged = Config {
        receipt_key: Some(Receipts::new().key_file()),
        ..config(&good)
    };
    assert!(
        chosen(&stream, &forged)
            .unwrap_err()
            .contains("cannot read the key")
    );
    let stranger = Receipts::new();
    let forged = Config {
        receipt_key: Some(stranger.key_file()),
        ..config(&good)
    };
    assert!(
        chosen(&stream, &forged)
            .unwrap_err()
            .contains("no receipt of this destination")
    );
    // None of them was kept.
    assert_eq!(
        on(&chosen(&stream, &Config::default()).unwrap()).1,
        Chosen::Exported
    );
    // Of other streams only: nothing of this one has arrived.
    let mut elsewhere = good.clone();
    elsewhere.streams[0].name = StreamName::new("laptops").unwrap();
    let basis = chosen(&stream, &config(&elsewhere)).unwrap();
    assert_eq!(on(&basis), ("none".into(), Chosen::Receipt));
    assert_eq!(basis.heads, good.heads);
}

#[test]
fn what_a_person_says_is_newer_than_the_receipt_before_it() {
    let (stream, receipts) = (stream(), Receipts::new());
    let old = receipts.receipt(&stream, "1-5", 5);
    let with = |receipt: &Receipt| Config {
        receipt: Some(receipts.file(receipt)),
        receipt_key: Some(receipts.key_file()),
        ..Config::default()
    };
    chosen(&stream, &with(&old)).unwrap();
    // The store burned down: bundle 6 is for a new one.
    stream.bundle(&["whole a"], &[], Chosen::Hand, "none");
    let basis = chosen(&stream, &Config::default()).unwrap();
    assert_eq!(on(&basis), ("6".into(), Chosen::Exported));
    assert!(
        basis.notes[0].contains("from before bundle 6"),
        "{:?}",
        basis.notes
    );
    // The new store's receipt has a small ledger, and counts.
    let new = receipts.receipt(&stream, "6", 1);
    assert_eq!(on(&chosen(&stream, &with(&new)).unwrap()).0, "6");
    assert_eq!(
        on(&chosen(&stream, &Config::default()).unwrap()),
        ("6".into(), Chosen::Receipt)
    );
    // Named by hand a receipt counts as it is, and is not kept.
    let basis = by_hand_of(&stream, receipts.file(&old).to_str().unwrap()).unwrap();
    assert_eq!(
        (on(&basis), basis.heads),
        (("1-5".into(), Chosen::Hand), old.heads)
    );
    assert_eq!(on(&chosen(&stream, &Config::default()).unwrap()).0, "6");
}

#[test]
fn a_new_appliance_has_a_ledger_of_its_own() {
    let (stream, first, second) = (stream(), Receipts::new(), Receipts::new());
    for (receipts, ledger, bundles) in [(&first, 9, "1-5"), (&second, 2, "3-5")] {
        let config = Config {
            receipt: Some(receipts.file(&receipts.receipt(&stream, bundles, ledger))),
            receipt_key: Some(receipts.key_file()),
            ..Config::default()
        };
        assert_eq!(on(&chosen(&stream, &config).unwrap()).0, bundles);
        assert_eq!(on(&chosen(&stream, &Config::default()).unwrap()).0, bundles);
    }
    // The old one's key is known no more.
    let config = Config {
        receipt: Some(first.file(&first.receipt(&stream, "1-5", 10))),
        ..Config::default()
    };
    assert!(
        chosen(&stream, &config)
            .unwrap_err()
            .contains("no receipt of this destination")
    );
}
