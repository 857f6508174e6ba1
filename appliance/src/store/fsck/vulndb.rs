//! The vulnerability database: the one that the imports make, and all of it.

use super::{Run, keys};
use flate2::bufread::GzDecoder;
use modferry_protocol::bundle::{DocumentName, MAX_DOCUMENT, SnapshotWriter};
use std::io::Read;

impl Run<'_> {
    /// Makes the database's text anew from the documents, whose hash is in the signed manifest of the bundle that brought it.
    /// The ledger must have been read.
    pub(super) fn vulndb(&mut self) {
        let expected = self.vulndb.take();
        let held = self.view.vulndb();
        let Some(held) = self.sound(|| "the vulnerability database".into(), held) else {
            return;
        };
        if held != expected {
            self.found("the vulnerability database is not the newest that was imported");
        }
        let mut writer = SnapshotWriter::new();
        let mut documents = 0;
        // The one whose compressed form has to come next.
        let mut plain: Option<(DocumentName, Vec<u8>)> = None;
        self.each(
            &keys::all_documents(),
            "documents of the vulnerability database",
            |run, key, value| match (keys::parse(key), plain.take()) {
                (Some(keys::Named::Document(name, false)), before) => {
                    if let Some((before, _)) = before {
                        run.found(format!("{before} is not there in its compressed form"));
                    }
                    documents += 1;
                    // A piece that is full is not needed: the writer has hashed it.
                    let written = writer.document(&name, value);
                    if let Err(error) = written {
                        run.found(format!("{name}: {error}"));
                    }
                    plain = Some((name, value.to_vec()));
                }
                (Some(keys::Named::Document(name, true)), before) => {
                    let inflated = inflated(value);
                    if !before.is_some_and(|(of, json)| of == name && inflated == Some(json)) {
                        run.found(format!("{name} is another document in its compressed form"));
                    }
                }
                _ => run.found("a document's key that names none"),
            },
        );
        if let Some((last, _)) = plain {
            self.found(format!("{last} is not there in its compressed form"));
        }
        let whole = match &held {
            Some(held) => writer.finish(&held.snapshot.modified).1 == held.snapshot,
            None => documents == 0,
        };
        if !whole {
            self.found("the vulnerability database is not the one that was imported");
        }
        self.checked(
            "documents of the vulnerability database are those of the newest",
            documents,
        );
    }
}

/// What a document is in its other form; `None` where it cannot be that of any.
fn inflated(packed: &[u8]) -> Option<Vec<u8>> {
    let mut json = Vec::new();
    let mut decoder = GzDecoder::new(packed).take(MAX_DOCUMENT as u64 + 1);
    decoder.read_to_end(&mut json).ok()?;
    // Nothing behind it.
    decoder.into_inner().into_inner().is_empty().then_some(json)
}
