//! Which trust notes a keyring accepts, and what they make of it.

#![allow(clippy::unwrap_used)]

use modferry_protocol::note::{self, SigningKey, VerifierKey};
use modferry_protocol::trust::{
    AppliedNote, Judged, Keyring, MAX_TRUST_NOTE, NoteRefused, Thresholds, TrustNote,
};
use proptest::prelude::*;

use super::common::*;

fn named(name: &str, seed: u8) -> SigningKey {
    SigningKey::generate(name, &mut Fixed(seed)).unwrap()
}

/// The keys a to e: one letter, one seed.
fn letter(letter: char) -> SigningKey {
    named(&letter.to_string(), letter as u8 - b'a' + 1)
}

fn verifiers(letters: &str) -> Vec<VerifierKey> {
    let mut keys: Vec<_> = letters.chars().map(|l| letter(l).verifier()).collect();
    keys.sort_by_key(ToString::to_string);
    keys
}

fn keyring(letters: &str, thresholds: impl Into<Thresholds>) -> Keyring {
    Keyring {
        keys: verifiers(letters),
        revoked: Vec::new(),
        thresholds: thresholds.into(),
        applied: Vec::new(),
    }
}

fn change(ring: &Keyring, add: &str, revoke: &str) -> TrustNote {
    TrustNote {
        number: ring.next(),
        after: ring.last().map(|last| last.sha256),
        created: "2026-11-21T09:00:00Z".into(),
        add: verifiers(add),
        revoke: verifiers(revoke),
        require: None,
        streams: Vec::new(),
    }
}

fn signed(note: &TrustNote, letters: &str) -> Vec<u8> {
    let keys: Vec<_> = letters.chars().map(letter).collect();
    let text = note.encode();
    assert_eq!(TrustNote::parse(&text).as_ref(), Ok(note));
    note::sign(&text, &keys.iter().collect::<Vec<_>>()).unwrap()
}

fn accepted(ring: &Keyring, signed: &[u8]) -> TrustNote {
    match ring.judge(signed) {
        Ok(Judged::Next(note)) => note.note().clone(),
        other => panic!("{other:?}"),
    }
}

fn refused(ring: &Keyring, signed: &[u8]) -> NoteRefused {
    match ring.judge(signed) {
        Err(refused) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_of_three_replace_the_third() {
    let mut ring = keyring("abc", 2);
    let note = change(&ring, "d", "c");
    let bytes = signed(&note, "ab");
    let Ok(Judged::Next(next)) = ring.judge(&bytes) else {
        panic!("{:?}", ring.judge(&bytes));
    };
    let signers: Vec<_> = next.signers().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(signers, ["a", "b"]);
    ring.apply(&note);
    assert_eq!(ring.keys, verifiers("abd"));
    assert_eq!(ring.revoked, verifiers("c"));
    assert_eq!(
        ring.last(),
        Some(AppliedNote {
            number: 1,
            sha256: note.sha256()
        })
    );
    // Once more, the same note is nothing new, whoever signed this copy.
    assert_eq!(ring.judge(&bytes), Ok(Judged::Applied(1)));
    assert_eq!(ring.judge(&signed(&note, "c")), Ok(Judged::Applied(1)));
    let before = ring.clone();
    ring.apply(&note);
    assert_eq!(ring, before);

    let second = change(&ring, "e", "");
    assert_eq!(second.number, 2);
    // The revoked key counts no more.
    let error = refused(&ring, &signed(&second, "ac"));
    assert!(matches!(&error, NoteRefused::TooFew { want: 2, signers } if signers.len() == 1));
    assert_eq!(accepted(&ring, &signed(&second, "ad")), second);
}

#[test]
fn too_few_signatures_are_not_enough_however_they_are_made_up() {
    let ring = keyring("abc", 2);
    let note = change(&ring, "d", "");
    for signers in ["a", "ad", "d", "de"] {
        let error = refused(&ring, &signed(&note, signers));
        assert!(
            matches!(error, NoteRefused::TooFew { want: 2, .. }),
            "{signers}: {error}"
        );
    }
    // The same key twice.
    let once = signed(&note, "a");
    let line = String::from_utf8(once.clone()).unwrap();
    let line = line.lines().last().unwrap();
    let twice = [once, format!("{line}\n").into_bytes()].concat();
    assert!(ring.judge(&twice).is_err());
    // The strictest stream decides: a change of the keys is one for every stream.
    let stream = "platform".parse().unwrap();
    let strict = keyring("abc", Thresholds::new(1, [(stream, 3)].into()));
    let error = refused(&strict, &signed(&note, "ab"));
    assert!(
        matches!(error, NoteRefused::TooFew { want: 3, .. }),
        "{error}"
    );
    assert_eq!(accepted(&strict, &signed(&note, "abc")), note);
}

#[test]
fn a_false_signature_is_told_from_a_missing_one() {
    let ring = keyring("ab", 1);
    let good = signed(&change(&ring, "d", ""), "ab");
    let at = good.len() - 10;
    let mut bad = good.clone();
    bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
    assert!(matches!(refused(&ring, &bad), NoteRefused::False(_)));
    // Another text under the same signatures.
    let text = String::from_utf8(good).unwrap();
    let altered = text.replace("number 1", "number 2");
    assert!(matches!(
        refused(&ring, altered.as_bytes()),
        NoteRefused::False(_)
    ));
    for bytes in [&b""[..], b"hello", b"\n\n", b"modferry trust v1\n\n"] {
        assert_eq!(refused(&ring, bytes), NoteRefused::NotSigned);
    }
}

#[test]
fn a_note_has_one_place_in_the_row() {
    let mut ring = keyring("abc", 2);
    let first = change(&ring, "d", "");
    let other_first = change(&ring, "e", "");
    ring.apply(&first);
    let second = change(&ring, "", "a");
    // A second note of a number that was applied.
    assert_eq!(
        refused(&ring, &signed(&other_first, "bc")),
        NoteRefused::Fork { number: 1 }
    );
    // The next number, after another first.
    let mut elsewhere = second.clone();
    elsewhere.after = Some(other_first.sha256());
    assert_eq!(
        refused(&ring, &signed(&elsewhere, "bc")),
        NoteRefused::Elsewhere { number: 2 }
    );
    let mut third = second.clone();
    third.number = 3;
    assert_eq!(
        refused(&ring, &signed(&third, "bc")),
        NoteRefused::Gap { number: 3, next: 2 }
    );
    assert_eq!(accepted(&ring, &signed(&second, "bc")), second);
    // A row that began elsewhere, with keys that were set by hand.
    ring.applied[0].number = 5;
    assert_eq!(
        refused(&ring, &signed(&second, "bc")),
        NoteRefused::Older {
            number: 2,
            first: 5
        }
    );
    assert_eq!(ring.next(), 6);
}

#[test]
fn what_was_revoked_stays_revoked() {
    let mut ring = keyring("abc", 1);
    ring.apply(&change(&ring, "", "c"));
    let again = change(&ring, "c", "");
    assert_eq!(
        refused(&ring, &signed(&again, "a")),
        NoteRefused::Revoked(letter('c').verifier().short_name())
    );
    // Nor under another name.
    let mut renamed = change(&ring, "d", "");
    renamed.add = vec![named("z", 3).verifier()];
    assert!(matches!(
        refused(&ring, &signed(&renamed, "a")),
        NoteRefused::Revoked(_)
    ));
    // And a trusted key gets no second name.
    renamed.add = vec![named("z", 1).verifier()];
    assert!(matches!(
        refused(&ring, &signed(&renamed, "a")),
        NoteRefused::OtherName { .. }
    ));
    // Revoked under whatever name it is called there.
    let mut note = change(&ring, "", "");
    note.revoke = vec![named("z", 1).verifier()];
    ring.apply(&note);
    assert_eq!(ring.keys, verifiers("b"));
}

#[test]
fn a_threshold_is_only_ever_raised() {
    let prod: modferry_protocol::bundle::StreamName = "prod".parse().unwrap();
    let test: modferry_protocol::bundle::StreamName = "test".parse().unwrap();
    let own = [(prod.clone(), 3), (test.clone(), 1)];
    let mut ring = keyring("abcd", Thresholds::new(2, own.into()));
    let mut note = change(&ring, "", "");
    note.require = Some(1);
    note.streams = vec![(prod.clone(), 1), (test.clone(), 1)];
    let before = ring.thresholds.clone();
    ring.apply(&accepted(&ring, &signed(&note, "abc")));
    assert_eq!(ring.thresholds, before, "lower numbers change nothing");

    let mut note = change(&ring, "", "");
    note.require = Some(2);
    note.streams = vec![("new".parse().unwrap(), 4)];
    ring.apply(&accepted(&ring, &signed(&note, "abc")));
    assert_eq!(ring.thresholds.of(&prod), 3);
    assert_eq!(ring.thresholds.of(&test), 2, "every stream at least 2");
    assert_eq!(ring.thresholds.of(&"new".parse().unwrap()), 4);
    assert_eq!(ring.thresholds.default(), 2);
    // Now four must sign.
    let note = change(&ring, "e", "");
    assert!(matches!(
        refused(&ring, &signed(&note, "abc")),
        NoteRefused::TooFew { want: 4, .. }
    ));
}

#[test]
fn nobody_is_locked_out() {
    let ring = keyring("abc", 2);
    let note = change(&ring, "", "bc");
    assert_eq!(
        refused(&ring, &signed(&note, "abc")),
        NoteRefused::TooFewKeys {
            keys: 1,
            required: 2
        }
    );
    let mut note = change(&ring, "", "");
    note.require = Some(4);
    assert_eq!(
        refused(&ring, &signed(&note, "ab")),
        NoteRefused::TooFewKeys {
            keys: 3,
            required: 4
        }
    );
    note.add = verifiers("d");
    accepted(&ring, &signed(&note, "ab"));
}

#[test]
fn a_note_has_a_limit_on_its_bytes() {
    let ring = keyring("a", 1);
    let note = signed(&change(&ring, "b", ""), "a");
    // Signature lines by unknown keys are passed over, and count.
    let unknown = note::add_signature(&note, &named(&"x".repeat(200), 9)).unwrap();
    assert!(ring.judge(&unknown).is_ok());
    let long = vec![b'x'; MAX_TRUST_NOTE as usize];
    assert_eq!(refused(&ring, &long), NoteRefused::NotSigned);
    let longer = vec![b'x'; MAX_TRUST_NOTE as usize + 1];
    assert_eq!(
        refused(&ring, &longer),
        NoteRefused::TooLong(MAX_TRUST_NOTE as usize + 1)
    );
}

#[test]
fn nothing_of_a_note_is_read_before_its_signatures_count() {
    let ring = keyring("ab", 2);
    let nonsense = "modferry trust v1\nnonsense\n";
    let by = |letters: &str| {
        let keys: Vec<_> = letters.chars().map(letter).collect();
        note::sign(nonsense, &keys.iter().collect::<Vec<_>>()).unwrap()
    };
    assert!(matches!(
        refused(&ring, &by("a")),
        NoteRefused::TooFew { .. }
    ));
    assert!(matches!(refused(&ring, &by("ab")), NoteRefused::Text(_)));
}

/// A note of any content, well-formed or nearly so.
fn any_change() -> impl Strategy<Value = (String, String, Option<usize>, Vec<usize>, String)> {
    (
        "[a-h]{0,2}",
        "[a-h]{0,2}",
        prop::option::of(1..5usize),
        prop::collection::vec(1..5usize, 0..2),
        "[a-h]{1,4}",
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever notes come, in whatever order: no threshold falls, no revoked key returns, nobody is locked out, and
    /// a note that was half applied comes out the same when it is applied again.
    #[test]
    fn no_row_of_notes_weakens_a_keyring(changes in prop::collection::vec(any_change(), 1..12)) {
        let mut ring = keyring("abcd", 2);
        for (add, revoke, require, streams, signers) in changes {
            let mut note = change(&ring, "", "");
            note.add = distinct(&add);
            note.revoke = distinct(&revoke);
            note.require = require;
            note.streams = streams.iter().enumerate()
                .map(|(n, number)| (format!("s{n}").parse().unwrap(), *number)).collect();
            let signers: Vec<SigningKey> = signers.chars().map(letter).collect();
            let Ok(bytes) = note::sign(&note.encode(), &signers.iter().collect::<Vec<_>>()) else { continue };
            let Ok(Judged::Next(next)) = ring.judge(&bytes) else { continue };
            prop_assert_eq!(next.note(), &note);
            prop_assert!(next.signers().len() >= ring.thresholds.largest());
            let before = ring.clone();
            ring.apply(&note);
            prop_assert!(ring.keys.len() >= ring.thresholds.largest());
            for stream in ["s0", "s1", "other"] {
                let stream = stream.parse().unwrap();
                prop_assert!(ring.thresholds.of(&stream) >= before.thresholds.of(&stream));
            }
            for key in &before.revoked {
                prop_assert!(ring.is_revoked(key) && !ring.keys.contains(key));
            }
            // Half of it was on disk: the keys, but not the thresholds; the revocation, but not the addition.
            for keep in 0..4 {
                let mut half = before.clone();
                if keep & 1 != 0 { half.keys = ring.keys.clone(); half.revoked = ring.revoked.clone(); }
                if keep & 2 != 0 { half.thresholds = ring.thresholds.clone(); }
                half.apply(&note);
                prop_assert_eq!(&half, &ring);
            }
        }
    }

    /// What parses encodes to the same bytes, and no text makes the parser do anything but answer.
    #[test]
    fn what_parses_encodes_to_the_same_bytes(
        add in "[a-h]{0,3}", revoke in "[a-h]{0,3}", require in prop::option::of(0..101usize),
        at in any::<prop::sample::Index>(), with in any::<char>()
    ) {
        let mut note = change(&keyring("a", 1), "", "");
        note.add = distinct(&add);
        note.revoke = distinct(&revoke);
        note.require = require;
        let text = note.encode();
        if let Ok(parsed) = TrustNote::parse(&text) {
            prop_assert_eq!(parsed.encode(), text.clone());
            prop_assert_eq!(parsed, note);
        }
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        chars[at] = with;
        let altered: String = chars.into_iter().collect();
        if let Ok(parsed) = TrustNote::parse(&altered) {
            prop_assert_eq!(parsed.encode(), altered);
        }
    }
}

/// The keys of these letters, each once.
fn distinct(letters: &str) -> Vec<VerifierKey> {
    let mut letters: Vec<char> = letters.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    verifiers(&letters.into_iter().collect::<String>())
}
