//! What becomes of the notes that a bundle brings.

use super::notes::World;
use super::*;

fn carried(number: u64, note: &str) -> Carried {
    Carried {
        number,
        note: note.into(),
    }
}

fn ignored(taken: &[Taken]) -> &str {
    match taken {
        [Taken::Ignored { why, .. }] => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn notes_are_taken_in_turn_and_once() {
    let world = World::new("abc", 2);
    let first = world.next("d", "c");
    let mut second = world.next("e", "");
    second.number = 2;
    second.after = Some(first.sha256());
    // The second is signed by a key that the first one brings.
    let notes = [
        carried(1, &world.signed(&first, "ab")),
        carried(2, &world.signed(&second, "ad")),
    ];
    assert_eq!(world.trust.news(notes.to_vec()).unwrap(), notes);
    let foretold = world.trust.foretell(&notes).unwrap();
    assert_eq!(foretold.len(), 2);
    assert!(
        foretold[1].contains("would apply trust note 2"),
        "{foretold:?}"
    );
    let taken = world.trust.take(&notes);
    assert!(
        matches!(taken.as_slice(), [Taken::Applied(a), Taken::Applied(b)] if (a.number, b.number) == (1, 2)),
        "{taken:?}"
    );
    assert_eq!(world.trusted(), "abde");
    assert!(world.trust.take(&notes).is_empty(), "silently passed over");
    assert!(world.trust.news(notes.to_vec()).unwrap().is_empty());
    assert!(world.trust.foretell(&notes).unwrap().is_empty());
    assert!(world.trust.pending().unwrap().is_empty());
}

#[test]
fn a_note_that_is_not_accepted_changes_nothing_and_is_told() {
    let world = World::new("abc", 2);
    let note = world.next("d", "c");
    let take = |number, signed: &str| {
        let notes = [carried(number, signed)];
        assert_eq!(world.trust.news(notes.to_vec()).unwrap(), notes);
        world.trust.take(&notes)
    };
    let too_few = take(1, &world.signed(&note, "a"));
    assert!(ignored(&too_few).contains("1 of the 2"), "{too_few:?}");
    assert!(
        too_few[0]
            .to_string()
            .starts_with("WARNING: trust note 1 was NOT applied")
    );
    assert!(ignored(&take(1, "no note")).contains("no signed note"));
    assert!(ignored(&take(2, &world.signed(&note, "ab"))).contains("number 1"));
    assert_eq!(world.trusted(), "abc");

    world
        .trust
        .apply(world.signed(&note, "ab").as_bytes())
        .unwrap();
    let mut other = note.clone();
    other.add = world.verifiers("e");
    let fork = take(1, &world.signed(&other, "ab"));
    assert!(ignored(&fork).contains("two different ones"), "{fork:?}");
    let mut late = world.next("e", "");
    late.number = 4;
    assert!(ignored(&take(4, &world.signed(&late, "ab"))).contains("trust note 3"));
    assert_eq!(world.trusted(), "abd");
}

#[test]
fn a_false_signature_is_refused_before_anything() {
    let world = World::new("ab", 1);
    let note = world.signed(&world.next("d", ""), "a");
    let altered = note.replace("created 2026", "created 2025");
    let refused = world.trust.news(vec![carried(1, &altered)]).unwrap_err();
    assert_eq!(refused.exit(), Exit::Untrusted);
    assert!(refused.advice().unwrap().contains("altered"), "{refused}");
    // By a key that the note before it brings.
    let mut second = world.next("e", "");
    second.number = 2;
    let second = world.signed(&second, "d").replace("2026", "2025");
    assert!(
        world
            .trust
            .news(vec![carried(1, &note), carried(2, &second)])
            .is_err()
    );
    assert!(
        world.trust.news(vec![carried(2, &second)]).is_ok(),
        "nobody's signature"
    );
    assert_eq!(world.trusted(), "ab");
}

#[test]
fn where_trust_may_not_be_changed_a_note_waits() {
    let world = World::new("abc", 2);
    let first = world.next("d", "c");
    let mut second = world.next("", "a");
    second.number = 2;
    second.after = Some(first.sha256());
    let notes = [
        carried(1, &world.signed(&first, "ab")),
        carried(2, &world.signed(&second, "bd")),
    ];
    let taken = world.trust.take_where(&notes, false);
    let [
        Taken::Pending { path, command, .. },
        Taken::Pending { number: 2, .. },
    ] = taken.as_slice()
    else {
        panic!("{taken:?}");
    };
    assert!(command.contains("trust apply") && command.contains(path.to_str().unwrap()));
    assert_eq!(world.trusted(), "abc", "the old keys, until then");
    let pending = world.trust.pending().unwrap();
    assert_eq!(pending.len(), 2);
    assert!(
        pending.iter().all(|note| note.refused.is_none()),
        "{pending:?}"
    );

    // Another note of a number that waits: neither is preferred.
    let mut other = first.clone();
    other.add = world.verifiers("e");
    let other = carried(1, &world.signed(&other, "ab"));
    let fork = world.trust.take_where(&[other], false);
    assert!(ignored(&fork).contains("another trust note 1"), "{fork:?}");

    // What waits is only a file of the importing user's: it is judged anew.
    let good = fs::read_to_string(path).unwrap();
    fs::write(path, good.replace("2026", "2025")).unwrap();
    assert!(world.trust.pending().unwrap()[0].refused.is_some());
    assert!(
        world
            .trust
            .apply(read_note(path).unwrap().as_bytes())
            .is_err()
    );
    fs::write(path, good).unwrap();
    for waiting in world.trust.waiting().unwrap() {
        let note = waiting.note().unwrap();
        world.trust.apply(note.as_bytes()).unwrap();
    }
    assert_eq!(world.trusted(), "bd");
    world.trust.clear_pending();
    assert!(world.trust.waiting().unwrap().is_empty());
}

/// The importing user owns trust-pending, and whoever looks into it may be root.
#[test]
fn nothing_outside_of_the_folder_is_read_or_removed() {
    use std::os::unix::fs::symlink;
    let world = World::new("ab", 1);
    let note = world.next("c", "");
    let signed = world.signed(&note, "a");
    world.trust.apply(signed.as_bytes()).unwrap();
    let notes = world.trust.store.join("trust/notes");
    let waiting = world.trust.store.join("trust-pending");
    // The folder itself is a link to the notes that were applied, which are not to be waited for.
    symlink(&notes, &waiting).unwrap();
    assert!(world.trust.waiting().is_err());
    world.trust.clear_pending();
    assert_eq!(fs::read_dir(&notes).unwrap().count(), 1);
    fs::remove_file(&waiting).unwrap();
    // A file in it is a link, or a pipe that nobody writes to.
    fs::create_dir(&waiting).unwrap();
    symlink(notes.join("000001.note"), waiting.join("000001.note")).unwrap();
    let pipe = std::process::Command::new("mkfifo")
        .arg(waiting.join("000002.note"))
        .status();
    assert!(pipe.unwrap().success());
    let pending = world.trust.pending().unwrap();
    assert_eq!(pending.len(), 2);
    assert!(
        pending.iter().all(|note| note.refused.is_some()),
        "{pending:?}"
    );
    world.trust.clear_pending();
    assert_eq!(fs::read_dir(&notes).unwrap().count(), 1);
    assert_eq!(fs::read_dir(&waiting).unwrap().count(), 2);
}

#[test]
fn what_waits_and_is_accepted_no_more_makes_room_for_what_is() {
    let world = World::new("abc", 1);
    let (first, other) = (world.next("d", ""), world.next("e", ""));
    let stale = [carried(1, &world.signed(&first, "a"))];
    world.trust.take_where(&stale, false);
    assert_eq!(world.trust.pending().unwrap()[0].refused, None);
    // Its signer is trusted no more.
    world.trust.remove("a").unwrap();
    assert!(world.trust.pending().unwrap()[0].refused.is_some());
    for note in [first, other] {
        world.trust.take_where(&stale, false);
        let good = world.signed(&note, "b");
        let taken = world.trust.take_where(&[carried(1, &good)], false);
        assert!(matches!(&taken[..], [Taken::Pending { .. }]), "{taken:?}");
        assert_eq!(
            world.trust.waiting().unwrap().remove(0).note().unwrap(),
            good
        );
        fs::write(
            world.trust.waiting().unwrap()[0].path.clone(),
            &stale[0].note,
        )
        .unwrap();
    }
}
