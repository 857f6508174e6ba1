//! Settings: what the command line says, else the configuration file, else the go command's own, else a default.

mod flags_first;
mod inputs;
pub mod path;
mod sources;
mod transfers;
pub mod value;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modferry_cli::wants::Follow;
use modferry_cli::{Exit, Fault, Rate};
use modferry_protocol::bundle::{Sequence, StreamName};
use modferry_protocol::note::SigningKey;
use serde::{Deserialize, Deserializer};

use crate::cache::Cache;
use crate::error::Error;
use crate::opaque::{self, FileConfig};
use crate::pack::Packing;
use crate::policy::Policy;
use crate::select::ask::{Ask, Origin};
use crate::select::exclude::Exclude;
use crate::select::packages::constraint::Tags;
use crate::select::platform::Platform;
use crate::select::sought::Sought;
use crate::select::steps::{Choice, Newest};
use crate::select::toolchains::{self, Toolchains};
use crate::sumdb::spec::SumdbSpec;
use crate::upstream::goproxy::ProxyList;
use crate::upstream::private::PrivateConfig;
use crate::volume_size::VolumeSize;
use crate::vulndb::config::VulndbConfig;
pub use transfers::Transfers;

/// modferry.yaml of the connected side. Relative paths in it are relative to the file's folder, and `~/` is the home folder.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(
    default,
    deny_unknown_fields,
    rename_all = "kebab-case",
    expecting = "settings, as in stream: platform"
)]
pub struct Config {
    /// The stream's name.
    #[serde(deserialize_with = "stream")]
    pub stream: Option<String>,
    /// The signing key's file.
    #[serde(deserialize_with = "path::one")]
    pub key: Option<PathBuf>,
    /// The file with the key's passphrase.
    #[serde(deserialize_with = "path::one")]
    pub passphrase_file: Option<PathBuf>,
    /// Where bundles are written to.
    #[serde(deserialize_with = "path::one")]
    pub out: Option<PathBuf>,
    /// Where downloads are kept.
    #[serde(deserialize_with = "path::one")]
    pub cache: Option<PathBuf>,
    /// Where the stream's state is kept.
    #[serde(deserialize_with = "path::one")]
    pub state: Option<PathBuf>,
    /// GOPROXY.
    #[serde(deserialize_with = "goproxy")]
    pub goproxy: Option<String>,
    /// GOSUMDB.
    #[serde(deserialize_with = "gosumdb")]
    pub gosumdb: Option<String>,
    /// Modules as `path@version` or `path@query`.
    pub modules: Vec<Ask<Sought>>,
    /// go.mod files.
    pub go_mod: Vec<Ask<PathBuf>>,
    /// go.sum files.
    pub go_sum: Vec<Ask<PathBuf>>,
    /// go.work files.
    pub go_work: Vec<Ask<PathBuf>>,
    /// Folders of checkouts, or globs of such.
    pub checkouts: Vec<Ask<PathBuf>>,
    /// vendor/modules.txt files.
    pub vendor: Vec<Ask<PathBuf>>,
    /// Compiled programs.
    pub binary: Vec<Ask<PathBuf>>,
    /// Bills of materials.
    pub sbom: Vec<Ask<PathBuf>>,
    /// Module caches.
    pub modcache: Vec<Ask<PathBuf>>,
    /// Files of `module@version` lines.
    pub list: Vec<Ask<PathBuf>>,
    /// Wants files.
    pub wants: Vec<Ask<PathBuf>>,
    /// How far requirements are followed, where nothing else is said.
    pub follow: Option<Follow>,
    /// What is never chosen.
    pub exclude: Vec<Exclude>,
    /// Whether pre-releases count like releases.
    pub pre_releases: Option<bool>,
    /// Whether retracted versions are chosen.
    pub retracted: Option<bool>,
    /// Of which modules the newest version is carried.
    pub newest: Option<Newest>,
    /// Which Go toolchains are carried.
    pub toolchains: Option<Toolchains>,
    /// For which platforms.
    pub platforms: Vec<Platform>,
    /// Heads that clients hold: files or sizes.
    #[serde(deserialize_with = "known_heads")]
    pub known_head: Vec<String>,
    /// Trust notes to carry.
    #[serde(deserialize_with = "path::list")]
    pub trust: Vec<PathBuf>,
    /// Whether a bundle is written although something cannot be had.
    pub keep_going: Option<bool>,
    /// Transfers at once.
    pub transfers: Option<Transfers>,
    /// The most bytes of a volume.
    pub volume_size: Option<VolumeSize>,
    /// How fast bundles are carried.
    pub media_rate: Option<Rate>,
    /// How zips travel.
    pub pack: Option<Packing>,
    /// Whether zips are packed against those that the destination holds.
    pub deltas: Option<bool>,
    /// The public key of the appliance whose receipts come back.
    #[serde(deserialize_with = "path::one")]
    pub receipt_key: Option<PathBuf>,
    /// Opaque files to carry.
    #[serde(deserialize_with = "opaque::config::files")]
    pub files: Vec<FileConfig>,
    /// Where the Go vulnerability database is.
    pub vulndb: Option<VulndbConfig>,
    /// Upstreams of private modules.
    pub private: Vec<PrivateConfig>,
    /// Whether what is no longer selected is taken back.
    pub prune: Option<bool>,
    /// What is refused, whatever is asked for.
    pub policy: Policy,
    /// A receipt to build on. Not for a file: each receipt is named once.
    #[serde(skip)]
    pub receipt: Option<PathBuf>,
    /// What this one export builds on.
    #[serde(skip)]
    pub basis: Option<String>,
    /// What the bundles from this one on carried is carried again, this once.
    #[serde(skip)]
    pub cumulative_from: Option<Sequence>,
}

impl Config {
    /// Reads the file.
    pub fn load(path: &Path) -> Result<Config, Error> {
        let mut config: Config = modferry_cli::load_config(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for path in [
            &mut config.key,
            &mut config.passphrase_file,
            &mut config.out,
            &mut config.cache,
            &mut config.state,
            &mut config.receipt_key,
        ]
        .into_iter()
        .flatten()
        .chain(&mut config.trust)
        {
            *path = folder.join(&*path);
        }
        for file in &mut config.files {
            file.in_folder(folder);
        }
        for private in &mut config.private {
            private.in_folder(folder);
        }
        if let Some(vulndb) = &mut config.vulndb {
            vulndb.in_folder(folder);
        }
        let file: Arc<Path> = path.into();
        let origin = |key: &'static str, index: usize| Origin::Key {
            file: file.clone(),
            key,
            index,
        };
        for (index, ask) in config.modules.iter_mut().enumerate() {
            ask.origin = origin("modules", index);
        }
        for (input, asks) in config.inputs_mut() {
            for (index, ask) in asks.iter_mut().enumerate() {
                ask.origin = origin(input.key(), index);
                ask.what = folder.join(&ask.what);
            }
        }
        for head in &mut config.known_head {
            if head.parse::<u64>().is_err() {
                *head = folder.join(&*head).display().to_string();
            }
        }
        Ok(config)
    }

    /// The stream.
    pub fn stream(&self) -> Result<StreamName, Error> {
        let name = self.stream.as_deref().unwrap_or("default");
        StreamName::new(name)
            .map_err(|source| Error::usage_because(format!("stream {name:?}"), source))
    }

    /// Which files count where packages are loaded.
    pub fn tags(&self) -> Tags {
        match self.platforms.is_empty() {
            true => Tags::Any,
            false => Tags::Platforms(self.platforms.clone()),
        }
    }

    /// How versions are chosen.
    pub fn choice(&self) -> Choice {
        let platforms = match self.platforms.is_empty() {
            true => toolchains::platforms(),
            false => self.platforms.clone(),
        };
        Choice {
            exclude: self.exclude.clone(),
            newest: self.newest.unwrap_or_default(),
            toolchains: self.toolchains.clone().unwrap_or_default(),
            platforms,
        }
    }

    /// The key to sign with; its passphrase is asked for, where it has one and no file is named.
    pub fn signing_key(&self) -> Result<SigningKey, Error> {
        let path = self.key.as_deref().ok_or_else(|| {
            Fault::new(Exit::Usage, "no signing key: say --key FILE")
                .advise("modferry-bundler keygen makes one")
        })?;
        crate::key::signing_key(path, &self.passphrase_file.clone().into())
    }

    /// The stream's state folder.
    pub fn state_folder(&self, stream: &StreamName) -> Result<PathBuf, Error> {
        match &self.state {
            Some(state) => Ok(state.clone()),
            None => Ok(home("XDG_STATE_HOME", ".local/state")?
                .join("modferry")
                .join(stream.as_str())),
        }
    }

    /// The cache of downloads.
    pub fn cache(&self) -> Result<Cache, Error> {
        let folder = match &self.cache {
            Some(cache) => cache.clone(),
            None => home("XDG_CACHE_HOME", ".cache")?
                .join("modferry")
                .join("download"),
        };
        Cache::open(&folder).map_err(Error::file("use the cache folder", &folder))
    }
}

fn stream<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    value::kept(deserializer, StreamName::new, "a stream's name")
}

fn goproxy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    value::kept(deserializer, ProxyList::parse, "proxies in GOPROXY's form")
}

fn gosumdb<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    value::kept(
        deserializer,
        SumdbSpec::parse,
        "a checksum database in GOSUMDB's form",
    )
}

/// Heads as they stand in the file: a tree's size is none of its paths.
fn known_heads<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let heads = path::list(deserializer)?;
    Ok(heads
        .iter()
        .map(|head| head.display().to_string())
        .collect())
}

fn home(variable: &str, below: &str) -> Result<PathBuf, Error> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set(variable)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(set("HOME")?.join(below)))
        .ok_or_else(|| {
            Error::usage(format!(
                "neither {variable} nor HOME is set: say --cache and --state"
            ))
        })
}

#[cfg(test)]
mod tests;
