#![allow(clippy::unwrap_used)]
use super::*;
use crate::basis::testing::{Stream, db, module};

fn held(stream: &Stream, taken_in: &str) -> Holdings {
    Holdings::of(&stream.exported(), &taken_in.parse().unwrap(), &db()).unwrap()
}

fn parts(holdings: &Holdings, name: &str) -> &'static str {
    let parts = holdings.parts(&module(name));
    match parts {
        Parts(0) => "nothing",
        _ if parts.has(Parts::WHOLE) => "whole",
        _ if parts == Parts::FOR_SELECTION => "selectable",
        _ if parts.has(Parts::FOR_SELECTION) && parts.has(Parts::INFO) => "listed",
        _ => "pieces",
    }
}

#[test]
fn parts_add_up_over_bundles() {
    let stream = Stream::new();
    stream.next(&["whole a", "selectable b", "mod c"], &[]);
    stream.next(&["info b", "record c"], &[]);
    stream.next(&["zip b"], &[]);
    let one = held(&stream, "1");
    assert_eq!(
        ["a", "b", "c", "d"].map(|m| parts(&one, m)),
        ["whole", "selectable", "pieces", "nothing"]
    );
    let two = held(&stream, "1-2");
    assert_eq!(["b", "c"].map(|m| parts(&two, m)), ["listed", "selectable"]);
    assert_eq!(parts(&held(&stream, "1-3"), "b"), "whole");
    // One that got lost has brought nothing.
    assert_eq!(parts(&held(&stream, "1,3"), "b"), "pieces");
    assert_eq!(parts(&held(&stream, "none"), "a"), "nothing");
    assert!(held(&stream, "1-3").notes.is_empty());
}

#[test]
fn a_tombstone_counts_against_what_came_before_it() {
    let stream = Stream::new();
    stream.next(&["whole a", "whole b", "whole c"], &[]);
    stream.next(&[], &["all a", "zip b"]);
    stream.next(&["whole a"], &[]);
    let two = held(&stream, "1-2");
    assert_eq!(
        ["a", "b", "c"].map(|m| parts(&two, m)),
        ["nothing", "listed", "whole"]
    );
    let three = held(&stream, "1-3");
    assert_eq!(
        ["a", "b", "c"].map(|m| parts(&three, m)),
        ["whole", "listed", "whole"]
    );
    // It may have arrived, although nobody says so.
    let unsure = held(&stream, "1");
    assert_eq!(
        ["a", "b", "c"].map(|m| parts(&unsure, m)),
        ["nothing", "listed", "whole"]
    );
}

#[test]
fn tiles_count_at_their_widest() {
    let stream = Stream::new();
    stream.next(&["tile 0 5 256", "tile 0 9 17", "tile 1 0 9"], &[]);
    stream.next(&["tile 0 9 200", "tile 1 0 12"], &[]);
    stream.next(&["tile 0 9 100"], &[]);
    let tile = |level, index, width| Tile::new(8, level, index, width).unwrap();
    for (taken_in, width) in [
        ("1", 17),
        ("1-2", 200),
        ("2", 200),
        ("1-3", 200),
        ("2-3", 200),
    ] {
        let held = held(&stream, taken_in);
        assert!(held.has_tile(&tile(0, 9, width)) && held.has_tile(&tile(0, 9, 1)));
        assert!(!held.has_tile(&tile(0, 9, width + 1)));
        assert_eq!(held.has_tile(&tile(0, 5, 256)), taken_in.starts_with('1'));
        assert!(!held.has_tile(&tile(1, 9, 1)) && !held.has_tile(&tile(2, 0, 1)));
    }
    // Of another height, or of records' text, no bundle carries one.
    assert!(!held(&stream, "1").has_tile(&Tile::new(4, 0, 5, 1).unwrap()));
    assert!(!held(&stream, "1").has_tile(&Tile::new_data(8, 5, 1).unwrap()));
    let other = DbName::new("sum.other.org").unwrap();
    let other = Holdings::of(&stream.exported(), &"1".parse().unwrap(), &other).unwrap();
    assert!(!other.has_tile(&tile(0, 5, 256)));
}

#[test]
fn what_the_state_lost_is_not_held_and_said() {
    let stream = Stream::new();
    stream.next(&["whole a"], &[]);
    stream.next(&["whole b"], &[]);
    stream.next(&["whole c"], &["all x"]);
    stream.next(&["whole d"], &[]);
    let all = ["a", "b", "c", "d"];
    std::fs::remove_file(stream.file(2, "index")).unwrap();
    let found = held(&stream, "1-4");
    assert_eq!(
        all.map(|m| parts(&found, m)),
        ["whole", "nothing", "whole", "whole"]
    );
    assert!(
        found.notes.len() == 1 && found.notes[0].contains("index of bundle 2"),
        "{:?}",
        found.notes
    );
    // One that has changed is as good as lost.
    std::fs::rename(stream.file(4, "index"), stream.file(2, "index")).unwrap();
    let found = held(&stream, "1-4");
    assert_eq!(["b", "d"].map(|m| parts(&found, m)), ["nothing", "nothing"]);
    assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
    std::fs::rename(stream.file(2, "index"), stream.file(4, "index")).unwrap();
    let tombstones = stream.file(3, "tombstones");
    for changed in [None, Some(""), Some("modferry tombstones v1\n")] {
        match changed {
            None => std::fs::remove_file(&tombstones).unwrap(),
            Some(text) => std::fs::write(&tombstones, text).unwrap(),
        }
        let found = held(&stream, "1-4");
        assert_eq!(
            all.map(|m| parts(&found, m)),
            ["nothing", "nothing", "whole", "whole"]
        );
        assert!(
            found
                .notes
                .iter()
                .any(|note| note.contains("bundle 3 took back")),
            "{:?}",
            found.notes
        );
    }
}

#[test]
fn files_are_held_until_they_are_taken_back_and_their_names_for_good() {
    let stream = Stream::new();
    stream.next(&["file a.tar", "file b.tar"], &[]);
    stream.next(&["gone-file b.tar"], &[]);
    let [a, b] = ["a.tar", "b.tar"].map(|name| name.parse::<FileName>().unwrap());
    // Also where it is not known to have arrived: that costs no more than bytes.
    for taken_in in ["1-2", "1"] {
        let held = held(&stream, taken_in);
        assert!(
            held.file(&a).is_some() && held.file(&b).is_none(),
            "{taken_in}"
        );
        assert!(held.ever(&b).is_some());
    }
    assert!(held(&stream, "2").file(&a).is_none());
    stream.next(&["file b.tar"], &[]);
    assert!(held(&stream, "1-3").file(&b).is_some());
}

#[test]
fn a_vulnerability_database_of_a_time_that_has_not_come_is_not_counted_on() {
    let stream = Stream::new();
    for modified in [
        "2024-01-02T00:00:00Z",
        "9999-01-01T00:00:00Z",
        "2024-01-01T00:00:00Z",
    ] {
        stream.vulndb.set(Some(modified));
        stream.next(&[], &[]);
    }
    for (taken_in, want) in [
        ("1", Some("2024-01-02T00:00:00Z")),
        ("2", None),
        ("1-2", Some("2024-01-02T00:00:00Z")),
        ("2-3", Some("2024-01-01T00:00:00Z")),
        ("1-3", Some("2024-01-02T00:00:00Z")),
    ] {
        let held = held(&stream, taken_in);
        let held = held.vulndb().map(|held| held.modified.as_str());
        assert_eq!(held, want, "{taken_in}");
    }
}
