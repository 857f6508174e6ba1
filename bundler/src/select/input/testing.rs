//! Modules in a folder, which the real go command takes for its proxy: what a program, a vendor folder and a module
//! cache are made from in tests.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::{Command, Output};

use modferry_checker::testing::TestModule;
use modferry_protocol::request::Request;

use super::Levels;

/// `path@version level` of each.
pub(super) fn levels(of: &Levels) -> Vec<String> {
    (of.modules.iter())
        .map(|(module, level)| format!("{module} {level:?}"))
        .collect()
}

/// A folder that all below is in.
pub(super) struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    /// With these modules at its proxy.
    pub(super) fn new(modules: &[TestModule]) -> Workshop {
        let folder = tempfile::tempdir().unwrap();
        let workshop = Workshop { folder };
        for it in modules {
            let (path, version) = it.module.clone().into_parts();
            let put = |request: Request, bytes: &[u8]| {
                let name = format!("proxy{}", request.url_path());
                workshop.write(&name, bytes);
            };
            put(Request::Info(it.module.clone()), &it.info);
            put(Request::Mod(it.module.clone()), &it.go_mod);
            put(Request::Zip(it.module.clone()), &it.zip);
            let list = format!("proxy{}", Request::List(path).url_path());
            let mut versions = std::fs::read(workshop.path(&list)).unwrap_or_default();
            versions.extend(format!("{version}\n").bytes());
            workshop.write(&list, &versions);
        }
        workshop
    }

    /// A file or folder in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// `go ARGS…` in the folder `dir`: standard output, once it has succeeded.
    #[track_caller]
    pub(super) fn go(&self, dir: &str, env: &[(&str, &str)], args: &[&str]) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new("go")
            .args(args)
            .current_dir(self.path(dir))
            .env(
                "GOPROXY",
                format!("file://{}", self.path("proxy").display()),
            )
            .env("GOMODCACHE", self.path("modcache"))
            .env("GOFLAGS", "-modcacherw -buildvcs=false")
            .env("CGO_ENABLED", "0")
            .env("GONOSUMDB", "example.com")
            .env("GONOPROXY", "none")
            .env("GOTOOLCHAIN", "local")
            .env_remove("GOWORK")
            .envs(env.iter().copied())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "go {args:?} in {dir}: {told}");
        String::from_utf8(stdout).unwrap()
    }
}
