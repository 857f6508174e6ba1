//! Configuration files: YAML into a type, with the place of whatever is wrong in them.
//!
//! The type decides which keys there are (`#[serde(deny_unknown_fields)]`); this module reads the file,
//! bounded, and turns a refusal into `FILE:LINE:COLUMN: why`. A file of nothing but comments is a
//! configuration in which everything keeps its default.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::{Exit, Failure};

/// The largest configuration file that is read, in bytes.
pub const MAX_CONFIG: u64 = 1 << 20;

/// Why a configuration file was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is larger than [`MAX_CONFIG`].
    #[error("the configuration file {} is larger than {MAX_CONFIG} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not UTF-8.
    #[error("the configuration file {} is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The text is not what is expected at this place.
    #[error("{}:{line}:{column}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, from 1; 0 where the fault has no place.
        line: usize,
        /// Column, from 1; 0 where the fault has no place.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
}

impl Failure for ConfigError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

/// Reads the file into `T`.
pub fn load_config<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<T, ConfigError> {
    let path = path.as_ref();
    let failed = |source| ConfigError::Read {
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(failed)?
        .take(MAX_CONFIG + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_CONFIG {
        return Err(ConfigError::TooLarge { path: path.into() });
    }
    let text = String::from_utf8(bytes).map_err(|_| ConfigError::NotText { path: path.into() })?;
    parse_config(path, &text)
}

/// Parses the text; `path` is only for the error's words.
pub fn parse_config<T: DeserializeOwned>(
    path: impl AsRef<Path>,
    text: &str,
) -> Result<T, ConfigError> {
    let says_nothing = text.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---"
    });
    serde_yaml::from_str(if says_nothing { "{}" } else { text }).map_err(|error| {
        let (line, column) = error
            .location()
            .map_or((0, 0), |at| (at.line(), at.column()));
        let mut reason = error.to_string();
        // The place is told once, in front.
        if let Some(end) = reason.rfind(&format!(" at line {line} column {column}")) {
            reason.truncate(end);
        }
        ConfigError::Invalid {
            path: path.as_ref().into(),
            line,
            column,
            reason,
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Config {
        store: PathBuf,
        limits: Limits,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Limits {
        room: Option<crate::ByteSize>,
    }

    fn refusal(text: &str) -> String {
        parse_config::<Config>("m.yaml", text)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn values_are_read() {
        let config: Config = parse_config("m.yaml", "store: /s\nlimits:\n  room: 4 GiB\n").unwrap();
        assert_eq!(
            config,
            Config {
                store: "/s".into(),
                limits: Limits {
                    room: Some(crate::ByteSize(4 << 30))
                }
            }
        );
        let config: Config = parse_config("m.yaml", "limits: {room: 17}").unwrap();
        assert_eq!(config.limits.room, Some(crate::ByteSize(17)));
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        for text in ["", "\n# nothing\n", "---\n"] {
            assert_eq!(
                parse_config::<Config>("m.yaml", text).unwrap(),
                Config::default(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_unknown_key_is_told_with_its_place() {
        let text = refusal("store: /s\nlimits:\n  rom: 4 GiB\n");
        assert!(
            text.starts_with("m.yaml:3:3: limits: unknown field `rom`"),
            "{text}"
        );
        assert!(!text.contains("at line"), "{text}");
    }

    #[test]
    fn other_faults_have_their_place_too() {
        let text = refusal("store: /s\nlimits:\n  room: 4G\n");
        assert!(
            text.starts_with("m.yaml:3:9: limits.room: \"4G\" can mean two sizes"),
            "{text}"
        );
        let text = refusal("store: /s\nstore: /t\n");
        assert!(text.contains("duplicate field `store`"), "{text}");
        let text = refusal("store: /s\n  limits: {\n");
        assert!(text.starts_with("m.yaml:2:"), "{text}");
    }

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.yaml");
        let mut text = vec![b'#'; MAX_CONFIG as usize];
        std::fs::write(&path, &text).unwrap();
        assert_eq!(load_config::<Config>(&path).unwrap(), Config::default());
        text.push(b'#');
        std::fs::write(&path, &text).unwrap();
        assert!(matches!(
            load_config::<Config>(&path),
            Err(ConfigError::TooLarge { .. })
        ));
        std::fs::write(&path, b"store: \xff").unwrap();
        assert!(matches!(
            load_config::<Config>(&path),
            Err(ConfigError::NotText { .. })
        ));
        let error = load_config::<Config>(dir.path().join("none.yaml")).unwrap_err();
        assert!(matches!(error, ConfigError::Read { .. }));
        assert_eq!(error.exit(), Exit::Usage);
    }
}
