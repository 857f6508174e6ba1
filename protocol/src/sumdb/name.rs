//! The name of a checksum database, as it stands in `GOSUMDB`, in a proxy's URLs and in a note's key.
//!
//! cmd/go (modfetch/sumdb.go, dbDial) wants `host[/path]`, such that `https://NAME` is a URL with nothing
//! else in it. Here each part is also made of the characters of a module path, so that a name needs no
//! escaping in a URL, an index line or a report, and can never climb out of a folder.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The longest name, in bytes.
pub const MAX_DB_NAME: usize = 255;

/// A checksum database's name: `sum.golang.org`, `sum.corp.example:8443`, `localhost.localdev/sumdb`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DbName(Box<str>);

/// Not the name of a checksum database.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "invalid checksum database name {0:?}: want host[:port][/path], letters, digits and -._~ in each part"
)]
pub struct DbNameError(pub String);

impl DbName {
    /// Checks a name.
    pub fn new(name: &str) -> Result<Self, DbNameError> {
        let error = || DbNameError(name.chars().take(MAX_DB_NAME).collect());
        let (host, path) = match name.split_once('/') {
            Some((host, path)) => (host, Some(path)),
            None => (name, None),
        };
        let host = match host.split_once(':') {
            Some((host, port)) if is_port(port) => host,
            Some(_) => return Err(error()),
            None => host,
        };
        let valid = name.len() <= MAX_DB_NAME
            && is_element(host)
            && path.is_none_or(|path| path.split('/').all(is_element));
        if valid {
            Ok(Self(name.into()))
        } else {
            Err(error())
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A port in its one spelling: 1 to 65535, no leading zero.
fn is_port(text: &str) -> bool {
    text.parse::<u16>()
        .is_ok_and(|port| port > 0 && port.to_string() == text)
}

/// The rule of a module path's element (x/mod/module, checkElem), less its exceptions for Windows.
fn is_element(element: &str) -> bool {
    !element.is_empty()
        && !element.starts_with('.')
        && !element.ends_with('.')
        && element
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

impl AsRef<str> for DbName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DbName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DbName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DbName({:?})", &self.0)
    }
}

impl FromStr for DbName {
    type Err = DbNameError;

    fn from_str(name: &str) -> Result<Self, DbNameError> {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_hosts_and_paths() {
        for name in [
            "sum.golang.org",
            "localhost",
            "localhost:8080",
            "localhost.localdev/sumdb",
            "Sum.Example.com:443/a/b~c/_d",
        ] {
            assert_eq!(DbName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_could_be_misread_in_a_url_or_a_folder_is_refused() {
        for name in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            ".",
            "..",
            "a/..",
            "a/../b",
            "a/.b",
            "a.",
            "a+b",
            "a b",
            "a\nb",
            "a\u{a0}b",
            "ä.example",
            "a%2fb",
            "a?b",
            "a#b",
            "a@b",
            "a\\b",
            "!a",
            "a:",
            ":1",
            "a:0",
            "a:080",
            "a:+80",
            "a:65536",
            "a:80:80",
            "a/b:80",
            "https://a",
            "sum.golang.org+033de0ae+Ac4z",
        ] {
            assert!(DbName::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn the_length_has_a_limit() {
        let longest = "a".repeat(MAX_DB_NAME);
        assert!(DbName::new(&longest).is_ok());
        assert!(DbName::new(&(longest + "a")).is_err());
    }
}
