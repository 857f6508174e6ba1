#![allow(clippy::unwrap_used)]
use super::*;
use crate::basis::testing::{Stream, module};

/// `all a zip b` of a new bundle.
fn tombstones(stream: &Stream, taken_in: &str, selected: &[(&str, Level)], prune: bool) -> String {
    let exported = stream.exported();
    let mut claims = Claims::of(&exported, &taken_in.parse().unwrap()).unwrap();
    for (name, level) in selected {
        claims.select(&module(name), *level);
    }
    let found = claims.tombstones(&exported, prune).unwrap();
    let words = found.iter().map(|(module, gone)| {
        let word = if *gone == Gone::All { "all" } else { "zip" };
        format!(
            "{word} {}",
            module.path().as_str().trim_start_matches("m.test/")
        )
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn pruning_takes_back_what_is_not_selected() {
    let stream = Stream::new();
    stream.next(&["whole a", "whole b", "whole c"], &[]);
    stream.next(&["selectable d"], &[]);
    let selected = [
        ("a", Level::Whole),
        ("b", Level::Mod),
        ("new", Level::Whole),
    ];
    assert_eq!(
        tombstones(&stream, "1-2", &selected, true),
        "zip b all c all d"
    );
    assert_eq!(tombstones(&stream, "1-2", &selected, false), "");
    // Also of what may not have arrived: it may come yet.
    assert_eq!(
        tombstones(&stream, "1", &selected, true),
        "zip b all c all d"
    );
}

#[test]
fn what_was_taken_back_is_not_taken_back_twice() {
    let stream = Stream::new();
    stream.next(&["whole a", "whole b"], &[]);
    stream.next(&[], &["all a", "zip b"]);
    for prune in [true, false] {
        let selected = [("b", Level::Listed)];
        assert_eq!(tombstones(&stream, "1-2", &selected, prune), "");
    }
    assert_eq!(tombstones(&stream, "1-2", &[], true), "all b");
    // Carried again, and so there again.
    stream.next(&["whole a"], &[]);
    assert_eq!(
        tombstones(&stream, "1-3", &[("b", Level::Mod)], true),
        "all a"
    );
}

#[test]
fn a_tombstone_that_may_not_have_arrived_is_said_again() {
    let stream = Stream::new();
    stream.next(&["whole a", "whole b", "whole c"], &[]);
    stream.next(&["whole d"], &["all a", "zip b"]);
    assert_eq!(tombstones(&stream, "1", &[], false), "all a zip b");
    assert_eq!(tombstones(&stream, "1-2", &[], false), "");
    // Unless it is selected again.
    let again = [("a", Level::Mod), ("b", Level::Whole)];
    assert_eq!(tombstones(&stream, "1", &again, false), "zip a");
    // Or was carried again since.
    stream.next(&["whole a"], &[]);
    assert_eq!(tombstones(&stream, "1,3", &[], false), "zip b");
}

#[test]
fn what_was_carried_since_a_bundle() {
    let stream = Stream::new();
    stream.next(&["whole a"], &[]);
    stream.next(&["selectable b", "listed c", "whole d", "whole e"], &[]);
    stream.next(&["zip b"], &["all d", "zip e"]);
    let since = |n| -> Vec<(String, Level)> {
        carried_since(&stream.exported(), Sequence::new(n).unwrap())
            .unwrap()
            .into_iter()
            .map(|(module, level)| (module.path().as_str().replace("m.test/", ""), level))
            .collect()
    };
    let named = |pairs: &[(&str, Level)]| -> Vec<(String, Level)> {
        pairs
            .iter()
            .map(|(name, level)| ((*name).to_owned(), *level))
            .collect()
    };
    let (whole, listed) = (Level::Whole, Level::Listed);
    assert_eq!(
        since(1),
        named(&[("a", whole), ("b", whole), ("c", listed), ("e", listed)])
    );
    assert_eq!(
        since(2),
        named(&[("b", whole), ("c", listed), ("e", listed)])
    );
    assert_eq!(since(3), named(&[("b", whole)]));
    assert_eq!(since(4), []);
}

#[test]
fn files_are_taken_back_as_modules_are() {
    let stream = Stream::new();
    stream.next(&["whole a", "file a.tar", "file b.tar", "file c.tar"], &[]);
    stream.next(&["gone-file c.tar"], &[]);
    let gone = |taken_in: &str, selected: &[&str], prune| -> Vec<String> {
        let mut claims = Claims::of(&stream.exported(), &taken_in.parse().unwrap()).unwrap();
        for name in selected {
            claims.select_file(&name.parse().unwrap());
        }
        let gone = claims.gone_files(prune).into_iter();
        gone.map(|name| name.to_string()).collect()
    };
    assert_eq!(gone("1-2", &["a.tar"], true), ["b.tar"]);
    assert!(gone("1-2", &["a.tar"], false).is_empty());
    assert!(gone("1-2", &["a.tar", "b.tar", "new.tar"], true).is_empty());
    // What may not have arrived is said again, unless it is selected again.
    assert_eq!(gone("1", &["a.tar"], false), ["c.tar"]);
    assert!(gone("1", &["c.tar"], false).is_empty());
    // Or was carried again since.
    stream.next(&["file c.tar"], &[]);
    assert!(gone("1,3", &[], false).is_empty());
    assert_eq!(gone("1-3", &["a.tar", "b.tar"], true), ["c.tar"]);
}
