//! A signing key that a passphrase protects.
//!
//! ```text
//! modferry signing key site+1c0f3a2b+AbcD…
//! -----BEGIN ENCRYPTED PRIVATE KEY-----
//! MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg…
//! -----END ENCRYPTED PRIVATE KEY-----
//! ```
//!
//! The block is PKCS #8 as every other tool has it: the Ed25519 key, AES-256-CBC, and scrypt for the passphrase
//! (RFC 8018, RFC 7914). PKCS #8 has no place for the name that a signed note needs, so the line above it has the
//! public key, whole. It is no secret, a prompt can name it, and what was decrypted must belong to it: that
//! stands in for the authentication that CBC lacks.
//!
//! A wrong passphrase and a damaged block look alike, and one error says both.

use modferry_protocol::note::{KeyError, SigningKey, VerifierKey};
use pkcs8::der::pem::LineEnding;
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs8::{DecodePrivateKey, Document, EncodePrivateKey, EncryptedPrivateKeyInfo};
use rand_core::CryptoRngCore;

/// How the first line begins.
const FIRST_LINE: &str = "modferry signing key ";

/// PEM's label.
const LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// The most work that a key file may make of scrypt, in bytes: eight times what this program asks for.
///
/// scrypt fills 128 × N × r bytes of memory, and does so p times. A file that asks for more was not made by anyone
/// who wants it read here.
pub const MAX_SCRYPT: u64 = 1 << 30;

/// Why a key file is not read.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Not of the form above.
    #[error("it is not as an encrypted key file has to be: {0}")]
    Malformed(&'static str),
    /// The first line's key.
    #[error("its first line has no public key")]
    Public(#[source] KeyError),
    /// Another way of making a key from a passphrase than scrypt.
    #[error("its passphrase is not protected by scrypt")]
    NotScrypt,
    /// More than [`MAX_SCRYPT`].
    #[error("decrypting it would fill more than {MAX_SCRYPT} bytes of memory")]
    Costly,
    /// What came out is not the key that the first line names.
    #[error("the passphrase is wrong, or the file is damaged")]
    Passphrase,
    /// What was encrypted is no key of ours.
    #[error("the key cannot be encrypted")]
    Encrypt(#[source] pkcs8::Error),
}

/// Whether the text is that of an encrypted key file, or means to be.
pub fn is_encrypted(text: &str) -> bool {
    text.starts_with(FIRST_LINE.trim_end())
}

/// The public key that an encrypted key file names, for a prompt: nothing has shown yet that it is this one.
pub fn public(text: &str) -> Result<VerifierKey, KeyFileError> {
    Ok(split(text)?.0)
}

/// The file's text for a key. scrypt takes 128 MiB of memory and about half a second.
pub fn encrypt(
    key: &SigningKey,
    passphrase: &[u8],
    rng: &mut impl CryptoRngCore,
) -> Result<String, KeyFileError> {
    let secret = ed25519_dalek::SigningKey::from_bytes(&key.seed());
    let pem = secret
        .to_pkcs8_encrypted_pem(rng, passphrase, LineEnding::LF)
        .map_err(KeyFileError::Encrypt)?;
    Ok(format!("{FIRST_LINE}{}\n{}", key.verifier(), &*pem))
}

/// The key of an encrypted key file.
pub fn decrypt(text: &str, passphrase: &[u8]) -> Result<SigningKey, KeyFileError> {
    let (public, pem) = split(text)?;
    let malformed = KeyFileError::Malformed("want one PEM block, ENCRYPTED PRIVATE KEY");
    let Ok((label, der)) = Document::from_pem(pem) else {
        return Err(malformed);
    };
    // One spelling: nothing stands before or behind the block, and its lines are as they are written.
    if label != LABEL || der.to_pem(LABEL, LineEnding::LF).ok().as_deref() != Some(pem) {
        return Err(malformed);
    }
    let info = EncryptedPrivateKeyInfo::try_from(der.as_bytes()).map_err(|_| malformed)?;
    bounded(&info.encryption_algorithm)?;
    let wrong = |_| KeyFileError::Passphrase;
    let secret = info.decrypt(passphrase).map_err(wrong)?;
    let secret = ed25519_dalek::SigningKey::from_pkcs8_der(secret.as_bytes()).map_err(wrong)?;
    let key = SigningKey::from_seed(public.name(), secret.as_bytes())
        .map_err(|_| KeyFileError::Passphrase)?;
    match key.verifier() == public {
        true => Ok(key),
        false => Err(KeyFileError::Passphrase),
    }
}

/// The public key of the first line, and the block below it.
fn split(text: &str) -> Result<(VerifierKey, &str), KeyFileError> {
    let rest = text
        .strip_prefix(FIRST_LINE)
        .ok_or(KeyFileError::Malformed(
            "want \"modferry signing key\" and a public key",
        ))?;
    let (public, pem) = rest
        .split_once('\n')
        .ok_or(KeyFileError::Malformed("it ends in its first line"))?;
    Ok((public.parse().map_err(KeyFileError::Public)?, pem))
}

fn bounded(scheme: &EncryptionScheme<'_>) -> Result<(), KeyFileError> {
    let EncryptionScheme::Pbes2(parameters) = scheme else {
        return Err(KeyFileError::NotScrypt);
    };
    let Kdf::Scrypt(scrypt) = &parameters.kdf else {
        return Err(KeyFileError::NotScrypt);
    };
    let factors = [
        scrypt.cost_parameter,
        u64::from(scrypt.block_size),
        u64::from(scrypt.parallelization),
    ];
    let work = factors.into_iter().fold(128, u64::saturating_mul);
    match work <= MAX_SCRYPT {
        true => Ok(()),
        false => Err(KeyFileError::Costly),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed("site", &[7; 32]).unwrap()
    }

    #[test]
    fn what_is_encrypted_decrypts_with_its_passphrase_only() {
        let rng = &mut rand_core::OsRng;
        let text = encrypt(&key(), b"correct horse", rng).unwrap();
        assert!(is_encrypted(&text));
        assert_eq!(public(&text).unwrap(), key().verifier());
        let secret = key().to_secret_text();
        assert!(!text.contains(secret.rsplit('+').next().unwrap()));
        let read = decrypt(&text, b"correct horse").unwrap();
        assert_eq!(read.to_secret_text(), secret);
        for wrong in [&b"correct hors"[..], b"", b"Correct horse"] {
            let error = decrypt(&text, wrong).unwrap_err();
            assert!(matches!(error, KeyFileError::Passphrase), "{error:?}");
        }
        // Two files of one key have nothing in common but its name: salt and vector are new.
        let again = encrypt(&key(), b"correct horse", rng).unwrap();
        assert_ne!(text, again);

        // Under another key's name, and as another key's block.
        let other = SigningKey::from_seed("site", &[8; 32]).unwrap();
        let swapped = text.replace(&key().verifier().to_string(), &other.verifier().to_string());
        assert!(matches!(
            decrypt(&swapped, b"correct horse"),
            Err(KeyFileError::Passphrase)
        ));
    }

    #[test]
    fn a_file_has_one_spelling() {
        let text = encrypt(&key(), b"p", &mut rand_core::OsRng).unwrap();
        let middle = text.len() - 60;
        let other = if &text[middle..=middle] == "A" {
            "B"
        } else {
            "A"
        };
        for (bad, what) in [
            (format!("{text}\n"), "a line behind"),
            (text.trim_end().to_owned(), "no newline at the end"),
            (text.replace('\n', "\r\n"), "CR LF"),
            (text.replace("signing key ", "signing key  "), "two spaces"),
            (text.replace("\n-----B", "\n\n-----B"), "an empty line"),
            (text.replace("ENCRYPTED ", ""), "another label"),
            (text[..text.len() / 2].to_owned(), "cut"),
            (text.lines().next().unwrap().to_owned(), "one line"),
            (text.replacen("+A", "+B", 1), "another public key"),
            (
                format!("{}{other}{}", &text[..middle], &text[middle + 1..]),
                "a flipped letter",
            ),
        ] {
            assert!(decrypt(&bad, b"p").is_err(), "{what}");
        }
    }

    #[test]
    fn scrypt_takes_a_bounded_amount_of_memory() {
        use pkcs8::pkcs5::pbes2::{Parameters, ScryptParams};
        let scheme = |cost, block_size, parallelization| {
            let mut scrypt = ScryptParams::from_params_and_salt(
                pkcs8::pkcs5::scrypt::Params::recommended(),
                b"salt",
            )
            .unwrap();
            scrypt.cost_parameter = cost;
            scrypt.block_size = block_size;
            scrypt.parallelization = parallelization;
            let mut parameters =
                Parameters::scrypt_aes256cbc(Default::default(), b"salt", &[0; 16]).unwrap();
            parameters.kdf = Kdf::Scrypt(scrypt);
            EncryptionScheme::Pbes2(parameters)
        };
        bounded(&scheme(1 << 17, 8, 1)).unwrap();
        bounded(&scheme(1 << 20, 8, 1)).unwrap();
        for costly in [
            scheme((1 << 20) + 1, 8, 1),
            scheme(1 << 17, 65, 1),
            scheme(1 << 17, 8, 9),
            scheme(1 << 17, 8, u16::MAX),
            scheme(u64::MAX, 8, 1),
        ] {
            let error = bounded(&costly).unwrap_err();
            assert!(matches!(error, KeyFileError::Costly), "{error:?}");
        }
        let pbkdf2 = Parameters::pbkdf2_sha256_aes256cbc(1, b"salt", &[0; 16]).unwrap();
        let error = bounded(&EncryptionScheme::Pbes2(pbkdf2)).unwrap_err();
        assert!(matches!(error, KeyFileError::NotScrypt), "{error:?}");
    }
}
