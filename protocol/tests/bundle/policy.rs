//! Which manifests a policy accepts.

#![allow(clippy::unwrap_used)]

use modferry_protocol::note::{self, SUM_GOLANG_ORG, SigningKey, VerifierKey};
use modferry_protocol::sumdb::DbName;
use modferry_protocol::trust::{Policy, PolicyError, Thresholds, TrustError};

use super::common::*;

fn named(name: &str, seed: u8) -> SigningKey {
    SigningKey::generate(name, &mut Fixed(seed)).unwrap()
}

fn signed(keys: &[&SigningKey]) -> Vec<u8> {
    note::sign(&parts(&items()).manifest.encode(), keys).unwrap()
}

fn trusting(keys: &[&SigningKey], thresholds: impl Into<Thresholds>) -> Policy {
    Policy::new(
        keys.iter().map(|key| key.verifier()).collect(),
        thresholds,
        vec![],
    )
    .unwrap()
}

#[test]
fn one_trusted_signature_is_enough_for_a_policy_of_one() {
    let (a, b) = (named("a", 1), named("b", 2));
    let accepted = trusting(&[&a], 1).accept(&signed(&[&b, &a])).unwrap();
    assert_eq!(*accepted.manifest(), parts(&items()).manifest);
    let signers: Vec<_> = accepted.signers().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(signers, ["a"], "only the trusted ones count");
}

#[test]
fn without_a_trusted_signature_nothing_is_accepted() {
    let (a, b) = (named("a", 1), named("b", 2));
    let text = parts(&items()).manifest.encode();
    let refused = |policy: &Policy, note: &[u8]| {
        assert!(
            matches!(policy.accept(note), Err(TrustError::Untrusted(_))),
            "{:?}",
            policy.accept(note)
        );
    };
    refused(&trusting(&[&a], 1), &signed(&[&b]));
    refused(&trusting(&[], 1), &signed(&[&a]));
    // Another key of a trusted name.
    refused(&trusting(&[&a], 1), &signed(&[&named("a", 3)]));
    refused(&trusting(&[&a], 1), text.as_bytes());
    refused(&trusting(&[&a], 1), format!("{text}\n").as_bytes());
    refused(&trusting(&[&a], 1), b"");
    // One byte of the text, and one of a signature that is not alone.
    let good = signed(&[&a, &b]);
    for at in [20, good.len() - 10] {
        let mut bad = good.clone();
        bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
        refused(&trusting(&[&a, &b], 1), &bad);
    }
}

#[test]
fn a_threshold_counts_different_keys() {
    let (a, b, c) = (named("a", 1), named("b", 2), named("c", 3));
    let policy = trusting(&[&a, &b], 2);
    assert!(policy.accept(&signed(&[&a, &b])).is_ok());
    let error = policy.accept(&signed(&[&a, &c])).unwrap_err();
    let name = note::open(&signed(&[&a]), &[a.verifier()]).unwrap().signers[0].to_string();
    assert_eq!(
        error.to_string(),
        format!("1 of the 2 trusted signatures that the policy asks for ({name})")
    );
    // The same key twice in the policy, or twice in the note, is one key.
    let twice = trusting(&[&a, &a], 2);
    assert!(matches!(
        twice.accept(&signed(&[&a])),
        Err(TrustError::TooFew { want: 2, .. })
    ));
    let line = String::from_utf8(signed(&[&a]))
        .unwrap()
        .lines()
        .last()
        .unwrap()
        .to_owned();
    let repeated = [signed(&[&a]), format!("{line}\n").into_bytes()].concat();
    assert!(policy.accept(&repeated).is_err());
}

#[test]
fn a_stream_may_need_more_signatures_or_fewer() {
    let (a, b, c) = (named("a", 1), named("b", 2), named("c", 3));
    let manifest = parts(&items()).manifest;
    let own = |number: usize| [(manifest.stream.clone(), number)].into();
    let other = || [("other".parse().unwrap(), 1)].into();
    let asked = |thresholds: Thresholds, keys: &[&SigningKey]| {
        trusting(&[&a, &b, &c], thresholds)
            .accept(&signed(keys))
            .map(|accepted| accepted.signers().len())
    };
    let too_few = |result: Result<usize, TrustError>, expected: usize| match result {
        Err(TrustError::TooFew { want, .. }) => assert_eq!(want, expected),
        other => panic!("{other:?}"),
    };
    assert_eq!(asked(Thresholds::new(3, own(2)), &[&a, &b]).unwrap(), 2);
    too_few(asked(Thresholds::new(3, own(2)), &[&a]), 2);
    too_few(asked(Thresholds::new(1, own(2)), &[&a]), 2);
    // Another stream's number is none of this one's business.
    too_few(asked(Thresholds::new(2, other()), &[&a]), 2);
    assert_eq!(asked(Thresholds::new(2, other()), &[&a, &c]).unwrap(), 2);
    // With fewer than any stream asks for, nothing is read, not even the stream's name.
    let nonsense = note::sign("nonsense\n", &[&a]).unwrap();
    let policy = trusting(&[&a, &b, &c], Thresholds::new(3, own(2)));
    too_few(policy.accept(&nonsense).map(|_| 0), 2);
    let none = Policy::new(vec![a.verifier()], Thresholds::new(1, own(0)), vec![]);
    assert_eq!(none.unwrap_err(), PolicyError::NoThreshold);
}

#[test]
fn what_was_taken_in_before_is_accepted_again_and_nothing_else() {
    let (old, new) = (named("old", 1), named("new", 2));
    let mut policy = trusting(&[&new], 1);
    let bytes = signed(&[&old]);
    assert!(policy.accept(&bytes).is_err());
    let manifest = parts(&items()).manifest;
    policy.remember([manifest.sha256()]);
    let accepted = policy.accept(&bytes).unwrap();
    assert_eq!(*accepted.manifest(), manifest);
    assert!(accepted.signers().is_empty());
    // Signed by whoever is trusted, it has its signers.
    assert_eq!(policy.accept(&signed(&[&new])).unwrap().signers().len(), 1);
    // Another text is another manifest, and a false signature stays false.
    let text = manifest.encode();
    let other = note::sign(&text.replace("created 2026", "created 2025"), &[&old]).unwrap();
    assert!(policy.accept(&other).is_err());
    let mut bad = signed(&[&new]);
    let at = bad.len() - 10;
    bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
    assert!(matches!(policy.accept(&bad), Err(TrustError::Untrusted(_))));
    assert!(policy.accept(text.as_bytes()).is_err(), "no note at all");
    // Too few of several, too.
    let mut two = trusting(&[&new, &named("third", 3)], 2);
    assert!(two.accept(&signed(&[&new])).is_err());
    two.remember([manifest.sha256()]);
    assert!(two.accept(&signed(&[&new])).is_ok());
}

#[test]
fn a_signed_note_that_is_no_manifest_is_refused() {
    let note = note::sign("modferry bundle v2\n", &[&key()]).unwrap();
    let error = chain(&policy().accept(&note).unwrap_err());
    assert!(
        error.ends_with(
            "format v2: the bundle was made by a newer modferry; use that version or a newer one"
        ),
        "{error}"
    );
}

#[test]
fn a_policy_has_its_own_rules() {
    let other: VerifierKey = named("sum.golang.org", 4).verifier();
    assert_eq!(
        Policy::new(vec![], 0, vec![]).unwrap_err(),
        PolicyError::NoThreshold
    );
    assert_eq!(
        Policy::new(vec![], 1, vec![other]).unwrap_err(),
        PolicyError::TwoKeys("sum.golang.org".into())
    );

    // One secret under two names would be two of the signatures asked for.
    assert_eq!(
        Policy::new(
            vec![named("a", 1).verifier(), named("b", 1).verifier()],
            2,
            vec![]
        )
        .unwrap_err(),
        PolicyError::TwoNames("a".into(), "b".into())
    );

    let corp = named("sum.corp.example", 5).verifier();
    let built_in: VerifierKey = SUM_GOLANG_ORG.parse().unwrap();
    let policy = Policy::new(vec![], 1, vec![built_in.clone(), corp.clone()]).unwrap();
    assert_eq!(policy.sumdbs(), [corp.clone(), built_in.clone()]);
    assert_eq!(
        policy.sumdb(&DbName::new("sum.golang.org").unwrap()),
        Some(&built_in)
    );
    assert_eq!(
        policy.sumdb(&DbName::new("sum.corp.example").unwrap()),
        Some(&corp)
    );
    assert_eq!(policy.sumdb(&DbName::new("sum.example").unwrap()), None);
}
