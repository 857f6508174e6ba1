#![allow(clippy::unwrap_used)]

use super::*;
use crate::note::{SigningKey, sign};
use rand_core::OsRng;

const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn text() -> String {
    format!(
        "modferry receipt v1\ncreated 2026-11-21T09:00:00Z\nledger 9 {ROOT}\nmodules 412\nversions 903\n\
         mods 2210\nzips 903\nzip-bytes 1873220012\nhead a.example 0 {ROOT}\nhead sum.golang.org 4 {ROOT}\n\
         head sum.golang.org 31415926 {ROOT}\nstream edge 1 {SHA} 1\nstream platform 7 {SHA} 1-4,6-7\n"
    )
}

#[test]
fn what_parses_encodes_to_the_same_bytes() {
    let receipt = Receipt::parse(&text()).unwrap();
    assert_eq!(receipt.encode(), text());
    assert_eq!((receipt.ledger.size, receipt.totals.mods), (9, 2210));
    let stream = receipt.stream(&"platform".parse().unwrap()).unwrap();
    assert_eq!(stream.sequence.get(), 7);
    let has = |n| stream.bundles.contains(Sequence::new(n).unwrap());
    assert!(has(4) && !has(5));
    assert_eq!(receipt.stream(&"other".parse().unwrap()), None);
    // A store that has only just been made.
    let short = text().lines().take(8).collect::<Vec<_>>().join("\n") + "\n";
    assert_eq!(Receipt::parse(&short).unwrap().encode(), short);
}

#[test]
fn every_line_must_be_the_one_that_belongs_there() {
    let lines: Vec<String> = text().lines().map(str::to_owned).collect();
    let joined = |lines: &[String]| lines.join("\n") + "\n";
    for n in 0..lines.len() {
        let mut less = lines.clone();
        less.remove(n);
        if n < 8 {
            assert!(
                Receipt::parse(&joined(&less)).is_err(),
                "without line {}",
                n + 1
            );
        }
        let mut twice = lines.clone();
        twice.insert(n, lines[n].clone());
        assert!(
            Receipt::parse(&joined(&twice)).is_err(),
            "line {} twice",
            n + 1
        );
        let mut swapped = lines.clone();
        if n + 1 < lines.len() {
            swapped.swap(n, n + 1);
            assert!(
                Receipt::parse(&joined(&swapped)).is_err(),
                "lines {} and {}",
                n + 1,
                n + 2
            );
        }
        let mut longer = lines.clone();
        longer[n].push_str(" x");
        assert!(
            Receipt::parse(&joined(&longer)).is_err(),
            "line {} longer",
            n + 1
        );
    }
    for cut in 0..text().len() {
        // A text that ends with a whole head or stream line is another receipt.
        let whole = text()[..cut].ends_with('\n') && text()[..cut].lines().count() >= 8;
        assert_eq!(
            Receipt::parse(&text()[..cut]).is_ok(),
            whole,
            "the first {cut} bytes"
        );
    }
}

#[test]
fn malformed_values_are_refused() {
    let bad = [
        ("2026-11-21T09:00:00Z", "2026-11-21 09:00:00Z"),
        ("ledger 9 ", "ledger 09 "),
        ("ledger 9 ", "ledger 4611686018427387905 "),
        ("ledger 9 CsU", "ledger 9 csU="),
        ("modules 412", "modules -1"),
        ("zips 903", "zips 18446744073709551616"),
        ("head a.example", "head A B"),
        ("head a.example 0", "head z.example 0"),
        ("sum.golang.org 31415926", "sum.golang.org 4"),
        ("stream edge", "stream Edge"),
        ("stream edge", "stream zebra"),
        ("stream edge 1", "stream edge 0"),
        ("stream edge 1", "stream edge 01"),
        ("stream edge 1", "stream edge 2"),
        ("e3b0", "E3B0"),
        ("1-4,6-7", "1-4,5-7"),
        ("1-4,6-7", "1-4,6"),
        ("1-4,6-7", "none"),
        ("\nmodules", "\r\nmodules"),
        ("v1\n", "v1 \n"),
    ];
    for (from, to) in bad {
        let changed = text().replacen(from, to, 1);
        assert_ne!(changed, text(), "{from}");
        assert!(Receipt::parse(&changed).is_err(), "{to}");
    }
    let newer = text().replacen("v1", "v2", 1);
    assert_eq!(Receipt::parse(&newer), Err(ReceiptError::Newer("2".into())));
    let trees = |size: u64| text().replacen("ledger 9", &format!("ledger {size}"), 1);
    assert!(Receipt::parse(&trees(MAX_TREE_SIZE)).is_ok());
    assert!(Receipt::parse(&trees(MAX_TREE_SIZE + 1)).is_err());
}

#[test]
fn an_error_says_which_line() {
    let error = Receipt::parse(&text().replacen("zips 903", "zips many", 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 7 of the receipt: zips: want a number"
    );
    let error = Receipt::parse(&(text() + "later 1\n")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 14 of the receipt: want the end, have \"later 1\""
    );
}

#[test]
fn only_the_known_key_opens_it() {
    let [known, other] =
        ["receipt", "receipt"].map(|name| SigningKey::generate(name, &mut OsRng).unwrap());
    let note = sign(&text(), &[&known]).unwrap();
    let open = |note: &[u8]| Receipt::open(note, &[known.verifier()]);
    assert_eq!(open(&note).unwrap().encode(), text());
    assert!(matches!(
        open(&sign(&text(), &[&other]).unwrap()),
        Err(ReceiptError::Note(NoteError::Untrusted(_)))
    ));
    let changed = String::from_utf8(note)
        .unwrap()
        .replacen("mods 2210", "mods 2211", 1);
    assert!(matches!(
        open(changed.as_bytes()),
        Err(ReceiptError::Note(NoteError::BadSignature { .. }))
    ));
    let mut long = text().into_bytes();
    long.resize(MAX_RECEIPT + 1, b'x');
    assert_eq!(
        open(&long),
        Err(ReceiptError::Note(NoteError::TooLong(MAX_RECEIPT + 1)))
    );
    assert_ne!(
        open(&long[..MAX_RECEIPT]),
        Err(ReceiptError::Note(NoteError::TooLong(MAX_RECEIPT)))
    );
}
