//! Trust notes: applied wholly or not at all, in one row, and never twice.

use super::*;
use modferry_protocol::note::{self, SigningKey};
use modferry_protocol::trust::{NoteRefused, TrustNote};
use std::collections::BTreeMap;

/// A store that trusts keys called after these letters, so many of which must sign.
pub(super) struct World {
    _dir: TempDir,
    pub(super) trust: TrustStore,
    keys: BTreeMap<char, SigningKey>,
}

impl World {
    pub(super) fn new(letters: &str, required: usize) -> Self {
        let (dir, trust) = store();
        let keys: BTreeMap<char, SigningKey> = ('a'..='h')
            .map(|letter| (letter, key(&letter.to_string())))
            .collect();
        for letter in letters.chars() {
            trust
                .add(Kind::Bundle, &keys[&letter].verifier().to_string())
                .unwrap();
        }
        trust.require(required, None).unwrap();
        Self {
            _dir: dir,
            trust,
            keys,
        }
    }

    pub(super) fn verifiers(&self, letters: &str) -> Vec<VerifierKey> {
        let keys = letters.chars().map(|letter| self.keys[&letter].verifier());
        let mut keys: Vec<VerifierKey> = keys.collect();
        keys.sort_by_key(ToString::to_string);
        keys
    }

    /// The next note of the row.
    pub(super) fn next(&self, add: &str, revoke: &str) -> TrustNote {
        let keyring = self.trust.keyring().unwrap();
        TrustNote {
            number: keyring.next(),
            after: keyring.last().map(|last| last.sha256),
            created: "2026-11-21T09:00:00Z".into(),
            add: self.verifiers(add),
            revoke: self.verifiers(revoke),
            require: None,
            streams: Vec::new(),
        }
    }

    pub(super) fn signed(&self, note: &TrustNote, letters: &str) -> String {
        let keys: Vec<&SigningKey> = letters.chars().map(|letter| &self.keys[&letter]).collect();
        String::from_utf8(note::sign(&note.encode(), &keys).unwrap()).unwrap()
    }

    /// The names of the trusted keys.
    pub(super) fn trusted(&self) -> String {
        names(self.trust.policy().unwrap().bundle_keys())
    }

    pub(super) fn revoked(&self) -> String {
        names(&self.trust.keyring().unwrap().revoked)
    }
}

fn names(keys: &[VerifierKey]) -> String {
    keys.iter().map(VerifierKey::name).collect()
}

fn refused(world: &World, signed: &str) -> NoteRefused {
    match world.trust.apply(signed.as_bytes()) {
        Err(TrustStoreError::Refused(refused)) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_row_of_notes_changes_the_keys() {
    let world = World::new("abc", 2);
    let mut first = world.next("d", "c");
    first.streams = vec![("prod".parse().unwrap(), 3)];
    let signed = world.signed(&first, "ab");
    let Applied::Applied(change) = world.trust.apply(signed.as_bytes()).unwrap() else {
        panic!("not applied");
    };
    assert_eq!(change.number, 1);
    assert_eq!(change.signers.len(), 2);
    assert_eq!(change.streams["prod"], 3);
    assert_eq!(
        (world.trusted(), world.revoked()),
        ("abd".into(), "c".into())
    );
    assert_eq!(
        world.trust.apply(signed.as_bytes()).unwrap(),
        Applied::AlreadyApplied { number: 1 }
    );
    // A change of the keys is one for every stream: the strictest decides.
    let second = world.next("", "a");
    assert_eq!(second.number, 2);
    let error = refused(&world, &world.signed(&second, "bd"));
    assert!(
        matches!(error, NoteRefused::TooFew { want: 3, .. }),
        "{error}"
    );
    assert_eq!(world.trusted(), "abd");
    let error = refused(&world, &world.signed(&second, "abd"));
    assert!(matches!(error, NoteRefused::TooFewKeys { .. }), "{error}");
    let second = world.next("e", "a");
    world
        .trust
        .apply(world.signed(&second, "abd").as_bytes())
        .unwrap();
    assert_eq!(world.trusted(), "bde");
    let notes = world.trust.notes().unwrap();
    assert_eq!(notes.len(), 2);
    assert_eq!(notes[1].signers.len(), 3, "also the one that it revoked");
    let path = state::note_file(&world.trust.store, 2);
    assert_eq!(
        fs::metadata(path).unwrap().permissions().mode() & 0o777,
        0o644
    );
}

#[test]
fn a_revoked_key_comes_back_by_no_command() {
    let world = World::new("ab", 1);
    let note = world.next("", "b");
    world
        .trust
        .apply(world.signed(&note, "a").as_bytes())
        .unwrap();
    let b = world.verifiers("b").remove(0);
    let refused = world.trust.add(Kind::Bundle, &b.to_string()).unwrap_err();
    assert_eq!(refused.exit(), Exit::Usage);
    let TrustStoreError::WasRevoked { path, .. } = &refused else {
        panic!("{refused}");
    };
    assert!(refused.advice().unwrap().contains(path.to_str().unwrap()));
    // Put among the trusted by hand: no policy comes of it.
    let trusted = world.trust.folder(Kind::Bundle).join(file_name(&b));
    fs::write(&trusted, format!("{b}\n")).unwrap();
    assert!(matches!(
        world.trust.policy(),
        Err(TrustStoreError::TrustedAndRevoked { .. })
    ));
    fs::remove_file(&trusted).unwrap();
    fs::remove_file(path).unwrap();
    assert!(world.trust.add(Kind::Bundle, &b.to_string()).unwrap().1);
    assert_eq!(world.trusted(), "ab");
}

/// Stops an application before each of its steps, as a kill would: from the commit on readers see all of it, and
/// whoever changes something next finishes it.
#[test]
fn stopped_at_any_step_it_is_the_old_keys_or_the_new() {
    let steps_of = |world: &World, note: &TrustNote| {
        let kept = state::KeptNote {
            path: state::applying_file(&world.trust.store),
            signed: world.signed(note, "ab"),
            note: note.clone(),
        };
        let steps = world
            .trust
            .steps(&world.trust.state().unwrap(), &kept)
            .unwrap();
        (kept, steps)
    };
    let mut stop = 0;
    loop {
        let world = World::new("abc", 1);
        let mut note = world.next("d", "c");
        note.require = Some(2);
        note.streams = vec![("prod".parse().unwrap(), 3)];
        let (kept, steps) = steps_of(&world, &note);
        assert_eq!(world.trusted(), "abc", "nothing is done yet");
        world.trust.write(&kept.path, &kept.signed).unwrap();
        for step in &steps[..stop] {
            world.trust.step(step).unwrap();
        }
        // What a kill within a step leaves.
        let torn = world.trust.store.join("trust/.writing-torn");
        fs::write(&torn, "half a key").unwrap();

        let policy = world.trust.policy().unwrap();
        assert_eq!(world.trusted(), "abd", "after {stop} steps");
        assert_eq!(world.revoked(), "c", "after {stop} steps");
        assert_eq!(policy.thresholds().default(), 2, "after {stop} steps");
        assert_eq!(policy.thresholds().largest(), 3, "after {stop} steps");
        assert_eq!(world.trust.keyring().unwrap().next(), 2);
        assert_eq!(world.trust.notes().unwrap().len(), 1);
        assert_eq!(
            world.trust.apply(kept.signed.as_bytes()).unwrap(),
            Applied::AlreadyApplied { number: 1 },
            "the same command again finds it applied"
        );
        assert!(!kept.path.exists() && !torn.exists(), "and has finished it");
        let on_disk = |folder: &str| {
            let folder = world.trust.store.join("trust").join(folder);
            fs::read_dir(folder).unwrap().count()
        };
        assert_eq!(on_disk("bundle"), 3);
        assert_eq!(on_disk("revoked"), 1);
        assert_eq!(on_disk("notes"), 1);
        assert_eq!(world.trusted(), "abd");
        if stop == steps.len() {
            assert!(stop >= 6, "only {stop} steps");
            break;
        }
        stop += 1;
    }
}

#[test]
fn what_was_left_half_done_is_finished_by_any_change() {
    let world = World::new("abc", 2);
    let note = world.next("d", "c");
    let signed = world.signed(&note, "ab");
    world
        .trust
        .write(&state::applying_file(&world.trust.store), &signed)
        .unwrap();
    world.trust.require(3, None).unwrap();
    assert!(!state::applying_file(&world.trust.store).exists());
    assert_eq!(world.trusted(), "abd");
    // The next note continues the one that was finished.
    let second = world.next("e", "");
    assert_eq!(second.number, 2);
    world
        .trust
        .apply(world.signed(&second, "abd").as_bytes())
        .unwrap();
    assert_eq!(world.trusted(), "abde");
}

#[test]
fn a_row_that_is_not_one_is_an_error() {
    let world = World::new("abc", 1);
    for add in ["d", "e", "f"] {
        let note = world.next(add, "");
        world
            .trust
            .apply(world.signed(&note, "a").as_bytes())
            .unwrap();
    }
    let file = |number| state::note_file(&world.trust.store, number);
    let [first, second, third] = [1, 2, 3].map(|n| fs::read_to_string(file(n)).unwrap());
    let damaged = |what: &str| {
        let refused = world.trust.notes().unwrap_err();
        assert!(
            matches!(refused, TrustStoreError::NotANote { .. }),
            "{what}: {refused}"
        );
        assert_eq!(refused.exit(), Exit::Damaged, "{what}");
        assert!(refused.advice().is_some(), "{what}");
    };
    let restored = || world.trust.notes().unwrap();

    fs::remove_file(file(2)).unwrap();
    damaged("one is missing");
    fs::write(file(2), &third).unwrap();
    damaged("one in the place of another");
    fs::write(file(2), second.replace("created 2026", "created 2025")).unwrap();
    damaged("its text was changed, so that the next does not follow");
    let at = second.len() - 10;
    let other = if second.as_bytes()[at] == b'A' {
        "B"
    } else {
        "A"
    };
    let mut bad = second.clone();
    bad.replace_range(at..=at, other);
    fs::write(file(2), bad).unwrap();
    damaged("a signature was changed");
    fs::write(file(2), "").unwrap();
    damaged("an empty one");
    fs::write(file(2), &second).unwrap();
    restored();
    let strange = file(2).with_file_name("README");
    fs::write(&strange, &first).unwrap();
    damaged("another name");
    fs::remove_file(strange).unwrap();
    fs::write(state::applying_file(&world.trust.store), &first).unwrap();
    damaged("one that is being applied again");
    fs::remove_file(state::applying_file(&world.trust.store)).unwrap();
    // The last one: nothing follows it that would tell.
    fs::write(file(3), third.replace("created 2026", "created 2025")).unwrap();
    damaged("the last one's text was changed");
    fs::write(file(3), &third).unwrap();
    assert_eq!(restored().len(), 3);
    // Signed only by keys that were removed by hand since: nothing can be said against it.
    world.trust.remove("a").unwrap();
    assert!(restored().iter().all(|note| note.signers.is_empty()));
}

#[test]
fn a_new_store_begins_the_row_where_its_keys_are() {
    let old = World::new("ab", 1);
    let mut notes = Vec::new();
    for (add, revoke, signer) in [("c", "a", "a"), ("d", "", "b"), ("", "b", "c")] {
        let note = old.next(add, revoke);
        let signed = old.signed(&note, signer);
        old.trust.apply(signed.as_bytes()).unwrap();
        notes.push(signed);
    }
    assert_eq!(old.trusted(), "cd");

    let (dir, trust) = store();
    for key in old.verifiers("bc") {
        trust.add(Kind::Bundle, &key.to_string()).unwrap();
    }
    let new = World {
        _dir: dir,
        trust,
        keys: old.keys.clone(),
    };
    let file = new._dir.path().join("note");
    fs::write(&file, &notes[2]).unwrap();
    let refused = new.trust.begin(&file).unwrap_err();
    assert!(
        matches!(&refused, TrustStoreError::NotItsKeys { number: 3, different } if different.len() == 1),
        "b is trusted here: {refused:?}"
    );
    new.trust.remove("b").unwrap();
    fs::write(&file, "hello").unwrap();
    assert!(new.trust.begin(&file).is_err());
    fs::write(&file, &notes[2]).unwrap();
    assert_eq!(new.trust.begin(&file).unwrap(), 3);
    assert_eq!(new.revoked(), "b");
    assert!(matches!(
        new.trust.begin(&file),
        Err(TrustStoreError::Begun { last: 3 })
    ));
    let next = old.next("e", "");
    let signed = old.signed(&next, "c");
    new.trust.apply(signed.as_bytes()).unwrap();
    assert_eq!(new.trusted(), "ce");
}

#[test]
fn a_row_is_not_begun_with_a_note_that_revokes_a_trusted_key_under_another_name() {
    let seed = [7; 32];
    let named = |name: &str| SigningKey::from_seed(name, &seed).unwrap();
    let old = World::new("ab", 1);
    old.trust
        .add(Kind::Bundle, &named("elsewhere").verifier().to_string())
        .unwrap();
    let mut note = old.next("", "");
    note.revoke = vec![named("elsewhere").verifier()];
    let signed = old.signed(&note, "a");
    old.trust.apply(signed.as_bytes()).unwrap();

    let new = World::new("ab", 1);
    new.trust
        .add(Kind::Bundle, &named("here").verifier().to_string())
        .unwrap();
    let file = new._dir.path().join("note");
    fs::write(&file, &signed).unwrap();
    let refused = new.trust.begin(&file).unwrap_err();
    assert!(
        matches!(&refused, TrustStoreError::NotItsKeys { different, .. } if different[0].contains("here+")),
        "{refused:?}"
    );
    // Whom the store trusts can still be read, and changed.
    new.trust.policy().unwrap();
    new.trust.remove("here").unwrap();
    assert_eq!(new.trust.begin(&file).unwrap(), 1);
}
