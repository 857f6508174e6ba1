//! A wants file as a part of the selection: what somebody behind the gap lacks.
//!
//! It is a wish, and no order: everything in it is resolved, fetched and proven as if it stood on the command line. So a
//! file without a signature is taken, as one typed by hand, and that is told. A signature is checked where the key of
//! the destination's receipts is known, to notice that a file is not what the appliance wrote; one that is not good
//! stops the export, because somebody has changed the file after it was signed and has not said so.

use std::path::Path;

use modferry_cli::wants::{self, Entry, Signer};
use modferry_protocol::note::VerifierKey;

use crate::error::Error;

/// Reads the wants of a file, in their order, and what to tell about it. `receipt_key` is the key that the
/// destination's receipts are signed with, if it is known.
pub fn read(
    path: &Path,
    receipt_key: Option<&VerifierKey>,
) -> Result<(Vec<Entry>, Vec<String>), Error> {
    let bytes = wants::read(path)?;
    let file = wants::open(path, &bytes, receipt_key.map_or(&[], std::slice::from_ref))?;
    let name = path.display();
    let mut notes = Vec::new();
    match &file.signer {
        Signer::Known(_) => {}
        Signer::Nobody => notes.push(format!("{name} has no signature: taken as typed by hand")),
        Signer::Unknown(by) => notes.push(format!(
            "{name} says that {} signed it, and no key is known here to check that: taken as typed by hand; \
             --receipt-key FILE names the key",
            by.join(", ")
        )),
    }
    if file.wants.wants.is_empty() {
        notes.push(format!(
            "{name} asks for nothing: its list of wants is empty"
        ));
    }
    Ok((file.wants.wants, notes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_cli::wants::{Follow, sign};
    use modferry_cli::{Exit, Failure};
    use modferry_protocol::note::SigningKey;

    const TYPED: &str =
        "modferry-wants: 1\nwants:\n  - want: a.b/c/d@latest\n    or: [a.b/c]\n    follow: test\n";

    fn key() -> SigningKey {
        SigningKey::from_seed("site", &[7; 32]).unwrap()
    }

    fn file(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.yaml");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    #[test]
    fn a_signed_file_is_told_of_only_where_its_key_is_not_known() {
        let (_, note) = sign(Path::new("w"), TYPED.as_bytes(), &key()).unwrap();
        let (_dir, path) = file(&note);
        let (wants, notes) = read(&path, Some(&key().verifier())).unwrap();
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!(wants[0].want.to_string(), "a.b/c/d@latest");
        assert_eq!(wants[0].or[0].as_str(), "a.b/c");
        assert_eq!(
            (wants[0].follow, wants[0].line),
            (Some(Follow::Test), Some(3))
        );
        let (_, notes) = read(&path, None).unwrap();
        assert!(
            notes[0].contains(&key().verifier().short_name()),
            "{notes:?}"
        );
        assert!(notes[0].contains("--receipt-key"), "{notes:?}");
    }

    #[test]
    fn a_file_that_was_changed_after_it_was_signed_is_refused() {
        let (_, note) = sign(Path::new("w"), TYPED.as_bytes(), &key()).unwrap();
        let edited = String::from_utf8(note).unwrap().replace("latest", "main");
        let (_dir, path) = file(edited.as_bytes());
        let error = read(&path, Some(&key().verifier())).unwrap_err();
        assert_eq!(error.exit(), Exit::Untrusted);
        let advice = error.advice().unwrap();
        assert!(
            advice.contains("modferry-appliance wants --sign"),
            "{advice}"
        );
        assert!(advice.contains("remove the lines"), "{advice}");
    }

    #[test]
    fn a_file_typed_by_hand_is_told_as_that_and_an_empty_one_too() {
        let (_dir, path) = file(TYPED.as_bytes());
        let (wants, notes) = read(&path, Some(&key().verifier())).unwrap();
        assert_eq!((wants.len(), notes.len()), (1, 1));
        assert!(notes[0].ends_with("has no signature: taken as typed by hand"));
        let (_dir, path) = file(b"modferry-wants: 1\nwants: []\n");
        let (wants, notes) = read(&path, None).unwrap();
        assert!(wants.is_empty());
        assert!(notes[1].contains("asks for nothing"), "{notes:?}");
    }

    #[test]
    fn a_malformed_file_is_told_by_its_line() {
        let (_dir, path) = file(b"modferry-wants: 1\nwants:\n  - want: nothing\n");
        let error = read(&path, None).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        assert!(
            error.to_string().contains("w.yaml:3:11: wants[0].want: "),
            "{error}"
        );
    }
}
