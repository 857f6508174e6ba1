//! The signed note around a wants file's text.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use modferry_protocol::note::{self, Signatory, SigningKey, VerifierKey};

use super::{MAX_WANTS_FILE, Wants, WantsError};

/// What a line of a signature begins with, as in every signed note.
const SIGNATURE: char = '\u{2014}';

/// Who vouches for a wants file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// Nobody: it has no signature.
    Nobody,
    /// Keys that are known.
    Known(Vec<Signatory>),
    /// It says that these have signed it, and no key is known to look at that.
    Unknown(Vec<String>),
}

/// A wants file, and who vouches for it.
#[derive(Clone, Debug)]
pub struct Signed {
    /// What it says.
    pub wants: Wants,
    /// Who says it.
    pub signer: Signer,
}

/// Reads a wants file, bounded.
pub fn read(path: &Path) -> Result<Vec<u8>, WantsError> {
    let failed = |source| WantsError::Read {
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(failed)?
        .take(MAX_WANTS_FILE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() > MAX_WANTS_FILE {
        return Err(WantsError::TooLarge { path: path.into() });
    }
    Ok(bytes)
}

/// Opens a wants file's bytes. If it has lines of a signature, one of `keys` must have made one of them; without any
/// keys it is only said who claims to have signed it. `path` is for the errors' words.
pub fn open(path: &Path, bytes: &[u8], keys: &[VerifierKey]) -> Result<Signed, WantsError> {
    let (mut text, has_signature) = parts(path, bytes)?;
    let signer = match has_signature {
        false => Signer::Nobody,
        true if keys.is_empty() => Signer::Unknown(note::claimed(bytes)),
        true => {
            let opened = note::open(bytes, keys).map_err(|source| WantsError::Signature {
                path: path.into(),
                source,
            })?;
            text = opened.text;
            Signer::Known(opened.signers)
        }
    };
    let wants = Wants::parse(path, text)?;
    Ok(Signed { wants, signer })
}

/// The same file, signed by that key and by nobody else: what a person has changed in it stays as it is, but for line
/// ends and a byte-order mark, which a note cannot have. Only wants of one version each are signed
/// ([`is_of_one`](super::Want::is_of_one)).
pub fn sign(path: &Path, bytes: &[u8], key: &SigningKey) -> Result<(Wants, Vec<u8>), WantsError> {
    let (text, _) = parts(path, bytes)?;
    let wants = Wants::parse(path, text)?;
    if let Some(entry) = wants.wants.iter().find(|entry| !entry.want.is_of_one()) {
        return Err(WantsError::NotOfOne {
            path: path.into(),
            want: entry.want.clone(),
        });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.lines().collect();
    let text = lines.join("\n").trim_end_matches('\n').to_owned() + "\n";
    match note::sign(&text, &[key]) {
        Ok(note) => Ok((wants, note)),
        Err(source) => Err(WantsError::Sign {
            path: path.into(),
            source,
        }),
    }
}

/// The text without the lines of signatures at its end, and whether there are any.
fn parts<'b>(path: &Path, bytes: &'b [u8]) -> Result<(&'b str, bool), WantsError> {
    let whole =
        std::str::from_utf8(bytes).map_err(|_| WantsError::NotText { path: path.into() })?;
    let mut text = whole.trim_end();
    let mut signed = false;
    loop {
        let last = text.rfind('\n').map_or(0, |end| end + 1);
        if !text[last..].starts_with(SIGNATURE) {
            break;
        }
        signed = true;
        text = text[..last].trim_end();
    }
    // Its last line's end belongs to it.
    let end = whole[text.len()..].find('\n').map_or(0, |end| end + 1);
    Ok((&whole[..text.len() + end], signed))
}
