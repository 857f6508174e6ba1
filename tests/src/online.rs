//! The connected side of the live tier: the go command and the bundler in the environment of this machine, with the
//! upstream that it is configured to use, and a module cache that outlives a run where `MODFERRY_LIVE_MODCACHE` names one.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

use crate::run::{Finished, bin_dir, run};

/// This machine, as somebody with a route to upstream uses it.
pub struct Online {
    folder: PathBuf,
    modcache: PathBuf,
    goproxy: String,
}

impl Online {
    /// With everything but the module cache in `folder`.
    pub fn new(folder: &Path) -> Self {
        let goproxy = run(Command::new("go").args(["env", "GOPROXY"])).ok().stdout;
        Self {
            folder: folder.to_path_buf(),
            modcache: env::var_os("MODFERRY_LIVE_MODCACHE")
                .map_or_else(|| folder.join("modcache"), PathBuf::from),
            goproxy: goproxy.trim().to_owned(),
        }
    }

    /// `go ARGS…` in a folder.
    pub fn go<S: AsRef<OsStr>>(&self, args: &[S], at: &Path) -> Finished {
        run(self
            .environment(&mut Command::new("go"))
            .args(args)
            .current_dir(at))
    }

    /// Any command in a folder, with the environment of [`Online::go`].
    pub fn command<S: AsRef<OsStr>>(&self, words: &[S], at: &Path) -> Finished {
        let mut command = Command::new(&words[0]);
        run(self
            .environment(&mut command)
            .args(&words[1..])
            .current_dir(at))
    }

    /// What `go mod download -json` says of modules.
    pub fn download(&self, modules: &[String]) -> Vec<serde_json::Value> {
        let mut args = vec!["mod", "download", "-json"];
        args.extend(modules.iter().map(String::as_str));
        let downloaded = self.go(&args, &self.folder).ok();
        let told: Vec<serde_json::Value> = serde_json::Deserializer::from_str(&downloaded.stdout)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(told.len(), modules.len(), "{downloaded}");
        told
    }

    /// A GOPROXY of which the first is what the go command has downloaded before.
    pub fn proxies(&self) -> String {
        let first = self.modcache.join("cache/download");
        format!("file://{},{}", first.display(), self.goproxy)
    }

    /// Runs the bundler with [`Online::proxies`].
    pub fn bundler<S: AsRef<OsStr>>(&self, args: &[S]) -> Finished {
        run(Command::new(bin_dir().join("modferry-bundler"))
            .args(args)
            .env("GOPROXY", self.proxies())
            .env("XDG_CACHE_HOME", self.folder.join("bundler-cache"))
            .current_dir(&self.folder))
    }

    fn environment<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env("GOMODCACHE", &self.modcache)
            .env("GOBIN", self.folder.join("online-bin"))
            .env("GOFLAGS", "-modcacherw") // so that the temporary folder can be removed
            .env("GOWORK", "off")
            .env("GOTOOLCHAIN", "local")
            .env("GOCACHE", bin_dir().join("go-build-cache"))
    }
}
