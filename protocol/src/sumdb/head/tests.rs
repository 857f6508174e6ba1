#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::note::SUM_GOLANG_ORG;
use crate::note::SigningKey;

const EMPTY: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

#[test]
fn lines_behind_the_three_are_given_back() {
    let text = format!("go.sum database tree\n5\n{EMPTY}\n");
    let head = TreeHead {
        size: 5,
        hash: Hash::EMPTY_TREE,
    };
    assert_eq!(TreeHead::parse_front(&text), Ok((head, "")));
    assert_eq!(
        TreeHead::parse_front(&format!("{text}more\n")),
        Ok((head, "more\n"))
    );
    assert!(TreeHead::parse_front(text.trim_end()).is_err());
}

#[test]
fn a_head_has_three_lines_in_one_spelling() {
    let text = format!("go.sum database tree\n5\n{EMPTY}\n");
    let head = TreeHead {
        size: 5,
        hash: Hash::EMPTY_TREE,
    };
    assert_eq!(TreeHead::parse(&text), Ok(head));
    assert_eq!(head.encode(), text);
    let malformed = [
        String::new(),
        "go.sum database tree\n".into(),
        "go.sum database tree\n5\n".into(),
        format!("go.sum database tree\n5\n{EMPTY}"),
        format!("go.sum database tree\n05\n{EMPTY}\n"),
        format!("go.sum database tree\n+5\n{EMPTY}\n"),
        format!("go.sum database tree\n-5\n{EMPTY}\n"),
        format!("go.sum database tree\n 5\n{EMPTY}\n"),
        format!("go.sum database tree\n\n{EMPTY}\n"),
        format!("go.sum database tree\n18446744073709551616\n{EMPTY}\n"),
        format!("go.sum database tree\n5\n{}\n", &EMPTY[1..]),
        format!("go.sum database tree\r\n5\r\n{EMPTY}\r\n"),
        format!("go.sum database tree v2\n5\n{EMPTY}\n"),
        format!("{text}more\n"),
        format!("{text}\n"),
    ];
    for text in malformed {
        assert_eq!(
            TreeHead::parse(&text),
            Err(TreeHeadError::Malformed),
            "{text:?}"
        );
    }
}

#[test]
fn the_size_has_a_limit() {
    let text = |size: u64| format!("go.sum database tree\n{size}\n{EMPTY}\n");
    assert!(TreeHead::parse(&text(MAX_TREE_SIZE)).is_ok());
    assert_eq!(
        TreeHead::parse(&text(MAX_TREE_SIZE + 1)),
        Err(TreeHeadError::TooLarge)
    );
}

fn key() -> SigningKey {
    // Not a secret of anything.
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
        .parse()
        .unwrap()
}

#[test]
fn a_signed_head_keeps_its_note_byte_for_byte() {
    let head = TreeHead {
        size: 7,
        hash: Hash::EMPTY_TREE,
    };
    let note = note::sign(&head.encode(), &[&key()]).unwrap();
    let signed = SignedHead::open(&note, &key().verifier()).unwrap();
    assert_eq!(signed.head(), head);
    assert_eq!(signed.note(), note);

    let grown = note::sign(&format!("{}more\n", head.encode()), &[&key()]).unwrap();
    let signed = SignedHead::open(&grown, &key().verifier()).unwrap();
    assert_eq!(signed.head(), head, "further lines are passed over");
    assert_eq!(signed.note(), grown);
}

#[test]
fn a_head_is_refused_for_its_signature_or_its_text() {
    let head = TreeHead {
        size: 7,
        hash: Hash::EMPTY_TREE,
    };
    let note = note::sign(&head.encode(), &[&key()]).unwrap();
    let other = SUM_GOLANG_ORG.parse().unwrap();
    let error = SignedHead::open(&note, &other).unwrap_err();
    assert!(matches!(
        error,
        HeadError::Note {
            source: NoteError::Untrusted(_),
            ..
        }
    ));
    let mut changed = note.clone();
    changed[21] = b'8';
    let error = SignedHead::open(&changed, &key().verifier()).unwrap_err();
    assert!(matches!(
        error,
        HeadError::Note {
            source: NoteError::BadSignature { .. },
            ..
        }
    ));
    let text = note::sign("go.sum database tree\n7\n", &[&key()]).unwrap();
    let error = SignedHead::open(&text, &key().verifier()).unwrap_err();
    assert!(matches!(error, HeadError::Text { .. }));
}

proptest! {
    #[test]
    fn heads_round_trip(size in 0..=MAX_TREE_SIZE, hash: [u8; 32]) {
        let head = TreeHead { size, hash: Hash(hash) };
        prop_assert_eq!(TreeHead::parse(&head.encode()), Ok(head));
    }

    #[test]
    fn what_parses_is_written_the_same(text in "(go.sum database tree\n)?([0-9]{0,20}\n)?[A-Za-z0-9+/=]{0,44}\n?") {
        if let Ok(head) = TreeHead::parse(&text) {
            prop_assert_eq!(head.encode(), text);
        }
    }
}
