//! What a key has signed: the imports that an operator looks at again once the key is revoked.

use super::TrustedKey;
use crate::store::{StoreError, View};
use serde::Serialize;
use std::fmt::Write as _;

/// An import that a key has signed.
#[derive(Clone, Debug, Serialize)]
pub struct SignedImport {
    /// Its number in the ledger.
    pub number: u64,
    /// When it was committed, by this machine's clock.
    pub time: String,
    /// The bundle's stream.
    pub stream: String,
    /// The bundle's number in the stream.
    pub sequence: u64,
    /// Every trusted key that had signed it, as NAME+HASH.
    pub signers: Vec<String>,
}

/// The imports that one of these keys has signed, oldest first.
pub fn signed_by(view: &View, keys: &[TrustedKey]) -> Result<Vec<SignedImport>, StoreError> {
    let mut found = Vec::new();
    if keys.is_empty() {
        return Ok(found);
    }
    let mut number = 1;
    while let Some(entry) = view.ledger(number)? {
        let revoked = |signer: &String| keys.iter().any(|key| key.name == *signer);
        if let Some(import) = entry.import()
            && import.source.signers.iter().any(revoked)
        {
            found.push(SignedImport {
                number,
                time: entry.time.clone(),
                stream: import.source.stream.clone(),
                sequence: import.source.sequence,
                signers: import.source.signers.clone(),
            });
        }
        number += 1;
    }
    Ok(found)
}

/// What revoked keys had signed.
pub fn imports_text(imports: &[SignedImport]) -> String {
    if imports.is_empty() {
        return "\nno import here was signed by a revoked key".into();
    }
    // Writing to a String cannot fail.
    let mut text = format!(
        "\nimports signed by revoked keys: {} (the checksum database vouched for what they brought; look whether it \
         was wanted)",
        imports.len()
    );
    for import in imports {
        let _ = write!(
            text,
            "\n  {:>4}  {}  {} {}  signed by {}",
            import.number,
            import.time,
            import.stream,
            import.sequence,
            import.signers.join(", ")
        );
    }
    text
}
