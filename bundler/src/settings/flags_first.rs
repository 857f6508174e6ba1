//! What the command line says counts before what the file says.

use super::Config;

impl Config {
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
        let selection = match asked {
            true => self.clone(),
            false => {
                let mut selection = file.clone();
                selection.wants.extend(self.wants);
                selection
            }
        };
        Config {
            stream: self.stream.or(file.stream),
            key: self.key.or(file.key),
            passphrase_file: self.passphrase_file.or(file.passphrase_file),
            out: self.out.or(file.out),
            cache: self.cache.or(file.cache),
            state: self.state.or(file.state),
            goproxy: self.goproxy.or(file.goproxy),
            gosumdb: self.gosumdb.or(file.gosumdb),
            modules: selection.modules,
            go_mod: selection.go_mod,
            go_sum: selection.go_sum,
            go_work: selection.go_work,
            checkouts: selection.checkouts,
            vendor: selection.vendor,
            binary: selection.binary,
            sbom: selection.sbom,
            modcache: selection.modcache,
            list: selection.list,
            wants: selection.wants,
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
            vulndb: self.vulndb.or(file.vulndb),
            // Without the file's, what they are about would be named to the public upstream.
            private: [self.private, file.private].concat(),
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
}
