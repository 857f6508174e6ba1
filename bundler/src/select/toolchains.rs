//! Go toolchains: what `GOTOOLCHAIN=auto` inside may switch to, as the modules `golang.org/toolchain` that the go
//! command downloads for that (cmd/go/internal/toolchain and modfetch/toolchain.go).
//!
//! Which one it wants is decided in two ways. A main module's go.mod names it exactly: by its `toolchain` line, or by its
//! `go` line if that is newer, where `go 1.25` means go1.25.0. A dependency that is too new for the running go is content
//! with any toolchain of those that the mirror lists, if it is new enough. So `auto` is the exact ones, and one more
//! where a dependency is newer than all of them. No go that can switch is older than 1.21, so none before it is wanted.
//!
//! Whatever the platform, `go get go@1.25.3` asks for the `.info` of the one for linux-amd64, to see whether there is such a
//! version. So that one's `.info` and go.mod are carried always, and its zip only for those who have that platform: it is
//! then served and never listed, as everything that is not whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use modferry_protocol::module::{ModulePath, ModuleVersion, Version};
use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

use super::gover::{GoVersion, GoVersionError};
use super::platform::Platform;
use crate::fetch::Level;

/// The module that toolchains are versions of.
pub const MODULE: &str = "golang.org/toolchain";

/// The oldest go that switches toolchains, and so never wants this one.
const FIRST: &str = "1.21.0";

/// Which toolchains are carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toolchains {
    /// Those that the selection's go.mod files want.
    pub auto: bool,
    /// And these.
    pub named: Vec<Wanted>,
}

/// A toolchain that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Just this version.
    Version(GoVersion),
    /// The newest release of a language version: `1.25`.
    Newest(GoVersion),
    /// The newest release of all.
    Latest,
}

/// Why a text names no toolchains.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolchainError {
    /// No version.
    #[error("{0}; or auto, none, latest")]
    Version(#[from] GoVersionError),
    /// `none` and something else.
    #[error("toolchains: none stands alone")]
    NoneAndMore,
    /// No toolchain at all.
    #[error("toolchains: say auto, none, or versions as in 1.25.3,latest")]
    Empty,
}

/// The lines of a main module's go.mod that say which go it wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The `go` line.
    pub go: Option<String>,
    /// The `toolchain` line.
    pub toolchain: Option<String>,
}

impl Lines {
    /// The toolchain that the go command runs for them, if the running one is older.
    fn wants(&self) -> Option<GoVersion> {
        let go: Option<GoVersion> = self.go.as_deref().and_then(|go| go.parse().ok());
        let named = match self.toolchain.as_deref() {
            Some("default") => return None,
            // A name with a suffix (go1.25.3-corp) is somebody's own build, which is no module.
            Some(name) => name.strip_prefix("go").and_then(|name| name.parse().ok()),
            None => None,
        };
        go.map(|go| go.release()).max(named).filter(switched_to)
    }
}

fn switched_to(version: &GoVersion) -> bool {
    FIRST.parse().is_ok_and(|first: GoVersion| *version > first)
}

/// The platforms, where nothing else is said. Not that of the machine that exports: what a bundle carries must not
/// depend on who makes it. It is the one that `go get go@…` asks for in any case.
pub fn platforms() -> Vec<Platform> {
    vec![Platform::linux_amd64()]
}

/// What `auto` comes to: for these main modules, and modules with these go lines.
pub fn auto<'a>(mains: &[Lines], modules: impl Iterator<Item = &'a str>) -> BTreeSet<GoVersion> {
    let mut wanted: BTreeSet<GoVersion> = mains.iter().filter_map(Lines::wants).collect();
    let newest = modules.filter_map(|go| go.parse::<GoVersion>().ok()).max();
    if let Some(newest) = newest
        && switched_to(&newest)
        && wanted.last().is_none_or(|last| *last < newest)
    {
        wanted.insert(newest.release());
    }
    wanted
}

impl Wanted {
    /// The version of those that upstream has.
    pub fn among<'v>(&self, had: &'v BTreeSet<GoVersion>) -> Option<&'v GoVersion> {
        let release = |version: &&GoVersion| !version.is_prerelease();
        match self {
            Wanted::Version(version) => had.get(version),
            Wanted::Newest(language) => {
                let of = || had.iter().rev().filter(|version| version.is_of(language));
                of().find(release).or_else(|| of().next())
            }
            Wanted::Latest => had.iter().rev().find(release),
        }
    }
}

/// The versions of Go that a list of the module's versions names.
pub fn listed<'v>(versions: impl Iterator<Item = &'v Version>) -> BTreeSet<GoVersion> {
    versions.filter_map(go_of).collect()
}

/// The version of Go that a module version is; `None` of any other module.
pub fn version_of(module: &ModuleVersion) -> Option<GoVersion> {
    let is_toolchain = module.path().as_str() == MODULE;
    is_toolchain.then(|| go_of(module.version())).flatten()
}

fn go_of(version: &Version) -> Option<GoVersion> {
    let name = version.as_str().strip_prefix("v0.0.1-go")?;
    let (go, platform) = name.rsplit_once('.')?;
    platform.contains('-').then(|| go.parse().ok())?
}

/// The modules of these toolchains, and how much of each.
pub fn modules(
    versions: &BTreeSet<GoVersion>,
    platforms: &[Platform],
) -> BTreeMap<ModuleVersion, Level> {
    let mut modules = BTreeMap::new();
    for version in versions {
        if let Some(module) = module(version, &Platform::linux_amd64()) {
            modules.insert(module, Level::Listed);
        }
        for platform in platforms {
            if let Some(module) = module(version, platform) {
                modules.insert(module, Level::Whole);
            }
        }
    }
    modules
}

fn module(version: &GoVersion, platform: &Platform) -> Option<ModuleVersion> {
    let (os, arch) = (platform.os(), platform.arch());
    let version = Version::new(&format!("v0.0.1-go{version}.{os}-{arch}")).ok()?;
    ModuleVersion::new(ModulePath::new(MODULE).ok()?, version).ok()
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Version(version) | Wanted::Newest(version) => version.fmt(f),
            Wanted::Latest => f.pad("latest"),
        }
    }
}

impl FromStr for Toolchains {
    type Err = ToolchainError;

    fn from_str(text: &str) -> Result<Toolchains, ToolchainError> {
        of_words(text.split(',').map(str::trim))
    }
}

fn of_words<'w>(words: impl Iterator<Item = &'w str>) -> Result<Toolchains, ToolchainError> {
    let mut toolchains = Toolchains::default();
    let mut none = false;
    for word in words {
        match word {
            "" => return Err(ToolchainError::Empty),
            "none" => none = true,
            "auto" => toolchains.auto = true,
            "latest" => toolchains.named.push(Wanted::Latest),
            version => toolchains.named.push(wanted(version)?),
        }
    }
    let empty = toolchains == Toolchains::default();
    match (none, empty) {
        (true, false) => Err(ToolchainError::NoneAndMore),
        (false, true) => Err(ToolchainError::Empty),
        _ => Ok(toolchains),
    }
}

fn wanted(text: &str) -> Result<Wanted, GoVersionError> {
    let version: GoVersion = text.strip_prefix("go").unwrap_or(text).parse()?;
    Ok(match version.is_language() {
        true => Wanted::Newest(version),
        false => Wanted::Version(version),
    })
}

impl<'de> Deserialize<'de> for Toolchains {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Toolchains, D::Error> {
        struct Words;
        impl<'de> Visitor<'de> for Words {
            type Value = Toolchains;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                // An unquoted 1.20 is the number 1.2 in YAML.
                f.write_str(
                    "auto, none or a list of versions in quotes, as in [\"1.25.3\", latest]",
                )
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Toolchains, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Toolchains, A::Error> {
                let mut words: Vec<String> = Vec::new();
                while let Some(word) = seq.next_element()? {
                    words.push(word);
                }
                of_words(words.iter().map(String::as_str)).map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_any(Words)
    }
}

#[cfg(test)]
#[path = "toolchains/tests.rs"]
mod tests;
