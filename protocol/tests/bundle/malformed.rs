//! One file for each malformed manifest, index, list and trust note, with the error that it must get.
//!
//! The first line of each file is `# want: ` and a piece of the error, or `ok`; what follows is the input, byte
//! for byte. What is `ok` must encode to the same bytes again.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use modferry_protocol::bundle::{
    BasesReader, Gone, IndexReader, Level, ListError, ListKind, ListReader, Manifest, bases_texts,
    encode_index, list_texts,
};
use modferry_protocol::trust::TrustNote;

use super::common::chain;

/// Calls `check` with every file's name and input; its answer is the bytes that the input encodes to, or the error.
fn each(folder: &str, at_least: usize, check: impl Fn(&str, &[u8]) -> Result<Vec<u8>, String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/bundle")
        .join(folder);
    let mut wrong = Vec::new();
    let mut seen = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let newline = bytes.iter().position(|b| *b == b'\n').unwrap();
        let first = std::str::from_utf8(&bytes[..newline]).unwrap();
        let want = first.strip_prefix("# want: ").unwrap();
        let input = &bytes[newline + 1..];
        let name = path.file_name().unwrap().to_str().unwrap();
        let fits = match check(name, input) {
            Ok(again) => want == "ok" && again == input,
            Err(error) => want != "ok" && error.contains(want),
        };
        if !fits {
            wrong.push(format!(
                "{}\n  want {want}\n  have {:?}",
                path.display(),
                check(name, input).map(drop)
            ));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= at_least, "only {seen} files");
}

#[test]
fn manifests() {
    each("manifest", 142, |_, input| {
        let text = std::str::from_utf8(input).unwrap();
        Manifest::parse(text)
            .map(|m| m.encode().into_bytes())
            .map_err(|e| chain(&e))
    });
}

#[test]
fn trust_notes() {
    each("trust-note", 41, |_, input| {
        let text = std::str::from_utf8(input).unwrap();
        TrustNote::parse(text)
            .map(|note| note.encode().into_bytes())
            .map_err(|e| chain(&e))
    });
}

#[test]
fn indexes() {
    each("index", 171, |_, input| {
        let entries: Result<Vec<_>, _> = IndexReader::new(input).collect();
        entries
            .map(|entries| encode_index(&entries).unwrap())
            .map_err(|e| chain(&e))
    });
}

/// A text that is read alone, and written again.
fn again<K: ListKind>(text: &[u8]) -> Result<Vec<u8>, ListError> {
    let lines = ListReader::<K>::new().text(text)?;
    let texts: Result<Vec<_>, _> = list_texts(lines).collect();
    Ok(texts.unwrap().concat())
}

#[test]
fn lists() {
    each("list", 59, |name, input| {
        let again = if name.starts_with("needs-") {
            again::<Level>(input)
        } else if name.starts_with("bases-") {
            let bases = BasesReader::new().text(input);
            bases.map(|bases| bases_texts(&bases).unwrap().concat())
        } else {
            again::<Gone>(input)
        };
        again.map_err(|e| chain(&e))
    });
}

#[test]
fn after_an_error_an_index_has_nothing_more_to_say() {
    let mut index = IndexReader::new(&b"modferry index v1\nnonsense\nentry raw 1 00\n"[..]);
    assert!(index.next().unwrap().is_err());
    assert!(index.next().is_none());
}
