//! Where a site has the database: `vulndb` of modferry.yaml.
//!
//! ```yaml
//! vulndb: https://vuln.example.com            # a database's base: its vulndb.zip is fetched
//! vulndb: https://files.example.com/go.zip    # or a zip of that layout
//! vulndb: mirror/vulndb                       # or a zip or folder of this machine
//! vulndb: {url: http://vuln.example.com, sha256: 0123…}   # a zip that must have this hash; plain http needs it
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use modferry_cli::in_one_line;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::place::{Place, PlaceError, Sha256};
use crate::settings::path;

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VulndbConfig {
    /// The place.
    pub place: Place,
    /// The SHA-256 that its zip must have.
    pub sha256: Option<[u8; 32]>,
}

impl VulndbConfig {
    /// A relative path is relative to the configuration's folder.
    pub fn in_folder(&mut self, folder: &Path) {
        self.place.in_folder(folder);
    }
}

impl From<Place> for VulndbConfig {
    fn from(place: Place) -> VulndbConfig {
        VulndbConfig {
            place,
            sha256: None,
        }
    }
}

impl FromStr for VulndbConfig {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<VulndbConfig, PlaceError> {
        text.parse().map(Place::into)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    #[serde(default, deserialize_with = "path::one")]
    path: Option<PathBuf>,
    url: Option<String>,
    sha256: Option<Sha256>,
}

impl TryFrom<Mapping> for VulndbConfig {
    type Error = PlaceError;

    fn try_from(mapping: Mapping) -> Result<VulndbConfig, PlaceError> {
        Ok(VulndbConfig {
            place: Place::either(mapping.path, mapping.url)?,
            sha256: mapping.sha256.map(|Sha256(hash)| hash),
        })
    }
}

impl<'de> Deserialize<'de> for VulndbConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<VulndbConfig, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = VulndbConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a zip, a folder or a URL, or a mapping with path or url, and sha256")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<VulndbConfig, E> {
                let place = Place::written(text);
                place
                    .map(Place::into)
                    .map_err(|error| E::custom(in_one_line(&error)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<VulndbConfig, A::Error> {
                let mapping = Mapping::deserialize(MapAccessDeserializer::new(map))?;
                let config = VulndbConfig::try_from(mapping);
                config.map_err(|error| A::Error::custom(in_one_line(&error)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(yaml: &str) -> Result<VulndbConfig, String> {
        modferry_cli::parse_config("test", yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn each_place_in_either_form() {
        let path = |path: &str| Place::Path(path.into());
        let url = |url: &str| Place::Url(url.into());
        for (yaml, place) in [
            ("vulndb.zip", path("vulndb.zip")),
            ("/srv/vulndb", path("/srv/vulndb")),
            ("https://vuln.example.com", url("https://vuln.example.com")),
            ("file:/srv/vulndb", url("file:/srv/vulndb")),
            ("{path: a b/vulndb.zip}", path("a b/vulndb.zip")),
            ("{url: 'https://h/x.zip'}", url("https://h/x.zip")),
        ] {
            assert_eq!(
                parse(yaml).unwrap(),
                VulndbConfig {
                    place,
                    sha256: None
                },
                "{yaml}"
            );
        }
        let hash = "0a".repeat(32);
        let parsed = parse(&format!("{{path: x, sha256: {hash}}}")).unwrap();
        assert_eq!(parsed.sha256, Some([10; 32]));
        let mut parsed = parse("x").unwrap();
        parsed.in_folder(Path::new("/etc"));
        assert_eq!(parsed.place, path("/etc/x"));
    }

    #[test]
    fn what_names_no_database() {
        for (yaml, what) in [
            ("''", "want a path or a URL"),
            ("ftp://h/x.zip", "unusable URL"),
            ("[x]", "a mapping with path or url"),
            ("{}", "want either path or url"),
            ("{path: a, url: 'https://h/'}", "want either path or url"),
            ("{path: a, sha256: 0a}", "64 hexadecimal digits"),
            ("{file: a}", "unknown field `file`"),
        ] {
            let error = parse(yaml).unwrap_err();
            assert!(error.contains(what), "{yaml}: {error}");
        }
    }
}
