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

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::remote::parse_sha256;
use crate::settings::path;

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VulndbConfig {
    /// The place.
    pub place: Place,
    /// The SHA-256 that its zip must have.
    pub sha256: Option<[u8; 32]>,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A zip or a folder of this machine.
    Path(PathBuf),
    /// A zip on a server, or the base of a database.
    Url(String),
}

/// Why a text names no database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Nothing.
    #[error("want a zip, a folder or a URL")]
    Empty,
    /// Not as many digits, or no such.
    #[error("sha256: want 64 hexadecimal digits")]
    Sha256,
    /// Both, or neither.
    #[error("want either path or url")]
    Place,
}

impl VulndbConfig {
    /// A relative path is relative to the configuration's folder.
    pub fn in_folder(&mut self, folder: &Path) {
        if let Place::Path(path) = &mut self.place {
            *path = folder.join(&*path);
        }
    }
}

impl FromStr for VulndbConfig {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<VulndbConfig, ConfigError> {
        let is_url = text.contains("://") || text.starts_with("file:/");
        let place = match text {
            "" => return Err(ConfigError::Empty),
            url if is_url => Place::Url(url.to_owned()),
            path => Place::Path(path.into()),
        };
        Ok(VulndbConfig {
            place,
            sha256: None,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    #[serde(default, deserialize_with = "path::one")]
    path: Option<PathBuf>,
    url: Option<String>,
    sha256: Option<String>,
}

impl TryFrom<Mapping> for VulndbConfig {
    type Error = ConfigError;

    fn try_from(mapping: Mapping) -> Result<VulndbConfig, ConfigError> {
        let sha256 = mapping.sha256.as_deref();
        let sha256 = sha256.map(|digits| parse_sha256(digits).ok_or(ConfigError::Sha256));
        let place = match (mapping.path, mapping.url) {
            (Some(path), None) => Place::Path(path),
            (None, Some(url)) => Place::Url(url),
            _ => return Err(ConfigError::Place),
        };
        Ok(VulndbConfig {
            place,
            sha256: sha256.transpose()?,
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
                let mut config: VulndbConfig = text.parse().map_err(E::custom)?;
                if let Place::Path(path) = &mut config.place {
                    *path = path::of(text).map_err(E::custom)?;
                }
                Ok(config)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<VulndbConfig, A::Error> {
                let mapping = Mapping::deserialize(MapAccessDeserializer::new(map))?;
                mapping.try_into().map_err(A::Error::custom)
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
            ("''", "want a zip, a folder or a URL"),
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
