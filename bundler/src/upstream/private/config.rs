//! How upstreams of private modules are named: `private` of modferry.yaml, and `--private`.
//!
//! ```yaml
//! private:
//!   - patterns: [git.corp.example, github.com/ours]
//!     goproxy: https://athens.corp.example
//!     netrc: private.netrc          # its own credentials; or header-file, or header-env
//!   - patterns: [code.corp.example/*]
//!     direct: true
//! ```
//!
//! ```text
//! --private git.corp.example=https://athens.corp.example --private 'code.corp.example/*=direct'
//! ```
//!
//! What it takes to fetch from one and what must not be said of it is known here, before anything is asked of anybody.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use modferry_protocol::module::pattern;
use serde::{Deserialize, Deserializer};

use crate::select::text;
use crate::settings::{path, value};
use crate::upstream::goproxy::{ListError, Proxy, ProxyList};
use crate::upstream::url::{Base, is_loopback};

/// An upstream of private modules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateConfig {
    /// Glob patterns of module paths, as GOPRIVATE has them.
    pub patterns: Vec<String>,
    /// Where these modules are.
    pub from: Source,
    /// A netrc file with passwords for this upstream.
    pub netrc: Option<PathBuf>,
}

/// Where modules come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Module proxies.
    Goproxy {
        /// In GOPROXY's form.
        list: ProxyList,
        /// Where the header with the credentials is.
        header: Option<HeaderAt>,
    },
    /// Version control, by the go command.
    Direct,
}

/// Where a header is: `Name: value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderAt {
    /// In a file.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
}

/// Why an entry, or a flag, is none.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// Nobody knows for which modules.
    #[error("an entry needs patterns: the module paths that it is for")]
    NoPatterns,
    /// Not of a module's path.
    #[error("{0:?} is no pattern of module paths")]
    Pattern(String),
    /// Both, or neither.
    #[error("{0}: want either goproxy: URL or direct: true")]
    Way(String),
    /// A flag has no `=`.
    #[error(
        "want PATTERN=URL or PATTERN=direct, as in git.corp.example=https://athens.corp.example"
    )]
    NoWay,
    /// The proxies.
    #[error("{0}")]
    Goproxy(String, #[source] ListError),
    /// Version control knows nothing of it.
    #[error("{0}: a header is for a goproxy; version control has its own credentials")]
    HeaderOfDirect(String),
    /// Which of the two?
    #[error("{0}: want header-file or header-env, not both")]
    TwoHeaders(String),
    /// It could go to somebody else.
    #[error("{0}: a header is a secret of one upstream: want one URL as goproxy, and https")]
    Overheard(String),
}

/// What a flag says in place of a URL.
const DIRECT: &str = "direct";

impl PrivateConfig {
    /// Relative paths are relative to the configuration's folder.
    pub fn in_folder(&mut self, folder: &Path) {
        let header = match &mut self.from {
            Source::Goproxy {
                header: Some(HeaderAt::File(path)),
                ..
            } => Some(path),
            _ => None,
        };
        for path in self.netrc.iter_mut().chain(header) {
            *path = folder.join(&*path);
        }
    }
}

impl FromStr for PrivateConfig {
    type Err = PrivateError;

    fn from_str(text: &str) -> Result<PrivateConfig, PrivateError> {
        let (pattern, from) = text.split_once('=').ok_or(PrivateError::NoWay)?;
        let Pattern(pattern) = pattern.parse()?;
        let from = match from {
            DIRECT => Source::Direct,
            list => Source::Goproxy {
                list: ProxyList::parse(list)
                    .map_err(|error| PrivateError::Goproxy(pattern.clone(), error))?,
                header: None,
            },
        };
        Ok(PrivateConfig {
            patterns: vec![pattern],
            from,
            netrc: None,
        })
    }
}

/// A glob pattern that says something of a module's path.
struct Pattern(String);

impl FromStr for Pattern {
    type Err = PrivateError;

    fn from_str(text: &str) -> Result<Pattern, PrivateError> {
        let names_some = text.contains(|c: char| c.is_ascii_alphanumeric());
        match pattern::is_well_formed(text) && !text.contains(',') && names_some {
            true => Ok(Pattern(text.to_owned())),
            false => Err(PrivateError::Pattern(text.to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pattern, D::Error> {
        text::deserialize(
            deserializer,
            "a pattern of module paths, as GOPRIVATE has them",
        )
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Mapping {
    patterns: Vec<Pattern>,
    goproxy: Option<ProxyList>,
    direct: bool,
    #[serde(deserialize_with = "path::one")]
    netrc: Option<PathBuf>,
    #[serde(deserialize_with = "path::one")]
    header_file: Option<PathBuf>,
    header_env: Option<String>,
}

impl TryFrom<Mapping> for PrivateConfig {
    type Error = PrivateError;

    fn try_from(mapping: Mapping) -> Result<PrivateConfig, PrivateError> {
        let patterns: Vec<String> = mapping
            .patterns
            .into_iter()
            .map(|Pattern(text)| text)
            .collect();
        let all = patterns.join(",");
        if patterns.is_empty() {
            return Err(PrivateError::NoPatterns);
        }
        let header = match (mapping.header_file, mapping.header_env) {
            (Some(_), Some(_)) => return Err(PrivateError::TwoHeaders(all)),
            (Some(path), None) => Some(HeaderAt::File(path)),
            (None, Some(name)) => Some(HeaderAt::Variable(name)),
            (None, None) => None,
        };
        let from = match (mapping.goproxy, mapping.direct) {
            (Some(list), false) if header.is_some() && !keeps_a_secret(&list) => {
                return Err(PrivateError::Overheard(all));
            }
            (Some(list), false) => Source::Goproxy { list, header },
            (None, true) if header.is_some() => return Err(PrivateError::HeaderOfDirect(all)),
            (None, true) => Source::Direct,
            _ => return Err(PrivateError::Way(all)),
        };
        Ok(PrivateConfig {
            patterns,
            from,
            netrc: mapping.netrc,
        })
    }
}

impl<'de> Deserialize<'de> for PrivateConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PrivateConfig, D::Error> {
        let expected = "a mapping with patterns, and goproxy or direct";
        value::mapping(deserializer, expected, |mapping: Mapping| {
            mapping.try_into()
        })
    }
}

/// Whether what goes to this list with each request comes to one host only, and nobody on the way can read it. What never
/// leaves this machine cannot be overheard.
fn keeps_a_secret(list: &ProxyList) -> bool {
    let mut proxies = list
        .entries()
        .iter()
        .filter_map(|entry| match &entry.proxy {
            Proxy::At(base) => Some(base),
            Proxy::Direct | Proxy::Off => None,
        });
    match (proxies.next(), proxies.next()) {
        (Some(Base::Http(base)), None) => base.secure || is_loopback(&base.host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_flag_says_what_an_entry_says() {
        for (flag, entry) in [
            (
                "git.test=https://a.test,http://b.test",
                "{patterns: [git.test], goproxy: 'https://a.test,http://b.test'}",
            ),
            (
                "*.corp.test/x=direct",
                "{patterns: ['*.corp.test/x'], direct: true}",
            ),
        ] {
            let config: PrivateConfig = modferry_cli::parse_config("y", entry).unwrap();
            assert_eq!(flag.parse::<PrivateConfig>().unwrap(), config);
        }
    }

    #[test]
    fn a_flag_that_names_no_upstream_is_told_what_to_write() {
        for (flag, told) in [
            ("git.test", "want PATTERN=URL or PATTERN=direct"),
            ("*=direct", "is no pattern of module paths"),
            ("a.test,b.test=direct", "is no pattern of module paths"),
            ("git.test=", "git.test: GOPROXY contains no entries"),
            ("git.test=off", "git.test: GOPROXY begins with off"),
            (
                "git.test=Direct",
                "git.test: GOPROXY has an element that is no proxy: ",
            ),
        ] {
            let error = flag.parse::<PrivateConfig>().unwrap_err();
            let error = modferry_cli::in_one_line(&error);
            assert!(error.contains(told), "{flag}: {error}");
        }
    }
}
