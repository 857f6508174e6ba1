//! A wants file as a part of the selection: what somebody behind the gap lacks.
//!
//! It is a wish, and no order: everything in it is resolved, fetched and proven as if it stood on the command line. So a
//! file without a signature is taken, as one typed by hand, and that is told. A signature is checked where the key of
//! the destination's receipts is known, to notice that a file is not what the appliance wrote; one that is not good
//! stops the export, because somebody has changed the file after it was signed and has not said so.
//!
//! What is signed was written by a machine, of what anybody may have asked a mirror for. The go command asks for one version
//! at a time; `all`, `newest 10000`, `since 2001-01-01` and patterns in such a file are somebody's try to have whole histories
//! carried. So they stop the export: a person who means them types them.

use std::path::Path;

use modferry_cli::wants::{self, Entry, Signer};
use modferry_cli::{Exit, Fault};
use modferry_protocol::note::VerifierKey;

use super::sought::Sought;
use crate::error::Error;

/// Reads the wants of a file, in their order, and what to tell about it. `receipt_key` is the key that the
/// destination's receipts are signed with, if it is known.
pub fn read(
    path: &Path,
    receipt_key: Option<&VerifierKey>,
) -> Result<(Vec<Entry>, Vec<String>), Error> {
    let bytes = wants::read(path)?;
    let file = wants::open(path, &bytes, receipt_key.map_or(&[], std::slice::from_ref))?;
    if file.signer != Signer::Nobody
        && let Some(entry) = file.wants.wants.iter().find(|entry| is_bulk(entry))
    {
        let place = entry
            .place
            .map(|place| format!(":{place}"))
            .unwrap_or_default();
        return Err(Fault::new(
            Exit::Usage,
            format!(
                "{}{place}: {}: a wants file with a signature asks for one version of one module at a time",
                path.display(),
                entry.want
            ),
        )
        .advise(
            "type it by hand if it is meant: as an argument, or under modules in modferry.yaml;\n\
             or remove the lines that begin with — at the file's end, and all of it counts as typed by hand",
        )
        .into());
    }
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

/// Whether the selection would read it as many versions, or many modules. What it cannot read at all is told where it is
/// read.
fn is_bulk(entry: &Entry) -> bool {
    let sought = entry.want.to_string().parse::<Sought>();
    sought.is_ok_and(|sought| sought.is_bulk())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_cli::Failure;
    use modferry_cli::wants::{Follow, sign};
    use modferry_protocol::note::{self, SigningKey};

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
            (wants[0].follow, wants[0].place.map(|place| place.line)),
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
    fn a_signed_file_asks_for_one_version_at_a_time() {
        let read = |want: &str, signed: bool| {
            let text =
                format!("modferry-wants: 1\nwants:\n  - want: a.b/d@v1\n  - want: \"{want}\"\n");
            let bytes = match signed {
                true => note::sign(&text, &[&key()]).unwrap(),
                false => text.into_bytes(),
            };
            let (_dir, path) = file(&bytes);
            [Some(key().verifier()), None].map(|key| read(&path, key.as_ref()))
        };
        for bulk in [
            "a.b/c@all",
            "a.b/c@all <v2",
            "a.b/c@newest 1000",
            "a.b/c@since 2001-01-01",
            "a.b/c...d@latest",
        ] {
            // Whether the key is known or not.
            for refused in read(bulk, true) {
                let error = refused.unwrap_err();
                assert_eq!(error.exit(), Exit::Usage);
                let told = format!("w.yaml:4:11: {bulk}: ");
                assert!(error.to_string().contains(&told), "{error}");
                assert!(error.advice().unwrap().contains("type it by hand"));
            }
            let typed = read(bulk, false).map(Result::unwrap);
            assert_eq!(typed[0].0[1].want.to_string(), bulk);
        }
        for one in ["a.b/c@latest", "a.b/c@all-in", "a.b/c@v1", "a.b/c@main"] {
            assert!(read(one, true).iter().all(Result::is_ok), "{one}");
        }
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
