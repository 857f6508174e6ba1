//! Where a run fetches from, and which names no request may have.

use modferry_protocol::module::{ModulePath, ModuleVersion, pattern};

use crate::cache::Cache;
use crate::sumdb::client::Client;
use crate::upstream::goproxy::Upstream;

/// Where things come from and go.
pub struct Sources {
    /// Module proxies.
    pub upstream: Upstream,
    /// The checksum database.
    pub sumdb: Client,
    /// What was downloaded before.
    pub cache: Cache,
    /// Patterns of modules that no request may name, with the variable that has them.
    pub private: Vec<(&'static str, String)>,
    /// Transfers at once.
    pub transfers: usize,
    /// Whether zips are fetched; otherwise only their sizes are asked for.
    pub zips: bool,
}

impl Sources {
    /// The variable whose patterns keep this module away from public upstreams, where it has no upstream of its own.
    pub fn private_by(&self, module: &ModuleVersion) -> Option<&'static str> {
        self.private_path_by(module.path())
    }

    /// The same of a module path.
    pub fn private_path_by(&self, path: &ModulePath) -> Option<&'static str> {
        if self.upstream.private(path).is_some() {
            return None;
        }
        self.private
            .iter()
            .find(|(_, globs)| pattern::match_prefix_patterns(globs, path.as_str()))
            .map(|(name, _)| *name)
    }

    /// Whether the path begins that of modules that are private, and no upstream is known that may be told of it.
    pub fn is_above_private(&self, path: &ModulePath) -> bool {
        let routed = self.upstream.private(path).is_some();
        let above = |globs: &str| {
            pattern::match_prefix_patterns_or_above(globs, path.as_str())
                && !pattern::match_prefix_patterns(globs, path.as_str())
        };
        !routed
            && (self.upstream.is_above_private(path)
                || self.private.iter().any(|(_, globs)| above(globs)))
    }
}
