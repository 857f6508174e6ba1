#![allow(clippy::unwrap_used)]
use super::*;

fn name(name: &str) -> DocumentName {
    DocumentName::new(name).unwrap()
}

fn written(documents: &[(&str, &[u8])]) -> (Vec<Vec<u8>>, Snapshot) {
    let mut writer = SnapshotWriter::new();
    let mut pieces = Vec::new();
    for (called, bytes) in documents {
        pieces.extend(writer.document(&name(called), bytes).unwrap());
    }
    let (last, snapshot) = writer.finish("2026-11-20T12:00:00Z");
    pieces.push(last);
    (pieces, snapshot)
}

/// Documents as they were read.
type Documents = Vec<(String, Vec<u8>)>;

fn read(pieces: &[&[u8]]) -> Result<(Documents, Snapshot), SnapshotError> {
    let mut reader = SnapshotReader::new();
    let mut documents = Vec::new();
    for piece in pieces {
        let of_piece = reader.piece(piece)?;
        documents.extend(
            of_piece
                .iter()
                .map(|(name, bytes)| (name.to_string(), bytes.to_vec())),
        );
    }
    Ok((documents, reader.finish("2026-11-20T12:00:00Z")))
}

#[test]
fn what_is_written_is_read() {
    let documents: [(&str, &[u8]); 3] = [
        ("ID/GO-2024-0001", b"{\n}"),
        ("index/db", b"{\"modified\":\"2026-11-20T12:00:00Z\"}\n"),
        ("index/modules", b"[]"),
    ];
    let (pieces, snapshot) = written(&documents);
    assert_eq!(
        pieces.concat(),
        b"modferry vulndb v1\nID/GO-2024-0001 3\n{\n}\nindex/db 36\n{\"modified\":\"2026-11-20T12:00:00Z\"}\n\nindex/modules 2\n[]\n"
    );
    assert_eq!(
        (snapshot.documents, snapshot.bytes),
        (3, pieces.concat().len() as u64)
    );
    assert_eq!(
        snapshot.sha256,
        <[u8; 32]>::from(Sha256::digest(pieces.concat()))
    );
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    let (back, as_read) = read(&pieces).unwrap();
    assert_eq!(as_read, snapshot);
    let back: Vec<(&str, &[u8])> = (back.iter()).map(|(n, b)| (&**n, &**b)).collect();
    assert_eq!(back, documents);
}

#[test]
fn where_it_is_cut_makes_no_difference() {
    let large = vec![b' '; PIECE / 2];
    let (pieces, snapshot) = written(&[
        ("ID/GO-2024-0001", &large),
        ("ID/GO-2024-0002", &large),
        ("index/db", b"{}"),
    ]);
    assert_eq!(pieces.len(), 2);
    let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
    assert_eq!(read(&pieces).unwrap().1, snapshot);
    assert_eq!(read(&[&pieces.concat()]).unwrap().1, snapshot);
    // One that is larger than a piece has one for itself.
    let (pieces, _) = written(&[
        ("ID/GO-2024-0001", &vec![b' '; PIECE + 1]),
        ("index/db", b"{}"),
    ]);
    assert_eq!(pieces.len(), 2);
    assert!(pieces[0].len() > PIECE && pieces[0].len() <= MAX_SNAPSHOT_PIECE);
}

#[test]
fn what_no_writer_writes_is_refused() {
    for (text, what) in [
        ("", "no line"),
        ("modferry vulndb v2\n", "format v2"),
        ("modferry vulndb v01\n", "want \"modferry vulndb v1\""),
        ("modferry vulndb v1\n", "without a document"),
        (
            "modferry vulndb v1\nindex/db\n{}\n",
            "a document's name and size",
        ),
        (
            "modferry vulndb v1\nindex/db 02\n{}\n",
            "a document's name and size",
        ),
        (
            "modferry vulndb v1\nindex/../db 2\n{}\n",
            "a document's name and size",
        ),
        ("modferry vulndb v1\nindex/db 2\n{}", "no line feed"),
        ("modferry vulndb v1\nindex/db 1\n{}\n", "no line feed"),
        (
            "modferry vulndb v1\nindex/db 4\n{}\n",
            "ends in the document",
        ),
        ("modferry vulndb v1\nindex/db 0\n\n", "want 1 to"),
        (
            "modferry vulndb v1\nindex/db 2\n{}\nindex/db 2\n{}\n",
            "there twice",
        ),
        (
            "modferry vulndb v1\nindex/db 2\n{}\nID/GO-2024-0001 2\n{}\n",
            "out of order",
        ),
        (
            "modferry vulndb v1\nindex/db 2\n{}\n\n",
            "a document's name and size",
        ),
    ] {
        let error = read(&[text.as_bytes()]).unwrap_err().to_string();
        assert!(error.contains(what), "{text:?}: {error}");
    }
    let long = format!(
        "modferry vulndb v1\nID/GO-2024-{} 2\n{{}}\n",
        "0".repeat(200)
    );
    assert!(read(&[long.as_bytes()]).is_err());
}

#[test]
fn a_document_has_8_mib_at_most() {
    let mut writer = SnapshotWriter::new();
    let mut bytes = vec![b' '; MAX_DOCUMENT];
    writer.document(&name("ID/GO-2024-0001"), &bytes).unwrap();
    bytes.push(b' ');
    let error = writer
        .document(&name("ID/GO-2024-0002"), &bytes)
        .unwrap_err();
    assert!(matches!(error, SnapshotError::Document { .. }));
    let mut text = format!("modferry vulndb v1\nID/GO-2024-0001 {MAX_DOCUMENT}\n").into_bytes();
    text.extend_from_slice(&bytes[1..]);
    text.push(b'\n');
    assert!(text.len() <= MAX_SNAPSHOT_PIECE);
    read(&[&text]).unwrap();
    // The same with one byte more.
    let (old, new) = (
        format!(" {MAX_DOCUMENT}\n"),
        format!(" {}\n ", MAX_DOCUMENT + 1),
    );
    let text = String::from_utf8(text).unwrap().replacen(&old, &new, 1);
    let error = read(&[text.as_bytes()]).unwrap_err();
    assert!(matches!(error, SnapshotError::Document { .. }), "{error}");
}

#[test]
fn a_database_has_65_536_documents_and_72_mib_at_most() {
    let mut text = Text {
        documents: MAX_DOCUMENTS - 1,
        ..Text::default()
    };
    text.admit(&name("ID/GO-2024-0001"), 1).unwrap();
    let error = text.admit(&name("ID/GO-2024-0002"), 1).unwrap_err();
    assert_eq!(error, SnapshotError::Documents);
    let mut text = Text {
        bytes: MAX_SNAPSHOT - 2,
        ..Text::default()
    };
    text.add(b"xx").unwrap();
    assert_eq!(text.add(b"x").unwrap_err(), SnapshotError::Bytes);
}
