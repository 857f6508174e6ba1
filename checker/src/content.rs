//! What a small thing must look like for its kind, before anything is proven: sizes, and that it is what its
//! name says.
//!
//! An `.info` is the one thing that no checksum database vouches for, so it is held to the little that can be
//! known: it is a JSON object whose Version is the version that it is served for. Go's decoder matches keys
//! without regard to case and lets the last one win; so every key that Go would take for `Version` must say
//! the same (encoding/json, decode.go and fold.go).

use std::fmt;

use modferry_protocol::bundle::{Answer, Item, Pin, Query, file_sha256};
use modferry_protocol::module::ModuleVersion;
use modferry_protocol::sumdb::Record;
use modferry_protocol::trust::TrustNote;
use modferry_protocol::zip::MAX_GO_MOD;
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

/// The most bytes of an `.info`. Real ones have a few hundred.
pub const MAX_INFO: u64 = 1 << 20;

/// Why a small thing is not what its name says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContentError {
    #[error("{item}: {size} bytes; at most {limit} are allowed")]
    TooLarge { item: Item, size: u64, limit: u64 },
    #[error("{item}: {size} bytes where its width needs {want}")]
    TileSize { item: Item, size: u64, want: u64 },
    #[error("{item}: only hash tiles of height 8 are carried")]
    TileKind { item: Item },
    #[error("{item}: not a record of this module version")]
    Record {
        item: Item,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{item}: not a trust note of this number")]
    TrustNote {
        item: Item,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{item}: not an .info of this version")]
    Info {
        item: Item,
        source: serde_json::Error,
    },
    #[error("{item}: not the hashes of this module version")]
    Pin { item: Item },
    #[error("{item}: not a SHA-256")]
    NeededFile { item: Item },
    #[error("{item}: not an answer to it: {what}")]
    Answer { item: Item, what: String },
}

/// Checks the form of an item that is not a zip. Heads are checked with their signatures.
pub(crate) fn check(item: &Item, bytes: &[u8]) -> Result<(), ContentError> {
    let size = bytes.len() as u64;
    let at_most = |limit: u64| {
        if size > limit {
            return Err(ContentError::TooLarge {
                item: item.clone(),
                size,
                limit,
            });
        }
        Ok(())
    };
    match item {
        // Lists, heads and databases of vulnerabilities are read elsewhere, and have limits of their own; zips and their contents come another way.
        Item::Needs(_)
        | Item::Bases(_)
        | Item::Tombstones(_)
        | Item::GoneFile(_)
        | Item::Head(_)
        | Item::Vulndb(_)
        | Item::Contents(_)
        | Item::Zip(_)
        | Item::File(_) => Ok(()),
        Item::NeededFile(_) => match file_sha256(bytes) {
            Some(_) => Ok(()),
            None => Err(ContentError::NeededFile { item: item.clone() }),
        },
        Item::Trust(number) => {
            check_trust_note(*number, bytes).map_err(|source| ContentError::TrustNote {
                item: item.clone(),
                source,
            })
        }
        Item::Record(_, module) => {
            Record::parse(bytes, module)
                .map(drop)
                .map_err(|source| ContentError::Record {
                    item: item.clone(),
                    source: Box::new(source),
                })
        }
        Item::Tile(_, tile) => {
            if tile.height() != 8 || tile.is_data() {
                return Err(ContentError::TileKind { item: item.clone() });
            }
            let want = tile.size() as u64;
            if size != want {
                return Err(ContentError::TileSize {
                    item: item.clone(),
                    size,
                    want,
                });
            }
            Ok(())
        }
        Item::Pin(module) => match Pin::parse(bytes, module) {
            Some(_) => Ok(()),
            None => Err(ContentError::Pin { item: item.clone() }),
        },
        Item::Info(module) => {
            at_most(MAX_INFO)?;
            info_is_of(bytes, module).map_err(|source| ContentError::Info {
                item: item.clone(),
                source,
            })
        }
        Item::Mod(_) => at_most(MAX_GO_MOD),
        Item::Query(query) => {
            at_most(MAX_INFO)?;
            match answered(query, bytes) {
                Ok(_) => Ok(()),
                Err(what) => Err(ContentError::Answer {
                    item: item.clone(),
                    what,
                }),
            }
        }
    }
}

/// A trust note is one, and has the number that the index says. Whether enough keys have signed it, and whether it
/// is the next one here, is the question of whoever applies it.
fn check_trust_note(
    number: u64,
    note: &[u8],
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let text = std::str::from_utf8(note)?
        .split_once("\n\n")
        .map(|(text, _)| format!("{text}\n"))
        .ok_or("it is not signed")?;
    match TrustNote::parse(&text)?.number {
        is if is == number => Ok(()),
        other => Err(format!("its number is {other}").into()),
    }
}

/// Checks that an `.info` is of that version, and that no reader could take it for another's.
pub fn info_is_of(bytes: &[u8], module: &ModuleVersion) -> Result<(), serde_json::Error> {
    all_are(bytes, Some(module.version().as_str())).map(drop)
}

/// The version that an answer to a query names, as every reader of its `.info` sees it; or what is wrong with it.
pub fn answered(query: &Query, bytes: &[u8]) -> Result<ModuleVersion, String> {
    let answer =
        Answer::parse(bytes).ok_or("it does not begin with the time at which it was asked")?;
    let version = all_are(answer.info, None).map_err(|error| error.to_string())?;
    ModuleVersion::parse(query.path().as_str(), &version).map_err(|error| error.to_string())
}

/// The version that an `.info` names, under each key that Go would take for `Version`: the one that is expected, or
/// any, but everywhere the same.
fn all_are(bytes: &[u8], expected: Option<&str>) -> Result<String, serde_json::Error> {
    let Versions(versions) = serde_json::from_slice(bytes)?;
    let Some(first) = versions.first() else {
        return Err(serde_json::Error::custom("it has no Version"));
    };
    let expected = expected.unwrap_or(first);
    match versions.iter().find(|version| *version != expected) {
        Some(other) => Err(serde_json::Error::custom(format!(
            "its Version is {other:?}"
        ))),
        None => Ok(expected.to_owned()),
    }
}

/// The values of all keys that Go takes for `Version`.
struct Versions(Vec<String>);

impl<'de> Deserialize<'de> for Versions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Versions, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Versions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a Version")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Versions, A::Error> {
                let mut versions = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if is_version(&key) {
                        versions.push(map.next_value::<String>()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Versions(versions))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// Whether Go's decoder takes the key for `Version`: simple case folding, in which the long s is an s.
fn is_version(key: &str) -> bool {
    key.chars()
        .map(|c| {
            if c == 'ſ' {
                's'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .eq("version".chars())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use modferry_protocol::module::Revision;
    use modferry_protocol::sumdb::{DbName, Tile};

    fn module() -> ModuleVersion {
        "example.com/a@v1.0.0".parse().unwrap()
    }

    fn info(text: &str) -> Result<(), String> {
        check(&Item::Info(module()), text.as_bytes()).map_err(|error| match error {
            ContentError::Info { source, .. } => source.to_string(),
            other => other.to_string(),
        })
    }

    #[test]
    fn an_info_says_its_version() {
        info(r#"{"Version":"v1.0.0","Time":"2020-01-01T00:00:00Z","Origin":{"VCS":"git"}}"#)
            .unwrap();
        info(r#" {"version":"v1.0.0"} "#).unwrap();
    }

    #[test]
    fn an_info_of_another_version_is_refused_however_it_is_spelt() {
        for text in [
            r#"{"Version":"v1.0.1"}"#,
            r#"{"Version":"v1.0.0","version":"v1.0.1"}"#,
            r#"{"Version":"v1.0.0","VERſION":"v1.0.1"}"#,
            r#"{"Version":"v1.0.0","\u0056ersion":"v1.0.1"}"#,
            r#"{"Version":"v1.0.1","Version":"v1.0.0"}"#,
        ] {
            assert!(
                info(text)
                    .unwrap_err()
                    .contains(r#"its Version is "v1.0.1""#),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_info_is_refused() {
        for text in [
            "",
            "{}",
            "null",
            "[]",
            r#""v1.0.0""#,
            r#"{"Version":1}"#,
            r#"{"Version":"v1.0.0"} x"#,
        ] {
            assert!(info(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_answer_names_one_version_of_its_module() {
        let query = Query::new(
            "example.com/a".parse().unwrap(),
            Revision::new("main").unwrap(),
        )
        .unwrap();
        let version = "v0.0.0-20200102030405-abcdefabcdef";
        let of = |info: &str| {
            let asked = "2026-11-21T09:00:00Z";
            let info = info.as_bytes();
            answered(&query, &Answer { asked, info }.encode())
        };
        let named = of(&format!(r#"{{"Version":"{version}"}}"#)).unwrap();
        assert_eq!(named.to_string(), format!("example.com/a@{version}"));
        for (info, what) in [
            ("{}", "it has no Version"),
            (r#"{"Version":"main"}"#, "main"),
            (r#"{"Version":"v2.0.0"}"#, "v2.0.0"),
            (r#"{"Version":"v1.0.0","version":"v1.1.0"}"#, "v1.1.0"),
        ] {
            let error = of(info).unwrap_err();
            assert!(error.contains(what), "{info}: {error}");
        }
        let error = answered(&query, br#"{"Version":"v1.0.0"}"#).unwrap_err();
        assert!(error.contains("the time at which it was asked"), "{error}");
        let whole = |size: u64| {
            let mut bytes = b"asked 2026-11-21T09:00:00Z\n{\"Version\":\"v1.0.0\"}".to_vec();
            bytes.resize(size as usize, b' ');
            check(&Item::Query(query.clone()), &bytes)
        };
        whole(MAX_INFO).unwrap();
        assert!(matches!(
            whole(MAX_INFO + 1),
            Err(ContentError::TooLarge { .. })
        ));
    }

    #[test]
    fn sizes_are_limited() {
        let mut text = br#"{"Version":"v1.0.0"}"#.to_vec();
        text.resize(MAX_INFO as usize, b' ');
        check(&Item::Info(module()), &text).unwrap();
        text.push(b' ');
        assert!(matches!(
            check(&Item::Info(module()), &text),
            Err(ContentError::TooLarge { .. })
        ));

        let mut go_mod = vec![b'/'; MAX_GO_MOD as usize];
        check(&Item::Mod(module()), &go_mod).unwrap();
        go_mod.push(b'/');
        assert!(matches!(
            check(&Item::Mod(module()), &go_mod),
            Err(ContentError::TooLarge { .. })
        ));
    }

    #[test]
    fn a_record_is_of_its_module() {
        let item = |module| Item::Record(DbName::new("sum.test").unwrap(), module);
        let h1 = modferry_protocol::h1::H1::of_go_mod(b"x");
        let bytes = Record::new(7, &module(), h1, h1).unwrap().encode();
        check(&item(module()), &bytes).unwrap();
        let other = "example.com/b@v1.0.0".parse().unwrap();
        assert!(matches!(
            check(&item(other), &bytes),
            Err(ContentError::Record { .. })
        ));
    }

    #[test]
    fn a_tile_has_the_bytes_of_its_width_and_is_of_the_kind_that_is_carried() {
        let db = DbName::new("sum.test").unwrap();
        let tile = |height, width| Item::Tile(db.clone(), Tile::new(height, 0, 0, width).unwrap());
        check(&tile(8, 3), &[0; 96]).unwrap();
        assert!(matches!(
            check(&tile(8, 3), &[0; 95]),
            Err(ContentError::TileSize { .. })
        ));
        assert!(matches!(
            check(&tile(8, 3), &[0; 97]),
            Err(ContentError::TileSize { .. })
        ));
        assert!(matches!(
            check(&tile(7, 3), &[0; 96]),
            Err(ContentError::TileKind { .. })
        ));
    }
}
