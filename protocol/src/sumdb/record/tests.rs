#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

const ZIP: &str = "h1:qmsfFRvJxVTd7xQkRD6HDhqYQTVnyyW0Zt2LG3RnuBw=";
const MOD: &str = "h1:mGSoh0ZHHD8ORK2WJyRtLn8aLJI7LFRrjRBh7cDHKGc=";

fn module() -> ModuleVersion {
    "example.com/a@v1.0.0".parse().unwrap()
}

/// A record of these lines.
fn record(lines: &[String]) -> Result<Record, RecordError> {
    let text = lines.concat();
    Record::parse(format!("41\n{text}\n").as_bytes(), &module())
}

fn zip_line() -> String {
    format!("example.com/a v1.0.0 {ZIP}\n")
}

fn mod_line() -> String {
    format!("example.com/a v1.0.0/go.mod {MOD}\n")
}

#[test]
fn a_record_has_both_hashes() {
    let record = record(&[zip_line(), mod_line()]).unwrap();
    assert_eq!(record.id(), 41);
    assert_eq!(record.zip().to_string(), ZIP);
    assert_eq!(record.go_mod().to_string(), MOD);
    let text = zip_line() + &mod_line();
    assert_eq!(record.text(), text.as_bytes());
    assert_eq!(record.hash(), record_hash(text.as_bytes()));
    assert_eq!(record.encode(), format!("41\n{text}\n").into_bytes());
    let made = Record::new(41, &module(), record.zip(), record.go_mod()).unwrap();
    assert_eq!(made, record);
}

#[test]
fn further_lines_are_no_matter() {
    let other = format!("example.com/a v1.0.0-pre {MOD}\n");
    let prefix = format!("example.com/a/b v1.0.0 {MOD}\n");
    let later = "example.com/a v1.0.0 h2:whatever\n".to_string();
    let record = record(&[other, later, mod_line(), prefix, zip_line()]).unwrap();
    assert_eq!(record.zip().to_string(), ZIP);
    assert_eq!(record.go_mod().to_string(), MOD);
}

#[test]
fn each_of_the_two_lines_must_be_there_once() {
    let zip = "example.com/a v1.0.0".to_string();
    let go_mod = "example.com/a v1.0.0/go.mod".to_string();
    let missing = [
        (vec![], &zip),
        (vec![mod_line()], &zip),
        (vec![zip_line()], &go_mod),
        (vec![format!(" {}", zip_line()), mod_line()], &zip),
        (vec![zip_line().replace("h1:", "h2:"), mod_line()], &zip),
        (vec![zip_line().replace("a v1", "a  v1"), mod_line()], &zip),
        (vec![zip_line(), mod_line().replace("/go.mod", "")], &go_mod),
    ];
    for (mut lines, what) in missing {
        lines.push("x\n".into());
        let twice = lines
            .iter()
            .filter(|line| line.starts_with("example.com/a v1.0.0 h1"))
            .count()
            > 1;
        let want = match twice {
            true => RecordError::Twice(zip.clone()),
            false => RecordError::Missing(what.clone()),
        };
        assert_eq!(record(&lines), Err(want), "{lines:?}");
    }
    assert_eq!(
        record(&[zip_line(), mod_line(), zip_line()]),
        Err(RecordError::Twice(zip.clone()))
    );
    assert_eq!(
        record(&[zip_line(), mod_line(), mod_line()]),
        Err(RecordError::Twice(go_mod))
    );
    assert_eq!(
        record(&[zip_line().replace("=\n", " =\n"), mod_line()]),
        Err(RecordError::Hash(zip))
    );
}

#[test]
fn malformed_records_are_refused() {
    let text = zip_line() + &mod_line();
    let parse = |bytes: &[u8]| Record::parse(bytes, &module()).unwrap_err();
    for id in [
        "",
        "041",
        "+41",
        "-41",
        " 41",
        "41 ",
        "x",
        "4611686018427387904",
        "99999999999999999999",
    ] {
        let bytes = format!("{id}\n{text}\n");
        assert_eq!(parse(bytes.as_bytes()), RecordError::Id, "{id:?}");
    }
    let last = format!("{}\n{text}\n", MAX_TREE_SIZE - 1);
    assert_eq!(
        Record::parse(last.as_bytes(), &module()).unwrap().id(),
        MAX_TREE_SIZE - 1
    );
    assert_eq!(parse(b""), RecordError::Id);
    assert_eq!(parse(b"41"), RecordError::Id);
    assert_eq!(parse(b"41\n"), RecordError::Unfinished);
    assert_eq!(
        parse(format!("41\n{text}").as_bytes()),
        RecordError::Unfinished
    );
    assert_eq!(
        parse(format!("41\n{text}\nx").as_bytes()),
        RecordError::Behind
    );
    assert_eq!(
        parse(format!("41\n{text}\n\n").as_bytes()),
        RecordError::Behind
    );
    assert_eq!(
        parse(format!("41\n\r{text}\n").as_bytes()),
        RecordError::Text
    );
    assert_eq!(parse(b"41\n\xff\n\n"), RecordError::Text);
}

#[test]
fn the_length_has_a_limit() {
    let with = |extra: usize| {
        let front = format!("41\n{}{}", zip_line(), mod_line());
        let line = "x".repeat(MAX_RECORD + extra - front.len() - 2);
        format!("{front}{line}\n\n").into_bytes()
    };
    assert_eq!(with(0).len(), MAX_RECORD);
    assert!(Record::parse(&with(0), &module()).is_ok());
    assert_eq!(
        Record::parse(&with(1), &module()),
        Err(RecordError::TooLong(MAX_RECORD + 1))
    );
    assert!(split_lookup(&with(0)).is_ok());
    assert_eq!(
        split_lookup(&with(1)),
        Err(RecordError::TooLong(MAX_RECORD + 1))
    );
}

#[test]
fn a_lookup_splits_at_the_records_blank_line() {
    let record = format!("41\n{}{}\n", zip_line(), mod_line());
    let note = "go.sum database tree\n…\n\n— sum AAAA\n";
    let answer = format!("{record}{note}");
    assert_eq!(
        split_lookup(answer.as_bytes()),
        Ok((record.as_bytes(), note.as_bytes()))
    );
    assert_eq!(
        split_lookup(record.as_bytes()),
        Ok((record.as_bytes(), b"".as_slice()))
    );
    assert_eq!(
        split_lookup(b"not found: no such module"),
        Err(RecordError::Id)
    );
}

proptest! {
    #[test]
    fn records_round_trip(id in 0..MAX_TREE_SIZE, zip: [u8; 32], go_mod: [u8; 32]) {
        let record = Record::new(id, &module(), H1::from_bytes(zip), H1::from_bytes(go_mod)).unwrap();
        prop_assert_eq!(Record::parse(&record.encode(), &module()), Ok(record));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, text in "[0-9]{0,3}\n[a-z ./:1\n]{0,60}\n\n?.*") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            if let Ok((record, note)) = split_lookup(bytes) {
                prop_assert_eq!(&[record, note].concat(), bytes);
            }
            let _ = Record::parse(bytes, &module());
        }
    }
}
