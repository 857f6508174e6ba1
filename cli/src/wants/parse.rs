//! Reading a wants file's text: first its format, then strictly all of it.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use modferry_protocol::module::ModulePath;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use super::{
    Entry, Follow, MAX_WANTS, MAX_WORDS, Place, Time, WANTS_FORMAT, Want, Wants, WantsError,
};
use crate::parse_config;

/// The one key that every format has; whatever else a later one has is none of its errors.
#[derive(Deserialize)]
#[serde(expecting = "a wants file, which begins with modferry-wants: 1")]
struct Format {
    #[serde(rename = "modferry-wants")]
    format: u64,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a wants file, which begins with modferry-wants: 1"
)]
struct File {
    #[serde(rename = "modferry-wants")]
    _format: u64,
    site: Option<Words>,
    written: Option<Time>,
    wants: Option<Vec<Line>>,
}

#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an entry, as in {want: example.com/a@latest}"
)]
struct Line {
    want: Want,
    #[serde(default)]
    or: Vec<ModuleName>,
    #[serde(default)]
    private: bool,
    asked: Option<u64>,
    first: Option<Time>,
    last: Option<Time>,
    follow: Option<Follow>,
    note: Option<Words>,
}

impl Wants {
    /// Reads the text, without signatures; `path` is only for the errors' words.
    pub fn parse(path: &Path, text: &str) -> Result<Wants, WantsError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let empty = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        if text.lines().all(empty) {
            return Err(WantsError::Empty { path: path.into() });
        }
        let Format { format } = parse_config(path, text)?;
        if format != WANTS_FORMAT {
            return Err(WantsError::Newer {
                path: path.into(),
                format,
            });
        }
        let file: File = parse_config(path, text)?;
        let lines = file.wants.unwrap_or_default();
        if lines.len() > MAX_WANTS {
            return Err(WantsError::TooMany {
                path: path.into(),
                count: lines.len(),
            });
        }
        let places = places(text);
        let known = places.len() == lines.len();
        let mut wants = Vec::with_capacity(lines.len());
        for (number, line) in lines.into_iter().enumerate() {
            let place = places.get(number).copied().filter(|_| known);
            wants.push(line.entry(path, number, place)?);
        }
        Ok(Wants {
            site: file.site.map(|Words(site)| site),
            written: file.written,
            wants,
        })
    }
}

impl Line {
    fn entry(self, path: &Path, number: usize, place: Option<Place>) -> Result<Entry, WantsError> {
        let whole = self.want.path();
        let or: Vec<ModulePath> = self.or.into_iter().map(|ModuleName(path)| path).collect();
        if let Some(other) = or.iter().find(|path| !is_below(whole, path)) {
            let reason = format!(
                "wants[{number}].or: {other} is not the beginning of {whole}: a package is in a module whose path its own begins with"
            );
            return Err(WantsError::Invalid(crate::ConfigError::Invalid {
                path: path.into(),
                line: place.map_or(0, |place| place.line),
                column: place.map_or(0, |place| place.column),
                reason,
            }));
        }
        Ok(Entry {
            want: self.want,
            or,
            private: self.private,
            asked: self.asked,
            first: self.first,
            last: self.last,
            follow: self.follow,
            note: self.note.map(|Words(note)| note),
            place,
        })
    }
}

/// Whether a package of that path could be in a module of that other one.
fn is_below(path: &ModulePath, module: &ModulePath) -> bool {
    path.as_str()
        .strip_prefix(module.as_str())
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Where the entries of `wants` say what is wanted: they begin with a dash as far left as the first one, and have a key
/// `want`, whose value begins behind it. The YAML reader tells no place of what it has read.
fn places(text: &str) -> Vec<Place> {
    let mut lines = (1..).zip(text.lines());
    if !lines.by_ref().any(|(_, line)| line.starts_with("wants:")) {
        return Vec::new();
    }
    let mut left = None;
    let mut places: Vec<Place> = Vec::new();
    // How far right the keys of the entry stand, until its `want` is found.
    let mut keys = None;
    for (line, text) in lines {
        let mut at = indent(text);
        if text[at..].starts_with("- ") && *left.get_or_insert(at) == at {
            let column = at + 1;
            places.push(Place { line, column });
            at += 1 + indent(&text[at + 1..]);
            keys = Some(at);
        }
        if keys == Some(at)
            && let Some(value) = text[at..].strip_prefix("want:")
            && let Some(place) = places.last_mut()
        {
            let column = at + "want:".len() + indent(value) + 1;
            *place = Place { line, column };
            keys = None;
        }
    }
    places
}

/// How many spaces it begins with.
fn indent(text: &str) -> usize {
    text.len() - text.trim_start_matches(' ').len()
}

/// A scalar that is parsed within its visitor, so that what is wrong with it is told with its place.
struct Scalar<T, F>(F, PhantomData<T>);

impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Scalar<T, F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }
}

fn scalar<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(Scalar(parse, PhantomData))
}

impl<'de> Deserialize<'de> for Want {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Want, D::Error> {
        scalar(deserializer, |text| {
            text.parse().map_err(|error| format!("{text:?}: {error}"))
        })
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        scalar(deserializer, str::parse)
    }
}

/// A module's path.
struct ModuleName(ModulePath);

impl<'de> Deserialize<'de> for ModuleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ModuleName, D::Error> {
        let path = |text: &str| ModulePath::new(text).map_err(|error| error.to_string());
        scalar(deserializer, path).map(ModuleName)
    }
}

/// One line for people.
struct Words(String);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Words, D::Error> {
        scalar(deserializer, |text| {
            if text.len() > MAX_WORDS || text.chars().any(char::is_control) {
                return Err(format!("want one line of at most {MAX_WORDS} bytes"));
            }
            Ok(Words(text.into()))
        })
    }
}
