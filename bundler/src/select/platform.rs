//! Platforms, as in `linux/amd64`: for which of them toolchains are carried, and what builds there.
//!
//! Go's lists of names are closed ones, and names of files mean them (internal/syslist), so a name that is in neither is a
//! slip: what is carried would depend on it without a word. They have names that Go means to use one day, too. The
//! toolchain of a platform that is newer than these lists can be named as a module:
//! `golang.org/toolchain@v0.0.1-go1.26.0.GOOS-GOARCH`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use super::text;

/// The names that GOOS has or had, and whether `unix` is set for them.
const SYSTEMS: [(&str, bool); 18] = [
    ("aix", true),
    ("android", true),
    ("darwin", true),
    ("dragonfly", true),
    ("freebsd", true),
    ("hurd", true),
    ("illumos", true),
    ("ios", true),
    ("js", false),
    ("linux", true),
    ("nacl", false),
    ("netbsd", true),
    ("openbsd", true),
    ("plan9", false),
    ("solaris", true),
    ("wasip1", false),
    ("windows", false),
    ("zos", false),
];

/// The names that GOARCH has or had.
const ARCHITECTURES: [&str; 24] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "arm64",
    "arm64be",
    "armbe",
    "loong64",
    "mips",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "mipsle",
    "ppc",
    "ppc64",
    "ppc64le",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];

/// A name that is further from all that are known than this is not taken for a slip of one of them.
const MAX_SLIPS: usize = 2;

/// A platform.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Platform {
    os: Box<str>,
    arch: Box<str>,
}

/// Why a text names no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// Not two names.
    #[error("{0:?} is no platform: say it as in linux/amd64 or darwin/arm64")]
    Malformed(String),
    /// No name of Go's.
    #[error("{text:?} is no platform: Go knows no {kind} {name:?}{}; say it as in linux/amd64 or darwin/arm64", perhaps(*.nearest))]
    Unknown {
        /// All of it.
        text: String,
        /// GOOS or GOARCH.
        kind: &'static str,
        /// The name.
        name: String,
        /// The one that may be meant.
        nearest: Option<&'static str>,
    },
}

fn perhaps(nearest: Option<&str>) -> String {
    nearest
        .map(|name| format!(" (perhaps {name}?)"))
        .unwrap_or_default()
}

/// Whether GOOS may be called so.
pub fn is_system(name: &str) -> bool {
    SYSTEMS.iter().any(|(system, _)| *system == name)
}

/// Whether `unix` is set for this GOOS.
pub fn is_unix(name: &str) -> bool {
    SYSTEMS.contains(&(name, true))
}

/// Whether GOARCH may be called so.
pub fn is_architecture(name: &str) -> bool {
    ARCHITECTURES.contains(&name)
}

/// The name that was meant, if one is near.
fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let far = known.map(|known| (strsim::damerau_levenshtein(name, known), known));
    let (slips, known) = far.min()?;
    (slips <= MAX_SLIPS).then_some(known)
}

impl Platform {
    /// The one that the go command asks for, whatever its own.
    pub fn linux_amd64() -> Platform {
        Platform {
            os: "linux".into(),
            arch: "amd64".into(),
        }
    }

    /// As GOOS names it.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// As GOARCH names it.
    pub fn arch(&self) -> &str {
        &self.arch
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Platform, PlatformError> {
        let word = |word: &str| {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            !word.is_empty() && word.bytes().all(plain)
        };
        let (os, arch) = match text.split_once('/') {
            Some((os, arch)) if word(os) && word(arch) => (os, arch),
            _ => return Err(PlatformError::Malformed(text.to_owned())),
        };
        let unknown = |kind, name: &str, nearest| PlatformError::Unknown {
            text: text.to_owned(),
            kind,
            name: name.to_owned(),
            nearest,
        };
        if !is_system(os) {
            let near = nearest(os, SYSTEMS.into_iter().map(|(system, _)| system));
            return Err(unknown("GOOS", os, near));
        }
        if !is_architecture(arch) {
            let near = nearest(arch, ARCHITECTURES.into_iter());
            return Err(unknown("GOARCH", arch, near));
        }
        Ok(Platform {
            os: os.into(),
            arch: arch.into(),
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.arch)
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Platform, D::Error> {
        text::deserialize(deserializer, "a platform, as in linux/amd64")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_platform_that_the_go_command_builds_for_is_one() {
        let list = std::process::Command::new("go")
            .args(["tool", "dist", "list"])
            .output()
            .unwrap();
        assert!(list.status.success(), "{list:?}");
        let list = String::from_utf8(list.stdout).unwrap();
        assert!(list.lines().count() > 40, "{list}");
        for text in list.lines() {
            let platform: Platform = text.parse().unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(platform.to_string(), text);
        }
    }

    #[test]
    fn a_name_that_go_does_not_know_is_told_with_the_nearest() {
        for (text, told) in [
            (
                "linux/adm64",
                "Go knows no GOARCH \"adm64\" (perhaps amd64?)",
            ),
            ("linx/amd64", "Go knows no GOOS \"linx\" (perhaps linux?)"),
            (
                "window/amd64",
                "Go knows no GOOS \"window\" (perhaps windows?)",
            ),
            ("macosx/arm64", "Go knows no GOOS \"macosx\"; say it as in"),
            ("linux/x86", "Go knows no GOARCH \"x86\""),
            ("amd64/linux", "Go knows no GOOS \"amd64\"; say it as in"),
            ("linux", "\"linux\" is no platform: say it as in"),
            ("linux/amd64/v3", "is no platform: say it as in"),
            ("linux/", "is no platform: say it as in"),
        ] {
            let error = text.parse::<Platform>().unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
