//! Reads the entries of modferry.yaml's lists of what is asked for: a text, or a mapping (see [`ask`](super::ask)).
//!
//! Visitors of our own read them, since what serde makes of either-or forgets line and column of what is wrong.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use modferry_cli::wants::Follow;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::ask::{Ask, Options};
use super::sought::Sought;
use crate::settings::path::{self, Written};

/// What an entry may be about.
pub trait Subject: Sized {
    /// The mapping that says it with more.
    type Mapping: for<'de> Deserialize<'de> + Into<Ask<Self>>;
    /// What is expected where neither a text nor a mapping stands.
    const EXPECTED: &'static str;

    /// From the text alone.
    fn of(text: &str) -> Result<Self, String>;
}

/// A module, and how it is meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModuleMapping {
    module: Sought,
    follow: Option<Follow>,
    pre_releases: Option<bool>,
    retracted: Option<bool>,
}

/// A file or folder, and how it is meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PathMapping {
    path: Written,
    follow: Option<Follow>,
}

impl Subject for Sought {
    type Mapping = ModuleMapping;
    const EXPECTED: &'static str = "module@version, or a mapping with `module`";

    fn of(text: &str) -> Result<Sought, String> {
        text.parse::<Sought>().map_err(|error| error.to_string())
    }
}

impl Subject for PathBuf {
    type Mapping = PathMapping;
    const EXPECTED: &'static str = "a path, or a mapping with `path`";

    fn of(text: &str) -> Result<PathBuf, String> {
        path::of(text).map_err(|error| error.to_string())
    }
}

impl From<ModuleMapping> for Ask<Sought> {
    fn from(mapping: ModuleMapping) -> Ask<Sought> {
        Ask {
            options: Options {
                follow: mapping.follow,
                pre_releases: mapping.pre_releases,
                retracted: mapping.retracted,
            },
            ..Ask::from(mapping.module)
        }
    }
}

impl From<PathMapping> for Ask<PathBuf> {
    fn from(mapping: PathMapping) -> Ask<PathBuf> {
        Ask {
            options: Options {
                follow: mapping.follow,
                ..Options::default()
            },
            ..Ask::from(mapping.path.0)
        }
    }
}

impl<'de> Deserialize<'de> for Sought {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sought, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Sought;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("module@version")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Sought, E> {
                Sought::of(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de, T: Subject> Deserialize<'de> for Ask<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ask<T>, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Subject> Visitor<'de> for Either<T> {
            type Value = Ask<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Ask<T>, E> {
                T::of(text).map(Ask::from).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Ask<T>, A::Error> {
                T::Mapping::deserialize(MapAccessDeserializer::new(map)).map(Into::into)
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Lists {
        modules: Vec<Ask<Sought>>,
        files: Vec<Ask<PathBuf>>,
    }

    fn read(text: &str) -> Result<Lists, String> {
        modferry_cli::parse_config("m.yaml", text).map_err(|error| error.to_string())
    }

    #[test]
    fn an_entry_is_a_text_or_a_mapping() {
        let lists = read(
            "modules: [a.b/c@^1.8, {module: a.b/d@v1.0.0, follow: none, retracted: true}]\n\
             files:\n  - app/go.mod\n  - path: lib/go.mod\n    follow: all\n  - path: bare\n",
        )
        .unwrap();
        assert_eq!(
            lists.modules[0],
            Ask::from("a.b/c@^1.8".parse::<Sought>().unwrap())
        );
        let options = lists.modules[1].options;
        assert_eq!(options.follow, Some(Follow::None));
        assert_eq!(
            (options.retracted, options.pre_releases),
            (Some(true), None)
        );
        assert_eq!(lists.modules[1].what.to_string(), "a.b/d@v1.0.0");
        let files: Vec<_> = lists
            .files
            .iter()
            .map(|ask| (ask.what.to_str().unwrap(), ask.options.follow))
            .collect();
        let all = Some(Follow::All);
        assert_eq!(
            files,
            [("app/go.mod", None), ("lib/go.mod", all), ("bare", None)]
        );
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        for (text, told) in [
            (
                "modules:\n  - a.b/c@v1.0.0\n  - a.b/d\n",
                "m.yaml:3:5: modules[1]: a.b/d: no version",
            ),
            (
                "modules:\n  - module: a.b/d\n    follow: none\n",
                "m.yaml:2:13: modules[0].module: a.b/d: no version",
            ),
            (
                "modules:\n  - module: a.b/d@v1.0.0\n    follow: some\n",
                "m.yaml:3:13: modules[0].follow: unknown variant `some`",
            ),
            (
                "modules:\n  - module: a.b/d@v1.0.0\n    fellow: all\n",
                "m.yaml:3:5: modules[0]: unknown field `fellow`",
            ),
            (
                "files:\n  - path: a\n    retracted: true\n",
                "m.yaml:3:5: files[0]: unknown field `retracted`",
            ),
            (
                "files:\n  - follow: all\n",
                "m.yaml:2:5: files[0]: missing field `path`",
            ),
            (
                "files:\n  - [a]\n",
                "m.yaml:2:5: files[0]: invalid type: sequence, expected a path, or a mapping with `path`",
            ),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(told), "{text}: {error}");
        }
    }
}
