//! The texts of records and of tree heads.

use modferry_protocol::module::ModuleVersion;
use modferry_protocol::sumdb::{MAX_TREE_SIZE, Record, RecordError, TreeHead, split_lookup};

use super::{bytes, replay, text};

#[test]
fn records_and_tree_heads_are_read_and_written_as_the_reference_does() {
    let least = [
        ("FormatRecord", 48),
        ("ParseRecord", 300),
        ("FormatTree", 40),
        ("ParseTree", 250),
    ];
    let module: ModuleVersion = "example.com/a@v1.0.0".parse().unwrap();
    replay("sumdb_texts.jsonl", &least, |vector| {
        let arguments = &vector.arguments;
        match vector.f.as_str() {
            "FormatRecord" => {
                // What we write comes from a Record, so compare through reading: a text is a record's if and only if
                // the reference would write it.
                let message =
                    [arguments[0].as_bytes(), b"\n", &bytes(&arguments[1]), b"\n"].concat();
                let split = split_lookup(&message).ok();
                let whole =
                    split.is_some_and(|(record, note)| record == message && note.is_empty());
                assert_eq!(whole, vector.ok, "{vector:?}");
                if vector.ok {
                    assert_eq!(message, bytes(&vector.out[0]));
                }
            }
            "ParseRecord" => {
                let message = bytes(&arguments[0]);
                let split = split_lookup(&message);
                if !vector.ok {
                    assert!(split.is_err(), "{vector:?}");
                    assert!(Record::parse(&message, &module).is_err(), "{vector:?}");
                    return;
                }
                let [id, body, rest] = vector.out.as_slice() else {
                    panic!("{vector:?}");
                };
                let record = [id.as_bytes(), b"\n", &bytes(body), b"\n"].concat();
                match split {
                    Ok(found) => assert_eq!(found, (&*record, &*bytes(rest)), "{vector:?}"),
                    // The reference also takes leading zeros, signs, and so negative numbers.
                    Err(error) => {
                        assert_eq!(error, RecordError::Id, "{vector:?}");
                        assert!(
                            id.starts_with('-') || !message.starts_with(&record),
                            "{vector:?}"
                        );
                    }
                }
            }
            "FormatTree" => {
                let (size, hash) = (arguments[0].parse().unwrap(), arguments[1].parse().unwrap());
                let encoded = TreeHead { size, hash }.encode();
                assert_eq!(encoded.into_bytes(), bytes(&vector.out[0]));
            }
            "ParseTree" => {
                let found = text(&arguments[0]).and_then(|text| TreeHead::parse(&text).ok());
                // The reference also takes Base64 with loose ends, and further lines, as SignedHead::open does.
                let want = vector.ok.then(|| -> Option<TreeHead> {
                    let (size, hash) = (
                        vector.out[0].parse().unwrap(),
                        vector.out[1].parse().unwrap(),
                    );
                    let head = TreeHead { size, hash };
                    let same = head.encode().into_bytes() == bytes(&arguments[0]);
                    (same && size <= MAX_TREE_SIZE).then_some(head)
                });
                assert_eq!(found, want.flatten(), "{vector:?}");
            }
            _ => {}
        }
    });
}
