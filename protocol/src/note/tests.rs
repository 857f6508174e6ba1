#![allow(clippy::unwrap_used)]
//! The vectors in protocol/tests have the reference's verdicts; here is what is ours: limits, and secrets kept.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use proptest::prelude::*;
use rand_core::OsRng;
use sha2::{Digest, Sha256};

use super::key::VERIFIER_FORM;
use super::*;

// Neither is a secret of anything. The two twins have the same name and hash, found by trying.
const ALICE: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TWIN: &str = "PRIVATE+KEY+twin+0fe81b63+AQAAAAAAAHA5AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const OTHER_TWIN: &str = "PRIVATE+KEY+twin+0fe81b63+AQAAAAAAAIryAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

const TEXT: &str = "a text\n";

fn key(secret: &str) -> SigningKey {
    secret.parse().unwrap()
}

fn new_key(name: &str) -> SigningKey {
    SigningKey::generate(name, &mut OsRng).unwrap()
}

#[test]
fn keys_round_trip_through_their_texts() {
    let alice = key(ALICE);
    assert_eq!(alice.to_secret_text(), ALICE);
    let public = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(alice.verifier().to_string(), public);
    assert_eq!(public.parse(), Ok(alice.verifier()));
    let golang: VerifierKey = SUM_GOLANG_ORG.parse().unwrap();
    assert_eq!(golang.to_string(), SUM_GOLANG_ORG);
    assert_eq!(
        (golang.name(), golang.id()),
        ("sum.golang.org", 0x033d_e0ae)
    );
    assert_ne!(golang, alice.verifier());
}

#[test]
fn a_fingerprint_is_what_sha256sum_says_of_the_key() {
    let golang: VerifierKey = SUM_GOLANG_ORG.parse().unwrap();
    let key = BASE64_STANDARD
        .decode(&SUM_GOLANG_ORG["sum.golang.org+033de0ae+".len()..])
        .unwrap();
    let digest = Sha256::digest(key);
    assert_eq!(golang.fingerprint(), format!("{digest:x}"));
    assert_eq!(golang.fingerprint().len(), 64);
}

#[test]
fn a_secret_is_not_shown() {
    let alice = key(ALICE);
    let shown = format!("{alice:?} {:#?}", Some(&alice));
    let secret = ALICE.rsplit_once("c74f20a3+").unwrap().1;
    assert!(shown.contains("PeterNeumann+c74f20a3"));
    assert!(!shown.contains(secret));
    let error = format!("PRIVATE+KEY+x+c74f20a3+{secret}")
        .parse::<SigningKey>()
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains(secret));
}

#[test]
fn the_length_of_a_name_has_a_limit() {
    let longest = "n".repeat(MAX_KEY_NAME);
    let key = new_key(&longest);
    assert_eq!(key.verifier().to_string().parse(), Ok(key.verifier()));
    let too_long = longest + "n";
    assert_eq!(
        SigningKey::generate(&too_long, &mut OsRng).err(),
        Some(KeyError::Name)
    );
    let (secret, public) = signed_note::generate_key(&mut OsRng, &too_long);
    assert_eq!(secret.parse::<SigningKey>().err(), Some(KeyError::Name));
    assert_eq!(public.parse::<VerifierKey>(), Err(KeyError::Name));
}

#[test]
fn names_that_a_note_could_not_carry_are_refused() {
    for name in [
        "",
        "a b",
        "a+b",
        "a\nb",
        "a\tb",
        "a\x01b",
        "a\u{a0}b",
        "a\u{2028}b",
    ] {
        let error = SigningKey::generate(name, &mut OsRng).err();
        assert_eq!(error, Some(KeyError::Name), "{name:?}");
    }
    let (secret, public) = signed_note::generate_key(&mut OsRng, "a\x01b");
    assert_eq!(secret.parse::<SigningKey>().err(), Some(KeyError::Name));
    assert_eq!(public.parse::<VerifierKey>(), Err(KeyError::Name));
}

#[test]
fn a_weak_key_and_one_that_is_no_point_are_refused() {
    let encode = |point: [u8; 32]| {
        let key = [[1].as_slice(), &point].concat();
        let id = signed_note::key_id("a", &key);
        format!("a+{id:08x}+{}", BASE64_STANDARD.encode(key))
    };
    let mut point = [0; 32];
    assert_eq!(encode(point).parse::<VerifierKey>(), Err(KeyError::Weak));
    point[0] = 1;
    assert_eq!(encode(point).parse::<VerifierKey>(), Err(KeyError::Weak));
    point[0] = 2;
    let malformed = KeyError::Malformed(VERIFIER_FORM);
    assert_eq!(encode(point).parse::<VerifierKey>(), Err(malformed));
}

#[test]
fn a_note_is_opened_by_a_key_that_signed_it_and_by_no_other() {
    let (alice, bob) = (key(ALICE), new_key("bob"));
    let note = sign(TEXT, &[&alice, &bob]).unwrap();
    let opened = open(&note, &[alice.verifier()]).unwrap();
    assert_eq!(opened.text, TEXT);
    let signers: Vec<String> = opened.signers.iter().map(ToString::to_string).collect();
    assert_eq!(signers, ["PeterNeumann+c74f20a3"]);
    let both = open(&note, &[bob.verifier(), alice.verifier(), alice.verifier()]).unwrap();
    assert_eq!(both.signers.len(), 2, "a key that is listed twice is one");
    let error = open(&note, &[new_key("bob").verifier()]).unwrap_err();
    let NoteError::Untrusted(names) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(names[0], "PeterNeumann+c74f20a3");
    assert_eq!(names.len(), 2);
    assert!(error.to_string().contains("bob+"), "{error}");
    assert!(matches!(open(&note, &[]), Err(NoteError::Untrusted(_))));
}

#[test]
fn a_bad_signature_by_a_trusted_key_is_not_outvoted() {
    let (alice, bob) = (key(ALICE), new_key("bob"));
    let good = sign(TEXT, &[&alice]).unwrap();
    let other = sign("another text\n", &[&bob]).unwrap();
    let bad = &other["another text\n\n".len()..];
    let note = [good.as_slice(), bad].concat();
    let error = open(&note, &[alice.verifier(), bob.verifier()]).unwrap_err();
    assert!(matches!(error, NoteError::BadSignature { name, .. } if name == "bob"));
    // To one who does not know bob, it is just a line.
    assert!(open(&note, &[alice.verifier()]).is_ok());
}

#[test]
fn two_keys_of_one_name_and_hash_are_ambiguous() {
    let (twin, other) = (key(TWIN), key(OTHER_TWIN));
    assert_eq!(twin.verifier().id(), other.verifier().id());
    assert_ne!(twin.verifier(), other.verifier());
    let note = sign(TEXT, &[&twin]).unwrap();
    assert!(open(&note, &[twin.verifier()]).is_ok());
    let error = open(&note, &[twin.verifier(), other.verifier()]).unwrap_err();
    assert!(matches!(error, NoteError::AmbiguousKey { .. }));
    // It matters only when that name is in the note.
    let note = sign(TEXT, &[&key(ALICE)]).unwrap();
    let keys = [key(ALICE).verifier(), twin.verifier(), other.verifier()];
    assert!(open(&note, &keys).is_ok());
}

#[test]
fn signatures_are_added_and_replaced() {
    let (alice, bob) = (key(ALICE), new_key("bob"));
    let note = sign(TEXT, &[&alice]).unwrap();
    let both = add_signature(&note, &bob).unwrap();
    assert!(both.starts_with(&note));
    assert_eq!(
        open(&both, &[bob.verifier(), alice.verifier()])
            .unwrap()
            .signers
            .len(),
        2
    );
    let again = add_signature(&both, &bob).unwrap();
    assert_eq!(again, both);
    assert_eq!(add_signature(b"no note", &bob), Err(NoteError::Malformed));
}

#[test]
fn what_is_signed_must_be_a_text() {
    let alice = key(ALICE);
    for text in ["", "no newline", "a\tb\n", "a\rb\n"] {
        assert_eq!(sign(text, &[&alice]), Err(NoteError::Malformed), "{text:?}");
    }
    assert_eq!(sign(TEXT, &[]), Err(NoteError::NoSigner));
}

#[test]
fn the_number_of_signatures_has_a_limit() {
    let keys: Vec<SigningKey> = (0..MAX_SIGNATURES)
        .map(|n| new_key(&format!("k{n}")))
        .collect();
    let all: Vec<&SigningKey> = keys.iter().collect();
    let full = sign(TEXT, &all).unwrap();
    let last = keys.last().unwrap().verifier();
    assert!(open(&full, std::slice::from_ref(&last)).is_ok());
    let more = key(ALICE);
    assert_eq!(
        add_signature(&full, &more),
        Err(NoteError::TooManySignatures)
    );
    let line = &sign(TEXT, &[&more]).unwrap()[TEXT.len() + 1..];
    assert_eq!(
        open(&[&full, line].concat(), &[last]),
        Err(NoteError::Malformed)
    );
}

#[test]
fn the_length_of_a_note_has_a_limit() {
    let alice = key(ALICE);
    let signature = sign(TEXT, &[&alice]).unwrap().len() - TEXT.len();
    let text = |length: usize| "x".repeat(length - signature - 1) + "\n";
    let longest = sign(&text(MAX_NOTE), &[&alice]).unwrap();
    assert_eq!(longest.len(), MAX_NOTE);
    assert!(open(&longest, &[alice.verifier()]).is_ok());
    let too_long = NoteError::TooLong(MAX_NOTE + 1);
    assert_eq!(sign(&text(MAX_NOTE + 1), &[&alice]), Err(too_long.clone()));
    let endless = "x".repeat(2 * MAX_NOTE) + "\n";
    assert_eq!(
        sign(&endless, &[&alice]),
        Err(NoteError::TooLong(endless.len()))
    );
    assert_eq!(
        open(&[&longest, b"\n".as_slice()].concat(), &[]),
        Err(too_long)
    );
}

proptest! {
    #[test]
    fn what_is_signed_is_opened(text in "[^\u{0}-\u{1f}]{0,40}(\n[^\u{0}-\u{1f}]{0,9}){0,4}\n") {
        let alice = key(ALICE);
        let note = sign(&text, &[&alice]).unwrap();
        prop_assert_eq!(open(&note, &[alice.verifier()]).unwrap().text, text);
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, text in "(.|\n){0,30}\n\n(— [a-z+ ]{0,5} [A-Za-z0-9+/=]{0,12}\n?){0,3}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            prop_assert!(open(bytes, &[SUM_GOLANG_ORG.parse().unwrap()]).is_err());
            let _ = add_signature(bytes, &key(ALICE));
        }
    }

    #[test]
    fn no_text_panics_as_a_key(text in "(PRIVATE\\+KEY\\+)?[a-z+ ]{0,5}\\+?[0-9a-f+é]{0,9}\\+?[A-Za-z0-9+/=é]{0,50}|.*") {
        if let Ok(key) = text.parse::<VerifierKey>() {
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
        let _ = text.parse::<SigningKey>();
    }

    #[test]
    fn any_flipped_bit_of_a_signed_text_is_found(at in 0usize..7, bit in 0u8..8) {
        let alice = key(ALICE);
        let mut note = sign(TEXT, &[&alice]).unwrap();
        note[at] ^= 1 << bit;
        prop_assert!(open(&note, &[alice.verifier()]).is_err());
    }
}
