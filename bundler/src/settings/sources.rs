//! Where modules come from and how they are asked for: as the settings say, else as the go command's own say.

use std::sync::Arc;

use modferry_protocol::note::SUM_GOLANG_ORG;

use super::Config;
use crate::error::Error;
use crate::fetch::Sources;
use crate::sumdb::client::Client;
use crate::sumdb::spec::SumdbSpec;
use crate::upstream::env::GoEnv;
use crate::upstream::goproxy::{ProxyList, Upstream};
use crate::upstream::http::{Http, HttpOptions, Retry};
use crate::upstream::netrc::{self, Netrc};
use crate::upstream::proxyenv::ProxyEnv;

impl Config {
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
        let transfers = self.transfers.unwrap_or_default().get();
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

    /// The checksum database: these settings', else the go command's, else its default.
    pub fn sumdb(&self, of_go: Option<String>) -> Result<SumdbSpec, Error> {
        let text = match self.gosumdb.clone().or(of_go) {
            Some(text) => text,
            None => SUM_GOLANG_ORG.to_owned(),
        };
        SumdbSpec::parse(&text)
            .map_err(|source| Error::usage_because("unusable checksum database", source))
    }
}
