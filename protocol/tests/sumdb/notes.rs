//! Notes and keys: what opens and what does not.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use modferry_protocol::note::{self, KeyError, NoteError, SigningKey, VerifierKey};

use super::{Vector, bytes, replay, text};

/// Gives one byte for ever, as the program that made the vectors did.
struct Seed(u8);

impl rand_core::RngCore for Seed {
    fn next_u32(&mut self) -> u32 {
        u32::from_ne_bytes([self.0; 4])
    }
    fn next_u64(&mut self) -> u64 {
        u64::from_ne_bytes([self.0; 8])
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl rand_core::CryptoRng for Seed {}

/// Whether a key's name is one that we do not take although the reference does.
fn is_odd_name(name: &str) -> bool {
    name.len() > note::MAX_KEY_NAME || name.chars().any(|c| c < ' ')
}

fn check_key(vector: &Vector) {
    let key = text(&vector.arguments[0]);
    let found: Option<Result<_, KeyError>> = key.as_deref().map(|key| match vector.f.as_str() {
        "NewVerifier" => key
            .parse()
            .map(|key: VerifierKey| (key.name().to_owned(), key.id())),
        _ => key.parse().map(|key: SigningKey| {
            assert_eq!(
                key.to_secret_text().parse::<SigningKey>().unwrap().name(),
                key.name()
            );
            (key.name().to_owned(), key.verifier().id())
        }),
    });
    let Some(Ok((name, id))) = found else {
        if vector.ok {
            let key = key.unwrap();
            let before = if vector.f == "NewVerifier" { 2 } else { 4 };
            let encoded = key.splitn(before + 1, '+').last().unwrap();
            let canonical = BASE64_STANDARD.decode(encoded).is_ok();
            let weak = found == Some(Err(KeyError::Weak));
            let odd = is_odd_name(&text(&vector.out[0]).unwrap());
            assert!(
                !canonical || weak || odd,
                "refused without a reason: {vector:?}"
            );
        }
        return;
    };
    assert!(vector.ok, "accepted: {vector:?}");
    assert_eq!(
        [Some(name), Some(format!("{id:08x}"))],
        [text(&vector.out[0]), text(&vector.out[1])]
    );
}

fn check_open(vector: &Vector) {
    let message = bytes(&vector.arguments[0]);
    let keys = vector.arguments[1..]
        .iter()
        .map(|key| text(key).unwrap().parse().unwrap());
    let keys: Vec<VerifierKey> = keys.collect();
    let found = note::open(&message, &keys);
    if vector.ok {
        match found {
            Ok(opened) => {
                let mut answer = vec![opened.text.to_owned()];
                answer.extend(opened.signers.iter().map(ToString::to_string));
                let want: Vec<String> = vector.out.iter().map(|out| text(out).unwrap()).collect();
                assert_eq!(answer, want, "{vector:?}");
            }
            Err(error) => {
                // The reference takes Base64 with loose ends.
                assert_eq!(error, NoteError::Malformed, "{vector:?}");
                let message = String::from_utf8(message).unwrap();
                let (_, lines) = message.rsplit_once("\n\n").unwrap();
                let strict = lines.lines().all(|line| {
                    BASE64_STANDARD
                        .decode(line.rsplit(' ').next().unwrap())
                        .is_ok()
                });
                assert!(!strict, "refused without a reason: {vector:?}");
            }
        }
        return;
    }
    match (vector.out[0].as_str(), found) {
        ("malformed note", found) => assert_eq!(found, Err(NoteError::Malformed), "{vector:?}"),
        ("untrusted", Err(NoteError::Untrusted(_))) => {}
        ("bad signature", Err(NoteError::BadSignature { .. })) => {}
        // The reference verifies line by line, and we parse all lines first.
        ("bad signature" | "untrusted", Err(NoteError::Malformed)) => {}
        // The same key twice is one key to us.
        ("ambiguous", Ok(_)) => assert_eq!(keys[0], keys[1]),
        (want, found) => panic!("want {want}, found {found:?}: {vector:?}"),
    }
}

#[test]
fn notes_and_keys_are_the_references() {
    let least = [
        ("GenerateKey", 14),
        ("NewVerifier", 200),
        ("NewSigner", 180),
        ("Open", 250),
        ("Sign", 8),
    ];
    replay("sumdb_notes.jsonl", &least, |vector| {
        match vector.f.as_str() {
            "GenerateKey" => {
                let (seed, name) = (
                    vector.arguments[0].parse().unwrap(),
                    text(&vector.arguments[1]).unwrap(),
                );
                match SigningKey::generate(&name, &mut Seed(seed)) {
                    Ok(key) => {
                        assert_eq!(key.to_secret_text(), text(&vector.out[0]).unwrap());
                        assert_eq!(key.verifier().to_string(), text(&vector.out[1]).unwrap());
                    }
                    // The reference makes keys of names that it then refuses to read.
                    Err(error) => {
                        assert_eq!(error, KeyError::Name);
                        assert!(
                            text(&vector.out[1])
                                .unwrap()
                                .parse::<VerifierKey>()
                                .is_err()
                        );
                    }
                }
            }
            "NewVerifier" | "NewSigner" => check_key(vector),
            "Open" => check_open(vector),
            "Sign" => {
                let keys = vector.arguments[1..]
                    .iter()
                    .map(|key| text(key).unwrap().parse().unwrap());
                let keys: Vec<SigningKey> = keys.collect();
                let all: Vec<&SigningKey> = keys.iter().collect();
                let signed = bytes(&vector.out[0]);
                assert_eq!(note::sign(&vector.arguments[0], &all).unwrap(), signed);
                // One after the other gives the same.
                let mut one_by_one = note::sign(&vector.arguments[0], &all[..1]).unwrap();
                for key in &all[1..] {
                    one_by_one = note::add_signature(&one_by_one, key).unwrap();
                }
                assert_eq!(one_by_one, signed);
            }
            _ => {}
        }
    });
}
