//! A scenario's two sides, and the gap between them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{
    golang::Go,
    run::{Finished, modferry, run},
    server::Server,
    upstream::Upstream,
};

/// A temporary folder with a connected and an isolated side. The folder is removed with the value; a failing
/// test's messages carry what is needed of it.
pub struct Site {
    /// What the bundler fetches from.
    pub upstream: Upstream,
    root: TempDir,
    bundles: u32,
}

impl Site {
    /// A site whose bundler has a key, and whose store trusts that key and the upstream's checksum database.
    #[track_caller]
    pub fn new() -> Self {
        let site = Self::distrusting();
        site.appliance(&["trust", "add", &site.path("keys/site.pub")])
            .ok();
        site.appliance(&["trust", "add", "--sumdb", site.upstream.verifier_key()])
            .ok();
        site
    }

    /// A site whose store trusts nobody yet.
    #[track_caller]
    pub fn distrusting() -> Self {
        let root = TempDir::new().unwrap();
        let site = Self {
            upstream: Upstream::start(),
            root,
            bundles: 0,
        };
        site.bundler(&["keygen", "site", "--out", &site.path("keys")])
            .ok();
        site
    }

    /// A path inside the scenario's folder.
    pub fn path(&self, name: &str) -> String {
        self.root.path().join(name).to_str().unwrap().to_owned()
    }

    /// The scenario's folder.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The store's folder.
    pub fn store(&self) -> PathBuf {
        self.root.path().join("store")
    }

    /// `modferry-bundler ARGS…` with the scenario's upstream and folders.
    #[track_caller]
    pub fn bundler(&self, args: &[&str]) -> Finished {
        run(&mut self.bundler_command(args))
    }

    /// The same, not started yet.
    pub fn bundler_command(&self, args: &[&str]) -> Command {
        let mut command = modferry("modferry-bundler", self.root());
        command
            .args(args)
            .env("GOPROXY", self.upstream.url())
            .env("GOSUMDB", self.upstream.verifier_key())
            .env("XDG_CACHE_HOME", self.path("bundler-cache"))
            .env("XDG_STATE_HOME", self.path("bundler-state"));
        command
    }

    /// `modferry-appliance ARGS… --store STORE`.
    #[track_caller]
    pub fn appliance(&self, args: &[&str]) -> Finished {
        run(&mut self.appliance_command(args))
    }

    /// The same, not started yet.
    pub fn appliance_command(&self, args: &[&str]) -> Command {
        let mut command = modferry("modferry-appliance", self.root());
        command.args(args).arg("--store").arg(self.store());
        command
    }

    /// Exports into a folder of its own; returns the finished command and that folder.
    #[track_caller]
    pub fn export(&mut self, args: &[&str]) -> (Finished, String) {
        self.bundles += 1;
        let out = self.path(&format!("bundle-{}", self.bundles));
        let key = self.path("keys/site.key");
        let mut words = vec!["export", "--key", &key, "--out", &out];
        words.extend(args);
        (self.bundler(&words), out)
    }

    /// Exports, and imports what was exported; returns the bundle's folder.
    #[track_caller]
    pub fn carry(&mut self, args: &[&str]) -> String {
        let (exported, out) = self.export(args);
        exported.ok();
        self.appliance(&["import", &out]).ok();
        out
    }

    /// A running server over the store.
    #[track_caller]
    pub fn serve(&self) -> Server {
        Server::start(&self.store(), self.root())
    }

    /// A fresh go client of `server`, and of nothing else.
    pub fn go(&self, server: &Server, name: &str) -> Go {
        Go::new(
            &self.root.path().join(name),
            format!("{},off", server.url()),
            self.upstream.verifier_key().to_owned(),
        )
    }

    /// A fresh go client of the upstream itself: one that is still online.
    pub fn online_go(&self, name: &str) -> Go {
        Go::new(
            &self.root.path().join(name),
            self.upstream.url().to_owned(),
            self.upstream.verifier_key().to_owned(),
        )
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}

/// The one file of `folder` whose name ends with `suffix`.
#[track_caller]
pub fn file_with_suffix(folder: &str, suffix: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(suffix))
        .collect();
    assert_eq!(
        found.len(),
        1,
        "files ending {suffix} in {folder}: {found:?}"
    );
    found.remove(0)
}
