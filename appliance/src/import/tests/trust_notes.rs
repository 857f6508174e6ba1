//! What an import does with trust notes: once, in the ledger, and in the middle of several bundles.

use super::*;
use crate::import::spool;
use crate::store::Event;
use modferry_protocol::note;
use modferry_protocol::trust::TrustNote;

/// A note that replaces the site's key by another one.
fn rotation(site: &Site, new: &SigningKey) -> TrustNote {
    TrustNote {
        number: 1,
        after: None,
        created: "2026-11-21T09:00:00Z".into(),
        add: vec![new.verifier()],
        revoke: vec![site.key.verifier()],
        require: None,
        streams: Vec::new(),
    }
}

fn bundle(
    sumdb: &TestSumdb,
    module: &TestModule,
    sequence: u64,
    note: Option<&[u8]>,
) -> TestBundle {
    let mut bundle = TestBundle::of(sumdb, &[module], &[]);
    bundle.sequence = modferry_protocol::bundle::Sequence::new(sequence).unwrap();
    if let Some(note) = note {
        bundle.items.insert(Item::Trust(1), note.into());
    }
    bundle
}

/// The ledger in words: imports with the notes that they brought, and notes that were applied.
fn ledger(site: &Site) -> Vec<String> {
    let reader = site.reader();
    let size = reader.ledger_size().unwrap();
    let told = |number| match reader.ledger(number).unwrap().unwrap().event {
        Event::Import(import) => format!(
            "import {} {}",
            import.source.sequence,
            import.source.trust.len()
        ),
        Event::Trust(change) => format!("trust {}", change.number),
        other => format!("{other:?}"),
    };
    (1..=size).map(told).collect()
}

#[test]
fn a_note_changes_the_keys_for_the_bundles_behind_it() {
    let (sumdb, modules) = world(3);
    let mut site = Site::new(&sumdb);
    let new = key("new");
    let signed = note::sign(&rotation(&site, &new).encode(), &[&site.key]).unwrap();
    // One run: the second bundle is signed by the key that the first one brings, and brings the note again.
    site.drop_in(&bundle(&sumdb, &modules[0], 1, Some(&signed)));
    let old = std::mem::replace(&mut site.key, new);
    site.drop_in(&bundle(&sumdb, &modules[1], 2, Some(&signed)));
    let session = Session::begin(&site.store(), false).unwrap();
    let named = |sequence| site.incoming().join(format!("test.{sequence:06}.manifest"));
    let import = |sequence| {
        let found = find(&[named(sequence)], &session.policy())?;
        session.import(&found[0], &NoProgress)
    };
    assert!(import(2).is_err(), "not before the note");
    let first = import(1).unwrap();
    assert_eq!(first.trust.len(), 1, "{:?}", first.trust);
    assert_eq!(first.revoked_keys_imports.len(), 1, "its own");
    let second = import(2).unwrap();
    assert!(second.trust.is_empty(), "passed over");
    assert_eq!(import(1).unwrap().outcome, Outcome::AlreadyImported);
    drop(session);
    assert_eq!(ledger(&site), ["import 1 1", "trust 1", "import 2 0"]);
    // Nothing is left to do for the next session.
    Session::begin(&site.store(), false).unwrap();
    assert_eq!(ledger(&site).len(), 3);
    // And what the old key signs from now on is refused.
    site.key = old;
    let refused = site
        .import_one(&bundle(&sumdb, &modules[2], 3, None))
        .unwrap_err();
    assert_eq!(refused.exit(), Exit::Untrusted);
}

#[test]
fn what_was_applied_by_hand_enters_the_ledger_with_the_next_session() {
    let (sumdb, modules) = world(1);
    let site = Site::new(&sumdb);
    site.import_one(&bundle(&sumdb, &modules[0], 1, None))
        .unwrap();
    let signed = note::sign(&rotation(&site, &key("new")).encode(), &[&site.key]).unwrap();
    TrustStore::of(&site.store()).apply(&signed).unwrap();
    assert_eq!(ledger(&site), ["import 1 0"]);
    // The same bundle again, by a key that counts no more.
    let again = site
        .import_one(&bundle(&sumdb, &modules[0], 1, None))
        .unwrap();
    assert_eq!(again.outcome, Outcome::AlreadyImported);
    assert_eq!(ledger(&site), ["import 1 0", "trust 1"]);
    let change = site.reader().ledger(2).unwrap().unwrap();
    let Event::Trust(change) = change.event else {
        panic!("{change:?}");
    };
    assert_eq!(change.note.as_bytes(), signed);
}

/// A commit that was not followed by the change of the keys: as a kill between the two leaves it.
#[test]
fn what_a_killed_import_left_unapplied_is_applied_first() {
    let (sumdb, modules) = world(2);
    let mut site = Site::new(&sumdb);
    let new = key("new");
    let signed = note::sign(&rotation(&site, &new).encode(), &[&site.key]).unwrap();
    let first = bundle(&sumdb, &modules[0], 1, Some(&signed));
    site.import_one(&first).unwrap();
    // Back to what trust/ was before.
    let trust = site.store().join("trust");
    for file in ["notes", "revoked", "bundle"].map(|folder| trust.join(folder)) {
        fs::remove_dir_all(file).unwrap();
    }
    let store = TrustStore::of(&site.store());
    store
        .add(Kind::Bundle, &site.key.verifier().to_string())
        .unwrap();
    assert!(store.revoked().unwrap().is_empty());

    assert_eq!(
        site.import_one(&first).unwrap().outcome,
        Outcome::AlreadyImported
    );
    assert_eq!(store.revoked().unwrap().len(), 1);
    site.key = new;
    site.import_one(&bundle(&sumdb, &modules[1], 2, None))
        .unwrap();
}

#[test]
fn a_false_note_refuses_its_bundle_for_good() {
    let (sumdb, modules) = world(1);
    let site = Site::new(&sumdb);
    let signed = note::sign(&rotation(&site, &key("new")).encode(), &[&site.key]).unwrap();
    let false_note = String::from_utf8(signed).unwrap().replace("2026", "2025");
    let hostile = bundle(&sumdb, &modules[0], 1, Some(false_note.as_bytes()));
    for _ in 0..2 {
        let refused = site.import_one(&hostile).unwrap_err();
        assert!(
            matches!(refused, ImportError::TrustNote { .. }),
            "{refused}"
        );
        assert_eq!(refused.exit(), Exit::Untrusted);
        assert!(refused.advice().is_some());
        assert!(site.verify().is_err());
    }
    assert_eq!(site.totals(), Totals::default());
    assert!(ledger(&site).is_empty());
}

#[test]
fn bundles_dropped_together_bring_their_keys_in_turn() {
    let (sumdb, modules) = world(3);
    let mut site = Site::new(&sumdb);
    let spool = site.dir.path().join("spool");
    let incoming = spool.join("incoming");
    fs::create_dir_all(&incoming).unwrap();
    let [second, third] = [key("second"), key("third")];
    let first_note = rotation(&site, &second);
    let mut second_note = first_note.clone();
    second_note.number = 2;
    second_note.after = Some(first_note.sha256());
    second_note.add = vec![third.verifier()];
    second_note.revoke = vec![second.verifier()];
    let signed = note::sign(&first_note.encode(), &[&site.key]).unwrap();
    let first = bundle(&sumdb, &modules[0], 1, Some(&signed));
    site.drop_into(&incoming, &first);
    let old = std::mem::replace(&mut site.key, second);
    let mut middle = bundle(&sumdb, &modules[1], 2, None);
    let signed = note::sign(&second_note.encode(), &[&site.key]).unwrap();
    middle.items.insert(Item::Trust(2), signed);
    site.drop_into(&incoming, &middle);
    site.key = third;
    site.drop_into(&incoming, &bundle(&sumdb, &modules[2], 3, None));
    let run = || {
        let session = Session::begin(&site.store(), false).unwrap();
        let mut told = Vec::new();
        let code = spool::run(&session, &spool, &NoProgress, |spooled| {
            told.push(spool::report_text(spooled))
        });
        (code.unwrap(), told)
    };
    let (code, told) = run();
    assert_eq!(code, 0, "{told:#?}");
    assert_eq!(told.len(), 3);
    assert_eq!(site.totals().imports, 3);

    // What counts no more is refused, once, after all the others.
    let site = Site {
        dir: site.dir,
        key: old,
    };
    let mut late = bundle(&sumdb, &modules[0], 1, None);
    late.stream = "late".parse().unwrap();
    site.drop_into(&incoming, &late);
    let session = Session::begin(&site.store(), false).unwrap();
    let mut told = Vec::new();
    let code = spool::run(&session, &spool, &NoProgress, |spooled| {
        told.push(spool::report_text(spooled))
    });
    assert_eq!(code.unwrap(), 3);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].starts_with("late.000001: refused: "), "{told:#?}");
}

#[test]
fn a_bundle_by_a_key_that_an_administrator_has_yet_to_let_in_waits() {
    let (sumdb, modules) = world(1);
    let mut site = Site::new(&sumdb);
    let spool = site.dir.path().join("spool");
    let incoming = spool.join("incoming");
    fs::create_dir_all(&incoming).unwrap();
    let new = key("new");
    let signed = note::sign(&rotation(&site, &new).encode(), &[&site.key]).unwrap();
    let waiting = site.store().join("trust-pending");
    fs::create_dir(&waiting).unwrap();
    fs::write(waiting.join("000001.note"), &signed).unwrap();
    site.key = new;
    site.drop_into(&incoming, &bundle(&sumdb, &modules[0], 1, None));
    let run = || {
        let session = Session::begin(&site.store(), false).unwrap();
        let mut told = String::new();
        let code = spool::run(&session, &spool, &NoProgress, |spooled| {
            told += &spool::report_text(spooled)
        });
        (code.unwrap(), told)
    };
    let (code, told) = run();
    assert_eq!(code, 3, "{told}");
    assert!(
        told.contains("waiting: ") && told.contains("trust apply"),
        "{told}"
    );
    TrustStore::of(&site.store()).apply(&signed).unwrap();
    let (code, told) = run();
    assert_eq!(code, 0, "{told}");
    assert_eq!(site.totals().imports, 1);
}
