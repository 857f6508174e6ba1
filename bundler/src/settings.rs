//! Settings: what the command line says, else the configuration file, else the go command's own, else a default.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use modferry_cli::wants::Follow;
use modferry_cli::{Exit, Fault, Rate};
use modferry_protocol::bundle::{Sequence, StreamName};
use modferry_protocol::note::SigningKey;
use serde::Deserialize;

use crate::cache::Cache;
use crate::error::Error;
use crate::fetch::Sources;
use crate::opaque::FileConfig;
use crate::pack::Packing;
use crate::policy::Policy;
use crate::select::ask::{Ask, Input, Options, Origin, What};
use crate::select::exclude::Exclude;
use crate::select::packages::constraint::Tags;
use crate::select::sought::Sought;
use crate::select::steps::{Choice, Newest};
use crate::select::toolchains::{self, Platform, Toolchains};
use crate::sumdb::client::Client;
use crate::sumdb::spec::SumdbSpec;
use crate::upstream::env::GoEnv;
use crate::upstream::goproxy::{ProxyList, Upstream};
use crate::upstream::http::{Http, HttpOptions, Retry};
use crate::upstream::netrc::{self, Netrc};
use crate::upstream::private::PrivateConfig;
use crate::upstream::proxyenv::ProxyEnv;
use crate::volume_size::VolumeSize;

/// Transfers at once, where nothing else is said.
pub const TRANSFERS: usize = 24;
/// No more transfers at once than this, whatever is said.
pub const MAX_TRANSFERS: usize = 256;

/// modferry.yaml of the connected side. Relative paths in it are relative to the file's folder.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The stream's name.
    pub stream: Option<String>,
    /// The signing key's file.
    pub key: Option<PathBuf>,
    /// The file with the key's passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// Where bundles are written to.
    pub out: Option<PathBuf>,
    /// Where downloads are kept.
    pub cache: Option<PathBuf>,
    /// Where the stream's state is kept.
    pub state: Option<PathBuf>,
    /// GOPROXY.
    pub goproxy: Option<String>,
    /// GOSUMDB.
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
    pub known_head: Vec<String>,
    /// Trust notes to carry.
    pub trust: Vec<PathBuf>,
    /// Whether a bundle is written although something cannot be had.
    pub keep_going: Option<bool>,
    /// Transfers at once.
    pub transfers: Option<usize>,
    /// The most bytes of a volume.
    pub volume_size: Option<VolumeSize>,
    /// How fast bundles are carried.
    pub media_rate: Option<Rate>,
    /// How zips travel.
    pub pack: Option<Packing>,
    /// Whether zips are packed against those that the destination holds.
    pub deltas: Option<bool>,
    /// The public key of the appliance whose receipts come back.
    pub receipt_key: Option<PathBuf>,
    /// Opaque files to carry.
    pub files: Vec<FileConfig>,
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

    /// What the flags say counts before what the file says.
    pub fn or(self, file: Config) -> Config {
        fn list<T>(flags: Vec<T>, file: Vec<T>) -> Vec<T> {
            if flags.is_empty() { file } else { flags }
        }
        // What is asked for is one thing: a module on the command line leaves the file's go.mod files out too. Only wants
        // are what it lacked, and come on top of it.
        let asked = self.is_more_than_wants();
        let prunes = match self.wants.is_empty() {
            true => !asked,
            false => !asked && (file.is_more_than_wants() || !file.wants.is_empty()),
        };
        let Config {
            modules,
            go_mod,
            go_sum,
            go_work,
            checkouts,
            vendor,
            binary,
            sbom,
            modcache,
            list: lists,
            mut wants,
            ..
        } = match asked {
            true => self.clone(),
            false => file.clone(),
        };
        if !asked {
            wants.extend(self.wants);
        }
        Config {
            stream: self.stream.or(file.stream),
            key: self.key.or(file.key),
            passphrase_file: self.passphrase_file.or(file.passphrase_file),
            out: self.out.or(file.out),
            cache: self.cache.or(file.cache),
            state: self.state.or(file.state),
            goproxy: self.goproxy.or(file.goproxy),
            gosumdb: self.gosumdb.or(file.gosumdb),
            modules,
            go_mod,
            go_sum,
            go_work,
            checkouts,
            vendor,
            binary,
            sbom,
            modcache,
            list: lists,
            wants,
            follow: self.follow.or(file.follow),
            exclude: list(self.exclude, file.exclude),
            pre_releases: self.pre_releases.or(file.pre_releases),
            retracted: self.retracted.or(file.retracted),
            newest: self.newest.or(file.newest),
            toolchains: self.toolchains.or(file.toolchains),
            platforms: list(self.platforms, file.platforms),
            known_head: list(self.known_head, file.known_head),
            trust: list(self.trust, file.trust),
            files: list(self.files, file.files),
            private: list(self.private, file.private),
            keep_going: self.keep_going.or(file.keep_going),
            transfers: self.transfers.or(file.transfers),
            volume_size: self.volume_size.or(file.volume_size),
            media_rate: self.media_rate.or(file.media_rate),
            pack: self.pack.or(file.pack),
            deltas: self.deltas.or(file.deltas),
            receipt_key: self.receipt_key.or(file.receipt_key),
            // The file's prune is about the file's selection: one module named by hand, or the wants where the file selects
            // nothing, must not take back all else.
            prune: self.prune.or(file.prune.filter(|_| prunes)),
            policy: self.policy.or(file.policy),
            receipt: self.receipt,
            basis: self.basis,
            cumulative_from: self.cumulative_from,
        }
    }

    /// Whether anything is asked for, besides what wants files name.
    fn is_more_than_wants(&self) -> bool {
        let mut inputs = self.inputs().into_iter();
        let named = inputs.any(|(input, asks)| input != Input::Wants && !asks.is_empty());
        named || !self.modules.is_empty()
    }

    /// What is asked for, in the order in which it is told.
    pub fn asks(&self) -> Vec<Ask> {
        let general = Options {
            follow: self.follow,
            pre_releases: self.pre_releases,
            retracted: self.retracted,
        };
        let modules = self.modules.iter().cloned();
        let mut asks: Vec<Ask> = modules.map(|ask| ask.map(What::Module)).collect();
        for (input, of) in self.inputs() {
            let paths = of.iter().cloned();
            asks.extend(paths.map(|ask| ask.map(|path| What::Input(input, path))));
        }
        for ask in &mut asks {
            ask.options = ask.options.or(general);
        }
        asks
    }

    fn inputs(&self) -> [(Input, &Vec<Ask<PathBuf>>); 10] {
        [
            (Input::GoMod, &self.go_mod),
            (Input::GoSum, &self.go_sum),
            (Input::GoWork, &self.go_work),
            (Input::Checkouts, &self.checkouts),
            (Input::Vendor, &self.vendor),
            (Input::Binary, &self.binary),
            (Input::Sbom, &self.sbom),
            (Input::Modcache, &self.modcache),
            (Input::List, &self.list),
            (Input::Wants, &self.wants),
        ]
    }

    fn inputs_mut(&mut self) -> [(Input, &mut Vec<Ask<PathBuf>>); 10] {
        [
            (Input::GoMod, &mut self.go_mod),
            (Input::GoSum, &mut self.go_sum),
            (Input::GoWork, &mut self.go_work),
            (Input::Checkouts, &mut self.checkouts),
            (Input::Vendor, &mut self.vendor),
            (Input::Binary, &mut self.binary),
            (Input::Sbom, &mut self.sbom),
            (Input::Modcache, &mut self.modcache),
            (Input::List, &mut self.list),
            (Input::Wants, &mut self.wants),
        ]
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

    /// Where everything comes from, as these settings and the go command's say.
    pub fn sources(&self, zips: bool) -> Result<Sources, Error> {
        let env = GoEnv::from_system().map_err(|source| {
            Error::usage_because("the go command's settings are not known", source)
        })?;
        let goproxy = self.goproxy.clone().or(env.goproxy).ok_or_else(|| {
            Error::usage("no upstream: set GOPROXY (or goproxy in modferry.yaml, or --goproxy), or install the go command, whose setting is then used")
        })?;
        let list = ProxyList::parse(&goproxy)
            .map_err(|source| Error::usage_because("unusable upstream", source))?;
        let spec = self.sumdb(env.gosumdb)?;
        let transfers = self.transfers.unwrap_or(TRANSFERS);
        if !(1..=MAX_TRANSFERS).contains(&transfers) {
            return Err(Error::usage(format!(
                "transfers: {transfers}: want 1 to {MAX_TRANSFERS}"
            )));
        }
        let netrc = match netrc::wanted_by(env.goauth.as_deref().unwrap_or("netrc")) {
            false => Netrc::default(),
            true => Netrc::from_system()
                .map_err(|source| Error::usage_because("the netrc file cannot be read", source))?,
        };
        let options = HttpOptions {
            connections: transfers,
            retry: Retry::default(),
            proxies: ProxyEnv::from_system(),
            netrc,
            ..HttpOptions::default()
        };
        let cache = self.cache()?;
        let direct = cache.root().join("direct");
        let private = self.private.iter();
        let private = private
            .map(|own| own.route(&options, &direct))
            .collect::<Result<_, _>>()?;
        let http =
            Http::new(options).map_err(|source| Error::usage_because("unusable proxy", source))?;
        let upstream = Upstream::new(Arc::new(http), list).with_private(private);
        Ok(Sources {
            sumdb: Client::new(spec, upstream.clone(), cache.clone()),
            upstream,
            cache,
            private: env.private,
            transfers,
            zips,
        })
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

    /// The checksum database: these settings', else the go command's, else its default.
    pub fn sumdb(&self, of_go: Option<String>) -> Result<SumdbSpec, Error> {
        let text = match self.gosumdb.clone().or(of_go) {
            Some(text) => text,
            None => modferry_protocol::note::SUM_GOLANG_ORG.to_owned(),
        };
        SumdbSpec::parse(&text)
            .map_err(|source| Error::usage_because("unusable checksum database", source))
    }
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_is_read_with_its_own_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("modferry.yaml");
        std::fs::write(
            &path,
            "stream: platform\nkey: site.key\ngo-mod: [app/go.mod, /abs/go.mod]\nknown-head: [177, latest]\ntransfers: 8\nreceipt-key: back/identity.pub\n",
        )
        .unwrap();
        let config = Config::load(&path).unwrap();
        assert_eq!(config.key, Some(dir.path().join("site.key")));
        let go_mods = config.go_mod.iter().map(|ask| ask.what.clone());
        assert_eq!(
            go_mods.collect::<Vec<_>>(),
            [dir.path().join("app/go.mod"), "/abs/go.mod".into()]
        );
        let origin = config.go_mod[1].origin.to_string();
        assert_eq!(origin, format!("{}: go-mod[1]", path.display()));
        assert_eq!(
            config.known_head,
            [
                "177".to_owned(),
                dir.path().join("latest").display().to_string()
            ]
        );
        assert_eq!(config.stream().unwrap().as_str(), "platform");
        let key = dir.path().join("back/identity.pub");
        assert_eq!(config.receipt_key, Some(key));
    }

    #[test]
    fn what_is_for_one_export_is_not_for_a_file() {
        for key in ["receipt: r", "basis: none", "cumulative-from: 3"] {
            let error = modferry_cli::parse_config::<Config>("test", key).unwrap_err();
            assert!(error.to_string().contains("unknown field"), "{error}");
        }
    }

    #[test]
    fn an_unknown_key_is_told_with_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("modferry.yaml");
        std::fs::write(&path, "stream: x\nkeep_going: true\n").unwrap();
        let text = Config::load(&path).unwrap_err().to_string();
        assert!(
            text.contains("modferry.yaml:2:1") && text.contains("keep_going"),
            "{text}"
        );
    }

    #[test]
    fn flags_count_before_the_file() {
        let flags = Config {
            stream: Some("flag".into()),
            modules: vec![Ask::from("a.b/c@v1.0.0".parse::<Sought>().unwrap())],
            ..Config::default()
        };
        let file = Config {
            stream: Some("file".into()),
            go_mod: vec![Ask::from(PathBuf::from("go.mod"))],
            transfers: Some(3),
            ..Config::default()
        };
        let config = flags.or(file);
        assert_eq!(config.stream.as_deref(), Some("flag"));
        assert!(config.go_mod.is_empty());
        assert_eq!(config.transfers, Some(3));
    }

    #[test]
    fn the_files_prune_goes_with_the_files_selection() {
        let file = Config {
            go_mod: vec![Ask::from(PathBuf::from("go.mod"))],
            prune: Some(true),
            ..Config::default()
        };
        assert_eq!(Config::default().or(file.clone()).prune, Some(true));
        let named = Config {
            modules: vec![Ask::from("a.b/c@v1.0.0".parse::<Sought>().unwrap())],
            ..Config::default()
        };
        assert_eq!(named.clone().or(file.clone()).prune, None);
        let said = Config {
            prune: Some(true),
            ..named
        };
        assert_eq!(said.or(file).prune, Some(true));
    }

    #[test]
    fn wants_come_on_top_of_the_files_selection() {
        let wants = |name: &str| vec![Ask::from(PathBuf::from(name))];
        let flags = Config {
            wants: wants("flag"),
            ..Config::default()
        };
        let file = Config {
            go_mod: vec![Ask::from(PathBuf::from("go.mod"))],
            wants: wants("file"),
            prune: Some(true),
            ..Config::default()
        };
        let both = flags.clone().or(file.clone());
        assert_eq!(both.go_mod, file.go_mod);
        assert_eq!(both.wants, [wants("file"), wants("flag")].concat());
        // The file's selection is whole, so its prune holds.
        assert_eq!(both.prune, Some(true));
        // Where the file selects nothing, the wants alone are no selection to prune by.
        let nothing = Config {
            prune: Some(true),
            ..Config::default()
        };
        assert_eq!(flags.clone().or(nothing).prune, None);
        // With anything else on the command line, that is what is asked for.
        let named = Config {
            modules: vec![Ask::from("a.b/c@v1.0.0".parse::<Sought>().unwrap())],
            ..flags
        };
        let named = named.or(file);
        assert!(named.go_mod.is_empty());
        assert_eq!((named.wants, named.prune), (wants("flag"), None));
    }

    #[test]
    fn a_stream_name_has_rules() {
        let config = Config {
            stream: Some("No Such".into()),
            ..Config::default()
        };
        assert!(config.stream().is_err());
        assert_eq!(Config::default().stream().unwrap().as_str(), "default");
    }
}
