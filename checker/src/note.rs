//! The manifest's two copies: the one at the front of a volume, and the file beside it, to which signatures may have
//! been added since. Their texts must be one; the signatures of both count.

use modferry_protocol::bundle::MAX_MANIFEST;
use modferry_protocol::note::MAX_SIGNATURES;

use crate::CheckError;

/// The volume's own manifest with the signatures of the sidecar, too: what [`check`](crate::check()) has the policy accept.
///
/// Only the end of the text is looked for here, which is the first empty line; what it says is the policy's.
pub fn united_note(embedded: &[u8], sidecar: Option<&[u8]>) -> Result<Vec<u8>, CheckError> {
    let Some(sidecar) = sidecar else {
        return Ok(embedded.into());
    };
    let refused = |what: &str| Err(CheckError::damaged("the manifest file", "manifest", what));
    if sidecar.len() as u64 > MAX_MANIFEST {
        return refused("it is larger than a manifest may be");
    }
    let (Some(own), Some(beside)) = (split_note(embedded), split_note(sidecar)) else {
        return refused("it, or the manifest in the volume, has no signatures");
    };
    if own.0 != beside.0 {
        return refused("its text is not that of the manifest in the volume");
    }
    // Each line of one is compared with each of the other, and nobody's signature was looked at yet.
    for signatures in [own.1, beside.1] {
        let lines = signatures.split_inclusive(|byte| *byte == b'\n').count();
        if lines > MAX_SIGNATURES {
            return refused(&format!(
                "it, or the manifest in the volume, has more than {MAX_SIGNATURES} signatures"
            ));
        }
    }
    let mut united = embedded.to_vec();
    let lines = |signatures: &'_ [u8]| -> Vec<Vec<u8>> {
        signatures
            .split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    };
    let known = lines(own.1);
    for line in lines(beside.1) {
        if !known.contains(&line) {
            united.extend(line);
        }
    }
    Ok(united)
}

/// A note's text and its signature lines.
pub fn split_note(note: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = note.windows(2).position(|two| two == b"\n\n")?;
    Some((&note[..=at], &note[at + 2..]))
}
