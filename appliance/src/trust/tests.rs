#![allow(clippy::unwrap_used)]

use super::*;

mod notes;
mod pending;
use modferry_checker::testing::key;
use modferry_cli::{Exit, Failure};
use modferry_protocol::note::VerifierKey;
use modferry_protocol::trust::PolicyError;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

fn store() -> (TempDir, TrustStore) {
    let dir = tempfile::tempdir().unwrap();
    let trust = TrustStore::of(&dir.path().join("store"));
    (dir, trust)
}

fn verifier(name: &str) -> VerifierKey {
    key(name).verifier()
}

#[test]
fn no_key_is_no_policy() {
    let (_dir, trust) = store();
    let refused = trust.policy().unwrap_err();
    assert!(matches!(refused, TrustStoreError::NoKeys { .. }));
    assert_eq!(refused.exit(), Exit::Untrusted);
    assert!(
        refused
            .advice()
            .unwrap()
            .contains("modferry-appliance trust add")
    );
    trust
        .add(Kind::Sumdb, &verifier("sum.example.com").to_string())
        .unwrap();
    assert!(matches!(
        trust.policy(),
        Err(TrustStoreError::NoKeys { .. })
    ));
}

#[test]
fn a_key_is_added_by_its_line_or_its_file_once() {
    let (dir, trust) = store();
    let site = verifier("site");
    let file = dir.path().join("site.pub");
    fs::write(&file, format!("{site}\n")).unwrap();
    let (added, new) = trust.add(Kind::Bundle, file.to_str().unwrap()).unwrap();
    assert!(new);
    assert_eq!(added.fingerprint, site.fingerprint());
    assert!(!trust.add(Kind::Bundle, &site.to_string()).unwrap().1);
    let policy = trust.policy().unwrap();
    assert_eq!(policy.bundle_keys(), std::slice::from_ref(&site));
    assert_eq!(policy.thresholds().default(), 1);
    assert_eq!(policy.sumdbs().len(), 1);
    let path = trust.folder(Kind::Bundle).join(file_name(&site));
    assert_eq!(
        fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o644
    );
    let names: Vec<_> = trust
        .list()
        .unwrap()
        .into_iter()
        .map(|key| key.name)
        .collect();
    assert_eq!(names.len(), 2);
    assert!(names[1].starts_with("sum.golang.org+033de0ae"), "{names:?}");
}

#[test]
fn what_is_no_key_is_not_added() {
    let (dir, trust) = store();
    let file = dir.path().join("key");
    for bad in [
        "",
        "site",
        "site+00000000+AAAA",
        "PRIVATE+KEY+site+00000000+AAAA",
    ] {
        fs::write(&file, bad).unwrap();
        for given in [bad, file.to_str().unwrap()] {
            let refused = trust.add(Kind::Bundle, given).unwrap_err();
            assert_eq!(refused.exit(), Exit::Usage, "{given}");
        }
    }
    // A key and blank lines, up to the limit and one byte beyond it.
    let mut text = format!("{}\n", verifier("site"));
    text += &"\n".repeat(MAX_KEY_FILE as usize + 1 - text.len());
    fs::write(&file, &text).unwrap();
    assert!(trust.add(Kind::Bundle, file.to_str().unwrap()).is_err());
    assert!(trust.list().unwrap().iter().all(|key| key.built_in));
    fs::write(&file, &text[..MAX_KEY_FILE as usize]).unwrap();
    trust.add(Kind::Bundle, file.to_str().unwrap()).unwrap();
}

#[test]
fn one_key_a_checksum_database() {
    let (_dir, trust) = store();
    let [first, second] = [
        verifier("sum.example.com/db"),
        verifier("sum.example.com/db"),
    ];
    trust.add(Kind::Sumdb, &first.to_string()).unwrap();
    let refused = trust.add(Kind::Sumdb, &second.to_string()).unwrap_err();
    assert!(
        matches!(refused, TrustStoreError::OtherKey { .. }),
        "{refused}"
    );
    let imitation = verifier("sum.golang.org");
    assert!(trust.add(Kind::Sumdb, &imitation.to_string()).is_err());
    trust.remove("sum.example.com/db").unwrap();
    trust.add(Kind::Sumdb, &second.to_string()).unwrap();
    trust
        .add(Kind::Bundle, &verifier("site").to_string())
        .unwrap();
    assert_eq!(trust.policy().unwrap().sumdbs().len(), 2);
}

#[test]
fn a_key_is_removed_by_a_name_that_is_only_its_own() {
    let (_dir, trust) = store();
    let [a, b] = [verifier("site"), verifier("site")];
    trust.add(Kind::Bundle, &a.to_string()).unwrap();
    trust.add(Kind::Bundle, &b.to_string()).unwrap();
    assert!(matches!(
        trust.remove("site"),
        Err(TrustStoreError::NotOne { found: 2, .. })
    ));
    assert!(matches!(
        trust.remove("other"),
        Err(TrustStoreError::NotOne { found: 0, .. })
    ));
    assert!(trust.remove("sum.golang.org").is_err(), "built in");
    trust.remove(&a.short_name()).unwrap();
    assert_eq!(trust.policy().unwrap().bundle_keys(), [b]);
    trust.remove("site").unwrap();
    assert!(matches!(
        trust.policy(),
        Err(TrustStoreError::NoKeys { .. })
    ));
}

#[test]
fn anything_strange_among_the_keys_is_an_error() {
    let (_dir, trust) = store();
    let site = verifier("site");
    trust.add(Kind::Bundle, &site.to_string()).unwrap();
    for kind in [Kind::Bundle, Kind::Sumdb] {
        let folder = trust.folder(kind);
        let other = verifier("other");
        let strange: [(&str, String); 4] = [
            (".hidden", String::new()),
            ("README", "keys\n".into()),
            ("site+00000000.pub", format!("{other}\n")), // not called after its key
            (&file_name(&other), "other+00000000+AAAA\n".into()),
        ];
        for (name, text) in strange {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            let refused = trust.policy().unwrap_err();
            assert!(
                matches!(refused, TrustStoreError::NotAKey { .. }),
                "{name}: {refused}"
            );
            assert!(trust.list().is_err() && trust.add(kind, &other.to_string()).is_err());
            fs::remove_file(path).unwrap();
        }
        fs::create_dir(folder.join("folder")).unwrap();
        assert!(trust.policy().is_err());
        fs::remove_dir(folder.join("folder")).unwrap();
    }
    trust.policy().unwrap();
}

#[test]
fn the_number_of_signatures_is_never_guessed() {
    let (_dir, trust) = store();
    trust.add(Kind::Bundle, &verifier("a").to_string()).unwrap();
    assert!(trust.require(2, None).is_err(), "more than there are keys");
    assert!(trust.require(0, None).is_err());
    trust.add(Kind::Bundle, &verifier("b").to_string()).unwrap();
    trust.require(2, None).unwrap();
    assert_eq!(trust.policy().unwrap().thresholds().default(), 2);
    for bad in [
        "", "0\n", "-1\n", "1000\n", "two\n", " 2\n", "+2\n", "100\n",
    ] {
        fs::write(required_file(&trust.store), bad).unwrap();
        let refused = trust.policy().unwrap_err();
        assert!(
            matches!(refused, TrustStoreError::Required { .. }),
            "{bad:?}"
        );
    }
    fs::remove_file(required_file(&trust.store)).unwrap();
    assert!(matches!(
        trust.policy(),
        Err(TrustStoreError::Required { .. })
    ));
    trust.require(2, None).unwrap();
    trust.remove("a").unwrap();
    assert!(matches!(
        trust.policy(),
        Err(TrustStoreError::TooFewKeys { .. })
    ));
}

#[test]
fn a_key_name_is_never_a_path() {
    for name in ["../../etc/passwd", "a/b", ".hidden", "é", "%2e"] {
        let file = file_name(&verifier(name));
        assert!(
            !file.contains('/') && !file.starts_with('.') && file.is_ascii(),
            "{file}"
        );
    }
}

#[test]
fn a_key_under_a_second_name_is_no_second_key() {
    let (_dir, trust) = store();
    let [a, b] = [
        "a+1a2447fb+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
        "b+eeb292d2+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
    ]
    .map(|key| key.parse::<VerifierKey>().unwrap());
    assert_eq!(a.fingerprint(), b.fingerprint());
    trust.add(Kind::Bundle, &a.to_string()).unwrap();
    let refused = trust.add(Kind::Bundle, &b.to_string()).unwrap_err();
    assert!(refused.to_string().contains(&a.short_name()), "{refused}");
    assert_eq!(refused.exit(), Exit::Usage);
    assert!(trust.require(2, None).is_err());
    // Put there by hand: no policy comes of it.
    fs::write(
        trust.folder(Kind::Bundle).join(file_name(&b)),
        format!("{b}\n"),
    )
    .unwrap();
    let refused = trust.policy().unwrap_err();
    assert!(
        matches!(refused, TrustStoreError::Policy(PolicyError::TwoNames(..))),
        "{refused}"
    );
    assert!(refused.advice().unwrap().contains("trust list"));
}

#[test]
fn a_stream_may_need_another_number() {
    let (_dir, trust) = store();
    for name in ["a", "b", "c"] {
        trust
            .add(Kind::Bundle, &verifier(name).to_string())
            .unwrap();
    }
    let [prod, test] = ["prod", "test"].map(|name| StreamName::new(name).unwrap());
    trust.require(2, None).unwrap();
    trust.require(3, Some(&prod)).unwrap();
    trust.require(1, Some(&test)).unwrap();
    assert!(trust.require(4, Some(&prod)).is_err(), "more than keys");
    assert!(trust.require(0, Some(&prod)).is_err());
    let policy = trust.policy().unwrap();
    assert_eq!(policy.thresholds().of(&prod), 3);
    assert_eq!(policy.thresholds().of(&test), 1);
    assert_eq!(policy.thresholds().default(), 2);
    assert_eq!(trust.required_by_stream().unwrap().len(), 2);
    trust.require_default(&test).unwrap();
    assert_eq!(trust.policy().unwrap().thresholds().of(&test), 2);

    // A number that cannot be read, or is nobody's, could have been a strict one.
    let own = stream_file(&trust.store, &prod);
    for bad in ["", "0\n", "many\n"] {
        fs::write(&own, bad).unwrap();
        let refused = trust.policy().unwrap_err();
        assert!(
            matches!(&refused, TrustStoreError::Required { path } if *path == own),
            "{bad:?}: {refused}"
        );
    }
    trust.require(2, Some(&prod)).unwrap();
    let strange = own.with_file_name("No Stream");
    fs::write(&strange, "1\n").unwrap();
    let refused = trust.policy().unwrap_err();
    assert!(refused.advice().unwrap().contains("No Stream"), "{refused}");
    fs::remove_file(strange).unwrap();
    trust.policy().unwrap();
    // A stream that nobody could sign for is told at once, and not when its bundle comes.
    trust.remove("a").unwrap();
    trust.require(2, Some(&prod)).unwrap();
    trust.remove("b").unwrap();
    assert!(matches!(
        trust.policy(),
        Err(TrustStoreError::TooFewKeys { required: 2, .. })
    ));
}

#[test]
fn what_changes_while_it_is_read_is_read_again() {
    let (_dir, trust) = store();
    let [a, b] = [verifier("a"), verifier("b")];
    trust.add(Kind::Bundle, &a.to_string()).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // At no moment is there nobody: b comes before a goes, and a before b goes.
            for _ in 0..50 {
                for (new, old) in [(&b, &a), (&a, &b)] {
                    trust.add(Kind::Bundle, &new.to_string()).unwrap();
                    trust.remove(&old.short_name()).unwrap();
                }
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let policy = trust.policy().unwrap();
            assert!((1..=2).contains(&policy.bundle_keys().len()));
        }
    });
}
